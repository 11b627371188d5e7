/*
 * backoff - how long to wait after trouble with the broker, and which message is to blame.
 *
 * The publisher reports what happened (connected, failed to connect, lost, refused, delivered)
 * with the time; backoff answers when to try again and what to do with the message. What each
 * reason code of the broker means is one row of the table in backoff.c.
 *
 * Connecting: the delay doubles with each failure, with full jitter. It starts over after a
 * connection that lasted, and stays short after one that at least settled something; a broker
 * that accepts connections only to drop them is not hammered.
 *
 * Refused messages: sending pauses, longer each time in a row. Not authorized (0x87) is retried
 * for a grace period, because rights may be on their way, and buried after it.
 *
 * A message that takes the connection with it must not do so for ever. After a loss the oldest
 * event is sent solo; if the broker closes the connection on it several times in a row, it is
 * buried. A loss that says nothing about the message does not count.
 *
 * Pure: no I/O, no clock, no globals. Times are milliseconds of one clock that never goes back;
 * random arguments are random bits.
 */
#ifndef BRIDGE_PUBLISHER_BACKOFF_H
#define BRIDGE_PUBLISHER_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* Starts zeroed. */
struct backoff {
    /* for the publisher to read */
    int64_t connect_at_ms; /* not before */
    bool paused;           /* a message is to be sent again: nothing new until resume_at_ms */
    int64_t resume_at_ms;

    /* backoff's own */
    unsigned failures;    /* to connect, or connections that settled nothing, in a row */
    unsigned short_links; /* in a row: settled something, but did not last */
    int64_t connected_ms;
    bool useful;     /* this connection settled something */
    unsigned pauses; /* in a row */
    int64_t unauthorized_since_ms;
    int64_t unauthorized_last_ms; /* 0: none yet */
    uint64_t solo_seq;            /* the event that lost the connection solo_losses times */
    unsigned solo_losses;
    unsigned status_losses;
};

/* --- the connection --- */

void backoff_connected(struct backoff *backoff, int64_t now_ms);
/* reason: CONNACK's; 0: none. */
void backoff_connect_failed(struct backoff *backoff, int reason, int64_t now_ms,
                            uint64_t random);

enum backoff_in_flight {
    IN_FLIGHT_NOTHING,
    IN_FLIGHT_STATUS, /* nothing but the bridge's status messages */
    IN_FLIGHT_SOLO,   /* one event that was sent alone */
    IN_FLIGHT_EVENTS, /* several, or one that was not sent alone */
};

struct backoff_loss {
    int reason; /* of the broker's DISCONNECT; 0: closed without one; or MQTT_CUT */
    enum backoff_in_flight in_flight;
    uint64_t seq;      /* of the solo event */
    int64_t silent_ms; /* since the solo event was sent, or a status message was answered */
    int64_t keep_alive_ms;
};

enum backoff_culprit {
    CULPRIT_NONE,
    CULPRIT_EVENT,  /* bury the solo event: it took the connection with it too often */
    CULPRIT_STATUS, /* publish no status messages any more: they did */
};

struct backoff_judgement {
    enum backoff_culprit culprit;
    unsigned losses;  /* by the culprit */
    bool taken_over;  /* by another client with our client_id */
    bool same_client; /* perhaps so: several short connections in a row */
};

struct backoff_judgement backoff_lost(struct backoff *backoff, const struct backoff_loss *loss,
                                      int64_t now_ms, uint64_t random);

/* --- messages --- */

enum backoff_verdict {
    VERDICT_BURY,   /* the broker will never accept it: to the dead letters, the others go on */
    VERDICT_PAUSE,  /* not now: sending is paused from here on */
    VERDICT_PAUSED, /* not now, and sending was paused already */
};

/* The broker refused an event's message with this reason code (0x80 or above). */
enum backoff_verdict backoff_refused(struct backoff *backoff, int reason, int64_t now_ms);
/* The pause is over, and nothing is in flight any more. */
void backoff_resumed(struct backoff *backoff);
void backoff_delivered(struct backoff *backoff);
void backoff_buried(struct backoff *backoff);
/* The broker answered a status message. */
void backoff_status_answered(struct backoff *backoff);

#endif
