/*
 * The file's bytes become a tree:
 *   - read them; put blanks in the place of comments, so that positions stay right;
 *   - json_check decides whether this is JSON, to the letter;
 *   - a walk of our own makes the tree, because json-c would quietly merge keys that an object
 *     has twice.
 * A file that is not JSON ends here with one fault: nothing behind it can be trusted to be what
 * it seems.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/file.h"
#include "common/json.h"

#include "bridge/config/internal.h"

enum { MAX_FILE_BYTES = 1 << 20, MAX_FINDINGS = 100 };

struct position {
    size_t line, column; /* from 1; columns in characters */
};

static struct position position_of(struct slice text, size_t at)
{
    struct position pos = {1, 1};

    for (size_t i = 0; i < at && i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c == '\n') {
            pos.line++;
            pos.column = 1;
        } else if ((c & 0xC0) != 0x80) { /* not the later bytes of a character */
            pos.column++;
        }
    }
    return pos;
}

/* Behind the closing quote of the string that begins at `at`; the end if there is none. */
static size_t string_end(struct slice text, size_t at)
{
    for (at++; at < text.len; at++) {
        if (text.data[at] == '\\') {
            at++;
        } else if (text.data[at] == '"') {
            return at + 1;
        }
    }
    return text.len;
}

/* Behind the comment that begins at `at`; 0 if it never ends. */
static size_t comment_end(struct slice text, size_t at)
{
    const char *end;

    if (text.data[at + 1] == '/') {
        end = memchr(text.data + at, '\n', text.len - at);
        return end ? (size_t)(end - text.data) : text.len;
    }
    end = memmem(text.data + at + 2, text.len - at - 2, "*/", 2);
    return end ? (size_t)(end - text.data) + 2 : 0;
}

static void blank(char *from, const char *to)
{
    for (; from < to; from++) {
        if (*from != '\n') {
            *from = ' ';
        }
    }
}

static enum status blank_comments(struct buf *file, struct config_faults *faults)
{
    struct slice text = buf_slice(file);
    size_t at = 0;

    while (at < text.len) {
        if (text.data[at] == '"') {
            at = string_end(text, at);
        } else if (text.data[at] == '/' && at + 1 < text.len &&
                   (text.data[at + 1] == '/' || text.data[at + 1] == '*')) {
            size_t end = comment_end(text, at);

            if (end == 0) {
                struct position pos = position_of(text, at);

                config_fault(faults, "",
                             "line %zu, column %zu: the comment that begins here never ends",
                             pos.line, pos.column);
                return ST_INVALID;
            }
            blank(file->data + at, text.data + end);
            at = end;
        } else {
            at++;
        }
    }
    return ST_OK;
}

/* The last byte before `at` that is no white space; NUL at the beginning. */
static char char_before(struct slice text, size_t at)
{
    while (at > 0) {
        char c = text.data[--at];

        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            return c;
        }
    }
    return '\0';
}

/* What people get wrong most often, seen from the byte where JSON ended. */
static const char *guess(struct slice text, size_t at)
{
    char before = char_before(text, at);
    char c = '\0';

    if (at < text.len) {
        c = text.data[at];
    }
    if (text.len == 0 || (at >= text.len && before == '\0')) {
        return "the file is empty; it must contain an object in { }";
    }
    if (at == 0 && text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0) {
        return "save the file without a byte order mark";
    }
    if (at >= text.len) {
        return "the file ends too early; is a quote or a closing bracket missing?";
    }
    if ((c == '}' || c == ']') && before == ',') {
        return "there must be no comma before a closing bracket";
    }
    if (c == '\'') {
        return "text needs double quotes";
    }
    if (c == '\n' || c == '\r' || c == '\t') {
        return "text must end on its line; is a closing quote missing?";
    }
    if ((c == '"' || c == '{' || c == '[') && before != '\0' && !strchr(",:{[", before)) {
        return "a comma (or, behind a key, a colon) is missing before this";
    }
    if ((unsigned char)c >= 0x80) {
        return "this is not UTF-8, or not inside of quotes";
    }
    return "not JSON here";
}

/* Reading a text that is JSON into a tree. */
struct walk {
    struct slice text;
    size_t at;
    struct reader reader;
};

static struct json_object *read_value(struct walk *walk);

/* Behind white space; '\0': at the end. */
static char next_char(struct walk *walk)
{
    while (walk->at < walk->text.len && strchr(" \t\r\n", walk->text.data[walk->at])) {
        walk->at++;
    }
    if (walk->at == walk->text.len) {
        return '\0';
    }
    return walk->text.data[walk->at];
}

/* The number of four hexadecimal digits behind `\u`; 0: something else is there. */
static unsigned escaped_unit(const char *at, const char *end)
{
    char digits[5] = "";

    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') {
        return 0;
    }
    memcpy(digits, at + 2, 4);
    return (unsigned)strtoul(digits, NULL, 16);
}

/* The first half of a surrogate pair without the other one, which stands for no character; NULL:
 * there is none (RFC 8259 section 7). */
static const char *find_lone_half(const char *at, const char *end)
{
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        unsigned unit = escaped_unit(at, end);
        bool high = unit >= 0xD800 && unit < 0xDC00;

        if (unit >= 0xDC00 && unit < 0xE000) {
            return at;
        }
        if (high) {
            unsigned low = escaped_unit(at + 6, end);

            if (low < 0xDC00 || low >= 0xE000) {
                return at;
            }
            at += 6;
        }
        at += unit != 0 ? 6 : 2;
        if (at >= end) {
            break;
        }
    }
    return NULL;
}

