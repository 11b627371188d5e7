#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"

static void assert_parses(const char *text, int64_t expected_ms)
{
    int64_t ms = 0;

    if (!clock_parse(slice_of(text), &ms)) {
        fail_msg("does not parse: %s", text);
    }
    assert_int_equal(ms, expected_ms);
}

static void assert_refused(const char *text)
{
    int64_t ms = 42;

    if (clock_parse(slice_of(text), &ms)) {
        fail_msg("should not parse: %s", text);
    }
    assert_int_equal(ms, 42); /* written only on success */
}

static void times_are_formatted_with_milliseconds_in_utc(void **state)
{
    char text[CLOCK_TEXT_SIZE];

    (void)state;
    clock_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format(1580774400168, text);
    assert_string_equal(text, "2020-02-04T00:00:00.168Z");
    clock_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

static void every_spelling_of_a_zone_is_understood(void **state)
{
    (void)state;
    assert_parses("2014-09-08T22:47:31-08:00", 1410245251000);
    assert_parses("2014-09-09T06:47:31Z", 1410245251000);
    assert_parses("2014-09-09T06:47:31+0000", 1410245251000);
    assert_parses("2014-09-09T08:47:31+02", 1410245251000);
    assert_parses("2014-09-09T12:17:31+05:30", 1410245251000);
    assert_parses("2014-09-09 06:47:31", 1410245251000);
    assert_parses("2014-09-09t06:47:31z", 1410245251000);
}

static void fractions_are_cut_to_milliseconds(void **state)
{
    (void)state;
    assert_parses("2018-10-01T17:04:34.155917Z", 1538413474155);
    assert_parses("2018-10-01T17:04:34.1Z", 1538413474100);
    assert_parses("2018-10-01T17:04:34,05Z", 1538413474050);
}

static void a_leap_second_and_a_leap_day_are_times(void **state)
{
    (void)state;
    assert_parses("2016-12-31T23:59:60Z", 1483228800000);
    assert_parses("2016-02-29T00:00:00Z", 1456704000000);
}

static void a_text_that_is_not_a_time_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "now",
        "2014-09-08",
        "2014-09-08T22:47",
        "2014-13-08T22:47:31Z",
        "2014-00-08T22:47:31Z",
        "2015-02-29T00:00:00Z",
        "2014-09-31T00:00:00Z",
        "2014-09-08T24:00:00Z",
        "2014-09-08T22:60:31Z",
        "2014-09-08T22:47:61Z",
        "2014-09-08T22:47:31.Z",
        "2014-09-08T22:47:31+",
        "2014-09-08T22:47:31+1",
        "2014-09-08T22:47:31+24:00",
        "2014-09-08T22:47:31Z ",
        "2014-09-08T22:47:31 Z",
        "+014-09-08T22:47:31Z",
        "99999-09-08T22:47:31Z",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_refused(wrong[i]);
    }
    assert_false(clock_parse((struct slice){"2014-09-08T22:47:31Z", 10}, &(int64_t){0}));
}

static void unix_seconds_are_a_time_too(void **state)
{
    const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"1", 1000},
        {"1580774400", 1580774400000},
        {"1580774400.168354", 1580774400168},
        {"1355517523.000005", 1355517523000},
        {"0.5", 500},
        {"253402300799", 253402300799000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t ms = 42;

        assert_true(clock_parse_unix(slice_of(cases[i].text), &ms));
        assert_int_equal(ms, cases[i].ms);
    }
}

static void thirteen_digits_are_unix_milliseconds(void **state)
{
    const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1000000000000", 1000000000000},
        {"1580774400168", 1580774400168},
        {"2534023007990", 2534023007990},
        {"9999999999999", 9999999999999},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t ms = 42;

        assert_true(clock_parse_unix(slice_of(cases[i].text), &ms));
        assert_int_equal(ms, cases[i].ms);
    }
}

static void a_text_that_is_not_a_unix_time_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        " 1",
        "1 ",
        "-1",
        "+1",
        "01",
        "00",
        "1e9",
        "1.",
        ".5",
        "1,5",
        "0x10",
        "253402300800",
        "0580774400168",
        "1580774400168.5",
        "1580774400168 ",
        "15807744001680",
        "99999999999999999999999999",
        "12.3.4",
    };
    int64_t ms = 42;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (clock_parse_unix(slice_of(wrong[i]), &ms)) {
            fail_msg("should not parse: %s", wrong[i]);
        }
    }
    assert_false(clock_parse_unix(SLICE_NONE, &ms));
    assert_int_equal(ms, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_formatted_with_milliseconds_in_utc),
        cmocka_unit_test(every_spelling_of_a_zone_is_understood),
        cmocka_unit_test(fractions_are_cut_to_milliseconds),
        cmocka_unit_test(a_leap_second_and_a_leap_day_are_times),
        cmocka_unit_test(a_text_that_is_not_a_time_is_refused),
        cmocka_unit_test(unix_seconds_are_a_time_too),
        cmocka_unit_test(thirteen_digits_are_unix_milliseconds),
        cmocka_unit_test(a_text_that_is_not_a_unix_time_is_refused),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
