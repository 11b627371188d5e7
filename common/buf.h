/*
 * buf - borrowed bytes (slice) and a growing byte buffer (buf).
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/check.h"

/* Borrowed bytes, not terminated. An absent value has data == NULL; an empty one does not. */
struct slice {
    const char *data;
    size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_NONE     ((struct slice){NULL, 0})
/* For printf("%.*s", SLICE_ARG(s)). */
#define SLICE_ARG(s) (int)(s).len, (s).data ? (s).data : ""

struct slice slice_of(const char *text); /* NULL gives SLICE_NONE */
bool slice_equal(struct slice a, struct slice b);
bool slice_equal_nocase(struct slice a, struct slice b); /* ASCII only */
bool slice_starts_with(struct slice s, struct slice prefix);
struct slice slice_from(struct slice s, size_t offset); /* without its first offset bytes */
struct slice slice_trim(struct slice s,
                        const char *set); /* without these bytes at either end */
/* What precedes the first separator; *rest becomes what follows it, or absent if there is none. */
struct slice slice_take_until(struct slice *rest, char separator);

/* A growing byte buffer, always followed by a NUL that is not part of len. Zero-initialised it
 * is empty. Running out of memory stops the process, so callers check the size of a peer's data
 * against a limit before they add it. */
struct buf {
    char *data;
    size_t len;
    size_t cap;
};

void buf_add(struct buf *buf, const void *data, size_t len);
void buf_add_slice(struct buf *buf, struct slice s);
void buf_add_str(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_reserve(struct buf *buf, size_t more);
void buf_clear(struct buf *buf); /* sets len to 0, keeps the memory */
void buf_free(struct buf *buf);
void buf_wipe(struct buf *buf); /* overwrites the bytes, then frees them: for secrets */
struct slice buf_slice(const struct buf *buf); /* borrows until the next change */
/* Gives the NUL-terminated memory for free(), never NULL, and leaves buf empty. */
char *buf_take(struct buf *buf);

#endif
