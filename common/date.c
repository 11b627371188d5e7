/*
 * Parsing moves a reader from left to right; its first fault sets a flag that all later steps
 * keep, so that only the end has to check. A text that is not a time gives false and writes
 * nothing.
 *
 * A date of digits alone has its parts in one order. Where the month is a word, each part says by
 * its form what it is, and so may come in any order.
 */
#include "common/date.h"

#include <string.h>
#include <time.h>

/* What was read so far. */
struct moment {
    int year, month, day; /* month: from 1; 0: not read */
    int hour, minute, second;
    int64_t fraction_ms;
    bool has_time;
    bool has_offset, has_zone_name;
    int zone_minutes; /* east of UTC */
};

/* Each read_… moves on in rest, or sets bad. */
struct reader {
    struct slice rest;
    bool bad;
};

static char next(const struct reader *in)
{
    return (char)(in->rest.len > 0 ? in->rest.data[0] : '\0');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool skip_one_of(struct reader *in, const char *set)
{
    if (in->rest.len == 0 || in->rest.data[0] == '\0' || !strchr(set, in->rest.data[0])) {
        return false;
    }
    in->rest = slice_from(in->rest, 1);
    return true;
}

static void skip_spaces(struct reader *in)
{
    while (skip_one_of(in, " \t")) {
    }
}

static void expect(struct reader *in, const char *set)
{
    in->bad = !skip_one_of(in, set) || in->bad;
}

static int read_digit(struct reader *in)
{
    int digit = next(in) - '0';

    if (!is_digit(next(in))) {
        in->bad = true;
        return 0;
    }
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

static size_t count_digits(const struct reader *in)
{
    size_t count = 0;

    while (count < in->rest.len && is_digit(in->rest.data[count])) {
        count++;
    }
    return count;
}

static struct slice read_word(struct reader *in)
{
    struct slice word = {in->rest.data, 0};

    while (is_letter(next(in))) {
        in->rest = slice_from(in->rest, 1);
        word.len++;
    }
    return word;
}

static int64_t read_fraction_ms(struct reader *in)
{
    int64_t ms = 0;
    int64_t scale = 100;

    if (!skip_one_of(in, ".,")) {
        return 0;
    }
    ms = read_digit(in) * scale;
    while (is_digit(next(in))) {
        scale /= 10;
        ms += read_digit(in) * scale;
    }
    return ms;
}

/* ---- zones ---- */

/* RFC 2822 section 4.3. */
static bool find_zone(struct slice name, int *out_minutes)
{
    static const struct {
        struct slice name;
        int hours;
    } zones[] = {
        {SLICE("Z"), 0},    {SLICE("UTC"), 0},  {SLICE("GMT"), 0},  {SLICE("UT"), 0},
        {SLICE("EST"), -5}, {SLICE("EDT"), -4}, {SLICE("CST"), -6}, {SLICE("CDT"), -5},
        {SLICE("MST"), -7}, {SLICE("MDT"), -6}, {SLICE("PST"), -8}, {SLICE("PDT"), -7},
    };

    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        if (slice_equal_nocase(zones[i].name, name)) {
            *out_minutes = zones[i].hours * 60;
            return true;
        }
    }
    return false;
}

/* +00:00, +0000 and +00 are all in use, and GMT+2. */
static void read_offset(struct reader *in, struct moment *moment)
{
    bool west = next(in) == '-';
    int minutes;

    expect(in, "+-");
    minutes = read_number(in, count_digits(in) == 1 ? 1 : 2, 0, 23) * 60;
    if (skip_one_of(in, ":") || is_digit(next(in))) {
        minutes += read_number(in, 2, 0, 59);
    }
    moment->zone_minutes = west ? -minutes : minutes;
    moment->has_offset = true;
}

/* One name; behind an offset any will do. */
static void take_zone(struct reader *in, struct moment *moment, struct slice name)
{
    int minutes = 0;

    if (!find_zone(name, &minutes) || moment->has_zone_name) {
        in->bad = in->bad || !moment->has_offset || moment->has_zone_name;
    } else if (!moment->has_offset) {
        moment->zone_minutes = minutes;
        moment->has_offset = next(in) != '+' && next(in) != '-';
    }
    moment->has_zone_name = true;
}

/* (Coordinated Universal Time), [Europe/Paris] */
static void skip_remark(struct reader *in)
{
    const char *end = next(in) == '(' ? ")" : "]";

    while (in->rest.len > 0 && !strchr(end, in->rest.data[0])) {
        in->rest = slice_from(in->rest, 1);
    }
    expect(in, end);
}

static bool at_remark(const struct reader *in, const struct moment *moment)
{
    return next(in) == '(' || (next(in) == '[' && moment->has_offset);
}

static void read_zone(struct reader *in, struct moment *moment)
{
    for (skip_spaces(in); in->rest.len > 0 && !in->bad; skip_spaces(in)) {
        if (is_letter(next(in))) {
            take_zone(in, moment, read_word(in));
        } else if (at_remark(in, moment)) {
            skip_remark(in);
        } else if (moment->has_offset) {
            in->bad = true;
        } else {
            read_offset(in, moment);
        }
    }
}

/* ---- the time of day ---- */

/* Behind the hour, with a colon or without any. */
static void read_minutes(struct reader *in, struct moment *moment, const char *separator)
{
    bool more = separator[0] == '\0';

    moment->minute = read_number(in, 2, 0, 59);
    if (more ? is_digit(next(in)) : skip_one_of(in, separator)) {
        moment->second = read_number(in, 2, 0, 60); /* 60: a leap second */
        moment->fraction_ms = read_fraction_ms(in);
    }
}

static void read_time(struct reader *in, struct moment *moment, bool colons)
{
    moment->hour = read_number(in, colons && count_digits(in) == 1 ? 1 : 2, 0, 23);
    moment->has_time = true;
    if (colons) {
        expect(in, ":");
    }
    read_minutes(in, moment, colons ? ":" : "");
}

/* ---- the whole ---- */

static bool finish(const struct reader *in, const struct moment *moment, int64_t *out_unix_ms)
{
    struct tm tm = {.tm_year = moment->year - 1900,
                    .tm_mon = moment->month - 1,
                    .tm_mday = moment->day,
                    .tm_hour = moment->hour,
                    .tm_min = moment->minute};
    int64_t seconds;

    if (in->bad || in->rest.len > 0 || moment->year < 1 || moment->month < 1 ||
        moment->day < 1) {
        return false;
    }
    seconds = (int64_t)timegm(&tm) + moment->second - (int64_t)moment->zone_minutes * 60;
    if (tm.tm_mday != moment->day) {
        return false; /* timegm has moved a day that does not exist, such as 30 February */
    }
    *out_unix_ms = seconds * 1000 + moment->fraction_ms;
    return true;
}

/* 2016-08-12T15:23:28Z, 2016/08/12 15:23, 20160812T152328Z, 2016-08-12 */
static bool parse_digits(struct slice text, int64_t *out_unix_ms)
{
    struct reader in = {.rest = text};
    struct moment moment = {0};
    const char *separator;

    moment.year = read_number(&in, 4, 1, 9999);
    separator = next(&in) == '-' ? "-" : next(&in) == '/' ? "/" : "";
    (void)skip_one_of(&in, separator);
    moment.month = read_number(&in, 2, 1, 12);
    if (separator[0] != '\0') {
        expect(&in, separator);
    }
    moment.day = read_number(&in, 2, 1, 31);
    if (in.rest.len > 0) {
        if (separator[0] != '\0' || !is_digit(next(&in))) {
            expect(&in, "Tt ");
            skip_spaces(&in);
        }
        read_time(&in, &moment, in.rest.len > 2 && in.rest.data[2] == ':');
        read_zone(&in, &moment);
    }
    return finish(&in, &moment, out_unix_ms);
}

/* ---- where the month is a word ---- */

/* Is the word one of these names, or its beginning? The index, from 1; 0: no. */
static int find_name(const char *const *names, int count, struct slice word)
{
    for (int i = 0; i < count; i++) {
        struct slice name = slice_of(names[i]);

        if (word.len >= 3 && word.len <= name.len &&
            slice_equal_nocase((struct slice){name.data, word.len}, word)) {
            return i + 1;
        }
    }
    return 0;
}

static void take_half_of_day(struct reader *in, struct moment *moment, bool afternoon)
{
    in->bad = in->bad || !moment->has_time || moment->hour < 1 || moment->hour > 12;
    moment->hour = moment->hour % 12 + (afternoon ? 12 : 0);
}

static void take_word(struct reader *in, struct moment *moment, struct slice word)
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    static const char *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};
    int month = find_name(months, COUNT_OF(months), word);
    bool pm = slice_equal_nocase(word, SLICE("PM"));

    if (month > 0 && moment->month == 0) {
        moment->month = month;
    } else if (pm || slice_equal_nocase(word, SLICE("AM"))) {
        take_half_of_day(in, moment, pm);
    } else if (find_name(days, COUNT_OF(days), word) == 0) {
        take_zone(in, moment, word);
    }
}

