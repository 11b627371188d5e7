/*
 * Paths into JSON, from what people write to what json_find.c compares with member names: the names
 * with a byte between them that no name contains, so that quoted names need no care there.
 *
 * What could never find anything is refused here, where somebody reads the reason: later it would
 * only be a value that is always missing.
 */
#include "common/json.h"

#include <string.h>

#include "common/json_scan.h"

/* True for [0], [-1], [*] or []; other brackets may be part of a name. */
static bool asks_for_element(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        size_t end = i + 1;

        while (name.data[i] == '[' && end < name.len &&
               strchr("0123456789-*", name.data[end]) != NULL && name.data[end] != '\0') {
            end++;
        }
        if (name.data[i] == '[' && end < name.len && name.data[end] == ']') {
            return true;
        }
    }
    return false;
}

static bool is_number(struct slice name)
{
    size_t digits = 0;

    while (digits < name.len && name.data[digits] >= '0' && name.data[digits] <= '9') {
        digits++;
    }
    return digits == name.len;
}

static bool has(struct slice name, char c)
{
    return memchr(name.data, c, name.len) != NULL;
}

/* A name without quotes; is_last: nothing follows it. */
static enum status check_plain(struct slice name, bool is_last, struct err *err)
{
    const char *star = memchr(name.data, '*', name.len);

    if (name.len == 0) {
        return err_set(
            err, ST_INVALID,
            "has a dot with no name beside it; write one dot between two names, such as "
            "data.id");
    }
    if (asks_for_element(name)) {
        return err_set(
            err, ST_INVALID,
            "asks for an array element, but arrays cannot be looked into; write names "
            "with dots between them, such as data.id");
    }
    if (is_number(name)) {
        return err_set(
            err, ST_INVALID,
            "has a number for a name, but arrays cannot be looked into; if it is the "
            "name of a member, put it in quotes, as in data.\"0\"");
    }
    if (has(name, '"')) {
        return err_set(
            err, ST_INVALID,
            "has a quote in the middle of a name; put the whole name in quotes, as in "
            "data.\"item.id\".value");
    }
    if (has(name, '|')) {
        return err_set(err, ST_INVALID,
                       "has a | in a name; put such a name in quotes, as in data.\"a|b\"");
    }
    if (name.data[0] == ' ' || name.data[name.len - 1] == ' ') {
        return err_set(
            err, ST_INVALID,
            "has a blank at the end of a name; remove it, or put the name in quotes, as "
            "in data.\" id\"");
    }
    if (star && (!is_last || star != name.data + name.len - 1)) {
        return err_set(
            err, ST_INVALID,
            "has a * before its end; write it at the end, such as data.code*, for the "
            "first field whose name begins like that");
    }
    return ST_OK;
}

/* Takes the first name, and the dot behind it, from rest, which becomes absent behind the last
 * one. */
static enum status take_name(struct slice *rest, struct slice *out_name, bool *out_quoted,
                             struct err *err)
{
    const char *end = rest->data + rest->len;
    const char *from = rest->data, *to;

    *out_quoted = rest->len > 0 && *from == '"';
    if (*out_quoted) {
        to = memchr(++from, '"', rest->len - 1);
        if (to == NULL || (to + 1 < end && to[1] != '.')) {
            return err_set(err, ST_INVALID,
                           "has a quote that does not end before a dot; write "
                           "data.\"item.id\".value");
        }
        rest->data = to + 1;
    } else {
        to = memchr(from, '.', rest->len);
        to = to ? to : end;
        rest->data = to;
    }
    *out_name = (struct slice){from, (size_t)(to - from)};
    *rest = rest->data < end ? (struct slice){rest->data + 1, (size_t)(end - rest->data) - 1}
                             : SLICE_NONE;
    return ST_OK;
}

static bool has_control(struct slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        if ((unsigned char)path.data[i] < ' ') {
            return true;
        }
    }
    return false;
}

static enum status compile(struct slice rest, struct buf *out, struct err *err)
{
    size_t names = 0;

    while (rest.data != NULL) {
        struct slice name = SLICE_NONE;
        bool quoted = false, is_prefix;
        enum status st = take_name(&rest, &name, &quoted, err);

        if (st == ST_OK && !quoted) {
            st = check_plain(name, rest.data == NULL, err);
        }
        if (st != ST_OK) {
            return st;
        }
        is_prefix = !quoted && name.data[name.len - 1] == '*';
        if (names++ > 0) {
            buf_add_char(out, JSON_PATH_NEXT);
        }
        buf_add(out, name.data, name.len - is_prefix);
        if (is_prefix) {
            buf_add_char(out, JSON_PATH_ANY);
        }
    }
    return names <= JSON_MAX_DEPTH
               ? ST_OK
               : err_set(err, ST_INVALID, "has %zu names; nothing is read deeper than %d",
                         names, JSON_MAX_DEPTH);
}

enum status json_compile_path(struct slice path, struct buf *out, struct err *err)
{
    size_t before = out->len;
    struct err reason;
    enum status st;

    if (path.len == 0) {
        return err_set(err, ST_INVALID, "names no field; write a path such as data.id");
    }
    st = has_control(path) ? err_set(&reason, ST_INVALID, "has a control character; remove it")
                           : compile(path, out, &reason);
    if (st == ST_OK) {
        return ST_OK;
    }
    out->len = before;
    if (out->data != NULL) {
        out->data[before] = '\0';
    }
    return err_set(err, st, "the path %.*s %s", SLICE_ARG(path), reason.text);
}
