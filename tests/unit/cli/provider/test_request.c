#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bridge/cli/provider/api.h"

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
        cmocka_unit_test(an_id_stays_one_segment_of_the_path),
        cmocka_unit_test(the_headers_are_lines),
        cmocka_unit_test(what_is_printed_has_the_body_as_it_is_spelled_and_no_token),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