/* json-c would put U+FFFD in its place, in a secret, too. */
static void check_halves(struct walk *walk, const char *string, size_t len)
{
    const char *half = find_lone_half(string, string + len);
    struct position pos;

    if (half && walk->reader.faults->count < MAX_FINDINGS) {
        pos = position_of(walk->text, (size_t)(half - walk->text.data));
        config_fault(
            walk->reader.faults, reader_path(&walk->reader),
            "contains half of a character (a surrogate without the other half) on line "
            "%zu, column %zu",
            pos.line, pos.column);
    }
}

/* A string, number, true, false or null, by json-c. */
static struct json_object *read_scalar(struct walk *walk)
{
    size_t end = walk->at;
    struct json_object *value;
    struct buf copy = {0};

    if (next_char(walk) == '"') {
        const char *string = walk->text.data + walk->at + 1;
        size_t len;

        end = string_end(walk->text, walk->at);
        len = end - walk->at - 2;
        if (!memchr(string, '\\', len)) {
            walk->at = end;
            return json_object_new_string_len(string, (int)len);
        }
        check_halves(walk, string, len);
    } else {
        while (end < walk->text.len && !strchr(",:]} \t\r\n", walk->text.data[end])) {
            end++;
        }
    }
    buf_add(&copy, walk->text.data + walk->at, end - walk->at);
    value = json_tokener_parse(copy.data);
    buf_wipe(&copy); /* may be a secret */
    walk->at = end;
    return value;
}

static void check_key(struct walk *walk, struct json_object *object, struct slice name,
                      size_t at)
{
    struct position pos;

    if (walk->reader.faults->count >= MAX_FINDINGS) {
        return;
    }
    if (memchr(name.data, '\0', name.len)) {
        config_fault(walk->reader.faults, reader_path(&walk->reader),
                     "a key must not contain \\u0000");
    } else if (json_object_object_get_ex(object, name.data, NULL)) {
        pos = position_of(walk->text, at);
        config_fault(walk->reader.faults, reader_path(&walk->reader),
                     "is given twice in the same object (again on line %zu, column %zu)",
                     pos.line, pos.column);
    }
}

static void read_member(struct walk *walk, struct json_object *object)
{
    size_t at = walk->at, offset;
    struct json_object *key = read_scalar(walk), *value;
    struct slice name = {json_object_get_string(key), (size_t)json_object_get_string_len(key)};

    offset = reader_enter_key(&walk->reader, name);
    check_key(walk, object, name, at);
    (void)next_char(walk);
    walk->at++; /* the colon */
    value = read_value(walk);
    if (memchr(name.data, '\0', name.len)) {
        json_object_put(value); /* a fault was added, and json-c would cut the key */
    } else {
        json_object_object_add(object, name.data, value);
    }
    reader_leave(&walk->reader, offset);
    json_object_put(key);
}

static struct json_object *read_object(struct walk *walk)
{
    struct json_object *object = json_object_new_object();

    for (walk->at++; next_char(walk) != '}'; walk->at += next_char(walk) == ',') {
        read_member(walk, object);
    }
    walk->at++;
    return object;
}

static struct json_object *read_list(struct walk *walk)
{
    struct json_object *list = json_object_new_array();

    for (walk->at++; next_char(walk) != ']'; walk->at += next_char(walk) == ',') {
        size_t offset = reader_enter_item(&walk->reader, json_object_array_length(list));

        json_object_array_add(list, read_value(walk));
        reader_leave(&walk->reader, offset);
    }
    walk->at++;
    return list;
}

/* NULL: null. Calls itself at most JSON_MAX_DEPTH times, as json_check has seen to. */
static struct json_object *read_value(struct walk *walk)
{
    char c = next_char(walk);

    return c == '{' ? read_object(walk) : c == '[' ? read_list(walk) : read_scalar(walk);
}

static enum status make_tree(struct slice text, struct json_object **out_root,
                             struct config_faults *faults)
{
    struct walk walk = {.text = text, .reader.faults = faults};
    struct json_object *root = read_value(&walk);

    buf_free(&walk.reader.path);
    if (!json_object_is_type(root, json_type_object)) {
        config_fault(faults, "", "must be an object in { }");
        json_object_put(root);
        return ST_INVALID;
    }
    *out_root = root;
    return ST_OK;
}

enum status config_text_parse(struct buf *file, struct json_object **out_root,
                              struct config_faults *faults)
{
    enum status st = blank_comments(file, faults);
    struct slice text = buf_slice(file);
    size_t wrong_at = 0;

    if (st != ST_OK) {
        return st;
    }
    st = json_check(text, &wrong_at);
    if (st != ST_OK) {
        struct position pos = position_of(text, wrong_at);
        char depth[48];

        (void)snprintf(depth, sizeof(depth), "nested deeper than %d levels", JSON_MAX_DEPTH);
        config_fault(faults, "", "line %zu, column %zu: %s", pos.line, pos.column,
                     st == ST_TOO_LARGE ? depth : guess(text, wrong_at));
        return ST_INVALID;
    }
    return make_tree(text, out_root, faults);
}

enum status config_text_load(const char *path, struct json_object **out_root,
                             struct config_faults *faults)
{
    struct buf file = {0};
    struct err err = {0};
    enum status st = file_read(path, MAX_FILE_BYTES, &file, &err);

    if (st != ST_OK) {
        config_fault(faults, "", "cannot be read: %s", config_without_name(err.text, path));
    } else {
        st = config_text_parse(&file, out_root, faults);
    }
    buf_wipe(&file); /* may hold inline secrets */
    return st;
}
