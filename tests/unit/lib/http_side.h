/*
 * http_side - both sides of a test over HTTP: a server whose handler answers at once, refuses
 * at the head or hands the request to the test; and a client that reads the bytes on the wire.
 */
#ifndef TESTS_UNIT_LIB_HTTP_SIDE_H
#define TESTS_UNIT_LIB_HTTP_SIDE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/net.h"

#include "bridge/http/http.h"

enum { DEADLINE_MS = 10 * 1000, MAX_BODY = 1000, MAX_PENDING = 64, TEXT_SIZE = 512 };

/* --- the server's side --- */

static struct {
    pthread_mutex_t mu;
    pthread_cond_t changed;
    /* under mu */
    struct http_request *pending[MAX_PENDING];
    size_t pending_count;
    /* Each request that passes its head either completes its body or is reported gone. */
    unsigned passed_count, body_count, gone_count;
    unsigned refused_count;
    unsigned refused_last;
    int connection_count;
    char seen[TEXT_SIZE]; /* the last head, as the handler read it */
} side = {.mu = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct http_server *server;
static int listen_fds[3];
static size_t listen_count;

static inline void lock(void)
{
    CHECK(pthread_mutex_lock(&side.mu) == 0);
}

static inline void unlock(void)
{
    CHECK(pthread_mutex_unlock(&side.mu) == 0);
}

static inline void changed(void)
{
    CHECK(pthread_cond_broadcast(&side.changed) == 0);
}

/* The caller has locked side.mu. False after the deadline. */
static inline bool wait_changed(void)
{
    struct timespec at;

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &at), 0);
    at.tv_sec += DEADLINE_MS / 1000;
    return pthread_cond_timedwait(&side.changed, &side.mu, &at) == 0;
}

static inline void answer_text(struct http_request *request, unsigned status, struct slice text)
{
    http_answer(request, &(struct http_answer){.status = status, .body = text});
}

static inline void see_head(struct http_request *request)
{
    struct slice first, method = http_method(request), path = http_path(request);
    size_t count = http_header(request, "X-Test", &first, 1);
    char peer[HTTP_PEER_SIZE];

    http_peer(request, peer);
    lock();
    snprintf(side.seen, sizeof(side.seen), "%.*s %.*s x-test=%zu:%.*s peer=%.9s",
             SLICE_ARG(method), SLICE_ARG(path), count, SLICE_ARG(first), peer);
    unlock();
}

static inline void on_head(void *ctx, struct http_request *request)
{
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer;

    (void)ctx;
    see_head(request);
    if (slice_equal(http_path(request), SLICE("/refused"))) {
        answer = http_error(REJECT_METHOD, "no", text);
        answer.allow = "POST";
        answer.challenge = "Bearer";
        http_answer(request, &answer);
        return;
    }
    lock();
    side.passed_count++;
    *(unsigned *)http_request_state(request) = side.passed_count;
    changed();
    unlock();
}

static inline void on_gone(void *ctx, struct http_request *request)
{
    (void)ctx;
    lock();
    assert_in_range(*(unsigned *)http_request_state(request), 1, side.passed_count);
    side.gone_count++;
    changed();
    unlock();
}

static inline void on_body(void *ctx, struct http_request *request)
{
    struct slice path = http_path(request);

    (void)ctx;
    lock();
    side.body_count++;
    if (slice_equal(path, SLICE("/later"))) {
        side.pending[side.pending_count++] = request;
        changed();
        unlock();
        return;
    }
    unlock();
    if (slice_equal(path, SLICE("/large"))) {
        static char large[8 << 20];

        answer_text(request, 200, (struct slice){large, sizeof(large)});
    } else {
        answer_text(request, 200, http_body(request));
    }
}

static inline void on_refused(void *ctx, struct http_request *request, enum reject reason,
                              const char *why)
{
    (void)ctx;
    (void)request;
    (void)why;
    lock();
    side.refused_count++;
    side.refused_last = reject_status(reason);
    changed();
    unlock();
}

static inline void on_connection(void *ctx, int change)
{
    (void)ctx;
    lock();
    side.connection_count += change;
    changed();
    unlock();
}

static const struct http_options usual = {
    .name = "test",
    .handler = {.head = on_head,
                .body = on_body,
                .gone = on_gone,
                .refused = on_refused,
                .connection = on_connection},
    .max_body_bytes = MAX_BODY,
    .max_held_bytes = 64 << 20,
    .max_connections = 100,
    .request_timeout_ms = DEADLINE_MS,
    .keep_alive_ms = 2 * DEADLINE_MS,
};

static inline int listen_at(const char *text)
{
    struct net_address address;
    struct err err = {0};
    int fd = -1;

    if (net_parse_address(text, &address, &err) != ST_OK ||
        net_listen(&address, &fd, &err) != ST_OK) {
        fail_msg("%s", err.text);
    }
    return fd;
}

static inline void start_at(struct http_options options, const char *const *addresses)
{
    struct err err = {0};

    for (listen_count = 0; addresses[listen_count] != NULL; listen_count++) {
        listen_fds[listen_count] = listen_at(addresses[listen_count]);
    }
    options.listen_fds = listen_fds;
    options.listen_count = listen_count;
    if (http_start(&options, &server, &err) != ST_OK) {
        fail_msg("%s", err.text);
    }
}

