/*
 * The texts of the statuses, and filling in an error. Errors are for reading: a text that is
 * too long is cut. Nothing can fail.
 */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <unistd.h>

const char *status_text(enum status st)
{
    switch (st) {
#define STATUS_CASE(name, text)                                                                \
    case name:                                                                                 \
        return text;
        STATUS_MAP(STATUS_CASE)
#undef STATUS_CASE
    }
    return "unknown status";
}

/* Longer texts are cut: an error is for reading. */
static void PRINTF_LIKE(2, 0) set_text(struct err *err, const char *format, va_list args)
{
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
}

enum status err_set(struct err *err, enum status st, const char *format, ...)
{
    va_list args;

    if (err == NULL) {
        return st;
    }
    err->status = st;
    err->sys_errno = 0;
    va_start(args, format);
    set_text(err, format, args);
    va_end(args);
    return st;
}

/* Whoever mends the modes of a file must know for whom: in a container or a unit it is not they. */
static void name_user(struct err *err)
{
    size_t used = strlen(err->text);

    (void)snprintf(err->text + used, sizeof(err->text) - used, " to user %u",
                   (unsigned)geteuid());
}

enum status err_set_errno(struct err *err, enum status st, int sys_errno, const char *format,
                          ...)
{
    char reason[128];
    va_list args;
    size_t used;

    if (err == NULL) {
        return st;
    }
    err->status = st;
    err->sys_errno = sys_errno;
    va_start(args, format);
    set_text(err, format, args);
    va_end(args);
    used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s",
                   strerror_r(sys_errno, reason, sizeof(reason)));
    if (sys_errno == EACCES) {
        name_user(err);
    }
    return st;
}

enum status err_wrap(struct err *err, const char *format, ...)
{
    char inner[sizeof(err->text)];
    va_list args;
    size_t used;

    memcpy(inner, err->text, sizeof(inner));
    va_start(args, format);
    set_text(err, format, args);
    va_end(args);
    used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
    return err->status;
}
