/*
 * An event is one allocation: its fields, then its texts, each with a NUL behind it. Only memory
 * could run out, and then the process stops.
 */
#include "bridge/event.h"

#include <stdlib.h>
#include <string.h>

/* A row's cost beside its texts: the columns, two tree entries and their share of a page. */
enum { ROW_COST_BYTES = 256 };

#define OFFSET_OF_TEXT(name) offsetof(struct event, name),
static const size_t text_offsets[] = {EVENT_TEXTS(OFFSET_OF_TEXT)};

static struct slice *text_at(struct event *event, size_t i)
{
    return (struct slice *)((char *)event + text_offsets[i]);
}

static size_t texts_len(const struct event *event)
{
    size_t len = 0;

#define ADD_LEN_OF_TEXT(name) len += event->name.len;
    EVENT_TEXTS(ADD_LEN_OF_TEXT)
#undef ADD_LEN_OF_TEXT
    return len;
}

struct event *event_copy(const struct event *fields)
{
    struct event *event =
        xalloc(sizeof(*event) + texts_len(fields) + COUNT_OF(text_offsets) /* a NUL each */);
    char *at = (char *)(event + 1);

    *event = *fields;
    for (size_t i = 0; i < COUNT_OF(text_offsets); i++) {
        struct slice *text = text_at(event, i);

        if (text->data == NULL) {
            continue;
        }
        memcpy(at, text->data, text->len);
        text->data = at;
        at += text->len + 1; /* for libraries that need a NUL */
    }
    return event;
}

bool event_has_identity(const struct event *event)
{
    static const uint8_t none[EVENT_KEY_SIZE];

    return memcmp(event->identity.key, none, sizeof(none)) != 0;
}

void event_free(struct event *event)
{
    free(event);
}

uint64_t event_cost_bytes(const struct event *event)
{
    return ROW_COST_BYTES + texts_len(event);
}
