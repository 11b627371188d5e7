/*
 * http/internal - shared by the files of http. Calls go down this list only:
 *
 *   server.c      start, stop, and the loop thread
 *   listen.c      accepts connections, within the limit
 *   library.c     libmicrohttpd's callbacks: one request from its head to its answer
 *   answer.c      takes an answer to the loop, and from there to the library
 *   seam.c        what libmicrohttpd asks of the kernel: bytes, and who is ready
 *   guard.c       judges a connection's bytes before the library sees any
 *   connection.c  deadlines by phase; lingering
 *   transport.c   a connection's bytes: as they are, or by TLS
 *   request.c     a request's lifetime and its accessors
 *   clients.c     what each address holds
 *   head.c        reads a head, and writes the library's (pure)
 *   target.c      reads its target (pure)
 *   chunks.c      judges a chunked body (pure)
 *
 * A connection is ours from its first byte to its last. The library is given a request once the
 * guard has found its head good, and then the bytes of its body, one request at a time; it never
 * waits for a socket or reads one. What that costs is less than what it saves: one epoll set for
 * all sockets, in which a connection stays as it is from begin to end.
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
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "common/inbox.h"

#include "bridge/http/http.h"

struct MHD_Connection;
struct MHD_Daemon;
struct ssl_st; /* OpenSSL's SSL */

enum {
    HTTP_MAX_TARGET_BYTES = 8 * 1024,
    HTTP_MAX_HEAD_BYTES = 16 * 1024,
    /* The library's memory per connection: for a head of ours, an answer's head, and a piece of a
     * body. It wipes this after every request, so a larger pool costs time. */
    HTTP_POOL_BYTES = 16 * 1024,
    HTTP_KEPT_TARGET_BYTES = 1024, /* of a target that could not be decoded */
    HTTP_READ_BYTES = 16 * 1024,   /* at once, in search of a head */
    HTTP_LINGER_MS = 2 * 1000,
};

/* A descriptor in the loop's epoll set, and the function to call when it is ready. events: as of
 * epoll_wait. */
struct http_watch {
    int fd;
    bool knocked; /* a listener's: somebody waits */
    void (*ready)(struct http_server *server, struct http_watch *watch, uint32_t events);
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

struct http_fault {
    enum reject reason;
    const char *message; /* NULL: no fault */
};

/* Of a body; answer.c. */
extern const struct http_fault http_too_large, http_no_room;

/* What a field's value may consist of, and the text of a chunk's extension. */
static inline bool http_is_text(char c)
{
    return ((unsigned char)c >= ' ' && c != 0x7f) || c == '\t';
}

/* ---- head.c; pure ---- */

/* The slices borrow from the text of the head. */
struct http_head {
    size_t bytes; /* with its last line; 0: it is not complete */
    struct slice method, target;
    struct slice fields; /* all lines behind the request line */
    bool http_1_1, chunked, has_length, expects_continue, close, keep_alive;
    uint64_t length; /* Content-Length, or 0 */
};

/* Reads the head that text begins with. *scanned: 0 at first, then as the last call left it, for the
 * same text with more behind it. Gives the first fault (message NULL: none so far). */
struct http_fault http_head_read(struct slice text, size_t *scanned, struct http_head *head);
/* What stands in the place of the target in a head that may be incomplete or malformed. */
struct slice http_head_target(struct slice text);
/* As http_header, in fields that http_head_read has found good. */
size_t http_head_find(struct slice fields, struct slice name, struct slice *out_values,
                      size_t room);
/* Adds the head that the library gets. */
void http_head_write(const struct http_head *head, struct buf *out);
/* ---- target.c; pure ---- */

/* True if the target has a byte or an escape that none may have. */
bool http_target_is_bad(struct slice target);
/* In origin form (/path?query), or in absolute form, which a server must take as well. */
bool http_target_has_path(struct slice target);
/* How many its query has; empty ones count. */
size_t http_target_parameters(struct slice target);
/* Adds the path, decoded, but for escaped slashes; of a bad target as it is, cut. */
void http_target_add_path(struct slice target, struct buf *out);
/* uri-host [ ":" port ], of RFC 3986; but no comma, which would join two hosts of careless
 * proxies. */
bool http_is_host(struct slice host);

/* ---- chunks.c; pure ---- */

/* Zeroed at first. */
struct http_chunks {
    int state;
    bool complete; /* the body has ended */
    unsigned digits;
    uint64_t left; /* of the chunk */
    size_t extra;
};

/* Takes bytes of a body up to its end, and leaves in data those that may be handed on. False: they
 * are malformed. */
bool http_chunks_pass(struct http_chunks *chunks, char *data, size_t len, size_t *out_kept,
                      size_t *out_taken) MUST_USE;

/* ---- */

enum http_transport {
    TRANSPORT_PLAIN,
    TRANSPORT_AWAITED, /* TLS, and nothing has come yet */
    TRANSPORT_SHAKING, /* the handshake is under way */
    TRANSPORT_TLS,
    TRANSPORT_ENDED, /* no more is read or sent */
};

/* ---- clients.c ---- */

enum { HTTP_CLIENT_KEY_SIZE = 16 };

struct http_client {
    struct http_client *next; /* in its bucket */
    uint8_t key[HTTP_CLIENT_KEY_SIZE];
    unsigned connection_count;
    size_t held_bytes; /* its share of server->held_bytes */
};

void http_clients_init(struct http_server *server);
/* For a new connection; each is for one http_client_drop. */
struct http_client *http_client_take(struct http_server *server, const union http_peer *peer);
void http_client_drop(struct http_server *server, struct http_client *client);
/* Whether it may hold so many bytes more. */
bool http_client_may_hold(const struct http_server *server, const struct http_client *client,
                          uint64_t bytes);
/* The client with most connections, if it has a good part of all; or NULL. */
const struct http_client *http_client_crowding(const struct http_server *server);

/* ---- */

struct http_connection;
TAILQ_HEAD(http_list, http_connection);

/* Loop thread only. A new member that owns memory is freed in http_connection_close. */
struct http_connection {
    struct http_server *server;
    struct http_watch watch;
    struct http_connection *prev, *next;
    enum http_phase phase;
    int64_t since_ms, deadline_ms;
    union http_peer peer;
    struct http_client *client;
    struct http_request *request; /* under way; or NULL */

