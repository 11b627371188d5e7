/*
 * http/internal - shared by the files of http. Calls go down this list only:
 *
 *   server.c      start, stop, and the loop thread
 *   listen.c      accepts connections, within the limit
 *   library.c     libmicrohttpd's callbacks: one request from its first line to its answer
 *   check.c       heads that RFC 9112 forbids and the library lets pass
 *   answer.c      takes an answer to the loop, and from there to the library
 *   connection.c  deadlines by phase; lingering after a refusal
 *   request.c     a request's lifetime and its accessors
 *
 * libmicrohttpd runs in external mode: it has no thread of its own, and only the loop thread
 * makes MHD_* calls. One daemon without a listening socket serves all of ours. We accept, so one
 * limit on connections covers all sockets, quiescing is simply not accepting, and a unix socket
 * needs no special case.
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
    /* The library's memory per connection. It wipes this after every request, so a larger pool
     * costs time. */
    HTTP_POOL_BYTES = 32 * 1024,
    HTTP_KEPT_TARGET_BYTES = 1024, /* of a target that could not be decoded */
    HTTP_LINGER_MS = 2 * 1000,
};

/* A descriptor in the loop's epoll set, and the function to call when it is ready. */
struct http_watch {
    int fd;
    void (*ready)(struct http_server *server, struct http_watch *watch);
};

/* The phase of a connection. Each phase has one time limit, so its queue is in order of the
 * deadlines. */
enum http_phase {
    PHASE_READING,   /* a request arrives: one deadline, however slowly it drips */
    PHASE_WAITING,   /* for the handler's answer; suspended; no deadline */
    PHASE_SENDING,   /* the answer goes out */
    PHASE_IDLE,      /* kept, between requests */
    PHASE_CUT,       /* shut down by us; the library will notice and close it */
    PHASE_LINGERING, /* no longer the library's: we read on, or the answer would be lost */
    PHASE_COUNT,
};

struct http_queue {
    struct http_connection *first, *last;
    int64_t timeout_ms; /* 0: none */
};

union http_peer {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* Loop thread only. */
struct http_connection {
    struct http_server *server;
    struct MHD_Connection *mhd;   /* NULL while lingering */
    struct http_request *request; /* under way; or NULL */
    struct http_watch watch;      /* its descriptor is ours only while lingering */
    struct http_connection *prev, *next;
    enum http_phase phase;
    int64_t since_ms, deadline_ms;
    bool linger; /* if it were closed now, the peer might still be sending */
    union http_peer peer;
};

struct http_fault {
    enum reject reason;
    const char *message; /* NULL: no fault */
};

enum http_stage {
    STAGE_HEAD, /* nothing checked yet */
    STAGE_BODY,
    STAGE_ANSWER, /* answered, or the handler has it */
};

/* request.c: http_request_take rebuilds it and keeps three members, path, body and answer_body. A
 * new member that owns memory is kept there, too, shrunk in http_request_give_back, and freed in
 * http_request_free. */
struct http_request {
    struct inbox_link link; /* in server->answers, on its way back to the loop */
    struct http_server *server;
    struct http_connection *connection;
    /* One for the loop, and one for the handler from body() to its answer. */
    _Atomic unsigned refs;

    /* owned by the loop thread */
    enum http_stage stage;
    const char *method, *version; /* the library's; valid until the answer is sent */
    size_t target_bytes;
    bool target_bad; /* contains bytes or escapes that no target may have */
    bool chunked;
    bool whole;      /* all of it has been read */
    bool passed;     /* head() let it pass: body() or gone() will follow */
    uint64_t length; /* Content-Length, or 0 */
    size_t max_body_bytes;
    struct buf body;
    size_t held_bytes; /* its share of server->held_bytes */
    size_t read_bytes; /* of the body, including bytes discarded since `fault` */
    struct http_fault fault;

    /* owned by the loop or, from body() to its answer, by the handler */
    struct buf path; /* decoded; until on_request, the target's as it came, cut */
    union http_peer peer;
    bool answered;
    _Alignas(max_align_t) unsigned char state[HTTP_STATE_SIZE];
    struct http_answer answer; /* without its body, which is in answer_body */
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
    /* An eventfd: an answer has come in, or quiesced or stop_at_ms has changed. */
    struct http_watch wake;
    /* The daemon's own epoll set. */
    struct http_watch inside;
    struct http_watch *listeners;
    size_t listener_count;
    pthread_t thread; /* the main thread's, for joining */
    /* The same thread; the loop writes it before it accepts any connection. */
    pthread_t loop_thread;

    /* shared */
    struct inbox answers;
    _Atomic size_t refs; /* one for http_stop, and one for each request that the handler has */
    _Atomic bool quiesced;
    _Atomic int64_t stop_at_ms; /* 0: not stopping */
    struct heartbeat heartbeat;

    /* owned by the loop thread */
    int64_t now_ms; /* of this turn */
    /* At a stop: wait until then for requests that are already on their way. 0: not stopping. */
    int64_t last_requests_ms;
    struct http_queue queues[PHASE_COUNT];
    unsigned connection_count;
    unsigned live_count; /* requests between their request line and the end of their answer */
    size_t held_bytes;   /* of all bodies, as far as they have arrived */
    struct http_request *current; /* its handler is running and has not answered yet */
    struct http_request *spare[HTTP_MAX_SPARE]; /* for reuse, with some of their memory */
    size_t spare_count;
    bool listening;
    int64_t listen_again_ms;
    int64_t next_complaint_ms;
};

/* All for the loop thread, except where noted. */

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
/* Every turn: cuts connections that are late. */
void http_connections_expire(struct http_server *server);
/* How long until the next deadline; never more than THREAD_TURN_MS. */
int http_connections_wait_ms(const struct http_server *server);
void http_connections_end_lingering(struct http_server *server);

/* library.c */
/* Main thread. */
enum status http_daemon_start(struct http_server *server, struct err *err) MUST_USE;

/* answer.c */
/* Gives the answer to the library, in one of its callbacks or for a suspended connection.
 * False: no memory, or the connection can no longer be answered. */
bool http_request_queue(struct http_request *request);
/* The handler has answered a request that waited: sends it. */
void http_request_send(struct http_request *request);

/* check.c */
/* Returns the first fault of the head (message NULL: none). Fills in length and chunked. */
struct http_fault http_check_head(struct http_request *request);
/* Pure. True if the request target has a byte or an escape that none may have. */
bool http_target_is_bad(const char *target);

/* request.c */
/* Gives an empty request, a spare one if there is one. */
struct http_request *http_request_take(struct http_server *server);
/* Tells the handler that http refuses the request. */
void http_report_refusal(struct http_request *request, enum reject reason, const char *why);
/* Gives up the loop's reference. */
void http_request_give_back(struct http_request *request);
/* Any thread. Gives up one reference; the last one frees. */
void http_request_release(struct http_request *request);
void http_request_free(struct http_request *request);
/* Any thread. Wakes the loop: there is an answer, or the server is to quiesce or stop. */
void http_wake(struct http_server *server);
/* Any thread. Gives up one reference; the last one frees. */
void http_server_release(struct http_server *server);

#endif
