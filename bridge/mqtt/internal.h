/*
 * mqtt/internal - what the files of mqtt share. Calls go down this list only:
 *
 *   publish.c   one message
 *   connect.c   setting a connection up, and Paho's callbacks about it
 *   client.c    a connection's life and end, and the guard
 *   reason.c    reason codes in words
 *   lean.c      Paho's diagnostic modules, replaced
 */
#ifndef BRIDGE_MQTT_INTERNAL_H
#define BRIDGE_MQTT_INTERNAL_H

#include <stdatomic.h>

#include <pthread.h>
#include <semaphore.h>

#include <MQTTClient.h>

#include "bridge/mqtt/mqtt.h"

enum { MQTT_MAX_TOKEN = 65535 };

/* One connection, with a Paho client to itself: a client shared by several servers would check
 * host names against the first server's, and could mistake a late CONNACK of one attempt for the
 * next one's. */
struct link {
    struct mqtt *mq;
    MQTTClient client;
    uint32_t epoch;
    atomic_bool reported; /* lost was called, or must no longer be called */
    sem_t ended;          /* posted by Paho's callback at the end of the connection */
};

/* A new resource is made in mqtt_create and freed in mqtt_destroy; those of a link, in link_create
 * (connect.c) and mqtt_link_destroy. */
struct mqtt {
    struct mqtt_options options;
    struct mqtt_listener listener;
    /* Never connected; keeps Paho's global state alive, because recreating it leaks. */
    MQTTClient anchor;

    /* owned by the publisher thread */
    struct link *retired; /* see mqtt_link_end */
    uint32_t last_epoch;
    int last_token;
    struct mqtt_limits limits;
    /* The server that demanded a shorter keep-alive, demanded_keep_alive_s; NULL: none did. */
    const char *demanding_server;
    int demanded_keep_alive_s;
    /* OpenSSL's last error; written by Paho's thread while a connect waits for it. */
    char tls_text[160];

    /* shared, without a lock */
    atomic_uint epoch; /* the live one; 0: none */
    /* By token: the QoS of the message in flight, or 0. */
    atomic_uchar in_use[MQTT_MAX_TOKEN + 1];
    _Atomic int64_t call_began_ms; /* 0: no call under way */
    _Atomic int64_t call_limit_ms; /* since it began */
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

/* The guard watches the call between the two. limit_ms: when waiting turns into hanging. */
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
