/*
 * The SQL, what its errors mean, the row of sums, and the size of the write-ahead log.
 *
 * A statement is prepared when it is first used and kept until the handle is closed. Each use
 * binds, steps and resets. An error becomes a status here: no room and locked files are for
 * trying again, anything else is final.
 */
#include "bridge/store/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

enum { READER_WAIT_MS = 20 }; /* how long a checkpoint of the rest waits for readers */

/* Each begins with a comma. A ? is the parameter after the last one before it. */
#define NAME_COLUMN(name, kind, member) ", " #name
#define COLUMN_NAMES                    EVENT_COLUMNS(NAME_COLUMN)
#define BIND_COLUMN(name, kind, member) ",?"
#define COLUMN_PARAMETERS               EVENT_COLUMNS(BIND_COLUMN)
#define NAME_TOTAL(name)                ", " #name
#define SET_TOTAL(name)                 ", " #name "=?"

#define IDENTITY_COLUMNS "dedupe_key, digest, id, received_ms"
/* Copies made by hand take no part in dedupe, nor do events without an identity. 4: ROW_REPLAYED */
#define UNSAVED_IDENTITIES                                                                     \
    " WHERE seq > ?1 AND flags & 4 = 0 AND dedupe_key <> zeroblob(16) ORDER BY seq"
#define SCAN_EVENTS                                                                            \
    "SELECT seq, seq, NULL, seq IN (SELECT seq FROM held)" COLUMN_NAMES " FROM event"          \
    " WHERE seq > ?1 AND seq <= ?2 AND seq NOT IN (SELECT seq FROM gap) ORDER BY seq"
#define SCAN_DEAD                                                                              \
    "SELECT dead_key, seq, reason, 0" COLUMN_NAMES " FROM dead"                                \
    " WHERE dead_key > ?1 AND dead_key <= ?2 ORDER BY dead_key"

