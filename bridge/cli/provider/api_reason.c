#include "bridge/cli/provider/api_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#include "bridge/cli/provider/json.h"

enum { MAX_EXCERPT = 200 };

/* The first of these members that is text. */
static char *first_text(struct slice json, const char *const *paths)
{
    char *text = NULL;

    for (; !text && *paths; paths++) {
        text = cli_json_text(json, *paths);
    }
    return text;
}

/* `validation_failed: the url is not valid, {"url":["…"]}`; false if it says nothing we
 * know. */
static bool add_own_words(struct buf *out, struct slice json)
{
    static const char *const codes[] = {"error", "error.code", "code", NULL};
    static const char *const messages[] = {"message", "error.message", "error_description",
                                           "Message", "detail",        NULL};
    char *code = first_text(json, codes);
    char *message = first_text(json, messages);
    struct json_value params = json_find(json, SLICE("params"));
    bool found = code || message;

    buf_add_slice(out, slice_of(code));
    buf_add_str(out, code && message ? ": " : "");
    buf_add_slice(out, slice_of(message));
    if (found && (params.kind == JSON_OBJECT || params.kind == JSON_ARRAY) &&
        params.raw.len > 2) {
        buf_addf(out, ", %.*s", SLICE_ARG(params.raw));
    }
    free(code);
    free(message);
    return found;
}

/* The beginning, in one line. */
static void add_excerpt(struct buf *out, struct slice body)
{
    bool gap = false;
    size_t limit = out->len + MAX_EXCERPT;

    for (size_t i = 0; i < body.len && out->len < limit; i++) {
        char c = body.data[i];

        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
            gap = true;
            continue;
        }
        buf_add_str(out, gap ? " " : "");
        buf_add_char(out, c);
        gap = false;
    }
}

/* An answer of success may be a secret that was to be handed out: it is shown only where that
 * would have a name, or as far as it is a page or a script's complaint. */
static void add_text(struct buf *out, long status, struct slice body)
{
    const char *data = memchr(body.data, '{', body.len);
    bool is_page = body.len > 0 && body.data[0] == '<';

    if (status / 100 != 2 || (is_page && !data)) {
        add_excerpt(out, body);
    } else if (data) {
        add_excerpt(out, (struct slice){body.data, (size_t)(data - body.data)});
    } else if (body.len > 0) {
        buf_addf(out, "a text of %zu bytes", body.len);
    }
}

void cli_api_add_reason(struct buf *out, long status, struct slice body)
{
    enum json_kind kind = json_check(body, NULL) == ST_OK ? json_kind_of(body) : JSON_ABSENT;
    size_t before;

    buf_addf(out, "answered %ld", status);
    before = out->len;
    buf_add_str(out, ": ");
    if (kind != JSON_OBJECT) {
        add_text(out, status, body);
    } else if (!add_own_words(out, body)) {
        add_excerpt(out, body);
    }
    if (out->len == before + 2) { /* it said nothing */
        out->len = before;
        out->data[before] = '\0';
    }
}
