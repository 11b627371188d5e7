/*
 * mqtt/internal - what the files of mqtt share. Calls go down this list only:
 *
 *   publish.c   one message
 *   connect.c   setting a connection up, and Paho's callbacks about it
 *   request.c   what a connect asks Paho for
 *   cause.c     why an attempt to set one up failed, in words
 *   client.c    a connection's life and end, and the guard
 *   seam.c      functions of Paho's that we replace (PAHO=stock: stock.c)
 *   tls.c       whom to trust, and what the other side's certificate must be for
 *   upgrade.c   the other side's answer to the WebSocket upgrade
 *   dial.c      a TCP connection to a server
 *   lookup.c    host names to addresses
 *   server.c    the address of a broker, taken apart
 *   reason.c    reason codes in words
 *   writes.c    Paho's unfinished writes, under one lock
 *   lean.c      Paho's diagnostic modules, replaced
 */
#ifndef BRIDGE_MQTT_INTERNAL_H
#define BRIDGE_MQTT_INTERNAL_H

#include <stdatomic.h>

#include <pthread.h>
#include <semaphore.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <MQTTClient.h>

#include "bridge/mqtt/mqtt.h"

enum { MQTT_MAX_TOKEN = 65535, DIAL_MAX_ADDRESSES = 16 };

/* The address of a broker, taken apart. */
struct server {
    char uri[512]; /* as Paho wants it */
    bool tls, websocket;
    char host[256]; /* without the brackets of an IPv6 address */
    bool literal;   /* an IP address, not a name */
    uint16_t port;
};

/* One of a server's addresses. */
struct dial_address {
    struct sockaddr_storage address;
    socklen_t len;
    char text[INET6_ADDRSTRLEN + 16]; /* 127.0.0.1:1883, [::1]:1883 */
    bool tried;
    int fd;        /* connecting, or connected; -1 */
    int sys_errno; /* why it cannot be reached; 0: it can, or was not tried */
    char why[200]; /* what failed behind TCP; empty: nothing */
};

/* A server's addresses, and how far we have come with them. */
struct dial {
    struct mqtt *mq;
    int64_t timeout_ms;
    struct dial_address addresses[DIAL_MAX_ADDRESSES];
    size_t count;
};

/* What an attempt waits for next. */
enum stage { STAGE_TLS, STAGE_UPGRADE, STAGE_CONNACK };

/* One attempt to set up a connection, behind TCP. While mqtt_connect waits in Paho, Paho's thread
 * writes here, under Paho's lock. */
struct attempt {
    const struct server *server;
    int fd;     /* connected */
    bool taken; /* by Paho, which closes it */
    enum stage stage;
    bool tls_prepared;
    void *ssl;           /* OpenSSL's, from then on; lives as long as Paho's connect */
    bool answered;       /* CONNACK, by its first byte */
    bool closed;         /* the other side ended the connection */
    bool broken;         /* failed; Paho is to find the end of the connection */
    struct buf response; /* to the WebSocket upgrade */
    size_t response_at;  /* how much of it Paho has got */
    bool upgraded;       /* response is what Paho is to get */
    char why[160];       /* what failed; empty: nothing to add */
};

/* One connection, with a Paho client to itself: a client shared by several servers would check
 * host names against the first server's, and could mistake a late CONNACK of one attempt for the
 * next one's. */
struct link {
    struct mqtt *mq;
    MQTTClient client;
    int version;
    uint32_t epoch;
    int fd;               /* the socket, beside Paho's own descriptor; -1: unknown */
    uint64_t bytes_acked; /* by the other side's kernel */
    int bytes_waiting;    /* for that; both as of the guard's last turn */
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
    struct lookup *lookups; /* that took too long, and may still end */

    /* shared, without a lock */
    atomic_bool stopping;     /* connect no more */
    int stop_fd;              /* readable from then on */
    _Atomic int64_t moved_ms; /* when bytes last reached the other side */
    atomic_uint epoch;        /* the live one; 0: none */
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
    int connecting_fd; /* of the attempt that Paho is making; -1 */
    int64_t deadline_ms;
    bool stop;
};

