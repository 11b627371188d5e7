#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/units.h"

static void sizes_take_decimal_and_binary_units(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } right[] = {
        {"0", 0},
        {"17", 17},
        {"1B", 1},
        {"1kB", 1000},
        {"1KiB", 1024},
        {"1MB", 1000000},
        {"256MiB", 256 << 20},
        {"2GiB", 2LL << 30},
        {"3GB", 3000000000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(right); i++) {
        int64_t bytes = -1;

        assert_true(units_parse_size(slice_of(right[i].text), &bytes));
        assert_int_equal(bytes, right[i].bytes);
    }
}

static void times_take_milliseconds_to_days(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } right[] = {
        {"5ms", 5}, {"10s", 10000}, {"10m", 600000}, {"1h", 3600000}, {"7d", 604800000}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(right); i++) {
        int64_t ms = -1;

        assert_true(units_parse_time(slice_of(right[i].text), &ms));
        assert_int_equal(ms, right[i].ms);
    }
}

static void a_text_that_is_not_a_quantity_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "MiB",
                                        "-1",
                                        "1.5MiB",
                                        "1 MiB",
                                        "1mb",
                                        "1MIB",
                                        "0x10B",
                                        "1MiBx",
                                        "9223372036854775808",
                                        "9007199254740993GiB"};
    int64_t value = 42;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(units_parse_size(slice_of(wrong[i]), &value));
    }
    assert_false(units_parse_time(SLICE("10"), &value)); /* ten what? */
    assert_false(units_parse_time(SLICE("10M"), &value));
    assert_false(units_parse_time(SLICE("106751991168d"), &value));
    assert_int_equal(value, 42);
}

static void quantities_are_written_in_the_largest_exact_unit(void **state)
{
    char text[32];

    (void)state;
    units_format_size(256 << 20, text);
    assert_string_equal(text, "256MiB");
    units_format_size(1000, text);
    assert_string_equal(text, "1kB");
    units_format_size(1025, text);
    assert_string_equal(text, "1025B");
    units_format_time(90000, text);
    assert_string_equal(text, "90s");
    units_format_time(3600000, text);
    assert_string_equal(text, "1h");
    units_format_time(0, text);
    assert_string_equal(text, "0ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_take_decimal_and_binary_units),
        cmocka_unit_test(times_take_milliseconds_to_days),
        cmocka_unit_test(a_text_that_is_not_a_quantity_is_refused),
        cmocka_unit_test(quantities_are_written_in_the_largest_exact_unit),
    };

    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
