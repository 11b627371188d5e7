/*
 * Setting a connection up, and Paho's callbacks about it.
 *
 * On the good path each connect creates a Paho client, connects it, reads the broker's limits
 * from CONNACK and makes the link live. If the broker demands a shorter keep-alive, that link is
 * closed and a second one made with it. A failed attempt leaves nothing behind: a client that was
 * never connected has no callback to wait for.
 *
 * Which callback comes when (read in Paho's source): a settled message is `published` with MQTT 5
 * (for PUBACK, PUBCOMP, and PUBREC with an error) and `deliveryComplete` with 3.1.1. An
 * unrequested end of the connection is `disconnected` with the reason if an MQTT 5 broker sent
 * DISCONNECT, else `connectionLost`; never both.
 */
#include "bridge/mqtt/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

enum { NAME_LOOKUP_S = 60 }; /* a resolver that takes longer counts as hung */

static void settle(struct link *link, int token, unsigned qos_mask, int reason)
{
    struct mqtt *mq = link->mq;
    unsigned char qos;

    if (token < 1 || token > MQTT_MAX_TOKEN || link->epoch != atomic_load(&mq->epoch)) {
        return;
    }
    qos = atomic_load(&mq->in_use[token]);
    if (qos == 0 || (qos_mask & 1u << qos) == 0) {
        return; /* acknowledges nothing that was sent */
    }
    atomic_store(&mq->in_use[token], 0);
    mq->listener.acked(mq->listener.ctx, link->epoch, token, reason);
}

static void on_published(void *context, int token, int packet_type, MQTTProperties *properties,
                         enum MQTTReasonCodes reason)
{
    enum { PUBACK = 4 };

    (void)properties;
    settle(context, token, packet_type == PUBACK ? 1u << 1 : 1u << 2, (int)reason);
}

static void on_delivered(void *context, MQTTClient_deliveryToken token)
{
    settle(context, token, 1u << 1 | 1u << 2, 0);
}

static void on_lost(void *context, char *cause)
{
    struct link *link = context;

    (void)cause; /* always NULL */
    mqtt_report_lost(link, 0, "closed by the broker or the network, or no answer to a ping");
    CHECK(sem_post(&link->ended) == 0);
}

static void on_disconnected(void *context, MQTTProperties *properties,
                            enum MQTTReasonCodes reason)
{
    struct link *link = context;

    (void)properties;
    mqtt_report_lost(link, (int)reason, mqtt_reason_text((int)reason));
    CHECK(sem_post(&link->ended) == 0);
}

/* Required by Paho; nothing is subscribed to. */
static int on_message(void *context, char *topic, int topic_len, MQTTClient_message *message)
{
    (void)context;
    (void)topic_len;
    MQTTClient_freeMessage(&message);
    MQTTClient_free(topic);
    return 1;
}

/* OpenSSL's line is <thread>:error:<code>:<library>:<function>:<reason>:<file>:<line>:, and the
 * reason is the part that helps people. Paho's lock is held; the connecting thread reads the text
 * after its call. */
static int on_tls_error(const char *text, size_t len, void *context)
{
    enum { COLONS_BEFORE_REASON = 5 };
    struct mqtt *mq = context;
    const char *end = text + len;
    const char *reason = text;

    for (int i = 0; i < COLONS_BEFORE_REASON && reason != NULL; i++) {
        reason = memchr(reason, ':', (size_t)(end - reason));
        reason = reason == NULL ? NULL : reason + 1;
    }
    if (reason != NULL) {
        const char *stop = memchr(reason, ':', (size_t)(end - reason));
        int reason_len = (int)((stop != NULL ? stop : end) - reason);

        (void)snprintf(mq->tls_text, sizeof(mq->tls_text), "%.*s", reason_len, reason);
    }
    return 1;
}

/* Paho writes tcp:// and ssl:// for mqtt:// and mqtts://. */
static bool make_uri(const char *server, char *out_uri, size_t size)
{
    static const struct {
        const char *ours, *paho;
    } schemes[] = {{"mqtt://", "tcp://"},
                   {"mqtts://", "ssl://"},
                   {"ws://", "ws://"},
                   {"wss://", "wss://"}};

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        size_t len = strlen(schemes[i].ours);

        if (strncmp(server, schemes[i].ours, len) == 0 && server[len] != '\0') {
            int n = snprintf(out_uri, size, "%s%s", schemes[i].paho, server + len);

            return n > 0 && (size_t)n < size;
        }
    }
    return false;
}