/* What a connect is to be. */
struct plan {
    const struct server *server;
    const struct mqtt_request *request;
    int version;
    int keep_alive_s;
    bool log_in;
};

/* --- request.c --- */

/* Are the files there? Paho does not say which one is missing. */
enum status mqtt_request_check(const struct mqtt_options *options, struct err *err) MUST_USE;
MQTTResponse mqtt_request_connect(struct mqtt *mq, struct link *link, const struct plan *plan,
                                  struct attempt *attempt);

/* --- cause.c --- */

/* What an attempt that came as far as this has failed from; rc: of Paho's connect. */
enum status mqtt_cause(const struct mqtt *mq, const struct attempt *attempt, int rc,
                       int64_t took_ms, int *out_reason, struct err *err);
/* Every address was tried and none answers. */
enum status mqtt_cause_of_dial(const struct dial *dial, struct err *err);

/* --- client.c --- */

/* The guard watches the call between the two. limit_ms: when waiting turns into hanging. */
void mqtt_call_begin(struct mqtt *mq, int64_t limit_ms, bool can_be_cut);
void mqtt_call_end(struct mqtt *mq);

enum status mqtt_client_create(const struct mqtt *mq, const char *uri, int version,
                               MQTTClient *out_client, struct err *err) MUST_USE;
/* Once per link; later calls do nothing. */
void mqtt_report_lost(struct link *link, int reason, const char *text);
/* Ends the live link, if there is one. */
void mqtt_link_end(struct mqtt *mq, bool clean);
void mqtt_link_destroy(struct link *link); /* NULL is allowed */

/* --- seam.c --- */

/* False: Paho dials and checks certificates by itself (PAHO=stock). */
extern const bool mqtt_seam_is_there;
/* Around a connect of Paho's, which takes attempt->fd for its socket. */
void mqtt_seam_enter(struct attempt *attempt);
void mqtt_seam_leave(void);
/* Bytes have reached the other side. Paho's keep-alive lets it be. Any thread. */
void mqtt_seam_moved(int64_t mono_ms, int keep_alive_s);

/* --- tls.c --- */

/* The certificate must be for the server's host; names go into SNI, addresses do not (RFC 6066,
 * section 3). ssl: of OpenSSL. */
void mqtt_tls_prepare(void *ssl, const struct server *server);
/* Why the handshake failed, from OpenSSL's error queue and the certificate check, to
 * attempt->why. */
void mqtt_tls_explain(void *ssl, struct attempt *attempt);
/* The reason out of a line of OpenSSL's error queue. */
void mqtt_tls_reason(const char *line, size_t len, char *out_text, size_t size);

/* --- upgrade.c --- */

enum upgrade { UPGRADE_PARTIAL, UPGRADE_DONE, UPGRADE_REFUSED };

/* Looks at what has come so far. Done: response is replaced by all that Paho looks at, which has
 * room in its buffer. Refused: why says what the other side answered. */
enum upgrade mqtt_upgrade_read(struct buf *response, char *out_why, size_t size);
/* What Paho takes for a yes. */
void mqtt_upgrade_accept(struct buf *out, struct slice accept);

/* --- dial.c --- */

/* Looks the server's addresses up. ST_UNREACHABLE. */
enum status mqtt_dial_begin(struct mqtt *mq, const struct server *server, struct dial *out_dial,
                            struct err *err) MUST_USE;
/* Connects to one that was not tried yet. Its fd is then the caller's. NULL: there is none left, or
 * the bridge is stopping. */
struct dial_address *mqtt_dial_next(struct dial *dial);

/* --- lookup.c --- */

struct addrinfo;
/* Gives addresses for freeaddrinfo. ST_UNREACHABLE: none, or not within timeout_ms. */
enum status mqtt_lookup(struct mqtt *mq, const struct server *server, int64_t timeout_ms,
                        struct addrinfo **out_addresses, struct err *err) MUST_USE;
void mqtt_lookups_abandon(struct mqtt *mq);

/* --- server.c --- */

enum status mqtt_server_parse(const char *text, struct server *out_server,
                              struct err *err) MUST_USE;

#endif
