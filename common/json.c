/*
 * json_check reads a text of unknown origin once, from left to right. One bit for each open
 * level says whether it is an object or an array, so that it needs neither recursion nor
 * memory. The first byte that is wrong ends it, with its offset. json_find.c reads only texts
 * that json_check has accepted.
 *
 * json_add_string writes any bytes as a JSON string; nothing can fail.
 */
#include "common/json.h"

#include <string.h>

#include "common/json_scan.h"
#include "common/utf8.h"

static inline bool is_digit(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

/* Each check_… begins at *at and moves it behind what it has read, or to the wrong byte if it
 * returns false. */

/* Behind the backslash. */
static bool check_escape(const char **at, const char *end)
{
    const char *p = *at;

    if (p < end && *p == 'u') {
        for (p++; p < *at + 5; p++) {
            if (p == end || strchr("0123456789abcdefABCDEF", *p) == NULL || *p == '\0') {
                *at = p;
                return false;
            }
        }
        *at = p;
        return true;
    }
    if (p < end && *p != '\0' && strchr("\"\\/bfnrt", *p) != NULL) {
        *at = p + 1;
        return true;
    }
    return false;
}

/* At the opening quote. */
static bool check_string(const char **at, const char *end)
{
    const char *p = *at + 1;

    for (;;) {
        size_t n = 0;

        p = skip_plain(p, end);
        *at = p;
        if (p == end) {
            return false;
        }
        if (*p == '"') {
            *at = p + 1;
            return true;
        }
        if (*p == '\\') {
            *at = p + 1;
            if (!check_escape(at, end)) {
                return false;
            }
            p = *at;
            continue;
        }
        if ((unsigned char)*p >= 0x80) {
            n = utf8_decode(p, (size_t)(end - p), NULL);
        }
        if (n == 0) {
            return false;
        }
        p += n;
    }
}

static bool check_digits(const char **at, const char *end)
{
    if (!is_digit(*at, end)) {
        return false;
    }
    while (is_digit(*at, end)) {
        (*at)++;
    }
    return true;
}

static bool check_number(const char **at, const char *end)
{
    if (**at == '-') {
        (*at)++;
    }
    if (*at < end && **at == '0') {
        (*at)++; /* a digit behind it is refused later: no value may be followed by one */
    } else if (!check_digits(at, end)) {
        return false;
    }
    if (*at < end && **at == '.') {
        (*at)++;
        if (!check_digits(at, end)) {
            return false;
        }
    }
    if (*at < end && (**at == 'e' || **at == 'E')) {
        (*at)++;
        if (*at < end && (**at == '+' || **at == '-')) {
            (*at)++;
        }
        return check_digits(at, end);
    }
    return true;
}

static bool check_word(const char **at, const char *end, const char *word)
{
    for (; *word != '\0'; word++, (*at)++) {
        if (*at == end || **at != *word) {
            return false;
        }
    }
    return true;
}

/* A string, number, true, false or null. */
static bool check_scalar(const char **at, const char *end)
{
    switch (**at) {
    case '"':
        return check_string(at, end);
    case 't':
        return check_word(at, end, "true");
    case 'f':
        return check_word(at, end, "false");
    case 'n':
        return check_word(at, end, "null");
    default:
        return check_number(at, end);
    }
}

/* A member's name and its colon. */
static bool check_name(const char **at, const char *end)
{
    *at = skip_space(*at, end);
    if (*at == end || **at != '"' || !check_string(at, end)) {
        return false;
    }
    *at = skip_space(*at, end);
    if (*at == end || **at != ':') {
        return false;
    }
    (*at)++;
    return true;
}

/* Where the reading is: the open levels, and for each a bit, the innermost lowest: 1 for an
 * object. */
struct reading {
    const char *at, *end;
    unsigned depth;
    uint64_t objects;
    bool too_deep;
};

static bool in_object(const struct reading *r)
{
    return r->objects & 1;
}

/* Reads a scalar, an empty array or object, or only the opening of one that is not empty: then
 * *out_complete is false, and its first value comes next. */
static bool check_value(struct reading *r, bool *out_complete)
{
    r->at = skip_space(r->at, r->end);
    *out_complete = true;
    if (r->at == r->end) {
        return false;
    }
    if (*r->at != '{' && *r->at != '[') {
        return check_scalar(&r->at, r->end);
    }
    if (r->depth == JSON_MAX_DEPTH) {
        r->too_deep = true;
        return false;
    }
    r->depth++;
    r->objects = r->objects << 1 | (*r->at == '{');
    r->at = skip_space(r->at + 1, r->end);
    *out_complete = r->at < r->end && *r->at == (in_object(r) ? '}' : ']');
    return *out_complete || !in_object(r) || check_name(&r->at, r->end);
}

static void close_levels(struct reading *r)
{
    r->at = skip_space(r->at, r->end);
    while (r->depth > 0 && r->at < r->end && *r->at == (in_object(r) ? '}' : ']')) {
        r->depth--;
        r->objects >>= 1;
        r->at = skip_space(r->at + 1, r->end);
    }
}

static bool check_text(struct reading *r)
{
    for (;;) {
        bool complete;

        if (!check_value(r, &complete)) {
            return false;
        }
        if (!complete) {
            continue;
        }
        close_levels(r);
        if (r->depth == 0) {
            return r->at == r->end;
        }
        if (r->at == r->end || *r->at != ',') {
            return false;
        }
        r->at++;
        if (in_object(r) && !check_name(&r->at, r->end)) {
            return false;
        }
    }
}

enum status json_check(struct slice text, size_t *out_error_at)
{
    /* An absent text has no address to read at. */
    const char *start = text.len > 0 ? text.data : "";
    struct reading r = {.at = start, .end = start + text.len};

    if (check_text(&r)) {
        return ST_OK;
    }
    if (out_error_at) {
        *out_error_at = (size_t)(r.at - start);
    }
    return r.too_deep ? ST_TOO_LARGE : ST_INVALID;
}

struct slice json_skip_mark(struct slice text)
{
    const struct slice mark = SLICE("\xEF\xBB\xBF");

    return slice_starts_with(text, mark) ? slice_from(text, mark.len) : text;
}

static void add_escaped(struct buf *out, unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        buf_add_char(out, '\\');
        buf_add_char(out, (char)c);
        break;
    case '\n':
        buf_add_str(out, "\\n");
        break;
    case '\r':
        buf_add_str(out, "\\r");
        break;
    case '\t':
        buf_add_str(out, "\\t");
        break;
    default:
        buf_addf(out, "\\u%04x", c);
        break;
    }
}

void json_add_string(struct buf *out, struct slice text)
{
    const char *p = text.len > 0 ? text.data : "";
    const char *end = p + text.len;

    buf_add_char(out, '"');
    while (p < end) {
        const char *plain_end = skip_plain(p, end);
        size_t n = 1;

        buf_add(out, p, (size_t)(plain_end - p));
        p = plain_end;
        if (p == end) {
            break;
        }
        if ((unsigned char)*p < 0x80) {
            add_escaped(out, (unsigned char)*p);
        } else {
            n = utf8_decode(p, (size_t)(end - p), NULL);
            buf_add(out, n ? p : "\xEF\xBF\xBD", n ? n : 3);
            n = n ? n : 1;
        }
        p += n;
    }
    buf_add_char(out, '"');
}
