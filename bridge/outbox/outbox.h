/*
 * outbox - the durable queue between intake and publisher.
 *
 * Owns the store. Its committer thread is the only writer; one reader (the publisher) reads and
 * reports delivered events. Events that arrive while one commit syncs go into the next commit:
 * group commit, no timer.
 *
 * Promise: after done(ST_OK) the event survives a crash; events come out in order of seq, each
 * at least once; one that the publisher holds lets the others pass, and is read by its number. The
 * watermark on disk may lag behind delivery (duplicates after a crash), never lead it (loss).
 *
 * Failure: events for which there is no room are answered ST_FULL; ST_BUSY, while another program
 * has the file locked. A failed sync, any other failed write, damage found while reading, or a file
 * that somebody removed or replaced is final: waiters get ST_IO, later submits ST_CLOSED, and the
 * `failed` listener is called once.
 *
 * Does not look inside bodies, talk to MQTT, or throttle by source.
 */
#ifndef BRIDGE_OUTBOX_OUTBOX_H
#define BRIDGE_OUTBOX_OUTBOX_H

#include "common/err.h"
#include "common/thread.h"

#include "bridge/event.h"
#include "bridge/store/store.h"

struct outbox;

struct outbox_options {
    const char *path;
    /* By event_cost_bytes: the limit of undelivered and kept events together, of which kept ones
     * are removed first. Quarantined bodies, and events that the broker refused, may take half of
     * it each, besides. All files together never take more than twice this and 32 MiB, whoever
     * reads them meanwhile. */
    uint64_t max_bytes;
    int64_t keep_delivered_ms; /* delivered events are removed after this, oldest first */
    size_t dedupe_entries; /* how many of the newest events are remembered to know duplicates */

    /* For `dead retry`: makes a quarantined body an event with today's configuration. Committer
     * thread. Gives an event, or NULL and the reason; the event gets the dead letter's id and time
     * of receipt. May be NULL: then quarantined bodies stay dead letters. */
    struct event *(*reparse)(void *ctx, const struct event *dead, struct err *why);
    void *reparse_ctx;
};

/* How far the outbox is. The numbers only grow. */
struct outbox_progress {
    uint64_t durable_seq;    /* every event up to it is on disk */
    uint64_t watermark_seq;  /* as it is there */
    uint64_t released_count; /* of outbox_release's that are there */
};

/* Called on the committer thread (failed also in outbox_close); must not block. Each may be
 * NULL. */
struct outbox_listener {
    /* (C) On a full disk the watermark and the releases count as written, so that delivery goes
     * on. The watermark may be ahead of outbox_set_watermark: it moves on over events right behind
     * it that were buried or dropped. Borrows progress. */
    void (*progress)(void *ctx, const struct outbox_progress *progress);
    /* A held event was dropped by hand. */
    void (*dropped)(void *ctx, uint64_t seq);
    /* The outbox has failed for good: stop the process with an error. Once. */
    void (*failed)(void *ctx, const struct err *why);
    void *ctx;
};

/* Main thread. Takes the lock on the outbox (ST_BUSY: another process has it), opens or creates
 * the store, recovers, rebuilds the dedupe table. ST_INVALID: damaged, or the file of another program or a newer version; it is left
 * alone. Copies options; borrows path and reparse_ctx until outbox_close. */
enum status outbox_open(const struct outbox_options *options, struct outbox **out_outbox,
                        struct err *err) MUST_USE;
/* Main thread. Starts the committer and the checkpointer; listener is copied. */
enum status outbox_start(struct outbox *ob, const struct outbox_listener *listener,
                         struct err *err) MUST_USE;
/* Main thread. From now on submits are ST_CLOSED; returns when every submission is committed and
 * answered. The watermark, burials and operations still work, so that the publisher can
 * finish. */
void outbox_close_intake(struct outbox *ob);
/* Main thread, when no other thread uses it any more. Writes the last watermark, joins the
 * threads, closes the store (leaving one file), releases the lock. Unfinished
 * operations by hand end as ST_CLOSED. NULL is allowed. */
void outbox_close(struct outbox *ob);

/* The answer to a submission. */
struct outbox_result {
    enum status status; /* ST_OK: on disk; ST_FULL, ST_BUSY, ST_CLOSED, ST_IO: not stored */
    bool duplicate;     /* of the event `id`, which is on disk */
    struct uuid id;     /* this event's, or with duplicate the first one's */
};

/* (B) Runs once, on the committer thread; must not block. Borrows result. */
typedef void outbox_done_fn(void *ctx, const struct outbox_result *result);

/* (A) Any thread, never blocks. Takes the event, also on failure. An event with a reason is
 * quarantined: it becomes a dead letter, or ST_FULL if it would exceed their limit. done does not run if this returns anything but ST_OK (ST_FULL, ST_CLOSED). */
