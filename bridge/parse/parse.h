/*
 * parse - bytes to fields: reads the fields of a delivery from the places that the provider's
 * field templates name (provider.h), in one pass over the body. Pure; any thread.
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

/* Borrows provider until parser_destroy. ST_INVALID: a template, or another value that this module
 * reads, is wrong. The reason ends with the correct form, and *out_key (a constant) is the key in
 * the configuration: "event", "resource_type", "gid", "delivery_id", "event_time",
 * "deletion_event" (all of `fields`), "challenge.field", "challenge.value" or "challenge.echo".
 * Only event is required. Gives a parser for parser_destroy. */
enum status parser_create(const struct provider *provider, struct parser **out_parser,
                          const char **out_key, struct err *err) MUST_USE;
void parser_destroy(struct parser *parser);

/* True if all parts of the field are covered by the signature: parts of the body are, and headers
 * that are part of the signed message. With a token (SCHEME_TOKEN), or if nothing is verified,
 * headers and the URL are as good as the body. A resource_type without a template comes from the
 * event. */
bool parser_trusts(const struct parser *parser, enum parse_field field);
/* True if all parts of the field are in the body or in headers that are part of the signed
 * message, whatever else is verified: a token covers no header. */
bool parser_covers(const struct parser *parser, enum parse_field field);

/* A text that does not stand in the body as it is: decoded, or joined from parts. */
struct parsed_text;

/* The fields of a delivery. Slices point into the delivery, the provider, the known event, or
 * `made`. */
struct parsed {
    struct slice event;
    struct slice resource_type;
    struct slice gid;         /* opaque; a number is kept as it is spelled */
    struct slice delivery_id; /* absent if there is none */
    struct slice challenge;   /* present: not an event; the sender wants this text back */
    int64_t event_ms;         /* CLOCK_NONE if there is no time, or in an unknown form */
    bool unreadable_time;     /* there is a time, but in an unknown form */
    bool deletion;
    struct parsed_text *made; /* owned: parsed_fini */
    char reason[PARSE_REASON_SIZE];
};

/* Borrows all; the delivery must outlive *out, and so must known: the event that was read from
 * this body before, or NULL. If a template needs headers or the URL, and the delivery no longer
 * has them (delivery->header is NULL), the field's value is taken from known.
 *
 * A field's value is the first alternative of its template whose parts are all present. A part
 * of the body is present if it is text, a number or a boolean (both as they are spelled; a delivery
 * id is no boolean), not null; a header if it appears once; the URL if it is one segment.
 * Headers and the URL must also contain nothing that cannot be in a name (utf8_is_fit). All may
 * be empty.
 *
 * ST_OK, or why the delivery must be quarantined: ST_INVALID: not JSON by RFC 8259, but for a byte
 * order mark before it (the reason says so if the body is empty, nested too deep, or a form by its
 * Content-Type), not an object, or a field
 * longer than PARSE_MAX_FIELD. ST_MISSING: no alternative of event, resource_type or gid is
 * present. out->reason then names the field and the fault of its first alternative, in words
 * that may be shown to the sender; the good fields are filled in. Half a surrogate pair behind
 * \u decodes to U+FFFD. out is initialised in every case; end it with parsed_fini. */
enum status parser_read(const struct parser *parser, const struct delivery *delivery,
                        const struct event *known, struct parsed *out) MUST_USE;
void parsed_fini(struct parsed *parsed);

/* The scalar at a compiled path of a JSON body as text, for `{body.<path>}`: the value of a string,
 * the spelling of a number or a boolean. Absent if there is nothing, null, an object or an array.
 * May add to parsed->made (earlier slices of *parsed stay valid). */
struct slice parse_body_text(struct parsed *parsed, struct slice body, struct slice path);

#endif
