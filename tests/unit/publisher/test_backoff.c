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
        backoff_passed(backoff, NOW_MS);
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
            backoff_passed(&backoff, NOW_MS);
        } else {
            backoff_buried(&backoff);
        }
        (void)backoff_lost(&backoff, &loss, NOW_MS, 1599);
        assert_int_equal(backoff.connect_at_ms, NOW_MS + 1599);
        backoff_connected(&backoff, NOW_MS - 9999);
        backoff_passed(&backoff, NOW_MS);
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

/* --- which losses say something --- */

static struct backoff_judgement lose(struct backoff *backoff, int reason,
                                     enum backoff_in_flight in_flight)
{
    struct backoff_loss loss = {.reason = reason,
                                .in_flight = in_flight,
                                .silent_ms = KEEP_ALIVE_MS - 1,
                                .keep_alive_ms = KEEP_ALIVE_MS};

    backoff_connected(backoff, NOW_MS - 100);
    return backoff_lost(backoff, &loss, NOW_MS, 0);
}

/* Does the end of a connection with this reason say nothing about the message? */
static bool is_excuse(int reason)
{
    switch (reason) {
    case MQTT_CUT:
    case 0x88: /* server unavailable */
    case 0x89: /* server busy */
    case 0x8A: /* banned */
    case 0x8B: /* server shutting down */
    case 0x8D: /* keep alive timeout */
    case 0x8E: /* session taken over */
    case 0x93: /* receive maximum exceeded */
    case 0x96: /* message rate too high */
    case 0x97: /* quota exceeded */
    case 0x98: /* administrative action */
    case 0x9C: /* use another server */
    case 0x9D: /* server moved */
    case 0x9F: /* connection rate exceeded */
    case 0xA0: /* maximum connect time */
        return true;
    default:
        return false;
    }
}

static void codes_that_speak_of_the_connection_blame_no_message(void **state)
{
    (void)state;
    for (int reason = MQTT_CUT; reason <= 0xFF; reason++) {
        struct backoff backoff = {.failures = 0};

        assert_int_equal(lose(&backoff, reason, IN_FLIGHT_SOLO).suspicious, !is_excuse(reason));
        assert_int_equal(lose(&backoff, reason, IN_FLIGHT_EVENTS).suspicious,
                         !is_excuse(reason));
        assert_false(lose(&backoff, reason, IN_FLIGHT_NOTHING).suspicious);
    }
}

static void a_loss_long_after_something_was_sent_blames_no_message(void **state)
{
    struct backoff backoff = {.failures = 0};
    struct backoff_loss loss = {.reason = CLOSED,
                                .in_flight = IN_FLIGHT_SOLO,
                                .silent_ms = KEEP_ALIVE_MS,
                                .keep_alive_ms = KEEP_ALIVE_MS};

    (void)state;
    assert_false(backoff_lost(&backoff, &loss, NOW_MS, 0).suspicious);
}

static void the_loss_of_a_known_suspect_delays_nobody(void **state)
{
    struct backoff backoff = {.failures = 9};
    struct backoff_loss loss = {.reason = CLOSED,
                                .in_flight = IN_FLIGHT_SOLO,
                                .keep_alive_ms = KEEP_ALIVE_MS,
                                .known = true};

    (void)state;
    for (int i = 0; i < 20; i++) {
        backoff_connected(&backoff, NOW_MS);
        backoff_passed(&backoff, NOW_MS);
        (void)backoff_lost(&backoff, &loss, NOW_MS, 99);
        assert_int_equal(backoff.connect_at_ms, NOW_MS + 99);
    }
}

/* --- suspects --- */

static void five_losses_while_alone_bury_a_suspect_if_others_pass_in_between(void **state)
{
    static const int64_t pauses_ms[] = {500, 1000, 2000, 4000};
    struct backoff backoff = {.failures = 0};
    struct backoff_record record = {.since_ms = 0};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(backoff_suspect(&backoff, &record, false, NOW_MS), VERDICT_HOLD);
        assert_int_equal(record.losses, i + 1);
        assert_int_equal(record.due_ms - NOW_MS, pauses_ms[i]);
        assert_false(backoff_has_proof(&backoff, &record));
        backoff_passed(&backoff, NOW_MS);
        assert_true(backoff_has_proof(&backoff, &record));
    }
    assert_int_equal(backoff_suspect(&backoff, &record, false, NOW_MS), VERDICT_BURY);
}

static void if_nothing_passes_no_number_of_losses_buries_it(void **state)
{
    struct backoff backoff = {.failures = 0};
    struct backoff_record record = {.since_ms = 0};

    (void)state;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(backoff_suspect(&backoff, &record, false, NOW_MS), VERDICT_HOLD);
        backoff_status_answered(&backoff, true, NOW_MS);
    }
    assert_int_equal(record.losses, 1);
    assert_int_equal(record.due_ms - NOW_MS, 30000);
}

