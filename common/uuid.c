/*
 * UUID version 7: 48 bits of time, then random bits with the version and the variant set. The
 * kernel's random numbers cannot fail for so few bytes; if they did, the process would stop.
 */
#include "common/uuid.h"

#include <string.h>

#include <sys/random.h>

#include "common/clock.h"
#include "common/encode.h"

struct uuid uuid_make_v7(int64_t now_ms, const uint8_t random[10])
{
    struct uuid id;

    for (int i = 0; i < 6; i++) {
        id.bytes[i] = (uint8_t)((uint64_t)now_ms >> (40 - 8 * i));
    }
    memcpy(id.bytes + 6, random, 10);
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f)); /* version 7 */
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f)); /* variant */
    return id;
}

struct uuid uuid_new(void)
{
    uint8_t random[10];

    /* getrandom(2): up to 256 bytes are neither cut short nor interrupted. */
    CHECK(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
    return uuid_make_v7(clock_unix_ms(), random);
}

void uuid_format(struct uuid id, char out_text[UUID_TEXT_SIZE])
{
    char *at = out_text;

    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        encode_hex(&id.bytes[i], 1, at);
        at += 2;
    }
}

bool uuid_parse(struct slice text, struct uuid *out_id)
{
    struct uuid id;
    size_t at = 0;

    if (text.len != UUID_TEXT_SIZE - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text.data[at++] != '-') {
            return false;
        }
        if (!decode_hex((struct slice){text.data + at, 2}, &id.bytes[i], 1)) {
            return false;
        }
        at += 2;
    }
    *out_id = id;
    return true;
}

bool uuid_equal(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}
