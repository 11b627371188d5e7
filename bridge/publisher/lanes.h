/*
 * lanes - order per resource.
 *
 * An event belongs to one or more lanes, each named by a key: its resource, and every topic whose
 * last message is retained. In a lane events are sent one after the other, in order of seq; so an
 * event may be sent once it is the first in all of its lanes. What is in different lanes passes
 * each other.
 *
 * Why one at a time: an MQTT 5 broker may refuse a message, and says so only in its answer. If the
 * next one of the resource were on its way by then, sending the refused one again would turn the
 * order around. An MQTT 3.1.1 broker cannot refuse: there a lane may be pipelined, and events wait
 * only behind one that is held.
 *
 * A held event lets the publisher's window pass it; everything behind it in a lane is held, too.
 * Two different keys may be given as the same number: then more waits than must.
 *
 * Pure: no I/O, no clock, no threads.
 */
#ifndef BRIDGE_PUBLISHER_LANES_H
#define BRIDGE_PUBLISHER_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lanes;
struct lane;
struct lane_entry;

enum { LANES_MAX_KEYS = 3 };

enum lane_state {
    LANE_WAITING, /* for the one before it */
    LANE_READY,   /* to be sent */
    LANE_SENT,    /* the broker has not answered */
    LANE_RESTING, /* until its next try */
};

struct lane_link {
    struct lane *lane;
    struct lane_entry *before, *after;
};

/* Part of the user's own struct, which stays where it is while it is in lanes. */
struct lane_entry {
    uint64_t seq; /* the user's; all below is for reading only */
    enum lane_state state;
    bool held;
    uint8_t key_count;
    struct lane_link links[LANES_MAX_KEYS];
    struct lane_entry *list_before, *list_after; /* of the ready or the resting ones */
    struct lane_entry *todo;
};

typedef void lanes_fn(void *ctx, struct lane_entry *entry);

struct lanes *lanes_create(bool pipelined);
void lanes_destroy(struct lanes *lanes); /* empty; NULL is allowed */

/* Puts an event, the newest so far, at the end of its lanes. It is waiting or ready. */
void lanes_add(struct lanes *lanes, struct lane_entry *entry, const uint64_t *keys,
               size_t key_count);
/* The event is settled: those that waited for it may become ready. */
void lanes_remove(struct lanes *lanes, struct lane_entry *entry);

/* Is any of these lanes in use, so that a new event would wait? */
bool lanes_is_taken(const struct lanes *lanes, const uint64_t *keys, size_t key_count);
/* Is one before it held? Then it is to be held as well. */
bool lanes_is_behind_held(const struct lane_entry *entry);
/* Holds the event and all behind it. newly: called for each that was not held before. */
void lanes_hold(struct lanes *lanes, struct lane_entry *entry, lanes_fn *newly, void *ctx);

/* The ready event that became so first; NULL: none. */
struct lane_entry *lanes_first_ready(const struct lanes *lanes);
/* A ready event is being sent. */
void lanes_sent(struct lanes *lanes, struct lane_entry *entry);
/* A held event, sent or the first of its lanes, is not to be sent before lanes_wake. */
void lanes_rest(struct lanes *lanes, struct lane_entry *entry);
void lanes_wake(struct lanes *lanes, struct lane_entry *entry);
/* The one that has rested longest; NULL: none. Next ones: list_after. */
struct lane_entry *lanes_first_resting(const struct lanes *lanes);

/* Nothing is on its way any more, and every event is held: those that are not resting wait again,
 * or are ready in order of seq. */
void lanes_start_over(struct lanes *lanes);
/* Every event, in no order; fn must not add or remove other ones. */
void lanes_each(struct lanes *lanes, lanes_fn *fn, void *ctx);

size_t lanes_count(const struct lanes *lanes);
size_t lanes_held(const struct lanes *lanes);
size_t lanes_waiting(const struct lanes *lanes); /* of those that are not held */
size_t lanes_sent_count(const struct lanes *lanes);
size_t lanes_resting(const struct lanes *lanes);

#endif
