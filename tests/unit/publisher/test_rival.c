/* The pattern of two clients with one client_id, without a broker. */
#include "bridge/publisher/rival.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND };

/* A connection that took so many tries, lasted so long and was closed. */
static bool lose(struct rival *rival, int64_t *now, unsigned tries, int64_t lived_ms,
                 bool served)
{
    rival_connected(rival, tries, *now);
    *now += lived_ms;
    return rival_lost(rival, 0, served, *now);
}

static void three_short_connections_in_a_row_are_said_and_again_after_a_while(void **state)
{
    struct rival rival = {0};
    int64_t now = 1, began;
    int said = 0;

    (void)state;
    assert_false(lose(&rival, &now, 1, 3 * SECOND, true));
    assert_false(lose(&rival, &now, 1, 500, true));
    assert_true(lose(&rival, &now, 1, 9 * SECOND, true));
    for (began = now; now < began + 25 * (int64_t)MINUTE;) {
        said += lose(&rival, &now, 1, 5 * SECOND, true);
    }
    assert_int_equal(said, 2);
}

static void a_broker_that_restarts_or_a_long_connection_begins_anew(void **state)
{
    struct rival rival = {0};
    int64_t now = 1;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_false(lose(&rival, &now, 1, SECOND, true));
        assert_false(lose(&rival, &now, 1, SECOND, true));
        assert_false(lose(&rival, &now, i % 2 ? 2 : 1, i % 2 ? SECOND : MINUTE, true));
    }
}

static void what_was_not_served_says_nothing(void **state)
{
    struct rival rival = {0};
    int64_t now = 1;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_false(lose(&rival, &now, 1, SECOND, false));
    }
    assert_false(lose(&rival, &now, 1, SECOND, true));
    assert_false(lose(&rival, &now, 1, SECOND, true));
    assert_false(lose(&rival, &now, 1, SECOND, false));
    assert_true(lose(&rival, &now, 1, SECOND, true));
}

static void a_reason_is_no_riddle(void **state)
{
    struct rival rival = {0};

    (void)state;
    for (int i = 0; i < 10; i++) {
        rival_connected(&rival, 1, 1);
        assert_false(rival_lost(&rival, 0x8B, true, 2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_short_connections_in_a_row_are_said_and_again_after_a_while),
        cmocka_unit_test(a_broker_that_restarts_or_a_long_connection_begins_anew),
        cmocka_unit_test(what_was_not_served_says_nothing),
        cmocka_unit_test(a_reason_is_no_riddle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
