/*
 * Operations by hand: replay, drop and retry, on a running and on a stopped outbox.
 */
#include "tests/unit/lib/outbox_fixture.h"

#include "bridge/store/writer.h"

static struct store_selection select_id(const struct uuid *id)
{
    struct store_selection selection = select_all();

    selection.ids = id;
    selection.id_count = 1;
    return selection;
}

/* ---- replay ---- */

static void replay_puts_copies_of_delivered_events_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    struct store_selection one = select_id(&event.id);
    struct outbox_operation_result result;
    struct listed *listed;

    fixture_start(f);
    put_ok(f, &event);
    put_many(f, 2);
    deliver(f, 2);
    result = operate(f, OUTBOX_REPLAY, &one);
    assert_int_equal(result.status, ST_OK);
    assert_int_equal(result.done_count, 1);
    assert_int_equal(f->durable_seq, 4);
    listed = list(f, STORE_UNDELIVERED);
    assert_int_equal(listed->count, 2);
    assert_int_equal(listed->rows[1].seq, 4);
    assert_true(uuid_equal(listed->rows[1].id, event.id));
    assert_true(listed->rows[1].replayed);
    assert_string_equal(listed->rows[1].body, "{\"event\":\"resource.updated\"}");
    free(listed);
    assert_sums_right(f);
}

static void replaying_everything_copies_each_delivered_event_once(void **state)
{
    struct fixture *f = *state;
    struct store_selection all = select_all();
    struct event a = make_event(1, 'a'), b = make_event(1, 'b'), a_back = make_event(1, 'a'),
                 b_again = make_event(1, 'b');

    fixture_start(f);
    put_ok(f, &a);
    put_ok(f, &b);
    put_many(f, 1000);
    deliver(f, 1001);
    assert_int_equal(operate(f, OUTBOX_REPLAY, &all).done_count, 1001);
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), 1 + 1001);
    /* Copies are no news: b is still the newest. */
    assert_true(is_duplicate(f, &b_again, b.id));
    fixture_restart(f);
    assert_true(is_duplicate(f, &b_again, b.id));
    put_ok(f, &a_back);
    assert_sums_right(f);
}

static void a_selection_needs_every_part_to_match(void **state)
{
    struct fixture *f = *state;
    struct store_selection selection = select_all();
    struct event event = make_new_event();

    fixture_start(f);
    for (int64_t ms = 1000; ms < 1010; ms++) {
        event = make_new_event();
        event.received_ms = clock_unix_ms() - 60000 + ms;
        event.source = ms % 2 == 0 ? SLICE("even") : SLICE("odd");
        put_ok(f, &event);
        if (ms == 1002) {
            selection.since_ms = event.received_ms;
        }
        if (ms == 1008) {
            selection.until_ms = event.received_ms;
        }
    }
    deliver(f, 10);
    selection.source = SLICE("even");
    assert_int_equal(operate(f, OUTBOX_REPLAY, &selection).done_count, 3);
    selection.limit = 2;
    assert_int_equal(operate(f, OUTBOX_REPLAY, &selection).done_count, 2);
    selection.source = SLICE("eve");
    assert_int_equal(operate(f, OUTBOX_REPLAY, &selection).done_count, 0);
}

static void a_replay_skips_the_copies_of_earlier_replays(void **state)
{
    struct fixture *f = *state;
    struct store_selection all = select_all();
    struct outbox_operation_result result = {0};

    fixture_start(f);
    put_many(f, 3);
    deliver(f, 3);
    for (uint64_t seq = 6; seq <= 12; seq += 3) {
        assert_int_equal(operate(f, OUTBOX_REPLAY, &all).done_count, 3);
        assert_int_equal(stats_on_disk(f).last_seq, seq);
        deliver(f, seq);
    }
    fixture_close(f);
    fixture_open(f);
    outbox_operate_now(f->outbox, OUTBOX_REPLAY, &all, &result);
    assert_int_equal(result.done_count, 3);
    assert_int_equal(result.skipped_count, 0);
    fixture_close(f);
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), 3);
    assert_sums_right(f);
}

