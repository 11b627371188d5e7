/*
 * The ladder, jitter, grace, verdicts and counts of losses; time and random bits are arguments, so
 * nothing waits.
 */
#include "bridge/publisher/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/check.h"

#include "bridge/mqtt/mqtt.h"

enum { NOW_MS = 5000000, KEEP_ALIVE_MS = 30000, CLOSED = 0 };

/* --- when to connect --- */

/* The longest delay that any random bits give after another failure to connect. */
static int64_t longest_delay_ms(struct backoff *backoff, int reason)
{
    int64_t longest_ms = 0;
    struct backoff next;

    for (uint64_t random = 0; random < 100000; random++) {
        next = *backoff;
        backoff_connect_failed(&next, reason, NOW_MS, random);
        assert_true(next.connect_at_ms >= NOW_MS);
        if (next.connect_at_ms - NOW_MS > longest_ms) {
            longest_ms = next.connect_at_ms - NOW_MS;
        }
    }
    *backoff = next;
    return longest_ms + 1; /* the bound itself is never reached */
}

static void the_delay_doubles_with_each_failed_connect_up_to_ten_seconds(void **state)
{
    static const int64_t ceilings_ms[] = {100,  200,  400,   800,   1600,
                                          3200, 6400, 10000, 10000, 10000};
    struct backoff backoff = {.failures = 0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ceilings_ms); i++) {
        assert_int_equal(longest_delay_ms(&backoff, 0x88), ceilings_ms[i]);
    }
    for (int i = 0; i < 100; i++) { /* and never overflows */
        backoff_connect_failed(&backoff, 0x88, NOW_MS, 9999);
        assert_int_equal(backoff.connect_at_ms, NOW_MS + 9999);
    }
}

static void jitter_is_full_and_without_random_bits_there_is_none(void **state)
{
    struct backoff backoff = {.failures = 5}; /* up to 3,200 ms */
    unsigned by_quarter[4] = {0};

    (void)state;
    for (uint64_t random = 0; random < 3200; random++) {
        struct backoff next = backoff;

        backoff_connect_failed(&next, 0, NOW_MS, random * 7919);
        by_quarter[(next.connect_at_ms - NOW_MS) / 800]++;
    }
    for (size_t i = 0; i < COUNT_OF(by_quarter); i++) {
        assert_int_equal(by_quarter[i], 800);
    }
    backoff_connect_failed(&backoff, 0, NOW_MS, 0);
    assert_int_equal(backoff.connect_at_ms, NOW_MS);
}

/* A connection that lasted so long, and settled something or not. */
static struct backoff_judgement connection(struct backoff *backoff, int64_t lasted_ms,
                                           bool useful, int reason)
{
    struct backoff_loss loss = {.reason = reason, .keep_alive_ms = KEEP_ALIVE_MS};

    backoff_connected(backoff, NOW_MS - lasted_ms);
    if (useful) {
        backoff_delivered(backoff);
    }
    return backoff_lost(backoff, &loss, NOW_MS, 0);
}

static void a_connection_that_lasted_starts_the_ladder_over(void **state)
{
    struct backoff backoff = {.failures = 9};

    (void)state;
    (void)connection(&backoff, 10000, false, CLOSED);
    assert_int_equal(longest_delay_ms(&backoff, CLOSED), 200); /* the loss was the first step */
}

static void a_short_one_that_settled_something_keeps_the_delay_at_a_second_or_two(void **state)
{
    struct backoff backoff = {.failures = 9};

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct backoff_loss loss = {.reason = CLOSED, .keep_alive_ms = KEEP_ALIVE_MS};

        backoff_connected(&backoff, NOW_MS - 9999);
        if (i % 2 == 0) {
            backoff_delivered(&backoff);
        } else {
            backoff_buried(&backoff);
        }
        (void)backoff_lost(&backoff, &loss, NOW_MS, 1599);
        assert_int_equal(backoff.connect_at_ms, NOW_MS + 1599);
        backoff_connected(&backoff, NOW_MS - 9999);
        backoff_delivered(&backoff);
        (void)backoff_lost(&backoff, &loss, NOW_MS, 1600);
        assert_int_equal(backoff.connect_at_ms, NOW_MS);
    }
}

static void a_broker_that_takes_connections_only_to_drop_them_is_not_hammered(void **state)
{
    struct backoff backoff = {.failures = 0};

    (void)state;
    for (int i = 0; i < 7; i++) {
        assert_false(connection(&backoff, 9999, false, CLOSED).taken_over);
    }
    assert_int_equal(longest_delay_ms(&backoff, CLOSED), 10000);
}

