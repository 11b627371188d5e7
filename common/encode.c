/*
 * Hex and base64. Decoding checks the whole text before it writes a byte: for a text that no
 * encoder would have made it returns false and leaves the output unchanged.
 */
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

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
enum { BASE64_PAD = 64 };

void encode_base64(const uint8_t *data, size_t len, char *out_text)
{
    for (size_t i = 0; i < len; i += 3) {
        uint32_t three = (uint32_t)data[i] << 16;

        three |= i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0;
        three |= i + 2 < len ? data[i + 2] : 0;
        *out_text++ = base64_digits[three >> 18];
        *out_text++ = base64_digits[three >> 12 & 63];
        *out_text++ = base64_digits[i + 1 < len ? three >> 6 & 63 : BASE64_PAD];
        *out_text++ = base64_digits[i + 2 < len ? three & 63 : BASE64_PAD];
    }
    *out_text = '\0';
}

/* 0..63, or -1. */
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The decoded length; SIZE_MAX if text is not base64. */
static size_t base64_decoded_len(struct slice text)
{
    size_t digits = text.len;
    unsigned last = 0;

    if (text.len % 4 != 0) {
        return SIZE_MAX;
    }
    while (digits > 0 && text.len - digits < 2 && text.data[digits - 1] == '=') {
        digits--;
    }
    for (size_t i = 0; i < digits; i++) {
        int value = base64_value(text.data[i]);

        if (value < 0) {
            return SIZE_MAX;
        }
        last = (unsigned)value;
    }
    /* Bits of the last digit that belong to no byte must be 0. */
    if (last & ((1u << 2 * (text.len - digits)) - 1)) {
        return SIZE_MAX;
    }
    return text.len / 4 * 3 - (text.len - digits);
}

bool decode_base64(struct slice text, uint8_t *out_data, size_t size, size_t *out_len)
{
    size_t len = base64_decoded_len(text);
    uint32_t bits = 0;

    if (len > size) {
        return false;
    }
    for (size_t i = 0, written = 0; written < len; i++) {
        bits = bits << 6 | (uint32_t)base64_value(text.data[i]);
        if (i % 4 > 0) { /* the first of four digits completes no byte */
            out_data[written++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
        }
    }
    *out_len = len;
    return true;
}
