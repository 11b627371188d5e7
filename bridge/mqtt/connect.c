/*
 * Setting a connection up, and Paho's callbacks about it.
 *
 * On the good path a try dials the server, hands the socket to a new Paho client, which does TLS,
 * WebSocket and CONNECT, reads the broker's limits from CONNACK and makes the link live. If the
 * broker demands a shorter keep-alive, that link is closed and a second one made with it.
 *
 * What can fail: the name, every address, or what is behind the one that took the connection; then
 * the next address is tried, unless a broker has said no. cause.c has the words. A failed attempt
 * leaves nothing behind: a client that was never connected has no callback to wait for.
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

#include <fcntl.h>
#include <unistd.h>

#include "common/clock.h"

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

static enum status link_create(struct mqtt *mq, const struct plan *plan, struct link **out_link,
                               struct err *err)
{
    struct link *link = xalloc(sizeof(*link));
    enum status st;
    int rc;

    CHECK(sem_init(&link->ended, 0, 0) == 0);
    link->mq = mq;
    link->fd = -1;
    link->version = plan->version;
    st = mqtt_client_create(mq, plan->server->uri, plan->version, &link->client, err);
    if (st != ST_OK) {
        goto out;
    }
    if (plan->version == MQTTVERSION_5) {
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

static void reset_tokens(struct mqtt *mq)
{
    mq->last_token = 0;
    for (size_t i = 0; i < COUNT_OF(mq->in_use); i++) {
        atomic_store_explicit(&mq->in_use[i], 0, memory_order_relaxed);
    }
}

/* From here on a stop shuts this socket down. */
static void set_connecting(struct mqtt *mq, int fd)
{
    CHECK(pthread_mutex_lock(&mq->mu) == 0);
    mq->connecting_fd = fd;
    if (fd >= 0 && atomic_load(&mq->stopping)) {
        (void)shutdown(fd, SHUT_RDWR);
    }
    CHECK(pthread_mutex_unlock(&mq->mu) == 0);
}

static void go_live(struct mqtt *mq, struct link *link)
{
    CHECK(pthread_mutex_lock(&mq->mu) == 0);
    mq->live = link;
    CHECK(pthread_mutex_unlock(&mq->mu) == 0);
}

/* Paho gives up if its thread does not start within 400 ms, as happens on a busy machine. */
static bool was_not_tried(const struct mqtt *mq, const struct attempt *attempt,
                          const MQTTResponse *response, int64_t began_ms)
{
    return response->reasonCode != MQTTREASONCODE_SUCCESS && attempt->fd >= 0 &&
           !attempt->taken && !atomic_load(&mq->stopping) &&
           clock_mono_ms() - began_ms < (int64_t)mq->options.connect_timeout_s * 1000;
}

static void close_untaken(const struct attempt *attempt)
{
    if (attempt->fd >= 0 && !attempt->taken) {
        (void)close(attempt->fd);
    }
}

/* Behind TCP. Closes attempt->fd if Paho has not taken it. */
static enum status link_connect(struct mqtt *mq, const struct plan *plan,
                                struct attempt *attempt, int *out_reason, struct err *err)
{
    int64_t began = clock_mono_ms();
    struct link *link = NULL;
    MQTTResponse response;
    enum status st = link_create(mq, plan, &link, err);

    if (st != ST_OK) {
        close_untaken(attempt);
        return st;
    }
    CHECK(link != NULL);
    link->epoch = ++mq->last_epoch;
    reset_tokens(mq);
    mqtt_seam_enter(attempt);
    if (attempt->fd >= 0) {
        link->fd = fcntl(attempt->fd, F_DUPFD_CLOEXEC, 0);
        set_connecting(mq, link->fd);
    }
    atomic_store(&mq->epoch, link->epoch);
    do {
        response = mqtt_request_connect(mq, link, plan, attempt);
    } while (was_not_tried(mq, attempt, &response, began));
    mqtt_seam_leave();
    set_connecting(mq, -1);
    close_untaken(attempt);
    if (response.reasonCode != MQTTREASONCODE_SUCCESS) {
        atomic_store(&mq->epoch, 0);
        mqtt_link_destroy(link); /* was never connected: no callback about its end */
        return mqtt_cause(mq, attempt, (int)response.reasonCode, clock_mono_ms() - began,
                          out_reason, err);
    }
    mq->limits = read_limits(&response, plan->keep_alive_s);
    MQTTResponse_free(response);
    go_live(mq, link);
    return ST_OK;
}

