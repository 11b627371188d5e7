#include "common/file.h"

#include <errno.h>
#include <stdlib.h>

#include <fcntl.h>
#include <libgen.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum status file_read_fd(int fd, size_t max_bytes, struct buf *out, struct err *err)
{
    size_t total = 0;
    ssize_t n;

    do {
        buf_reserve(out, 4096);
        n = read(fd, out->data + out->len, 4096);
        if (n < 0 && errno != EINTR) {
            return err_set_errno(err, ST_IO, errno, "read");
        }
        if (n > 0) {
            out->len += (size_t)n;
            total += (size_t)n;
        }
        if (total > max_bytes) {
            return err_set(err, ST_TOO_LARGE, "larger than %zu bytes", max_bytes);
        }
    } while (n != 0);
    out->data[out->len] = '\0';
    return ST_OK;
}

enum status file_read(const char *path, size_t max_bytes, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum status st;

    if (fd < 0) {
        return err_set_errno(err, errno == ENOENT ? ST_NOT_FOUND : ST_IO, errno, "open %s",
                             path);
    }
    st = file_read_fd(fd, max_bytes, out, err);
    (void)close(fd); /* nothing was written */
    if (st != ST_OK && err != NULL) {
        (void)err_wrap(err, "%s", path);
    }
    return st;
}

enum status file_sync_parent(const char *path, struct err *err)
{
    char *copy = xstrdup(path);
    const char *parent = dirname(copy);
    enum status st = ST_OK;
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0) {
        st = err_set_errno(err, ST_IO, errno, "sync directory %s", parent);
    }
    if (fd >= 0) {
        (void)close(fd); /* it was synced, or the error is reported already */
    }
    free(copy);
    return st;
}

enum status file_free_bytes(const char *path, uint64_t *out_bytes, struct err *err)
{
    char *copy = xstrdup(path);
    const char *parent = dirname(copy);
    struct statvfs fs;
    enum status st = ST_OK;

    if (statvfs(parent, &fs) != 0) {
        st = err_set_errno(err, ST_IO, errno, "look at the file system of %s", parent);
    } else {
        *out_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    }
    free(copy);
    return st;
}
