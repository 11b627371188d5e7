/*
 * Each line is copied into a ring; the thread takes as many whole lines as one write may have, and
 * writes them with the ring unlocked. Only this thread ever waits for the reader.
 *
 * The descriptor stays blocking: O_NONBLOCK belongs to the open file, which a parent or a terminal
 * shares with us. If somebody else made it non-blocking, the thread waits until it is writable.
 *
 * What cannot be written (no reader any more, a full disk) is counted as left out, too. If the
 * process crashes, its handler gives the thread a moment for the last lines.
 */
#include "common/log_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "common/thread.h"

enum {
    RING_BYTES = 256 * 1024, /* some 1,500 lines: a burst, not an outage */
    LAST_WORDS_TURNS = 1000, /* how long a crash waits for them, in milliseconds */
};

static struct {
    pthread_mutex_t mu;
    pthread_cond_t work, end; /* there is something to do; the thread has ended */
    pthread_t thread;
    log_writer_notice_fn *notice;
    /* under mu */
    bool running, stopping, ended;
    bool full;        /* lines are left out until the ring is half empty */
    uint64_t dropped; /* left out, and not said yet */
    size_t first, used;
    char ring[RING_BYTES];
    /* the bytes that were put, but not written yet; read without mu by the crash handler */
    _Atomic size_t unwritten;
} writer = {.mu = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static void lock(void)
{
    CHECK(pthread_mutex_lock(&writer.mu) == 0);
}

static void unlock(void)
{
    CHECK(pthread_mutex_unlock(&writer.mu) == 0);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- the ring; with mu ---- */

static void ring_add(const char *line, size_t len)
{
    size_t at = (writer.first + writer.used) % RING_BYTES;
    size_t until_end = smaller(len, RING_BYTES - at);

    memcpy(writer.ring + at, line, until_end);
    memcpy(writer.ring, line + until_end, len - until_end);
    writer.used += len;
    atomic_fetch_add(&writer.unwritten, len);
}

/* Takes as many whole lines as fit into out. */
static size_t ring_take(char out[LOG_LINE_MAX])
{
    size_t len = smaller(writer.used, LOG_LINE_MAX);
    size_t until_end = smaller(len, RING_BYTES - writer.first);

    memcpy(out, writer.ring + writer.first, until_end);
    memcpy(out + until_end, writer.ring, len - until_end);
    while (len > 0 && out[len - 1] != '\n') {
        len--;
    }
    writer.first = (writer.first + len) % RING_BYTES;
    writer.used -= len;
    return len;
}

bool log_writer_put(const char *line, size_t len)
{
    bool running;

    lock();
    running = writer.running;
    if (running) {
        writer.full = writer.full || len > RING_BYTES - writer.used;
        if (writer.full) {
            writer.dropped++;
        } else {
            ring_add(line, len);
        }
    }
    unlock();
    if (running) {
        CHECK(pthread_cond_signal(&writer.work) == 0);
    }
    return running;
}

/* ---- the thread ---- */

/* Waits for lines. 0: there are none left, and the writer is to stop. */
static size_t take_lines(char out[LOG_LINE_MAX])
{
    size_t len;

    lock();
    while (writer.used == 0 && !writer.stopping) {
        CHECK(pthread_cond_wait(&writer.work, &writer.mu) == 0);
    }
    len = ring_take(out);
    unlock();
    return len;
}

static bool write_lines(const char *data, size_t len)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, data, len);

        if (n >= 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            (void)poll(&fd, 1, -1); /* if it fails, so will the next write */
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static uint64_t count_lines(const char *data, size_t len)
{
    uint64_t count = 0;

    for (size_t i = 0; i < len; i++) {
        count += data[i] == '\n';
    }
    return count;
}

static void say_dropped(void)
{
    char line[LOG_LINE_MAX] = "";
    size_t len = writer.notice(writer.dropped, line);

    ring_add(line, len);
    writer.dropped = 0;
}

/* There is room for the notice: the ring is half empty. */
static void after_write(const char *data, size_t len, bool written)
{
    lock();
    atomic_fetch_sub(&writer.unwritten, len);
    writer.full = writer.full && writer.used > RING_BYTES / 2;
    if (!written) {
        writer.dropped += count_lines(data, len);
    } else if (writer.dropped > 0 && !writer.full) {
        say_dropped();
    }
    unlock();
}

static void *run(void *arg)
{
    char lines[LOG_LINE_MAX];
    size_t len;

    (void)arg;
    while ((len = take_lines(lines)) > 0) {
        after_write(lines, len, write_lines(lines, len));
    }
    lock();
    writer.ended = true;
    CHECK(pthread_cond_signal(&writer.end) == 0);
    unlock();
    return NULL;
}

/* ---- a crash ---- */

/* Async-signal-safe. The thread goes on writing meanwhile, unless it is what has crashed. */
static void on_crash(int signal_number)
{
    const struct timespec turn = {.tv_nsec = 1000000};

    for (int i = 0; i < LAST_WORDS_TURNS && atomic_load(&writer.unwritten) > 0 &&
                    !pthread_equal(pthread_self(), writer.thread);
         i++) {
        (void)nanosleep(&turn, NULL);
    }
    (void)raise(signal_number); /* with SA_RESETHAND, this ends the process as it should */
}

/* Where nobody else, such as a sanitizer, handles them. */
static void catch_crashes(void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};

    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        struct sigaction before;

        CHECK(sigaction(signals[i], NULL, &before) == 0);
        if (before.sa_handler == SIG_DFL) {
            CHECK(sigaction(signals[i], &action, NULL) == 0);
        }
    }
}

/* ---- start and stop ---- */

enum status log_writer_start(log_writer_notice_fn *notice, struct err *err)
{
    enum status st;

    writer.notice = notice;
    thread_cond_init(&writer.end);
    st = thread_start(&writer.thread, "log", run, NULL, err);
    if (st != ST_OK) {
        return st;
    }
    catch_crashes();
    lock();
    writer.running = true;
    unlock();
    return ST_OK;
}

void log_writer_stop(int64_t wait_ms)
{
    struct timespec deadline = thread_deadline(wait_ms);
    int rc = 0;
    bool ended;

    lock();
    writer.stopping = true;
    CHECK(pthread_cond_signal(&writer.work) == 0);
    while (!writer.ended && rc == 0) {
        rc = pthread_cond_timedwait(&writer.end, &writer.mu, &deadline);
    }
    ended = writer.ended;
    writer.running = !ended; /* what comes now is written by who says it */
    unlock();
    CHECK((ended ? pthread_join(writer.thread, NULL) : pthread_detach(writer.thread)) == 0);
}
