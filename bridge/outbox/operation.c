/*
 * Operations by hand: replay and drop of events; retry and drop of dead letters.
 *
 * An operation may be about many rows, so it runs in steps of one bounded transaction each, and
 * webhooks are committed in between. A step collects a page of selected rows, applies the
 * operation to each within one transaction, and after the commit logs and counts them.
 *
 * What can fail: without room, or when reading fails, the operation ends early and its result
 * counts the steps that were done. A failed write or sync is final for the outbox. If we die in
 * a step, it has happened or not; whoever asked gets no answer and can look.
 */
#include "bridge/outbox/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

enum {
    STEP_COUNT = 256,     /* rows changed in one step */
    STEP_BYTES = 4194304, /* about so many bytes of bodies */
    STEP_KEYS = 8192,     /* rows looked at */
};

static const struct {
    bool dead; /* about dead letters, else about events */
    bool adds; /* puts events at the end of the queue, else only removes */
    const char *done_text;
} kinds[] = {
    [OUTBOX_REPLAY] = {false, true, "event replayed"},
    [OUTBOX_DROP] = {false, false, "event dropped"},
    [OUTBOX_DROP_DELIVERED] = {false, false, "delivered event dropped"},
    [DEAD_RETRY] = {true, true, "dead letter retried"},
    [DEAD_DROP] = {true, false, "dead letter dropped"},
    [STATE_FORGET] = {false, false, "state forgotten"},
};

/* The rows of one step. */
struct page {
    struct event *events[STEP_COUNT];
    uint64_t keys[STEP_COUNT];
    bool done[STEP_COUNT];
    bool state_skipped[STEP_COUNT];
    size_t count;
    uint64_t bytes;
    size_t max_count;
    size_t done_count, skipped_count;
};

static void page_clear(struct page *page)
{
    while (page->count > 0) {
        event_free(page->events[--page->count]);
    }
}

/* ---- life ---- */

/* Gives memory for free(); NULL if there are none. */
static struct slice *copy_topics(const struct slice *topics, size_t count)
{
    size_t bytes = count * sizeof(*topics);
    struct slice *copy = NULL;
    char *text;

    for (size_t i = 0; i < count; i++) {
        bytes += topics[i].len;
    }
    if (count > 0) {
        copy = xalloc(bytes);
        text = (char *)(copy + count);
        for (size_t i = 0; i < count; i++) {
            memcpy(text, topics[i].data, topics[i].len);
            copy[i] = (struct slice){text, topics[i].len};
            text += topics[i].len;
        }
    }
    return copy;
}

struct operation *outbox_operation_create(enum outbox_op op,
                                          const struct store_selection *selection,
                                          outbox_operation_fn *done, void *ctx)
{
    struct operation *operation = xalloc(sizeof(*operation));
    struct buf source = {0};

    *operation = (struct operation){.item.kind = ITEM_OPERATION,
                                    .op = op,
                                    .selection = *selection,
                                    .done = done,
                                    .ctx = ctx};
    operation->ids = store_sort_ids(selection->ids, selection->id_count);
    operation->selection.ids = operation->ids;
    operation->topics = copy_topics(selection->topics, selection->topic_count);
    operation->selection.topics = operation->topics;
    if (selection->source.data != NULL) {
        buf_add_slice(&source, selection->source);
        operation->source = buf_take(&source);
        operation->selection.source.data = operation->source;
    }
    return operation;
}

void outbox_operation_finish(struct operation *operation)
{
    if (operation->done != NULL) {
        operation->done(operation->ctx, &operation->result);
    }
    free(operation->ids);
    free(operation->source);
    free(operation->topics);
    free(operation);
}

static void say_why(struct operation *operation, const char *why)
{
    enum { MAX = sizeof(operation->result.why) - 1 };

    (void)snprintf(operation->result.why, sizeof(operation->result.why), "%.*s", MAX, why);
}

static void skip(struct operation *operation, struct page *page, const char *why)
{
    page->skipped_count++;
    say_why(operation, why);
}

/* ---- collecting ---- */

