/*
 * backoff - how long to wait after trouble with the broker, and which message is to blame.
 *
 * The publisher reports what happened (connected, failed to connect, lost, refused, passed) with
 * the time; backoff answers when to try again and what to do with the message. What each reason
 * code of the broker means is one row of the table in backoff.c.
 *
 * Connecting: the delay doubles with each failure, with full jitter. It starts over after a
 * connection that lasted, and stays short after one that at least settled something; a broker
 * that accepts connections only to drop them is not hammered.
 *
 * A refused message is held and tried again, later each time, for a bounded time; then it is
 * buried. Not authorized (0x87) is a matter of a source's rights: once one of a source has had its
 * grace, the next ones need none. With any other reason a message is buried only if another one
 * has passed since: a broker that takes nothing at all blames no message.
 *
 * A message that takes the connection with it must not do so for ever either, but a lost
 * connection proves little. So it counts only if that message was alone in flight, and if since
 * its last loss another one has passed. Several such losses, and it is buried.
 *
 * Pure: no I/O, no clock, no globals. Times are milliseconds of one clock that never goes back;
 * random arguments are random bits.
 */
#ifndef BRIDGE_PUBLISHER_BACKOFF_H
#define BRIDGE_PUBLISHER_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* The refusals of one source by one reason, in a row. */
struct backoff_kind {
    uint64_t source;
    int reason;
    int64_t since_ms, last_ms; /* 0: none */
};
enum { BACKOFF_KINDS = 64 };

/* Starts zeroed. */
struct backoff {
    /* for the publisher to read */
    int64_t connect_at_ms; /* not before */

    /* backoff's own */
    unsigned failures; /* to connect, or connections that settled nothing, in a row */
    int64_t connected_ms;
    bool useful;                    /* this connection settled something */
    uint64_t passed, passed_status; /* events and status messages that the broker took */
    int64_t passed_ms;              /* the last of either */
    struct backoff_kind kinds[BACKOFF_KINDS];
    int64_t refused_ms;       /* the last refusal */
    bool hangs_up_on_refusal; /* the broker; learned */
};

/* What is known of one message. Starts zeroed. */
struct backoff_record {
    int64_t since_ms;               /* its first refusal or loss; 0: none */
    int64_t due_ms;                 /* not to be sent again before */
    unsigned tries;                 /* refused or lost so often */
    unsigned losses;                /* of these, losses that count */
    uint64_t passed, passed_status; /* the numbers above at its last loss */
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
    int64_t silent_ms; /* since the last event was sent, or a status message was answered */
    int64_t keep_alive_ms;
    bool known; /* by an event that is under suspicion already */
};

struct backoff_judgement {
    bool suspicious; /* what was in flight may be the cause */
    bool explained;  /* by a refusal just before it: nothing else is to blame */
    bool taken_over; /* by another client with our client_id */
};

struct backoff_judgement backoff_lost(struct backoff *backoff, const struct backoff_loss *loss,
                                      int64_t now_ms, uint64_t random);

/* --- messages --- */

enum backoff_verdict {
    VERDICT_BURY, /* the broker will never accept it: to the dead letters */
    VERDICT_HOLD, /* once more, at record->due_ms */
};

/* The broker refused an event's message with this reason code (0x80 or above). source: any number
 * that stands for it. *out_news: the first of its kind for a while. */
enum backoff_verdict backoff_refused(struct backoff *backoff, struct backoff_record *record,
                                     int reason, uint64_t source, int64_t now_ms,
                                     bool *out_news);
/* Is this source's event better not sent now? Mosquitto 2.0.11 may hang up after each 0x87, so that
 * a source without rights would cut the connection for all others: then it gets one try a second.
 * *out_due_ms: not before. */
bool backoff_is_barred(const struct backoff *backoff, uint64_t source, int64_t now_ms,
                       int64_t *out_due_ms);
/* A suspicious loss of the connection, with this event alone in flight. only: there is no other
 * event to send, so that a status message which passed is proof enough. */
enum backoff_verdict backoff_suspect(const struct backoff *backoff,
                                     struct backoff_record *record, bool only, int64_t now_ms);
/* Has another event passed since its last loss, so that the next one would count? */
bool backoff_has_proof(const struct backoff *backoff, const struct backoff_record *record);
/* It should be buried, but there is no room for it. */
void backoff_no_room(struct backoff_record *record, int64_t now_ms);

/* The broker took an event; or a status message. */
void backoff_passed(struct backoff *backoff, int64_t now_ms);
/* It took one of this source that it had refused before: the next refusal has its whole time. */
void backoff_recovered(struct backoff *backoff, uint64_t source);
void backoff_status_answered(struct backoff *backoff, bool taken, int64_t now_ms);
/* An event was buried. */
void backoff_buried(struct backoff *backoff);
/* Does the broker take anything at present? */
bool backoff_is_passing(const struct backoff *backoff, int64_t now_ms);

#endif
