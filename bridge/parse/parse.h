/*
 * parse - bytes to fields: reads what a provider's field templates (provider.h) say is where,
 * in one pass over the body. Pure; any thread.
 */
#ifndef BRIDGE_PARSE_PARSE_H
#define BRIDGE_PARSE_PARSE_H

#include "common/buf.h"
#include "common/err.h"

#include "bridge/delivery.h"
#include "bridge/event.h"
#include "bridge/provider/provider.h"

enum {
    PARSE_REASON_SIZE = 128,
    PARSE_MAX_FIELD = 4096, /* bytes of a field's value, decoded */
};

enum parse_field {
    PARSE_EVENT,
    PARSE_TYPE,
    PARSE_GID,
    PARSE_DELIVERY_ID,
    PARSE_TIME,
    PARSE_FIELDS
};

/* A provider's field templates, compiled; immutable. */
struct parser;

/* Borrows provider until parser_destroy. ST_INVALID: a template, or another value that this
 * module reads, is wrong. The reason ends in what would be right, and *out_key names the value
 * as the configuration calls it (a constant): "event", "resource_type", "gid", "delivery_id",
 * "event_time", "deletion_event" (all of `fields`), "challenge.field", "challenge.value" or
 * "challenge.echo". Only event must be there. Gives a parser for parser_destroy. */
enum status parser_create(const struct provider *provider, struct parser **out_parser,
                          const char **out_key, struct err *err) MUST_USE;
void parser_destroy(struct parser *parser);

/* Does everything that the field is made of (of {action}: the event) come from what proves the
 * delivery authentic? The body does; so does a header that the signed message holds. With a
 * token (SCHEME_TOKEN), or if nothing is verified, a header and the URL are worth as much as
 * the body. A resource_type that has no template comes from the event. */
bool parser_trusts(const struct parser *parser, enum parse_field field);

/* A value that is not found as it is in the body: decoded, or put together. */
struct parsed_text;

/* What a delivery says. Slices point into the delivery, the provider, what was known before, or
 * `made`. */
struct parsed {
    struct slice event;
    struct slice resource_type;
    struct slice gid;         /* opaque; a number is kept as it is spelled */
    struct slice delivery_id; /* absent where there is none */
    struct slice challenge;   /* not absent: this is no event; it wants this text back */
    int64_t event_ms;         /* CLOCK_NONE if it does not say, or not in a form that we know */
    bool unreadable_time;     /* it says, but not in a form that we know */
    bool deletion;
    struct parsed_text *made; /* owned: parsed_fini */
    char reason[PARSE_REASON_SIZE];
};

/* Borrows all; the delivery must outlive *out, and so must known: an event that was read from
 * this body before. Where a template needs headers or the URL and the delivery does not have
 * them any more (delivery->header is NULL), its fields count. May be NULL.
 *
 * An alternative of a template counts if all its parts are there: not null, and text (in gid,
 * delivery_id and event_time a number is text, too, as it is spelled); a header once; headers
 * and the URL with nothing in them that cannot be in a name (utf8_is_fit); of the URL one
 * segment. All may be empty.
 *
 * ST_OK, or a quarantine's reason:
 * ST_INVALID: not JSON (RFC 8259; where it is empty, or a form by its Content-Type, the reason
 * says that), not an object, or a field longer than PARSE_MAX_FIELD.
 * ST_MISSING: event, resource_type or gid has a template of which no alternative counts.
 * Then out->reason says which, and what is wrong with its first alternative, in words that may
 * be shown to the sender; the fields that were good are there. Half a surrogate pair behind \u
 * decodes to U+FFFD. out is initialised in every case; end it with parsed_fini. */
enum status parser_read(const struct parser *parser, const struct delivery *delivery,
                        const struct event *known, struct parsed *out) MUST_USE;
void parsed_fini(struct parsed *parsed);

/* The text of a scalar at a dotted path of a body that is JSON, for `{body.<path>}`: a string's
 * value, a number's or a boolean's spelling. Absent: nothing there, null, or an object or
 * array. May add to parsed->made (earlier slices of *parsed stay valid). */
struct slice parse_body_text(struct parsed *parsed, struct slice body, struct slice path);

#endif
