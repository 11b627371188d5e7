/*
 * store/internal - what the files of store share. Calls go down this list only:
 *
 *   salvage.c      what can be saved of an outbox that is damaged
 *   open.c         opening the writer
 *   create.c       a new outbox
 *   write.c        transactions, and rows in
 *   remove.c       rows out: buried, dropped, delivered, no longer kept
 *   held.c         events that wait below the watermark
 *   identity.c     what dedupe has learned, longer than events are kept
 *   state.c        retained states: which event is the newest of its topic
 *   list.c         listings, page by page
 *   reader.c       opening a reader
 *   read.c         rows read
 *   row.c          an event as the columns of a row, both ways
 *   schema.c       the format on disk
 *   connection.c   a handle's connection, and its end
 *   statements.c   the SQL, errors, sums, and the write-ahead log
 *   record.c       how far the outbox was synced
 *   files.c        the lock, and whether the files are still the same
 *   sync.c         SQLite's file layer, which remembers a failed sync
 */
#ifndef BRIDGE_STORE_INTERNAL_H
#define BRIDGE_STORE_INTERNAL_H

#include <stdatomic.h>

#include <sys/stat.h>

#include <sqlite3.h>

#include "bridge/store/writer.h"

/* ---- rows ---- */

/* The columns that the tables event and dead share: name, kind, member of struct event. What
 * binds and reads a row and the SQL are made from this list, so a new column is added here, and
 * in schema.c as a migration of both tables. */
#define EVENT_COLUMNS(COLUMN)                                                                  \
    COLUMN(id, BYTES, id)                                                                      \
    COLUMN(received_ms, INTEGER, received_ms)                                                  \
    COLUMN(event_ms, TIME, event_ms)                                                           \
    COLUMN(dedupe_key, BYTES, identity.key)                                                    \
    COLUMN(digest, BYTES, identity.digest)                                                     \
    COLUMN(source, TEXT, source)                                                               \
    COLUMN(event, TEXT, event)                                                                 \
    COLUMN(resource_type, TEXT, resource_type)                                                 \
    COLUMN(gid, TEXT, gid)                                                                     \
    COLUMN(delivery_id, TEXT, delivery_id)                                                     \
    COLUMN(topic, TEXT, topic)                                                                 \
    COLUMN(state_topic, TEXT, state_topic)                                                     \
    COLUMN(expiry_s, INTEGER, expiry_s)                                                        \
    COLUMN(qos, INTEGER, qos)                                                                  \
    COLUMN(flags, FLAGS, )

/* The bits of the column flags, and what they are in struct event. On disk: never give a bit a
 * second meaning. ROW_COPY comes on top of ROW_REPLAYED, which a retried dead letter has too. */
enum { ROW_RETAIN = 1, ROW_DELETION = 2, ROW_REPLAYED = 4, ROW_COPY = 8 };
#define EVENT_FLAGS(FLAG)                                                                      \
    FLAG(retain, ROW_RETAIN)                                                                   \
    FLAG(deletion, ROW_DELETION)                                                               \
    FLAG(replayed, ROW_REPLAYED)                                                               \
    FLAG(copy, ROW_COPY)

/* ---- identity.c; within a transaction ---- */

/* Gives each event that has none yet its row in `identity`, and removes the oldest rows beyond the
 * number to keep. */
enum status store_save_identities(struct store *store, struct err *err) MUST_USE;
/* Adds one that no event row has. received_ms CLOCK_NONE: the event was dropped. */
enum status store_add_identity(struct store *store, const struct event *event,
                               int64_t received_ms, struct err *err) MUST_USE;

/* ---- state.c ---- */

/* Within a transaction. Guards a retained state against older events. Decided here, in the order of
 * acceptance, and stored with the event, so that neither a late delivery nor a restart brings an
 * old state back. Of equal times the event accepted last wins; a copy counts as accepted when its
 * original was. An event that is older loses its state topic. */
enum status store_guard_state(struct store *store, struct event *event, uint64_t accepted_seq,
                              struct err *err) MUST_USE;
/* When will the next state be gone? */
enum status store_find_gone_states(struct store *store, struct err *err) MUST_USE;

/* ---- row.c ---- */

void store_bind_time(sqlite3_stmt *stmt, int at, int64_t time_ms); /* CLOCK_NONE: NULL */
int64_t store_read_time(sqlite3_stmt *stmt, int column);
/* Binds EVENT_COLUMNS, from parameter `at` on. Borrows the event until the statement is reset. */
void store_bind_event(sqlite3_stmt *stmt, int at, const struct event *event);
void store_bind_text(sqlite3_stmt *stmt, int at, struct slice text);
void store_bind_body(sqlite3_stmt *stmt, int at, struct slice body);
/* Reads EVENT_COLUMNS, from column `at` on; borrows from the statement until its next step.
 * False: the row is damaged. */
