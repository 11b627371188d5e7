#include "bridge/cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_shown(struct slice text, const char *shown, size_t columns)
{
    struct buf out = {0};

    buf_add_str(&out, "");
    assert_int_equal(cli_add_safe(&out, text), columns);
    assert_int_equal(out.len, strlen(shown));
    assert_memory_equal(out.data, shown, out.len);
    buf_free(&out);
}

static void test_plain_text_is_shown_as_it_is(void **state)
{
    (void)state;
    assert_shown(SLICE(""), "", 0);
    assert_shown(SLICE_NONE, "", 0);
    assert_shown(SLICE("{\"a\":\"b\\n\"} ~"), "{\"a\":\"b\\n\"} ~", 13);
}

static void test_every_character_counts_as_one_column(void **state)
{
    (void)state;
    assert_shown(SLICE("é€😀"), "é€😀", 3);
}

static void test_control_characters_are_escaped(void **state)
{
    (void)state;
    assert_shown(SLICE("\x1b[2J"), "\\x1B[2J", 7);
    assert_shown(SLICE("a\0b"), "a\\x00b", 6);
    assert_shown(SLICE("\t\n\r\x7f"), "\\x09\\x0A\\x0D\\x7F", 16);
    /* U+009B is ESC [ in one character; U+202E turns the line round. */
    assert_shown(SLICE("\xc2\x9b"), "\\xC2\\x9B", 8);
    assert_shown(SLICE("\xe2\x80\xae"), "\\xE2\\x80\\xAE", 12);
    assert_shown(SLICE("\xe2\x81\xa6"), "\\xE2\\x81\\xA6", 12);
}

static void test_what_is_not_utf8_is_escaped_byte_by_byte(void **state)
{
    (void)state;
    assert_shown(SLICE("\xff"), "\\xFF", 4);
    assert_shown(SLICE("\x9b"), "\\x9B", 4);
    assert_shown(SLICE("\xc0\x9b"), "\\xC0\\x9B", 8);
    assert_shown(SLICE("\xe2\x82"), "\\xE2\\x82", 8);
    assert_shown(SLICE("\xf8\x88\x80\x80x"), "\\xF8\\x88\\x80\\x80x", 17);
    assert_shown(SLICE("\xc3Z"), "\\xC3Z", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text_is_shown_as_it_is),
        cmocka_unit_test(test_every_character_counts_as_one_column),
        cmocka_unit_test(test_control_characters_are_escaped),
        cmocka_unit_test(test_what_is_not_utf8_is_escaped_byte_by_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
