/*
 * json_check decides what JSON is, because json-c lets too much pass; json-c then makes the tree.
 *
 * An id beyond 64 bits would come out of json-c as another number, so such a text is refused.
 */
#include "bridge/cli/tree.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <json-c/json_visit.h>

#include "common/json.h"

#include "bridge/cli/cli.h"

static struct json_tokener *new_tokener(void)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_MAX_DEPTH + 1);

    CHECK(tokener);
    return tokener;
}

/* json-c makes the largest or smallest number of one that is beyond it. */
static int find_cut_number(struct json_object *value, int flags, struct json_object *parent,
                           const char *key, size_t *index, void *out_found)
{
    (void)flags;
    (void)parent;
    (void)key;
    (void)index;
    if (json_object_is_type(value, json_type_int) &&
        (json_object_get_uint64(value) == UINT64_MAX ||
         json_object_get_int64(value) == INT64_MIN)) {
        *(bool *)out_found = true;
    }
    return JSON_C_VISIT_RETURN_CONTINUE;
}

struct json_object *tree_parse(struct slice text, bool *out_is_json)
{
    struct json_object *tree = NULL;
    struct json_tokener *tokener;
    bool is_json = json_check(text, NULL) == ST_OK, is_cut = false;

    if (is_json) {
        tokener = new_tokener();
        tree = json_tokener_parse_ex(tokener, text.data, (int)text.len);
        if (json_tokener_get_error(tokener) == json_tokener_continue) {
            tree = json_tokener_parse_ex(tokener, "", 1); /* the text is a number */
        }
        json_tokener_free(tokener);
        (void)json_c_visit(tree, 0, find_cut_number, &is_cut);
    }
    if (is_cut) {
        tree_wipe(tree);
        tree = NULL;
    }
    if (out_is_json) {
        *out_is_json = is_json && !is_cut;
    }
    return tree;
}

static int wipe(struct json_object *value, int flags, struct json_object *parent,
                const char *key, size_t *index, void *ctx)
{
    (void)flags;
    (void)parent;
    (void)key;
    (void)index;
    (void)ctx;
    if (json_object_is_type(value, json_type_string)) {
        int len = json_object_get_string_len(value);
        char *stars = xalloc((size_t)len + 1);

        memset(stars, '*', (size_t)len);
        json_object_set_string_len(value, stars, len); /* in its place, as it is no longer */
        free(stars);
    }
    return JSON_C_VISIT_RETURN_CONTINUE;
}

void tree_wipe(struct json_object *tree)
{
    if (tree) {
        (void)json_c_visit(tree, 0, wipe, NULL);
        json_object_put(tree);
    }
}

struct json_object *tree_copy(struct json_object *tree)
{
    struct json_object *copy = NULL;
    int failed = tree ? json_object_deep_copy(tree, &copy, NULL) : 0;

    CHECK(!failed);
    return copy;
}

struct json_object *tree_at(struct json_object *tree, const char *pointer)
{
    struct json_object *value = NULL;

    return tree && json_pointer_get(tree, pointer, &value) == 0 ? value : NULL;
}

const char *tree_text(struct json_object *tree, const char *pointer)
{
    struct json_object *value = tree_at(tree, pointer);
    const char *text;

    switch (json_object_get_type(value)) {
    case json_type_string:
        text = json_object_get_string(value);
        return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
    case json_type_boolean:
    case json_type_double:
    case json_type_int:
        return json_object_get_string(value);
    case json_type_null:
    case json_type_object:
    case json_type_array:
        return NULL;
    }
    return NULL;
}

bool tree_is(struct json_object *tree, const char *pointer, const char *text)
{
    const char *found = tree_text(tree, pointer);

    return found && strcmp(found, text) == 0;
}

const char *tree_print(struct json_object *tree)
{
    return json_object_to_json_string_ext(tree, JSON_C_TO_STRING_NOSLASHESCAPE);
}

void tree_add_line(struct buf *out, struct json_object *object, const char *line)
{
    while (*line) {
        size_t len = strcspn(line, "{"), name_len = strcspn(line + len, "}");
        struct buf pointer = {0};
        const char *text;

        buf_add(out, line, len);
        line += len;
        if (name_len) {
            buf_addf(&pointer, "/%.*s", (int)name_len - 1, line + 1);
            text = tree_text(object, pointer.data);
            cli_add_safe(out, slice_of(text ? text : "-"));
            buf_free(&pointer);
            line += name_len + 1;
        }
    }
}

struct json_object *tree_object(const struct tree_member *members)
{
    struct json_object *object = json_object_new_object();

    for (; members->name; members++) {
        json_object_object_add(object, members->name, members->value);
    }
    return object;
}

struct json_object *tree_texts(const struct tree_text *members)
{
    struct json_object *object = json_object_new_object();

    for (; members->name; members++) {
        if (members->text) {
            json_object_object_add(object, members->name, tree_string(members->text));
        }
    }
    return object;
}

struct json_object *tree_pick(struct json_object *object, struct json_object *from,
                              const char *const *names)
{
    for (; *names; names++) {
        struct json_object *value = NULL;

        json_object_object_get_ex(from, *names, &value);
        json_object_object_add(object, *names, json_object_get(value));
    }
    return object;
}

struct json_object *tree_string(const char *text)
{
    return text ? json_object_new_string(text) : NULL;
}

struct json_object *tree_raw(const char *json)
{
    return json ? json_object_new_double_s(0, json) : NULL; /* json-c keeps the spelling */
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && strchr(" \t\r\n", *p)) {
        p++;
    }
    return p;
}

bool tree_next_item(struct slice *rest, struct slice *out_item)
{
    const char *end = rest->data + rest->len;
    const char *item = skip_space(rest->data, end); /* at a bracket or comma */
    struct json_tokener *tokener;

    if (item < end && *item != ']') {
        item = skip_space(item + 1, end);
    }
    if (item == end || *item == ']') {
        return false;
    }
    tokener = new_tokener();
    json_object_put(json_tokener_parse_ex(tokener, item, (int)(end - item)));
    *out_item = (struct slice){item, json_tokener_get_parse_end(tokener)};
    json_tokener_free(tokener);
    while (strchr(" \t\r\n", item[out_item->len - 1])) {
        out_item->len--; /* json-c takes the space behind a value, too */
    }
    *rest = (struct slice){item + out_item->len, (size_t)(end - item) - out_item->len};
    return true;
}
