/*
 * What a source takes from outside of the signature: a preset's own does not count (see intake.c),
 * and what counts is told.
 */
#include <string.h>

#include "bridge/config/override.h"
#include "bridge/config/internal.h"

/* What a topic is if neither the source nor its provider say it. */
#define FALLBACK_TOPIC "{source}/{event}/{gid}"

static const struct {
    const char *variable;
    enum parse_field field;
} topic_fields[] = {
    {"{event}", PARSE_EVENT},        {"{action}", PARSE_EVENT}, {"{type}", PARSE_TYPE},
    {"{resource_type}", PARSE_TYPE}, {"{gid}", PARSE_GID},
};

bool config_says_field(const struct config_source *source, enum parse_field field)
{
    const struct provider_fields *now = &source->provider->fields;
    const struct provider_fields *preset = &source->preset->fields;

    switch (field) {
    case PARSE_EVENT:
        return now->event != preset->event;
    case PARSE_TYPE:
        return now->resource_type != preset->resource_type ||
               (!now->resource_type && now->event != preset->event);
    case PARSE_GID:
        return now->gid != preset->gid;
    case PARSE_DELIVERY_ID:
        return now->delivery_id != preset->delivery_id;
    case PARSE_TIME:
        return now->event_time != preset->event_time;
    case PARSE_FIELDS:
        break;
    }
    return false;
}

/* Adds "{event}, {gid}": those of the topic that the signature does not cover. said: leaves out
 * what this source says itself, which is told at the field; NULL: none. */
static void list_untrusted(const struct parser *parser, const char *topic,
                           const struct config_source *said, struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(topic_fields); i++) {
        if (strstr(topic, topic_fields[i].variable) &&
            !parser_trusts(parser, topic_fields[i].field) &&
            !(said && config_says_field(said, topic_fields[i].field))) {
            buf_addf(out, "%s%s", out->len > 0 ? ", " : "", topic_fields[i].variable);
        }
    }
}

static void check_topic_trust(struct source_view *view, const struct parser *parser,
                              const char *key, const char *topic)
{
    struct buf names = {0};

    if (topic) {
        list_untrusted(parser, topic, view->source, &names);
    }
    if (names.len > 0) {
        config_warn(view->faults, source_path(view, key),
                    "holds %s, which a header or the URL decides: who has one delivery can "
                    "send it again to another topic, as the signature does not cover them",
                    names.data);
    }
    buf_free(&names);
}

/* What the source itself takes from there counts; that must be known. */
static void check_own_fields(struct source_view *view, const struct parser *parser)
{
    static const struct {
        enum parse_field field;
        const char *key;
    } fields[] = {
        {PARSE_EVENT, "fields.event"},
        {PARSE_TYPE, "fields.resource_type"},
        {PARSE_GID, "fields.gid"},
    };

    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        bool follows = fields[i].field == PARSE_TYPE &&
                       !view->source->provider->fields.resource_type; /* the event's warning */

        if (!follows && config_says_field(view->source, fields[i].field) &&
            !parser_trusts(parser, fields[i].field)) {
            config_warn(view->faults, source_path(view, fields[i].key),
                        "is for a header or the URL to decide: who has one delivery can send "
                        "it again with another one, as the signature does not cover it");
        }
    }
}

/* Whoever takes such a row counts on its delivery id. */
static bool row_trusts_delivery_id(const struct provider *row)
{
    struct parser *parser = NULL;
    const char *key;
    struct err err;
    bool trusts;

    if (!row->fields.delivery_id || parser_create(row, &parser, &key, &err) != ST_OK) {
        return false;
    }
    trusts = parser_trusts(parser, PARSE_DELIVERY_ID);
    parser_destroy(parser);
    return trusts;
}

/* What may not decide what is a repeat is of no use. */
static void check_delivery_id(struct source_view *view, const struct parser *parser)
{
    const struct config_source *source = view->source;
    const char *delivery_id = source->provider->fields.delivery_id;
    bool counted_on =
        config_says_field(source, PARSE_DELIVERY_ID) || row_trusts_delivery_id(source->preset);

    if (delivery_id && counted_on && !source->trust_unsigned &&
        !parser_trusts(parser, PARSE_DELIVERY_ID)) {
        config_warn(view->faults, source_path(view, "fields.delivery_id"),
                    "%s does not tell repeats apart, as the signature does not cover it; "
                    "\"trust_unsigned\" lets it",
                    delivery_id);
    }
}