    /* transport.c */
    enum http_transport transport;
    struct ssl_st *ssl; /* while TRANSPORT_SHAKING or _TLS */
    bool emptied;       /* the socket has no more, by TLS's last read and the events since */

    /* guard.c */
    bool readable, writable; /* as far as we know */
    bool closing;            /* the peer sends no more than what is there, or is gone */
    bool finished;           /* and all of that has been read */
    bool refused;            /* by us; the library is to end it */
    bool blank;              /* an empty line came before the head */
    struct buf in;           /* what has come, from the head's first byte on */
    size_t scanned;          /* of it, in search of the head's end */
    size_t passed;           /* of it, handed on or not to be handed on */
    size_t head_bytes;       /* of it; 0: no complete head yet */
    uint64_t left;           /* of the body, to come */
    struct http_chunks chunks;

    /* seam.c */
    struct MHD_Connection *mhd; /* NULL: the library does not have it */
    bool watched;               /* the library waits for it, as */
    epoll_data_t known_as;
    struct http_list *list; /* that it is in: server->noted, server->ready or none */
    TAILQ_ENTRY(http_connection) listed;
};

enum http_stage {
    STAGE_HEAD, /* nothing checked yet */
    STAGE_BODY,
    STAGE_ANSWER, /* answered, or the handler has it */
};

/* request.c: http_request_take rebuilds it and keeps four members, head, path, body and answer_body. A
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
    const char *method; /* the library's; valid until the answer is sent */
    struct buf head;    /* for the library; written by us */
    size_t head_passed;
    bool chunked;
    bool whole;      /* all of it has been handed to the library */
    bool passed;     /* head() let it pass: body() or gone() will follow */
    uint64_t length; /* Content-Length, or 0 */
    size_t max_body_bytes;
    struct buf body;
    size_t held_bytes; /* its share of server->held_bytes */
    size_t read_bytes; /* of the body, including bytes discarded since `fault` */
    struct http_fault fault;

    /* owned by the loop or, from body() to its answer, by the handler */
    struct buf path; /* see http_target_add_path */
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
    struct tls *tls; /* NULL: none */
    struct MHD_Daemon *daemon;
    int epoll_fd;
    /* An eventfd: an answer has come in, or quiesced or stop_at_ms has changed. */
    struct http_watch wake;
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
    struct http_list noted; /* there is something to do for them */
    size_t noted_count;
    struct http_list ready; /* and for these, by the library */
    struct http_connection **by_fd;
    size_t by_fd_count;
    char *scratch; /* HTTP_READ_BYTES, for what arrives */
    unsigned connection_count;
    unsigned live_count; /* requests between their request line and the end of their answer */
    size_t held_bytes;   /* of all bodies, as far as they have arrived */
    struct http_client **clients; /* a table by address */
    uint64_t client_seed;
    struct http_request *current; /* its handler is running and has not answered yet */
    struct http_request *spare[HTTP_MAX_SPARE]; /* for reuse, with some of their memory */
    size_t spare_count;
    bool listening;
    int64_t listen_again_ms;
    int64_t next_complaint_ms;
};

