/*
 * units - sizes and times as people write them in settings: "64MiB", "10m". Pure.
 */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

#include "common/buf.h"

/* A whole number and B, kB, MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024), or no unit
 * (bytes). False: not a size, or too large. */
bool units_parse_size(struct slice text, int64_t *out_bytes);
/* A whole number and ms, s, m, h or d. False: not a time, or too large. */
bool units_parse_time(struct slice text, int64_t *out_ms);
/* The shortest exact spelling, such as 256MiB or 90s. */
void units_format_size(int64_t bytes, char out_text[32]);
void units_format_time(int64_t ms, char out_text[32]);

#endif
