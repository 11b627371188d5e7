/*
 * A request's lifetime and its accessors.
 *
 * The loop holds a reference to a request; from body() to its answer the handler holds another
 * one, and one to the server. So an answer that comes after the server was stopped still finds
 * both, goes nowhere, and frees them. A request that has ended is kept for reuse, with its
 * buffers if they are small. Only memory could run out, and then the process stops.
 */
#include "bridge/http/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <unistd.h>

enum { KEEP_BYTES = 16 * 1024 }; /* the largest buffer that a spare request keeps */

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd); /* no data to lose */
    }
}

void http_server_release(struct http_server *server)
{
    if (atomic_fetch_sub(&server->refs, 1) == 1) {
        inbox_fini(&server->answers);
        close_fd(server->epoll_fd);
        close_fd(server->wake.fd);
        free(server->listeners);
        free(server->by_fd);
        free(server->clients);
        free(server->scratch);
        free(server);
    }
}

void http_wake(struct http_server *server)
{
    uint64_t one = 1;

    /* It fails only if the counter is full, and then the loop is being woken already. */
    (void)!write(server->wake.fd, &one, sizeof(one));
}

static void shrink(struct buf *buf)
{
    if (buf->cap > KEEP_BYTES) {
        buf_free(buf);
    } else if (buf->data != NULL) {
        buf_clear(buf);
    }
}

void http_request_unhold(struct http_request *request)
{
    request->server->held_bytes -= request->held_bytes;
    request->connection->client->held_bytes -= request->held_bytes;
    request->held_bytes = 0;
}

void http_request_drop_body(struct http_request *request)
{
    http_request_unhold(request);
    shrink(&request->body);
}

void http_request_free(struct http_request *request)
{
    buf_free(&request->head);
    buf_free(&request->path);
    buf_free(&request->body);
    buf_free(&request->answer_body);
    free(request);
}

void http_request_release(struct http_request *request)
{
    if (atomic_fetch_sub(&request->refs, 1) == 1) {
        http_request_free(request);
    }
}

struct http_request *http_request_take(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct http_request *request = server->spare_count > 0
                                       ? server->spare[--server->spare_count]
                                       : xalloc(sizeof(*request));

    *request = (struct http_request){
        .server = server,
        .connection = connection,
        .peer = connection->peer,
        .refs = 1,
        .max_body_bytes = server->max_body_bytes,
        .head = request->head,
        .path = request->path,
        .body = request->body,
        .answer_body = request->answer_body,
    };
    buf_clear(&request->head);
    buf_clear(&request->path);
    http_target_add_path(http_head_target(buf_slice(&connection->in)), &request->path);
    return request;
}

void http_request_give_back(struct http_request *request)
{
    struct http_server *server = request->server;

    if (atomic_load(&request->refs) > 1 || server->spare_count == HTTP_MAX_SPARE) {
        /* The handler may still have it, if the server was stopped without waiting. */
        http_request_release(request);
        return;
    }
    shrink(&request->path);
    shrink(&request->body);
    shrink(&request->answer_body);
    server->spare[server->spare_count++] = request;
}

void http_report_refusal(struct http_request *request, enum reject reason, const char *why)
{
    const struct http_handler *handler = &request->server->handler;

    if (handler->refused != NULL) {
        handler->refused(handler->ctx, request, reason, why);
    }
}

struct slice http_method(const struct http_request *request)
{
    return slice_of(request->method);
}

struct slice http_path(const struct http_request *request)
{
    return buf_slice(&request->path);
}

uint64_t http_body_bytes(const struct http_request *request)
{
    return request->length > request->read_bytes ? request->length : request->read_bytes;
}

struct slice http_body(const struct http_request *request)
{
    return buf_slice(&request->body);
}

void http_limit_body(struct http_request *request, size_t max_bytes)
{
    if (max_bytes < request->max_body_bytes) {
        request->max_body_bytes = max_bytes;
    }
}

void *http_request_state(struct http_request *request)
{
    return request->state;
}

size_t http_header(const struct http_request *request, const char *name,
                   struct slice *out_values, size_t room)
{
    struct slice fields = {request->connection->in.data, request->connection->head_bytes};

    (void)slice_take_until(&fields, '\n'); /* the request line */
    return http_head_find(fields, slice_of(name), out_values, room);
}

void http_peer(const struct http_request *request, char out_text[HTTP_PEER_SIZE])
{
    const union http_peer *peer = &request->peer;
    char host[INET6_ADDRSTRLEN] = "?";

    switch (peer->any.sa_family) {
    case AF_INET:
        (void)inet_ntop(AF_INET, &peer->in.sin_addr, host, sizeof(host));
        (void)snprintf(out_text, HTTP_PEER_SIZE, "%s:%u", host,
                       (unsigned)ntohs(peer->in.sin_port));
        break;
    case AF_INET6:
        (void)inet_ntop(AF_INET6, &peer->in6.sin6_addr, host, sizeof(host));
        (void)snprintf(out_text, HTTP_PEER_SIZE, "[%s]:%u", host,
                       (unsigned)ntohs(peer->in6.sin6_port));
        break;
    default:
        (void)snprintf(out_text, HTTP_PEER_SIZE, "unix");
        break;
    }
}
