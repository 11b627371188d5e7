#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/encode.h"

static void hex_is_lower_case_and_comes_back(void **state)
{
    uint8_t all[256], back[256];
    char text[2 * sizeof(all) + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (uint8_t)i;
    }
    encode_hex(all, sizeof(all), text);
    assert_int_equal(strlen(text), 512);
    assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f1011", 36);
    assert_memory_equal(text + 508, "feff", 4);
    assert_true(decode_hex(slice_of(text), back, sizeof(back)));
    assert_memory_equal(all, back, sizeof(all));
}

static void either_case_decodes(void **state)
{
    uint8_t data[3];

    (void)state;
    assert_true(decode_hex(SLICE("aBcDeF"), data, 3));
    assert_memory_equal(data, "\xAB\xCD\xEF", 3);
    assert_true(decode_hex(SLICE(""), data, 0));
}

static void what_is_not_exactly_that_many_digits_is_refused_and_nothing_is_written(void **state)
{
    const struct slice wrong[] = {SLICE(""),        SLICE("abc"),   SLICE("abcde"),
                                  SLICE("abcd1"),   SLICE("abcg"),  SLICE("ab d"),
                                  SLICE("abc\0"),   SLICE("abcd "), SLICE("0xab"),
                                  SLICE("abc\xE9"), SLICE_NONE,     SLICE("-abc")};
    uint8_t data[2] = {7, 7};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(decode_hex(wrong[i], data, 2));
    }
    assert_memory_equal(data, "\7\7", 2);
}

/* The digits' neighbours in ASCII, all 256 of them. */
static void only_the_22_hex_digits_are_digits(void **state)
{
    unsigned count = 0;

    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[2] = {'0', (char)c};
        uint8_t byte;

        count += decode_hex((struct slice){text, 2}, &byte, 1);
    }
    assert_int_equal(count, 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_is_lower_case_and_comes_back),
        cmocka_unit_test(either_case_decodes),
        cmocka_unit_test(
            what_is_not_exactly_that_many_digits_is_refused_and_nothing_is_written),
        cmocka_unit_test(only_the_22_hex_digits_are_digits),
    };

    return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
