#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/cli/provider/api.h"
#include "bridge/cli/tree.h"

static void the_delay_before_the_next_try_doubles(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 4; n++) {
        assert_int_equal(api_retry_delay_ms(n, 0, 0), 250 << n);
    }
}

static void chance_takes_off_less_than_half_of_it(void **state)
{
    (void)state;
    assert_int_equal(api_retry_delay_ms(1, 0, 249), 251);
    assert_int_equal(api_retry_delay_ms(1, 0, 250), 500);
    for (uint32_t random = 0; random < 5000; random++) {
        int64_t delay = api_retry_delay_ms(3, 0, random * UINT32_C(858993));

        assert_in_range(delay, 1001, 2000);
    }
}

static void what_the_api_asks_for_counts_instead(void **state)
{
    (void)state;
    assert_int_equal(api_retry_delay_ms(1, 2, 77), 2000);
    assert_int_equal(api_retry_delay_ms(4, UINT32_MAX, 77), INT64_C(4294967295000));
}

static void a_segment_is_a_name_of_its_own(void **state)
{
    static const char *const good[] = {"7", "...", "a/b ?", "%2e%2e", "é", " "};
    static const char *const bad[] = {"", ".", "..", "1\n2", "\x1b[2J", "\x7f", "\xff"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(api_is_segment(good[i]));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(api_is_segment(bad[i]));
    }
}

static void assert_reason(long status, const char *body, const char *wanted)
{
    struct api_reply reply = {.status = status, .is_empty = body[0] == '\0'};
    struct buf out = {0};

    reply.json = reply.shown = tree_parse(slice_of(body), &reply.is_json);
    api_add_reason(&out, &reply);
    assert_string_equal(out.data, wanted);
    buf_free(&out);
    tree_wipe(reply.json);
}

static void a_failure_is_reported_in_the_words_of_the_api(void **state)
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
    assert_reason(400, "{\"params\":{\"a\":1}}", "answered 400, {\"a\":1}");
}

static void an_answer_without_such_words_is_not_quoted(void **state)
{
    (void)state;
    assert_reason(502, "", "answered 502");
    assert_reason(502, "<p>Bad gateway</p>", "answered 502, but not with JSON");
    assert_reason(200, "Warning: old\n{\"secret\":1}", "answered 200, but not with JSON");
    assert_reason(200, "{\"odd\":[1]}", "answered 200");
    assert_reason(200, "\"eyJhbGciOi.live\"", "answered 200");
}

static void long_words_are_cut(void **state)
{
    char body[400], wanted[300], text[301] = "";

    (void)state;
    memset(text, 'x', 300);
    (void)snprintf(body, sizeof(body), "{\"message\":\"%s\"}", text);
    (void)snprintf(wanted, sizeof(wanted), "answered 400: %.200s", text);
    assert_reason(400, body, wanted);
}

#define BASE "https://api.example/v3"

static void assert_url(const struct api_request *request, const char *wanted)
{
    struct buf url = {0};

    api_add_url(&url, request, BASE);
    assert_string_equal(url.data, wanted);
    buf_free(&url);
}

static void an_id_stays_one_segment_of_the_path(void **state)
{
    struct api_request request = {.path = "/configs/{id}/test", .id = "7"};

    (void)state;
    assert_url(&request, BASE "/configs/7/test");
    request.id = "../a b?c#d%2e\xC3\xA9";
    assert_url(&request, BASE "/configs/..%2Fa%20b%3Fc%23d%252e%C3%A9/test");
    request.id = "{id}";
    assert_url(&request, BASE "/configs/%7Bid%7D/test");
    request.id = NULL;
    assert_url(&request, BASE "/configs/{id}/test");
    request.query = "?limit=100";
    assert_url(&request, BASE "/configs/{id}/test?limit=100");
}

static void the_headers_are_lines(void **state)
{
    char json[] = "{}";
    struct api_request request = {.path = "/", .json = json, .await = "10"};
    struct buf lines = {0};

    (void)state;
    api_add_headers(&lines, &request, "Token", SLICE("t0"));
    assert_string_equal(lines.data, "Accept: application/json\nAuthorization: Token t0\n"
                                    "Content-Type: application/json\nRicloud-Await: 10\n");
    buf_clear(&lines);
    request = (struct api_request){.path = "/", .anonymous = true};
    api_add_headers(&lines, &request, "Token", SLICE("t0"));
    assert_string_equal(lines.data, "Accept: application/json\n");
    buf_free(&lines);
}

static void what_is_printed_has_the_body_as_it_is_spelled_and_no_token(void **state)
{
    char json[] = "{\"id\":123456789012345678901234567890}";
    const struct api_request request = {
        .method = "POST", .path = "/keys/{id}", .id = "k", .json = json};
    struct buf text = {0};

    (void)state;
    api_add_request(&text, &request, BASE, "Token", true);
    assert_string_equal(text.data,
                        "{\"method\":\"POST\",\"url\":\"" BASE "/keys/k\",\"headers\":{"
                        "\"Accept\":\"application/json\",\"Authorization\":\"Token ***\","
                        "\"Content-Type\":\"application/json\"},"
                        "\"body\":{\"id\":123456789012345678901234567890}}\n");
    buf_clear(&text);
    api_add_request(&text, &request, BASE, "Token", false);
    assert_string_equal(text.data, "POST " BASE "/keys/k\nAccept: application/json\n"
                                   "Authorization: Token ***\n"
                                   "Content-Type: application/json\n\n"
                                   "{\"id\":123456789012345678901234567890}\n\n");
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_delay_before_the_next_try_doubles),
        cmocka_unit_test(chance_takes_off_less_than_half_of_it),
        cmocka_unit_test(what_the_api_asks_for_counts_instead),
        cmocka_unit_test(a_segment_is_a_name_of_its_own),
        cmocka_unit_test(a_failure_is_reported_in_the_words_of_the_api),
        cmocka_unit_test(an_answer_without_such_words_is_not_quoted),
        cmocka_unit_test(long_words_are_cut),
        cmocka_unit_test(an_id_stays_one_segment_of_the_path),
        cmocka_unit_test(the_headers_are_lines),
        cmocka_unit_test(what_is_printed_has_the_body_as_it_is_spelled_and_no_token),
    };

    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
