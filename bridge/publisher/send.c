/*
 * Sends events to the broker: those that are ready, then the next ones of the outbox.
 *
 * An event is one message or two: the event itself, then the same payload as the retained state of
 * its resource. Between the two it may wait for the broker's limit of messages in flight.
 *
 * After a connection was lost, those that were in flight are sent carefully: one, then two, then
 * four at a time, so that one that ends connections is found soon. A suspect is sent alone, once
 * nothing else is in flight.
 *
 * What can fail: a message that MQTT or this broker can never carry, whose event is buried; reading
 * a held event, which is tried again; publishing itself, after which the connection is dying and
 * link.c takes over.
 */
#include "bridge/publisher/internal.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/utf8.h"

#include "bridge/metrics.h"

enum { SOLO_WAIT_MS = 2000 }; /* how long others wait for the answer to a suspect */

/* --- messages --- */

/* Brokers close the connection on some characters; metadata with these is left out. */
static struct slice as_property(struct slice text)
{
    return text.data != NULL && utf8_is_fit(text) ? text : SLICE_NONE;
}

/* Lowers QoS and retain to what the broker supports; a missing retain is logged once per
 * server. A state without retain still reaches those who are subscribed. */
static void adapt(struct publisher *pub, struct mqtt_message *message)
{
    if (message->qos > pub->limits.maximum_qos) {
        message->qos = pub->limits.maximum_qos;
    }
    if (message->retain && !pub->limits.retain_available) {
        message->retain = false;
        if (!publisher_server(pub)->retain_told) {
            log_warn("the broker retains nothing: published without retain",
                     L_STR("server", pub->server));
            publisher_server(pub)->retain_told = true;
        }
    }
}

/* Copies the topic to pub->topic and terminates it. False: it contains a NUL. */
static bool take_topic(struct publisher *pub, struct slice topic)
{
    buf_clear(&pub->topic);
    buf_add_slice(&pub->topic, topic);
    return memchr(topic.data, '\0', topic.len) == NULL;
}

/* What is left of its time, in whole seconds; 0: nothing. An event that is published again by hand
 * has all of it. */
static uint32_t expiry_left_s(const struct event *event, int64_t now_unix_ms)
{
    int64_t waited_s = event->replayed ? 0 : (now_unix_ms - event->received_ms) / 1000;

    if (waited_s <= 0) { /* the clock may have been set back */
        return event->expiry_s;
    }
    return waited_s < event->expiry_s ? event->expiry_s - (uint32_t)waited_s : 0;
}

static enum status publish_part(struct publisher *pub, const struct event *event, unsigned part,
                                int *out_token, struct err *err)
{
    bool state = part == 1;
    char id[UUID_TEXT_SIZE], received_at[CLOCK_TEXT_SIZE];
    struct mqtt_property properties[] = {
        {"id", {id, UUID_TEXT_SIZE - 1}},
        {"source", as_property(event->source)},
        {"event", as_property(event->event)},
        {"received_at", {received_at, 0}},
        {"delivery_id", as_property(event->delivery_id)},
    };
    struct mqtt_message message = {
        .payload = state && event->deletion ? SLICE("") : event->body,
        .qos = state ? 1 : event->qos,
        .retain = state || event->retain,
        /* a state is valid until the next one */
        .expiry_s = state ? 0 : expiry_left_s(event, clock_unix_ms()),
        .content_type = "application/json",
        .properties = properties,
        .property_count = COUNT_OF(properties),
    };

    if (!take_topic(pub, state ? event->state_topic : event->topic)) {
        return err_set(err, ST_INVALID, "a NUL in the topic");
    }
    uuid_format(event->id, id);
    clock_format(event->received_ms, received_at);
    properties[3].value.len = strlen(received_at);
    message.topic = pub->topic.data;
    adapt(pub, &message);
    return mqtt_publish(pub->mq, &message, out_token, err);
}

/* True: sent. False: not now; or the event is buried, and the parcel gone. */
static bool send_part(struct publisher *pub, struct parcel *parcel)
{
    struct err err = {.status = ST_OK};
    int token = 0;
    enum status st = publish_part(pub, parcel->event, parcel->part, &token, &err);

    if (st == ST_OK) {
        window_sent(pub->window, parcel->place, token);
        parcel->part++;
        pub->event_sent_ms = clock_mono_ms();
    } else if (st == ST_TOO_LARGE || st == ST_INVALID) {
        pub->sending = NULL;
        publisher_bury_refused(pub, parcel, parcel->part, st == ST_INVALID ? 0x90 : 0x95,
                               err.text);
    } else if (st != ST_BUSY) {
        publisher_link_dies(pub);
    }
    return st == ST_OK && (token != 0 || !window_deliver(pub->window, parcel->place));
}

/* --- events --- */

static unsigned message_count(const struct event *event)
{
    return event->state_topic.data != NULL ? 2 : 1;
}

/* Reads a held event, and gives it a place in the window. False: not now, or it is gone. */
static bool fetch(struct publisher *pub, struct parcel *parcel)
{
    struct err err = {.status = ST_OK};
    unsigned messages;

    if (outbox_read_held(pub->outbox, parcel->lane.seq, &parcel->event, &err) != ST_OK) {
        pub->read_again_ms = clock_mono_ms() + 1000;
        log_error("cannot read the outbox", L_STR("error", err.text));
        return false;
    }
    if (parcel->event == NULL) {
        publisher_forget(pub, parcel); /* dropped by hand */
        return false;
    }
    messages = message_count(parcel->event);
    parcel->place =
        window_put_held(pub->window, parcel, messages,
                        (parcel->event->topic.len + parcel->event->body.len) * messages);
    return true;
}