static void take_digits(struct reader *in, struct moment *moment)
{
    size_t count = count_digits(in);

    if (count <= 2 && count < in->rest.len && in->rest.data[count] == ':' &&
        !moment->has_time) {
        read_time(in, moment, true);
    } else if (count == 4 && moment->year == 0) {
        moment->year = read_number(in, 4, 1, 9999);
    } else if (count <= 2 && moment->day == 0) {
        moment->day = read_number(in, (int)count, 1, 31);
    } else if (count == 2 && moment->year == 0) { /* RFC 2822 section 4.3 */
        moment->year = read_number(in, 2, 0, 99);
        moment->year += moment->year < 50 ? 2000 : 1900;
    } else {
        in->bad = true;
    }
}

static bool parse_words(struct slice text, int64_t *out_unix_ms)
{
    struct reader in = {.rest = text};
    struct moment moment = {0};

    while (in.rest.len > 0 && !in.bad) {
        char c = next(&in);

        if (is_letter(c)) {
            take_word(&in, &moment, read_word(&in));
        } else if (is_digit(c)) {
            take_digits(&in, &moment);
        } else if ((c == '+' || c == '-') && moment.has_time && !moment.has_offset) {
            read_offset(&in, &moment);
        } else if (at_remark(&in, &moment)) {
            skip_remark(&in);
        } else {
            expect(&in, " ,\t-");
        }
    }
    return finish(&in, &moment, out_unix_ms);
}

