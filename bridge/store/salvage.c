/*
 * What can be saved of an outbox that has lost its log or is damaged.
 *
 * A loss is acknowledged and counted. A damaged outbox is copied: every event, dead letter, state
 * and identity that can be read goes into a new outbox, in order; the events get new numbers, and
 * those that were delivered stay so. SQLite finds damage page by page, so a page of rows that
 * cannot be read together is read row by row, and what fails is left out. Then the new outbox takes
 * the place of the damaged one, which stays beside it under another name.
 *
 * What can fail: reading the header, without which nothing can be read; a full disk. Then the
 * outbox is as it was. If we die while copying, too. If we die while the names change, the next
 * start finds a loss, and asks for a salvage again.
 */
#include "bridge/store/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"

#define COPY ".salvage" /* the new outbox's name ends in this while it is made */

enum {
    PAGE_ROWS = 64,
    PAGE_BYTES = 8388608,
    IDENTITIES = 262144, /* the next start keeps as many as it is configured to */
};

struct salvage {
    struct store *from, *to;
    uint64_t delivered_seq;     /* of the damaged one */
    uint64_t new_delivered_seq; /* of the copy */
    int64_t now_ms;
    struct store_salvage *report;
};

/* ---- events ---- */

static enum status append_events(struct salvage *salvage, struct event **events, size_t count,
                                 struct err *err)
{
    enum status st = store_begin(salvage->to, false, err);

    for (size_t i = 0; i < count && st == ST_OK; i++) {
        bool delivered = events[i]->seq <= salvage->delivered_seq;

        st = store_append(salvage->to, events[i], STORE_NEW, err);
        if (st == ST_OK && delivered) {
            salvage->new_delivered_seq = events[i]->seq;
        }
    }
    if (st == ST_OK) {
        st = store_set_watermark(salvage->to, salvage->new_delivered_seq, err);
    }
    if (st == ST_OK) {
        st = store_note_identities(salvage->to, err);
    }
    if (st == ST_OK) {
        st = store_commit(salvage->to, err);
    }
    salvage->report->event_count += st == ST_OK ? count : 0;
    return st;
}

/* Copies the events after *after, at most a page; *after: as far as it got. ST_INVALID: one of them
 * cannot be read. */
static enum status copy_events(struct salvage *salvage, uint64_t *after, uint64_t upto,
                               size_t max_count, struct err *err)
{
    struct event *events[PAGE_ROWS];
    struct store_range range = {
        .after_seq = *after, .upto_seq = upto, .max_count = max_count, .max_bytes = PAGE_BYTES};
    size_t count = 0;
    enum status st = store_read(salvage->from, &range, events, &count, err);

    if (st != ST_OK) {
        return ST_INVALID;
    }
    *after = count > 0 ? events[count - 1]->seq : upto;
    st = count > 0 ? append_events(salvage, events, count, err) : ST_OK;
    while (count > 0) {
        event_free(events[--count]);
    }
    return st;
}

static enum status copy_all_events(struct salvage *salvage, uint64_t after, uint64_t upto,
                                   struct err *err)
{
    enum status st = ST_OK;

    while (after < upto && st == ST_OK) {
        uint64_t end = upto - after > PAGE_ROWS ? after + PAGE_ROWS : upto;

        st = copy_events(salvage, &after, end, PAGE_ROWS, err);
        if (st != ST_INVALID) {
            continue;
        }
        for (st = ST_OK; after < end && st == ST_OK;) {
            st = copy_events(salvage, &after, after + 1, 1, err);
            if (st == ST_INVALID) {
                salvage->report->unreadable_count++;
                after++;
                st = ST_OK;
            }
        }
    }
    return st;
}

/* ---- dead letters ---- */

struct dead_row {
    struct salvage *salvage;
    enum status st; /* of writing */
    struct err *err;
};

static bool copy_dead_row(void *ctx, uint64_t key, const struct event *event)
{
    struct dead_row *row = ctx;
    struct salvage *salvage = row->salvage;

    (void)key;
    row->st = store_begin(salvage->to, false, row->err);
    if (row->st == ST_OK) {
        row->st = store_append_dead(salvage->to, event, salvage->now_ms, row->err);
    }
    if (row->st == ST_OK) {
        row->st = store_commit(salvage->to, row->err);
    }
    salvage->report->dead_count += row->st == ST_OK;
    return row->st == ST_OK;
}

static enum status copy_dead(struct salvage *salvage, struct err *err)
{
    const struct store_selection all = {.since_ms = CLOCK_NONE, .until_ms = CLOCK_NONE};
    struct dead_row row = {.salvage = salvage, .st = ST_OK, .err = err};
    uint64_t last = 0;

