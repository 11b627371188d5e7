/*
 * Order per resource, without a publisher: who may be sent when.
 */
#include "bridge/publisher/lanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/check.h"

enum { MAX = 2000 };

struct rig {
    struct lanes *lanes;
    struct lane_entry entries[MAX + 1]; /* by seq */
    uint64_t newly[MAX];
    size_t newly_count;
};

static struct rig *rig_new(bool pipelined)
{
    struct rig *rig = xalloc(sizeof(*rig));

    rig->lanes = lanes_create(pipelined);
    return rig;
}

static void remove_at(struct rig *rig, uint64_t seq)
{
    lanes_remove(rig->lanes, &rig->entries[seq]);
    rig->entries[seq].seq = 0;
}

static void rig_end(struct rig *rig)
{
    for (uint64_t seq = 1; seq <= MAX; seq++) {
        if (rig->entries[seq].seq != 0) {
            remove_at(rig, seq);
        }
    }
    assert_int_equal(lanes_count(rig->lanes) + lanes_held(rig->lanes) +
                         lanes_waiting(rig->lanes) + lanes_sent_count(rig->lanes),
                     0);
    lanes_destroy(rig->lanes);
    free(rig);
}

static struct lane_entry *add_two(struct rig *rig, uint64_t seq, uint64_t key, uint64_t other)
{
    uint64_t keys[] = {key, other};

    rig->entries[seq].seq = seq;
    lanes_add(rig->lanes, &rig->entries[seq], keys, 2);
    return &rig->entries[seq];
}

static struct lane_entry *add(struct rig *rig, uint64_t seq, uint64_t key)
{
    return add_two(rig, seq, key, key);
}

/* Sends the next ready one; its seq, or 0. */
static uint64_t send_next(struct rig *rig)
{
    struct lane_entry *entry = lanes_first_ready(rig->lanes);

    if (entry == NULL) {
        return 0;
    }
    lanes_sent(rig->lanes, entry);
    return entry->seq;
}

static void note_newly(void *ctx, struct lane_entry *entry)
{
    struct rig *rig = ctx;

    rig->newly[rig->newly_count++] = entry->seq;
}

static size_t hold(struct rig *rig, uint64_t seq)
{
    rig->newly_count = 0;
    lanes_hold(rig->lanes, &rig->entries[seq], note_newly, rig);
    return rig->newly_count;
}

static void in_a_lane_one_after_the_other_is_sent_and_lanes_pass_each_other(void **state)
{
    struct rig *rig = rig_new(false);

    (void)state;
    (void)add(rig, 1, 7);
    (void)add(rig, 2, 7);
    (void)add(rig, 3, 8);
    assert_int_equal(send_next(rig), 1);
    assert_int_equal(send_next(rig), 3);
    assert_int_equal(send_next(rig), 0);
    assert_int_equal(lanes_waiting(rig->lanes), 1);
    assert_int_equal(lanes_sent_count(rig->lanes), 2);
    remove_at(rig, 1);
    assert_int_equal(send_next(rig), 2);
    rig_end(rig);
}

static void a_pipelined_lane_waits_for_nothing_but_a_held_one(void **state)
{
    struct rig *rig = rig_new(true);

    (void)state;
    (void)add(rig, 1, 7);
    (void)add(rig, 2, 7);
    (void)add(rig, 3, 7);
    assert_int_equal(send_next(rig), 1);
    assert_int_equal(hold(rig, 1), 3);
    assert_int_equal(send_next(rig), 0);
    lanes_rest(rig->lanes, &rig->entries[1]);
    assert_true(lanes_is_behind_held(add(rig, 4, 7)));
    assert_int_equal(send_next(rig), 0);
    lanes_wake(rig->lanes, &rig->entries[1]);
    assert_int_equal(send_next(rig), 1);
    remove_at(rig, 1);
    assert_int_equal(send_next(rig), 2); /* held ones go one by one */
    assert_int_equal(send_next(rig), 0);
    rig_end(rig);
}

