#include "bridge/ingress.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#include "bridge/admin.h"
#include "bridge/intake.h"
#include "bridge/metrics.h"

enum {
    LOG_EVERY_MS = 1000,
    RETRY_AFTER_FULL_S = 5, /* room comes with delivery, not by itself */
    ANSWER_SIZE = 96,
};

struct ingress {
    struct outbox *outbox;
    struct intake *intake;
    struct http_server *http;
    /* By intake_source_index; the configuration's. */
    const char *source_names[METRICS_MAX_SOURCES];
    _Atomic bool stopping;
};

/* What a request takes with it. Nothing in it belongs to the ingress but `source`, which only
 * the loop thread follows: the answer may come after the ingress is gone. */
struct delivery {
    const struct intake_source *source;
    unsigned source_index;
    const char *source_name;
};
_Static_assert(sizeof(struct delivery) <= HTTP_TICKET_SIZE,
               "a delivery is kept in the request");

/* Refusing */

/* Lines about refusals cost an attacker nothing, so their number is bounded; what is left out
 * is counted. */
static struct {
    _Atomic int64_t next_ms;
    _Atomic int64_t left_out;
} quiet[REJECT_TIMEOUT + 1];

static void log_refusal(enum reject reason, const char *source_name, const char *peer)
{
    int64_t now_ms = clock_mono_ms();
    int64_t next_ms = atomic_load(&quiet[reason].next_ms);

    if (now_ms < next_ms || !atomic_compare_exchange_strong(&quiet[reason].next_ms, &next_ms,
                                                            now_ms + LOG_EVERY_MS)) {
        atomic_fetch_add(&quiet[reason].left_out, 1);
        return;
    }
    log_warn("webhook refused", L_STR("reason", reject_code(reason)),
             L_STR("source", source_name), L_STR("peer", peer),
             L_INT("left_out", atomic_exchange(&quiet[reason].left_out, 0)));
}

static void refuse(struct http_request *request, enum reject reason, const char *message,
                   const char *allow)
{
    const struct delivery *delivery = http_ticket(request);
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer = http_error(reason, message, text);

    answer.allow = allow;
    metrics_reject(reason, delivery->source_index);
    log_debug("request refused", L_STR("reason", reject_code(reason)),
              L_STR("source", delivery->source_name));
    http_answer(request, &answer);
}

/* Loop thread. The same words whatever is wrong with the signature: which part of it is not the
 * sender's business. */
static void refuse_unauthentic(struct http_request *request)
{
    const struct delivery *delivery = http_ticket(request);
    char peer[HTTP_PEER_SIZE];

    http_peer(request, peer);
    log_refusal(REJECT_UNAUTHENTIC, delivery->source_name, peer);
    refuse(request, REJECT_UNAUTHENTIC, "the signature is missing or wrong", NULL);
}

/* Any thread. */
static void refuse_unavailable(struct http_request *request, enum status why)
{
    const struct delivery *delivery = http_ticket(request);
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer = http_error(REJECT_UNAVAILABLE, status_text(why), text);

    if (why == ST_FULL) {
        answer.retry_after_s = RETRY_AFTER_FULL_S;
    }
    metrics_reject(REJECT_UNAVAILABLE, delivery->source_index);
    log_refusal(REJECT_UNAVAILABLE, delivery->source_name, NULL);
    http_answer(request, &answer);
}

/* Answering */

static void answer_quarantined(struct http_request *request, const struct intake_result *result)
{
    const struct delivery *delivery = http_ticket(request);
    char id[UUID_TEXT_SIZE];
    struct buf text = {0};

    uuid_format(result->id, id);
    buf_addf(&text, "{\"status\":\"quarantined\",\"id\":\"%s\",\"reason\":", id);
    json_add_string(&text, result->reason.data == NULL ? SLICE("") : result->reason);
    buf_add_char(&text, '}');
    if (result->duplicate) { /* it lies with the dead letters already */
        metrics_count(METRIC_DUPLICATES, delivery->source_index);
    } else {
        metrics_count(METRIC_QUARANTINED, delivery->source_index);
        log_warn("webhook quarantined", L_UUID("id", result->id),
                 L_STR("source", delivery->source_name), L_SLICE("reason", result->reason));
    }
    http_answer(request, &(struct http_answer){.status = 202, .body = buf_slice(&text)});
    buf_free(&text);
}

