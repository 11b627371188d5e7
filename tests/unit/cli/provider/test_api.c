#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "bridge/cli/provider/internal.h"

#define BASE "https://api.example/v3"

/* A job that has an API, for what needs no connection. */
static int make_job(void **state)
{
    struct job *job = xalloc(sizeof(*job));

    job->api.scheme = "Token";
    buf_add_str(&job->api.base, BASE);
    api_make(job, &(struct request){.method = "GET", .path = "/x"});
    buf_add_str(&job->api.token, "t0ken");
    *state = job;
    return 0;
}

static int free_job(void **state)
{
    api_close(*state);
    free(*state);
    return 0;
}

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

static void assert_answer(struct job *job, long status, const char *body, const char *wanted)
{
    struct buf out = {0}, whole = {0};

    tree_wipe(job->reply.json);
    job->reply = (struct reply){.http.status = status};
    job->reply.json = tree_parse(slice_of(body), &job->reply.is_json);
    job->reply.is_json |= body[0] == '\0';
    api_add_answer(&out, job);
    buf_addf(&whole, "GET " BASE "/x: %s", wanted);
    assert_string_equal(out.data, whole.data);
    buf_free(&out);
    buf_free(&whole);
}

static void a_failure_is_reported_in_the_words_of_the_api(void **state)
{
    assert_answer(*state, 400, "{\"error\":\"c\",\"message\":\"m\",\"params\":{\"url\":1}}",
                  "answered 400: c: m, {\"url\":1}");
    assert_answer(*state, 400, "{\"error\":\"c\",\"message\":\"m\",\"params\":{}}",
                  "answered 400: c: m");
    assert_answer(*state, 401, "{\"error\":\"invalid\",\"error_description\":\"d\"}",
                  "answered 401: invalid: d");
    assert_answer(*state, 403, "{\"error\":{\"code\":403,\"message\":\"No\"}}",
                  "answered 403: 403: No");
    assert_answer(*state, 500, "{\"Message\":\"M\"}", "answered 500: M");
    assert_answer(*state, 400, "{\"params\":{\"a\":1}}", "answered 400, {\"a\":1}");
}

static void an_answer_without_such_words_is_not_quoted(void **state)
{
    assert_answer(*state, 502, "", "answered 502");
    assert_answer(*state, 502, "<p>Bad gateway</p>", "answered 502, but not with JSON");
    assert_answer(*state, 200, "Warning: old\n{\"secret\":1}",
                  "answered 200, but not with JSON");
    assert_answer(*state, 200, "{\"odd\":[1]}", "answered 200");
    assert_answer(*state, 200, "\"eyJhbGciOi.live\"", "answered 200");
}

static void long_words_are_cut(void **state)
{
    char body[400], wanted[300], text[301] = "";

    memset(text, 'x', 300);
    (void)snprintf(body, sizeof(body), "{\"message\":\"%s\"}", text);
    (void)snprintf(wanted, sizeof(wanted), "answered 400: %.200s", text);
    assert_answer(*state, 400, body, wanted);
}

static void assert_url(struct job *job, const struct request *request, const char *wanted)
{
    api_make(job, request);
    assert_string_equal(tree_text(job->sent, "/url"), wanted);
}

static void an_id_stays_one_segment_of_the_path(void **state)
{
    struct request request = {.path = "/configs", .id = "7", .more = "/test"};

    assert_url(*state, &request, BASE "/configs/7/test");
    request.id = "../a b?c#d%2e\xC3\xA9";
    assert_url(*state, &request, BASE "/configs/..%2Fa%20b%3Fc%23d%252e%C3%A9/test");
    request.id = NULL;
    assert_url(*state, &request, BASE "/configs/test");
    request.more = "?limit=100";
    assert_url(*state, &request, BASE "/configs?limit=100");
}

static void assert_request(struct job *job, const char *wanted)
{
    struct buf text = {0};

    api_add_request(&text, job);
    assert_string_equal(text.data, wanted);
    buf_free(&text);
}

static void what_is_printed_has_the_body_as_it_is_spelled_and_no_secret(void **state)
{
    struct job *job = *state;

    job->options.dry_run = true;
    api_make(job, &(struct request){
                      .method = "POST",
                      .path = "/keys",
                      .id = "k",
                      .json = TREE({"id", tree_raw("123456789012345678901234567890")},
                                   {"password", tree_string("p")}),
                  });
    assert_request(job, "POST " BASE "/keys/k\nAccept: application/json\n"
                        "Authorization: Token ***\nContent-Type: application/json\n\n"
                        "{\"id\":123456789012345678901234567890,\"password\":\"***\"}\n\n");
    job->options.json = true;
    assert_request(job,
                   "{\"method\":\"POST\",\"url\":\"" BASE "/keys/k\",\"headers\":{"
                   "\"Accept\":\"application/json\",\"Authorization\":\"Token ***\","
                   "\"Content-Type\":\"application/json\"},"
                   "\"body\":{\"id\":123456789012345678901234567890,\"password\":\"***\"}}\n");
}

static void only_the_headers_that_are_needed_are_there(void **state)
{
    api_make(*state,
             &(struct request){.method = "GET", .path = "/", .await = "10", .anonymous = true});
    assert_request(*state, "GET " BASE "/\nAccept: application/json\nRicloud-Await: 10\n\n");
}

int main(void)
{
#define WITH_JOB(test) cmocka_unit_test_setup_teardown(test, make_job, free_job)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_delay_before_the_next_try_doubles),
        cmocka_unit_test(chance_takes_off_less_than_half_of_it),
        cmocka_unit_test(what_the_api_asks_for_counts_instead),
        cmocka_unit_test(a_segment_is_a_name_of_its_own),
        WITH_JOB(a_failure_is_reported_in_the_words_of_the_api),
        WITH_JOB(an_answer_without_such_words_is_not_quoted),
        WITH_JOB(long_words_are_cut),
        WITH_JOB(an_id_stays_one_segment_of_the_path),
        WITH_JOB(what_is_printed_has_the_body_as_it_is_spelled_and_no_secret),
        WITH_JOB(only_the_headers_that_are_needed_are_there),
    };

    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