static const char *const statement_text[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_READ_TOTALS] = "SELECT one" STORE_TOTALS(NAME_TOTAL) " FROM mark",
    [SQL_WRITE_TOTALS] = "UPDATE mark SET one=1" STORE_TOTALS(SET_TOTAL) " WHERE one=1",
    [SQL_ADD_EVENT] = "INSERT INTO event(seq, total_bytes" COLUMN_NAMES ")"
                      " VALUES(?1, ?2" COLUMN_PARAMETERS ")",
    [SQL_ADD_BODY] = "INSERT INTO body(seq, body) VALUES(?1, ?2)",
    /* No row changed: the state on disk is newer. By the events' own times, if both have one; else
     * by acceptance. An event without a time leaves the newest time that is known: what is older
     * than that stays so. */
    [SQL_ADD_STATE] =
        "INSERT INTO state(topic, event_ms, seq, received_ms, source, event, body_bytes, "
        "gone_ms)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        " ON CONFLICT(topic) DO UPDATE SET event_ms=coalesce(excluded.event_ms, event_ms),"
        " seq=excluded.seq, received_ms=excluded.received_ms, source=excluded.source,"
        " event=excluded.event, body_bytes=excluded.body_bytes,"
        " gone_ms=CASE WHEN excluded.gone_ms IS NOT NULL"
        " THEN max(excluded.gone_ms, coalesce(gone_ms, 0)) END"
        " WHERE CASE WHEN excluded.event_ms <> state.event_ms"
        " THEN excluded.event_ms > state.event_ms ELSE excluded.seq >= state.seq END",
    [SQL_FORGET_STATE] = "DELETE FROM state WHERE topic = ?1",
    [SQL_NEXT_GONE] = "SELECT gone_ms FROM state WHERE gone_ms IS NOT NULL"
                      " ORDER BY gone_ms LIMIT 1",
    [SQL_REMOVE_GONE] = "DELETE FROM state WHERE topic IN"
                        " (SELECT topic FROM state WHERE gone_ms < ?1 LIMIT 256)",
    [SQL_LIST_STATES] = "SELECT topic, event_ms, seq, received_ms, source, event, body_bytes,"
                        " gone_ms FROM state WHERE topic > ?1 AND (?2 IS NULL OR source = ?2)"
                        " ORDER BY topic LIMIT 256",
    [SQL_ADD_DEAD] =
        "INSERT INTO dead(seq, cost_bytes, buried_ms, reason, body" COLUMN_NAMES ")"
        " VALUES(0, ?1, ?2, ?3, ?4" COLUMN_PARAMETERS ")",
    [SQL_BURY] = "INSERT INTO dead(seq, cost_bytes, buried_ms, reason, body" COLUMN_NAMES ")"
                 " SELECT event.seq, ?2, ?3, ?4, body" COLUMN_NAMES
                 " FROM event CROSS JOIN body ON body.seq = event.seq WHERE event.seq = ?1",
    [SQL_DROP_BODY] = "DELETE FROM body WHERE seq = ?1",
    [SQL_ADD_TOMBSTONE] = "INSERT INTO gap(seq, cost_bytes) VALUES(?1, ?2)",
    [SQL_DROP_DEAD] = "DELETE FROM dead WHERE dead_key = ?1",
    [SQL_DEAD_COST] = "SELECT cost_bytes, seq > 0 FROM dead WHERE dead_key = ?1",
    [SQL_TOTAL_AT] = "SELECT total_bytes FROM event WHERE seq = ?1",
    [SQL_TOMBSTONES_AFTER] = "SELECT seq FROM gap WHERE seq > ?1 ORDER BY seq",
    [SQL_TOMBSTONE_SUM] =
        "SELECT count(*), sum(cost_bytes) FROM gap WHERE seq > ?1 AND seq <= ?2",
    [SQL_HOLD] = "INSERT INTO held(seq, cost_bytes, since_ms, reason)"
                 " SELECT seq, ?2, ?3, ?4 FROM body WHERE seq = ?1",
    [SQL_HOLD_AGAIN] = "UPDATE held SET since_ms = ?2, reason = ?3 WHERE seq = ?1",
    /* Undelivered events after ?1 (to which the total is ?2) and before the newest held one. */
    [SQL_HOLD_UNREAD] =
        "INSERT INTO held(seq, cost_bytes, since_ms, reason)"
        " SELECT now.seq, now.total_bytes - coalesce(before.total_bytes, ?2), 0, 0"
        " FROM event AS now LEFT JOIN event AS before ON before.seq = now.seq - 1"
        " WHERE now.seq > ?1 AND now.seq < (SELECT max(seq) FROM held)"
        " AND now.seq NOT IN (SELECT seq FROM gap) AND now.seq NOT IN (SELECT seq FROM held)",
    [SQL_HELD_COST] = "SELECT cost_bytes FROM held WHERE seq = ?1",
    [SQL_HELD_SUM] = "SELECT count(*), sum(cost_bytes), max(seq) FROM held"
                     " WHERE seq > ?1 AND seq <= ?2",
    [SQL_FIRST_HELD] = "SELECT min(seq) FROM held",
    [SQL_UNHOLD] = "DELETE FROM held WHERE seq = ?1",
    [SQL_WALK_HELD] = "SELECT held.seq, held.cost_bytes, since_ms, reason" COLUMN_NAMES
                      " FROM held CROSS JOIN event ON event.seq = held.seq ORDER BY held.seq",
    [SQL_READ_ONE] = "SELECT event.seq, body" COLUMN_NAMES
                     " FROM event CROSS JOIN body ON body.seq = event.seq WHERE event.seq = ?1",
    [SQL_REMOVE_EVENT] = "DELETE FROM event WHERE seq = ?1",
    [SQL_OLDEST_KEPT] = "SELECT seq, received_ms, total_bytes,"
                        " seq IN (SELECT seq FROM gap) FROM event"
                        " WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
    [SQL_REMOVE_EVENTS] = "DELETE FROM event WHERE seq > ?2 AND seq <= ?1"
                          " AND seq NOT IN (SELECT seq FROM held)",
    [SQL_REMOVE_BODIES] = "DELETE FROM body WHERE seq > ?2 AND seq <= ?1"
                          " AND seq NOT IN (SELECT seq FROM held)",
    [SQL_REMOVE_TOMBSTONES] = "DELETE FROM gap WHERE seq > ?2 AND seq <= ?1",
    [SQL_OLDEST_UNDELIVERED] =
        "SELECT received_ms FROM event WHERE seq IN ("
        "(SELECT min(seq) FROM held), (SELECT seq FROM event WHERE seq > ?1"
        " AND seq NOT IN (SELECT seq FROM gap) ORDER BY seq LIMIT 1)) ORDER BY seq LIMIT 1",
    [SQL_SAVE_IDENTITIES] = "INSERT INTO identity(" IDENTITY_COLUMNS ")"
                            " SELECT " IDENTITY_COLUMNS " FROM event" UNSAVED_IDENTITIES,
    [SQL_ADD_IDENTITY] = "INSERT INTO identity(" IDENTITY_COLUMNS ") VALUES(?1, ?2, ?3, ?4)",
    [SQL_TRIM_IDENTITIES] = "DELETE FROM identity"
                            " WHERE n <= (SELECT max(n) FROM identity) - ?1",
    [SQL_WALK_IDENTITIES] = "SELECT " IDENTITY_COLUMNS " FROM identity"
                            " WHERE n > (SELECT max(n) FROM identity) - ?1 ORDER BY n",
    [SQL_WALK_EVENTS] = "SELECT " IDENTITY_COLUMNS " FROM event" UNSAVED_IDENTITIES,
    [SQL_READ_BATCH] = "SELECT event.seq, body" COLUMN_NAMES
                       " FROM event CROSS JOIN body ON body.seq = event.seq"
                       " WHERE event.seq > ?1 AND event.seq <= ?2 ORDER BY event.seq LIMIT ?3",
    [SQL_SCAN_EVENTS] = SCAN_EVENTS,
    [SQL_SCAN_DEAD] = SCAN_DEAD,
    [SQL_SCAN_EVENTS_DOWN] = SCAN_EVENTS " DESC",
    [SQL_SCAN_DEAD_DOWN] = SCAN_DEAD " DESC",
    [SQL_READ_BODY] = "SELECT body FROM body WHERE seq = ?1",
    [SQL_READ_DEAD_BODY] = "SELECT body FROM dead WHERE dead_key = ?1",
    [SQL_PAGES] = "PRAGMA page_count",
    [SQL_FREE_PAGES] = "PRAGMA freelist_count",
    [SQL_LAST_DEAD] = "SELECT coalesce(max(dead_key), 0) FROM dead",
};

