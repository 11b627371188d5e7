/*
 * Stops the process for broken invariants and for lack of memory: both print a log line to
 * stderr by hand, with nothing that needs memory, and abort.
 */
#include "common/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "level=fatal msg=\"broken invariant\" condition=\"%s\" at=%s:%d\n",
                  condition, file, line);
    abort();
}

static void *not_null(void *memory)
{
    if (memory == NULL) {
        (void)fputs("level=fatal msg=\"out of memory\"\n", stderr);
        abort();
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
