/*
 * Accepts connections.
 *
 * At max_connections, or when descriptors or memory run out, the connection that has been idle
 * longest is cut to make room, or one that has its last answer and does not close, or one of a
 * client that has many and sends nothing whole. Until there is room, the sockets are not watched: newcomers wait in the kernel's queue, and the loop
 * does not spin on sockets that it cannot serve. If there is nobody to be cut, that is logged, at
 * most once a minute. A newcomer that fails by itself is skipped.
 */
#include "bridge/http/internal.h"

#include <errno.h>

#include <unistd.h>

#include "common/log.h"

enum {
    ACCEPTS_PER_TURN = 64, /* so that accepted connections get their turn */
    MIN_IDLE_MS = 1000,    /* only after this may a newcomer replace a kept connection */
    PAUSE_MS = 100,        /* after accept ran out of descriptors or memory */
    COMPLAINT_EVERY_MS = 60 * 1000,
};

static void watch_all(struct http_server *server, int op)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        /* Several servers may share a socket; a new connection need only wake one of them. */
        struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE,
                                    .data.ptr = &server->listeners[i]};

        CHECK(epoll_ctl(server->epoll_fd, op, server->listeners[i].fd, &event) == 0);
    }
    server->listening = op == EPOLL_CTL_ADD;
}

void http_listen_stop(struct http_server *server)
{
    if (server->listening) {
        watch_all(server, EPOLL_CTL_DEL);
    }
}

/* The oldest connection of the client that crowds others out, of those that have not sent a whole
 * request. However many it opens, it only loses its own. */
static struct http_connection *crowding(const struct http_server *server)
{
    const struct http_client *client = http_client_crowding(server);
    struct http_connection *c = client != NULL ? server->queues[PHASE_READING].first : NULL;

    while (c != NULL && c->client != client) {
        c = c->next;
    }
    return c;
}

static struct http_connection *replaceable(const struct http_server *server)
{
    struct http_connection *oldest = server->queues[PHASE_IDLE].first;
    struct http_connection *answered = server->queues[PHASE_LINGERING].first;

    if (oldest != NULL && server->now_ms - oldest->since_ms >= MIN_IDLE_MS) {
        return oldest;
    }
    return answered != NULL ? answered : crowding(server);
}

void http_listen_update(struct http_server *server)
{
    bool room =
        server->connection_count < server->max_connections || replaceable(server) != NULL;

    if (atomic_load(&server->quiesced)) {
        http_listen_stop(server);
    } else if (!server->listening && room && server->now_ms >= server->listen_again_ms) {
        watch_all(server, EPOLL_CTL_ADD);
    }
}

static void complain(struct http_server *server, const char *why)
{
    if (server->now_ms >= server->next_complaint_ms) {
        log_warn("new connections have to wait", L_STR("why", why),
                 L_INT("connections", server->connection_count));
        server->next_complaint_ms = server->now_ms + COMPLAINT_EVERY_MS;
    }
}

/* A newcomer waits, in the kernel's queue, and there is no room for it. False: nor is there now. */
static bool make_room(struct http_server *server, const char *why)
{
    struct http_connection *oldest = replaceable(server);

    if (oldest != NULL) {
        http_connection_cut(oldest);
    } else {
        complain(server, why);
    }
    return server->connection_count < server->max_connections;
}

static bool out_of_resources(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* True if it is worth trying the next newcomer. */
static bool accept_one(struct http_server *server, int listen_fd)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t peer_len = sizeof(peer);
    int fd =
        accept4(listen_fd, (struct sockaddr *)&peer, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (out_of_resources(errno)) {
            server->listen_again_ms = server->now_ms + PAUSE_MS;
            (void)make_room(server, "no more descriptors or memory");
            http_listen_stop(server); /* until http_listen_update finds that it may go on */
            return false;
        }
        /* Any other error concerns this one newcomer (accept(2), "Error handling"). */
        return errno != EAGAIN && errno != EINVAL && errno != EBADF;
    }
    http_connection_open(server, fd, (const struct sockaddr *)&peer);
    return true;
}

static void accept_newcomers(struct http_server *server, int listen_fd)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        bool full = server->connection_count >= server->max_connections;

        if (full && i > 0) {
            return; /* only the first one is known to wait */
        }
        if (full && !make_room(server, "max_connections is reached")) {
            http_listen_stop(server); /* until http_listen_update finds room */
            return;
        }
        if (!accept_one(server, listen_fd)) {
            return;
        }
    }
}

void http_listen_ready(struct http_server *server, struct http_watch *listener, uint32_t events)
{
    (void)server;
    (void)events;
    listener->knocked = true;
}

void http_listen_accept(struct http_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        struct http_watch *listener = &server->listeners[i];

        if (listener->knocked && server->listening) {
            accept_newcomers(server, listener->fd);
        }
        listener->knocked = false;
    }
}
