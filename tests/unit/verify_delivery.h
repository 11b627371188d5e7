/*
 * verify_delivery - a delivery whose headers are a text of `Name: value` lines, for the tests of
 * verify.
 */
#ifndef TESTS_VERIFY_DELIVERY_H
#define TESTS_VERIFY_DELIVERY_H

#include <string.h>

#include "bridge/delivery.h"

/* For delivery.header; ctx is the struct slice of all lines. */
static inline size_t find_header(void *ctx, const char *name, struct slice *out_value)
{
    const struct slice *lines = ctx;
    size_t name_len = strlen(name), count = 0;
    const char *end = lines->data + lines->len;

    *out_value = SLICE_NONE;
    for (const char *line = lines->data; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        struct slice key = {line, name_len};

        if ((size_t)(stop - line) >= name_len + 2 && memcmp(line + name_len, ": ", 2) == 0 &&
            slice_equal_nocase(key, slice_of(name)) && count++ == 0) {
            line += name_len + 2;
            *out_value = (struct slice){line, (size_t)(stop - line)};
        }
        line = stop + 1;
    }
    return count;
}

#endif
