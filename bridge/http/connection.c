/*
 * A connection from its begin to its end; its phases and their deadlines; lingering.
 *
 * A connection is in one queue, that of its phase. All in a queue have the same time limit, so
 * its first one is due first. A connection past its deadline is closed; if the library has it,
 * it is shut down, which the library notices in its next run.
 *
 * When we end a connection, the peer may still be sending: a body that was refused, or something
 * behind its last request. Closing a socket with unread bytes makes the kernel send a reset, which
 * can destroy the answer before the peer has read it. So for at most HTTP_LINGER_MS we read and
 * discard, and close when the peer does (RFC 9112 section 9.6).
 */
#include "bridge/http/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/tcp.h>
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

struct http_connection *http_connection_find(const struct http_server *server, int fd)
{
    return fd >= 0 && (size_t)fd < server->by_fd_count ? server->by_fd[fd] : NULL;
}

static void note_fd(struct http_server *server, int fd, struct http_connection *connection)
{
    while ((size_t)fd >= server->by_fd_count) {
        server->by_fd = xrealloc(server->by_fd,
                                 (server->by_fd_count + 1) * sizeof(struct http_connection *));
        server->by_fd[server->by_fd_count++] = NULL;
    }
    server->by_fd[fd] = connection;
}

void http_connection_unlist(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    if (connection->list != NULL) {
        server->noted_count -= connection->list == &server->noted;
        TAILQ_REMOVE(connection->list, connection, listed);
        connection->list = NULL;
    }
}

static void enlist(struct http_connection *connection, struct http_list *list)
{
    connection->list = list;
    TAILQ_INSERT_TAIL(list, connection, listed);
}

void http_connection_note(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    if (connection->list != &server->noted) {
        http_connection_unlist(connection);
        enlist(connection, &server->noted);
        server->noted_count++;
    }
}

void http_connection_pass(struct http_connection *connection)
{
    if (connection->list == NULL) { /* else it is passed when it has been looked at */
        enlist(connection, &connection->server->ready);
    }
}

/* Edge-triggered: each event tells of all that is there now. */
static void ready(struct http_server *server, struct http_watch *watch, uint32_t events)
{
    struct http_connection *connection = INBOX_ITEM(watch, struct http_connection, watch);

    (void)server;
    connection->closing |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    connection->readable |= connection->closing || (events & EPOLLIN) != 0;
    connection->writable |= (events & EPOLLOUT) != 0;
    connection->emptied &= !connection->readable;
    /* TLS may have to write before it can read on. */
    connection->readable |= connection->ssl != NULL && (events & EPOLLOUT) != 0;
    http_connection_note(connection);
}

void http_connection_open(struct http_server *server, int fd, const struct sockaddr *peer)
{
    struct http_connection *connection = xalloc(sizeof(*connection));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = &connection->watch};
    int on = 1;

    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) { /* no memory */
        (void)close(fd);
        free(connection);
        return;
    }
    /* An answer is sent in one piece, so there is nothing to wait for. Not for a unix socket. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection->server = server;
    connection->watch = (struct http_watch){.fd = fd, .ready = ready};
    connection->peer.any.sa_family = peer->sa_family;
    if (peer->sa_family == AF_INET) {
        connection->peer.in = *(const struct sockaddr_in *)(const void *)peer;
    } else if (peer->sa_family == AF_INET6) {
        connection->peer.in6 = *(const struct sockaddr_in6 *)(const void *)peer;
    }
    connection->client = http_client_take(server, &connection->peer);
    http_transport_open(connection);
    note_fd(server, fd, connection);
    queue_add(connection, PHASE_READING);
    count_connection(server, +1);
}

static void destroy(struct http_connection *connection)
{
    http_connection_unlist(connection);
    queue_remove(connection);
    http_client_drop(connection->server, connection->client);
    count_connection(connection->server, -1);
    note_fd(connection->server, connection->watch.fd, NULL);
    http_transport_end(connection);
    (void)close(connection->watch.fd);
    buf_free(&connection->in);
    free(connection);
}

/* Reads and discards some of the bytes that have arrived, as they are. True when the peer has closed or is
 * gone. */
static bool drained(struct http_connection *connection)
{
    char waste[16 * 1024];
    ssize_t len = 1;

    for (int i = 0; i < READS_PER_TURN && len > 0; i++) {
        len = recv(connection->watch.fd, waste, sizeof(waste), 0);
    }
    if (len > 0) {
        http_connection_note(connection); /* there is more */
    }
    return len == 0 || (len < 0 && errno != EAGAIN);
}

void http_connection_discard(struct http_connection *connection)
{
    if (drained(connection)) {
        destroy(connection);
    }
}

void http_connection_close(struct http_connection *connection)
{
    http_transport_end(connection);
    if (connection->phase == PHASE_CUT || drained(connection)) {
        destroy(connection);
        return;
    }
    (void)shutdown(connection->watch.fd, SHUT_WR); /* fails if the peer was faster */
    buf_free(&connection->in);
    http_connection_enter(connection, PHASE_LINGERING);
}

void http_connection_cut(struct http_connection *connection)
{
    http_connection_enter(connection, PHASE_CUT);
    if (connection->mhd == NULL) {
        destroy(connection);
        return;
    }
    /* The library notices in its next run, and closes it. */
    http_transport_end(connection);
    (void)shutdown(connection->watch.fd, SHUT_RDWR); /* fails if the peer was faster */
    connection->refused = true;
    http_connection_pass(connection);
}

static void report_timeout(struct http_connection *connection)
{
    struct http_request *request = connection->request;

    if (request == NULL) { /* if no request line has come, there is only a peer to report */
        request = http_request_take(connection);
        http_report_refusal(request, REJECT_TIMEOUT, NULL);
        http_request_give_back(request);
    } else if (request->fault.message == NULL) { /* else it was refused, and its body went on */
        http_report_refusal(request, REJECT_TIMEOUT, NULL);
    }
}

static void expire(struct http_connection *connection)
{
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

void http_connections_close(struct http_server *server)
{
    for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
        struct http_connection *next;

        for (struct http_connection *c = server->queues[phase].first; c != NULL; c = next) {
            next = c->next;
            destroy(c);
        }
    }
}
