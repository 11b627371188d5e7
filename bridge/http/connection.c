/*
 * The phases of a connection and their deadlines; lingering.
 *
 * A connection is in one queue, that of its phase. All in a queue have the same time limit, so
 * its first one is due first. A connection past its deadline is shut down, which the library
 * notices in its next run and closes.
 *
 * A request that is refused before its body was read ends the connection while the peer may
 * still be sending. Closing a socket with unread bytes makes the kernel send a reset, which can
 * destroy the answer before the peer has read it. So when the library closes its descriptor, we
 * keep a duplicate for at most HTTP_LINGER_MS, read and discard, and close when the peer does.
 * If that is impossible (no descriptor left), the answer may be lost.
 */
#include "bridge/http/internal.h"

#include <errno.h>
#include <stdlib.h>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { READS_PER_TURN = 16 };

static void queue_remove(struct http_connection *connection)
{
    struct http_queue *queue = &connection->server->queues[connection->phase];

    if (connection->prev != NULL) {
        connection->prev->next = connection->next;
    } else {
        queue->first = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->prev = connection->prev;
    } else {
        queue->last = connection->prev;
    }
}

static void queue_add(struct http_connection *connection, enum http_phase phase)
{
    struct http_queue *queue = &connection->server->queues[phase];

    connection->phase = phase;
    connection->since_ms = connection->server->now_ms;
    connection->deadline_ms = connection->since_ms + queue->timeout_ms;
    connection->next = NULL;
    connection->prev = queue->last;
    if (queue->last != NULL) {
        queue->last->next = connection;
    } else {
        queue->first = connection;
    }
    queue->last = connection;
}

void http_connection_enter(struct http_connection *connection, enum http_phase phase)
{
    queue_remove(connection);
    queue_add(connection, phase);
}

static void count_connection(struct http_server *server, int change)
{
    server->connection_count += (unsigned)change;
    if (server->handler.connection != NULL) {
        server->handler.connection(server->handler.ctx, change);
    }
}

struct http_connection *http_connection_open(struct http_server *server,
                                             struct MHD_Connection *mhd, int fd,
                                             const struct sockaddr *peer)
{
    struct http_connection *connection = xalloc(sizeof(*connection));

    connection->server = server;
    connection->mhd = mhd;
    connection->watch.fd = fd;
    /* Its first bytes may be so wrong that the library closes it without calling us. */
    connection->linger = true;
    connection->peer.any.sa_family = peer->sa_family;
    if (peer->sa_family == AF_INET) {
        connection->peer.in = *(const struct sockaddr_in *)(const void *)peer;
    } else if (peer->sa_family == AF_INET6) {
        connection->peer.in6 = *(const struct sockaddr_in6 *)(const void *)peer;
    }
    queue_add(connection, PHASE_READING);
    count_connection(server, +1);
    return connection;
}

static void forget(struct http_connection *connection)
{
    queue_remove(connection);
    count_connection(connection->server, -1);
    free(connection);
}

/* Reads and discards some of the bytes that have arrived. True when the peer has closed or is
 * gone. */
static bool drained(int fd)
{
    char waste[16 * 1024];
    ssize_t len = 1;

    for (int i = 0; i < READS_PER_TURN && len > 0; i++) {
        len = recv(fd, waste, sizeof(waste), MSG_DONTWAIT);
    }
    return len == 0 || (len < 0 && errno != EAGAIN);
}

static void end_lingering(struct http_connection *connection)
{
    /* This also removes it from the epoll set: the library has closed its own descriptor. */
    (void)close(connection->watch.fd);
    forget(connection);
}

static void linger_ready(struct http_server *server, struct http_watch *watch)
{
    struct http_connection *connection = INBOX_ITEM(watch, struct http_connection, watch);

    (void)server;
    if (drained(watch->fd)) {
        end_lingering(connection);
    }
}

/* Starts to linger. False: there is no need to, or no descriptor for it. */
static bool linger(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connection->watch};
    int fd;

    if (!connection->linger || connection->phase == PHASE_CUT ||
        drained(connection->watch.fd)) {
        return false;
    }
    fd = fcntl(connection->watch.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        (void)close(fd);
        return false;
    }
    connection->mhd = NULL;
    connection->watch = (struct http_watch){.fd = fd, .ready = linger_ready};
    http_connection_enter(connection, PHASE_LINGERING);
    return true;
}

void http_connection_close(struct http_connection *connection)
{
    if (!linger(connection)) {
        forget(connection);
    }
}

void http_connection_cut(struct http_connection *connection)
{
    /* The library notices in its next run, and closes it. */
    (void)shutdown(connection->watch.fd, SHUT_RDWR); /* fails if the peer was faster */
    http_connection_enter(connection, PHASE_CUT);
}

static void report_timeout(struct http_connection *connection)
{
    struct http_request *request = connection->request;

    if (request == NULL) { /* no request line has come, so there is only a peer to report */
        request = http_request_take(connection->server);
        request->peer = connection->peer;
        http_report_refusal(request, REJECT_TIMEOUT, NULL);
        http_request_give_back(request);
    } else if (request->fault.message == NULL) { /* else it was refused, and its body went on */
        http_report_refusal(request, REJECT_TIMEOUT, NULL);
    }
}

static void expire(struct http_connection *connection)
{
    if (connection->phase == PHASE_LINGERING) {
        end_lingering(connection);
        return;
    }
    if (connection->phase == PHASE_READING) {
        report_timeout(connection);
    }
    http_connection_cut(connection);
}

void http_connections_expire(struct http_server *server)
{
    for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
        const struct http_queue *queue = &server->queues[phase];
        struct http_connection *next;

        for (struct http_connection *c = queue->first;
             c != NULL && queue->timeout_ms > 0 && c->deadline_ms <= server->now_ms; c = next) {
            next = c->next;
            expire(c);
        }
    }
}

int http_connections_wait_ms(const struct http_server *server)
{
    int64_t wait_ms = THREAD_TURN_MS;

    for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
        const struct http_queue *queue = &server->queues[phase];

        if (queue->timeout_ms > 0 && queue->first != NULL &&
            queue->first->deadline_ms - server->now_ms < wait_ms) {
            wait_ms = queue->first->deadline_ms - server->now_ms;
        }
    }
    return wait_ms > 0 ? (int)wait_ms : 0;
}

void http_connections_end_lingering(struct http_server *server)
{
    struct http_connection *next;

    for (struct http_connection *c = server->queues[PHASE_LINGERING].first; c != NULL;
         c = next) {
        next = c->next;
        end_lingering(c);
    }
}
