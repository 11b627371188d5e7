/*
 * Limits on the bytes, the memory and the time that a client can make the listener spend.
 */
#include "tests/unit/lib/http_side.h"

#include <poll.h>
#include <sys/resource.h>

static void long_targets_and_heads_are_refused(void **state)
{
    static char target[8 * 1024 + 2], field[16 * 1024];
    int fd;

    (void)state;
    start(usual);
    memset(target, 'a', sizeof(target) - 1);
    memset(field, 'b', sizeof(field) - 1);

    fd = connect_client();
    target[0] = '/';
    target[8 * 1024] = '\0';
    send_text(fd, "GET ");
    send_text(fd, target);
    ask(fd, " HTTP/1.1\r\nHost: x\r\n\r\n", 200, "");
    target[8 * 1024] = 'a';
    send_text(fd, "GET ");
    send_text(fd, target);
    send_text(fd, " HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_refused(fd, 414, "uri_too_long");
    close(fd);

    fd = connect_client();
    send_text(fd, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
    send_text(fd, field);
    send_text(fd, "\r\n\r\n");
    assert_refused(fd, 431, "headers_too_large");
    close(fd);
    stop(DEADLINE_MS);
}

/* A head larger than the library's memory: it answers itself, or cuts. */
static void a_head_without_end_is_refused_or_cut(void **state)
{
    static char field[256 * 1024];
    int fd;

    (void)state;
    start(usual);
    memset(field, 'b', sizeof(field) - 1);
    for (int i = 0; i < 2; i++) {
        fd = connect_client();
        send_text(fd, i == 0 ? "GET /" : "GET / HTTP/1.1\r\nHost: x\r\nX: ");
        (void)!send(fd, field, sizeof(field) - 1, MSG_NOSIGNAL);
        read_reply_head(fd);
        assert_int_equal(reply.status, i == 0 ? 414 : 431);
        while (recv(fd, reply.body, sizeof(reply.body), 0) > 0) {
        }
        close(fd);
    }
    stop(DEADLINE_MS);
}

static void a_body_of_the_largest_size_is_accepted(void **state)
{
    char body[MAX_BODY + 1];
    int fd;

    (void)state;
    start(usual);
    memset(body, 'x', MAX_BODY);
    body[MAX_BODY] = '\0';
    fd = connect_client();
    send_text(fd, POST("/", 1000));
    ask(fd, body, 200, body);
    send_text(fd, LINE "Transfer-Encoding: chunked\r\n\r\n3E8\r\n");
    send_text(fd, body);
    ask(fd, "\r\n0\r\n\r\n", 200, body);
    close(fd);
    stop(DEADLINE_MS);
}

/* Like many clients, this one writes the whole body before it reads: the answer must not be lost
 * in a reset. */
static void a_body_over_the_limit_is_refused_while_it_is_being_sent(void **state)
{
    size_t len = 4 << 20;
    char *body = calloc(1, len);
    char head[128];
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    snprintf(head, sizeof(head), LINE "Content-Length: %zu\r\n\r\n", len);
    send_text(fd, head);
    send_bytes(fd, body, len);
    read_reply(fd);
    assert_int_equal(reply.status, 413);
    assert_closed(fd);
    close(fd);
    free(body);
    stop(DEADLINE_MS);
}

static void wait_refused(unsigned count)
{
    unsigned seen;

    lock();
    while (side.refused_count < count && wait_changed()) {
    }
    seen = side.refused_count;
    unlock();
    assert_int_equal(seen, count);
}

static void send_chunks(int fd, size_t count)
{
    static const char chunk[] =
        "100\r\n"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n";

    for (size_t i = 0; i < count && send(fd, chunk, sizeof(chunk) - 1, MSG_NOSIGNAL) > 0; i++) {
    }
}

static void a_chunked_body_over_the_limit_is_refused_at_its_end(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    send_text(fd, LINE "Transfer-Encoding: chunked\r\n\r\n");
    send_chunks(fd, 2000); /* half a megabyte */
    send_text(fd, "0\r\n\r\n");
    assert_refused(fd, 413, "too_large");
    close(fd);
    assert_int_equal(side.body_count, 0);
    assert_int_equal(side.refused_last, 413);
    stop(DEADLINE_MS);
}

static void a_chunked_body_without_end_is_cut(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    send_text(fd, LINE "Transfer-Encoding: chunked\r\n\r\n");
    send_chunks(fd, 100 * 1000); /* ends when the server has closed */
    assert_closed(fd);
    close(fd);
    wait_connections(0);
    wait_refused(1);
    assert_int_equal(side.refused_last, 413);
    stop(DEADLINE_MS);
}

static void an_announced_length_takes_no_room_by_itself(void **state)
{
    enum { MANY = 65, LARGE = 1 << 20 }; /* one more than would fit, if all of them came */
    struct http_options options = usual;
    int fds[MANY];

    (void)state;
    options.max_body_bytes = LARGE;
    start(options);
    for (size_t i = 0; i < MANY; i++) {
        fds[i] = connect_client();
        send_text(fds[i], LINE "Expect: 100-continue\r\nContent-Length: 1048576\r\n\r\n");
        read_reply_head(fds[i]);
        assert_int_equal(reply.status, 100);
        send_text(fds[i], "x");
    }
    for (size_t i = 0; i < MANY; i++) {
        int fd = connect_client();

        ask(fd, POST("/", 1) "x", 200, "x");
        close(fd);
        close(fds[i]);
    }
    wait_refused(0);
    stop(DEADLINE_MS);
}

/* All bodies together may have 64 MiB: four of this size. */
enum { QUARTER = 16 << 20 };

static const char quarter[QUARTER];

static void start_with_quarters(void)
{
    struct http_options options = usual;

    options.max_body_bytes = QUARTER;
    start(options);
}

/* Its body is held until the test answers the request. */
static int hold_body(size_t len, struct http_request **out_request)
{
    int fd = connect_client();
    char head[128];

    snprintf(head, sizeof(head),
             "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", len);
    send_text(fd, head);
    send_bytes(fd, quarter, len);
    *out_request = take_pending();
    return fd;
}

static void release_body(int fd, struct http_request *request)
{
    answer_text(request, 200, SLICE("held"));
    assert_reply(fd, 200, "held");
    close(fd);
}

static void assert_no_room(int fd, unsigned refused_count)
{
    char byte;

    read_reply(fd);
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.body, "too many bodies"));
    assert_true(has_field("\r\nRetry-After: 1\r\n"));
    assert_true(has_field("\r\nConnection: close\r\n"));
    assert_int_equal(recv(fd, &byte, 1, 0), 0); /* no reset */
    close(fd);
    wait_refused(refused_count);
    assert_int_equal(side.refused_last, 503);
}

