/*
 * The answer table, over a real socket; the intake and the outbox behind it are replaced.
 */
#include "tests/unit/http_ask.h"

#include <stdlib.h>

#include <pthread.h>

#include "bridge/ingress.h"
#include "bridge/intake.h"
#include "bridge/metrics.h"

/* In place of intake.c and outbox.c. */

struct intake_source {
    const char *path;
    const char *header;
    const char *name;
};

static const struct intake_source signed_source = {"/hooks/a", "X-Sig", "a"};
static const struct intake_source open_source = {"/hooks/b", NULL, "b"};

static struct {
    struct intake_result result; /* what the next submit comes to */
    enum status ready;
    bool from_another_thread;
    char signature[64], body[64];
    unsigned submit_count;
} fake;

enum status intake_create(const struct config *config, struct outbox *outbox,
                          struct intake **out_intake, struct err *err)
{
    (void)config;
    (void)outbox;
    (void)err;
    *out_intake = (struct intake *)&fake;
    return ST_OK;
}

void intake_destroy(struct intake *intake)
{
    (void)intake;
}

const struct intake_source *intake_find(const struct intake *intake, struct slice path)
{
    (void)intake;
    if (slice_equal(path, slice_of(signed_source.path))) {
        return &signed_source;
    }
    return slice_equal(path, slice_of(open_source.path)) ? &open_source : NULL;
}

const char *intake_signature_header(const struct intake_source *source)
{
    return source->header;
}

unsigned intake_source_index(const struct intake_source *source)
{
    return metrics_source(source->name);
}

struct call {
    intake_done_fn *done;
    void *ctx;
};

static void *call_done(void *arg)
{
    const struct call *call = arg;

    call->done(call->ctx, &fake.result);
    return NULL;
}