/* Copies do not use a limit up either. */
static void a_retried_event_is_replayed_like_any_other(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    struct store_selection all = select_all();
    struct listed *listed;

    fixture_start(f);
    put_ok(f, &event);
    bury(f, 1, "refused (0x87)");
    deliver(f, 1);
    assert_int_equal(operate(f, DEAD_RETRY, &all).done_count, 1);
    deliver(f, 2);
    assert_int_equal(operate(f, OUTBOX_REPLAY, &all).done_count, 1);
    put_many(f, 1);
    deliver(f, 4);
    all.limit = 2;
    assert_int_equal(operate(f, OUTBOX_REPLAY, &all).done_count, 2);
    listed = list(f, STORE_UNDELIVERED);
    assert_int_equal(listed->count, 2);
    assert_true(uuid_equal(listed->rows[0].id, event.id));
    assert_false(uuid_equal(listed->rows[1].id, event.id));
    free(listed);
}

static void a_replay_makes_room_by_removing_kept_events(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    struct store_selection all = select_all();
    struct outbox_operation_result result;
    struct listed *before, *after;

    f->options.max_bytes = 3 * event_cost_bytes(&event);
    fixture_start(f);
    put_many(f, 3);
    before = list(f, STORE_ALL);
    /* The second time there are no originals left: the copies are all there is. */
    for (uint64_t seq = 3; seq <= 6; seq += 3) {
        deliver(f, seq);
        result = operate(f, OUTBOX_REPLAY, &all);
        assert_int_equal(result.status, ST_OK);
        assert_int_equal(result.done_count, 3);
        after = list(f, STORE_ALL);
        assert_int_equal(after->count, 3);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(after->rows[i].seq, seq + 1 + i);
            assert_true(uuid_equal(after->rows[i].id, before->rows[i].id));
            assert_string_equal(after->rows[i].body, before->rows[i].body);
        }
        free(after);
    }
    free(before);
    assert_sums_right(f);
}

static void replay_stops_at_the_limit_with_that_reason(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    struct store_selection all = select_all();
    struct outbox_operation_result result;

    fixture_start(f);
    put_many(f, 3);
    deliver(f, 2);
    fixture_close(f);
    f->options.max_bytes = 2 * event_cost_bytes(&event);
    fixture_start(f);
    result = operate(f, OUTBOX_REPLAY, &all);
    assert_int_equal(result.status, ST_FULL);
    assert_int_equal(result.done_count, 0); /* all or nothing */
    assert_non_null(strstr(result.why, "limit"));
    assert_int_equal(count_on_disk(f, STORE_ALL), 3);
    put_many(f, 1);
    assert_sums_right(f);
}

static void a_retry_stops_at_the_limit_with_that_reason(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    struct store_selection all = select_all();
    struct outbox_operation_result result;

    f->options.max_bytes = 2 * event_cost_bytes(&event);
    fixture_start(f);
    put_ok(f, &event);
    bury(f, 1, "refused (0x87)");
    deliver(f, 1);
    put_many(f, 2);
    result = operate(f, DEAD_RETRY, &all);
    assert_int_equal(result.status, ST_FULL);
    assert_non_null(strstr(result.why, "limit"));
    assert_int_equal(count_on_disk(f, STORE_DEAD), 1);
    deliver(f, 3); /* kept ones go for it */
    assert_int_equal(operate(f, DEAD_RETRY, &all).done_count, 1);
    assert_int_equal(count_on_disk(f, STORE_DEAD), 0);
    assert_sums_right(f);
}

