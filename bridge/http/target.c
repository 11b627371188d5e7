/*
 * Reads the target of a request, and the name of a host (RFC 3986, RFC 9112 section 3). Pure: bytes
 * in, verdict out.
 */
#include "bridge/http/internal.h"

#include <ctype.h>
#include <string.h>

#include "common/encode.h"

bool http_target_is_bad(struct slice target)
{
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.data[i];

        if (c <= ' ' || c >= 0x7f || c == '#') {
            return true;
        }
        if (c == '%' && (target.len - i < 3 || !isxdigit((unsigned char)target.data[i + 1]) ||
                         !isxdigit((unsigned char)target.data[i + 2]) ||
                         memcmp(target.data + i, "%00", 3) == 0)) {
            return true;
        }
    }
    return false;
}

bool http_is_host(struct slice host)
{
    bool literal = slice_starts_with(host, SLICE("["));
    size_t i = literal ? 1 : 0;

    if (http_target_is_bad(host)) {
        return false;
    }
    while (i < host.len && (literal ? isxdigit((unsigned char)host.data[i]) != 0 ||
                                          host.data[i] == ':' || host.data[i] == '.'
                                    : isalnum((unsigned char)host.data[i]) != 0 ||
                                          strchr("-._~%!$&'()*+;=", host.data[i]) != NULL)) {
        i++;
    }
    if (literal && (i < 3 || i == host.len || host.data[i++] != ']')) {
        return false;
    }
    if (i < host.len && host.data[i++] != ':') {
        return false;
    }
    while (i < host.len && isdigit((unsigned char)host.data[i])) {
        i++;
    }
    return i == host.len;
}

/* A target in origin form (/path?query), or in absolute form, which a server must take as well:
 * its path, with what follows it. Absent: it is neither. */
static struct slice path_of(struct slice target)
{
    static const char *const schemes[] = {"http://", "https://"};
    struct slice path = slice_starts_with(target, SLICE("/")) ? target : SLICE_NONE;

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        size_t len = strlen(schemes[i]), end;
        struct slice rest = slice_from(target, len < target.len ? len : target.len);
        struct slice scheme = {target.data, target.len - rest.len};

        if (slice_equal_nocase(scheme, slice_of(schemes[i]))) {
            end = 0;
            while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?') {
                end++;
            }
            path =
                end > 0 && rest.data[0] != ':' && http_is_host((struct slice){rest.data, end})
                    ? slice_from(rest, end)
                    : SLICE_NONE;
            path =
                path.data != NULL && (path.len == 0 || path.data[0] == '?') ? SLICE("/") : path;
        }
    }
    return path;
}

bool http_target_has_path(struct slice target)
{
    return path_of(target).data != NULL;
}

size_t http_target_parameters(struct slice target)
{
    size_t count = 0;

    (void)slice_take_until(&target, '?');
    while (target.data != NULL) {
        (void)slice_take_until(&target, '&');
        count++;
    }
    return count;
}

/* A slash that is escaped is no separator, so it stays as it is. */
static void add_decoded(struct slice path, struct buf *out)
{
    for (; path.len > 0; path = slice_from(path, 1)) {
        uint8_t byte = (uint8_t)path.data[0];

        if (byte == '%' && decode_hex((struct slice){path.data + 1, 2}, &byte, 1)) {
            if (byte == '/') {
                byte = '%';
            } else {
                path = slice_from(path, 2);
            }
        }
        buf_add_char(out, (char)byte);
    }
}

void http_target_add_path(struct slice target, struct buf *out)
{
    struct slice rest = path_of(target);
    struct slice path = slice_take_until(&rest, '?');

    if (path.data != NULL && !http_target_is_bad(target)) {
        add_decoded(path, out);
    } else {
        path = slice_take_until(&target, '?');
        buf_add(out, path.data,
                path.len < HTTP_KEPT_TARGET_BYTES ? path.len : HTTP_KEPT_TARGET_BYTES);
    }
}
