#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_formatted_with_milliseconds_in_utc),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
