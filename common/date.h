/*
 * date - times as others write them. Pure; any thread.
 */
#ifndef COMMON_DATE_H
#define COMMON_DATE_H

#include "common/buf.h"

/* A date and, unless it is at midnight, a time of day; UTC without a zone. A fraction of a second
 * may have any number of digits. False if text is none of these:
 *
 * - ISO 8601 and RFC 3339, and what is usual around them: `T` or spaces between date and time, or
 *   no separators at all; no seconds; spaces before the zone, which is `Z`, `+00:00`, `-0700`,
 *   `+00`, `UTC`, `GMT+2` or both, as in `+0200 CEST`; a zone's name in brackets behind it
 * - RFC 2822, and others that write the month's name: `Fri, 12 Aug 2016 15:23:28 +0000`,
 *   `Fri Aug 12 15:23:28 UTC 2016`, `August 12, 2016 3:23 PM`, `12-Aug-16`
 *
 * Digits alone whose order nobody can tell (`08/12/2016`) are no date. */
bool date_parse(struct slice text, int64_t *out_unix_ms);

/* Since 1970, in decimal digits: seconds, or with 13 digits milliseconds (as seconds they would be
 * beyond the year 9999), with 16 microseconds, with 19 nanoseconds. A fraction and an exponent are
 * allowed, as in 1.580774400168E9; a sign and leading zeros are not. */
bool date_parse_unix(struct slice text, int64_t *out_unix_ms);

#endif
