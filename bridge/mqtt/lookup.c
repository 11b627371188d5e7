/*
 * Host names to addresses.
 *
 * The system's resolver cannot be interrupted, and may take minutes. So each look-up has a thread
 * of its own, and whoever waits for it can stop waiting. An abandoned one ends by itself; asked for
 * the same name again, we wait for that one instead of starting another, so there is never more
 * than one thread for each server. This is the one thread that nobody joins: the process may end
 * while it is inside the resolver.
 */
#include "bridge/mqtt/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/thread.h"

struct lookup {
    char host[256];
    int done_fd;            /* readable once it is done */
    atomic_bool done;       /* the rest is there */
    atomic_uint references; /* ours, and its thread's */
    int code;               /* of getaddrinfo */
    int sys_errno;
    struct addrinfo *found;
    struct lookup *next; /* of those that were abandoned */
};

static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};

static void drop(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->references, 1) > 1) {
        return;
    }
    if (lookup->found != NULL) {
        freeaddrinfo(lookup->found);
    }
    (void)close(lookup->done_fd);
    free(lookup);
}

static void *lookup_main(void *arg)
{
    struct lookup *lookup = arg;
    uint64_t one = 1;

    lookup->code = getaddrinfo(lookup->host, NULL, &hints, &lookup->found);
    lookup->sys_errno = errno;
    atomic_store(&lookup->done, true);
    CHECK(write(lookup->done_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
    drop(lookup);
    return NULL;
}

/* NULL: err says why not. */
static struct lookup *start(const char *host, struct err *err)
{
    struct lookup *lookup = xalloc(sizeof(*lookup));
    pthread_t thread;

    (void)snprintf(lookup->host, sizeof(lookup->host), "%s", host); /* fits */
    atomic_init(&lookup->references, 2);
    lookup->done_fd = eventfd(0, EFD_CLOEXEC);
    if (lookup->done_fd < 0) {
        (void)err_set_errno(err, ST_IO, errno, "look up %s", host);
        free(lookup);
        return NULL;
    }
    if (thread_start(&thread, "lookup", lookup_main, lookup, err) != ST_OK) {
        (void)close(lookup->done_fd);
        free(lookup);
        return NULL;
    }
    CHECK(pthread_detach(thread) == 0);
    return lookup;
}

/* Takes the one for this host off the list; NULL: there is none. */
static struct lookup *take_abandoned(struct mqtt *mq, const char *host)
{
    for (struct lookup **at = &mq->lookups; *at != NULL; at = &(*at)->next) {
        struct lookup *lookup = *at;

        if (strcmp(lookup->host, host) == 0) {
            *at = lookup->next;
            return lookup;
        }
    }
    return NULL;
}

static enum status lookup_failed(const char *host, int code, int sys_errno, struct err *err)
{
    if (code == EAI_NONAME || code == EAI_NODATA) {
        return err_set(err, ST_UNREACHABLE, "name unknown: %s", host);
    }
    if (code == EAI_SYSTEM) {
        return err_set_errno(err, ST_UNREACHABLE, sys_errno, "look up %s", host);
    }
    return err_set(err, ST_UNREACHABLE, "look up %s: %s", host, gai_strerror(code));
}

/* Waits until fd is readable, or until_ms, or the bridge is stopping. */
static void wait_for(const struct mqtt *mq, int fd, int64_t until_ms)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = mq->stop_fd, .events = POLLIN}};
    int64_t left_ms = until_ms - clock_mono_ms();
    int n;

    do {
        n = poll(fds, COUNT_OF(fds), left_ms > 0 ? (int)left_ms : 0);
        CHECK(n >= 0 || errno == EINTR);
        left_ms = until_ms - clock_mono_ms();
    } while (n < 0);
}

enum status mqtt_lookup(struct mqtt *mq, const struct server *server, int64_t timeout_ms,
                        struct addrinfo **out_addresses, struct err *err)
{
    const struct addrinfo numeric = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct lookup *lookup;
    struct addrinfo *found;
    enum status st;

    if (server->literal) {
        int code = getaddrinfo(server->host, NULL, &numeric, &found);

        if (code != 0) {
            return lookup_failed(server->host, code, errno, err);
        }
        *out_addresses = found;
        return ST_OK;
    }
    lookup = take_abandoned(mq, server->host);
    if (lookup == NULL) {
        lookup = start(server->host, err);
        if (lookup == NULL) {
            return ST_UNREACHABLE;
        }
    }
    wait_for(mq, lookup->done_fd, clock_mono_ms() + timeout_ms);
    if (!atomic_load(&lookup->done)) {
        lookup->next = mq->lookups;
        mq->lookups = lookup;
        return err_set(err, ST_UNREACHABLE, "look up %s: no answer within %d s", server->host,
                       (int)(timeout_ms / 1000));
    }
    if (lookup->code != 0) {
        st = lookup_failed(server->host, lookup->code, lookup->sys_errno, err);
    } else {
        *out_addresses = lookup->found;
        lookup->found = NULL;
        st = ST_OK;
    }
    drop(lookup);
    return st;
}

void mqtt_lookups_abandon(struct mqtt *mq)
{
    while (mq->lookups != NULL) {
        struct lookup *lookup = mq->lookups;

        mq->lookups = lookup->next;
        drop(lookup);
    }
}
