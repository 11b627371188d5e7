/*
 * The life and the end of a connection on Paho's synchronous API with callbacks (MQTTClient,
 * 1.3.12 as in Debian 12), and the guard. connect.c sets the connection up and has the
 * callbacks, publish.c sends.
 *
 * On the good path mqtt_create starts the guard, mqtt_connect sets a link up and makes it live,
 * and mqtt_disconnect or the next connect retires it.
 *
 * What can block: publishing, while the socket is full (Paho then looks again every 100 ms until
 * the connection ends), and connecting. The guard ends both by shutting the socket down.
 *
 * A connection is never taken from under Paho's thread while something is being written: it may be
 * inside OpenSSL with it, and Paho's locks do not cover that. The socket is shut down instead, and
 * Paho's thread finds the end and cleans up. Only the publisher's thread, while it publishes nothing,
 * ends a connection through Paho. (PAHO=stock knows no socket, and asks Paho in every case.)
 *
 * Locks, outer to inner: mu, Paho's global lock, the listener's. So:
 *
 * - No callback from Paho takes mu, because Paho holds its own lock in acked and around lost.
 * - The guard may hold mu while it cuts a connection, and while it reports waiting or lost.
 */
#include "bridge/mqtt/internal.h"

#include <errno.h>
#include <stdlib.h>

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* Through Paho: with DISCONNECT, and without a callback. */
static void disconnect(struct link *link, bool clean)
{
    enum MQTTReasonCodes reason = clean ? MQTTREASONCODE_NORMAL_DISCONNECTION
                                        : MQTTREASONCODE_DISCONNECT_WITH_WILL_MESSAGE;

    if (link->version == MQTTVERSION_5) {
        (void)MQTTClient_disconnect5(link->client, 0, reason, NULL); /* cannot fail */
    } else {
        (void)MQTTClient_disconnect(link->client, 0);
    }
}

/* Without DISCONNECT, so that the broker sends the will. */
static void cut(struct link *link)
{
    if (link->fd >= 0) {
        (void)shutdown(link->fd, SHUT_RDWR); /* fails if it has ended by itself */
    } else {
        disconnect(link, false);
        CHECK(sem_post(&link->ended) == 0); /* Paho calls nobody */
    }
}

/* Under mu. Notes whether the other side's kernel has taken bytes that had to wait. A ping is no
 * sign of that: it goes out at once. */
