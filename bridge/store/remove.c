/*
 * The end of an event: buried, dropped, delivered, or no longer kept. Within the transaction that
 * store_begin opened, so that rows and sums change together or not at all; see write.c.
 *
 * An event that is buried or dropped loses its body and leaves a tombstone; its row stays until
 * its range is removed. Delivery changes only the watermark. Removal deletes a range from the
 * oldest row on. No row is counted: costs are differences of running totals, minus tombstones.
 */
#include "bridge/store/internal.h"

#include <string.h>

#include "common/clock.h"

/* ---- single events ---- */

/* The total up to and including seq. Rows are removed from the oldest on, so the only one that may
 * be missing is the last one removed. */
static enum status total_at(struct store *store, uint64_t seq, uint64_t *out_total,
                            struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_TOTAL_AT);
    int64_t total = 0;
    enum status st;

    if (seq == store->totals.removed_seq) {
        *out_total = store->totals.removed_total;
        return ST_OK;
    }
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)seq);
    }
    st = store_query(store, stmt, &total, 1, NULL, err, "read a total");
    if (st == ST_OK) {
        *out_total = (uint64_t)total;
    }
    return st;
}

static enum status cost_of(struct store *store, uint64_t seq, uint64_t *out_cost,
                           struct err *err)
{
    uint64_t before = 0, after = 0;
    enum status st = total_at(store, seq - 1, &before, err);

    if (st == ST_OK) {
        st = total_at(store, seq, &after, err);
    }
    *out_cost = after - before;
    return st;
}

/* Runs a statement about one key. *out_changed: did it change any row? */
static enum status run_for(struct store *store, enum store_sql which, uint64_t key,
                           bool *out_changed, struct err *err, const char *what)
{
    sqlite3_stmt *stmt = store_statement(store, which);
    enum status st;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)key);
    }
    st = store_run(store, stmt, err, what);
    *out_changed = st == ST_OK && sqlite3_changes(store->db) > 0;
    return st;
}

static enum status add_tombstone(struct store *store, uint64_t seq, uint64_t cost,
                                 struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_ADD_TOMBSTONE);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)seq);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)cost);
    }
    return store_run(store, stmt, err, "write a tombstone");
}

enum status store_drop(struct store *store, uint64_t seq, struct err *err)
{
    struct store_totals *totals = &store->totals;
    bool was_there = false, was_held = false, removed = seq <= store->totals.removed_seq;
    uint64_t cost = 0;
    enum status st = run_for(store, SQL_DROP_BODY, seq, &was_there, err, "drop a body");

    if (st != ST_OK || !was_there) {
        return st;
    }
    st = store_unhold(store, seq, &was_held, &cost, err);
    if (st == ST_OK && !was_held) {
        st = cost_of(store, seq, &cost, err);
    }
    if (st == ST_OK) { /* a held event may outlive its range: then nothing of it is left */
        st = removed ? run_for(store, SQL_REMOVE_EVENT, seq, &was_there, err, "remove an event")
                     : add_tombstone(store, seq, cost, err);
    }
    if (st != ST_OK) {
        return st;
    }
    if (was_held || seq > totals->delivered_seq) {
        totals->undelivered_count--;
        totals->undelivered_bytes -= cost;
    } else {
        totals->kept_count--;
        totals->kept_bytes -= cost;
    }
    return ST_OK;
}

/* The cost of one that may be held. *out_there: it has a row. */
static enum status cost_of_any(struct store *store, uint64_t seq, bool *out_there,
                               uint64_t *out_cost, struct err *err)
{
    sqlite3_stmt *stmt;
    int64_t cost = 0;
    enum status st = ST_OK;

    *out_there = false;
    if (store->totals.held_count > 0) {
        stmt = store_statement(store, SQL_HELD_COST);
        if (stmt != NULL) {
            (void)sqlite3_bind_int64(stmt, 1, (int64_t)seq);
        }
        st = store_query(store, stmt, &cost, 1, out_there, err, "look for a held event");
        *out_cost = (uint64_t)cost;
    }
    if (st == ST_OK && !*out_there && seq > store->totals.removed_seq &&
        seq <= store->totals.last_seq) {
        st = cost_of(store, seq, out_cost, err);
        *out_there = st == ST_OK;
    }
    return st;
}