static void an_event_of_several_lanes_waits_for_all_of_them(void **state)
{
    struct rig *rig = rig_new(false);

    (void)state;
    (void)add_two(rig, 1, 7, 100);
    (void)add_two(rig, 2, 8, 100); /* another resource, the same retained topic */
    (void)add(rig, 3, 8);
    assert_int_equal(send_next(rig), 1);
    assert_int_equal(send_next(rig), 0);
    remove_at(rig, 1);
    assert_int_equal(send_next(rig), 2);
    assert_int_equal(send_next(rig), 0);
    remove_at(rig, 2);
    assert_int_equal(send_next(rig), 3);
    rig_end(rig);
}

static void holding_one_holds_all_behind_it_and_nothing_else(void **state)
{
    struct rig *rig = rig_new(false);

    (void)state;
    (void)add(rig, 1, 7);
    (void)add_two(rig, 2, 7, 100);
    (void)add_two(rig, 3, 8, 100);
    (void)add(rig, 4, 8);
    (void)add(rig, 5, 9);
    assert_int_equal(send_next(rig), 1);
    assert_int_equal(hold(rig, 1), 4);
    assert_int_equal(hold(rig, 1), 0); /* again: nothing new */
    assert_int_equal(lanes_held(rig->lanes), 4);
    assert_false(rig->entries[5].held);
    lanes_rest(rig->lanes, &rig->entries[1]);
    assert_int_equal(lanes_resting(rig->lanes), 1);
    assert_ptr_equal(lanes_first_resting(rig->lanes), &rig->entries[1]);
    assert_int_equal(send_next(rig), 5);
    assert_int_equal(send_next(rig), 0);
    remove_at(rig, 1); /* buried */
    assert_int_equal(send_next(rig), 2);
    rig_end(rig);
}

static void after_a_lost_connection_everything_is_ready_in_order_of_seq(void **state)
{
    struct rig *rig = rig_new(false);
    static const uint64_t keys[] = {0, 7, 8, 7, 9, 10, 8};

    (void)state;
    for (uint64_t seq = 1; seq <= 6; seq++) {
        (void)add(rig, seq, keys[seq]);
    }
    while (send_next(rig) != 0) {
    }
    remove_at(rig, 1);
    assert_int_equal(send_next(rig), 3); /* after 2, 4 and 5 */
    for (uint64_t seq = 2; seq <= 6; seq++) {
        (void)hold(rig, seq);
    }
    lanes_rest(rig->lanes, &rig->entries[4]);
    lanes_start_over(rig->lanes);
    assert_int_equal(lanes_sent_count(rig->lanes), 0);
    assert_int_equal(send_next(rig), 2);
    assert_int_equal(send_next(rig), 3);
    assert_int_equal(send_next(rig), 5);
    assert_int_equal(send_next(rig), 0); /* 4 rests, 6 waits for 2 */
    rig_end(rig);
}

static void count_one(void *ctx, struct lane_entry *entry)
{
    (void)entry;
    ++*(size_t *)ctx;
}

static void each_is_each_event_once(void **state)
{
    struct rig *rig = rig_new(false);
    size_t count = 0;

    (void)state;
    for (uint64_t seq = 1; seq <= MAX; seq++) {
        (void)add_two(rig, seq, seq % 700, 1000000 + seq % 3);
    }
    lanes_each(rig->lanes, count_one, &count);
    assert_int_equal(count, MAX);
    rig_end(rig);
}

static void a_lane_is_taken_while_an_event_is_in_it(void **state)
{
    struct rig *rig = rig_new(false);
    uint64_t keys[] = {7, 100};

    (void)state;
    assert_false(lanes_is_taken(rig->lanes, keys, 2));
    (void)add(rig, 1, 100);
    assert_true(lanes_is_taken(rig->lanes, keys, 2));
    assert_false(lanes_is_taken(rig->lanes, keys, 1));
    remove_at(rig, 1);
    assert_false(lanes_is_taken(rig->lanes, keys, 2));
    rig_end(rig);
}

/* --- random refusals, answers and losses --- */

enum { KEYS = 12, RUNS = 200 };

struct model {
    struct rig *rig;
    uint64_t keys[MAX + 1][2];
    uint64_t next_seq;
    uint64_t done[KEYS + 1]; /* the newest that was settled, by key */
};

