/*
 * An API may send a secret back: in a message, in a request that a message quotes, in a URL. So a
 * secret is found in its plain spelling, percent-encoded, and escaped as in JSON, once or
 * repeatedly. In JSON it is hidden value by value, after decoding, so that the rest stays JSON.
 *
 * A secret of one or two characters cannot be hidden: it occurs in ordinary text, and the
 * remaining text would reveal it.
 */
#include "bridge/cli/provider/secrets.h"

#include <string.h>

#include <json-c/json.h>

#include "common/encode.h"
#include "common/utf8.h"

enum {
    SHORTEST_HIDDEN = 3,
    /* One backslash that was doubled six times. The limit keeps a megabyte of backslashes from
     * being counted again at each of them. */
    MAX_BACKSLASHES = 64,
};

void secrets_add(struct secrets *secrets, struct slice secret)
{
    CHECK(secrets->count < COUNT_OF(secrets->items));
    buf_add_slice(&secrets->items[secrets->count++], secret);
}

void secrets_wipe(struct secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        buf_wipe(&secrets->items[i]);
    }
    secrets->count = 0;
}

/* ---- text ---- */

static size_t count_backslashes(const char *p, const char *end)
{
    size_t n = 0;

    while (n < MAX_BACKSLASHES && p + n < end && p[n] == '\\') {
        n++;
    }
    return n;
}

/* The number that two or four hexadecimal digits at p spell; -1: there are none. */
static long hex_at(const char *p, const char *end, size_t digits)
{
    uint8_t bytes[2] = {0, 0};

    if ((size_t)(end - p) < digits ||
        !decode_hex((struct slice){p, digits}, bytes, digits / 2)) {
        return -1;
    }
    return digits == 2 ? bytes[0] : bytes[0] << 8 | bytes[1];
}

/* How many bytes at p spell the first character of the secret, which itself has *out_taken bytes;
 * 0: they spell something else. escaped: there is a backslash before p. */
static size_t match_character(const char *p, const char *end, bool escaped, struct slice secret,
                              size_t *out_taken)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t"; /* behind a backslash */
    unsigned char byte = (unsigned char)secret.data[0];
    const char *letter = NULL;
    uint32_t code = 0;
    size_t len = utf8_decode(secret.data, secret.len, &code);

    if (p == end) {
        return 0;
    }
    if (escaped && *p == 'u' && len > 0 && hex_at(p + 1, end, 4) == (long)code) {
        *out_taken = len;
        return 5;
    }
    *out_taken = 1;
    if ((*p == '%' || (escaped && *p == 'x')) && hex_at(p + 1, end, 2) == byte) {
        return 3;
    }
    letter = escaped && *p ? strchr(letters, *p) : NULL;
    return *p == secret.data[0] || (letter && meant[letter - letters] == secret.data[0]);
}

static void drop(struct slice *slice, size_t len)
{
    *slice = (struct slice){slice->data + len, slice->len - len};
}

/* Returns the end of the secret if it is spelled at p, else NULL. Each of its own backslashes may
 * have been doubled any number of times (or be spelled \u005c), and any number of them may stand
 * before every other character. */
static const char *match(const char *p, const char *end, struct slice secret)
{
    while (secret.len > 0) {
        size_t own = count_backslashes(secret.data, secret.data + secret.len);
        size_t found = count_backslashes(p, end);
        size_t taken = 0, len;

        p += found;
        if (own > 0 && found >= own && match_character(p, end, true, secret, &taken) == 0) {
            drop(&secret, own);
            found -= own;
        }
        if (secret.len == 0) {
            return p;
        }
        len = match_character(p, end, found > 0, secret, &taken);
        if (len == 0) {
            return NULL;
        }
        p += len;
        drop(&secret, taken);
    }
    return p;
}

/* The end of the longest secret that is spelled at p; NULL: there is none. */
static const char *match_any(const struct secrets *secrets, const char *p, const char *end)
{
    const char *longest = NULL;

    for (size_t i = 0; i < secrets->count; i++) {
        struct slice secret = buf_slice(&secrets->items[i]);
        const char *behind = secret.len < SHORTEST_HIDDEN ? NULL : match(p, end, secret);

        if (behind && (!longest || behind > longest)) {
            longest = behind;
        }
    }
    return longest;
}

bool secrets_add_hidden(const struct secrets *secrets, struct buf *out, struct slice text)
{
    const char *p = text.data, *end = p + text.len;
    bool any = false;

    while (p < end) {
        const char *behind = match_any(secrets, p, end);

        if (behind) {
            buf_add_str(out, "***");
            p = behind;
            any = true;
        } else {
            buf_add_char(out, *p++);
        }
    }
    return any;
}

/* ---- JSON ---- */

/* A member whose value is a secret whatever it is: a new login, a webhook's secret. */
static bool is_secret_name(const char *name)
{
    static const char *const ends[] = {"secret", "token", "password"};
    size_t len = strlen(name);

    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        size_t end_len = strlen(ends[i]);

        if (len >= end_len && strcasecmp(name + len - end_len, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Strings are always copied, so that wiping the tree does not change the copy. */
static struct json_object *hide_scalar(const struct secrets *secrets, struct json_object *value)
{
    bool is_string = json_object_is_type(value, json_type_string);
    struct slice text = slice_of(json_object_get_string(value));
    struct buf hidden = {0};
    struct json_object *copy;

    if (is_string) {
        text.len = (size_t)json_object_get_string_len(value); /* it may contain a NUL */
    }
    copy = secrets_add_hidden(secrets, &hidden, text) || is_string
               ? json_object_new_string_len(buf_slice(&hidden).data, (int)hidden.len)
               : json_object_get(value);
    buf_free(&hidden);
    return copy;
}

static struct json_object *hide_members(const struct secrets *secrets,
                                        struct json_object *object)
{
    struct json_object *copy = json_object_new_object();

    json_object_object_foreach(object, name, value)
    {
        struct buf shown = {0};

        (void)secrets_add_hidden(secrets, &shown, slice_of(name));
        json_object_object_add(copy, buf_slice(&shown).data,
                               value && is_secret_name(name) ? json_object_new_string("***")
                                                             : secrets_hide(secrets, value));
        buf_free(&shown);
    }
    return copy;
}

struct json_object *secrets_hide(const struct secrets *secrets, struct json_object *tree)
{
    struct json_object *copy;

    switch (json_object_get_type(tree)) {
    case json_type_object:
        return hide_members(secrets, tree);
    case json_type_array:
        copy = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(tree); i++) {
            json_object_array_add(copy,
                                  secrets_hide(secrets, json_object_array_get_idx(tree, i)));
        }
        return copy;
    case json_type_string:
    case json_type_int:
    case json_type_double:
        return hide_scalar(secrets, tree);
    case json_type_boolean:
    case json_type_null:
        return json_object_get(tree);
    }
    return NULL;
}
