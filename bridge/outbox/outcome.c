/*
 * What the publisher calls: it reads events, and says what became of them (handoff D).
 *
 * It reads with a connection of its own, under read_mu, so that none of what it has read can be
 * dropped by hand meanwhile. What it says is put into the committer's inbox; on the disk it comes
 * no later than the watermark that covers the event.
 *
 * What can fail: a read, which is final if the file is damaged; a burial, for which there is no
 * room among the dead letters. When the outbox has failed or is closed, what the publisher says
 * changes nothing: the event stays as it is on disk, and is sent again.
 */
#include "bridge/outbox/internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

/* Under read_mu. A damaged file stays damaged: if the process did not end, webhooks would be
 * accepted for ever and never delivered. */
static void note_read_failed(struct outbox *ob, const struct err *why)
{
    if (!atomic_load(&ob->read_failed)) {
        ob->read_why = *why;
        atomic_store(&ob->read_failed, true);
        inbox_wake(&ob->inbox);
    }
}

enum status outbox_read(struct outbox *ob, uint64_t after_seq, size_t max_count,
                        size_t max_bytes, struct event **out_events, size_t *out_count,
                        struct err *err)
{
    uint64_t watermark_seq = atomic_load(&ob->watermark_seq);
    struct store_range range = {
        .after_seq = after_seq > watermark_seq ? after_seq : watermark_seq,
        .upto_seq = atomic_load(&ob->durable_seq),
        .max_count = max_count,
        .max_bytes = max_bytes,
    };
    size_t count = 0;
    enum status st;

    CHECK(pthread_mutex_lock(&ob->read_mu) == 0);
    st = store_read(ob->reader, &range, out_events, &count, err);
    if (st == ST_OK && count > 0 && out_events[count - 1]->seq > ob->handed_seq) {
        ob->handed_seq = out_events[count - 1]->seq;
    }
    if (st != ST_OK && !outbox_can_retry(st)) {
        note_read_failed(ob, err);
    }
    CHECK(pthread_mutex_unlock(&ob->read_mu) == 0);
    if (st == ST_OK) {
        *out_count = count;
    }
    return st;
}

/* ---- outcomes ---- */

void outbox_rewind(struct outbox *ob, uint64_t after_seq)
{
    CHECK(pthread_mutex_lock(&ob->read_mu) == 0);
    ob->handed_seq = after_seq;
    CHECK(pthread_mutex_unlock(&ob->read_mu) == 0);
}

void outbox_set_watermark(struct outbox *ob, uint64_t seq)
{
    uint64_t before = atomic_load(&ob->wanted_watermark);

    if (seq <= before) {
        return;
    }
    atomic_store(&ob->wanted_watermark, seq); /* only the publisher does this */
    /* While an older watermark is still to be written, the committer looks again by itself. */
    if (before <= atomic_load(&ob->watermark_seq)) {
        inbox_wake(&ob->inbox);
    }
}

static bool put_outcome(struct outbox *ob, enum outcome_kind kind,
                        const struct store_hold *hold, const char *reason)
{
    size_t size = strlen(reason) + 1;
    struct outcome *outcome = xalloc(sizeof(*outcome) + size);

    outcome->item.kind = ITEM_OUTCOME;
    outcome->kind = kind;
    outcome->hold = *hold;
    memcpy(outcome->reason, reason, size);
    if (inbox_put(&ob->inbox, &outcome->item.link, NULL)) {
        return true;
    }
    free(outcome); /* failed or closed: the event stays as it is on disk */
    return false;
}

enum status outbox_bury(struct outbox *ob, uint64_t seq, uint64_t cost_bytes,
                        const char *reason)
{
    struct store_hold hold = {.seq = seq, .cost_bytes = cost_bytes + strlen(reason)};

    if (!outbox_has_room(ob, &ob->refused, hold.cost_bytes)) {
        outbox_limit_reached(ob, &ob->refused, "its limit is reached");
        return ST_FULL;
    }
    atomic_fetch_add(&ob->refused.queued_bytes, hold.cost_bytes);
    if (!put_outcome(ob, OUTCOME_BURIED, &hold, reason)) {
        atomic_fetch_sub(&ob->refused.queued_bytes, hold.cost_bytes);
    }
    return ST_OK;
}

void outbox_hold(struct outbox *ob, const struct store_hold *hold, bool in_flight)
{
    (void)put_outcome(ob, in_flight ? OUTCOME_HELD_IN_FLIGHT : OUTCOME_HELD, hold, "");
}

void outbox_release(struct outbox *ob, uint64_t seq)
{
    (void)put_outcome(ob, OUTCOME_RELEASED, &(struct store_hold){.seq = seq}, "");
}

void outbox_expire(struct outbox *ob, uint64_t seq)
{
    (void)put_outcome(ob, OUTCOME_EXPIRED, &(struct store_hold){.seq = seq}, "");
}

enum status outbox_read_held(struct outbox *ob, uint64_t seq, struct event **out_event,
                             struct err *err)
{
    enum status st;

    CHECK(pthread_mutex_lock(&ob->read_mu) == 0);
    st = store_read_one(ob->reader, seq, out_event, err);
    if (st == ST_OK && *out_event != NULL) {
        outbox_lend(ob, seq);
    }
    if (st != ST_OK && !outbox_can_retry(st)) {
        note_read_failed(ob, err);
    }
    CHECK(pthread_mutex_unlock(&ob->read_mu) == 0);
    return st;
}

enum status outbox_walk_held(struct outbox *ob, store_held_fn *row, void *ctx, struct err *err)
{
    CHECK(!ob->started);
    return store_walk_held(ob->writer, row, ctx, err);
}
