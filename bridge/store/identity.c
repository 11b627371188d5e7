/*
 * What dedupe has learned, on disk, so that a start knows it again also when the events themselves
 * are no longer kept: a log of identities, one row per event or drop, in the order in which they
 * happened. Its length is bounded: the oldest rows go.
 *
 * A row is copied from its event, some hundred at a time: at the latest before retention removes
 * the event. Until then the event's own row is all there is, and the walk reads that, so a commit
 * costs nothing more. All of it is within the transaction of what it is about: if we die, the log
 * and the events agree.
 */
#include "bridge/store/internal.h"

#include "common/clock.h"

enum { SAVE_EVENTS = 256 }; /* about one page of identities */

/* ---- in ---- */

void store_keep_identities(struct store *store, uint64_t count)
{
    store->identity_count = count;
}

static enum status trim(struct store *store, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_TRIM_IDENTITIES);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)store->identity_count);
    }
    return store_run(store, stmt, err, "remove the oldest identities");
}

enum status store_save_identities(struct store *store, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_SAVE_IDENTITIES);
    enum status st;

    if (store->totals.identified_seq == store->totals.last_seq) {
        return ST_OK;
    }
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)store->totals.identified_seq);
    }
    st = store_run(store, stmt, err, "save identities");
    if (st == ST_OK) {
        store->totals.identified_seq = store->totals.last_seq;
        st = trim(store, err);
    }
    return st;
}

enum status store_note_identities(struct store *store, struct err *err)
{
    return store->totals.last_seq - store->totals.identified_seq < SAVE_EVENTS
               ? ST_OK
               : store_save_identities(store, err);
}

enum status store_add_identity(struct store *store, const struct event *event,
                               int64_t received_ms, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_ADD_IDENTITY);
    enum status st = store_save_identities(store, err); /* first those that happened before */

    if (st != ST_OK) {
        return st;
    }
    if (stmt != NULL) {
        (void)sqlite3_bind_blob(stmt, 1, event->identity.key, EVENT_KEY_SIZE, SQLITE_STATIC);
        (void)sqlite3_bind_blob(stmt, 2, event->identity.digest, EVENT_KEY_SIZE, SQLITE_STATIC);
        (void)sqlite3_bind_blob(stmt, 3, event->id.bytes, sizeof(event->id.bytes),
                                SQLITE_STATIC);
        store_bind_time(stmt, 4, received_ms);
    }
    return store_run(store, stmt, err, "add an identity");
}

enum status store_drop_identity(struct store *store, const struct event *event, struct err *err)
{
    return store_add_identity(store, event, CLOCK_NONE, err);
}

/* ---- out ---- */

static enum status give_rows(struct store *store, enum store_sql which, uint64_t number,
                             store_walk_fn *row, void *ctx, struct err *err)
{
    enum { KEY, DIGEST, ID, RECEIVED };
    sqlite3_stmt *stmt = store_statement(store, which);
    struct event_identity identity;
    struct uuid id;
    enum status st = ST_OK;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)number);
    }
    while (stmt != NULL && st == ST_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        if (store_read_bytes(stmt, KEY, identity.key, EVENT_KEY_SIZE) &&
            store_read_bytes(stmt, DIGEST, identity.digest, EVENT_KEY_SIZE) &&
            store_read_bytes(stmt, ID, id.bytes, sizeof(id.bytes))) {
            row(ctx, &identity, id, store_read_time(stmt, RECEIVED));
        } else {
            st = store_damaged(err, "a row is not an identity");
        }
    }
    if (stmt == NULL || (sqlite3_reset(stmt) != SQLITE_OK && st == ST_OK)) {
        return store_fail(store, err, "read identities");
    }
    return st;
}

enum status store_walk_identities(struct store *store, store_walk_fn *row, void *ctx,
                                  struct err *err)
{
    enum status st =
        give_rows(store, SQL_WALK_IDENTITIES, store->identity_count, row, ctx, err);

    return st == ST_OK
               ? give_rows(store, SQL_WALK_EVENTS, store->totals.identified_seq, row, ctx, err)
               : st;
}
