/*
 * store - rows on disk: SQLite (WAL, synchronous=FULL) used as a log. The only module that
 * knows SQLite. The functions for the outbox alone are in writer.h.
 *
 * A handle is used by one thread at a time. There is one writer (guarded by the outbox's lock)
 * and any number of readers, also from other processes while the bridge runs. Does no batching,
 * no dedupe and no limits: see outbox.
 */
#ifndef BRIDGE_STORE_STORE_H
#define BRIDGE_STORE_STORE_H

#include "common/err.h"

#include "bridge/event.h"

struct store;

/* Numbers that need no counting of rows. Filled in store_totals_stats (statements.c) and, for the
 * oldest events, by store_stats_read and outbox/numbers.c. */
struct store_stats {
    uint64_t first_seq; /* of the rows on disk; 0 if none */
    uint64_t last_seq;  /* the newest seq ever given */
    /* The watermark: events up to it are delivered, buried or dropped. */
    uint64_t delivered_seq;
    uint64_t undelivered_count;
    uint64_t undelivered_bytes; /* by event_cost_bytes */
    uint64_t kept_count;        /* delivered and kept */
    uint64_t kept_bytes;
    uint64_t dead_count;
    uint64_t dead_bytes;
    uint64_t lost_count;    /* events that were answered and then lost with the log, ever */
    uint64_t refused_count; /* of the dead letters: refused by the broker, not quarantined */
    uint64_t refused_bytes;
    uint64_t held_count;           /* of the undelivered events */
    int64_t oldest_undelivered_ms; /* received_ms of it; CLOCK_NONE if there is none */
    int64_t oldest_kept_ms; /* likewise, of the delivered ones: so far do replays reach */
};
/* Pure. The age of an event that was received at received_ms; 0 if there is none. */
int64_t store_age_s(int64_t received_ms, int64_t now_unix_ms);

/* Selects rows for a listing or an operation by hand: those that match every part that is set. A
 * new pointer must also be copied in outbox_operation_create. */
struct store_selection {
    const struct uuid *ids; /* only these; id_count 0: any */
    size_t id_count;
    struct slice source; /* absent: any */
    int64_t since_ms;    /* received at or after; CLOCK_NONE: any */
    int64_t until_ms;    /* received before; CLOCK_NONE: any */
    uint64_t limit;      /* 0: all */
    /* For STATE_FORGET, and nothing else with it. */
    const struct slice *topics;
    size_t topic_count;
    bool oldest_first; /* a listing: in order of seq, else the newest first */
};
/* Pure. Is no part but the limit set? */
bool store_selects_everything(const struct store_selection *selection);

/* STORE_ALL: all events, delivered or not; without dead letters. */
enum store_which { STORE_ALL, STORE_UNDELIVERED, STORE_DELIVERED, STORE_DEAD };

/* Borrows the event. Its body is read only on request. A dead letter has its reason, and the seq
 * that it had as an event (0: it never was one). False ends the listing. */
typedef bool store_row_fn(void *ctx, const struct event *event, bool delivered);

/* An event that waits, so that others can pass it. */
struct store_hold {
    uint64_t seq;
    uint64_t cost_bytes; /* event_cost_bytes */
    int64_t since_ms;    /* the two are the publisher's; the store only keeps them */
    int reason;
};
/* Borrows both; the event is without its body. */
typedef void store_held_fn(void *ctx, const struct event *event, const struct store_hold *hold);

/* Changes nothing, not one byte of any file, whether a bridge runs, has been stopped or was killed.
 * Another process may write meanwhile. ST_NOT_FOUND: no such file; ST_INVALID: not an outbox,
 * empty, damaged, or of a newer version. Gives a handle for store_close. */
enum status store_open_reader(const char *path, struct store **out_store,
                              struct err *err) MUST_USE;
/* NULL is allowed. False: a sync failed, now or before; then the write-ahead log is left for the
 * next start to read. */
bool store_close(struct store *store);

/* The rows that there were when the listing began, in order of seq (dead letters: of burial), page
 * by page: no snapshot is held while row runs. ST_BUSY: the bridge was stopped when the store was
 * opened, and has been started. */
enum status store_list(struct store *store, enum store_which which,
                       const struct store_selection *selection, bool with_body,
                       store_row_fn *row, void *ctx, struct err *err) MUST_USE;
/* Borrows. What is known of a state topic's newest event: state_topic, source, event, the times and
 * seq; deletion: the state was cleared. What an older format did not keep is absent (0,
 * CLOCK_NONE). False ends the listing. */
typedef bool store_state_fn(void *ctx, const struct event *event, uint64_t body_bytes);
/* In order of topic, page by page as store_list. source absent: of all. */
enum status store_list_states(struct store *store, struct slice source, store_state_fn *row,
                              void *ctx, struct err *err) MUST_USE;
enum status store_stats_read(struct store *store, struct store_stats *out_stats,
                             struct err *err) MUST_USE;

/* What was synced once, and is not there any more: the log was cut, emptied or garbled, or an older
 * copy of the outbox was put in its place. */
struct store_loss {
    uint64_t change_count;        /* transactions; 0: nothing is missing */
    uint64_t first_seq, last_seq; /* of the events among them; last before first: none */
};

/* What store_salvage found and did. */
struct store_salvage {
    struct store_loss loss; /* acknowledged: the next start goes on with what is there */
    /* It was damaged, and what could be read of it is in a new outbox in its place: */
    char *aside; /* the damaged one, for free(); NULL: it was not damaged */
    uint64_t event_count, dead_count;
    uint64_t unreadable_count; /* rows */
};
/* While no bridge has it (else ST_BUSY). ST_NOT_FOUND: no such file; ST_INVALID: not an outbox, or
 * not a row of it can be read; it is as it was. If we die in here, either it is as it was, or a
 * loss is found at the next start. */
enum status store_salvage(const char *path, struct store_salvage *out_salvage,
                          struct err *err) MUST_USE;

#endif
