/*
 * libmicrohttpd's callbacks, in the order of a request, whose head the guard has found good:
 *
 * - on_request, first call: the handler may refuse it
 * - on_request, more calls: the body arrives, piece by piece
 * - on_request, last call: the body is complete. The handler answers at once, or the connection
 *   is suspended until it does (answer.c)
 * - on_completed: the answer is sent, or the connection is lost
 *
 * The library takes no answer while a body arrives. So a body that is too large, or finds no
 * room, is read on and discarded, up to a bound, and refused at its end; beyond the bound the
 * connection is closed without an answer.
 *
 * Announcing a Content-Length costs a client nothing, so it reserves nothing: bytes are counted,
 * and get memory, when they arrive.
 */
#include "bridge/http/internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <microhttpd.h>

#include "common/log.h"

enum {
    MAX_EXCESS_BYTES = 1024 * 1024,
};

static bool hold(struct http_request *request, size_t bytes)
{
    struct http_server *server = request->server;
    struct http_client *client = request->connection->client;

    if (!http_client_may_hold(server, client, bytes)) {
        return false;
    }
    server->held_bytes += bytes;
    client->held_bytes += bytes;
    request->held_bytes += bytes;
    return true;
}

/* --- refusing --- */

static enum MHD_Result queue(struct http_request *request)
{
    return http_request_queue(request) ? MHD_YES : MHD_NO;
}

static void report(struct http_request *request, struct http_fault fault)
{
    http_report_refusal(request, fault.reason, fault.message);
}

static enum MHD_Result refuse(struct http_request *request, struct http_fault fault)
{
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer = http_error(fault.reason, fault.message, text);

    answer.close = true;
    request->stage = STAGE_ANSWER;
    request->server->current = request;
    http_answer(request, &answer);
    return queue(request);
}

/* --- the callbacks --- */

/* Runs the handler; true if it has answered. */
static bool run_handler(struct http_request *request,
                        void (*step)(void *ctx, struct http_request *request))
{
    struct http_server *server = request->server;
    bool answered;

    server->current = request;
    step(server->handler.ctx, request);
    answered = server->current == NULL;
    server->current = NULL;
    return answered;
}

static enum MHD_Result head_complete(struct http_request *request)
{
    request->stage = STAGE_BODY;
    request->whole = request->length == 0 && !request->chunked;
    request->passed = !run_handler(request, request->server->handler.head);
    if (request->passed) {
        return MHD_YES;
    }
    request->stage = STAGE_ANSWER;
    /* An answer in the first call ends the connection. Without a body there is no need for
     * that: the last call comes next. */
    return request->whole ? MHD_YES : queue(request);
}

/* A body is read to its end if its size is allowed, or not much more, so that the sender gets the
 * answer. */
static enum MHD_Result discard(struct http_request *request)
{
    if (request->read_bytes <= request->max_body_bytes + MAX_EXCESS_BYTES) {
        return MHD_YES;
    }
    request->stage = STAGE_ANSWER;
    return MHD_NO;
}

static void give_up_body(struct http_request *request, struct http_fault fault)
{
    request->fault = fault;
    report(request, fault);
    http_request_drop_body(request);
}

static enum MHD_Result body_piece(struct http_request *request, const char *data, size_t len)
{
    size_t max_bytes = request->max_body_bytes;

    request->read_bytes += len;
    if (request->fault.message != NULL) {
        return discard(request);
    }
    if (len > max_bytes - request->body.len) {
        give_up_body(request, http_too_large);
    } else if (!hold(request, len)) {
        give_up_body(request, http_no_room);
    } else {
        buf_add(&request->body, data, len);
    }
    return MHD_YES;
}

static enum MHD_Result body_complete(struct http_request *request)
{
    struct http_server *server = request->server;
    enum MHD_Result result;

    request->whole = true;
    if (request->fault.message != NULL) {
        return refuse(request, request->fault);
    }
    request->stage = STAGE_ANSWER;
    request->passed = false;
    atomic_fetch_add(&request->refs, 1);
    atomic_fetch_add(&server->refs, 1);
    if (run_handler(request, server->handler.body)) {
        result = queue(request);
        http_request_release(request);
        http_server_release(server);
        return result;
    }
    /* Another thread may have answered already: that answer waits in the inbox until we are back
     * in the loop. */
    http_connection_enter(request->connection, PHASE_WAITING);
    MHD_suspend_connection(request->connection->mhd);
    return MHD_YES;
}

static struct http_request *request_of(struct MHD_Connection *mhd)
{
    const struct http_connection *connection =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

    return connection->request;
}

/* NOLINTNEXTLINE(readability-function-size): the library's callback has eight parameters. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **context)
{
    struct http_request *request = request_of(mhd);
    size_t piece_len = *len;

    (void)cls;
    (void)path;
    (void)version;
    *context = request;
    switch (request->stage) {
    case STAGE_HEAD:
        request->method = method;
        return head_complete(request);
    case STAGE_BODY:
        *len = 0;
        return piece_len > 0 ? body_piece(request, data, piece_len) : body_complete(request);
    case STAGE_ANSWER:
        break;
    }
    /* Answered at its head, with no body to wait for; or cut while it waited for an answer. */
    return request->connection->phase == PHASE_CUT ? MHD_NO : queue(request);
}

static void end_request(struct http_request *request)
{
    struct http_connection *connection = request->connection;
    struct http_server *server = request->server;

    connection->request = NULL;
    if (request->passed && server->handler.gone != NULL) {
        server->handler.gone(server->handler.ctx, request);
    }
    http_request_unhold(request);
    if (connection->phase != PHASE_CUT) {
        http_connection_enter(connection, PHASE_IDLE);
    }
    server->live_count--;
    http_request_give_back(request);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct http_request *request = *context;
    struct http_connection *connection = request->connection;

    (void)cls;
    (void)mhd;
    (void)code;
    *context = NULL;
    end_request(request);
    http_guard_next(connection);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_connection *connection = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection = http_connection_find(
            cls, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
        connection->mhd = mhd;
        *context = connection;
        return;
    }
    connection->mhd = NULL;
    if (connection->request != NULL) { /* the library has ended it without a word */
        end_request(connection->request);
    }
}

/* The library's messages are about single clients, so they are only debug lines. */
static void log_library(void *cls, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void log_library(void *cls, const char *format, va_list args)
{
    char text[256];

    (void)cls;
    (void)vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("libmicrohttpd", L_STR("text", text));
}

enum status http_daemon_start(struct http_server *server, struct err *err)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_TURBO /* a new connection has a request */ |
                     MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_CONNECTION_LIMIT, UINT_MAX /* is ours to hold */,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_POOL_BYTES,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1 /* blocked, as in all our threads */,
        MHD_OPTION_END);
    if (server->daemon == NULL) {
        return err_set(err, ST_IO, "libmicrohttpd does not start");
    }
    return ST_OK;
}
