/*
 * encode - hex and base64 (RFC 4648 sections 8 and 4), strict. Pure; any thread.
 */
#ifndef COMMON_ENCODE_H
#define COMMON_ENCODE_H

#include "common/buf.h"

/* Lower-case. out_text has room for 2 * len + 1 bytes and is terminated. */
void encode_hex(const uint8_t *data, size_t len, char *out_text);
/* Either case. False unless text is exactly 2 * len hex digits. */
bool decode_hex(struct slice text, uint8_t *out_data, size_t len);

/* The size of len bytes in base64, with the terminator. */
#define BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)

/* The standard alphabet, padded. out_text has room for BASE64_SIZE(len) bytes and is
 * terminated. */
void encode_base64(const uint8_t *data, size_t len, char *out_text);
/* Decodes only text that encode_base64 would have made of at most size bytes: padded, without line
 * ends, and with no bits left over. Otherwise returns false and writes nothing. */
bool decode_base64(struct slice text, uint8_t *out_data, size_t size, size_t *out_len);

#endif
