/*
 * Slices and growing buffers. A buffer doubles its memory and keeps a NUL behind its bytes. Only
 * memory could run out, and then the process stops.
 */
#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct slice slice_of(const char *text)
{
    return text == NULL ? SLICE_NONE : (struct slice){text, strlen(text)};
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.data, b.data, a.len) == 0);
}

bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equal((struct slice){s.data, prefix.len}, prefix);
}

struct slice slice_from(struct slice s, size_t offset)
{
    /* of an absent slice nothing is left out; C does not define NULL + 0 */
    return (struct slice){offset == 0 ? s.data : s.data + offset, s.len - offset};
}

static bool is_in(char c, const char *set)
{
    while (*set != '\0' && *set != c) {
        set++;
    }
    return *set != '\0';
}

struct slice slice_trim(struct slice s, const char *set)
{
    while (s.len > 0 && is_in(s.data[0], set)) {
        s = slice_from(s, 1);
    }
    while (s.len > 0 && is_in(s.data[s.len - 1], set)) {
        s.len--;
    }
    return s;
}

struct slice slice_take_until(struct slice *rest, char separator)
{
    const char *end = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
    struct slice item = *rest;

    if (end) {
        item.len = (size_t)(end - rest->data);
        *rest = slice_from(*rest, item.len + 1);
    } else {
        *rest = SLICE_NONE;
    }
    return item;
}

void buf_reserve(struct buf *buf, size_t more)
{
    size_t needed = buf->len + more + 1;
    size_t cap = buf->cap > 0 ? buf->cap : 64;

    if (needed <= buf->cap) {
        return;
    }
    while (cap < needed) {
        cap *= 2;
    }
    buf->data = xrealloc(buf->data, cap);
    buf->cap = cap;
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
    buf_reserve(buf, len);
    if (len > 0) {
        memcpy(buf->data + buf->len, data, len);
    }
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_add_slice(struct buf *buf, struct slice s)
{
    buf_add(buf, s.data, s.len);
}

void buf_add_str(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    enum { USUAL_LEN = 128 };
    size_t room;
    va_list args;
    int len;

    buf_reserve(buf, USUAL_LEN);
    room = buf->cap - buf->len;
    va_start(args, format);
    len = vsnprintf(buf->data + buf->len, room, format, args);
    va_end(args);
    CHECK(len >= 0);
    if ((size_t)len >= room) {
        buf_reserve(buf, (size_t)len);
        va_start(args, format);
        (void)vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args);
        va_end(args);
    }
    buf->len += (size_t)len;
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

void buf_wipe(struct buf *buf)
{
    if (buf->data != NULL) {
        explicit_bzero(buf->data, buf->cap);
    }
    buf_free(buf);
}

struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){buf->data != NULL ? buf->data : "", buf->len};
}

char *buf_take(struct buf *buf)
{
    char *data;

    buf_reserve(buf, 0);
    data = buf->data;
    data[buf->len] = '\0';
    *buf = (struct buf){0};
    return data;
}
