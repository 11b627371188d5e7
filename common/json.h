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
 * the first byte of a sequence that is not UTF-8; the text's length if it ends too soon.
 * ST_TOO_LARGE: JSON so far, but nested deeper than JSON_MAX_DEPTH there. A byte order mark is not
 * JSON (see json_skip_mark); half a surrogate pair behind \u is (RFC 8259 section 8.2). */
enum status json_check(struct slice text, size_t *out_error_at) MUST_USE;

/* The text without the byte order mark before it, which readers may ignore (RFC 8259 section
 * 8.1). */
struct slice json_skip_mark(struct slice text);

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

/* A path is member names with dots between them, such as `resource.modified_at`. In quotes a name
 * may be anything without a quote (`fields."container.id"`); else it contains no dot, quote or |,
 * has no blank at its ends, and is no number. A last name that ends in `*` (`result.code*`) stands
 * for the first member in the text whose name has this prefix and whose value is a string, a
 * number or a boolean.
 *
 * Adds the path to out in the form that json_find takes; a single plain name is that already.
 * ST_INVALID, and out is unchanged: it is no path, or could never find anything, such as an
 * element of an array; the reason ends with the correct form. */
enum status json_compile_path(struct slice path, struct buf *out, struct err *err) MUST_USE;

/* Looks up a compiled path in a text that json_check has accepted. Of members with the same name
 * the last one wins, as in PHP and JavaScript (with `*`, the first). Names with escapes are compared
 * decoded. JSON_ABSENT if there is no such member, or if a value on the way is not an object. */
struct json_value json_find(struct slice text, struct slice path);

/* The same for several paths, at most JSON_MAX_PATHS, in one pass. out_values[i] is the value of
 * paths[i]; JSON_ABSENT for an absent path (SLICE_NONE). */
enum { JSON_MAX_PATHS = 32 };
void json_find_all(struct slice text, const struct slice *paths, size_t count,
                   struct json_value *out_values);

/* Adds the text with "***" in place of each value, but null, that a path leads to: of every member, if
 * several have the same name, or a prefix in common with a path that ends in `*`. All other bytes
 * stay as they are. */
void json_mask(struct slice text, const struct slice *paths, size_t count, struct buf *out);

/* The kind of a whole text that json_check has accepted. */
enum json_kind json_kind_of(struct slice text);

/* The string has a backslash, so its value differs from the bytes between its quotes. */
bool json_has_escape(struct json_value string);
/* The bytes between the quotes of a string. */
struct slice json_inside_quotes(struct json_value string);

/* Adds text as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD. */
void json_add_string(struct buf *out, struct slice text);

#endif
