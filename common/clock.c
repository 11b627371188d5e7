/*
 * The system's clocks, and times as text. Parsing moves a reader from left to right; its first
 * fault sets a flag that all later steps keep, so that only the end has to check. A text that
 * is not a time gives false and writes nothing; a time beyond the year 9999 is formatted as
 * "-".
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

/* Each read_… moves on in rest, or sets bad. */
struct reader {
    struct slice rest;
    bool bad;
};

static bool skip_one_of(struct reader *in, const char *set)
{
    for (; *set != '\0'; set++) {
        if (in->rest.len > 0 && in->rest.data[0] == *set) {
            in->rest = slice_from(in->rest, 1);
            return true;
        }
    }
    return false;
}

static bool next_is_digit(const struct reader *in)
{
    return in->rest.len > 0 && in->rest.data[0] >= '0' && in->rest.data[0] <= '9';
}

static int read_digit(struct reader *in)
{
    int digit;

    if (!next_is_digit(in)) {
        in->bad = true;
        return 0;
    }
    digit = in->rest.data[0] - '0';
    in->rest = slice_from(in->rest, 1);
    return digit;
}

static int read_number(struct reader *in, int digits, int lowest, int highest)
{
    int number = 0;

    for (int i = 0; i < digits; i++) {
        number = number * 10 + read_digit(in);
    }
    in->bad = in->bad || number < lowest || number > highest;
    return number;
}

static void expect(struct reader *in, const char *set)
{
    in->bad = !skip_one_of(in, set) || in->bad;
}

static int64_t read_fraction_ms(struct reader *in)
{
    int64_t ms = 0;
    int64_t scale = 100;

    if (!skip_one_of(in, ".,")) {
        return 0;
    }
    ms = read_digit(in) * scale;
    while (next_is_digit(in)) {
        scale /= 10;
        ms += read_digit(in) * scale;
    }
    return ms;
}

/* Minutes east of UTC. */
static int read_zone(struct reader *in)
{
    bool west = in->rest.len > 0 && in->rest.data[0] == '-';
    int minutes;

    if (in->rest.len == 0 || skip_one_of(in, "Zz")) {
        return 0;
    }
    expect(in, "+-");
    minutes = read_number(in, 2, 0, 23) * 60;
    if (in->rest.len > 0) {
        (void)skip_one_of(in, ":"); /* +00:00 and +0000 are both in use */
        minutes += read_number(in, 2, 0, 59);
    }
    return west ? -minutes : minutes;
}

bool clock_parse(struct slice text, int64_t *out_unix_ms)
{
    struct reader in = {.rest = text};
    struct tm tm = {0};
    int64_t ms;
    int zone_minutes;
    int seconds;
    int day;

    tm.tm_year = read_number(&in, 4, 1, 9999) - 1900;
    expect(&in, "-");
    tm.tm_mon = read_number(&in, 2, 1, 12) - 1;
    expect(&in, "-");
    day = tm.tm_mday = read_number(&in, 2, 1, 31);
    expect(&in, "Tt ");
    tm.tm_hour = read_number(&in, 2, 0, 23);
    expect(&in, ":");
    tm.tm_min = read_number(&in, 2, 0, 59);
    expect(&in, ":");
    seconds = read_number(&in, 2, 0, 60); /* 60: a leap second */
    ms = read_fraction_ms(&in);
    zone_minutes = read_zone(&in);
    if (in.bad || in.rest.len > 0) {
        return false;
    }
    ms += ((int64_t)timegm(&tm) + seconds - (int64_t)zone_minutes * 60) * 1000;
    if (tm.tm_mday != day) {
        return false; /* timegm has moved a day that does not exist, such as 30 February */
    }
    *out_unix_ms = ms;
    return true;
}

bool clock_parse_unix(struct slice text, int64_t *out_unix_ms)
{
    enum { MS_DIGITS = 13 }; /* from 2001 to 2286 */
    static const int64_t end_of_9999_s = INT64_C(253402300799);
    struct reader in = {.rest = text};
    bool leading_zero = text.len > 1 && text.data[0] == '0' && text.data[1] != '.';
    int64_t number = read_digit(&in);
    int64_t fraction_ms = 0;
    size_t digits = 1;
    bool is_ms;

    for (; next_is_digit(&in) && digits < MS_DIGITS; digits++) {
        number = number * 10 + read_digit(&in);
    }
    is_ms = digits == MS_DIGITS;
    if (!is_ms && in.rest.len > 0 && in.rest.data[0] == '.') {
        fraction_ms = read_fraction_ms(&in);
    }
    if (in.bad || in.rest.len > 0 || leading_zero || (!is_ms && number > end_of_9999_s)) {
        return false;
    }
    *out_unix_ms = is_ms ? number : number * 1000 + fraction_ms;
    return true;
}