bool store_decode_event(sqlite3_stmt *stmt, int at, struct event *out_event);
struct slice store_read_text(sqlite3_stmt *stmt, int column);
struct slice store_read_body(sqlite3_stmt *stmt, int column);
/* False: not so many bytes. */
bool store_read_bytes(sqlite3_stmt *stmt, int column, void *out_bytes, size_t size_bytes);

/* ---- statements: prepared when first used, kept until the handle is closed ---- */

enum store_sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_READ_TOTALS,
    SQL_WRITE_TOTALS,
    SQL_ADD_EVENT,
    SQL_ADD_BODY,
    SQL_ADD_STATE,
    SQL_FORGET_STATE,
    SQL_NEXT_GONE,
    SQL_REMOVE_GONE,
    SQL_LIST_STATES,
    SQL_ADD_DEAD,
    SQL_BURY,
    SQL_DROP_BODY,
    SQL_ADD_TOMBSTONE,
    SQL_DROP_DEAD,
    SQL_DEAD_COST,
    SQL_TOTAL_AT,
    SQL_TOMBSTONES_AFTER,
    SQL_TOMBSTONE_SUM,
    SQL_HOLD,
    SQL_HOLD_AGAIN,
    SQL_HOLD_UNREAD,
    SQL_HELD_COST,
    SQL_HELD_SUM,
    SQL_FIRST_HELD,
    SQL_UNHOLD,
    SQL_WALK_HELD,
    SQL_READ_ONE,
    SQL_REMOVE_EVENT,
    SQL_OLDEST_KEPT,
    SQL_REMOVE_EVENTS,
    SQL_REMOVE_BODIES,
    SQL_REMOVE_TOMBSTONES,
    SQL_OLDEST_UNDELIVERED,
    SQL_SAVE_IDENTITIES,
    SQL_ADD_IDENTITY,
    SQL_TRIM_IDENTITIES,
    SQL_WALK_IDENTITIES,
    SQL_WALK_EVENTS,
    SQL_READ_BATCH,
    SQL_SCAN_EVENTS,
    SQL_SCAN_DEAD,
    SQL_SCAN_EVENTS_DOWN,
    SQL_SCAN_DEAD_DOWN,
    SQL_READ_BODY,
    SQL_READ_DEAD_BODY,
    SQL_LAST_DEAD,
    SQL_PAGES,
    SQL_FREE_PAGES,
    SQL_COUNT,
};

/* The single row of table mark: sums, so that nobody has to count rows. A total is the sum of
 * event_cost_bytes of all events ever stored, up to and including one; tombstones are part of
 * it. The struct and its SQL are made from this list; a new number needs a migration besides. */
#define STORE_TOTALS(NUMBER)                                                                   \
    NUMBER(last_seq)                                                                           \
    NUMBER(last_total)                                                                         \
    NUMBER(delivered_seq)                                                                      \
    NUMBER(delivered_total)                                                                    \
    NUMBER(removed_seq) /* rows up to this one have been removed */                            \
    NUMBER(removed_total)                                                                      \
    NUMBER(undelivered_count)                                                                  \
    NUMBER(undelivered_bytes)                                                                  \
    NUMBER(kept_count)                                                                         \
    NUMBER(kept_bytes)                                                                         \
    NUMBER(dead_count)                                                                         \
    NUMBER(dead_bytes)                                                                         \
    NUMBER(identified_seq) /* events up to this one have a row in `identity` */                \
    NUMBER(synced_count)   /* transactions that were synced */                                 \
    NUMBER(lost_count)     /* events that were answered, and missing at a start */             \
    NUMBER(refused_count)  /* of the dead letters: refused by the broker */                    \
    NUMBER(refused_bytes)                                                                      \
    NUMBER(held_count) /* of the undelivered events: held */                                   \
    NUMBER(held_bytes)
#define STORE_DECLARE_TOTAL(name) uint64_t name;
struct store_totals {
    STORE_TOTALS(STORE_DECLARE_TOTAL)
};

struct store_vfs;

/* What a name meant when it was opened. */
struct store_file {
    dev_t device;
    ino_t inode;
};

/* A new resource is freed in store_close. */
struct store {
    sqlite3 *db;
    char *path;            /* behind all links */
    struct store_vfs *vfs; /* NULL for a reader */
    bool owns_vfs;
    sqlite3_stmt *statements[SQL_COUNT];

    /* the writer's */
    struct store_totals totals;    /* with the open transaction's changes */
    struct store_totals committed; /* without them */
    uint64_t identity_count;       /* how many identities to keep */
    int64_t next_gone_ms;          /* no state is gone before this; INT64_MAX: none will be */
    bool synced;                   /* the connection's synchronous is FULL */
    sqlite3_int64
        changes_before; /* rows that the connection had changed before the transaction */
    int record_fd;      /* -1: none */
    uint64_t wal_bytes;
    int lock_fd; /* -1: none */
    struct store_file database_file, log_file, index_file;
    char *log_name, *index_name;

    /* a reader's */
    bool shared;      /* with a running bridge, by SQLite's locks */
    struct stat seen; /* else: the database file as it was */
};

