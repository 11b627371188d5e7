/*
 * Answers to webhooks: each is counted, logged and given to http. None of this can fail.
 *
 * A refusal tells the sender nothing that would help an attacker; the reason goes to the log. The
 * log takes at most one line a second for each source and reason, and the next line has the number
 * of those left out: requests are free for a sender, and must not fill our disk.
 */
#include "bridge/intake/internal.h"

#include <stdio.h>

#include "common/json.h"
#include "common/log.h"
#include "common/nearest.h"

#include "bridge/metrics.h"

enum {
    RETRY_AFTER_FULL_S = 5, /* room comes only with deliveries to the broker */
    ANSWER_SIZE = 96,
};

/* By the sources' indexes for metrics: a name keeps its own. */
static struct log_limit refusal_limits[METRICS_MAX_SOURCES][REJECT_COUNT];
static struct log_limit challenge_limit;

/* --- refusals --- */

static const char *source_name_of(const struct request_state *state)
{
    return metrics_source_name(state->source_index);
}

/* Counts it. True if a line may be written, with *out_left_out. */
static bool count_refusal(struct http_request *request, enum reject reason,
                          int64_t *out_left_out)
{
    const struct request_state *state = http_request_state(request);

    metrics_reject(reason, state->source_index);
    return log_allows(&refusal_limits[state->source_index][reason], LOG_SECOND_MS,
                      out_left_out);
}

static void log_refusal(struct http_request *request, enum reject reason, const char *why,
                        int64_t left_out)
{
    struct slice path = http_path(request);
    char peer[HTTP_PEER_SIZE];

    http_peer(request, peer);
    log_warn("webhook refused", L_STR("reason", reject_code(reason)),
             L_STR("source", source_name_of(http_request_state(request))), L_STR("peer", peer),
             L_SLICE("path", path.len > 0 ? path : SLICE_NONE),
             L_INT("size", http_body_bytes(request)), L_STR("why", why),
             L_INT("left_out", left_out));
}

void ingress_note_refusal(struct http_request *request, enum reject reason, const char *why)
{
    int64_t left_out;

    if (count_refusal(request, reason, &left_out)) {
        log_refusal(request, reason, why, left_out);
    }
}

static void answer_refusal(struct http_request *request, enum reject reason,
                           const char *message, const char *allow)
{
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer = http_error(reason, message, text);

    answer.allow = allow;
    http_answer(request, &answer);
}

void ingress_refuse(struct http_request *request, enum reject reason, const char *message,
                    const char *allow)
{
    ingress_note_refusal(request, reason, message);
    answer_refusal(request, reason, message, allow);
}

/* RFC 9110 section 15.5.16: the header says which encodings would be right. */
void ingress_refuse_encoding(struct http_request *request)
{
    static const char message[] = "the body must come without a Content-Encoding";
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer = http_error(REJECT_MEDIA_TYPE, message, text);

    answer.encoding = "identity";
    ingress_note_refusal(request, REJECT_MEDIA_TYPE, message);
    http_answer(request, &answer);
}

void ingress_refuse_not_found(struct http_request *request, const struct intake *intake)
{
    int64_t left_out;

    if (count_refusal(request, REJECT_NOT_FOUND, &left_out)) {
        char question[NEAREST_TEXT_SIZE], why[NEAREST_TEXT_SIZE + 32];

        intake_suggest_path(intake, http_path(request), question);
        (void)snprintf(why, sizeof(why), "no source has this path%s", question);
        log_refusal(request, REJECT_NOT_FOUND, why, left_out);
    }
    answer_refusal(request, REJECT_NOT_FOUND, "nothing answers at this path", NULL);
}

void ingress_refuse_unauthentic(struct http_request *request, const struct err *why)
{
    ingress_note_refusal(request, REJECT_UNAUTHENTIC, why->text);
    answer_refusal(request, REJECT_UNAUTHENTIC, "the signature is missing or wrong", NULL);
}

void ingress_refuse_unavailable(struct http_request *request, enum status why)
{
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer = http_error(REJECT_UNAVAILABLE, status_text(why), text);

    if (why == ST_FULL || why == ST_BUSY) {
        answer.retry_after_s = RETRY_AFTER_FULL_S;
    }
    ingress_note_refusal(request, REJECT_UNAVAILABLE, status_text(why));
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
    if (log_allows(&challenge_limit, LOG_SECOND_MS, &left_out)) {
        log_info("challenge answered", L_STR("source", source_name_of(state)),
                 L_INT("left_out", left_out));
    }
    http_answer(request, &(struct http_answer){.status = 200, .body = buf_slice(&text)});
    buf_free(&text);
}