    if (store_last_dead(salvage->from, &last, err) != ST_OK) {
        salvage->report->unreadable_count++;
        return ST_OK;
    }
    for (uint64_t key = 1; key <= last && row.st == ST_OK; key++) {
        struct store_scan scan = {.dead = true,
                                  .with_body = true,
                                  .after_key = key - 1,
                                  .upto_key = key,
                                  .selection = &all};
        struct err why;

        if (store_scan(salvage->from, &scan, copy_dead_row, &row, &why) != ST_OK) {
            salvage->report->unreadable_count++;
        }
    }
    return row.st;
}

/* ---- the tables of states and identities ---- */

/* As far as it can be read: what is missing there costs repeats, not events. */
static enum status copy_table(struct salvage *salvage, const char *read, const char *write,
                              struct err *err)
{
    sqlite3_stmt *from = NULL, *to = NULL;
    enum status st = store_begin(salvage->to, false, err);
    int rc = SQLITE_ERROR;

    if (st == ST_OK && sqlite3_prepare_v2(salvage->to->db, write, -1, &to, NULL) != SQLITE_OK) {
        st = store_fail(salvage->to, err, "copy");
    }
    if (st == ST_OK) {
        rc = sqlite3_prepare_v2(salvage->from->db, read, -1, &from, NULL);
    }
    while (st == ST_OK && rc == SQLITE_OK && sqlite3_step(from) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(from); i++) {
            (void)sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
        }
        st = store_run(salvage->to, to, err, "copy");
    }
    if (st == ST_OK && (from == NULL || sqlite3_reset(from) != SQLITE_OK)) {
        salvage->report->unreadable_count++;
    }
    (void)sqlite3_finalize(from); /* repeats an earlier error */
    (void)sqlite3_finalize(to);
    return st == ST_OK ? store_commit(salvage->to, err) : st;
}

/* ---- all of it ---- */

static enum status find_range(struct salvage *salvage, uint64_t *out_after, uint64_t *out_upto,
                              struct err *err)
{
    struct store_totals totals;
    uint64_t held = 0;
    int64_t ends[2] = {0};
    sqlite3_stmt *stmt = NULL;
    enum status st;

    /* Without the row of sums nobody knows what was delivered: all of it is sent again. */
    if (store_read_totals(salvage->from, &totals, err) == ST_OK) {
        salvage->delivered_seq = totals.delivered_seq;
        salvage->to->totals.lost_count = totals.lost_count;
    }
    /* Held events are not delivered: from the oldest of them on, all is sent again. */
    if (store_first_held(salvage->from, &held, err) != ST_OK) {
        salvage->delivered_seq = 0;
    } else if (held <= salvage->delivered_seq) {
        salvage->delivered_seq = held - 1;
    }
    if (sqlite3_prepare_v2(salvage->from->db, "SELECT min(seq), max(seq) FROM event", -1, &stmt,
                           NULL) != SQLITE_OK) {
        return store_fail(salvage->from, err, "find the events");
    }
    st = store_query(salvage->from, stmt, ends, COUNT_OF(ends), NULL, err, "find the events");
    (void)sqlite3_finalize(stmt); /* repeats the step's error */
    *out_after = ends[0] > 0 ? (uint64_t)ends[0] - 1 : 0;
    *out_upto = (uint64_t)ends[1];
    return st;
}

static enum status copy_everything(struct salvage *salvage, struct err *err)
{
    uint64_t after = 0, upto = 0;
    enum status st = find_range(salvage, &after, &upto, err);

    if (st == ST_OK) {
        /* The events get new numbers: whatever is accepted later is newer. */
        st =
            copy_table(salvage,
                       "SELECT topic, event_ms, 0, received_ms, source, event, body_bytes,"
                       " gone_ms FROM state",
                       "INSERT OR REPLACE INTO state(topic, event_ms, seq, received_ms, source,"
                       " event, body_bytes, gone_ms) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                       err);
    }
    if (st == ST_OK) {
        st = copy_table(salvage, "SELECT dedupe_key, digest, id, received_ms FROM identity",
                        "INSERT INTO identity(dedupe_key, digest, id, received_ms) VALUES(?, "
                        "?, ?, ?)",
                        err);
    }
    if (st == ST_OK) {
        st = copy_all_events(salvage, after, upto, err);
    }
    return st == ST_OK ? copy_dead(salvage, err) : st;
}

static void remove_copy(const char *copy)
{
    static const char *const suffixes[] = {"",     "-wal",     "-shm",    STORE_RECORD,
                                           ".new", ".new-wal", ".new-shm"};

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char *name = store_name(copy, suffixes[i]);

        (void)unlink(name); /* if it stays, making the copy finds out why */
        free(name);
    }
}

static enum status move_beside(const char *from, const char *to, const char *suffix,
                               struct err *err)
{
    char *old_name = store_name(from, suffix), *new_name = store_name(to, suffix);
    enum status st = rename(old_name, new_name) == 0
                         ? ST_OK
                         : err_set_errno(err, ST_IO, errno, "rename %s", old_name);

