/*
 * Publishing one message: check it against the broker's limits, reserve a token, hand it to Paho.
 *
 * What can fail: a message that cannot be sent leaves the connection as it was and reserves no
 * token; if the connection is gone, the loss is reported by connect.c or the guard.
 *
 * Tokens are MQTT packet identifiers, counted here in step with Paho. The identifier that Paho
 * returns cannot be used: after its other thread finished a write, Paho reads it from a message
 * that may already be acknowledged and freed.
 */
#include "bridge/mqtt/internal.h"

#include <string.h>

enum {
    MAX_STRING = 65535,                       /* MQTT 5.0 section 1.5.4 */
    MAX_REMAINING = 268435455,                /* section 2.1.4 */
    MAX_PROPERTIES = MQTT_MAX_PROPERTIES + 2, /* with expiry and content type */
};

static void add_property(MQTTProperties *list, const MQTTProperty *item, size_t len)
{
    list->array[list->count++] = *item;
    list->length += 1 + (int)len; /* 1: its identifier */
}

/* Paho only reads what it is lent here, but its types lack the const. */
static MQTTLenString lend(struct slice s)
{
    union {
        const char *in;
        char *out;
    } pointer = {.in = s.data};

    return (MQTTLenString){(int)s.len, pointer.out};
}

/* MQTTProperties_add would copy every string, and publishing copies them once more. */
static void fill_properties(const struct mqtt_message *message, MQTTProperties *list)
{
    CHECK(message->property_count <= MQTT_MAX_PROPERTIES);
    if (message->expiry_s > 0) {
        MQTTProperty item = {.identifier = MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL};

        item.value.integer4 = message->expiry_s;
        add_property(list, &item, 4);
    }
    if (message->content_type != NULL) {
        struct slice text = slice_of(message->content_type);
        MQTTProperty item = {.identifier = MQTTPROPERTY_CODE_CONTENT_TYPE};

        item.value.data = lend(text);
        add_property(list, &item, 2 + text.len);
    }
    for (size_t i = 0; i < message->property_count; i++) {
        struct slice name = slice_of(message->properties[i].name);
        struct slice value = message->properties[i].value;
        MQTTProperty item = {.identifier = MQTTPROPERTY_CODE_USER_PROPERTY};

        if (value.data == NULL || value.len > MAX_STRING) {
            continue;
        }
        item.value.data = lend(name);
        item.value.value = lend(value);
        add_property(list, &item, 4 + name.len + value.len);
    }
}

static size_t varint_len(size_t n)
{
    return n < 128 ? 1 : n < 16384 ? 2 : n < 2097152 ? 3 : 4;
}

/* The length of the whole PUBLISH packet; Paho does not look at the broker's Maximum Packet
 * Size. */
static size_t packet_len(const struct mqtt *mq, const struct mqtt_message *message,
                         size_t topic_len, size_t properties_len)
{
    size_t rest = 2 + topic_len + (message->qos > 0 ? 2 : 0) + message->payload.len;

    if (mq->options.version == MQTTVERSION_5) {
        rest += varint_len(properties_len) + properties_len;
    }
    return rest > MAX_REMAINING ? SIZE_MAX : 1 + varint_len(rest) + rest;
}

static enum status check_message(const struct mqtt *mq, const struct mqtt_message *message,
                                 size_t properties_len, struct err *err)
{
    size_t topic_len = strlen(message->topic);
    size_t len = packet_len(mq, message, topic_len, properties_len);
    size_t limit = mq->limits.maximum_packet_bytes;

    if (topic_len == 0 || topic_len > MAX_STRING || strpbrk(message->topic, "#+") != NULL) {
        return err_set(err, ST_INVALID, "not a topic");
    }
    if (len == SIZE_MAX || (limit > 0 && len > limit)) {
        return err_set(err, ST_TOO_LARGE, "%zu bytes, the broker allows %zu", len, limit);
    }
    return ST_OK;
}

/* Paho uses the identifier after its last one, and skips those in flight. Here a token in flight
 * is refused instead, so that both counts stay in step. */
static bool take_token(struct mqtt *mq, int qos, int *out_token)
{
    int next = mq->last_token == MQTT_MAX_TOKEN ? 1 : mq->last_token + 1;

    if (qos == 0) {
        *out_token = 0;
        return true;
    }
    if (atomic_load(&mq->in_use[next]) != 0) {
        return false;
    }
    atomic_store(&mq->in_use[next], (unsigned char)qos);
    mq->last_token = next;
    *out_token = next;
    return true;
}

static enum status paho_publish(struct mqtt *mq, const struct mqtt_message *message,
                                MQTTProperties *properties, struct err *err)
{
    MQTTResponse response = MQTTResponse_initializer;

    mqtt_call_begin(mq, (int64_t)mq->limits.keep_alive_s * 2000, true);
    response = MQTTClient_publish5(mq->live->client, message->topic, (int)message->payload.len,
                                   message->payload.data, message->qos, message->retain,
                                   properties, NULL);
    mqtt_call_end(mq);
    if (response.reasonCode == (enum MQTTReasonCodes)MQTTCLIENT_BAD_UTF8_STRING) {
        return err_set(err, ST_INVALID, "not a topic");
    }
    /* Also "success" if the connection ended meanwhile: then the message may have arrived, and
     * lost reports the end. */
    if (response.reasonCode != MQTTREASONCODE_SUCCESS) {
        return err_set(err, ST_UNREACHABLE, "the connection is gone");
    }
    return ST_OK;
}

enum status mqtt_publish(struct mqtt *mq, const struct mqtt_message *message, int *out_token,
                         struct err *err)
{
    MQTTProperty items[MAX_PROPERTIES];
    MQTTProperties properties = {.max_count = MAX_PROPERTIES, .array = items};
    int last_token = mq->last_token;
    enum status st;
    int token;

    /* Only the publisher thread changes live: reading it here needs no lock. */
    if (mq->live == NULL || atomic_load(&mq->live->reported)) {
        return err_set(err, ST_UNREACHABLE, "not connected");
    }
    if (mq->options.version == MQTTVERSION_5) {
        fill_properties(message, &properties);
    }
    st = check_message(mq, message, (size_t)properties.length, err);
    if (st != ST_OK) {
        return st;
    }
    if (!take_token(mq, message->qos, &token)) {
        return err_set(err, ST_BUSY, "too many messages are in flight");
    }
    st = paho_publish(mq, message, mq->options.version == MQTTVERSION_5 ? &properties : NULL,
                      err);
    if (st == ST_INVALID && token != 0) { /* refused before Paho used an identifier */
        atomic_store(&mq->in_use[token], 0);
        mq->last_token = last_token;
    }
    if (st == ST_OK) {
        *out_token = token;
    }
    return st;
}
