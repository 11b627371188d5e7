#include "common/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <libgen.h>
#include <sys/file.h>
#include <sys/stat.h>
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

/* The folder of path, open, or -1 and errno. */
static int open_parent(const char *path)
{
    char *copy = xstrdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    free(copy);
    return fd;
}

enum status file_sync_parent(const char *path, struct err *err)
{
    enum status st = ST_OK;
    int fd = open_parent(path);

    if (fd < 0 || fsync(fd) != 0) {
        st = err_set_errno(err, ST_IO, errno, "sync the directory of %s", path);
    }
    if (fd >= 0) {
        (void)close(fd); /* it was synced, or the error is reported already */
    }
    return st;
}

enum status file_lock_parent(const char *path, int *out_fd, struct err *err)
{
    int fd = open_parent(path);
    enum status st = ST_OK;

    if (fd < 0) {
        return err_set_errno(err, ST_IO, errno, "open the directory of %s", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        st = errno == EWOULDBLOCK
                 ? err_set(err, ST_BUSY, "the directory of %s is locked by another program",
                           path)
                 : err_set_errno(err, ST_IO, errno, "lock the directory of %s", path);
        (void)close(fd); /* nothing was written */
        return st;
    }
    *out_fd = fd;
    return ST_OK;
}

/* To whom path belongs, or would. */
static bool find_owner(const char *path, struct stat *out_owner)
{
    char *copy;
    bool found;

    if (lstat(path, out_owner) == 0) {
        return true;
    }
    copy = xstrdup(path);
    found = stat(dirname(copy), out_owner) == 0;
    free(copy);
    return found;
}

/* An empty file beside path, which a rename can put in its place. Gives *out_name for
 * free(). */
static enum status create_beside(const char *path, int *out_fd, char **out_name,
                                 struct err *err)
{
    size_t size = strlen(path) + sizeof(".XXXXXX");
    char *name = xalloc(size);
    struct stat owner;
    int fd;

    (void)snprintf(name, size, "%s.XXXXXX", path);
    fd = mkostemp(name, O_CLOEXEC); /* mode 0600 */
    if (fd < 0) {
        (void)err_set_errno(err, ST_IO, errno, "make a file beside %s", path);
        free(name);
        return ST_IO;
    }
    if (geteuid() == 0 && find_owner(path, &owner)) {
        /* Where root may not (a container, NFS), a file of root's is still better than none. */
        int ignored = fchown(fd, owner.st_uid, owner.st_gid);

        (void)ignored;
    }
    *out_fd = fd;
    *out_name = name;
    return ST_OK;
}

static enum status write_synced(int fd, struct slice data, struct err *err)
{
    while (data.len > 0) {
        ssize_t n = write(fd, data.data, data.len);

        if (n < 0 && errno != EINTR) {
            return err_set_errno(err, ST_IO, errno, "write");
        }
        if (n > 0) {
            data = (struct slice){data.data + n, data.len - (size_t)n};
        }
    }
    return fsync(fd) == 0 ? ST_OK : err_set_errno(err, ST_IO, errno, "sync");
}

enum status file_replace(const char *path, struct slice data, struct err *err)
{
    char *name = NULL;
    int fd = -1;
    enum status st = create_beside(path, &fd, &name, err);

    if (st != ST_OK) {
        return st;
    }
    st = write_synced(fd, data, err);
    (void)close(fd); /* it was synced, or the error is reported already */
    /* If we die before this, a file of another name is left over, and path is as it was. */
    if (st == ST_OK && rename(name, path) != 0) {
        st = err_set_errno(err, ST_IO, errno, "rename %s", name);
    }
    if (st != ST_OK) {
        (void)unlink(name); /* the first error is the one to report */
        if (err != NULL) {
            (void)err_wrap(err, "%s", path);
        }
    } else {
        st = file_sync_parent(path, err);
    }
    free(name);
    return st;
}

enum status file_check_replace(const char *path, struct err *err)
{
    char *name = NULL;
    int fd = -1;
    enum status st = create_beside(path, &fd, &name, err);

    if (st == ST_OK) {
        (void)close(fd);    /* nothing was written */
        (void)unlink(name); /* whoever could make it could also have put it in place */
        free(name);
    }
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
