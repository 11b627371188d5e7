#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/utf8.h"

static void names_in_any_script_are_fit(void **state)
{
    (void)state;
    assert_true(utf8_is_fit(SLICE("")));
    assert_true(utf8_is_fit(SLICE("resource.updated / + # $ %")));
    assert_true(utf8_is_fit(SLICE("Agence Lumi\xC3\xA8re \xF0\x9F\x98\x80")));
}

static void controls_and_non_characters_are_unfit(void **state)
{
    static const struct slice unfit[] = {
        SLICE("a\nb"),         SLICE("\0"),           SLICE("\x1F"),
        SLICE("\x7F"),         SLICE("a\xC2\x85"),    SLICE("\xEF\xB7\x90"),
        SLICE("\xEF\xBF\xBE"), SLICE("\xEF\xBF\xBF"), SLICE("\xF0\x9F\xBF\xBE"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(unfit); i++) {
        assert_true(utf8_valid(unfit[i]));
        assert_false(utf8_is_fit(unfit[i]));
    }
}

static void bytes_that_are_not_utf8_are_unfit(void **state)
{
    (void)state;
    assert_false(utf8_is_fit(SLICE("\xC3")));
    assert_false(utf8_is_fit(SLICE("\xC0\x80")));
    assert_false(utf8_is_fit(SLICE("\xED\xA0\x80")));
    assert_false(utf8_is_fit(SLICE("\xF5\x80\x80\x80")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_any_script_are_fit),
        cmocka_unit_test(controls_and_non_characters_are_unfit),
        cmocka_unit_test(bytes_that_are_not_utf8_are_unfit),
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
