/*
 * Checks a head for faults that RFC 9112 forbids and libmicrohttpd 0.9.75 lets pass: the request
 * line, then all fields in one pass, then how the body is framed. The first fault is refused,
 * with its status, and ends the connection: two parties that disagree about where a request ends
 * can be played off against each other (request smuggling).
 *
 * The library hides some faults, so they cannot be checked here: folded fields, NUL bytes, lines
 * that end in a bare LF, and a line that begins with a colon (it ends the head, as an empty line
 * does). On the open internet, put a proxy in front.
 */
#include "bridge/http/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "bridge/delivery.h"

#define FAULT(why, text) ((struct http_fault){.reason = (why), .message = (text)})
#define NO_FAULT         ((struct http_fault){.message = NULL})

/* The fields that decide about a request's framing. */
struct fields {
    unsigned host_count, length_count, coding_count, expect_count;
    struct slice length, coding, expect;
    bool malformed;
};

static bool is_field_value(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static enum MHD_Result note_field(void *cls, enum MHD_ValueKind kind, const char *key,
                                  size_t key_len, const char *value, size_t value_len)
{
    struct fields *fields = cls;
    struct slice name = {key, key_len};

    (void)kind;
    if (!delivery_is_token(name) || !is_field_value(value, value_len)) {
        fields->malformed = true;
    } else if (slice_equal_nocase(name, SLICE("host"))) {
        fields->host_count++;
    } else if (slice_equal_nocase(name, SLICE("content-length"))) {
        fields->length_count++;
        fields->length = (struct slice){value, value_len};
    } else if (slice_equal_nocase(name, SLICE("transfer-encoding"))) {
        fields->coding_count++;
        fields->coding = (struct slice){value, value_len};
    } else if (slice_equal_nocase(name, SLICE("expect"))) {
        fields->expect_count++;
        fields->expect = (struct slice){value, value_len};
    }
    return MHD_YES;
}

static size_t head_bytes(const struct http_request *request)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        request->connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    return info == NULL ? 0 : info->header_size;
}

bool http_target_is_bad(const char *target)
{
    for (const unsigned char *p = (const unsigned char *)target; *p != '\0'; p++) {
        if (*p <= ' ' || *p >= 0x7f || *p == '#') {
            return true;
        }
        if (*p == '%' && (!isxdigit(p[1]) || !isxdigit(p[2]) || (p[1] == '0' && p[2] == '0'))) {
            return true;
        }
    }
    return false;
}

static struct http_fault check_line(const struct http_request *request)
{
    if (request->target_bytes > HTTP_MAX_TARGET_BYTES) {
        return FAULT(REJECT_URI_TOO_LONG, "the request target is too long");
    }
    if (head_bytes(request) > HTTP_MAX_HEAD_BYTES) {
        return FAULT(REJECT_HEADERS, "the request's header fields are too large");
    }
    if (strcmp(request->version, "HTTP/1.1") != 0 &&
        strcmp(request->version, "HTTP/1.0") != 0) {
        return FAULT(REJECT_BAD_REQUEST, "this is not HTTP/1.1");
    }
    if (!delivery_is_token(slice_of(request->method)) || request->target_bad ||
        !slice_starts_with(buf_slice(&request->path), SLICE("/"))) {
        return FAULT(REJECT_BAD_REQUEST, "the request line is malformed");
    }
    return NO_FAULT;
}

/* Where the body ends: RFC 9112 section 6. */
static struct http_fault check_framing(const struct fields *fields, bool http_1_1)
{
    if (fields->length_count > 1 || (fields->length_count > 0 && fields->coding_count > 0)) {
        return FAULT(REJECT_BAD_REQUEST, "the length of the body is given twice");
    }
    if (fields->coding_count == 0) {
        return NO_FAULT;
    }
    if (fields->coding_count > 1 || !http_1_1) {
        return FAULT(REJECT_BAD_REQUEST, "the transfer encoding is malformed");
    }
    if (!slice_equal_nocase(fields->coding, SLICE("chunked"))) {
        return FAULT(REJECT_NOT_IMPLEMENTED, "the only transfer encoding supported is chunked");
    }
    return NO_FAULT;
}

static struct http_fault check_fields(const struct fields *fields, bool http_1_1)
{
    if (fields->malformed) {
        return FAULT(REJECT_BAD_REQUEST, "a header field is malformed");
    }
    if (fields->host_count > 1 || (http_1_1 && fields->host_count == 0)) {
        return FAULT(REJECT_BAD_REQUEST, "exactly one Host field is required");
    }
    if (http_1_1 && (fields->expect_count > 1 ||
                     (fields->expect_count == 1 &&
                      !slice_equal_nocase(fields->expect, SLICE("100-continue"))))) {
        return FAULT(REJECT_EXPECTATION, "the only expectation supported is 100-continue");
    }
    return check_framing(fields, http_1_1);
}

static struct http_fault check_body(const struct http_request *request,
                                    const struct fields *fields)
{
    if (strcmp(request->method, "POST") == 0 && fields->length_count == 0 &&
        fields->coding_count == 0) {
        return FAULT(REJECT_LENGTH, "a POST must declare the length of its body");
    }
    if (request->length > request->max_body_bytes) {
        return FAULT(REJECT_TOO_LARGE, "the body is too large");
    }
    return NO_FAULT;
}

struct http_fault http_check_head(struct http_request *request)
{
    struct fields fields = {.malformed = false};
    struct http_fault fault = check_line(request);

    if (fault.message != NULL) {
        return fault;
    }
    (void)MHD_get_connection_values_n(request->connection->mhd, MHD_HEADER_KIND, note_field,
                                      &fields);
    request->chunked = fields.coding_count > 0;
    /* The library has checked that it is a number that fits. */
    request->length = fields.length_count > 0 ? strtoull(fields.length.data, NULL, 10) : 0;
    fault = check_fields(&fields, strcmp(request->version, "HTTP/1.1") == 0);
    return fault.message != NULL ? fault : check_body(request, &fields);
}