static void a_session_taken_over_pauses_for_a_minute_or_more_and_is_no_failure(void **state)
{
    struct backoff backoff = {.failures = 0};

    (void)state;
    assert_true(connection(&backoff, 1000, true, 0x8E).taken_over);
    assert_int_equal(backoff.connect_at_ms, NOW_MS + 60000);
    assert_int_equal(longest_delay_ms(&backoff, 0x8E), 90000);
    assert_int_equal(longest_delay_ms(&backoff, CLOSED), 100);
}

static void the_fifth_short_connection_in_a_row_hints_at_another_client(void **state)
{
    struct backoff backoff = {.failures = 0};

    (void)state;
    for (int i = 1; i <= 8; i++) {
        assert_int_equal(connection(&backoff, 500, true, CLOSED).same_client, i == 5);
        assert_false(connection(&backoff, 500, false, CLOSED).same_client);
    }
    (void)connection(&backoff, 10000, true, CLOSED);
    for (int i = 1; i <= 8; i++) {
        assert_int_equal(connection(&backoff, 500, true, CLOSED).same_client, i == 5);
    }
}

/* --- which message is to blame --- */

static struct backoff_judgement lose(struct backoff *backoff, int reason,
                                     enum backoff_in_flight in_flight, uint64_t seq)
{
    struct backoff_loss loss = {.reason = reason,
                                .in_flight = in_flight,
                                .seq = seq,
                                .silent_ms = KEEP_ALIVE_MS - 1,
                                .keep_alive_ms = KEEP_ALIVE_MS};

    backoff_connected(backoff, NOW_MS - 100);
    return backoff_lost(backoff, &loss, NOW_MS, 0);
}

static void lose_solo(struct backoff *backoff, uint64_t seq, unsigned times)
{
    for (unsigned i = 1; i <= times; i++) {
        struct backoff_judgement found = lose(backoff, CLOSED, IN_FLIGHT_SOLO, seq);

        assert_int_equal(found.culprit, CULPRIT_NONE);
        assert_int_equal(found.losses, i);
    }
}

static void an_event_that_loses_the_connection_five_times_while_solo_is_buried(void **state)
{
    struct backoff backoff = {.failures = 0};
    struct backoff_judgement found;

    (void)state;
    for (int i = 0; i < 2; i++) { /* the next one is counted from the start */
        lose_solo(&backoff, 7, 4);
        found = lose(&backoff, CLOSED, IN_FLIGHT_SOLO, 7);
        assert_int_equal(found.culprit, CULPRIT_EVENT);
        assert_int_equal(found.losses, 5);
    }
}

static void a_burial_makes_the_connection_a_useful_one(void **state)
{
    struct backoff backoff = {.failures = 9, .solo_seq = 7, .solo_losses = 4};

    (void)state;
    (void)lose(&backoff, CLOSED, IN_FLIGHT_SOLO, 7);
    assert_int_equal(longest_delay_ms(&backoff, CLOSED), 3200);
}

static void losses_in_a_row_are_of_one_event_and_end_with_a_delivery(void **state)
{
    struct backoff backoff = {.failures = 0};

    (void)state;
    lose_solo(&backoff, 7, 4);
    lose_solo(&backoff, 8, 4);
    backoff_delivered(&backoff);
    lose_solo(&backoff, 8, 4);
    lose_solo(&backoff, 7, 4);
}

static void a_loss_is_not_held_against_events_that_were_not_alone(void **state)
{
    struct backoff backoff = {.failures = 0};

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(lose(&backoff, CLOSED, IN_FLIGHT_EVENTS, 7).culprit, CULPRIT_NONE);
        assert_int_equal(lose(&backoff, CLOSED, IN_FLIGHT_NOTHING, 7).culprit, CULPRIT_NONE);
    }
    lose_solo(&backoff, 7, 4);
}

static void a_loss_long_after_the_event_was_sent_does_not_count(void **state)
{
    struct backoff backoff = {.failures = 0};
    struct backoff_loss loss = {.reason = CLOSED,
                                .in_flight = IN_FLIGHT_SOLO,
                                .seq = 7,
                                .silent_ms = KEEP_ALIVE_MS,
                                .keep_alive_ms = KEEP_ALIVE_MS};

    (void)state;
    lose_solo(&backoff, 7, 4);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(backoff_lost(&backoff, &loss, NOW_MS, 0).culprit, CULPRIT_NONE);
    }
    loss.in_flight = IN_FLIGHT_STATUS;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(backoff_lost(&backoff, &loss, NOW_MS, 0).culprit, CULPRIT_NONE);
    }
    assert_int_equal(lose(&backoff, CLOSED, IN_FLIGHT_SOLO, 7).culprit, CULPRIT_EVENT);
}