static bool is_first(const struct model *m, uint64_t seq)
{
    for (uint64_t other = 1; other < seq; other++) {
        if (m->rig->entries[other].seq != 0 &&
            (m->keys[other][0] == m->keys[seq][0] || m->keys[other][1] == m->keys[seq][0] ||
             m->keys[other][0] == m->keys[seq][1] || m->keys[other][1] == m->keys[seq][1])) {
            return false;
        }
    }
    return true;
}

/* A sent one; 0: none. */
static uint64_t pick(const struct model *m, enum lane_state state)
{
    uint64_t start = 1 + (uint64_t)rand() % MAX;

    for (uint64_t i = 0; i < MAX; i++) {
        uint64_t seq = 1 + (start + i) % MAX;

        if (m->rig->entries[seq].seq != 0 && m->rig->entries[seq].state == state) {
            return seq;
        }
    }
    return 0;
}

static void model_settle(struct model *m, uint64_t seq)
{
    for (int i = 0; i < 2; i++) {
        assert_true(m->done[m->keys[seq][i]] < seq || m->keys[seq][0] == m->keys[seq][1]);
        m->done[m->keys[seq][i]] = seq;
    }
    remove_at(m->rig, seq);
}

static void model_lose(struct model *m)
{
    for (uint64_t seq = 1; seq < m->next_seq; seq++) {
        if (m->rig->entries[seq].seq != 0 && !m->rig->entries[seq].held) {
            (void)hold(m->rig, seq);
        }
    }
    lanes_start_over(m->rig->lanes);
}

static void model_step(struct model *m)
{
    int dice = rand() % 100;
    uint64_t seq;

    if (dice < 35 && m->next_seq <= MAX) {
        seq = m->next_seq++;
        m->keys[seq][0] = 1 + (uint64_t)rand() % KEYS;
        m->keys[seq][1] = rand() % 4 == 0 ? 1 + (uint64_t)rand() % KEYS : m->keys[seq][0];
        if (lanes_is_behind_held(add_two(m->rig, seq, m->keys[seq][0], m->keys[seq][1]))) {
            (void)hold(m->rig, seq);
        }
    } else if (dice < 60) {
        seq = send_next(m->rig);
        assert_true(seq == 0 || is_first(m, seq));
    } else if (dice < 85 && (seq = pick(m, LANE_SENT)) != 0) {
        model_settle(m, seq);
    } else if (dice < 93 && (seq = pick(m, LANE_SENT)) != 0) {
        (void)hold(m->rig, seq);
        lanes_rest(m->rig->lanes, &m->rig->entries[seq]);
    } else if (dice < 99 && (seq = pick(m, LANE_RESTING)) != 0) {
        lanes_wake(m->rig->lanes, &m->rig->entries[seq]);
        assert_int_equal(m->rig->entries[seq].state, LANE_READY);
    } else if (dice == 99 && rand() % 10 == 0) {
        model_lose(m);
    }
}

static void whatever_happens_each_lane_is_in_order_and_nothing_is_stuck(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= RUNS; seed++) {
        struct model *m = calloc(1, sizeof(*m));
        int steps = 0;

        srand(seed);
        m->rig = rig_new(false);
        m->next_seq = MAX - 100;
        while (m->next_seq <= MAX || lanes_count(m->rig->lanes) > 0) {
            assert_true(steps++ < 200000);
            model_step(m);
        }
        rig_end(m->rig);
        free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_a_lane_one_after_the_other_is_sent_and_lanes_pass_each_other),
        cmocka_unit_test(a_pipelined_lane_waits_for_nothing_but_a_held_one),
        cmocka_unit_test(an_event_of_several_lanes_waits_for_all_of_them),
        cmocka_unit_test(holding_one_holds_all_behind_it_and_nothing_else),
        cmocka_unit_test(after_a_lost_connection_everything_is_ready_in_order_of_seq),
        cmocka_unit_test(each_is_each_event_once),
        cmocka_unit_test(a_lane_is_taken_while_an_event_is_in_it),
        cmocka_unit_test(whatever_happens_each_lane_is_in_order_and_nothing_is_stuck),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
