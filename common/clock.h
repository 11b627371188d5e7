/*
 * clock - now, and times as text.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include "common/buf.h"

enum { CLOCK_TEXT_SIZE = 32 };
#define CLOCK_NONE INT64_MIN /* "no time known" */

int64_t clock_unix_ms(void); /* any thread; since 1970, UTC */
int64_t clock_mono_ms(void); /* any thread; never goes back */
int64_t clock_mono_us(void); /* any thread; never goes back */

/* Pure. RFC 3339, UTC, milliseconds: 2026-01-31T23:59:59.042Z */
void clock_format(int64_t unix_ms, char out_text[CLOCK_TEXT_SIZE]);

/* Pure. ISO 8601 / RFC 3339 date and time as providers write them: with `T` or a space between,
 * a fraction of any length, and `Z`, `+00:00`, `-0700` or `+00` as the zone; UTC without a
 * zone. False if text is not a time. */
bool clock_parse(struct slice text, int64_t *out_unix_ms);
/* Pure. Seconds since 1970 in decimal digits: 1580774400, 1580774400.168; 13 digits are
 * milliseconds: 1580774400168 (as seconds they would be beyond the year 9999). Without a sign,
 * an exponent or leading zeros. False if text is not such a time. */
bool clock_parse_unix(struct slice text, int64_t *out_unix_ms);

#endif
