/*
 * publisher/internal - what the files of publisher share. All functions: publisher thread. Calls
 * go down this list only:
 *
 *   publisher.c   the thread: what it waits for, and the order of a turn
 *   answer.c      the broker's answers to messages
 *   link.c        the connection: up, down, and when to try again
 *   send.c        events from the outbox to the broker
 *   feed.c        events out of the outbox, into window and lanes
 *   status.c      the bridge's status topics
 *   hold.c        events that wait while others pass; suspects
 *   settle.c      the end of an event: delivered, buried, expired, dropped
 *   epoch.c       the end of a connection
 *   backoff.[ch]  when to try again, what to bury (pure)
 *   presence.[ch] how much of our presence a server takes (pure)
 *   rival.[ch]    is another client using our client_id? (pure)
 *   lanes.[ch]    order per resource (pure)
 *   window.[ch]   what is in flight (pure)
 */
#ifndef BRIDGE_PUBLISHER_INTERNAL_H
#define BRIDGE_PUBLISHER_INTERNAL_H

#include <pthread.h>

#include "bridge/publisher/backoff.h"
#include "bridge/publisher/lanes.h"
#include "bridge/publisher/presence.h"
#include "bridge/publisher/publisher.h"
#include "bridge/publisher/rival.h"
#include "bridge/publisher/window.h"

enum {
    FEED_EVENTS = 128, /* read ahead */
    FEED_BYTES = 1024 * 1024,
    /* Paho keeps a copy of each until it is acknowledged. One event beyond this is allowed. */
    IN_FLIGHT_BYTES = 16777216,
    STATUS_MAX_IN_FLIGHT = 8,
    /* Held events; each takes some 300 bytes of memory. More than the largest window. */
    HELD_MAX = 32768,
};

/* The broker's answer to one message, as Paho's thread posts it. */
struct answer {
    int token;
    int reason;
    int64_t at_ms; /* Unix time */
};
struct answers {
    struct answer *items;
    size_t count;
};

/* An event that is not settled, while the publisher knows of it: in the window, or held.
 * A new pointer is freed in publisher_forget. */
struct parcel {
    struct lane_entry lane; /* first, so that one is the other */
    window_place place;     /* WINDOW_NOWHERE: not in the window */
    struct event *event;    /* owned; NULL: to be read from the outbox */
    struct uuid id;
    int64_t received_ms; /* Unix time */
    uint64_t cost_bytes;
    uint64_t source; /* a number that stands for it */
    struct backoff_record record;
    int reason;   /* it is held for: a reason code; HOLD_BEHIND, HOLD_SUSPECT */
    uint8_t part; /* messages sent so far */
    bool replayed, expired, was_sent;
    bool suspected; /* in flight when the connection was lost */
    char topic[];
};
enum { HOLD_BEHIND = 0, HOLD_SUSPECT = -1 };

/* What other threads signal to the publisher thread. */
struct signals {
    struct outbox_progress progress;
    bool lost;
    uint32_t lost_epoch;
    int lost_reason;
    char lost_text[128];
    bool stop;
    int64_t stop_by_ms; /* monotonic */
};

/* What is remembered of one server. */
struct known_server {
    char failure[256]; /* to connect, as it was logged last; empty: none since it worked */
    struct presence presence;
    bool speaks_3_1_1_only;
    bool retain_told; /* the log has it that this one retains nothing */
};

/* The bridge's status topics, as bits, in the order in which they are published. */
enum {
    STATUS_STATE = 1,
    STATUS_INFO = 2,
    STATUS_HEALTH = 4,
    STATUS_OFFLINE = 8,
    STATUS_AT_CONNECT = STATUS_STATE | STATUS_INFO | STATUS_HEALTH
};

/* A new pointer or buffer is freed in publisher_destroy (those of the status topics in
 * publisher_status_fini). */
