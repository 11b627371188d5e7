#include "bridge/admin/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/json.h"

void admin_refuse(struct http_request *request, enum reject reason, const char *message)
{
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer = http_error(reason, message, text);

    http_answer(request, &answer);
}

static const char *const paths[] = {
    [OUTBOX_REPLAY] = "/api/outbox/replay",
    [OUTBOX_DROP] = "/api/outbox/drop",
    [DEAD_RETRY] = "/api/dead/retry",
    [DEAD_DROP] = "/api/dead/drop",
};

const char *admin_api_path(enum outbox_op op)
{
    return paths[op];
}

bool admin_api_find(struct slice path, enum outbox_op *out_op)
{
    for (size_t op = 0; op < COUNT_OF(paths); op++) {
        if (slice_equal(path, slice_of(paths[op]))) {
            *out_op = (enum outbox_op)op;
            return true;
        }
    }
    return false;
}

static bool is_json(const struct http_request *request)
{
    static const struct slice type = {"application/json", sizeof("application/json") - 1};
    struct slice given;

    return http_header(request, "Content-Type", &given) == 1 && given.len >= type.len &&
           strncasecmp(given.data, type.data, type.len) == 0 &&
           (given.len == type.len || strchr("; \t", given.data[type.len]) != NULL);
}

bool admin_api_allows(struct http_request *request)
{
    struct slice origin;
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer;

    if (!slice_equal(http_method(request), SLICE("POST"))) {
        answer = http_error(REJECT_METHOD, "an operation is a POST", text);
        answer.allow = "POST";
        http_answer(request, &answer);
    } else if (http_header(request, "Origin", &origin) > 0) {
        admin_refuse(request, REJECT_FORBIDDEN, "this is not for web pages");
    } else if (!is_json(request)) {
        admin_refuse(request, REJECT_BAD_REQUEST, "send Content-Type: application/json");
    } else {
        return true;
    }
    return false;
}

/* Reading the selection. Each false means: not what it has to be. */

static struct slice inside_quotes(struct json_value string)
{
    return (struct slice){string.raw.data + 1, string.raw.len - 2};
}

static bool read_text(struct slice body, struct slice name, struct slice *out_text)
{
    struct json_value value = json_find(body, name);

    if (value.kind == JSON_STRING && !json_has_escape(value)) {
        *out_text = inside_quotes(value);
        return true;
    }
    return value.kind == JSON_ABSENT || value.kind == JSON_NULL;
}

/* A whole number from 0 on; out_number keeps what it has if there is none. */
static bool read_number(struct slice body, struct slice name, int64_t *out_number)
{
    struct json_value value = json_find(body, name);
    char digits[20];

    if (value.kind == JSON_ABSENT || value.kind == JSON_NULL) {
        return true;
    }
    if (value.kind != JSON_NUMBER || value.raw.len >= sizeof(digits) - 1) {
        return false;
    }
    memcpy(digits, value.raw.data, value.raw.len);
    digits[value.raw.len] = '\0';
    if (strspn(digits, "0123456789") != value.raw.len) {
        return false;
    }
    *out_number = strtoll(digits, NULL, 10); /* 18 digits fit */
    return true;
}

static bool read_flag(struct slice body, struct slice name, bool *out_flag)
{
    struct json_value value = json_find(body, name);

    *out_flag = value.kind == JSON_BOOL && slice_equal(value.raw, SLICE("true"));
    return value.kind == JSON_ABSENT || value.kind == JSON_NULL || value.kind == JSON_BOOL;
}

/* The next id of an array of strings; text is what is left of it. */
static bool read_id(struct slice *text, struct uuid *out_id)
{
    size_t len = UUID_TEXT_SIZE - 1;

    /* No character of an id is ever escaped, so its closing quote is where it must be. */
    if (text->len < len + 2 || text->data[0] != '"' || text->data[len + 1] != '"' ||
        !uuid_parse((struct slice){text->data + 1, len}, out_id)) {
        return false;
    }
    *text = (struct slice){text->data + len + 2, text->len - len - 2};
    return true;
}

