/*
 * JSON values as text. Most are slices of the body; only strings with escapes, and joined texts,
 * are made, and belong to the parsed delivery. A value that is not a scalar has no text.
 * json-c decodes the escapes; the string is checked JSON, so only memory could fail.
 */
#include "bridge/parse/internal.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>
#include <json-c/json_tokener.h>

/* A longer string decodes to more than any field or topic may have, even if all of it is
 * \u0041. */
enum { MAX_RAW = 6 * 65535 + 2 };

/* A list, because slices point into the texts and they must not move. */
struct parsed_text {
    struct parsed_text *next;
    char data[];
};

void parsed_fini(struct parsed *parsed)
{
    while (parsed->made) {
        struct parsed_text *text = parsed->made;

        parsed->made = text->next;
        free(text);
    }
}

static char *make_text(struct parsed *parsed, size_t len)
{
    struct parsed_text *text = xalloc(sizeof(*text) + len + 1);

    text->next = parsed->made;
    parsed->made = text;
    return text->data;
}

/* Most strings have no escapes and never come here. */
static struct slice decode_string(struct parsed *parsed, struct json_value string)
{
    struct slice raw = string.raw;
    struct json_tokener *tokener;
    struct json_object *object;
    struct slice value = SLICE_NONE;

    if (raw.len > MAX_RAW) {
        return json_inside_quotes(string); /* too long for any use, decoded or not */
    }
    tokener = json_tokener_new();
    CHECK(tokener != NULL);
    object = json_tokener_parse_ex(tokener, raw.data, (int)raw.len);
    if (object) {
        size_t len = (size_t)json_object_get_string_len(object);
        char *text = make_text(parsed, len);

        memcpy(text, json_object_get_string(object), len);
        value = (struct slice){text, len};
    }
    json_object_put(object);
    json_tokener_free(tokener);
    return value;
}

static struct slice string_text(struct parsed *parsed, struct json_value string)
{
    if (json_has_escape(string)) {
        return decode_string(parsed, string);
    }
    return json_inside_quotes(string);
}

struct slice parse_scalar(struct parsed *parsed, struct json_value value)
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
    return parse_scalar(parsed, json_find(json_skip_mark(body), path));
}

const char *parse_brace_end(const char *open)
{
    const char *p = strpbrk(open + 1, "{}\"");

    while (p && *p == '"') {
        const char *quote = strchr(p + 1, '"');

        p = strpbrk(quote ? quote + 1 : p + 1, "{}\""); /* a quote that does not end is none */
    }
    return p && *p == '}' ? p : NULL;
}

struct slice parse_join(struct parsed *parsed, const struct slice *texts, size_t count)
{
    size_t room = 0, len = 0;
    char *data;

    for (size_t i = 0; i < count; i++) {
        room += texts[i].len;
    }
    room = room <= PARSE_MAX_FIELD ? room : PARSE_MAX_FIELD + 1;
    data = make_text(parsed, room);
    for (size_t i = 0; i < count; i++) {
        size_t n = texts[i].len <= room - len ? texts[i].len : room - len;

        memcpy(data + len, texts[i].data, n);
        len += n;
    }
    return (struct slice){data, len};
}