/* ---- errors ---- */

/* EFBIG: a limit on the size of files. */
static bool is_lack_of_room(int sys_errno)
{
    return sys_errno == ENOSPC || sys_errno == EDQUOT || sys_errno == EFBIG;
}

static enum status classify(int rc, int sys_errno)
{
    switch (rc & 0xFF) {
    case SQLITE_FULL:
        return ST_FULL;
    case SQLITE_IOERR:
        return (rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_SHMSIZE) &&
                       is_lack_of_room(sys_errno)
                   ? ST_FULL
                   : ST_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ST_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ST_INVALID;
    default:
        return ST_IO;
    }
}

enum status store_damaged(struct err *err, const char *format, ...)
{
    char what[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return err_set(err, ST_INVALID,
                   "damaged: %s; stop the bridge, then: hook2mqtt outbox salvage", what);
}

enum status store_fail(const struct store *store, struct err *err, const char *what)
{
    int rc = sqlite3_extended_errcode(store->db);
    bool by_vfs =
        rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_SHMSIZE;
    int sys_errno = by_vfs ? store_vfs_errno() : sqlite3_system_errno(store->db);
    enum status st = classify(rc, sys_errno);
    bool by_system = (rc & 0xFF) == SQLITE_IOERR || (rc & 0xFF) == SQLITE_CANTOPEN;

    if (rc == SQLITE_NOTADB) {
        return err_set(
            err, st,
            "%s: %s: not an outbox, or its beginning is damaged; restore a backup, or "
            "move it away to start anew",
            what, sqlite3_errmsg(store->db));
    }
    if (st == ST_INVALID) {
        return store_damaged(err, "%s: %s", what, sqlite3_errmsg(store->db));
    }
    if (by_system && sys_errno != 0) {
        return err_set_errno(err, st, sys_errno, "%s: %s", what, sqlite3_errmsg(store->db));
    }
    return err_set(err, st, "%s: %s", what, sqlite3_errmsg(store->db));
}

/* ---- statements ---- */

sqlite3_stmt *store_statement(struct store *store, enum store_sql which)
{
    sqlite3_stmt **slot = &store->statements[which];

    if (*slot == NULL &&
        sqlite3_prepare_v3(store->db, statement_text[which], -1, SQLITE_PREPARE_PERSISTENT,
                           slot, NULL) != SQLITE_OK) {
        return NULL;
    }
    return *slot;
}

enum status store_run(struct store *store, sqlite3_stmt *stmt, struct err *err,
                      const char *what)
{
    int rc = stmt == NULL ? SQLITE_ERROR : sqlite3_step(stmt);
    enum status st = rc == SQLITE_DONE ? ST_OK : store_fail(store, err, what);

    if (stmt != NULL) {
        (void)sqlite3_reset(stmt); /* repeats the step's error */
    }
    return st;
}

enum status store_query(struct store *store, sqlite3_stmt *stmt, int64_t *out_numbers,
                        int count, bool *out_found, struct err *err, const char *what)
{
    int rc = stmt == NULL ? SQLITE_ERROR : sqlite3_step(stmt);
    enum status st = ST_OK;

    for (int i = 0; i < count && rc == SQLITE_ROW; i++) {
        out_numbers[i] = sqlite3_column_int64(stmt, i);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        st = store_fail(store, err, what);
    } else if (rc == SQLITE_DONE && out_found == NULL) {
        st = store_damaged(err, "%s: a row is missing", what);
    } else if (out_found != NULL) {
        *out_found = rc == SQLITE_ROW;
    }
    if (stmt != NULL) {
        (void)sqlite3_reset(stmt); /* repeats the step's error */
    }
    return st;
}

enum status store_exec(struct store *store, const char *sql, struct err *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? ST_OK
               : store_fail(store, err, "set up");
}

/* ---- sums ---- */

enum status store_read_totals(struct store *store, struct store_totals *out_totals,
                              struct err *err)
{
    int64_t numbers[1 + sizeof(struct store_totals) / sizeof(uint64_t)] = {0};
    const int64_t *number = &numbers[1]; /* behind the key */
    enum status st = store_query(store, store_statement(store, SQL_READ_TOTALS), numbers,
                                 COUNT_OF(numbers), NULL, err, "read the totals");

