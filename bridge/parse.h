/*
 * parse - bytes to fields: reads what a provider's description says is where in the body. Pure;
 * any thread.
 */
#ifndef BRIDGE_PARSE_H
#define BRIDGE_PARSE_H

#include "common/buf.h"
#include "common/err.h"

#include "bridge/provider.h"

enum {
    PARSE_REASON_SIZE = 128,
    PARSE_MAX_FIELD = 4096, /* bytes of an event name, resource type or gid, decoded */
};

/* A value that had escapes, decoded. */
struct parsed_text;

/* What a body says. Slices point into the body or into `decoded`. */
struct parsed {
    struct slice event;
    struct slice resource_type;
    struct slice gid;         /* opaque; a number is kept as it is spelled */
    struct slice delivery_id; /* absent where the provider has none */
    int64_t event_ms;         /* CLOCK_NONE if it does not say, or not in a form that we know */
    bool deletion;
    struct parsed_text *decoded; /* owned: parsed_fini */
    char reason[PARSE_REASON_SIZE];
};

/* Borrows body, which must outlive *out. ST_OK, or a quarantine's reason:
 * ST_INVALID: not JSON (RFC 8259), not an object, or a field longer than PARSE_MAX_FIELD.
 * ST_MISSING: a field that the provider always sends is missing, null or not text. Only a gid
 * may be a number; any may be empty. Then out->reason says which, in words that may be shown to
 * the sender, and the fields that were good are there. Half a surrogate pair behind \u decodes
 * to U+FFFD. out is initialised in every case; end it with parsed_fini. */
enum status parse_body(const struct provider *provider, struct slice body,
                       struct parsed *out) MUST_USE;
void parsed_fini(struct parsed *parsed);

/* The text of a scalar at a dotted path of a body that is JSON, for `{body.<path>}`: a string's
 * value, a number's or a boolean's spelling. Absent: nothing there, null, or an object or
 * array. May add to parsed->decoded (earlier slices of *parsed stay valid). */
struct slice parse_body_text(struct parsed *parsed, struct slice body, struct slice path);

#endif
