/*
 * inbox - the handoff between threads: many put, one takes everything. First in, first out.
 *
 * Items contain a struct inbox_link by which they are linked, so that a put never allocates and
 * cannot fail for lack of memory. The inbox has no bound: callers check a limit before they put.
 */
#ifndef COMMON_INBOX_H
#define COMMON_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include <pthread.h>

#include "common/check.h"

struct inbox_link {
    struct inbox_link *next;
};

/* The item that contains the link. */
#define INBOX_ITEM(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

struct inbox {
    pthread_mutex_t mu;
    pthread_cond_t changed;
    /* under mu */
    struct inbox_link *first, *last;
    bool closed;
    bool woken;
};

void inbox_init(struct inbox *inbox);
void inbox_fini(struct inbox *inbox); /* empty by then */

/* Any thread. Takes the item, unless it returns false: closed. *out_was_empty (may be NULL): a
 * taker that sleeps on something else, such as an eventfd, must be woken. */
bool inbox_put(struct inbox *inbox, struct inbox_link *item, bool *out_was_empty) MUST_USE;

/* The taker's thread. Gives the whole chain in order, without waiting; NULL: empty. */
struct inbox_link *inbox_take_all(struct inbox *inbox);

/* The taker's thread. Waits for an item, inbox_wake, inbox_close, or timeout_ms (< 0: for ever);
 * then as inbox_take_all. *out_open: false once it is closed and this was the last of it. */
struct inbox_link *inbox_wait(struct inbox *inbox, int64_t timeout_ms, bool *out_open);

/* Any thread. Wakes the taker without an item. */
void inbox_wake(struct inbox *inbox);
/* Any thread. Later puts are refused; items inside can still be taken. */
void inbox_close(struct inbox *inbox);

#endif
