/*
 * The outbox from submit to delivery: durability, duplicates, restarts, reading, numbers.
 */
#include "tests/unit/lib/outbox_fixture.h"

#include <signal.h>

#include <sys/wait.h>

#include "bridge/metrics.h"

/* ---- accepted ---- */

static void an_accepted_event_is_on_disk_as_it_was_received(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(1, 1);
    struct listed *listed;

    fixture_start(f);
    put_ok(f, &event);
    listed = list(f, STORE_ALL);
    assert_int_equal(listed->count, 1);
    assert_int_equal(listed->rows[0].seq, 1);
    assert_true(uuid_equal(listed->rows[0].id, event.id));
    assert_string_equal(listed->rows[0].body, "{\"event\":\"resource.updated\"}");
    assert_false(listed->rows[0].delivered);
    free(listed);
    assert_sums_right(f);
}

static void every_field_comes_back_from_the_disk(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(1, 1);
    struct event *read = NULL;
    struct err err = {0};
    size_t count = 0;

    fixture_start(f);
    event.event_ms = 1234567890123;
    event.delivery_id = SLICE("d-1");
    event.state_topic = SLICE("state/g1");
    event.gid = SLICE(""); /* empty is not absent */
    event.body = SLICE("a\0b");
    event.expiry_s = 4000000000;
    event.qos = 2;
    event.retain = event.deletion = true;
    put_ok(f, &event);
    fixture_restart(f);
    assert_int_equal(outbox_read(f->outbox, 0, 1, 1000, &read, &count, &err), ST_OK);
    assert_int_equal(count, 1);
    assert_int_equal(read->received_ms, event.received_ms);
    assert_int_equal(read->event_ms, event.event_ms);
    assert_memory_equal(&read->identity, &event.identity, sizeof(event.identity));
    assert_true(slice_equal(read->source, event.source));
    assert_true(slice_equal(read->event, event.event));
    assert_true(slice_equal(read->resource_type, event.resource_type));
    assert_non_null(read->gid.data);
    assert_int_equal(read->gid.len, 0);
    assert_true(slice_equal(read->delivery_id, event.delivery_id));
    assert_true(slice_equal(read->topic, event.topic));
    assert_true(slice_equal(read->state_topic, event.state_topic));
    assert_true(slice_equal(read->body, event.body));
    assert_null(read->reason.data);
    assert_int_equal(read->expiry_s, 4000000000);
    assert_int_equal(read->qos, 2);
    assert_true(read->retain && read->deletion && !read->replayed);
    event_free(read);
}

static void an_empty_body_stays_an_empty_body(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(1, 1);
    struct event *read = NULL;
    struct err err = {0};
    size_t count = 0;

    fixture_start(f);
    event.body = SLICE("");
    put_ok(f, &event);
    assert_int_equal(outbox_read(f->outbox, 0, 1, 1000, &read, &count, &err), ST_OK);
    assert_int_equal(count, 1);
    assert_int_equal(read->body.len, 0);
    assert_non_null(read->body.data);
    event_free(read);
}

static void a_quarantined_body_goes_to_the_dead_letters(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(1, 1);
    uint64_t seqs[4];
    struct listed *dead;

    fixture_start(f);
    event.topic = SLICE_NONE;
    event.reason = SLICE("not JSON");
    put_ok(f, &event);
    fixture_restart(f);
    assert_int_equal(read_all(f, seqs, COUNT_OF(seqs)), 0);
    dead = list(f, STORE_DEAD);
    assert_int_equal(dead->count, 1);
    assert_string_equal(dead->rows[0].reason, "not JSON");
    assert_true(uuid_equal(dead->rows[0].id, event.id));
    free(dead);
    assert_sums_right(f);
}

static void a_quarantined_body_that_comes_again_does_not_pile_up(void **state)
{
    struct fixture *f = *state;
    struct event first = make_event(1, 1), again = make_event(1, 1);

    first.topic = again.topic = SLICE_NONE;
    first.reason = again.reason = SLICE("not JSON");
    fixture_start(f);
    put_ok(f, &first);
    assert_true(is_duplicate(f, &again, first.id));
    assert_int_equal(count_on_disk(f, STORE_DEAD), 1);
}

static struct event make_quarantined(uint8_t gid, uint8_t digest)
{
    struct event event = make_event(gid, digest);

    event.topic = SLICE_NONE;
    event.reason = SLICE("not JSON");
    return event;
}

