/*
 * presence - how much of the bridge's own presence (the will, and the topics state, info and health) a
 * server takes.
 *
 * Presence must never stop delivery. What a server refuses is lowered or left out, remembered for
 * that server, and tried again after a while.
 *
 * Not every server says what it refuses: some just end the connection. So, of the will, less is
 * asked for step by step, and if it was not the will after all, the next try asks for all of it
 * again. Of the topics, the oldest that was not answered is to blame, once that has happened several
 * times; from the first time on they are sent one by one.
 *
 * Pure: no I/O, no clock, no globals. Times are milliseconds of one clock that never goes back.
 */
#ifndef BRIDGE_PUBLISHER_PRESENCE_H
#define BRIDGE_PUBLISHER_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "bridge/mqtt/mqtt.h"

enum presence_topic { PRESENCE_STATE, PRESENCE_INFO, PRESENCE_HEALTH, PRESENCE_TOPICS };

/* Of one server. Starts zeroed. */
struct presence {
    /* the will, less than all of it */
    bool unretained, qos_0, no_will;
    int reason;              /* why: what the server answered; 0: nothing is left out */
    bool told;               /* the log has it */
    int64_t whole_again_ms;  /* when to ask for all of it again */
    int64_t search_again_ms; /* when it is worth while to ask for less again */

    /* the topics */
    struct {
        unsigned losses; /* of the connection, in a row */
        bool off, told;
    } topics[PRESENCE_TOPICS];
    int64_t off_until_ms;
    unsigned offs; /* in a row */
};

/* --- the will --- */

/* Before each try to connect. */
void presence_begin(struct presence *presence, int64_t now_ms);
/* What to ask for, given all of it; false: no will. */
bool presence_will(const struct presence *presence, const struct mqtt_will *whole,
                   struct mqtt_will *out_will);
/* The connect failed for this reason (of CONNACK, or MQTT_HUNG_UP). True: try again at once, and
 * ask for less. */
bool presence_refused(struct presence *presence, int reason, int version, int64_t now_ms);
/* The server takes what was asked for. True: that is less than all, and the log does not have it
 * yet. */
bool presence_accepted(struct presence *presence, int64_t now_ms);

/* --- the topics --- */

bool presence_is_on(const struct presence *presence, enum presence_topic topic);
/* May more than one of them be in flight? */
bool presence_is_careful(const struct presence *presence);
/* True: those that were off may be tried again. */
bool presence_try_again(struct presence *presence, int64_t now_ms);
/* The server refuses it with this reason code. True: the log does not have it yet. */
bool presence_topic_refused(struct presence *presence, enum presence_topic topic, int reason,
                            int64_t now_ms);
/* The connection was lost with this one in flight, and it may be to blame. True: the same. */
bool presence_topic_lost(struct presence *presence, enum presence_topic topic, int64_t now_ms);
void presence_topic_taken(struct presence *presence, enum presence_topic topic);

#endif