struct publisher {
    struct publisher_options options;
    struct outbox *outbox;
    struct mqtt *mq;
    struct heartbeat heartbeat;
    pthread_t thread;
    bool started;

    pthread_mutex_t mu;
    pthread_cond_t changed;
    /* shared, under mu */
    struct signals posted;
    struct answers posted_answers;
    struct buf posted_drops; /* seqs of held events that were dropped by hand */
    struct buf posted_info;  /* the new payload of …/info, if info_posted */
    bool info_posted;
    uint32_t closed_epoch; /* answers and losses of this one and earlier ones are dropped */
    /* What wakes the sleeping thread, besides lost and stop. */
    size_t want_answers;
    bool want_durable, want_room;

    /* owned by the publisher thread */
    struct signals seen;
    struct answers answers; /* swapped with posted_answers */
    struct window *window;
    struct lanes *lanes;
    struct parcel *sending; /* some of its messages are sent, some not */
    struct buf drops;       /* swapped with posted_drops */
    int64_t due_ms;         /* when to look at the resting ones again */
    bool held_full_logged;

    /* events read, and not yet in the window */
    struct event *feed[FEED_EVENTS];
    size_t feed_at, feed_count;
    uint64_t read_seq;
    int64_t read_again_ms;
    struct buf topic;

    /* the connection */
    bool up;
    uint32_t epoch;
    struct mqtt_limits limits;
    struct mqtt_will will;
    size_t max_messages; /* in flight: the lower of both sides' limits */
    const char *server;
    size_t server_index, next_server;
    unsigned tries; /* since the last connection */
    int64_t down_since_ms;
    bool dying; /* publishing failed; Paho has not reported the loss yet */
    int64_t dying_since_ms;
    struct known_server *known; /* by server */
    struct rival rival;
    struct buf password; /* as it was read last */
    bool password_told;  /* the log has it that it cannot be read */

    /* after trouble */
    struct backoff backoff;
    struct parcel *suspect; /* to be sent alone, once nothing is in flight */
    struct parcel
        *solo; /* it was sent alone, so that what happens next says something about it */
    size_t careful_count; /* suspected ones that are not settled */
    size_t careful_limit; /* so many of them at a time */
    int64_t event_sent_ms;

    /* the watchdog: the latest answer, or the first message in flight after none was */
    int64_t events_quiet_ms, status_quiet_ms;

    /* status topics */
    struct buf info;
    unsigned status_due;
    size_t status_in_flight;
    enum presence_topic status_sent[STATUS_MAX_IN_FLIGHT]; /* oldest first */
    unsigned status_missed;                                /* due, but their topics are off */
    /* The last that was answered, while it may still have been the end of the connection. */
    enum presence_topic status_proving;
    bool status_is_proving;
    char *state_topic, *info_topic, *health_topic;
    int64_t health_ms, started_ms;
};

/* --- answer.c: the broker's answers to messages --- */

void publisher_take_answers(struct publisher *pub);

/* --- link.c: the connection --- */

void publisher_link_connect_if_due(struct publisher *pub, int64_t now_ms);
void publisher_link_lost(struct publisher *pub, int reason, const char *text);
void publisher_link_watch(struct publisher *pub, int64_t now_ms);

/* --- send.c: events to the broker --- */

/* Sends as much as the window and the outbox give. */
void publisher_send_events(struct publisher *pub);

/* --- feed.c: events out of the outbox --- */

/* Puts the next events into window and lanes, until one of them is ready. */
void publisher_feed(struct publisher *pub);
/* Frees everything that is in lanes. */
void publisher_feed_free(struct publisher *pub);
/* The events that are on disk and held. */
enum status publisher_feed_load(struct publisher *pub, struct err *err) MUST_USE;

/* --- status.c: the bridge's status topics --- */