void intake_submit(struct intake *intake, const struct intake_source *source,
                   const struct intake_delivery *delivery, intake_done_fn *done, void *ctx)
{
    struct call call = {done, ctx};
    pthread_t thread;

    (void)intake;
    (void)source;
    fake.submit_count++;
    snprintf(fake.signature, sizeof(fake.signature), "%.*s", SLICE_ARG(delivery->signature));
    snprintf(fake.body, sizeof(fake.body), "%.*s", SLICE_ARG(delivery->body));
    if (fake.from_another_thread) {
        assert_int_equal(pthread_create(&thread, NULL, call_done, &call), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    } else {
        call_done(&call);
    }
}

enum status outbox_ready(const struct outbox *ob)
{
    (void)ob;
    return fake.ready;
}

void outbox_stats(const struct outbox *ob, struct store_stats *out_stats)
{
    (void)ob;
    *out_stats = (struct store_stats){0};
}

enum status outbox_control(struct outbox *ob, enum outbox_op op,
                           const struct store_selection *selection, outbox_control_fn *done,
                           void *ctx)
{
    (void)ob;
    (void)op;
    (void)selection;
    (void)done;
    (void)ctx;
    return ST_CLOSED;
}

/* The server and a client. */

static struct ingress *ingress;

static int set_up(void **state)
{
    static char a[] = "a", b[] = "b";
    static struct config_source sources[] = {{.name = a}, {.name = b}};
    static struct config config = {.sources = sources, .source_count = COUNT_OF(sources)};
    struct err err;

    (void)state;
    memset(&fake, 0, sizeof(fake));
    config.ingress.max_body = 1000;
    config.ingress.max_connections = 10;
    config.ingress.threads = 1;
    config.ingress.request_timeout_ms = 10 * 1000;
    return listen_somewhere() != ST_OK ||
           ingress_start(&config, NULL, &listen_fd, 1, &ingress, &err) != ST_OK;
}

static int tear_down(void **state)
{
    (void)state;
    ingress_stop(ingress, 0);
    ingress = NULL;
    close(listen_fd);
    return 0;
}

static void assert_field(const char *field)
{
    if (strstr(answer, field) == NULL) {
        fail_msg("no %s in %s", field, answer);
    }
}

/* How often a request was refused for this reason, as /metrics says; source "": none is known.
 */
static long refused(const char *reason, const char *source)
{
    struct buf page = {0};
    char name[160];
    const char *line;
    long count;

    snprintf(name, sizeof(name), "rejected_total{source=\"%s\",reason=\"%s\"} ", source,
             reason);
    metrics_write(&page);
    line = strstr(page.data, name);
    count = line == NULL ? 0 : strtol(line + strlen(name), NULL, 10);
    buf_free(&page);
    return count;
}

#define ID      "0190a5c0-0001-7002-8003-000000000004"
#define SIGNED  "POST /hooks/a"
#define WITH    "X-Sig: good\r\n"
#define MESSAGE "the signature is missing or wrong"
#define DENIED  "{\"error\":\"unauthorized\",\"message\":\"" MESSAGE "\"}"

static void result(struct intake_result given)
{
    assert_true(uuid_parse(SLICE(ID), &given.id));
    fake.result = given;
}

static void what_is_stored_is_answered_with_its_id(void **state)
{
    int64_t accepted = metrics_total(METRIC_ACCEPTED);

    (void)state;
    for (int i = 0; i < 2; i++) {
        fake.from_another_thread = i == 1;
        result((struct intake_result){.status = ST_OK});
        ask(SIGNED, WITH, "{}");
        assert_answer(200, "{\"status\":\"accepted\",\"id\":\"" ID "\"}");
        assert_string_equal(fake.signature, "good");
        assert_string_equal(fake.body, "{}");
        result((struct intake_result){.status = ST_OK, .duplicate = true});
        ask(SIGNED, WITH, "{}");
        assert_answer(200, "{\"status\":\"duplicate\",\"id\":\"" ID "\"}");
        result((struct intake_result){
            .status = ST_OK, .quarantined = true, .reason = SLICE("no \"gid\"")});
        ask(SIGNED, WITH, "{}");
        assert_answer(202, "{\"status\":\"quarantined\",\"id\":\"" ID
                           "\",\"reason\":\"no \\\"gid\\\"\"}");
        result((struct intake_result){
            .status = ST_OK, .quarantined = true, .duplicate = true, .reason = SLICE("no")});
        ask(SIGNED, WITH, "{}");
        assert_answer(202, "{\"status\":\"quarantined\",\"id\":\"" ID "\",\"reason\":\"no\"}");
    }
    assert_int_equal(metrics_total(METRIC_ACCEPTED) - accepted, 2);
}

static void a_source_that_verifies_nothing_wants_no_header(void **state)
{
    (void)state;
    result((struct intake_result){.status = ST_OK});
    ask("POST /hooks/b", "", "x");
    assert_answer(200, "{\"status\":\"accepted\",\"id\":\"" ID "\"}");
}

static void a_signature_that_is_missing_double_or_wrong_is_401_in_the_same_words(void **state)
{
    long before = refused("unauthorized", "a");

    (void)state;
    ask(SIGNED, "", "{}");
    assert_answer(401, DENIED);
    ask(SIGNED, WITH WITH, "{}");
    assert_answer(401, DENIED);
    assert_int_equal(fake.submit_count, 0); /* the body was not even looked at */
    result((struct intake_result){.status = ST_UNAUTHENTIC});
    ask(SIGNED, WITH, "{}");
    assert_answer(401, DENIED);
    assert_int_equal(refused("unauthorized", "a") - before, 3);
}

static void what_cannot_be_stored_now_is_503_with_retry_after(void **state)
{
    static const struct {
        enum status status;
        const char *field, *body;
    } cases[] = {
        {ST_FULL, "\r\nRetry-After: 5\r\n",
         "{\"error\":\"unavailable\",\"message\":\"no room, try again later\"}"},
        {ST_CLOSED, "\r\nRetry-After: 1\r\n",
         "{\"error\":\"unavailable\",\"message\":\"stopping\"}"},
        {ST_IO, "\r\nRetry-After: 1\r\n",
         "{\"error\":\"unavailable\",\"message\":\"input/output error\"}"},
    };
    long before = refused("unavailable", "a");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fake.from_another_thread = i % 2 == 0;
        result((struct intake_result){.status = cases[i].status});
        ask(SIGNED, WITH, "{}");
        assert_answer(503, cases[i].body);
        assert_field(cases[i].field);
    }
    assert_int_equal(refused("unavailable", "a") - before, 3);
}