static enum status link_create(struct mqtt *mq, const char *server, struct link **out_link,
                               struct err *err)
{
    struct link *link = xalloc(sizeof(*link));
    enum status st;
    char uri[512];
    int rc;

    CHECK(sem_init(&link->ended, 0, 0) == 0);
    link->mq = mq;
    if (!make_uri(server, uri, sizeof(uri))) {
        st = err_set(err, ST_INVALID, "not an address of a broker");
        goto out;
    }
    st = mqtt_client_create(mq, uri, &link->client, err);
    if (st != ST_OK) {
        goto out;
    }
    if (mq->options.version == MQTTVERSION_5) {
        rc = MQTTClient_setCallbacks(link->client, link, on_lost, on_message, NULL);
        CHECK(rc == MQTTCLIENT_SUCCESS);
        rc = MQTTClient_setPublished(link->client, link, on_published);
        CHECK(rc == MQTTCLIENT_SUCCESS);
        rc = MQTTClient_setDisconnected(link->client, link, on_disconnected);
    } else {
        rc = MQTTClient_setCallbacks(link->client, link, on_lost, on_message, on_delivered);
    }
    CHECK(rc == MQTTCLIENT_SUCCESS);
    *out_link = link;
    link = NULL;
out:
    mqtt_link_destroy(link);
    return st;
}

static uint32_t property(const MQTTResponse *response, enum MQTTPropertyCodes code,
                         uint32_t otherwise)
{
    if (response->properties == NULL ||
        !MQTTProperties_hasProperty(response->properties, code)) {
        return otherwise;
    }
    return (uint32_t)MQTTProperties_getNumericValue(response->properties, code);
}

static struct mqtt_limits read_limits(const MQTTResponse *response, int keep_alive_s)
{
    uint32_t demanded =
        property(response, MQTTPROPERTY_CODE_SERVER_KEEP_ALIVE, (uint32_t)keep_alive_s);

    return (struct mqtt_limits){
        .receive_maximum =
            property(response, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, MQTT_MAX_TOKEN),
        .maximum_packet_bytes = property(response, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, 0),
        /* Pinging more often than the broker asks for does no harm. */
        .keep_alive_s =
            demanded > 0 && demanded < (uint32_t)keep_alive_s ? (int)demanded : keep_alive_s,
        .maximum_qos = (int)property(response, MQTTPROPERTY_CODE_MAXIMUM_QOS, 2),
        .retain_available = property(response, MQTTPROPERTY_CODE_RETAIN_AVAILABLE, 1) != 0,
    };
}

/* The reason code of MQTT 5 for a CONNACK of either version. */
static int connack_reason(int version, int code)
{
    static const int of_3_1_1[] = {0x00, 0x84, 0x85, 0x88, 0x86, 0x87};

    if (version == MQTTVERSION_5 && code >= 0x80) {
        return code;
    }
    return code < (int)COUNT_OF(of_3_1_1) ? of_3_1_1[code] : 0x80;
}

static MQTTResponse paho_connect(struct mqtt *mq, struct link *link, int keep_alive_s)
{
    const struct mqtt_options *o = &mq->options;
    MQTTClient_connectOptions options5 = MQTTClient_connectOptions_initializer5;
    MQTTClient_connectOptions options4 = MQTTClient_connectOptions_initializer;
    MQTTClient_connectOptions options = o->version == MQTTVERSION_5 ? options5 : options4;
    MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
    MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
    MQTTResponse response = MQTTResponse_initializer;

    will.topicName = o->will_topic;
    will.payload.data = o->will_payload.data;
    will.payload.len = (int)o->will_payload.len;
    will.retained = 1;
    will.qos = 1;
    tls.trustStore = o->ca_file;
    tls.CApath = o->ca_file == NULL ? "/etc/ssl/certs" : NULL;
    tls.disableDefaultTrustStore = 1; /* these authorities, no others */
    tls.keyStore = o->cert_file;
    tls.privateKey = o->key_file;
    tls.enableServerCertAuth = 1;
    tls.verify = 1; /* the host name; off by default */
    tls.ssl_error_cb = on_tls_error;
    tls.ssl_error_context = mq;
    options.MQTTVersion = o->version;
    options.keepAliveInterval = keep_alive_s;
    options.connectTimeout = o->connect_timeout_s;
    options.retryInterval = 0;
    /* The publisher has the window; when Paho's is full, Paho sleeps. */
    options.maxInflightMessages = MQTT_MAX_TOKEN;
    options.reliable = 0;
    options.will = o->will_topic != NULL ? &will : NULL;
    options.ssl = &tls;
    options.username = o->username;
    options.binarypwd.data = o->password.data;
    options.binarypwd.len = (int)o->password.len;
    if (o->version == MQTTVERSION_5) {
        return MQTTClient_connect5(link->client, &options, NULL, NULL);
    }
    response.reasonCode = MQTTClient_connect(link->client, &options);
    return response;
}

