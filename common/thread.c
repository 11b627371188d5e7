/*
 * Starting threads, timed waits, and heartbeats. Only starting a thread can fail, for lack of
 * resources; the caller gets the error and no thread runs.
 */
#include "common/thread.h"

#include <signal.h>

#include "common/clock.h"

enum status thread_start(pthread_t *out_thread, const char *name, void *(*run)(void *),
                         void *arg, struct err *err)
{
    sigset_t all, before;
    int rc;

    /* A thread inherits the mask, so no signal can reach it before it would have blocked them. */
    CHECK(sigfillset(&all) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    rc = pthread_create(out_thread, NULL, run, arg);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (rc != 0) {
        return err_set_errno(err, ST_IO, rc, "start thread %s", name);
    }
    (void)pthread_setname_np(*out_thread, name); /* for people who look; may fail */
    return ST_OK;
}

void thread_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(cond, &attr) == 0);
    CHECK(pthread_condattr_destroy(&attr) == 0);
}

struct timespec thread_deadline(int64_t after_ms)
{
    struct timespec at;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &at) == 0);
    at.tv_sec += after_ms / 1000;
    at.tv_nsec += after_ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

void heartbeat_now(struct heartbeat *heartbeat)
{
    atomic_store_explicit(&heartbeat->last_mono_ms, clock_mono_ms(), memory_order_relaxed);
}

int64_t heartbeat_age_ms(const struct heartbeat *heartbeat)
{
    int64_t last = atomic_load_explicit(&heartbeat->last_mono_ms, memory_order_relaxed);

    return last == 0 ? 0 : clock_mono_ms() - last;
}
