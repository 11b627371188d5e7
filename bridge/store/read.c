/*
 * Reading rows, for the publisher, for operations and listings. Nothing is written.
 *
 * Each walk runs one statement from row to row and hands each row over before the next step, so
 * it borrows what SQLite holds in memory. A row that cannot be an event ends the walk with
 * ST_INVALID: the file is damaged.
 */
#include "bridge/store/internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

static enum status damaged(struct err *err, sqlite3_stmt *stmt, int key_column)
{
    return store_damaged(err, "row %lld is not an event",
                         (long long)sqlite3_column_int64(stmt, key_column));
}

/* Ends a loop of steps; st: the status so far. */
static enum status end_rows(struct store *store, sqlite3_stmt *stmt, enum status st,
                            struct err *err)
{
    if (stmt == NULL || (sqlite3_reset(stmt) != SQLITE_OK && st == ST_OK)) {
        return store_fail(store, err, "read events");
    }
    return st;
}

static void bind_keys(sqlite3_stmt *stmt, uint64_t after, uint64_t upto)
{
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)after);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)upto);
    }
}

/* ---- for the publisher ---- */

/* The columns of SQL_READ_BATCH. */
enum { BATCH_SEQ, BATCH_BODY, BATCH_EVENT };

/* Copies the statement's current row. Gives an event for event_free; NULL: damaged. */
static struct event *copy_row(sqlite3_stmt *stmt)
{
    struct event event;

    if (!store_decode_event(stmt, BATCH_EVENT, &event)) {
        return NULL;
    }
    event.seq = (uint64_t)sqlite3_column_int64(stmt, BATCH_SEQ);
    event.body = store_read_body(stmt, BATCH_BODY);
    return event_copy(&event);
}

static enum status read_rows(struct store *store, sqlite3_stmt *stmt, size_t max_count,
                             size_t max_bytes, struct event **out_events, size_t *out_count,
                             struct err *err)
{
    size_t count = 0, bytes = 0;
    enum status st = ST_OK;

    while (stmt != NULL && st == ST_OK && count < max_count &&
           sqlite3_step(stmt) == SQLITE_ROW) {
        bytes += (size_t)sqlite3_column_bytes(stmt, BATCH_BODY);
        if (count > 0 && bytes > max_bytes) {
            break;
        }
        out_events[count] = copy_row(stmt);
        if (out_events[count] == NULL) {
            st = damaged(err, stmt, BATCH_SEQ);
        } else {
            count++;
        }
    }
    st = end_rows(store, stmt, st, err);
    if (st == ST_OK) {
        *out_count = count;
        return ST_OK;
    }
    while (count > 0) {
        event_free(out_events[--count]);
    }
    return st;
}

enum status store_read(struct store *store, const struct store_range *range,
                       struct event **out_events, size_t *out_count, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_READ_BATCH);

    bind_keys(stmt, range->after_seq, range->upto_seq);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 3, (int64_t)range->max_count);
    }
    return read_rows(store, stmt, range->max_count, range->max_bytes, out_events, out_count,
                     err);
}

enum status store_read_one(struct store *store, uint64_t seq, struct event **out_event,
                           struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_READ_ONE);
    size_t count = 0;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)seq);
    }
    *out_event = NULL;
    return read_rows(store, stmt, 1, SIZE_MAX, out_event, &count, err);
}

/* ---- rows that are selected ---- */

bool store_selects_everything(const struct store_selection *selection)
{
    return selection->id_count == 0 && selection->topic_count == 0 &&
           selection->source.data == NULL && selection->since_ms == CLOCK_NONE &&
           selection->until_ms == CLOCK_NONE;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uuid));
}

struct uuid *store_sort_ids(const struct uuid *ids, size_t count)
{
    struct uuid *sorted = NULL;

    if (count > 0) {
        sorted = xalloc(count * sizeof(*sorted));
        memcpy(sorted, ids, count * sizeof(*sorted));
        qsort(sorted, count, sizeof(*sorted), compare_ids);
    }
    return sorted;
}

static bool has_id(const struct store_selection *selection, const struct uuid *id)
{
    return bsearch(id, selection->ids, selection->id_count, sizeof(*id), compare_ids) != NULL;
}

static bool is_selected(const struct store_selection *selection, const struct event *event)
{
    return (selection->id_count == 0 || has_id(selection, &event->id)) &&
           (selection->source.data == NULL || slice_equal(selection->source, event->source)) &&
           (selection->since_ms == CLOCK_NONE || event->received_ms >= selection->since_ms) &&
           (selection->until_ms == CLOCK_NONE || event->received_ms < selection->until_ms);
}