enum status store_bury(struct store *store, uint64_t seq, const char *reason, int64_t now_ms,
                       struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_BURY);
    bool there = false;
    uint64_t cost = 0;
    enum status st = cost_of_any(store, seq, &there, &cost, err);

    if (st != ST_OK || !there) {
        return st;
    }
    cost += strlen(reason);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)seq);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)cost);
        (void)sqlite3_bind_int64(stmt, 3, now_ms);
        (void)sqlite3_bind_text(stmt, 4, reason, -1, SQLITE_STATIC);
    }
    st = store_run(store, stmt, err, "bury an event");
    if (st != ST_OK || sqlite3_changes(store->db) == 0) {
        return st;
    }
    store->totals.dead_count++;
    store->totals.dead_bytes += cost;
    store->totals.refused_count++;
    store->totals.refused_bytes += cost;
    return store_drop(store, seq, err);
}

enum status store_drop_dead(struct store *store, uint64_t dead_key, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_DEAD_COST);
    struct store_totals *totals = &store->totals;
    int64_t row[2] = {0}; /* cost, and was it refused by the broker? */
    bool found = false;
    enum status st;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)dead_key);
    }
    st = store_query(store, stmt, row, COUNT_OF(row), &found, err, "read a dead letter");
    if (st == ST_OK && found) {
        st = run_for(store, SQL_DROP_DEAD, dead_key, &found, err, "drop a dead letter");
    }
    if (st == ST_OK && found) {
        totals->dead_count--;
        totals->dead_bytes -= (uint64_t)row[0];
        totals->refused_count -= row[1] != 0;
        totals->refused_bytes -= row[1] != 0 ? (uint64_t)row[0] : 0;
    }
    return st;
}

/* ---- the watermark ---- */

/* Moves *seq on over the tombstones right behind it, in order of their key. */
static enum status skip_tombstones(struct store *store, uint64_t *seq, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_TOMBSTONES_AFTER);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)*seq);
    }
    while (stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW &&
           sqlite3_column_int64(stmt, 0) == (int64_t)*seq + 1) {
        ++*seq;
    }
    if (stmt == NULL || sqlite3_reset(stmt) != SQLITE_OK) {
        return store_fail(store, err, "read the tombstones");
    }
    return ST_OK;
}

static enum status sum_tombstones(struct store *store, uint64_t after, uint64_t upto,
                                  struct store_sum *out_sum, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_TOMBSTONE_SUM);
    int64_t numbers[2] = {0};
    enum status st;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)after);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)upto);
    }
    st = store_query(store, stmt, numbers, 2, NULL, err, "add the tombstones up");
    *out_sum = (struct store_sum){(uint64_t)numbers[0], (uint64_t)numbers[1]};
    return st;
}

enum status store_set_watermark(struct store *store, uint64_t seq, struct err *err)
{
    struct store_totals *totals = &store->totals;
    struct store_sum tombstones = {0}, held = {0};
    uint64_t total = 0, count, bytes;
    enum status st;

    CHECK(seq <= totals->last_seq);
    seq = seq > totals->delivered_seq ? seq : totals->delivered_seq;
    st = skip_tombstones(store, &seq, err);
    if (st != ST_OK || seq == totals->delivered_seq) {
        return st;
    }
    st = total_at(store, seq, &total, err);
    if (st == ST_OK) {
        st = sum_tombstones(store, totals->delivered_seq, seq, &tombstones, err);
    }
    if (st == ST_OK) {
        st = store_sum_held(store, totals->delivered_seq, seq, &held, err);
    }
    if (st != ST_OK) {
        return st;
    }
    count = seq - totals->delivered_seq - tombstones.count - held.count;
    bytes = total - totals->delivered_total - tombstones.bytes - held.bytes;
    totals->undelivered_count -= count;
    totals->undelivered_bytes -= bytes;
    totals->kept_count += count;
    totals->kept_bytes += bytes;
    totals->delivered_seq = seq;
    totals->delivered_total = total;
    return ST_OK;
}

/* ---- retention ---- */

