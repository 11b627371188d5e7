#include "common/encode.h"

void encode_hex(const uint8_t *data, size_t len, char *out_text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out_text[2 * i] = digits[data[i] >> 4];
        out_text[2 * i + 1] = digits[data[i] & 15];
    }
    out_text[2 * len] = '\0';
}

/* 0..15, or -1. */
static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

bool decode_hex(struct slice text, uint8_t *out_data, size_t len)
{
    if (len > SIZE_MAX / 2 || text.len != 2 * len) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (digit_value(text.data[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < len; i++) {
        out_data[i] =
            (uint8_t)(digit_value(text.data[2 * i]) * 16 + digit_value(text.data[2 * i + 1]));
    }
    return true;
}
