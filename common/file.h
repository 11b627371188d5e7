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
/* A file's next content: first in `.NAME.new` beside it, then in its place. What a killed process
 * left there is removed, so only one may do this at a time: where others could, hold
 * file_lock_parent. */
struct file_draft;

/* Any thread. Begins, and takes room for so many bytes as far as the file system knows how to, so
 * that a disk that is full is found out now. ST_IO. Gives a draft for file_draft_close. */
enum status file_draft_open(const char *path, size_t bytes, struct file_draft **out_draft,
                            struct err *err) MUST_USE;
/* Replaces the file, or makes it, in one step; once for a draft. Whoever looks finds the old bytes
 * or the new ones, also after a crash or a power cut. Only its owner may read it (0600); root
 * gives it to whom the old file belonged, else to the owner of its folder, so that the service
 * can read what root has written. A symbolic link is replaced, not followed.
 *
 * ST_OK: the new bytes are there; but if *out_synced is false, the folder could not be synced, as
 * err says, and a power cut may bring back the old ones. ST_IO: the old bytes are there. */
enum status file_draft_put(struct file_draft *draft, struct slice data, bool *out_synced,
                           struct err *err) MUST_USE;
/* Removes what has not been put in place, and gives the room back. NULL is allowed. */
void file_draft_close(struct file_draft *draft);

/* Any thread. Locks the folder that holds path, against others who do the same, until
 * *out_fd is closed. ST_BUSY: somebody else has it now; else ST_IO. */
enum status file_lock_parent(const char *path, int *out_fd, struct err *err) MUST_USE;
/* Any thread. Syncs the directory that holds path, so that a file just created there survives a
 * power cut. */
enum status file_sync_parent(const char *path, struct err *err) MUST_USE;
/* Any thread. Bytes free to us on the file system that holds path's directory. */
enum status file_free_bytes(const char *path, uint64_t *out_bytes, struct err *err) MUST_USE;

#endif
