#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "bridge/cli/provider/reason.h"
#include "bridge/cli/tree.h"

static void assert_reason(long status, const char *body, const char *wanted)
{
    bool is_json;
    struct json_object *tree = tree_parse(slice_of(body), &is_json);
    struct buf out = {0};

    reason_add(&out, status, tree, slice_of(is_json ? tree_print(tree) : body));
    assert_string_equal(out.data, wanted);
    buf_free(&out);
    tree_wipe(tree);
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
        cmocka_unit_test(a_failure_is_told_in_the_own_words_of_an_api),
        cmocka_unit_test(and_else_by_the_beginning_of_what_it_said),
    };

    return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
