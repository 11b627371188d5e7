/*
 * store_internal - what the files of store share.
 */
#ifndef BRIDGE_STORE_INTERNAL_H
#define BRIDGE_STORE_INTERNAL_H

#include <stdatomic.h>

#include <sqlite3.h>

#include "bridge/store/writer.h"

/* ---- rows ---- */

/* The columns that events and dead letters share, in the order in which they are bound and
 * read. Add one: here, in schema.c (both tables, and a migration), in bind_event and
 * decode_event. */
#define EVENT_COLUMNS                                                                          \
    "id, received_ms, event_ms, dedupe_key, digest, source, event, resource_type, gid, "       \
    "delivery_id, topic, state_topic, expiry_s, qos, flags"
enum { EVENT_COLUMN_COUNT = 15 };

/* On disk: never give a number a second meaning. ROW_COPY comes on top of ROW_REPLAYED, which
 * what was retried has too. */
enum { ROW_RETAIN = 1, ROW_DELETION = 2, ROW_REPLAYED = 4, ROW_COPY = 8 };

/* ---- statements: prepared when first used, kept until the handle is closed ---- */

enum store_sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_READ_TOTALS,
    SQL_WRITE_TOTALS,
    SQL_ADD_EVENT,
    SQL_ADD_BODY,
    SQL_ADD_STATE,
    SQL_ADD_DEAD,
    SQL_BURY,
    SQL_DROP_BODY,
    SQL_ADD_TOMBSTONE,
    SQL_DROP_DEAD,
    SQL_DEAD_COST,
    SQL_TOTAL_AT,
    SQL_TOMBSTONES_AFTER,
    SQL_TOMBSTONE_SUM,
    SQL_OLDEST_KEPT,
    SQL_REMOVE_EVENTS,
    SQL_REMOVE_BODIES,
    SQL_REMOVE_TOMBSTONES,
    SQL_OLDEST_UNDELIVERED,
    SQL_WALK_EVENTS,
    SQL_WALK_DEAD,
    SQL_READ_BATCH,
    SQL_SCAN_EVENTS,
    SQL_SCAN_DEAD,
    SQL_READ_BODY,
    SQL_READ_DEAD_BODY,
    SQL_LAST_DEAD,
    SQL_PAGES,
    SQL_FREE_PAGES,
    SQL_COUNT,
};

/* The single row of table mark. Sums are kept, so that nobody has to count rows. A total is the
 * sum of event_cost_bytes of all events ever stored, up to and including one; tombstones are in it.
 */
struct store_totals {
    uint64_t last_seq, last_total;
    uint64_t delivered_seq, delivered_total;
    uint64_t removed_seq, removed_total; /* rows up to here have been removed */
    uint64_t undelivered_count, undelivered_bytes;
    uint64_t kept_count, kept_bytes;
    uint64_t dead_count, dead_bytes;
};

struct store_vfs;

struct store {
    sqlite3 *db;
    char *path;
    struct store_vfs *vfs; /* NULL: a reader */
    bool owns_vfs;
    sqlite3_stmt *statements[SQL_COUNT];

    /* the writer's */
    struct store_totals totals;    /* with the open transaction's changes */
    struct store_totals committed; /* without them */
    bool synced;                   /* the connection's synchronous is FULL */
    uint64_t wal_bytes;
};

/* ---- store.c ---- */

enum { STORE_BUSY_WAIT_MS = 1000 }; /* another program at our file, or a recovery under way */

/* What went wrong last on this handle, as status and text: `what: SQLite's words`. */
enum status store_fail(const struct store *store, struct err *err, const char *what);
/* NULL: failed, see store_fail. Give it back with sqlite3_reset. */
sqlite3_stmt *store_statement(struct store *store, enum store_sql which);
/* Runs a statement that gives no rows, and resets it. stmt may be NULL: failed to prepare. */
enum status store_run(struct store *store, sqlite3_stmt *stmt, struct err *err,
                      const char *what) MUST_USE;
/* Runs a statement that gives at most one row of numbers (NULL reads as 0), and resets it.
 * *out_found may be NULL: then there must be a row. */
enum status store_query(struct store *store, sqlite3_stmt *stmt, int64_t *out_numbers,
                        int count, bool *out_found, struct err *err, const char *what) MUST_USE;
enum status store_exec(struct store *store, const char *sql, struct err *err) MUST_USE;
enum status store_read_totals(struct store *store, struct store_totals *out_totals,
                              struct err *err) MUST_USE;
/* 0: no such file. */
uint64_t store_file_bytes(const char *path, const char *suffix);
void store_totals_stats(const struct store_totals *totals, struct store_stats *out_stats);

/* ---- schema.c ---- */

/* Large pages: a cold start reads a quarter as many, and little room is lost behind bodies of a
 * few kilobytes. */
enum { STORE_PAGE_BYTES = 16384 };

/* ST_INVALID unless the file is an outbox that this version can read. A file without any
 * content is *out_empty. Writes nothing. */
enum status store_check_identity(struct store *store, bool *out_empty,
                                 struct err *err) MUST_USE;
/* Brings an empty or older file to today's format, in one transaction. */
enum status store_migrate(struct store *store, struct err *err) MUST_USE;

/* ---- sync.c: SQLite's file layer with our own sync around it ---- */

/* Gives a file layer for store_vfs_destroy, after every connection that uses it is closed. */
struct store_vfs *store_vfs_create(void);
void store_vfs_destroy(struct store_vfs *vfs);
const char *store_vfs_name(const struct store_vfs *vfs);
bool store_vfs_sync_failed(const struct store_vfs *vfs); /* any thread */
/* Why a write, a sync or a mapping of the log's index failed last on this thread. */
int store_vfs_errno(void);

#endif