static void status_messages_prove_something_only_if_there_is_no_other_event(void **state)
{
    struct backoff backoff = {.failures = 0};
    struct backoff_record record = {.since_ms = 0};

    (void)state;
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(backoff_suspect(&backoff, &record, true, NOW_MS),
                         i == 5 ? VERDICT_BURY : VERDICT_HOLD);
        if (i < 5) { /* refused: no proof */
            backoff_status_answered(&backoff, false, NOW_MS);
            assert_int_equal(backoff_suspect(&backoff, &record, true, NOW_MS), VERDICT_HOLD);
        }
        backoff_status_answered(&backoff, true, NOW_MS);
    }
}

/* --- refused messages --- */

enum { SOURCE = 7, OTHER = 8 };

static enum backoff_verdict refuse(struct backoff *backoff, struct backoff_record *record,
                                   int reason, uint64_t source, int64_t now_ms)
{
    bool news;

    return backoff_refused(backoff, record, reason, source, now_ms, &news);
}

static void three_reasons_bury_a_message_and_any_other_has_it_sent_again(void **state)
{
    (void)state;
    for (int reason = 0x80; reason <= 0xFF; reason++) {
        bool bury = reason == 0x90 || reason == 0x95 || reason == 0x99;
        struct backoff backoff = {.failures = 0};
        struct backoff_record record = {.since_ms = 0};

        assert_int_equal(refuse(&backoff, &record, reason, SOURCE, NOW_MS),
                         bury ? VERDICT_BURY : VERDICT_HOLD);
    }
}

/* Refused again and again: each pause is so long. Returns when the last one ends. */
static int64_t assert_pauses(struct backoff *backoff, struct backoff_record *record, int reason,
                             const int64_t *seconds, size_t n)
{
    int64_t now_ms = NOW_MS;

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(refuse(backoff, record, reason, SOURCE, now_ms), VERDICT_HOLD);
        assert_int_equal(record->due_ms - now_ms, seconds[i] * 1000);
        now_ms = record->due_ms;
    }
    return now_ms;
}

static void each_pause_is_twice_as_long_and_after_a_minute_it_is_buried(void **state)
{
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 29};
    struct backoff backoff = {.failures = 0};
    struct backoff_record record = {.since_ms = 0};
    int64_t end_ms;

    (void)state;
    end_ms = assert_pauses(&backoff, &record, 0x97, seconds, COUNT_OF(seconds));
    assert_int_equal(end_ms, NOW_MS + 60000);
    backoff_passed(&backoff, NOW_MS + 1);
    assert_int_equal(refuse(&backoff, &record, 0x97, SOURCE, end_ms), VERDICT_BURY);
}

static void a_broker_that_takes_nothing_buries_nothing(void **state)
{
    struct backoff backoff = {.failures = 0};
    struct backoff_record record = {.since_ms = 0};

    (void)state;
    backoff_passed(&backoff, NOW_MS - 1);
    for (int64_t now_ms = NOW_MS; now_ms < NOW_MS + 3600000; now_ms = record.due_ms) {
        assert_int_equal(refuse(&backoff, &record, 0x97, SOURCE, now_ms), VERDICT_HOLD);
        assert_in_range(record.due_ms - now_ms, 1000, 30000);
    }
    backoff_status_answered(&backoff, true, NOW_MS + 3600000); /* a status message is enough */
    assert_int_equal(refuse(&backoff, &record, 0x97, SOURCE, NOW_MS + 3600001), VERDICT_BURY);
}

static void not_authorized_is_buried_after_its_grace(void **state)
{
    static const int64_t seconds[] = {1, 2, 4, 3};
    struct backoff backoff = {.failures = 0};
    struct backoff_record record = {.since_ms = 0};
    int64_t end_ms = assert_pauses(&backoff, &record, 0x87, seconds, COUNT_OF(seconds));

    (void)state;
    assert_int_equal(end_ms, NOW_MS + 10000);
    assert_int_equal(refuse(&backoff, &record, 0x87, SOURCE, end_ms), VERDICT_BURY);
}

static void the_next_ones_of_that_source_need_no_grace_and_other_sources_do(void **state)
{
    struct backoff backoff = {.failures = 0};
    struct backoff_record first = {.since_ms = 0}, second = first, third = first, other = first;

    (void)state;
    assert_int_equal(refuse(&backoff, &first, 0x87, SOURCE, NOW_MS), VERDICT_HOLD);
    assert_int_equal(refuse(&backoff, &second, 0x87, SOURCE, NOW_MS + 10000), VERDICT_BURY);
    assert_int_equal(refuse(&backoff, &other, 0x87, OTHER, NOW_MS + 10000), VERDICT_HOLD);
    assert_int_equal(refuse(&backoff, &other, 0x97, SOURCE, NOW_MS + 10000), VERDICT_HOLD);
    assert_int_equal(refuse(&backoff, &third, 0x87, SOURCE, NOW_MS + 70000), VERDICT_BURY);
    /* Forgotten after a quiet minute. */
    assert_int_equal(refuse(&backoff, &third, 0x87, SOURCE, NOW_MS + 130001), VERDICT_HOLD);
}

