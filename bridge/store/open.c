/*
 * Opening the writer and its checkpointer.
 *
 * The writer on the good path: find the file behind every link, lock it, connect, check that it is
 * an outbox, set WAL and full sync and read both back, migrate, read the sums, compare them with
 * the newest row. The first connection after a crash replays the log; SQLite does that by itself.
 *
 * What can fail: a file that is not an outbox, is empty, damaged or of a newer format is left as
 * it is.
 */
#include "bridge/store/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/file.h"
#include "common/log.h"

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
        return store_damaged(err, "its watermark and its newest event disagree");
    }
    return ST_OK;
}

static enum status set_up_writer(struct store *store, struct err *err)
{
    enum status st = ST_OK;

    /* SQLite silently opens a file read-only if it may not write it. */
    if (sqlite3_db_readonly(store->db, "main") != 0) {
        return err_set(err, ST_IO, "not writable");
    }
    st = store_check_identity(store, err);
    if (st == ST_OK) {
        st = store_set_up(store, err);
    }
    if (st == ST_OK) {
        st = store_migrate(store, err);
    }
    if (st == ST_OK) {
        st = store_read_totals(store, &store->totals, err);
    }
    if (st == ST_OK) {
        st = store_find_gone_states(store, err);
    }
    if (st == ST_OK) {
        st = check_totals(store, err);
    }
    store->committed = store->totals;
    store->wal_bytes = store_file_bytes(store->path, "-wal");
    return st;
}

static enum status refuse(const struct store_loss *loss, struct err *err)
{
    if (loss->last_seq < loss->first_seq) {
        return err_set(
            err, ST_INVALID,
            "lost the last changes of dead letters, or by hand, with its log; to go on "
            "without them: hook2mqtt outbox salvage");
    }
    return err_set(err, ST_INVALID,
                   "lost %" PRIu64 " accepted events (seq %" PRIu64 " to %" PRIu64
                   ") with its log; to go on without them: hook2mqtt outbox salvage",
                   loss->last_seq - loss->first_seq + 1, loss->first_seq, loss->last_seq);
}

/* If we die before the commit, the loss is found again. */
static enum status acknowledge(struct store *store, const struct store_loss *loss,
                               uint64_t synced_count, struct err *err)
{
    enum status st = store_begin(store, true, err);

    if (st != ST_OK) {
        return st;
    }
    store->totals.synced_count = synced_count;
    store->totals.lost_count += loss->last_seq + 1 - loss->first_seq;
    st = store_commit(store, err);
    if (st != ST_OK) {
        store_rollback(store);
    }
    return st;
}

/* Is all there that was synced once? */
static enum status check_record(struct store *store, bool new, struct store_loss *out_loss,
                                struct err *err)
{
    const struct store_totals *totals = &store->committed;
    struct store_record record = {0};
    struct store_loss loss = {0};
    bool found;
    enum status st = store_open_record(store, err);

    if (st != ST_OK) {
        return st;
    }
    found = store_read_record(store, &record);
    if (new &&found) {
        log_warn("the outbox was gone; this is a new one", L_STR("path", store->path),
                 L_INT("events_so_far", (int64_t)record.last_seq));
    }
    if (!new &&found && record.synced_count > totals->synced_count) {
        loss = (struct store_loss){.change_count = record.synced_count - totals->synced_count,
                                   .first_seq = totals->last_seq + 1,
                                   .last_seq = record.last_seq};
        loss.last_seq = loss.last_seq < totals->last_seq ? totals->last_seq : loss.last_seq;
        st = out_loss == NULL ? refuse(&loss, err)
                              : acknowledge(store, &loss, record.synced_count, err);
    }
    if (st == ST_OK) {
        store_write_record(store);
    }
    if (st == ST_OK && out_loss != NULL) {
        *out_loss = loss;
    }
    return st;
}

static enum status open_locked(struct store *store, struct store_loss *out_loss,
                               struct err *err)
{
    bool new = false;
    enum status st = store_lock(store, &new, err);

    store->vfs = store_vfs_create();
    store->owns_vfs = true;
    if (st == ST_OK && new) {
        st = store_create(store, err);
    }
    if (st == ST_OK) {
        st = store_refuse_empty(store, err);
    }
    if (st == ST_OK) {
        st = store_connect(store, err);
    }
    if (st == ST_OK) {
        st = set_up_writer(store, err);
    }
    if (st == ST_OK) {
        st = check_record(store, new, out_loss, err);
    }
    if (st == ST_OK) {
        st = store_note_files(store, err);
    }
    return st;
}

enum status store_open_writer(const char *path, struct store_loss *out_loss,
                              struct store **out_store, struct err *err)
{
    char *real_path = file_real_path(path);
    struct store *store;
    enum status st;

    if (real_path == NULL) {
        return err_set_errno(err, ST_IO, errno, "open outbox %s", path);
    }
    store = store_alloc(real_path);
    free(real_path);
    st = open_locked(store, out_loss, err);
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
    st = store_connect(store, err);
    if (st == ST_OK) {
        st = store_set_up(store, err);
    }
    if (st != ST_OK) {
        (void)store_close(store); /* err says what failed */
        return err_wrap(err, "open outbox %s", writer->path);
    }
    *out_store = store;
    return ST_OK;
}
