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

/* An owner. */
struct thing {
    uint64_t seq;
    window_place place;
};

static struct thing things[4000];

/* Puts an event of one message and sends it. */
static struct thing *send_one(struct window *window, uint64_t seq, int token)
{
    struct thing *thing = &things[seq];

    thing->seq = seq;
    thing->place = window_put(window, seq, thing, 1, 10);
    window_sent(window, thing->place, token);
    return thing;
}

static struct thing *send_held(struct window *window, uint64_t seq, int token)
{
    struct thing *thing = &things[seq];

    thing->seq = seq;
    thing->place = window_put_held(window, thing, 1, 10);
    window_sent(window, thing->place, token);
    return thing;
}

/* The broker acknowledges the message. */
static bool answer_yes(struct window *window, int token)
{
    void *owner = NULL;
    unsigned part = 0;

    assert_int_equal(window_answered(window, token, &owner, &part), WINDOW_EVENT);
    return window_deliver(window, ((struct thing *)owner)->place);
}

static void the_watermark_moves_in_order_although_answers_do_not(void **state)
{
    struct window *window = window_create(8, 100);

    (void)state;
    assert_int_equal(window_settled(window), 100);
    (void)send_one(window, 101, 1);
    (void)send_one(window, 105, 2); /* seqs may have holes */
    (void)send_one(window, 106, 3);
    assert_true(answer_yes(window, 3));
    assert_true(answer_yes(window, 2));
    assert_int_equal(window_settled(window), 100);
    assert_ptr_equal(window_oldest(window), &things[101]);
    assert_int_equal(window_events(window), 1);
    assert_int_equal(window_bytes(window), 10);
    assert_true(answer_yes(window, 1));
    assert_int_equal(window_settled(window), 106);
    assert_int_equal(window_newest(window), 106);
    assert_null(window_oldest(window));
    window_destroy(window);
}

static void an_event_keeps_its_place_until_its_watermark_is_on_disk(void **state)
{
    struct window *window = window_create(2, 0);

    (void)state;
    (void)send_one(window, 1, 1);
    (void)send_one(window, 2, 2);
    (void)answer_yes(window, 1);
    (void)answer_yes(window, 2);
    assert_false(window_has_room(window));
    assert_true(window_may_send(window));
    window_set_watermark(window, 1);
    assert_true(window_has_room(window));
    (void)send_one(window, 3, 3);
    assert_false(window_has_room(window));
    window_set_watermark(window, 3); /* beyond the settled events: frees only those */
    assert_ptr_equal(window_oldest(window), &things[3]);
    (void)send_one(window, 4, 4);
    assert_false(window_has_room(window));
    window_destroy(window);
}

static void
a_held_event_moves_no_watermark_and_keeps_its_room_until_it_is_released(void **state)
{
    struct window *window = window_create(3, 10);

    (void)state;
    (void)send_one(window, 11, 1);
    (void)send_held(window, 5, 2);
    (void)send_held(window, 3, 3);
    assert_false(window_has_room(window));
    assert_ptr_equal(window_oldest(window), &things[11]);
    assert_true(answer_yes(window, 3));
    assert_int_equal(window_settled(window), 10);
    assert_true(window_has_room(window)); /* refused: what is on disk has not changed */
    assert_true(answer_yes(window, 2));
    window_release(window); /* delivered: a crash would repeat it */
    assert_true(window_has_room(window));
    (void)send_held(window, 6, 4);
    assert_false(window_has_room(window));
    window_released(window, 1);
    assert_true(window_has_room(window));
    (void)send_one(window, 12, 5);
    assert_int_equal(window_events(window), 3);
    window_destroy(window);
}

