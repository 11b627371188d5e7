/*
 * window - the events in flight: what may be sent now, what is settled, how far the watermark may
 * move.
 *
 * New events are put in order (seq rises). An event is one or two messages and is settled when all
 * of them are, or when the publisher says so: buried, expired, or held. Acknowledgements come in
 * any order; the watermark moves in order only. An event keeps its place until the watermark that
 * covers it is written, and a held one that is sent again has a place until its delivery is
 * written. So no more than `capacity` events are ever ahead of the disk: that is what a crash can
 * duplicate. Messages in flight are limited separately, by what the broker allows; the bridge's
 * status messages count towards that limit.
 *
 * Pure: no I/O, no clock, no threads.
 */
#ifndef BRIDGE_PUBLISHER_WINDOW_H
#define BRIDGE_PUBLISHER_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window;

/* A token is an MQTT packet identifier, 1 to 65,535: enough for two messages per event, and for
 * status messages. */
enum { WINDOW_MAX_CAPACITY = 16384, WINDOW_MAX_MESSAGES = 2 };

/* An event's place; valid until the event is settled. */
typedef uint32_t window_place;
enum { WINDOW_NOWHERE = UINT32_MAX };

/* capacity: 1 to WINDOW_MAX_CAPACITY events. Everything up to settled_seq is settled, and that
 * watermark is written. */
struct window *window_create(size_t capacity, uint64_t settled_seq);
void window_destroy(struct window *window); /* NULL is allowed */

/* A new connection: no message is in flight, and at most max_messages may be. */
void window_connect(struct window *window, size_t max_messages);

/* May one more event be put? May one more message be sent? */
bool window_has_room(const struct window *window);
bool window_may_send(const struct window *window);

/* Puts the next event: its owner, its number of messages, their bytes. There must be room. */
window_place window_put(struct window *window, uint64_t seq, void *owner, unsigned messages,
                        size_t bytes);
/* The next event needs no place: it is settled. There must be room. */
void window_pass(struct window *window, uint64_t seq);
/* Puts a held event, which moves no watermark. There must be room. */
window_place window_put_held(struct window *window, void *owner, unsigned messages,
                             size_t bytes);

/* Does one old event keep back the watermark of many that are settled behind it? */
bool window_is_stuck(const struct window *window);
/* The event keeps its messages in flight, but moves no watermark any more: it is held. Gives its new
 * place. */
window_place window_set_aside(struct window *window, window_place place);

/* One message of the event was sent. token 0: QoS 0, of which no answer comes. */
void window_sent(struct window *window, window_place place, int token);
/* A message that belongs to no event was sent. */
void window_sent_status(struct window *window, int token);

enum window_found {
    WINDOW_NOTHING, /* not in flight, or its event is settled */
    WINDOW_STATUS,  /* belongs to no event */
    WINDOW_EVENT,
};
/* The broker answered this message, so it is no longer in flight. With WINDOW_EVENT, *out_owner is
 * its event and *out_part which of the event's messages it was (from 0). */
enum window_found window_answered(struct window *window, int token, void **out_owner,
                                  unsigned *out_part);
/* One message of the event is delivered. True: all are, the event is settled. */
bool window_deliver(struct window *window, window_place place);
/* The event is settled, whatever the broker still answers. */
void window_settle(struct window *window, window_place place);
/* A held event was delivered: it counts as in its place until window_released counts it, too. */
void window_release(struct window *window);
void window_released(struct window *window, uint64_t count);

/* The owner of the oldest event that is put and not settled; NULL: none. */
void *window_oldest(const struct window *window);

/* Everything up to this seq is settled. */
uint64_t window_settled(const struct window *window);
/* The newest seq that was put or passed. */
uint64_t window_newest(const struct window *window);
/* The watermark has been written up to this seq. */
void window_set_watermark(struct window *window, uint64_t watermark_seq);

size_t window_events(const struct window *window);   /* put, not settled; held ones included */
size_t window_bytes(const struct window *window);    /* of those */
size_t window_messages(const struct window *window); /* in flight, status messages included */

#endif
