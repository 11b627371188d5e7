/*
 * Decodes and checks UTF-8 by the table of RFC 3629. Bytes that are not a well-formed character
 * have length 0; nothing else can fail.
 */
#include "common/utf8.h"

size_t utf8_decode(const char *data, size_t len, uint32_t *out_code_point)
{
    /* The smallest code point that needs this many bytes; anything below is an overlong form. */
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)data;

    if (len == 0 || (bytes[0] >= 0x80 && bytes[0] < 0xC2) || bytes[0] > 0xF4) {
        return 0;
    }

    size_t need = bytes[0] < 0x80 ? 1 : bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;
    uint32_t code_point = need == 1 ? bytes[0] : bytes[0] & (0x7Fu >> need);

    if (need > len) {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            return 0;
        }
        code_point = code_point << 6 | (bytes[i] & 0x3F);
    }
    if (code_point < least[need] || code_point > 0x10FFFF ||
        (code_point >= 0xD800 && code_point <= 0xDFFF)) {
        return 0;
    }
    if (out_code_point) {
        *out_code_point = code_point;
    }
    return need;
}

bool utf8_valid(struct slice text)
{
    for (size_t i = 0; i < text.len;) {
        size_t n = utf8_decode(text.data + i, text.len - i, NULL);

        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

bool utf8_is_unfit(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || (c >= 0xFDD0 && c <= 0xFDEF) ||
           (c & 0xFFFE) == 0xFFFE;
}

bool utf8_is_fit(struct slice text)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t c = 0;
        size_t n = utf8_decode(text.data + i, text.len - i, &c);

        if (n == 0 || utf8_is_unfit(c)) {
            return false;
        }
        i += n;
    }
    return true;
}

bool utf8_is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}
