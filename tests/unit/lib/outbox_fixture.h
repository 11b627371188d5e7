/*
 * outbox_fixture - an outbox in its own directory, events for it, and waiting for their answers.
 */
#ifndef TESTS_UNIT_LIB_OUTBOX_FIXTURE_H
#define TESTS_UNIT_LIB_OUTBOX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"

#include "bridge/outbox/outbox.h"

enum { DEADLINE_S = 20, MAX_LISTED = 4096, WINDOW_MS = 600000 };

struct fixture {
    char dir[64];
    char path[96];
    struct outbox_options options;
    struct outbox *outbox;

    pthread_mutex_t mu;
    pthread_cond_t changed;
    /* under mu */
    uint64_t durable_seq, watermark_seq, released_count, dropped_seq;
    int failed_count;
    bool gate_entered, gate_open;
};

/* The answer to one submit. */
struct answer {
    struct fixture *f;
    bool arrived;
    struct outbox_result result;
};

static inline void lock(struct fixture *f)
{
    assert_int_equal(pthread_mutex_lock(&f->mu), 0);
}

static inline void unlock(struct fixture *f)
{
    assert_int_equal(pthread_mutex_unlock(&f->mu), 0);
}

/* Under the lock. */
static inline void wait_for_change(struct fixture *f)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += DEADLINE_S;
    assert_int_equal(pthread_cond_timedwait(&f->changed, &f->mu, &deadline), 0);
}

/* ---- life ---- */

static inline void on_progress(void *ctx, const struct outbox_progress *progress)
{
    struct fixture *f = ctx;

    lock(f);
    f->durable_seq = progress->durable_seq;
    f->watermark_seq = progress->watermark_seq;
    f->released_count = progress->released_count;
    pthread_cond_broadcast(&f->changed);
    unlock(f);
}

static inline void on_dropped(void *ctx, uint64_t seq)
{
    struct fixture *f = ctx;

    lock(f);
    f->dropped_seq = seq;
    unlock(f);
}

static inline void on_failed(void *ctx, const struct err *why)
{
    struct fixture *f = ctx;

    (void)why;
    lock(f);
    f->failed_count++;
    pthread_cond_broadcast(&f->changed);
    unlock(f);
}

static inline void fixture_open(struct fixture *f)
{
    struct err err = {0};
    enum status st = outbox_open(&f->options, &f->outbox, &err);

    if (st != ST_OK) {
        fail_msg("%s", err.text);
    }
}

static inline void fixture_start(struct fixture *f)
{
    struct outbox_listener listener = {
        .progress = on_progress, .dropped = on_dropped, .failed = on_failed, .ctx = f};
    struct err err = {0};

    fixture_open(f);
    assert_int_equal(outbox_start(f->outbox, &listener, &err), ST_OK);
}

static inline void fixture_close(struct fixture *f)
{
    outbox_close(f->outbox);
    f->outbox = NULL;
}

static inline void fixture_restart(struct fixture *f)
{
    fixture_close(f);
    fixture_start(f);
}

static inline struct fixture *fixture_create(void)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->dir, sizeof(f->dir), "/tmp/test-outbox-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/outbox.db", f->dir);
    f->options = (struct outbox_options){.path = f->path,
                                         .max_bytes = 128 << 20,
                                         .keep_delivered_ms = 3600000,
                                         .dedupe_entries = 4096};
    pthread_mutex_init(&f->mu, NULL);
    pthread_cond_init(&f->changed, NULL);
    return f;
}

static inline int remove_one(const char *path, const struct stat *info, int type,
                             struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static inline int set_up(void **state)
{
    *state = fixture_create();
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    fixture_close(f);
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->mu);
    free(f);
    return 0;
}

/* ---- events ---- */

