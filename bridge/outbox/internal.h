/*
 * outbox/internal - what the files of outbox share. Calls go down this list only:
 *
 *   outbox.c       opening and closing; what other threads call
 *   outcome.c      what the publisher calls
 *   committer.c    the committer thread's loop
 *   commit.c       one transaction: dedupe, limits, and the answers after it
 *   operation.c    operations by hand, in steps
 *   forget.c       the operation that forgets states
 *   retention.c    how long delivered events are kept
 *   limits.c       is there room within the configured sizes
 *   disk.c         is there room on the disk; are the files still there
 *   numbers.c      the numbers that other threads see
 *   checkpoint.c   keeps the write-ahead log short
 *   lent.c         the held events that are on their way to the broker
 *   dedupe.[ch]    the newest event of each key
 */
#ifndef BRIDGE_OUTBOX_INTERNAL_H
#define BRIDGE_OUTBOX_INTERNAL_H

#include <stdatomic.h>

#include "common/inbox.h"

#include "bridge/outbox/outbox.h"
#include "bridge/outbox/dedupe.h"
#include "bridge/store/writer.h"

/* Every item in the inbox begins with this. */
enum item_kind { ITEM_SUBMISSION, ITEM_OUTCOME, ITEM_OPERATION };
struct item {
    struct inbox_link link;
    enum item_kind kind;
};

/* An event on its way to the disk, and its waiter. A new pointer is freed in
 * answer_submission (commit.c). */
struct submission {
    struct item item;
    struct event *event; /* owned */
    uint64_t cost_bytes;
    outbox_done_fn *done;
    void *ctx;

    /* the committer's */
    struct outbox_result result;
    bool stored;        /* as an event, or as a dead letter */
    bool state_skipped; /* the resource has a newer state */
};

/* The input of one transaction. */
enum { BATCH_COUNT = 512, BATCH_BYTES = 8388608, READY_BYTES = 4096 /* of a typical event */ };
struct batch {
    struct submission *submissions[BATCH_COUNT];
    size_t count;
    uint64_t bytes;
    uint64_t watermark; /* the one that the publisher wants */
    int64_t now_ms;
};

/* What the publisher says of one event. */
enum outcome_kind {
    OUTCOME_BURIED,
    OUTCOME_HELD,
    OUTCOME_HELD_IN_FLIGHT,
    OUTCOME_RELEASED,
    OUTCOME_EXPIRED,
};
struct outcome {
    struct item item;
    enum outcome_kind kind;
    struct store_hold hold; /* its seq and, unless released or expired, its cost */
    char reason[];          /* of a burial */
};

/* An operation by hand and its progress. A new pointer, also one in struct store_selection, is
 * copied in outbox_operation_create and freed in outbox_operation_finish. */
struct operation {
    struct item item;
    enum outbox_op op;
    struct store_selection selection; /* its pointers are to the next three */
    struct uuid *ids;                 /* owned */
    char *source;                     /* owned */
    struct slice *topics;             /* owned, their text behind them */
    outbox_operation_fn *done;
    void *ctx;

    bool begun;
    uint64_t cursor, end; /* keys: done up to cursor, finished at end */
    uint64_t matched_count;
    struct outbox_operation_result result;
};

/* First in, first out; owned by one thread. */
struct item_list {
    struct inbox_link *first, *last;
};

/* A thread that copies the log into the database, so that commits need not. */
struct checkpointer {
    struct store *store; /* a connection to itself */
    pthread_t thread;
    bool started;
    pthread_mutex_t running_mu; /* held while a checkpoint runs: there can be only one */

    /* under mu */
    pthread_mutex_t mu;
    pthread_cond_t changed;
    bool wanted, stopping;
    bool failed;
    struct err why;

    /* the committer's */
    uint64_t step_bytes, rest_bytes;      /* see checkpointer_start */
    uint64_t next_bytes, next_rest_bytes; /* lengths of the log at which to act again */
    bool warned;
};

/* What the outbox may take on disk, and takes; the committer's. */
struct disk {
    uint64_t bound_bytes;   /* all files together, whoever reads them meanwhile */
    uint64_t log_bytes;     /* the log's file keeps this when it starts over */
    uint64_t reserve_bytes; /* for the watermark, removals and checkpoints; events leave it */
    struct store_sizes files;
    uint64_t short_bytes; /* of kept events to remove, so that the disk does not become short */
    bool log_is_limited;  /* to reserve_bytes */
    int64_t next_rest_ms; /* monotonic: not before this again, on a disk that is full */
};

