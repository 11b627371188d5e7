/*
 * The committer thread. One turn:
 *
 * - take everything from the inbox (submissions, outcomes, operations by hand) and the
 *   publisher's watermark
 * - one transaction for all of it (commit.c), with one sync, and then the answers
 * - one step of an operation by hand (operation.c)
 *
 * While a transaction syncs, the next batch gathers in the inbox. At the end of the program all
 * submissions and operations are finished first.
 *
 * What can fail: without room the batch is refused and the thread goes on. Any other failure is
 * final: from then on every submission is answered ST_IO and nothing is written.
 */
#include "bridge/outbox/internal.h"

#include "common/clock.h"
#include "common/log.h"

/* ---- taking ---- */

static void list_add(struct item_list *list, struct inbox_link *link)
{
    link->next = NULL;
    if (list->first == NULL) {
        list->first = link;
    } else {
        list->last->next = link;
    }
    list->last = link;
}

#define SUBMISSION_OF(l) INBOX_ITEM(l, struct submission, item.link)
#define OPERATION_OF(l)  INBOX_ITEM(l, struct operation, item.link)

static void sort_in(struct outbox *ob, struct inbox_link *chain)
{
    struct inbox_link *next;

    for (; chain != NULL; chain = next) {
        next = chain->next;
        switch (INBOX_ITEM(chain, struct item, link)->kind) {
        case ITEM_SUBMISSION:
            list_add(&ob->submissions, chain);
            break;
        case ITEM_OUTCOME:
            list_add(&ob->outcomes, chain);
            ob->released_taken +=
                INBOX_ITEM(chain, struct outcome, item.link)->kind == OUTCOME_RELEASED;
            break;
        case ITEM_OPERATION:
            list_add(&ob->operations, chain);
            break;
        }
    }
}

static void take_batch(struct outbox *ob, struct batch *batch)
{
    uint64_t half_log = ob->disk.log_bytes / 2; /* short on a small disk */
    uint64_t most_bytes = half_log < BATCH_BYTES ? half_log : BATCH_BYTES;

    batch->count = 0;
    batch->bytes = 0;
    batch->now_ms = clock_unix_ms();
    /* Read before the last look into the inbox: an outcome is put there before the watermark
     * that covers it is set, so it will be in the same transaction. */
    batch->watermark = atomic_load(&ob->wanted_watermark);
    sort_in(ob, inbox_take_all(&ob->inbox));
    while (ob->submissions.first != NULL && batch->count < BATCH_COUNT &&
           batch->bytes < most_bytes) {
        struct submission *submission = SUBMISSION_OF(item_list_take(&ob->submissions));

        batch->submissions[batch->count++] = submission;
        batch->bytes += submission->cost_bytes;
    }
}

/* ---- a turn ---- */

static bool watermark_is_behind(const struct outbox *ob)
{
    struct store_stats stats;

    store_get_stats(ob->writer, &stats);
    return atomic_load(&ob->wanted_watermark) > stats.delivered_seq;
}

static bool has_housekeeping(const struct outbox *ob)
{
    return watermark_is_behind(ob) || ob->outcomes.first != NULL || ob->more_expired;
}

/* Work that a waiter, or delivery, depends on. */
static bool has_promises(const struct outbox *ob)
{
    return ob->submissions.first != NULL || ob->operations.first != NULL ||
           ((watermark_is_behind(ob) || ob->outcomes.first != NULL) && !ob->no_room);
}

/* Is there anything to do now? */
static bool has_work(const struct outbox *ob)
{
    return has_promises(ob) || (ob->more_expired && !ob->no_room);
}

static void step_operation(struct outbox *ob, bool open)
{
    struct operation *operation;
    struct err err = {0};
    bool finished = false;

    if (ob->operations.first == NULL) {
        return;
    }
    operation = OPERATION_OF(ob->operations.first);
    if (!open || atomic_load(&ob->failed)) {
        operation->result.status = atomic_load(&ob->failed) ? ST_IO : ST_CLOSED;
        finished = true;
    } else if (outbox_operation_step(ob, operation, &finished, &err) != ST_OK) {
        outbox_enter_failed(ob, &err);
        finished = true;
    }
    if (finished) {
        (void)item_list_take(&ob->operations);
        outbox_operation_finish(operation);
    }
}

/* Before the batch is written; it is empty if there is no room. */
static enum status check_batch(struct outbox *ob, struct batch *batch, struct err *err)
{
    enum status st = batch->count > 0 ? outbox_check_disk(ob, batch->bytes, err) : ST_OK;

    if (st == ST_FULL) {
        st = outbox_make_disk_room(ob, batch, err);
    }
    if (outbox_can_retry(st)) {
        outbox_refuse_for_now(ob, batch, st, err);
        st = ST_OK;
    }
    return st;
}

/* While nothing is committed, too: what would be answered next, or read next, is not there. */
static enum status idle(struct outbox *ob, int64_t now_ms, struct err *err)
{
    enum status st = outbox_look_at_files(ob, err);

    return st == ST_OK ? outbox_look_for_expired(ob, now_ms, err) : st;
}

static void heed_reader(struct outbox *ob)
{
    struct err why;

    if (atomic_load(&ob->read_failed) && !atomic_load(&ob->failed)) {
        CHECK(pthread_mutex_lock(&ob->read_mu) == 0);
        why = ob->read_why;
        CHECK(pthread_mutex_unlock(&ob->read_mu) == 0);
        outbox_enter_failed(ob, &why);
    }
}

static void turn(struct outbox *ob, struct batch *batch)
{
    struct err err = {0};
    enum status st;

    heed_reader(ob);
    if (atomic_load(&ob->failed)) {
        outbox_refuse_batch(ob, batch, ST_IO);
        return;
    }
    st = check_batch(ob, batch, &err);
    if (st == ST_OK && batch->count == 0) {
        st = idle(ob, batch->now_ms, &err);
    }
    if (st != ST_OK) {
        outbox_enter_failed(ob, &err);
        outbox_refuse_batch(ob, batch, ST_IO);
        return;
    }
    if (batch->count > 0 || has_housekeeping(ob)) {
        outbox_commit_batch(ob, batch);
    }
    outbox_clear_limits(ob);
}

void *outbox_committer_main(void *arg)
{
    struct outbox *ob = arg;
    struct batch batch;
    bool open = true;

    /* Events from before the start are to be delivered without waiting for a first commit. */
    outbox_tell_progress(ob);
    /* At the end all promised work is done; removing expired events can wait. */
    while (open || has_promises(ob)) {
        sort_in(ob, inbox_wait(&ob->inbox, has_work(ob) ? 0 : THREAD_TURN_MS, &open));
        heartbeat_now(&ob->heartbeat);
        take_batch(ob, &batch);
        turn(ob, &batch);
        step_operation(ob, open);
        if (atomic_load(&ob->failed)) {
            outbox_free_outcomes(ob);
            ob->no_room = true; /* nothing is written any more */
        }
    }
    /* Events whose outcome could not be written stay undelivered and will be sent again. */
    outbox_free_outcomes(ob);
    return NULL;
}
