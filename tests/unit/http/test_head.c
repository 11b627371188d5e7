/*
 * Heads of requests, as tables: verdict, framing, and the fields that are found. Every head is read
 * whole, and in every two pieces: the verdict must not depend on how the bytes come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/http/internal.h"

enum { OPEN = 1, GOOD = 0 }; /* beside the status of a refusal: not complete; no fault */

static unsigned read_status(struct slice text, size_t *scanned, struct http_head *head)
{
    struct http_fault fault = http_head_read(text, scanned, head);

    if (fault.message != NULL) {
        return reject_status(fault.reason);
    }
    return head->bytes > 0 ? GOOD : OPEN;
}

static unsigned read_in_two(struct slice text, size_t first, struct http_head *head)
{
    size_t scanned = 0;
    unsigned status = read_status((struct slice){text.data, first}, &scanned, head);

    return status == OPEN ? read_status(text, &scanned, head) : status;
}

/* What any split gives. */
static unsigned status_of(struct slice text, struct http_head *head)
{
    size_t scanned = 0;
    unsigned status = read_status(text, &scanned, head);

    for (size_t first = 0; first < text.len; first++) {
        struct http_head other;
        unsigned also = read_in_two(text, first, &other);

        if (also != status || other.bytes != head->bytes || other.length != head->length ||
            other.chunked != head->chunked) {
            fail_msg("%u whole, %u split at %zu: %.200s", status, also, first, text.data);
        }
    }
    return status;
}

struct row {
    unsigned status;
    const char *text;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct http_head head;
        unsigned status = status_of(slice_of(rows[i].text), &head);

        if (status != rows[i].status) {
            fail_msg("%u, not %u: %s", status, rows[i].status, rows[i].text);
        }
    }
}

#define GET  "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\nHost: x\r\n"

