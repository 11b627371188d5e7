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
/* Any thread. The same, and ST_INVALID at once for what is no regular file: a pipe could keep the
 * caller waiting for ever. */
enum status file_read_regular(const char *path, size_t max_bytes, struct buf *out,
                              struct err *err) MUST_USE;
/* Any thread. The same as file_read from an open descriptor, until its end. */
enum status file_read_fd(int fd, size_t max_bytes, struct buf *out, struct err *err) MUST_USE;
/* Any thread. Replaces the file, or makes it, in one step: whoever looks finds the old bytes
 * or the new ones, also after a crash or a power cut, and after a failure the old ones (but
 * if the last step fails, which is to sync the folder: then the new ones, and a power cut
 * may bring back the old ones). Only its owner may read it (0600); root gives it to whom the
 * old file belonged, else to the owner of its folder, so that the service can read what root
 * has written. A symbolic link is replaced, not followed. ST_IO.
 *
 * The bytes are first in `.NAME.new` beside it; one that a killed process left there is
 * removed. So only one may do this at a time: where others could, hold file_lock_parent. */
enum status file_replace(const char *path, struct slice data, struct err *err) MUST_USE;
/* Any thread. Could it be replaced now? Makes `.NAME.new` and removes that again, and so what
 * was left there; one at a time, as file_replace. ST_IO. */
enum status file_check_replace(const char *path, struct err *err) MUST_USE;
/* Any thread. Locks the folder that holds path, against others who do the same, until
 * *out_fd is closed. ST_BUSY: somebody else has it now; else ST_IO. */
enum status file_lock_parent(const char *path, int *out_fd, struct err *err) MUST_USE;
/* Any thread. Syncs the directory that holds path, so that a file just created there survives a
 * power cut. */
enum status file_sync_parent(const char *path, struct err *err) MUST_USE;
/* Any thread. Bytes free to us on the file system that holds path's directory. */
enum status file_free_bytes(const char *path, uint64_t *out_bytes, struct err *err) MUST_USE;

#endif
