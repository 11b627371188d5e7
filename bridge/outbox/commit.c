/*
 * One transaction, and the answers after it.
 *
 * On the good path: begin; outcomes, the watermark, each event in order; expired events are
 * removed; commit, with one sync for all of it. Only then the dedupe table learns the new events,
 * other threads see the new numbers, and every waiter is answered.
 *
 * If we die before the commit is on disk, nothing of it happened and no waiter was answered. If
 * we die after it, the waiters that got no answer send again, and those are duplicates.
 *
 * What can fail: the disk is full, or another program has locked the file. Then the transaction
 * is rolled back, its events are answered ST_FULL or ST_BUSY, and watermark and outcomes are
 * tried again without them; but on a full disk only after kept events have gone and the log is short. Any
 * other failure, above all a failed sync, is final: what is on the disk is unknown. So is a file
 * that somebody removed or replaced: what we wrote is nowhere.
 */
#include "bridge/outbox/internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

#define OUTCOME_OF(l) INBOX_ITEM(l, struct outcome, item.link)

/* ---- answering ---- */

void outbox_leave(struct outbox *ob)
{
    if (atomic_fetch_sub(&ob->submitting, 1) == 1 && !atomic_load(&ob->intake_open)) {
        CHECK(pthread_mutex_lock(&ob->idle_mu) == 0);
        CHECK(pthread_cond_broadcast(&ob->idle) == 0);
        CHECK(pthread_mutex_unlock(&ob->idle_mu) == 0);
    }
}

static void answer_submission(struct outbox *ob, struct submission *submission)
{
    if (outbox_can_retry(submission->result.status)) {
        metrics_add(METRIC_OUTBOX_FULL, 1);
    }
    /* Before the answer: else a waiter could find its bytes counted as queued and as stored. */
    atomic_fetch_sub(&outbox_limit_of(ob, submission->event)->queued_bytes,
                     submission->cost_bytes);
    submission->done(submission->ctx, &submission->result);
    event_free(submission->event);
    free(submission);
    outbox_leave(ob);
}

static void answer_batch(struct outbox *ob, struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        answer_submission(ob, batch->submissions[i]);
    }
    batch->count = 0;
}

/* None of it is on disk, so results found so far are void. */
void outbox_refuse_batch(struct outbox *ob, struct batch *batch, enum status st)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct submission *submission = batch->submissions[i];

        submission->result = (struct outbox_result){.status = st, .id = submission->event->id};
    }
    answer_batch(ob, batch);
}

void outbox_enter_failed(struct outbox *ob, const struct err *why)
{
    if (atomic_exchange(&ob->failed, true)) {
        return;
    }
    atomic_store(&ob->intake_open, false);
    inbox_close(&ob->inbox);
    store_give_up(ob->writer); /* closing must not write either */
    if (ob->listener.failed != NULL) {
        ob->listener.failed(ob->listener.ctx, why);
    }
}

/* ---- writing ---- */

/* The newest event of the same key decides: one earlier in this batch, else the one in the dedupe
 * table. The table learns a batch only after its commit, so a failed commit needs no undoing. */
static bool find_duplicate(const struct outbox *ob, const struct batch *batch, size_t at,
                           struct uuid *out_id)
{
    const struct event *event = batch->submissions[at]->event;
    /* Both ways: the clock may have been set back since. */
    int64_t from_ms = event->received_ms - event->dedupe_window_ms;
    int64_t upto_ms = event->received_ms + event->dedupe_window_ms;

    for (size_t i = at; i-- > 0;) {
        const struct submission *earlier = batch->submissions[i];
        const struct event *other = earlier->event;

        if (!earlier->stored ||
            memcmp(other->identity.key, event->identity.key, EVENT_KEY_SIZE) != 0) {
            continue;
        }
        *out_id = other->id;
        return other->received_ms >= from_ms && other->received_ms <= upto_ms &&
               memcmp(other->identity.digest, event->identity.digest, EVENT_KEY_SIZE) == 0;
    }
    return dedupe_find(ob->dedupe, &event->identity, from_ms, upto_ms, out_id);
}

