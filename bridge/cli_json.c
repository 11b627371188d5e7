#include "bridge/cli_json.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/json.h"

#include "bridge/cli.h"

/* What stands between the quotes, decoded; NULL if it holds a NUL. */
static char *decode_string(struct slice raw)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *string;
    char *text = NULL;

    CHECK(tokener);
    string = json_tokener_parse_ex(tokener, raw.data, (int)raw.len);
    if (string &&
        strlen(json_object_get_string(string)) == (size_t)json_object_get_string_len(string)) {
        text = xstrdup(json_object_get_string(string));
    }
    json_object_put(string);
    json_tokener_free(tokener);
    return text;
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

/* Behind the string whose opening quote is at p. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        p += *p == '\\';
    }
    return p < end ? p + 1 : end;
}

/* The comma or bracket that ends the item which begins at p. */
static const char *find_end(const char *p, const char *end)
{
    size_t depth = 0;

    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            continue;
        }
        if (depth == 0 && (*p == ',' || *p == ']')) {
            return p;
        }
        depth += *p == '[' || *p == '{';
        depth -= *p == ']' || *p == '}';
        p++;
    }
    return end;
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
    while (item_end > item && is_space(item_end[-1])) {
        item_end--;
    }
    *out_item = (struct slice){item, (size_t)(item_end - item)};
    return item_end > item; /* nothing: the array is empty */
}
