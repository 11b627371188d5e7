/*
 * Opening and closing the outbox, and the functions that other threads call.
 *
 * On the good path outbox_open opens the store (which takes the lock, and recovers after a crash)
 * and rebuilds the dedupe table, and outbox_start starts the threads. A submission is checked
 * against the limits here, at the door, and put into the committer's inbox; everything after
 * that is the committer's.
 *
 * What can fail: opening, with the file left as it is; a submission, refused at once for lack of
 * room or because the outbox is closed; a read, which is final if the file is damaged. If we die
 * with submissions in the inbox, their waiters get no answer, and the provider sends again.
 */
#include "bridge/outbox/internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

/* ---- open ---- */

static void learn(void *ctx, const struct event_identity *identity, struct uuid id,
                  int64_t received_ms)
{
    if (received_ms == CLOCK_NONE) {
        dedupe_drop(ctx, identity, id);
    } else {
        dedupe_put(ctx, identity, id, received_ms);
    }
}

/* Reads small rows only, and no more of them than the table has entries: so the time does not grow
 * with the backlog. */
static enum status rebuild_dedupe(struct outbox *ob, struct err *err)
{
    return store_walk_identities(ob->writer, learn, ob->dedupe, err);
}

/* Before the crash, events may have been sent ahead of the newest held one. */
static enum status recover_held(struct outbox *ob, struct err *err)
{
    enum status st = store_begin(ob->writer, true, err);

    if (st == ST_OK) {
        st = store_hold_unread(ob->writer, err);
    }
    if (st == ST_OK) {
        st = store_commit(ob->writer, err);
    }
    if (st != ST_OK) {
        store_rollback(ob->writer);
    }
    return st;
}

static struct outbox *outbox_alloc(const struct outbox_options *options)
{
    struct outbox *ob = xalloc(sizeof(*ob));

    ob->options = *options;
    ob->dedupe = dedupe_create(options->dedupe_entries);
    inbox_init(&ob->inbox);
    CHECK(pthread_mutex_init(&ob->idle_mu, NULL) == 0);
    CHECK(pthread_cond_init(&ob->idle, NULL) == 0);
    ob->numbers = xalloc(sizeof(*ob->numbers));
    ob->numbers->stats.oldest_kept_ms = CLOCK_NONE;
    CHECK(pthread_mutex_init(&ob->numbers->mu, NULL) == 0);
    CHECK(pthread_mutex_init(&ob->read_mu, NULL) == 0);
    return ob;
}

/* False: the last sync failed. */
static bool close_store(struct outbox *ob)
{
    (void)store_close(ob->reader);  /* it writes nothing */
    return store_close(ob->writer); /* the last one: checkpoints, and leaves one file */
}

static void outbox_free(struct outbox *ob)
{
    dedupe_destroy(ob->dedupe);
    inbox_fini(&ob->inbox);
    CHECK(pthread_mutex_destroy(&ob->read_mu) == 0);
    CHECK(pthread_mutex_destroy(&ob->numbers->mu) == 0);
    free(ob->numbers);
    free(ob->lent);
    CHECK(pthread_cond_destroy(&ob->idle) == 0);
    CHECK(pthread_mutex_destroy(&ob->idle_mu) == 0);
    free(ob);
}

/* They lie beside max_size, and may not take from the bound on disk what events need. */
static uint64_t identities_on_disk(const struct outbox_options *options)
{
    enum { SHARE_BYTES = 20 * 1048576, ROW_BYTES = 72 }; /* a row takes up to so much */
    uint64_t most = (options->max_bytes / 2 + SHARE_BYTES) / ROW_BYTES;

    return options->dedupe_entries < most ? options->dedupe_entries : most;
}

enum status outbox_open(const struct outbox_options *options, struct outbox **out_outbox,
                        struct err *err)
{
    struct outbox *ob = outbox_alloc(options);
    enum status st = store_open_writer(options->path, NULL, &ob->writer, err);

    if (st == ST_OK) {
        st = outbox_measure_disk(ob, err);
    }
    if (st == ST_OK) {
        st = store_open_reader(options->path, &ob->reader, err);
    }
    if (st == ST_OK) {
        store_keep_identities(ob->writer, identities_on_disk(options));
        st = rebuild_dedupe(ob, err);
    }
    if (st == ST_OK) {
        st = recover_held(ob, err);
    }
    if (st == ST_OK) {
        st = outbox_publish_stats(ob, err);
    }
    if (st != ST_OK) {
        (void)close_store(ob); /* err says what failed */
        outbox_free(ob);
        return st;
    }
    *out_outbox = ob;
    return ST_OK;
}

enum status outbox_start(struct outbox *ob, const struct outbox_listener *listener,
                         struct err *err)
{
    enum status st;

    CHECK(!ob->started);
    st = checkpointer_start(&ob->checkpointer, ob->writer, ob->disk.log_bytes, err);
    if (st != ST_OK) {
        return st;
    }
    ob->listener = *listener;
    heartbeat_now(&ob->heartbeat);
    st = thread_start(&ob->committer, "committer", outbox_committer_main, ob, err);
    ob->started = st == ST_OK;
    atomic_store(&ob->intake_open, ob->started);
    return st;
}