/* False: the event is settled, because all that it was has expired. */
static bool heed_expiry(struct publisher *pub, struct parcel *parcel)
{
    const struct event *event = parcel->event;

    if (parcel->part > 0 || event->expiry_s == 0 || expiry_left_s(event, clock_unix_ms()) > 0) {
        return true;
    }
    if (!parcel->expired) {
        parcel->expired = true;
        metrics_add(METRIC_EXPIRED, 1);
    }
    if (event->state_topic.data == NULL) {
        publisher_expire(pub, parcel);
        return false;
    }
    window_sent(pub->window, parcel->place, 0);
    (void)window_deliver(pub->window, parcel->place);
    parcel->part = 1; /* the state is valid until the next one */
    return true;
}

static void finish_sending(struct publisher *pub, struct parcel *parcel)
{
    pub->sending = NULL;
    event_free(parcel->event);
    parcel->event = NULL;
    if (parcel->was_sent) {
        metrics_add(METRIC_RESENT, 1);
    }
    parcel->was_sent = true;
}

/* False: not now. */
static bool send_parcel(struct publisher *pub, struct parcel *parcel)
{
    unsigned count;

    if (pub->sending == NULL && pub->solo != parcel &&
        backoff_is_barred(&pub->backoff, parcel->source, clock_mono_ms(),
                          &parcel->record.due_ms)) {
        publisher_rest(pub, parcel, 0x87);
        return true;
    }
    if (parcel->event == NULL && !fetch(pub, parcel)) {
        return pub->read_again_ms <= clock_mono_ms();
    }
    if (!heed_expiry(pub, parcel)) {
        return true;
    }
    if (pub->sending == NULL) {
        pub->sending = parcel;
        if (window_messages(pub->window) == pub->status_in_flight) {
            pub->events_quiet_ms = clock_mono_ms();
        }
        lanes_sent(pub->lanes, &parcel->lane);
    }
    count = message_count(parcel->event);
    while (parcel->part < count) {
        if (!window_may_send(pub->window)) {
            return false;
        }
        if (!send_part(pub, parcel)) {
            if (pub->sending == NULL) {
                return true; /* buried */
            }
            if (parcel->part < count) {
                return false;
            }
            finish_sending(pub, parcel); /* QoS 0: no answer will come */
            parcel->place = WINDOW_NOWHERE;
            publisher_count_delivered(parcel, clock_unix_ms(), 0);
            publisher_delivered(pub, parcel);
            return true;
        }
    }
    finish_sending(pub, parcel);
    return true;
}

/* --- which one --- */

/* Is the line free for an event that is to be alone on it? */
static bool line_is_free(const struct publisher *pub)
{
    return window_messages(pub->window) == 0 && pub->status_due == 0;
}

static void trust(void *ctx, struct lane_entry *entry)
{
    (void)ctx;
    parcel_of(entry)->suspected = false;
}

static bool careful_allows(struct publisher *pub, const struct parcel *next)
{
    size_t events = window_messages(pub->window) - pub->status_in_flight;

    if (events == 0 && (next == NULL || !next->suspected)) {
        lanes_each(pub->lanes, trust, NULL); /* the rest of them waits, or rests */
        pub->careful_count = 0;
        return true;
    }
    if (next == NULL || !next->suspected) {
        return false;
    }
    if (pub->careful_limit == 1) {
        return line_is_free(pub);
    }
    return events < pub->careful_limit;
}

/* The next event to send; NULL: none now. */
static struct parcel *choose(struct publisher *pub)
{
    struct lane_entry *next;

    if (pub->sending != NULL) {
        return pub->sending;
    }
    if (pub->seen.stop || !window_may_send(pub->window)) {
        return NULL;
    }
    if (pub->solo != NULL) {
        if (clock_mono_ms() - pub->event_sent_ms < SOLO_WAIT_MS) {
            return NULL;
        }
        pub->solo = NULL; /* no longer alone */
    }
    if (pub->suspect != NULL && pub->careful_count == 0) {
        struct parcel *suspect = pub->suspect;

        if (!line_is_free(pub) || !window_has_room(pub->window)) {
            return NULL;
        }
        pub->suspect = NULL;
        lanes_wake(pub->lanes, &suspect->lane);
        CHECK(suspect->lane.state == LANE_READY); /* it was sent before: so it is the first */
        pub->solo = suspect;
        return suspect;
    }
    next = lanes_first_ready(pub->lanes);
    if (pub->careful_count > 0 && !careful_allows(pub, next != NULL ? parcel_of(next) : NULL)) {
        return NULL;
    }
    if (next == NULL) {
        publisher_feed(pub);
        next = lanes_first_ready(pub->lanes);
    }
    if (next == NULL || (next->held && !window_has_room(pub->window))) {
        return NULL;
    }
    if (pub->careful_count > 0 && pub->careful_limit == 1) {
        pub->solo = parcel_of(next);
    }
    return parcel_of(next);
}

void publisher_send_events(struct publisher *pub)
{
    struct parcel *next;

    while (pub->up && !pub->dying && (next = choose(pub)) != NULL) {
        if (!send_parcel(pub, next)) {
            return;
        }
    }
}
