/*
 * Answers to webhooks: each is counted, logged and given to http. None of this can fail.
 *
 * A refusal tells the sender nothing that would help an attacker; the reason goes to the log. The
 * log takes at most one line a second for each reason, and the next line has the number of those
 * left out: requests are free for a sender, and must not fill our disk.
 */
#include "bridge/intake/internal.h"

#include <stdio.h>

#include "common/json.h"
#include "common/log.h"

#include "bridge/metrics.h"

enum {
    RETRY_AFTER_FULL_S = 5, /* room comes only with deliveries to the broker */
    ANSWER_SIZE = 96,
};

static struct log_limit refusal_limits[REJECT_COUNT], challenge_limit;

/* --- refusals --- */

/* peer, why: NULL leaves the field out. */
static void log_refusal(enum reject reason, const char *source_name, const char *peer,
                        const char *why)
{
    int64_t left_out;

    if (log_allows(&refusal_limits[reason], &left_out)) {
        log_warn("webhook refused", L_STR("reason", reject_code(reason)),
                 L_STR("source", source_name), L_STR("peer", peer), L_STR("why", why),
                 L_INT("left_out", left_out));
    }
}

static const char *source_name_of(const struct request_state *state)
{
    return metrics_source_name(state->source_index);
}

void ingress_refuse(struct http_request *request, enum reject reason, const char *message,
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

void ingress_refuse_unauthentic(struct http_request *request, const struct err *why)
{
    const struct request_state *state = http_request_state(request);
    char peer[HTTP_PEER_SIZE];

    http_peer(request, peer);
    log_refusal(REJECT_UNAUTHENTIC, source_name_of(state), peer, why->text);
    ingress_refuse(request, REJECT_UNAUTHENTIC, "the signature is missing or wrong", NULL);
}

void ingress_refuse_unavailable(struct http_request *request, enum status why)
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

/* --- accepted, duplicate, quarantined, challenge --- */

void ingress_answer_quarantined(struct http_request *request,
                                const struct intake_result *result)
{
    const struct request_state *state = http_request_state(request);
    char id[UUID_TEXT_SIZE];
    struct buf text = {0};

    uuid_format(result->id, id);
    buf_addf(&text, "{\"status\":\"quarantined\",\"id\":\"%s\",\"reason\":", id);
    json_add_string(&text, result->reason.data == NULL ? SLICE("") : result->reason);
    buf_add_char(&text, '}');
    if (result->duplicate) { /* already among the dead letters */
        metrics_count(METRIC_DUPLICATES, state->source_index);
    } else {
        metrics_count(METRIC_QUARANTINED, state->source_index);
        log_warn("webhook quarantined", L_UUID("id", result->id),
                 L_STR("source", source_name_of(state)), L_SLICE("reason", result->reason));
    }
    http_answer(request, &(struct http_answer){.status = 202, .body = buf_slice(&text)});
    buf_free(&text);
}

void ingress_answer_stored(struct http_request *request, const struct intake_result *result)
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

void ingress_answer_challenge(struct http_request *request, struct slice challenge)
{
    const struct request_state *state = http_request_state(request);
    struct buf text = {0};
    int64_t left_out;

    buf_add_str(&text, "{\"challenge\":");
    json_add_string(&text, challenge);
    buf_add_char(&text, '}');
    metrics_count(METRIC_CHALLENGES, state->source_index);
    if (log_allows(&challenge_limit, &left_out)) {
        log_info("challenge answered", L_STR("source", source_name_of(state)),
                 L_INT("left_out", left_out));
    }
    http_answer(request, &(struct http_answer){.status = 200, .body = buf_slice(&text)});
    buf_free(&text);
}
