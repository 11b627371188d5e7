/*
 * The dedupe table against a simple model of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"

#include "bridge/outbox/dedupe.h"

static struct event_identity identity(uint32_t key, uint8_t digest)
{
    struct event_identity out = {.digest = {digest}};

    memcpy(out.key, &key, sizeof(key));
    return out;
}

static struct uuid id(uint32_t number)
{
    struct uuid out = {{0}};

    memcpy(out.bytes, &number, sizeof(number));
    return out;
}

static void put(struct dedupe *dedupe, uint32_t key, uint8_t digest, uint32_t number,
                int64_t ms)
{
    struct event_identity i = identity(key, digest);

    dedupe_put(dedupe, &i, id(number), ms);
}

/* The number of the event that was found; 0: none. */
static uint32_t find_within(const struct dedupe *dedupe, uint32_t key, uint8_t digest,
                            int64_t from_ms, int64_t upto_ms)
{
    struct event_identity i = identity(key, digest);
    struct uuid out;
    uint32_t number = 0;

    if (dedupe_find(dedupe, &i, from_ms, upto_ms, &out)) {
        memcpy(&number, out.bytes, sizeof(number));
    }
    return number;
}

static uint32_t find(const struct dedupe *dedupe, uint32_t key, uint8_t digest, int64_t from_ms)
{
    return find_within(dedupe, key, digest, from_ms, INT64_MAX);
}

static void finds_the_newest_event_of_a_key_only(void **state)
{
    struct dedupe *dedupe = dedupe_create(16);

    (void)state;
    put(dedupe, 1, 'a', 100, 10);
    assert_int_equal(find(dedupe, 1, 'a', 0), 100);
    assert_int_equal(find(dedupe, 1, 'b', 0), 0);
    assert_int_equal(find(dedupe, 2, 'a', 0), 0);

    put(dedupe, 1, 'b', 101, 20);
    assert_int_equal(find(dedupe, 1, 'a', 0), 0);
    assert_int_equal(find(dedupe, 1, 'b', 0), 101);
    dedupe_destroy(dedupe);
}

static void an_event_before_the_window_is_not_found(void **state)
{
    struct dedupe *dedupe = dedupe_create(16);

    (void)state;
    put(dedupe, 1, 'a', 100, 10);
    assert_int_equal(find(dedupe, 1, 'a', 10), 100);
    assert_int_equal(find(dedupe, 1, 'a', 11), 0);
    dedupe_destroy(dedupe);
}

/* The clock was set back after it had been received. */
static void an_event_behind_the_window_is_not_found(void **state)
{
    struct dedupe *dedupe = dedupe_create(16);

    (void)state;
    put(dedupe, 1, 'a', 100, 10);
    assert_int_equal(find_within(dedupe, 1, 'a', 0, 10), 100);
    assert_int_equal(find_within(dedupe, 1, 'a', 0, 9), 0);
    dedupe_destroy(dedupe);
}

static void a_dropped_event_stays_the_newest_but_matches_nothing(void **state)
{
    struct dedupe *dedupe = dedupe_create(16);
    struct event_identity a = identity(1, 'a'), b = identity(1, 'b');

    (void)state;
    put(dedupe, 1, 'a', 100, 10);
    put(dedupe, 1, 'b', 101, 20);
    dedupe_drop(dedupe, &a, id(100)); /* not the newest any more */
    assert_int_equal(find(dedupe, 1, 'b', 0), 101);
    dedupe_drop(dedupe, &b, id(101));
    assert_int_equal(find(dedupe, 1, 'b', INT64_MIN), 0);
    assert_int_equal(find(dedupe, 1, 'a', INT64_MIN), 0);
    put(dedupe, 1, 'b', 102, 30);
    assert_int_equal(find(dedupe, 1, 'b', 0), 102);
    dedupe_destroy(dedupe);
}

static void the_key_that_was_updated_longest_ago_makes_room(void **state)
{
    struct dedupe *dedupe = dedupe_create(3);

    (void)state;
    put(dedupe, 1, 'a', 1, 1);
    put(dedupe, 2, 'a', 2, 2);
    put(dedupe, 3, 'a', 3, 3);
    put(dedupe, 1, 'b', 4, 4); /* news of 1: now 2 is the oldest */
    put(dedupe, 4, 'a', 5, 5);
    assert_int_equal(find(dedupe, 2, 'a', 0), 0);
    assert_int_equal(find(dedupe, 1, 'b', 0), 4);
    assert_int_equal(find(dedupe, 3, 'a', 0), 3);
    assert_int_equal(find(dedupe, 4, 'a', 0), 5);
    dedupe_destroy(dedupe);
}

static void a_capacity_of_one_keeps_the_last_one(void **state)
{
    struct dedupe *dedupe = dedupe_create(1);

    (void)state;
    put(dedupe, 1, 'a', 1, 1);
    put(dedupe, 2, 'a', 2, 2);
    assert_int_equal(find(dedupe, 1, 'a', 0), 0);
    assert_int_equal(find(dedupe, 2, 'a', 0), 2);
    dedupe_destroy(dedupe);
}

/* The model: the last CAPACITY distinct keys put, each with its newest digest. */
static void stays_right_through_many_puts_and_evictions(void **state)
{
    enum { CAPACITY = 700, KEYS = 1500, PUTS = 60000 };
    static uint32_t newest[KEYS];
    struct dedupe *dedupe = dedupe_create(CAPACITY);
    uint32_t random = 1;

    (void)state;
    for (uint32_t n = 1; n <= PUTS; n++) {
        uint32_t key = (random = random * 1664525 + 1013904223) >> 8;

        key %= KEYS;
        newest[key] = n;
        put(dedupe, key, (uint8_t)n, n, n);
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        size_t newer = 0;

        for (uint32_t other = 0; other < KEYS; other++) {
            newer += newest[other] > newest[key];
        }
        assert_int_equal(find(dedupe, key, (uint8_t)newest[key], 0),
                         newer < CAPACITY ? newest[key] : 0);
    }
    dedupe_destroy(dedupe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_newest_event_of_a_key_only),
        cmocka_unit_test(an_event_before_the_window_is_not_found),
        cmocka_unit_test(an_event_behind_the_window_is_not_found),
        cmocka_unit_test(a_dropped_event_stays_the_newest_but_matches_nothing),
        cmocka_unit_test(the_key_that_was_updated_longest_ago_makes_room),
        cmocka_unit_test(a_capacity_of_one_keeps_the_last_one),
        cmocka_unit_test(stays_right_through_many_puts_and_evictions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
