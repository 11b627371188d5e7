/*
 * Stops the process for broken invariants and for lack of memory: both say so with nothing that
 * needs memory, by themselves or through the log, and abort.
 */
#include "common/check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell_on_stderr(const char *what, const char *condition, const char *at)
{
    (void)fprintf(stderr, "level=fatal msg=\"%s\"", what);
    if (condition) {
        (void)fprintf(stderr, " condition=\"%s\" at=%s", condition, at);
    }
    (void)fputc('\n', stderr);
}

static void (*tell_why)(const char *what, const char *condition,
                        const char *at) = tell_on_stderr;

void check_tell_by(void (*tell)(const char *what, const char *condition, const char *at))
{
    tell_why = tell;
}

static void __attribute__((noreturn))
stop(const char *what, const char *condition, const char *at)
{
    static atomic_flag stopping = ATOMIC_FLAG_INIT;

    /* A failure while one is told, or in two threads at once, has nothing to add. */
    if (!atomic_flag_test_and_set(&stopping)) {
        tell_why(what, condition, at);
    }
    abort();
}

void check_failed(const char *condition, const char *file, int line)
{
    char at[256];

    (void)snprintf(at, sizeof(at), "%s:%d", file, line);
    stop("broken invariant", condition, at);
}

static void *not_null(void *memory)
{
    if (memory == NULL) {
        stop("out of memory", NULL, NULL);
    }
    return memory;
}

void *xalloc(size_t size_bytes)
{
    return not_null(calloc(1, size_bytes > 0 ? size_bytes : 1));
}

void *xrealloc(void *memory, size_t size_bytes)
{
    return not_null(realloc(memory, size_bytes > 0 ? size_bytes : 1));
}

char *xstrdup(const char *text)
{
    return not_null(strdup(text));
}
