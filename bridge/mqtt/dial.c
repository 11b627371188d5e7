/*
 * A TCP connection to a server, whichever of its addresses answers.
 *
 * A name may have several addresses, and some of them may lead nowhere. They are tried in the order
 * of the resolver (RFC 6724), the families in turn; the next one starts when one has failed, or
 * after ATTEMPT_DELAY_MS without an answer, and the first that connects is taken (RFC 8305). If what
 * is there turns out to be no broker, the caller dials on, with those that are left.
 */
#include "bridge/mqtt/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <unistd.h>

#include "common/clock.h"

enum { ATTEMPT_DELAY_MS = 250 }; /* RFC 8305, section 8 */

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)address)->sin_port = htons(port);
    }
}

static void add_address(struct dial *dial, const struct addrinfo *found, uint16_t port)
{
    struct dial_address *one = &dial->addresses[dial->count++];
    char host[NI_MAXHOST];

    *one = (struct dial_address){.fd = -1, .len = found->ai_addrlen};
    memcpy(&one->address, found->ai_addr, found->ai_addrlen);
    set_port(&one->address, port);
    if (getnameinfo((const struct sockaddr *)&one->address, one->len, host, sizeof(host), NULL,
                    0, NI_NUMERICHOST) != 0) {
        (void)snprintf(host, sizeof(host), "?");
    }
    (void)snprintf(one->text, sizeof(one->text),
                   found->ai_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port); /* fits */
}

static const struct addrinfo *next_of(const struct addrinfo *at, int family, bool same)
{
    while (at != NULL && ((at->ai_family == family) != same ||
                          (at->ai_family != AF_INET && at->ai_family != AF_INET6))) {
        at = at->ai_next;
    }
    return at;
}

/* The resolver's first family and the other one in turn; each in the resolver's order. */
static void sort_addresses(struct dial *dial, const struct addrinfo *found, uint16_t port)
{
    int family = found->ai_family;
    const struct addrinfo *same = next_of(found, family, true);
    const struct addrinfo *other = next_of(found, family, false);

    while ((same != NULL || other != NULL) && dial->count < DIAL_MAX_ADDRESSES) {
        if (same != NULL) {
            add_address(dial, same, port);
            same = next_of(same->ai_next, family, true);
        }
        if (other != NULL && dial->count < DIAL_MAX_ADDRESSES) {
            add_address(dial, other, port);
            other = next_of(other->ai_next, family, false);
        }
    }
}

enum status mqtt_dial_begin(struct mqtt *mq, const struct server *server, struct dial *out_dial,
                            struct err *err)
{
    int64_t timeout_ms = (int64_t)mq->options.connect_timeout_s * 1000;
    struct dial dial = {.mq = mq, .timeout_ms = timeout_ms};
    struct addrinfo *found;
    enum status st = mqtt_lookup(mq, server, timeout_ms, &found, err);

    if (st != ST_OK) {
        return st;
    }
    sort_addresses(&dial, found, server->port);
    freeaddrinfo(found);
    *out_dial = dial;
    return ST_OK;
}

static void give_up(struct dial_address *one, int sys_errno)
{
    if (one->fd >= 0) {
        (void)close(one->fd);
        one->fd = -1;
    }
    one->sys_errno = sys_errno;
    one->tried = true;
}

static void start(struct dial_address *one)
{
    one->tried = true;
    one->fd = socket(one->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (one->fd < 0 ||
        (connect(one->fd, (const struct sockaddr *)&one->address, one->len) != 0 &&
         errno != EINPROGRESS)) {
        give_up(one, errno);
    }
}

/* False: every address has been tried. */
static bool start_next(struct dial *dial)
{
    for (size_t i = 0; i < dial->count; i++) {
        if (!dial->addresses[i].tried) {
            start(&dial->addresses[i]);
            return true;
        }
    }
    return false;
}

/* The first that is connected; NULL: none yet. Those that failed are given up. */
static struct dial_address *collect(struct dial *dial, const struct pollfd *fds)
{
    for (size_t i = 0; i < dial->count; i++) {
        struct dial_address *one = &dial->addresses[i];
        int failed = 0;
        socklen_t len = sizeof(failed);

        if (one->fd < 0 || fds[i].revents == 0) {
            continue;
        }
        CHECK(getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &failed, &len) == 0);
        if (failed == 0) {
            return one;
        }
        give_up(one, failed);
    }
    return NULL;
}

static size_t count_pending(const struct dial *dial)
{
    size_t count = 0;

    for (size_t i = 0; i < dial->count; i++) {
        count += dial->addresses[i].fd >= 0;
    }
    return count;
}

/* Waits until something changes or until_ms. False: the bridge is stopping. */
static bool wait_any(struct dial *dial, struct pollfd fds[DIAL_MAX_ADDRESSES + 1],
                     int64_t until_ms)
{
    int64_t left_ms = until_ms - clock_mono_ms();

    for (size_t i = 0; i < dial->count; i++) {
        fds[i] = (struct pollfd){.fd = dial->addresses[i].fd, .events = POLLOUT};
    }
    fds[dial->count] = (struct pollfd){.fd = dial->mq->stop_fd, .events = POLLIN};
    if (poll(fds, dial->count + 1, left_ms > 0 ? (int)left_ms : 0) < 0) {
        CHECK(errno == EINTR);
    }
    return !atomic_load(&dial->mq->stopping);
}

/* The others wait for another turn. */
static struct dial_address *take(struct dial *dial, struct dial_address *winner)
{
    for (size_t i = 0; i < dial->count; i++) {
        struct dial_address *one = &dial->addresses[i];

        if (one != winner && one->fd >= 0) {
            give_up(one, 0);
            one->tried = false;
        }
    }
    return winner;
}

struct dial_address *mqtt_dial_next(struct dial *dial)
{
    struct pollfd fds[DIAL_MAX_ADDRESSES + 1] = {{.fd = -1}};
    int64_t end_ms = clock_mono_ms() + dial->timeout_ms;
    struct dial_address *winner = NULL;
    bool more = true;

    while (winner == NULL && clock_mono_ms() < end_ms) {
        int64_t until_ms = end_ms;

        more = more && start_next(dial);
        if (more) {
            until_ms = clock_mono_ms() + (count_pending(dial) > 0 ? ATTEMPT_DELAY_MS : 0);
        } else if (count_pending(dial) == 0) {
            return NULL;
        }
        if (!wait_any(dial, fds, until_ms)) {
            break;
        }
        winner = collect(dial, fds);
    }
    if (winner != NULL) {
        return take(dial, winner);
    }
    for (size_t i = 0; i < dial->count; i++) {
        if (dial->addresses[i].fd >= 0) {
            give_up(&dial->addresses[i], ETIMEDOUT);
        }
    }
    return NULL;
}
