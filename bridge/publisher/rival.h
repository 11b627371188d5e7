/*
 * rival - is another client using our client_id?
 *
 * A broker ends the older of two connections with one client_id. With MQTT 5 it should say so (0x8E), but
 * not all do: Mosquitto 2.0.11 just closes. Two bridges then take the connection from each other for
 * ever. What shows it is the pattern: the broker takes every connection at the first try, serves it
 * well, and closes it without a word after some seconds, again and again.
 *
 * Pure: no I/O, no clock, no globals. Times are milliseconds of one clock that never goes back.
 */
#ifndef BRIDGE_PUBLISHER_RIVAL_H
#define BRIDGE_PUBLISHER_RIVAL_H

#include <stdbool.h>
#include <stdint.h>

/* Starts zeroed. */
struct rival {
    int64_t connected_ms;
    bool first_try;
    unsigned losses; /* that look so, in a row */
    bool told;
    int64_t told_ms;
};

/* tries: how many it took. */
void rival_connected(struct rival *rival, unsigned tries, int64_t now_ms);
/* The connection was lost. reason: of DISCONNECT, 0: closed without one. served: everything was
 * answered, or something was and no message is under suspicion. True: say so now; that is once, and
 * again every ten minutes. */
bool rival_lost(struct rival *rival, int reason, bool served, int64_t now_ms);

#endif
