/*
 * An operation is a POST with a selection in JSON. The head decides whether it may go on; the
 * body is read into the selection, and the outbox does the work on its committer thread, which
 * answers.
 *
 * A selection that is not clear in every part does nothing and is answered 400: a member that is
 * misread could drop events that nobody meant.
 */
#include "bridge/admin/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <json-c/json.h>

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
    [OUTBOX_DROP_DELIVERED] = "/api/outbox/drop-delivered",
    [DEAD_RETRY] = "/api/dead/retry",
    [DEAD_DROP] = "/api/dead/drop",
    [STATE_FORGET] = "/api/state/forget",
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
    struct slice given = SLICE_NONE;

    return http_header(request, "Content-Type", &given, 1) == 1 && given.len >= type.len &&
           strncasecmp(given.data, type.data, type.len) == 0 &&
           (given.len == type.len || strchr("; \t", given.data[type.len]) != NULL);
}

bool admin_api_allows(struct http_request *request)
{
    struct slice origin = SLICE_NONE;
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer;

    if (!slice_equal(http_method(request), SLICE("POST"))) {
        answer = http_error(REJECT_METHOD, "an operation is a POST", text);
        answer.allow = "POST";
        http_answer(request, &answer);
    } else if (http_header(request, "Origin", &origin, 1) > 0) {
        admin_refuse(request, REJECT_FORBIDDEN, "this is not for web pages");
    } else if (!is_json(request)) {
        admin_refuse(request, REJECT_BAD_REQUEST, "send Content-Type: application/json");
    } else {
        return true;
    }
    return false;
}

/* ---- reading the selection ---- */

/* Each of these takes a member that may be missing or null; false: it is something else than it
 * has to be. */

static struct json_object *member(struct json_object *body, const char *name)
{
    struct json_object *value = NULL;

    json_object_object_get_ex(body, name, &value);
    return value;
}

/* A whole number from 0 on, of at most 18 digits. */
static bool read_number(struct json_object *value, int64_t *out_number)
{
    if (!value) {
        return true;
    }
    if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0 ||
        json_object_get_uint64(value) > UINT64_C(999999999999999999)) {
        return false;
    }
    *out_number = json_object_get_int64(value);
    return true;
}

/* Gives *out_ids for free(). */
static bool read_ids(struct json_object *value, struct uuid **out_ids, size_t *out_count)
{
    size_t count;

    if (!value) {
        return true;
    }
    if (!json_object_is_type(value, json_type_array)) {
        return false;
    }
    count = json_object_array_length(value);
    *out_ids = xalloc((count + 1) * sizeof(**out_ids)); /* no more than the body has room for */
    for (size_t i = 0; i < count; i++) {
        struct json_object *id = json_object_array_get_idx(value, i);

        if (!json_object_is_type(id, json_type_string) ||
            !uuid_parse((struct slice){json_object_get_string(id),
                                       (size_t)json_object_get_string_len(id)},
                        &(*out_ids)[i])) {
            return false;
        }
    }
    *out_count = count;
    return count > 0; /* no ids at all would select everything */
}

/* Gives *out_topics for free(); their text is body's. */
static bool read_topics(struct json_object *value, struct slice **out_topics, size_t *out_count)
{
    size_t count;

    if (!json_object_is_type(value, json_type_array)) {
        return false;
    }
    count = json_object_array_length(value);
    *out_topics = xalloc((count + 1) * sizeof(**out_topics)); /* as with ids */
    for (size_t i = 0; i < count; i++) {
        struct json_object *topic = json_object_array_get_idx(value, i);

        if (!json_object_is_type(topic, json_type_string)) {
            return false;
        }
        (*out_topics)[i] = (struct slice){json_object_get_string(topic),
                                          (size_t)json_object_get_string_len(topic)};
    }
    *out_count = count;
    return count > 0;
}

/* A name needs no escapes, so it is borrowed from the text. */
static bool read_source(struct slice text, struct slice *out_source)
{
    struct json_value value = json_find(text, SLICE("source"));

    if (value.kind == JSON_STRING && !json_has_escape(value)) {
        *out_source = (struct slice){value.raw.data + 1, value.raw.len - 2};
        return true;
    }
    return value.kind == JSON_ABSENT || value.kind == JSON_NULL;
}

/* What a selection is made of: end it with order_fini. */
struct order {
    struct store_selection selection;
    struct json_object *body;
    struct uuid *ids;
    struct slice *topics;
};

static void order_fini(struct order *order)
{
    json_object_put(order->body);
    free(order->ids);
    free(order->topics);
}

/* The reason why not, or NULL. */
static const char *read_members(struct slice text, struct order *order)
{
    struct store_selection *out = &order->selection;
    struct json_object *all = member(order->body, "all");
    int64_t limit = 0;

    if (!read_ids(member(order->body, "ids"), &order->ids, &out->id_count)) {
        return "ids must be a list of ids";
    }
    if (!read_source(text, &out->source)) {
        return "source must be a name";
    }
    if (!read_number(member(order->body, "since_ms"), &out->since_ms) ||
        !read_number(member(order->body, "until_ms"), &out->until_ms) ||
        !read_number(member(order->body, "limit"), &limit)) {
        return "since_ms, until_ms and limit must be whole numbers";
    }
    if (all && !json_object_is_type(all, json_type_boolean)) {
        return "all must be true or false";
    }
    out->ids = order->ids;
    out->limit = (uint64_t)limit;
    return store_selects_everything(out) && !json_object_get_boolean(all)
               ? "to select everything, say all: true"
               : NULL;
}

static const char *read_states(struct order *order)
{
    if (!read_topics(member(order->body, "topics"), &order->topics,
                     &order->selection.topic_count)) {
        return "topics must be a list of topics";
    }
    order->selection.topics = order->topics;
    return NULL;
}

/* The same, of what json_check accepts: json-c alone would let too much pass. */
static const char *read_order(struct slice text, enum outbox_op op, struct order *order)
{
    struct json_tokener *tokener;

    *order = (struct order){.selection = {.since_ms = CLOCK_NONE, .until_ms = CLOCK_NONE}};
    if (json_check(text, NULL) != ST_OK || json_kind_of(text) != JSON_OBJECT) {
        return "the body must be a JSON object";
    }
    tokener = json_tokener_new_ex(JSON_MAX_DEPTH + 1);
    CHECK(tokener);
    order->body = json_tokener_parse_ex(tokener, text.data, (int)text.len);
    json_tokener_free(tokener);
    return op == STATE_FORGET ? read_states(order) : read_members(text, order);
}

/* ---- running it ---- */

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
    struct order order;
    enum outbox_op op = OUTBOX_REPLAY;
    bool found = admin_api_find(http_path(request), &op);
    const char *fault = read_order(http_body(request), op, &order);
    enum status st;

    CHECK(found); /* or the head would have been refused */
    if (fault != NULL) {
        admin_refuse(request, REJECT_BAD_REQUEST, fault);
    } else {
        st = outbox_operate(outbox, op, &order.selection, operation_done, request);
        if (st != ST_OK) {
            answer_failed(request, st, "");
        }
    }
    order_fini(&order);
}
