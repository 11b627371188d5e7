/*
 * The operator's listener, over a real socket; the outbox behind it is replaced.
 */
#include "tests/unit/lib/http_ask.h"

#include <pthread.h>

#include "common/clock.h"

#include "bridge/admin/admin.h"
#include "bridge/metrics.h"

/* In place of outbox.c. */

static struct {
    enum status ready;
    struct store_stats stats;
    enum status control_status; /* what outbox_operate returns */
    struct outbox_operation_result result;
    unsigned control_count; /* and what it was given */
    enum outbox_op op;
    struct store_selection selection;
    char first_id[UUID_TEXT_SIZE], last_id[UUID_TEXT_SIZE], source[32];
} fake;

enum status outbox_ready(const struct outbox *ob)
{
    (void)ob;
    return fake.ready;
}

void outbox_stats(const struct outbox *ob, struct store_stats *out_stats)
{
    (void)ob;
    *out_stats = fake.stats;
}

struct call {
    outbox_operation_fn *done;
    void *ctx;
};

static void *call_done(void *arg)
{
    const struct call *call = arg;

    call->done(call->ctx, &fake.result);
    return NULL;
}

enum status outbox_operate(struct outbox *ob, enum outbox_op op,
                           const struct store_selection *selection, outbox_operation_fn *done,
                           void *ctx)
{
    struct call call = {done, ctx};
    pthread_t committer;

    (void)ob;
    fake.control_count++;
    fake.op = op;
    fake.selection = *selection;
    fake.first_id[0] = fake.last_id[0] = '\0';
    if (selection->id_count > 0) {
        uuid_format(selection->ids[0], fake.first_id);
        uuid_format(selection->ids[selection->id_count - 1], fake.last_id);
    }
    snprintf(fake.source, sizeof(fake.source), "%.*s", SLICE_ARG(selection->source));
    if (fake.control_status == ST_OK) {
        assert_int_equal(pthread_create(&committer, NULL, call_done, &call), 0);
        assert_int_equal(pthread_join(committer, NULL), 0);
    }
    return fake.control_status;
}

/* The server and a client. */

static struct admin *admin;

static int start(const char *token)
{
    struct admin_options options = {.token = slice_of(token),
                                    .keep_alive_ms = 10 * 1000,
                                    .listen_fds = &listen_fd,
                                    .listen_count = 1};
    struct err err;

    memset(&fake, 0, sizeof(fake));
    fake.stats.oldest_undelivered_ms = CLOCK_NONE;
    return listen_somewhere() != ST_OK || admin_start(&options, &admin, &err) != ST_OK;
}

static int set_up(void **state)
{
    (void)state;
    return start(NULL);
}

static int set_up_with_token(void **state)
{
    static const char token[] = "s3cret";

    (void)state;
    return start(token);
}

static int tear_down(void **state)
{
    (void)state;
    admin_stop(admin, 0);
    admin = NULL;
    close(listen_fd);
    return 0;
}

#define JSON "Content-Type: application/json\r\n"
#define ID_1 "0190a5c0-0001-7002-8003-000000000001"
#define ID_2 "0190a5c0-0001-7002-8003-000000000002"

