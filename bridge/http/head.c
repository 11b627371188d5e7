/*
 * Reads the head of a request as RFC 9112 has it, to the letter, and refuses whatever two readers
 * might understand differently: where a line, a field, a head or a body ends (request smuggling).
 * Pure: bytes in, verdict out.
 *
 * What passes here is not handed on as it came. The library gets a head that we write
 * (http_head_write), with the fields that frame a body and nothing else. So it has nothing to
 * misread, needs little memory for it, and a request costs the same however many fields it has.
 *
 * The first fault found is the answer, and ends the connection.
 */
#include "bridge/http/internal.h"

#include <ctype.h>
#include <string.h>

#include "bridge/delivery.h"

enum {
    MAX_METHOD_BYTES = 32,
    /* Beside the target: the method, two spaces, the version, the line end. */
    MAX_LINE_BYTES = HTTP_MAX_TARGET_BYTES + MAX_METHOD_BYTES + 16,
    /* Of a query, which no provider sends; many of them are an attack on whoever splits them. */
    MAX_PARAMETERS = 256,
};

#define FAULT(why, text) ((struct http_fault){.reason = (why), .message = (text)})
#define NO_FAULT         ((struct http_fault){.message = NULL})

static const char malformed_line[] = "the request line is malformed";
static const char long_target[] = "the request target is too long";
static const char malformed_field[] = "a header field is malformed";

/* ---- where it ends ---- */

/* Lines end with CR LF. Goes on at the line that begins at *scanned. Does not look beyond a limit, so
 * the verdict is the same however the bytes come. */
static struct http_fault find_end(struct slice text, size_t *scanned, size_t *out_bytes)
{
    if (*scanned == 0 && text.len > 0 && !delivery_is_token((struct slice){text.data, 1})) {
        return FAULT(REJECT_BAD_REQUEST, malformed_line); /* not HTTP, such as TLS */
    }
    while (*out_bytes == 0) {
        bool in_line = *scanned == 0;
        size_t line = *scanned, most = in_line ? MAX_LINE_BYTES : HTTP_MAX_HEAD_BYTES;
        size_t len = text.len < most ? text.len : most;
        const char *end = memchr(text.data + line, '\n', len - line);

        if (end == NULL && len < text.len) {
            return in_line ? FAULT(REJECT_URI_TOO_LONG, long_target)
                           : FAULT(REJECT_HEADERS, "the request's header fields are too large");
        }
        if (end == NULL) {
            return NO_FAULT;
        }
        *scanned = (size_t)(end - text.data) + 1;
        if (*scanned < line + 2 || end[-1] != '\r') {
            return FAULT(REJECT_BAD_REQUEST, "a line must end with CR LF");
        }
        if (*scanned == line + 2) {
            *out_bytes = *scanned;
        }
    }
    return NO_FAULT;
}

/* ---- the request line: RFC 9112 section 3 ---- */

/* Up to the space, which is skipped in *rest. */
static struct slice take_word(struct slice *rest)
{
    return slice_take_until(rest, ' ');
}

static struct http_fault read_line(struct slice line, struct http_head *head)
{
    struct slice version = line, method = take_word(&version), target = take_word(&version);

    if (target.len > HTTP_MAX_TARGET_BYTES) {
        return FAULT(REJECT_URI_TOO_LONG, long_target);
    }
    if (!delivery_is_token(method) || version.len != strlen("HTTP/1.1") ||
        memcmp(version.data, "HTTP/", 5) != 0 || !isdigit((unsigned char)version.data[5]) ||
        version.data[6] != '.' || !isdigit((unsigned char)version.data[7])) {
        return FAULT(REJECT_BAD_REQUEST, malformed_line);
    }
    if (version.data[5] != '1') {
        return FAULT(REJECT_VERSION, "this is not HTTP/1.1");
    }
    if (version.data[7] > '1') {
        return FAULT(REJECT_BAD_REQUEST, "this is not HTTP/1.1");
    }
    if (http_target_is_bad(target) || !http_target_has_path(target)) {
        return FAULT(REJECT_BAD_REQUEST, malformed_line);
    }
    if (http_target_parameters(target) > MAX_PARAMETERS) {
        return FAULT(REJECT_URI_TOO_LONG, "the query has too many parameters");
    }
    if (method.len > MAX_METHOD_BYTES) {
        return FAULT(REJECT_NOT_IMPLEMENTED, "the method is not known");
    }
    head->method = method;
    head->target = target;
    head->http_1_1 = version.data[7] == '1';
    return NO_FAULT;
}

