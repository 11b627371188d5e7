/*
 * The window without a publisher or a broker: tokens in, watermark out.
 */
#include "bridge/publisher/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/check.h"

/* Puts an event of one message and sends it. */
static void send_one(struct window *window, uint64_t seq, int token)
{
    struct window_event event = {.seq = seq, .received_ms = (int64_t)seq * 10};

    window_put(window, &event, 1);
    window_sent(window, token);
}

static struct window *new_window(size_t capacity, uint64_t settled_seq)
{
    struct window *window = window_create(capacity, settled_seq);

    window_restart(window, capacity);
    return window;
}

/* The broker acknowledges the message. */
static void answer_yes(struct window *window, int token)
{
    uint64_t seq = 0;
    unsigned part = 0;

    assert_int_equal(window_answered(window, token, &seq, &part), WINDOW_EVENT);
    window_deliver(window, seq);
}

static void the_watermark_moves_in_order_although_answers_do_not(void **state)
{
    struct window *window = new_window(8, 100);

    (void)state;
    assert_int_equal(window_settled(window), 100);
    send_one(window, 101, 1);
    send_one(window, 105, 2); /* seqs may have holes */
    send_one(window, 106, 3);
    answer_yes(window, 3);
    answer_yes(window, 2);
    assert_int_equal(window_settled(window), 100);
    assert_int_equal(window_oldest(window)->seq, 101);
    assert_int_equal(window_events(window), 1);
    answer_yes(window, 1);
    assert_int_equal(window_settled(window), 106);
    assert_null(window_oldest(window));
    window_destroy(window);
}

static void an_event_keeps_its_place_until_its_watermark_is_on_disk(void **state)
{
    struct window *window = new_window(2, 0);

    (void)state;
    send_one(window, 1, 1);
    send_one(window, 2, 2);
    answer_yes(window, 1);
    answer_yes(window, 2);
    assert_false(window_has_room(window));
    assert_true(window_may_send(window));
    window_set_watermark(window, 1);
    assert_true(window_has_room(window));
    send_one(window, 3, 3);
    assert_false(window_has_room(window));
    window_set_watermark(window,
                         3); /* a watermark beyond the settled events frees only those */
    assert_int_equal(window_oldest(window)->seq, 3);
    send_one(window, 4, 4);
    assert_false(window_has_room(window));
    window_destroy(window);
}

static void messages_in_flight_are_limited_by_the_broker_and_status_messages_count(void **state)
{
    struct window *window = window_create(8, 0);
    uint64_t seq;
    unsigned part;

    (void)state;
    window_restart(window, 2);
    window_sent_status(window, 1);
    assert_true(window_may_send(window));
    send_one(window, 1, 2);
    assert_false(window_may_send(window));
    assert_true(window_has_room(window));
    assert_int_equal(window_messages(window), 2);
    assert_int_equal(window_answered(window, 1, &seq, &part), WINDOW_STATUS);
    assert_true(window_may_send(window));
    window_destroy(window);
}

static void an_event_of_two_messages_is_settled_by_the_second_answer(void **state)
{
    struct window *window = new_window(8, 0);
    struct window_event event = {.seq = 1};
    uint64_t seq = 0;
    unsigned part = 0;

    (void)state;
    window_put(window, &event, 2);
    window_sent(window, 10);
    window_sent(window, 11);
    assert_int_equal(window_answered(window, 11, &seq, &part), WINDOW_EVENT);
    assert_int_equal(part, 1);
    assert_false(window_deliver(window, seq));
    assert_int_equal(window_settled(window), 0);
    assert_int_equal(window_answered(window, 10, &seq, &part), WINDOW_EVENT);
    assert_int_equal(part, 0);
    assert_true(window_deliver(window, seq));
    assert_int_equal(window_settled(window), 1);
    window_destroy(window);
}

static void a_qos_0_message_is_settled_by_being_sent(void **state)
{
    struct window *window = new_window(8, 0);

    (void)state;
    send_one(window, 1, 0);
    assert_int_equal(window_settled(window), 1);
    assert_int_equal(window_messages(window), 0);
    assert_false(window_is_open(window, 1));
    window_destroy(window);
}

static void an_answer_to_nothing_in_flight_is_ignored(void **state)
{
    struct window *window = new_window(8, 0);
    uint64_t seq;
    unsigned part;

    (void)state;
    send_one(window, 1, 7);
    assert_int_equal(window_answered(window, 8, &seq, &part), WINDOW_NOTHING);
    assert_int_equal(window_answered(window, 0, &seq, &part), WINDOW_NOTHING);
    assert_int_equal(window_answered(window, -1, &seq, &part), WINDOW_NOTHING);
    assert_int_equal(window_answered(window, 65536, &seq, &part), WINDOW_NOTHING);
    answer_yes(window, 7);
    assert_int_equal(window_answered(window, 7, &seq, &part), WINDOW_NOTHING);
    window_destroy(window);
}

static void a_restart_starts_after_the_settled_watermark_and_forgets_all_tokens(void **state)
{
    struct window *window = new_window(4, 0);
    uint64_t seq;
    unsigned part;

    (void)state;
    for (int i = 1; i <= 4; i++) {
        send_one(window, (uint64_t)i, i);
    }
    answer_yes(window, 1);
    answer_yes(window, 3);
    window_restart(window, 4);
    assert_int_equal(window_settled(window), 1);
    assert_int_equal(window_events(window), 0);
    assert_int_equal(window_messages(window), 0);
    assert_int_equal(window_answered(window, 2, &seq, &part), WINDOW_NOTHING);
    send_one(window, 2, 1); /* the same token means another message now */
    answer_yes(window, 1);
    assert_int_equal(window_settled(window), 2);
    send_one(window, 3, 2);
    assert_int_equal(window_settled(window),
                     2); /* 3 was acknowledged before; it is sent again, for the order */
    window_destroy(window);
}

