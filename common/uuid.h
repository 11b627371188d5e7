/*
 * uuid - UUID version 7 (RFC 9562 section 5.7): the id of an accepted webhook; sorts by time.
 */
#ifndef COMMON_UUID_H
#define COMMON_UUID_H

#include "common/buf.h"

struct uuid {
    uint8_t bytes[16];
};

enum { UUID_TEXT_SIZE = 37 }; /* 36 characters and the NUL */

/* Pure. now_ms: Unix time; random: 10 fresh random bytes. */
struct uuid uuid_make_v7(int64_t now_ms, const uint8_t random[10]);
/* Any thread. Reads the clock and the kernel's random numbers. */
struct uuid uuid_new(void);
/* Any thread. Lower-case, 8-4-4-4-12. */
void uuid_format(struct uuid id, char out_text[UUID_TEXT_SIZE]);
/* Any thread. Accepts what uuid_format writes, either case; false for anything else. */
bool uuid_parse(struct slice text, struct uuid *out_id);
bool uuid_equal(struct uuid a, struct uuid b);

#endif