static void replay_never_brings_an_older_state_back(void **state)
{
    struct fixture *f = *state;
    struct event a = make_event(1, 'a'), b = make_event(1, 'b');
    struct store_selection only_a = select_id(&a.id), only_b = select_id(&b.id);
    struct listed *listed;

    fixture_start(f);
    a.state_topic = b.state_topic = SLICE("state/g1");
    a.event_ms = b.event_ms = 1000; /* of the same second */
    put_ok(f, &a);
    put_ok(f, &b);
    deliver(f, 2);
    assert_int_equal(operate(f, OUTBOX_REPLAY, &only_a).done_count, 1);
    assert_int_equal(operate(f, OUTBOX_REPLAY, &only_b).done_count, 1);
    assert_int_equal(operate(f, OUTBOX_REPLAY, &only_a).done_count, 1);
    deliver(f, 5);
    assert_int_equal(operate(f, OUTBOX_REPLAY, &only_b).done_count, 1);
    listed = list(f, STORE_ALL);
    assert_int_equal(listed->count, 6);
    assert_false(listed->rows[2].has_state);
    assert_true(listed->rows[3].has_state);
    assert_false(listed->rows[4].has_state);
    assert_true(listed->rows[5].has_state);
    free(listed);
}

/* ---- drop ---- */

static void drop_skips_events_on_their_way_to_the_broker(void **state)
{
    struct fixture *f = *state;
    struct store_selection all = select_all();
    struct outbox_operation_result result;
    struct event *events[4];
    struct err err = {0};
    size_t count = 0;

    fixture_start(f);
    put_many(f, 10);
    deliver(f, 2);
    assert_int_equal(outbox_read(f->outbox, 2, 3, 1 << 20, events, &count, &err), ST_OK);
    while (count > 0) {
        event_free(events[--count]);
    }
    result = operate(f, OUTBOX_DROP, &all);
    assert_int_equal(result.done_count, 5);
    assert_int_equal(result.skipped_count, 3);
    assert_non_null(strstr(result.why, "on its way"));
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), 3);

    /* The connection is lost, only the first of them had arrived. */
    outbox_rewind(f->outbox, 3);
    deliver(f, 3);
    assert_int_equal(operate(f, OUTBOX_DROP, &all).done_count, 2);
    assert_int_equal(stats_on_disk(f).delivered_seq, 10);
    assert_int_equal(stats_on_disk(f).undelivered_count, 0);
    assert_int_equal(count_on_disk(f, STORE_DELIVERED), 3);
    assert_sums_right(f);
}

static void dropped_events_are_gone_for_good_but_their_neighbours_are_not(void **state)
{
    struct fixture *f = *state;
    struct store_selection even = select_all();
    uint64_t seqs[2000];

    fixture_start(f);
    for (int i = 0; i < 1500; i++) {
        struct event event = make_new_event();

        event.source = i % 2 == 0 ? SLICE("even") : SLICE("odd");
        put_ok(f, &event);
    }
    even.source = SLICE("even");
    assert_int_equal(operate(f, OUTBOX_DROP, &even).done_count, 750);
    fixture_restart(f);
    assert_int_equal(read_all(f, seqs, COUNT_OF(seqs)), 750);
    assert_int_equal(seqs[0], 2);
    assert_int_equal(seqs[749], 1500);
    assert_sums_right(f);
    deliver(f, 700);
    assert_int_equal(stats_on_disk(f).delivered_seq, 701);
    assert_sums_right(f);
    deliver(f, 1500);
    assert_int_equal(stats_on_disk(f).kept_count, 750);
    assert_sums_right(f);
}

/* Otherwise the provider would get 200 again for an event that was dropped. */
static void a_dropped_event_may_come_again(void **state)
{
    struct fixture *f = *state;
    struct event a = make_event(1, 'a'), again = make_event(1, 'a'), b = make_event(2, 'b'),
                 b_again = make_event(2, 'b');
    struct store_selection all = select_all();

    fixture_start(f);
    put_ok(f, &a);
    put_ok(f, &b);
    assert_int_equal(operate(f, OUTBOX_DROP, &all).done_count, 2);
    put_ok(f, &again);
    fixture_restart(f);
    assert_true(is_duplicate(f, &a, again.id));
    put_ok(f, &b_again); /* known from the disk alone */
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), 2);
}