static void a_quarantined_body_is_known_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct event first = make_quarantined(1, 1), again = make_quarantined(1, 1);

    fixture_start(f);
    put_many(f, 2);
    put_ok(f, &first);
    put_many(f, 2);
    fixture_restart(f);
    assert_true(is_duplicate(f, &again, first.id));
    assert_int_equal(count_on_disk(f, STORE_DEAD), 1);
    again.dedupe_window_ms = 0; /* all of it is too old now */
    again.received_ms++;
    put_ok(f, &again);
}

/* Whichever table it is in, and whatever the clock said. */
static void the_newest_of_a_key_counts_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct event a = make_event(1, 'a'), b = make_quarantined(1, 'b'), c = make_event(2, 'c'),
                 d = make_quarantined(2, 'd');

    a.received_ms -= 5000;
    fixture_start(f);
    put_ok(f, &a);
    put_ok(f, &b);
    put_ok(f, &d);
    c.received_ms = clock_unix_ms() + 5000;
    put_ok(f, &c);
    fixture_restart(f);
    assert_true(is_duplicate(f, &b, b.id));
    assert_true(is_duplicate(f, &c, c.id));
    put_ok(f, &a);
    put_ok(f, &d);
}

static void without_an_identity_nothing_is_a_duplicate(void **state)
{
    struct fixture *f = *state;
    struct event first = make_event(1, 1), again = make_event(1, 1);

    first.identity = again.identity = EVENT_NO_IDENTITY;
    fixture_start(f);
    put_ok(f, &first);
    put_ok(f, &again);
    fixture_restart(f);
    put_ok(f, &first);
    assert_int_equal(count_on_disk(f, STORE_ALL), 3);
}

static void closing_the_intake_answers_every_submission_and_refuses_later_ones(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    struct answer inside, late;

    fixture_start(f);
    assert_int_equal(submit(f, &event, &inside), ST_OK);
    outbox_close_intake(f->outbox);
    assert_true(inside.arrived);
    assert_int_equal(inside.result.status, ST_OK);
    assert_int_equal(submit(f, &event, &late), ST_CLOSED);
    assert_int_equal(outbox_ready(f->outbox), ST_CLOSED);
    deliver(f, 1); /* the publisher can still finish */
    fixture_restart(f);
    assert_int_equal(stats_on_disk(f).delivered_seq, 1);
}

static void closing_leaves_one_file_that_only_its_owner_can_read(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    char other[128];
    struct stat info;

    fixture_start(f);
    put_ok(f, &event);
    snprintf(other, sizeof(other), "%s-wal", f->path);
    assert_int_equal(stat(other, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    fixture_close(f);
    assert_int_equal(stat(other, &info), -1);
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), 1);
}

static void a_second_process_is_kept_out_by_name(void **state)
{
    struct fixture *f = *state;
    struct outbox *other = NULL;
    struct err err = {0};

    fixture_start(f);
    assert_int_equal(outbox_open(&f->options, &other, &err), ST_BUSY);
    assert_non_null(strstr(err.text, "another hook2mqtt runs on this outbox"));
    assert_non_null(strstr(err.text, f->path));
    fixture_restart(f);
}

/* ---- duplicates ---- */

static void a_duplicate_is_answered_with_the_id_of_the_first(void **state)
{
    struct fixture *f = *state;
    struct event first = make_event(1, 1), again = make_event(1, 1);

    fixture_start(f);
    put_ok(f, &first);
    assert_true(is_duplicate(f, &again, first.id));
    assert_int_equal(count_on_disk(f, STORE_ALL), 1);
}

static void going_back_to_an_earlier_state_is_not_a_duplicate(void **state)
{
    struct fixture *f = *state;
    struct event a = make_event(1, 'a'), b = make_event(1, 'b'), a_again = make_event(1, 'a');

    fixture_start(f);
    put_ok(f, &a);
    put_ok(f, &b);
    put_ok(f, &a_again);
    assert_int_equal(count_on_disk(f, STORE_ALL), 3);
}

static void duplicates_within_one_batch_are_found(void **state)
{
    struct fixture *f = *state;
    struct event a = make_event(1, 'a'), a_again = make_event(1, 'a'), b = make_event(1, 'b'),
                 a_back = make_event(1, 'a'), other = make_event(2, 'a');
    const struct event *events[] = {&a, &a_again, &b, &a_back, &other};
    struct answer answers[COUNT_OF(events)];

    fixture_start(f);
    close_gate(f);
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        assert_int_equal(submit(f, events[i], &answers[i]), ST_OK);
    }
    open_gate(f);
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        assert_int_equal(wait_answer(&answers[i]).status, ST_OK);
        assert_int_equal(answers[i].result.duplicate, i == 1);
    }
    assert_true(uuid_equal(answers[1].result.id, a.id));
    assert_int_equal(count_on_disk(f, STORE_ALL), 1 + 4);
}

