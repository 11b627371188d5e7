/*
 * The bridge's status topics: state (birth, and the will), info and health; retained, QoS 1.
 *
 * All three are published after each connect, before any event; health every 30 s, info when it
 * changes, "offline" before a clean disconnect.
 *
 * They must never hold up events. A refusal is logged once per connection and otherwise ignored.
 * Some brokers close the connection instead of refusing; after several such losses in a row no
 * status messages are published until the next start.
 */
#include "bridge/publisher/internal.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

enum { HEALTH_EVERY_MS = 30000 };

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
             (long long)store_oldest_age_s(&stats, clock_unix_ms()));
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

static void log_refused(struct publisher *pub, const char *why)
{
    if (!pub->status_refused_logged) {
        log_warn("the broker refuses the bridge's status messages",
                 L_STR("server", pub->server), L_STR("topic", pub->options.bridge_topic),
                 L_STR("reason", why));
        pub->status_refused_logged = true;
    }
}

/* False: not now. */
static bool send_one(struct publisher *pub, unsigned which)
{
    int token = 0;
    enum status st = publish_status(pub, which, &token);

    if (st == ST_OK && token != 0) {
        if (pub->status_in_flight++ == 0) {
            pub->status_quiet_ms = clock_mono_ms();
        }
        window_sent_status(pub->window, token);
    } else if (st == ST_TOO_LARGE || st == ST_INVALID) {
        log_refused(pub, status_text(st));
    } else if (st != ST_OK && st != ST_BUSY) {
        publisher_link_dies(pub);
    }
    return st == ST_OK || st == ST_TOO_LARGE || st == ST_INVALID;
}

void publisher_status_send(struct publisher *pub)
{
    int64_t now_ms = clock_mono_ms();

    if (!pub->up || pub->status_off || (pub->solo && window_events(pub->window) > 0)) {
        return;
    }
    if (now_ms - pub->health_ms >= HEALTH_EVERY_MS && !pub->seen.stop) {
        pub->status_due |= STATUS_HEALTH;
    }
    for (unsigned which = STATUS_STATE; which <= STATUS_OFFLINE; which <<= 1) {
        if ((pub->status_due & which) == 0) {
            continue;
        }
        if (pub->dying || !window_may_send(pub->window) ||
            pub->status_in_flight >= STATUS_MAX_IN_FLIGHT || !send_one(pub, which)) {
            return;
        }
        pub->status_due &= ~which;
        if (which == STATUS_HEALTH) {
            pub->health_ms = now_ms;
        }
    }
}

void publisher_status_give_up(struct publisher *pub)
{
    log_error("broker ends the connection on the bridge's status messages: they are off until "
              "the next start",
              L_STR("server", pub->server), L_STR("topic", pub->options.bridge_topic));
    pub->status_off = true;
}

void publisher_status_answered(struct publisher *pub, int reason)
{
    pub->status_in_flight--;
    pub->status_quiet_ms = clock_mono_ms();
    backoff_status_answered(&pub->backoff);
    if (reason >= 0x80) {
        metrics_refused(reason);
        log_refused(pub, mqtt_reason_text(reason));
    }
}
