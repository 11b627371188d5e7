/* How much of the bridge's presence a server takes, without a server. */
#include "bridge/publisher/presence.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/check.h"

enum { MINUTE = 60000, HOUR = 60 * MINUTE };

static const struct mqtt_will whole = {.topic = "t", .qos = 1, .retain = true};

static void assert_asks(const struct presence *presence, bool any, int qos, bool retain)
{
    struct mqtt_will will;

    assert_int_equal(presence_will(presence, &whole, &will), any);
    assert_int_equal(will.qos, qos);
    assert_int_equal(will.retain, retain);
}

static void each_code_lowers_what_it_speaks_of(void **state)
{
    struct presence presence = {0};

    (void)state;
    presence_begin(&presence, 1);
    assert_asks(&presence, true, 1, true);
    assert_true(presence_refused(&presence, 0x9A, 5, 1));
    assert_asks(&presence, true, 1, false);
    assert_true(presence_refused(&presence, 0x9B, 5, 1));
    assert_asks(&presence, true, 0, false);
    assert_true(presence_accepted(&presence, 1));
    assert_false(presence_accepted(&presence, 2)); /* said once */
    presence_begin(&presence, 9 * MINUTE);
    assert_asks(&presence, true, 0, false);
    presence_begin(&presence, 11 * MINUTE);
    assert_asks(&presence, true, 1, true);
}

static void over_3_1_1_a_hang_up_may_mean_retain(void **state)
{
    struct presence presence = {0};

    (void)state;
    assert_true(presence_refused(&presence, MQTT_HUNG_UP, 4, 1));
    assert_asks(&presence, true, 1, false);
    assert_true(presence_refused(&presence, MQTT_HUNG_UP, 4, 1));
    assert_false(presence_will(&presence, &whole, &(struct mqtt_will){0}));
}

static void what_was_not_the_will_is_found_out_once_a_minute(void **state)
{
    struct presence presence = {0};

    (void)state;
    assert_true(presence_refused(&presence, 0x87, 5, 1));
    assert_false(presence_refused(&presence, 0x87, 5, 2)); /* not without a will either */
    assert_asks(&presence, true, 1, true);
    assert_false(presence_refused(&presence, 0x87, 5, MINUTE));
    assert_asks(&presence, true, 1, true);
    assert_true(presence_refused(&presence, 0x87, 5, 2 + MINUTE));
    assert_false(presence_will(&presence, &whole, &(struct mqtt_will){0}));
}

static void codes_of_the_client_or_the_server_say_nothing_about_the_will(void **state)
{
    static const int codes[] = {0, 0x84, 0x85, 0x86, 0x88, 0x89, 0x8A, 0x8C, 0x9C, 0x9D, 0x9F};
    struct presence presence = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        assert_false(presence_refused(&presence, codes[i], 5, 1));
    }
    assert_false(presence_accepted(&presence, 1));
}

static void a_topic_that_loses_three_connections_is_off_and_tried_again(void **state)
{
    struct presence presence = {0};
    int64_t now = 1;

    (void)state;
    assert_false(presence_topic_lost(&presence, PRESENCE_INFO, now));
    assert_true(presence_is_careful(&presence));
    assert_false(presence_topic_lost(&presence, PRESENCE_INFO, now));
    assert_true(presence_is_on(&presence, PRESENCE_INFO));
    assert_true(presence_topic_lost(&presence, PRESENCE_INFO, now));
    assert_false(presence_is_on(&presence, PRESENCE_INFO));
    assert_true(presence_is_on(&presence, PRESENCE_STATE));
    assert_false(presence_try_again(&presence, now + MINUTE - 1));
    for (int64_t off = MINUTE; off < 2 * (int64_t)HOUR; off *= 2) {
        now += off < HOUR ? off : HOUR;
        assert_true(presence_try_again(&presence, now));
        assert_true(presence_is_on(&presence, PRESENCE_INFO));
        assert_false(presence_topic_lost(&presence, PRESENCE_INFO, now)); /* not said again */
        assert_false(presence_is_on(&presence, PRESENCE_INFO)); /* at the first loss */
        assert_false(presence_try_again(&presence, now + off / 2));
    }
    assert_true(presence_try_again(&presence, now + HOUR));
    presence_topic_taken(&presence, PRESENCE_INFO);
    assert_false(presence_is_careful(&presence));
    assert_false(presence_topic_lost(&presence, PRESENCE_INFO, now));
    assert_true(presence_is_on(&presence, PRESENCE_INFO));
}

static void while_one_is_off_the_next_one_goes_at_its_first_loss(void **state)
{
    struct presence presence = {0};

    (void)state;
    assert_true(presence_topic_refused(&presence, PRESENCE_INFO, 0x95, 1));
    assert_true(presence_is_on(&presence, PRESENCE_HEALTH));
    assert_true(presence_topic_lost(&presence, PRESENCE_HEALTH, 2));
    assert_false(presence_is_on(&presence, PRESENCE_HEALTH));
}

static void what_is_not_authorized_is_off_for_all_three(void **state)
{
    struct presence presence = {0};

    (void)state;
    assert_true(presence_topic_refused(&presence, PRESENCE_STATE, 0x87, 1));
    for (int topic = 0; topic < PRESENCE_TOPICS; topic++) {
        assert_false(presence_is_on(&presence, (enum presence_topic)topic));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_lowers_what_it_speaks_of),
        cmocka_unit_test(over_3_1_1_a_hang_up_may_mean_retain),
        cmocka_unit_test(what_was_not_the_will_is_found_out_once_a_minute),
        cmocka_unit_test(codes_of_the_client_or_the_server_say_nothing_about_the_will),
        cmocka_unit_test(a_topic_that_loses_three_connections_is_off_and_tried_again),
        cmocka_unit_test(while_one_is_off_the_next_one_goes_at_its_first_loss),
        cmocka_unit_test(what_is_not_authorized_is_off_for_all_three),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
