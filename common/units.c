/*
 * Sizes and times by tables of units. A text that is not a whole number with a known unit, or
 * does not fit into 64 bits, gives false. Formatting takes the largest unit that divides the
 * value.
 */
#include "common/units.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* In both tables the units get smaller, because formatting takes the first that divides. */
static const struct unit size_units[] = {
    {"GiB", 1LL << 30}, {"GB", 1000000000}, {"MiB", 1 << 20}, {"MB", 1000000},
    {"KiB", 1 << 10},   {"kB", 1000},       {"B", 1},         {"", 1},
};
static const struct unit time_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

static bool parse(struct slice text, const struct unit *units, size_t count, int64_t *out_value)
{
    struct slice name = text;
    int64_t number = 0;
    int64_t value;

    while (name.len > 0 && name.data[0] >= '0' && name.data[0] <= '9') {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, name.data[0] - '0', &number)) {
            return false;
        }
        name = slice_from(name, 1);
    }
    if (name.len == text.len) {
        return false; /* no digits */
    }
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(name, slice_of(units[i].name))) {
            if (__builtin_mul_overflow(number, units[i].factor, &value)) {
                return false;
            }
            *out_value = value;
            return true;
        }
    }
    return false;
}

static void format(int64_t value, const struct unit *units, size_t count, char out_text[32])
{
    for (size_t i = 0; i < count; i++) {
        if (value % units[i].factor == 0 && (value != 0 || i == count - 1)) {
            (void)snprintf(out_text, 32, "%" PRId64 "%s", value / units[i].factor,
                           units[i].name);
            return;
        }
    }
}

bool units_parse_size(struct slice text, int64_t *out_bytes)
{
    return parse(text, size_units, COUNT_OF(size_units), out_bytes);
}

bool units_parse_time(struct slice text, int64_t *out_ms)
{
    return parse(text, time_units, COUNT_OF(time_units), out_ms);
}

void units_format_size(int64_t bytes, char out_text[32])
{
    format(bytes, size_units, COUNT_OF(size_units) - 1, out_text);
}

void units_format_time(int64_t ms, char out_text[32])
{
    format(ms, time_units, COUNT_OF(time_units), out_text);
}
