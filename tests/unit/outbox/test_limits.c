/*
 * Limits, retention, and the guard of retained states.
 */
#include "tests/unit/lib/outbox_fixture.h"

/* ---- limits ---- */

static void a_full_outbox_refuses_and_keeps_what_is_undelivered(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    uint64_t cost = event_cost_bytes(&event);

    f->options.max_bytes = 3 * cost;
    fixture_start(f);
    put_many(f, 3);
    assert_int_equal(put(f, &event).status, ST_FULL);
    assert_int_equal(outbox_ready(f->outbox), ST_FULL);
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), 3);
}

static void delivered_events_make_room_oldest_first(void **state)
{
    struct fixture *f = *state;
    struct event event = make_new_event();
    struct store_stats stats;

    f->options.max_bytes = 3 * event_cost_bytes(&event);
    fixture_start(f);
    put_many(f, 3);
    deliver(f, 2);
    put_ok(f, &event);
    stats = stats_on_disk(f);
    assert_int_equal(stats.first_seq, 2);
    assert_int_equal(stats.kept_count, 1);
    assert_int_equal(stats.undelivered_count, 2);
    put_many(f, 1);
    event = make_new_event();
    assert_int_equal(put(f, &event).status, ST_FULL);
    assert_sums_right(f);
}

static struct event make_bad_event(void)
{
    struct event event = make_new_event();

    event.reason = SLICE("not JSON");
    return event;
}

static void dead_letters_have_a_limit_of_their_own(void **state)
{
    struct fixture *f = *state;
    struct event bad = make_bad_event(), second = make_bad_event(), third = make_bad_event();
    struct store_selection one = select_all();

    f->options.max_bytes = 4 * event_cost_bytes(&bad);
    one.limit = 1;
    fixture_start(f);
    put_ok(f, &bad);
    put_ok(f, &second);
    assert_int_equal(put(f, &third).status, ST_FULL);
    assert_int_equal(count_on_disk(f, STORE_DEAD), 2);
    put_many(f, 2); /* good ones have all of their room */
    assert_int_equal(operate(f, DEAD_DROP, &one).done_count, 1);
    put_ok(f, &third);
    assert_sums_right(f);
}

static void a_burial_has_room_although_quarantine_has_none(void **state)
{
    struct fixture *f = *state;
    struct event bad = make_bad_event(), second = make_bad_event();

    f->options.max_bytes = 2 * event_cost_bytes(&bad);
    fixture_start(f);
    put_ok(f, &bad);
    put_many(f, 1);
    bury(f, 1, "refused (0x87)");
    deliver(f, 1);
    assert_int_equal(count_on_disk(f, STORE_DEAD), 2);
    assert_int_equal(put(f, &second).status, ST_FULL);
    put_many(f, 1);
    assert_sums_right(f);
}

static enum status put_large(struct fixture *f, size_t body_bytes)
{
    char *body = calloc(1, body_bytes);
    struct event event = make_new_event();
    enum status st;

    event.body = (struct slice){body, body_bytes};
    st = put(f, &event).status;
    free(body);
    return st;
}

/* An answer follows from the turn before it: then the committer has looked for room. */
static void it_is_not_ready_from_the_first_refusal_until_a_tenth_is_free(void **state)
{
    enum { KB = 1000 };
    struct fixture *f = *state;
    struct event bad = make_bad_event();

    f->options.max_bytes = 100 * KB;
    fixture_start(f);
    assert_int_equal(put_large(f, 91 * KB), ST_OK);
    assert_int_equal(outbox_ready(f->outbox), ST_OK);
    assert_int_equal(put_large(f, 20 * KB), ST_FULL);
    assert_int_equal(outbox_ready(f->outbox), ST_FULL);
    put_many(f, 2); /* small ones fit */
    assert_int_equal(outbox_ready(f->outbox), ST_FULL);
    put_ok(f, &bad);
    deliver(f, 1);
    put_many(f, 1);
    assert_int_equal(outbox_ready(f->outbox), ST_OK);
}

static void full_dead_letters_do_not_make_it_unready(void **state)
{
    static const char body[20000];
    struct fixture *f = *state;
    struct event bad = make_bad_event(), second = make_bad_event();

    bad.body = second.body = (struct slice){body, sizeof(body)};
    f->options.max_bytes = 60000;
    fixture_start(f);
    put_ok(f, &bad);
    assert_int_equal(put(f, &second).status, ST_FULL);
    assert_int_equal(outbox_ready(f->outbox), ST_OK);
    put_many(f, 1);
    assert_int_equal(outbox_ready(f->outbox), ST_OK);
}

/* ---- retention ---- */

static void wait_until_kept(struct fixture *f, uint64_t count)
{
    struct store_stats stats;

    lock(f);
    outbox_stats(f->outbox, &stats);
    while (stats.kept_count != count) {
        wait_for_change(f);
        outbox_stats(f->outbox, &stats);
    }
    unlock(f);
}

static void delivered_events_are_removed_after_keep_delivered(void **state)
{
    struct fixture *f = *state;
    struct event old = make_new_event(), young = make_new_event();

    fixture_start(f);
    old.received_ms -= f->options.keep_delivered_ms;
    put_ok(f, &old);
    put_ok(f, &young);
    deliver(f, 2);
    wait_until_kept(f, 1);
    assert_int_equal(stats_on_disk(f).first_seq, 2);
    assert_sums_right(f);
}