enum status outbox_submit(struct outbox *ob, struct event *event, outbox_done_fn *done,
                          void *ctx) MUST_USE;

/* Publisher thread. Gives up to max_count durable, undelivered events after after_seq, in
 * order, at most about max_bytes of bodies (but always one, if there is one); each for
 * event_free. Anything but ST_OK, ST_BUSY and ST_FULL is final for the outbox. */
enum status outbox_read(struct outbox *ob, uint64_t after_seq, size_t max_count,
                        size_t max_bytes, struct event **out_events, size_t *out_count,
                        struct err *err) MUST_USE;
/* Publisher thread, before it reads from further back again (after a reconnect): no event after
 * after_seq is on its way to the broker any more, so those may be dropped by hand. */
void outbox_rewind(struct outbox *ob, uint64_t after_seq);
/* (D) Publisher thread, never blocks. Every event up to seq is delivered, buried, dropped or held.
 * Reaches the disk with the next commit. */
void outbox_set_watermark(struct outbox *ob, uint64_t seq);

/* (D) All below: publisher thread, never block, on disk no later than a watermark that covers the
 * event. */

/* To the dead letters. ST_FULL: there is no room for so many bytes (event_cost_bytes) among the
 * refused ones; nothing happened. */
enum status outbox_bury(struct outbox *ob, uint64_t seq, uint64_t cost_bytes,
                        const char *reason) MUST_USE;
/* The event waits while others pass it. If it is held already, only reason and time change.
 * in_flight: it is on its way to the broker, else it no longer is. */
void outbox_hold(struct outbox *ob, const struct store_hold *hold, bool in_flight);
/* A held event was delivered. */
void outbox_release(struct outbox *ob, uint64_t seq);
/* Its time is over: it is dropped. */
void outbox_expire(struct outbox *ob, uint64_t seq);

/* Publisher thread. Gives a held event, for event_free; NULL: it was dropped by hand. It is on its
 * way to the broker from here on, until one of the calls above is on disk. */
enum status outbox_read_held(struct outbox *ob, uint64_t seq, struct event **out_event,
                             struct err *err) MUST_USE;
/* Main thread, before the start: all held events in order of seq, without bodies. */
enum status outbox_walk_held(struct outbox *ob, store_held_fn *row, void *ctx,
                             struct err *err) MUST_USE;
/* Any thread; exact before publishing starts. */
uint64_t outbox_delivered_seq(const struct outbox *ob);

/* Operations by hand. An event that one puts at the end of the queue is marked `replayed`, takes
 * no part in dedupe, and never brings an older state back. */
enum outbox_op {
    /* Publishes kept events once more: copies at the end of the queue, with the same ids. Copies
     * are not replayed themselves. The oldest kept events make room for them. */
    OUTBOX_REPLAY,
    /* Drops undelivered events; if they come again they are new. Those already on their way to
     * the broker are skipped. */
    OUTBOX_DROP,
    /* Drops delivered events that are kept: they cannot be replayed any more, and their repeats are
     * still recognised. */
    OUTBOX_DROP_DELIVERED,
    /* Moves dead letters to the end of the queue, as far as there is room; a quarantined one only
     * if today's configuration makes an event of it. */
    DEAD_RETRY,
    DEAD_DROP,
    /* Forgets what is known of the states at the selection's topics, so that the next event sets
     * them, whatever its time. Topics of which nothing is known are skipped. */
    STATE_FORGET,
};
/* An operation runs in steps of some hundred rows, each all or nothing; after a failure
 * done_count is the progress until then. */
struct outbox_operation_result {
    enum status status;
    uint64_t done_count;
    uint64_t skipped_count; /* selected, but it could not be done */
    char why[200];          /* why the last one was skipped, or the failure; "" if none */
};
typedef void outbox_operation_fn(void *ctx, const struct outbox_operation_result *result);

/* Any thread, never blocks; only after outbox_start. Copies the selection. done runs once, on
 * the committer thread, unless this returns anything but ST_OK. */
enum status outbox_operate(struct outbox *ob, enum outbox_op op,
                           const struct store_selection *selection, outbox_operation_fn *done,
                           void *ctx) MUST_USE;
/* Main thread, of an outbox that was opened but not started (the bridge is stopped). */
void outbox_operate_now(struct outbox *ob, enum outbox_op op,
                        const struct store_selection *selection,
                        struct outbox_operation_result *out_result);

/* Any thread; from memory. */
void outbox_stats(const struct outbox *ob, struct store_stats *out_stats);
/* Any thread. Would an event be accepted now? ST_IO: failed; ST_CLOSED; ST_BUSY: another program has
 * locked the file; ST_FULL: from the first refusal for lack of room until a tenth of the limit is
 * free again. */
enum status outbox_ready(const struct outbox *ob) MUST_USE;

/* For the watchdog: the committer's heartbeat. */
const struct heartbeat *outbox_heartbeat(const struct outbox *ob);

#endif
