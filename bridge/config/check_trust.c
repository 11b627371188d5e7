/*
 * Which fields may the bridge trust? Those that the signature covers. Of the others:
 *
 * - A field of the preset is not trusted; a default topic that contains one is a fault.
 * - An event, a type or a gid for which the source sets its own template is trusted, with a
 *   warning.
 * - A topic that the source sets may contain untrusted fields, with a warning.
 * - With "trust_unsigned" all fields are trusted, with a warning.
 */
#include <string.h>

#include "bridge/config/internal.h"
#include "bridge/parse/route.h"

static const char *const field_keys[PARSE_FIELDS] = {
    [PARSE_EVENT] = "fields.event",     [PARSE_TYPE] = "fields.resource_type",
    [PARSE_GID] = "fields.gid",         [PARSE_DELIVERY_ID] = "fields.delivery_id",
    [PARSE_TIME] = "fields.event_time",
};

/* Does the source itself set where this field is (for a type that has no template: where the
 * event is)? Then the field counts, whether the signature covers it or not. */
static bool is_own_field(const struct config_source *source, enum parse_field field)
{
    return config_is_set(source, field_keys[field]) ||
           (field == PARSE_TYPE && !source->provider->fields.resource_type &&
            config_is_set(source, field_keys[PARSE_EVENT]));
}

/* Adds "{event}, {gid}": those of the topic that the signature does not cover. own: leaves out
 * the fields that this source sets itself, which have a warning of their own; NULL: none. */
static void list_untrusted(const struct parser *parser, const char *topic,
                           const struct config_source *own, struct buf *out)
{
    struct route_variable variable;

    for (size_t i = 0; route_variable_at(i, &variable); i++) {
        if (strstr(topic, variable.text) && variable.field != PARSE_FIELDS &&
            !parser_trusts(parser, variable.field) &&
            !(own && is_own_field(own, variable.field))) {
            buf_addf(out, "%s%s", out->len > 0 ? ", " : "", variable.text);
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
                    "contains %s, which a header or the URL decides: who has one delivery can "
                    "send it again to another topic, as the signature does not cover them",
                    names.data);
    }
    buf_free(&names);
}

/* What the source itself takes from there counts, which its owner should know. */
static void check_own_fields(struct source_view *view, const struct parser *parser)
{
    for (enum parse_field field = PARSE_EVENT; field <= PARSE_GID; field++) {
        bool follows = field == PARSE_TYPE &&
                       !view->source->provider->fields.resource_type; /* the event's warning */

        if (!follows && is_own_field(view->source, field) && !parser_trusts(parser, field)) {
            config_warn(view->faults, source_path(view, field_keys[field]),
                        "is for a header or the URL to decide: who has one delivery can send "
                        "it again with another one, as the signature does not cover it");
        }
    }
}

/* What may not decide over a state is of no use. */
static void check_event_time(struct source_view *view, const struct parser *parser)
{
    const struct config_source *source = view->source;

    if (is_own_field(source, PARSE_TIME) && source->provider->fields.event_time &&
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
        !is_own_field(source, PARSE_EVENT)) {
        config_warn(view->faults, source_path(view, "state_topic"),
                    "is not cleared by deletions, as the signature does not cover the event's "
                    "name; \"trust_unsigned\" lets them");
    }
}

/* What "trust_unsigned" is about: a delivery id is not. */
static bool trusts_all(const struct parser *parser)
{
    bool all = true;

    for (enum parse_field field = 0; field < PARSE_FIELDS; field++) {
        all = all && (field == PARSE_DELIVERY_ID || parser_trusts(parser, field));
    }
    return all;
}

/* A topic that the source does not set is made of what can be trusted, or must be set. */
static void check_default_topic(struct source_view *view, const struct parser *parser)
{
    struct buf names = {0};

    list_untrusted(parser, view->source->topic, NULL, &names);
    if (names.len > 0) {
        config_fault(view->faults, source_path(view, "topic"),
                     "is missing; %s contains %s, which a header or the URL decides and the "
                     "signature does not cover, so it is not used unless you write it",
                     view->source->topic, names.data);
    }
    buf_free(&names);
}

/* Without a time no event is lost, so for this it takes more than that the source sets it. A
 * delivery id that anybody could make up must hide no coming event, whatever is trusted. */
static void fill_trusted(struct config_source *source, const struct parser *parser)
{
    for (enum parse_field field = 0; field < PARSE_FIELDS; field++) {
        bool own = field != PARSE_TIME && is_own_field(source, field);

        source->trusted[field] = own || source->trust_unsigned || parser_trusts(parser, field);
    }
    source->trusted[PARSE_DELIVERY_ID] = parser_covers(parser, PARSE_DELIVERY_ID);
}

/* Unless a timestamp is checked, whoever has a delivery can send it again for ever. */
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
        config_warn(
            view->faults, source_path(view, "signature.message"),
            "contains no {timestamp}, though %s signs one: who has a delivery can send it "
            "again",
            source->preset->title);
    }
}

/* A signature proves a body; a token only that the sender has seen one before. */
static void check_token(struct source_view *view)
{
    const struct config_source *source = view->source;

    if (source->provider->signature.scheme == SCHEME_TOKEN &&
        source->preset->signature.scheme == SCHEME_HMAC) {
        config_warn(view->faults, source_path(view, "signature.scheme"),
                    "is weaker than what %s does, which signs: who reads one delivery has the "
                    "token, and can send anything",
                    source->preset->title);
    }
}

void config_check_trust(struct source_view *view, const struct parser *parser)
{
    struct config_source *source = view->source;

    fill_trusted(source, parser);
    if (source->provider->topic && config_is_set(source, "topic")) {
        check_topic_trust(view, parser, "topic", source->topic);
    } else if (!source_is_faulty(view, "topic")) {
        check_default_topic(view, parser);
    }
    check_topic_trust(view, parser, "state_topic", source->state_topic);
    check_own_fields(view, parser);
    check_event_time(view, parser);
    check_replay(view);
    check_token(view);
    check_deletion(view, parser);
    if (source->trust_unsigned) {
        config_warn(view->faults, source_path(view, "trust_unsigned"), "%s",
                    trusts_all(parser)
                        ? "is not used: all fields are as good as the body"
                        : "who has one delivery can send it again as another event, or as a "
                          "deletion");
    }
}
