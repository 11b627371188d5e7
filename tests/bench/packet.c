#include "tests/bench/packet.h"

#include <stdlib.h>
#include <string.h>

/* Lengths of the values of properties, by identifier (MQTT 5.0 section 2.2.2.2): those that a
 * broker may send in PUBLISH. */
enum { PROPERTY_USER = 0x26, PROPERTY_SUBSCRIPTION_ID = 0x0b };

/* Writing. All packets here have less than 128 bytes behind their first two, so their length is
 * one byte. */

static char *put_u16(char *at, size_t value)
{
    *at++ = (char)(value >> 8);
    *at++ = (char)value;
    return at;
}

static char *put_text(char *at, const char *text)
{
    size_t len = strlen(text);

    at = put_u16(at, len);
    memcpy(at, text, len);
    return at + len;
}

static size_t finish(char *packet, const char *end, int first_byte)
{
    size_t len = (size_t)(end - packet);

    if (len - 2 > 127) {
        abort();
    }
    packet[0] = (char)first_byte;
    packet[1] = (char)(len - 2);
    return len;
}

size_t packet_connect(char out[PACKET_SMALL], const char *client_id)
{
    char *at = put_text(out + 2, "MQTT");

    *at++ = 5;
    *at++ = 2; /* clean start */
    at = put_u16(at, 0);
    *at++ = 0; /* no properties */
    return finish(out, put_text(at, client_id), 0x10);
}

size_t packet_subscribe(char out[PACKET_SMALL], const char *filter_a, const char *filter_b)
{
    char *at = put_u16(out + 2, 1);

    *at++ = 0;
    at = put_text(at, filter_a);
    *at++ = 0;
    at = put_text(at, filter_b);
    *at++ = 0;
    return finish(out, at, 0x82);
}

size_t packet_publish(char out[PACKET_SMALL], const char *topic, const char *payload)
{
    char *at = put_text(out + 2, topic);

    *at++ = 0;
    memcpy(at, payload, strlen(payload));
    return finish(out, at + strlen(payload), 0x30);
}

/* Reading: the rest of the packet, and whether it was too short. */
struct cursor {
    const unsigned char *at, *end;
    bool bad;
};

static const unsigned char *take(struct cursor *c, size_t len)
{
    const unsigned char *data = c->at;

    if ((size_t)(c->end - c->at) < len) {
        c->bad = true;
        return NULL;
    }
    c->at += len;
    return data;
}

static size_t take_u16(struct cursor *c)
{
    const unsigned char *data = take(c, 2);

    return data ? (size_t)(data[0] << 8 | data[1]) : 0;
}

static struct bytes take_text(struct cursor *c)
{
    size_t len = take_u16(c);
    const unsigned char *data = take(c, len);

    return data ? (struct bytes){(const char *)data, len} : (struct bytes){NULL, 0};
}

static size_t take_variable(struct cursor *c)
{
    size_t value = 0;
    int shift = 0;

    for (;;) {
        const unsigned char *digit = shift > 21 ? NULL : take(c, 1);

        if (!digit) {
            c->bad = true;
            return 0;
        }
        value |= (size_t)(*digit & 127) << shift;
        shift += 7;
        if (*digit < 128) {
            return value;
        }
    }
}

static void skip_property(struct cursor *c, int identifier)
{
    switch (identifier) {
    case 0x01: /* payload format */
        (void)take(c, 1);
        break;
    case 0x02: /* expiry */
        (void)take(c, 4);
        break;
    case 0x23: /* topic alias: we allow none */
        c->bad = true;
        break;
    case PROPERTY_SUBSCRIPTION_ID:
        (void)take_variable(c);
        break;
    default: /* content type, response topic, correlation data */
        (void)take_text(c);
        break;
    }
}

static void read_properties(struct cursor *c, struct packet *out)
{
    size_t len = take_variable(c);
    const unsigned char *data = take(c, len);
    struct cursor properties = {data, data ? data + len : NULL, false};

    while (properties.at < properties.end && !properties.bad) {
        int identifier = *take(&properties, 1);

        if (identifier == PROPERTY_USER) {
            struct bytes name = take_text(&properties), value = take_text(&properties);

            if (name.len == 2 && memcmp(name.data, "id", 2) == 0) {
                out->id = value;
            }
        } else {
            skip_property(&properties, identifier);
        }
    }
    c->bad |= properties.bad;
}

static void read_body(struct cursor *c, struct packet *out)
{
    const unsigned char *data;

    switch (out->type) {
    case PACKET_PUBLISH:
        out->topic = take_text(c);
        read_properties(c, out);
        out->payload = (struct bytes){(const char *)c->at, (size_t)(c->end - c->at)};
        break;
    case PACKET_CONNACK:
        data = take(c, 2);
        out->reason = data ? data[1] : 255;
        break;
    case PACKET_SUBACK:
        (void)take_u16(c);
        read_properties(c, out);
        data = take(c, 1);
        out->reason = data ? *data : 255;
        break;
    }
}

long packet_read(const char *data, size_t len, struct packet *out)
{
    struct cursor head = {(const unsigned char *)data, (const unsigned char *)data + len,
                          false};
    const unsigned char *first = take(&head, 1);
    size_t body_len = take_variable(&head);
    struct cursor body;

    if (head.bad) {
        return len >= 5 ? -1 : 0;
    }
    if ((size_t)(head.end - head.at) < body_len) {
        return 0;
    }
    *out = (struct packet){.type = *first >> 4};
    body = (struct cursor){head.at, head.at + body_len, false};
    read_body(&body, out);
    return body.bad ? -1 : (long)(body.end - (const unsigned char *)data);
}
