/*
 * Start, stop, and the loop thread. One turn:
 *
 * - wait for a socket, an answer or a deadline
 * - give each answer that has come in to the library, which resumes its connection
 * - let the guard read and judge heads (guard.c)
 * - let the library read, parse, call back and write
 * - cut late connections; accept again if there is room
 * - see whether the certificate has been renewed
 *
 * There may be work that no descriptor shows: a second request that came with the first one, a
 * socket that was not read to its end. Then the turn must not wait.
 *
 * A start can fail for lack of descriptors or memory; everything opened so far is released. A
 * stop waits for live requests until its deadline; the rest are cut, counted and logged.
 */
#include "bridge/http/internal.h"

#include <errno.h>
#include <stdlib.h>

#include <sys/eventfd.h>

#include <microhttpd.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/tls/tls.h"

enum {
    EVENTS_PER_TURN = 64,
    MAX_RUNS = 3, /* of the library in one turn */
    /* At a stop, a client that was just answered may be sending its next request. It gets an
     * answer with Connection: close, not a reset. */
    LAST_REQUESTS_MS = 500,
    STOPPING_TURN_MS = 50,
};

/* --- the loop --- */

static bool library_is_busy(const struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    return !TAILQ_EMPTY(&server->ready) ||
           (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0);
}

static int wait_ms(const struct http_server *server)
{
    int wait = http_connections_wait_ms(server);

    if (!TAILQ_EMPTY(&server->noted) || library_is_busy(server)) {
        return 0;
    }
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

        watch->ready(server, watch, events[i].events);
    }
    http_listen_accept(server);
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

/* Those that are noted meanwhile have to wait for the next turn. */
static void look_at_noted(struct http_server *server)
{
    struct http_connection *connection;

    for (size_t n = server->noted_count;
         n > 0 && (connection = TAILQ_FIRST(&server->noted)) != NULL; n--) {
        http_connection_unlist(connection);
        if (connection->phase == PHASE_LINGERING) {
            http_connection_discard(connection);
        } else if (connection->request == NULL && !connection->refused) {
            http_guard_read(connection);
        } else {
            http_connection_pass(connection);
        }
    }
}

/* One run often leaves it with a look at a connection that has nothing; a turn of its own for that
 * would cost a system call. */
static void run_library(struct http_server *server)
{
    for (int i = 0; i == 0 || (i < MAX_RUNS && library_is_busy(server)); i++) {
        (void)MHD_run(server->daemon); /* fails only for a daemon of another mode */
    }
}

static void turn(struct http_server *server)
{
    wait_and_dispatch(server);
    heartbeat_now(&server->heartbeat);
    take_answers(server);
    look_at_noted(server);
    run_library(server);
    http_connections_expire(server);
    http_listen_update(server);
    if (server->tls != NULL) {
        tls_look(server->tls, server->now_ms);
    }
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
    http_connections_close(server);
    CHECK(server->connection_count == 0 && server->live_count == 0 && server->held_bytes == 0);
    while (server->spare_count > 0) {
        http_request_free(server->spare[--server->spare_count]);
    }
}

static void *loop_main(void *arg)
{
    struct http_server *server = arg;

    http_seam_serve(server);
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

static void woken(struct http_server *server, struct http_watch *watch, uint32_t events)
{
    uint64_t count;

    (void)server;
    (void)events;
    /* The eventfd is emptied before the inbox, so no wake-up is lost. */
    (void)!read(watch->fd, &count, sizeof(count));
}

static struct http_server *server_alloc(const struct http_options *options)
{
    struct http_server *server = xalloc(sizeof(*server));

    server->handler = options->handler;
    server->max_body_bytes = options->max_body_bytes;
    server->max_held_bytes = options->max_held_bytes;
    server->max_connections = options->max_connections;
    server->tls = options->tls;
    server->queues[PHASE_READING].timeout_ms = options->request_timeout_ms;
    server->queues[PHASE_SENDING].timeout_ms = options->request_timeout_ms;
    server->queues[PHASE_IDLE].timeout_ms = options->keep_alive_ms;
    server->queues[PHASE_LINGERING].timeout_ms = HTTP_LINGER_MS;
    server->wake = (struct http_watch){.fd = -1, .ready = woken};
    http_clients_init(server);
    TAILQ_INIT(&server->noted);
    TAILQ_INIT(&server->ready);
    server->scratch = xalloc(HTTP_READ_BYTES);
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
    return st == ST_OK ? watch_add(server, &server->wake, err) : st;
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
