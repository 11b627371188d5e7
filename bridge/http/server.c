#include "bridge/http/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <microhttpd.h>

#include "common/clock.h"

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd); /* nothing was written through it that could be lost */
    }
}

static void server_free(struct http_server *server)
{
    inbox_fini(&server->answers);
    close_fd(server->epoll_fd);
    close_fd(server->wake.fd);
    free(server->listeners);
    free(server);
}

void http_server_release(struct http_server *server)
{
    if (atomic_fetch_sub(&server->refs, 1) == 1) {
        server_free(server);
    }
}

void http_wake(struct http_server *server)
{
    uint64_t one = 1;

    /* It can only fail when the counter is full, and then the loop is being woken anyway. */
    (void)!write(server->wake.fd, &one, sizeof(one));
}

static void woken(struct http_server *server, struct http_watch *watch)
{
    uint64_t count;

    (void)server;
    (void)!read(watch->fd, &count,
                sizeof(count)); /* emptied before the inbox is, so no wake-up is lost */
}

static void inside_ready(struct http_server *server, struct http_watch *watch)
{
    (void)server; /* the loop runs the library every turn */
    (void)watch;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static struct http_server *server_alloc(const struct http_options *options)
{
    struct http_server *server = xalloc(sizeof(*server));

    server->handler = options->handler;
    server->max_body_bytes = options->max_body_bytes;
    server->max_held_bytes = larger((size_t)64 << 20, 4 * options->max_body_bytes);
    server->max_connections = options->max_connections;
    server->queues[PHASE_READING].timeout_ms = options->request_timeout_ms;
    server->queues[PHASE_SENDING].timeout_ms = options->request_timeout_ms;
    server->queues[PHASE_IDLE].timeout_ms = HTTP_IDLE_MS;
    server->queues[PHASE_LINGERING].timeout_ms = HTTP_LINGER_MS;
    server->wake = (struct http_watch){.fd = -1, .ready = woken};
    server->inside = (struct http_watch){.fd = -1, .ready = inside_ready};
    server->epoll_fd = -1;
    server->listener_count = options->listen_count;
    server->listeners = xalloc((options->listen_count + 1) * sizeof(*server->listeners));
    for (size_t i = 0; i < options->listen_count; i++) {
        server->listeners[i] =
            (struct http_watch){.fd = options->listen_fds[i], .ready = http_listen_ready};
    }
    server->refs = 1;
    inbox_init(&server->answers);
    return server;
}

static enum status watch_add(struct http_server *server, struct http_watch *watch,
                             struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) != 0) {
        return err_set_errno(err, ST_IO, errno, "watch a descriptor");
    }
    return ST_OK;
}

static enum status server_open(struct http_server *server, struct err *err)
{
    enum status st;

    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->epoll_fd < 0) {
        return err_set_errno(err, ST_IO, errno, "create an epoll set");
    }
    server->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->wake.fd < 0) {
        return err_set_errno(err, ST_IO, errno, "create an eventfd");
    }
    st = http_daemon_start(server, err);
    if (st == ST_OK) {
        st = watch_add(server, &server->wake, err);
    }
    return st == ST_OK ? watch_add(server, &server->inside, err) : st;
}

enum status http_start(const struct http_options *options, struct http_server **out_server,
                       struct err *err)
{
    struct http_server *server = server_alloc(options);
    enum status st = server_open(server, err);

    if (st == ST_OK) {
        st = thread_start(&server->thread, options->name, http_loop, server, err);
    }
    if (st != ST_OK) {
        if (server->daemon != NULL) {
            MHD_stop_daemon(server->daemon);
        }
        http_server_release(server);
        return err_wrap(err, "start HTTP listener %s", options->name);
    }
    *out_server = server;
    return ST_OK;
}

void http_quiesce(struct http_server *server)
{
    atomic_store(&server->quiesced, true);
    http_wake(server);
}

void http_stop(struct http_server *server, int64_t timeout_ms)
{
    if (server == NULL) {
        return;
    }
    atomic_store(&server->stop_at_ms, clock_mono_ms() + timeout_ms);
    http_quiesce(server);
    CHECK(pthread_join(server->thread, NULL) == 0);
    http_server_release(server);
}

const struct beat *http_beat(const struct http_server *server)
{
    return &server->beat;
}

struct slice http_method(const struct http_request *request)
{
    return slice_of(request->method);
}

struct slice http_path(const struct http_request *request)
{
    return slice_of(request->path);
}

struct slice http_body(const struct http_request *request)
{
    return buf_slice(&request->body);
}

void *http_ticket(struct http_request *request)
{
    return request->ticket;
}

struct header_search {
    struct slice name, value;
    size_t count;
};

static enum MHD_Result search_header(void *cls, enum MHD_ValueKind kind, const char *key,
                                     size_t key_len, const char *value, size_t value_len)
{
    struct header_search *search = cls;

    (void)kind;
    if (slice_equal_nocase((struct slice){key, key_len}, search->name) &&
        search->count++ == 0) {
        search->value = (struct slice){value == NULL ? "" : value, value_len};
    }
    return MHD_YES;
}

size_t http_header(const struct http_request *request, const char *name,
                   struct slice *out_value)
{
    struct header_search search = {.name = slice_of(name)};

    (void)MHD_get_connection_values_n(request->connection->mhd, MHD_HEADER_KIND, search_header,
                                      &search);
    while (search.value.len > 0 &&
           strchr(" \t", search.value.data[search.value.len - 1]) != NULL) {
        /* White space behind a value is not part of it; the library leaves it there. */
        search.value.len--;
    }
    *out_value = search.value;
    return search.count;
}

void http_peer(const struct http_request *request, char out_text[HTTP_PEER_SIZE])
{
    const struct http_connection *connection = request->connection;
    char host[INET6_ADDRSTRLEN] = "?";

    switch (connection->peer.any.sa_family) {
    case AF_INET:
        (void)inet_ntop(AF_INET, &connection->peer.in.sin_addr, host, sizeof(host));
        (void)snprintf(out_text, HTTP_PEER_SIZE, "%s:%u", host,
                       (unsigned)ntohs(connection->peer.in.sin_port));
        break;
    case AF_INET6:
        (void)inet_ntop(AF_INET6, &connection->peer.in6.sin6_addr, host, sizeof(host));
        (void)snprintf(out_text, HTTP_PEER_SIZE, "[%s]:%u", host,
                       (unsigned)ntohs(connection->peer.in6.sin6_port));
        break;
    default:
        (void)snprintf(out_text, HTTP_PEER_SIZE, "unix");
        break;
    }
}