static void an_event_that_is_held_or_buried_is_settled_and_its_answers_are_nobodys(void **state)
{
    struct window *window = window_create(8, 0);
    void *owner;
    unsigned part;

    (void)state;
    (void)send_one(window, 1, 1);
    things[2].place = window_put(window, 2, &things[2], 2, 10);
    window_sent(window, things[2].place, 2);
    window_sent(window, things[2].place, 3);
    window_pass(window, 3);
    window_settle(window, things[2].place);
    assert_int_equal(window_settled(window), 0);
    assert_int_equal(window_messages(window), 3); /* two are still with the broker */
    assert_int_equal(window_answered(window, 3, &owner, &part), WINDOW_NOTHING);
    assert_int_equal(window_messages(window), 2);
    assert_true(answer_yes(window, 1));
    assert_int_equal(window_settled(window), 3);
    assert_int_equal(window_bytes(window), 0);
    window_destroy(window);
}

static void messages_in_flight_are_limited_by_the_broker_and_status_messages_count(void **state)
{
    struct window *window = window_create(8, 0);
    void *owner;
    unsigned part;

    (void)state;
    window_connect(window, 2);
    window_sent_status(window, 1);
    assert_true(window_may_send(window));
    (void)send_one(window, 1, 2);
    assert_false(window_may_send(window));
    assert_true(window_has_room(window));
    assert_int_equal(window_messages(window), 2);
    assert_int_equal(window_answered(window, 1, &owner, &part), WINDOW_STATUS);
    assert_true(window_may_send(window));
    window_destroy(window);
}

static void an_event_of_two_messages_is_settled_by_the_second_answer(void **state)
{
    struct window *window = window_create(8, 0);
    void *owner;
    unsigned part = 0;

    (void)state;
    things[1].place = window_put(window, 1, &things[1], 2, 10);
    window_sent(window, things[1].place, 10);
    window_sent(window, things[1].place, 11);
    assert_int_equal(window_answered(window, 11, &owner, &part), WINDOW_EVENT);
    assert_int_equal(part, 1);
    assert_false(window_deliver(window, things[1].place));
    assert_int_equal(window_settled(window), 0);
    assert_int_equal(window_answered(window, 10, &owner, &part), WINDOW_EVENT);
    assert_int_equal(part, 0);
    assert_true(window_deliver(window, things[1].place));
    assert_int_equal(window_settled(window), 1);
    window_destroy(window);
}

static void an_answer_to_nothing_in_flight_is_ignored(void **state)
{
    struct window *window = window_create(8, 0);
    void *owner;
    unsigned part;

    (void)state;
    (void)send_one(window, 1, 7);
    assert_int_equal(window_answered(window, 8, &owner, &part), WINDOW_NOTHING);
    assert_int_equal(window_answered(window, 0, &owner, &part), WINDOW_NOTHING);
    assert_int_equal(window_answered(window, -1, &owner, &part), WINDOW_NOTHING);
    assert_int_equal(window_answered(window, 65536, &owner, &part), WINDOW_NOTHING);
    assert_true(answer_yes(window, 7));
    assert_int_equal(window_answered(window, 7, &owner, &part), WINDOW_NOTHING);
    window_destroy(window);
}

static void a_new_connection_forgets_all_tokens(void **state)
{
    struct window *window = window_create(4, 0);
    void *owner;
    unsigned part;

    (void)state;
    for (int i = 1; i <= 3; i++) {
        (void)send_one(window, (uint64_t)i, i);
    }
    (void)answer_yes(window, 1);
    window_settle(window, things[2].place); /* held */
    window_settle(window, things[3].place);
    window_connect(window, 4);
    assert_int_equal(window_settled(window), 3);
    assert_int_equal(window_messages(window), 0);
    assert_int_equal(window_answered(window, 2, &owner, &part), WINDOW_NOTHING);
    (void)send_held(window, 2, 3); /* the same token means another message now */
    assert_true(answer_yes(window, 3));
    window_destroy(window);
}

/* --- random acknowledgements --- */

enum { EVENTS = 3000, RUNS = 60 };

