/*
 * The listener over real sockets: the tests assert the bytes that a client reads.
 */
#include "tests/unit/lib/http_side.h"

#include <poll.h>
#include <sys/un.h>

static void a_complete_request_is_answered_and_the_connection_is_kept(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    for (int i = 0; i < 3000; i++) {
        ask(fd, POST("/", 5) "hello", 200, "hello");
    }
    assert_true(has_field("\r\nContent-Type: application/json\r\n"));
    assert_true(has_field("\r\nDate: "));
    assert_false(has_field("\r\nConnection: close\r\n"));
    ask(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, "");
    ask(fd, POST("/", 0), 200, "");
    close(fd);
    stop(DEADLINE_MS);
}

static void the_handler_sees_method_path_and_fields(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    ask(fd,
        "PUT /a%2fb?q=1%202&r=3 HTTP/1.1\r\nHost: x\r\nx-test: \t one \t\r\nX-TEST: two\r\n"
        "Content-Length: 0\r\n\r\n",
        200, "");
    assert_string_equal(side.seen, "PUT /a%2fb x-test=2:one peer=127.0.0.1");
    ask(fd, "GET http://example.org/x HTTP/1.1\r\nHost: x\r\n\r\n", 200, "");
    assert_string_equal(side.seen, "GET /x x-test=0: peer=127.0.0.1");
    ask(fd, "GET http://example.org HTTP/1.1\r\nHost: x\r\n\r\n", 200, "");
    assert_string_equal(side.seen, "GET / x-test=0: peer=127.0.0.1");
    close(fd);
    stop(DEADLINE_MS);
}

struct refusal {
    const char *request;
    unsigned status;
    const char *code;
};