static void bodies_in_memory_are_bounded_and_shared(void **state)
{
    struct http_request *held[3];
    int fds[3], fd;

    (void)state;
    start_with_quarters();
    for (size_t i = 0; i < 3; i++) { /* all that one client may have */
        fds[i] = hold_body(QUARTER, &held[i]);
    }
    fd = connect_from(listen_fds[0], "127.0.0.2"); /* what is left is for others */
    ask(fd, POST("/", 1) "x", 200, "x");
    close(fd);
    fd = connect_client(); /* announces a body */
    send_text(fd, POST("/", 1));
    assert_no_room(fd, 1);
    fd = connect_client(); /* announces no length */
    send_text(fd, LINE "Transfer-Encoding: chunked\r\n\r\n");
    send_chunks(fd, 10);
    send_text(fd, "0\r\n\r\n");
    assert_no_room(fd, 2);
    fd = connect_client(); /* has no body */
    ask(fd, POST("/", 0), 200, "");
    release_body(fds[0], held[0]);
    ask(fd, POST("/", 1) "x", 200, "x");
    close(fd);
    for (size_t i = 1; i < 3; i++) {
        release_body(fds[i], held[i]);
    }
    wait_refused(2);
    stop(DEADLINE_MS);
}

static void a_body_that_finds_no_room_midway_is_refused_at_its_end(void **state)
{
    struct http_request *held[3];
    int fds[3], fd;

    (void)state;
    start_with_quarters();
    for (size_t i = 0; i < 2; i++) {
        fds[i] = hold_body(QUARTER, &held[i]);
    }
    fd = connect_client();
    send_text(fd, LINE "Expect: 100-continue\r\nContent-Length: 16777216\r\n\r\n");
    read_reply_head(fd);
    assert_int_equal(reply.status, 100);
    send_bytes(fd, quarter, 500);
    fds[2] = hold_body(QUARTER - 1000, &held[2]); /* leaves 1000 for the one above */
    send_bytes(fd, quarter, QUARTER - 500);
    assert_no_room(fd, 1);

    fd = connect_client(); /* the refused body's room is free again */
    ask(fd, POST("/", 10) "0123456789", 200, "0123456789");
    close(fd);
    for (size_t i = 0; i < 3; i++) {
        release_body(fds[i], held[i]);
    }
    wait_refused(1);
    stop(DEADLINE_MS);
}

