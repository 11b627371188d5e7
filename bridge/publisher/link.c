/*
 * The connection to the broker: made, judged and given up here; when to try again and whom to
 * blame for a loss is backoff's to decide.
 *
 * On the good path publisher_link_connect_if_due connects to the next server of the list, checks
 * that it can acknowledge what we send. A failed attempt is logged once per server and reason.
 *
 * A connection ends in publisher_link_lost: Paho reported it, or the watchdog found it dead
 * (publishing failed and no report came; nothing was acknowledged for too long, which is how a
 * broker without memory looks, because the socket says nothing). Everything that was in flight
 * is held, and sent again in order on the next one. If one of those events may be to blame, they
 * are sent carefully there.
 */
#include "bridge/publisher/internal.h"

#include <stdio.h>
#include <string.h>

#include <sys/random.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"

#include "bridge/metrics.h"

enum { DYING_MS = 2000 }; /* how long to wait for Paho's report of the loss, with its reason */

static uint64_t random_bits(void)
{
    uint64_t bits = 0;

    /* Without random numbers there is no jitter; that is no reason to stop. */
    (void)!getrandom(&bits, sizeof(bits), GRND_NONBLOCK);
    return bits;
}

/* --- up --- */

/* Once per server and reason; the number of tries is logged when it works again. */
static void log_connect_failure(struct publisher *pub, enum status st, const char *text)
{
    struct known_server *server = publisher_server(pub);
    int size = (int)sizeof(server->failure);

    if (strncmp(text, server->failure, (size_t)size - 1) == 0) {
        return;
    }
    (void)snprintf(server->failure, (size_t)size, "%.*s", size - 1, text);
    if (st == ST_UNREACHABLE) {
        log_warn("cannot reach broker", L_STR("server", pub->server), L_STR("error", text));
    } else {
        log_error("broker refuses the connection", L_STR("server", pub->server),
                  L_STR("error", text));
    }
}

/* What the broker takes of our presence, if that is less than all, once per server. */
static void adapt_presence(struct publisher *pub, int64_t now_ms)
{
    struct presence *presence = &publisher_server(pub)->presence;
    const char *left = presence->no_will      ? "none"
                       : presence->unretained ? "not retained"
                                              : "QoS 0";

    if (presence_accepted(presence, now_ms)) {
        log_warn("the broker does not take the bridge's will as it is",
                 L_STR("server", pub->server), L_STR("will", left),
                 L_STR("reason", mqtt_reason_text(presence->reason)));
    }
    if (presence->unretained && !presence->no_will) {
        pub->limits.retain_available = false; /* 3.1.1 has no other way to say it */
    }
}

static void link_up(struct publisher *pub, const struct mqtt_connection *connection,
                    int64_t now_ms)
{
    pub->up = true;
    pub->max_messages = pub->options.max_in_flight < pub->limits.receive_maximum
                            ? pub->options.max_in_flight
                            : pub->limits.receive_maximum;
    pub->events_quiet_ms = pub->status_quiet_ms = now_ms;
    backoff_connected(&pub->backoff, now_ms);
    rival_connected(&pub->rival, pub->tries, now_ms);
    adapt_presence(pub, now_ms);
    pub->status_due = STATUS_AT_CONNECT;
    pub->status_missed = 0;
    pub->status_is_proving = false;
    for (size_t i = 0; i < pub->options.server_count; i++) {
        pub->known[i].failure[0] = '\0';
        pub->known[i].speaks_3_1_1_only = false;
    }
    pub->status_in_flight = 0;
    window_connect(pub->window, pub->max_messages);
    metrics_set(METRIC_CONNECTED, 1);
    metrics_add(METRIC_RECONNECTS, metrics_get(METRIC_CONNECTS) > 0);
    metrics_add(METRIC_CONNECTS, 1);
    log_info("broker connected", L_STR("server", pub->server),
             L_STR("address", connection->address), L_INT("tries", pub->tries),
             L_INT("away_ms", now_ms - pub->down_since_ms),
             L_INT("in_flight_limit", pub->max_messages));
    pub->tries = 0;
}

/* A broker that acknowledges nothing could lose every event unnoticed. */
static enum status check_limits(const struct publisher *pub, struct err *err)
{
    if (pub->limits.maximum_qos == 0) {
        return err_set(err, ST_REFUSED, "it supports QoS 0 only and would acknowledge nothing");
    }
    if (pub->limits.receive_maximum == 0) { /* Paho lets this protocol error through */
        return err_set(err, ST_REFUSED, "its Receive Maximum is 0");
    }
    return ST_OK;
}

