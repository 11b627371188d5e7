/*
 * A delivery to fields:
 *
 * - check that the body is JSON and an object
 * - find, in one pass over it, every value that a template or the challenge needs
 * - a challenge: return the text it wants back, and stop
 * - each field is the first alternative of its template whose parts are all present
 *
 * A body that is not JSON, a field that is missing or one that is too long is quarantined, with a
 * reason for the sender. The reason is worked out only then: most templates have alternatives that
 * are missing in most deliveries.
 */
#include "bridge/parse/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/date.h"
#include "common/utf8.h"

/* One delivery. */
struct reading {
    const struct parser *parser;
    const struct delivery *delivery;
    const struct event *known;       /* NULL if the delivery has its headers and its URL */
    const struct json_value *values; /* of parser->paths */
    struct parsed *out;
};

/* Keeps the first reason. Returns st. */
static PRINTF_LIKE(3, 4) enum status
    quarantine(struct parsed *parsed, enum status st, const char *format, ...)
{
    char *reason = parsed->reason;
    va_list args;

    if (reason[0] == '\0') {
        va_start(args, format);
        (void)vsnprintf(reason, PARSE_REASON_SIZE, format, args);
        va_end(args);
        while (!utf8_valid(slice_of(reason))) { /* cut in the middle of a character */
            reason[strlen(reason) - 1] = '\0';
        }
    }
    return st;
}

static struct slice body_text(struct reading *r, const struct part *part,
                              enum parse_field field)
{
    struct json_value value = r->values[part->path];

    /* With true for an id, all deliveries would be repeats of the first. */
    return value.kind == JSON_BOOL && field == PARSE_DELIVERY_ID ? SLICE_NONE
                                                                 : parse_scalar(r->out, value);
}

static struct slice header_text(const struct reading *r, const struct part *part)
{
    struct slice value = delivery_header(r->delivery, part->header);

    return utf8_is_fit(value) ? value : SLICE_NONE;
}

static struct slice url_text(const struct reading *r)
{
    const struct provider *provider = r->parser->provider;
    struct slice suffix = r->delivery->suffix;

    if (provider->url_events == NULL) {
        bool segment = suffix.len > 0 && memchr(suffix.data, '/', suffix.len) == NULL;

        return segment && utf8_is_fit(suffix) ? suffix : SLICE_NONE;
    }
    return slice_of(provider_url_event(provider, suffix));
}

/* Absent if the part is missing. */
static struct slice part_text(struct reading *r, const struct part *part,
                              enum parse_field field)
{
    switch (part->kind) {
    case PART_TEXT:
        return part->text;
    case PART_BODY:
        return body_text(r, part, field);
    case PART_HEADER:
        return header_text(r, part);
    case PART_URL:
        return url_text(r);
    }
    CHECK(!"a part without a text");
    return SLICE_NONE;
}

static struct slice alternative_text(struct reading *r, const struct alternative *alternative,
                                     enum parse_field field)
{
    struct slice texts[PARTS_MAX];

    for (size_t i = 0; i < alternative->count; i++) {
        texts[i] = part_text(r, &alternative->parts[i], field);
        if (texts[i].data == NULL) {
            return SLICE_NONE;
        }
    }
    return alternative->count == 1 ? texts[0] : parse_join(r->out, texts, alternative->count);
}

static enum status quarantine_body(struct reading *r, const struct part *part)
{
    enum json_kind kind = r->values[part->path].kind;
    bool missing = kind == JSON_ABSENT || kind == JSON_NULL;

    return quarantine(r->out, ST_MISSING, missing ? "%.*s is missing" : "%.*s is not text",
                      SLICE_ARG(part->text));
}

static enum status quarantine_header(struct reading *r, const char *name)
{
    const struct delivery *delivery = r->delivery;
    struct slice value;
    size_t count = delivery->header ? delivery->header(delivery->ctx, name, &value, 1) : 0;