static enum status begin_at_held(struct outbox *ob, struct operation *operation,
                                 struct err *err)
{
    uint64_t first = 0;
    enum status st = store_first_held(ob->writer, &first, err);

    if (st == ST_OK && first <= operation->cursor) {
        operation->cursor = first - 1;
    }
    return st;
}

/* Start and end are decided once, so that events that arrive meanwhile, above all the operation's
 * copies, are not part of it. */
static enum status begin(struct outbox *ob, struct operation *operation, struct err *err)
{
    struct store_stats stats;

    operation->begun = true;
    store_get_stats(ob->writer, &stats);
    switch (operation->op) {
    case OUTBOX_REPLAY:
    case OUTBOX_DROP_DELIVERED:
        operation->end = stats.delivered_seq;
        operation->cursor = stats.first_seq > 0 ? stats.first_seq - 1 : operation->end;
        return ST_OK;
    case OUTBOX_DROP:
        operation->end = stats.last_seq;
        operation->cursor = stats.delivered_seq;
        return stats.held_count > 0 ? begin_at_held(ob, operation, err) : ST_OK;
    case DEAD_RETRY:
    case DEAD_DROP:
        return store_last_dead(ob->writer, &operation->end, err);
    case STATE_FORGET: /* has its own steps */
        break;
    }
    return ST_OK;
}

static bool collect_row(void *ctx, uint64_t key, const struct event *event)
{
    struct page *page = ctx;

    page->events[page->count] = event_copy(event);
    page->done[page->count] = page->state_skipped[page->count] = false;
    page->keys[page->count++] = key;
    page->bytes += event->body.len;
    return page->count < page->max_count && page->bytes < STEP_BYTES;
}

static uint64_t delivered_seq(const struct outbox *ob)
{
    struct store_stats stats;

    store_get_stats(ob->writer, &stats);
    return stats.delivered_seq;
}

/* *out_cursor: every row up to it has been examined. */
static enum status collect(struct outbox *ob, const struct operation *operation,
                           struct page *page, uint64_t *out_cursor, struct err *err)
{
    uint64_t left = operation->selection.limit > 0
                        ? operation->selection.limit - operation->matched_count
                        : STEP_COUNT;
    struct store_scan scan = {
        .dead = kinds[operation->op].dead,
        .with_body = kinds[operation->op].adds,
        .without_copies = operation->op == OUTBOX_REPLAY,
        .without_held =
            operation->op == OUTBOX_REPLAY || operation->op == OUTBOX_DROP_DELIVERED,
        .without_delivered_seq = operation->op == OUTBOX_DROP ? delivered_seq(ob) : 0,
        .after_key = operation->cursor,
        .upto_key = operation->cursor + STEP_KEYS,
        .selection = &operation->selection,
    };
    enum status st;

    scan.upto_key = scan.upto_key < operation->end ? scan.upto_key : operation->end;
    page->max_count = left < STEP_COUNT ? left : STEP_COUNT;
    st = store_scan(ob->writer, &scan, collect_row, page, err);
    *out_cursor = page->count < page->max_count && page->bytes < STEP_BYTES
                      ? scan.upto_key
                      : page->keys[page->count - 1];
    return st;
}

/* ---- the four operations, on one row; within a transaction ---- */

static void did(struct page *page, size_t at)
{
    page->done[at] = true;
    page->done_count++;
}

static enum status make_room(struct outbox *ob, const struct event *event, struct err *err)
{
    bool fits = false;
    enum status st = outbox_make_room(ob, event_cost_bytes(event), &fits, err);

    return st == ST_OK && !fits ? err_set(err, ST_FULL, "the outbox's limit is reached") : st;
}

/* To the end of the queue. */
static enum status append(struct outbox *ob, struct page *page, size_t at, struct event *event,
                          uint64_t origin_seq, struct err *err)
{
    bool has_state = event->state_topic.data != NULL;
    enum status st;

    event->replayed = true;
    st = store_append(ob->writer, event, origin_seq, err);
    page->state_skipped[at] = has_state && event->state_topic.data == NULL;
    return st;
}

/* The oldest kept events make room for it, perhaps the original among them (it is in memory by
 * now): then the appended event is not a copy but the only one. */
