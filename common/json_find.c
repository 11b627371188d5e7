/*
 * json_find_all finds several paths in one pass. It enters only the objects that some path
 * leads into, and skips every other value. At each level a bit for each path says whether it
 * leads here.
 *
 * The text must have been accepted by json_check: brackets match, strings and numbers end. So
 * reading cannot fail; a path that leads nowhere has the value JSON_ABSENT. json_path.c makes the
 * paths.
 */
#include "common/json.h"

#include <string.h>

#include "common/encode.h"
#include "common/json_scan.h"

/* At the opening quote; returns behind the closing one. */
static inline const char *skip_string(const char *p, const char *end)
{
    for (p = skip_plain(p + 1, end); *p != '"'; p = skip_plain(p, end)) {
        p += *p == '\\' ? 2 : 1;
    }
    return p + 1;
}

static const char *skip_nested(const char *p, const char *end)
{
    size_t depth = 0;

    do {
        switch (*p) {
        case '"':
            p = skip_string(p, end);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            depth--;
            break;
        default:
            break;
        }
        p++;
    } while (depth > 0);
    return p;
}

static enum json_kind kind_of(char first)
{
    switch (first) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

static inline const char *skip_value(const char *p, const char *end)
{
    if (*p == '"') {
        return skip_string(p, end);
    }
    if (*p == '{' || *p == '[') {
        return skip_nested(p, end);
    }
    while (p < end && *p != ',' && *p != '}' && *p != ']' && *p > ' ') {
        p++;
    }
    return p;
}

static uint32_t hex4(const char *digits)
{
    uint8_t bytes[2] = {0, 0};
    bool ok = decode_hex((struct slice){digits, 4}, bytes, sizeof(bytes));

    CHECK(ok);
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

static size_t encode_utf8(uint32_t c, char out[4])
{
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = len - 1; i > 0; i--, c >>= 6) {
        out[i] = (char)(0x80 | (c & 0x3F));
    }
    out[0] = (char)(lead[len] | c);
    return len;
}

/* Reads the escape at p (at its backslash) as UTF-8; returns behind it, or NULL for half a
 * surrogate pair, which is no character. */
static const char *decode_escape(const char *p, const char *end, char out_utf8[4],
                                 size_t *out_len)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

    if (p[1] != 'u') {
        out_utf8[0] = to[strchr(from, p[1]) - from];
        *out_len = 1;
        return p + 2;
    }

    uint32_t c = hex4(p + 2);

    p += 6;
    if (c >= 0xD800 && c <= 0xDBFF && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        uint32_t low = hex4(p + 2);

        if (low >= 0xDC00 && low <= 0xDFFF) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            p += 6;
        }
    }
    if (c >= 0xD800 && c <= 0xDFFF) {
        return NULL;
    }
    *out_len = encode_utf8(c, out_utf8);
    return p;
}

/* If name, the bytes between the quotes of a member's name with escapes, begins with text, returns
 * the byte behind that; else NULL. */
static const char *skip_decoded(struct slice name, struct slice text)
{
    const char *p = name.data, *end = name.data + name.len;

    for (size_t i = 0, n = 1; i < text.len; i += n) {
        char utf8[4] = {0};

        if (p == end) {
            return NULL;
        }
        utf8[0] = *p;
        n = 1;
        p = *p == '\\' ? decode_escape(p, end, utf8, &n) : p + 1;
        if (p == NULL || n > text.len - i || memcmp(text.data + i, utf8, n) != 0) {
            return NULL;
        }
    }
    return p;
}

static bool name_starts_with(struct slice name, struct slice prefix, bool escaped)
{
    return escaped ? skip_decoded(name, prefix) != NULL : slice_starts_with(name, prefix);
}

/* The length of the first name in the rest of a path. */
static size_t part_len(struct slice rest)
{
    const char *end = memchr(rest.data, JSON_PATH_NEXT, rest.len);

    return end ? (size_t)(end - rest.data) : rest.len;
}

/* True if name is the first name in the rest of a path; *out_len is that one's length. Comparing
 * lengths first rules out most names at next to no cost. */
static bool name_is_part(struct slice name, bool escaped, struct slice rest, size_t *out_len)
{
    if (escaped) {
        *out_len = part_len(rest);
        return skip_decoded(name, (struct slice){rest.data, *out_len}) == name.data + name.len;
    }
    *out_len = name.len;
    return name.len <= rest.len &&
           (name.len == rest.len || rest.data[name.len] == JSON_PATH_NEXT) &&
           memcmp(name.data, rest.data, name.len) == 0;
}

/* An open object, and the paths (a bit each) that lead into it. They all begin with the same
 * offset bytes. */
struct level {
    uint32_t paths;
    size_t offset;
};

/* The paths, and a bit for each that ends in `*`. */
struct search {
    const struct slice *paths;
    uint32_t prefixes;
};

/* The paths of a level (a bit each) that match a member: those that end in it, those that go on
 * below it, and those with a `*`, which end in the first scalar that matches. */
struct match {
    uint32_t ends, goes_on, may_end;
    size_t offset_below;
};

static struct match match_name(struct slice name, const struct search *search,
                               struct level level)
{
    bool escaped = memchr(name.data, '\\', name.len) != NULL;
    struct match match = {0, 0, 0, 0};