    if (count == 0) {
        return quarantine(r->out, ST_MISSING, "header %s is missing", name);
    }
    if (count == 1) {
        return quarantine(r->out, ST_MISSING, "header %s is not text", name);
    }
    if (count == 2) {
        return quarantine(r->out, ST_MISSING, "header %s appears twice", name);
    }
    return quarantine(r->out, ST_MISSING, "header %s appears %zu times", name, count);
}

static enum status quarantine_url(struct reading *r)
{
    if (r->delivery->suffix.len == 0) {
        return quarantine(r->out, ST_MISSING, "the URL has nothing after the source's path");
    }
    if (r->parser->provider->url_events) {
        return quarantine(r->out, ST_MISSING, "the end of the URL belongs to no event");
    }
    return quarantine(r->out, ST_MISSING, "the end of the URL is not one segment of text");
}

/* part is missing; the reason says why. */
static enum status quarantine_part(struct reading *r, const struct part *part)
{
    switch (part->kind) {
    case PART_TEXT:
        break;
    case PART_BODY:
        return quarantine_body(r, part);
    case PART_HEADER:
        return quarantine_header(r, part->header);
    case PART_URL:
        return quarantine_url(r);
    }
    CHECK(!"text is never missing");
    return ST_MISSING;
}

static enum status quarantine_missing(struct reading *r, enum parse_field field)
{
    const struct alternative *first = &r->parser->fields[field].alternatives[0];
    size_t i = 0;

    while (i + 1 < first->count && part_text(r, &first->parts[i], field).data) {
        i++;
    }
    return quarantine_part(r, &first->parts[i]);
}

static enum status quarantine_length(struct reading *r, const struct alternative *alternative,
                                     enum parse_field field)
{
    const struct part *part = &alternative->parts[0];
    bool plain = alternative->count == 1 && part->kind == PART_BODY;

    return quarantine(r->out, ST_INVALID, "%.*s is longer than %d bytes",
                      SLICE_ARG(plain ? part->text : slice_of(parse_field_name(field))),
                      PARSE_MAX_FIELD);
}

/* known: the field's value in r->known. Leaves *out_text absent if the field is missing and may
 * be. */
static enum status read_field(struct reading *r, enum parse_field field, struct slice known,
                              struct slice *out_text)
{
    const struct template *template = &r->parser->fields[field];

    if (template->leaves_body && known.data) {
        *out_text = known;
        return ST_OK;
    }
    for (size_t i = 0; i < template->count; i++) {
        const struct alternative *alternative = &template->alternatives[i];
        struct slice text = alternative_text(r, alternative, field);

        if (text.len > PARSE_MAX_FIELD) {
            return quarantine_length(r, alternative, field);
        }
        if (text.data) {
            *out_text = text;
            return ST_OK;
        }
    }
    return template->count == 0 || template->may_be_missing ? ST_OK
                                                            : quarantine_missing(r, field);
}

static int64_t read_time(struct reading *r)
{
    const struct template *template = &r->parser->fields[PARSE_TIME];
    struct slice text = SLICE_NONE;
    int64_t unix_ms;

    if (template->leaves_body && r->known) {
        return r->known->event_ms;
    }
    for (size_t i = 0; i < template->count && text.data == NULL; i++) {
        text = alternative_text(r, &template->alternatives[i], PARSE_TIME);
    }
    if (date_parse(text, &unix_ms) || date_parse_unix(text, &unix_ms)) {
        return unix_ms;
    }
    r->out->unreadable_time = text.len > 0;
    return CLOCK_NONE;
}

static enum status read_fields(struct reading *r)
{
    const struct event none = {0};
    const struct event *known = r->known ? r->known : &none;
    const struct provider_fields *fields = &r->parser->provider->fields;
    struct parsed *out = r->out;
    enum status event = read_field(r, PARSE_EVENT, known->event, &out->event);
    enum status type = read_field(r, PARSE_TYPE, known->resource_type, &out->resource_type);
    enum status gid = read_field(r, PARSE_GID, known->gid, &out->gid);
    enum status id = read_field(r, PARSE_DELIVERY_ID, known->delivery_id, &out->delivery_id);