void publisher_status_init(struct publisher *pub);
void publisher_status_fini(struct publisher *pub);
/* Under mu. Takes the posted info, if there is one. */
void publisher_status_take_info(struct publisher *pub);
void publisher_status_send(struct publisher *pub);
void publisher_status_answered(struct publisher *pub, int reason);
/* Was one of them answered just now, so that it may still be what ends the connection? */
bool publisher_status_is_fresh(const struct publisher *pub, int64_t now_ms);
/* The connection was lost with nothing in flight, or nothing but status messages. */
void publisher_status_lost(struct publisher *pub, int reason);

/* --- hold.c: events that wait while others pass --- */

/* The parcel, and all behind it in its lanes: the watermark may pass them. */
void publisher_hold(struct publisher *pub, struct parcel *parcel);
/* Everything that is not settled is held: the window is empty, and nothing is in flight. */
void publisher_hold_all(struct publisher *pub);
/* What waits in the window for an earlier event of its resource is held, to make room. */
void publisher_hold_waiting(struct publisher *pub);
/* The same as publisher_hold, but what was sent stays in flight. */
void publisher_set_aside(struct publisher *pub, struct parcel *parcel);
/* The broker refused it for now, or it is under suspicion: until record.due_ms. */
void publisher_rest(struct publisher *pub, struct parcel *parcel, int reason);
/* Wakes those whose time has come; of suspects, one, to be sent alone. */
void publisher_wake_rested(struct publisher *pub, int64_t now_ms);
/* Is there room for one more? Else the oldest refused ones are buried early, if others pass. */
bool publisher_held_has_room(struct publisher *pub);
/* The connection was lost while it was alone in flight. */
void publisher_suspect(struct publisher *pub, struct parcel *parcel, int reason);

/* The broker refused message `part` for good, or would: to the dead letters; if they have no room
 * the event rests. */
void publisher_bury_refused(struct publisher *pub, struct parcel *parcel, unsigned part,
                            int reason, const char *detail);

/* --- settle.c: the end of an event --- */

/* To the dead letters. False: they have no room; nothing happened. */
bool publisher_bury(struct publisher *pub, struct parcel *parcel, const char *why) MUST_USE;
/* All its messages are delivered. */
void publisher_delivered(struct publisher *pub, struct parcel *parcel);
void publisher_count_delivered(const struct parcel *parcel, int64_t at_unix_ms, int code);
/* Its time was over before it could be sent. */
void publisher_expire(struct publisher *pub, struct parcel *parcel);
/* Out of the lanes, and freed. */
void publisher_forget(struct publisher *pub, struct parcel *parcel);
/* Takes the events that were dropped by hand out of the lanes. */
void publisher_take_drops(struct publisher *pub);

/* --- epoch.c --- */

/* Nothing more can be sent; a report of the loss is to follow. */
void publisher_link_dies(struct publisher *pub);
/* The connection is over: answers and losses of its epoch are dropped, past and future ones. */
void publisher_close_epoch(struct publisher *pub);
/* Frees the events that were read, and are in neither window nor lanes. */
void publisher_feed_drop(struct publisher *pub);

static inline struct parcel *parcel_of(struct lane_entry *entry)
{
    return (struct parcel *)entry;
}

/* Are there events that have not come into the window yet? */
static inline bool publisher_feed_has_more(const struct publisher *pub)
{
    return pub->feed_at < pub->feed_count || pub->read_seq < pub->seen.progress.durable_seq;
}

/* Is an event on its way that shares the connection with nothing? */
static inline bool publisher_is_alone(const struct publisher *pub)
{
    return pub->solo != NULL;
}

/* The server that we are, or were last, connected to. */
static inline struct known_server *publisher_server(const struct publisher *pub)
{
    return &pub->known[pub->server_index];
}

static inline void publisher_lock(struct publisher *pub)
{
    CHECK(pthread_mutex_lock(&pub->mu) == 0);
}

static inline void publisher_unlock(struct publisher *pub)
{
    CHECK(pthread_mutex_unlock(&pub->mu) == 0);
}

#endif
