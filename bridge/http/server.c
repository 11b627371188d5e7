/*
 * Start, stop, and the loop thread. One turn:
 *
 * - wait for a socket, an answer or a deadline
 * - give each answer that has come in to the library, which resumes its connection
 * - let the library read, parse, call back and write
 * - cut late connections; accept again if there is room
 *
 * The library may have work that no descriptor shows (pipelined requests, sockets that it has
 * not read to their end). MHD_get_timeout returns 0 then, and the turn must not wait.
 *
 * A start can fail for lack of descriptors or memory; everything opened so far is released. A
 * stop waits for live requests until its deadline; the rest are cut, counted and logged.
 */
#include "bridge/http/internal.h"

#include <errno.h>
#include <stdlib.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <microhttpd.h>

#include "common/clock.h"
#include "common/log.h"

enum {
    EVENTS_PER_TURN = 64,
    /* At a stop, a client that was just answered may be sending its next request. It gets an
     * answer with Connection: close, not a reset. */
    LAST_REQUESTS_MS = 500,
    STOPPING_TURN_MS = 50,
};

/* --- the loop --- */

static int wait_ms(const struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    int wait;

    if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0) {
        return 0;
    }
    wait = http_connections_wait_ms(server);
    return server->last_requests_ms != 0 && wait > STOPPING_TURN_MS ? STOPPING_TURN_MS : wait;
}

static void wait_and_dispatch(struct http_server *server)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(server->epoll_fd, events, EVENTS_PER_TURN, wait_ms(server));

    CHECK(count >= 0 || errno == EINTR);
    server->now_ms = clock_mono_ms();
    for (int i = 0; i < count; i++) {
        struct http_watch *watch = events[i].data.ptr;

        watch->ready(server, watch);
    }
}

/* The loop's end of handoff B; http_answer (answer.c) is the other one. */
static void take_answers(struct http_server *server)
{
    struct inbox_link *link = inbox_take_all(&server->answers);

    while (link != NULL) {
        struct http_request *request = INBOX_ITEM(link, struct http_request, link);

        link = link->next;
        http_request_send(request);
    }
}

static void turn(struct http_server *server)
{
    wait_and_dispatch(server);
    heartbeat_now(&server->heartbeat);
    take_answers(server);
    (void)MHD_run(server->daemon); /* fails only for a daemon of another mode */
    http_connections_expire(server);
    http_listen_update(server);
}

static bool is_quiet(const struct http_server *server)
{
    return server->connection_count == 0 ||
           (server->live_count == 0 && server->queues[PHASE_LINGERING].first == NULL &&
            server->now_ms >= server->last_requests_ms);
}

static bool finished(struct http_server *server)
{
    int64_t stop_at_ms = atomic_load(&server->stop_at_ms);

    if (stop_at_ms == 0) {
        return false;
    }
    if (server->last_requests_ms == 0) {
        server->last_requests_ms = server->now_ms + LAST_REQUESTS_MS;
    }
    return is_quiet(server) || server->now_ms >= stop_at_ms;
}

/* The library aborts the process if it is stopped while a connection is suspended. */
static void abandon_waiting(struct http_server *server)
{
    const struct http_queue *waiting = &server->queues[PHASE_WAITING];
    int64_t count = 0;

    while (waiting->first != NULL) {
        struct http_connection *connection = waiting->first;

        http_connection_cut(connection);
        MHD_resume_connection(connection->mhd);
        count++;
    }
    if (count > 0) {
        log_warn("requests were cut before they were answered", L_INT("count", count));
    }
}

static void shut_down(struct http_server *server)
{
    http_listen_stop(server);
    inbox_close(&server->answers);
    take_answers(server);
    abandon_waiting(server);
    /* Sends the answers that are ready; MHD_stop_daemon would drop them silently. */
    (void)MHD_run(server->daemon);
    MHD_stop_daemon(server->daemon);
    http_connections_end_lingering(server);
    CHECK(server->connection_count == 0 && server->live_count == 0 && server->held_bytes == 0);
    while (server->spare_count > 0) {
        http_request_free(server->spare[--server->spare_count]);
    }
}

static void *loop_main(void *arg)
{
    struct http_server *server = arg;

    server->loop_thread = pthread_self();
    server->now_ms = clock_mono_ms();
    heartbeat_now(&server->heartbeat);
    http_listen_update(server);
    while (!finished(server)) {
        turn(server);
    }
    shut_down(server);
    return NULL;
}

/* --- start and stop --- */

static void woken(struct http_server *server, struct http_watch *watch)
{
    uint64_t count;

    (void)server;
    /* The eventfd is emptied before the inbox, so no wake-up is lost. */
    (void)!read(watch->fd, &count, sizeof(count));
}

static void inside_ready(struct http_server *server, struct http_watch *watch)
{
    (void)server; /* nothing to do: the loop runs the library every turn */
    (void)watch;
}

static struct http_server *server_alloc(const struct http_options *options)
{
    struct http_server *server = xalloc(sizeof(*server));

    server->handler = options->handler;
    server->max_body_bytes = options->max_body_bytes;
    server->max_held_bytes = options->max_held_bytes;
    server->max_connections = options->max_connections;
    server->queues[PHASE_READING].timeout_ms = options->request_timeout_ms;
    server->queues[PHASE_SENDING].timeout_ms = options->request_timeout_ms;
    server->queues[PHASE_IDLE].timeout_ms = options->keep_alive_ms;
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
        st = thread_start(&server->thread, options->name, loop_main, server, err);
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

const struct heartbeat *http_heartbeat(const struct http_server *server)
{
    return &server->heartbeat;
}
