#include "bridge/intake/ingress.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#include "bridge/health.h"
#include "bridge/metrics.h"

enum {
    LOG_EVERY_MS = 1000,
    RETRY_AFTER_FULL_S = 5, /* room comes with delivery, not by itself */
    ANSWER_SIZE = 96,
};

struct ingress {
    struct outbox *outbox;
    struct http_server *http;

    /* shared */
    _Atomic(struct intake *) next; /* handed over and not yet fetched; or NULL */
    _Atomic bool stopping;

    /* owned by the loop thread */
    struct intake *intake;
};

/* What a request takes with it. After the submit only source_index is looked at: the answer may
 * come after the intake and the ingress are gone. */
struct request_state {
    struct intake *intake; /* held from the head to the submit, or until the request is gone */
    const struct intake_source *source;
    struct slice suffix; /* in the request's path */
    unsigned source_index;
    unsigned secrets; /* of intake_check_head */
};
_Static_assert(sizeof(struct request_state) <= HTTP_STATE_SIZE,
               "the state is kept in the request");

/* Refusing */

/* Lines about requests cost an attacker nothing, so their number is bounded; what is left out
 * is counted. */
struct log_limit {
    _Atomic int64_t next_ms;
    _Atomic int64_t left_out;
};
static struct log_limit refusal_limits[REJECT_TIMEOUT + 1], challenge_limit;

static bool may_log(struct log_limit *limit, int64_t *out_left_out)
{
    int64_t now_ms = clock_mono_ms();
    int64_t next_ms = atomic_load(&limit->next_ms);

    if (now_ms < next_ms ||
        !atomic_compare_exchange_strong(&limit->next_ms, &next_ms, now_ms + LOG_EVERY_MS)) {
        atomic_fetch_add(&limit->left_out, 1);
        return false;
    }
    *out_left_out = atomic_exchange(&limit->left_out, 0);
    return true;
}

/* why: NULL if there is no more to say. */
static void log_refusal(enum reject reason, const char *source_name, const char *peer,
                        const char *why)
{
    int64_t left_out;

    if (may_log(&refusal_limits[reason], &left_out)) {
        log_warn("webhook refused", L_STR("reason", reject_code(reason)),
                 L_STR("source", source_name), L_STR("peer", peer), L_STR("why", why),
                 L_INT("left_out", left_out));
    }
}

static const char *source_name_of(const struct request_state *state)
{
    return metrics_source_name(state->source_index);
}

static void refuse(struct http_request *request, enum reject reason, const char *message,
                   const char *allow)
{
    const struct request_state *state = http_request_state(request);
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer = http_error(reason, message, text);

    answer.allow = allow;
    metrics_reject(reason, state->source_index);
    log_debug("request refused", L_STR("reason", reject_code(reason)),
              L_STR("source", source_name_of(state)));
    http_answer(request, &answer);
}

/* Loop thread. The same words whatever is wrong with the signature: which part of it is not the
 * sender's business, but the operator's. */
static void refuse_unauthentic(struct http_request *request, const struct err *why)
{
    const struct request_state *state = http_request_state(request);
    char peer[HTTP_PEER_SIZE];

    http_peer(request, peer);
    log_refusal(REJECT_UNAUTHENTIC, source_name_of(state), peer, why->text);
    refuse(request, REJECT_UNAUTHENTIC, "the signature is missing or wrong", NULL);
}

/* Any thread. */
static void refuse_unavailable(struct http_request *request, enum status why)
{
    const struct request_state *state = http_request_state(request);
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer = http_error(REJECT_UNAVAILABLE, status_text(why), text);

    if (why == ST_FULL) {
        answer.retry_after_s = RETRY_AFTER_FULL_S;
    }
    metrics_reject(REJECT_UNAVAILABLE, state->source_index);
    log_refusal(REJECT_UNAVAILABLE, source_name_of(state), NULL, status_text(why));
    http_answer(request, &answer);
}

/* Answering */

static void answer_quarantined(struct http_request *request, const struct intake_result *result)
{
    const struct request_state *state = http_request_state(request);
    char id[UUID_TEXT_SIZE];
    struct buf text = {0};

    uuid_format(result->id, id);
    buf_addf(&text, "{\"status\":\"quarantined\",\"id\":\"%s\",\"reason\":", id);
    json_add_string(&text, result->reason.data == NULL ? SLICE("") : result->reason);
    buf_add_char(&text, '}');
    if (result->duplicate) { /* it lies with the dead letters already */
        metrics_count(METRIC_DUPLICATES, state->source_index);
    } else {
        metrics_count(METRIC_QUARANTINED, state->source_index);
        log_warn("webhook quarantined", L_UUID("id", result->id),
                 L_STR("source", source_name_of(state)), L_SLICE("reason", result->reason));
    }
    http_answer(request, &(struct http_answer){.status = 202, .body = buf_slice(&text)});
    buf_free(&text);
}

