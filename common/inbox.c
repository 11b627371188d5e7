/*
 * A chain of items under one mutex. A put appends and wakes the taker only if the chain was empty;
 * the taker unhooks the whole chain under the lock and works without it. A put after the close is
 * refused; nothing else can fail.
 */
#include "common/inbox.h"

#include <errno.h>

#include "common/thread.h"

void inbox_init(struct inbox *inbox)
{
    *inbox = (struct inbox){.closed = false};
    CHECK(pthread_mutex_init(&inbox->mu, NULL) == 0);
    thread_cond_init(&inbox->changed);
}

void inbox_fini(struct inbox *inbox)
{
    CHECK(inbox->first == NULL);
    CHECK(pthread_cond_destroy(&inbox->changed) == 0);
    CHECK(pthread_mutex_destroy(&inbox->mu) == 0);
}

static void lock(struct inbox *inbox)
{
    CHECK(pthread_mutex_lock(&inbox->mu) == 0);
}

static void unlock(struct inbox *inbox)
{
    CHECK(pthread_mutex_unlock(&inbox->mu) == 0);
}

bool inbox_put(struct inbox *inbox, struct inbox_link *item, bool *out_was_empty)
{
    bool was_empty;
    bool open;

    item->next = NULL;
    lock(inbox);
    open = !inbox->closed;
    was_empty = inbox->first == NULL;
    if (open) {
        if (was_empty) {
            inbox->first = item;
            CHECK(pthread_cond_signal(&inbox->changed) == 0);
        } else {
            inbox->last->next = item;
        }
        inbox->last = item;
    }
    unlock(inbox);
    if (out_was_empty != NULL) {
        *out_was_empty = was_empty;
    }
    return open;
}

static struct inbox_link *take_locked(struct inbox *inbox)
{
    struct inbox_link *chain = inbox->first;

    inbox->first = inbox->last = NULL;
    return chain;
}

struct inbox_link *inbox_take_all(struct inbox *inbox)
{
    struct inbox_link *chain;

    lock(inbox);
    chain = take_locked(inbox);
    unlock(inbox);
    return chain;
}

struct inbox_link *inbox_wait(struct inbox *inbox, int64_t timeout_ms, bool *out_open)
{
    struct timespec deadline = thread_deadline(timeout_ms < 0 ? 0 : timeout_ms);
    struct inbox_link *chain;
    int rc = 0;

    lock(inbox);
    while (inbox->first == NULL && !inbox->closed && !inbox->woken && rc != ETIMEDOUT) {
        rc = timeout_ms < 0 ? pthread_cond_wait(&inbox->changed, &inbox->mu)
                            : pthread_cond_timedwait(&inbox->changed, &inbox->mu, &deadline);
        CHECK(rc == 0 || rc == ETIMEDOUT);
    }
    inbox->woken = false;
    *out_open = !inbox->closed;
    chain = take_locked(inbox);
    unlock(inbox);
    return chain;
}

void inbox_wake(struct inbox *inbox)
{
    lock(inbox);
    inbox->woken = true;
    CHECK(pthread_cond_signal(&inbox->changed) == 0);
    unlock(inbox);
}

void inbox_close(struct inbox *inbox)
{
    lock(inbox);
    inbox->closed = true;
    CHECK(pthread_cond_signal(&inbox->changed) == 0);
    unlock(inbox);
}
