/*
 * publisher - outbox to broker: one thread that keeps the connection up, reads events from the
 * outbox in order, keeps a window of them in flight, and reports what became of each.
 *
 * Order: everything is sent in order of seq on one connection; after a reconnect sending starts
 * again at the oldest event that is not settled.
 *
 * At most max_in_flight events are sent beyond the written watermark, so that a crash of ours or of
 * the broker causes no more duplicates than that (after a power cut there may be more: a watermark
 * alone is written without a sync).
 *
 * Broker away: back-off with jitter over the list of servers, for ever; that is never held
 * against an event.
 *
 * Refused for good: to the dead letters (0x87 after a grace, 0x90, 0x95, 0x99, or a message
 * that took the connection with it 5 times in a row while it was sent alone).
 */
#ifndef BRIDGE_PUBLISHER_PUBLISHER_H
#define BRIDGE_PUBLISHER_PUBLISHER_H

#include "common/err.h"
#include "common/thread.h"

#include "bridge/mqtt/mqtt.h"
#include "bridge/outbox/outbox.h"

struct publisher;

/* The most that max_in_flight may be. Acknowledgements wait in arrays of this size. */
enum { PUBLISHER_MAX_IN_FLIGHT = 16000 };

struct publisher_options {
    const char *const *servers; /* tried in turn */
    size_t server_count;
    struct mqtt_options mqtt; /* will_topic and will_payload are filled in by the publisher */
    size_t max_in_flight;
    const char *bridge_topic; /* state, info and health go to <bridge_topic>/<client_id>/… */
    struct slice info;        /* payload of …/info: JSON, no secrets; copied */
};

/* Main thread. Copies options; borrows their strings until publisher_destroy, and the outbox
 * until publisher_stop. */
enum status publisher_create(const struct publisher_options *options, struct outbox *outbox,
                             struct publisher **out_publisher, struct err *err) MUST_USE;
/* Main thread, once. Starts the publisher's thread, after the outbox's. */
enum status publisher_start(struct publisher *pub, struct err *err) MUST_USE;
/* Main thread. Waits for what is in flight (at most drain_ms), publishes "offline",
 * disconnects, joins the thread. Takes longer only if a connection is being set up just then:
 * until that has come or has timed out. Also if it never started. */
void publisher_stop(struct publisher *pub, int64_t drain_ms);
/* Main thread. Stopped, or never started; NULL is allowed. */
void publisher_destroy(struct publisher *pub);

/* Any thread, never blocks. Copies info: from now on …/info says this, also to a broker that is
 * connected already. */
void publisher_set_info(struct publisher *pub, struct slice info);

/* (C) Any thread, never blocks: to be called from the outbox's listener. */
void publisher_progress(struct publisher *pub, uint64_t durable_seq, uint64_t watermark_seq);

/* Any thread. The heartbeat goes on while a broker keeps us waiting within the limits (connect
 * time-out, twice the keep-alive). */
const struct heartbeat *publisher_heartbeat(const struct publisher *pub);

#endif