static void after_the_window_a_duplicate_is_a_new_event(void **state)
{
    struct fixture *f = *state;
    struct event first = make_event(1, 1), inside = make_event(1, 1),
                 outside = make_event(1, 1);

    fixture_start(f);
    put_ok(f, &first);
    inside.received_ms = first.received_ms + WINDOW_MS;
    outside.received_ms = inside.received_ms + 1;
    assert_true(is_duplicate(f, &inside, first.id));
    put_ok(f, &outside);
}

/* What came in by a clock that was ahead is no reason to swallow events for as long. */
static void a_clock_set_back_does_not_stretch_the_window(void **state)
{
    struct fixture *f = *state;
    struct event first = make_event(1, 1), inside = make_event(1, 1),
                 outside = make_event(1, 1);

    first.received_ms += INT64_C(10) * WINDOW_MS;
    inside.received_ms = first.received_ms - WINDOW_MS;
    outside.received_ms = inside.received_ms - 1;
    fixture_start(f);
    put_ok(f, &first);
    assert_true(is_duplicate(f, &inside, first.id));
    fixture_restart(f);
    assert_true(is_duplicate(f, &inside, first.id));
    put_ok(f, &outside);
}

static void a_clock_set_back_counts_within_one_batch_too(void **state)
{
    struct fixture *f = *state;
    struct event first = make_event(1, 1), outside = make_event(1, 1);
    struct answer answers[2];

    outside.received_ms = first.received_ms - WINDOW_MS - 1;
    fixture_start(f);
    close_gate(f);
    assert_int_equal(submit(f, &first, &answers[0]), ST_OK);
    assert_int_equal(submit(f, &outside, &answers[1]), ST_OK);
    open_gate(f);
    assert_false(wait_answer(&answers[0]).duplicate);
    assert_false(wait_answer(&answers[1]).duplicate);
}

static void duplicates_are_found_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct event first = make_event(1, 1), second = make_event(2, 'a'),
                 third = make_event(2, 'b'), second_back = make_event(2, 'a'),
                 again = make_event(1, 1);

    fixture_start(f);
    put_ok(f, &first);
    put_ok(f, &second);
    put_ok(f, &third);
    deliver(f, 3);
    fixture_restart(f);
    assert_true(is_duplicate(f, &again, first.id));
    put_ok(f, &second_back);
}

/* The dropped one was still the newest state of its resource. */
static void a_dropped_event_still_counts_for_dedupe_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct event a = make_event(1, 'a'), b = make_event(1, 'b'), a_back = make_event(1, 'a');
    struct store_selection only_b = select_all();

    fixture_start(f);
    put_ok(f, &a);
    put_ok(f, &b);
    only_b.ids = &b.id;
    only_b.id_count = 1;
    assert_int_equal(operate(f, OUTBOX_DROP, &only_b).done_count, 1);
    fixture_restart(f);
    put_ok(f, &a_back);
}

/* ---- duplicates of what is no longer kept ---- */

static void keep_nothing(struct fixture *f, uint64_t seq)
{
    deliver(f, seq);
    for (int64_t until_ms = clock_mono_ms() + DEADLINE_S * 1000;
         stats_on_disk(f).first_seq > 0 && stats_on_disk(f).first_seq <= seq;) {
        assert_true(clock_mono_ms() < until_ms);
        usleep(1000); /* the committer looks by itself */
    }
}

static void duplicates_are_found_after_the_events_have_gone(void **state)
{
    struct fixture *f = *state;
    struct event a = make_event(1, 'a'), b = make_event(1, 'b'), other = make_event(2, 'a');

    f->options.keep_delivered_ms = 0;
    fixture_start(f);
    put_ok(f, &a);
    put_ok(f, &b);
    put_ok(f, &other);
    keep_nothing(f, 3);
    for (int i = 0; i < 2; i++) {
        assert_true(is_duplicate(f, &b, b.id));
        assert_true(is_duplicate(f, &other, other.id));
        fixture_restart(f);
    }
    put_ok(f, &a); /* a change back */
}

/* Its row had gone before the dead letter was dropped. */
static void
a_dead_letter_dropped_after_its_event_has_gone_is_new_when_it_comes_again(void **state)
{
    struct fixture *f = *state;
    struct event buried = make_event(1, 'a'), kept = make_event(2, 'a');
    struct store_selection one = select_all();

    f->options.keep_delivered_ms = 0;
    fixture_start(f);
    put_ok(f, &buried);
    put_ok(f, &kept);
    bury(f, 1, "refused (0x87)");
    keep_nothing(f, 2);
    fixture_restart(f);
    assert_true(is_duplicate(f, &buried, buried.id));
    one.ids = &buried.id;
    one.id_count = 1;
    assert_int_equal(operate(f, DEAD_DROP, &one).done_count, 1);
    fixture_restart(f);
    assert_true(is_duplicate(f, &kept, kept.id));
    put_ok(f, &buried);
}

