/*
 * Opening and closing a handle: the writer, its checkpointer, or a reader.
 *
 * The writer on the good path: create the file if there is none, connect, check that it is an
 * outbox, set WAL and full sync and read both back, migrate, read the sums, compare them with the
 * newest row, sync the folder. The first connection after a crash replays the log; SQLite does
 * that by itself.
 *
 * What can fail: a file that is not an outbox, is damaged or of a newer format is left as it is.
 * If we die while creating, the file may be empty or gone; nothing in it was promised yet. After
 * a failed sync, closing leaves the log alone, because the next start must read it.
 */
#include "bridge/store/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"

enum {
    /* The log's file is truncated to this when it starts over: more than usual, because a file
     * that grows makes each sync slower. */
    LOG_FILE_BYTES = 67108864,
    LOG_HEADER_BYTES = 32,
    FRAME_HEADER_BYTES = 24,
};

/* ---- opening ---- */

static void log_message(void *ctx, int rc, const char *text)
{
    (void)ctx;
    switch (rc & 0xFF) {
    case SQLITE_NOTICE: /* recovered frames from the write-ahead log */
        log_info("outbox database", L_STR("notice", text));
        break;
    case SQLITE_WARNING:
        log_warn("outbox database", L_STR("warning", text));
        break;
    default: /* also returned as an error, and logged where that is handled */
        log_debug("outbox database", L_INT("code", rc), L_STR("error", text));
    }
}

static void configure_sqlite(void)
{
    /* Fails only if SQLite runs already: then without. */
    (void)sqlite3_config(SQLITE_CONFIG_LOG, log_message, NULL);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* saves a lock around every malloc */
}

static struct store *store_alloc(const char *path)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct store *store = xalloc(sizeof(*store));

    CHECK(pthread_once(&once, configure_sqlite) == 0);
    store->path = xstrdup(path);
    return store;
}

static enum status connect(struct store *store, struct err *err)
{
    int rc =
        sqlite3_open_v2(store->path, &store->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                        store->vfs != NULL ? store_vfs_name(store->vfs) : NULL);

    if (rc != SQLITE_OK) {
        return store->db != NULL ? store_fail(store, err, "open")
                                 : err_set(err, ST_IO, "open: %s", sqlite3_errstr(rc));
    }
    (void)sqlite3_busy_timeout(store->db, STORE_BUSY_WAIT_MS); /* cannot fail */
    /* The file may have been written by another program. */
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return ST_OK;
}

static int note_log_size(void *ctx, sqlite3 *db, const char *name, int frame_count)
{
    struct store *store = ctx;

    (void)db;
    (void)name;
    store->wal_bytes =
        LOG_HEADER_BYTES + (uint64_t)frame_count * (STORE_PAGE_BYTES + FRAME_HEADER_BYTES);
    return SQLITE_OK;
}

/* SQLite silently ignores a pragma that it does not know or cannot apply, so the answer is
 * compared. */
static enum status expect_pragma(struct store *store, const char *sql, const char *expected,
                                 struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum status st = ST_OK;
    const char *answer = NULL;

    if (sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        st = store_fail(store, err, sql);
    } else {
        answer = (const char *)sqlite3_column_text(stmt, 0);
        if (answer == NULL || strcmp(answer, expected) != 0) {
            st = err_set(err, ST_IO, "%s: got %s instead of %s", sql,
                         answer != NULL ? answer : "nothing", expected);
        }
    }
    (void)sqlite3_finalize(stmt); /* repeats the step's error */
    return st;
}

static enum status set_up_connection(struct store *store, struct err *err)
{
    char pragmas[320];
    enum status st;

    /* Only the checkpointer checkpoints. Freed pages are not wiped on disk: that would cost a write
     * for each. */
    (void)snprintf(
        pragmas, sizeof(pragmas),
        "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
        "PRAGMA journal_size_limit=%d; PRAGMA secure_delete=FAST;"
        "PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON; PRAGMA cache_size=-4000",
        LOG_FILE_BYTES);
    st = store_exec(store, pragmas, err);
    if (st == ST_OK) {
        st = expect_pragma(store, "PRAGMA journal_mode=WAL", "wal", err);
    }
    if (st == ST_OK) {
        st = expect_pragma(store, "PRAGMA synchronous", "2", err);
    }
    store->synced = true;
    (void)sqlite3_wal_hook(store->db, note_log_size, store); /* returns the hook before: none */
    return st;
}

/* A log without its database has promised events in it. SQLite would start a new database and
 * delete that log. */
static enum status check_leftovers(const char *path, struct err *err)
{
    if (store_file_bytes(path, "") == 0 && store_file_bytes(path, "-wal") > 0) {
        return err_set(
            err, ST_INVALID,
            "empty or missing, but %s-wal is not: bring back the file that belongs to "
            "it, or move it away to start anew",
            path);
    }
    return ST_OK;
}

/* SQLite would create the file readable for everybody. It is opened and closed here only while it
 * is new, because closing would release SQLite's locks. */
static enum status create_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        return errno == EEXIST ? ST_OK : err_set_errno(err, ST_IO, errno, "create");
    }
    (void)close(fd); /* nothing was written */
    return ST_OK;
}

/* The sums and the rows are written in one transaction; if they contradict each other, another
 * program wrote to the file, or the disk lied. */
