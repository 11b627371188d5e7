/*
 * The bridge's status topics: state (birth, and the will), info and health; retained, QoS 1.
 *
 * All three are published after each connect, before any event; health every 30 s, info when it
 * changes, "offline" before a clean disconnect.
 *
 * They must never hold up events. What a broker refuses, or ends the connection over, is off for a
 * while at that server (presence.c decides), and said once.
 */
#include "bridge/publisher/internal.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

enum {
    HEALTH_EVERY_MS = 30000,
    /* Mosquitto 2.0.11 acknowledges over 3.1.1 what its ACL forbids, and then hangs up. A message has
     * passed once the connection has outlived its answer by so much. */
    PROOF_MS = 250,
};

static char *status_topic(const struct publisher *pub, const char *name)
{
    struct buf topic = {.len = 0};

    buf_addf(&topic, "%s/%s/%s", pub->options.bridge_topic, pub->options.mqtt.client_id, name);
    return buf_take(&topic);
}

void publisher_status_init(struct publisher *pub)
{
    pub->state_topic = status_topic(pub, "state");
    pub->info_topic = status_topic(pub, "info");
    pub->health_topic = status_topic(pub, "health");
    pub->will = (struct mqtt_will){.topic = pub->state_topic,
                                   .payload = SLICE("{\"state\":\"offline\"}"),
                                   .qos = 1,
                                   .retain = true};
    buf_add_slice(&pub->info, pub->options.info);
}

void publisher_status_fini(struct publisher *pub)
{
    free(pub->state_topic);
    free(pub->info_topic);
    free(pub->health_topic);
    buf_free(&pub->info);
    buf_free(&pub->posted_info);
}

void publisher_status_take_info(struct publisher *pub)
{
    if (pub->info_posted) {
        buf_clear(&pub->info);
        buf_add_slice(&pub->info, buf_slice(&pub->posted_info));
        pub->info_posted = false;
        pub->status_due |= STATUS_INFO;
    }
}

static void write_health(const struct publisher *pub, struct buf *out)
{
    struct store_stats stats;

    outbox_stats(pub->outbox, &stats);
    buf_addf(out, "{\"uptime_s\":%lld,\"backlog\":%llu,\"oldest_age_s\":%lld",
             (long long)(clock_mono_ms() - pub->started_ms) / 1000,
             (unsigned long long)stats.undelivered_count,
             (long long)store_age_s(stats.oldest_undelivered_ms, clock_unix_ms()));
    buf_addf(out, ",\"accepted\":%lld,\"duplicates\":%lld,\"quarantined\":%lld",
             (long long)metrics_total(METRIC_ACCEPTED),
             (long long)metrics_total(METRIC_DUPLICATES),
             (long long)metrics_total(METRIC_QUARANTINED));
    buf_addf(out, ",\"published\":%lld,\"dead_letters\":%llu}",
             (long long)metrics_get(METRIC_PUBLISHED), (unsigned long long)stats.dead_count);
}

static enum status publish_status(struct publisher *pub, unsigned which, int *out_token)
{
    struct mqtt_message message = {
        .qos = pub->limits.maximum_qos > 0 ? 1 : 0,
        .retain = pub->limits.retain_available,
        .content_type = "application/json",
    };
    struct buf health = {.len = 0};
    enum status st;

    if (which == STATUS_INFO) {
        message.topic = pub->info_topic;
        message.payload = buf_slice(&pub->info);
    } else if (which == STATUS_HEALTH) {
        write_health(pub, &health);
        message.topic = pub->health_topic;
        message.payload = buf_slice(&health);
    } else {
        message.topic = pub->state_topic;
        message.payload =
            which == STATUS_STATE ? SLICE("{\"state\":\"online\"}") : pub->will.payload;
    }
    st = mqtt_publish(pub->mq, &message, out_token, NULL);
    buf_free(&health);
    return st;
}

static enum presence_topic topic_of(unsigned which)
{
    return which == STATUS_INFO     ? PRESENCE_INFO
           : which == STATUS_HEALTH ? PRESENCE_HEALTH
                                    : PRESENCE_STATE;
}

static void log_off(const struct publisher *pub, enum presence_topic topic, const char *why)
{
    const char *const topics[] = {pub->state_topic, pub->info_topic, pub->health_topic};

    log_warn("the broker does not take a status topic of the bridge: it is off for a while",
             L_STR("server", pub->server), L_STR("topic", topics[topic]), L_STR("reason", why));
}

static void refused(struct publisher *pub, enum presence_topic topic, int reason)
{
    if (presence_topic_refused(&publisher_server(pub)->presence, topic, reason,
                               clock_mono_ms())) {
        log_off(pub, topic, mqtt_reason_text(reason));
    }
}

