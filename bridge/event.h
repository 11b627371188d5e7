/*
 * event - one accepted webhook, from intake to the broker.
 *
 * One allocation contains everything; the slices point into it. One thread at a time owns it:
 * intake makes it, the outbox takes it; the publisher gets its own copy from the store.
 */
#ifndef BRIDGE_EVENT_H
#define BRIDGE_EVENT_H

#include "common/buf.h"
#include "common/uuid.h"

enum { EVENT_KEY_SIZE = 16 };

/* Two deliveries are the same if their keys and their digests are equal; intake/identity.c makes
 * both. A delivery is compared with the newest event of its key: A, B, A is a change back to A,
 * not a duplicate. A key of zeros: no identity, never a duplicate and never the first of one. */
struct event_identity {
    uint8_t key[EVENT_KEY_SIZE];
    uint8_t digest[EVENT_KEY_SIZE];
};
#define EVENT_NO_IDENTITY ((struct event_identity){.key = {0}, .digest = {0}})

/* Every text of an event. The struct's members, the copy and the cost are all made from this
 * list, so a new text is added here; to be kept on disk, it needs a column as well
 * (store/internal.h). */
#define EVENT_TEXTS(TEXT)                                                                      \
    TEXT(source)                                                                               \
    TEXT(event) /* literal, such as resource.updated */                                        \
    TEXT(resource_type)                                                                        \
    TEXT(gid)                                                                                  \
    TEXT(delivery_id)                                                                          \
    TEXT(topic)       /* decided when it was accepted */                                       \
    TEXT(state_topic) /* absent: not configured, or a newer state was already retained */      \
    TEXT(body)        /* exactly as received */                                                \
    TEXT(reason)      /* present: quarantined for this reason, and without a topic */
#define EVENT_DECLARE_TEXT(name) struct slice name;

/* A text that the event does not have is absent (SLICE_NONE). */
struct event {
    uint64_t seq; /* its place in the outbox, from 1; 0 until it is stored */
    struct uuid id;
    int64_t received_ms; /* Unix time */
    int64_t event_ms;    /* Unix time, according to the provider; CLOCK_NONE if unknown */
    struct event_identity identity;
    int64_t dedupe_window_ms; /* how long another one is a duplicate; not stored */
    EVENT_TEXTS(EVENT_DECLARE_TEXT)
    uint32_t expiry_s; /* MQTT message expiry, seconds; 0: none */
    uint8_t qos;
    bool retain;
    bool deletion; /* the resource is gone: clears the retained state */
    bool replayed; /* replayed by hand, or retried as a dead letter */
    bool copy;     /* made by a replay, beside its original; not replayed itself */
    bool held; /* undelivered, although the watermark may have passed it; in listings only */
};

/* Pure. */
bool event_has_identity(const struct event *event);
/* Any thread. Borrows the fields; gives a copy that owns all its bytes. */
struct event *event_copy(const struct event *fields) MUST_USE;
/* Any thread. Takes; NULL is allowed. */
void event_free(struct event *event);
/* Any thread. What the event costs against the outbox's limit: its bytes and a fixed share for
 * its row. */
uint64_t event_cost_bytes(const struct event *event);

#endif