/* What may not decide over a state is of no use either. */
static void check_event_time(struct source_view *view, const struct parser *parser)
{
    const struct config_source *source = view->source;

    if (config_says_field(source, PARSE_TIME) && source->provider->fields.event_time &&
        !source->trust_unsigned && !parser_trusts(parser, PARSE_TIME)) {
        config_warn(view->faults, source_path(view, "fields.event_time"),
                    "%s decides over no retained state, as the signature does not cover it; "
                    "\"trust_unsigned\" lets it",
                    source->provider->fields.event_time);
    }
}

/* A preset's event that is not covered clears no state. */
static void check_deletion(struct source_view *view, const struct parser *parser)
{
    const struct config_source *source = view->source;

    if (source->state_topic && source->provider->fields.deletion_event &&
        !source->trust_unsigned && !parser_trusts(parser, PARSE_EVENT) &&
        !config_says_field(source, PARSE_EVENT)) {
        config_warn(view->faults, source_path(view, "state_topic"),
                    "is not cleared by deletions, as the signature does not cover the event's "
                    "name; \"trust_unsigned\" lets them");
    }
}

static bool trusts_all(const struct parser *parser)
{
    bool all = true;

    for (enum parse_field field = 0; field < PARSE_FIELDS; field++) {
        all = all && parser_trusts(parser, field);
    }
    return all;
}

/* What is not said is made of what can be trusted, or must be said. */
static void fill_topic(struct source_view *view, const struct parser *parser)
{
    const char *topic = view->source->provider->default_topic;
    struct buf names = {0};

    if (!topic) {
        topic = FALLBACK_TOPIC;
    }
    list_untrusted(parser, topic, NULL, &names);
    if (names.len > 0) {
        config_fault(view->faults, source_path(view, "topic"),
                     "is missing; %s holds %s, which a header or the URL decides and the "
                     "signature does not cover, so it is not used unless you write it",
                     topic, names.data);
    } else {
        view->source->topic = xstrdup(topic);
    }
    buf_free(&names);
}

/* Without a timestamp that is looked at, whoever has a delivery can send it again for ever. */
static void check_replay(struct source_view *view)
{
    const struct config_source *source = view->source;
    const struct provider_signature *now = &source->provider->signature;
    const struct provider_signature *preset = &source->preset->signature;
    bool timed = now->message && strstr(now->message, "{timestamp}");
    bool was_timed = preset->message && strstr(preset->message, "{timestamp}");

    if (now->scheme == SCHEME_HMAC && timed && now->tolerance_ms == 0) {
        config_warn(view->faults, source_path(view, "signature.tolerance"),
                    "lets deliveries of any age pass: who has one can send it again");
    } else if (now->scheme == SCHEME_HMAC && was_timed && !timed) {
        config_warn(view->faults, source_path(view, "signature.message"),
                    "holds no {timestamp}, though %s signs one: who has a delivery can send it "
                    "again",
                    source->preset->title);
    }
}

void config_check_trust(struct source_view *view, const struct parser *parser)
{
    const struct config_source *source = view->source;

    check_topic_trust(view, parser, "topic", source->topic);
    check_topic_trust(view, parser, "state_topic", source->state_topic);
    if (!source->topic && !source_is_faulty(view, "topic")) {
        fill_topic(view, parser);
    }
    check_own_fields(view, parser);
    check_delivery_id(view, parser);
    check_event_time(view, parser);
    check_replay(view);
    check_deletion(view, parser);
    if (source->trust_unsigned) {
        config_warn(view->faults, source_path(view, "trust_unsigned"), "%s",
                    trusts_all(parser)
                        ? "is not used: all fields are as good as the body"
                        : "who has one delivery can send it again as another one, or have the "
                          "next one taken for a repeat");
    }
}