static void drip(int fd, const char *text)
{
    struct pollfd gone = {.fd = fd, .events = POLLIN};

    /* A byte every 20 ms until the server closes. */
    while (*text != '\0' && poll(&gone, 1, 20) == 0 && send(fd, text, 1, MSG_NOSIGNAL) == 1) {
        text++;
    }
    assert_true(*text != '\0');
}

static void a_client_that_drips_is_cut_and_counted(void **state)
{
    static const char slow[] =
        POST("/", 900) "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    struct http_options options = usual;
    int64_t started_ms;
    int fd;

    (void)state;
    options.request_timeout_ms = 400;
    start(options);
    fd = connect_client(); /* in its first head */
    started_ms = clock_mono_ms();
    drip(fd, slow);
    assert_closed(fd);
    assert_in_range(clock_mono_ms() - started_ms, 300, 3000);
    close(fd);
    fd = connect_client(); /* in the body of its second request */
    ask(fd, POST("/", 1) "x", 200, "x");
    send_text(fd, POST("/", 900));
    drip(fd, slow);
    assert_closed(fd);
    close(fd);
    fd = connect_client(); /* sends nothing at all */
    assert_closed(fd);
    close(fd);
    wait_refused(3);
    assert_int_equal(side.refused_last, 0);
    stop(DEADLINE_MS);
}

static void time_that_our_answer_takes_is_not_limited(void **state)
{
    struct http_options options = usual;
    struct pollfd early;
    int fd;

    (void)state;
    options.request_timeout_ms = 100;
    start(options);
    fd = connect_client();
    send_text(fd, POST("/later", 1) "x");
    early = (struct pollfd){.fd = fd, .events = POLLIN};
    /* For five times the limit, neither an answer nor a close. */
    assert_int_equal(poll(&early, 1, 500), 0);
    answer_text(take_pending(), 200, SLICE("at last"));
    assert_reply(fd, 200, "at last");
    assert_int_equal(poll(&early, 1, 300), 0); /* a kept connection has its own limit */
    ask(fd, POST("/", 1) "x", 200, "x");
    close(fd);
    assert_int_equal(side.refused_count, 0);
    stop(DEADLINE_MS);
}

static void a_client_that_does_not_read_its_answer_is_cut(void **state)
{
    struct http_options options = usual;
    int fd;

    (void)state;
    options.request_timeout_ms = 200;
    start(options);
    fd = connect_client();
    send_text(fd, POST("/large", 1) "x");
    wait_connections(1);
    wait_connections(0);
    close(fd);
    stop(DEADLINE_MS);
}

