/*
 * encode - hex (RFC 4648 section 8), strict. Pure; any thread.
 */
#ifndef COMMON_ENCODE_H
#define COMMON_ENCODE_H

#include "common/buf.h"

/* Lower-case. out_text holds 2 * len + 1 bytes and is terminated. */
void encode_hex(const uint8_t *data, size_t len, char *out_text);
/* Either case. False unless text is exactly 2 * len hex digits. */
bool decode_hex(struct slice text, uint8_t *out_data, size_t len);

#endif