static void without_keep_delivered_nothing_is_kept_and_seqs_never_restart(void **state)
{
    struct fixture *f = *state;

    f->options.keep_delivered_ms = 0;
    fixture_start(f);
    put_many(f, 2000);
    deliver(f, 2000);
    wait_until_kept(f, 0);
    assert_int_equal(count_on_disk(f, STORE_ALL), 0);
    assert_int_equal(stats_on_disk(f).first_seq, 0);
    fixture_restart(f);
    put_many(f, 1);
    assert_int_equal(stats_on_disk(f).last_seq, 2001);
    assert_sums_right(f);
}

/* The most that went from one commit to the next; committer thread, then after its end. */
struct removals {
    struct fixture *f;
    uint64_t kept_bytes, most_bytes;
};

static void note_removal(void *ctx, const struct outbox_progress *progress)
{
    struct removals *removals = ctx;
    struct store_stats stats;

    outbox_stats(removals->f->outbox, &stats);
    if (removals->kept_bytes > stats.kept_bytes &&
        removals->kept_bytes - stats.kept_bytes > removals->most_bytes) {
        removals->most_bytes = removals->kept_bytes - stats.kept_bytes;
    }
    removals->kept_bytes = stats.kept_bytes;
    on_progress(removals->f, progress);
}

/* Webhooks wait for the commit that it is part of. */
static void large_events_that_expire_together_go_in_several_commits(void **state)
{
    enum { COUNT = 48, BODY_BYTES = 1 << 20, MOST_BYTES = 34 << 20 };
    struct fixture *f = *state;
    struct removals removals = {.f = f};
    struct outbox_listener listener = {.progress = note_removal, .ctx = &removals};
    char *body = calloc(1, BODY_BYTES);
    struct err err = {0};

    fixture_start(f);
    for (int i = 0; i < COUNT; i++) {
        struct event event = make_new_event();

        event.body = (struct slice){body, BODY_BYTES};
        put_ok(f, &event);
    }
    deliver(f, COUNT);
    fixture_close(f);
    free(body);
    f->options.keep_delivered_ms = 0;
    fixture_open(f);
    assert_int_equal(outbox_start(f->outbox, &listener, &err), ST_OK);
    wait_until_kept(f, 0);
    fixture_close(f);
    assert_true(removals.most_bytes > 0);
    assert_true(removals.most_bytes <= MOST_BYTES);
    assert_sums_right(f);
}

static void undelivered_events_never_expire(void **state)
{
    struct fixture *f = *state;
    struct event old = make_new_event();

    f->options.keep_delivered_ms = 0;
    fixture_start(f);
    old.received_ms = 1000;
    put_ok(f, &old);
    fixture_restart(f);
    put_many(f, 1);
    assert_int_equal(count_on_disk(f, STORE_UNDELIVERED), 2);
}

/* ---- retained states ---- */

static bool has_state(struct fixture *f, const struct event *event)
{
    struct listed *listed;
    bool has;

    put_ok(f, event);
    listed = list(f, STORE_ALL);
    has = listed->rows[listed->count - 1].has_state;
    free(listed);
    return has;
}

static void an_older_event_does_not_overwrite_a_newer_state(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(1, 1);

    fixture_start(f);
    event.state_topic = SLICE("state/g1");
    event.event_ms = 2000;
    assert_true(has_state(f, &event));
    event.event_ms = 1999;
    event.identity.digest[0]++;
    assert_false(has_state(f, &event));
    event.state_topic = SLICE("state/g2"); /* another one's time does not matter */
    event.identity.digest[0]++;
    assert_true(has_state(f, &event));
    fixture_restart(f);
    event.state_topic = SLICE("state/g1");
    event.identity.digest[0]++;
    assert_false(has_state(f, &event));
    event.event_ms = 2000; /* of the same second: the one accepted last wins */
    event.identity.digest[0]++;
    assert_true(has_state(f, &event));
}

/* By acceptance, whatever the host's clock says; the newest time that is known stays. */
static void an_event_without_a_time_is_newer_than_those_before_it(void **state)
{
    struct fixture *f = *state;
    struct event event = make_event(1, 1);

    fixture_start(f);
    event.state_topic = SLICE("state/g1");
    event.event_ms = 4000;
    assert_true(has_state(f, &event));
    event.event_ms = CLOCK_NONE;
    event.received_ms = 1;
    event.identity.digest[0]++;
    assert_true(has_state(f, &event));
    event.event_ms = 3999;
    event.identity.digest[0]++;
    assert_false(has_state(f, &event));
    event.event_ms = 4000;
    event.identity.digest[0]++;
    assert_true(has_state(f, &event));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_full_outbox_refuses_and_keeps_what_is_undelivered),
        TEST(delivered_events_make_room_oldest_first),
        TEST(dead_letters_have_a_limit_of_their_own),
        TEST(a_burial_has_room_although_quarantine_has_none),
        TEST(it_is_not_ready_from_the_first_refusal_until_a_tenth_is_free),
        TEST(full_dead_letters_do_not_make_it_unready),
        TEST(delivered_events_are_removed_after_keep_delivered),
        TEST(without_keep_delivered_nothing_is_kept_and_seqs_never_restart),
        TEST(large_events_that_expire_together_go_in_several_commits),
        TEST(undelivered_events_never_expire),
        TEST(an_older_event_does_not_overwrite_a_newer_state),
        TEST(an_event_without_a_time_is_newer_than_those_before_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
