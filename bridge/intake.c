/*
 * The happy path of intake_submit:
 *   - verify: the signature over the raw bytes; nothing of the body has been looked at before
 *   - read:   parse the body, find its topics, work out its identity
 *   - submit: a copy goes to the outbox, with a ticket; the outbox answers when it is on disk
 *
 * Not authentic: answered at once. Authentic, but no event: the same way with a reason in place
 * of a topic, which makes it a dead letter. Not taken by the outbox: answered at once.
 */
#include "bridge/intake.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#include "bridge/metrics.h"
#include "bridge/parse.h"
#include "bridge/route.h"
#include "bridge/verify.h"

/* Which unknown events have been logged, by hash; a peer decides how many there are. */
enum { LOGGED_MAX = 64 };

struct logged {
    uint64_t hashes[LOGGED_MAX];
    size_t count;
};

struct intake_source {
    const struct config_source *config;
    struct slice name, path;
    unsigned metrics_index;
    struct verifier *verifier;
    struct route *topic;
    struct route *state_topic; /* NULL: none */
    struct logged *logged;
};

struct intake {
    struct outbox *outbox;
    struct digester *digester;
    struct intake_source *sources;
    size_t source_count;
    struct buf topic, state_topic; /* of the delivery at hand */
};

static enum status create_verifier(const struct config_source *config,
                                   struct verifier **out_verifier, struct err *err)
{
    size_t count = config->verify ? config->secret_count : 0;
    struct slice *secrets;
    enum status st;

    if (config->verify && count == 0) {
        return err_set(err, ST_INVALID, "has no secret to verify with");
    }
    secrets = xalloc((count + 1) * sizeof(secrets[0]));
    for (size_t i = 0; i < count; i++) {
        secrets[i] = buf_slice(&config->secrets[i]);
    }
    st = verifier_create(config->provider, secrets, count, out_verifier, err);
    free(secrets);
    return st;
}

static enum status set_up_source(struct intake_source *source,
                                 const struct config_source *config, struct err *err)
{
    enum status st;

    source->config = config;
    source->name = slice_of(config->name);
    source->path = slice_of(config->path);
    source->metrics_index = metrics_source(config->name);
    source->logged = xalloc(sizeof(*source->logged));
    st = create_verifier(config, &source->verifier, err);
    if (st == ST_OK) {
        st = route_create(config->topic ? config->topic : config->provider->default_topic,
                          &source->topic, err);
    }
    if (st == ST_OK && config->state_topic) {
        st = route_create(config->state_topic, &source->state_topic, err);
    }
    return st == ST_OK ? ST_OK : err_wrap(err, "source %s", config->name);
}

enum status intake_create(const struct config *config, struct outbox *outbox,
                          struct intake **out_intake, struct err *err)
{
    struct intake *intake = xalloc(sizeof(*intake));
    enum status st = ST_OK;

    intake->outbox = outbox;
    intake->digester = digester_create();
    intake->sources = xalloc((config->source_count + 1) * sizeof(intake->sources[0]));
    for (size_t i = 0; i < config->source_count && st == ST_OK; i++) {
        intake->source_count = i + 1;
        st = set_up_source(&intake->sources[i], &config->sources[i], err);
    }
    if (st != ST_OK) {
        intake_destroy(intake);
        return st;
    }
    *out_intake = intake;
    return ST_OK;
}

void intake_destroy(struct intake *intake)
{
    if (intake == NULL) {
        return;
    }
    for (size_t i = 0; i < intake->source_count; i++) {
        verifier_destroy(intake->sources[i].verifier);
        route_destroy(intake->sources[i].topic);
        route_destroy(intake->sources[i].state_topic);
        free(intake->sources[i].logged);
    }
    free(intake->sources);
    digester_destroy(intake->digester);
    buf_free(&intake->topic);
    buf_free(&intake->state_topic);
    free(intake);
}

const struct intake_source *intake_find(const struct intake *intake, struct slice path)
{
    for (size_t i = 0; i < intake->source_count; i++) {
        if (slice_equal(intake->sources[i].path, path)) {
            return &intake->sources[i];
        }
    }
    return NULL;
}

const char *intake_signature_header(const struct intake_source *source)
{
    return verifier_header(source->verifier);
}

unsigned intake_source_index(const struct intake_source *source)
{
    return source->metrics_index;
}