    for (uint32_t left = level.paths; left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        struct slice path = search->paths[i];
        struct slice rest = {path.data + level.offset, path.len - level.offset};
        size_t len;

        if ((search->prefixes >> i & 1) && part_len(rest) == rest.len) {
            rest.len--;
            match.may_end |= (uint32_t)name_starts_with(name, rest, escaped) << i;
        } else if (!name_is_part(name, escaped, rest, &len)) {
            continue;
        } else if (len == rest.len) {
            match.ends |= UINT32_C(1) << i;
        } else {
            match.goes_on |= UINT32_C(1) << i;
            match.offset_below = level.offset + len + 1;
        }
    }
    return match;
}

static void set_values(struct json_value *values, uint32_t which, struct json_value value)
{
    for (; which != 0; which &= which - 1) {
        values[__builtin_ctz(which)] = value;
    }
}

static bool is_scalar(enum json_kind kind)
{
    return kind == JSON_STRING || kind == JSON_NUMBER || kind == JSON_BOOL;
}

/* At a name's opening quote; returns where the member's value begins. */
static const char *read_name(const char *p, const char *end, struct slice *out_name)
{
    const char *name = p + 1;

    p = skip_string(p, end);
    *out_name = (struct slice){name, (size_t)(p - 1 - name)};
    return skip_space(skip_space(p, end) + 1, end);
}

/* At a member's value. Sets the values of the paths that end in it; returns behind it, or at it if
 * it is an object to enter. */
static const char *read_value(const char *p, const char *end, struct match match,
                              struct json_value *values)
{
    const char *start = p;
    bool enter = match.goes_on != 0 && *p == '{';

    /* Of members with the same name the last one wins, so what an earlier one contained is
     * void. */
    set_values(values, match.goes_on, (struct json_value){JSON_ABSENT, SLICE_NONE});
    if (match.ends == 0 && enter) {
        return start;
    }
    p = skip_value(p, end);

    struct json_value value = {kind_of(*start), {start, (size_t)(p - start)}};

    set_values(values, match.ends, value);
    for (uint32_t rest = match.may_end; rest != 0 && is_scalar(value.kind); rest &= rest - 1) {
        unsigned i = (unsigned)__builtin_ctz(rest);

        values[i] = values[i].kind == JSON_ABSENT ? value : values[i];
    }
    return enter ? start : p;
}

static bool is_prefix(struct slice path)
{
    return path.data && path.len > 0 && path.data[path.len - 1] == JSON_PATH_ANY;
}

static struct level start(struct search *search, const struct slice *paths, size_t count)
{
    struct level root = {0, 0};

    CHECK(count <= JSON_MAX_PATHS);
    *search = (struct search){paths, 0};
    for (size_t i = 0; i < count; i++) {
        root.paths |= (uint32_t)(paths[i].data != NULL) << i;
        search->prefixes |= (uint32_t)is_prefix(paths[i]) << i;
    }
    return root;
}

void json_find_all(struct slice text, const struct slice *paths, size_t count,
                   struct json_value *out_values)
{
    const char *end = text.data + text.len;
    const char *p = skip_space(text.data, end);
    struct search search;
    struct level levels[JSON_MAX_DEPTH];
    size_t depth = 0; /* of open objects; the innermost is levels[depth - 1] */

    levels[0] = start(&search, paths, count);
    for (size_t i = 0; i < count; i++) {
        out_values[i] = (struct json_value){JSON_ABSENT, SLICE_NONE};
    }
    if (*p == '{') {
        depth = 1;
        p++;
    }
    while (depth > 0) {
        if (*p == '"') {
            struct slice name;
            struct match match;

            p = read_name(p, end, &name);
            match = match_name(name, &search, levels[depth - 1]);
            p = read_value(p, end, match, out_values);
            if (match.goes_on != 0 && *p == '{') {
                levels[depth++] = (struct level){match.goes_on, match.offset_below};
                p++;
            }
        } else {
            depth -= *p == '}';
            p++; /* a comma, space, or the object's end */
        }
    }
}

void json_mask(struct slice text, const struct slice *paths, size_t count, struct buf *out)
{
    const char *end = text.data + text.len, *copied = text.data;
    const char *p = skip_space(text.data, end);
    struct search search;
    struct level levels[JSON_MAX_DEPTH];
    size_t depth = *p == '{' ? 1 : 0; /* as above */

    levels[0] = start(&search, paths, count);
    for (p += depth; depth > 0;) {
        struct slice name;
        struct match match;

        if (*p != '"') {
            depth -= *p == '}';
            p++; /* a comma, space, or the object's end */
            continue;
        }
        p = read_name(p, end, &name);
        match = match_name(name, &search, levels[depth - 1]);
        if ((match.ends || match.may_end) && *p != 'n') {
            buf_add(out, copied, (size_t)(p - copied));
            buf_add_str(out, "\"***\"");
            p = copied = skip_value(p, end);
        } else if (match.goes_on && *p == '{') {
            levels[depth++] = (struct level){match.goes_on, match.offset_below};
            p++;
        } else {
            p = skip_value(p, end);
        }
    }
    buf_add(out, copied, (size_t)(end - copied));
}

struct json_value json_find(struct slice text, struct slice path)
{
    struct json_value value;

    json_find_all(text, &path, 1, &value);
    return value;
}

enum json_kind json_kind_of(struct slice text)
{
    return kind_of(*skip_space(text.data, text.data + text.len));
}

bool json_has_escape(struct json_value string)
{
    return string.raw.len > 0 && memchr(string.raw.data, '\\', string.raw.len) != NULL;
}

struct slice json_inside_quotes(struct json_value string)
{
    return (struct slice){string.raw.data + 1, string.raw.len - 2};
}
