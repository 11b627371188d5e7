/*
 * Input: a text, which may also be a path. Checks that json-c accepts every text that json_check accepts, and finds the same
 * values in it; and that nothing is read beyond the text (its memory has exactly its size).
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <json-c/json.h>

#include "common/json.h"
#include "common/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum json_kind kind_in_json_c(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return JSON_NULL;
    case json_type_boolean:
        return JSON_BOOL;
    case json_type_double:
    case json_type_int:
        return JSON_NUMBER;
    case json_type_string:
        return JSON_STRING;
    case json_type_array:
        return JSON_ARRAY;
    case json_type_object:
        return JSON_OBJECT;
    }
    return JSON_ABSENT;
}

/* json-c cuts names at a NUL and replaces half surrogate pairs, so different names may become
 * equal. */
static bool names_are_comparable(struct slice text)
{
    return memmem(text.data, text.len, "\\u0000", 6) == NULL &&
           memmem(text.data, text.len, "\\ud", 3) == NULL &&
           memmem(text.data, text.len, "\\uD", 3) == NULL;
}

static struct json_value find(struct slice text, struct slice path)
{
    struct buf compiled = {0};
    struct json_value value = {JSON_ABSENT, SLICE_NONE};

    if (json_compile_path(path, &compiled, NULL) == ST_OK) {
        value = json_find(text, buf_slice(&compiled));
    }
    buf_free(&compiled);
    return value;
}

/* Writes the object in which the path finds 1, from what people write, not from what is compiled. */
static struct buf object_of(struct slice path)
{
    struct buf out = {0};
    size_t depth = 0;

    for (size_t i = 0; i <= path.len; i++, depth++) {
        bool quoted = i < path.len && path.data[i] == '"';
        size_t start = quoted ? ++i : i;

        while (i < path.len && path.data[i] != (quoted ? '"' : '.')) {
            i++;
        }
        buf_add_char(&out, '{');
        json_add_string(&out, (struct slice){path.data + start, i - start});
        buf_add_char(&out, ':');
        i += quoted;
    }
    buf_add_char(&out, '1');
    for (; depth > 0; depth--) {
        buf_add_char(&out, '}');
    }
    return out;
}

static void check_path(struct slice path)
{
    struct buf compiled = {0};
    struct buf object;

    if (json_compile_path(path, &compiled, NULL) == ST_OK && utf8_valid(path)) {
        object = object_of(path);
        CHECK(json_check(buf_slice(&object), NULL) == ST_OK);
        /* A star at the end stands for itself, too: its prefix is a prefix of it. */
        CHECK(slice_equal(json_find(buf_slice(&object), buf_slice(&compiled)).raw, SLICE("1")));
        buf_free(&object);
    }
    buf_free(&compiled);
}

/* In a path such a name would have another meaning. */
static bool is_plain(const char *name)
{
    return strpbrk(name, "\x1E\x1F") == NULL;
}

static void compare_members(struct slice text, struct json_object *object)
{
    json_object_object_foreach(object, name, member)
    {
        if (is_plain(name)) {
            struct json_value value = json_find(text, slice_of(name));

            CHECK(value.kind == kind_in_json_c(member));
            CHECK(value.raw.data >= text.data);
            CHECK(value.raw.data + value.raw.len <= text.data + text.len);
            CHECK(json_check(value.raw, NULL) == ST_OK);
            CHECK(json_kind_of(value.raw) == value.kind);
        }
    }
}

static void check_accepted(struct slice text)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_MAX_DEPTH + 1);
    struct json_object *root;

    CHECK(tokener != NULL);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    root = json_tokener_parse_ex(tokener, text.data, (int)text.len);
    /* For json-c a number at the very end of its input might go on. */
    if (json_tokener_get_error(tokener) == json_tokener_continue) {
        root = json_tokener_parse_ex(tokener, "", 1);
    }
    CHECK(json_tokener_get_error(tokener) == json_tokener_success);
    CHECK(utf8_valid(text));
    CHECK(kind_in_json_c(root) == json_kind_of(text));
    if (json_object_is_type(root, json_type_object) && names_are_comparable(text)) {
        compare_members(text, root);
    }
    json_object_put(root);
    json_tokener_free(tokener);
}

static void check_first_scalar(struct slice text, struct json_value value)
{
    CHECK(value.kind == JSON_ABSENT || value.kind == JSON_STRING || value.kind == JSON_NUMBER ||
          value.kind == JSON_BOOL);
    if (value.kind != JSON_ABSENT) {
        CHECK(value.raw.data > text.data &&
              value.raw.data + value.raw.len < text.data + text.len);
        CHECK(json_kind_of(value.raw) == value.kind && json_check(value.raw, NULL) == ST_OK);
    }
}

static void check_written(struct slice text)
{
    struct buf out = {0};

    json_add_string(&out, text);
    CHECK(json_check(buf_slice(&out), NULL) == ST_OK);
    CHECK(json_kind_of(buf_slice(&out)) == JSON_STRING);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    size_t error_at = SIZE_MAX;

    if (json_check(text, &error_at) == ST_OK) {
        check_accepted(text);
        (void)find(text, SLICE("resource.modified_at"));
        (void)find(text, SLICE("a.\"a\".a"));
        check_first_scalar(text, find(text, SLICE("a*")));
    } else {
        CHECK(error_at <= size);
    }
    check_path(text);
    check_written(text);
    return 0;
}
