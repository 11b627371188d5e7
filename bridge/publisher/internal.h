/*
 * publisher/internal - what the files of publisher share. All functions: publisher thread. Calls
 * go down this list only:
 *
 *   publisher.c   the thread: what it waits for, and the order of a turn
 *   answer.c      the broker's answers to messages
 *   link.c        the connection: up, down, and when to try again
 *   send.c        events from the outbox to the broker
 *   status.c      the bridge's status topics
 *   recover.c     start over, bury, end a connection
 *   backoff.[ch]  when to try again, what to bury (pure)
 *   presence.[ch] how much of our presence a server takes (pure)
 *   rival.[ch]    is another client using our client_id? (pure)
 *   window.[ch]   what is in flight (pure)
 */
#ifndef BRIDGE_PUBLISHER_INTERNAL_H
#define BRIDGE_PUBLISHER_INTERNAL_H

#include <pthread.h>

#include "bridge/publisher/backoff.h"
#include "bridge/publisher/presence.h"
#include "bridge/publisher/publisher.h"
#include "bridge/publisher/rival.h"
#include "bridge/publisher/window.h"

enum {
    FEED_EVENTS = 128, /* read ahead */
    FEED_BYTES = 1024 * 1024,
    STATUS_MAX_IN_FLIGHT = 8,
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

/* What other threads signal to the publisher thread. */
struct signals {
    uint64_t durable_seq;
    uint64_t watermark_seq;
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
    struct buf posted_info; /* the new payload of …/info, if info_posted */
    bool info_posted;
    uint32_t closed_epoch; /* answers and losses of this one and earlier ones are dropped */
    /* What wakes the sleeping thread, besides lost and stop. */
    size_t want_answers;
    bool want_durable, want_watermark;

    /* owned by the publisher thread */
    struct signals seen;
    struct answers answers; /* swapped with posted_answers */
    struct window *window;
    uint64_t highest_sent_seq;

    /* events read and not yet sent */
    struct event *feed[FEED_EVENTS];
    size_t feed_at, feed_count;
    uint64_t read_seq;
    unsigned part; /* messages of feed[feed_at] sent so far */
    bool placed;   /* feed[feed_at] is in the window */
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

    /* order after trouble */
    struct backoff backoff;
    bool solo; /* the oldest event is sent alone until it is settled */
    int64_t solo_sent_ms;

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

/* --- send.c: events from the outbox to the broker --- */

/* Sends as much as the window and the outbox give. */
void publisher_send_events(struct publisher *pub);
/* Would it send more if the window had room? */
bool publisher_feed_has_more(const struct publisher *pub);

/* --- answer.c: the broker's answers to messages --- */

void publisher_take_answers(struct publisher *pub);
/* Ends the pause if its time is up and nothing is in flight. */
void publisher_resume(struct publisher *pub, int64_t now_ms);

/* --- link.c: the connection --- */

void publisher_link_connect_if_due(struct publisher *pub, int64_t now_ms);
void publisher_link_lost(struct publisher *pub, int reason, const char *text);
void publisher_link_watch(struct publisher *pub, int64_t now_ms);

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

/* --- recover.c --- */

/* Sending starts over at the oldest event that is not settled, with at most max_messages in
 * flight. */
void publisher_start_over(struct publisher *pub, size_t max_messages);
/* Frees the events that were read and not sent. */
void publisher_feed_drop(struct publisher *pub);
/* The broker refused message `part` of the event for good: to the dead letters. */
void publisher_bury(struct publisher *pub, uint64_t seq, unsigned part, int reason);
/* The same, for a reason that is not a reason code. */
void publisher_bury_as(struct publisher *pub, uint64_t seq, const char *why);
/* Nothing more can be sent; a report of the loss is to follow. */
void publisher_link_dies(struct publisher *pub);
/* The connection is over: answers and losses of its epoch are dropped, past and future ones. */
void publisher_close_epoch(struct publisher *pub);

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