static void a_dropped_event_is_still_the_newest_of_its_resource(void **state)
{
    struct fixture *f = *state;
    struct event a = make_event(1, 'a'), b = make_event(1, 'b'), a_back = make_event(1, 'a');
    struct store_selection only_b = select_id(&b.id);

    fixture_start(f);
    put_ok(f, &a);
    put_ok(f, &b);
    assert_int_equal(operate(f, OUTBOX_DROP, &only_b).done_count, 1);
    put_ok(f, &a_back);
}

static void an_event_that_drop_skipped_is_still_known(void **state)
{
    struct fixture *f = *state;
    struct event a = make_event(1, 'a'), again = make_event(1, 'a');
    struct store_selection all = select_all();
    uint64_t seqs[1];

    fixture_start(f);
    put_ok(f, &a);
    assert_int_equal(read_all(f, seqs, 1), 1);
    assert_int_equal(operate(f, OUTBOX_DROP, &all).skipped_count, 1);
    assert_true(is_duplicate(f, &again, a.id));
}

static void tombstones_are_removed_along_with_their_neighbours(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    struct store_selection one = select_id(&event.id);

    fixture_start(f);
    put_many(f, 1);
    put_ok(f, &event);
    put_many(f, 1);
    assert_int_equal(operate(f, OUTBOX_DROP, &one).done_count, 1);
    deliver(f, 3);
    assert_sums_right(f);
    fixture_close(f);
    f->options.keep_delivered_ms = 0;
    fixture_start(f);
    lock(f);
    while (stats_on_disk(f).kept_count > 0) {
        wait_for_change(f);
    }
    unlock(f);
    assert_int_equal(stats_on_disk(f).first_seq, 0);
    assert_sums_right(f);
}

/* ---- dead letters ---- */

static struct event *reparse_as_event(void *ctx, const struct event *dead, struct err *why)
{
    struct event event = *dead;

    if (*(const bool *)ctx) {
        (void)err_set(why, ST_INVALID, "still not JSON");
        return NULL;
    }
    event.id = uuid_new(); /* not the one that it had; the outbox sees to that */
    event.reason = SLICE_NONE;
    event.topic = SLICE("made/today");
    return event_copy(&event);
}

static void a_quarantined_body_comes_back_when_it_makes_an_event(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    struct store_selection one = select_id(&event.id);
    struct outbox_operation_result result;
    struct listed *listed;
    bool refuse = true;

    f->options.reparse = reparse_as_event;
    f->options.reparse_ctx = &refuse;
    fixture_start(f);
    event.topic = SLICE_NONE;
    event.reason = SLICE("not JSON");
    put_ok(f, &event);

    result = operate(f, DEAD_RETRY, &one);
    assert_int_equal(result.status, ST_OK);
    assert_int_equal(result.skipped_count, 1);
    assert_string_equal(result.why, "still not JSON");
    assert_int_equal(count_on_disk(f, STORE_DEAD), 1);

    refuse = false;
    assert_int_equal(operate(f, DEAD_RETRY, &one).done_count, 1);
    assert_int_equal(count_on_disk(f, STORE_DEAD), 0);
    listed = list(f, STORE_UNDELIVERED);
    assert_int_equal(listed->count, 1);
    assert_true(uuid_equal(listed->rows[0].id, event.id));
    assert_true(listed->rows[0].replayed);
    free(listed);
    assert_sums_right(f);
}

static void a_refused_event_goes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct event refused = make_event(1, 'a'), newer = make_event(1, 'b'),
                 newer_again = make_event(1, 'b');
    struct store_selection one = select_id(&refused.id);
    struct event *read = NULL;
    struct err err = {0};
    size_t count = 0;

    fixture_start(f);
    refused.state_topic = newer.state_topic = SLICE("state/g1");
    put_ok(f, &refused);
    put_ok(f, &newer);
    bury(f, 1, "refused (0x87)");
    deliver(f, 2);
    assert_int_equal(operate(f, DEAD_RETRY, &one).done_count, 1);
    assert_int_equal(outbox_read(f->outbox, 2, 1, 1000, &read, &count, &err), ST_OK);
    assert_int_equal(count, 1);
    assert_true(uuid_equal(read->id, refused.id));
    assert_true(slice_equal(read->topic, refused.topic));
    assert_true(slice_equal(read->body, refused.body));
    assert_null(read->reason.data);
    assert_null(read->state_topic.data); /* newer's is there */
    event_free(read);
    /* It is not the newest of its resource. */
    assert_true(is_duplicate(f, &newer_again, newer.id));
    fixture_restart(f);
    assert_true(is_duplicate(f, &newer_again, newer.id));
    assert_sums_right(f);
}

