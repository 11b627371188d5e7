#include "bridge/parse.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>
#include <json-c/json_tokener.h>

#include "common/clock.h"
#include "common/json.h"

/* A list, because slices point into what is there already. */
struct parsed_text {
    struct parsed_text *next;
    char data[];
};

void parsed_fini(struct parsed *parsed)
{
    while (parsed->decoded) {
        struct parsed_text *text = parsed->decoded;

        parsed->decoded = text->next;
        free(text);
    }
}

static enum status refuse(struct parsed *parsed, enum status st, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The first reason is the one that counts. */
static enum status refuse(struct parsed *parsed, enum status st, const char *format, ...)
{
    va_list args;

    if (parsed->reason[0] == '\0') {
        va_start(args, format);
        (void)vsnprintf(parsed->reason, sizeof(parsed->reason), format, args);
        va_end(args);
    }
    return st;
}

/* Most strings have no escapes and never come here. */
static struct slice decode_string(struct parsed *parsed, struct slice raw)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *object = tokener && raw.len <= INT_MAX
                                     ? json_tokener_parse_ex(tokener, raw.data, (int)raw.len)
                                     : NULL;
    struct slice value = SLICE_NONE;

    if (object) {
        size_t len = (size_t)json_object_get_string_len(object);
        struct parsed_text *text = xalloc(sizeof(*text) + len + 1);

        memcpy(text->data, json_object_get_string(object), len);
        text->next = parsed->decoded;
        parsed->decoded = text;
        value = (struct slice){text->data, len};
    }
    json_object_put(object);
    if (tokener) {
        json_tokener_free(tokener);
    }
    return value;
}

static struct slice string_text(struct parsed *parsed, struct json_value string)
{
    if (json_has_escape(string)) {
        return decode_string(parsed, string.raw);
    }
    return (struct slice){string.raw.data + 1, string.raw.len - 2};
}

static struct slice scalar_text(struct parsed *parsed, struct json_value value)
{
    switch (value.kind) {
    case JSON_STRING:
        return string_text(parsed, value);
    case JSON_NUMBER:
    case JSON_BOOL:
        return value.raw;
    case JSON_ABSENT:
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return SLICE_NONE;
}

struct slice parse_body_text(struct parsed *parsed, struct slice body, struct slice path)
{
    return scalar_text(parsed, json_find(body, path));
}

/* Leaves *out_text absent unless the value can be an identifier. */
static enum status read_identifier(struct parsed *parsed, const char *path,
                                   struct json_value value, bool may_be_number,
                                   struct slice *out_text)
{
    struct slice text;

    if (value.kind == JSON_ABSENT || value.kind == JSON_NULL) {
        return refuse(parsed, ST_MISSING, "%s is missing", path);
    }
    if (value.kind != JSON_STRING && !(value.kind == JSON_NUMBER && may_be_number)) {
        return refuse(parsed, ST_MISSING, "%s is not text", path);
    }
    text = scalar_text(parsed, value);
    if (text.len > PARSE_MAX_FIELD) {
        return refuse(parsed, ST_INVALID, "%s is longer than %d bytes", path, PARSE_MAX_FIELD);
    }
    *out_text = text;
    return ST_OK;
}

static int64_t read_time(struct parsed *parsed, struct json_value value,
                         struct json_value other)
{
    bool there = value.kind != JSON_ABSENT && value.kind != JSON_NULL;
    struct slice text = scalar_text(parsed, there ? value : other);
    int64_t unix_ms;

    return text.data && clock_parse(text, &unix_ms) ? unix_ms : CLOCK_NONE;
}

enum field { EVENT, RESOURCE_TYPE, GID, TIME, TIME_ELSE, FIELD_COUNT };

static enum status read_fields(struct parsed *parsed, const struct provider_fields *fields,
                               const struct json_value values[FIELD_COUNT])
{
    enum status event =
        read_identifier(parsed, fields->event, values[EVENT], false, &parsed->event);
    enum status type = read_identifier(parsed, fields->resource_type, values[RESOURCE_TYPE],
                                       false, &parsed->resource_type);
    enum status gid = read_identifier(parsed, fields->gid, values[GID], true, &parsed->gid);

    parsed->event_ms = read_time(parsed, values[TIME], values[TIME_ELSE]);
    parsed->deletion = fields->deletion_event && parsed->event.data &&
                       slice_equal(parsed->event, slice_of(fields->deletion_event));
    return event != ST_OK ? event : type != ST_OK ? type : gid;
}

enum status parse_body(const struct provider *provider, struct slice body, struct parsed *out)
{
    const struct provider_fields *fields = &provider->fields;
    const struct slice paths[FIELD_COUNT] = {
        [EVENT] = slice_of(fields->event),
        [RESOURCE_TYPE] = slice_of(fields->resource_type),
        [GID] = slice_of(fields->gid),
        [TIME] = slice_of(fields->event_time),
        [TIME_ELSE] = slice_of(fields->event_time_else),
    };
    struct json_value values[FIELD_COUNT];
    size_t error_at = 0;

    *out = (struct parsed){.event_ms = CLOCK_NONE};
    if (json_check(body, &error_at) != ST_OK) {
        return refuse(out, ST_INVALID, "not JSON (RFC 8259): wrong at byte %zu", error_at);
    }
    if (json_kind_of(body) != JSON_OBJECT) {
        return refuse(out, ST_INVALID, "JSON, but not an object");
    }
    json_find_all(body, paths, FIELD_COUNT, values);
    return read_fields(out, fields, values);
}