/* Nothing is removed to make room for a dead letter. */
static bool dead_fits(const struct outbox *ob, uint64_t cost_bytes)
{
    struct store_stats stats;

    store_get_stats(ob->writer, &stats);
    return stats.dead_bytes - stats.refused_bytes + cost_bytes <=
           outbox_limit_bytes(ob, &ob->quarantined);
}

static enum status write_submission(struct outbox *ob, const struct batch *batch, size_t at,
                                    struct err *err)
{
    struct submission *submission = batch->submissions[at];
    struct event *event = submission->event;
    bool quarantined = event->reason.data != NULL;
    bool has_state = event->state_topic.data != NULL;
    bool fits = false;
    enum status st = ST_OK;

    if (event_has_identity(event) && find_duplicate(ob, batch, at, &submission->result.id)) {
        submission->result.duplicate = true;
        return ST_OK;
    }
    submission->result.id = event->id;
    if (quarantined) {
        fits = dead_fits(ob, submission->cost_bytes);
    } else {
        st = outbox_make_room(ob, submission->cost_bytes, &fits, err);
    }
    if (st != ST_OK) {
        return st;
    }
    if (!fits) {
        submission->result.status = ST_FULL;
        return ST_OK;
    }
    st = quarantined ? store_append_dead(ob->writer, event, batch->now_ms, err)
                     : store_append(ob->writer, event, STORE_NEW, err);
    submission->stored = st == ST_OK;
    submission->state_skipped = has_state && event->state_topic.data == NULL;
    return st;
}

void outbox_free_outcomes(struct outbox *ob)
{
    while (ob->outcomes.first != NULL) {
        free(OUTCOME_OF(item_list_take(&ob->outcomes)));
    }
}

static enum status write_outcome(struct outbox *ob, const struct outcome *outcome,
                                 int64_t now_ms, struct err *err)
{
    switch (outcome->kind) {
    case OUTCOME_BURIED:
        return store_bury(ob->writer, outcome->hold.seq, outcome->reason, now_ms, err);
    case OUTCOME_HELD:
    case OUTCOME_HELD_IN_FLIGHT:
        return store_hold(ob->writer, &outcome->hold, err);
    case OUTCOME_RELEASED:
        return store_release(ob->writer, outcome->hold.seq, err);
    case OUTCOME_EXPIRED:
        return store_drop(ob->writer, outcome->hold.seq, err);
    }
    return ST_OK;
}

static enum status write_outcomes(struct outbox *ob, int64_t now_ms, struct err *err)
{
    enum status st = ST_OK;

    for (struct inbox_link *l = ob->outcomes.first; l != NULL && st == ST_OK; l = l->next) {
        st = write_outcome(ob, OUTCOME_OF(l), now_ms, err);
    }
    return st;
}

static bool has_burials(const struct outbox *ob)
{
    for (struct inbox_link *l = ob->outcomes.first; l != NULL; l = l->next) {
        if (OUTCOME_OF(l)->kind == OUTCOME_BURIED) {
            return true;
        }
    }
    return false;
}

/* They are on disk. */
static void end_outcomes(struct outbox *ob)
{
    if (ob->outcomes.first == NULL) {
        return;
    }
    CHECK(pthread_mutex_lock(&ob->read_mu) == 0);
    for (struct inbox_link *l = ob->outcomes.first; l != NULL; l = l->next) {
        const struct outcome *outcome = OUTCOME_OF(l);

        outbox_unlend(ob, outcome->hold.seq);
        if (outcome->kind == OUTCOME_HELD_IN_FLIGHT) {
            outbox_lend(ob, outcome->hold.seq);
        }
        if (outcome->kind == OUTCOME_BURIED) {
            atomic_fetch_sub(&ob->refused.queued_bytes, outcome->hold.cost_bytes);
        }
    }
    CHECK(pthread_mutex_unlock(&ob->read_mu) == 0);
    outbox_free_outcomes(ob);
    atomic_store(&ob->released_count, ob->released_taken);
}

static enum status write_all(struct outbox *ob, const struct batch *batch, struct err *err)
{
    /* Watermark, holds and releases need no sync: if a power cut takes them, then together, and
     * events are sent again. */
    bool synced = batch->count > 0 || has_burials(ob);
    enum status st = store_begin(ob->writer, synced, err);