static void dead_letters_are_dropped_when_asked(void **state)
{
    struct fixture *f = *state;
    struct store_selection all = select_all();
    struct event event;

    fixture_start(f);
    for (int i = 0; i < 600; i++) {
        event = make_new_event();
        event.reason = SLICE("not JSON");
        put_ok(f, &event);
    }
    all.limit = 100;
    assert_int_equal(operate(f, DEAD_DROP, &all).done_count, 100);
    assert_int_equal(count_on_disk(f, STORE_DEAD), 500);
    all.limit = 0;
    assert_int_equal(operate(f, DEAD_DROP, &all).done_count, 500);
    assert_int_equal(stats_on_disk(f).dead_bytes, 0);
    assert_sums_right(f);
}

static void a_dropped_dead_letter_may_come_again(void **state)
{
    struct fixture *f = *state;
    struct event refused = make_event(1, 'a'), quarantined = make_event(2, 'b');
    struct store_selection all = select_all();

    quarantined.reason = SLICE("not JSON");
    fixture_start(f);
    put_ok(f, &refused);
    put_ok(f, &quarantined);
    bury(f, 1, "refused (0x87)");
    deliver(f, 1);
    assert_true(is_duplicate(f, &refused, refused.id)); /* it can be retried */
    fixture_restart(f);
    assert_true(is_duplicate(f, &refused, refused.id));
    assert_true(is_duplicate(f, &quarantined, quarantined.id));
    assert_int_equal(operate(f, DEAD_DROP, &all).done_count, 2);
    put_ok(f, &refused);
    put_ok(f, &quarantined);
}

static void a_dropped_dead_letter_may_come_again_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct event refused = make_event(1, 'a');
    struct store_selection all = select_all();

    fixture_start(f);
    put_ok(f, &refused);
    bury(f, 1, "refused (0x87)");
    deliver(f, 1);
    assert_int_equal(operate(f, DEAD_DROP, &all).done_count, 1);
    fixture_restart(f);
    put_ok(f, &refused);
}

/* ---- of a stopped bridge ---- */

static void a_stopped_outbox_is_operated_directly(void **state)
{
    struct fixture *f = *state;
    struct store_selection all = select_all();
    struct outbox_operation_result result = {0};

    fixture_start(f);
    put_many(f, 300);
    deliver(f, 290);
    fixture_close(f);
    fixture_open(f);
    outbox_operate_now(f->outbox, OUTBOX_DROP, &all, &result);
    assert_int_equal(result.status, ST_OK);
    assert_int_equal(result.done_count, 10);
    outbox_operate_now(f->outbox, OUTBOX_REPLAY, &all, &result);
    assert_int_equal(result.done_count, 290);
    fixture_close(f);
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), 290);
    assert_sums_right(f);
}

static void operations_on_an_empty_outbox_finish_at_once(void **state)
{
    struct fixture *f = *state;
    struct store_selection all = select_all();

    fixture_start(f);
    for (int op = OUTBOX_REPLAY; op <= DEAD_DROP; op++) {
        struct outbox_operation_result result = operate(f, (enum outbox_op)op, &all);

        assert_int_equal(result.status, ST_OK);
        assert_int_equal(result.done_count + result.skipped_count, 0);
    }
}

/* ---- the log ---- */

