/*
 * What the guard makes of a connection's bytes, over real sockets: one answer to each request, in
 * order, and deadlines that run from a request's first byte.
 */
#include "tests/unit/lib/http_side.h"

#include <poll.h>

#define CHUNKED(path) "POST " path " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"

static void a_broken_chunk_behind_its_head_is_answered_once(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    send_text(fd, CHUNKED("/refused") "\r\nzz\r\n");
    assert_refused(fd, 405, "method_not_allowed"); /* the first fault is in the head */
    close(fd);
    fd = connect_client();
    send_text(fd, CHUNKED("/") "Expect: 100-continue\r\n\r\nzz\r\n");
    assert_refused(fd, 400, "bad_request");
    close(fd);
    stop(DEADLINE_MS);
}

static void a_body_is_asked_for_only_if_it_does_not_come_by_itself(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    ask(fd, LINE "Content-Length: 1\r\nExpect: 100-continue\r\n\r\nx", 200, "x");
    ask(fd, "GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n", 200, "");
    ask(fd, LINE "Content-Length: 1\r\nExpect: 100-continue\r\n\r\n", 100, "");
    ask(fd, "x", 200, "x");
    close(fd);
    stop(DEADLINE_MS);
}

/* So that the first piece is read before the second comes. */
static void send_apart(int fd, const char *first, const char *second)
{
    send_text(fd, first);
    poll(NULL, 0, 100);
    send_text(fd, second);
}

static void an_empty_line_before_a_head_may_come_in_two_pieces(void **state)
{
    int fd;

    (void)state;
    start(usual);
    fd = connect_client();
    send_apart(fd, "\r", "\n" POST("/", 1) "x");
    assert_reply(fd, 200, "x");
    send_apart(fd, "\r\n", POST("/", 1) "x");
    assert_reply(fd, 200, "x");
    send_apart(fd, "\r\nP", "OST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_reply(fd, 200, "");
    send_apart(fd, "\r", "x");
    assert_refused(fd, 400, "bad_request");
    close(fd);
    stop(DEADLINE_MS);
}

/* What has begun behind another request has the time of a request, not that of silence. */
static void what_was_pipelined_must_be_complete_in_time(void **state)
{
    static const char *const begun[] = {"G", "GET / HTTP/1.1\r\nHo", POST("/", 5) "x",
                                        CHUNKED("/") "\r\n5\r\nx"};
    struct http_options options = usual;

    (void)state;
    options.request_timeout_ms = 300;
    start(options);
    for (size_t i = 0; i < COUNT_OF(begun); i++) {
        char text[512];
        int fd = connect_client();
        int64_t begin_ms = clock_mono_ms();

        (void)snprintf(text, sizeof(text), "%s%s", POST("/", 1) "x", begun[i]);
        send_text(fd, text);
        assert_reply(fd, 200, "x");
        assert_closed(fd);
        assert_in_range(clock_mono_ms() - begin_ms, 250, DEADLINE_MS);
        close(fd);
        assert_int_equal(side.refused_count, i + 1);
    }
    stop(DEADLINE_MS);
}

/* A socket that is closed with unread bytes is reset, which can destroy the answer on its way. */
static void an_answer_is_not_lost_to_what_comes_behind_it(void **state)
{
    static const char *const last[] = {LINE "Connection: close\r\nContent-Length: 1\r\n\r\nx",
                                       "POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"};
    static char more[64 * 1024];

    (void)state;
    start(usual);
    for (size_t i = 0; i < COUNT_OF(last); i++) {
        int fd = connect_client();
        char byte;

        send_text(fd, last[i]);
        send_bytes(fd, more, sizeof(more));
        poll(NULL, 0, 100);
        assert_reply(fd, 200, "x");
        assert_int_equal(recv(fd, &byte, 1, 0), 0); /* an end, no reset */
        close(fd);
    }
    stop(DEADLINE_MS);
}

static void a_chunk_that_is_too_large_is_refused_by_its_size(void **state)
{
    static const char *const sizes[] = {"7d0\r\nx", "ffffffffffffffff\r\nx", "fffff"};

    (void)state;
    start(usual);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char text[256];
        int fd = connect_client();

        (void)snprintf(text, sizeof(text), "%s%s", CHUNKED("/") "\r\n1\r\nx\r\n", sizes[i]);
        send_text(fd, text);
        assert_refused(fd, 413, "too_large");
        close(fd);
        assert_int_equal(side.refused_count, i + 1);
    }
    stop(DEADLINE_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_broken_chunk_behind_its_head_is_answered_once),
        TEST(a_body_is_asked_for_only_if_it_does_not_come_by_itself),
        TEST(an_empty_line_before_a_head_may_come_in_two_pieces),
        TEST(what_was_pipelined_must_be_complete_in_time),
        TEST(an_answer_is_not_lost_to_what_comes_behind_it),
        TEST(a_chunk_that_is_too_large_is_refused_by_its_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
