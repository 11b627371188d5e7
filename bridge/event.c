#include "bridge/event.h"

#include <stdlib.h>
#include <string.h>

/* What a row costs beside its bytes: the columns, two tree entries and their share of a page.
 */
enum { ROW_COST_BYTES = 256 };

enum { TEXT_COUNT = 9 };

/* Every text of an event. A new one is added here, and nowhere else in this file but
 * TEXT_COUNT. */
static void list_texts(struct event *event, struct slice *out_texts[TEXT_COUNT])
{
    struct slice *texts[TEXT_COUNT] = {
        &event->source,      &event->event,       &event->resource_type,
        &event->gid,         &event->delivery_id, &event->topic,
        &event->state_topic, &event->body,        &event->reason,
    };

    memcpy(out_texts, texts, sizeof(texts));
}

static size_t texts_len(const struct event *event)
{
    return event->source.len + event->event.len + event->resource_type.len + event->gid.len +
           event->delivery_id.len + event->topic.len + event->state_topic.len +
           event->body.len + event->reason.len;
}

struct event *event_copy(const struct event *fields)
{
    struct event *event = xalloc(sizeof(*event) + texts_len(fields) + TEXT_COUNT);
    char *at = (char *)(event + 1);
    struct slice *texts[TEXT_COUNT];

    *event = *fields;
    list_texts(event, texts);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if (texts[i]->data == NULL) {
            continue;
        }
        memcpy(at, texts[i]->data, texts[i]->len);
        texts[i]->data = at;
        at += texts[i]->len + 1; /* a NUL behind each, for libraries that want one */
    }
    return event;
}

void event_free(struct event *event)
{
    free(event);
}

uint64_t event_cost_bytes(const struct event *event)
{
    return ROW_COST_BYTES + texts_len(event);
}
