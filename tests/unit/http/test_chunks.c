/*
 * Chunked bodies, as a table: what is kept, what is behind, what is refused. Every body is passed
 * whole, in every two pieces and byte by byte: the outcome must be the same.
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

enum { ROOM = 10 * 1024 };

struct outcome {
    bool wrong, complete;
    size_t taken;
    struct buf kept;
};

static void pass(struct http_chunks *chunks, struct slice piece, struct outcome *outcome)
{
    char data[ROOM];
    size_t kept, taken;

    if (outcome->wrong || chunks->complete) {
        return;
    }
    memcpy(data, piece.data, piece.len);
    if (!http_chunks_pass(chunks, data, piece.len, &kept, &taken)) {
        outcome->wrong = true;
        return;
    }
    assert_true(chunks->complete || taken == piece.len);
    buf_add(&outcome->kept, data, kept);
    outcome->taken += taken;
    outcome->complete = chunks->complete;
}

static struct outcome pass_in_two(struct slice text, size_t first)
{
    struct http_chunks chunks = {0};
    struct outcome outcome = {0};

    pass(&chunks, (struct slice){text.data, first}, &outcome);
    pass(&chunks, slice_from(text, first), &outcome);
    return outcome;
}

static struct outcome pass_bytes(struct slice text)
{
    struct http_chunks chunks = {0};
    struct outcome outcome = {0};

    for (size_t i = 0; i < text.len; i++) {
        pass(&chunks, (struct slice){text.data + i, 1}, &outcome);
    }
    return outcome;
}

static void assert_same(struct slice text, const struct outcome *want, struct outcome *got)
{
    if (got->wrong != want->wrong ||
        (!want->wrong && (got->complete != want->complete || got->taken != want->taken ||
                          got->kept.len != want->kept.len ||
                          memcmp(got->kept.data, want->kept.data, want->kept.len) != 0))) {
        fail_msg("another outcome in pieces: %.200s", text.data);
    }
    buf_free(&got->kept);
}

static struct outcome outcome_of(struct slice text)
{
    struct outcome whole = pass_in_two(text, text.len), other;

    buf_reserve(&whole.kept, 1);
    for (size_t first = 0; first < text.len; first++) {
        other = pass_in_two(text, first);
        buf_reserve(&other.kept, 1);
        assert_same(text, &whole, &other);
    }
    other = pass_bytes(text);
    buf_reserve(&other.kept, 1);
    assert_same(text, &whole, &other);
    return whole;
}

#define LAST "0\r\n\r\n"

static void good_ones(void **state)
{
    static const struct {
        const char *text, *kept, *behind;
    } rows[] = {
        {LAST, LAST, ""},
        {LAST "GET", LAST, "GET"},
        {"5\r\nhello\r\n" LAST, "5\r\nhello\r\n" LAST, ""},
        {"1\r\na\r\n00A\r\n0123456789\r\n000\r\n\r\n\r\n",
         "1\r\na\r\n00A\r\n0123456789\r\n000\r\n\r\n", "\r\n"},
        {"2\r\n\r\n\r\n" LAST, "2\r\n\r\n\r\n" LAST, ""},
        {"1;a\r\nx\r\n0;b=c;d\r\n\r\n", "1\r\nx\r\n" LAST, ""},
        {"1;a=\"b;\\\"\t\x80\"\r\nx\r\n" LAST, "1\r\nx\r\n" LAST, ""},
        {"1 ;a\r\nx\r\n" LAST, NULL, NULL},
        {"0\r\nA: b\r\nC:\r\n\r\nX", LAST, "X"},
        {"0\r\nContent-Length: 5\r\n\r\n", LAST, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct outcome outcome = outcome_of(slice_of(rows[i].text));

        assert_int_equal(outcome.wrong, rows[i].kept == NULL);
        if (rows[i].kept != NULL) {
            assert_true(outcome.complete);
            assert_true(slice_equal(buf_slice(&outcome.kept), slice_of(rows[i].kept)));
            assert_string_equal(rows[i].text + outcome.taken, rows[i].behind);
        }
        buf_free(&outcome.kept);
    }
}

static void bad_ones(void **state)
{
    static const struct slice rows[] = {
        SLICE("\r\n"),
        SLICE(" 1\r\na"),
        SLICE("1 \r\na"),
        SLICE("-1\r\na"),
        SLICE("+1\r\na"),
        SLICE("0x1\r\na"),
        SLICE("g\r\n"),
        SLICE("1\na"),
        SLICE("1\r\r\na"),
        SLICE("1\r\nab\r\n"),
        SLICE("1\r\na\n"),
        SLICE("1\r\na\r0"),
        SLICE("1\r\na0\r\n"),
        SLICE(";a\r\n"),
        SLICE("1;a\nx"),
        SLICE("1;a\rb\r\n"),
        SLICE("1;\0\r\n"),
        SLICE("1;a(\r\n"),
        SLICE("1;a=\"b\r\n"),
        SLICE("1;a=\"\\\r\n"),
        SLICE("1;a=\"\x7f\"\r\n"),
        SLICE("1\0\r\n"),
        SLICE("00000000000000001\r\n"),
        SLICE("11111111111111111\r\n"),
        SLICE("0\n\r\n"),
        SLICE("0\r\n\n"),
        SLICE("0\r\n\rX"),
        SLICE("0\r\nA\r\n\r\n"),
        SLICE("0\r\nA : b\r\n\r\n"),
        SLICE("0\r\n A: b\r\n\r\n"),
        SLICE("0\r\n: b\r\n\r\n"),
        SLICE("0\r\nA: b\r\n c\r\n\r\n"),
        SLICE("0\r\nA: b\nC: d\r\n\r\n"),
        SLICE("0\r\nA: b\rC: d\r\n\r\n"),
        SLICE("0\r\nA: \0\r\n\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct outcome outcome = outcome_of(rows[i]);

        if (!outcome.wrong) {
            fail_msg("taken: %s", rows[i].data);
        }
        buf_free(&outcome.kept);
    }
}

static void what_is_taken_out_of_one_body_is_bounded(void **state)
{
    struct buf text = {0};
    struct outcome outcome;

    (void)state;
    buf_add_str(&text, "0\r\n");
    while (text.len < 8192) {
        buf_add_str(&text, "a: 2\r\n");
    }
    outcome = pass_bytes(buf_slice(&text));
    assert_false(outcome.wrong);
    buf_free(&outcome.kept);
    buf_add_str(&text, "a: 2\r\n");
    outcome = pass_bytes(buf_slice(&text));
    assert_true(outcome.wrong);
    buf_free(&outcome.kept);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones),
        cmocka_unit_test(bad_ones),
        cmocka_unit_test(what_is_taken_out_of_one_body_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
