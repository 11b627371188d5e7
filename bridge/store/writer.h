/*
 * store/writer - the writing half of store, for the outbox alone.
 *
 * All changes between store_begin and store_commit reach the disk together or not at all. The
 * status of a failure decides what the outbox can do:
 *   ST_FULL     no room on the disk: nothing is lost, try again later
 *   ST_BUSY     another program has locked the file for writing: the same
 *   ST_INVALID  damaged: final
 *   ST_IO       any other failure, such as a failed sync (store_sync_failed): final
 * After any failure the transaction is over: call store_rollback.
 */
#ifndef BRIDGE_STORE_WRITER_H
#define BRIDGE_STORE_WRITER_H

#include "bridge/store/store.h"

/* Opens or creates (mode 0600), recovers after a crash, brings an older format up to date; locks
 * the file itself, so that there is one writer whatever name each has for it (ST_BUSY: another
 * process is). A file that is not an outbox, is empty, damaged or of a newer format is ST_INVALID
 * and left alone. So is one that has lost what was synced, unless out_loss is given: then that is
 * counted, and not a loss any more. Gives a handle for store_close, which checkpoints and leaves one file, unless a
 * sync has failed or a reader is still there, and gives the lock back: so every other handle of
 * this process is closed before it. */
enum status store_open_writer(const char *path, struct store_loss *out_loss,
                              struct store **out_store, struct err *err) MUST_USE;
/* A second connection of the same writer, for store_checkpoint on another thread. Close it before
 * the writer. */
enum status store_open_checkpointer(const struct store *writer, struct store **out_store,
                                    struct err *err) MUST_USE;

/* Before anything is appended: how many identities to keep for dedupe. */
void store_keep_identities(struct store *writer, uint64_t count);

/* Any thread. Has a sync of this writer or its checkpointer ever failed? Then the file must never
 * be written again: the kernel may have dropped pages that SQLite counts as written. */
bool store_sync_failed(const struct store *writer);
/* After a failure: store_close will leave the files as they are. */
void store_give_up(struct store *writer);

/* ST_IO: one of the outbox's files was removed or replaced since the writer opened it. What is
 * written from then on is lost, so this is asked before anything is promised. */
struct store_sizes {
    uint64_t database_bytes, log_bytes, index_bytes;
};
enum status store_look_at_files(const struct store *writer, struct store_sizes *out_sizes,
                                struct err *err) MUST_USE;
/* The bytes that we may still use on the file system. False: it does not say. */
bool store_free_bytes(const struct store *writer, uint64_t *out_bytes) MUST_USE;

/* Bytes in the write-ahead log, as of the last commit. */
uint64_t store_wal_bytes(const struct store *writer);

/* What it takes to write so many bytes of events: first into the log, and when the log is copied,
 * into the database. Sizes as store_look_at_files gave them. */
struct store_needs {
    uint64_t written_bytes;  /* about; to the log, and then to the database */
    uint64_t log_room_bytes; /* unused room in the log's file */
    uint64_t pending_bytes;  /* by which the database grows when today's log is copied */
    uint64_t unused_bytes;   /* unused room in the database's file */
};
enum status store_estimate(struct store *writer, const struct store_sizes *sizes,
                           uint64_t event_bytes, struct store_needs *out_needs,
                           struct err *err) MUST_USE;
/* The log's file gives back what is beyond so many bytes, each time it starts over. */
enum status store_limit_log(struct store *writer, uint64_t bytes, struct err *err) MUST_USE;

/* Copies the log into the database file. rest: also waits (at most 20 ms) for readers, so that
 * the next commit starts the log over; else never waits. ST_BUSY: done as far as readers allowed.
 * If we die in here, the next start replays the log. */
enum status store_checkpoint(struct store *store, bool rest, struct err *err) MUST_USE;

/* Numbers with the open transaction's changes; oldest_undelivered_ms is CLOCK_NONE. */
void store_get_stats(const struct store *writer, struct store_stats *out_stats);
/* received_ms of the oldest undelivered event, or CLOCK_NONE. */
enum status store_get_oldest(struct store *writer, int64_t *out_ms, struct err *err) MUST_USE;

/* synced: store_commit returns only when the transaction is on disk. Not synced: a power cut may
 * take it, but only together with everything that followed. */
enum status store_begin(struct store *writer, bool synced, struct err *err) MUST_USE;
enum status store_commit(struct store *writer, struct err *err) MUST_USE;
void store_rollback(struct store *writer); /* also after a failed commit, or without a begin */

/* All below: within a transaction. */

/* Gives the event its seq. If the state topic has a newer event, this one loses its state topic
 * (event->state_topic becomes absent). origin_seq: the seq of the event that this is a copy of, 0
 * if that had none; STORE_NEW: it is not a copy. */
#define STORE_NEW UINT64_MAX
enum status store_append(struct store *writer, struct event *event, uint64_t origin_seq,
                         struct err *err) MUST_USE;
/* Stores a quarantined event as a dead letter; event->reason is why. */
enum status store_append_dead(struct store *writer, const struct event *event, int64_t now_ms,
                              struct err *err) MUST_USE;
