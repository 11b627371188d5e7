/*
 * An API explains a failure with a code and a message, under one of a few names, and perhaps with
 * parameters. If it does not, the beginning of its answer is quoted.
 *
 * A 2xx answer that is of no use may still contain a secret, such as a token. Secrets in JSON have
 * names and are hidden already; of any other text only the length is given, unless it is a page.
 */
#include "bridge/cli/provider/reason.h"

#include <string.h>

#include <json-c/json.h>

#include "bridge/cli/tree.h"

enum { MAX_EXCERPT = 200 };

static const char *first_text(struct json_object *tree, const char *const *pointers)
{
    const char *text = NULL;

    for (; !text && *pointers; pointers++) {
        text = tree_text(tree, *pointers);
    }
    return text;
}

/* `validation_failed: the url is not valid, {"url":["…"]}`; false if there are no such members. */
static bool add_own_words(struct buf *out, struct json_object *tree)
{
    static const char *const codes[] = {"/error", "/error/code", "/code", NULL};
    static const char *const messages[] = {"/message", "/error/message", "/error_description",
                                           "/Message", "/detail",        NULL};
    const char *code = first_text(tree, codes), *message = first_text(tree, messages);
    struct json_object *params = tree_at(tree, "/params");
    const char *text = tree_print(params);

    if (!code && !message) {
        return false;
    }
    buf_addf(out, "%s%s%s", code ? code : "", code && message ? ": " : "",
             message ? message : "");
    if ((text[0] == '{' || text[0] == '[') && text[2]) {
        buf_addf(out, ", %s", text);
    }
    return true;
}

/* The beginning, in one line. */
static void add_excerpt(struct buf *out, struct slice text)
{
    bool gap = false;
    size_t limit = out->len + MAX_EXCERPT;

    for (size_t i = 0; i < text.len && out->len < limit; i++) {
        char c = text.data[i];

        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
            gap = true;
            continue;
        }
        buf_add_str(out, gap ? " " : "");
        buf_add_char(out, c);
        gap = false;
    }
}

/* An answer that is no object. Of a successful one, a page is shown, or what a script complained
 * about in front of it. */
static void add_text(struct buf *out, long status, struct slice text)
{
    const char *object = memchr(text.data, '{', text.len);

    if (status / 100 != 2 || (text.len > 0 && text.data[0] == '<' && !object)) {
        add_excerpt(out, text);
    } else if (object) {
        add_excerpt(out, (struct slice){text.data, (size_t)(object - text.data)});
    } else if (text.len > 0) {
        buf_addf(out, "a text of %zu bytes", text.len);
    }
}

void reason_add(struct buf *out, long status, struct json_object *shown, struct slice text)
{
    size_t before;

    buf_addf(out, "answered %ld", status);
    before = out->len;
    buf_add_str(out, ": ");
    if (!json_object_is_type(shown, json_type_object)) {
        add_text(out, status, text);
    } else if (!add_own_words(out, shown)) {
        add_excerpt(out, text);
    }
    if (out->len == before + 2) { /* it said nothing */
        out->len = before;
        out->data[before] = '\0';
    }
}
