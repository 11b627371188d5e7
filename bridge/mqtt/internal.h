/*
 * mqtt_internal - what the files of mqtt share; nobody else includes this.
 */
#ifndef BRIDGE_MQTT_INTERNAL_H
#define BRIDGE_MQTT_INTERNAL_H

#include <stdatomic.h>

#include <pthread.h>
#include <semaphore.h>

#include <MQTTClient.h>

#include "bridge/mqtt/mqtt.h"

enum { MQTT_MAX_TOKEN = 65535 };

/* One connection, with a Paho client of its own: one client for several servers would check
 * host names against the first server's, and could take a late CONNACK of one attempt for the
 * next one's. */
struct link {
    struct mqtt *mq;
    MQTTClient client;
    uint32_t epoch;
    atomic_bool reported; /* lost was called, or is not to be called any more */
    sem_t ended;          /* posted by Paho's callback about the end of the connection */
};

struct mqtt {
    struct mqtt_options options;
    struct mqtt_listener listener;
    /* Never connected; keeps Paho's global state up: setting that up for each link leaks. */
    MQTTClient anchor;

    /* owned by the publisher thread */
    struct link *retired; /* see mqtt_link_end */
    uint32_t last_epoch;
    int last_token;
    struct mqtt_limits limits;
    /* Wants a shorter keep-alive: demanded_keep_alive_s. NULL: none does. */
    const char *demanding_server;
    int demanded_keep_alive_s;
    /* What OpenSSL complained about last; written by Paho's thread while a connect waits for
     * it. */
    char tls_text[160];

    /* shared, without a lock */
    atomic_uint epoch; /* the live one; 0: none */
    /* By token: the QoS of the message in flight, or 0. */
    atomic_uchar in_use[MQTT_MAX_TOKEN + 1];
    _Atomic int64_t call_began_ms; /* 0: no call under way */
    _Atomic int64_t call_limit_ms; /* from its beginning */
    atomic_bool call_can_be_cut;

    pthread_t guard;
    bool guard_runs;
    pthread_mutex_t mu;
    pthread_cond_t changed;
    /* shared, under mu */
    /* Changed by the publisher thread only; not destroyed while mu is held. */
    struct link *live;
    int64_t deadline_ms;
    bool stop;
};

/* The guard watches what happens in between. limit_ms: longer is not waiting any more. */
void mqtt_call_begin(struct mqtt *mq, int64_t limit_ms, bool can_be_cut);
void mqtt_call_end(struct mqtt *mq);

enum status mqtt_client_create(const struct mqtt *mq, const char *uri, MQTTClient *out_client,
                               struct err *err) MUST_USE;
/* Once per link; later calls do nothing. */
void mqtt_report_lost(struct link *link, int reason, const char *text);
/* Ends the live link, if there is one. */
void mqtt_link_end(struct mqtt *mq, bool clean);
void mqtt_link_destroy(struct link *link); /* NULL is allowed */

#endif