static void skip(struct slice *text, const char *bytes)
{
    while (text->len > 0 && strchr(bytes, text->data[0]) != NULL) {
        text->data++;
        text->len--;
    }
}

/* Gives *out_ids for free(). The array is known to be well-formed JSON, so what stands between
 * two ids is a comma. */
static bool read_ids(struct slice body, struct uuid **out_ids, size_t *out_count)
{
    struct json_value value = json_find(body, SLICE("ids"));
    struct slice text = value.raw;
    size_t count = 0;

    if (value.kind == JSON_ABSENT || value.kind == JSON_NULL) {
        return true;
    }
    if (value.kind != JSON_ARRAY) {
        return false;
    }
    *out_ids =
        xalloc((text.len / UUID_TEXT_SIZE + 1) * sizeof(**out_ids)); /* within our limit */
    text = (struct slice){text.data + 1, text.len - 2}; /* what is between the brackets */
    for (skip(&text, " \t\r\n"); text.len > 0; skip(&text, ", \t\r\n")) {
        if (!read_id(&text, &(*out_ids)[count++])) {
            return false;
        }
    }
    *out_count = count;
    return count > 0; /* no ids at all would select everything */
}

/* The reason why not, or NULL. ids is for free() in every case. */
static const char *read_selection(struct slice body, struct store_selection *out,
                                  struct uuid **out_ids)
{
    int64_t limit = 0;
    bool all;

    *out = (struct store_selection){.since_ms = CLOCK_NONE, .until_ms = CLOCK_NONE};
    if (json_check(body, NULL) != ST_OK || json_kind_of(body) != JSON_OBJECT) {
        return "the body must be a JSON object";
    }
    if (!read_ids(body, out_ids, &out->id_count)) {
        return "ids must be a list of ids";
    }
    if (!read_text(body, SLICE("source"), &out->source)) {
        return "source must be a name";
    }
    if (!read_number(body, SLICE("since_ms"), &out->since_ms) ||
        !read_number(body, SLICE("until_ms"), &out->until_ms) ||
        !read_number(body, SLICE("limit"), &limit)) {
        return "since_ms, until_ms and limit must be whole numbers";
    }
    if (!read_flag(body, SLICE("all"), &all)) {
        return "all must be true or false";
    }
    out->ids = *out_ids;
    out->limit = (uint64_t)limit;
    return store_selects_everything(out) && !all ? "to select everything, say all: true" : NULL;
}

/* Running it */

static void answer_failed(struct http_request *request, enum status st, const char *why)
{
    struct buf text = {0};

    buf_addf(&text, "{\"error\":\"%s\",\"message\":", reject_code(REJECT_UNAVAILABLE));
    json_add_string(&text, slice_of(why[0] != '\0' ? why : status_text(st)));
    buf_add_char(&text, '}');
    http_answer(request, &(struct http_answer){
                             .status = 503, .body = buf_slice(&text), .retry_after_s = 1});
    buf_free(&text);
}

/* Committer thread. */
static void operation_done(void *ctx, const struct outbox_operation_result *result)
{
    struct http_request *request = ctx;
    struct buf text = {0};

    if (result->status != ST_OK) {
        answer_failed(request, result->status, result->why);
        return;
    }
    buf_addf(&text,
             "{\"done\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"why\":", result->done_count,
             result->skipped_count);
    json_add_string(&text, slice_of(result->why));
    buf_add_char(&text, '}');
    http_answer(request, &(struct http_answer){.status = 200, .body = buf_slice(&text)});
    buf_free(&text);
}

void admin_api_run(struct http_request *request, struct outbox *outbox)
{
    struct store_selection selection;
    struct uuid *ids = NULL;
    const char *fault = read_selection(http_body(request), &selection, &ids);
    enum outbox_op op = OUTBOX_REPLAY;
    bool found = admin_api_find(http_path(request), &op);
    enum status st;

    CHECK(found); /* or the head would have been refused */
    if (fault != NULL) {
        admin_refuse(request, REJECT_BAD_REQUEST, fault);
    } else {
        st = outbox_operate(outbox, op, &selection, operation_done, request);
        if (st != ST_OK) {
            answer_failed(request, st, "");
        }
    }
    free(ids);
}