/* The oldest go first, on disk as in memory; events that have no identity take no place. */
static void as_many_are_remembered_as_is_said(void **state)
{
    enum { ENTRIES = 300, EVENTS = 700 };
    struct fixture *f = *state;
    struct event first[EVENTS];
    struct event none = make_event(3, 3);

    none.identity = EVENT_NO_IDENTITY;
    f->options.dedupe_entries = ENTRIES;
    fixture_start(f);
    for (size_t i = 0; i < EVENTS; i++) {
        first[i] = make_new_event();
        put_ok(f, &first[i]);
        put_ok(f, &none);
    }
    for (int round = 0; round < 2; round++) {
        for (size_t i = EVENTS - ENTRIES; i < EVENTS; i++) {
            assert_true(is_duplicate(f, &first[i], first[i].id));
        }
        fixture_restart(f);
    }
    put_ok(f, &first[EVENTS - ENTRIES - 1]);
}

/* ---- delivery ---- */

static void events_are_read_in_order_from_the_watermark_on(void **state)
{
    struct fixture *f = *state;
    uint64_t seqs[64];

    fixture_start(f);
    put_many(f, 40);
    deliver(f, 7);
    fixture_restart(f);
    assert_int_equal(outbox_delivered_seq(f->outbox), 7);
    assert_int_equal(read_all(f, seqs, COUNT_OF(seqs)), 33);
    assert_int_equal(seqs[0], 8);
    assert_int_equal(seqs[32], 40);
    assert_sums_right(f);
}

static void reading_keeps_to_its_limits_but_always_gives_one(void **state)
{
    struct fixture *f = *state;
    struct event *events[8];
    struct err err = {0};
    size_t count = 0;

    fixture_start(f);
    put_many(f, 8);
    assert_int_equal(outbox_read(f->outbox, 2, 3, 1 << 20, events, &count, &err), ST_OK);
    assert_int_equal(count, 3);
    assert_int_equal(events[0]->seq, 3);
    while (count > 0) {
        event_free(events[--count]);
    }
    assert_int_equal(outbox_read(f->outbox, 2, 3, 1, events, &count, &err), ST_OK);
    assert_int_equal(count, 1);
    event_free(events[0]);
}

static void a_buried_event_is_a_dead_letter_and_the_watermark_passes_it(void **state)
{
    struct fixture *f = *state;
    uint64_t seqs[8];
    struct listed *dead;

    fixture_start(f);
    put_many(f, 3);
    bury(f, 2, "refused (0x87)");
    deliver(f, 1); /* and over the buried one */
    fixture_restart(f);
    assert_int_equal(stats_on_disk(f).delivered_seq, 2);
    assert_int_equal(read_all(f, seqs, COUNT_OF(seqs)), 1);
    assert_int_equal(seqs[0], 3);
    dead = list(f, STORE_DEAD);
    assert_int_equal(dead->count, 1);
    assert_int_equal(dead->rows[0].seq, 2);
    assert_string_equal(dead->rows[0].reason, "refused (0x87)");
    assert_string_equal(dead->rows[0].body, "{\"event\":\"resource.updated\"}");
    free(dead);
    assert_sums_right(f);
}

static void numbers_in_memory_are_those_on_disk(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    struct store_stats memory, disk;

    fixture_start(f);
    put_many(f, 3);
    event.received_ms -= 5000;
    put_ok(f, &event);
    bury(f, 2, "no");
    deliver(f, 3);
    outbox_stats(f->outbox, &memory);
    disk = stats_on_disk(f);
    assert_memory_equal(&memory, &disk, sizeof(memory));
    assert_int_equal(disk.kept_count, 2);
    assert_int_equal(disk.oldest_undelivered_ms, event.received_ms);
    assert_int_equal(metrics_get(METRIC_UNDELIVERED), 1);
    assert_int_equal(metrics_get(METRIC_STORED_ROWS), 3);
    assert_int_equal(metrics_get(METRIC_STORED_BYTES),
                     disk.undelivered_bytes + disk.kept_bytes + disk.dead_bytes);
    assert_int_equal(metrics_get(METRIC_DEAD_LETTERS), 1);
    deliver(f, 4);
    outbox_stats(f->outbox, &memory);
    assert_true(memory.oldest_undelivered_ms == CLOCK_NONE);
}