    free(old_name);
    free(new_name);
    return st;
}

/* The damaged one keeps its log, if there is anything in it. */
static enum status move_log(const char *path, const char *aside, struct err *err)
{
    char *log = store_name(path, "-wal"), *index = store_name(path, "-shm");
    enum status st = ST_OK;

    if (store_file_bytes(path, "-wal") > 0) {
        st = move_beside(path, aside, "-wal", err);
    } else if (unlink(log) != 0 && errno != ENOENT) {
        st = err_set_errno(err, ST_IO, errno, "remove %s", log);
    }
    if (st == ST_OK && unlink(index) != 0 && errno != ENOENT) {
        st = err_set_errno(err, ST_IO, errno, "remove %s", index);
    }
    free(log);
    free(index);
    return st;
}

/* The copy is complete, on disk and closed. */
static enum status take_place(const char *path, const char *copy, const char *aside,
                              struct err *err)
{
    enum status st = ST_OK;

    if (link(path, aside) != 0) {
        return err_set_errno(err, ST_IO, errno, "keep the damaged one as %s", aside);
    }
    st = move_log(path, aside, err);
    /* If we die from here on, the next start finds that something is missing. */
    if (st == ST_OK) {
        st = move_beside(copy, path, "", err);
    }
    if (st == ST_OK) {
        st = move_beside(copy, path, STORE_RECORD, err);
    }
    return st == ST_OK ? file_sync_parent(path, err) : st;
}

static enum status make_copy(struct salvage *salvage, const char *copy, struct err *err)
{
    enum status st;

    remove_copy(copy);
    st = store_open_writer(copy, NULL, &salvage->to, err);
    if (st == ST_OK) {
        store_keep_identities(salvage->to, IDENTITIES);
        st = copy_everything(salvage, err);
    }
    if (st == ST_OK) {
        st = store_checkpoint(salvage->to, true, err);
    }
    if (st != ST_OK && salvage->to != NULL) {
        store_rollback(salvage->to);
        store_give_up(salvage->to);
    }
    if (!store_close(salvage->to) && st == ST_OK) {
        st = err_set(err, ST_IO, "a sync failed");
    }
    return st;
}

static enum status rebuild(struct store *locked, struct salvage *salvage, struct err *err)
{
    char *copy = store_name(locked->path, COPY);
    char suffix[48], time[CLOCK_TEXT_SIZE];
    char *aside;
    enum status st = store_open_reader(locked->path, &salvage->from, err);

    salvage->now_ms = clock_unix_ms();
    clock_format(salvage->now_ms, time);
    (void)snprintf(suffix, sizeof(suffix), ".damaged-%s", time);
    aside = store_name(locked->path, suffix);
    if (st == ST_OK) {
        st = make_copy(salvage, copy, err);
    }
    (void)store_close(salvage->from); /* it writes nothing */
    if (st == ST_OK) {
        st = take_place(locked->path, copy, aside, err);
    }
    if (st == ST_OK) {
        salvage->report->aside = xstrdup(aside);
    } else {
        remove_copy(copy);
    }
    free(aside);
    free(copy);
    return st;
}

static enum status rebuild_locked(const char *path, struct store_salvage *report,
                                  struct err *err)
{
    struct salvage salvage = {.report = report};
    struct store *locked = store_alloc(path);
    bool new = false;
    enum status st = store_lock(locked, &new, err);

    if (st == ST_OK) {
        st = new ? ST_NOT_FOUND : rebuild(locked, &salvage, err);
    }
    (void)store_close(locked); /* only the lock */
    return st;
}

/* Every page, which takes a while. */
static enum status check_pages(struct store *store, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    const char *answer = NULL;
    enum status st = ST_OK;

    if (sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        st = store_fail(store, err, "check");
    } else {
        answer = (const char *)sqlite3_column_text(stmt, 0);
        if (answer == NULL || strcmp(answer, "ok") != 0) {
            st = store_damaged(err, "%s", answer != NULL ? answer : "no answer");
        }
    }
    (void)sqlite3_finalize(stmt); /* repeats the step's error */
    return st;
}

enum status store_salvage(const char *path, struct store_salvage *out_salvage, struct err *err)
{
    struct store_salvage report = {0};
    struct store *store = NULL;
    char *real_path = NULL;
    enum status st = store_find_file(path, &real_path, err);

    if (st != ST_OK) {
        return st;
    }
    st = store_open_writer(real_path, &report.loss, &store, err);
    if (st == ST_OK) {
        st = check_pages(store, err);
        if (st != ST_OK) {
            store_give_up(store);
        }
        (void)store_close(store); /* nothing is promised */
    }
    if (st == ST_INVALID) {
        st = rebuild_locked(real_path, &report, err);
    }
    free(real_path);
    if (st != ST_OK) {
        return err_wrap(err, "salvage %s", path);
    }
    *out_salvage = report;
    return ST_OK;
}
