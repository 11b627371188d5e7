/*
 * thread - named threads with signals blocked, and the heartbeat by which the watchdog knows that
 * they get on.
 */
#ifndef COMMON_THREAD_H
#define COMMON_THREAD_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include <pthread.h>

#include "common/err.h"

/* Any thread. name: at most 15 characters. The new thread has every signal blocked; end it by
 * asking and joining. */
enum status thread_start(pthread_t *out_thread, const char *name, void *(*run)(void *),
                         void *arg, struct err *err) MUST_USE;

/* Any thread. A condition variable whose timed waits end by the monotonic clock. */
void thread_cond_init(pthread_cond_t *cond);
/* Any thread. The moment after_ms (0 or more) from now, for such a wait. */
struct timespec thread_deadline(int64_t after_ms);

/* How long a loop may go without a turn: every loop waits at most this long for something to
 * do, and heartbeats each turn. */
enum { THREAD_TURN_MS = 1000 };

/* One per loop. The loop's thread heartbeats; any thread reads the age. */
struct heartbeat {
    _Atomic int64_t last_mono_ms;
};

void heartbeat_now(struct heartbeat *heartbeat);
int64_t heartbeat_age_ms(
    const struct heartbeat *heartbeat); /* since the last heartbeat; 0 if there was none yet */

#endif