/* Moves an event to the dead letters. One that was dropped or removed is not an error. */
enum status store_bury(struct store *writer, uint64_t seq, const char *reason, int64_t now_ms,
                       struct err *err) MUST_USE;
/* The watermark may pass the event from now on; it stays undelivered. If it is held already, only
 * its reason and time change. */
enum status store_hold(struct store *writer, const struct store_hold *hold,
                       struct err *err) MUST_USE;
/* The event was delivered. One that is not held is not an error. */
enum status store_release(struct store *writer, uint64_t seq, struct err *err) MUST_USE;
/* After a crash: holds all undelivered events before the newest held one, because those may have
 * been sent before it, and moves the watermark there. */
enum status store_hold_unread(struct store *writer, struct err *err) MUST_USE;
/* Drops an event. One that was dropped or removed is not an error. */
enum status store_drop(struct store *writer, uint64_t seq, struct err *err) MUST_USE;
enum status store_drop_dead(struct store *writer, uint64_t dead_key, struct err *err) MUST_USE;
/* Every event up to seq is delivered, buried, dropped or held. The watermark never goes back, and moves
 * on over events right behind it that were buried or dropped. */
enum status store_set_watermark(struct store *writer, uint64_t seq, struct err *err) MUST_USE;

/* Identities outlive their events, in a log of their own. note: as part of every transaction that
 * appends; copies them there once there are enough of them. drop: another event like this one is no
 * duplicate of it any more. */
enum status store_note_identities(struct store *writer, struct err *err) MUST_USE;
enum status store_drop_identity(struct store *writer, const struct event *event,
                                struct err *err) MUST_USE;

/* The next event of this state topic will set it, whatever its time. */
enum status store_forget_state(struct store *writer, struct slice topic, bool *out_found,
                               struct err *err) MUST_USE;
/* Removes some of the states that deletions have cleared and whose time is over. */
enum status store_remove_gone_states(struct store *writer, int64_t now_ms,
                                     struct err *err) MUST_USE;
bool store_has_gone_states(const struct store *writer, int64_t now_ms);

/* Removes delivered events from the oldest on, until any of these is reached. */
struct store_removal {
    int64_t
        before_ms; /* an event received at or after this and not dropped; INT64_MAX: never */
    uint64_t enough_bytes; /* removed */
    uint32_t max_rows;
};
enum status store_remove_kept(struct store *writer, const struct store_removal *removal,
                              struct err *err) MUST_USE;

/* All below: also outside a transaction, also on a reader. */

/* Was the oldest kept event received before before_ms, or dropped? */
enum status store_has_expired(struct store *writer, int64_t before_ms, bool *out_expired,
                              struct err *err) MUST_USE;
/* received_ms of the oldest delivered event that is kept, or CLOCK_NONE. */
enum status store_get_oldest_kept(struct store *writer, int64_t *out_ms,
                                  struct err *err) MUST_USE;

/* What dedupe has learned, from the oldest to the newest. received_ms is CLOCK_NONE where it is that
 * the event `id` was dropped. */
typedef void store_walk_fn(void *ctx, const struct event_identity *identity, struct uuid id,
                           int64_t received_ms);
enum status store_walk_identities(struct store *store, store_walk_fn *row, void *ctx,
                                  struct err *err) MUST_USE;

/* All held events in order of seq. */
enum status store_walk_held(struct store *store, store_held_fn *row, void *ctx,
                            struct err *err) MUST_USE;
/* *out_seq: the oldest held one; the largest number if there is none. */
enum status store_first_held(struct store *store, uint64_t *out_seq, struct err *err) MUST_USE;
/* Gives the event for event_free; NULL: it was dropped. */
enum status store_read_one(struct store *store, uint64_t seq, struct event **out_event,
                           struct err *err) MUST_USE;

/* Up to max_count events after after_seq and up to upto_seq, in order, with at most about
 * max_bytes of bodies (but always one, if there is one). Gives events for event_free. */
struct store_range {
    uint64_t after_seq, upto_seq;
    size_t max_count, max_bytes;
};
enum status store_read(struct store *store, const struct store_range *range,
                       struct event **out_events, size_t *out_count, struct err *err) MUST_USE;

/* The selected rows with a key (seq; dead letters: in order of burial) after after_key and up to
 * upto_key. */
struct store_scan {
    bool dead;
    bool newest_first;
    bool with_body;
    bool without_copies; /* made by a replay */
    bool without_held;
    uint64_t without_delivered_seq; /* of those up to it, only held ones; 0: all */
    uint64_t after_key, upto_key;
    const struct store_selection *selection; /* ids sorted; the caller sees to the limit */
};
/* Pure. Gives a sorted copy for free(); NULL if count is 0. */
struct uuid *store_sort_ids(const struct uuid *ids, size_t count) MUST_USE;
/* Borrows the event. False ends the scan. */
typedef bool store_scan_fn(void *ctx, uint64_t key, const struct event *event);
enum status store_scan(struct store *store, const struct store_scan *scan, store_scan_fn *row,
                       void *ctx, struct err *err) MUST_USE;
/* The key of the newest dead letter; 0 if there is none. */
enum status store_last_dead(struct store *store, uint64_t *out_key, struct err *err) MUST_USE;

#endif