/* The columns of SQL_OLDEST_KEPT. A tombstone is of no use once it is delivered, whatever its age. */
enum { KEPT_SEQ, KEPT_RECEIVED, KEPT_TOTAL, KEPT_TOMBSTONE, KEPT_COLUMNS };

static sqlite3_stmt *oldest_kept(struct store *store, uint32_t max_rows)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_OLDEST_KEPT);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)store->totals.removed_seq);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)store->totals.delivered_seq);
        (void)sqlite3_bind_int64(stmt, 3, max_rows);
    }
    return stmt;
}

enum status store_has_expired(struct store *store, int64_t before_ms, bool *out_expired,
                              struct err *err)
{
    int64_t row[KEPT_COLUMNS] = {0};
    bool found = false;
    enum status st = store_query(store, oldest_kept(store, 1), row, COUNT_OF(row), &found, err,
                                 "read the oldest kept event");

    *out_expired =
        st == ST_OK && found && (row[KEPT_TOMBSTONE] != 0 || row[KEPT_RECEIVED] < before_ms);
    return st;
}

enum status store_get_oldest_kept(struct store *store, int64_t *out_ms, struct err *err)
{
    int64_t row[KEPT_COLUMNS] = {0};
    bool found = false;
    enum status st = store_query(store, oldest_kept(store, 1), row, COUNT_OF(row), &found, err,
                                 "read the oldest kept event");

    if (st == ST_OK) {
        *out_ms = found && row[KEPT_TOMBSTONE] == 0 ? row[KEPT_RECEIVED] : CLOCK_NONE;
    }
    return st;
}

/* The last row to remove, and the total up to it. */
static enum status find_removal(struct store *store, const struct store_removal *removal,
                                uint64_t *out_seq, uint64_t *out_total, struct err *err)
{
    sqlite3_stmt *stmt = oldest_kept(store, removal->max_rows);
    uint64_t seq = store->totals.removed_seq, total = store->totals.removed_total;

    while (stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW &&
           (sqlite3_column_int(stmt, KEPT_TOMBSTONE) != 0 ||
            sqlite3_column_int64(stmt, KEPT_RECEIVED) < removal->before_ms) &&
           total - store->totals.removed_total < removal->enough_bytes) {
        seq = (uint64_t)sqlite3_column_int64(stmt, KEPT_SEQ);
        total = (uint64_t)sqlite3_column_int64(stmt, KEPT_TOTAL);
    }
    if (stmt == NULL || sqlite3_reset(stmt) != SQLITE_OK) {
        return store_fail(store, err, "read the oldest kept events");
    }
    *out_seq = seq;
    *out_total = total;
    return ST_OK;
}

static enum status remove_range(struct store *store, enum store_sql which, uint64_t after,
                                uint64_t upto, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, which);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)upto);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)after);
    }
    return store_run(store, stmt, err, "remove delivered events");
}

enum status store_remove_kept(struct store *store, const struct store_removal *removal,
                              struct err *err)
{
    static const enum store_sql removals[] = {SQL_REMOVE_EVENTS, SQL_REMOVE_BODIES,
                                              SQL_REMOVE_TOMBSTONES};
    struct store_totals *totals = &store->totals;
    struct store_sum tombstones = {0}, held = {0};
    uint64_t seq = 0, total = 0;
    enum status st = find_removal(store, removal, &seq, &total, err);

    if (st != ST_OK || seq == totals->removed_seq) {
        return st;
    }
    if (seq > totals->identified_seq) {
        st = store_save_identities(store, err);
    }
    if (st == ST_OK) {
        st = sum_tombstones(store, totals->removed_seq, seq, &tombstones, err);
    }
    if (st == ST_OK) {
        st = store_sum_held(store, totals->removed_seq, seq, &held, err);
    }
    for (size_t i = 0; i < COUNT_OF(removals) && st == ST_OK; i++) {
        st = remove_range(store, removals[i], totals->removed_seq, seq, err);
    }
    if (st != ST_OK) {
        return st;
    }
    totals->kept_count -= seq - totals->removed_seq - tombstones.count - held.count;
    totals->kept_bytes -= total - totals->removed_total - tombstones.bytes - held.bytes;
    totals->removed_seq = seq;
    totals->removed_total = total;
    return ST_OK;
}
