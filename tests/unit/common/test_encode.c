#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/encode.h"

static void hex_is_lower_case_and_decodes_to_the_same_bytes(void **state)
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

static void
a_text_of_another_length_or_with_other_characters_is_refused_and_nothing_written(void **state)
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

/* Tries all 256 bytes, among them the neighbours of the digits in ASCII. */
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

/* RFC 4648 section 10, and the two digits that are neither letters nor numbers. */
static void base64_is_as_in_the_rfc_and_decodes_to_the_same_bytes(void **state)
{
    const struct {
        struct slice bytes;
        const char *text;
    } cases[] = {
        {SLICE(""), ""},
        {SLICE("f"), "Zg=="},
        {SLICE("fo"), "Zm8="},
        {SLICE("foo"), "Zm9v"},
        {SLICE("foob"), "Zm9vYg=="},
        {SLICE("fooba"), "Zm9vYmE="},
        {SLICE("foobar"), "Zm9vYmFy"},
        {SLICE("\xFB\xFF\xBF\0\x10"), "+/+/ABA="},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[BASE64_SIZE(8)];
        uint8_t bytes[8];
        size_t len = 99;

        encode_base64((const uint8_t *)cases[i].bytes.data, cases[i].bytes.len, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(strlen(text) + 1, BASE64_SIZE(cases[i].bytes.len));
        assert_true(decode_base64(slice_of(text), bytes, cases[i].bytes.len, &len));
        assert_int_equal(len, cases[i].bytes.len);
        assert_memory_equal(bytes, cases[i].bytes.data, len);
    }
}

static void
any_other_text_than_padded_standard_base64_is_refused_and_nothing_written(void **state)
{
    const struct slice wrong[] = {
        SLICE("Z"),        SLICE("Zg"),       SLICE("Zg="),      SLICE("Zg==="),
        SLICE("Zg====="),  SLICE("===="),     SLICE("Z==="),     SLICE("Zm8==="),
        SLICE("Zg==Zg=="), SLICE("Zm=v"),     SLICE("=m9v"),     SLICE("Zm9v\n"),
        SLICE("Zm9\n"),    SLICE(" Zm9"),     SLICE("Zm 9vZm9"), SLICE("-_-_"),
        SLICE("Zm9\0"),    SLICE("Zm9\xC3"),  SLICE("Zh=="), /* bits left over */
        SLICE("Zm9="),     SLICE("Zm9vZm9v"),                /* no room */
    };
    uint8_t data[5] = {7, 7, 7, 7, 7};
    size_t len = 99;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(decode_base64(wrong[i], data, sizeof(data), &len));
    }
    assert_memory_equal(data, "\7\7\7\7\7", 5);
    assert_int_equal(len, 99);
    assert_true(decode_base64(SLICE_NONE, data, sizeof(data), &len));
    assert_int_equal(len, 0);
}

static void only_the_64_base64_digits_are_digits(void **state)
{
    unsigned count = 0;

    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[4] = {(char)c, 'A', 'A', 'A'};
        uint8_t bytes[3];
        size_t len;

        count += decode_base64((struct slice){text, 4}, bytes, 3, &len);
    }
    assert_int_equal(count, 64);
}

static void base64_of_every_byte_decodes_to_the_same_bytes(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 4; len++) {
        for (int byte = 0; byte < 256; byte++) {
            uint8_t bytes[4], back[4];
            char text[BASE64_SIZE(4)];
            size_t back_len;

            memset(bytes, byte, sizeof(bytes));
            encode_base64(bytes, len, text);
            assert_true(decode_base64(slice_of(text), back, sizeof(back), &back_len));
            assert_int_equal(back_len, len);
            assert_memory_equal(back, bytes, len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_is_lower_case_and_decodes_to_the_same_bytes),
        cmocka_unit_test(either_case_decodes),
        cmocka_unit_test(
            a_text_of_another_length_or_with_other_characters_is_refused_and_nothing_written),
        cmocka_unit_test(only_the_22_hex_digits_are_digits),
        cmocka_unit_test(base64_is_as_in_the_rfc_and_decodes_to_the_same_bytes),
        cmocka_unit_test(
            any_other_text_than_padded_standard_base64_is_refused_and_nothing_written),
        cmocka_unit_test(only_the_64_base64_digits_are_digits),
        cmocka_unit_test(base64_of_every_byte_decodes_to_the_same_bytes),
    };

    return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
