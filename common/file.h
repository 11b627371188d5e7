/*
 * file - small whole files and directories.
 */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include "common/buf.h"
#include "common/err.h"

/* Any thread. Adds the file's bytes to out; ST_TOO_LARGE over max_bytes, ST_NOT_FOUND if there
 * is none, else ST_IO. */
enum status file_read(const char *path, size_t max_bytes, struct buf *out,
                      struct err *err) MUST_USE;
/* Any thread. The same from an open descriptor, until its end. */
enum status file_read_fd(int fd, size_t max_bytes, struct buf *out, struct err *err) MUST_USE;
/* Any thread. Syncs the directory that holds path, so that a file just created there survives a
 * power cut. */
enum status file_sync_parent(const char *path, struct err *err) MUST_USE;
/* Any thread. Bytes free to us on the file system that holds path's directory. */
enum status file_free_bytes(const char *path, uint64_t *out_bytes, struct err *err) MUST_USE;

#endif
