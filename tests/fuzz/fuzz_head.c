/*
 * Input: what a client sends. Checks that a head and a chunked body behind it are judged the same
 * however they are split; that the head which the library gets frames the same; and that what is
 * kept of the chunks is read again to the same data.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/http/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MAX_INPUT = 20 * 1024
}; /* more than the limits of a head and of what is taken out of a body */

/* A place that depends on the input, and on nothing else. */
static size_t split_of(struct slice text, size_t salt)
{
    size_t sum = salt;

    for (size_t i = 0; i < text.len; i++) {
        sum = sum * 31 + (unsigned char)text.data[i];
    }
    return sum % (text.len + 1);
}

/* ---- heads ---- */

static void check_same(const struct http_head *a, const struct http_head *b)
{
    CHECK(slice_equal(a->method, b->method));
    CHECK(a->http_1_1 == b->http_1_1 && a->chunked == b->chunked);
    CHECK(a->has_length == b->has_length && a->length == b->length);
    CHECK(a->expects_continue == b->expects_continue && a->close == b->close);
    CHECK(a->close || a->keep_alive == b->keep_alive);
}

static struct http_fault read_split(struct slice text, size_t split, struct http_head *head)
{
    size_t scanned = 0;
    struct http_fault fault = http_head_read((struct slice){text.data, split}, &scanned, head);

    return fault.message != NULL || head->bytes > 0 ? fault
                                                    : http_head_read(text, &scanned, head);
}

static void check_written(const struct http_head *head)
{
    struct http_head again;
    struct buf out = {0};
    size_t scanned = 0;

    http_head_write(head, &out);
    CHECK(http_head_read(buf_slice(&out), &scanned, &again).message == NULL);
    CHECK(again.bytes == out.len);
    check_same(head, &again);
    buf_free(&out);
}

static void check_values(const struct http_head *head)
{
    struct slice values[2];
    struct buf path = {0};

    CHECK(http_head_find(head->fields, SLICE("host"), values, 2) <= 1);
    CHECK(http_head_find(head->fields, SLICE("Content-Length"), values, 2) == head->has_length);
    http_target_add_path(head->target, &path);
    CHECK(path.len > 0 && path.data[0] == '/' && memchr(path.data, '\0', path.len) == NULL);
    buf_free(&path);
}

/* Gives what is behind the head, or all if there is none. */
static struct slice check_head(struct slice text)
{
    struct http_head whole, split;
    struct http_fault fault = read_split(text, text.len, &whole), other;

    for (size_t salt = 0; salt < 3; salt++) {
        other = read_split(text, split_of(text, salt), &split);
        CHECK((fault.message == NULL) == (other.message == NULL));
        CHECK(fault.message == NULL || fault.reason == other.reason);
        CHECK(whole.bytes == split.bytes);
    }
    if (fault.message != NULL || whole.bytes == 0) {
        return text;
    }
    check_same(&whole, &split);
    check_written(&whole);
    check_values(&whole);
    return slice_from(text, whole.bytes);
}

/* ---- chunks ---- */

/* Passes them in pieces of at most this size. False: malformed. */
static bool pass(struct slice text, size_t piece, struct buf *kept, size_t *taken,
                 bool *complete)
{
    struct http_chunks chunks = {0};
    char *copy = xalloc(text.len + 1);
    bool good = true;

    buf_clear(kept);
    buf_reserve(kept, text.len + 1);
    *taken = 0;
    while (good && *taken < text.len && !chunks.complete) {
        size_t len = text.len - *taken < piece ? text.len - *taken : piece, n = 0, used = 0;

        memcpy(copy, text.data + *taken, len);
        good = http_chunks_pass(&chunks, copy, len, &n, &used);
        if (good) {
            CHECK(n <= used && used <= len && (used == len || chunks.complete));
            buf_add(kept, copy, n);
            *taken += used;
        }
    }
    *complete = chunks.complete;
    free(copy);
    return good;
}

/* The data of chunks without extensions and trailers, as they are kept; read as simply as can be. */
static size_t data_of(struct slice kept, char *out)
{
    size_t len = 0, at = 0, size;

    for (;;) {
        char *end;

        size = strtoul(kept.data + at, &end, 16);
        at = (size_t)(end - kept.data);
        CHECK(memcmp(kept.data + at, "\r\n", 2) == 0 && size <= kept.len - at);
        at += 2;
        memcpy(out + len, kept.data + at, size);
        len += size;
        at += size;
        CHECK(memcmp(kept.data + at, "\r\n", 2) == 0);
        at += 2;
        if (size == 0) {
            CHECK(at == kept.len);
            return len;
        }
    }
}

static void check_chunks(struct slice text)
{
    static struct buf whole, other;
    static char data[MAX_INPUT], again[MAX_INPUT];
    size_t taken, other_taken, pieces[] = {1, split_of(text, 3) + 1, 7};
    bool complete, other_complete, good = pass(text, text.len, &whole, &taken, &complete);

    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        CHECK(pass(text, pieces[i], &other, &other_taken, &other_complete) == good);
        CHECK(!good || (taken == other_taken && complete == other_complete &&
                        slice_equal(buf_slice(&whole), buf_slice(&other))));
    }
    if (good && complete) {
        size_t len = data_of(buf_slice(&whole), data);

        CHECK(pass(buf_slice(&whole), whole.len, &other, &other_taken, &other_complete));
        CHECK(other_complete && slice_equal(buf_slice(&whole), buf_slice(&other)));
        CHECK(data_of(buf_slice(&other), again) == len && memcmp(data, again, len) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};

    if (size > 0 && size <= MAX_INPUT) {
        check_chunks(check_head(text));
    }
    return 0;
}