/* ---- the fields: RFC 9112 sections 5 and 6, RFC 9110 section 5 ---- */

/* Without its CR LF. */
static struct slice take_line(struct slice *rest)
{
    struct slice line = slice_take_until(rest, '\n');

    line.len--;
    return line;
}

/* False: no colon, or white space or nothing before it; or a byte that no value may have, such as
 * the CR of an old fold. A folded line begins with white space, which no name has. */
static bool read_field(struct slice line, struct slice *out_name, struct slice *out_value)
{
    struct slice value = line;

    *out_name = slice_take_until(&value, ':');
    if (value.data == NULL || !delivery_is_token(*out_name)) {
        return false;
    }
    *out_value = slice_trim(value, " \t");
    for (size_t i = 0; i < value.len; i++) {
        if (!http_is_text(value.data[i])) {
            return false;
        }
    }
    return true;
}

/* The fields that frame a request; how often each appears, and its last value. */
enum { HOST, LENGTH, CODING, EXPECT, CONNECTION, FRAMING };

struct framing {
    unsigned count[FRAMING];
    struct slice value[FRAMING];
    bool close, keep_alive, length_read;
};

/* A list has this item: RFC 9110 section 5.6.1. */
static bool has_item(struct slice list, struct slice word)
{
    bool found = false;

    while (list.data != NULL && !found) {
        found = slice_equal_nocase(slice_trim(slice_take_until(&list, ','), " \t"), word);
    }
    return found;
}

static void note_field(struct framing *framing, struct slice name, struct slice value)
{
    static const struct slice names[FRAMING] = {SLICE("host"), SLICE("content-length"),
                                                SLICE("transfer-encoding"), SLICE("expect"),
                                                SLICE("connection")};
    size_t i = 0;

    while (i < FRAMING && !slice_equal_nocase(name, names[i])) {
        i++;
    }
    if (i < FRAMING) {
        framing->count[i]++;
        framing->value[i] = value;
    }
    if (i == CONNECTION) {
        framing->close |= has_item(value, SLICE("close"));
        framing->keep_alive |= has_item(value, SLICE("keep-alive"));
    }
}

/* Digits only. More than 64 bits is as good as the most that 64 bits have. */
static bool read_length(struct slice text, uint64_t *out_length)
{
    uint64_t length = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';

        if (digit > 9) {
            return false;
        }
        length = length > (UINT64_MAX - digit) / 10 ? UINT64_MAX : length * 10 + digit;
    }
    *out_length = length;
    return text.len > 0;
}

/* Where the body ends: RFC 9112 section 6. */
static struct http_fault read_framing(const struct framing *framing, struct http_head *head)
{
    const unsigned *count = framing->count;

    if (count[LENGTH] > 1 || (count[LENGTH] > 0 && count[CODING] > 0)) {
        return FAULT(REJECT_BAD_REQUEST, "the length of the body is given twice");
    }
    if (count[CODING] > 1 || (count[CODING] > 0 && !head->http_1_1)) {
        return FAULT(REJECT_BAD_REQUEST, "the transfer encoding is malformed");
    }
    if (count[CODING] > 0 && !slice_equal_nocase(framing->value[CODING], SLICE("chunked"))) {
        return FAULT(REJECT_NOT_IMPLEMENTED, "the only transfer encoding supported is chunked");
    }
    if (count[LENGTH] > 0 && !framing->length_read) {
        return FAULT(REJECT_BAD_REQUEST, "the length of the body is not a number");
    }
    head->chunked = count[CODING] > 0;
    head->has_length = count[LENGTH] > 0;
    if (!head->chunked && !head->has_length && slice_equal(head->method, SLICE("POST"))) {
        return FAULT(REJECT_LENGTH, "a POST must declare the length of its body");
    }
    return NO_FAULT;
}