/* ---- close ---- */

void outbox_close_intake(struct outbox *ob)
{
    atomic_store(&ob->intake_open, false);
    /* A submit that saw it open had counted itself before. */
    CHECK(pthread_mutex_lock(&ob->idle_mu) == 0);
    while (atomic_load(&ob->submitting) > 0) {
        CHECK(pthread_cond_wait(&ob->idle, &ob->idle_mu) == 0);
    }
    CHECK(pthread_mutex_unlock(&ob->idle_mu) == 0);
}

void outbox_close(struct outbox *ob)
{
    static const struct err closing = {
        .status = ST_IO, .text = "sync at the end failed; the next start reads the log"};

    if (ob == NULL) {
        return;
    }
    if (ob->started) {
        outbox_close_intake(ob);
    }
    inbox_close(&ob->inbox);
    if (ob->started) {
        CHECK(pthread_join(ob->committer, NULL) == 0);
    }
    checkpointer_stop(&ob->checkpointer);
    if (!close_store(ob) && !atomic_load(&ob->failed) && ob->listener.failed != NULL) {
        ob->listener.failed(ob->listener.ctx, &closing);
    }
    outbox_free(ob);
}

/* ---- submit ---- */

static enum status enter(struct outbox *ob, struct limit *limit, uint64_t cost_bytes)
{
    if (!atomic_load(&ob->intake_open)) {
        return ST_CLOSED;
    }
    if (!outbox_queue_has_room(ob, cost_bytes) || !outbox_has_room(ob, limit, cost_bytes)) {
        metrics_add(METRIC_OUTBOX_FULL, 1);
        outbox_limit_reached(ob, limit, "its limit is reached");
        return ST_FULL;
    }
    return ST_OK;
}

enum status outbox_submit(struct outbox *ob, struct event *event, outbox_done_fn *done,
                          void *ctx)
{
    uint64_t cost_bytes = event_cost_bytes(event);
    struct limit *limit = outbox_limit_of(ob, event);
    struct submission *submission;
    enum status st;

    atomic_fetch_add(&ob->submitting, 1);
    st = enter(ob, limit, cost_bytes);
    if (st != ST_OK) {
        goto out;
    }
    submission = xalloc(sizeof(*submission));
    *submission = (struct submission){.item.kind = ITEM_SUBMISSION,
                                      .event = event,
                                      .cost_bytes = cost_bytes,
                                      .done = done,
                                      .ctx = ctx,
                                      .result.id = event->id};
    atomic_fetch_add(&limit->queued_bytes, cost_bytes);
    if (inbox_put(&ob->inbox, &submission->item.link, NULL)) {
        return ST_OK; /* the committer owns it, and may have answered already */
    }
    atomic_fetch_sub(&limit->queued_bytes, cost_bytes);
    free(submission);
    st = ST_CLOSED;
out:
    event_free(event);
    outbox_leave(ob);
    return st;
}

enum status outbox_ready(const struct outbox *ob)
{
    enum status refusing = atomic_load(&ob->refusing);

    if (atomic_load(&ob->failed)) {
        return ST_IO;
    }
    if (!atomic_load(&ob->intake_open)) {
        return ST_CLOSED;
    }
    if (refusing != ST_OK) {
        return refusing;
    }
    return atomic_load(&ob->events.full) || !outbox_queue_has_room(ob, READY_BYTES) ||
                   !outbox_has_room(ob, &ob->events, READY_BYTES)
               ? ST_FULL
               : ST_OK;
}

uint64_t outbox_delivered_seq(const struct outbox *ob)
{
    return atomic_load(&ob->watermark_seq);
}

/* ---- by hand ---- */

enum status outbox_operate(struct outbox *ob, enum outbox_op op,
                           const struct store_selection *selection, outbox_operation_fn *done,
                           void *ctx)
{
    struct operation *operation = outbox_operation_create(op, selection, done, ctx);

    if (inbox_put(&ob->inbox, &operation->item.link, NULL)) {
        return ST_OK;
    }
    operation->done = NULL;
    outbox_operation_finish(operation);
    return ST_CLOSED;
}

static void give_result(void *ctx, const struct outbox_operation_result *result)
{
    *(struct outbox_operation_result *)ctx = *result;
}

void outbox_operate_now(struct outbox *ob, enum outbox_op op,
                        const struct store_selection *selection,
                        struct outbox_operation_result *out_result)
{
    struct operation *operation =
        outbox_operation_create(op, selection, give_result, out_result);
    struct err err = {0};
    bool finished = false;

    CHECK(!ob->started);
    while (!finished && outbox_operation_step(ob, operation, &finished, &err) == ST_OK) {
    }
    outbox_operation_finish(operation);
}

const struct heartbeat *outbox_heartbeat(const struct outbox *ob)
{
    return &ob->heartbeat;
}