static void a_buried_event_is_settled_and_stays_buried_after_a_restart(void **state)
{
    struct window *window = new_window(8, 0);
    struct window_event event = {.seq = 2};
    uint64_t seq;
    unsigned part;

    (void)state;
    send_one(window, 1, 1);
    window_put(window, &event, 2);
    window_sent(window, 2);
    window_sent(window, 3);
    assert_int_equal(window_answered(window, 2, &seq, &part), WINDOW_EVENT);
    window_bury(window, 2);
    assert_false(window_is_open(window, 2));
    assert_int_equal(window_messages(window), 2); /* the other one is still with the broker */
    assert_int_equal(window_answered(window, 3, &seq, &part), WINDOW_NOTHING);
    assert_int_equal(window_messages(window), 1);
    window_restart(window, 8);
    window_restart(window, 8);
    assert_false(window_is_buried(window, 1));
    assert_true(window_is_buried(window, 2));
    send_one(window, 1, 1);
    window_put(window, &event, 0);
    assert_int_equal(window_settled(window), 0);
    answer_yes(window, 1);
    assert_int_equal(window_settled(window), 2);
    window_restart(window, 8);
    assert_false(
        window_is_buried(window, 2)); /* behind the watermark: it is never read again */
    window_destroy(window);
}

/* --- random acknowledgements --- */

enum { EVENTS = 3000, RUNS = 60 };

struct model {
    struct window *window;
    size_t capacity, max_messages;
    uint64_t read_seq; /* sent up to here on this connection */
    uint64_t watermark;
    int next_token;
    int open_tokens[64];
    size_t open_count;
    bool settled[EVENTS + 1]; /* ever */
};

static void model_send(struct model *m)
{
    struct window_event event = {.seq = m->read_seq + 1};
    unsigned messages = rand() % 4 == 0 ? 2 : 1;

    if (m->read_seq == EVENTS || !window_has_room(m->window) ||
        m->open_count + messages > m->max_messages) {
        return;
    }
    m->read_seq++;
    if (window_is_buried(m->window, event.seq)) {
        window_put(m->window, &event, 0);
        return;
    }
    window_put(m->window, &event, messages);
    for (unsigned i = 0; i < messages; i++) {
        assert_true(window_may_send(m->window));
        m->next_token = m->next_token == 65535 ? 1 : m->next_token + 1;
        window_sent(m->window, m->next_token);
        m->open_tokens[m->open_count++] = m->next_token;
    }
}

static void model_answer(struct model *m)
{
    size_t pick;
    uint64_t seq;
    unsigned part;

    if (m->open_count == 0) {
        return;
    }
    pick = (size_t)rand() % m->open_count;
    if (window_answered(m->window, m->open_tokens[pick], &seq, &part) == WINDOW_EVENT) {
        if (rand() % 50 == 0) {
            window_bury(m->window, seq);
            m->settled[seq] = true;
        } else if (window_deliver(m->window, seq)) {
            m->settled[seq] = true;
        }
    }
    m->open_tokens[pick] = m->open_tokens[--m->open_count];
}

static void model_restart(struct model *m)
{
    window_restart(m->window, m->max_messages);
    m->read_seq = window_settled(m->window);
    m->open_count = 0;
}

static void check_model(const struct model *m)
{
    uint64_t settled = window_settled(m->window);

    for (uint64_t seq = 1; seq <= settled; seq++) {
        assert_true(m->settled[seq]); /* the watermark never leads */
    }
    assert_true(m->read_seq - m->watermark <= m->capacity);
    assert_int_equal(window_messages(m->window), m->open_count);
    assert_true(m->open_count <= m->max_messages);
}

static void run_model(unsigned seed)
{
    struct model m = {
        .capacity = 1 + seed % 40, .max_messages = 2 + seed % 29, .next_token = 65000};

    srand(seed);
    m.window = window_create(m.capacity, 0);
    window_restart(m.window, m.max_messages);
    for (int steps = 0; window_settled(m.window) < EVENTS; steps++) {
        int dice = rand() % 1000;

        assert_true(steps < EVENTS * 40); /* it gets on */
        if (dice < 500) {
            model_send(&m);
        } else if (dice < 940) {
            model_answer(&m);
        } else if (dice < 998) {
            m.watermark = window_settled(m.window);
            window_set_watermark(m.window, m.watermark);
        } else {
            model_restart(&m);
        }
        if (steps % 16 == 0) {
            check_model(&m);
        }
    }
    check_model(&m);
    window_destroy(m.window);
}

static void
whatever_the_order_of_answers_the_watermark_never_leads_and_the_limits_hold(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= RUNS; seed++) {
        run_model(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_watermark_moves_in_order_although_answers_do_not),
        cmocka_unit_test(an_event_keeps_its_place_until_its_watermark_is_on_disk),
        cmocka_unit_test(
            messages_in_flight_are_limited_by_the_broker_and_status_messages_count),
        cmocka_unit_test(an_event_of_two_messages_is_settled_by_the_second_answer),
        cmocka_unit_test(a_qos_0_message_is_settled_by_being_sent),
        cmocka_unit_test(an_answer_to_nothing_in_flight_is_ignored),
        cmocka_unit_test(a_restart_starts_after_the_settled_watermark_and_forgets_all_tokens),
        cmocka_unit_test(a_buried_event_is_settled_and_stays_buried_after_a_restart),
        cmocka_unit_test(
            whatever_the_order_of_answers_the_watermark_never_leads_and_the_limits_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
