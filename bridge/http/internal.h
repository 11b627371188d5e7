/*
 * http/internal - what the files of http share. Calls go down this list only:
 *
 *   server.c      start, stop, and the thread: waits, turns, stops
 *   listen.c      takes connections in, within the limit
 *   library.c     libmicrohttpd's callbacks: one request from its first line to its answer
 *   check.c       what RFC 9112 forbids and the library lets pass
 *   answer.c      an answer on its way to the loop, and to the library
 *   connection.c  deadlines by phase; lingering after a refusal
 *   request.c     a request's life, and what a handler may ask it
 *
 * libmicrohttpd runs in external mode: it has no thread of its own, every MHD_* call is made by
 * the loop thread. One daemon without a listening socket serves all of ours: we accept, so the
 * limit on connections is one for all sockets, quiescing is just not accepting, and a unix
 * socket is like any other.
 */
#ifndef BRIDGE_HTTP_INTERNAL_H
#define BRIDGE_HTTP_INTERNAL_H

#include <stdatomic.h>
#include <stddef.h>

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "common/inbox.h"

#include "bridge/http/http.h"

struct MHD_Connection;
struct MHD_Daemon;

enum {
    HTTP_MAX_TARGET_BYTES = 8 * 1024,
    HTTP_MAX_HEAD_BYTES = 16 * 1024,
    /* What the library may use per connection. It is wiped after every request, so more is not
       free. */
    HTTP_POOL_BYTES = 32 * 1024,
    HTTP_IDLE_MS = 60 * 1000,
    HTTP_LINGER_MS = 2 * 1000,
};

/* A descriptor in the outer epoll set, and what is to be done when it is ready. */
struct http_watch {
    int fd;
    void (*ready)(struct http_server *server, struct http_watch *watch);
};

/* Where a connection is; each phase has one time limit, so its queue is in order of the
 * deadlines. */
enum http_phase {
    PHASE_READING,   /* a request comes in: an absolute deadline, however the bytes drip */
    PHASE_WAITING,   /* for the handler's answer; suspended; no deadline */
    PHASE_SENDING,   /* the answer goes out */
    PHASE_IDLE,      /* kept, between requests */
    PHASE_CUT,       /* shut down by us; the library will notice and close it */
    PHASE_LINGERING, /* not the library's: we read what still comes, or the answer is lost */
    PHASE_COUNT,
};

struct http_queue {
    struct http_connection *first, *last;
    int64_t timeout_ms; /* 0: none */
};

/* Loop thread only. */
struct http_connection {
    struct http_server *server;
    struct MHD_Connection *mhd; /* until it lingers */
    struct http_watch watch;    /* ours only while it lingers */
    struct http_connection *prev, *next;
    enum http_phase phase;
    int64_t since_ms, deadline_ms;
    bool linger; /* when closed now, the peer may still be sending */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } peer;
};

struct http_fault {
    enum reject reason;
    const char *message; /* NULL: no fault */
};

enum http_stage {
    STAGE_HEAD, /* nothing checked yet */
    STAGE_BODY,
    STAGE_ANSWER, /* answered, or with the handler */
};

struct http_request {
    struct inbox_link link; /* on its way back to the loop */
    struct http_server *server;
    struct http_connection *connection;
    /* The loop's, and the handler's from body() to its answer. */
    _Atomic unsigned refs;

    /* owned by the loop thread */
    enum http_stage stage;
    const char *method, *path, *version; /* the library's; valid until the answer is sent */
    size_t target_bytes;
    bool target_bad; /* has bytes or escapes that no path may have */
    bool chunked;
    bool whole;      /* everything of it has been read */
    bool passed;     /* head() has let it pass, body() or gone() comes */
    uint64_t length; /* Content-Length, or 0 */
    struct buf body;
    size_t held_bytes; /* its share of server->held_bytes */
    size_t read_bytes; /* of the body, with what was thrown away since `fault` */
    struct http_fault fault;