/* ---- killed ---- */

static void report_id(void *ctx, const struct outbox_result *result)
{
    int fd = *(int *)ctx;

    if (result->status == ST_OK && write(fd, result->id.bytes, 16) != 16) {
        abort();
    }
}

/* Ends by being killed, in the middle of it. */
static void submit_until_killed(struct fixture *f, int fd)
{
    enum { MANY = 600 };
    uint64_t durable_seq;

    fixture_start(f);
    for (int n = 0; n < MANY; n++) {
        struct event event = make_new_event();

        if (outbox_submit(f->outbox, event_copy(&event), report_id, &fd) != ST_OK) {
            abort();
        }
        lock(f);
        durable_seq = f->durable_seq;
        unlock(f);
        outbox_set_watermark(f->outbox, durable_seq / 2);
    }
    for (;;) {
        pause();
    }
}

/* Reads ids until the child is gone; kills it when enough are there. */
static size_t collect_ids(pid_t child, int fd, struct uuid *out_ids, size_t max)
{
    enum { ENOUGH = 300 };
    size_t count = 0;
    struct uuid id;
    int status = 0;

    while (read(fd, id.bytes, 16) == 16) {
        if (count < max) {
            out_ids[count++] = id;
        }
        if (count == ENOUGH) {
            assert_int_equal(kill(child, SIGKILL), 0);
        }
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return count;
}

static void assert_all_listed(struct fixture *f, const struct uuid *ids, size_t count)
{
    struct listed *listed = list(f, STORE_ALL);
    size_t at = 0;

    /* In the order of their answers, others between them at most. */
    for (size_t i = 0; i < count; i++) {
        while (at < listed->count && !uuid_equal(listed->rows[at].id, ids[i])) {
            at++;
        }
        assert_true(at < listed->count);
    }
    free(listed);
}

static void answered_events_survive_a_kill_in_order(void **state)
{
    enum { MAX = 3000, ROUNDS = 5 };
    static struct uuid ids[MAX];
    struct fixture *f = *state;
    size_t count = 0;

    for (int round = 0; round < ROUNDS; round++) {
        int fds[2];
        pid_t child;

        assert_int_equal(pipe(fds), 0);
        child = fork();
        if (child == 0) {
            close(fds[0]);
            submit_until_killed(f, fds[1]);
        }
        close(fds[1]);
        count += collect_ids(child, fds[0], ids + count, MAX - count);
        close(fds[0]);
        fixture_open(f);
        assert_all_listed(f, ids, count);
        assert_sums_right(f);
        fixture_close(f);
    }
    assert_true(count >= ROUNDS * 300);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_accepted_event_is_on_disk_as_it_was_received),
        TEST(every_field_comes_back_from_the_disk),
        TEST(an_empty_body_stays_an_empty_body),
        TEST(a_quarantined_body_goes_to_the_dead_letters),
        TEST(a_quarantined_body_that_comes_again_does_not_pile_up),
        TEST(closing_the_intake_answers_every_submission_and_refuses_later_ones),
        TEST(closing_leaves_one_file_that_only_its_owner_can_read),
        TEST(a_second_process_is_kept_out_by_name),
        TEST(a_duplicate_is_answered_with_the_id_of_the_first),
        TEST(going_back_to_an_earlier_state_is_not_a_duplicate),
        TEST(duplicates_within_one_batch_are_found),
        TEST(after_the_window_a_duplicate_is_a_new_event),
        TEST(a_quarantined_body_is_known_after_a_restart),
        TEST(the_newest_of_a_key_counts_after_a_restart),
        TEST(without_an_identity_nothing_is_a_duplicate),
        TEST(a_clock_set_back_does_not_stretch_the_window),
        TEST(a_clock_set_back_counts_within_one_batch_too),
        TEST(duplicates_are_found_after_a_restart),
        TEST(a_dropped_event_still_counts_for_dedupe_after_a_restart),
        TEST(duplicates_are_found_after_the_events_have_gone),
        TEST(a_dead_letter_dropped_after_its_event_has_gone_is_new_when_it_comes_again),
        TEST(as_many_are_remembered_as_is_said),
        TEST(events_are_read_in_order_from_the_watermark_on),
        TEST(reading_keeps_to_its_limits_but_always_gives_one),
        TEST(a_buried_event_is_a_dead_letter_and_the_watermark_passes_it),
        TEST(numbers_in_memory_are_those_on_disk),
        TEST(answered_events_survive_a_kill_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
