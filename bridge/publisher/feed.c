/*
 * Events out of the outbox, into the window and their lanes.
 *
 * They are read ahead in order. Each becomes a parcel: ready to be sent; or waiting for an earlier
 * one of its resource that is in flight; or held at once, behind one that is held. At the start
 * come those that the last run left held.
 *
 * If the window is full of events that wait for their turn, and others could go, the waiting ones
 * are held to let them pass: one busy resource must not set the pace for all.
 *
 * What can fail: a read from the outbox, which is tried again a second later (the committer ends
 * the process if the file is damaged).
 */
#include "bridge/publisher/internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

enum { READ_AGAIN_MS = 1000 }; /* after a failed read */

/* --- reading --- */

static void read_more(struct publisher *pub)
{
    struct err err = {.status = ST_OK};
    uint64_t durable_seq = pub->seen.progress.durable_seq;

    if (pub->read_seq >= durable_seq || clock_mono_ms() < pub->read_again_ms) {
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
    pub->read_seq = pub->feed_count > 0 ? pub->feed[pub->feed_count - 1]->seq : durable_seq;
}

static struct event *feed_next(struct publisher *pub)
{
    if (pub->feed_at == pub->feed_count) {
        read_more(pub);
    }
    return pub->feed_at < pub->feed_count ? pub->feed[pub->feed_at] : NULL;
}

/* --- lanes --- */

static uint64_t mix(uint64_t hash, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) { /* FNV-1a */
        hash = (hash ^ (uint8_t)text.data[i]) * 0x100000001B3u;
    }
    return (hash ^ 0xFF) * 0x100000001B3u; /* no byte of UTF-8: the end of a text */
}

static uint64_t number_of(char kind, struct slice text)
{
    return mix(mix(0xCBF29CE484222325u, (struct slice){&kind, 1}), text);
}

/* Its resource, and each topic whose last message is kept: an older one must not come last there
 * either. */
static size_t find_keys(const struct event *event, uint64_t *out_keys)
{
    size_t count = 0;

    out_keys[count++] =
        mix(mix(number_of('r', event->source), event->resource_type), event->gid);
    if (event->state_topic.data != NULL) {
        out_keys[count++] = number_of('t', event->state_topic);
    }
    if (event->retain) {
        out_keys[count++] = number_of('t', event->topic);
    }
    return count;
}

/* Takes the event; it may be without its body. */
static struct parcel *make_parcel(struct publisher *pub, const struct event *event)
{
    struct parcel *parcel = xalloc(sizeof(*parcel) + event->topic.len + 1);
    uint64_t keys[LANES_MAX_KEYS];
    size_t key_count = find_keys(event, keys);

    parcel->lane.seq = event->seq;
    parcel->place = WINDOW_NOWHERE;
    parcel->id = event->id;
    parcel->received_ms = event->received_ms;
    parcel->cost_bytes = event_cost_bytes(event);
    parcel->source = number_of('s', event->source);
    parcel->replayed = event->replayed;
    memcpy(parcel->topic, event->topic.data, event->topic.len);
    lanes_add(pub->lanes, &parcel->lane, keys, key_count);
    return parcel;
}

/* --- the next events --- */

static void place(struct publisher *pub, struct event *event)
{
    unsigned messages = event->state_topic.data != NULL ? 2 : 1;
    struct parcel *parcel = make_parcel(pub, event);

    if (lanes_is_behind_held(&parcel->lane)) {
        event_free(event);
        window_pass(pub->window, parcel->lane.seq);
        publisher_hold(pub, parcel);
        return;
    }
    parcel->event = event;
    parcel->place = window_put(pub->window, parcel->lane.seq, parcel, messages,
                               (event->topic.len + event->body.len) * messages);
}

/* Could one of the events that were read go at once? */
static bool another_could_go(const struct publisher *pub)
{
    uint64_t keys[LANES_MAX_KEYS];

    for (size_t i = pub->feed_at; i < pub->feed_count; i++) {
        if (!lanes_is_taken(pub->lanes, keys, find_keys(pub->feed[i], keys))) {
            return true;
        }
    }
    return false;
}

/* Is the window full of what waits, while next to nothing is in flight? */
static bool is_clogged(const struct publisher *pub)
{
    return 4 * lanes_waiting(pub->lanes) > 3 * window_events(pub->window);
}

static bool has_room(const struct publisher *pub)
{
    return window_has_room(pub->window) && window_bytes(pub->window) < IN_FLIGHT_BYTES;
}

static void make_way(struct publisher *pub)
{
    if (is_clogged(pub) && another_could_go(pub)) {
        publisher_hold_waiting(pub);
    }
    if (window_is_stuck(pub->window) && pub->sending == NULL) {
        publisher_set_aside(pub, window_oldest(pub->window));
    }
}

void publisher_feed(struct publisher *pub)
{
    struct event *event;

    while (lanes_first_ready(pub->lanes) == NULL && publisher_held_has_room(pub) &&
           (event = feed_next(pub)) != NULL) {
        if (!has_room(pub)) {
            make_way(pub);
            return;
        }
        pub->feed_at++;
        place(pub, event);
    }
}

/* --- the start, and the end --- */

struct load {
    struct publisher *pub;
    int64_t now_ms, now_unix_ms;
};

static void ignore(void *ctx, struct lane_entry *entry)
{
    (void)ctx;
    (void)entry;
}

static void load_one(void *ctx, const struct event *event, const struct store_hold *hold)
{
    const struct load *load = ctx;
    struct parcel *parcel = make_parcel(load->pub, event);
    int64_t ago_ms = load->now_unix_ms - hold->since_ms;

    parcel->cost_bytes = hold->cost_bytes;
    parcel->reason = hold->reason;
    parcel->was_sent = true;   /* perhaps */
    if (hold->since_ms != 0) { /* the clock may have been set back */
        parcel->record.since_ms = load->now_ms - (ago_ms > 0 ? ago_ms : 0);
    }
    lanes_hold(load->pub->lanes, &parcel->lane, ignore, NULL);
    if (parcel->reason == HOLD_SUSPECT && parcel->lane.state == LANE_READY) {
        lanes_rest(load->pub->lanes, &parcel->lane);
    }
}

enum status publisher_feed_load(struct publisher *pub, struct err *err)
{
    struct load load = {pub, clock_mono_ms(), clock_unix_ms()};

    return outbox_walk_held(pub->outbox, load_one, &load, err);
}

struct all {
    struct parcel **parcels;
    size_t count;
};

static void add_to_all(void *ctx, struct lane_entry *entry)
{
    struct all *all = ctx;

    all->parcels[all->count++] = parcel_of(entry);
}

void publisher_feed_free(struct publisher *pub)
{
    struct all all = {.count = 0};

    if (lanes_count(pub->lanes) == 0) {
        return;
    }
    all.parcels = xalloc(lanes_count(pub->lanes) * sizeof(struct parcel *));
    lanes_each(pub->lanes, add_to_all, &all);
    for (size_t i = 0; i < all.count; i++) {
        publisher_forget(pub, all.parcels[i]);
    }
    free(all.parcels);
}
