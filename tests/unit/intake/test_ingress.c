/*
 * The table of answers, over a real socket; the intake and the outbox are replaced by fakes.
 */
#include "tests/unit/lib/http_ask.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <pthread.h>

#include "common/clock.h"

#include "bridge/intake/ingress.h"
#include "bridge/intake/intake.h"
#include "bridge/metrics.h"

enum { DEADLINE_MS = 10 * 1000 };

/* --- fakes of intake.c and outbox.c --- */

struct intake_source {
    const char *path;
    const char *header;
    const char *name;
};

/* Counts its references; never freed. */
struct intake {
    const struct intake_source *sources;
    size_t source_count;
    atomic_int refs;
};

static const struct intake_source old_sources[] = {{"/hooks/a", "X-Sig", "a"},
                                                   {"/hooks/b", NULL, "b"}};
static const struct intake_source new_sources[] = {{"/hooks/c", "X-Sig", "c"}};
static const struct intake_source renamed_sources[] = {{"/hooks/a", "X-Sig", "a2"}};
static struct intake old_intake, new_intake, newer_intake;

static struct {
    struct intake_result result; /* of the next submit */
    enum status ready;
    bool from_another_thread;
    char signature[64], suffix[64], body[64];
    atomic_uint submit_count;
    const struct intake *submitted_to;
    const struct intake *refused_by; /* finds the delivery not authentic; or NULL */
} fake;

enum status intake_create(struct config *config, struct outbox *outbox,
                          struct intake **out_intake, struct err *err)
{
    (void)config;
    (void)outbox;
    (void)err;
    *out_intake = &old_intake;
    return ST_OK;
}

struct intake *intake_hold(struct intake *intake)
{
    assert_true(atomic_fetch_add(&intake->refs, 1) > 0);
    return intake;
}

void intake_drop(struct intake *intake)
{
    if (intake != NULL) {
        assert_true(atomic_fetch_sub(&intake->refs, 1) > 0);
    }
}

const struct intake_source *intake_find(const struct intake *intake, struct slice path,
                                        struct slice *out_suffix)
{
    for (size_t i = 0; i < intake->source_count; i++) {
        struct slice own = slice_of(intake->sources[i].path);

        if (slice_starts_with(path, own)) {
            *out_suffix = path.len > own.len
                              ? (struct slice){path.data + own.len + 1, path.len - own.len - 1}
                              : SLICE_NONE;
            return &intake->sources[i];
        }
    }
    return NULL;
}

size_t intake_max_body(const struct intake_source *source)
{
    (void)source;
    return 1000;
}

void intake_suggest_path(const struct intake *intake, struct slice path,
                         char out_text[NEAREST_TEXT_SIZE])
{
    (void)intake;
    (void)path;
    out_text[0] = '\0';
}