/* A broker that knows only 3.1.1 may stumble over a CONNECT of MQTT 5 and hang up. So may others: it
 * is asked, once. What it answers is said and never used: the version is the user's to choose. */
static enum status explain_hang_up(struct publisher *pub, struct err *err)
{
    struct known_server *server = publisher_server(pub);

    if (!server->speaks_3_1_1_only && server->failure[0] == '\0') {
        server->speaks_3_1_1_only = mqtt_answers_3_1_1(pub->mq, pub->server);
    }
    if (!server->speaks_3_1_1_only) {
        return err->status;
    }
    return err_set(err, ST_REFUSED, "it speaks MQTT 3.1.1 only (mqtt.version)");
}

/* A password may be replaced while the bridge runs. If its file is gone or empty, the last one stays. */
static struct slice read_password(struct publisher *pub)
{
    struct buf fresh = {.len = 0};
    struct err err = {.status = ST_OK};
    const char *path = pub->options.password_file;
    enum status st = path != NULL ? file_read_secret(path, &fresh, &err) : ST_OK;

    if (fresh.len > 0) {
        buf_wipe(&pub->password);
        pub->password = fresh;
        pub->password_told = false;
    } else {
        buf_wipe(&fresh);
        if (path != NULL && !pub->password_told) {
            log_warn("mqtt.password cannot be read again: the last one is used",
                     L_STR("error", st == ST_OK ? "the file is empty" : err.text));
            pub->password_told = true;
        }
    }
    return pub->password.len > 0 ? buf_slice(&pub->password) : SLICE_NONE;
}

/* Asks for as much of our presence as the server takes. */
static enum status connect_with_presence(struct publisher *pub,
                                         struct mqtt_connection *out_connection,
                                         int *out_reason, struct err *err)
{
    struct presence *presence = &publisher_server(pub)->presence;
    int version = pub->options.mqtt.version;
    struct mqtt_request request = {.server = pub->server, .password = read_password(pub)};
    struct mqtt_will will;
    enum status st;

    presence_begin(presence, clock_mono_ms());
    do {
        request.will = presence_will(presence, &pub->will, &will) ? &will : NULL;
        st = mqtt_connect(pub->mq, &request, out_connection, out_reason, err);
    } while (st != ST_OK && presence_refused(presence, *out_reason, version, clock_mono_ms()));
    if (st != ST_OK && *out_reason == MQTT_HUNG_UP && version == 5) {
        st = explain_hang_up(pub, err);
    }
    return st;
}

void publisher_link_connect_if_due(struct publisher *pub, int64_t now_ms)
{
    struct err err = {.status = ST_OK};
    struct mqtt_connection connection = {0};
    int reason = 0;
    enum status st;

    if (pub->up || now_ms < pub->backoff.connect_at_ms) {
        return;
    }
    pub->server_index = pub->next_server++ % pub->options.server_count;
    pub->server = pub->options.servers[pub->server_index];
    pub->tries++;
    st = connect_with_presence(pub, &connection, &reason, &err);
    if (st == ST_OK) {
        pub->limits = connection.limits;
        pub->epoch = connection.epoch;
        st = check_limits(pub, &err);
        if (st != ST_OK) {
            mqtt_disconnect(pub->mq, true);
            publisher_close_epoch(pub);
        }
    }
    now_ms = clock_mono_ms();
    heartbeat_now(&pub->heartbeat);
    if (st == ST_OK) {
        link_up(pub, &connection, now_ms);
        return;
    }
    log_connect_failure(pub, st, err.text);
    backoff_connect_failed(&pub->backoff, reason, now_ms, random_bits());
}

/* --- down --- */

/* What backoff needs to know to find out which message is to blame, if any. */
static struct backoff_loss describe_loss(const struct publisher *pub, int reason,
                                         int64_t now_ms)
{
    struct backoff_loss loss = {
        .reason = reason,
        .keep_alive_ms = (int64_t)pub->limits.keep_alive_s * 1000,
    };

    if (window_messages(pub->window) == 0) {
        loss.in_flight = IN_FLIGHT_NOTHING;
    } else if (window_messages(pub->window) == pub->status_in_flight) {
        loss.in_flight = IN_FLIGHT_STATUS;
        loss.silent_ms = now_ms - pub->status_quiet_ms;
    } else {
        loss.in_flight = pub->solo != NULL ? IN_FLIGHT_SOLO : IN_FLIGHT_EVENTS;
        loss.silent_ms = now_ms - pub->event_sent_ms;
        loss.known = pub->solo != NULL && pub->solo->record.losses > 0 &&
                     backoff_has_proof(&pub->backoff, &pub->solo->record);
    }
    return loss;
}