static void metrics_show_what_the_outbox_holds(void **state)
{
    (void)state;
    /* As the outbox does after each commit; but nobody tells when time passes. */
    metrics_set(METRIC_UNDELIVERED, 3);
    metrics_set(METRIC_STORED_ROWS, 5);
    metrics_set(METRIC_STORED_BYTES, 321);
    metrics_set(METRIC_DEAD_LETTERS, 1);
    fake.stats.oldest_undelivered_ms = clock_unix_ms() - 5500;
    ask("GET /metrics", "", "");
    assert_status(200);
    assert_non_null(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4"));
    assert_non_null(strstr(answer, "outbox_undelivered_events 3\n"));
    assert_non_null(strstr(answer, "outbox_stored_rows 5\n"));
    assert_non_null(strstr(answer, "outbox_stored_bytes 321\n"));
    assert_non_null(strstr(answer, "dead_letters 1\n"));
    assert_non_null(strstr(answer, "outbox_oldest_age_seconds 5\n"));
    ask("POST /metrics", "", "x");
    assert_status(405);
    assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
}

static void without_the_token_only_health_is_answered(void **state)
{
    static const char *const wrong[] = {
        "",
        "Authorization: Bearer s3cre\r\n",
        "Authorization: Bearer s3cret2\r\n",
        "Authorization: Basic s3cret\r\n",
        "Authorization: s3cret\r\n",
        "Authorization: Bearer s3cret\r\nAuthorization: Bearer s3cret\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        ask("GET /metrics", wrong[i], "");
        assert_answer(
            401, "{\"error\":\"unauthorized\",\"message\":\"this wants the admin token\"}");
        assert_non_null(strstr(answer, "\r\nWWW-Authenticate: Bearer"));
        ask("POST /api/dead/drop", wrong[i], "{\"all\":true}");
        assert_status(401);
        ask("GET /nowhere", wrong[i], "");
        assert_status(401);
    }
    assert_int_equal(fake.control_count, 0);
    ask("GET /healthz", "", "");
    assert_answer(200, "{\"status\":\"ok\"}");
    fake.ready = ST_IO;
    ask("GET /readyz", "", "");
    assert_answer(503, "{\"status\":\"unavailable\",\"reason\":\"input/output error\"}");
    ask("GET /metrics", "Authorization: bearer s3cret\r\n", "");
    assert_status(200);
    ask("POST /api/dead/drop", "Authorization: Bearer s3cret\r\n" JSON, "{\"all\":true}");
    assert_status(200);
}

static void another_token_counts_from_the_next_request_on(void **state)
{
    (void)state;
    admin_set_token(admin, SLICE("other"));
    ask("GET /metrics", "Authorization: Bearer s3cret\r\n", "");
    assert_status(401);
    ask("GET /metrics", "Authorization: Bearer other\r\n", "");
    assert_status(200);
    admin_set_token(admin, SLICE_NONE);
    ask("GET /metrics", "", "");
    assert_status(200);
    admin_set_token(admin, SLICE("again"));
    ask("GET /metrics", "", "");
    assert_status(401);
    ask("GET /metrics", "Authorization: Bearer \r\n", "");
    assert_status(401);
}

static void each_operation_reaches_the_outbox_with_its_selection(void **state)
{
    static const struct {
        const char *line;
        enum outbox_op op;
    } operations[] = {
        {"POST /api/outbox/replay", OUTBOX_REPLAY},
        {"POST /api/outbox/drop", OUTBOX_DROP},
        {"POST /api/dead/retry", DEAD_RETRY},
        {"POST /api/dead/drop", DEAD_DROP},
    };

    (void)state;
    fake.result = (struct outbox_operation_result){
        .done_count = 2, .skipped_count = 1, .why = "it's \"gone\""};
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        ask(operations[i].line, JSON, "{\"all\":true}");
        assert_answer(200, "{\"done\":2,\"skipped\":1,\"why\":\"it's \\\"gone\\\"\"}");
        assert_int_equal(fake.op, operations[i].op);
        assert_int_equal(fake.selection.id_count, 0);
        assert_null(fake.selection.source.data);
        assert_true(fake.selection.since_ms == CLOCK_NONE &&
                    fake.selection.until_ms == CLOCK_NONE);
        assert_int_equal(fake.selection.limit, 0);
    }
    ask("POST /api/dead/drop", "Content-Type: Application/JSON; charset=utf-8\r\n",
        " {\"ids\" : [ \"" ID_1 "\" ,\n\"" ID_2
        "\" ], \"source\":\"partners\",\"since_ms\":1700000000000,"
        "\"until_ms\":1700003600000,\"limit\":7,\"all\":false}");
    assert_status(200);
    assert_int_equal(fake.selection.id_count, 2);
    assert_string_equal(fake.first_id, ID_1);
    assert_string_equal(fake.last_id, ID_2);
    assert_string_equal(fake.source, "partners");
    assert_true(fake.selection.since_ms == 1700000000000 &&
                fake.selection.until_ms == 1700003600000);
    assert_int_equal(fake.selection.limit, 7);
}