static void once_a_refused_one_was_taken_the_next_has_its_whole_grace(void **state)
{
    struct backoff backoff = {.failures = 0};
    struct backoff_record first = {.since_ms = 0}, second = first;

    (void)state;
    (void)refuse(&backoff, &first, 0x87, SOURCE, NOW_MS);
    backoff_recovered(&backoff, SOURCE);
    assert_int_equal(refuse(&backoff, &second, 0x87, SOURCE, NOW_MS + 10000), VERDICT_HOLD);
}

static void only_the_first_of_a_kind_is_news(void **state)
{
    struct backoff backoff = {.failures = 0};
    struct backoff_record record = {.since_ms = 0};
    bool news = false;

    (void)state;
    (void)backoff_refused(&backoff, &record, 0x97, SOURCE, NOW_MS, &news);
    assert_true(news);
    (void)backoff_refused(&backoff, &record, 0x97, SOURCE, NOW_MS + 60000, &news);
    assert_false(news);
    (void)backoff_refused(&backoff, &record, 0x83, SOURCE, NOW_MS + 60000, &news);
    assert_true(news);
    for (uint64_t source = 100; source < 1000; source++) { /* more than it remembers */
        (void)backoff_refused(&backoff, &record, 0x97, source, NOW_MS + 60000 + (int64_t)source,
                              &news);
        assert_true(news);
    }
}

static void
a_broker_that_hangs_up_after_a_refusal_gets_one_of_that_source_a_second(void **state)
{
    struct backoff backoff = {.failures = 9};
    struct backoff_record record = {.since_ms = 0};
    int64_t due_ms = 0;

    (void)state;
    (void)refuse(&backoff, &record, 0x87, SOURCE, NOW_MS - 100);
    assert_false(backoff_is_barred(&backoff, SOURCE, NOW_MS, &due_ms)); /* it only refuses */
    assert_false(lose(&backoff, CLOSED, IN_FLIGHT_EVENTS).suspicious);
    assert_int_equal(longest_delay_ms(&backoff, CLOSED), 200); /* the others need not wait */
    assert_true(backoff_is_barred(&backoff, SOURCE, NOW_MS, &due_ms));
    assert_int_equal(due_ms, NOW_MS + 900);
    assert_false(backoff_is_barred(&backoff, SOURCE, NOW_MS + 900, &due_ms));
    assert_false(backoff_is_barred(&backoff, OTHER, NOW_MS, &due_ms));
    backoff_recovered(&backoff, SOURCE);
    assert_false(backoff_is_barred(&backoff, SOURCE, NOW_MS, &due_ms));
}

static void it_is_passing_for_some_seconds_after_an_event(void **state)
{
    struct backoff backoff = {.failures = 0};

    (void)state;
    backoff_status_answered(&backoff, true, NOW_MS);
    assert_false(backoff_is_passing(&backoff, NOW_MS));
    backoff_passed(&backoff, NOW_MS);
    assert_true(backoff_is_passing(&backoff, NOW_MS + 4999));
    assert_false(backoff_is_passing(&backoff, NOW_MS + 5000));
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
        cmocka_unit_test(codes_that_speak_of_the_connection_blame_no_message),
        cmocka_unit_test(a_loss_long_after_something_was_sent_blames_no_message),
        cmocka_unit_test(the_loss_of_a_known_suspect_delays_nobody),
        cmocka_unit_test(five_losses_while_alone_bury_a_suspect_if_others_pass_in_between),
        cmocka_unit_test(if_nothing_passes_no_number_of_losses_buries_it),
        cmocka_unit_test(status_messages_prove_something_only_if_there_is_no_other_event),
        cmocka_unit_test(three_reasons_bury_a_message_and_any_other_has_it_sent_again),
        cmocka_unit_test(each_pause_is_twice_as_long_and_after_a_minute_it_is_buried),
        cmocka_unit_test(a_broker_that_takes_nothing_buries_nothing),
        cmocka_unit_test(not_authorized_is_buried_after_its_grace),
        cmocka_unit_test(the_next_ones_of_that_source_need_no_grace_and_other_sources_do),
        cmocka_unit_test(once_a_refused_one_was_taken_the_next_has_its_whole_grace),
        cmocka_unit_test(only_the_first_of_a_kind_is_news),
        cmocka_unit_test(
            a_broker_that_hangs_up_after_a_refusal_gets_one_of_that_source_a_second),
        cmocka_unit_test(it_is_passing_for_some_seconds_after_an_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