    if (st == ST_OK) {
        st = write_outcomes(ob, batch->now_ms, err);
    }
    if (st == ST_OK) {
        st = store_set_watermark(ob->writer, batch->watermark, err);
    }
    /* Before the events, so that they can use the pages. */
    if (st == ST_OK) {
        st = outbox_remove_kept(ob, batch->now_ms, err);
    }
    for (size_t i = 0; i < batch->count && st == ST_OK; i++) {
        st = write_submission(ob, batch, i, err);
    }
    return st == ST_OK ? store_note_identities(ob->writer, err) : st;
}

/* ---- after the transaction ---- */

/* All of the batch is on disk. If we die from here on, some waiters get no answer; they send
 * again, and that is a duplicate. */
static enum status after_commit(struct outbox *ob, struct batch *batch, struct err *err)
{
    size_t stored_count = 0;
    enum status st;

    for (size_t i = 0; i < batch->count; i++) {
        const struct submission *submission = batch->submissions[i];
        const struct event *event = submission->event;

        if (submission->stored && event_has_identity(event)) {
            dedupe_put(ob->dedupe, &event->identity, event->id, event->received_ms);
        }
        if (submission->state_skipped) {
            outbox_note_older(event);
        }
        if (submission->result.status == ST_FULL) {
            outbox_limit_reached(ob, outbox_limit_of(ob, event), "its limit is reached");
        }
        stored_count += submission->stored;
    }
    end_outcomes(ob);
    ob->no_room = false;
    ob->disk.short_bytes = 0; /* the next batch looks again */
    if (stored_count > 0) {
        metrics_observe(HISTOGRAM_BATCH, (int64_t)stored_count);
        outbox_end_refusing(ob);
    }
    st = outbox_publish_stats(ob, err);
    answer_batch(ob, batch);
    if (st == ST_OK) {
        st = outbox_look_for_expired(ob, batch->now_ms, err);
    }
    return st;
}

/* Delivery must go on when the disk is full, because it is what frees room: the watermark and
 * the releases count as written although they are only in memory. If we die now, those events are sent once more. */
static void keep_watermark_in_memory(struct outbox *ob, const struct err *why)
{
    uint64_t watermark;

    if (!ob->no_room) {
        log_warn("the outbox's watermark cannot be written; delivery goes on",
                 L_STR("why", why->text));
    }
    ob->no_room = true;
    if (atomic_exchange(&ob->released_count, ob->released_taken) != ob->released_taken) {
        outbox_tell_progress(ob);
    }
    /* outbox_set_watermark does not wake us while an older watermark is still to be written: so
     * look once more after storing this one. */
    while ((watermark = atomic_load(&ob->wanted_watermark)) > atomic_load(&ob->watermark_seq)) {
        atomic_store(&ob->watermark_seq, watermark);
        outbox_tell_progress(ob);
    }
}

void outbox_refuse_for_now(struct outbox *ob, struct batch *batch, enum status st,
                           const struct err *why)
{
    enum status before = atomic_exchange(&ob->refusing, st);

    ob->refusing_since_ms = clock_mono_ms();
    if (st == ST_FULL) {
        outbox_limit_reached(ob, &ob->events, why->text);
    } else if (before != ST_BUSY) {
        log_warn("outbox locked by another program: webhooks are refused until it lets go",
                 L_STR("why", why->text));
    }
    outbox_refuse_batch(ob, batch, st);
}

/* One transaction, from begin to commit. Rolled back unless ST_OK. */
static enum status try_commit(struct outbox *ob, const struct batch *batch, struct err *err)
{
    enum status st = write_all(ob, batch, err);

    if (st == ST_OK) {
        st = store_commit(ob->writer, err);
    }
    if (st != ST_OK) {
        store_rollback(ob->writer);
    }
    if (store_sync_failed(ob->writer)) {
        st = st == ST_OK || outbox_can_retry(st) ? err_set(err, ST_IO, "a sync failed") : st;
    }
    return st == ST_OK ? outbox_look_at_files(ob, err) : st;
}

/* Without events, a transaction needs little room. When the disk is full it still finds that in
 * the log's file, once the log has been copied and starts over. */