static enum status replay(struct outbox *ob, struct page *page, size_t at, struct err *err)
{
    struct event *event = page->events[at];
    enum status st = make_room(ob, event, err);
    struct store_stats stats;

    if (st != ST_OK) {
        return st;
    }
    store_get_stats(ob->writer, &stats);
    event->copy = stats.first_seq > 0 && stats.first_seq <= event->seq;
    did(page, at);
    return append(ob, page, at, event, event->seq, err);
}

/* If it comes again, it is new. What was delivered stays delivered, as the original of a copy is. */
static bool loses_identity(enum outbox_op op, const struct event *event)
{
    return !kinds[op].adds && op != OUTBOX_DROP_DELIVERED && event_has_identity(event) &&
           !event->copy;
}

static enum status drop_identity(struct outbox *ob, enum outbox_op op,
                                 const struct event *event, struct err *err)
{
    return loses_identity(op, event) ? store_drop_identity(ob->writer, event, err) : ST_OK;
}

static enum status drop(struct outbox *ob, struct operation *operation, struct page *page,
                        size_t at, struct err *err)
{
    /* read_mu is held, see apply. One that waits for its next try is not on its way. */
    bool on_its_way = page->events[at]->held ? outbox_is_lent(ob, page->keys[at])
                                             : page->keys[at] <= ob->handed_seq;
    enum status st;

    if (on_its_way) {
        skip(operation, page, "already on its way to the broker");
        return ST_OK;
    }
    did(page, at);
    st = store_drop(ob->writer, page->keys[at], err);
    return st == ST_OK ? drop_identity(ob, operation->op, page->events[at], err) : st;
}

static enum status drop_dead(struct outbox *ob, struct operation *operation, struct page *page,
                             size_t at, struct err *err)
{
    enum status st = store_drop_dead(ob->writer, page->keys[at], err);

    did(page, at);
    return st == ST_OK ? drop_identity(ob, operation->op, page->events[at], err) : st;
}

/* Makes a dead letter an event again: a refused one as it was, a quarantined one as today's
 * configuration reads it. Gives an event, or NULL (skipped). */
static struct event *make_alive(struct outbox *ob, struct operation *operation,
                                struct page *page, const struct event *dead)
{
    struct event fields = *dead;
    struct event *reparsed = NULL;
    struct err why = {.text = "cannot be parsed again here"};

    fields.reason = SLICE_NONE;
    if (dead->topic.data != NULL) {
        reparsed = event_copy(&fields);
    } else if (ob->options.reparse != NULL) {
        reparsed = ob->options.reparse(ob->options.reparse_ctx, dead, &why);
    }
    if (reparsed == NULL) {
        skip(operation, page, why.text);
        return NULL;
    }
    reparsed->id = dead->id;
    reparsed->received_ms = dead->received_ms;
    return reparsed;
}

static enum status retry(struct outbox *ob, struct operation *operation, struct page *page,
                         size_t at, struct err *err)
{
    const struct event *dead = page->events[at];
    struct event *reparsed = make_alive(ob, operation, page, dead);
    enum status st;

    if (reparsed == NULL) {
        return ST_OK;
    }
    st = make_room(ob, reparsed, err);
    if (st == ST_OK) {
        st = append(ob, page, at, reparsed, dead->seq, err);
    }
    event_free(reparsed);
    if (st == ST_OK) {
        st = store_drop_dead(ob->writer, page->keys[at], err);
    }
    did(page, at);
    return st;
}

static enum status apply_row(struct outbox *ob, struct operation *operation, struct page *page,
                             size_t at, struct err *err)
{
    switch (operation->op) {
    case OUTBOX_REPLAY:
        return replay(ob, page, at, err);
    case OUTBOX_DROP:
        return drop(ob, operation, page, at, err);
    case OUTBOX_DROP_DELIVERED:
        did(page, at);
        return store_drop(ob->writer, page->keys[at], err);
    case DEAD_RETRY:
        return retry(ob, operation, page, at, err);
    case DEAD_DROP:
        return drop_dead(ob, operation, page, at, err);
    case STATE_FORGET:
        break;
    }
    return ST_OK;
}

