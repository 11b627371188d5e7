/*
 * check - our own mistakes stop the process; a peer's never do.
 */
#ifndef COMMON_CHECK_H
#define COMMON_CHECK_H

#include <stddef.h>

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define COUNT_OF(array)   (sizeof(array) / sizeof((array)[0]))

/* Always compiled in; cond has no side effects. For broken invariants of ours, not input. */
#define CHECK(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))

/* Any thread. Prints where and what to stderr and aborts. */
void check_failed(const char *condition, const char *file, int line) __attribute__((noreturn));

/* Any thread. Zeroed memory of a size that we chose ourselves (never a peer); stops the process
 * rather than fail. Gives memory for free(). */
void *xalloc(size_t size_bytes) __attribute__((malloc, returns_nonnull));

/* Any thread. Like realloc, for sizes that have already been held against a limit; stops the
 * process rather than fail. */
void *xrealloc(void *memory, size_t size_bytes) MUST_USE;

/* Any thread. Gives a copy for free(). */
char *xstrdup(const char *text) MUST_USE;

#endif