bool date_parse(struct slice text, int64_t *out_unix_ms)
{
    struct slice trimmed = slice_trim(text, " \t\r\n");

    return parse_digits(trimmed, out_unix_ms) || parse_words(trimmed, out_unix_ms);
}

/* ---- Unix time ---- */

enum { MAX_DIGITS = 19, MAX_EXPONENT = 18 };

/* The digits of a number without its point, which stands behind `whole` of them. */
struct decimal {
    char digits[MAX_DIGITS + 1];
    size_t count;
    int whole;
};

static void add_digit(struct decimal *number, int digit)
{
    if (number->count < MAX_DIGITS) {
        number->digits[number->count++] = (char)digit; /* beyond: less than a nanosecond */
    }
}

static struct decimal read_decimal(struct reader *in)
{
    struct decimal number = {.count = 0};
    bool leading_zero = next(in) == '0' && count_digits(in) > 1;

    in->bad = leading_zero || count_digits(in) > MAX_DIGITS;
    for (number.whole = 0; number.whole == 0 || is_digit(next(in)); number.whole++) {
        add_digit(&number, read_digit(in));
    }
    if (!in->bad && skip_one_of(in, ".,")) {
        do {
            add_digit(&number, read_digit(in));
        } while (is_digit(next(in)));
    }
    if (!in->bad && skip_one_of(in, "eE")) {
        (void)skip_one_of(in, "+");
        number.whole += read_number(in, count_digits(in) == 1 ? 1 : 2, 0, MAX_EXPONENT);
    }
    return number;
}

/* The value of so many digits from the point on the left. */
static int64_t value_of(const struct decimal *number, int count)
{
    int64_t value = 0;

    for (int i = 0; i < count; i++) {
        value = value * 10 + ((size_t)i < number->count ? number->digits[i] : 0);
    }
    return value;
}

bool date_parse_unix(struct slice text, int64_t *out_unix_ms)
{
    enum { S_DIGITS = 12, MS_DIGITS = 13, US_DIGITS = 16, NS_DIGITS = 19 };
    static const int64_t end_of_9999_s = INT64_C(253402300799);
    struct reader in = {.rest = text};
    struct decimal number = read_decimal(&in);
    int whole = number.whole;
    bool is_s = whole <= S_DIGITS;

    if (in.bad || in.rest.len > 0 ||
        !(is_s || whole == MS_DIGITS || whole == US_DIGITS || whole == NS_DIGITS) ||
        (is_s && value_of(&number, whole) > end_of_9999_s)) {
        return false;
    }
    /* All but seconds have a power of 1000 too many. */
    *out_unix_ms = value_of(&number, is_s ? whole + 3 : MS_DIGITS);
    return true;
}
