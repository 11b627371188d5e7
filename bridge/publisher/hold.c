/*
 * Events that wait while others pass them.
 *
 * A held event is still undelivered, but the window lets it go: the outbox knows it by itself, and
 * the watermark passes. So one message that the broker does not take holds back those behind it
 * in its lanes, and nothing else. Events are held
 *
 *  - because the broker refused one for now, or it is suspected of ending connections: it rests,
 *    and is tried again with growing pauses, for a bounded time;
 *  - because they are behind one that is held;
 *  - because the connection was lost, or we stop, and nobody knows whether they arrived: they are
 *    sent again, in order;
 *  - because one resource has so many events that they would fill the window, or the broker leaves
 *    one unanswered for long while it answers others.
 *
 * The number of held events is bounded. At the bound the oldest refused ones are buried before
 * their time, if the broker takes others meanwhile; if it takes nothing, nothing new is read
 * until it does.
 *
 * If we die, the next start finds them in the outbox, and their resources are still held.
 */
#include "bridge/publisher/internal.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

enum {
    LOOK_EVERY_MS = 50, /* at the resting ones, at most */
    WAKE_MOST = 64,     /* of them at once */
    BURY_EARLY = 64,
};

/* Monotonic to Unix time, for a time that is to outlive the process. */
static int64_t to_unix_ms(int64_t mono_ms)
{
    return mono_ms == 0 ? 0 : clock_unix_ms() - (clock_mono_ms() - mono_ms);
}

static void tell_outbox(struct publisher *pub, const struct parcel *parcel, bool in_flight)
{
    struct store_hold hold = {
        .seq = parcel->lane.seq,
        .cost_bytes = parcel->cost_bytes,
        .since_ms = to_unix_ms(parcel->record.since_ms),
        .reason = parcel->reason,
    };

    outbox_hold(pub->outbox, &hold, in_flight);
}

/* Out of the window, whatever is still in flight of it. */
static void leave_window(struct publisher *pub, struct parcel *parcel)
{
    if (parcel->place != WINDOW_NOWHERE) {
        window_settle(pub->window, parcel->place);
        parcel->place = WINDOW_NOWHERE;
    }
    event_free(parcel->event);
    parcel->event = NULL;
    parcel->part = 0;
    if (pub->sending == parcel) {
        pub->sending = NULL;
    }
    if (pub->solo == parcel) {
        pub->solo = NULL;
    }
    if (pub->suspect == parcel) {
        pub->suspect = NULL;
    }
}

static void hold_one(void *ctx, struct lane_entry *entry)
{
    struct publisher *pub = ctx;
    struct parcel *parcel = parcel_of(entry);

    leave_window(pub, parcel);
    tell_outbox(pub, parcel, false);
}

void publisher_hold(struct publisher *pub, struct parcel *parcel)
{
    lanes_hold(pub->lanes, &parcel->lane, hold_one, pub);
}

static void take_back(void *ctx, struct lane_entry *entry)
{
    struct publisher *pub = ctx;
    struct parcel *parcel = parcel_of(entry);

    if (parcel->place != WINDOW_NOWHERE) {
        tell_outbox(pub, parcel, false);
    }
    leave_window(pub, parcel);
}

void publisher_hold_all(struct publisher *pub)
{
    struct parcel *oldest;

    while ((oldest = window_oldest(pub->window)) != NULL) {
        publisher_hold(pub, oldest);
    }
    lanes_each(pub->lanes, take_back, pub); /* those that were held before, and sent again */
    lanes_start_over(pub->lanes);
    publisher_feed_drop(pub);
}

/* It stays in flight, and so do pipelined ones behind it. */
static void set_aside_one(void *ctx, struct lane_entry *entry)
{
    struct publisher *pub = ctx;
    struct parcel *parcel = parcel_of(entry);

    if (entry->state == LANE_SENT) {
        parcel->place = window_set_aside(pub->window, parcel->place);
        tell_outbox(pub, parcel, true);
    } else {
        hold_one(ctx, entry);
    }
}

void publisher_set_aside(struct publisher *pub, struct parcel *parcel)
{
    lanes_hold(pub->lanes, &parcel->lane, set_aside_one, pub);
}

struct spill {
    struct parcel *found[FEED_EVENTS];
    size_t count;
};

static void find_waiting(void *ctx, struct lane_entry *entry)
{
    struct spill *spill = ctx;

    if (!entry->held && entry->state == LANE_WAITING && spill->count < FEED_EVENTS) {
        spill->found[spill->count++] = parcel_of(entry);
    }
}

void publisher_hold_waiting(struct publisher *pub)
{
    struct spill spill = {.count = 0};

    lanes_each(pub->lanes, find_waiting, &spill);
    for (size_t i = 0; i < spill.count; i++) {
        publisher_hold(pub, spill.found[i]);
    }
}

void publisher_rest(struct publisher *pub, struct parcel *parcel, int reason)
{
    bool was_held = parcel->lane.held;

    parcel->reason = reason;
    pub->careful_count -= parcel->suspected;
    parcel->suspected = false;
    publisher_hold(pub, parcel);
    if (was_held) {
        hold_one(pub, &parcel->lane); /* the reason is news */
    }
    lanes_rest(pub->lanes, &parcel->lane);
    if (parcel->record.due_ms < pub->due_ms) {
        pub->due_ms = parcel->record.due_ms;
    }
}

