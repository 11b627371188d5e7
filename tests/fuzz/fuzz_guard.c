/*
 * Input: what a client sends before it shuts its side, in two pieces. The bytes go through a real
 * server: sockets, guard, library, handler. Checks, against a reading of the same bytes that is as
 * simple as can be, that the handler sees the method, the path and the body of each request where it
 * stands, one behind the other; and that the client gets one answer to each, and at most one
 * refusal, at the end.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "bridge/http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INPUT = 4096, MAX_SEEN = 512, MAX_BODY = 1000, ANSWER_ROOM = 1024 * 1024 };

/* ---- the handler, on the server's thread ---- */

struct seen {
    struct buf method, path, body;
    bool whole; /* its body was seen, too */
};

static struct {
    pthread_mutex_t mu;
    pthread_cond_t changed;
    /* under mu */
    struct seen seen[MAX_SEEN];
    size_t count;
    int connections;
} side = {.mu = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void set(struct buf *buf, struct slice text)
{
    buf_clear(buf);
    buf_reserve(buf, 1);
    buf_add_slice(buf, text);
}

static void answer(struct http_request *request, unsigned status)
{
    http_answer(request, &(struct http_answer){.status = status, .body = SLICE("{}")});
}

static void on_head(void *ctx, struct http_request *request)
{
    struct seen *seen;

    (void)ctx;
    CHECK(pthread_mutex_lock(&side.mu) == 0);
    CHECK(side.count < MAX_SEEN);
    seen = &side.seen[side.count++];
    set(&seen->method, http_method(request));
    set(&seen->path, http_path(request));
    seen->whole = false;
    CHECK(pthread_mutex_unlock(&side.mu) == 0);
    if (slice_starts_with(http_path(request), SLICE("/no"))) {
        answer(request, 404);
    }
}

static void on_body(void *ctx, struct http_request *request)
{
    struct seen *seen;

    (void)ctx;
    CHECK(pthread_mutex_lock(&side.mu) == 0);
    CHECK(side.count > 0);
    seen = &side.seen[side.count - 1];
    CHECK(!seen->whole);
    set(&seen->body, http_body(request));
    seen->whole = true;
    CHECK(pthread_mutex_unlock(&side.mu) == 0);
    answer(request, 200);
}

static void on_connection(void *ctx, int change)
{
    (void)ctx;
    CHECK(pthread_mutex_lock(&side.mu) == 0);
    side.connections += change;
    CHECK(pthread_cond_broadcast(&side.changed) == 0);
    CHECK(pthread_mutex_unlock(&side.mu) == 0);
}

/* ---- the client ---- */

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_len = sizeof(sa_family_t); /* the kernel finds a name */

static void start(void)
{
    static struct http_server *server;
    static int fd = -1;
    struct http_options options = {
        .name = "fuzz",
        .listen_fds = &fd,
        .listen_count = 1,
        .handler = {.head = on_head, .body = on_body, .connection = on_connection},
        .max_body_bytes = MAX_BODY,
        .max_held_bytes = 10000,
        .max_connections = 10,
        .request_timeout_ms = 5000,
        .keep_alive_ms = 5000,
    };
    struct err err = {0};

    if (server == NULL) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        CHECK(bind(fd, (struct sockaddr *)&address, address_len) == 0 && listen(fd, 10) == 0);
        address_len = sizeof(address);
        CHECK(getsockname(fd, (struct sockaddr *)&address, &address_len) == 0);
        CHECK(http_start(&options, &server, &err) == ST_OK);
    }
}

static void send_all(int fd, struct slice text)
{
    if (text.len > 0) { /* it may have been refused and cut already */
        (void)!send(fd, text.data, text.len, MSG_NOSIGNAL);
    }
}

