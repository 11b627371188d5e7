/*
 * Held events: undelivered ones that the watermark may pass.
 *
 * A refused event waits for its next try, and those behind it wait for their turn, while
 * everything else goes on; so each has a row of its own here. store_hold adds the row, in the
 * transaction that moves the watermark or an earlier one. It goes when the event is delivered
 * (store_release), buried or dropped.
 *
 * Until then the event keeps its rows, even if its range is removed: retention leaves held events
 * out. Of one whose range has gone meanwhile nothing is kept after its delivery.
 *
 * If we die, the table says which events to send again. After a power cut it may be older than
 * what was delivered, but never newer than the watermark beside it: then events come twice.
 */
#include "bridge/store/internal.h"

enum status store_sum_held(struct store *store, uint64_t after, uint64_t upto,
                           struct store_sum *out_sum, struct err *err)
{
    sqlite3_stmt *stmt;
    int64_t numbers[2] = {0};
    enum status st;

    *out_sum = (struct store_sum){0};
    if (store->totals.held_count == 0) {
        return ST_OK;
    }
    stmt = store_statement(store, SQL_HELD_SUM);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)after);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)upto);
    }
    st = store_query(store, stmt, numbers, COUNT_OF(numbers), NULL, err, "add held events up");
    if (st == ST_OK) {
        *out_sum = (struct store_sum){(uint64_t)numbers[0], (uint64_t)numbers[1]};
    }
    return st;
}

enum status store_first_held(struct store *store, uint64_t *out_seq, struct err *err)
{
    int64_t seq = 0;
    enum status st = store_query(store, store_statement(store, SQL_FIRST_HELD), &seq, 1, NULL,
                                 err, "find the oldest held event");

    if (st == ST_OK) {
        *out_seq = seq > 0 ? (uint64_t)seq : UINT64_MAX;
    }
    return st;
}

static sqlite3_stmt *statement_for(struct store *store, enum store_sql which, uint64_t seq)
{
    sqlite3_stmt *stmt = store_statement(store, which);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)seq);
    }
    return stmt;
}

enum status store_unhold(struct store *store, uint64_t seq, bool *out_held, uint64_t *out_cost,
                         struct err *err)
{
    int64_t cost = 0;
    enum status st;

    *out_held = false;
    if (store->totals.held_count == 0) {
        return ST_OK;
    }
    st = store_query(store, statement_for(store, SQL_HELD_COST, seq), &cost, 1, out_held, err,
                     "look for a held event");
    if (st != ST_OK || !*out_held) {
        return st;
    }
    *out_cost = (uint64_t)cost;
    store->totals.held_count--;
    store->totals.held_bytes -= (uint64_t)cost;
    return store_run(store, statement_for(store, SQL_UNHOLD, seq), err, "end a hold");
}

static enum status hold_again(struct store *store, const struct store_hold *hold,
                              bool *out_again, struct err *err)
{
    sqlite3_stmt *stmt = statement_for(store, SQL_HOLD_AGAIN, hold->seq);
    enum status st;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 2, hold->since_ms);
        (void)sqlite3_bind_int64(stmt, 3, hold->reason);
    }
    st = store_run(store, stmt, err, "hold an event again");
    *out_again = st == ST_OK && sqlite3_changes(store->db) > 0;
    return st;
}

enum status store_hold(struct store *store, const struct store_hold *hold, struct err *err)
{
    struct store_totals *totals = &store->totals;
    bool again = false;
    sqlite3_stmt *stmt;
    enum status st = totals->held_count > 0 ? hold_again(store, hold, &again, err) : ST_OK;

    if (st != ST_OK || again || hold->seq <= totals->delivered_seq) {
        return st; /* one that the watermark covers, and no longer held, was dropped */
    }
    stmt = statement_for(store, SQL_HOLD, hold->seq);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)hold->cost_bytes);
        (void)sqlite3_bind_int64(stmt, 3, hold->since_ms);
        (void)sqlite3_bind_int64(stmt, 4, hold->reason);
    }
    st = store_run(store, stmt, err, "hold an event");
    if (st == ST_OK && sqlite3_changes(store->db) > 0) {
        totals->held_count++;
        totals->held_bytes += hold->cost_bytes;
    }
    return st;
}

static enum status forget_event(struct store *store, uint64_t seq, struct err *err)
{
    enum status st =
        store_run(store, statement_for(store, SQL_DROP_BODY, seq), err, "remove a body");

    return st == ST_OK ? store_run(store, statement_for(store, SQL_REMOVE_EVENT, seq), err,
                                   "remove an event")
                       : st;
}

enum status store_release(struct store *store, uint64_t seq, struct err *err)
{
    struct store_totals *totals = &store->totals;
    uint64_t cost = 0;
    bool was_held = false;
    enum status st = store_unhold(store, seq, &was_held, &cost, err);

    if (st != ST_OK || !was_held || seq > totals->delivered_seq) {
        return st; /* beyond the watermark: it counts as delivered when that comes by */
    }
    totals->undelivered_count--;
    totals->undelivered_bytes -= cost;
    if (seq <= totals->removed_seq) {
        return forget_event(store, seq, err);
    }
    totals->kept_count++;
    totals->kept_bytes += cost;
    return ST_OK;
}

enum status store_walk_held(struct store *store, store_held_fn *row, void *ctx, struct err *err)
{
    enum { SEQ, COST, SINCE, REASON, EVENT }; /* the columns of SQL_WALK_HELD */
    sqlite3_stmt *stmt = store_statement(store, SQL_WALK_HELD);
    enum status st = ST_OK;

    while (stmt != NULL && st == ST_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        struct store_hold hold = {
            .seq = (uint64_t)sqlite3_column_int64(stmt, SEQ),
            .cost_bytes = (uint64_t)sqlite3_column_int64(stmt, COST),
            .since_ms = sqlite3_column_int64(stmt, SINCE),
            .reason = sqlite3_column_int(stmt, REASON),
        };
        struct event event;

        if (store_decode_event(stmt, EVENT, &event)) {
            event.seq = hold.seq;
            row(ctx, &event, &hold);
        } else {
            st = err_set(err, ST_INVALID, "damaged: row %llu is not an event",
                         (unsigned long long)hold.seq);
        }
    }
    if (stmt == NULL || (sqlite3_reset(stmt) != SQLITE_OK && st == ST_OK)) {
        return store_fail(store, err, "read held events");
    }
    return st;
}
