/*
 * Retained states: for each state topic, what its newest event was. A row decides whether a later
 * event may overwrite the state at the broker; it is made within the transaction of the event that
 * it is about.
 *
 * A row of a state that a deletion has cleared stays as long as a retry of an older event may come,
 * and is then removed: else the table would grow with every resource that ever was. All other rows
 * stay, unless an operator has them forgotten.
 */
#include "bridge/store/internal.h"

#include <string.h>

#include "common/clock.h"

/* ---- in ---- */

static int64_t gone_at(const struct event *event)
{
    return event->deletion ? event->received_ms + event->dedupe_window_ms : CLOCK_NONE;
}

enum status store_guard_state(struct store *store, struct event *event, uint64_t accepted_seq,
                              struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_ADD_STATE);
    int64_t gone_ms = gone_at(event);
    enum status st;

    if (stmt != NULL) {
        store_bind_text(stmt, 1, event->state_topic);
        store_bind_time(stmt, 2, event->event_ms);
        (void)sqlite3_bind_int64(stmt, 3, (int64_t)accepted_seq);
        (void)sqlite3_bind_int64(stmt, 4, event->received_ms);
        store_bind_text(stmt, 5, event->source);
        store_bind_text(stmt, 6, event->event);
        (void)sqlite3_bind_int64(stmt, 7, (int64_t)event->body.len);
        store_bind_time(stmt, 8, gone_ms);
    }
    st = store_run(store, stmt, err, "write the state's row");
    if (st == ST_OK && sqlite3_changes(store->db) == 0) {
        event->state_topic = SLICE_NONE;
    } else if (gone_ms != CLOCK_NONE && gone_ms < store->next_gone_ms) {
        store->next_gone_ms = gone_ms;
    }
    return st;
}

/* ---- out ---- */

enum status store_forget_state(struct store *store, struct slice topic, bool *out_found,
                               struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_FORGET_STATE);
    enum status st;

    if (stmt != NULL) {
        store_bind_text(stmt, 1, topic);
    }
    st = store_run(store, stmt, err, "forget a state");
    if (st == ST_OK) {
        *out_found = sqlite3_changes(store->db) > 0;
    }
    return st;
}

enum status store_find_gone_states(struct store *store, struct err *err)
{
    int64_t next_ms = 0;
    bool found = false;
    enum status st = store_query(store, store_statement(store, SQL_NEXT_GONE), &next_ms, 1,
                                 &found, err, "read the states");

    store->next_gone_ms = found ? next_ms : INT64_MAX;
    return st;
}

bool store_has_gone_states(const struct store *store, int64_t now_ms)
{
    return store->next_gone_ms < now_ms;
}

enum status store_remove_gone_states(struct store *store, int64_t now_ms, struct err *err)
{
    sqlite3_stmt *stmt;
    enum status st;

    if (!store_has_gone_states(store, now_ms)) {
        return ST_OK;
    }
    stmt = store_statement(store, SQL_REMOVE_GONE);
    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, now_ms);
    }
    st = store_run(store, stmt, err, "remove states that are gone");
    return st == ST_OK ? store_find_gone_states(store, err) : st;
}

/* ---- listing: a page is copied within one short snapshot, and handed over after it ---- */

enum { PAGE_ROWS = 256 }; /* as in SQL_LIST_STATES */

struct page {
    struct event *events[PAGE_ROWS];
    uint64_t body_bytes[PAGE_ROWS];
    size_t count;
};

static void copy_row(sqlite3_stmt *stmt, struct page *page)
{
    enum { TOPIC, TIME, SEQ, RECEIVED, SOURCE, EVENT, BODY, GONE };
    struct event event = {.seq = (uint64_t)sqlite3_column_int64(stmt, SEQ),
                          .received_ms = store_read_time(stmt, RECEIVED),
                          .event_ms = store_read_time(stmt, TIME),
                          .source = store_read_text(stmt, SOURCE),
                          .event = store_read_text(stmt, EVENT),
                          .state_topic = store_read_text(stmt, TOPIC),
                          .deletion = store_read_time(stmt, GONE) != CLOCK_NONE};

    page->body_bytes[page->count] = (uint64_t)sqlite3_column_int64(stmt, BODY);
    page->events[page->count++] = event_copy(&event);
}

static enum status read_page(struct store *store, struct slice after, struct slice source,
                             struct page *page, struct err *err)
{
    sqlite3_stmt *stmt = store_statement(store, SQL_LIST_STATES);
    enum status st = ST_OK;

    page->count = 0;
    if (stmt != NULL) {
        store_bind_text(stmt, 1, after);
        store_bind_text(stmt, 2, source);
    }
    while (stmt != NULL && page->count < PAGE_ROWS && sqlite3_step(stmt) == SQLITE_ROW) {
        copy_row(stmt, page);
    }
    if (stmt == NULL || sqlite3_reset(stmt) != SQLITE_OK) {
        st = store_fail(store, err, "read the states");
    }
    return store_end_reading(store, st, err);
}

static bool hand_over(const struct page *page, store_state_fn *row, void *ctx)
{
    bool more = true;

    for (size_t i = 0; i < page->count && more; i++) {
        more = row(ctx, page->events[i], page->body_bytes[i]);
    }
    return more;
}

enum status store_list_states(struct store *store, struct slice source, store_state_fn *row,
                              void *ctx, struct err *err)
{
    struct buf after = {0};
    struct page page = {.count = PAGE_ROWS};
    enum status st = ST_OK;
    bool more = true;

    buf_add_str(&after, "");
    while (st == ST_OK && more && page.count == PAGE_ROWS) {
        st = read_page(store, buf_slice(&after), source, &page, err);
        more = hand_over(&page, row, ctx);
        if (page.count > 0) {
            buf_clear(&after);
            buf_add_slice(&after, page.events[page.count - 1]->state_topic);
        }
        for (size_t i = 0; i < page.count; i++) {
            event_free(page.events[i]);
        }
    }
    buf_free(&after);
    return st == ST_OK ? ST_OK : err_wrap(err, "list %s", store->path);
}