/* Undelivered and kept events share one limit. Dead letters have two others, quarantined and
 * refused ones, so that no number of bad bodies keeps good ones out, and neither kind the other.
 * Shared. */
struct limit {
    _Atomic uint64_t fixed_bytes;  /* undelivered, or dead: retention cannot free these */
    _Atomic uint64_t queued_bytes; /* submitted and not answered yet */
    atomic_bool full;              /* an event was refused, and that was logged */
};

/* Allocated separately, so that a reader with a const outbox can lock it. */
struct outbox_numbers {
    pthread_mutex_t mu;
    struct store_stats stats; /* under mu; only the committer writes it */
};

/* A new pointer, mutex or condition is made in outbox_alloc and freed in outbox_free. */
struct outbox {
    struct outbox_options options;
    struct outbox_listener listener;
    pthread_t committer;
    bool started;
    struct heartbeat heartbeat;

    /* shared */
    struct inbox inbox;
    atomic_bool intake_open, failed;
    _Atomic enum status
        refusing;            /* ST_FULL, ST_BUSY: why the last events could not be written */
    atomic_bool read_failed; /* finally; the committer acts on it */
    struct limit events, quarantined, refused;
    atomic_size_t submitting;          /* in outbox_submit, or submitted and not answered yet */
    _Atomic uint64_t durable_seq;      /* everything up to it is on disk */
    _Atomic uint64_t wanted_watermark; /* as the publisher set it */
    _Atomic uint64_t watermark_seq;    /* as the committer wrote it */
    _Atomic uint64_t released_count;   /* likewise */
    pthread_mutex_t idle_mu;           /* only for the wait for submitting == 0 */
    pthread_cond_t idle;

    struct outbox_numbers *numbers;

    pthread_mutex_t read_mu; /* also held while events are dropped by hand */
    struct store *reader;    /* under read_mu */
    uint64_t handed_seq;     /* under read_mu: the newest event given to the publisher */
    struct err read_why;     /* under read_mu: the cause of read_failed */
    uint64_t *lent;          /* under read_mu: held events on their way to the broker */
    size_t lent_count, lent_room;

    /* owned by the committer thread (before the start and after the end: by the main thread) */
    struct store *writer;
    struct dedupe *dedupe;
    struct item_list submissions, outcomes, operations;
    uint64_t released_taken; /* from the inbox so far */
    bool no_room; /* housekeeping did not fit on the disk: wait a turn before the next try */
    bool more_expired;         /* kept events to remove at once */
    int64_t refusing_since_ms; /* monotonic */
    struct disk disk;
    struct checkpointer checkpointer;
};

/* ---- committer.c ---- */

void *outbox_committer_main(void *outbox);

/* ---- commit.c; committer, or main thread before the start ---- */

/* One transaction with the batch, the watermark, all outcomes and the removal of expired events.
 * Answers and empties the batch in any case. */
void outbox_commit_batch(struct outbox *ob, struct batch *batch);
/* Answers and empties the batch: none of it is on disk. */
void outbox_refuse_batch(struct outbox *ob, struct batch *batch, enum status st);
/* For now: st is ST_FULL (the disk has no room) or ST_BUSY (another program has locked the file). */
void outbox_refuse_for_now(struct outbox *ob, struct batch *batch, enum status st,
                           const struct err *why);
/* The disk is short: the log starts over and gives back what it does not need, and kept events go,
 * until the batch has room. ST_FULL: it has none; anything else but ST_OK and ST_BUSY is final. */
enum status outbox_make_disk_room(struct outbox *ob, const struct batch *batch,
                                  struct err *err) MUST_USE;
/* Final: nothing is written from here on. */
void outbox_enter_failed(struct outbox *ob, const struct err *why);
void outbox_free_outcomes(struct outbox *ob);

static inline struct inbox_link *item_list_take(struct item_list *list)
{
    struct inbox_link *link = list->first;

    if (link != NULL) {
        list->first = link->next;
    }
    return link;
}

static inline bool outbox_can_retry(enum status st)
{
    return st == ST_FULL || st == ST_BUSY;
}

/* Any thread. Counts one submission less. */
void outbox_leave(struct outbox *ob);

/* ---- limits.c ---- */

