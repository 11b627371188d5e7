/*
 * A handle: its memory, its connection, what every connection is set to, and its end.
 *
 * What can fail: connecting and setting up, which leaves the file as it is. After a failed sync,
 * closing leaves the log alone, because the next start must read it.
 */
#include "bridge/store/internal.h"

#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <unistd.h>

#include "common/log.h"

enum {
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

struct store *store_alloc(const char *path)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct store *store = xalloc(sizeof(*store));

    CHECK(pthread_once(&once, configure_sqlite) == 0);
    store->path = xstrdup(path);
    store->lock_fd = store->record_fd = -1;
    return store;
}

enum status store_connect_by(struct store *store, const char *name, int flags, const char *vfs,
                             struct err *err)
{
    int rc = sqlite3_open_v2(name, &store->db,
                             flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs);

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

enum status store_connect(struct store *store, struct err *err)
{
    return store_connect_by(store, store->path, SQLITE_OPEN_READWRITE,
                            store_vfs_name(store->vfs), err);
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

enum status store_set_up(struct store *store, struct err *err)
{
    enum status st;

    /* Only the checkpointer checkpoints. Freed pages are not wiped on disk: that would cost a write
     * for each. */
    st = store_exec(store,
                    "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
                    "PRAGMA secure_delete=FAST; PRAGMA temp_store=MEMORY;"
                    "PRAGMA cell_size_check=ON; PRAGMA cache_size=-4000",
                    err);
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
    if (store->vfs == NULL || (store->owns_vfs && store_vfs_sync_failed(store->vfs))) {
        store_give_up(store); /* a reader never copies the log or removes it */
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
    if (store->record_fd >= 0) {
        (void)close(store->record_fd); /* what it says need not survive a power cut */
    }
    store_unlock(store); /* not earlier, see files.c */
    free(store->log_name);
    free(store->index_name);
    free(store->path);
    free(store);
    return synced;
}
