/*
 * delivery - one HTTP request to a source's path, in the form that verify and parse use: bytes,
 * and a function to look up headers. Independent of the HTTP library.
 *
 * Everything is borrowed for the time of a call. A signature may not cover headers and the
 * suffix: before using one, find out whether it does (see parser_trusts).
 */
#ifndef BRIDGE_DELIVERY_H
#define BRIDGE_DELIVERY_H

#include "common/buf.h"

struct delivery {
    struct slice body;
    struct slice
        suffix; /* decoded path behind the source's path, no slash around it; or absent */
    int64_t received_ms; /* Unix time */
    unsigned secrets;    /* generation when its head came (intake_check_head); 0: current */
    /* Returns how many times the header appears (names in any case); the first `room` values go to
     * out_values. Room is for one at least, which is absent if the header does not appear. NULL:
     * the headers are no longer known. */
    size_t (*header)(void *ctx, const char *name, struct slice *out_values, size_t room);
    void *ctx;
};

/* Any thread that may use the delivery. The value of a header that appears exactly once, else
 * absent: of two, other programs may use either one. */
struct slice delivery_header(const struct delivery *delivery, const char *name);

/* Any thread. True for a token (RFC 9110 section 5.6.2), as names of headers and methods are. */
bool delivery_is_token(struct slice name);
/* The same in words, for error messages. */
#define DELIVERY_HEADER_NAME                                                                   \
    "a header's name, of letters, digits and signs such as - and _ (RFC 9110)"

#endif