    if (st == ST_OK) {
#define READ(name) out_totals->name = (uint64_t)*number++;
        STORE_TOTALS(READ)
#undef READ
    }
    return st;
}

void store_totals_stats(const struct store_totals *totals, struct store_stats *out_stats)
{
    *out_stats = (struct store_stats){
        .first_seq = totals->removed_seq < totals->last_seq ? totals->removed_seq + 1 : 0,
        .last_seq = totals->last_seq,
        .delivered_seq = totals->delivered_seq,
        .undelivered_count = totals->undelivered_count,
        .undelivered_bytes = totals->undelivered_bytes,
        .kept_count = totals->kept_count,
        .kept_bytes = totals->kept_bytes,
        .dead_count = totals->dead_count,
        .dead_bytes = totals->dead_bytes,
        .lost_count = totals->lost_count,
        .refused_count = totals->refused_count,
        .refused_bytes = totals->refused_bytes,
        .held_count = totals->held_count,
        .oldest_undelivered_ms = CLOCK_NONE,
        .oldest_kept_ms = CLOCK_NONE,
    };
}

int64_t store_age_s(int64_t received_ms, int64_t now_unix_ms)
{
    int64_t age_ms = received_ms == CLOCK_NONE ? 0 : now_unix_ms - received_ms;

    return age_ms > 0 ? age_ms / 1000 : 0; /* the clock may have been set back */
}

/* ---- the write-ahead log ---- */

bool store_sync_failed(const struct store *writer)
{
    return store_vfs_sync_failed(writer->vfs);
}

uint64_t store_wal_bytes(const struct store *writer)
{
    return writer->wal_bytes;
}

static uint64_t excess(uint64_t wanted, uint64_t there)
{
    return wanted > there ? wanted - there : 0;
}

enum status store_estimate(struct store *store, const struct store_sizes *sizes,
                           uint64_t event_bytes, struct store_needs *out_needs, struct err *err)
{
    enum { TOUCHED_PAGES = 16 }; /* written by every commit, whatever its size */
    int64_t pages = 0, free_pages = 0;
    enum status st = store_query(store, store_statement(store, SQL_PAGES), &pages, 1, NULL, err,
                                 "count pages");

    if (st == ST_OK) {
        st = store_query(store, store_statement(store, SQL_FREE_PAGES), &free_pages, 1, NULL,
                         err, "count free pages");
    }
    if (st == ST_OK) {
        *out_needs = (struct store_needs){
            .written_bytes =
                event_bytes + event_bytes / 4 + (uint64_t)TOUCHED_PAGES * STORE_PAGE_BYTES,
            .log_room_bytes = excess(sizes->log_bytes, store->wal_bytes),
            .pending_bytes = excess((uint64_t)pages * STORE_PAGE_BYTES, sizes->database_bytes),
            .unused_bytes = (uint64_t)free_pages * STORE_PAGE_BYTES,
        };
    }
    return st;
}

enum status store_limit_log(struct store *store, uint64_t bytes, struct err *err)
{
    char pragma[64];

    (void)snprintf(pragma, sizeof(pragma), "PRAGMA journal_size_limit=%llu",
                   (unsigned long long)bytes);
    return store_exec(store, pragma, err);
}

enum status store_checkpoint(struct store *store, bool rest, struct err *err)
{
    int mode = rest ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    enum status st = ST_OK;

    (void)sqlite3_busy_timeout(store->db, READER_WAIT_MS); /* cannot fail */
    if (sqlite3_wal_checkpoint_v2(store->db, NULL, mode, NULL, NULL) != SQLITE_OK) {
        st = store_fail(store, err, "checkpoint");
    } else if (rest) {
        store->wal_bytes = 0;
    }
    (void)sqlite3_busy_timeout(store->db, STORE_BUSY_WAIT_MS);
    return st;
}