static void answer_stored(struct http_request *request, const struct intake_result *result)
{
    const struct delivery *delivery = http_ticket(request);
    const char *word = result->duplicate ? "duplicate" : "accepted";
    char id[UUID_TEXT_SIZE];
    char text[ANSWER_SIZE];
    int len;

    uuid_format(result->id, id);
    len = snprintf(text, sizeof(text), "{\"status\":\"%s\",\"id\":\"%s\"}", word, id);
    CHECK(len > 0 && len < ANSWER_SIZE);
    metrics_count(result->duplicate ? METRIC_DUPLICATES : METRIC_ACCEPTED,
                  delivery->source_index);
    log_debug(result->duplicate ? "webhook is a duplicate" : "webhook accepted",
              L_UUID("id", result->id), L_STR("source", delivery->source_name));
    http_answer(request, &(struct http_answer){.status = 200, .body = {text, (size_t)len}});
}

/* The committer thread; or the loop thread, when the intake or the outbox would not take it. */
static void delivered(void *ctx, const struct intake_result *result)
{
    struct http_request *request = ctx;

    if (result->status == ST_UNAUTHENTIC) {
        refuse_unauthentic(request);
    } else if (result->status != ST_OK) {
        refuse_unavailable(request, result->status);
    } else if (result->quarantined) {
        answer_quarantined(request, result);
    } else {
        answer_stored(request, result);
    }
}

/* The two steps of a request */

/* False: it has been answered. */
static bool find_source(const struct ingress *ingress, struct http_request *request)
{
    struct delivery *delivery = http_ticket(request);

    delivery->source = intake_find(ingress->intake, http_path(request));
    if (delivery->source == NULL) {
        refuse(request, REJECT_NOT_FOUND, "nothing answers at this path", NULL);
        return false;
    }
    delivery->source_index = intake_source_index(delivery->source);
    delivery->source_name = ingress->source_names[delivery->source_index];
    metrics_count(METRIC_RECEIVED, delivery->source_index);
    return true;
}

static bool has_one_signature(struct http_request *request)
{
    const struct delivery *delivery = http_ticket(request);
    const char *name = intake_signature_header(delivery->source);
    struct slice value;

    return name == NULL || http_header(request, name, &value) == 1;
}

static void head_complete(void *ctx, struct http_request *request)
{
    struct ingress *ingress = ctx;

    if (admin_answer_health(request, ingress->outbox) || !find_source(ingress, request)) {
        return;
    }
    if (!slice_equal(http_method(request), SLICE("POST"))) {
        refuse(request, REJECT_METHOD, "a webhook is a POST", "POST");
    } else if (atomic_load(&ingress->stopping)) {
        refuse_unavailable(request, ST_CLOSED);
    } else if (!has_one_signature(request)) {
        refuse_unauthentic(request);
    }
}

static void body_complete(void *ctx, struct http_request *request)
{
    struct ingress *ingress = ctx;
    const struct delivery *delivery = http_ticket(request);
    const char *name = intake_signature_header(delivery->source);
    struct intake_delivery given = {.body = http_body(request), .received_ms = clock_unix_ms()};

    if (name != NULL) {
        (void)http_header(request, name, &given.signature); /* there once: see head_complete */
    }
    intake_submit(ingress->intake, delivery->source, &given, delivered, request);
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

static void name_sources(struct ingress *ingress, const struct config *config)
{
    for (size_t i = 0; i < config->source_count; i++) {
        unsigned index = metrics_source(config->sources[i].name);

        if (index != METRICS_NO_SOURCE) {
            ingress->source_names[index] = config->sources[i].name;
        }
    }
}

static unsigned connections_each(const struct config *config)
{
    return (unsigned)((config->ingress.max_connections + config->ingress.threads - 1) /
                      config->ingress.threads);
}

enum status ingress_start(const struct config *config, struct outbox *outbox,
                          const int *listen_fds, size_t listen_count,
                          struct ingress **out_ingress, struct err *err)
{
    struct ingress *ingress = xalloc(sizeof(*ingress));
    struct http_options options = {
        .name = "ingress",
        .listen_fds = listen_fds,
        .listen_count = listen_count,
        .handler = {.head = head_complete,
                    .body = body_complete,
                    .refused = refused,
                    .connection = connection_changed,
                    .ctx = ingress},
        .max_body_bytes = (size_t)config->ingress.max_body,
        .max_connections = connections_each(config),
        .request_timeout_ms = config->ingress.request_timeout_ms,
    };
    enum status st;

    ingress->outbox = outbox;
    name_sources(ingress, config);
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
    intake_destroy(ingress->intake);
    free(ingress);
}

const struct beat *ingress_beat(const struct ingress *ingress)
{
    return http_beat(ingress->http);
}