static void answer_stored(struct http_request *request, const struct intake_result *result)
{
    const struct request_state *state = http_request_state(request);
    const char *word = result->duplicate ? "duplicate" : "accepted";
    char id[UUID_TEXT_SIZE];
    char text[ANSWER_SIZE];
    int len;

    uuid_format(result->id, id);
    len = snprintf(text, sizeof(text), "{\"status\":\"%s\",\"id\":\"%s\"}", word, id);
    CHECK(len > 0 && len < ANSWER_SIZE);
    metrics_count(result->duplicate ? METRIC_DUPLICATES : METRIC_ACCEPTED, state->source_index);
    log_debug(result->duplicate ? "webhook is a duplicate" : "webhook accepted",
              L_UUID("id", result->id), L_STR("source", source_name_of(state)));
    http_answer(request, &(struct http_answer){.status = 200, .body = {text, (size_t)len}});
}

/* Whoever registers this path at the provider sees in the log that the provider has asked. */
static void answer_challenge(struct http_request *request, struct slice challenge)
{
    const struct request_state *state = http_request_state(request);
    struct buf text = {0};
    int64_t left_out;

    buf_add_str(&text, "{\"challenge\":");
    json_add_string(&text, challenge);
    buf_add_char(&text, '}');
    metrics_count(METRIC_CHALLENGES, state->source_index);
    if (may_log(&challenge_limit, &left_out)) {
        log_info("challenge answered", L_STR("source", source_name_of(state)),
                 L_INT("left_out", left_out));
    }
    http_answer(request, &(struct http_answer){.status = 200, .body = buf_slice(&text)});
    buf_free(&text);
}

/* The committer thread; or the loop thread, when the intake or the outbox would not take it. */
static void on_stored(void *ctx, const struct intake_result *result)
{
    struct http_request *request = ctx;

    if (result->status != ST_OK) {
        refuse_unavailable(request, result->status);
    } else if (result->challenge.data != NULL) {
        answer_challenge(request, result->challenge);
    } else if (result->quarantined) {
        answer_quarantined(request, result);
    } else {
        answer_stored(request, result);
    }
}

/* The steps of a request */

static struct intake *newest_intake(struct ingress *ingress)
{
    struct intake *next = atomic_exchange(&ingress->next, NULL);

    if (next != NULL) {
        intake_drop(ingress->intake);
        ingress->intake = next;
    }
    return ingress->intake;
}

static size_t find_header(void *ctx, const char *name, struct slice *out_value)
{
    return http_header(ctx, name, out_value);
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

/* False: it has been answered. */
static bool find_source(struct ingress *ingress, struct http_request *request)
{
    struct request_state *state = http_request_state(request);

    state->source = intake_find(newest_intake(ingress), http_path(request), &state->suffix);
    if (state->source == NULL) {
        refuse(request, REJECT_NOT_FOUND, "nothing answers at this path", NULL);
        return false;
    }
    state->source_index = intake_source_index(state->source);
    metrics_count(METRIC_RECEIVED, state->source_index);
    return true;
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
        refuse(request, REJECT_METHOD, "a webhook is a POST", "POST");
    } else if (atomic_load(&ingress->stopping)) {
        refuse_unavailable(request, ST_CLOSED);
    } else if (check_head(request, &why) != ST_OK) {
        refuse_unauthentic(request, &why);
    } else {
        state->intake = intake_hold(ingress->intake);
    }
}

/* The request may be gone once this has returned ST_OK. */
static enum status submit(struct intake *intake, struct http_request *request, struct err *why)
{
    const struct request_state *state = http_request_state(request);
    struct delivery delivery = delivery_of(request);

    delivery.body = http_body(request);
    return intake_submit(intake, state->source, &delivery, on_stored, request, why);
}

/* A sender that changes its secret in the same moment as we do is right by one of the two. */
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
        refuse_unauthentic(request, &why);
    }
    intake_drop(intake);
}

static void gone(void *ctx, struct http_request *request)
{
    const struct request_state *state = http_request_state(request);

    (void)ctx;
    intake_drop(state->intake);
}

static void refused(void *ctx, unsigned status)
{
    enum reject reason = reject_of_status(status);

    (void)ctx;
    metrics_reject(reason, METRICS_NO_SOURCE);
    log_debug("request refused", L_STR("reason", reject_code(reason)));
}

static void connection_changed(void *ctx, int change)
{
    (void)ctx;
    metrics_add(METRIC_CONNECTIONS, change);
}

/* Starting and stopping */

static unsigned connections_each(const struct config *config)
{
    return (unsigned)((config->ingress.max_connections + config->ingress.threads - 1) /
                      config->ingress.threads);
}

enum status ingress_start(struct config *config, struct outbox *outbox, const int *listen_fds,
                          size_t listen_count, struct ingress **out_ingress, struct err *err)
{
    struct ingress *ingress = xalloc(sizeof(*ingress));
    struct http_options options = {
        .name = "ingress",
        .listen_fds = listen_fds,
        .listen_count = listen_count,
        .handler = {.head = head_complete,
                    .body = body_complete,
                    .gone = gone,
                    .refused = refused,
                    .connection = connection_changed,
                    .ctx = ingress},
        .max_body_bytes = (size_t)config->ingress.max_body,
        .max_connections = connections_each(config),
        .request_timeout_ms = config->ingress.request_timeout_ms,
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
