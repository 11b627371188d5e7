#include "bridge/cli/provider/json.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/json.h"

#include "bridge/cli/cli.h"

void cli_json_add_decoded(struct buf *out, struct slice string)
{
    struct json_tokener *tokener;
    struct json_object *decoded;

    if (!memchr(string.data, '\\', string.len)) {
        buf_add(out, string.data + 1, string.len - 2);
        return;
    }
    tokener = json_tokener_new();
    CHECK(tokener);
    decoded = json_tokener_parse_ex(tokener, string.data, (int)string.len);
    if (decoded) {
        buf_add(out, json_object_get_string(decoded),
                (size_t)json_object_get_string_len(decoded));
    }
    json_object_put(decoded);
    json_tokener_free(tokener);
}

/* NULL if it holds a NUL. */
static char *decode_string(struct slice raw)
{
    struct buf text = {0};

    cli_json_add_decoded(&text, raw);
    if (strlen(buf_slice(&text).data) == text.len) {
        return buf_take(&text);
    }
    buf_free(&text);
    return NULL;
}

char *cli_json_text(struct slice json, const char *path)
{
    struct json_value value = json_find(json, slice_of(path));
    struct buf text = {0};

    switch (value.kind) {
    case JSON_STRING:
        return decode_string(value.raw);
    case JSON_NUMBER:
    case JSON_BOOL:
        buf_add_slice(&text, value.raw);
        return buf_take(&text);
    case JSON_ABSENT:
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        return NULL;
    }
    return NULL;
}

void cli_json_add_text(struct buf *out, struct slice json, const char *path,
                       const char *missing)
{
    char *text = cli_json_text(json, path);

    cli_add_safe(out, slice_of(text ? text : missing));
    free(text);
}

void cli_json_add_member(struct buf *out, const char *name, struct slice json, const char *path)
{
    struct json_value value = json_find(json, slice_of(path));

    json_add_string(out, slice_of(name));
    buf_add_char(out, ':');
    buf_add_slice(out, value.kind == JSON_ABSENT ? SLICE("null") : value.raw);
}

void cli_json_add_string(struct buf *out, const char *name, const char *text)
{
    json_add_string(out, slice_of(name));
    buf_add_char(out, ':');
    if (text) {
        json_add_string(out, slice_of(text));
    } else {
        buf_add_str(out, "null");
    }
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

const char *cli_json_skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        p += *p == '\\';
    }
    return p < end ? p + 1 : end;
}

/* The comma or bracket that ends the value which begins at p. */
static const char *find_end(const char *p, const char *end)
{
    size_t depth = 0;

    while (p < end) {
        if (*p == '"') {
            p = cli_json_skip_string(p, end);
            continue;
        }
        if (depth == 0 && (*p == ',' || *p == ']' || *p == '}')) {
            return p;
        }
        depth += *p == '[' || *p == '{';
        depth -= *p == ']' || *p == '}';
        p++;
    }
    return end;
}

/* Back over space. */
static const char *trim(const char *begin, const char *end)
{
    while (end > begin && is_space(end[-1])) {
        end--;
    }
    return end;
}

const char *cli_json_skip_value(const char *p, const char *end)
{
    return trim(p, find_end(p, end));
}

bool cli_json_next(struct slice *rest, struct slice *out_item)
{
    /* At the opening bracket, a comma, or the closing bracket. */
    const char *end = rest->data + rest->len;
    const char *item = rest->data;
    const char *item_end;

    if (rest->len == 0 || *item == ']') {
        return false;
    }
    do {
        item++;
    } while (item < end && is_space(*item));
    item_end = find_end(item, end);
    *rest = (struct slice){item_end, (size_t)(end - item_end)};
    item_end = trim(item, item_end);
    *out_item = (struct slice){item, (size_t)(item_end - item)};
    return item_end > item; /* nothing: the array is empty */
}
