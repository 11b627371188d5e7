/*
 * A source's merged provider, held against itself: verify and parse say whether they could work
 * with it; and what it takes from outside of the signature is told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/config_description.h"
#include "bridge/config_internal.h"
#include "bridge/parse.h"
#include "bridge/verify.h"

/* What a topic is if neither the source nor its provider say it. */
#define FALLBACK_TOPIC "{source}/{event}/{gid}"

enum { TOKEN_CHARACTERS = 16, TOKEN_CHANGES = 3 };

/* Signature and secrets */

static void tell_unsigned(struct source_view *view)
{
    bool said = config_says_signature(view->source->description);

    if (view->source->preset->signature.scheme == SCHEME_UNSET && !said) {
        config_fault(view->faults, source_path(view, "signature"),
                     "is missing; it must say how deliveries are signed, or \"verify\" must be "
                     "\"none\"");
    } else {
        config_fault(view->faults, source_path(view, "verify"),
                     "must be \"none\": %s, so whoever knows the path can post events, and "
                     "that must be said",
                     said ? "with this signature nothing is verified"
                          : "this provider signs nothing");
    }
}

/* False: there is nothing that secrets could be held against. */
static bool check_signature(struct source_view *view)
{
    const struct config_source *source = view->source;
    const struct provider_signature *signature = &source->provider->signature;
    bool said = config_says_signature(source->description);
    const char *key = "";
    struct err err = {0};
    char path[64];

    if (source_is_faulty(view, "signature") || source_is_faulty(view, "verify")) {
        return false;
    }
    if (!source->verify) {
        if (said) {
            config_warn(view->faults, source_path(view, "signature"),
                        "is not used, because \"verify\" is \"none\"");
        }
        return false;
    }
    if (signature->scheme == SCHEME_NONE || (signature->scheme == SCHEME_UNSET && !said)) {
        tell_unsigned(view);
        return false;
    }
    if (verify_check_description(signature, &key, &err) != ST_OK) {
        (void)snprintf(path, sizeof(path), "signature.%s", key);
        config_fault(view->faults, source_path(view, path), "%s", err.text);
        return false;
    }
    return true;
}

static void check_keys(struct source_view *view, bool is_signed)
{
    const struct config_source *source = view->source;
    const struct provider_signature *signature = &source->provider->signature;

    for (size_t i = 0; is_signed && i < source->secret_count; i++) {
        struct slice secret = buf_slice(&source->secrets[i].value);
        struct err err = {0};
        char key[32];

        (void)snprintf(key, sizeof(key), "secrets[%zu]", i);
        if (secret.len > 0 && verify_check_secret(signature, secret, &err) != ST_OK) {
            config_fault(view->faults, source_path(view, key), "%s", err.text);
        }
    }
    if (source->secret_count > 0 && signature->scheme == SCHEME_NONE) {
        config_warn(view->faults, source_path(view, "secrets"), "is not used, because %s",
                    source->verify ? "nothing is signed" : "\"verify\" is \"none\"");
    }
}

/* Is there a segment in the path that nobody can guess? Random text changes often between
 * digits, small and capital letters; words, and years behind words, do not. */
static bool has_random_segment(const char *path)
{
    size_t characters = 0, changes = 0;
    int last = 0;

    for (const char *c = path; *c != '\0'; c++) {
        int kind = *c >= '0' && *c <= '9'   ? '0'
                   : *c >= 'a' && *c <= 'z' ? 'a'
                   : *c >= 'A' && *c <= 'Z' ? 'A'
                                            : 0;

        if (*c == '/') {
            characters = changes = 0;
            last = 0;
        }
        if (kind != 0) {
            characters++;
            changes += last != 0 && kind != last;
            last = kind;
        }
        if (characters >= TOKEN_CHARACTERS && changes >= TOKEN_CHANGES) {
            return true;
        }
    }
    return false;
}

static void check_open_door(struct source_view *view)
{
    const struct config_source *source = view->source;

    if (source->verify) {
        return;
    }
    if (source->preset->signature.scheme != SCHEME_NONE) {
        config_warn(view->faults, source_path(view, "verify"),
                    "anybody who knows the path can post events");
    }
    if (source->path && !has_random_segment(source->path)) {
        config_warn(view->faults, source_path(view, "path"),
                    "can be guessed, and nothing else keeps strangers out; put a random "
                    "segment in it, such as the output of `openssl rand -hex 16`");
    }
}

/* Fields */

