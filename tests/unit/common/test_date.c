#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/date.h"

/* 2016-08-12T15:23:28Z */
#define T INT64_C(1471015408000)

struct spelling {
    const char *text;
    int64_t ms;
};

static void assert_spellings(const struct spelling *spellings, size_t count,
                             bool parse(struct slice text, int64_t *out_unix_ms))
{
    for (size_t i = 0; i < count; i++) {
        int64_t ms = 42;

        if (!parse(slice_of(spellings[i].text), &ms)) {
            fail_msg("is not read: %s", spellings[i].text);
        }
        if (ms != spellings[i].ms) {
            fail_msg("%s is read as %lld", spellings[i].text, (long long)ms);
        }
    }
}

static void assert_refused(const char *const *texts, size_t count,
                           bool parse(struct slice text, int64_t *out_unix_ms))
{
    for (size_t i = 0; i < count; i++) {
        int64_t ms = 42;

        if (parse(slice_of(texts[i]), &ms)) {
            fail_msg("is read: %s", texts[i]);
        }
        assert_int_equal(ms, 42); /* written only on success */
    }
}

static void every_spelling_of_a_date_in_digits_is_read(void **state)
{
    static const struct spelling spellings[] = {
        {"2016-08-12T15:23:28Z", T},
        {"2016-08-12t15:23:28z", T},
        {"2016-08-12T15:23:28", T},
        {"2016-08-12 15:23:28", T},
        {"2016-08-12  15:23:28", T},
        {" 2016-08-12 15:23:28\n", T},
        {"2016/08/12 15:23:28", T},
        {"20160812T152328Z", T},
        {"20160812T152328+0000", T},
        {"20160812 152328", T},
        {"20160812152328", T},
        {"2016-08-12T15:23Z", T - 28000},
        {"2016-08-12 15:23", T - 28000},
        {"201608121523", T - 28000},
        {"2016-08-12", 1470960000000},
        {"2016/08/12", 1470960000000},
        {"20160812", 1470960000000},
        {"2016-12-31T23:59:60Z", 1483228800000}, /* a leap second */
        {"2016-02-29T00:00:00Z", 1456704000000},
    };

    (void)state;
    assert_spellings(spellings, COUNT_OF(spellings), date_parse);
}

static void every_spelling_of_a_zone_is_read(void **state)
{
    static const struct spelling spellings[] = {
        {"2016-08-12T08:23:28-07:00", T},      {"2016-08-12T17:23:28+0200", T},
        {"2016-08-12T17:23:28+02", T},         {"2016-08-12T20:53:28+05:30", T},
        {"2016-08-12 15:23:28 Z", T},          {"2016-08-12 15:23:28 UTC", T},
        {"2016-08-12 15:23:28 utc", T},        {"2016-08-12 15:23:28UTC", T},
        {"2016-08-12 15:23 GMT", T - 28000},   {"2016-08-12 15:23:28 +0000", T},
        {"2016-08-12 17:23:28 +02:00", T},     {"2016-08-12 17:23:28 UTC+2", T},
        {"2016-08-12 17:23:28 GMT+02:00", T},  {"2016-08-12 15:23:28.5 +0000 UTC", T + 500},
        {"2016-08-12 17:23:28 +0200 CEST", T}, {"2016-08-12T17:23:28+02:00[Europe/Paris]", T},
        {"2016-08-12 11:23:28 EDT", T},
    };

    (void)state;
    assert_spellings(spellings, COUNT_OF(spellings), date_parse);
}

static void fractions_are_cut_to_milliseconds(void **state)
{
    static const struct spelling spellings[] = {
        {"2016-08-12T15:23:28.1Z", T + 100},
        {"2016-08-12T15:23:28,05Z", T + 50},
        {"2016-08-12T15:23:28.155917Z", T + 155},
        {"2016-08-12T15:23:28.155917123Z", T + 155},
        {"2016-08-12 15:23:28.155917 UTC", T + 155},
        {"20160812T152328.155Z", T + 155},
    };

    (void)state;
    assert_spellings(spellings, COUNT_OF(spellings), date_parse);
}