/* FNV-1a: these need not be hard to guess, a collision costs a line in the log. */
static uint64_t hash_pair(struct slice a, struct slice b)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < a.len + 1 + b.len; i++) {
        unsigned char c = i < a.len    ? (unsigned char)a.data[i]
                          : i == a.len ? 0 /* identifiers hold no NUL */
                                       : (unsigned char)b.data[i - a.len - 1];

        hash = (hash ^ c) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static void log_unknown(const struct intake_source *source, const struct event *event)
{
    struct logged *logged = source->logged;
    uint64_t hash = hash_pair(event->resource_type, event->event);

    for (size_t i = 0; i < logged->count; i++) {
        if (logged->hashes[i] == hash) {
            return;
        }
    }
    if (logged->count == LOGGED_MAX) {
        return;
    }
    logged->hashes[logged->count++] = hash;
    log_warn(
        logged->count < LOGGED_MAX
            ? "event unknown to the provider's catalogue; passed on"
            : "event unknown to the provider's catalogue; passed on; others are only counted",
        L_UUID("id", event->id), L_SLICE("source", event->source),
        L_SLICE("resource_type", event->resource_type), L_SLICE("event", event->event));
}

/* What {body.<path>} needs. */
struct body_reader {
    struct parsed *parsed;
    struct slice body;
};

static struct slice read_body_text(void *ctx, struct slice path)
{
    struct body_reader *reader = ctx;

    return parse_body_text(reader->parsed, reader->body, path);
}

static enum status find_topics(struct intake *intake, const struct intake_source *source,
                               struct parsed *parsed, struct event *event)
{
    struct body_reader reader = {parsed, event->body};
    char id[UUID_TEXT_SIZE];
    struct route_values values = {
        .source = event->source,
        .resource_type = event->resource_type,
        .event = event->event,
        .gid = event->gid,
        .id = {id, sizeof(id) - 1},
        .body_text = read_body_text,
        .ctx = &reader,
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

/* Two events of one resource have the same key. A quarantined body has one of its own, so that
 * a provider's retries of it do not pile up. */
static struct event_identity identify(struct digester *digester, const struct event *event)
{
    const struct slice resource[] = {event->source, event->resource_type, event->gid};
    const struct slice quarantined[] = {event->source, SLICE("quarantined"), event->body};
    uint8_t key[DIGEST_SIZE], digest[DIGEST_SIZE];
    struct event_identity identity;

    digester_run(digester, event->reason.data ? quarantined : resource, 3, key);
    digester_run(digester, &event->body, 1, digest);
    memcpy(identity.key, key, sizeof(identity.key));
    memcpy(identity.digest, digest, sizeof(identity.digest));
    return identity;
}

static uint32_t expiry_s(int64_t expiry_ms)
{
    int64_t seconds = expiry_ms / 1000 + (expiry_ms % 1000 > 0);

    return seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}

/* Fills in what the body and the source's settings say. The event has its id, received_ms and
 * body; afterwards it borrows from parsed and from the intake, too. It has a topic or a reason.
 */
static void read_event(struct intake *intake, const struct intake_source *source,
                       struct parsed *parsed, struct event *event)
{
    enum status st = parse_body(source->config->provider, event->body, parsed);

    event->source = source->name;
    event->event = parsed->event;
    event->resource_type = parsed->resource_type;
    event->gid = parsed->gid;
    event->delivery_id = parsed->delivery_id;
    event->event_ms = parsed->event_ms;
    event->deletion = parsed->deletion;
    event->qos = (uint8_t)source->config->qos;
    event->retain = source->config->retain;
    event->expiry_s = expiry_s(source->config->message_expiry_ms);
    if (st != ST_OK) {
        event->reason = slice_of(parsed->reason);
    } else if (find_topics(intake, source, parsed, event) != ST_OK) {
        event->reason = SLICE("its topic would be longer than MQTT allows");
    }
    event->identity = identify(intake->digester, event);
}

/* What waits for the outbox's answer. */
struct ticket {
    intake_done_fn *done;
    void *ctx;
    bool unknown;
    bool quarantined;
    size_t reason_len;
    char reason[];
};

static struct ticket *ticket_create(const struct event *event, intake_done_fn *done, void *ctx)
{
    struct ticket *ticket = xalloc(sizeof(*ticket) + event->reason.len + 1);

    ticket->done = done;
    ticket->ctx = ctx;
    ticket->quarantined = event->reason.data != NULL;
    ticket->reason_len = event->reason.len;
    if (ticket->quarantined) {
        memcpy(ticket->reason, event->reason.data, event->reason.len);
    }
    return ticket;
}

/* Ends the ticket. */
static void answer(void *ctx, const struct outbox_result *stored)
{
    struct ticket *ticket = ctx;
    struct intake_result result = {
        .status = stored->status,
        .duplicate = stored->duplicate,
        .quarantined = ticket->quarantined,
        .id = stored->id,
    };

    if (ticket->quarantined) {
        result.reason = (struct slice){ticket->reason, ticket->reason_len};
    }
    if (ticket->unknown && stored->status == ST_OK && !stored->duplicate) {
        metrics_add(METRIC_UNKNOWN_EVENTS, 1);
    }
    ticket->done(ticket->ctx, &result);
    free(ticket);
}

void intake_submit(struct intake *intake, const struct intake_source *source,
                   const struct intake_delivery *delivery, intake_done_fn *done, void *ctx)
{
    enum status st = verifier_check(source->verifier, delivery->signature, delivery->body);
    struct event event = {0};
    struct parsed parsed;
    struct ticket *ticket;

    if (st != ST_OK) {
        done(ctx, &(struct intake_result){.status = st});
        return;
    }
    event.id = uuid_new();
    event.received_ms = delivery->received_ms;
    event.body = delivery->body;
    read_event(intake, source, &parsed, &event);

    ticket = ticket_create(&event, done, ctx);
    if (!ticket->quarantined) {
        ticket->unknown =
            !provider_knows(source->config->provider, event.resource_type, event.event);
    }
    if (ticket->unknown) {
        log_unknown(source, &event);
    }
    /* From here on the ticket is the committer's, unless the outbox refuses. */
    st = outbox_submit(intake->outbox, event_copy(&event), answer, ticket);
    if (st != ST_OK) {
        answer(ticket, &(struct outbox_result){.status = st});
    }
    parsed_fini(&parsed);
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

struct event *intake_revive(void *ctx, const struct event *dead, struct err *why)
{
    struct intake *intake = ctx;
    const struct intake_source *source = find_by_name(intake, dead->source);
    struct event event = {0};
    struct event *revived = NULL;
    struct parsed parsed;

    if (source == NULL) {
        (void)err_set(why, ST_NOT_FOUND, "source %.*s is not configured",
                      SLICE_ARG(dead->source));
        return NULL;
    }
    event.id = dead->id;
    event.received_ms = dead->received_ms;
    event.body = dead->body;
    read_event(intake, source, &parsed, &event);
    if (event.reason.data) {
        (void)err_set(why, ST_INVALID, "%.*s", SLICE_ARG(event.reason));
    } else {
        revived = event_copy(&event);
    }
    parsed_fini(&parsed);
    return revived;
}
