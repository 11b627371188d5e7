/*
 * thread - named threads with signals blocked, and heartbeats, by which the watchdog sees that a
 * loop is not stuck.
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

/* The longest wait of a loop for work; each turn has a heartbeat. */
enum { THREAD_TURN_MS = 1000 };

/* One per loop. The loop's thread calls heartbeat_now; any thread reads the age. */
struct heartbeat {
    _Atomic int64_t last_mono_ms;
};

void heartbeat_now(struct heartbeat *heartbeat);
/* Since the last heartbeat; 0 if there was none yet. */
int64_t heartbeat_age_ms(const struct heartbeat *heartbeat);

#endif
