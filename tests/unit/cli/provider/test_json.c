#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/cli/provider/api_internal.h"
#include "bridge/cli/provider/json.h"

static void assert_text(const char *json, const char *path, const char *wanted)
{
    char *text = cli_json_text(slice_of(json), path);

    if (wanted) {
        assert_non_null(text);
        assert_string_equal(text, wanted);
    } else {
        assert_null(text);
    }
    free(text);
}

static void strings_are_decoded_and_the_rest_is_as_it_is_spelled(void **state)
{
    (void)state;
    assert_text("{\"a\":\"x\"}", "a", "x");
    assert_text("{\"a\":{\"b\":\"\\u00e9\\/\\n\\ud83d\\ude00\"}}", "a.b", "é/\n😀");
    assert_text("{\"a\":\"\"}", "a", "");
    assert_text("{\"a\":123456789012345678901234567890}", "a",
                "123456789012345678901234567890");
    assert_text("{\"a\":1.50e+3}", "a", "1.50e+3");
    assert_text("{\"a\":false}", "a", "false");
}

static void what_is_no_text_is_none(void **state)
{
    (void)state;
    assert_text("{}", "a", NULL);
    assert_text("null", "a", NULL);
    assert_text("[]", "a", NULL);
    assert_text("{\"a\":null}", "a", NULL);
    assert_text("{\"a\":{}}", "a", NULL);
    assert_text("{\"a\":[\"x\"]}", "a", NULL);
    assert_text("{\"a\":\"x\\u0000y\"}", "a", NULL);
}

static void assert_items(const char *json, const char *const *wanted)
{
    struct slice rest = slice_of(json);
    struct slice item;

    for (; *wanted; wanted++) {
        assert_true(cli_json_next(&rest, &item));
        assert_int_equal(item.len, strlen(*wanted));
        assert_memory_equal(item.data, *wanted, item.len);
    }
    assert_false(cli_json_next(&rest, &item));
    assert_false(cli_json_next(&rest, &item));
}

static void the_items_of_an_array_come_one_by_one_as_they_are_spelled(void **state)
{
    (void)state;
    assert_items("[]", (const char *const[]){NULL});
    assert_items("[ \n ]", (const char *const[]){NULL});
    assert_items("[7]", (const char *const[]){"7", NULL});
    assert_items("[ {\"a\": [1, 2]} ,\t[[\"]\"],\"},\"] , \"\\\"],\\\\\" ,null\n]",
                 (const char *const[]){"{\"a\": [1, 2]}", "[[\"]\"],\"},\"]", "\"\\\"],\\\\\"",
                                       "null", NULL});
    assert_items("[\"\",\"\"]", (const char *const[]){"\"\"", "\"\"", NULL});
}

static void no_array_has_no_items(void **state)
{
    struct slice rest = SLICE_NONE;
    struct slice item;

    (void)state;
    assert_false(cli_json_next(&rest, &item));
}

static void members_are_written_as_they_were_read(void **state)
{
    struct slice json = SLICE("{\"id\":7e1, \"url\":\"a\\/b\",\"none\":null}");
    struct buf out = {0};

    (void)state;
    cli_json_add_member(&out, "url", json, "url");
    cli_json_add_member(&out, "gone", json, "gone");
    cli_json_add_string(&out, "q\"", "a\tb");
    cli_json_add_string(&out, "n", NULL);
    assert_string_equal(out.data,
                        "\"url\":\"a\\/b\"\"gone\":null\"q\\\"\":\"a\\tb\"\"n\":null");
    buf_clear(&out);
    cli_json_add_text(&out, SLICE("{\"a\":\"\\u001b[2J\"}"), "a", "-");
    cli_json_add_text(&out, SLICE("{}"), "a", "-");
    assert_string_equal(out.data, "\\x1B[2J-");
    buf_free(&out);
}

static void assert_reason(long status, const char *body, const char *wanted)
{
    struct buf out = {0};

    cli_api_add_reason(&out, status, slice_of(body));
    assert_string_equal(out.data, wanted);
    buf_free(&out);
}

static void a_failure_is_told_in_the_own_words_of_an_api(void **state)
{
    (void)state;
    assert_reason(400, "{\"error\":\"c\",\"message\":\"m\",\"params\":{\"url\":1}}",
                  "answered 400: c: m, {\"url\":1}");
    assert_reason(400, "{\"error\":\"c\",\"message\":\"m\",\"params\":{}}",
                  "answered 400: c: m");
    assert_reason(401, "{\"error\":\"invalid\",\"error_description\":\"d\"}",
                  "answered 401: invalid: d");
    assert_reason(403, "{\"error\":{\"code\":403,\"message\":\"No\"}}",
                  "answered 403: 403: No");
    assert_reason(500, "{\"Message\":\"M\"}", "answered 500: M");
}

static void and_else_by_the_beginning_of_what_it_said(void **state)
{
    char body[301] = "", wanted[256];

    (void)state;
    assert_reason(502, "", "answered 502");
    assert_reason(502, " \n", "answered 502");
    assert_reason(502, "<p>\r\n\tBad   gateway </p>\n", "answered 502: <p> Bad gateway </p>");
    assert_reason(400, "{\"params\":{\"a\":1}}", "answered 400: {\"params\":{\"a\":1}}");
    assert_reason(400, "{\"error\":", "answered 400: {\"error\":");
    assert_reason(200, "{\"odd\":[1]}", "answered 200: {\"odd\":[1]}");
    /* What comes behind may be what was to be handed out. */
    assert_reason(200, "Warning: old\n{\"secret\":1}", "answered 200: Warning: old");
    assert_reason(200, "eyJhbGciOi.live.token", "answered 200: a text of 21 bytes");
    assert_reason(200, "\"eyJhbGciOi.live\"", "answered 200: a text of 17 bytes");
    assert_reason(200, "<html>log in</html>", "answered 200: <html>log in</html>");
    assert_reason(400, "Warning: old\n{\"a\":1}", "answered 400: Warning: old {\"a\":1}");
    memset(body, 'x', 300);
    (void)snprintf(wanted, sizeof(wanted), "answered 400: %.200s", body);
    assert_reason(400, body, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_decoded_and_the_rest_is_as_it_is_spelled),
        cmocka_unit_test(what_is_no_text_is_none),
        cmocka_unit_test(the_items_of_an_array_come_one_by_one_as_they_are_spelled),
        cmocka_unit_test(no_array_has_no_items),
        cmocka_unit_test(members_are_written_as_they_were_read),
        cmocka_unit_test(a_failure_is_told_in_the_own_words_of_an_api),
        cmocka_unit_test(and_else_by_the_beginning_of_what_it_said),
    };

    return cmocka_run_group_tests_name("cli_json", tests, NULL, NULL);
}
