/*
 * What libmicrohttpd asks of the kernel, answered by us. The Makefile links Debian's static library
 * with these names in the place of its system calls; nothing else in the program has them.
 *
 *   recv                    what the guard hands on
 *   send, sendmsg           to the socket; without MSG_MORE, as an answer is sent in one piece
 *   epoll_ctl, epoll_wait   which connections it waits for, and which of them have something
 *                           for it: our loop knows, and no other epoll set is needed
 *   close, shutdown         the connection's end, where we may linger
 *   setsockopt, write       for its cork and its wake-up, which have no use here
 *
 * The library calls from the loop thread, but for its start: then there is no server yet, and its
 * descriptors are its own, as they are whenever no connection of ours has them.
 */
#include "bridge/http/internal.h"

#include <errno.h>

#include <unistd.h>

static _Thread_local struct http_server *served;

void http_seam_serve(struct http_server *server)
{
    served = server;
}

static struct http_connection *find(int fd)
{
    return served != NULL ? http_connection_find(served, fd) : NULL;
}

/* The library's names for what follows; the Makefile has the list. */
ssize_t http_seam_recv(int fd, void *data, size_t room, int flags);
ssize_t http_seam_send(int fd, const void *data, size_t len, int flags);
ssize_t http_seam_sendmsg(int fd, const struct msghdr *message, int flags);
int http_seam_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int http_seam_epoll_wait(int epoll_fd, struct epoll_event *events, int room, int timeout_ms);
int http_seam_close(int fd);
int http_seam_shutdown(int fd, int how);
int http_seam_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
ssize_t http_seam_write(int fd, const void *data, size_t len);

ssize_t http_seam_recv(int fd, void *data, size_t room, int flags)
{
    struct http_connection *connection = find(fd);

    (void)flags;
    CHECK(connection != NULL);
    return http_guard_feed(connection, data, room);
}

static ssize_t note_sent(struct http_connection *connection, ssize_t sent)
{
    if (sent < 0 && errno == EAGAIN) {
        connection->writable = false;
    }
    return sent;
}

ssize_t http_seam_send(int fd, const void *data, size_t len, int flags)
{
    struct http_connection *connection = find(fd);

    (void)flags;
    CHECK(connection != NULL);
    return note_sent(connection, http_transport_send(connection, data, len));
}

ssize_t http_seam_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct http_connection *connection = find(fd);

    (void)flags;
    CHECK(connection != NULL);
    return note_sent(connection, http_transport_sendmsg(connection, message));
}

int http_seam_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
    struct http_connection *connection = find(fd);

    (void)epoll_fd;
    if (connection != NULL) {
        connection->watched = op == EPOLL_CTL_ADD;
        if (connection->watched) {
            connection->known_as = event->data;
            http_connection_pass(connection); /* as epoll would, of what is there already */
        }
    }
    return 0;
}

int http_seam_epoll_wait(int epoll_fd, struct epoll_event *events, int room, int timeout_ms)
{
    struct http_connection *connection;
    int count = 0;

    (void)epoll_fd;
    (void)timeout_ms; /* the loop has waited */
    while (count < room && (connection = TAILQ_FIRST(&served->ready)) != NULL) {
        http_connection_unlist(connection);
        if (connection->watched) { /* else the library looks at it by itself */
            events[count++] = (struct epoll_event){
                .events = connection->phase == PHASE_CUT
                              ? EPOLLHUP
                              : (http_guard_has_more(connection) ? EPOLLIN : 0) |
                                    (connection->writable ? EPOLLOUT : 0),
                .data = connection->known_as,
            };
        }
    }
    return count;
}

int http_seam_close(int fd)
{
    struct http_connection *connection = find(fd);

    if (connection == NULL) {
        return close(fd);
    }
    http_connection_close(connection);
    return 0;
}

int http_seam_shutdown(int fd, int how)
{
    (void)fd;
    (void)how;
    return 0;
}

int http_seam_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    (void)fd;
    (void)level;
    (void)name;
    (void)value;
    (void)len;
    return 0;
}

ssize_t http_seam_write(int fd, const void *data, size_t len)
{
    (void)fd;
    (void)data;
    return (ssize_t)len;
}
