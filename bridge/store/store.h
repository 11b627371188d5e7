/*
 * store - rows on disk: SQLite (WAL, synchronous=FULL) used as a log. The only module that
 * knows SQLite. What only the outbox may do is in writer.h.
 *
 * A handle is used by one thread at a time. One writer (guarded by the lock of outbox), any
 * number of readers, also from other processes while the bridge runs. Does no batching, no
 * dedupe and no limits: see outbox.
 */
#ifndef BRIDGE_STORE_STORE_H
#define BRIDGE_STORE_STORE_H

#include "common/err.h"

#include "bridge/event.h"

struct store;

/* Numbers that are known without reading rows one by one. */
struct store_stats {
    uint64_t first_seq; /* of the rows that are there; 0 if none */
    uint64_t last_seq;  /* the newest seq ever given */
    uint64_t
        delivered_seq; /* the watermark: everything up to it is delivered, buried or dropped */
    uint64_t undelivered_count;
    uint64_t undelivered_bytes; /* by event_cost_bytes */
    uint64_t kept_count;        /* delivered and kept */
    uint64_t kept_bytes;
    uint64_t dead_count;
    uint64_t dead_bytes;
    int64_t oldest_undelivered_ms; /* received_ms of it; CLOCK_NONE if there is none */
};
/* Pure. How long the oldest undelivered event has waited; 0 if there is none. */
int64_t store_oldest_age_s(const struct store_stats *stats, int64_t now_unix_ms);

/* Which rows a listing or an operation by hand is about: those that match each part that is
 * set. */
struct store_selection {
    const struct uuid *ids; /* only these; none: any */
    size_t id_count;
    struct slice source; /* absent: any */
    int64_t since_ms;    /* received at or after; CLOCK_NONE: any */
    int64_t until_ms;    /* received before; CLOCK_NONE: any */
    uint64_t limit;      /* at most so many; 0: all */
};
/* Pure. No part but the limit is set. */
bool store_selects_everything(const struct store_selection *selection);

/* STORE_ALL is every event that is delivered or to be delivered; dead letters are apart. */
enum store_which { STORE_ALL, STORE_UNDELIVERED, STORE_DELIVERED, STORE_DEAD };

/* Borrows the event. body is filled only if it was asked for. A dead letter has its reason, and
 * the seq that it had in the outbox (0: it never was in it). False ends the listing. */
typedef bool store_row_fn(void *ctx, const struct event *event, bool delivered);

/* Reads while nobody, or somebody else, writes. ST_NOT_FOUND: no such file; ST_INVALID: not an
 * outbox, damaged, or of a newer version. Gives a handle for store_close. */
enum status store_open_reader(const char *path, struct store **out_store,
                              struct err *err) MUST_USE;
/* NULL is allowed. False: a sync failed, now or before; then the write-ahead log stays as it
 * is, for the next start to read. */
bool store_close(struct store *store);

/* Rows in order of seq (dead letters: of burial), as they were when the listing began. A
 * listing that is not ended keeps the write-ahead log from shrinking. */
enum status store_list(struct store *store, enum store_which which,
                       const struct store_selection *selection, bool with_body,
                       store_row_fn *row, void *ctx, struct err *err) MUST_USE;
enum status store_stats_read(struct store *store, struct store_stats *out_stats,
                             struct err *err) MUST_USE;

#endif
