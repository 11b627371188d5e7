/*
 * json - JSON by RFC 8259, to the letter: is this a JSON text, where in it is a value, and
 * writing strings.
 *
 * Libraries are too kind for bytes that decide where an event goes (single quotes, NaN,
 * overlong UTF-8, raw control characters pass). This reads bytes once, allocates nothing and
 * never recurses. Pure; any thread.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include "common/buf.h"
#include "common/err.h"

enum { JSON_MAX_DEPTH = 64 };

/* ST_OK, or ST_INVALID with *out_error_at (may be NULL) at the offset of the first byte that is
 * wrong (of a character that is not UTF-8: its first byte; the text's length if it ends too
 * soon). What is nested deeper than JSON_MAX_DEPTH is ST_INVALID too. A byte order mark is not
 * JSON; half a surrogate pair behind \u is (RFC 8259 section 8.2). */
enum status json_check(struct slice text, size_t *out_error_at) MUST_USE;

enum json_kind {
    JSON_ABSENT,
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* A value where it stands: raw borrows from the text; strings with their quotes. */
struct json_value {
    enum json_kind kind;
    struct slice raw;
};

/* Looks a dotted path of member names (`resource.modified_at`) up in a text that json_check
 * accepted. Of members with the same name the last one counts, as in PHP and JavaScript.
 * Member names that are spelled with escapes are compared decoded. JSON_ABSENT if there is
 * none or something on the way is not an object.
 *
 * A last name that ends in `*` (`result.code*`) finds the first member, as they stand in the
 * text, whose name begins so and whose value is a string, a number or a boolean. Escapes in
 * names are decoded as far as it takes to compare; if that member comes again later, the first
 * one counts. */
struct json_value json_find(struct slice text, struct slice path);

/* A path is names with single dots between them, and at most one `*`, at its end. ST_INVALID if it
 * is not, or asks for an element of an array; the reason ends with the correct form. */
enum status json_check_path(struct slice path, struct err *err) MUST_USE;

/* The same for several paths in one pass; at most JSON_MAX_PATHS. out_values[i] is what
 * paths[i] names; an absent path (SLICE_NONE) gives JSON_ABSENT. */
enum { JSON_MAX_PATHS = 32 };
void json_find_all(struct slice text, const struct slice *paths, size_t count,
                   struct json_value *out_values);

/* What a text that json_check accepted is as a whole. */
enum json_kind json_kind_of(struct slice text);

/* The string has a backslash, so its value differs from the bytes between its quotes. */
bool json_has_escape(struct json_value string);
/* The bytes between the quotes of a string. */
struct slice json_inside_quotes(struct json_value string);

/* Adds text as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD. */
void json_add_string(struct buf *out, struct slice text);

#endif
