/*
 * Input: a header's value, a newline, and a body. Only the right 64 hex digits verify, and they
 * always do.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bridge/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Kept: making one costs more than a check. */
static struct verifier *verifier(void)
{
    static const struct slice secrets[] = {SLICE("my_secret"), SLICE("older")};
    static struct verifier *kept;

    if (kept == NULL) {
        struct err err = {0};
        enum status st = verifier_create(&provider_creads, secrets, 2, &kept, &err);

        CHECK(st == ST_OK);
    }
    return kept;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *newline = memchr(text, '\n', size);
    size_t header_len = newline ? (size_t)(newline - text) : size;
    struct slice header = {text, header_len};
    struct slice body = {newline ? newline + 1 : text + size,
                         newline ? size - header_len - 1 : 0};
    struct buf line = {0};
    enum status st = verifier_sign(verifier(), body, &line);
    size_t name_len = strlen("X-Partners-Signature: ");
    struct slice right = {line.data + name_len, line.len - name_len};

    CHECK(st == ST_OK && right.len == 2 * DIGEST_SIZE);
    CHECK(verifier_check(verifier(), right, body) == ST_OK);
    st = verifier_check(verifier(), header, body);
    /* Nobody finds a MAC of the second secret by chance. */
    CHECK((st == ST_OK) == slice_equal_nocase(header, right));
    if (size > 0) {
        line.data[name_len + size % right.len] ^= 1; /* another digit, or none */
        CHECK(verifier_check(verifier(), right, body) == ST_UNAUTHENTIC);
    }
    buf_free(&line);
    return 0;
}
