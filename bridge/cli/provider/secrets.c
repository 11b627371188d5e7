/*
 * An API may send a secret back: in a message, in a request that a message quotes, as a member's
 * name. Only decoded texts come here, so the stars usually replace just the secret. A text that
 * quotes JSON or a URL may spell it with escapes, of any depth: such a text is hidden as a whole.
 *
 * A secret of one or two characters cannot be hidden: it occurs in ordinary text, and the
 * remaining text would reveal it.
 */
#include "bridge/cli/provider/secrets.h"

#include <ctype.h>
#include <string.h>

#include <json-c/json.h>

#include "common/encode.h"

enum { SHORTEST_HIDDEN = 3, DEEPEST_ESCAPES = 64 };

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

/* The length of the longest secret that text begins with; 0: none. */
static size_t match(const struct secrets *secrets, struct slice text)
{
    size_t longest = 0;

    for (size_t i = 0; i < secrets->count; i++) {
        struct slice secret = buf_slice(&secrets->items[i]);

        if (secret.len >= SHORTEST_HIDDEN && secret.len > longest &&
            slice_starts_with(text, secret)) {
            longest = secret.len;
        }
    }
    return longest;
}

/* Which escapes a text is read with: JSON's, a URL's, or both. */
enum escapes { BACKSLASH = 1, PERCENT = 2 };

/* The byte that text begins with, in one of the spellings \\u0041, \\x41, %41, \\n or \\"; *out_len:
 * how long that is. A character that is not ASCII is 0. */
static uint8_t decode_one(struct slice text, unsigned escapes, size_t *out_len)
{
    size_t escaped = (escapes & BACKSLASH) && text.data[0] == '\\' && text.len > 1 ? 1 : 0;
    uint8_t kind = (uint8_t)text.data[escaped];
    size_t digits = 0;
    uint8_t code[2] = {0};

    if (escaped) {
        digits = kind == 'u' ? 4 : kind == 'x' ? 2 : 0;
    } else if ((escapes & PERCENT) && kind == '%') {
        digits = 2;
    }
    *out_len = 1 + escaped + digits;
    if (digits > 0 && text.len >= *out_len &&
        decode_hex((struct slice){text.data + 1 + escaped, digits}, code, digits / 2)) {
        if (digits == 4 && code[0]) {
            return 0;
        }
        return code[digits / 2 - 1];
    }
    *out_len = 1 + escaped;
    if (escaped && strchr("bfnrt", kind)) {
        return 0;
    }
    return kind;
}

/* Undoes one level of escapes; false: there was none. */
static bool unescape(struct buf *text, unsigned escapes)
{
    size_t len, kept = 0, from = 0;
    bool any = false;

    for (; from < text->len; from += len) {
        text->data[kept++] = (char)decode_one(slice_from(buf_slice(text), from), escapes, &len);
        any |= len > 1;
    }
    text->len = kept;
    return any;
}

/* Adds the ASCII letters and digits of text: what is the same of a secret whatever marks a spelling
 * puts between them. */
static void add_squeezed(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (isalnum((unsigned char)text.data[i]) && (unsigned char)text.data[i] < 0x80) {
            buf_add_char(out, text.data[i]);
        }
    }
}

static bool has_squeezed(const struct secrets *secrets, struct slice text)
{
    struct buf squeezed = {0}, secret = {0};
    bool found = false;

    add_squeezed(&squeezed, text);
    for (size_t i = 0; i < secrets->count; i++) {
        buf_clear(&secret);
        add_squeezed(&secret, buf_slice(&secrets->items[i]));
        found |= secrets->items[i].len >= SHORTEST_HIDDEN &&
                 memmem(buf_slice(&squeezed).data, squeezed.len, buf_slice(&secret).data,
                        secret.len);
    }
    buf_wipe(&squeezed);
    buf_wipe(&secret);
    return found;
}

/* Whether a text that quotes something may spell a secret in another way: rather too often than
 * not, as of a secret with few letters little is left to compare, and what is escaped again and
 * again is not read to its end. */
static bool has_escaped(const struct secrets *secrets, struct slice text)
{
    bool found = false, escaped = false;

    for (unsigned escapes = BACKSLASH; escapes <= (BACKSLASH | PERCENT); escapes++) {
        struct buf form = {0};

        buf_add_slice(&form, text);
        for (int level = 1; !found && unescape(&form, escapes); level++) {
            escaped = true;
            found = level == DEEPEST_ESCAPES || has_squeezed(secrets, buf_slice(&form));
        }
        buf_wipe(&form);
    }
    return found || (escaped && has_squeezed(secrets, text));
}

bool secrets_add_hidden(const struct secrets *secrets, struct buf *out, struct slice text)
{
    size_t before = out->len, len;
    bool any = false;

    for (; text.len > 0; text = slice_from(text, len ? len : 1)) {
        len = match(secrets, text);
        any |= len > 0;
        buf_add(out, len ? "***" : text.data, len ? 3 : 1);
    }
    if (has_escaped(secrets, slice_from(buf_slice(out), before))) {
        out->len = before;
        buf_add_str(out, "***");
        any = true;
    }
    return any;
}

/* ---- JSON ---- */

/* A member whose value is a secret whatever it is: a new login, a webhook's secret. */
static bool is_secret_name(const char *name)
{
    static const char *const ends[] = {"secret", "token", "password"};
    size_t len = strlen(name);
    bool found = false;

    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        size_t end_len = strlen(ends[i]);

        found |= len >= end_len && strcasecmp(name + len - end_len, ends[i]) == 0;
    }
    return found;
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
        break;
    }
    return json_object_get(tree);
}