static void watch_bytes(struct mqtt *mq)
{
    enum { WAITING_BYTES = 1024 };
    struct link *link = mq->live;
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    int waiting = 0;

    if (link == NULL || link->fd < 0 ||
        getsockopt(link->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        ioctl(link->fd, SIOCOUTQ, &waiting) != 0) {
        return;
    }
    if (info.tcpi_bytes_acked > link->bytes_acked && link->bytes_waiting >= WAITING_BYTES) {
        int64_t now = clock_mono_ms();

        atomic_store(&mq->moved_ms, now);
        mqtt_seam_moved(now, mq->options.keep_alive_s);
    }
    link->bytes_acked = info.tcpi_bytes_acked;
    link->bytes_waiting = waiting;
}

int64_t mqtt_moved_ms(const struct mqtt *mq)
{
    return atomic_load(&mq->moved_ms);
}

/* Under mu, so that the link lives on. */
static void watch_call(struct mqtt *mq)
{
    int64_t now = clock_mono_ms();
    int64_t began = atomic_load(&mq->call_began_ms);
    int64_t moved = atomic_load(&mq->moved_ms);
    int64_t limit = atomic_load(&mq->call_limit_ms);
    bool can_be_cut = atomic_load(&mq->call_can_be_cut);

    if (began == 0) {
        return;
    }
    /* A slow line is no broker that has stopped reading. */
    if (can_be_cut && moved > began) {
        began = moved;
    }
    if (now < began + limit && now < mq->deadline_ms) {
        mq->listener.waiting(mq->listener.ctx);
    } else if (can_be_cut && mq->live != NULL) {
        mqtt_report_lost(mq->live, MQTT_CUT, mqtt_reason_text(MQTT_CUT));
        cut(mq->live);
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
        watch_bytes(mq);
        watch_call(mq);
    }
    CHECK(pthread_mutex_unlock(&mq->mu) == 0);
    return NULL;
}

void mqtt_set_deadline(struct mqtt *mq, int64_t mono_ms)
{
    uint64_t one = 1;

    CHECK(pthread_mutex_lock(&mq->mu) == 0);
    mq->deadline_ms = mono_ms;
    atomic_store(&mq->stopping, true);
    CHECK(write(mq->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
    if (mq->connecting_fd >= 0) {
        (void)shutdown(mq->connecting_fd, SHUT_RDWR);
    }
    CHECK(pthread_cond_signal(&mq->changed) == 0);
    CHECK(pthread_mutex_unlock(&mq->mu) == 0);
}

enum status mqtt_client_create(const struct mqtt *mq, const char *uri, int version,
                               MQTTClient *out_client, struct err *err)
{
    MQTTClient_createOptions options = MQTTClient_createOptions_initializer;
    int rc;

    options.MQTTVersion = version;
    rc = MQTTClient_createWithOptions(out_client, uri, mq->options.client_id,
                                      MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
    if (rc != MQTTCLIENT_SUCCESS) {
        *out_client = NULL;
        return err_set(err, ST_INVALID, "MQTT client for %s: Paho error %d", uri, rc);
    }
    return ST_OK;
}

/* Else Paho's mutexes are plain ones, and writes.c could not see that it has one already. */
static void init_paho(void)
{
    MQTTClient_init_options options = MQTTClient_init_options_initializer;

    options.do_openssl_init = 1;
    MQTTClient_global_init(&options);
}

enum status mqtt_create(const struct mqtt_options *options,
                        const struct mqtt_listener *listener, struct mqtt **out_mqtt,
                        struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct mqtt *mq = xalloc(sizeof(*mq));
    enum status st;

    CHECK(options->version == MQTTVERSION_5 || options->version == MQTTVERSION_3_1_1);
    CHECK(pthread_once(&once, init_paho) == 0);
    CHECK(pthread_mutex_init(&mq->mu, NULL) == 0);
    thread_cond_init(&mq->changed);
    mq->options = *options;
    mq->listener = *listener;
    mq->deadline_ms = INT64_MAX;
    mq->connecting_fd = -1;
    mq->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (mq->stop_fd < 0) {
        st = err_set_errno(err, ST_IO, errno, "eventfd");
        goto out;
    }
    st = mqtt_client_create(mq, "tcp://anchor.invalid", options->version, &mq->anchor, err);
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
    if (link->fd >= 0) {
        (void)close(link->fd);
    }
    CHECK(sem_destroy(&link->ended) == 0);
    free(link);
}

/* Paho found the end by itself, or is about to: a callback runs or will run, on a thread that cannot
 * be joined. */
static bool wait_for_end(struct link *link)
{
    struct timespec until = thread_deadline((int64_t)CALLBACK_WAIT_S * 1000);
    int rc;

    do {
        rc = sem_clockwait(&link->ended, CLOCK_MONOTONIC, &until);
    } while (rc != 0 && errno == EINTR);
    return rc == 0;
}

/* Ends the live connection, whether we or the other side end it first. One narrow case remains, a
 * DISCONNECT from the broker while we send ours, which Paho's answers do not show; so the client is
 * kept until the next link ends. */
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
    /* The will goes out after a DISCONNECT that says so, which 3.1.1 does not have. */
    if (!atomic_exchange(&link->reported, true) &&
        (clean || link->version == MQTTVERSION_5 || link->fd < 0) &&
        MQTTClient_isConnected(link->client)) {
        disconnect(link, clean);
        CHECK(sem_post(&link->ended) == 0); /* Paho calls nobody */
    } else {
        cut(link);
    }
    if (!wait_for_end(link)) {
        disconnect(link, clean); /* never seen; then at least nothing stays connected */
    }
    if (link->fd >= 0) {
        (void)close(link->fd); /* the other side sees the end only now */
        link->fd = -1;
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
    mqtt_lookups_abandon(mq);
    if (mq->stop_fd > 0) {
        (void)close(mq->stop_fd);
    }
    if (mq->anchor != NULL) {
        MQTTClient_destroy(&mq->anchor); /* the last one: ends Paho's thread */
    }
    CHECK(pthread_cond_destroy(&mq->changed) == 0);
    CHECK(pthread_mutex_destroy(&mq->mu) == 0);
    free(mq);
}