/* An event of a resource, received now; digest stands for the body's. */
static inline struct event make_event(uint8_t gid, uint8_t digest)
{
    static const char *const gids[] = {"g0", "g1", "g2", "g3", "g4", "g5", "g6", "g7"};
    struct event event = {.id = uuid_new(),
                          .received_ms = clock_unix_ms(),
                          .event_ms = CLOCK_NONE,
                          .source = SLICE("partners"),
                          .event = SLICE("resource.updated"),
                          .resource_type = SLICE("project"),
                          .gid = slice_of(gids[gid % COUNT_OF(gids)]),
                          .topic = SLICE("partners/project/resource.updated/g"),
                          .body = SLICE("{\"event\":\"resource.updated\"}"),
                          .dedupe_window_ms = WINDOW_MS,
                          .qos = 1};

    event.identity.key[0] = gid;
    event.identity.key[1] = 1; /* a key of zeros is none */
    event.identity.digest[0] = digest;
    return event;
}

/* An event that is a duplicate of no other. */
static inline struct event make_new_event(void)
{
    struct event event = make_event(1, 1);

    memcpy(event.identity.key, event.id.bytes, sizeof(event.identity.key));
    return event;
}

static inline void on_done(void *ctx, const struct outbox_result *result)
{
    struct answer *answer = ctx;

    lock(answer->f);
    assert_false(answer->arrived);
    answer->result = *result;
    answer->arrived = true;
    pthread_cond_broadcast(&answer->f->changed);
    unlock(answer->f);
}

static inline enum status submit(struct fixture *f, const struct event *event,
                                 struct answer *answer)
{
    *answer = (struct answer){.f = f};
    return outbox_submit(f->outbox, event_copy(event), on_done, answer);
}

static inline struct outbox_result wait_answer(struct answer *answer)
{
    lock(answer->f);
    while (!answer->arrived) {
        wait_for_change(answer->f);
    }
    unlock(answer->f);
    return answer->result;
}

/* The status at the door, or the answer. */
static inline struct outbox_result put(struct fixture *f, const struct event *event)
{
    struct answer answer;
    enum status st = submit(f, event, &answer);

    return st == ST_OK ? wait_answer(&answer) : (struct outbox_result){.status = st};
}

static inline void put_ok(struct fixture *f, const struct event *event)
{
    struct outbox_result result = put(f, event);

    assert_int_equal(result.status, ST_OK);
    assert_false(result.duplicate);
}

static inline void put_many(struct fixture *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct event event = make_new_event();

        put_ok(f, &event);
    }
}

static inline bool is_duplicate(struct fixture *f, const struct event *event, struct uuid of)
{
    struct outbox_result result = put(f, event);

    assert_int_equal(result.status, ST_OK);
    return result.duplicate && uuid_equal(result.id, of);
}

/* ---- the committer waits at a gate, so that everything submitted meanwhile is one batch ---- */

static inline void on_gate(void *ctx, const struct outbox_result *result)
{
    struct fixture *f = ctx;

    (void)result;
    lock(f);
    f->gate_entered = true;
    pthread_cond_broadcast(&f->changed);
    while (!f->gate_open) {
        wait_for_change(f);
    }
    unlock(f);
}

static inline void close_gate(struct fixture *f)
{
    struct event event = make_new_event();

    f->gate_entered = f->gate_open = false;
    assert_int_equal(outbox_submit(f->outbox, event_copy(&event), on_gate, f), ST_OK);
    lock(f);
    while (!f->gate_entered) {
        wait_for_change(f);
    }
    unlock(f);
}

static inline void open_gate(struct fixture *f)
{
    lock(f);
    f->gate_open = true;
    pthread_cond_broadcast(&f->changed);
    unlock(f);
}

/* ---- as the publisher does ---- */

/* Every event up to seq is delivered. Returns when the outbox has noted that. */
static inline void deliver(struct fixture *f, uint64_t seq)
{
    outbox_set_watermark(f->outbox, seq);
    lock(f);
    while (f->watermark_seq < seq) {
        wait_for_change(f);
    }
    unlock(f);
}

/* To the dead letters, as the publisher says it. */
static inline void bury(struct fixture *f, uint64_t seq, const char *reason)
{
    assert_int_equal(outbox_bury(f->outbox, seq, 300, reason), ST_OK);
}