/* Does the end of a connection with this reason say nothing about the message? */
static bool is_excuse(int reason)
{
    switch (reason) {
    case MQTT_CUT:
    case 0x89: /* server busy */
    case 0x8B: /* server shutting down */
    case 0x8D: /* keep alive timeout */
    case 0x8E: /* session taken over */
    case 0x98: /* administrative action */
    case 0x9C: /* use another server */
    case 0x9D: /* server moved */
    case 0xA0: /* maximum connect time */
        return true;
    default:
        return false;
    }
}

static void a_broker_that_is_away_is_never_held_against_a_message(void **state)
{
    (void)state;
    for (int reason = MQTT_CUT; reason <= 0xFF; reason++) {
        struct backoff backoff = {.failures = 0};
        enum backoff_culprit culprit = CULPRIT_NONE;

        for (int i = 0; i < 5; i++) {
            culprit = lose(&backoff, reason, IN_FLIGHT_SOLO, 7).culprit;
        }
        assert_int_equal(culprit, is_excuse(reason) ? CULPRIT_NONE : CULPRIT_EVENT);
    }
}

static void status_messages_that_lose_the_connection_five_times_are_given_up_once(void **state)
{
    struct backoff backoff = {.failures = 0};

    (void)state;
    for (int i = 1; i <= 4; i++) {
        assert_int_equal(lose(&backoff, CLOSED, IN_FLIGHT_STATUS, 0).culprit, CULPRIT_NONE);
    }
    backoff_status_answered(&backoff);
    for (int i = 1; i <= 8; i++) {
        assert_int_equal(lose(&backoff, CLOSED, IN_FLIGHT_STATUS, 0).culprit,
                         i == 5 ? CULPRIT_STATUS : CULPRIT_NONE);
        assert_int_equal(lose(&backoff, 0x8B, IN_FLIGHT_STATUS, 0).culprit, CULPRIT_NONE);
    }
}

/* --- refused messages --- */

static enum backoff_verdict first_verdict(int reason)
{
    struct backoff backoff = {.failures = 0};

    return backoff_refused(&backoff, reason, NOW_MS);
}

static void three_reasons_bury_a_message_and_any_other_has_it_sent_again(void **state)
{
    (void)state;
    for (int reason = 0x80; reason <= 0xFF; reason++) {
        bool bury = reason == 0x90 || reason == 0x95 || reason == 0x99;

        assert_int_equal(first_verdict(reason), bury ? VERDICT_BURY : VERDICT_PAUSE);
    }
}

/* Refused with this reason again and again: each pause is so long. */
static void assert_pauses(struct backoff *backoff, int reason, const int64_t *seconds, size_t n)
{
    int64_t now_ms = NOW_MS;

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(backoff_refused(backoff, reason, now_ms), VERDICT_PAUSE);
        assert_true(backoff->paused);
        assert_int_equal(backoff->resume_at_ms - now_ms, seconds[i] * 1000);
        now_ms = backoff->resume_at_ms;
        backoff_resumed(backoff);
        assert_false(backoff->paused);
    }
}

static void each_pause_is_twice_as_long_up_to_half_a_minute(void **state)
{
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 30, 30, 30};
    struct backoff backoff = {.failures = 0};

    (void)state;
    assert_pauses(&backoff, 0x97, seconds, COUNT_OF(seconds));
    backoff_delivered(&backoff);
    assert_pauses(&backoff, 0x97, seconds, COUNT_OF(seconds));
    backoff.pauses = 1000000; /* never overflows */
    assert_int_equal(backoff_refused(&backoff, 0x97, NOW_MS), VERDICT_PAUSE);
    assert_int_equal(backoff.resume_at_ms, NOW_MS + 30000);
}

static void refusals_of_what_was_in_flight_together_are_one_pause(void **state)
{
    static const int64_t second[] = {2};
    struct backoff backoff = {.failures = 0};

    (void)state;
    assert_int_equal(backoff_refused(&backoff, 0x97, NOW_MS), VERDICT_PAUSE);
    assert_int_equal(backoff_refused(&backoff, 0x97, NOW_MS + 10), VERDICT_PAUSED);
    assert_int_equal(backoff_refused(&backoff, 0x90, NOW_MS + 10), VERDICT_BURY);
    backoff_delivered(&backoff); /* one of them was accepted; that ends no row */
    assert_int_equal(backoff_refused(&backoff, 0x80, NOW_MS + 20), VERDICT_PAUSED);
    assert_int_equal(backoff.resume_at_ms, NOW_MS + 1000);
    backoff_resumed(&backoff);
    assert_pauses(&backoff, 0x97, second, 1);
}

