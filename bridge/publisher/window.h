/*
 * window - the events in flight: what may be sent now, what is settled, how far the delivered
 * watermark may move.
 *
 * Events are put in the order in which they are sent (seq rises). An event is one or two messages
 * and is settled when all of them are. Acknowledgements come in any order; the watermark moves
 * in order only. An event keeps its place until the watermark that covers it is written, so no
 * more than `capacity` events are ever sent beyond that watermark: that is what a crash can
 * duplicate. Messages in flight are limited separately, by what the broker allows; the bridge's
 * status messages count towards that limit.
 *
 * Pure: no I/O, no clock, no threads.
 */
#ifndef BRIDGE_PUBLISHER_WINDOW_H
#define BRIDGE_PUBLISHER_WINDOW_H

#include "common/uuid.h"

struct window;

/* A token is an MQTT packet identifier, 1 to 65,535: enough for two messages per event, and for
 * status messages. */
enum { WINDOW_MAX_CAPACITY = 16384, WINDOW_MAX_MESSAGES = 2 };

/* An event while it is in the window. */
struct window_event {
    uint64_t seq;
    struct uuid id;
    int64_t received_ms;
    size_t bytes;  /* memory for its messages */
    bool replayed; /* by hand: its delivery time is meaningless */
};

/* capacity: 1 to WINDOW_MAX_CAPACITY events. Everything up to settled_seq is settled, and that
 * watermark is written. */
struct window *window_create(size_t capacity, uint64_t settled_seq);
void window_destroy(struct window *window); /* NULL is allowed */

/* For a new connection, or a new try on the same one when nothing is in flight: forgets the
 * events that are not settled in order, so that sending starts over after window_settled().
 * Remembers buried events. max_messages: the limit of messages in flight. */
void window_restart(struct window *window, size_t max_messages);

/* May one more event be put? May one more message be sent? */
bool window_has_room(const struct window *window);
bool window_may_send(const struct window *window);

/* Puts the next event, with its number of messages; with 0 it is settled at once. There must be
 * room. */
void window_put(struct window *window, const struct window_event *event, unsigned messages);
/* One message of the newest event was sent. token 0: QoS 0, which is settled by sending. */
void window_sent(struct window *window, int token);
/* A message that belongs to no event was sent. */
void window_sent_status(struct window *window, int token);

enum window_found {
    WINDOW_NOTHING, /* not in flight, or its event is buried */
    WINDOW_STATUS,  /* belongs to no event */
    WINDOW_EVENT,
};
/* The broker answered this message, so it is no longer in flight. With WINDOW_EVENT, *out_seq is
 * its event and *out_part which of the event's messages it was (from 0). */
enum window_found window_answered(struct window *window, int token, uint64_t *out_seq,
                                  unsigned *out_part);
/* The answer was positive: one message of the event is delivered. True: the event is settled. */
bool window_deliver(struct window *window, uint64_t seq);
/* The event is buried: settled, and never sent again, also after a restart. */
void window_bury(struct window *window, uint64_t seq);
bool window_is_buried(const struct window *window, uint64_t seq);

/* The event is in the window and not settled. */
bool window_is_open(const struct window *window, uint64_t seq);
/* The event, if it has a place: it was put since the last restart, or no written watermark covers
 * it yet. Borrowed until the next change; NULL: none. */
const struct window_event *window_find(const struct window *window, uint64_t seq);
/* The oldest event that is not settled; NULL: none. */
const struct window_event *window_oldest(const struct window *window);

/* Everything up to this seq is settled. */
uint64_t window_settled(const struct window *window);
/* The watermark has been written up to this seq. */
void window_set_watermark(struct window *window, uint64_t watermark_seq);

size_t window_events(const struct window *window);   /* put, not settled */
size_t window_bytes(const struct window *window);    /* of those */
size_t window_messages(const struct window *window); /* in flight, status messages included */

#endif