static enum status check_totals(struct store *store, struct err *err)
{
    const struct store_totals *totals = &store->totals;
    sqlite3_stmt *stmt = store_statement(store, SQL_TOTAL_AT);
    int64_t total = 0;
    bool found = false;
    enum status st;

    if (stmt == NULL) {
        return store_fail(store, err, "read the newest event");
    }
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)totals->last_seq);
    st = store_query(store, stmt, &total, 1, &found, err, "read the newest event");
    if (st != ST_OK) {
        return st;
    }
    if (totals->removed_seq > totals->delivered_seq ||
        totals->delivered_seq > totals->last_seq ||
        found != (totals->removed_seq < totals->last_seq) ||
        (found && (uint64_t)total != totals->last_total)) {
        return err_set(err, ST_INVALID, "damaged: its watermark and its newest event disagree");
    }
    return ST_OK;
}

static enum status set_up_writer(struct store *store, struct err *err)
{
    bool empty = false;
    char pragma[48];
    enum status st = ST_OK;

    /* SQLite silently opens a file read-only if it may not write it. */
    if (sqlite3_db_readonly(store->db, "main") != 0) {
        return err_set(err, ST_IO, "not writable");
    }
    st = store_check_identity(store, &empty, err);

    if (st == ST_OK && empty) {
        (void)snprintf(pragma, sizeof(pragma), "PRAGMA page_size=%d", STORE_PAGE_BYTES);
        st = store_exec(store, pragma, err);
    }
    if (st == ST_OK) {
        st = set_up_connection(store, err);
    }
    if (st == ST_OK) {
        st = store_migrate(store, err);
    }
    if (st == ST_OK) {
        st = store_read_totals(store, &store->totals, err);
    }
    if (st == ST_OK) {
        st = check_totals(store, err);
    }
    store->committed = store->totals;
    store->wal_bytes = store_file_bytes(store->path, "-wal");
    return st;
}

enum status store_open_writer(const char *path, struct store **out_store, struct err *err)
{
    struct store *store = store_alloc(path);
    enum status st = check_leftovers(path, err);

    store->vfs = store_vfs_create();
    store->owns_vfs = true;
    if (st == ST_OK) {
        st = create_file(path, err);
    }
    if (st == ST_OK) {
        st = connect(store, err);
    }
    if (st == ST_OK) {
        st = set_up_writer(store, err);
    }
    /* If we die before this, a power cut may take the file, its log or both; nothing in them was
     * promised yet. */
    if (st == ST_OK) {
        st = file_sync_parent(path, err);
    }
    if (st != ST_OK) {
        store_give_up(store);
        (void)store_close(store); /* err says what failed */
        return err_wrap(err, "open outbox %s", path);
    }
    *out_store = store;
    return ST_OK;
}

enum status store_open_checkpointer(const struct store *writer, struct store **out_store,
                                    struct err *err)
{
    struct store *store = store_alloc(writer->path);
    enum status st;

    store->vfs = writer->vfs;
    st = connect(store, err);
    if (st == ST_OK) {
        st = set_up_connection(store, err);
    }
    if (st != ST_OK) {
        (void)store_close(store); /* err says what failed */
        return err_wrap(err, "open outbox %s", writer->path);
    }
    *out_store = store;
    return ST_OK;
}

enum status store_open_reader(const char *path, struct store **out_store, struct err *err)
{
    struct store *store;
    enum status st;
    bool empty = false;

    if (access(path, F_OK) != 0) {
        return err_set_errno(err, errno == ENOENT ? ST_NOT_FOUND : ST_IO, errno,
                             "open outbox %s", path);
    }
    store = store_alloc(path);
    st = connect(store, err);
    if (st == ST_OK) {
        st = store_check_identity(store, &empty, err);
    }
    if (st == ST_OK && empty) {
        st = err_set(err, ST_INVALID, "empty, not an outbox yet");
    }
    if (st == ST_OK) {
        st = store_check_format(store, err);
    }
    /* Not opened read-only: such a connection could not remove the log when it is the last. */
    if (st == ST_OK) {
        st = store_exec(store, "PRAGMA query_only=ON; PRAGMA cache_size=-1000", err);
    }
    if (st != ST_OK) {
        store_give_up(store);
        (void)store_close(store); /* err says what failed */
        return err_wrap(err, "open outbox %s", path);
    }
    *out_store = store;
    return ST_OK;
}

/* ---- closing ---- */

void store_give_up(struct store *store)
{
    if (store->db != NULL) {
        (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
}

bool store_close(struct store *store)
{
    bool synced = true;

    if (store == NULL) {
        return true;
    }
    if (store->owns_vfs && store_vfs_sync_failed(store->vfs)) {
        store_give_up(store);
    }
    for (int i = 0; i < SQL_COUNT; i++) {
        (void)sqlite3_finalize(store->statements[i]); /* repeats an earlier error */
    }
    /* The last connection checkpoints and removes the log. If that fails, or if we die in here, the
     * log stays and the next start replays it. */
    CHECK(sqlite3_close(store->db) == SQLITE_OK);
    if (store->owns_vfs) {
        synced = !store_vfs_sync_failed(store->vfs);
        store_vfs_destroy(store->vfs);
    }
    free(store->path);
    free(store);
    return synced;
}