static void a_selection_that_is_not_clear_does_nothing(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"all\":true",
        "{'all':true}",
        "{}",
        "{\"all\":false}",
        "{\"all\":\"true\"}",
        "{\"limit\":5}",
        "{\"ids\":[]}",
        "{\"ids\":[],\"source\":\"partners\"}",
        "{\"ids\":[],\"all\":true}",
        "{\"ids\":\"" ID_1 "\"}",
        "{\"ids\":[1]}",
        "{\"ids\":[\"x\"]}",
        "{\"ids\":[\"" ID_1 "x\"]}",
        "{\"ids\":[\"" ID_1 "\\u0000\"]}",
        "{\"ids\":[[\"" ID_1 "\"]]}",
        "{\"ids\":[\"" ID_1 "\",null]}",
        "{\"source\":1}",
        "{\"source\":\"a\\u0062\"}",
        "{\"since_ms\":\"1\"}",
        "{\"since_ms\":-1}",
        "{\"since_ms\":1.5}",
        "{\"since_ms\":1e3}",
        "{\"since_ms\":99999999999999999999}",
        "{\"all\":true,\"limit\":-1}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        print_message("  %s\n", wrong[i]);
        ask("POST /api/dead/drop", JSON, wrong[i]);
        assert_status(400);
        assert_memory_equal(answer_body(), "{\"error\":\"bad_request\",", 23);
    }
    assert_int_equal(fake.control_count, 0);
}

static void a_web_page_cannot_use_the_api(void **state)
{
    (void)state;
    ask("POST /api/dead/drop", "", "{\"all\":true}");
    assert_status(400);
    ask("POST /api/dead/drop", "Content-Type: text/plain\r\n", "{\"all\":true}");
    assert_status(400);
    ask("POST /api/dead/drop", "Content-Type: application/jsonp\r\n", "{\"all\":true}");
    assert_status(400);
    ask("POST /api/dead/drop", JSON "Origin: http://127.0.0.1:9180\r\n", "{\"all\":true}");
    assert_answer(403, "{\"error\":\"forbidden\",\"message\":\"this is not for web pages\"}");
    ask("GET /api/dead/drop", JSON, "");
    assert_status(405);
    ask("POST /api/dead", JSON, "{\"all\":true}");
    assert_status(404);
    assert_int_equal(fake.control_count, 0);
}

static void an_operation_that_fails_says_why(void **state)
{
    (void)state;
    fake.result = (struct outbox_operation_result){.status = ST_IO, .why = "disk \"full\""};
    ask("POST /api/dead/drop", JSON, "{\"all\":true}");
    assert_answer(503, "{\"error\":\"unavailable\",\"message\":\"disk \\\"full\\\"\"}");
    fake.control_status = ST_CLOSED;
    ask("POST /api/dead/drop", JSON, "{\"all\":true}");
    assert_answer(503, "{\"error\":\"unavailable\",\"message\":\"stopping\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(metrics_show_what_the_outbox_holds),
        cmocka_unit_test_setup_teardown(without_the_token_only_health_is_answered,
                                        set_up_with_token, tear_down),
        cmocka_unit_test_setup_teardown(another_token_counts_from_the_next_request_on,
                                        set_up_with_token, tear_down),
        TEST(each_operation_reaches_the_outbox_with_its_selection),
        TEST(a_selection_that_is_not_clear_does_nothing),
        TEST(a_web_page_cannot_use_the_api),
        TEST(an_operation_that_fails_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
