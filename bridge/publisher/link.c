/*
 * The connection: up, down, and when to try again.
 *
 * Back-off: exponential with full jitter, next server each time. It starts anew after a
 * connection that lasted, and stays short after one that at least delivered something; a broker
 * that takes the connection and drops it is not hammered.
 *
 * A message that takes the connection with it must not do so for ever. After a loss with events
 * in flight the oldest goes alone; if the broker closes the connection on it LOSSES_TO_BURY
 * times in a row, it is buried. What says nothing about the message does not count: our own
 * watchdog, silence, a broker that shuts down, and everything before it was sent.
 */
#include "bridge/publisher/internal.h"

#include <stdio.h>
#include <string.h>

#include <sys/random.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

enum {
    RETRY_FIRST_MS = 100,
    RETRY_LONGEST_MS = 10000,
    /* Two bridges with one client_id would kick each other off for ever. */
    TAKEN_OVER_MS = 60000,
    /* A connection that lasted so long did some good. */
    GOOD_AFTER_MS = 10000,
    /* A shorter one that delivered something counts as no more: 1.6 s. */
    SHORT_LINK_FAILURES = 4,
    SHORT_LINKS_TO_HINT = 5,
    DYING_MS = 2000, /* for lost to tell us why */
    LOSSES_TO_BURY = 5,
    SESSION_TAKEN_OVER = 0x8E,
};

static int64_t random_below(int64_t limit)
{
    uint64_t bits = 0;

    /* Without random numbers there is no jitter; that is no reason to stop. */
    (void)!getrandom(&bits, sizeof(bits), GRND_NONBLOCK);
    return limit > 0 ? (int64_t)(bits % (uint64_t)limit) : 0;
}

static void schedule_retry(struct publisher *pub, int reason, int64_t now_ms)
{
    int64_t ceiling_ms = (int64_t)RETRY_FIRST_MS << (pub->failures < 16 ? pub->failures : 16);

    if (reason == SESSION_TAKEN_OVER) {
        pub->retry_ms = now_ms + TAKEN_OVER_MS + random_below(TAKEN_OVER_MS / 2);
        return;
    }
    pub->retry_ms =
        now_ms + random_below(ceiling_ms < RETRY_LONGEST_MS ? ceiling_ms : RETRY_LONGEST_MS);
    pub->failures++;
}

/* --- up --- */

