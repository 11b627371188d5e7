/*
 * A row has the same fields under the same names for people and for scripts: both forms come from
 * one list. What a peer sent may be any bytes: for people it is made safe, a body for scripts is
 * hex if it is not UTF-8.
 */
#include "bridge/cli/row.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/encode.h"
#include "common/json.h"
#include "common/utf8.h"

#include "bridge/cli/cli.h"

enum row_state row_state(bool dead, bool delivered)
{
    return dead ? ROW_DEAD : delivered ? ROW_DELIVERED : ROW_UNDELIVERED;
}

static const char *state_text(enum row_state state)
{
    switch (state) {
    case ROW_UNDELIVERED:
        return "undelivered";
    case ROW_DELIVERED:
        return "delivered";
    case ROW_DEAD:
        return "dead";
    }
    return NULL;
}

/* ---- columns ---- */

/* Longer values push what follows to the right. */
enum {
    ID_WIDTH = UUID_TEXT_SIZE - 1,
    TIME_WIDTH = 24,
    SOURCE_WIDTH = 12,
    EVENT_WIDTH = 16,
    TYPE_WIDTH = 15,
    GID_WIDTH = 13,
    STATE_WIDTH = 11,
    TOPIC_WIDTH = 24,
};

static void add_cell(struct buf *out, struct slice text, size_t width)
{
    size_t columns = cli_add_safe(out, text.len ? text : SLICE("-"));

    for (; columns < width; columns++) {
        buf_add_char(out, ' ');
    }
    buf_add_str(out, "  ");
}

void row_add_heading(struct buf *out, bool dead)
{
    add_cell(out, SLICE("ID"), ID_WIDTH);
    add_cell(out, SLICE("RECEIVED"), TIME_WIDTH);
    add_cell(out, SLICE("SOURCE"), SOURCE_WIDTH);
    add_cell(out, SLICE("EVENT"), EVENT_WIDTH);
    add_cell(out, SLICE("RESOURCE_TYPE"), TYPE_WIDTH);
    add_cell(out, SLICE("GID"), GID_WIDTH);
    if (dead) {
        add_cell(out, SLICE("TOPIC"), TOPIC_WIDTH);
        buf_add_str(out, "REASON\n");
    } else {
        add_cell(out, SLICE("STATE"), STATE_WIDTH);
        buf_add_str(out, "TOPIC\n");
    }
}

void row_add_columns(struct buf *out, const struct event *event, enum row_state state)
{
    char id[UUID_TEXT_SIZE], received[CLOCK_TEXT_SIZE];

    uuid_format(event->id, id);
    clock_format(event->received_ms, received);
    add_cell(out, slice_of(id), ID_WIDTH);
    add_cell(out, slice_of(received), TIME_WIDTH);
    add_cell(out, event->source, SOURCE_WIDTH);
    add_cell(out, event->event, EVENT_WIDTH);
    add_cell(out, event->resource_type, TYPE_WIDTH);
    add_cell(out, event->gid, GID_WIDTH);
    if (state == ROW_DEAD) {
        add_cell(out, event->topic, TOPIC_WIDTH);
        cli_add_safe(out, event->reason);
    } else {
        add_cell(out, slice_of(state_text(state)), STATE_WIDTH);
        cli_add_safe(out, event->topic);
    }
    buf_add_char(out, '\n');
}

/* ---- all that is known ---- */

/* A field without text is absent. */
struct field {
    const char *name;
    struct slice text;
    bool plain; /* JSON: a number or a boolean */
};
enum { FIELD_COUNT = 18 };

/* Memory behind the values that are made here. */
struct field_text {
    char seq[24], id[UUID_TEXT_SIZE], received[CLOCK_TEXT_SIZE], event_time[CLOCK_TEXT_SIZE];
    char qos[4], expiry[12];
};

static struct slice yes_no(bool value)
{
    return value ? SLICE("true") : SLICE("false");
}

static void list_fields(const struct event *event, enum row_state state,
                        struct field_text *text, struct field out_fields[FIELD_COUNT])
{
    (void)snprintf(text->seq, sizeof(text->seq), "%" PRIu64, event->seq);
    (void)snprintf(text->qos, sizeof(text->qos), "%u", event->qos);
    (void)snprintf(text->expiry, sizeof(text->expiry), "%" PRIu32, event->expiry_s);
    uuid_format(event->id, text->id);
    clock_format(event->received_ms, text->received);
    if (event->event_ms != CLOCK_NONE) {
        clock_format(event->event_ms, text->event_time);
    }
    const struct field fields[] = {
        {"seq", slice_of(text->seq), true},
        {"id", slice_of(text->id), false},
        {"received_at", slice_of(text->received), false},
        {"source", event->source, false},
        {"event", event->event, false},
        {"resource_type", event->resource_type, false},
        {"gid", event->gid, false},
        {"state", slice_of(state_text(state)), false},
        {"reason", event->reason, false},
        {"event_at", event->event_ms == CLOCK_NONE ? SLICE_NONE : slice_of(text->event_time),
         false},
        {"delivery_id", event->delivery_id, false},
        {"topic", event->topic, false},
        {"state_topic", event->state_topic, false},
        {"qos", slice_of(text->qos), true},
        {"retain", yes_no(event->retain), true},
        {"expiry_seconds", event->expiry_s ? slice_of(text->expiry) : SLICE_NONE, true},
        {"deletion", yes_no(event->deletion), true},
        {"replayed", yes_no(event->replayed), true},
    };

    _Static_assert(COUNT_OF(fields) == FIELD_COUNT, "every field has a row");
    memcpy(out_fields, fields, sizeof(fields));
}

static void add_lines(struct buf *out, struct slice text)
{
    while (text.len > 0) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;

        cli_add_safe(out, (struct slice){text.data, len});
        buf_add_char(out, '\n');
        len += end != NULL;
        text.data += len;
        text.len -= len;
    }
}

void row_add_details(struct buf *out, const struct event *event, enum row_state state)
{
    struct field_text text = {0};
    struct field fields[FIELD_COUNT];

    list_fields(event, state, &text, fields);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (fields[i].text.data) {
            buf_addf(out, "%-14s ", fields[i].name);
            cli_add_safe(out, fields[i].text);
            buf_add_char(out, '\n');
        }
    }
    buf_addf(out, "body           %zu bytes\n\n", event->body.len);
    add_lines(out, event->body);
}

static void add_body(struct buf *out, struct slice body)
{
    if (utf8_valid(body)) {
        buf_add_str(out, ",\"body\":");
        json_add_string(out, body);
        return;
    }
    buf_add_str(out, ",\"body_hex\":\"");
    for (size_t i = 0; i < body.len; i++) {
        buf_addf(out, "%02x", (uint8_t)body.data[i]);
    }
    buf_add_char(out, '"');
}

void row_add_json(struct buf *out, const struct event *event, enum row_state state,
                  bool with_body)
{
    struct field_text text = {0};
    struct field fields[FIELD_COUNT];

    list_fields(event, state, &text, fields);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        buf_addf(out, "%c\"%s\":", i ? ',' : '{', fields[i].name);
        if (!fields[i].text.data) {
            buf_add_str(out, "null");
        } else if (fields[i].plain) {
            buf_add_slice(out, fields[i].text);
        } else {
            json_add_string(out, fields[i].text);
        }
    }
    if (with_body) {
        add_body(out, event->body);
    }
    buf_add_char(out, '}');
}
