/*
 * The life and the end of a connection on Paho's synchronous API with callbacks (MQTTClient,
 * 1.3.12 as in Debian 12), and the guard. connect.c sets the connection up and has the
 * callbacks, publish.c sends.
 *
 * On the good path mqtt_create starts the guard, mqtt_connect sets a link up and makes it live,
 * and mqtt_disconnect or the next connect retires it.
 *
 * What can block: publishing, while the socket is full (Paho then looks again every 100 ms until
 * the connection ends), and connecting. The guard ends a blocked publish by disconnecting from
 * its thread. Paho allows that: it releases its lock while it waits.
 *
 * Locks, outer to inner: mu, Paho's global lock, the listener's. So:
 *
 * - No callback from Paho takes mu, because Paho holds its own lock in acked and around lost.
 * - The guard may hold mu while it cuts a connection, and while it reports waiting or lost.
 */
#include "bridge/mqtt/internal.h"

#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/thread.h"

enum { CALLBACK_WAIT_S = 5 }; /* as long as Paho itself waits for one */

void mqtt_report_lost(struct link *link, int reason, const char *text)
{
    if (!atomic_exchange(&link->reported, true)) {
        link->mq->listener.lost(link->mq->listener.ctx, link->epoch, reason, text);
    }
}

void mqtt_call_begin(struct mqtt *mq, int64_t limit_ms, bool can_be_cut)
{
    atomic_store(&mq->call_limit_ms, limit_ms);
    atomic_store(&mq->call_can_be_cut, can_be_cut);
    atomic_store(&mq->call_began_ms, clock_mono_ms());
}

void mqtt_call_end(struct mqtt *mq)
{
    atomic_store(&mq->call_began_ms, 0);
}

static void cut(struct mqtt *mq, struct link *link, bool clean)
{
    enum MQTTReasonCodes reason = clean ? MQTTREASONCODE_NORMAL_DISCONNECTION
                                        : MQTTREASONCODE_DISCONNECT_WITH_WILL_MESSAGE;

    if (mq->options.version == MQTTVERSION_5) {
        (void)MQTTClient_disconnect5(link->client, 0, reason, NULL); /* cannot fail */
    } else {
        (void)MQTTClient_disconnect(link->client, 0);
    }
}

/* Under mu, so that the link lives on. */
static void watch_call(struct mqtt *mq)
{
    int64_t now = clock_mono_ms();
    int64_t began = atomic_load(&mq->call_began_ms);
    int64_t limit = atomic_load(&mq->call_limit_ms);

    if (began == 0) {
        return;
    }
    if (now < began + limit && now < mq->deadline_ms) {
        mq->listener.waiting(mq->listener.ctx);
    } else if (atomic_load(&mq->call_can_be_cut) && mq->live != NULL) {
        mqtt_report_lost(mq->live, MQTT_CUT, mqtt_reason_text(MQTT_CUT));
        cut(mq, mq->live, false);
    }
}

static void *guard_main(void *arg)
{
    struct mqtt *mq = arg;

    CHECK(pthread_mutex_lock(&mq->mu) == 0);
    while (!mq->stop) {
        int64_t left = mq->deadline_ms - clock_mono_ms();
        struct timespec until =
            thread_deadline(left > 0 && left < THREAD_TURN_MS ? left : THREAD_TURN_MS);

        /* Whether woken or timed out, the next step is the same. */
        (void)pthread_cond_timedwait(&mq->changed, &mq->mu, &until);
        watch_call(mq);
    }
    CHECK(pthread_mutex_unlock(&mq->mu) == 0);
    return NULL;
}

void mqtt_set_deadline(struct mqtt *mq, int64_t mono_ms)
{
    CHECK(pthread_mutex_lock(&mq->mu) == 0);
    mq->deadline_ms = mono_ms;
    CHECK(pthread_cond_signal(&mq->changed) == 0);
    CHECK(pthread_mutex_unlock(&mq->mu) == 0);
}

