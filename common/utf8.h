/*
 * utf8 - characters in bytes (RFC 3629: no overlong forms, no surrogates). Pure; any thread.
 */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include "common/buf.h"

/* The length, 1 to 4, of the well-formed character at the start of data; 0 if there is none, or
 * len is 0. out_code_point may be NULL. */
size_t utf8_decode(const char *data, size_t len, uint32_t *out_code_point);

/* True if all of it is well-formed. */
bool utf8_valid(struct slice text);

/* A control character or a non-character, which does not belong in a name. MQTT 5.0 section 1.5.4
 * lets brokers close the connection on these. */
bool utf8_is_unfit(uint32_t code_point);

/* True if all of it is well-formed and no character is unfit. */
bool utf8_is_fit(struct slice text);

/* What a terminal obeys rather than shows: controls, line separators, changes of direction. */
bool utf8_is_unsafe(uint32_t code_point);

#endif
