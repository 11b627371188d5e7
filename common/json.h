/*
 * json - strict JSON (RFC 8259): checks a text, finds values in it, and writes strings.
 *
 * Libraries are too lenient for bytes that decide where an event goes: they let single quotes,
 * NaN, overlong UTF-8 and raw control characters pass. This reads the bytes once, allocates
 * nothing and never recurses. Pure; any thread.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include "common/buf.h"
#include "common/err.h"

enum { JSON_MAX_DEPTH = 64 };

/* ST_OK, or ST_INVALID with the offset of the first wrong byte in *out_error_at (may be NULL):
 * the first byte of a sequence that is not UTF-8; the text's length if it ends too soon. A text
 * nested deeper than JSON_MAX_DEPTH is ST_INVALID too. A byte order mark is not JSON; half a
 * surrogate pair behind \u is (RFC 8259 section 8.2). */
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

/* raw borrows from the text; a string includes its quotes. */
struct json_value {
    enum json_kind kind;
    struct slice raw;
};

/* Looks up a dotted path of member names (`resource.modified_at`) in a text that json_check has
 * accepted. Of members with the same name the last one wins, as in PHP and JavaScript. Names
 * with escapes are compared decoded. JSON_ABSENT if there is no such member, or if a value on
 * the way is not an object.
 *
 * A last name that ends in `*` (`result.code*`) finds the first member in the text whose name
 * has this prefix and whose value is a string, a number or a boolean. If that member appears
 * again later, the first one wins. */
struct json_value json_find(struct slice text, struct slice path);

/* A path is names with single dots between them, and at most one `*`, at its end. ST_INVALID if it
 * is not, or asks for an element of an array; the reason ends with the correct form. */
enum status json_check_path(struct slice path, struct err *err) MUST_USE;

/* The same for several paths, at most JSON_MAX_PATHS, in one pass. out_values[i] is the value of
 * paths[i]; JSON_ABSENT for an absent path (SLICE_NONE). */
enum { JSON_MAX_PATHS = 32 };
void json_find_all(struct slice text, const struct slice *paths, size_t count,
                   struct json_value *out_values);

/* The kind of a whole text that json_check has accepted. */
enum json_kind json_kind_of(struct slice text);

/* The string has a backslash, so its value differs from the bytes between its quotes. */
bool json_has_escape(struct json_value string);
/* The bytes between the quotes of a string. */
struct slice json_inside_quotes(struct json_value string);

/* Adds text as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD. */
void json_add_string(struct buf *out, struct slice text);

#endif