struct model {
    struct window *window;
    size_t capacity, max_messages;
    uint64_t read_seq;
    uint64_t watermark, releases, released;
    int next_token;
    int open_tokens[64];
    size_t open_count;
    uint64_t held[EVENTS];
    size_t held_count, held_sent;
    bool settled[EVENTS + 1], is_held[EVENTS + 1];
};

static void model_send(struct model *m)
{
    bool held = m->held_count > 0 && rand() % 2 == 0;
    uint64_t seq;

    if (!window_has_room(m->window) || m->open_count == m->max_messages ||
        (!held && m->read_seq == EVENTS)) {
        return;
    }
    seq = held ? m->held[--m->held_count] : ++m->read_seq;
    m->held_sent += held;
    m->next_token = m->next_token == 65535 ? 1 : m->next_token + 1;
    if (held) {
        (void)send_held(m->window, seq, m->next_token);
    } else {
        (void)send_one(m->window, seq, m->next_token);
    }
    m->open_tokens[m->open_count++] = m->next_token;
}

static void model_hold(struct model *m, struct thing *thing)
{
    m->held_sent -= m->is_held[thing->seq];
    m->is_held[thing->seq] = true;
    m->held[m->held_count++] = thing->seq;
    window_settle(m->window, thing->place);
}

static void model_answer(struct model *m)
{
    size_t pick;
    void *owner;
    unsigned part;

    if (m->open_count == 0) {
        return;
    }
    pick = (size_t)rand() % m->open_count;
    if (window_answered(m->window, m->open_tokens[pick], &owner, &part) == WINDOW_EVENT) {
        struct thing *thing = owner;

        if (rand() % 20 == 0) {
            model_hold(m, thing);
        } else {
            assert_true(window_deliver(m->window, thing->place));
            m->settled[thing->seq] = true;
            if (m->is_held[thing->seq]) {
                m->held_sent--;
                m->releases++;
                window_release(m->window);
            }
        }
    }
    m->open_tokens[pick] = m->open_tokens[--m->open_count];
}

static void check_model(const struct model *m)
{
    uint64_t settled = window_settled(m->window);

    for (uint64_t seq = 1; seq <= settled; seq++) {
        assert_true(m->settled[seq] || m->is_held[seq]); /* the watermark never leads */
    }
    assert_true(m->read_seq - m->watermark + m->held_sent + m->releases - m->released <=
                m->capacity);
    assert_int_equal(window_messages(m->window), m->open_count);
}

static void run_model(unsigned seed)
{
    struct model *m = calloc(1, sizeof(*m));

    m->capacity = 1 + seed % 40;
    m->max_messages = 2 + seed % 29;
    m->next_token = 65000;
    srand(seed);
    m->window = window_create(m->capacity, 0);
    window_connect(m->window, m->max_messages);
    for (int steps = 0; window_settled(m->window) < EVENTS || m->held_count > 0; steps++) {
        int dice = rand() % 1000;

        assert_true(steps < EVENTS * 60); /* it gets on */
        if (dice < 500) {
            model_send(m);
        } else if (dice < 940) {
            model_answer(m);
        } else {
            m->watermark = window_settled(m->window);
            window_set_watermark(m->window, m->watermark);
            m->released = m->releases;
            window_released(m->window, m->released);
        }
        if (steps % 16 == 0) {
            check_model(m);
        }
    }
    check_model(m);
    window_destroy(m->window);
    free(m);
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
            a_held_event_moves_no_watermark_and_keeps_its_room_until_it_is_released),
        cmocka_unit_test(
            an_event_that_is_held_or_buried_is_settled_and_its_answers_are_nobodys),
        cmocka_unit_test(
            messages_in_flight_are_limited_by_the_broker_and_status_messages_count),
        cmocka_unit_test(an_event_of_two_messages_is_settled_by_the_second_answer),
        cmocka_unit_test(an_answer_to_nothing_in_flight_is_ignored),
        cmocka_unit_test(a_new_connection_forgets_all_tokens),
        cmocka_unit_test(
            whatever_the_order_of_answers_the_watermark_never_leads_and_the_limits_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
