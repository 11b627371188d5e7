/*
 * store_writer - the writing half of store, for the outbox alone.
 *
 * What happens between store_begin and store_commit reaches the disk together or not at all.
 * Every function's status says what the outbox can do about it:
 *   ST_FULL     no room on the disk; rolled back, nothing is lost, try again later
 *   ST_BUSY     another program holds the file's write lock; the same
 *   ST_INVALID  damaged
 *   ST_IO       anything else; final, like every failed sync (store_sync_failed)
 * After any failure the transaction is over: store_rollback.
 */
#ifndef BRIDGE_STORE_WRITER_H
#define BRIDGE_STORE_WRITER_H

#include "bridge/store/store.h"

/* Opens or creates (mode 0600), recovers what a crash left, brings an older format up to date.
 * An existing file that is not an outbox, is damaged or newer is ST_INVALID and stays as it is.
 * The caller holds the lock that makes it the only writer. Gives a handle for store_close,
 * which checkpoints and leaves one file, unless a sync has failed. */
enum status store_open_writer(const char *path, struct store **out_store,
                              struct err *err) MUST_USE;
/* A second connection of the same writer, for store_checkpoint on another thread. To be closed
 * before the writer. */
enum status store_open_checkpointer(const struct store *writer, struct store **out_store,
                                    struct err *err) MUST_USE;

/* Any thread. Has a sync of this writer or its checkpointer ever failed? Then the file must not
 * be written any more: what the kernel dropped cannot be written again. */
bool store_sync_failed(const struct store *writer);
/* After a failure: store_close will leave the files as they are. */
void store_give_up(struct store *writer);

/* Bytes in the write-ahead log, as of the last commit. */
uint64_t store_wal_bytes(const struct store *writer);

/* What so many bytes of events more, and all of the log on its way into the database, will need
 * on the disk, about. */
struct store_needs {
    uint64_t log_bytes;
    uint64_t log_room_bytes; /* that the log's file has to spare already */
    uint64_t database_bytes; /* beyond the space within its file */
};
enum status store_estimate(struct store *writer, uint64_t event_bytes,
                           struct store_needs *out_needs, struct err *err) MUST_USE;

/* Copies the log into the database file. rest: also waits (at most 20 ms) for readers, so that
 * the next commit starts the log anew; else never waits for anybody. ST_BUSY: done as far as it
 * goes. If we die in here the log is still there and is simply replayed. */
enum status store_checkpoint(struct store *store, bool rest, struct err *err) MUST_USE;

/* Numbers with the open transaction's changes; oldest_undelivered_ms is CLOCK_NONE. */
void store_get_stats(const struct store *writer, struct store_stats *out_stats);
/* received_ms of the oldest undelivered event, or CLOCK_NONE. */
enum status store_get_oldest(struct store *writer, int64_t *out_ms, struct err *err) MUST_USE;

/* synced: store_commit returns only when it is on disk. Not synced: it may be lost with the
 * power, but never out of order with what follows. */
enum status store_begin(struct store *writer, bool synced, struct err *err) MUST_USE;
enum status store_commit(struct store *writer, struct err *err) MUST_USE;
void store_rollback(struct store *writer); /* also after a failed commit, or without a begin */

/* All below: within a transaction. */

/* Gives the event its seq. An event with a state topic for which a newer one is known loses it
 * (event->state_topic is absent then). origin_seq: of the event that this is a copy of, 0 if
 * that never had one; STORE_NEW: it is no copy. */
#define STORE_NEW UINT64_MAX
enum status store_append(struct store *writer, struct event *event, uint64_t origin_seq,
                         struct err *err) MUST_USE;
/* Puts an event that never was in the outbox among the dead letters; event->reason says why. */
enum status store_append_dead(struct store *writer, const struct event *event, int64_t now_ms,
                              struct err *err) MUST_USE;
/* Moves an event to the dead letters. One that is not there any more is no error. */
enum status store_bury(struct store *writer, uint64_t seq, const char *reason, int64_t now_ms,
                       struct err *err) MUST_USE;
/* Gives an event up. One that is not there any more is no error. */
enum status store_drop(struct store *writer, uint64_t seq, struct err *err) MUST_USE;
enum status store_drop_dead(struct store *writer, uint64_t dead_key, struct err *err) MUST_USE;
/* Everything up to seq is delivered, buried or dropped. The watermark never goes back, and goes on
 * over what was buried or dropped right behind it. */
enum status store_set_watermark(struct store *writer, uint64_t seq, struct err *err) MUST_USE;

/* Removes delivered rows from the oldest on, until any of these is reached. */
struct store_removal {
    int64_t before_ms;     /* the first row that was received later stays; INT64_MAX: none */
    uint64_t enough_bytes; /* so much has been removed */
    uint32_t max_rows;
};
enum status store_remove_kept(struct store *writer, const struct store_removal *removal,
                              struct err *err) MUST_USE;

/* All below: also outside a transaction, also on a reader. */

/* Is the oldest kept row older than before_ms? */
enum status store_has_expired(struct store *writer, int64_t before_ms, bool *out_expired,
                              struct err *err) MUST_USE;

/* From the newest event to the oldest that was received since since_ms, quarantined ones among
 * them, without copies made by hand: what dedupe needs of each. received_ms is CLOCK_NONE if it
 * was dropped, or retried. False ends it. */
typedef bool store_walk_fn(void *ctx, const struct event_identity *identity, struct uuid id,
                           int64_t received_ms);
enum status store_walk_newest(struct store *store, int64_t since_ms, store_walk_fn *row,
                              void *ctx, struct err *err) MUST_USE;

/* Up to max_count events after after_seq and up to upto_seq, in order, with at most about
 * max_bytes of bodies (but always one, if there is one). Gives events for event_free. */
struct store_range {
    uint64_t after_seq, upto_seq;
    size_t max_count, max_bytes;
};
enum status store_read(struct store *store, const struct store_range *range,
                       struct event **out_events, size_t *out_count, struct err *err) MUST_USE;

/* Rows with a key (seq; dead letters: of burial) after after_key and up to upto_key that match.
 */
struct store_scan {
    bool dead;
    bool with_body;
    bool without_copies; /* that a replay made */
    uint64_t after_key, upto_key;
    const struct store_selection *selection; /* ids in order; limit is the caller's */
};
/* Pure. Gives a copy in order, for free(); NULL if there are none. */
struct uuid *store_sort_ids(const struct uuid *ids, size_t count) MUST_USE;
/* Borrows the event. False ends the scan. */
typedef bool store_scan_fn(void *ctx, uint64_t key, const struct event *event);
enum status store_scan(struct store *store, const struct store_scan *scan, store_scan_fn *row,
                       void *ctx, struct err *err) MUST_USE;
/* The key of the newest dead letter; 0 if there is none. */
enum status store_last_dead(struct store *store, uint64_t *out_key, struct err *err) MUST_USE;

#endif
