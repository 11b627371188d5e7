/*
 * The other side's answer to the WebSocket upgrade (RFC 6455, section 4.2.2).
 *
 * Paho reads it with one call into a fixed buffer: an answer of more than a kilobyte (a proxy adds
 * cookies and the like), or one that arrives in pieces, fails. So the answer is gathered here, and
 * Paho gets the little of it that it looks at. Whether the key is right is Paho's to check.
 */
#include "bridge/mqtt/internal.h"

#include <stdio.h>
#include <string.h>

enum { MAX_RESPONSE = 16384, STATUS_LINE_MIN = 12 };

static bool is_upgrade(const struct buf *response)
{
    return memcmp(response->data, "HTTP/1.1 101", STATUS_LINE_MIN) == 0;
}

/* The value of a header; absent: there is none. */
static struct slice find_header(struct slice head, struct slice name)
{
    while (head.len > 0) {
        const char *end = memmem(head.data, head.len, "\r\n", 2);
        size_t len = end == NULL ? head.len : (size_t)(end - head.data);
        struct slice line = {head.data, len};

        if (len > name.len && line.data[name.len] == ':' &&
            slice_equal_nocase((struct slice){line.data, name.len}, name)) {
            return slice_trim(slice_from(line, name.len + 1), " \t");
        }
        head = slice_from(head, end == NULL ? len : len + 2);
    }
    return SLICE_NONE;
}

void mqtt_upgrade_accept(struct buf *out, struct slice accept)
{
    buf_clear(out);
    buf_addf(out, "HTTP/1.1 101 \r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n\r\n",
             SLICE_ARG(accept));
}

static enum upgrade refused(const struct buf *response, char *out_why, size_t size)
{
    if (memcmp(response->data, "HTTP/1.", 7) == 0) {
        (void)snprintf(out_why, size, "not a WebSocket for MQTT: it answers HTTP %.3s",
                       response->data + 9);
    } else {
        (void)snprintf(out_why, size, "it answers the WebSocket upgrade with something else");
    }
    return UPGRADE_REFUSED;
}

enum upgrade mqtt_upgrade_read(struct buf *response, char *out_why, size_t size)
{
    struct slice head = buf_slice(response), accept;
    char kept[128];
    int len;

    if (head.len < STATUS_LINE_MIN) {
        return UPGRADE_PARTIAL;
    }
    if (!is_upgrade(response)) {
        return refused(response, out_why, size);
    }
    if (memmem(head.data, head.len, "\r\n\r\n", 4) == NULL) {
        if (head.len < MAX_RESPONSE) {
            return UPGRADE_PARTIAL;
        }
        (void)snprintf(out_why, size, "its answer to the WebSocket upgrade is too long");
        return UPGRADE_REFUSED;
    }
    accept = find_header(head, SLICE("Sec-WebSocket-Accept"));
    len = accept.len < sizeof(kept) ? (int)accept.len : 0;
    (void)snprintf(kept, sizeof(kept), "%.*s", len, len > 0 ? accept.data : "");
    if (len == 0) {
        (void)snprintf(out_why, size, "its answer to the WebSocket upgrade has no key");
        return UPGRADE_REFUSED;
    }
    mqtt_upgrade_accept(response, slice_of(kept));
    return UPGRADE_DONE;
}