    if (fields->resource_type == NULL) {
        out->resource_type = provider_type_of(out->event);
    }
    out->event_ms = read_time(r);
    out->deletion = provider_is_deletion(r->parser->provider, out->event);
    return event != ST_OK ? event : type != ST_OK ? type : gid != ST_OK ? gid : id;
}

static bool is_challenge(struct reading *r)
{
    const struct parser *parser = r->parser;

    return parser->provider->challenge.field &&
           r->values[parser->challenge_echo].kind == JSON_STRING &&
           slice_equal(parse_scalar(r->out, r->values[parser->challenge_field]),
                       slice_of(parser->provider->challenge.value));
}

static enum status read_challenge(struct reading *r)
{
    struct slice text = parse_scalar(r->out, r->values[r->parser->challenge_echo]);

    if (text.len > PARSE_MAX_FIELD) {
        return quarantine(r->out, ST_INVALID, "%s is longer than %d bytes",
                          r->parser->provider->challenge.echo, PARSE_MAX_FIELD);
    }
    r->out->challenge = text;
    return ST_OK;
}

static bool begins_as_json(struct slice body)
{
    struct slice text = slice_trim(json_skip_mark(body), " \t\r\n");

    return text.len > 0 && (text.data[0] == '{' || text.data[0] == '[');
}

/* For a body that is not JSON: some providers send forms by default. A body that begins like JSON
 * was meant to be JSON, whatever its Content-Type: curl calls everything a form. */
static bool is_form(const struct delivery *delivery)
{
    static const struct slice types[] = {SLICE("application/x-www-form-urlencoded"),
                                         SLICE("multipart/form-data")};
    struct slice type = delivery_header(delivery, "Content-Type");

    if (begins_as_json(delivery->body)) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (type.len >= types[i].len &&
            slice_equal_nocase((struct slice){type.data, types[i].len}, types[i])) {
            return true;
        }
    }
    return false;
}

/* st and error_at are json_check's. */
static enum status quarantine_no_json(const struct delivery *delivery, enum status st,
                                      size_t error_at, struct parsed *out)
{
    if (json_skip_mark(delivery->body).len == 0) {
        return quarantine(out, ST_INVALID, "the body is empty");
    }
    if (is_form(delivery)) {
        return quarantine(out, ST_INVALID,
                          "a form, not JSON: set the provider's content type to "
                          "application/json");
    }
    if (st == ST_TOO_LARGE) {
        return quarantine(out, ST_INVALID, "nested deeper than %d levels at byte %zu",
                          JSON_MAX_DEPTH, error_at);
    }
    return quarantine(out, ST_INVALID, "not JSON (RFC 8259): wrong at byte %zu", error_at);
}

enum status parser_read(const struct parser *parser, const struct delivery *delivery,
                        const struct event *known, struct parsed *out)
{
    struct slice json = json_skip_mark(delivery->body);
    struct json_value values[JSON_MAX_PATHS];
    struct reading r;
    size_t error_at = 0;
    enum status st = json_check(json, &error_at);

    *out = (struct parsed){.event_ms = CLOCK_NONE};
    r = (struct reading){parser, delivery, delivery->header ? NULL : known, values, out};
    if (st != ST_OK) {
        return quarantine_no_json(delivery, st, delivery->body.len - json.len + error_at, out);
    }
    if (json_kind_of(json) != JSON_OBJECT) {
        return quarantine(out, ST_INVALID, "JSON, but not an object");
    }
    json_find_all(json, parser->paths, parser->path_count, values);
    return is_challenge(&r) ? read_challenge(&r) : read_fields(&r);
}
