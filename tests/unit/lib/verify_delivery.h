/*
 * verify_delivery - a delivery whose headers are a text of `Name: value` lines, and signatures
 * of any bytes, for the tests of verify.
 */
#ifndef TESTS_UNIT_LIB_VERIFY_DELIVERY_H
#define TESTS_UNIT_LIB_VERIFY_DELIVERY_H

#include <string.h>

#include "bridge/verify/verify.h"

/* For delivery.header; ctx is the struct slice of all lines. */
static inline size_t find_header(void *ctx, const char *name, struct slice *out_values,
                                 size_t room)
{
    const struct slice *lines = ctx;
    size_t name_len = strlen(name), count = 0;
    const char *end = lines->data + lines->len;

    out_values[0] = SLICE_NONE;
    for (const char *line = lines->data; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        struct slice key = {line, name_len};

        if ((size_t)(stop - line) >= name_len + 2 && memcmp(line + name_len, ": ", 2) == 0 &&
            slice_equal_nocase(key, slice_of(name))) {
            line += name_len + 2;
            if (count < room) {
                out_values[count] = (struct slice){line, (size_t)(stop - line)};
            }
            count++;
        }
        line = stop + 1;
    }
    return count;
}

static inline enum status check_lines(struct verifier *verifier, struct slice lines,
                                      struct slice body, int64_t received_ms)
{
    const struct delivery delivery = {
        .body = body, .received_ms = received_ms, .header = find_header, .ctx = &lines};

    return verifier_check(verifier, &delivery, NULL);
}

/* Adds "S: " and the hex HMAC-SHA256 of the bytes, as if they were all body. */
static inline void sign_bytes(struct slice bytes, const char *secret, struct buf *out_line)
{
    static const struct provider_signature body_only = {.scheme = SCHEME_HMAC,
                                                        .algorithm = ALGORITHM_SHA256,
                                                        .form = FORM_PLAIN,
                                                        .encoding = ENCODING_HEX,
                                                        .key = KEY_TEXT,
                                                        .header = "S",
                                                        .message = "{body}"};
    const struct slice secrets[] = {slice_of(secret)};
    struct verifier *signer = NULL;
    struct err err;

    CHECK(verifier_create(&body_only, secrets, 1, &signer, &err) == ST_OK &&
          verifier_sign(signer, bytes, 0, SLICE_NONE, out_line) == ST_OK);
    verifier_destroy(signer);
}

#endif