enum status intake_check_head(const struct intake_source *source, const struct delivery *head,
                              unsigned *out_secrets, struct err *why)
{
    *out_secrets = 7;
    if (source->header == NULL || delivery_header(head, source->header).data != NULL) {
        return ST_OK;
    }
    return err_set(why, ST_UNAUTHENTIC, "no %s here", source->header);
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

enum status intake_submit(struct intake *intake, const struct intake_source *source,
                          const struct delivery *delivery, intake_done_fn *done, void *ctx,
                          struct err *why)
{
    struct slice signature = delivery_header(delivery, "X-Sig");
    struct call call = {done, ctx};
    pthread_t thread;

    assert_true(source >= intake->sources && source < intake->sources + intake->source_count);
    assert_true(intake->refs > 0);
    fake.submitted_to = intake;
    snprintf(fake.signature, sizeof(fake.signature), "%.*s", SLICE_ARG(signature));
    snprintf(fake.suffix, sizeof(fake.suffix), "%.*s", SLICE_ARG(delivery->suffix));
    snprintf(fake.body, sizeof(fake.body), "%.*s", SLICE_ARG(delivery->body));
    assert_true(llabs(delivery->received_ms - clock_unix_ms()) < 60 * 1000);
    assert_int_equal(delivery->secrets, 7); /* as this intake's head check returned */
    atomic_fetch_add(&fake.submit_count, 1);
    if (fake.result.status == ST_UNAUTHENTIC || intake == fake.refused_by) {
        return err_set(why, ST_UNAUTHENTIC, "another secret made it");
    }
    if (fake.from_another_thread) {
        assert_int_equal(pthread_create(&thread, NULL, call_done, &call), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    } else {
        call_done(&call);
    }
    return ST_OK;
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

enum status outbox_operate(struct outbox *ob, enum outbox_op op,
                           const struct store_selection *selection, outbox_operation_fn *done,
                           void *ctx)
{
    (void)ob;
    (void)op;
    (void)selection;
    (void)done;
    (void)ctx;
    return ST_CLOSED;
}

/* --- the server and a client --- */

static struct ingress *ingress;

static void set_up_intake(struct intake *fresh, const struct intake_source *sources,
                          size_t count)
{
    fresh->sources = sources;
    fresh->source_count = count;
    atomic_store(&fresh->refs, 1);
}

static int set_up(void **state)
{
    static struct config config;
    struct err err;

    (void)state;
    memset(&fake, 0, sizeof(fake));
    set_up_intake(&old_intake, old_sources, COUNT_OF(old_sources));
    set_up_intake(&new_intake, new_sources, COUNT_OF(new_sources));
    set_up_intake(&newer_intake, new_sources, COUNT_OF(new_sources));
    config.ingress.max_connections = 10;
    config.ingress.threads = 1;
    config.ingress.request_timeout_ms = 10 * 1000;
    config.ingress.keep_alive_ms = 10 * 1000;
    return listen_somewhere() != ST_OK ||
           ingress_start(&config, NULL, &listen_fd, 1, NULL, &ingress, &err) != ST_OK;
}

static int tear_down(void **state)
{
    (void)state;
    ingress_stop(ingress, 0);
    ingress = NULL;
    close(listen_fd);
    return 0;
}

static void wait_refs(const struct intake *intake, int refs)
{
    int64_t end_ms = clock_mono_ms() + DEADLINE_MS;

    while (atomic_load(&intake->refs) != refs && clock_mono_ms() < end_ms) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(&intake->refs), refs);
}

static void assert_field(const char *field)
{
    if (strstr(answer, field) == NULL) {
        fail_msg("no %s in %s", field, answer);
    }
}

/* The count of refusals for this reason, from the metrics page; source "": no source is known. */
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

static void a_stored_delivery_is_answered_with_its_id(void **state)
{
    int64_t accepted = metrics_total(METRIC_ACCEPTED);

    (void)state;
    for (int i = 0; i < 2; i++) {
        fake.from_another_thread = i == 1;
        result((struct intake_result){.status = ST_OK});
        ask(SIGNED, WITH, "{}");
        assert_answer(200, "{\"status\":\"accepted\",\"id\":\"" ID "\"}");
        assert_string_equal(fake.signature, "good");
        assert_string_equal(fake.suffix, "");
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

static void a_source_that_verifies_nothing_needs_no_header(void **state)
{
    (void)state;
    result((struct intake_result){.status = ST_OK});
    ask("POST /hooks/b", "", "x");
    assert_answer(200, "{\"status\":\"accepted\",\"id\":\"" ID "\"}");
}

static void a_missing_double_or_wrong_signature_is_401_in_the_same_words(void **state)
{
    long before = refused("unauthorized", "a");

    (void)state;
    ask(SIGNED, "", "{}");
    assert_answer(401, DENIED);
    ask(SIGNED, WITH WITH, "{}");
    assert_answer(401, DENIED);
    assert_int_equal(fake.submit_count, 0); /* the body was not read */
    result((struct intake_result){.status = ST_UNAUTHENTIC});
    ask(SIGNED, WITH, "{}");
    assert_answer(401, DENIED);
    assert_int_equal(refused("unauthorized", "a") - before, 3);
}

static void a_delivery_that_cannot_be_stored_is_503_with_retry_after(void **state)
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
    ask("POST /nowhere", WITH, "{}");
    assert_answer(404,
                  "{\"error\":\"not_found\",\"message\":\"nothing answers at this path\"}");
    ask("GET /metrics", "", "");
    assert_answer(404,
                  "{\"error\":\"not_found\",\"message\":\"nothing answers at this path\"}");
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        snprintf(line, sizeof(line), "%s /hooks/a", methods[i]);
        ask(line, WITH, "");
        assert_answer(405, strcmp(methods[i], "HEAD") == 0
                               ? ""
                               : "{\"error\":\"method_not_allowed\",\"message\":\"webhooks "
                                 "must be sent with POST\"}");
        assert_field("\r\nAllow: POST\r\n");
    }
    assert_int_equal(fake.submit_count, 0);
}

static void a_refusal_by_http_is_counted_for_the_source(void **state)
{
    long before = refused("too_large", "a");
    int fd = connect_client();

    (void)state;
    assert_true(send(fd, SIGNED " HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 57, 0) >
                0);
    read_all(fd);
    close(fd);
    assert_memory_equal(answer, "HTTP/1.1 413 ", 13);
    assert_int_equal(refused("too_large", "a") - before, 1);
}

static void health_is_answered_on_this_listener_too(void **state)
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
    assert_answer(405, "{\"error\":\"method_not_allowed\",\"message\":\"only GET and HEAD are "
                       "allowed here\"}");
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

static void the_end_of_the_path_reaches_the_intake_decoded(void **state)
{
    (void)state;
    result((struct intake_result){.status = ST_OK});
    ask("POST /hooks/b/new%20customer", "", "x");
    assert_answer(200, "{\"status\":\"accepted\",\"id\":\"" ID "\"}");
    assert_string_equal(fake.suffix, "new customer");
}

static void a_challenge_is_echoed_and_not_counted_as_accepted(void **state)
{
    int64_t accepted = metrics_total(METRIC_ACCEPTED);
    int64_t challenges = metrics_total(METRIC_CHALLENGES);

    (void)state;
    result((struct intake_result){.status = ST_OK, .challenge = SLICE("3e\"Z")});
    ask(SIGNED, WITH, "{}");
    assert_answer(200, "{\"challenge\":\"3e\\\"Z\"}");
    result((struct intake_result){.status = ST_OK, .challenge = SLICE("")});
    ask(SIGNED, WITH, "{}");
    assert_answer(200, "{\"challenge\":\"\"}");
    assert_int_equal(metrics_total(METRIC_ACCEPTED), accepted);
    assert_int_equal(metrics_total(METRIC_CHALLENGES) - challenges, 2);
}

/* --- reloads --- */

/* Half a request; returns when the handler has seen its head. */
static int send_half(void)
{
    static const char half[] = SIGNED " HTTP/1.1\r\nHost: x\r\n" WITH
                                      "Connection: close\r\nContent-Length: 2\r\n\r\n{";
    int refs = atomic_load(&old_intake.refs);
    int fd = connect_client();

    assert_int_equal(send(fd, half, sizeof(half) - 1, 0), sizeof(half) - 1);
    wait_refs(&old_intake, refs + 1);
    return fd;
}

static void after_a_reload_requests_are_judged_by_the_new_intake(void **state)
{
    (void)state;
    result((struct intake_result){.status = ST_OK});
    ask(SIGNED, WITH, "{}");
    assert_status(200);
    assert_ptr_equal(fake.submitted_to, &old_intake);
    ingress_reload(ingress, &new_intake);
    ask("POST /hooks/c", WITH, "{}");
    assert_status(200);
    assert_ptr_equal(fake.submitted_to, &new_intake);
    ask(SIGNED, WITH, "{}");
    assert_status(404);
    wait_refs(&old_intake, 0);
    wait_refs(&new_intake, 1);
}

static void a_request_whose_head_came_before_a_reload_is_judged_by_the_old_intake(void **state)
{
    int fd = send_half();

    (void)state;
    result((struct intake_result){.status = ST_OK});
    ingress_reload(ingress, &new_intake);
    ask("POST /hooks/c", WITH, "{}");
    assert_status(200);
    wait_refs(&old_intake, 1); /* the reference of the half request */
    assert_int_equal(send(fd, "}", 1, 0), 1);
    read_all(fd);
    close(fd);
    assert_answer(200, "{\"status\":\"accepted\",\"id\":\"" ID "\"}");
    assert_ptr_equal(fake.submitted_to, &old_intake);
    assert_string_equal(fake.body, "{}");
    wait_refs(&old_intake, 0);
}

static void a_request_that_the_old_intake_refuses_is_judged_by_the_new_one(void **state)
{
    int fd = send_half();

    (void)state;
    result((struct intake_result){.status = ST_OK});
    fake.refused_by = &old_intake;
    set_up_intake(&new_intake, renamed_sources, COUNT_OF(renamed_sources));
    ingress_reload(ingress, &new_intake);
    assert_int_equal(send(fd, "}", 1, 0), 1);
    read_all(fd);
    close(fd);
    assert_answer(200, "{\"status\":\"accepted\",\"id\":\"" ID "\"}");
    assert_ptr_equal(fake.submitted_to, &new_intake);
    assert_int_equal(fake.submit_count, 2);
    wait_refs(&old_intake, 0);
    wait_refs(&new_intake, 1);
}

static void a_request_that_neither_intake_accepts_is_401(void **state)
{
    long before = refused("unauthorized", "a");
    int fd = send_half();

    (void)state;
    result((struct intake_result){.status = ST_OK});
    fake.refused_by = &old_intake;
    ingress_reload(ingress, &new_intake);
    assert_int_equal(send(fd, "}", 1, 0), 1);
    read_all(fd);
    close(fd);
    assert_answer(401, DENIED);
    assert_int_equal(fake.submit_count, 1);
    assert_int_equal(refused("unauthorized", "a") - before, 1);
    wait_refs(&old_intake, 0);
}

static void a_reload_that_no_request_has_seen_is_replaced_by_the_next(void **state)
{
    (void)state;
    result((struct intake_result){.status = ST_OK});
    ingress_reload(ingress, &new_intake);
    ingress_reload(ingress, &newer_intake);
    assert_int_equal(atomic_load(&new_intake.refs), 0);
    ask("POST /hooks/c", WITH, "{}");
    assert_status(200);
    assert_ptr_equal(fake.submitted_to, &newer_intake);
    set_up_intake(&new_intake, new_sources, COUNT_OF(new_sources));
    ingress_reload(ingress, &new_intake);
    ingress_stop(ingress, 0); /* while the new intake has not been fetched */
    ingress = NULL;
    assert_int_equal(atomic_load(&newer_intake.refs), 0);
    assert_int_equal(atomic_load(&new_intake.refs), 0);
    assert_int_equal(atomic_load(&old_intake.refs), 0);
}

static void a_request_that_goes_away_releases_its_intake(void **state)
{
    static const char too_large[] =
        SIGNED " HTTP/1.1\r\nHost: x\r\n" WITH "Transfer-Encoding: chunked\r\n\r\n3e9\r\n";
    char bytes[1001] = {0};
    int fd = send_half();

    (void)state;
    close(fd);
    wait_refs(&old_intake, 1);

    fd = connect_client();
    assert_true(send(fd, too_large, sizeof(too_large) - 1, 0) > 0);
    assert_true(send(fd, bytes, sizeof(bytes), 0) > 0);
    assert_true(send(fd, "\r\n0\r\n\r\n", 7, 0) > 0);
    read_all(fd);
    close(fd);
    assert_status(413);
    wait_refs(&old_intake, 1);

    fd = send_half();
    ingress_stop(ingress, 0);
    ingress = NULL;
    close(fd);
    assert_int_equal(atomic_load(&old_intake.refs), 0);
    assert_int_equal(fake.submit_count, 0);
}

static void a_request_refused_at_its_head_keeps_no_intake(void **state)
{
    (void)state;
    ask("POST /nowhere", WITH, "{}");
    ask("GET /hooks/a", WITH, "");
    ask(SIGNED, "", "{}");
    ask("GET /healthz", "", "");
    ingress_stop(ingress, 0);
    ingress = NULL;
    assert_int_equal(atomic_load(&old_intake.refs), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stored_delivery_is_answered_with_its_id),
        TEST(a_source_that_verifies_nothing_needs_no_header),
        TEST(a_missing_double_or_wrong_signature_is_401_in_the_same_words),
        TEST(a_delivery_that_cannot_be_stored_is_503_with_retry_after),
        TEST(other_paths_and_methods_are_refused),
        TEST(a_refusal_by_http_is_counted_for_the_source),
        TEST(health_is_answered_on_this_listener_too),
        TEST(while_stopping_old_connections_are_answered_503),
        TEST(the_end_of_the_path_reaches_the_intake_decoded),
        TEST(a_challenge_is_echoed_and_not_counted_as_accepted),
        TEST(after_a_reload_requests_are_judged_by_the_new_intake),
        TEST(a_request_whose_head_came_before_a_reload_is_judged_by_the_old_intake),
        TEST(a_request_that_the_old_intake_refuses_is_judged_by_the_new_one),
        TEST(a_request_that_neither_intake_accepts_is_401),
        TEST(a_reload_that_no_request_has_seen_is_replaced_by_the_next),
        TEST(a_request_that_goes_away_releases_its_intake),
        TEST(a_request_refused_at_its_head_keeps_no_intake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
