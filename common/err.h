/*
 * err - one enum of statuses with their texts, and the error that a function which touches the
 * outside world fills in.
 *
 * Each caller puts its context before the text: `open outbox /var/lib/x.db: sync directory:
 * Input/output error`.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include "common/check.h"

/* Add a status only if some caller acts differently on it. */
#define STATUS_MAP(X)                                                                          \
    X(ST_OK, "ok")                                                                             \
    X(ST_INVALID, "malformed")                                                                 \
    X(ST_MISSING, "a required part is missing")                                                \
    X(ST_UNAUTHENTIC, "not authentic")                                                         \
    X(ST_TOO_LARGE, "too large")                                                               \
    X(ST_NOT_FOUND, "not found")                                                               \
    X(ST_FULL, "no room, try again later")                                                     \
    X(ST_BUSY, "locked by another program, try again later")                                   \
    X(ST_CLOSED, "stopping")                                                                   \
    X(ST_REFUSED, "refused by the peer")                                                       \
    X(ST_UNREACHABLE, "cannot be reached")                                                     \
    X(ST_IO, "input/output error")

enum status {
#define STATUS_ENUM(name, text) name,
    STATUS_MAP(STATUS_ENUM)
#undef STATUS_ENUM
};

/* Any thread. The status in words; a constant. */
const char *status_text(enum status st);

struct err {
    enum status status;
    int sys_errno;  /* 0 if no system call failed */
    char text[512]; /* one line, no trailing newline */
};

/* Any thread. err may be NULL. Both return st, so that callers can `return err_set(...)`. */
enum status err_set(struct err *err, enum status st, const char *format, ...) PRINTF_LIKE(3, 4);
/* Appends ": " and strerror(sys_errno), and for EACCES which user we are. */
enum status err_set_errno(struct err *err, enum status st, int sys_errno, const char *format,
                          ...) PRINTF_LIKE(4, 5);
/* Puts the formatted context and ": " before the text. Returns err's status; err is not NULL. */
enum status err_wrap(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
