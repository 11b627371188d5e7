/*
 * Events that the publisher holds: others pass them, and nothing that passes takes them along.
 */
#include "tests/unit/lib/outbox_fixture.h"

/* For the stored sums: as much as the event costs. */
static uint64_t cost(void)
{
    struct event event = make_new_event();

    return event_cost_bytes(&event);
}

static void hold(struct fixture *f, uint64_t seq, int reason)
{
    outbox_hold(f->outbox,
                &(struct store_hold){.seq = seq,
                                     .cost_bytes = cost(),
                                     .since_ms = 1700000000000 + (int64_t)seq,
                                     .reason = reason},
                false);
}

/* Until the outbox has written what was said before. */
static void settle(struct fixture *f)
{
    put_many(f, 1);
}

static void release(struct fixture *f, uint64_t seq)
{
    outbox_release(f->outbox, seq);
}

struct walked {
    size_t count;
    struct store_hold holds[16];
};

static void add_walked(void *ctx, const struct event *event, const struct store_hold *hold)
{
    struct walked *walked = ctx;

    assert_int_equal(event->seq, hold->seq);
    assert_true(slice_equal(event->resource_type, SLICE("project")));
    walked->holds[walked->count++] = *hold;
}

/* As the next start finds them. */
static struct walked reopen(struct fixture *f)
{
    struct walked walked = {0};
    struct err err = {0};

    fixture_close(f);
    fixture_open(f);
    assert_int_equal(outbox_walk_held(f->outbox, add_walked, &walked, &err), ST_OK);
    fixture_close(f);
    fixture_start(f);
    return walked;
}

static struct event *read_held(struct fixture *f, uint64_t seq)
{
    struct event *event = NULL;
    struct err err = {0};

    assert_int_equal(outbox_read_held(f->outbox, seq, &event, &err), ST_OK);
    return event;
}

static void the_watermark_passes_a_held_event_which_stays_undelivered(void **state)
{
    struct fixture *f = *state;
    struct listed *listed;
    struct event *event;

    fixture_start(f);
    put_many(f, 5);
    hold(f, 2, 0x97);
    deliver(f, 4);
    assert_sums_right(f);
    assert_int_equal(stats_on_disk(f).undelivered_count, 2);
    assert_int_equal(stats_on_disk(f).held_count, 1);
    listed = list(f, STORE_UNDELIVERED);
    assert_int_equal(listed->count, 2);
    assert_int_equal(listed->rows[0].seq, 2);
    assert_int_equal(listed->rows[1].seq, 5);
    free(listed);
    event = read_held(f, 2);
    assert_int_equal(event->seq, 2);
    assert_string_equal(event->body.data, "{\"event\":\"resource.updated\"}");
    event_free(event);
}

static void a_released_event_is_a_delivered_one(void **state)
{
    struct fixture *f = *state;

    fixture_start(f);
    put_many(f, 5);
    hold(f, 2, 0x97);
    hold(f, 3, 0);
    deliver(f, 4);
    release(f, 2);
    settle(f);
    assert_sums_right(f);
    assert_int_equal(f->released_count, 1);
    assert_int_equal(stats_on_disk(f).kept_count, 3);
    assert_int_equal(stats_on_disk(f).held_count, 1);
    release(f, 3);
    hold(f, 5, 0); /* released before the watermark came by */
    release(f, 5);
    deliver(f, 5);
    assert_sums_right(f);
    assert_int_equal(f->released_count, 3);
    assert_int_equal(stats_on_disk(f).kept_count, 5);
}

static void the_next_start_finds_what_was_held_and_why(void **state)
{
    struct fixture *f = *state;
    struct walked walked;

    fixture_start(f);
    put_many(f, 5);
    hold(f, 2, 0x97);
    hold(f, 4, 0);
    deliver(f, 5);
    hold(f, 4, 0x83); /* now it is the one that was refused */
    settle(f);
    walked = reopen(f);
    assert_int_equal(walked.count, 2);
    assert_int_equal(walked.holds[0].seq, 2);
    assert_int_equal(walked.holds[0].reason, 0x97);
    assert_int_equal(walked.holds[0].since_ms, 1700000000002);
    assert_int_equal(walked.holds[0].cost_bytes, cost());
    assert_int_equal(walked.holds[1].seq, 4);
    assert_int_equal(walked.holds[1].reason, 0x83);
    assert_sums_right(f);
}

/* They may have been sent before it, so that now they must come before it again. */
static void after_a_crash_everything_before_a_held_event_is_held(void **state)
{
    struct fixture *f = *state;
    struct walked walked;
    uint64_t seqs[8];

    fixture_start(f);
    put_many(f, 6);
    deliver(f, 1);
    hold(f, 4, 0);
    bury(f, 3, "no");
    settle(f); /* 7 */
    walked = reopen(f);
    assert_int_equal(walked.count, 2);
    assert_int_equal(walked.holds[0].seq, 2);
    assert_int_equal(walked.holds[0].reason, 0);
    assert_int_equal(walked.holds[0].cost_bytes, cost());
    assert_int_equal(walked.holds[1].seq, 4);
    assert_int_equal(outbox_delivered_seq(f->outbox), 4);
    assert_int_equal(read_all(f, seqs, 8), 3);
    assert_int_equal(seqs[0], 5);
    assert_sums_right(f);
}