/* Reads all undelivered events; returns how many, their seqs in out_seqs. */
static inline size_t read_all(struct fixture *f, uint64_t *out_seqs, size_t max)
{
    struct event *events[16];
    struct err err = {0};
    uint64_t after = 0;
    size_t count = 0, n = 0;

    do {
        assert_int_equal(outbox_read(f->outbox, after, 16, 1 << 20, events, &n, &err), ST_OK);
        for (size_t i = 0; i < n; i++) {
            assert_true(events[i]->seq > after);
            after = events[i]->seq;
            assert_true(count < max);
            out_seqs[count++] = after;
            event_free(events[i]);
        }
    } while (n > 0);
    return count;
}

/* ---- by hand ---- */

struct operation_answer {
    struct fixture *f;
    bool arrived;
    struct outbox_operation_result result;
};

static inline void on_operation(void *ctx, const struct outbox_operation_result *result)
{
    struct operation_answer *answer = ctx;

    lock(answer->f);
    answer->result = *result;
    answer->arrived = true;
    pthread_cond_broadcast(&answer->f->changed);
    unlock(answer->f);
}

static inline struct store_selection select_all(void)
{
    return (struct store_selection){
        .since_ms = CLOCK_NONE, .until_ms = CLOCK_NONE, .oldest_first = true};
}

static inline struct outbox_operation_result operate(struct fixture *f, enum outbox_op op,
                                                     const struct store_selection *selection)
{
    struct operation_answer answer = {.f = f};

    assert_int_equal(outbox_operate(f->outbox, op, selection, on_operation, &answer), ST_OK);
    lock(f);
    while (!answer.arrived) {
        wait_for_change(f);
    }
    unlock(f);
    return answer.result;
}

/* ---- the rows on disk, through a separate reader ---- */

struct listed {
    size_t count;
    struct {
        uint64_t seq;
        struct uuid id;
        bool delivered, replayed, has_state;
        char reason[64];
        char body[64];
    } rows[MAX_LISTED];
};

static inline bool add_listed(void *ctx, const struct event *event, bool delivered)
{
    struct listed *listed = ctx;

    assert_true(listed->count < MAX_LISTED);
    listed->rows[listed->count].seq = event->seq;
    listed->rows[listed->count].id = event->id;
    listed->rows[listed->count].delivered = delivered;
    listed->rows[listed->count].replayed = event->replayed;
    listed->rows[listed->count].has_state = event->state_topic.data != NULL;
    snprintf(listed->rows[listed->count].reason, sizeof(listed->rows[0].reason), "%.*s",
             SLICE_ARG(event->reason));
    snprintf(listed->rows[listed->count].body, sizeof(listed->rows[0].body), "%.*s",
             SLICE_ARG(event->body));
    listed->count++;
    return true;
}

/* For free(). */
static inline struct listed *list(struct fixture *f, enum store_which which)
{
    struct listed *listed = calloc(1, sizeof(*listed));
    struct store_selection all = select_all();
    struct store *store = NULL;
    struct err err = {0};

    assert_int_equal(store_open_reader(f->path, &store, &err), ST_OK);
    assert_int_equal(store_list(store, which, &all, true, add_listed, listed, &err), ST_OK);
    store_close(store);
    return listed;
}

static inline size_t count_on_disk(struct fixture *f, enum store_which which)
{
    struct listed *listed = list(f, which);
    size_t count = listed->count;

    free(listed);
    return count;
}

static inline struct store_stats stats_on_disk(struct fixture *f)
{
    struct store_stats stats;
    struct store *store = NULL;
    struct err err = {0};

    assert_int_equal(store_open_reader(f->path, &store, &err), ST_OK);
    assert_int_equal(store_stats_read(store, &stats, &err), ST_OK);
    store_close(store);
    return stats;
}

/* The stored sums must equal the count of the rows. */
static inline void assert_sums_right(struct fixture *f)
{
    struct store_stats stats = stats_on_disk(f);

    assert_int_equal(stats.undelivered_count, count_on_disk(f, STORE_UNDELIVERED));
    assert_int_equal(stats.kept_count, count_on_disk(f, STORE_DELIVERED));
    assert_int_equal(stats.dead_count, count_on_disk(f, STORE_DEAD));
    assert_int_equal(stats.undelivered_count == 0, stats.undelivered_bytes == 0);
    assert_int_equal(stats.kept_count == 0, stats.kept_bytes == 0);
    assert_int_equal(stats.dead_count == 0, stats.dead_bytes == 0);
}

#endif