static const struct refusal refusals[] = {
    {LINE "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {LINE "Content-Length: 1\r\ncontent-length: 2\r\n\r\nxx", 400, "bad_request"},
    {LINE "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
     "bad_request"},
    {LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
     "bad_request"},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_request"},
    {LINE "Content-Length : 1\r\n\r\nx", 400, "bad_request"},
    {LINE "Content-Length\t: 1\r\n\r\nx", 400, "bad_request"},
    {LINE "X Y: 1\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {LINE "X-Y: a\rContent-Length: 0\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {LINE "X-Y: \001\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {LINE "Host: y\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {"POST / HTTP/1.2\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {"POST /a%00b HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {"POST /?a=%00 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {"POST /a%zz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {"POST /a b HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {"POST /a\xc3\xa4 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {"POST x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
    {"PO(T / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {LINE "\r\n", 411, "length_required"},
    {"POST / HTTP/1.0\r\n\r\n", 411, "length_required"},
    {LINE "Content-Length: 1001\r\n\r\n", 413, "too_large"},
    {LINE "Content-Length: 99999999999999\r\n\r\n", 413, "too_large"},
    {LINE "Expect: something\r\nContent-Length: 1\r\n\r\nx", 417, "expectation_failed"},
    {LINE "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "not_implemented"},
    {LINE "Transfer-Encoding: identity\r\n\r\n", 501, "not_implemented"},
    {LINE "Transfer-Encoding:\r\n\r\n", 501, "not_implemented"},
    {LINE "Content-Length: x\r\n\r\n", 400, "bad_request"},
    {LINE "Content-Length: -1\r\n\r\n", 400, "bad_request"},
    {LINE "Content-Length: 1, 1\r\n\r\nx", 400, "bad_request"},
    {LINE "Content-Length:\r\n\r\n", 400, "bad_request"},
    {LINE "Content-Length: 99999999999999999999999\r\n\r\n", 413, "too_large"},
    {LINE "no colon\r\n\r\n", 400, "bad_request"},
    {LINE ": 1\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"},
    {LINE "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "bad_request"},
    {LINE "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400, "bad_request"},
    {"POST / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "version_not_supported"},
    {"POST / HTTP/0.9\r\nHost: x\r\n\r\n", 505, "version_not_supported"},
    {"POST / http/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
    {"GET /\r\n\r\n", 400, "bad_request"},
};

static void requests_that_http_forbids_are_refused_and_end_the_connection(void **state)
{
    (void)state;
    start(usual);
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        int fd = connect_client();

        print_message("  %u: %.60s\n", refusals[i].status, refusals[i].request);
        send_text(fd, refusals[i].request);
        assert_refused(fd, refusals[i].status, refusals[i].code);
        close(fd);
        assert_int_equal(side.refused_count, i + 1);
        assert_int_equal(side.refused_last, refusals[i].status);
    }
    assert_int_equal(side.body_count, 0);
    stop(DEADLINE_MS);
}

static void the_handler_refuses_in_the_head(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    ask(fd, "GET /refused HTTP/1.1\r\nHost: x\r\n\r\n", 405,
        "{\"error\":\"method_not_allowed\",\"message\":\"no\"}");
    assert_true(has_field("\r\nAllow: POST\r\n"));
    assert_true(has_field("\r\nWWW-Authenticate: Bearer\r\n"));
    assert_false(has_field("\r\nConnection: close\r\n")); /* no body was announced */
    /* This body is announced but never sent: the answer does not wait for it. */
    ask(fd, POST("/refused", 900), 405,
        "{\"error\":\"method_not_allowed\",\"message\":\"no\"}");
    assert_true(has_field("\r\nConnection: close\r\n"));
    assert_closed(fd);
    close(fd);
    assert_int_equal(side.body_count, 0);
    assert_int_equal(side.refused_count, 0); /* the handler counts its own refusals */
    stop(DEADLINE_MS);
}

static void a_head_request_gets_the_length_but_no_body(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    send_text(fd, "HEAD /refused HTTP/1.1\r\nHost: x\r\n\r\n");
    read_reply_head(fd);
    assert_int_equal(reply.status, 405);
    assert_int_equal(content_length(reply.head),
                     strlen("{\"error\":\"method_not_allowed\",\"message\":\"no\"}"));
    ask(fd, POST("/", 2) "ok", 200, "ok"); /* no body came between the two answers */
    close(fd);
    stop(DEADLINE_MS);
}

static void http_1_0_is_answered(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    ask(fd, "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 200,
        "ok");
    ask(fd, "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nok", 200, "ok");
    assert_closed(fd);
    close(fd);
    stop(DEADLINE_MS);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    send_text(fd,
              POST("/", 1) "a" POST("/later", 1) "b" POST("/", 1) "c" POST("/later", 1) "d");
    assert_reply(fd, 200, "a");
    answer_text(take_pending(), 200, SLICE("late b"));
    assert_reply(fd, 200, "late b");
    assert_reply(fd, 200, "c");
    answer_text(take_pending(), 200, SLICE("late d"));
    assert_reply(fd, 200, "late d");
    close(fd);
    stop(DEADLINE_MS);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    static const char text[] = "\r\n" POST(
        "/", 3) "abc" LINE
                "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\ndef\r\n1\r\ng\r\n0\r\nT: u\r\n\r\n";
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        send_bytes(fd, text + i, 1);
    }
    assert_reply(fd, 200, "abc");
    assert_reply(fd, 200, "defg");
    close(fd);
    stop(DEADLINE_MS);
}

static void a_client_that_has_closed_its_half_is_answered(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    send_text(fd, POST("/later", 1) "x");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    answer_text(take_pending(), 200, SLICE("still here"));
    assert_reply(fd, 200, "still here");
    assert_closed(fd);
    close(fd);
    stop(DEADLINE_MS);
}

static void a_client_may_go_while_its_answer_is_pending(void **state)
{
    struct linger reset = {.l_onoff = 1};
    int fd;

    (void)state;
    start(usual);
    for (int i = 0; i < 2; i++) {
        fd = connect_client();
        send_text(fd, POST("/later", 1) "x");
        struct http_request *request = take_pending();
        if (i == 1) {
            assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
        }
        close(fd);
        assert_memory_equal(http_body(request).data, "x", 1);
        answer_text(request, 200, SLICE("to nobody"));
        wait_connections(0);
    }
    fd = connect_client();
    ask(fd, POST("/", 2) "ok", 200, "ok");
    close(fd);
    stop(DEADLINE_MS);
}

static void wait_passed(unsigned count)
{
    unsigned seen;

    lock();
    while (side.passed_count < count && wait_changed()) {
    }
    seen = side.passed_count;
    unlock();
    assert_int_equal(seen, count);
}

static void wait_gone(unsigned count)
{
    unsigned seen;

    lock();
    while (side.gone_count < count && wait_changed()) {
    }
    seen = side.gone_count;
    unlock();
    assert_int_equal(seen, count);
}

static void a_request_that_ends_before_its_body_is_reported_gone(void **state)
{
    static const char chunked[] = LINE "Transfer-Encoding: chunked\r\n\r\n";
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    send_text(fd, POST("/", 2) "x");
    wait_passed(1);
    close(fd);
    wait_gone(1);

    fd = connect_client();
    send_text(fd, chunked);
    wait_passed(2);
    send_text(fd, "zz\r\n"); /* no chunk */
    wait_gone(2);
    close(fd);

    fd = connect_client();
    ask(fd, POST("/", 2) "xx", 200, "xx");
    send_text(fd, POST("/refused", 2));
    read_reply(fd);
    assert_int_equal(reply.status, 405);
    close(fd);

    fd = connect_client();
    send_text(fd, POST("/", 2) "x");
    wait_passed(4);
    stop(0);
    assert_int_equal(side.gone_count, 3);
    close(fd);
}

static void expect_100_continue_is_honoured(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    send_text(fd, LINE "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    read_reply_head(fd);
    assert_int_equal(reply.status, 100);
    ask(fd, "ok", 200, "ok");
    /* Refused: no 100 in between, so the client never sends the body. */
    ask(fd,
        "POST /refused HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: "
        "2\r\n\r\n",
        405, "{\"error\":\"method_not_allowed\",\"message\":\"no\"}");
    close(fd);
    fd = connect_client();
    send_text(fd, LINE "Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n");
    assert_refused(fd, 413, "too_large");
    close(fd);
    stop(DEADLINE_MS);
}

static void all_kinds_of_sockets_are_served_at_once(void **state)
{
    static const char *const peers[] = {"127.0.0.1", "unix", "[::1]:"};
    const struct net_address ipv6 = {.family = NET_IPV6, .host = "::1"};
    char dir[] = "/tmp/test_http.XXXXXX";
    char path[64];
    char address[80];
    size_t count = 2;
    int probe;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/sock", dir);
    snprintf(address, sizeof(address), "unix:%s", path);
    if (net_listen(&ipv6, &probe, NULL) == ST_OK) { /* containers often have no IPv6 */
        close(probe);
        count = 3;
    }
    start_at(usual, (const char *const[]){"127.0.0.1:0", address, count == 3 ? "[::1]:0" : NULL,
                                          NULL});
    for (size_t i = 0; i < count; i++) {
        int fd = connect_fd(listen_fds[i]);

        ask(fd, POST("/", 2) "ok", 200, "ok");
        assert_non_null(strstr(side.seen, peers[i]));
        send_text(fd, POST("/later", 1) "x");
        answer_text(take_pending(), 200, SLICE("later"));
        assert_reply(fd, 200, "later");
        close(fd);
    }
    stop(DEADLINE_MS);
    unlink(path);
    rmdir(dir);
}

static void a_unix_client_with_a_long_name_of_its_own_is_served(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/test_http.XXXXXX";
    struct sockaddr_un to;
    socklen_t len = sizeof(to);
    char path[64], address[80];
    int fd;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/sock", dir);
    snprintf(address, sizeof(address), "unix:%s", path);
    start_at(usual, (const char *const[]){address, NULL});
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/%060d", dir, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(getsockname(listen_fds[0], (struct sockaddr *)&to, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
    ask(fd, POST("/", 2) "ok", 200, "ok");
    close(fd);
    stop(DEADLINE_MS);
    unlink(name.sun_path);
    unlink(path);
    rmdir(dir);
}

static void *stop_in_thread(void *arg)
{
    http_stop(server, *(int64_t *)arg);
    return NULL;
}

static void stopping_loses_no_answer(void **state)
{
    int64_t timeout_ms = DEADLINE_MS;
    pthread_t stopper;
    struct pollfd waiting;
    int idle, busy, late;

    (void)state;
    start(usual);
    idle = connect_client();
    ask(idle, POST("/", 1) "x", 200, "x");
    busy = connect_client();
    send_text(busy, POST("/later", 1) "x" POST("/", 1) "y");
    struct http_request *request = take_pending();

    http_quiesce(server);
    ask(idle, POST("/", 1) "x", 200, "x"); /* still served, but as its last request */
    assert_true(has_field("\r\nConnection: close\r\n"));
    assert_closed(idle);
    late = connect_client();
    send_text(late, POST("/", 1) "x");
    waiting = (struct pollfd){.fd = late, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, 200),
                     0); /* it waits for the next process that listens */

    assert_int_equal(pthread_create(&stopper, NULL, stop_in_thread, &timeout_ms), 0);
    answer_text(request, 200, SLICE("the last one"));
    assert_reply(busy, 200, "the last one");
    assert_true(has_field("\r\nConnection: close\r\n"));
    assert_closed(busy);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    server = NULL;
    close(idle);
    close(busy);
    close(late);
    stop(0);
}

static void stopping_cuts_requests_that_are_not_answered_in_time(void **state)
{
    int64_t started_ms;
    int waiting, reading;

    (void)state;
    start(usual);
    waiting = connect_client();
    send_text(waiting, POST("/later", 1) "x");
    reading = connect_client();
    send_text(reading, POST("/", 10) "x");
    struct http_request *request = take_pending();
    started_ms = clock_mono_ms();
    stop(200);
    assert_in_range(clock_mono_ms() - started_ms, 150, 5000);
    assert_closed(waiting);
    assert_closed(reading);
    /* The request belongs to the handler until it answers. */
    assert_memory_equal(http_body(request).data, "x", 1);
    answer_text(request, 200, SLICE("to nobody"));
    close(waiting);
    close(reading);
}

/* Several threads answer at once, each as fast as it can. */

static void *answer_all(void *arg)
{
    unsigned *left = arg;

    for (;;) {
        struct http_request *request = NULL;

        lock();
        while (side.pending_count == 0 && *left > 0 && wait_changed()) {
        }
        if (side.pending_count > 0) {
            request = side.pending[--side.pending_count];
            --*left;
        }
        changed();
        unlock();
        if (request == NULL) {
            return NULL;
        }
        answer_text(request, 200, http_body(request));
    }
}

static void answers_may_come_from_any_thread_at_any_time(void **state)
{
    enum { CLIENTS = 16, ROUNDS = 200 };
    unsigned left = CLIENTS * ROUNDS;
    pthread_t answerers[3];
    int fds[CLIENTS];

    (void)state;
    start(usual);
    for (size_t i = 0; i < COUNT_OF(answerers); i++) {
        assert_int_equal(pthread_create(&answerers[i], NULL, answer_all, &left), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        fds[i] = connect_client();
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < CLIENTS; i++) {
            char text[128];

            snprintf(text, sizeof(text), POST("/later", 8) "%04d%04zu", round, i);
            send_text(fds[i], text);
        }
        for (size_t i = 0; i < CLIENTS; i++) {
            char text[16];

            snprintf(text, sizeof(text), "%04d%04zu", round, i);
            assert_reply(fds[i], 200, text);
        }
    }
    for (size_t i = 0; i < COUNT_OF(answerers); i++) {
        assert_int_equal(pthread_join(answerers[i], NULL), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    stop(DEADLINE_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_complete_request_is_answered_and_the_connection_is_kept),
        TEST(the_handler_sees_method_path_and_fields),
        TEST(requests_that_http_forbids_are_refused_and_end_the_connection),
        TEST(the_handler_refuses_in_the_head),
        TEST(a_head_request_gets_the_length_but_no_body),
        TEST(http_1_0_is_answered),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(a_request_may_come_byte_by_byte),
        TEST(a_client_that_has_closed_its_half_is_answered),
        TEST(a_client_may_go_while_its_answer_is_pending),
        TEST(a_request_that_ends_before_its_body_is_reported_gone),
        TEST(expect_100_continue_is_honoured),
        TEST(all_kinds_of_sockets_are_served_at_once),
        TEST(a_unix_client_with_a_long_name_of_its_own_is_served),
        TEST(stopping_loses_no_answer),
        TEST(stopping_cuts_requests_that_are_not_answered_in_time),
        TEST(answers_may_come_from_any_thread_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