static void a_pause_ends_with_its_connection(void **state)
{
    struct backoff backoff = {.failures = 0};

    (void)state;
    (void)backoff_refused(&backoff, 0x97, NOW_MS);
    (void)lose(&backoff, CLOSED, IN_FLIGHT_EVENTS, 0);
    assert_false(backoff.paused);
    (void)backoff_refused(&backoff, 0x97, NOW_MS);
    backoff_connected(&backoff, NOW_MS);
    assert_false(backoff.paused);
}

static void not_authorized_is_buried_only_after_its_grace(void **state)
{
    static const int64_t seconds[] = {1, 2, 4};
    struct backoff backoff = {.failures = 0};

    (void)state;
    assert_pauses(&backoff, 0x87, seconds, COUNT_OF(seconds)); /* the next one comes at 7 s */
    assert_int_equal(backoff_refused(&backoff, 0x87, NOW_MS + 7000), VERDICT_PAUSE);
    assert_int_equal(backoff.resume_at_ms, NOW_MS + 11000);
    assert_int_equal(backoff_refused(&backoff, 0x87, NOW_MS + 9999), VERDICT_PAUSED);
    assert_int_equal(backoff_refused(&backoff, 0x87, NOW_MS + 10000), VERDICT_BURY);
    backoff_buried(&backoff);
    assert_int_equal(backoff_refused(&backoff, 0x87, NOW_MS + 10001), VERDICT_BURY);
}

static void the_grace_outlives_connections_and_is_forgotten_after_a_minute(void **state)
{
    struct backoff backoff = {.failures = 0};

    (void)state;
    assert_int_equal(backoff_refused(&backoff, 0x87, NOW_MS), VERDICT_PAUSE);
    (void)lose(&backoff, CLOSED, IN_FLIGHT_SOLO, 7);
    backoff_connected(&backoff, NOW_MS);
    assert_int_equal(backoff_refused(&backoff, 0x87, NOW_MS + 10000), VERDICT_BURY);
    assert_int_equal(backoff_refused(&backoff, 0x87, NOW_MS + 70000), VERDICT_BURY);
    assert_int_equal(backoff_refused(&backoff, 0x87, NOW_MS + 130001), VERDICT_PAUSE);
    assert_int_equal(backoff_refused(&backoff, 0x87, NOW_MS + 140000), VERDICT_PAUSED);
    assert_int_equal(backoff_refused(&backoff, 0x87, NOW_MS + 140001), VERDICT_BURY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_delay_doubles_with_each_failed_connect_up_to_ten_seconds),
        cmocka_unit_test(jitter_is_full_and_without_random_bits_there_is_none),
        cmocka_unit_test(a_connection_that_lasted_starts_the_ladder_over),
        cmocka_unit_test(a_short_one_that_settled_something_keeps_the_delay_at_a_second_or_two),
        cmocka_unit_test(a_broker_that_takes_connections_only_to_drop_them_is_not_hammered),
        cmocka_unit_test(a_session_taken_over_pauses_for_a_minute_or_more_and_is_no_failure),
        cmocka_unit_test(the_fifth_short_connection_in_a_row_hints_at_another_client),
        cmocka_unit_test(an_event_that_loses_the_connection_five_times_while_solo_is_buried),
        cmocka_unit_test(a_burial_makes_the_connection_a_useful_one),
        cmocka_unit_test(losses_in_a_row_are_of_one_event_and_end_with_a_delivery),
        cmocka_unit_test(a_loss_is_not_held_against_events_that_were_not_alone),
        cmocka_unit_test(a_loss_long_after_the_event_was_sent_does_not_count),
        cmocka_unit_test(a_broker_that_is_away_is_never_held_against_a_message),
        cmocka_unit_test(status_messages_that_lose_the_connection_five_times_are_given_up_once),
        cmocka_unit_test(three_reasons_bury_a_message_and_any_other_has_it_sent_again),
        cmocka_unit_test(each_pause_is_twice_as_long_up_to_half_a_minute),
        cmocka_unit_test(refusals_of_what_was_in_flight_together_are_one_pause),
        cmocka_unit_test(a_pause_ends_with_its_connection),
        cmocka_unit_test(not_authorized_is_buried_only_after_its_grace),
        cmocka_unit_test(the_grace_outlives_connections_and_is_forgotten_after_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
