/*
 * clock - now, and as text. For what others write: date.h.
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

#endif
