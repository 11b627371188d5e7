/*
 * mqtt - one connection to a broker. The only module that knows Paho.
 *
 * It queues nothing, persists nothing and never reconnects: the publisher does that, and never
 * has more in flight than the broker allows. Every connect starts a new epoch; late callbacks
 * about an older one are not reported.
 *
 * A broker that stops reading blocks Paho for as long as it likes. A small guard thread watches
 * every call: while one blocks within its limit the guard reports `waiting`, past the limit it
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
    /* Read at each connect. */
    const char *ca_file;              /* NULL: the system's authorities */
    const char *cert_file, *key_file; /* NULL: no client certificate */
    int keep_alive_s;
    int connect_timeout_s;
};

/* Reasons that are no reason codes. */
enum {
    MQTT_CUT = -1, /* of a loss: the guard cut a call that blocked too long */
    MQTT_HUNG_UP =
        -2, /* of a failed connect: the answer to CONNECT was the end of the connection */
};

/* Called on Paho's threads, and by the guard (waiting, and lost when it cuts a connection):
 * copy, post, return. Each may run before the call that caused it has returned. lost and waiting
 * may run under mqtt's lock, so nothing here may call back into mqtt. */
struct mqtt_listener {
    /* A QoS 1 or 2 message is settled. reason: the MQTT 5 reason code (0x00, 0x10, or >= 0x80:
     * refused); 0 with 3.1.1. Once per token of mqtt_publish; acknowledgements of nothing that
     * was sent are not reported. */
    void (*acked)(void *ctx, uint32_t epoch, int token, int reason);
    /* The connection ended without our doing. reason: DISCONNECT's code, 0 (closed, or no
     * answer to a ping), or MQTT_CUT; text for people. Once per epoch. */
    void (*lost)(void *ctx, uint32_t epoch, int reason, const char *text);
    /* About once a second while a call blocks within its limit: the caller is waiting, not
     * hung. */
    void (*waiting)(void *ctx);
    void *ctx;
};

/* What the broker allows, from CONNACK (3.1.1: the protocol's defaults). */
struct mqtt_limits {
    uint32_t receive_maximum;
    uint32_t maximum_packet_bytes; /* 0: none given */
    int keep_alive_s;              /* the shorter of the broker's and ours */
    int maximum_qos;
    bool retain_available;
};

struct mqtt_will {
    const char *topic;
    struct slice payload;
    int qos;
    bool retain;
};

struct mqtt_request {
    const char *server;           /* mqtt://, mqtts://, ws:// or wss://, host:port */
    struct slice password;        /* absent: none */
    const struct mqtt_will *will; /* NULL: none */
};

struct mqtt_connection {
    uint32_t epoch;
    struct mqtt_limits limits;
    char address[64]; /* the server's address that answered; empty: unknown (PAHO=stock) */
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
/* Main thread. Cuts the connection if there is one; none of our or Paho's threads runs
 * afterwards. NULL is allowed. */
void mqtt_destroy(struct mqtt *mq);

/* Any thread, once, when the bridge stops: no call lasts beyond this moment, a connect not even
 * until then. */
void mqtt_set_deadline(struct mqtt *mq, int64_t mono_ms);
/* Any thread. When the other side last took bytes that had to wait, by CLOCK_MONOTONIC, to the second;
 * 0: not yet, or unknown (PAHO=stock). */
int64_t mqtt_moved_ms(const struct mqtt *mq);

/* All below: publisher thread only. */

/* Connects to the first of the server's addresses that answers. Blocks for at most connect_timeout_s
 * to look up the name, the same for TCP, and the same for each address that takes a connection.
 * Clean start, new epoch. If the broker demands a shorter keep-alive, connects once more with that.
 * ST_REFUSED: the broker refused (*out_reason: the reason code of MQTT 5, also with 3.1.1);
 * ST_UNREACHABLE: no broker answered (*out_reason: 0 or MQTT_HUNG_UP), err says why at each address;
 * ST_INVALID: not such an address. */
enum status mqtt_connect(struct mqtt *mq, const struct mqtt_request *request,
                         struct mqtt_connection *out_connection, int *out_reason,
                         struct err *err) MUST_USE;
/* After MQTT_HUNG_UP with MQTT 5: does this server answer a CONNECT of 3.1.1, if only with a refusal?
 * Connects without will and log-in, and disconnects. */
bool mqtt_answers_3_1_1(struct mqtt *mq, const char *server);
/* Lends topic and payload. *out_token (1 to 65,535) identifies the message in acked; QoS 0 gets 0
 * and is done on ST_OK. ST_OK: Paho accepted the message; if the connection ends meanwhile, lost
 * reports it. Blocks while the socket is full, for at most twice the keep-alive.
 * ST_UNREACHABLE: the connection is gone; lost was or will be called. These leave the message
 * unsent and the connection as it was: ST_TOO_LARGE (over the broker's maximum packet size),
 * ST_INVALID (not a topic), ST_BUSY (the next token is still in flight). */
enum status mqtt_publish(struct mqtt *mq, const struct mqtt_message *message, int *out_token,
                         struct err *err) MUST_USE;
/* Ends the connection. clean: with DISCONNECT, without the will. Else cut, and the broker sends the
 * will. lost is not called. */
void mqtt_disconnect(struct mqtt *mq, bool clean);

/* "Not authorized" and the like, for logs; a constant. */
const char *mqtt_reason_text(int reason);

#endif
