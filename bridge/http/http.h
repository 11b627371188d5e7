/*
 * http - an HTTP/1.1 listener with no paths of its own: reads whole requests within limits and
 * answers them at once or later. Only this folder uses libmicrohttpd.
 *
 * A server is one loop thread that owns its sockets, its connections and the library's daemon.
 * Requests that RFC 9112 forbids, or that two readers might understand differently, or that exceed
 * a limit are refused here, with the contract's JSON, and never reach the handler.
 *
 * Limits
 *   head       8 KiB of target and 256 parameters in it (414), 16 KiB of request line and fields (431)
 *   body       max_body_bytes, or what the handler says for this request (413). All bodies that have
 *              arrived and are not answered yet may take max_held_bytes together, and those of one
 *              address three times as many as are then still free; beyond it 503. Their buffers
 *              take up to about twice that
 *   time       a request must be complete request_timeout_ms after its connection was opened
 *              or, on a kept connection, after its first byte; the client then has as long
 *              again to read the answer. A late connection is cut. A kept connection may be
 *              silent for keep_alive_ms. The time that our own answer takes is never counted.
 *   connections
 *              max_connections. When all are taken, the one that has been silent longest (at
 *              least a second) is closed to make room, else one that lingers behind its last
 *              answer, else the oldest without a whole request of the address that has most of
 *              them, if it has a quarter of all; otherwise new ones wait in the kernel's queue
 *
 * With TLS the time for a request includes the handshake. A client that does not get through it is
 * reported (REJECT_TLS), unless it closes before it has sent anything; one that speaks plain HTTP
 * gets a plain 400. Unix sockets stay without TLS: what they carry does not leave the machine.
 *
 * Every byte is judged before libmicrohttpd sees it (guard.c), and a connection has a part of it
 * only while a request is under way. `refused` hears of every refusal.
 */
#ifndef BRIDGE_HTTP_HTTP_H
#define BRIDGE_HTTP_HTTP_H

#include "common/buf.h"
#include "common/err.h"
#include "common/thread.h"

#include "bridge/metrics.h"

struct http_server;
struct tls;
struct http_request;

struct http_answer {
    unsigned status;
    struct slice body;
    unsigned retry_after_s; /* 0: no Retry-After */
    bool close;             /* close the connection after this answer */

    /* Constants: they must outlive the server. */
    const char *content_type; /* NULL: application/json */
    const char *allow;        /* Allow; NULL: no such header */
    const char *challenge;    /* WWW-Authenticate; NULL: no such header */
    const char *encoding;     /* Accept-Encoding; NULL: no such header */
};

struct http_handler {
    /* Loop thread; the head is complete. To refuse the request without waiting for its body,
     * call http_answer before returning (if there is a body, the connection is closed after the
     * answer). Otherwise just return, and the body is read. */
    void (*head)(void *ctx, struct http_request *request);
    /* Loop thread; the body is complete. Exactly one http_answer must follow, now or later,
     * from any thread. */
    void (*body)(void *ctx, struct http_request *request);
    /* Loop thread; a request that `head` let pass ended without `body`: it was too slow, too
     * large, broken, or its client went away. The last chance to use its state. May be NULL. */
    void (*gone)(void *ctx, struct http_request *request);
    /* Loop thread; http itself refuses a request, before the handler sees it or while its body
     * arrives, or cuts it, too slow (REJECT_TIMEOUT). Not for an answer, but to be counted and
     * logged. why: until it returns; NULL: the reason says it. If not even a request line has come, the
     * request has a peer and nothing else. May be NULL. */
    void (*refused)(void *ctx, struct http_request *request, enum reject reason,
                    const char *why);
    /* Loop thread; a connection was opened (+1) or closed (-1). May be NULL. */
    void (*connection)(void *ctx, int change);
    void *ctx;
};

struct http_options {
    const char *name; /* of the thread */
    /* Borrowed, non-blocking; the caller keeps them open until http_stop. */
    const int *listen_fds;
    size_t listen_count;
    struct tls *tls; /* borrowed likewise; NULL: no TLS */
    struct http_handler handler;
    size_t max_body_bytes;    /* the largest body that any request may have */
    size_t max_held_bytes;    /* at least as much */
    unsigned max_connections; /* of this server; shared among its sockets */
    int64_t request_timeout_ms;
    int64_t keep_alive_ms;
};

/* Main thread. Copies options. Starts the loop. */
enum status http_start(const struct http_options *options, struct http_server **out_server,
                       struct err *err) MUST_USE;
/* Any thread. No new connections from now on (they wait in the kernel's queue); answers carry
 * Connection: close. Requests under way continue. */
void http_quiesce(struct http_server *server);
/* Main thread. Quiesces; waits until no request is live, at most timeout_ms, and cuts the rest;
 * stops the loop, joins, frees. The handler may still answer a request that was cut: the answer
 * goes nowhere, and the last one frees the memory that was kept for it. NULL is allowed. */
void http_stop(struct http_server *server, int64_t timeout_ms);
const struct heartbeat *http_heartbeat(const struct http_server *server);

/* Any thread, once per request; copies the body. Do not use the request afterwards. */
void http_answer(struct http_request *request, const struct http_answer *answer);

enum { HTTP_ERROR_SIZE = 256 };
/* Pure. The contract's answer for a refusal: {"error":"<code>","message":"…"}, with Retry-After
 * for a 503. message: a constant sentence that needs no escaping and tells an attacker nothing
 * useful. The answer borrows text. */
struct http_answer http_error(enum reject reason, const char *message,
                              char text[HTTP_ERROR_SIZE]);

/* Loop thread, head complete. True if the method is GET or HEAD; otherwise it has answered the
 * request with 405, and told `refused`. */
bool http_allows_read(struct http_request *request);

/* Loop thread, head complete. The request's body may have at most this many bytes, if that is less
 * than max_body_bytes. It is for the handler to refuse one that announces more (http_body_bytes);
 * one that comes in chunks is refused here. */
void http_limit_body(struct http_request *request, size_t max_bytes);

/* Loop thread, before the request is answered. Slices borrow from the request. */
struct slice http_method(const struct http_request *request);
/* Returns how many times the header appears; the first `room` values go to out_values. Room is for
 * one at least, which is SLICE_NONE if the header does not appear. */
size_t http_header(const struct http_request *request, const char *name,
                   struct slice *out_values, size_t room);
struct slice http_body(const struct http_request *request);

/* By the thread that has the request, before it is answered. */
/* Decoded, but for escaped slashes (%2F), which are no separators; no NUL in it. Of a head that could
 * not be read: as it was sent, and cut. */
struct slice http_path(const struct http_request *request);
/* Of the body: as many as were announced, or more if more have come. */
uint64_t http_body_bytes(const struct http_request *request);
enum { HTTP_PEER_SIZE = 64 };
/* The client's address, for logs: 192.0.2.1:4711, [2001:db8::1]:4711 or unix. */
void http_peer(const struct http_request *request, char out_text[HTTP_PEER_SIZE]);

/* Memory for the handler's own use, zeroed at first. It belongs to the request, so it lives
 * until the answer, even if the client and the server are long gone. May be called by the thread
 * that has the request. */
enum { HTTP_STATE_SIZE = 64 };
void *http_request_state(struct http_request *request);

#endif