static struct http_fault read_fields(struct slice rest, struct http_head *head)
{
    struct framing framing = {0};
    const unsigned *count = framing.count;
    struct http_fault fault;
    struct slice name, value;

    while (rest.len > 2) { /* the empty line */
        if (!read_field(take_line(&rest), &name, &value)) {
            return FAULT(REJECT_BAD_REQUEST, malformed_field);
        }
        note_field(&framing, name, value);
    }
    /* At first, as a refusal is logged with it. */
    framing.length_read = read_length(framing.value[LENGTH], &head->length);
    if (count[HOST] > 1 || (head->http_1_1 && count[HOST] == 0)) {
        return FAULT(REJECT_BAD_REQUEST, "exactly one Host field is required");
    }
    if (count[HOST] > 0 && !http_is_host(framing.value[HOST])) {
        return FAULT(REJECT_BAD_REQUEST, "the Host field is malformed");
    }
    if (head->http_1_1 && count[EXPECT] > 0 &&
        (count[EXPECT] > 1 ||
         !slice_equal_nocase(framing.value[EXPECT], SLICE("100-continue")))) {
        return FAULT(REJECT_EXPECTATION, "the only expectation supported is 100-continue");
    }
    head->close = framing.close;
    head->keep_alive = framing.keep_alive;
    fault = read_framing(&framing, head);
    /* without a body there is nothing to wait for: RFC 9110 section 10.1.1 */
    head->expects_continue =
        head->http_1_1 && count[EXPECT] > 0 && (head->chunked || head->length > 0);
    return fault;
}

struct http_fault http_head_read(struct slice text, size_t *scanned, struct http_head *head)
{
    struct http_fault fault;
    struct slice rest, line;

    *head = (struct http_head){0};
    fault = find_end(text, scanned, &head->bytes);
    if (fault.message != NULL || head->bytes == 0) {
        return fault;
    }
    rest = (struct slice){text.data, head->bytes};
    line = take_line(&rest);
    head->fields = rest;
    fault = read_line(line, head);
    return fault.message == NULL ? read_fields(rest, head) : fault;
}

struct slice http_head_target(struct slice text)
{
    struct slice line = slice_take_until(&text, '\r');

    (void)take_word(&line);
    return take_word(&line);
}

size_t http_head_find(struct slice fields, struct slice name, struct slice *out_values,
                      size_t room)
{
    struct slice line;
    size_t count = 0;

    out_values[0] = SLICE_NONE;
    while (fields.len > 2) {
        line = take_line(&fields);
        if (line.len > name.len && line.data[name.len] == ':' &&
            slice_equal_nocase((struct slice){line.data, name.len}, name)) {
            if (count < room) {
                out_values[count] = slice_trim(slice_from(line, name.len + 1), " \t");
            }
            count++;
        }
    }
    return count;
}

void http_head_write(const struct http_head *head, struct buf *out)
{
    buf_add_slice(out, head->method);
    buf_add_str(out, head->http_1_1 ? " / HTTP/1.1\r\nHost: x\r\n" : " / HTTP/1.0\r\n");
    if (head->has_length) {
        buf_addf(out, "Content-Length: %llu\r\n", (unsigned long long)head->length);
    } else if (head->chunked) {
        buf_add_str(out, "Transfer-Encoding: chunked\r\n");
    }
    if (head->expects_continue) {
        buf_add_str(out, "Expect: 100-continue\r\n");
    }
    if (head->close) {
        buf_add_str(out, "Connection: close\r\n");
    } else if (head->keep_alive) {
        buf_add_str(out, "Connection: Keep-Alive\r\n");
    }
    buf_add_str(out, "\r\n");
}