static inline void start(struct http_options options)
{
    start_at(options, (const char *const[]){"127.0.0.1:0", NULL});
}

static inline int set_up(void **state)
{
    (void)state;
    side.pending_count = 0;
    side.passed_count = side.body_count = side.gone_count = 0;
    side.refused_count = side.refused_last = 0;
    side.connection_count = 0;
    return 0;
}

static inline void stop(int64_t timeout_ms)
{
    http_stop(server, timeout_ms);
    if (server != NULL) {
        assert_int_equal(side.passed_count, side.body_count + side.gone_count);
    }
    server = NULL;
    while (listen_count > 0) {
        close(listen_fds[--listen_count]);
    }
}

static inline int tear_down(void **state)
{
    (void)state;
    stop(0); /* after a failed test; NULL is allowed */
    return 0;
}

static inline struct http_request *take_pending(void)
{
    struct http_request *request = NULL;

    lock();
    while (side.pending_count == 0 && wait_changed()) {
    }
    if (side.pending_count > 0) {
        request = side.pending[0];
        side.pending_count--;
        memmove(side.pending, side.pending + 1, side.pending_count * sizeof(request));
    }
    unlock(); /* before an assertion: tear_down needs the lock */
    assert_non_null(request);
    return request;
}

static inline void wait_connections(int count)
{
    int seen;

    lock();
    while (side.connection_count != count && wait_changed()) {
    }
    seen = side.connection_count;
    unlock();
    assert_int_equal(seen, count);
}

/* --- the client's side --- */

/* host: the client's own address, such as 127.0.0.2; NULL: any. */
static inline int connect_from(int listen_fd, const char *host)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(address);
    struct timeval limit = {.tv_sec = DEADLINE_MS / 1000};
    int fd;

    assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&address, &len), 0);
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (host != NULL) {
        struct sockaddr_in own = {.sin_family = AF_INET};

        assert_int_equal(inet_pton(AF_INET, host, &own.sin_addr), 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
    }
    assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    return fd;
}

static inline int connect_fd(int listen_fd)
{
    return connect_from(listen_fd, NULL);
}

static inline int connect_client(void)
{
    return connect_fd(listen_fds[0]);
}

static inline void send_bytes(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);

        assert_true(sent > 0);
        data += sent;
        len -= (size_t)sent;
    }
}

static inline void send_text(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
}

/* Reads to the end of the head, byte by byte so that it takes nothing of the body. False: the
 * connection ended first. */
static inline bool read_head(int fd, char *head, size_t size)
{
    size_t len = 0;

    while (len + 1 < size && recv(fd, head + len, 1, 0) == 1) {
        head[++len] = '\0';
        if (len >= 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0) {
            return true;
        }
    }
    head[len] = '\0';
    return false;
}

static inline void read_bytes(int fd, char *data, size_t len)
{
    while (len > 0) {
        ssize_t got = recv(fd, data, len, 0);

        assert_true(got > 0);
        data += got;
        len -= (size_t)got;
    }
}

struct reply {
    unsigned status;
    char head[2048];
    char body[64 * 1024];
};

static struct reply reply;

static inline size_t content_length(const char *head)
{
    const char *field = strstr(head, "\r\nContent-Length: ");

    return field == NULL ? 0 : strtoul(field + strlen("\r\nContent-Length: "), NULL, 10);
}

static inline void read_reply_head(int fd)
{
    if (!read_head(fd, reply.head, sizeof(reply.head))) {
        fail_msg("no answer, but: %s", reply.head);
    }
    assert_memory_equal(reply.head, "HTTP/1.1 ", 9);
    reply.status = (unsigned)strtoul(reply.head + 9, NULL, 10);
}

static inline void read_reply(int fd)
{
    size_t len;

    read_reply_head(fd);
    len = content_length(reply.head);
    assert_true(len < sizeof(reply.body));
    read_bytes(fd, reply.body, len);
    reply.body[len] = '\0';
}

static inline void assert_reply(int fd, unsigned status, const char *body)
{
    read_reply(fd);
    assert_int_equal(reply.status, status);
    assert_string_equal(reply.body, body);
}

static inline bool has_field(const char *field)
{
    return strstr(reply.head, field) != NULL;
}

static inline void assert_closed(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);

    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
}

#define LINE            "POST / HTTP/1.1\r\nHost: x\r\n"
#define POST(path, len) "POST " path " HTTP/1.1\r\nHost: x\r\nContent-Length: " #len "\r\n\r\n"

static inline void ask(int fd, const char *request, unsigned status, const char *body)
{
    send_text(fd, request);
    assert_reply(fd, status, body);
}

static inline void assert_refused(int fd, unsigned status, const char *code)
{
    char start_of_body[64];

    read_reply(fd);
    assert_int_equal(reply.status, status);
    snprintf(start_of_body, sizeof(start_of_body), "{\"error\":\"%s\",\"message\":\"", code);
    assert_memory_equal(reply.body, start_of_body, strlen(start_of_body));
    assert_true(has_field("\r\nContent-Type: application/json\r\n"));
    assert_true(has_field("\r\nConnection: close\r\n"));
    assert_closed(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
