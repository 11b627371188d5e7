/*
 * file - small whole files and directories.
 */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include "common/buf.h"
#include "common/err.h"

/* Any thread. Adds the file's bytes to out. ST_TOO_LARGE over max_bytes, ST_NOT_FOUND if there
 * is no such file, otherwise ST_IO. */
enum status file_read(const char *path, size_t max_bytes, struct buf *out,
                      struct err *err) MUST_USE;
/* Any thread. The same, but ST_INVALID at once for anything but a regular file: a pipe could keep
 * the caller waiting for ever. */
enum status file_read_regular(const char *path, size_t max_bytes, struct buf *out,
                              struct err *err) MUST_USE;
/* Any thread. A secret: as file_read_regular, without one newline at the end. Leaves no copies behind;
 * out is empty, and is for buf_wipe. */
enum status file_read_secret(const char *path, struct buf *out, struct err *err) MUST_USE;
/* Any thread. The same as file_read, from an open descriptor until its end. */
enum status file_read_fd(int fd, size_t max_bytes, struct buf *out, struct err *err) MUST_USE;

/* The next content of a file, first written to `.NAME.new` beside it. A file left there by a
 * killed process is removed, so only one process may do this at a time: a draft locks the folder
 * against others. */
struct file_draft;

/* Any thread. ST_BUSY: another process has a draft in the folder; otherwise ST_IO. Gives a draft
 * for file_draft_close. */
enum status file_draft_open(const char *path, struct file_draft **out_draft,
                            struct err *err) MUST_USE;
/* Creates the new file, unless there is one since the last file_draft_put, and reserves this many
 * bytes, if the file system can, so that a full disk is found now rather than later. ST_IO. */
enum status file_draft_reserve(struct file_draft *draft, size_t bytes,
                               struct err *err) MUST_USE;
/* Replaces or creates the file in one step. A reader finds either the old bytes or the new ones,
 * even after a crash or a power cut. Only its owner may read it (0600). Root gives it to the owner
 * of the old file, or else of its folder, so that the service can read files that root has written.
 * A symbolic link is replaced, not followed.
 *
 * ST_OK: the file has the new bytes. If *out_synced is false, the folder could not be synced
 * (err has the reason), and a power cut may bring back the old ones. ST_IO: it has the old
 * bytes. */
enum status file_draft_put(struct file_draft *draft, struct slice data, bool *out_synced,
                           struct err *err) MUST_USE;
/* Removes a new file that was not put in place. NULL is allowed. */
void file_draft_close(struct file_draft *draft);

/* Any thread. Syncs the folder of path, so that a file just created there survives a power cut. */
enum status file_sync_parent(const char *path, struct err *err) MUST_USE;
/* Any thread. The absolute path behind every symbolic link of path, whose last part need not exist
 * yet. Gives a path for free(); NULL and errno: its folder does not exist, or the links make a
 * circle. */
char *file_real_path(const char *path) MUST_USE;

#endif