static enum status commit_housekeeping(struct outbox *ob, const struct batch *batch,
                                       struct err *err)
{
    enum status st = outbox_check_reserve(ob, err);

    if (st == ST_OK) {
        st = try_commit(ob, batch, err);
    }
    if (st == ST_FULL) {
        st = checkpointer_rest(&ob->checkpointer, ob->writer, err);
        st = st == ST_OK ? outbox_check_reserve(ob, err) : st;
        st = st == ST_OK ? try_commit(ob, batch, err) : st;
    }
    return st;
}

/* One step: what retention may remove now. *out_removed: it was something. */
static enum status remove_step(struct outbox *ob, const struct batch *batch, bool *out_removed,
                               struct err *err)
{
    struct batch housekeeping;
    struct store_stats before, after;
    enum status st;

    housekeeping.count = 0;
    housekeeping.watermark = batch->watermark;
    housekeeping.now_ms = batch->now_ms;
    store_get_stats(ob->writer, &before);
    st = commit_housekeeping(ob, &housekeeping, err);
    store_get_stats(ob->writer, &after);
    *out_removed = after.kept_count < before.kept_count || after.first_seq != before.first_seq;
    return st == ST_OK ? after_commit(ob, &housekeeping, err) : st;
}

/* A refusal is quick: while a reader stands in the log's way, and nothing can be removed, we wait for
 * it only now and then. */
enum status outbox_make_disk_room(struct outbox *ob, const struct batch *batch, struct err *err)
{
    enum { REST_PAUSE_MS = 200 };
    struct store_stats stats;
    bool removed = true;
    enum status st;

    store_get_stats(ob->writer, &stats);
    if ((ob->disk.short_bytes == 0 || stats.kept_count == 0) &&
        clock_mono_ms() < ob->disk.next_rest_ms) {
        return ST_FULL; /* err says so already */
    }
    ob->disk.log_is_limited = true;
    st = store_limit_log(ob->writer, ob->disk.reserve_bytes, err);
    if (st == ST_OK) {
        st = checkpointer_rest(&ob->checkpointer, ob->writer, err);
    }
    if (st == ST_OK) {
        st = outbox_check_disk(ob, batch->bytes, err);
    }
    while (st == ST_FULL && removed) {
        st = remove_step(ob, batch, &removed, err);
        st = st == ST_OK ? outbox_check_disk(ob, batch->bytes, err) : st;
    }
    ob->disk.next_rest_ms = st == ST_FULL ? clock_mono_ms() + REST_PAUSE_MS : 0;
    return st;
}

/* The disk had less room than it said: a quota, or somebody was faster. */
static enum status commit_again(struct outbox *ob, const struct batch *batch, struct err *err)
{
    enum status st = outbox_make_disk_room(ob, batch, err);
    bool removed = false;

    if (st == ST_OK) {
        ob->disk.short_bytes = 2 * batch->bytes;
        st = remove_step(ob, batch, &removed, err);
    }
    return st == ST_OK ? try_commit(ob, batch, err) : st;
}

static enum status commit_events(struct outbox *ob, const struct batch *batch, struct err *err)
{
    enum status st = try_commit(ob, batch, err);

    return st == ST_FULL ? commit_again(ob, batch, err) : st;
}

void outbox_commit_batch(struct outbox *ob, struct batch *batch)
{
    int64_t began_us = clock_mono_us();
    bool has_events = batch->count > 0;
    struct err err = {0};
    enum status st =
        has_events ? commit_events(ob, batch, &err) : commit_housekeeping(ob, batch, &err);

    if (outbox_can_retry(st) && has_events) {
        outbox_refuse_for_now(ob, batch, st, &err);
        return;
    }
    if (outbox_can_retry(st)) {
        keep_watermark_in_memory(ob, &err);
        return;
    }
    if (st == ST_OK && has_events) {
        metrics_observe(HISTOGRAM_COMMIT, clock_mono_us() - began_us);
    }
    if (st == ST_OK) {
        st = after_commit(ob, batch, &err);
    }
    if (st == ST_OK) {
        st = checkpointer_look(&ob->checkpointer, ob->writer, &err);
    }
    if (st != ST_OK) {
        outbox_enter_failed(ob, &err);
        outbox_refuse_batch(ob, batch, ST_IO);
    }
}
