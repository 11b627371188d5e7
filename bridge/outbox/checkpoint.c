/*
 * Keeps the write-ahead log short. A thread copies the log into the database file while commits go
 * on. If commits never pause, the thread never reaches the log's end, and the log grows. When it
 * is long, the committer therefore copies the short rest itself, between two commits, and the log
 * starts over.
 *
 * What can fail: a reader is in the way, or the disk is full; both are tried again later, and a
 * log that cannot shrink for long is logged. Any other failure is final for the outbox: the
 * committer sees it in its next turn. If we die during a copy, the log is still there and the
 * next start replays it.
 */
#include "bridge/outbox/internal.h"

#include "common/log.h"

static void *checkpointer_main(void *arg)
{
    struct checkpointer *cp = arg;
    struct err err = {0};
    enum status st;

    CHECK(pthread_mutex_lock(&cp->mu) == 0);
    for (;;) {
        while (!cp->wanted && !cp->stopping) {
            CHECK(pthread_cond_wait(&cp->changed, &cp->mu) == 0);
        }
        if (cp->stopping) {
            break;
        }
        cp->wanted = false;
        CHECK(pthread_mutex_unlock(&cp->mu) == 0);

        CHECK(pthread_mutex_lock(&cp->running_mu) == 0);
        st = store_checkpoint(cp->store, false, &err);
        CHECK(pthread_mutex_unlock(&cp->running_mu) == 0);

        CHECK(pthread_mutex_lock(&cp->mu) == 0);
        if (st != ST_OK && !outbox_can_retry(st)) {
            cp->failed = true; /* the committer sees it in its next turn */
            cp->why = err;
        }
    }
    CHECK(pthread_mutex_unlock(&cp->mu) == 0);
    return NULL;
}

enum status checkpointer_start(struct checkpointer *cp, const struct store *writer,
                               uint64_t log_bytes, struct err *err)
{
    enum status st = store_open_checkpointer(writer, &cp->store, err);

    if (st != ST_OK) {
        return st;
    }
    CHECK(pthread_mutex_init(&cp->running_mu, NULL) == 0);
    CHECK(pthread_mutex_init(&cp->mu, NULL) == 0);
    CHECK(pthread_cond_init(&cp->changed, NULL) == 0);
    cp->next_bytes = cp->step_bytes = log_bytes / 8;
    cp->next_rest_bytes = cp->rest_bytes = log_bytes / 2;
    st = thread_start(&cp->thread, "checkpointer", checkpointer_main, cp, err);
    cp->started = st == ST_OK;
    return st;
}

void checkpointer_stop(struct checkpointer *cp)
{
    if (cp->started) {
        CHECK(pthread_mutex_lock(&cp->mu) == 0);
        cp->stopping = true;
        CHECK(pthread_cond_signal(&cp->changed) == 0);
        CHECK(pthread_mutex_unlock(&cp->mu) == 0);
        CHECK(pthread_join(cp->thread, NULL) == 0);
    }
    if (cp->store != NULL) {
        CHECK(pthread_cond_destroy(&cp->changed) == 0);
        CHECK(pthread_mutex_destroy(&cp->mu) == 0);
        CHECK(pthread_mutex_destroy(&cp->running_mu) == 0);
        (void)store_close(cp->store); /* closing the writer reports a failed sync */
    }
}

/* Wakes the thread if run is set; returns the outcome of its last run. */
static enum status ask(struct checkpointer *cp, bool run, struct err *err)
{
    enum status st = ST_OK;

    CHECK(pthread_mutex_lock(&cp->mu) == 0);
    if (run) {
        cp->wanted = true;
        CHECK(pthread_cond_signal(&cp->changed) == 0);
    }
    if (cp->failed) {
        *err = cp->why;
        st = cp->why.status;
    }
    CHECK(pthread_mutex_unlock(&cp->mu) == 0);
    return st;
}

enum status checkpointer_rest(struct checkpointer *cp, struct store *writer, struct err *err)
{
    enum status st;

    CHECK(pthread_mutex_lock(&cp->running_mu) == 0);
    st = store_checkpoint(writer, true, err);
    CHECK(pthread_mutex_unlock(&cp->running_mu) == 0);
    return outbox_can_retry(st) ? ST_OK : st; /* a reader is in the way: later */
}

/* A reader looks at an old state and does not end, such as `outbox ls` in a pager. */
static void warn_pinned(struct checkpointer *cp, uint64_t bytes)
{
    uint64_t pinned_bytes = 4 * cp->rest_bytes; /* twice what it should be */

    if (bytes >= pinned_bytes && !cp->warned) {
        log_warn("the outbox's write-ahead log cannot shrink: a reader does not end",
                 L_INT("bytes", bytes));
    }
    cp->warned = bytes >= pinned_bytes;
}

enum status checkpointer_look(struct checkpointer *cp, struct store *writer, struct err *err)
{
    uint64_t bytes = store_wal_bytes(writer);
    enum status st;

    /* The log has started over. */
    if (bytes + cp->step_bytes < cp->next_bytes) {
        cp->next_bytes = cp->step_bytes;
        cp->next_rest_bytes = cp->rest_bytes;
    }
    st = ask(cp, bytes >= cp->next_bytes, err);
    if (bytes >= cp->next_bytes) {
        cp->next_bytes = bytes + cp->step_bytes;
    }
    if (st == ST_OK && bytes >= cp->next_rest_bytes) {
        st = checkpointer_rest(cp, writer, err);
        cp->next_rest_bytes = bytes + cp->step_bytes;
    }
    warn_pinned(cp, bytes);
    return st;
}