/* Until the server has closed, and is done with it. */
static size_t talk(struct slice text, char *out)
{
    struct timeval limit = {.tv_sec = 4};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t len = 0, split = text.len * (unsigned char)text.data[text.len - 1] / 256;
    ssize_t got = 1;

    CHECK(connect(fd, (struct sockaddr *)&address, address_len) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
    send_all(fd, (struct slice){text.data, split});
    send_all(fd, slice_from(text, split));
    (void)shutdown(fd, SHUT_WR);
    while (got > 0) {
        do {
            got = recv(fd, out + len, ANSWER_ROOM - len - 1, 0);
        } while (got < 0 && errno == EINTR); /* libFuzzer has a timer */
        len += got > 0 ? (size_t)got : 0;
        CHECK(len + 1 < ANSWER_ROOM);
    }
    CHECK(got == 0); /* no reset, and no silence */
    (void)close(fd);
    out[len] = '\0';
    CHECK(pthread_mutex_lock(&side.mu) == 0);
    while (side.connections > 0) {
        CHECK(pthread_cond_wait(&side.changed, &side.mu) == 0);
    }
    CHECK(pthread_mutex_unlock(&side.mu) == 0);
    return len;
}

/* ---- the other reading ---- */

static struct slice until(struct slice *text, const char *end)
{
    const char *found = memmem(text->data, text->len, end, strlen(end));
    struct slice before = *text;

    CHECK(found != NULL);
    before.len = (size_t)(found - text->data);
    *text = slice_from(*text, before.len + strlen(end));
    return before;
}

static void read_path(struct slice target, struct buf *out)
{
    struct slice path = slice_take_until(&target, '?');
    size_t skip = 0;

    if (path.data[0] != '/') {
        skip = (size_t)((char *)memmem(path.data, path.len, "//", 2) - path.data) + 2;
        while (skip < path.len && path.data[skip] != '/') {
            skip++;
        }
    }
    set(out, skip < path.len ? SLICE_NONE : SLICE("/"));
    for (size_t i = skip; i < path.len; i++) {
        char text[3] = "";
        unsigned c = (unsigned char)path.data[i];

        if (c == '%') {
            memcpy(text, path.data + i + 1, 2);
            c = (unsigned)strtoul(text, NULL, 16);
            i += c == '/' ? 0 : 2;
            c = c == '/' ? '%' : c;
        }
        buf_add_char(out, (char)c);
    }
}

static void read_chunks(struct slice *text, struct buf *out)
{
    size_t size = 1;

    while (size > 0) {
        struct slice line = until(text, "\r\n");

        size = strtoul(line.data, NULL, 16);
        CHECK(size <= text->len);
        buf_add(out, text->data, size);
        *text = slice_from(*text, size);
        if (size > 0) {
            CHECK(until(text, "\r\n").len == 0);
        }
    }
    while (until(text, "\r\n").len > 0) { /* trailers */
    }
}

static void skip_blank(struct slice *text)
{
    if (slice_starts_with(*text, SLICE("\r\n"))) {
        *text = slice_from(*text, 2);
    }
}

/* Compares the request that text begins with, and skips it. */
static void compare(struct slice *text, const struct seen *seen)
{
    static struct buf path, body;
    struct slice head, line, method;
    size_t length = 0;
    bool chunked = false;

    skip_blank(text);
    head = until(text, "\r\n\r\n");
    head.len += 2;
    line = until(&head, "\r\n");
    method = until(&line, " ");
    CHECK(slice_equal(method, buf_slice(&seen->method)));
    read_path(until(&line, " "), &path);
    CHECK(slice_equal(buf_slice(&path), buf_slice(&seen->path)));
    while (head.len > 0) {
        line = until(&head, "\r\n");
        if (strncasecmp(line.data, "Content-Length:", 15) == 0) {
            length = strtoul(line.data + 15, NULL, 10);
        }
        chunked |= strncasecmp(line.data, "Transfer-Encoding:", 18) == 0;
    }
    if (!seen->whole) {
        return; /* it is the last one */
    }
    set(&body, SLICE_NONE);
    if (chunked) {
        read_chunks(text, &body);
    } else {
        CHECK(length <= text->len);
        buf_add(&body, text->data, length);
        *text = slice_from(*text, length);
    }
    CHECK(slice_equal(buf_slice(&body), buf_slice(&seen->body)));
}

static void skip_interim(struct slice *text)
{
    if (slice_starts_with(*text, SLICE("HTTP/1.1 100 "))) {
        (void)until(text, "\r\n\r\n");
    }
}

/* Skips one answer, and a 100 before it; gives its status. */
static unsigned read_answer(struct slice *text, bool to_head)
{
    struct slice head;
    const char *length;
    size_t len;

    skip_interim(text);
    CHECK(slice_starts_with(*text, SLICE("HTTP/1.1 ")));
    head = until(text, "\r\n\r\n");
    length = memmem(head.data, head.len, "Content-Length: ", 16);
    CHECK(length != NULL && memmem(head.data, head.len, "application/json", 16) != NULL);
    len = to_head ? 0 : strtoul(length + 16, NULL, 10);
    CHECK(len <= text->len);
    *text = slice_from(*text, len);
    return (unsigned)strtoul(head.data + 9, NULL, 10);
}

static void check(struct slice text, struct slice answers)
{
    for (size_t i = 0; i < side.count; i++) {
        const struct seen *seen = &side.seen[i];
        bool to_head = slice_equal(buf_slice(&seen->method), SLICE("HEAD"));
        bool refused = slice_starts_with(buf_slice(&seen->path), SLICE("/no"));

        compare(&text, seen);
        if (seen->whole || refused) {
            CHECK(read_answer(&answers, to_head) == (refused ? 404 : 200));
        } else { /* its body did not come, or was refused */
            CHECK(i + 1 == side.count);
            skip_interim(&answers);
            CHECK(answers.len == 0 || read_answer(&answers, to_head) >= 400);
            CHECK(answers.len == 0);
        }
    }
    if (answers.len > 0) { /* to what is no request */
        skip_blank(&text);
        CHECK(read_answer(&answers, slice_starts_with(text, SLICE("HEAD "))) >= 400);
        CHECK(answers.len == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char answers[ANSWER_ROOM];
    struct slice text = {(const char *)data, size};
    size_t len;

    if (size == 0 || size > MAX_INPUT) {
        return 0;
    }
    start();
    side.count = 0; /* the server has no connection now */
    len = talk(text, answers);
    check(text, (struct slice){answers, len});
    return 0;
}