static void other_paths_and_methods_are_refused(void **state)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
    char line[32];

    (void)state;
    ask("POST /hooks/c", WITH, "{}");
    assert_answer(404,
                  "{\"error\":\"not_found\",\"message\":\"nothing answers at this path\"}");
    ask("GET /metrics", "", "");
    assert_answer(404,
                  "{\"error\":\"not_found\",\"message\":\"nothing answers at this path\"}");
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        snprintf(line, sizeof(line), "%s /hooks/a", methods[i]);
        ask(line, WITH, "");
        assert_answer(
            405,
            strcmp(methods[i], "HEAD") == 0
                ? ""
                : "{\"error\":\"method_not_allowed\",\"message\":\"a webhook is a POST\"}");
        assert_field("\r\nAllow: POST\r\n");
    }
    assert_int_equal(fake.submit_count, 0);
}

static void what_http_refuses_is_counted_without_a_source(void **state)
{
    long before = refused("too_large", "");
    int fd = connect_client();

    (void)state;
    assert_true(send(fd, SIGNED " HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 57, 0) >
                0);
    read_all(fd);
    close(fd);
    assert_memory_equal(answer, "HTTP/1.1 413 ", 13);
    assert_int_equal(refused("too_large", "") - before, 1);
}

static void health_is_answered_here_too(void **state)
{
    (void)state;
    ask("GET /healthz", "", "");
    assert_answer(200, "{\"status\":\"ok\"}");
    ask("HEAD /healthz", "", "");
    assert_answer(200, "");
    ask("GET /readyz", "", "");
    assert_answer(200, "{\"status\":\"ok\"}");
    fake.ready = ST_FULL;
    ask("GET /readyz", "", "");
    assert_answer(503, "{\"status\":\"unavailable\",\"reason\":\"no room, try again later\"}");
    ask("GET /healthz", "", "");
    assert_answer(200, "{\"status\":\"ok\"}");
    ask("POST /healthz", "", "");
    assert_answer(405,
                  "{\"error\":\"method_not_allowed\",\"message\":\"this can only be read\"}");
    assert_field("\r\nAllow: GET, HEAD\r\n");
}

static void while_stopping_old_connections_are_answered_503(void **state)
{
    static const char request[] =
        SIGNED " HTTP/1.1\r\nHost: x\r\n" WITH "Content-Length: 2\r\n\r\n{}";
    char first[256];
    int fd = connect_client();

    (void)state;
    result((struct intake_result){.status = ST_OK});
    assert_int_equal(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
    assert_true(recv(fd, first, sizeof(first), 0) > 0);
    ingress_quiesce(ingress);
    assert_int_equal(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
    read_all(fd);
    assert_answer(503, "{\"error\":\"unavailable\",\"message\":\"stopping\"}");
    assert_field("\r\nConnection: close\r\n");
    assert_int_equal(fake.submit_count, 1);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_stored_is_answered_with_its_id),
        TEST(a_source_that_verifies_nothing_wants_no_header),
        TEST(a_signature_that_is_missing_double_or_wrong_is_401_in_the_same_words),
        TEST(what_cannot_be_stored_now_is_503_with_retry_after),
        TEST(other_paths_and_methods_are_refused),
        TEST(what_http_refuses_is_counted_without_a_source),
        TEST(health_is_answered_here_too),
        TEST(while_stopping_old_connections_are_answered_503),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