/* Any thread. Pure. The limit that the event counts against. */
struct limit *outbox_limit_of(struct outbox *ob, const struct event *event);
/* Any thread. How many bytes it is. */
uint64_t outbox_limit_bytes(const struct outbox *ob, const struct limit *limit);
/* Any thread. Do so many bytes fit, if kept events make room for them? */
bool outbox_has_room(const struct outbox *ob, const struct limit *limit, uint64_t cost_bytes);
/* Any thread. May so many bytes more wait for the committer? */
bool outbox_queue_has_room(const struct outbox *ob, uint64_t cost_bytes);
/* Any thread. An event was refused; logged once until the limit is cleared. */
void outbox_limit_reached(struct outbox *ob, struct limit *limit, const char *why);
/* Committer, every turn. */
void outbox_clear_limits(struct outbox *ob);
/* Committer. Events can be written again. */
void outbox_end_refusing(struct outbox *ob);
/* ---- retention.c; committer, or main thread before the start ---- */

/* Within a transaction. Removes the oldest kept events until an event of so many bytes is within
 * the limit. *out_fits: it is. */
enum status outbox_make_room(struct outbox *ob, uint64_t cost_bytes, bool *out_fits,
                             struct err *err) MUST_USE;
/* Within a transaction. Removes a bounded number of expired events, and of any others that are kept
 * if the disk is short. */
enum status outbox_remove_kept(struct outbox *ob, int64_t now_ms, struct err *err) MUST_USE;
/* Between transactions. Sets more_expired: are there more of them? */
enum status outbox_look_for_expired(struct outbox *ob, int64_t now_ms,
                                    struct err *err) MUST_USE;

/* ---- disk.c; committer, or main thread before the start ---- */

/* Chooses the sizes by the configuration and by what the file system has. */
enum status outbox_measure_disk(struct outbox *ob, struct err *err) MUST_USE;
/* Is there room for so many bytes of events, and for delivering them? ST_FULL: no; anything else
 * but ST_OK is final for the outbox. Sets disk.short_bytes. */
enum status outbox_check_disk(struct outbox *ob, uint64_t bytes, struct err *err) MUST_USE;
/* Without events a transaction is small, and may use the reserve. ST_FULL: not even that is left. */
enum status outbox_check_reserve(const struct outbox *ob, struct err *err) MUST_USE;
/* After each commit, before it is promised to anybody. ST_IO: the files are not there any more. */
enum status outbox_look_at_files(struct outbox *ob, struct err *err) MUST_USE;

/* ---- numbers.c; committer, or main thread before the start ---- */

/* Shows the store's numbers to other threads, and calls the listener. */
enum status outbox_publish_stats(struct outbox *ob, struct err *err) MUST_USE;
void outbox_tell_progress(struct outbox *ob);
/* After the commit: the event was stored, but its resource has a newer state. */
void outbox_note_older(const struct event *event);

/* ---- operation.c ---- */

/* Committer (or main thread, not started). One bounded step, in a transaction of its own.
 * *out_finished: result is complete. Anything but ST_OK is final for the outbox. */
enum status outbox_operation_step(struct outbox *ob, struct operation *operation,
                                  bool *out_finished, struct err *err) MUST_USE;
struct operation *outbox_operation_create(enum outbox_op op,
                                          const struct store_selection *selection,
                                          outbox_operation_fn *done, void *ctx);
/* Answers and frees. */
void outbox_operation_finish(struct operation *operation);

/* ---- forget.c ---- */

/* As outbox_operation_step, for STATE_FORGET. */
enum status outbox_forget_step(struct outbox *ob, struct operation *operation,
                               bool *out_finished, struct err *err) MUST_USE;

/* ---- lent.c ---- */

/* Under read_mu. Is the held event on its way to the broker? */
bool outbox_is_lent(const struct outbox *ob, uint64_t seq);
/* Under read_mu. It is from here on. */
void outbox_lend(struct outbox *ob, uint64_t seq);
/* Under read_mu. It is not, or no longer. */
void outbox_unlend(struct outbox *ob, uint64_t seq);

/* ---- checkpoint.c ---- */

/* log_bytes: the length that the log should not exceed. The thread is woken at each eighth of it,
 * and from the half on the committer helps. */
enum status checkpointer_start(struct checkpointer *cp, const struct store *writer,
                               uint64_t log_bytes, struct err *err) MUST_USE;
void checkpointer_stop(struct checkpointer *cp);
/* Committer, between two commits. Anything but ST_OK is final for the outbox. */
enum status checkpointer_look(struct checkpointer *cp, struct store *writer,
                              struct err *err) MUST_USE;
/* Committer. Copies the rest of the log, so that the next commit starts it over unless a reader
 * is in the way. Anything but ST_OK is final for the outbox. */
enum status checkpointer_rest(struct checkpointer *cp, struct store *writer,
                              struct err *err) MUST_USE;

#endif
