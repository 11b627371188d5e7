/*
 * http - an HTTP/1.1 listener that knows no path: reads whole requests within limits, answers
 * them now or later. The files http*.c are the only ones that know libmicrohttpd.
 *
 * A server is one loop thread that owns its sockets, its connections and the library's daemon.
 * What RFC 9112 forbids and what is over a limit is refused here, with the contract's JSON,
 * before the handler sees it.
 *
 * Limits
 *   head       8 KiB of target (414), 16 KiB of request line and fields (431)
 *   body       max_body_bytes (413); all bodies together, as far as they have come and are not
 *              answered yet, 64 MiB or 4 of the largest size, whichever is more: beyond it 503.
 *              Their buffers take up to about twice that. Whoever wants to fill it has to send
 *              it: with 64 MiB and 10 s for a request, 6.4 MiB/s without a pause (half of that
 *              from clients that do not read their answers either)
 *   time       a request must be complete request_timeout_ms after its connection was opened
 *              or, on a kept connection, after its request line; then the answer must be read
 *              within as much again. What is late is cut. A kept connection may be silent for
 *              60 s. The time that our own answer takes counts nowhere.
 *   connections
 *              max_connections; when they are all taken the one that has been silent longest
 *              (for a second at least) makes room, else new ones wait in the kernel's queue
 *
 * Some faults libmicrohttpd finds first and answers by itself, with a page of HTML and
 * Connection: close: a field without a colon, a Content-Length that is no number, a broken
 * chunk, another major version (505), a head that does not fit into its 32 KiB. They are
 * reported to `refused` where it tells us.
 */
#ifndef BRIDGE_HTTP_HTTP_H
#define BRIDGE_HTTP_HTTP_H

#include "common/buf.h"
#include "common/err.h"
#include "common/thread.h"

#include "bridge/metrics.h"

struct http_server;
struct http_request;

struct http_answer {
    unsigned status;
    struct slice body;
    unsigned retry_after_s; /* 0: no Retry-After */
    bool close;             /* ends the connection after it */

    /* Constants, that is: they outlive the server. NULL: none. */
    const char *content_type; /* NULL: application/json */
    const char *allow;        /* Allow */
    const char *challenge;    /* WWW-Authenticate */
};

struct http_handler {
    /* Loop thread; the head is complete. Answer with http_answer, before returning, to refuse
     * without waiting for the body (if there is one, the connection is closed after the
     * answer); or just return, and the body is read. */
    void (*head)(void *ctx, struct http_request *request);
    /* Loop thread; the body is complete. Exactly one http_answer must follow, now or later,
     * from any thread. */
    void (*body)(void *ctx, struct http_request *request);
    /* Loop thread; a request that `head` let pass ended without `body`: it was too slow, too
     * large, broken, or its client went away. Its state is there for the last time. May be
     * NULL. */
    void (*gone)(void *ctx, struct http_request *request);
    /* Loop thread; a request was refused before the handler saw it, or while its body came.
     * status: of the answer, also if there was so much more body that the connection was closed
     * without it; 0: it was too slow and has been cut. May be NULL. */
    void (*refused)(void *ctx, unsigned status);
    /* Loop thread; a connection was opened (+1) or closed (-1). May be NULL. */
    void (*connection)(void *ctx, int change);
    void *ctx;
};

struct http_options {
    const char *name; /* of the thread */
    /* Borrowed, non-blocking; they stay the caller's and must stay open until http_stop. */
    const int *listen_fds;
    size_t listen_count;
    struct http_handler handler;
    size_t max_body_bytes;
    unsigned max_connections; /* of this server; shared among its sockets */
    int64_t request_timeout_ms;
};

/* Main thread. Copies options. Starts the loop. */
enum status http_start(const struct http_options *options, struct http_server **out_server,
                       struct err *err) MUST_USE;
/* Any thread. No new connections from now on (they wait in the kernel's queue); answers say
 * Connection: close. Requests under way go on. */
void http_quiesce(struct http_server *server);
/* Main thread. Quiesces; waits until no request is live (at most timeout_ms; what is left is
 * cut), stops the loop, joins, frees. A request that the handler still owes an answer may be
 * answered later even so: that goes nowhere, and the last one frees what is left. NULL is
 * allowed. */
void http_stop(struct http_server *server, int64_t timeout_ms);
const struct heartbeat *http_heartbeat(const struct http_server *server);

/* Any thread, once per request; copies the body. The request is gone after it. */
void http_answer(struct http_request *request, const struct http_answer *answer);

enum { HTTP_ERROR_SIZE = 256 };
/* Pure. The contract's answer for a refusal: {"error":"<code>","message":"…"}, Retry-After with
 * a 503. message: a constant sentence that needs no escaping and says nothing an attacker can
 * use. The answer borrows text. */
struct http_answer http_error(enum reject reason, const char *message,
                              char text[HTTP_ERROR_SIZE]);

/* Loop thread, head complete. True if the method is GET or HEAD; else the request has been
 * answered 405. */
bool http_allows_read(struct http_request *request);

/* Loop thread, before the request is answered. Slices borrow from the request. */
struct slice http_method(const struct http_request *request);
struct slice http_path(const struct http_request *request); /* decoded; no NUL in it */
/* Returns how often the header is there; *out_value is the first one's (absent: SLICE_NONE). */
size_t http_header(const struct http_request *request, const char *name,
                   struct slice *out_value);
struct slice http_body(const struct http_request *request);
enum { HTTP_PEER_SIZE = 64 };
/* Who is connected, for logs: 192.0.2.1:4711, [2001:db8::1]:4711 or unix. */
void http_peer(const struct http_request *request, char out_text[HTTP_PEER_SIZE]);

/* Memory for the handler's own use, zeroed at first: it goes where the request goes, so it is
 * there until the answer, also when the client and the server are long gone. Whoever holds the
 * request. */
enum { HTTP_STATE_SIZE = 64 };
void *http_request_state(struct http_request *request);

#endif