    /* owned by whoever holds the request: the loop, or the handler until it answers */
    bool answered;
    _Alignas(max_align_t) unsigned char state[HTTP_STATE_SIZE];
    struct http_answer answer; /* its body is in answer_body */
    struct buf answer_body;
};

enum { HTTP_MAX_SPARE = 256 };

struct http_server {
    /* fixed at start */
    struct http_handler handler;
    size_t max_body_bytes;
    size_t max_held_bytes;
    unsigned max_connections;
    struct MHD_Daemon *daemon;
    int epoll_fd;
    /* An eventfd: there is an answer, or quiesced or stop_at_ms has changed. */
    struct http_watch wake;
    /* The daemon's own epoll set. */
    struct http_watch inside;
    struct http_watch *listeners;
    size_t listener_count;
    /* The main thread's, for joining. */
    pthread_t thread;
    /* The same, written by the loop itself before it takes any connection. */
    pthread_t loop_thread;

    /* shared */
    struct inbox answers;
    _Atomic size_t refs; /* http_stop's, and one for each request that the handler holds */
    _Atomic bool quiesced;
    _Atomic int64_t stop_at_ms; /* 0: not yet */
    struct heartbeat heartbeat;

    /* owned by the loop thread */
    int64_t now_ms; /* of this turn */
    int64_t
        last_requests_ms; /* until then a stop waits for requests that are on their way; 0 */
    struct http_queue queues[PHASE_COUNT];
    unsigned connection_count;
    unsigned live_count; /* requests between their request line and the end of their answer */
    size_t held_bytes;   /* of bodies, as far as they have come */
    struct http_request *current; /* whose handler is running and has not answered */
    struct http_request *spare[HTTP_MAX_SPARE]; /* kept for reuse, with some of their memory */
    size_t spare_count;
    bool listening;
    int64_t listen_again_ms;
    int64_t next_complaint_ms;
};

/* Loop thread, all of them, unless said otherwise. */

/* listen.c */
void http_listen_ready(struct http_server *server, struct http_watch *listener);
/* Every turn: listens again when there is room. */
void http_listen_update(struct http_server *server);
void http_listen_stop(struct http_server *server);

/* connection.c */
struct http_connection *http_connection_open(struct http_server *server,
                                             struct MHD_Connection *mhd, int fd,
                                             const struct sockaddr *peer);
/* The library is about to close the descriptor. */
void http_connection_close(struct http_connection *connection);
void http_connection_enter(struct http_connection *connection, enum http_phase phase);
void http_connection_cut(struct http_connection *connection);
/* Every turn: cuts what is late. */
void http_connections_expire(struct http_server *server);
/* How long until the next deadline; never more than THREAD_TURN_MS. */
int http_connections_wait_ms(const struct http_server *server);
void http_connections_end_lingering(struct http_server *server);

/* library.c */
/* Main thread. */
enum status http_daemon_start(struct http_server *server, struct err *err) MUST_USE;

/* answer.c */
/* Gives the answer to the library, in one of its callbacks or for a suspended connection.
 * False: no memory, or the connection is past it. */
bool http_request_queue(struct http_request *request);
/* The handler has answered a request that waited: sends it. */
void http_request_send(struct http_request *request);

/* check.c */
/* The first thing that is wrong with the head; message NULL: nothing. Fills in length and
 * chunked. */
struct http_fault http_check_head(struct http_request *request);
/* Pure. True if no request target may hold this. */
bool http_check_target(const char *target);

/* request.c */
/* Gives an empty one, with some memory of an earlier one. */
struct http_request *http_request_take(struct http_server *server);
/* Ends the loop's share. */
void http_request_give_back(struct http_request *request);
/* Any thread. Ends one share; the last one frees. */
void http_request_release(struct http_request *request);
void http_request_free(struct http_request *request);
/* Any thread. There is an answer, or the server is to stop. */
void http_wake(struct http_server *server);
/* Any thread. Ends one share; the last one frees. */
void http_server_release(struct http_server *server);

#endif
