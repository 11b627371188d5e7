/*
 * fake_broker - a broker that does what a test tells it, one connection at a time. It decodes MQTT
 * 5 and 3.1.1 by itself, so it records what any broker would have received.
 */
#ifndef TESTS_UNIT_LIB_FAKE_BROKER_H
#define TESTS_UNIT_LIB_FAKE_BROKER_H

#include <errno.h>
#include <stdio.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common/check.h"
#include "common/clock.h"

/* decide()'s answer to a PUBLISH: a reason code, or one of these. */
enum {
    FAKE_NO_ANSWER = -1,
    FAKE_CLOSE = -2,
    FAKE_STOP_READING = -3,
    FAKE_DISCONNECT = 0x1000 /* | reason code */
};

struct fake_message {
    unsigned connection; /* from 1 */
    char topic[128];
    char payload[256]; /* may be cut */
    size_t payload_len;
    int qos;
    bool retain;
    uint16_t packet_id;
    int answer;           /* decide()'s */
    char properties[512]; /* raw, MQTT 5 */
    size_t properties_len;
};

struct fake_broker {
    /* set before fake_broker_start */
    int version;
    const uint8_t *connack; /* a whole packet; NULL: accepted, no properties */
    size_t connack_len;
    int (*decide)(void *ctx,
                  const struct fake_message *message); /* NULL: acknowledges everything */
    void *ctx;
    int receive_buffer; /* bytes; 0: the system's */

    int listen_fd;
    int fd;
    int port;
    char server[64];
    pthread_t thread;

    pthread_mutex_t mu;
    pthread_cond_t changed;
    bool stop, stalled;
    unsigned connections;
    bool clean_end;   /* the last connection ended with DISCONNECT */
    int keep_alive_s; /* of the last CONNECT */
    struct fake_message *messages;
    size_t count, cap;
};

