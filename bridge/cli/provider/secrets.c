/*
 * An API may send a secret back: in a message, in a request that a message quotes, as a member's
 * name. Only decoded texts come here, so the stars usually replace just the secret. A text that
 * quotes JSON or a URL may spell it with escapes, of any depth. Whatever those are, they leave
 * ASCII letters and digits as they are: a text with escapes that has those of a secret is hidden
 * as a whole, rather too often than not.
 *
 * A secret of one or two characters cannot be hidden: it occurs in ordinary text, and the
 * remaining text would reveal it.
 */
#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "bridge/cli/provider/internal.h"

enum { SHORTEST_HIDDEN = 3 };

void secrets_add(struct secrets *secrets, struct slice secret)
{
    if (secret.len >= SHORTEST_HIDDEN) {
        secrets->items =
            xrealloc(secrets->items, (secrets->count + 1) * sizeof(*secrets->items));
        secrets->items[secrets->count] = (struct buf){0};
        buf_add_slice(&secrets->items[secrets->count++], secret);
    }
}

void secrets_wipe(struct secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        buf_wipe(&secrets->items[i]);
    }
    free(secrets->items);
    *secrets = (struct secrets){0};
}

/* Whether text has escapes, and the runs of ASCII letters and digits of the secret in their order. */
static bool may_spell(struct slice text, struct slice secret)
{
    if (!memchr(text.data, '\\', text.len) && !memchr(text.data, '%', text.len)) {
        return false;
    }
    while (secret.len > 0) {
        size_t run = 0;
        const char *found;

        while (run < secret.len && isalnum((unsigned char)secret.data[run])) {
            run++;
        }
        found = memmem(text.data, text.len, secret.data, run);
        if (!found) {
            return false;
        }
        text = slice_from(text, (size_t)(found - text.data) + run);
        secret = slice_from(secret, run < secret.len ? run + 1 : run);
    }
    return true;
}

bool secrets_add_hidden(const struct secrets *secrets, struct buf *out, struct slice text)
{
    size_t before = out->len, len;
    bool any = false;

    for (; text.len > 0; text = slice_from(text, len ? len : 1)) {
        len = 0; /* of the longest one that stands here */
        for (size_t i = 0; i < secrets->count; i++) {
            struct slice secret = buf_slice(&secrets->items[i]);

            len = secret.len > len && slice_starts_with(text, secret) ? secret.len : len;
        }
        any |= len > 0;
        buf_add(out, len ? "***" : text.data, len ? 3 : 1);
    }
    for (size_t i = 0; i < secrets->count; i++) {
        if (may_spell(slice_from(buf_slice(out), before), buf_slice(&secrets->items[i]))) {
            out->len = before;
            buf_add_str(out, "***");
            any = true;
        }
    }
    return any;
}

/* A member whose value is a secret whatever it is: a new login, a webhook's secret. */
static bool is_secret_name(const char *name)
{
    return fnmatch("*@(secret|token|password)", name, FNM_CASEFOLD | FNM_EXTMATCH) == 0;
}

struct json_object *secrets_hide(const struct secrets *secrets, struct json_object *tree)
{
    enum json_type type = json_object_get_type(tree);
    struct json_object *copy = NULL;
    struct buf shown = {0};
    struct slice text;

    if (type == json_type_object) {
        copy = json_object_new_object();
        json_object_object_foreach(tree, name, value)
        {
            bool is_secret = value && is_secret_name(name);

            buf_clear(&shown);
            (void)secrets_add_hidden(secrets, &shown, slice_of(name));
            json_object_object_add(copy, buf_slice(&shown).data,
                                   is_secret ? tree_string("***")
                                             : secrets_hide(secrets, value));
        }
    } else if (type == json_type_array) {
        copy = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(tree); i++) {
            json_object_array_add(copy,
                                  secrets_hide(secrets, json_object_array_get_idx(tree, i)));
        }
    } else if (type == json_type_string || type == json_type_int || type == json_type_double) {
        text = slice_of(json_object_get_string(tree));
        if (type == json_type_string) {
            text.len = (size_t)json_object_get_string_len(tree); /* it may contain a NUL */
        }
        if (secrets_add_hidden(secrets, &shown, text)) {
            copy = json_object_new_string_len(shown.data, (int)shown.len);
        }
    }
    buf_free(&shown);
    return copy ? copy : json_object_get(tree);
}
