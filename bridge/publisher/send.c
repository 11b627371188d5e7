/*
 * Sends events from the outbox to the broker, in order.
 *
 * The feed is read ahead from the store. An event is one message or two: the event itself, then
 * the same payload as the retained state of its resource. It enters the window before its first
 * message and leaves the feed after its last; between the two it may wait for the broker's limit
 * of messages in flight.
 *
 * What can fail: a read from the outbox, which is tried again a second later (the committer ends
 * the process if the file is damaged); a message that MQTT or this broker can never carry, whose
 * event is buried; publishing itself, after which the connection is dying and link.c takes over.
 */
#include "bridge/publisher/internal.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/utf8.h"

#include "bridge/metrics.h"

enum {
    READ_AGAIN_MS = 1000, /* after a failed read */
    /* Paho keeps a copy of each until it is acknowledged. One event beyond this is allowed. */
    IN_FLIGHT_BYTES = 16777216,
};

bool publisher_feed_has_more(const struct publisher *pub)
{
    return pub->feed_at < pub->feed_count || pub->read_seq < pub->seen.durable_seq;
}

static void read_more(struct publisher *pub)
{
    struct err err = {.status = ST_OK};

    if (pub->read_seq >= pub->seen.durable_seq || clock_mono_ms() < pub->read_again_ms) {
        return;
    }
    pub->feed_at = pub->feed_count = 0;
    if (outbox_read(pub->outbox, pub->read_seq, FEED_EVENTS, FEED_BYTES, pub->feed,
                    &pub->feed_count, &err) != ST_OK) {
        pub->feed_count = 0;
        pub->read_again_ms = clock_mono_ms() + READ_AGAIN_MS;
        log_error("cannot read the outbox", L_STR("error", err.text));
        return;
    }
    /* No rows although some were committed: those were dropped by hand, or are delivered. */
    pub->read_seq =
        pub->feed_count > 0 ? pub->feed[pub->feed_count - 1]->seq : pub->seen.durable_seq;
}

static struct event *feed_next(struct publisher *pub)
{
    if (pub->feed_at == pub->feed_count) {
        read_more(pub);
    }
    return pub->feed_at < pub->feed_count ? pub->feed[pub->feed_at] : NULL;
}

static void feed_pop(struct publisher *pub)
{
    event_free(pub->feed[pub->feed_at++]);
    pub->part = 0;
    pub->placed = false;
}

static unsigned message_count(const struct event *event)
{
    return event->state_topic.data != NULL ? 2 : 1;
}

static void place_event(struct publisher *pub, const struct event *event)
{
    struct window_event entry = {
        .seq = event->seq,
        .id = event->id,
        .received_ms = event->received_ms,
        .bytes = (event->topic.len + event->body.len) * message_count(event),
        .replayed = event->replayed,
    };

    if (window_events(pub->window) == 0) {
        pub->events_quiet_ms = clock_mono_ms();
    }
    window_put(pub->window, &entry, message_count(event));
    pub->placed = true;
    if (event->seq <= pub->highest_sent_seq) {
        metrics_add(METRIC_RESENT, 1);
    } else {
        pub->highest_sent_seq = event->seq;
    }
    if (pub->solo) {
        pub->solo_sent_ms = clock_mono_ms();
    }
}

/* Brokers close the connection on some characters; metadata with these is left out. */
static struct slice as_property(struct slice text)
{
    return text.data != NULL && utf8_is_fit(text) ? text : SLICE_NONE;
}

/* Lowers QoS and retain to what the broker supports; a missing retain is logged once per
 * server. */
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

static enum status publish_part(struct publisher *pub, const struct event *event, unsigned part,
                                int *out_token)
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
        .expiry_s = state ? 0 : event->expiry_s, /* a state is valid until the next one */
        .content_type = "application/json",
        .properties = properties,
        .property_count = COUNT_OF(properties),
    };

    if (!take_topic(pub, state ? event->state_topic : event->topic)) {
        return ST_INVALID;
    }
    uuid_format(event->id, id);
    clock_format(event->received_ms, received_at);
    properties[3].value.len = strlen(received_at);
    message.topic = pub->topic.data;
    adapt(pub, &message);
    return mqtt_publish(pub->mq, &message, out_token, NULL);
}

static void count_delivered(const struct event *event)
{
    metrics_add(METRIC_PUBLISHED, 1);
    if (!event->replayed) {
        metrics_observe(HISTOGRAM_DELIVERY, (clock_unix_ms() - event->received_ms) * 1000);
    }
    log_debug("event published", L_UUID("id", event->id), L_INT("qos", 0));
}

/* True: sent. */
static bool send_part(struct publisher *pub, const struct event *event)
{
    int token = 0;
    enum status st = publish_part(pub, event, pub->part, &token);

    if (st == ST_OK) {
        window_sent(pub->window, token);
        pub->part++;
    } else if (st == ST_TOO_LARGE) {
        publisher_bury(pub, event->seq, pub->part, 0x95);
    } else if (st == ST_INVALID) {
        publisher_bury(pub, event->seq, pub->part, 0x90);
    } else if (st != ST_BUSY) {
        publisher_link_dies(pub);
    }
    return st == ST_OK;
}

/* True: all of the event was sent, or it is buried. */
static bool send_event(struct publisher *pub, const struct event *event)
{
    if (!pub->placed) {
        place_event(pub, event);
    }
    while (pub->part < message_count(event)) {
        if (!window_is_open(pub->window, event->seq)) {
            return true; /* buried: just now, or by the answer to its first message */
        }
        if (!window_may_send(pub->window)) {
            return false;
        }
        if (!send_part(pub, event) && window_is_open(pub->window, event->seq)) {
            return false;
        }
    }
    if (!window_is_open(pub->window, event->seq)) { /* QoS 0: no answer will come */
        count_delivered(event);
    }
    return true;
}

/* May another event start? A solo event shares the connection with nothing, not even status
 * messages, so that a loss of the connection can be blamed on it. */
static bool may_start(const struct publisher *pub)
{
    if (pub->solo && (window_messages(pub->window) > 0 || pub->status_due != 0 ||
                      window_oldest(pub->window) != NULL)) {
        return false;
    }
    return !pub->seen.stop && window_has_room(pub->window) && window_may_send(pub->window) &&
           window_bytes(pub->window) < IN_FLIGHT_BYTES;
}

void publisher_send_events(struct publisher *pub)
{
    struct event *event;

    while (pub->up && !pub->dying && !pub->backoff.paused) {
        if (!pub->placed && !may_start(pub)) {
            return;
        }
        event = feed_next(pub);
        if (event == NULL) {
            return;
        }
        if (window_is_buried(pub->window, event->seq)) {
            struct window_event entry = {.seq = event->seq, .id = event->id};

            window_put(pub->window, &entry, 0);
        } else if (!send_event(pub, event)) {
            return;
        }
        feed_pop(pub);
    }
}