static void retention_leaves_a_held_event_alone(void **state)
{
    struct fixture *f = *state;
    struct event *event;

    f->options.keep_delivered_ms = 0;
    fixture_start(f);
    put_many(f, 8);
    hold(f, 2, 0x97);
    hold(f, 3, 0);
    hold(f, 4, 0);
    hold(f, 6, 0);
    deliver(f, 7);
    while (stats_on_disk(f).first_seq != 8) {
        settle(f);
    }
    assert_sums_right(f);
    assert_int_equal(stats_on_disk(f).held_count, 4);
    event = read_held(f, 3);
    assert_int_equal(event->seq, 3);
    event_free(event);
    release(f, 2);
    bury(f, 3, "0x97");
    outbox_expire(f->outbox, 4);
    settle(f);
    assert_sums_right(f);
    assert_int_equal(stats_on_disk(f).held_count, 1);
    assert_int_equal(stats_on_disk(f).dead_count, 1);
    assert_int_equal(count_on_disk(f, STORE_ALL), stats_on_disk(f).undelivered_count);
    assert_int_equal(reopen(f).count, 1);
}

static void a_held_event_can_be_dropped_by_hand_unless_it_is_just_being_sent(void **state)
{
    struct fixture *f = *state;
    struct outbox_operation_result result;
    struct store_selection all = select_all();
    uint64_t seqs[8];

    fixture_start(f);
    put_many(f, 4);
    assert_int_equal(read_all(f, seqs, 8), 4);
    hold(f, 1, 0x83);
    hold(f, 3, 0x83);
    deliver(f, 3);
    event_free(read_held(f, 3));
    result = operate(f, OUTBOX_DROP, &all);
    assert_int_equal(result.done_count, 1);
    assert_int_equal(result.skipped_count, 2); /* 4 was read, and is not held */
    assert_int_equal(f->dropped_seq, 1);
    assert_null(read_held(f, 1));
    hold(f, 3, 0x83);
    settle(f);
    result = operate(f, OUTBOX_DROP, &all);
    assert_int_equal(result.done_count, 2); /* and the last one */
    assert_int_equal(f->dropped_seq, 3);
    assert_sums_right(f);
    release(f, 3); /* too late: no error */
    settle(f);
    assert_sums_right(f);
}

static void what_is_refused_once_more_is_no_longer_on_its_way(void **state)
{
    struct fixture *f = *state;
    struct store_selection all = select_all();

    fixture_start(f);
    put_many(f, 1);
    hold(f, 1, 0x83);
    deliver(f, 1);
    event_free(read_held(f, 1));
    hold(f, 1, 0x83);
    settle(f);
    assert_int_equal(operate(f, OUTBOX_DROP, &all).done_count, 2);
    assert_sums_right(f);
}

static void one_that_is_held_while_in_flight_is_still_on_its_way(void **state)
{
    struct fixture *f = *state;
    struct store_selection all = select_all();

    fixture_start(f);
    put_many(f, 1);
    outbox_hold(f->outbox, &(struct store_hold){.seq = 1, .cost_bytes = cost()}, true);
    deliver(f, 1);
    assert_int_equal(operate(f, OUTBOX_DROP, &all).skipped_count, 1);
    hold(f, 1, 0);
    settle(f);
    assert_int_equal(operate(f, OUTBOX_DROP, &all).done_count, 2);
    assert_sums_right(f);
}

static void held_events_are_not_replayed(void **state)
{
    struct fixture *f = *state;
    struct store_selection all = select_all();

    fixture_start(f);
    put_many(f, 3);
    hold(f, 2, 0x83);
    deliver(f, 3);
    assert_int_equal(operate(f, OUTBOX_REPLAY, &all).done_count, 2);
    assert_sums_right(f);
}

static void refused_messages_and_quarantined_bodies_have_room_of_their_own(void **state)
{
    struct fixture *f = *state;
    struct event bad = make_new_event();
    uint64_t seq = 0;

    f->options.max_bytes = 1 << 17;
    fixture_start(f);
    do {
        put_many(f, 1);
        seq++;
    } while (outbox_bury(f->outbox, seq, cost(), "0x90") == ST_OK);
    assert_in_range(seq * cost(), (1 << 16) - 8192, 1 << 16);
    outbox_hold(f->outbox, &(struct store_hold){.seq = seq, .cost_bytes = cost()}, false);
    settle(f);
    assert_sums_right(f);
    /* Neither quarantine nor events have less room for it. */
    bad.topic = SLICE_NONE;
    bad.reason = SLICE("not JSON");
    for (size_t i = 0; i < 100; i++) {
        bad.id = uuid_new();
        memcpy(bad.identity.key, bad.id.bytes, sizeof(bad.identity.key));
        put_ok(f, &bad);
    }
    assert_int_equal(outbox_ready(f->outbox), ST_OK);
    assert_int_equal(stats_on_disk(f).dead_count, 100 + seq - 1);
    assert_int_equal(stats_on_disk(f).refused_count, seq - 1);
    assert_sums_right(f);
    /* Room for the one that waits is made by hand. */
    assert_int_equal(operate(f, DEAD_DROP,
                             &(struct store_selection){
                                 .since_ms = CLOCK_NONE, .until_ms = CLOCK_NONE, .limit = 1})
                         .done_count,
                     1);
    assert_int_equal(outbox_bury(f->outbox, seq, cost(), "0x90"), ST_OK);
    settle(f);
    assert_int_equal(stats_on_disk(f).held_count, 0);
    assert_sums_right(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(the_watermark_passes_a_held_event_which_stays_undelivered),
        TEST(a_released_event_is_a_delivered_one),
        TEST(the_next_start_finds_what_was_held_and_why),
        TEST(after_a_crash_everything_before_a_held_event_is_held),
        TEST(retention_leaves_a_held_event_alone),
        TEST(a_held_event_can_be_dropped_by_hand_unless_it_is_just_being_sent),
        TEST(what_is_refused_once_more_is_no_longer_on_its_way),
        TEST(one_that_is_held_while_in_flight_is_still_on_its_way),
        TEST(held_events_are_not_replayed),
        TEST(refused_messages_and_quarantined_bodies_have_room_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
