/*
 * log - lines on stderr, as logfmt, `ts=… level=info msg="broker connected" server=mqtt://…`, or
 * as JSON. Each line to the journal begins with its priority, `<4>` (sd-daemon(3)).
 *
 * One line per state change; values that a peer sent are escaped, control characters and newlines
 * included. Never log bodies, signatures or secrets. After log_start no caller waits for the
 * reader.
 *
 *   log_info("event accepted", L_UUID("id", event->id), L_SLICE("source", event->source),
 *            L_INT("bytes", n));
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdatomic.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/uuid.h"

enum log_level {
    LOG_DEBUG, /* off by default */
    LOG_INFO,  /* state change */
    LOG_WARN,  /* handled, someone should look */
    LOG_ERROR, /* a promise is at risk */
    LOG_FATAL, /* we stop */
};

enum log_kind { LOG_TEXT, LOG_NUMBER, LOG_ID };

struct log_field {
    const char *name;
    enum log_kind kind;
    struct slice text;
    int64_t number;
    struct uuid id;
};

#define L_STR(n, v)   ((struct log_field){.name = (n), .kind = LOG_TEXT, .text = slice_of(v)})
#define L_SLICE(n, v) ((struct log_field){.name = (n), .kind = LOG_TEXT, .text = (v)})
#define L_INT(n, v)                                                                            \
    ((struct log_field){.name = (n), .kind = LOG_NUMBER, .number = (int64_t)(v)})
#define L_UUID(n, v) ((struct log_field){.name = (n), .kind = LOG_ID, .id = (v)})

#define LOG_FIELDS(...)         ((const struct log_field[]){__VA_ARGS__})
#define log_at(level, msg, ...) log_write(level, msg, LOG_FIELDS({0}, ##__VA_ARGS__, {0}) + 1)
#define log_debug(msg, ...)     log_at(LOG_DEBUG, msg, ##__VA_ARGS__)
#define log_info(msg, ...)      log_at(LOG_INFO, msg, ##__VA_ARGS__)
#define log_warn(msg, ...)      log_at(LOG_WARN, msg, ##__VA_ARGS__)
#define log_error(msg, ...)     log_at(LOG_ERROR, msg, ##__VA_ARGS__)
#define log_fatal(msg, ...)     log_at(LOG_FATAL, msg, ##__VA_ARGS__)

/* Any thread. Borrows everything. fields ends with a nameless one; a field with absent text
 * (SLICE_NONE) is left out. */
void log_write(enum log_level level, const char *msg, const struct log_field *fields);

/* For lines that a peer can cause: at most one for each limit and interval. Zero-initialised, it
 * allows the next line. */
enum { LOG_SECOND_MS = 1000, LOG_MINUTE_MS = 60000 };
struct log_limit {
    _Atomic int64_t next_ms;
    _Atomic int64_t left_out;
};
/* Any thread. True: write the line now, with *out_left_out, the number of lines that were left out
 * before it; then none for interval_ms. */
bool log_allows(struct log_limit *limit, int64_t interval_ms, int64_t *out_left_out);

/* Main thread, before others start. Lines below this level are not written. At first LOG_INFO. */
void log_set_level(enum log_level level);

/* Any thread. Finds "debug", "info", "warn", "error"; false for anything else. */
bool log_level_parse(const char *name, enum log_level *out_level);

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
/* Main thread, before others start. At first LOG_FORMAT_TEXT. */
void log_set_format(enum log_format format);
/* Any thread. Finds "text" and "json". */
bool log_format_parse(const char *name, enum log_format *out_format);

/* Any thread. What a line of this level begins with on fd, if that is the journal; else "". */
const char *log_priority(int fd, enum log_level level);

/* Main thread, once. From now on lines are written by a thread of their own; those that the reader
 * leaves no room for are counted, and the number is logged later. Also, CHECK logs as others do,
 * and a crash waits a moment for the last lines. */
enum status log_start(struct err *err) MUST_USE;
/* Main thread, at the end. Waits up to wait_ms until everything is written. */
void log_stop(int64_t wait_ms);

#endif
