/*
 * Listings, page by page. While a statement runs the log cannot shrink, and whoever takes the rows
 * may be slow: a pager, a terminal that stands still. So each page is one short snapshot of a
 * bounded number of keys, rows and bytes; it is copied, the snapshot ends, and only then are its
 * rows handed over. What arrives after the listing began is not part of it; what is removed
 * meanwhile may be missing; whether a row is delivered is as its page saw it.
 *
 * What can fail: reading. Rows before the failure have been handed over.
 */
#include "bridge/store/internal.h"

#include <stdlib.h>

enum {
    PAGE_ROWS = 256,
    PAGE_BYTES = 4194304, /* of bodies, about */
    PAGE_KEYS = 8192,     /* looked at */
};

struct page {
    struct event *events[PAGE_ROWS];
    bool delivered[PAGE_ROWS];
    size_t count, max_count, bytes;
    uint64_t delivered_seq, last_key;
};

struct listing {
    enum store_which which;
    const struct store_selection *selection; /* ids sorted */
    bool with_body;
    uint64_t after_key, upto_key; /* what is left */
    uint64_t left;                /* of the limit */
};

static bool collect(void *ctx, uint64_t key, const struct event *event)
{
    struct page *page = ctx;

    page->events[page->count] = event_copy(event);
    page->delivered[page->count++] =
        event->reason.data == NULL && key <= page->delivered_seq && !event->held;
    page->last_key = key;
    page->bytes += event->body.len;
    return page->count < page->max_count && page->bytes < PAGE_BYTES;
}

/* The keys of the next page. */
static struct store_scan plan(const struct listing *listing, const struct page *page)
{
    bool undelivered = listing->which == STORE_UNDELIVERED;
    struct store_scan scan = {.dead = listing->which == STORE_DEAD,
                              .newest_first = !listing->selection->oldest_first,
                              .with_body = listing->with_body,
                              .without_held = listing->which == STORE_DELIVERED,
                              .without_delivered_seq = undelivered ? page->delivered_seq : 0,
                              .after_key = listing->after_key,
                              .upto_key = listing->upto_key,
                              .selection = listing->selection};

    if (scan.upto_key - scan.after_key > PAGE_KEYS && scan.newest_first) {
        scan.after_key = scan.upto_key - PAGE_KEYS;
    } else if (scan.upto_key - scan.after_key > PAGE_KEYS) {
        scan.upto_key = scan.after_key + PAGE_KEYS;
    }
    return scan;
}

/* Every key up to the page's end has been looked at. */
static void advance(struct listing *listing, const struct store_scan *scan,
                    const struct page *page)
{
    bool whole = page->count < page->max_count && page->bytes < PAGE_BYTES;

    if (scan->newest_first) {
        listing->upto_key = whole ? scan->after_key : page->last_key - 1;
    } else {
        listing->after_key = whole ? scan->upto_key : page->last_key;
    }
}

/* Within a snapshot. The keys that there are, of which the first page decides the newest. */
static enum status find_keys(struct store *store, struct listing *listing, struct page *page,
                             struct err *err)
{
    struct store_totals totals;
    enum status st = store_read_totals(store, &totals, err);
    uint64_t after = 0, upto = 0, held = 0;

    if (st == ST_OK && listing->which == STORE_DEAD) {
        st = store_last_dead(store, &upto, err);
    }
    if (st == ST_OK) {
        st = store_first_held(store, &held, err);
    }
    if (st != ST_OK) {
        return st;
    }
    if (listing->which != STORE_DEAD) {
        after = listing->which == STORE_UNDELIVERED ? totals.delivered_seq : totals.removed_seq;
        after = held - 1 < after ? held - 1 : after; /* it outlives its range */
        upto = listing->which == STORE_DELIVERED ? totals.delivered_seq : totals.last_seq;
    }
    page->delivered_seq = totals.delivered_seq;
    listing->after_key = listing->after_key > after ? listing->after_key : after;
    listing->upto_key = listing->upto_key < upto ? listing->upto_key : upto;
    return ST_OK;
}

static enum status read_page(struct store *store, struct listing *listing, struct page *page,
                             struct err *err)
{
    struct store_scan scan;
    enum status st = store_exec(store, "BEGIN", err);

    page->count = page->bytes = 0;
    page->max_count = listing->left < PAGE_ROWS ? (size_t)listing->left : PAGE_ROWS;
    if (st == ST_OK) {
        st = find_keys(store, listing, page, err);
    }
    if (st == ST_OK && listing->after_key < listing->upto_key) {
        scan = plan(listing, page);
        st = store_scan(store, &scan, collect, page, err);
        advance(listing, &scan, page);
    }
    store_rollback(store); /* only ends the snapshot */
    return store_end_reading(store, st, err);
}

/* False: the caller wants no more. Frees the page's rows. */
static bool hand_over(struct page *page, store_row_fn *row, void *ctx)
{
    bool more = true;

    for (size_t i = 0; i < page->count; i++) {
        more = more && row(ctx, page->events[i], page->delivered[i]);
        event_free(page->events[i]);
    }
    return more;
}

enum status store_list(struct store *store, enum store_which which,
                       const struct store_selection *selection, bool with_body,
                       store_row_fn *row, void *ctx, struct err *err)
{
    struct uuid *ids = store_sort_ids(selection->ids, selection->id_count);
    struct store_selection sorted = *selection;
    struct listing listing = {.which = which,
                              .selection = &sorted,
                              .with_body = with_body,
                              .upto_key = INT64_MAX,
                              .left = selection->limit > 0 ? selection->limit : UINT64_MAX};
    struct page page;
    enum status st = ST_OK;
    bool more = true;

    sorted.ids = ids;
    while (st == ST_OK && more && listing.left > 0 && listing.after_key < listing.upto_key) {
        st = read_page(store, &listing, &page, err);
        listing.left -= page.count;
        more = hand_over(&page, row, ctx);
    }
    free(ids);
    return st == ST_OK ? ST_OK : err_wrap(err, "list %s", store->path);
}
