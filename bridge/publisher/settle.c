/*
 * The end of an event: delivered, buried, expired, or dropped by hand. Then the next one of its
 * resource may be sent.
 *
 * What is said to the outbox here reaches the disk no later than the watermark that covers the
 * event; if we die before, the event is sent again. Only a burial can fail, for lack of room among
 * the dead letters.
 */
#include "bridge/publisher/internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

void publisher_forget(struct publisher *pub, struct parcel *parcel)
{
    if (parcel->place != WINDOW_NOWHERE) {
        window_settle(pub->window, parcel->place);
    }
    if (pub->solo == parcel) {
        pub->solo = NULL;
    }
    if (pub->sending == parcel) {
        pub->sending = NULL;
    }
    if (pub->suspect == parcel) {
        pub->suspect = NULL;
    }
    pub->careful_count -= parcel->suspected;
    lanes_remove(pub->lanes, &parcel->lane);
    event_free(parcel->event);
    free(parcel);
}

/* --- delivered --- */

void publisher_count_delivered(const struct parcel *parcel, int64_t at_unix_ms, int code)
{
    int64_t took_ms = at_unix_ms - parcel->received_ms;

    if (parcel->expired) {
        return; /* only its state was sent */
    }
    metrics_add(METRIC_PUBLISHED, 1);
    if (!parcel->replayed) {
        metrics_observe(HISTOGRAM_DELIVERY, took_ms > 0 ? took_ms * 1000 : 0);
    }
    log_debug("event published", L_UUID("id", parcel->id), L_STR("topic", parcel->topic),
              L_INT("code", code), L_INT("ms", took_ms));
}

/* After nothing passed for a while, the others need not wait out their time. */
static void wake_all(struct publisher *pub)
{
    struct lane_entry *entry = lanes_first_resting(pub->lanes);

    for (; entry != NULL; entry = entry->list_after) {
        parcel_of(entry)->record.due_ms = 0;
    }
    pub->due_ms = 0;
}

void publisher_delivered(struct publisher *pub, struct parcel *parcel)
{
    int64_t now_ms = clock_mono_ms();

    if (!backoff_is_passing(&pub->backoff, now_ms) && lanes_resting(pub->lanes) > 0) {
        wake_all(pub);
    }
    backoff_passed(&pub->backoff, now_ms);
    if (parcel->record.since_ms != 0) {
        backoff_recovered(&pub->backoff, parcel->source);
        log_info("the broker took an event that it had refused", L_UUID("id", parcel->id),
                 L_STR("topic", parcel->topic), L_INT("tries", parcel->record.tries + 1));
    }
    if (parcel->lane.held) {
        outbox_release(pub->outbox, parcel->lane.seq);
        window_release(pub->window);
    }
    publisher_forget(pub, parcel);
}

/* --- not delivered --- */

/* Those behind it have waited as long as it has: their first refusal is their last. */
static void pass_on_since(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->lane.key_count; i++) {
        struct lane_entry *after = parcel->lane.links[i].after;

        if (after != NULL && parcel_of(after)->record.since_ms == 0) {
            parcel_of(after)->record.since_ms = parcel->record.since_ms;
        }
    }
}

bool publisher_bury(struct publisher *pub, struct parcel *parcel, const char *why)
{
    if (outbox_bury(pub->outbox, parcel->lane.seq, parcel->cost_bytes, why) != ST_OK) {
        return false;
    }
    log_warn("event buried", L_UUID("id", parcel->id), L_STR("topic", parcel->topic),
             L_STR("reason", why));
    metrics_add(METRIC_BURIED, 1);
    backoff_buried(&pub->backoff);
    pass_on_since(parcel);
    publisher_forget(pub, parcel);
    return true;
}

void publisher_expire(struct publisher *pub, struct parcel *parcel)
{
    outbox_expire(pub->outbox, parcel->lane.seq);
    log_debug("event expired", L_UUID("id", parcel->id), L_STR("topic", parcel->topic));
    publisher_forget(pub, parcel);
}

/* --- dropped by hand --- */

struct drops {
    uint64_t *seqs; /* sorted */
    size_t count;
    struct parcel **found;
    size_t found_count;
};

static int compare_seqs(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void find_dropped(void *ctx, struct lane_entry *entry)
{
    struct drops *drops = ctx;

    if (bsearch(&entry->seq, drops->seqs, drops->count, sizeof(uint64_t), compare_seqs) !=
        NULL) {
        drops->found[drops->found_count++] = parcel_of(entry);
    }
}

void publisher_take_drops(struct publisher *pub)
{
    struct drops drops = {.count = pub->drops.len / sizeof(uint64_t)};

    if (drops.count == 0) {
        return;
    }
    drops.seqs = xalloc(drops.count * sizeof(uint64_t));
    drops.found = xalloc(drops.count * sizeof(struct parcel *));
    memcpy(drops.seqs, pub->drops.data, drops.count * sizeof(uint64_t));
    qsort(drops.seqs, drops.count, sizeof(uint64_t), compare_seqs);
    lanes_each(pub->lanes, find_dropped, &drops);
    for (size_t i = 0; i < drops.found_count; i++) {
        publisher_forget(pub, drops.found[i]);
    }
    free(drops.seqs);
    free(drops.found);
    buf_clear(&pub->drops);
}