static void a_month_may_be_a_word(void **state)
{
    static const struct spelling spellings[] = {
        {"Fri, 12 Aug 2016 15:23:28 +0000", T}, /* RFC 2822 */
        {"Fri, 12 Aug 2016 08:23:28 -0700 (PDT)", T},
        {"12 Aug 2016 15:23:28 GMT", T},
        {"12 Aug 2016 15:23 GMT", T - 28000},
        {"Fri, 12 Aug 16 15:23:28 UT", T},
        {"12 Aug 96 15:23:28 GMT", 839863408000},
        {"Friday, 12-Aug-16 15:23:28 GMT", T}, /* RFC 850 */
        {"Fri Aug 12 15:23:28 2016", T},       /* asctime */
        {"Fri Aug 12 15:23:28 UTC 2016", T},   /* date(1), Java */
        {"Fri Aug 12 2016 17:23:28 GMT+0200 (Central European Summer Time)",
         T}, /* JavaScript */
        {"Fri, 5 Aug 2016 15:23:28 +0000", T - INT64_C(7) * 86400000},
        {"August 12, 2016 3:23:28 PM", T},
        {"Aug 12, 2016 12:23:28 AM", T - INT64_C(15) * 3600000},
        {"12-AUG-2016", 1470960000000},
        {"12 August 2016", 1470960000000},
    };

    (void)state;
    assert_spellings(spellings, COUNT_OF(spellings), date_parse);
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        " ",
        "now",
        "null",
        "08/12/2016",
        "08/12/2016 15:23:28",
        "12.08.2016",
        "2016-08",
        "2016-8-12",
        "2016-08/12",
        "2016-0812",
        "2016-13-08T22:47:31Z",
        "2016-00-08T22:47:31Z",
        "2015-02-29T00:00:00Z",
        "2014-09-31",
        "20140931",
        "2014-09-08T24:00:00Z",
        "2014-09-08T22:60:31Z",
        "2014-09-08T22:47:61Z",
        "2014-09-08T22:47:31.Z",
        "2014-09-08T22",
        "2014-09-08T",
        "2014-09-08T22:47:31+",
        "2014-09-08T22:47:31+24:00",
        "2014-09-08T22:47:31+02:00+02:00",
        "2014-09-08T22:47:31 CEST", /* whose? */
        "2014-09-08T22:47:31[Europe/Paris]",
        "2014-09-08T22:47:31Z and more",
        "+014-09-08T22:47:31Z",
        "99999-09-08T22:47:31Z",
        "0000-09-08T22:47:31Z",
        "2014-09-08X22:47:31",
        "2014-09-0822:47:31",
        "12 Aug",
        "Aug 2016",
        "12 Aug 2016 25:00:00",
        "31 Feb 2016",
        "12 Au 2016",
        "12 Aug 2016 15:23:28 13 2016",
        "12 Aug Sep 2016",
        "12 Aug 2016 15:23:28 (UTC",
        "12 Aug 2016 PM",
        "Fri, 12 Aug 2016 15:23:28 Nowhere",
    };

    (void)state;
    assert_refused(wrong, COUNT_OF(wrong), date_parse);
    assert_false(date_parse(SLICE_NONE, &(int64_t){0}));
    assert_false(date_parse((struct slice){"2014-09-08T22:47:31Z", 12}, &(int64_t){0}));
    assert_false(date_parse((struct slice){"2014-09-08\0", 11}, &(int64_t){0}));
}

static void unix_time_tells_its_unit_by_its_digits(void **state)
{
    static const struct spelling spellings[] = {
        {"0", 0},
        {"1", 1000},
        {"1471015408", T},
        {"253402300799", 253402300799000},
        {"1471015408168", T + 168},
        {"1000000000000", 1000000000000},
        {"9999999999999", 9999999999999},
        {"1471015408168354", T + 168},
        {"1471015408168354999", T + 168},
    };

    (void)state;
    assert_spellings(spellings, COUNT_OF(spellings), date_parse_unix);
}

static void unix_time_may_have_a_fraction_and_an_exponent(void **state)
{
    static const struct spelling spellings[] = {
        {"1471015408.168354", T + 168},
        {"1471015408,5", T + 500},
        {"0.5", 500},
        {"1471015408168.5", T + 168},
        {"1.471015408E9", T},
        {"1.471015408168E9", T + 168},
        {"1.471015408168e+12", T + 168},
        {"1471015408e0", T},
        {"1e09", INT64_C(1000000000000)},
        {"1471015408.00000000000000000000000000000009", T},
    };

    (void)state;
    assert_spellings(spellings, COUNT_OF(spellings), date_parse_unix);
}

static void what_is_no_unix_time_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        " 1",
        "1 ",
        "-1",
        "+1",
        "01",
        "00",
        "1.",
        ".5",
        "0x10",
        "1e",
        "1e-9",
        "1e+",
        "1e99",
        "253402300800",
        "1 2",
        "NaN",
        "1_000",
        "12.3.4",
        "0580774400168",
        "true",
        "1e19",
        "1.5.e",
        "1471015408Z",
        "15807744001680",
        "1e9.5",
        "1ee9",
        "14710154081683540",
        "99999999999999999999999999",
    };

    (void)state;
    assert_refused(wrong, COUNT_OF(wrong), date_parse_unix);
    assert_false(date_parse_unix(SLICE_NONE, &(int64_t){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_of_a_date_in_digits_is_read),
        cmocka_unit_test(every_spelling_of_a_zone_is_read),
        cmocka_unit_test(fractions_are_cut_to_milliseconds),
        cmocka_unit_test(a_month_may_be_a_word),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(unix_time_tells_its_unit_by_its_digits),
        cmocka_unit_test(unix_time_may_have_a_fraction_and_an_exponent),
        cmocka_unit_test(what_is_no_unix_time_is_refused),
    };

    return cmocka_run_group_tests_name("date", tests, NULL, NULL);
}