/* Is there nothing else that could be sent, to prove that the broker takes other events? */
static bool is_only_one(const struct publisher *pub)
{
    return lanes_first_ready(pub->lanes) == NULL && !publisher_feed_has_more(pub);
}

/* A suspect waits until another event has passed, because before that its loss would say nothing;
 * if there is no other one, it is tried anyway. */
static void look_at_suspect(struct publisher *pub, struct parcel *parcel)
{
    if (pub->suspect == NULL && (parcel->record.losses == 0 || is_only_one(pub) ||
                                 backoff_has_proof(&pub->backoff, &parcel->record))) {
        pub->suspect = parcel;
    }
}

void publisher_wake_rested(struct publisher *pub, int64_t now_ms)
{
    struct lane_entry *entry = lanes_first_resting(pub->lanes);
    struct lane_entry *after;
    size_t woken = 0;

    if (entry == NULL || now_ms < pub->due_ms) {
        return;
    }
    pub->due_ms = INT64_MAX;
    for (; entry != NULL; entry = after) {
        struct parcel *parcel = parcel_of(entry);

        after = entry->list_after;
        if (parcel->record.due_ms <= now_ms && parcel->reason == HOLD_SUSPECT) {
            look_at_suspect(pub, parcel);
            pub->due_ms = now_ms;
        } else if (parcel->record.due_ms <= now_ms && woken < WAKE_MOST) {
            lanes_wake(pub->lanes, entry);
            woken++;
        } else if (parcel->record.due_ms < pub->due_ms) {
            pub->due_ms = parcel->record.due_ms;
        }
    }
    if (pub->due_ms < now_ms + LOOK_EVERY_MS) {
        pub->due_ms = now_ms + LOOK_EVERY_MS;
    }
}

/* --- dead letters --- */

/* Without room among them the event rests, and is tried again later. */
static void bury(struct publisher *pub, struct parcel *parcel, int reason, const char *why)
{
    if (!publisher_bury(pub, parcel, why)) {
        backoff_no_room(&parcel->record, clock_mono_ms());
        publisher_rest(pub, parcel, reason);
    }
}

void publisher_bury_refused(struct publisher *pub, struct parcel *parcel, unsigned part,
                            int reason, const char *detail)
{
    char why[160];

    metrics_refused(reason);
    (void)snprintf(why, sizeof(why), "0x%02X %s%s%s%s", (unsigned)reason,
                   mqtt_reason_text(reason), part > 0 ? " (state topic)" : "",
                   detail[0] != '\0' ? ": " : "", detail); /* fits, or is cut */
    bury(pub, parcel, reason, why);
}

/* --- the bound --- */

static void bury_early(struct publisher *pub)
{
    struct lane_entry *entry = lanes_first_resting(pub->lanes);
    struct lane_entry *after;
    char why[96];

    for (int i = 0; entry != NULL && i < BURY_EARLY; i++, entry = after) {
        struct parcel *parcel = parcel_of(entry);

        after = entry->list_after;
        if (parcel->reason > 0) {
            (void)snprintf(why, sizeof(why), "0x%02X %s (too many messages wait)",
                           (unsigned)parcel->reason, mqtt_reason_text(parcel->reason));
            bury(pub, parcel, parcel->reason, why);
        }
    }
}

bool publisher_held_has_room(struct publisher *pub)
{
    if (lanes_count(pub->lanes) < HELD_MAX) {
        pub->held_full_logged = false;
        return true;
    }
    if (!pub->held_full_logged) {
        pub->held_full_logged = true;
        log_warn("too many events wait for another try", L_INT("held", lanes_held(pub->lanes)),
                 L_INT("refused", lanes_resting(pub->lanes)));
    }
    if (backoff_is_passing(&pub->backoff, clock_mono_ms())) {
        bury_early(pub);
    }
    return lanes_count(pub->lanes) < HELD_MAX;
}

/* --- suspects --- */

/* NATS closes the connection on these without a word, and nothing tells that it is NATS. */
static const char *likely_cause(const char *topic)
{
    return strpbrk(topic, ". ") != NULL ? ": NATS refuses topics with a dot or a space" : "";
}

void publisher_suspect(struct publisher *pub, struct parcel *parcel, int reason)
{
    struct backoff_record *record = &parcel->record;
    bool first = record->losses == 0;
    char why[128];

    if (backoff_suspect(&pub->backoff, record,
                        is_only_one(pub) && lanes_resting(pub->lanes) == 0,
                        clock_mono_ms()) == VERDICT_BURY) {
        if (reason != 0) {
            (void)snprintf(why, sizeof(why), "lost the connection %u times (0x%02X %s)",
                           record->losses, (unsigned)reason, mqtt_reason_text(reason));
        } else {
            (void)snprintf(why, sizeof(why), "lost the connection %u times%s", record->losses,
                           likely_cause(parcel->topic));
        }
        bury(pub, parcel, HOLD_SUSPECT, why);
        return;
    }
    if (first) {
        log_warn("the connection ended on this event: it waits, others pass",
                 L_UUID("id", parcel->id), L_STR("topic", parcel->topic));
    }
    publisher_rest(pub, parcel, HOLD_SUSPECT);
}
