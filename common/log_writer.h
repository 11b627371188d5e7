/*
 * log_writer - writes the log's lines to stderr on a thread of its own, so that a reader that
 * sleeps (a pipe, a terminal that was stopped, a journal under load) holds nobody up. For log.c.
 *
 * Lines wait in a buffer of fixed size. What does not fit is left out and counted; once half of
 * the buffer is free again, the number is written in its place.
 */
#ifndef COMMON_LOG_WRITER_H
#define COMMON_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum { LOG_LINE_MAX = 4096 }; /* PIPE_BUF: others who write to the same pipe cannot split it */

/* Writes the line that says how many were left out, newline included. Returns its length. Called
 * with the writer's mutex held. */
typedef size_t log_writer_notice_fn(uint64_t count, char out_line[LOG_LINE_MAX]);

/* Main thread, once. */
enum status log_writer_start(log_writer_notice_fn *notice, struct err *err) MUST_USE;
/* Any thread; never waits for the reader. Takes a whole line, newline included, of at most
 * LOG_LINE_MAX bytes. False: no writer is running. */
bool log_writer_put(const char *line, size_t len) MUST_USE;
/* Main thread. Ends the thread when all is written. If that takes longer than wait_ms the thread
 * stays, stuck, until the process ends. */
void log_writer_stop(int64_t wait_ms);

#endif
