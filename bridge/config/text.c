/*
 * The file's bytes become a tree:
 *   - read them; put blanks in the place of comments, so that positions stay right;
 *   - json_check decides whether this is JSON, to the letter;
 *   - a scan of our own finds keys that stand twice in one object, which json-c would quietly
 *     merge;
 *   - json-c makes the tree.
 * A file that is not JSON ends here with one fault: nothing behind it can be trusted to be what
 * it seems.
 */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/file.h"
#include "common/json.h"

#include "bridge/config/internal.h"

enum { MAX_FILE_BYTES = 1 << 20, MAX_REPEATED_KEYS = 100 };

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
        return "the file is empty; it must hold an object in { }";
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

/* One open object or list of the scan. */
struct level {
    struct json_object *keys; /* those seen so far; NULL: a list */
    bool key_comes;
    size_t item;
    size_t offset;
};

struct scan {
    struct slice text;
    struct reader reader;
    struct level levels[JSON_MAX_DEPTH + 1];
    size_t depth;
};

static void scan_key(struct scan *scan, struct level *level, struct slice quoted)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *key;
    struct slice name;

    CHECK(tokener);
    key = json_tokener_parse_ex(tokener, quoted.data, (int)quoted.len);
    name.data = json_object_get_string(key);
    name.len = (size_t)json_object_get_string_len(key);
    reader_leave(&scan->reader, level->offset);
    (void)reader_enter_key(&scan->reader, name);
    if (memchr(name.data, '\0', name.len)) {
        config_fault(scan->reader.faults, reader_path(&scan->reader),
                     "a key must not hold \\u0000");
    } else if (json_object_object_get_ex(level->keys, name.data, NULL)) {
        struct position pos = position_of(scan->text, (size_t)(quoted.data - scan->text.data));

        config_fault(scan->reader.faults, reader_path(&scan->reader),
                     "is given twice in the same object (again on line %zu, column %zu)",
                     pos.line, pos.column);
    } else {
        (void)json_object_object_add(level->keys, name.data,
                                     NULL); /* fails for lack of memory */
    }
    json_object_put(key);
    json_tokener_free(tokener);
}

static void scan_open(struct scan *scan, bool is_object)
{
    CHECK(scan->depth < COUNT_OF(scan->levels)); /* json_check has seen to it */
    scan->levels[scan->depth++] = (struct level){
        .keys = is_object ? json_object_new_object() : NULL,
        .key_comes = is_object,
        .offset = scan->reader.path.len,
    };
    if (!is_object) {
        (void)reader_enter_item(&scan->reader, 0);
    }
}

static void scan_close(struct scan *scan)
{
    struct level *level = &scan->levels[--scan->depth];

    reader_leave(&scan->reader, level->offset);
    json_object_put(level->keys);
}

static void scan_next(struct scan *scan, struct level *level)
{
    level->key_comes = level->keys;
    if (!level->keys) {
        reader_leave(&scan->reader, level->offset);
        (void)reader_enter_item(&scan->reader, ++level->item);
    }
}

/* Of a text that is JSON: adds a fault for each key that stands twice in one object. */
static void find_repeated_keys(struct slice text, struct config_faults *faults)
{
    struct scan scan = {.text = text, .reader.faults = faults};
    size_t at = 0;

    while (at < text.len && faults->count < MAX_REPEATED_KEYS) {
        struct level *level = scan.depth > 0 ? &scan.levels[scan.depth - 1] : NULL;
        char c = text.data[at];

        if (c == '"') {
            size_t end = string_end(text, at);

            if (level && level->key_comes) {
                level->key_comes = false;
                scan_key(&scan, level, (struct slice){text.data + at, end - at});
            }
            at = end;
            continue;
        }
        if (c == '{' || c == '[') {
            scan_open(&scan, c == '{');
        } else if (c == '}' || c == ']') {
            scan_close(&scan);
        } else if (c == ',' && level) {
            scan_next(&scan, level);
        }
        at++;
    }
    while (scan.depth > 0) {
        scan_close(&scan);
    }
    buf_free(&scan.reader.path);
}

static enum status make_tree(struct slice text, struct json_object **out_root,
                             struct config_faults *faults)
{
    struct json_tokener *tokener = json_tokener_new_ex(2 * JSON_MAX_DEPTH);
    struct json_object *root;
    enum status st = ST_OK;

    CHECK(tokener);
    root = json_tokener_parse_ex(tokener, text.data, (int)text.len);
    if (!json_object_is_type(root, json_type_object)) {
        config_fault(faults, "", "must be an object in { }");
        json_object_put(root);
        st = ST_INVALID;
    } else {
        *out_root = root;
    }
    json_tokener_free(tokener);
    return st;
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
    if (json_check(text, &wrong_at) != ST_OK) {
        struct position pos = position_of(text, wrong_at);

        config_fault(faults, "", "line %zu, column %zu: %s", pos.line, pos.column,
                     guess(text, wrong_at));
        return ST_INVALID;
    }
    find_repeated_keys(text, faults);
    return make_tree(text, out_root, faults);
}

enum status config_text_load(const char *path, struct json_object **out_root,
                             struct config_faults *faults)
{
    struct buf file = {0};
    struct err err = {0};
    enum status st = file_read(path, MAX_FILE_BYTES, &file, &err);

    if (st != ST_OK) {
        config_fault(faults, "", "cannot be read: %s", err.text);
    } else {
        st = config_text_parse(&file, out_root, faults);
    }
    buf_wipe(&file); /* may hold inline secrets */
    return st;
}
