/*
 * encode - hex and base64 (RFC 4648 sections 8 and 4), strict. Pure; any thread.
 */
#ifndef COMMON_ENCODE_H
#define COMMON_ENCODE_H

#include "common/buf.h"

/* Lower-case. out_text holds 2 * len + 1 bytes and is terminated. */
void encode_hex(const uint8_t *data, size_t len, char *out_text);
/* Either case. False unless text is exactly 2 * len hex digits. */
bool decode_hex(struct slice text, uint8_t *out_data, size_t len);

/* With the terminator. */
#define BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)

/* The standard alphabet, padded. out_text holds BASE64_SIZE(len) bytes and is terminated. */
void encode_base64(const uint8_t *data, size_t len, char *out_text);
/* False, and nothing is written, unless text is what encode_base64 makes of at most size bytes:
 * padded, without line ends, and with no bits left over. */
bool decode_base64(struct slice text, uint8_t *out_data, size_t size, size_t *out_len);

#endif