/* ---- statements.c ---- */

enum { STORE_BUSY_WAIT_MS = 1000 }; /* another program at our file, or a recovery under way */

/* The last error on this handle as status and text: `what: SQLite's words`. */
enum status store_fail(const struct store *store, struct err *err, const char *what);
/* ST_INVALID: `damaged: <what>`, and what to do. */
enum status store_damaged(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);
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
void store_totals_stats(const struct store_totals *totals, struct store_stats *out_stats);

/* ---- connection.c ---- */

/* Gives a handle without a connection, for store_close. */
struct store *store_alloc(const char *path) MUST_USE;
/* The writer's; store->vfs is set. */
enum status store_connect(struct store *store, struct err *err) MUST_USE;
/* name: a path or URI; vfs: NULL for SQLite's own. */
enum status store_connect_by(struct store *store, const char *name, int flags, const char *vfs,
                             struct err *err) MUST_USE;
/* WAL, synchronous=FULL and the rest of what a writing connection needs. */
enum status store_set_up(struct store *store, struct err *err) MUST_USE;

/* ---- create.c ---- */

/* The lock on the draft is held, and becomes the lock on the outbox. */
enum status store_create(const struct store *store, struct err *err) MUST_USE;
/* ---- held.c ---- */

struct store_sum {
    uint64_t count, bytes;
};
/* Of the held events after `after` and up to upto. */
enum status store_sum_held(struct store *store, uint64_t after, uint64_t upto,
                           struct store_sum *out_sum, struct err *err) MUST_USE;
/* *out_held: the event was held and is no longer; then *out_cost is its cost. */
enum status store_unhold(struct store *store, uint64_t seq, bool *out_held, uint64_t *out_cost,
                         struct err *err) MUST_USE;

/* ---- schema.c ---- */

/* Large pages: a cold start reads a quarter as many, and bodies of a few kilobytes waste little
 * room. */
enum { STORE_PAGE_BYTES = 16384 };

/* ST_INVALID unless the file is an outbox that this version can read. Writes nothing. */
enum status store_check_identity(struct store *store, struct err *err) MUST_USE;
/* For who only reads, and so migrates nothing: ST_INVALID if the format is older than today's. */
enum status store_check_format(struct store *store, struct err *err) MUST_USE;
/* Brings an empty or older file to today's format, in one transaction. */
enum status store_migrate(struct store *store, struct err *err) MUST_USE;

/* ---- record.c: how far the outbox was synced, in a file beside it ---- */

#define STORE_RECORD "-synced" /* the name of that file ends in this */

struct store_record {
    uint64_t synced_count, last_seq;
};
/* Opens or creates the file, for the writer. */
enum status store_open_record(struct store *store, struct err *err) MUST_USE;
/* False: there is none that can be read. */
bool store_read_record(const struct store *store, struct store_record *out_record);
/* After each synced commit, before anybody is told of it. */
void store_write_record(const struct store *store);

/* ---- files.c ---- */

#define STORE_DRAFT ".new" /* the name of an outbox that is being made ends in this */

/* path and suffix, for free(). */
char *store_name(const char *path, const char *suffix) MUST_USE;
/* 0: no such file. */
uint64_t store_file_bytes(const char *path, const char *suffix);
bool store_file_exists(const char *path, const char *suffix);
/* The file behind the links of path, for free(). ST_NOT_FOUND: there is none. */
enum status store_find_file(const char *path, char **out_real_path, struct err *err) MUST_USE;
/* ST_INVALID if the database file has no bytes: SQLite would take it for a new one. */
enum status store_refuse_empty(const struct store *store, struct err *err) MUST_USE;

/* Locks the outbox's file; or, if there is none, the draft for it: then *out_new. ST_BUSY:
 * another process has the lock. ST_INVALID: there is a log without an outbox. */
enum status store_lock(struct store *store, bool *out_new, struct err *err) MUST_USE;
void store_unlock(struct store *store);
/* The files are open: remembers which ones they are. */
enum status store_note_files(struct store *store, struct err *err) MUST_USE;

/* For a reader that nothing protects from a bridge which starts meanwhile: has the database file
 * changed? */
void store_note_version(struct store *store);
/* After a read with this outcome. ST_BUSY: what was read may be wrong, because the file has changed. */
enum status store_end_reading(const struct store *store, enum status st,
                              struct err *err) MUST_USE;

/* ---- sync.c: SQLite's file layer with our own sync around it ---- */

/* Gives a file layer for store_vfs_destroy, after every connection that uses it is closed. */
struct store_vfs *store_vfs_create(void);
void store_vfs_destroy(struct store_vfs *vfs);
const char *store_vfs_name(const struct store_vfs *vfs);
bool store_vfs_sync_failed(const struct store_vfs *vfs); /* any thread */
/* The errno of the last failed write, sync or mapping of the log's index on this thread. */
int store_vfs_errno(void);

#endif