static struct attempt make_attempt(const struct server *server, int fd)
{
    return (struct attempt){.server = server,
                            .fd = fd,
                            .stage = server->tls         ? STAGE_TLS
                                     : server->websocket ? STAGE_UPGRADE
                                                         : STAGE_CONNACK};
}

/* Over the server's addresses until a broker has answered, yes or no. */
static enum status connect_anywhere(struct mqtt *mq, const struct plan *plan, char *out_address,
                                    size_t size, int *out_reason, struct err *err)
{
    struct dial_address *one;
    struct dial dial;
    enum status st = plan->server->tls ? mqtt_request_check(&mq->options, err) : ST_OK;

    *out_reason = 0;
    if (st == ST_OK && !mqtt_seam_is_there) {
        struct attempt attempt = make_attempt(plan->server, -1);

        out_address[0] = '\0';
        return link_connect(mq, plan, &attempt, out_reason, err);
    }
    if (st == ST_OK) {
        st = mqtt_dial_begin(mq, plan->server, &dial, err);
    }
    if (st != ST_OK) {
        return st;
    }
    while ((one = mqtt_dial_next(&dial)) != NULL) {
        struct attempt attempt = make_attempt(plan->server, one->fd);
        struct err why = {0};

        one->fd = -1;
        st = link_connect(mq, plan, &attempt, out_reason, &why);
        buf_free(&attempt.response);
        (void)snprintf(out_address, size, "%s", one->text);
        if (st != ST_UNREACHABLE) {
            return st == ST_OK ? st : err_set(err, st, "%s", why.text);
        }
        (void)snprintf(one->why, sizeof(one->why), "%.*s", (int)sizeof(one->why) - 1, why.text);
    }
    return mqtt_cause_of_dial(&dial, err);
}

/* The guard takes a connect for hung only long after every part of it should have ended. */
static void begin_connect(struct mqtt *mq)
{
    int64_t steps = 2 * (DIAL_MAX_ADDRESSES + (int64_t)2);

    mqtt_call_begin(mq, steps * mq->options.connect_timeout_s * 1000, false);
    mqtt_link_end(mq, false);
}

enum status mqtt_connect(struct mqtt *mq, const struct mqtt_request *request,
                         struct mqtt_connection *out_connection, int *out_reason,
                         struct err *err)
{
    bool demanded =
        mq->demanding_server != NULL && strcmp(mq->demanding_server, request->server) == 0;
    struct server server;
    struct plan plan = {
        .server = &server,
        .request = request,
        .version = mq->options.version,
        .keep_alive_s = demanded ? mq->demanded_keep_alive_s : mq->options.keep_alive_s,
        .log_in = true,
    };
    struct mqtt_connection connection = {0};
    enum status st = mqtt_server_parse(request->server, &server, err);

    *out_reason = 0;
    if (st != ST_OK) {
        return st;
    }
    begin_connect(mq);
    st = connect_anywhere(mq, &plan, connection.address, sizeof(connection.address), out_reason,
                          err);
    if (st == ST_OK && mq->limits.keep_alive_s < plan.keep_alive_s) {
        /* Paho pings at the interval it connected with, so connect again with the broker's. */
        mq->demanding_server = request->server;
        plan.keep_alive_s = mq->demanded_keep_alive_s = mq->limits.keep_alive_s;
        mqtt_link_end(mq, true);
        st = connect_anywhere(mq, &plan, connection.address, sizeof(connection.address),
                              out_reason, err);
    }
    mqtt_call_end(mq);
    if (st != ST_OK) {
        return st;
    }
    connection.limits = mq->limits;
    connection.epoch = mq->last_epoch;
    *out_connection = connection;
    return ST_OK;
}

bool mqtt_answers_3_1_1(struct mqtt *mq, const char *text)
{
    const struct mqtt_request request = {.server = text};
    struct server server;
    struct plan plan = {.server = &server,
                        .request = &request,
                        .version = MQTTVERSION_3_1_1,
                        .keep_alive_s = mq->options.keep_alive_s};
    char address[64];
    int reason;
    enum status st = mqtt_server_parse(text, &server, NULL);

    if (st != ST_OK) {
        return false;
    }
    begin_connect(mq);
    st = connect_anywhere(mq, &plan, address, sizeof(address), &reason, NULL);
    mqtt_link_end(mq, true);
    mqtt_call_end(mq);
    return st == ST_OK || st == ST_REFUSED;
}