static enum status connect_failed(struct mqtt *mq, const char *server, int rc, int64_t took_ms,
                                  int *out_reason, struct err *err)
{
    if (rc > 0) {
        *out_reason = connack_reason(mq->options.version, rc);
        return err_set(err, ST_REFUSED, "%s", mqtt_reason_text(*out_reason));
    }
    *out_reason = 0;
    if (mq->tls_text[0] != '\0') {
        return err_set(err, ST_UNREACHABLE, "TLS: %s", mq->tls_text);
    }
    if (took_ms >= (int64_t)mq->options.connect_timeout_s * 900) {
        return err_set(err, ST_UNREACHABLE, "no answer within %d s",
                       mq->options.connect_timeout_s);
    }
    if (strncmp(server, "mqtts:", 6) == 0 || strncmp(server, "wss:", 4) == 0) {
        return err_set(
            err, ST_UNREACHABLE,
            "connection refused, name unknown, not TLS, a certificate that is not for "
            "this host, or ours is missing");
    }
    return err_set(err, ST_UNREACHABLE, "connection refused, name unknown, or not MQTT");
}

/* One attempt. */
static enum status link_connect(struct mqtt *mq, const char *server, int keep_alive_s,
                                int *out_reason, struct err *err)
{
    int64_t began = clock_mono_ms();
    struct link *link = NULL;
    MQTTResponse response;
    enum status st = link_create(mq, server, &link, err);

    if (st != ST_OK) {
        return st;
    }
    CHECK(link != NULL);
    link->epoch = ++mq->last_epoch;
    mq->last_token = 0;
    for (size_t i = 0; i < COUNT_OF(mq->in_use); i++) {
        atomic_store_explicit(&mq->in_use[i], 0, memory_order_relaxed);
    }
    mq->tls_text[0] = '\0';
    atomic_store(&mq->epoch, link->epoch);
    response = paho_connect(mq, link, keep_alive_s);
    if (response.reasonCode != MQTTREASONCODE_SUCCESS) {
        atomic_store(&mq->epoch, 0);
        mqtt_link_destroy(link); /* was never connected: no callback about its end */
        return connect_failed(mq, server, (int)response.reasonCode, clock_mono_ms() - began,
                              out_reason, err);
    }
    mq->limits = read_limits(&response, keep_alive_s);
    MQTTResponse_free(response);
    CHECK(pthread_mutex_lock(&mq->mu) == 0);
    mq->live = link;
    CHECK(pthread_mutex_unlock(&mq->mu) == 0);
    return ST_OK;
}

enum status mqtt_connect(struct mqtt *mq, const char *server, struct mqtt_limits *out_limits,
                         uint32_t *out_epoch, int *out_reason, struct err *err)
{
    bool demanded = mq->demanding_server != NULL && strcmp(mq->demanding_server, server) == 0;
    int keep_alive_s = demanded ? mq->demanded_keep_alive_s : mq->options.keep_alive_s;
    enum status st;

    mqtt_call_begin(mq, ((int64_t)mq->options.connect_timeout_s * 2 + NAME_LOOKUP_S) * 1000,
                    false);
    mqtt_link_end(mq, false);
    st = link_connect(mq, server, keep_alive_s, out_reason, err);
    if (st == ST_OK && mq->limits.keep_alive_s < keep_alive_s) {
        /* Paho pings at the interval it connected with, so connect again with the broker's. */
        mq->demanding_server = server;
        mq->demanded_keep_alive_s = mq->limits.keep_alive_s;
        mqtt_link_end(mq, true);
        st = link_connect(mq, server, mq->demanded_keep_alive_s, out_reason, err);
    }
    mqtt_call_end(mq);
    if (st != ST_OK) {
        return st;
    }
    *out_limits = mq->limits;
    *out_epoch = mq->last_epoch;
    return ST_OK;
}