/* Steps to the row's body, which has a table of its own so that only the bodies of selected rows
 * are read. The slice lives until *out_stmt is reset. */
static enum status find_body(struct store *store, bool dead, uint64_t key,
                             sqlite3_stmt **out_stmt, struct slice *out_body, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, dead ? SQL_READ_DEAD_BODY : SQL_READ_BODY);
    int rc = SQLITE_ERROR;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)key);
        rc = sqlite3_step(stmt);
    }
    *out_stmt = stmt;
    if (rc == SQLITE_ROW) {
        *out_body = store_read_body(stmt, 0);
        return ST_OK;
    }
    return rc == SQLITE_DONE
               ? store_damaged(err, "row %llu has no body", (unsigned long long)key)
               : store_fail(store, err, "read a body");
}

/* Hands over the statement's current row, if it is selected. *out_more: the caller wants more. */
static enum status give_row(struct store *store, const struct store_scan *scan,
                            sqlite3_stmt *stmt, store_scan_fn *row, void *ctx, bool *out_more,
                            struct err *err)
{
    enum { KEY, SEQ, REASON, HELD, EVENT }; /* the columns of both scans */
    uint64_t key = (uint64_t)sqlite3_column_int64(stmt, KEY);
    sqlite3_stmt *body_stmt = NULL;
    struct event event;
    enum status st = ST_OK;

    if (!store_decode_event(stmt, EVENT, &event)) {
        return damaged(err, stmt, KEY);
    }
    event.held = sqlite3_column_int(stmt, HELD) != 0;
    if ((event.copy && scan->without_copies) ||
        (event.held ? scan->without_held : key <= scan->without_delivered_seq) ||
        !is_selected(scan->selection, &event)) {
        return ST_OK;
    }
    event.seq = (uint64_t)sqlite3_column_int64(stmt, SEQ);
    event.reason = store_read_text(stmt, REASON);
    if (scan->with_body) {
        st = find_body(store, scan->dead, key, &body_stmt, &event.body, err);
    }
    if (st == ST_OK) {
        *out_more = row(ctx, key, &event);
    }
    if (body_stmt != NULL) {
        (void)sqlite3_reset(body_stmt); /* repeats the step's error */
    }
    return st;
}

enum status store_scan(struct store *store, const struct store_scan *scan, store_scan_fn *row,
                       void *ctx, struct err *err)
{
    static const enum store_sql scans[2][2] = {{SQL_SCAN_EVENTS, SQL_SCAN_EVENTS_DOWN},
                                               {SQL_SCAN_DEAD, SQL_SCAN_DEAD_DOWN}};
    sqlite3_stmt *stmt = store_statement(store, scans[scan->dead][scan->newest_first]);
    bool more = true;
    enum status st = ST_OK;

    bind_keys(stmt, scan->after_key, scan->upto_key);
    while (stmt != NULL && st == ST_OK && more && sqlite3_step(stmt) == SQLITE_ROW) {
        st = give_row(store, scan, stmt, row, ctx, &more, err);
    }
    return end_rows(store, stmt, st, err);
}

/* ---- numbers ---- */

enum status store_get_oldest(struct store *store, int64_t *out_ms, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_OLDEST_UNDELIVERED);
    int64_t received_ms = CLOCK_NONE;
    bool found = false;
    enum status st;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)store->totals.delivered_seq);
    }
    st = store_query(store, stmt, &received_ms, 1, &found, err, "read the oldest event");
    if (st == ST_OK) {
        *out_ms = received_ms;
    }
    return st;
}

enum status store_stats_read(struct store *store, struct store_stats *out_stats,
                             struct err *err)
{
    struct store_totals totals;
    struct store_stats stats;
    enum status st = store_exec(store, "BEGIN", err);

    if (st == ST_OK) {
        st = store_read_totals(store, &totals, err);
    }
    if (st == ST_OK) {
        store->totals = store->committed = totals;
        store_totals_stats(&totals, &stats);
        st = store_get_oldest(store, &stats.oldest_undelivered_ms, err);
    }
    if (st == ST_OK) {
        st = store_get_oldest_kept(store, &stats.oldest_kept_ms, err);
    }
    store_rollback(store); /* only ends the snapshot */
    st = store_end_reading(store, st, err);
    if (st != ST_OK) {
        return err_wrap(err, "read %s", store->path);
    }
    *out_stats = stats;
    return ST_OK;
}

enum status store_last_dead(struct store *store, uint64_t *out_key, struct err *err)
{
    int64_t key = 0;
    enum status st = store_query(store, store_statement(store, SQL_LAST_DEAD), &key, 1, NULL,
                                 err, "read the newest dead letter");

    if (st == ST_OK) {
        *out_key = (uint64_t)key;
    }
    return st;
}