enum status mqtt_client_create(const struct mqtt *mq, const char *uri, MQTTClient *out_client,
                               struct err *err)
{
    MQTTClient_createOptions options = MQTTClient_createOptions_initializer;
    int rc;

    options.MQTTVersion = mq->options.version;
    rc = MQTTClient_createWithOptions(out_client, uri, mq->options.client_id,
                                      MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
    if (rc != MQTTCLIENT_SUCCESS) {
        *out_client = NULL;
        return err_set(err, ST_INVALID, "MQTT client for %s: Paho error %d", uri, rc);
    }
    return ST_OK;
}

enum status mqtt_create(const struct mqtt_options *options,
                        const struct mqtt_listener *listener, struct mqtt **out_mqtt,
                        struct err *err)
{
    struct mqtt *mq = xalloc(sizeof(*mq));
    enum status st;

    CHECK(options->version == MQTTVERSION_5 || options->version == MQTTVERSION_3_1_1);
    CHECK(pthread_mutex_init(&mq->mu, NULL) == 0);
    thread_cond_init(&mq->changed);
    mq->options = *options;
    mq->listener = *listener;
    mq->deadline_ms = INT64_MAX;
    st = mqtt_client_create(mq, "tcp://anchor.invalid", &mq->anchor, err);
    if (st != ST_OK) {
        goto out;
    }
    st = thread_start(&mq->guard, "mqtt-guard", guard_main, mq, err);
    if (st != ST_OK) {
        goto out;
    }
    mq->guard_runs = true;
    *out_mqtt = mq;
    mq = NULL;
out:
    mqtt_destroy(mq);
    return st;
}

void mqtt_link_destroy(struct link *link)
{
    if (link == NULL) {
        return;
    }
    if (link->client != NULL) {
        MQTTClient_destroy(&link->client);
    }
    CHECK(sem_destroy(&link->ended) == 0);
    free(link);
}

/* Ends the live connection, whether we or the other side end it first. If Paho found its end by
 * itself, a callback runs or will run on a thread that cannot be joined, so we wait for it. One
 * narrow case remains, a DISCONNECT from the broker while we send ours, which Paho's answers do
 * not show; so the client is kept until the next link ends. */
void mqtt_link_end(struct mqtt *mq, bool clean)
{
    struct link *link;

    CHECK(pthread_mutex_lock(&mq->mu) == 0);
    link = mq->live;
    mq->live = NULL;
    CHECK(pthread_mutex_unlock(&mq->mu) == 0);
    atomic_store(&mq->epoch, 0);
    if (link == NULL) {
        return;
    }
    if (atomic_exchange(&link->reported, true) || MQTTClient_isConnected(link->client)) {
        cut(mq, link, clean);
    } else {
        struct timespec until = thread_deadline((int64_t)CALLBACK_WAIT_S * 1000);

        while (sem_clockwait(&link->ended, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR) {
        }
    }
    mqtt_link_destroy(mq->retired);
    mq->retired = link;
}

void mqtt_disconnect(struct mqtt *mq, bool clean)
{
    mqtt_call_begin(mq, (int64_t)mq->options.connect_timeout_s * 1000, false);
    mqtt_link_end(mq, clean);
    mqtt_call_end(mq);
}

void mqtt_destroy(struct mqtt *mq)
{
    if (mq == NULL) {
        return;
    }
    if (mq->guard_runs) {
        CHECK(pthread_mutex_lock(&mq->mu) == 0);
        mq->stop = true;
        CHECK(pthread_cond_signal(&mq->changed) == 0);
        CHECK(pthread_mutex_unlock(&mq->mu) == 0);
        CHECK(pthread_join(mq->guard, NULL) == 0);
    }
    mqtt_link_end(mq, false);
    mqtt_link_destroy(mq->retired);
    if (mq->anchor != NULL) {
        MQTTClient_destroy(&mq->anchor); /* the last one: ends Paho's thread */
    }
    CHECK(pthread_cond_destroy(&mq->changed) == 0);
    CHECK(pthread_mutex_destroy(&mq->mu) == 0);
    free(mq);
}