/* False: not now. */
static bool send_one(struct publisher *pub, unsigned which)
{
    int token = 0;
    enum status st = publish_status(pub, which, &token);

    if (st == ST_OK && token != 0) {
        if (pub->status_in_flight == 0) {
            pub->status_quiet_ms = clock_mono_ms();
        }
        pub->status_sent[pub->status_in_flight++] = topic_of(which);
        window_sent_status(pub->window, token);
    } else if (st == ST_TOO_LARGE || st == ST_INVALID) {
        refused(pub, topic_of(which), st == ST_TOO_LARGE ? 0x95 : 0x90);
    } else if (st != ST_OK && st != ST_BUSY) {
        publisher_link_dies(pub);
    }
    return st == ST_OK || st == ST_TOO_LARGE || st == ST_INVALID;
}

bool publisher_status_is_fresh(const struct publisher *pub, int64_t now_ms)
{
    return pub->status_is_proving && now_ms - pub->status_quiet_ms < PROOF_MS;
}

/* What is due now. Topics that are off wait until they may be tried again. */
static void find_due(struct publisher *pub, int64_t now_ms)
{
    struct presence *presence = &publisher_server(pub)->presence;

    if (pub->status_is_proving && !publisher_status_is_fresh(pub, now_ms)) {
        pub->status_is_proving = false;
        presence_topic_taken(presence, pub->status_proving);
    }
    if (presence_try_again(presence, now_ms)) {
        pub->status_due |= pub->status_missed;
        pub->status_missed = 0;
    }
    if (now_ms - pub->health_ms >= HEALTH_EVERY_MS && !pub->seen.stop) {
        pub->status_due |= STATUS_HEALTH;
    }
    for (unsigned which = STATUS_STATE; which <= STATUS_OFFLINE; which <<= 1) {
        if ((pub->status_due & which) != 0 && !presence_is_on(presence, topic_of(which))) {
            pub->status_due &= ~which;
            pub->status_missed |= which & STATUS_AT_CONNECT;
        }
    }
}

static bool may_send_one(const struct publisher *pub)
{
    bool careful = presence_is_careful(&publisher_server(pub)->presence);
    size_t limit = !careful ? STATUS_MAX_IN_FLIGHT : pub->status_is_proving ? 0 : 1;

    return !pub->dying && window_may_send(pub->window) && pub->status_in_flight < limit;
}

void publisher_status_send(struct publisher *pub)
{
    int64_t now_ms = clock_mono_ms();

    if (!pub->up || publisher_is_alone(pub)) {
        return;
    }
    find_due(pub, now_ms);
    for (unsigned which = STATUS_STATE; which <= STATUS_OFFLINE; which <<= 1) {
        if ((pub->status_due & which) == 0) {
            continue;
        }
        if (!may_send_one(pub) || !send_one(pub, which)) {
            return;
        }
        pub->status_due &= ~which;
        if (which == STATUS_HEALTH) {
            pub->health_ms = now_ms;
        }
    }
}

/* Brokers answer in the order in which they were asked [MQTT-4.6.0-2]. */
static enum presence_topic take_oldest(struct publisher *pub)
{
    enum presence_topic oldest = pub->status_sent[0];

    CHECK(pub->status_in_flight > 0);
    pub->status_in_flight--;
    for (size_t i = 0; i < pub->status_in_flight; i++) {
        pub->status_sent[i] = pub->status_sent[i + 1];
    }
    return oldest;
}

void publisher_status_answered(struct publisher *pub, int reason)
{
    enum presence_topic topic = take_oldest(pub);

    pub->status_quiet_ms = clock_mono_ms();
    backoff_status_answered(&pub->backoff, reason < 0x80, pub->status_quiet_ms);
    if (reason >= 0x80) {
        metrics_refused(reason);
        refused(pub, topic, reason);
    } else {
        pub->status_is_proving = true;
        pub->status_proving = topic;
    }
}

void publisher_status_lost(struct publisher *pub, int reason)
{
    enum presence_topic topic =
        pub->status_in_flight > 0 ? pub->status_sent[0] : pub->status_proving;

    if (pub->status_in_flight == 0 && !publisher_status_is_fresh(pub, clock_mono_ms())) {
        return;
    }
    /* The other codes of DISCONNECT speak of the connection, the client or the server. */
    if (reason != 0 && reason != 0x81 && reason != 0x82 && reason != 0x83 && reason != 0x87 &&
        reason != 0x90 && reason != 0x95 && reason != 0x99 && reason != 0x9A &&
        reason != 0x9B) {
        return;
    }
    if (presence_topic_lost(&publisher_server(pub)->presence, topic, clock_mono_ms())) {
        log_off(pub, topic, reason == 0 ? "it ends the connection" : mqtt_reason_text(reason));
    }
}
