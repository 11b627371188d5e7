#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bridge/cli/provider/api.h"

static void the_delay_before_the_next_try_doubles(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 4; n++) {
        assert_int_equal(api_retry_delay_ms(n, 0, 0), 250 << n);
    }
}

static void chance_takes_off_less_than_half_of_it(void **state)
{
    (void)state;
    assert_int_equal(api_retry_delay_ms(1, 0, 249), 251);
    assert_int_equal(api_retry_delay_ms(1, 0, 250), 500);
    for (uint32_t random = 0; random < 5000; random++) {
        int64_t delay = api_retry_delay_ms(3, 0, random * UINT32_C(858993));

        assert_in_range(delay, 1001, 2000);
    }
}

static void what_the_api_asks_for_counts_instead(void **state)
{
    (void)state;
    assert_int_equal(api_retry_delay_ms(1, 2, 77), 2000);
    assert_int_equal(api_retry_delay_ms(4, UINT32_MAX, 77), INT64_C(4294967295000));
}

static void a_segment_is_a_name_of_its_own(void **state)
{
    static const char *const good[] = {"7", "...", "a/b ?", "%2e%2e", "é", " "};
    static const char *const bad[] = {"", ".", "..", "1\n2", "\x1b[2J", "\x7f", "\xff"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(api_is_segment(good[i]));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(api_is_segment(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_delay_before_the_next_try_doubles),
        cmocka_unit_test(chance_takes_off_less_than_half_of_it),
        cmocka_unit_test(what_the_api_asks_for_counts_instead),
        cmocka_unit_test(a_segment_is_a_name_of_its_own),
    };

    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
