/*
 * The good path of intake_submit:
 *
 * - verify: check the signature over the raw bytes, before anything reads the body
 * - read: parse the delivery, make its topics and its identity
 * - submit: give a copy to the outbox, with a waiter; the outbox answers when it is on disk
 *
 * Not authentic: nothing happens, and the caller answers. A challenge: answered at once with the
 * text it asks for. Authentic, but no event: takes the same way with a reason in place of a topic,
 * which makes it a dead letter. Not taken by the outbox: answered at once with the status.
 */
#include "bridge/intake/internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#include "bridge/metrics.h"

static void intake_destroy(struct intake *intake)
{
    for (size_t i = 0; i < intake->source_count; i++) {
        intake_source_fini(&intake->sources[i]);
    }
    free(intake->sources);
    digester_destroy(intake->digester);
    buf_free(&intake->topic);
    buf_free(&intake->state_topic);
    config_destroy(intake->config);
    free(intake);
}

enum status intake_create(struct config *config, struct outbox *outbox,
                          struct intake **out_intake, struct err *err)
{
    struct intake *intake = xalloc(sizeof(*intake));
    enum status st = ST_OK;

    intake->config = config_hold(config);
    intake->outbox = outbox;
    intake->refs = 1;
    intake->digester = digester_create();
    intake->sources = xalloc((config->source_count + 1) * sizeof(intake->sources[0]));
    for (size_t i = 0; i < config->source_count && st == ST_OK; i++) {
        intake->source_count = i + 1;
        st = intake_source_init(&intake->sources[i], &config->sources[i], outbox != NULL, err);
    }
    if (st != ST_OK) {
        intake_destroy(intake);
        return st;
    }
    *out_intake = intake;
    return ST_OK;
}

struct intake *intake_hold(struct intake *intake)
{
    intake->refs++;
    return intake;
}

void intake_drop(struct intake *intake)
{
    if (intake != NULL && --intake->refs == 0) {
        intake_destroy(intake);
    }
}

