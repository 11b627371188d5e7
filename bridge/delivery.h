/*
 * delivery - one HTTP request to a source's path, as verify and parse look at it: bytes, and a way
 * to ask for headers. Knows no HTTP library.
 *
 * Everything is borrowed for the time of a call. What is unsigned stays unsigned: whoever takes a
 * header or the suffix into account asks the provider's description whether the signature covers
 * it (see parser_trusts).
 */
#ifndef BRIDGE_DELIVERY_H
#define BRIDGE_DELIVERY_H

#include "common/buf.h"

struct delivery {
    struct slice body;
    struct slice
        suffix; /* what follows the source's path and its slash, decoded; absent: none */
    int64_t received_ms; /* Unix time */
    unsigned
        secrets; /* which ones counted when its head came (intake_check_head); 0: today's */
    /* Returns how often the header is there (names in any case); *out_value is the first one's,
     * absent if there is none. NULL: the headers are not known (any more). */
    size_t (*header)(void *ctx, const char *name, struct slice *out_value);
    void *ctx;
};

/* Any thread that may use the delivery. The value of a header that is there exactly once; absent
 * in every other case: of two, none can be trusted to be the one that others look at. */
struct slice delivery_header(const struct delivery *delivery, const char *name);

/* Any thread. Is this a token (RFC 9110 section 5.6.2), as names of headers and methods are? */
bool delivery_is_token(struct slice name);
/* The same in words, for whoever wrote something else. */
#define DELIVERY_HEADER_NAME                                                                   \
    "a header's name, of letters, digits and signs such as - and _ (RFC 9110)"

#endif
