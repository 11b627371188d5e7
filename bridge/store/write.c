/*
 * Transactions, and inserting events within them; and what an outbox that was not closed needs.
 *
 * store_begin opens a transaction, store_append and the functions of remove.c change rows and, in
 * memory, the sums, and store_commit writes the sums and commits, with or without a sync. After
 * any failure store_rollback takes back both. If we die before the commit is on disk, none of it
 * happened; no waiter was answered yet.
 */
#include "bridge/store/internal.h"

#include <string.h>

/* ---- transactions ---- */

enum status store_begin(struct store *store, bool synced, struct err *err)
{
    enum status st = ST_OK;

    if (synced != store->synced) {
        st = store_exec(store, synced ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
                        err);
    }
    if (st != ST_OK) {
        return st;
    }
    store->synced = synced;
    store->changes_before = sqlite3_total_changes64(store->db);
    return store_run(store, store_statement(store, SQL_BEGIN), err, "begin");
}

static enum status write_totals(struct store *store, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_WRITE_TOTALS);
    int at = 1;

    if (stmt != NULL) {
#define BIND(name) (void)sqlite3_bind_int64(stmt, at++, (int64_t)store->totals.name);
        STORE_TOTALS(BIND)
#undef BIND
    }
    return store_run(store, stmt, err, "write the totals");
}

enum status store_commit(struct store *store, struct err *err)
{
    bool changed = sqlite3_total_changes64(store->db) != store->changes_before ||
                   memcmp(&store->totals, &store->committed, sizeof(store->totals)) != 0;
    enum status st = ST_OK;

    if (changed) {
        store->totals.synced_count += store->synced;
        st = write_totals(store, err);
    }
    /* If we die in here, all of it is on disk or none. No waiter was answered yet. */
    if (st == ST_OK) {
        st = store_run(store, store_statement(store, SQL_COMMIT), err, "commit");
    }
    if (st == ST_OK) {
        store->committed = store->totals;
    }
    if (st == ST_OK && changed && store->synced) {
        store_write_record(store);
    }
    return st;
}

void store_rollback(struct store *store)
{
    store->totals = store->committed;
    /* Some errors roll back by themselves. If this fails, so does the next begin. */
    if (!sqlite3_get_autocommit(store->db)) {
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
}

void store_get_stats(const struct store *store, struct store_stats *out_stats)
{
    store_totals_stats(&store->totals, out_stats);
}

/* ---- events in ---- */

static enum status add_event_row(struct store *store, const struct event *event,
                                 uint64_t total_bytes, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_ADD_EVENT);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)event->seq);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)total_bytes);
        store_bind_event(stmt, 3, event);
    }
    return store_run(store, stmt, err, "append event");
}

static enum status add_body_row(struct store *store, const struct event *event, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_ADD_BODY);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)event->seq);
        store_bind_body(stmt, 2, event->body);
    }
    return store_run(store, stmt, err, "append body");
}

enum status store_append(struct store *store, struct event *event, uint64_t origin_seq,
                         struct err *err)
{
    struct store_totals *totals = &store->totals;
    uint64_t cost;
    enum status st = ST_OK;

    event->seq = totals->last_seq + 1;
    if (event->state_topic.data != NULL) {
        st = store_guard_state(store, event, origin_seq == STORE_NEW ? event->seq : origin_seq,
                               err);
    }
    cost = event_cost_bytes(event);
    if (st == ST_OK) {
        st = add_event_row(store, event, totals->last_total + cost, err);
    }
    if (st == ST_OK) {
        st = add_body_row(store, event, err);
    }
    if (st != ST_OK) {
        return st;
    }
    totals->last_seq++;
    totals->last_total += cost;
    totals->undelivered_count++;
    totals->undelivered_bytes += cost;
    return ST_OK;
}

enum status store_append_dead(struct store *store, const struct event *event, int64_t now_ms,
                              struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_ADD_DEAD);
    uint64_t cost = event_cost_bytes(event);
    enum status st;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)cost);
        (void)sqlite3_bind_int64(stmt, 2, now_ms);
        store_bind_text(stmt, 3, event->reason);
        store_bind_body(stmt, 4, event->body);
        store_bind_event(stmt, 5, event);
    }
    st = store_run(store, stmt, err, "append dead letter");
    if (st != ST_OK) {
        return st;
    }
    store->totals.dead_count++;
    store->totals.dead_bytes += cost;
    return event_has_identity(event) ? store_add_identity(store, event, event->received_ms, err)
                                     : ST_OK;
}

/* ---- after a crash ---- */

enum status store_hold_unread(struct store *store, struct err *err)
{
    struct store_totals *totals = &store->totals;
    sqlite3_stmt *stmt = store_statement(store, SQL_HOLD_UNREAD);
    int64_t sums[3] = {0};
    enum status st;

    if (totals->held_count == 0) {
        return ST_OK;
    }
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)totals->delivered_seq);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)totals->delivered_total);
    }
    st = store_run(store, stmt, err, "hold what may have been sent");
    if (st == ST_OK) {
        stmt = store_statement(store, SQL_HELD_SUM);
        if (stmt != NULL) {
            (void)sqlite3_bind_int64(stmt, 1, 0);
            (void)sqlite3_bind_int64(stmt, 2, INT64_MAX);
        }
        st = store_query(store, stmt, sums, COUNT_OF(sums), NULL, err, "count held events");
    }
    if (st != ST_OK) {
        return st;
    }
    totals->held_count = (uint64_t)sums[0];
    totals->held_bytes = (uint64_t)sums[1];
    return store_set_watermark(store, (uint64_t)sums[2], err);
}
