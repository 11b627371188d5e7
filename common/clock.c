/*
 * The system's clocks, and their times as text. A time beyond the year 9999 is formatted as "-".
 */
#include "common/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t clock)
{
    struct timespec now;

    CHECK(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_unix_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

void clock_format(int64_t unix_ms, char out_text[CLOCK_TEXT_SIZE])
{
    int64_t ms = ((unix_ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((unix_ms - ms) / 1000);
    struct tm tm;
    size_t len;

    if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900) {
        /* RFC 3339 has four digits for a year. */
        (void)snprintf(out_text, CLOCK_TEXT_SIZE, "-");
        return;
    }
    len = strftime(out_text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out_text + len, CLOCK_TEXT_SIZE - len, ".%03dZ", (int)ms);
}