static void connections_are_limited_and_a_silent_one_makes_room(void **state)
{
    struct http_options options = usual;
    struct pollfd waiting;
    int a, b, c;

    (void)state;
    options.max_connections = 2;
    start(options);
    a = connect_client();
    b = connect_client();
    ask(a, POST("/", 1) "a", 200, "a");
    send_text(b, POST("/later", 1) "b");
    struct http_request *request = take_pending();
    c = connect_client(); /* in the kernel's queue */
    send_text(c, POST("/", 1) "c");
    waiting = (struct pollfd){.fd = c, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, 200), 0);
    assert_reply(c, 200, "c"); /* a was silent for a second */
    assert_closed(a);
    answer_text(request, 200, SLICE("b")); /* b was not silent: it waited for us */
    assert_reply(b, 200, "b");
    close(a);
    a = connect_client();
    close(c);
    ask(a, POST("/", 1) "a", 200, "a"); /* c's place is free as soon as it closes */
    close(a);
    close(b);
    stop(DEADLINE_MS);
}

static void a_crowd_from_one_address_only_takes_places_from_itself(void **state)
{
    enum { PLACES = 40, CROWD = 60 };
    struct http_options options = usual;
    int crowd[CROWD], kept, fd;

    (void)state;
    options.max_connections = PLACES;
    start(options);
    kept = connect_from(listen_fds[0], "127.0.0.3");
    send_text(kept, POST("/later", 1) "k");
    struct http_request *request = take_pending();
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = connect_from(listen_fds[0], "127.0.0.2");
        send_text(crowd[i], i % 2 ? "POST / HTTP/1.1\r\n" : POST("/", 5) "half");
    }
    for (size_t i = 0; i < 100; i++) {
        fd = connect_from(listen_fds[0], "127.0.0.1");
        ask(fd, POST("/", 2) "ok", 200, "ok");
        close(fd);
    }
    answer_text(request, 200, SLICE("kept"));
    assert_reply(kept, 200, "kept");
    assert_closed(crowd[0]); /* the oldest */
    for (size_t i = 0; i < CROWD; i++) {
        close(crowd[i]);
    }
    close(kept);
    stop(DEADLINE_MS);
}

static void more_than_a_thousand_connections_are_served(void **state)
{
    enum { MANY = 1500 };
    struct rlimit limit;
    struct http_options options = usual;
    static int fds[MANY];

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2 * MANY + 100) {
        skip(); /* not allowed to open that many here */
    }
    options.max_connections = MANY;
    start(options);
    for (size_t i = 0; i < MANY; i++) {
        fds[i] = connect_client();
        send_text(fds[i], POST("/", 2) "ok");
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_reply(fds[i], 200, "ok");
    }
    wait_connections(MANY);
    for (size_t i = 0; i < MANY; i++) {
        ask(fds[i], POST("/", 2) "ok", 200, "ok");
        close(fds[i]);
    }
    wait_connections(0);
    stop(DEADLINE_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(long_targets_and_heads_are_refused),
        TEST(a_head_without_end_is_refused_or_cut),
        TEST(a_body_of_the_largest_size_is_accepted),
        TEST(a_body_over_the_limit_is_refused_while_it_is_being_sent),
        TEST(a_chunked_body_over_the_limit_is_refused_at_its_end),
        TEST(a_chunked_body_without_end_is_cut),
        TEST(an_announced_length_takes_no_room_by_itself),
        TEST(bodies_in_memory_are_bounded_and_shared),
        TEST(a_body_that_finds_no_room_midway_is_refused_at_its_end),
        TEST(a_client_that_drips_is_cut_and_counted),
        TEST(time_that_our_answer_takes_is_not_limited),
        TEST(a_client_that_does_not_read_its_answer_is_cut),
        TEST(connections_are_limited_and_a_silent_one_makes_room),
        TEST(a_crowd_from_one_address_only_takes_places_from_itself),
        TEST(more_than_a_thousand_connections_are_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
