/*
 * json_scan - for the files common/json*.c, and nobody else: skips the plain bytes of a string eight
 * at a time, since that is where readers spend their time; and what a compiled path is made of.
 */
#ifndef COMMON_JSON_SCAN_H
#define COMMON_JSON_SCAN_H

#include <stdint.h>
#include <string.h>

#include <endian.h>

/* Between two names of a compiled path, and behind a last name that is a prefix. No name in a text
 * contains these bytes but as an escape. */
#define JSON_PATH_NEXT '\x1F'
#define JSON_PATH_ANY  '\x1E'

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* How many of the 8 bytes at p, from the first on, are plain: not below 0x20, not `"` or `\`,
 * not above 0x7F. Each subtraction sets the top bit of a byte that is not plain. Its borrow may
 * also mark plain bytes, but only behind the first one that is not. */
static inline unsigned plain_bytes(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    word = le64toh(word);

    uint64_t quote = (word ^ EACH_BYTE('"')) - EACH_BYTE(1);
    uint64_t backslash = (word ^ EACH_BYTE('\\')) - EACH_BYTE(1);
    uint64_t control = word - EACH_BYTE(0x20);
    uint64_t marks = (quote | backslash | control | word) & EACH_BYTE(0x80);

    return marks == 0 ? 8 : (unsigned)__builtin_ctzll(marks) / 8;
}

/* The first byte from p that is not plain, or end. */
static inline const char *skip_plain(const char *p, const char *end)
{
    while (end - p >= 8) {
        unsigned n = plain_bytes(p);

        p += n;
        if (n < 8) {
            return p;
        }
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\') {
        p++;
    }
    return p;
}

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    return p;
}

#endif