/* ---- a step ---- */

static enum status transact(struct outbox *ob, struct operation *operation, struct page *page,
                            struct err *err)
{
    enum status st;

    /* An operation that adds rows must leave room for delivery; one that only removes may use it. */
    st = kinds[operation->op].adds ? outbox_check_disk(ob, page->bytes, err)
                                   : outbox_check_reserve(ob, err);
    if (st == ST_OK) {
        st = store_begin(ob->writer, true, err);
    }
    for (size_t i = 0; i < page->count && st == ST_OK; i++) {
        st = apply_row(ob, operation, page, i, err);
    }
    /* The watermark moves on over events that were dropped right behind it. */
    if (st == ST_OK && operation->op == OUTBOX_DROP) {
        st = store_set_watermark(ob->writer, 0, err);
    }
    if (st == ST_OK) {
        st = store_commit(ob->writer, err);
    }
    if (st != ST_OK) {
        store_rollback(ob->writer);
        return st;
    }
    return outbox_look_at_files(ob, err);
}

static enum status apply(struct outbox *ob, struct operation *operation, struct page *page,
                         struct err *err)
{
    enum status st;

    if (operation->op != OUTBOX_DROP) {
        return transact(ob, operation, page, err);
    }
    /* Until the drop is committed, the publisher must not read, and so send, these events. */
    CHECK(pthread_mutex_lock(&ob->read_mu) == 0);
    st = transact(ob, operation, page, err);
    CHECK(pthread_mutex_unlock(&ob->read_mu) == 0);
    return st;
}

/* After the commit. A dropped event that comes again must not be answered as a duplicate. */
static void after_step(struct outbox *ob, const struct operation *operation,
                       const struct page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct event *event = page->events[i];

        if (!page->done[i]) {
            continue;
        }
        log_info(kinds[operation->op].done_text, L_UUID("id", event->id));
        if (page->state_skipped[i]) {
            outbox_note_older(event);
        }
        if (loses_identity(operation->op, event)) {
            dedupe_drop(ob->dedupe, &event->identity, event->id);
        }
        if (event->held && ob->listener.dropped != NULL) {
            ob->listener.dropped(ob->listener.ctx, event->seq);
        }
    }
}

static bool is_finished(const struct operation *operation)
{
    uint64_t limit = operation->selection.limit;

    return operation->result.status != ST_OK || operation->cursor >= operation->end ||
           (limit > 0 && operation->matched_count >= limit);
}

/* Only reads: if that fails, the operation fails and the outbox goes on. */
static enum status look(struct outbox *ob, struct operation *operation, struct page *page,
                        uint64_t *out_cursor, struct err *err)
{
    enum status st = operation->begun ? ST_OK : begin(ob, operation, err);

    *out_cursor = operation->cursor;
    if (st == ST_OK && operation->cursor < operation->end) {
        st = collect(ob, operation, page, out_cursor, err);
    }
    return st;
}

enum status outbox_operation_step(struct outbox *ob, struct operation *operation,
                                  bool *out_finished, struct err *err)
{
    struct page page;
    uint64_t cursor = 0;
    enum status st, final = ST_OK;

    if (operation->op == STATE_FORGET) {
        return outbox_forget_step(ob, operation, out_finished, err);
    }
    page.count = page.bytes = page.done_count = page.skipped_count = 0;
    st = look(ob, operation, &page, &cursor, err);
    if (st == ST_OK && page.count > 0) {
        st = apply(ob, operation, &page, err);
        final = outbox_can_retry(st) && !store_sync_failed(ob->writer) ? ST_OK : st;
    }
    if (st == ST_OK) {
        after_step(ob, operation, &page);
        operation->cursor = cursor;
        operation->matched_count += page.count;
        operation->result.done_count += page.done_count;
        operation->result.skipped_count += page.skipped_count;
        st = final = outbox_publish_stats(ob, err);
    }
    if (st != ST_OK) {
        operation->result.status = st;
        say_why(operation, err->text);
    }
    page_clear(&page);
    *out_finished = is_finished(operation);
    return final;
}