/* All for the loop thread, except where noted. */

/* listen.c */
void http_listen_ready(struct http_server *server, struct http_watch *listener,
                       uint32_t events);
/* Every turn, when all events have been seen: lets newcomers in. It may end connections to make room. */
void http_listen_accept(struct http_server *server);
/* Every turn: listens again when there is room. */
void http_listen_update(struct http_server *server);
void http_listen_stop(struct http_server *server);

/* connection.c */
/* Takes the descriptor, whose sockets are non-blocking, and watches it. Closes it if that fails. */
void http_connection_open(struct http_server *server, int fd, const struct sockaddr *peer);
/* The library does not have it, or no longer: closes it, or lingers. */
void http_connection_close(struct http_connection *connection);
void http_connection_enter(struct http_connection *connection, enum http_phase phase);
void http_connection_cut(struct http_connection *connection);
/* Has it looked at in the next turn at the latest (noted), or by the library in its next run (ready). */
void http_connection_note(struct http_connection *connection);
void http_connection_pass(struct http_connection *connection);
/* Takes it out of its list. */
void http_connection_unlist(struct http_connection *connection);
/* NULL: none has this descriptor. */
struct http_connection *http_connection_find(const struct http_server *server, int fd);
/* Lingers on: discards what has come, and closes it at the peer's end. */
void http_connection_discard(struct http_connection *connection);
/* Every turn: cuts connections that are late. */
void http_connections_expire(struct http_server *server);
/* How long until the next deadline; never more than THREAD_TURN_MS. */
int http_connections_wait_ms(const struct http_server *server);
/* At the end: closes those that the library does not have. */
void http_connections_close(struct http_server *server);

/* transport.c */
enum http_handshake {
    HANDSHAKE_DONE, /* or there is none */
    HANDSHAKE_GOES_ON,
    HANDSHAKE_FAILED, /* the peer has been told, if that is possible */
    HANDSHAKE_HTTP, /* the peer speaks HTTP without TLS, and so does the connection from now on */
};
enum { HTTP_WHY_SIZE = 128 };

/* The peer is known. */
void http_transport_open(struct http_connection *connection);
/* Goes on with the handshake, as far as it gets. Failed: out_why says why; it is empty if nothing has
 * come at all. */
enum http_handshake http_transport_shake(struct http_connection *connection,
                                         char out_why[HTTP_WHY_SIZE]);
/* As recv(2). *out_more, if something was read: there may be more. */
ssize_t http_transport_receive(struct http_connection *connection, char *data, size_t room,
                               bool *out_more);
/* As send(2) and sendmsg(2), without a SIGPIPE. What could not be sent must be sent again, from its
 * begin. */
ssize_t http_transport_send(struct http_connection *connection, const void *data, size_t len);
ssize_t http_transport_sendmsg(struct http_connection *connection,
                               const struct msghdr *message);
/* Tells the peer that nothing more will be sent, and frees what TLS needs. What still comes is no
 * longer read by it. */
void http_transport_end(struct http_connection *connection);

/* guard.c */
/* Reads what has come, until a head is complete. Then it is judged: refused here, or handed to the
 * library. */
void http_guard_read(struct http_connection *connection);
/* What the library gets when it reads: as recv(2). */
ssize_t http_guard_feed(struct http_connection *connection, char *data, size_t room);
/* Whether it would get something, or see the end. */
bool http_guard_has_more(const struct http_connection *connection);
/* The request has ended: what has come behind it is the next one. */
void http_guard_next(struct http_connection *connection);

/* seam.c */
/* The server whose library this thread runs from now on. */
void http_seam_serve(struct http_server *server);

/* library.c */
/* Main thread. */
enum status http_daemon_start(struct http_server *server, struct err *err) MUST_USE;

/* answer.c */
/* Gives the answer to the library, in one of its callbacks or for a suspended connection.
 * False: no memory, or the connection can no longer be answered. */
bool http_request_queue(struct http_request *request);
/* The handler has answered a request that waited: sends it. */
void http_request_send(struct http_request *request);

/* request.c */
/* Gives a request, a spare one if there is one, with the connection's peer, and the path as far as
 * it has come. */
struct http_request *http_request_take(struct http_connection *connection);
/* Tells the handler that http refuses the request. */
void http_report_refusal(struct http_request *request, enum reject reason, const char *why);
/* Others may have the room of its body. */
void http_request_unhold(struct http_request *request);
/* The same, and nobody needs the body any more. */
void http_request_drop_body(struct http_request *request);
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
