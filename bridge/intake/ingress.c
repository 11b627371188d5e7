/*
 * Webhooks over HTTP, step by step:
 *
 * - head: find the source for the path; refuse a wrong path or method, a body that is too large or
 *   encoded, or a missing signature
 * - body: submit the delivery to the intake that judged its head. If that finds it not authentic
 *   and a reload has brought a newer intake, submit it to the newer one
 * - stored: answer, on the committer thread
 *
 * The answer may come after the intake is freed, so it uses only the request's own state. If the
 * client goes away before its body is complete, the request's reference to the intake is dropped.
 * If the outbox does not take the event, the answer is 503.
 *
 * What http refuses by itself is counted and logged here, for the source at its path.
 */
#include "bridge/intake/ingress.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/health.h"
#include "bridge/intake/internal.h"
#include "bridge/metrics.h"

enum { MAX_ENCODINGS = 8 }; /* Content-Encoding fields; nobody sends more than one */

struct ingress {
    struct outbox *outbox;
    struct http_server *http;

    /* shared */
    _Atomic(struct intake *) next; /* from a reload, not fetched yet; or NULL */
    _Atomic bool stopping;

    /* owned by the loop thread */
    struct intake *intake;
};

/* Handoff B, from the outbox (outbox/commit.c) through intake.c on_stored to http/answer.c, which
 * takes the answer back to the loop. Committer thread; or loop thread, for a challenge or an event
 * that the outbox did not take. */
static void on_stored(void *ctx, const struct intake_result *result)
{
    struct http_request *request = ctx;

    if (result->status != ST_OK) {
        ingress_refuse_unavailable(request, result->status);
    } else if (result->challenge.data != NULL) {
        ingress_answer_challenge(request, result->challenge);
    } else if (result->quarantined) {
        ingress_answer_quarantined(request, result);
    } else {
        ingress_answer_stored(request, result);
    }
}

/* --- the steps of a request --- */

static struct intake *newest_intake(struct ingress *ingress)
{
    struct intake *next = atomic_exchange(&ingress->next, NULL);

    if (next != NULL) {
        intake_drop(ingress->intake);
        ingress->intake = next;
    }
    return ingress->intake;
}

static size_t find_header(void *ctx, const char *name, struct slice *out_values, size_t room)
{
    return http_header(ctx, name, out_values, room);
}

static struct delivery delivery_of(struct http_request *request)
{
    const struct request_state *state = http_request_state(request);

    return (struct delivery){.suffix = state->suffix,
                             .received_ms = clock_unix_ms(),
                             .secrets = state->secrets,
                             .header = find_header,
                             .ctx = request};
}

static void note_source(struct request_state *state, const struct intake_source *source)
{
    state->source_index = intake_source_index(source);
    metrics_count(METRIC_RECEIVED, state->source_index);
}

/* False: there is none, and the request has been answered. */
static bool find_source(struct ingress *ingress, struct http_request *request)
{
    struct request_state *state = http_request_state(request);

    state->source = intake_find(newest_intake(ingress), http_path(request), &state->suffix);
    if (state->source == NULL) {
        ingress_refuse_not_found(request, ingress->intake);
        return false;
    }
    note_source(state, state->source);
    return true;
}

/* A list (RFC 9110 section 5.6.1), whose empty items do not count. */
static bool lists_only(struct slice value, struct slice word)
{
    while (value.data != NULL) {
        struct slice item = slice_trim(slice_take_until(&value, ','), " \t");

        if (item.len > 0 && !slice_equal_nocase(item, word)) {
            return false;
        }
    }
    return true;
}

/* What is published, and what the signature covers, is the body as it came. So one that had to be
 * decoded to be read could not be taken. */
static bool is_encoded(const struct http_request *request)
{
    struct slice values[MAX_ENCODINGS];
    size_t count = http_header(request, "Content-Encoding", values, MAX_ENCODINGS);
    bool identity = count <= MAX_ENCODINGS;

    for (size_t i = 0; i < count && identity; i++) {
        identity = lists_only(values[i], SLICE("identity"));
    }
    return !identity;
}

static enum status check_head(struct http_request *request, struct err *why)
{
    struct request_state *state = http_request_state(request);
    struct delivery head = delivery_of(request);

    return intake_check_head(state->source, &head, &state->secrets, why);
}

static void head_complete(void *ctx, struct http_request *request)
{
    struct ingress *ingress = ctx;
    struct request_state *state = http_request_state(request);
    struct err why;

    if (health_answer(request, ingress->outbox) || !find_source(ingress, request)) {
        return;
    }
    if (!slice_equal(http_method(request), SLICE("POST"))) {
        ingress_refuse(request, REJECT_METHOD, "webhooks must be sent with POST", "POST");
    } else if (atomic_load(&ingress->stopping)) {
        ingress_refuse_unavailable(request, ST_CLOSED);
    } else if (http_body_bytes(request) > intake_max_body(state->source)) {
        ingress_refuse(request, REJECT_TOO_LARGE, "the body is too large", NULL);
    } else if (is_encoded(request)) {
        ingress_refuse_encoding(request);
    } else if (check_head(request, &why) != ST_OK) {
        ingress_refuse_unauthentic(request, &why);
    } else {
        http_limit_body(request, intake_max_body(state->source));
        state->intake = intake_hold(ingress->intake);
    }
}