static inline bool fake_read(int fd, void *data, size_t len)
{
    char *at = data;

    while (len > 0) {
        ssize_t n = recv(fd, at, len, 0);

        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static inline void fake_write(int fd, const void *data, size_t len)
{
    (void)!send(fd, data, len, MSG_NOSIGNAL); /* a peer that is gone shows in the next read */
}

static inline bool fake_read_packet(int fd, uint8_t *out_head, uint8_t **out_body,
                                    size_t *out_len)
{
    size_t len = 0;
    uint8_t byte = 0x80;

    if (!fake_read(fd, out_head, 1)) {
        return false;
    }
    for (unsigned shift = 0; byte & 0x80; shift += 7) {
        if (!fake_read(fd, &byte, 1)) {
            return false;
        }
        len |= (size_t)(byte & 0x7f) << shift;
    }
    *out_body = xalloc(len + 1);
    *out_len = len;
    return fake_read(fd, *out_body, len);
}

static inline void fake_parse_publish(const struct fake_broker *broker, uint8_t head,
                                      const uint8_t *body, size_t len, struct fake_message *out)
{
    size_t topic_len = (size_t)body[0] << 8 | body[1];
    size_t at = 2 + topic_len;
    size_t kept = topic_len < sizeof(out->topic) - 1 ? topic_len : sizeof(out->topic) - 1;

    memcpy(out->topic, body + 2, kept);
    out->qos = head >> 1 & 3;
    out->retain = head & 1;
    if (out->qos > 0) {
        out->packet_id = (uint16_t)(body[at] << 8 | body[at + 1]);
        at += 2;
    }
    if (broker->version == 5) {
        size_t properties = body[at] & 0x7f;

        if (body[at++] & 0x80) {
            properties |= (size_t)body[at++] << 7;
        }
        out->properties_len =
            properties < sizeof(out->properties) ? properties : sizeof(out->properties);
        memcpy(out->properties, body + at, out->properties_len);
        at += properties;
    }
    out->payload_len = len - at;
    memcpy(out->payload, body + at,
           len - at < sizeof(out->payload) - 1 ? len - at : sizeof(out->payload) - 1);
}

static inline void fake_record(struct fake_broker *broker, const struct fake_message *message)
{
    CHECK(pthread_mutex_lock(&broker->mu) == 0);
    if (broker->count == broker->cap) {
        broker->cap = broker->cap == 0 ? 64 : broker->cap * 2;
        broker->messages = xrealloc(broker->messages, broker->cap * sizeof(*broker->messages));
    }
    broker->messages[broker->count++] = *message;
    CHECK(pthread_cond_broadcast(&broker->changed) == 0);
    CHECK(pthread_mutex_unlock(&broker->mu) == 0);
}

static inline void fake_acknowledge(const struct fake_broker *broker,
                                    const struct fake_message *message, int reason)
{
    uint8_t ack[] = {0x40, broker->version == 5 ? 3 : 2, (uint8_t)(message->packet_id >> 8),
                     (uint8_t)message->packet_id, (uint8_t)reason};

    if (message->qos > 0) {
        fake_write(broker->fd, ack, broker->version == 5 ? 5 : 4);
    }
}

/* False: the connection ends. */
static inline bool fake_on_publish(struct fake_broker *broker, uint8_t head,
                                   const uint8_t *body, size_t len)
{
    struct fake_message message = {.connection = broker->connections};
    int answer;

    fake_parse_publish(broker, head, body, len, &message);
    answer = broker->decide != NULL ? broker->decide(broker->ctx, &message) : 0;
    message.answer = answer;
    fake_record(broker, &message);
    if (answer == FAKE_STOP_READING) {
        CHECK(pthread_mutex_lock(&broker->mu) == 0);
        broker->stalled = true;
        CHECK(pthread_cond_broadcast(&broker->changed) == 0);
        while (!broker->stop && broker->stalled) {
            CHECK(pthread_cond_wait(&broker->changed, &broker->mu) == 0);
        }
        CHECK(pthread_mutex_unlock(&broker->mu) == 0);
        return false;
    }
    if (answer >= FAKE_DISCONNECT) {
        uint8_t goodbye[] = {0xE0, 2, (uint8_t)answer, 0};

        /* With unread bytes, a close would send a reset, which may overtake the reason. */
        uint8_t rest[256];

        fake_write(broker->fd, goodbye, sizeof(goodbye));
        (void)shutdown(broker->fd, SHUT_WR);
        while (recv(broker->fd, rest, sizeof(rest), 0) > 0) {
        }
        return false;
    }
    if (answer >= 0) {
        fake_acknowledge(broker, &message, answer);
    }
    return answer != FAKE_CLOSE;
}

static inline void fake_on_connect(struct fake_broker *broker, const uint8_t *body)
{
    static const uint8_t yes5[] = {0x20, 3, 0, 0, 0};
    static const uint8_t yes4[] = {0x20, 2, 0, 0};

    CHECK(pthread_mutex_lock(&broker->mu) == 0);
    broker->keep_alive_s =
        body[8] << 8 | body[9]; /* after 2 + "MQTT", the version and the flags */
    broker->clean_end = false;
    CHECK(pthread_mutex_unlock(&broker->mu) == 0);
    if (broker->connack != NULL) {
        fake_write(broker->fd, broker->connack, broker->connack_len);
    } else if (broker->version == 5) {
        fake_write(broker->fd, yes5, sizeof(yes5));
    } else {
        fake_write(broker->fd, yes4, sizeof(yes4));
    }
}

static inline void fake_serve(struct fake_broker *broker)
{
    static const uint8_t pong[] = {0xD0, 0};
    uint8_t head;
    uint8_t *body = NULL;
    size_t len;
    bool open = true;

    while (open && fake_read_packet(broker->fd, &head, &body, &len)) {
        if (head >> 4 == 1) {
            fake_on_connect(broker, body);
        } else if (head >> 4 == 3) {
            open = fake_on_publish(broker, head, body, len);
        } else if (head >> 4 == 12) {
            fake_write(broker->fd, pong, sizeof(pong));
        } else if (head >> 4 == 14) {
            CHECK(pthread_mutex_lock(&broker->mu) == 0);
            broker->clean_end = len == 0 || body[0] == 0;
            CHECK(pthread_mutex_unlock(&broker->mu) == 0);
        }
        free(body);
        body = NULL;
    }
    free(body);
}

static inline void *fake_main(void *arg)
{
    struct fake_broker *broker = arg;
    int one = 1;

    for (;;) {
        int fd = accept4(broker->listen_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0) {
            return NULL; /* shut down by fake_broker_stop */
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        CHECK(pthread_mutex_lock(&broker->mu) == 0);
        broker->fd = fd;
        broker->connections++;
        CHECK(pthread_cond_broadcast(&broker->changed) == 0);
        CHECK(pthread_mutex_unlock(&broker->mu) == 0);
        fake_serve(broker);
        CHECK(pthread_mutex_lock(&broker->mu) == 0);
        broker->fd = -1;
        CHECK(pthread_mutex_unlock(&broker->mu) == 0);
        CHECK(close(fd) == 0);
    }
}

static inline void fake_broker_start(struct fake_broker *broker)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    pthread_condattr_t attr;
    int one = 1;

    CHECK(pthread_mutex_init(&broker->mu, NULL) == 0);
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&broker->changed, &attr) == 0);
    CHECK(pthread_condattr_destroy(&attr) == 0);
    broker->fd = -1;
    broker->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(broker->listen_fd >= 0);
    CHECK(setsockopt(broker->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
    if (broker->receive_buffer > 0) { /* accepted sockets inherit it */
        CHECK(setsockopt(broker->listen_fd, SOL_SOCKET, SO_RCVBUF, &broker->receive_buffer,
                         sizeof(int)) == 0);
    }
    address.sin_port = htons((uint16_t)broker->port);
    CHECK(bind(broker->listen_fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(listen(broker->listen_fd, 8) == 0);
    CHECK(getsockname(broker->listen_fd, (struct sockaddr *)&address, &len) == 0);
    broker->port = ntohs(address.sin_port);
    (void)snprintf(broker->server, sizeof(broker->server), "mqtt://127.0.0.1:%d", broker->port);
    CHECK(pthread_create(&broker->thread, NULL, fake_main, broker) == 0);
}

/* Cuts the connection that is open, as a crashing broker would. */
static inline void fake_broker_cut(struct fake_broker *broker)
{
    CHECK(pthread_mutex_lock(&broker->mu) == 0);
    broker->stalled = false;
    if (broker->fd >= 0) {
        (void)shutdown(broker->fd, SHUT_RDWR);
    }
    CHECK(pthread_cond_broadcast(&broker->changed) == 0);
    CHECK(pthread_mutex_unlock(&broker->mu) == 0);
}

static inline void fake_broker_stop(struct fake_broker *broker)
{
    CHECK(pthread_mutex_lock(&broker->mu) == 0);
    broker->stop = true;
    CHECK(pthread_mutex_unlock(&broker->mu) == 0);
    CHECK(shutdown(broker->listen_fd, SHUT_RDWR) == 0);
    fake_broker_cut(broker);
    CHECK(pthread_join(broker->thread, NULL) == 0);
    CHECK(close(broker->listen_fd) == 0);
    CHECK(pthread_cond_destroy(&broker->changed) == 0);
    CHECK(pthread_mutex_destroy(&broker->mu) == 0);
    free(broker->messages);
}

/* Waits until done() says so; false: not within the time. */
static inline bool fake_wait(struct fake_broker *broker,
                             bool (*done)(const struct fake_broker *broker, size_t want),
                             size_t want, int64_t timeout_ms)
{
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    bool ok;
    int rc = 0;

    CHECK(pthread_mutex_lock(&broker->mu) == 0);
    while (!(ok = done(broker, want)) && rc == 0) {
        rc = pthread_cond_timedwait(&broker->changed, &broker->mu, &until);
    }
    CHECK(pthread_mutex_unlock(&broker->mu) == 0);
    return ok;
}

#endif