/* What parser_create would refuse with less help. */
static bool has_fields(struct source_view *view)
{
    const struct provider_fields *fields = &view->source->provider->fields;

    if (!fields->event) {
        config_fault(view->faults, source_path(view, "fields.event"),
                     "is missing; it must say where the event's name is, such as "
                     "\"{body.type}\" or \"{header.X-Event}\"");
    }
    if (!fields->gid) {
        config_fault(view->faults, source_path(view, "fields.gid"),
                     "is missing; it must say where the id of the resource is, such as "
                     "\"{body.data.id}\", or \"{body.data.id}|\" if it may be missing");
    }
    return fields->event && fields->gid;
}

/* Gives a parser; NULL: a fault was added. */
static struct parser *check_fields(struct source_view *view)
{
    struct parser *parser = NULL;
    const char *key = "";
    struct err err = {0};
    char path[64];

    if (source_is_faulty(view, "fields") || source_is_faulty(view, "challenge") ||
        source_is_faulty(view, "events") || !has_fields(view)) {
        return NULL;
    }
    if (parser_create(view->source->provider, &parser, &key, &err) != ST_OK) {
        (void)snprintf(path, sizeof(path), "%s%s",
                       strncmp(key, "challenge", 9) == 0 ? "" : "fields.", key);
        config_fault(view->faults, source_path(view, path), "%s", err.text);
        return NULL;
    }
    return parser;
}

/* The fields are templates; does one of them ask for the URL? */
static bool uses_url(const struct provider_fields *fields)
{
    const char *const templates[] = {fields->event, fields->resource_type, fields->gid,
                                     fields->delivery_id, fields->event_time};

    for (size_t i = 0; i < COUNT_OF(templates); i++) {
        if (templates[i] && strstr(templates[i], "{url}")) {
            return true;
        }
    }
    return false;
}

static void check_samples(struct source_view *view)
{
    const struct config_description *said = view->source->description;
    char key[48];

    for (size_t i = 0; i < said->sample_count && !view->source->provider->takes_suffix; i++) {
        if (said->samples[i].url) {
            (void)snprintf(key, sizeof(key), "samples[%zu].url", i);
            config_fault(view->faults, source_path(view, key),
                         "needs path_suffix true: nothing is taken below the path");
        }
    }
}

static void check_suffix(struct source_view *view)
{
    const struct config_description *said = view->source->description;

    if (source_is_faulty(view, "events") || source_is_faulty(view, "path_suffix")) {
        return;
    }
    if (said->events.count > 0 && said->path_suffix == FLAG_FALSE) {
        config_fault(view->faults, source_path(view, "path_suffix"),
                     "must not be false: events are told apart by what follows the path");
    } else if (said->events.count > 0 && !uses_url(&view->source->provider->fields)) {
        config_warn(view->faults, source_path(view, "events"),
                    "is not used: no field holds {url}");
    }
    check_samples(view);
}

/* Topics and trust */

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
        {PARSE_TIME, "fields.event_time"},
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

static void check_trust(struct source_view *view, const struct parser *parser)
{
    const struct config_source *source = view->source;

    check_topic_trust(view, parser, "topic", source->topic);
    check_topic_trust(view, parser, "state_topic", source->state_topic);
    if (!source->topic && !source_is_faulty(view, "topic")) {
        fill_topic(view, parser);
    }
    check_own_fields(view, parser);
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

/* The API */

static bool says_api(const struct config_source *source)
{
    return source->api.url || source->api.token.len > 0 || source->api.username ||
           source->api.password.len > 0 || source->api.project_code || source->api.ca_file;
}

static void check_api(struct source_view *view)
{
    const struct config_source *source = view->source;
    struct reader reader = {.faults = view->faults, .forgiving = true};

    if (says_api(source) && !source->provider->api_url) {
        config_warn(view->faults, source_path(view, "api"),
                    "is not used: `hook2mqtt provider` does not know %s",
                    source->provider->name);
    }
    if (source->api.url && config_url_in_clear(source->api.url)) {
        config_fault(view->faults, source_path(view, "api.url"),
                     "must begin with https://: what logs in would travel in clear");
    }
    if (source->public_url && config_url_in_clear(source->public_url) &&
        source->provider->signature.scheme != SCHEME_HMAC) {
        config_warn(view->faults, source_path(view, "public_url"),
                    "does not begin with https://: who reads a delivery on its way can send "
                    "others");
    }
    buf_add_str(&reader.path, source_path(view, "api"));
    config_check_pem(&reader, "ca_file", source->api.ca_file, "CERTIFICATE");
    buf_free(&reader.path);
}

void config_check_provider(struct source_view *view)
{
    bool is_signed = check_signature(view);
    struct parser *parser = check_fields(view);

    check_keys(view, is_signed);
    check_open_door(view);
    check_suffix(view);
    check_api(view);
    if (parser && !source_is_faulty(view, "signature") && !source_is_faulty(view, "verify")) {
        check_trust(view, parser);
    }
    parser_destroy(parser);
}