/* After ST_OK the request may be answered already: do not use it. */
static enum status submit(struct intake *intake, struct http_request *request, struct err *why)
{
    const struct request_state *state = http_request_state(request);
    struct delivery delivery = delivery_of(request);

    delivery.body = http_body(request);
    return intake_submit(intake, state->source, &delivery, on_stored, request, why);
}

/* If the sender changed its secret at the same moment as we did, one of the two intakes verifies
 * the delivery. */
static enum status submit_to_newest(struct ingress *ingress, struct http_request *request,
                                    struct err *why)
{
    struct intake *newest = newest_intake(ingress);
    struct request_state *state = http_request_state(request);
    const struct intake_source *source;

    if (newest == state->intake) {
        return ST_UNAUTHENTIC;
    }
    source = intake_find(newest, http_path(request), &state->suffix);
    if (source == NULL) {
        return ST_UNAUTHENTIC;
    }
    state->source = source;
    state->source_index = intake_source_index(source);
    if (check_head(request, why) != ST_OK) {
        return ST_UNAUTHENTIC;
    }
    return submit(newest, request, why);
}

static void body_complete(void *ctx, struct http_request *request)
{
    const struct request_state *state = http_request_state(request);
    struct intake *intake = state->intake;
    struct err why;
    enum status st = submit(intake, request, &why);

    if (st == ST_UNAUTHENTIC) {
        st = submit_to_newest(ctx, request, &why);
    }
    if (st == ST_UNAUTHENTIC) {
        ingress_refuse_unauthentic(request, &why);
    }
    intake_drop(intake);
}

static void gone(void *ctx, struct http_request *request)
{
    const struct request_state *state = http_request_state(request);

    (void)ctx;
    intake_drop(state->intake);
}

/* The path may be known, though the handler has not seen the request. */
static void refused(void *ctx, struct http_request *request, enum reject reason,
                    const char *why)
{
    struct request_state *state = http_request_state(request);
    const struct intake_source *source;
    struct slice suffix;

    if (state->source_index == METRICS_NO_SOURCE) {
        source = intake_find(newest_intake(ctx), http_path(request), &suffix);
        if (source != NULL) {
            note_source(state, source);
        }
    }
    ingress_note_refusal(request, reason, why);
}

static void connection_changed(void *ctx, int change)
{
    (void)ctx;
    metrics_add(METRIC_CONNECTIONS, change);
}

/* --- start and stop --- */

static unsigned connections_each(const struct config *config)
{
    return (unsigned)((config->ingress.max_connections + config->ingress.threads - 1) /
                      config->ingress.threads);
}

/* Room for four of the largest bodies, or for a thousand usual ones and more. */
static size_t held_bytes(const struct config *config)
{
    size_t most = CONFIG_MAX_BODY_BYTES;

    for (size_t i = 0; i < config->source_count; i++) {
        size_t four = 4 * (size_t)config->sources[i].max_body;

        most = four > most ? four : most;
    }
    return most;
}

enum status ingress_start(struct config *config, struct outbox *outbox, const int *listen_fds,
                          size_t listen_count, struct tls *tls, struct ingress **out_ingress,
                          struct err *err)
{
    struct ingress *ingress = xalloc(sizeof(*ingress));
    struct http_options options = {
        .name = "ingress",
        .listen_fds = listen_fds,
        .listen_count = listen_count,
        .tls = tls,
        .handler = {.head = head_complete,
                    .body = body_complete,
                    .gone = gone,
                    .refused = refused,
                    .connection = connection_changed,
                    .ctx = ingress},
        /* Each source has its own limit, which a reload may change. */
        .max_body_bytes = CONFIG_MAX_BODY_BYTES,
        .max_held_bytes = held_bytes(config),
        .max_connections = connections_each(config),
        .request_timeout_ms = config->ingress.request_timeout_ms,
        .keep_alive_ms = config->ingress.keep_alive_ms,
    };
    enum status st;

    ingress->outbox = outbox;
    st = intake_create(config, outbox, &ingress->intake, err);
    if (st == ST_OK) {
        st = http_start(&options, &ingress->http, err);
    }
    if (st != ST_OK) {
        ingress_stop(ingress, 0);
        return st;
    }
    *out_ingress = ingress;
    return ST_OK;
}

void ingress_reload(struct ingress *ingress, struct intake *intake)
{
    intake_drop(atomic_exchange(&ingress->next, intake));
}

void ingress_quiesce(struct ingress *ingress)
{
    atomic_store(&ingress->stopping, true);
    http_quiesce(ingress->http);
}

void ingress_stop(struct ingress *ingress, int64_t timeout_ms)
{
    if (ingress == NULL) {
        return;
    }
    http_stop(ingress->http, timeout_ms);
    intake_drop(ingress->intake);
    intake_drop(atomic_load(&ingress->next));
    free(ingress);
}

const struct heartbeat *ingress_heartbeat(const struct ingress *ingress)
{
    return http_heartbeat(ingress->http);
}