/* From here on stderr goes to a file beside the outbox; returns what it was. */
static int divert_log(struct fixture *f)
{
    char path[128];
    int before = dup(STDERR_FILENO);

    snprintf(path, sizeof(path), "%s/log", f->dir);
    assert_non_null(freopen(path, "w", stderr));
    return before;
}

/* For free(). */
static char *end_diverting(struct fixture *f, int before)
{
    enum { SIZE = 65536 };
    char path[128], *text = calloc(1, SIZE);
    FILE *file;

    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    close(before);
    snprintf(path, sizeof(path), "%s/log", f->dir);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, SIZE - 1, file) > 0);
    fclose(file);
    return text;
}

static void assert_line(const char *log, const char *msg, const struct uuid *id)
{
    char line[128], text[UUID_TEXT_SIZE];

    uuid_format(*id, text);
    snprintf(line, sizeof(line), "level=info msg=\"%s\" id=%s\n", msg, text);
    if (strstr(log, line) == NULL) {
        fail_msg("no %sin %s", line, log);
    }
}

static void an_operation_logs_a_line_with_the_id_of_each_event(void **state)
{
    struct fixture *f = *state;
    struct event old = make_event(1, 'a'), newer = make_event(1, 'b'),
                 third = make_event(2, 'c');
    struct store_selection only_old = select_id(&old.id), only_newer = select_id(&newer.id),
                           only_third = select_id(&third.id);
    int before = divert_log(f);
    char *log;

    fixture_start(f);
    newer.state_topic = old.state_topic = SLICE("state/g1");
    newer.event_ms = 2000;
    old.event_ms = 1000;
    put_ok(f, &newer);
    put_ok(f, &old);
    put_ok(f, &third);
    assert_int_equal(operate(f, OUTBOX_DROP, &only_third).done_count, 1);
    bury(f, 2, "refused (0x87)");
    deliver(f, 2);
    assert_int_equal(operate(f, OUTBOX_REPLAY, &only_newer).done_count, 1);
    assert_int_equal(operate(f, DEAD_RETRY, &only_old).done_count, 1);
    bury(f, 5, "refused (0x87)");
    deliver(f, 5);
    assert_int_equal(operate(f, DEAD_DROP, &only_old).done_count, 1);
    log = end_diverting(f, before);
    assert_line(log, "event is older than its resource's state", &old.id);
    assert_line(log, "event dropped", &third.id);
    assert_line(log, "event replayed", &newer.id);
    assert_line(log, "dead letter retried", &old.id);
    assert_line(log, "dead letter dropped", &old.id);
    free(log);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(replay_puts_copies_of_delivered_events_at_the_end),
        TEST(replaying_everything_copies_each_delivered_event_once),
        TEST(a_selection_needs_every_part_to_match),
        TEST(a_replay_skips_the_copies_of_earlier_replays),
        TEST(a_retried_event_is_replayed_like_any_other),
        TEST(a_replay_makes_room_by_removing_kept_events),
        TEST(replay_stops_at_the_limit_with_that_reason),
        TEST(a_retry_stops_at_the_limit_with_that_reason),
        TEST(replay_never_brings_an_older_state_back),
        TEST(drop_skips_events_on_their_way_to_the_broker),
        TEST(dropped_events_are_gone_for_good_but_their_neighbours_are_not),
        TEST(a_dropped_event_may_come_again),
        TEST(a_dropped_event_is_still_the_newest_of_its_resource),
        TEST(an_event_that_drop_skipped_is_still_known),
        TEST(tombstones_are_removed_along_with_their_neighbours),
        TEST(a_quarantined_body_comes_back_when_it_makes_an_event),
        TEST(a_refused_event_goes_back_as_it_was),
        TEST(dead_letters_are_dropped_when_asked),
        TEST(a_dropped_dead_letter_may_come_again),
        TEST(a_dropped_dead_letter_may_come_again_after_a_restart),
        TEST(a_stopped_outbox_is_operated_directly),
        TEST(operations_on_an_empty_outbox_finish_at_once),
        TEST(an_operation_logs_a_line_with_the_id_of_each_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
