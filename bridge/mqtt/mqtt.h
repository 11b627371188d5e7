/*
 * mqtt - one connection to a broker. The files mqtt*.c are the only ones that know Paho.
 *
 * Queues nothing, persists nothing, reconnects never: the publisher does that, and never has
 * more in flight than the broker allows. Every connect starts a new epoch; what arrives later
 * about an older one is not reported.
 *
 * A broker that stops reading blocks Paho for as long as it likes. A small guard thread in here
 * watches every call: while one blocks within its limit it reports `waiting`, past the limit it
 * cuts the connection, which ends the call.
 */
#ifndef BRIDGE_MQTT_MQTT_H
#define BRIDGE_MQTT_MQTT_H

#include "common/err.h"
#include "common/uuid.h"

struct mqtt;

struct mqtt_options {
    int version; /* 5 or 4 (3.1.1) */
    const char *client_id;
    const char *username; /* NULL: none */
    struct slice password;
    const char *ca_file;              /* NULL: the system's authorities */
    const char *cert_file, *key_file; /* NULL: no client certificate */
    int keep_alive_s;
    int connect_timeout_s;
    const char *will_topic; /* retained, QoS 1; NULL: no will */
    struct slice will_payload;
};

/* The reason of a loss that was our own doing: the guard cut a call that took too long. */
enum { MQTT_CUT = -1 };

/* Called on Paho's threads, and by the guard (waiting, and lost when it cuts a connection):
 * copy, post, return. Each may come before the call that caused it has returned. lost and
 * waiting may run under mqtt's own lock: nothing here may call back into mqtt. */
struct mqtt_listener {
    /* A QoS 1 or 2 message is settled. reason: the MQTT 5 reason code (0x00, 0x10, or >= 0x80:
     * refused); 0 with 3.1.1. Once per token of mqtt_publish; acknowledgements that nobody
     * asked for are not reported. */
    void (*acked)(void *ctx, uint32_t epoch, int token, int reason);
    /* The connection is gone without our asking. reason: DISCONNECT's code, 0 (closed, or no
     * answer to a ping), or MQTT_CUT; text for people. Once per epoch. */
    void (*lost)(void *ctx, uint32_t epoch, int reason, const char *text);
    /* About once a second while a call blocks and is within its limit: the caller is waiting,
     * not hung. */
    void (*waiting)(void *ctx);
    void *ctx;
};

/* What the broker allows, from CONNACK (3.1.1: the protocol's defaults). */
struct mqtt_limits {
    uint32_t receive_maximum;
    uint32_t maximum_packet_bytes; /* 0: none given */
    int keep_alive_s;              /* the broker's, or ours */
    int maximum_qos;
    bool retain_available;
};

struct mqtt_message {
    const char *topic;
    struct slice payload;
    int qos;
    bool retain;
    /* MQTT 5 only; left out with 3.1.1. Absent or 0: not sent. */
    uint32_t expiry_s;
    const char *content_type;
    const struct mqtt_property *properties; /* user properties; at most MQTT_MAX_PROPERTIES */
    size_t property_count;
};
struct mqtt_property {
    const char *name;
    struct slice value; /* UTF-8 without NUL; absent, or longer than MQTT allows: not sent */
};
enum { MQTT_MAX_PROPERTIES = 8 };

/* Main thread. Copies options and listener, borrows their strings until mqtt_destroy. */
enum status mqtt_create(const struct mqtt_options *options,
                        const struct mqtt_listener *listener, struct mqtt **out_mqtt,
                        struct err *err) MUST_USE;
/* Main thread. Cuts what is still connected; nothing of ours or Paho's runs afterwards. NULL is
 * allowed. */
void mqtt_destroy(struct mqtt *mq);

/* Any thread. From now on no call that can be cut lasts beyond this moment (a connect lasts to
 * its time-out at most). */
void mqtt_set_deadline(struct mqtt *mq, int64_t mono_ms);

/* All below: publisher thread only. */

/* Blocks for at most connect_timeout_s, and for what looking up the name takes. server:
 * mqtt://, mqtts://, ws:// or wss:// host:port. Clean start, new epoch. Where the broker
 * demands a shorter keep-alive it is connected to once more with that. ST_REFUSED: the broker
 * answered no (*out_reason: its code, that of MQTT 5 with 3.1.1 too); ST_UNREACHABLE: no
 * answer, TLS included; ST_INVALID: not such an address. */
enum status mqtt_connect(struct mqtt *mq, const char *server, struct mqtt_limits *out_limits,
                         uint32_t *out_epoch, int *out_reason, struct err *err) MUST_USE;
/* Lends topic and payload. *out_token (1 to 65,535) names it in acked; QoS 0 gets 0 and is done
 * on ST_OK. ST_OK says that Paho has taken it: should the connection go meanwhile, lost tells
 * of it. Blocks while the socket takes nothing, for at most twice the keep-alive.
 * ST_UNREACHABLE: the connection is gone (lost has come or will come). Not sent, and the
 * connection is as it was: ST_TOO_LARGE (over the broker's maximum packet size), ST_INVALID
 * (not a topic), ST_BUSY (the next token is still in flight: too many are). */
enum status mqtt_publish(struct mqtt *mq, const struct mqtt_message *message, int *out_token,
                         struct err *err) MUST_USE;
/* Ends the connection; clean: with DISCONNECT (no will), else cut (the will fires; with 3.1.1
 * only if the broker does not read, since Paho always tries to say DISCONNECT). No lost
 * follows. */
void mqtt_disconnect(struct mqtt *mq, bool clean);

/* "Not authorized" and the like, for logs; a constant. */
const char *mqtt_reason_text(int reason);

#endif
