/*
 * publisher - outbox to broker: one thread that keeps the connection up, reads events from the
 * outbox in order, keeps a window of them in flight, and reports each as delivered or buried.
 *
 * Order: of each resource (source, resource_type, gid), and of each retained topic, events arrive
 * in order of seq, through refusals, reconnects and restarts. After a reconnect sending starts
 * over at the oldest event that is not settled. With MQTT 5, one event of a resource is in flight
 * at a time, because the broker may refuse it.
 *
 * One message never stops the others: an event that the broker refuses for now, or that ends
 * connections, is held, and only its resource waits for it (hold.c).
 *
 * At most max_in_flight events are sent beyond the written watermark, so that a crash of the
 * bridge or the broker causes no more duplicates than that. After a power cut there may be more,
 * because a watermark alone is written without a sync.
 *
 * While the broker is away the publisher backs off with jitter over the list of servers, for
 * ever, and blames no event for it.
 *
 * An event goes to the dead letters if the broker refuses it for good or for too long (backoff.c
 * has the reason codes), if it took the connection with it several times in a row while alone and
 * others pass, or if it can never be sent. One whose message expiry is over is dropped.
 */
#ifndef BRIDGE_PUBLISHER_PUBLISHER_H
#define BRIDGE_PUBLISHER_PUBLISHER_H

#include "common/err.h"
#include "common/thread.h"

#include "bridge/mqtt/mqtt.h"
#include "bridge/outbox/outbox.h"

struct publisher;

/* The limit of max_in_flight. Acknowledgements wait in arrays of this size. */
enum { PUBLISHER_MAX_IN_FLIGHT = 16000 };

struct publisher_options {
    const char *const *servers; /* tried in turn */
    size_t server_count;
    struct mqtt_options mqtt;
    struct slice password;     /* absent: none */
    const char *password_file; /* where it is from, read at each connect; NULL: nowhere */
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
/* Main thread. Waits for the events in flight (at most drain_ms), publishes "offline",
 * disconnects, joins the thread. An attempt to connect that is under way is given up. Does nothing
 * if the thread never started. */
void publisher_stop(struct publisher *pub, int64_t drain_ms);
/* Main thread. Stopped, or never started; NULL is allowed. */
void publisher_destroy(struct publisher *pub);

/* Any thread, never blocks. Copies info, the new payload of …/info, and has it published, also
 * on the present connection. */
void publisher_set_info(struct publisher *pub, struct slice info);

/* (C) Any thread, never block. The outbox's listener calls these, by way of daemon.c. */
void publisher_progress(struct publisher *pub, const struct outbox_progress *progress);
void publisher_dropped(struct publisher *pub, uint64_t seq);

/* Any thread. The heartbeat goes on while the thread waits for a broker within the limits (connect
 * time-out, twice the keep-alive). */
const struct heartbeat *publisher_heartbeat(const struct publisher *pub);

#endif