static void request_lines(void **state)
{
    static const struct row rows[] = {
        {GOOD, GET "Host: x\r\n\r\n"},
        {GOOD, "GET /a?b=c&d=%20 HTTP/1.1\r\nHost: x\r\n\r\n"},
        {GOOD, "GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n"},
        {GOOD, "GET HTTPS://x:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
        {GOOD, "GET http://[::1]:80?a HTTP/1.1\r\nHost: x\r\n\r\n"},
        {GOOD, "GET / HTTP/1.0\r\n\r\n"},
        {OPEN, "GET / HTTP/1.0\r\n"},
        {OPEN, "G"},
        {400, "\r\n"},
        {400, " GET / HTTP/1.1\r\n\r\n"},
        {400, "\x16\x03\x01\x02"},
        {400, "GET / HTTP/1.1\n"},
        {400, "GET /\r\n\r\n"},
        {400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET /  HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"},
        {400, "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n"},
        {400, "GET / HTTP/1.2\r\nHost: x\r\n\r\n"},
        {400, "GET / HTTP/1.10\r\nHost: x\r\n\r\n"},
        {400, "GET / HTTP/01.1\r\nHost: x\r\n\r\n"},
        {505, "GET / HTTP/2.0\r\n\r\n"},
        {400, "GET * HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET http://:80/a HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET http://u@x/a HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET http%3A//x/a HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET /a# HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET /% HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET /%0g HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n"},
        {501, "ABCDEFGHIJABCDEFGHIJABCDEFGHIJABC / HTTP/1.1\r\nHost: x\r\n\r\n"},
    };

    (void)state;
    check_rows(rows, COUNT_OF(rows));
}

static void fields(void **state)
{
    static const struct row rows[] = {
        {GOOD, GET "Host: x\r\na:\r\nb: \t\r\nc:1\r\nd: \x80\xff:\t \r\n\r\n"},
        {GOOD, GET "Host:\r\n\r\n"},
        {GOOD, GET "Host: [::1]:8080\r\n\r\n"},
        {GOOD, GET "Host: a%20b\r\n\r\n"},
        {OPEN, GET "Host: x\r\nA: b\r\n"},
        {400, GET "\r\n"},
        {400, GET "Host: x\r\nhost: x\r\n\r\n"},
        {400, GET "Host: a b\r\n\r\n"},
        {400, GET "Host: a, b\r\n\r\n"},
        {400, GET "Host: a/b\r\n\r\n"},
        {400, GET "Host: a@b\r\n\r\n"},
        {400, GET "Host: a:b\r\n\r\n"},
        {400, GET "Host: [::1\r\n\r\n"},
        {400, GET "Host: [::1]x\r\n\r\n"},
        {400, GET "Host: a%\r\n\r\n"},
        {400, GET "Host: a%zz\r\n\r\n"},
        {400, GET "Host: x\r\nA: b\n\r\n"},
        {400, GET "Host: x\n\n"},
        {400, GET "Host: x\r\nA: b\rC: d\r\n\r\n"},
        {400, GET "Host: x\r\n A: b\r\n\r\n"},
        {400, GET "Host: x\r\nA: b\r\n c\r\n\r\n"},
        {400, GET "Host: x\r\nA: b\r\n\tc\r\n\r\n"},
        {400, GET "Host: x\r\nA : b\r\n\r\n"},
        {400, GET "Host: x\r\n: b\r\n\r\n"},
        {400, GET "Host: x\r\nA\r\n\r\n"},
        {400, GET "Host: x\r\nA(b: c\r\n\r\n"},
        {400, GET "Host: x\r\nA: \x7f\r\n\r\n"},
        {400, GET "Host: x\r\nA: \x01\r\n\r\n"},
    };

    (void)state;
    check_rows(rows, COUNT_OF(rows));
}

static void framing(void **state)
{
    static const struct row rows[] = {
        {GOOD, POST "Content-Length: 0\r\n\r\n"},
        {GOOD, POST "content-length: \t007 \r\n\r\n"},
        {GOOD, POST "Content-Length: 99999999999999999999\r\n\r\n"},
        {GOOD, POST "Transfer-Encoding: CHUNKED\r\n\r\n"},
        {GOOD, POST "Content_Length: x\r\nContent-Length: 1\r\n\r\n"},
        {411, POST "\r\n"},
        {411, "POST / HTTP/1.0\r\n\r\n"},
        {400, POST "Content-Length:\r\n\r\n"},
        {400, POST "Content-Length: 1 1\r\n\r\n"},
        {400, POST "Content-Length: +1\r\n\r\n"},
        {400, POST "Content-Length: 0x1\r\n\r\n"},
        {400, POST "Content-Length: 1, 1\r\n\r\n"},
        {400, POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"},
        {400, POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"},
        {400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n"},
        {501, POST "Transfer-Encoding: chunked;a=b\r\n\r\n"},
        {501, POST "Transfer-Encoding:\r\n\r\n"},
        {417, POST "Content-Length: 1\r\nExpect: 200-ok\r\n\r\n"},
        {417, POST "Content-Length: 1\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\n"},
        {GOOD, "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 200-ok\r\n\r\n"},
    };

    (void)state;
    check_rows(rows, COUNT_OF(rows));
}

static void nul_bytes(void **state)
{
    static const struct slice texts[] = {
        SLICE("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
        SLICE("GET / HTTP/1.1\r\nHost: x\0\r\n\r\n"),
        SLICE("GET / HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n"),
        SLICE("GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n"),
        SLICE("GET http://x\0y/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    };
    struct http_head head;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(status_of(texts[i], &head), 400);
    }
}

static unsigned status_with(const char *before, char fill, size_t count, const char *after,
                            struct http_head *head)
{
    struct buf text = {0};
    unsigned status;

    buf_add_str(&text, before);
    for (size_t i = 0; i < count; i++) {
        buf_add_char(&text, fill);
    }
    buf_add_str(&text, after);
    status = status_of(buf_slice(&text), head);
    buf_free(&text);
    return status;
}

static void limits(void **state)
{
    static const char rest[] = " HTTP/1.1\r\nHost: x\r\n\r\n";
    struct http_head head;
    size_t room = HTTP_MAX_HEAD_BYTES - strlen(GET "Host: x\r\na:\r\n\r\n");

    (void)state;
    assert_int_equal(status_with("GET /", 'a', HTTP_MAX_TARGET_BYTES - 1, rest, &head), GOOD);
    assert_int_equal(status_with("GET /", 'a', HTTP_MAX_TARGET_BYTES, rest, &head), 414);
    assert_int_equal(status_with("GET ", ' ', HTTP_MAX_TARGET_BYTES + 100, rest, &head), 414);
    assert_int_equal(status_with("", 'a', HTTP_MAX_HEAD_BYTES, "\n", &head), 414);
    assert_int_equal(status_with("GET /?", '&', 255, rest, &head), GOOD);
    assert_int_equal(status_with("GET /?", '&', 256, rest, &head), 414);
    assert_int_equal(status_with("GET /", '&', 256, rest, &head), GOOD);
    assert_int_equal(status_with(GET "Host: x\r\na:", 'b', room, "\r\n\r\n", &head), GOOD);
    assert_int_equal(head.bytes, HTTP_MAX_HEAD_BYTES);
    assert_int_equal(status_with(GET "Host: x\r\na:", 'b', room + 1, "\r\n\r\n", &head), 431);
    assert_int_equal(status_with(GET "Host: x\r\na:", 'b', room + 9, "\n", &head), 431);
}

static void what_is_behind_a_head_is_not_read(void **state)
{
    struct slice text = SLICE(GET "Host: x\r\n\r\n\n\n\0 : \r");
    struct http_head head;

    (void)state;
    assert_int_equal(status_of(text, &head), GOOD);
    assert_int_equal(head.bytes, strlen(GET "Host: x\r\n\r\n"));
}

static void values_are_found_by_name(void **state)
{
    struct slice text = SLICE(GET "Host: x\r\nA: 1\r\nb:2\t\r\na:\r\n\r\n"), values[2];
    struct http_head head;

    (void)state;
    assert_int_equal(status_of(text, &head), GOOD);
    assert_int_equal(http_head_find(head.fields, SLICE("a"), values, 2), 2);
    assert_true(slice_equal(values[0], SLICE("1")) && slice_equal(values[1], SLICE("")));
    assert_int_equal(http_head_find(head.fields, SLICE("B"), values, 1), 1);
    assert_true(slice_equal(values[0], SLICE("2")));
    assert_int_equal(http_head_find(head.fields, SLICE("c"), values, 2), 0);
    assert_null(values[0].data);
    assert_true(slice_equal(http_head_target(text), SLICE("/")));
}

static void what_the_library_gets_frames_the_same(void **state)
{
    static const char *const texts[] = {
        POST "Content-Length: 007\r\nX: y\r\n\r\n",
        POST "Transfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n",
        POST
        "Content-Length: 1\r\nExpect: 100-continue\r\nConnection: keep-alive, Close\r\n\r\n",
        "PUT http://y/a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct http_head head, again;
        struct buf out = {0};

        assert_int_equal(status_of(slice_of(texts[i]), &head), GOOD);
        http_head_write(&head, &out);
        assert_int_equal(status_of(buf_slice(&out), &again), GOOD);
        assert_int_equal(again.bytes, out.len);
        assert_true(slice_equal(again.method, head.method));
        assert_int_equal(again.length, head.length);
        assert_int_equal(again.chunked, head.chunked);
        assert_int_equal(again.http_1_1, head.http_1_1);
        assert_int_equal(again.expects_continue, head.expects_continue);
        assert_int_equal(again.close, head.close);
        buf_free(&out);
    }
}

static void nothing_is_asked_for_where_no_body_follows(void **state)
{
    struct http_head head;

    (void)state;
    assert_int_equal(status_of(SLICE(GET "Host: x\r\nExpect: 100-continue\r\n\r\n"), &head),
                     GOOD);
    assert_false(head.expects_continue);
}

static void paths(void **state)
{
    static const struct {
        const char *target, *path;
    } rows[] = {
        {"/a/b?c=d", "/a/b"},
        {"/a%2fb%2Fc%41", "/a%2fb%2FcA"},
        {"http://x/a?b", "/a"},
        {"http://x?b", "/"},
        {"HTTPS://[::1]:1", "/"},
        {"/%zz?a", "/%zz"}, /* as it is, for a log */
        {"*", "*"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out = {0};

        http_target_add_path(slice_of(rows[i].target), &out);
        assert_string_equal(out.data, rows[i].path);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_lines),
        cmocka_unit_test(fields),
        cmocka_unit_test(framing),
        cmocka_unit_test(nul_bytes),
        cmocka_unit_test(limits),
        cmocka_unit_test(what_is_behind_a_head_is_not_read),
        cmocka_unit_test(values_are_found_by_name),
        cmocka_unit_test(what_the_library_gets_frames_the_same),
        cmocka_unit_test(nothing_is_asked_for_where_no_body_follows),
        cmocka_unit_test(paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