/* The events that were in flight are sent carefully from now on. */
static void suspect_one(void *ctx, struct lane_entry *entry)
{
    struct publisher *pub = ctx;
    struct parcel *parcel = parcel_of(entry);

    if (parcel->suspected) {
        parcel->suspected = false;
        pub->careful_count--;
    }
    if (entry->state == LANE_SENT) {
        parcel->suspected = true;
        pub->careful_count++;
    }
}

/* Is the end of this connection one of those that only a second client with our client_id explains? */
static void look_for_rival(struct publisher *pub, const struct backoff_loss *loss,
                           int64_t now_ms)
{
    bool idle = loss->in_flight == IN_FLIGHT_NOTHING && !publisher_status_is_fresh(pub, now_ms);
    bool busy = loss->in_flight == IN_FLIGHT_EVENTS && pub->backoff.useful;

    if (rival_lost(&pub->rival, loss->reason, idle || busy, now_ms)) {
        log_error("broker ends each connection soon: is another client using this client_id?",
                  L_STR("client_id", pub->options.mqtt.client_id));
    }
}

static void find_suspects(struct publisher *pub, int reason)
{
    if (pub->solo != NULL) {
        publisher_suspect(pub, pub->solo, reason);
    } else {
        lanes_each(pub->lanes, suspect_one, pub);
        pub->careful_limit = 1;
    }
}

static void log_loss(const struct publisher *pub, int reason, const char *text, bool error)
{
    enum log_level level = error ? LOG_ERROR : LOG_WARN;

    log_at(level, "broker connection lost", L_STR("server", pub->server), L_INT("code", reason),
           L_STR("reason", text),
           L_INT("in_flight", window_messages(pub->window) - pub->status_in_flight));
}

void publisher_link_lost(struct publisher *pub, int reason, const char *text)
{
    int64_t now_ms = clock_mono_ms();
    struct backoff_loss loss = describe_loss(pub, reason, now_ms);
    struct backoff_judgement found = backoff_lost(&pub->backoff, &loss, now_ms, random_bits());

    log_loss(pub, reason, text, found.taken_over);
    if (found.suspicious && loss.in_flight != IN_FLIGHT_STATUS) {
        find_suspects(pub, reason);
    }
    if (!found.explained &&
        (loss.in_flight == IN_FLIGHT_NOTHING ||
         (loss.in_flight == IN_FLIGHT_STATUS && loss.silent_ms < loss.keep_alive_ms))) {
        publisher_status_lost(pub, reason);
    }
    if (!found.explained) {
        look_for_rival(pub, &loss, now_ms);
    }
    mqtt_disconnect(pub->mq, false);
    publisher_close_epoch(pub);
    pub->up = pub->dying = false;
    pub->down_since_ms = now_ms;
    metrics_set(METRIC_CONNECTED, 0);
    publisher_hold_all(pub);
    window_connect(pub->window, pub->max_messages);
    pub->status_in_flight = 0;
}

void publisher_link_watch(struct publisher *pub, int64_t now_ms)
{
    /* Bytes that still move are a slow line, not a dead one. */
    int64_t moved_ms = mqtt_moved_ms(pub->mq);
    int64_t limit_ms = (int64_t)pub->limits.keep_alive_s * 2000;
    bool still = now_ms - moved_ms >= limit_ms;

    if (!pub->up) {
        return;
    }
    if (pub->dying && now_ms - pub->dying_since_ms >= DYING_MS) {
        publisher_link_lost(pub, 0, "publishing failed");
    } else if (window_messages(pub->window) > pub->status_in_flight &&
               now_ms - pub->events_quiet_ms >= limit_ms && still) {
        publisher_link_lost(pub, MQTT_CUT, "no acknowledgement for twice the keep-alive");
    } else if (pub->status_in_flight > 0 && now_ms - pub->status_quiet_ms >= limit_ms &&
               still) {
        publisher_link_lost(pub, MQTT_CUT,
                            "no acknowledgement of the bridge's status messages");
    }
}
