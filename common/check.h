/*
 * check - our own mistakes stop the process; a peer's never do.
 */
#ifndef COMMON_CHECK_H
#define COMMON_CHECK_H

#include <stddef.h>

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define COUNT_OF(array)   (sizeof(array) / sizeof((array)[0]))

/* Always compiled in; cond has no side effects. For invariants of our own code, not for input. */
#define CHECK(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))

/* Main thread, before others start. Says why the process stops in place of a line on stderr; it
 * needs no memory. condition and at may be NULL. */
void check_tell_by(void (*tell)(const char *what, const char *condition, const char *at));

/* Any thread. Says where and what, and aborts. */
void check_failed(const char *condition, const char *file, int line) __attribute__((noreturn));

/* Any thread. Gives zeroed memory for free(). The size must be our own choice, never a peer's:
 * stops the process rather than fail. */
void *xalloc(size_t size_bytes) __attribute__((malloc, returns_nonnull));

/* Any thread. Like realloc, for sizes that have been checked against a limit; stops the process
 * rather than fail. */
void *xrealloc(void *memory, size_t size_bytes) MUST_USE;

/* Any thread. Gives a copy for free(). */
char *xstrdup(const char *text) MUST_USE;

#endif
