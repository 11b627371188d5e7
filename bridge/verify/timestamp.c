/*
 * Timestamps, in their three forms. Each form is narrow, so that where a timestamp begins and
 * ends is clear without what is around it (message.c explains why that matters).
 */
#include "bridge/verify/internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/date.h"

enum {
    /* What they have from 2001 to 2286. */
    SECONDS_DIGITS = 10,
    MILLISECONDS_DIGITS = 13,
    /* What they may have beyond, but not so many that seconds could be milliseconds. */
    MORE_DIGITS = 2,
    MAX_FRACTION_DIGITS = 9,
};
#define MAX_S INT64_C(999999999999)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes what has this shape off the text's beginning: 0 stands for any digit, all else for
 * itself. */
static bool take(struct slice *text, const char *shape)
{
    size_t i = 0;

    for (; shape[i] != '\0'; i++) {
        if (i == text->len ||
            (shape[i] == '0' ? !is_digit(text->data[i]) : text->data[i] != shape[i])) {
            return false;
        }
    }
    *text = (struct slice){text->data + i, text->len - i};
    return true;
}

/* As a number is printed. */
static bool read_number(struct slice text, size_t digits, bool tight, int64_t *out_number)
{
    size_t least = tight ? digits : 1, most = tight ? digits : digits + MORE_DIGITS;
    int64_t number = 0;

    if (text.len < least || text.len > most || (text.data[0] == '0' && text.len > 1)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i])) {
            return false;
        }
        number = number * 10 + (text.data[i] - '0');
    }
    *out_number = number;
    return true;
}

/* Of what date_parse takes, what has a zone, and otherwise only one spelling. */
static bool is_rfc3339(struct slice text)
{
    size_t digits = 0;

    if (!take(&text, "0000-00-00T00:00:00")) {
        return false;
    }
    if (take(&text, ".")) {
        while (take(&text, "0")) {
            digits++;
        }
        if (digits < 1 || digits > MAX_FRACTION_DIGITS) {
            return false;
        }
    }
    return (take(&text, "Z") || take(&text, "+00:00") || take(&text, "-00:00")) &&
           text.len == 0;
}

bool timestamp_read(enum provider_timestamp format, bool tight, struct slice text,
                    int64_t *out_s)
{
    int64_t ms = 0;

    switch (format) {
    case TIMESTAMP_UNSET:
    case TIMESTAMP_SECONDS:
        return read_number(text, SECONDS_DIGITS, tight, out_s);
    case TIMESTAMP_MILLISECONDS:
        if (!read_number(text, MILLISECONDS_DIGITS, tight, &ms)) {
            return false;
        }
        break;
    case TIMESTAMP_RFC3339:
        if (!is_rfc3339(text) || !date_parse(text, &ms)) {
            return false;
        }
        break;
    }
    *out_s = ms / 1000;
    return true;
}

void timestamp_write(enum provider_timestamp format, int64_t unix_s,
                     char out_text[CLOCK_TEXT_SIZE])
{
    if (unix_s < 0 || unix_s > MAX_S) {
        out_text[0] = '\0';
    } else if (format == TIMESTAMP_RFC3339) {
        clock_format(unix_s * 1000, out_text);
    } else {
        (void)snprintf(out_text, CLOCK_TEXT_SIZE, "%" PRId64,
                       format == TIMESTAMP_MILLISECONDS ? unix_s * 1000 : unix_s);
    }
}