/* FNV-1a: it need not resist an attacker; a collision only loses a line of the log. */
static uint64_t hash_pair(struct slice a, struct slice b)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < a.len + 1 + b.len; i++) {
        unsigned char c = i < a.len    ? (unsigned char)a.data[i]
                          : i == a.len ? 0 /* identifiers contain no NUL */
                                       : (unsigned char)b.data[i - a.len - 1];

        hash = (hash ^ c) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static void log_unknown(const struct intake_source *source, const struct event *event)
{
    struct intake_logged *logged = source->logged;
    uint64_t hash = hash_pair(event->resource_type, event->event);

    for (size_t i = 0; i < logged->count; i++) {
        if (logged->hashes[i] == hash) {
            return;
        }
    }
    if (logged->count == INTAKE_LOGGED_MAX) {
        return;
    }
    logged->hashes[logged->count++] = hash;
    log_warn(logged->count < INTAKE_LOGGED_MAX
                 ? "event not in the provider's catalogue; passed on"
                 : "event not in the provider's catalogue; passed on; more are only counted",
             L_UUID("id", event->id), L_SLICE("source", event->source),
             L_SLICE("resource_type", event->resource_type), L_SLICE("event", event->event));
}

/* Nobody vouches for the provider's clock. A state with a time that is far ahead would stand
 * against all that comes until then. */
static bool is_in_future(int64_t event_ms, int64_t received_ms)
{
    enum { MAX_AHEAD_MS = 600000 };

    return event_ms != CLOCK_NONE && event_ms > received_ms + MAX_AHEAD_MS;
}

/* A source may send such times with every webhook. */
static void count_odd_time(const struct intake_source *source, const struct parsed *parsed,
                           const struct event *event)
{
    struct intake_logged *logged = source->logged;
    int64_t left_out;

    if (!source->trusted[PARSE_TIME]) {
        return;
    }
    if (parsed->unreadable_time) {
        metrics_count(METRIC_UNREADABLE_TIMES, source->metrics_index);
        if (log_allows(&logged->unreadable_time, LOG_MINUTE_MS, &left_out)) {
            log_warn("event time not understood; the order of arrival decides about states",
                     L_UUID("id", event->id), L_SLICE("source", source->name),
                     L_INT("left_out", left_out));
        }
    }
    if (is_in_future(parsed->event_ms, event->received_ms)) {
        metrics_count(METRIC_FUTURE_TIMES, source->metrics_index);
        if (log_allows(&logged->future_time, LOG_MINUTE_MS, &left_out)) {
            log_warn("event time is in the future; the time of receipt counts",
                     L_UUID("id", event->id), L_SLICE("source", source->name),
                     L_INT("ahead_s", (parsed->event_ms - event->received_ms) / 1000),
                     L_INT("left_out", left_out));
        }
    }
}

static enum status find_topics(struct intake *intake, const struct intake_source *source,
                               struct parsed *parsed, struct event *event)
{
    char id[UUID_TEXT_SIZE];
    struct route_values values = {
        .source = event->source,
        .resource_type = event->resource_type,
        .event = event->event,
        .gid = event->gid,
        .id = {id, sizeof(id) - 1},
        .body = event->body,
        .parsed = parsed,
    };
    enum status st;

    uuid_format(event->id, id);
    buf_clear(&intake->topic);
    buf_clear(&intake->state_topic);
    st = route_topic(source->topic, &values, &intake->topic);
    if (st == ST_OK && source->state_topic) {
        st = route_topic(source->state_topic, &values, &intake->state_topic);
    }
    if (st != ST_OK) {
        return st;
    }
    event->topic = buf_slice(&intake->topic);
    event->state_topic = source->state_topic ? buf_slice(&intake->state_topic) : SLICE_NONE;
    return ST_OK;
}

static uint32_t expiry_s(int64_t expiry_ms)
{
    int64_t seconds = expiry_ms / 1000 + (expiry_ms % 1000 > 0);

    return seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}

/* Fills in the event from the source's settings and from parsed; read is parser_read's status. The
 * event comes with its id, received_ms and body; afterwards it also borrows from parsed and from
 * the intake, and it has either a topic or a reason. */
static void make_event(struct intake *intake, const struct intake_source *source,
                       enum status read, struct parsed *parsed, struct event *event)
{
    event->source = source->name;
    event->qos = (uint8_t)source->config->qos;
    event->retain = source->config->retain;
    event->expiry_s = expiry_s(source->config->message_expiry_ms);
    event->event = parsed->event;
    event->resource_type = parsed->resource_type;
    event->gid = parsed->gid;
    event->delivery_id = parsed->delivery_id;
    /* Both decide about a retained state, so they must be signed. */
    event->event_ms = source->trusted[PARSE_TIME] ? parsed->event_ms : CLOCK_NONE;
    if (is_in_future(event->event_ms, event->received_ms)) {
        event->event_ms = event->received_ms;
    }
    event->deletion = source->trusted[PARSE_EVENT] && parsed->deletion;
    if (read != ST_OK) {
        event->reason = slice_of(parsed->reason);
    } else if (find_topics(intake, source, parsed, event) != ST_OK) {
        event->reason = SLICE("its topic would be longer than MQTT allows");
    }
    event->identity = intake_identify(intake, source, event);
    event->dedupe_window_ms = source->config->dedupe_window_ms;
}

/* Waits for the outbox's answer, to pass it on to done. */
struct waiter {
    intake_done_fn *done;
    void *ctx;
    bool unknown;
    bool quarantined;
    size_t reason_len;
    char reason[];
};

static struct waiter *waiter_create(const struct event *event, intake_done_fn *done, void *ctx)
{
    struct waiter *waiter = xalloc(sizeof(*waiter) + event->reason.len + 1);

    waiter->done = done;
    waiter->ctx = ctx;
    waiter->quarantined = event->reason.data != NULL;
    waiter->reason_len = event->reason.len;
    if (waiter->quarantined) {
        memcpy(waiter->reason, event->reason.data, event->reason.len);
    }
    return waiter;
}

/* Handoff B: the outbox has answered, on the committer thread; done passes it on to the loop.
 * Frees the waiter. */
static void on_stored(void *ctx, const struct outbox_result *stored)
{
    struct waiter *waiter = ctx;
    struct intake_result result = {
        .status = stored->status,
        .duplicate = stored->duplicate,
        .quarantined = waiter->quarantined,
        .id = stored->id,
    };

    if (waiter->quarantined) {
        result.reason = (struct slice){waiter->reason, waiter->reason_len};
    }
    if (waiter->unknown && stored->status == ST_OK && !stored->duplicate) {
        metrics_add(METRIC_UNKNOWN_EVENTS, 1);
    }
    waiter->done(waiter->ctx, &result);
    free(waiter);
}

static void submit(struct intake *intake, const struct intake_source *source,
                   const struct event *event, intake_done_fn *done, void *ctx)
{
    struct waiter *waiter = waiter_create(event, done, ctx);
    enum status st;

    if (!waiter->quarantined) {
        waiter->unknown =
            !provider_knows(source->config->provider, event->resource_type, event->event);
    }
    if (waiter->unknown) {
        log_unknown(source, event);
    }
    /* Handoff A: the committer (outbox/committer.c) takes the event from its inbox. From here
     * on the waiter belongs to it, unless the outbox refuses. */
    st = outbox_submit(intake->outbox, event_copy(event), on_stored, waiter);
    if (st != ST_OK) {
        on_stored(waiter, &(struct outbox_result){.status = st});
    }
}

/* From here on nobody sees what the source masks. A body that is not JSON is read as it is, for the
 * reason, but not kept. Borrows from body or out. */
static void mask(const struct intake_source *source, struct delivery *delivery,
                 struct slice *out_kept, struct buf *out)
{
    struct slice json = json_skip_mark(delivery->body), paths[JSON_MAX_PATHS];

    *out_kept = delivery->body;
    if (source->mask_count == 0 || delivery->body.len == 0) {
        return;
    }
    if (json_check(json, NULL) != ST_OK) {
        *out_kept = SLICE("***");
        return;
    }
    for (size_t i = 0; i < source->mask_count; i++) {
        paths[i] = buf_slice(&source->mask[i]);
    }
    buf_add(out, delivery->body.data, delivery->body.len - json.len);
    json_mask(json, paths, source->mask_count, out);
    *out_kept = delivery->body = buf_slice(out);
}

enum status intake_submit(struct intake *intake, const struct intake_source *source,
                          const struct delivery *delivery, intake_done_fn *done, void *ctx,
                          struct err *why)
{
    enum status st = intake_keys_check(source->keys, delivery, why);
    struct delivery shown = *delivery;
    struct event event = {0};
    struct buf masked = {0};
    struct parsed parsed;

    if (st != ST_OK) {
        return st;
    }
    mask(source, &shown, &event.body, &masked);
    st = parser_read(source->parser, &shown, NULL, &parsed);
    if (parsed.challenge.data != NULL) {
        done(ctx, &(struct intake_result){.challenge = parsed.challenge});
    } else {
        event.id = uuid_new();
        event.received_ms = delivery->received_ms;
        make_event(intake, source, st, &parsed, &event);
        count_odd_time(source, &parsed, &event);
        submit(intake, source, &event, done, ctx);
    }
    parsed_fini(&parsed);
    buf_free(&masked);
    return ST_OK;
}

static const struct intake_source *find_by_name(const struct intake *intake, struct slice name)
{
    for (size_t i = 0; i < intake->source_count; i++) {
        if (slice_equal(intake->sources[i].name, name)) {
            return &intake->sources[i];
        }
    }
    return NULL;
}

struct event *intake_reparse(void *ctx, const struct event *dead, struct err *why)
{
    struct intake *intake = ctx;
    const struct intake_source *source = find_by_name(intake, dead->source);
    struct delivery delivery = {.body = dead->body, .received_ms = dead->received_ms};
    struct event event = {.id = dead->id, .received_ms = dead->received_ms, .body = dead->body};
    struct event *reparsed = NULL;
    struct parsed parsed;
    enum status st;

    if (source == NULL) {
        (void)err_set(why, ST_NOT_FOUND, "source %.*s is not configured",
                      SLICE_ARG(dead->source));
        return NULL;
    }
    st = parser_read(source->parser, &delivery, dead, &parsed);
    make_event(intake, source, st, &parsed, &event);
    if (parsed.challenge.data) {
        (void)err_set(why, ST_INVALID, "it is a challenge, not an event");
    } else if (event.reason.data) {
        (void)err_set(why, ST_INVALID, "%.*s", SLICE_ARG(event.reason));
    } else {
        reparsed = event_copy(&event);
    }
    parsed_fini(&parsed);
    return reparsed;
}