/* Once per server and reason; how often it was tried is said when it works again. */
static void log_connect_failure(struct publisher *pub, enum status st, const char *text)
{
    struct logged_failure *logged = &pub->logged[pub->server_index];

    if (strncmp(text, logged->text, sizeof(logged->text) - 1) == 0) {
        return;
    }
    (void)snprintf(logged->text, sizeof(logged->text), "%.*s", (int)sizeof(logged->text) - 1,
                   text);
    if (st == ST_UNREACHABLE) {
        log_warn("cannot reach broker", L_STR("server", pub->server), L_STR("error", text));
    } else {
        log_error("broker refuses the connection", L_STR("server", pub->server),
                  L_STR("error", text));
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void link_up(struct publisher *pub, int64_t now_ms)
{
    pub->up = true;
    pub->max_messages = smaller(pub->options.max_in_flight, pub->limits.receive_maximum);
    pub->connected_ms = pub->events_quiet_ms = pub->status_quiet_ms = now_ms;
    pub->useful = pub->paused = pub->retain_logged = pub->status_refused_logged = false;
    pub->status_due = pub->status_off ? 0 : STATUS_AT_CONNECT;
    memset(pub->logged, 0, pub->options.server_count * sizeof(*pub->logged));
    publisher_start_over(pub, pub->max_messages);
    metrics_set(METRIC_CONNECTED, 1);
    metrics_add(METRIC_RECONNECTS, metrics_get(METRIC_CONNECTS) > 0);
    metrics_add(METRIC_CONNECTS, 1);
    log_info("broker connected", L_STR("server", pub->server), L_INT("tries", pub->tries),
             L_INT("away_ms", now_ms - pub->down_since_ms),
             L_INT("in_flight_limit", pub->max_messages));
    pub->tries = 0;
}

/* Can we keep our promise with this broker? One that acknowledges nothing could lose everything
 * without our knowing. */
static enum status check_limits(const struct publisher *pub, struct err *err)
{
    if (pub->limits.maximum_qos == 0) {
        return err_set(err, ST_REFUSED, "it takes QoS 0 only, so it would acknowledge nothing");
    }
    if (pub->limits.receive_maximum == 0) { /* Paho lets this protocol error through */
        return err_set(err, ST_REFUSED, "its Receive Maximum is 0");
    }
    return ST_OK;
}

void publisher_link_connect_if_due(struct publisher *pub, int64_t now_ms)
{
    struct err err = {.status = ST_OK};
    int reason = 0;
    enum status st;

    if (pub->up || now_ms < pub->retry_ms) {
        return;
    }
    pub->server_index = pub->next_server++ % pub->options.server_count;
    pub->server = pub->options.servers[pub->server_index];
    pub->tries++;
    st = mqtt_connect(pub->mq, pub->server, &pub->limits, &pub->epoch, &reason, &err);
    if (st == ST_OK) {
        st = check_limits(pub, &err);
        if (st != ST_OK) {
            mqtt_disconnect(pub->mq, true);
            publisher_close_epoch(pub);
        }
    }
    now_ms = clock_mono_ms();
    heartbeat_now(&pub->heartbeat);
    if (st == ST_OK) {
        link_up(pub, now_ms);
        return;
    }
    log_connect_failure(pub, st, err.text);
    schedule_retry(pub, reason, now_ms);
}

/* --- down --- */

static bool speaks_against_message(int reason)
{
    /* keep alive timeout, shutting down, busy, administrative action, session taken over,
     * another server, moved, too long connected */
    static const int of_the_broker[] = {MQTT_CUT,           0x8D, 0x8B, 0x89, 0x98,
                                        SESSION_TAKEN_OVER, 0x9C, 0x9D, 0xA0};

    for (size_t i = 0; i < COUNT_OF(of_the_broker); i++) {
        if (of_the_broker[i] == reason) {
            return false;
        }
    }
    return true;
}

static void count_loss_against_head(struct publisher *pub, uint64_t head_seq)
{
    char why[64];

    pub->solo_losses = head_seq == pub->solo_seq ? pub->solo_losses + 1 : 1;
    pub->solo_seq = head_seq;
    if (pub->solo_losses >= LOSSES_TO_BURY) {
        /* Fits. */
        (void)snprintf(why, sizeof(why), "lost the connection %u times", pub->solo_losses);
        pub->solo_losses = 0;
        publisher_bury_as(pub, head_seq, why);
    }
}

/* Was it what we sent? Only where one thing alone was in flight, and the answer came soon. */
static void find_culprit(struct publisher *pub, int reason, int64_t now_ms)
{
    const struct window_event *head = window_oldest(pub->window);
    int64_t soon_ms = (int64_t)pub->limits.keep_alive_s * 1000;

    if (!speaks_against_message(reason) || window_messages(pub->window) == 0) {
        return;
    }
    if (window_messages(pub->window) == pub->status_in_flight) {
        if (now_ms - pub->status_quiet_ms < soon_ms) {
            publisher_status_lost(pub);
        }
    } else if (pub->solo && head != NULL && now_ms - pub->solo_sent_ms < soon_ms) {
        count_loss_against_head(pub, head->seq);
    }
}

/* What the connection was good for decides how soon the next one may follow. */
static void judge_connection(struct publisher *pub, int64_t now_ms)
{
    if (now_ms - pub->connected_ms >= GOOD_AFTER_MS) {
        pub->failures = pub->short_links = 0;
    } else if (pub->useful) {
        pub->failures =
            pub->failures < SHORT_LINK_FAILURES ? pub->failures : SHORT_LINK_FAILURES;
        /* Not every broker says 0x8E (Mosquitto 2.0.11 does not). */
        if (++pub->short_links == SHORT_LINKS_TO_HINT) {
            log_error(
                "broker ends each connection soon: is another client using this client_id?",
                L_STR("client_id", pub->options.mqtt.client_id));
        }
    }
}

void publisher_link_lost(struct publisher *pub, int reason, const char *text)
{
    int64_t now_ms = clock_mono_ms();

    if (reason == SESSION_TAKEN_OVER) {
        log_error("broker connection lost", L_STR("server", pub->server), L_INT("code", reason),
                  L_STR("reason", text), L_INT("in_flight", window_events(pub->window)));
    } else {
        log_warn("broker connection lost", L_STR("server", pub->server), L_INT("code", reason),
                 L_STR("reason", text), L_INT("in_flight", window_events(pub->window)));
    }
    find_culprit(pub, reason, now_ms);
    pub->solo = pub->solo || window_events(pub->window) > 0;
    mqtt_disconnect(pub->mq, false);
    publisher_close_epoch(pub);
    pub->up = pub->dying = pub->paused = false;
    pub->down_since_ms = now_ms;
    metrics_set(METRIC_CONNECTED, 0);
    publisher_start_over(pub, pub->max_messages);
    judge_connection(pub, now_ms);
    schedule_retry(pub, reason, now_ms);
}

/* A broker that has no memory left just stops reading and answering; the socket says nothing.
 */
void publisher_link_watch(struct publisher *pub, int64_t now_ms)
{
    int64_t limit_ms = (int64_t)pub->limits.keep_alive_s * 2000;

    if (!pub->up) {
        return;
    }
    if (pub->dying && now_ms - pub->dying_since_ms >= DYING_MS) {
        publisher_link_lost(pub, 0, "publishing failed");
    } else if (window_messages(pub->window) > pub->status_in_flight &&
               now_ms - pub->events_quiet_ms >= limit_ms) {
        publisher_link_lost(pub, MQTT_CUT, "no acknowledgement for twice the keep-alive");
    } else if (pub->status_in_flight > 0 && now_ms - pub->status_quiet_ms >= limit_ms) {
        publisher_link_lost(pub, MQTT_CUT,
                            "no acknowledgement of the bridge's status messages");
    }
}
