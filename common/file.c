/*
 * Reading: the whole file in pieces, until its end or the limit. Any error is returned with the
 * path.
 *
 * Replacing: write `.NAME.new` beside the file, sync it, rename it over the file, sync the
 * folder. A fault before the rename leaves the old file; a crash may leave `.NAME.new`, which
 * the next draft removes. If only the last sync fails, the new content is there but a power cut
 * may undo it, and the caller is told.
 */
#include "common/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <libgen.h>
#include <sys/file.h>
#include <sys/stat.h>
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

static enum status read_and_close(int fd, const char *path, size_t max_bytes, struct buf *out,
                                  struct err *err)
{
    enum status st = file_read_fd(fd, max_bytes, out, err);

    (void)close(fd); /* nothing was written */
    if (st != ST_OK && err != NULL) {
        (void)err_wrap(err, "%s", path);
    }
    return st;
}

static enum status cannot_open(const char *path, struct err *err)
{
    return err_set_errno(err, errno == ENOENT ? ST_NOT_FOUND : ST_IO, errno, "open %s", path);
}

enum status file_read(const char *path, size_t max_bytes, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? cannot_open(path, err) : read_and_close(fd, path, max_bytes, out, err);
}

enum status file_read_regular(const char *path, size_t max_bytes, struct buf *out,
                              struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat info;

    if (fd < 0) {
        return cannot_open(path, err);
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        (void)close(fd);
        return err_set(err, ST_INVALID, "%s is not a regular file", path);
    }
    return read_and_close(fd, path, max_bytes, out, err);
}

enum status file_read_secret(const char *path, struct buf *out, struct err *err)
{
    enum { MAX_SECRET_BYTES = 64 << 10 };
    enum status st;

    buf_reserve(out, MAX_SECRET_BYTES + 4096); /* so that no copies stay behind when it grows */
    st = file_read_regular(path, MAX_SECRET_BYTES, out, err);
    if (st != ST_OK) {
        buf_wipe(out);
        return st;
    }
    if (out->len > 0 && out->data[out->len - 1] == '\n') {
        out->data[--out->len] = '\0';
    }
    return ST_OK;
}

/* Opens the folder of path; -1 and errno on failure. */
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

/* The owner of path or, if it does not exist, of its folder. False: neither exists. */
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

/* `/etc/x/.secret.new` for `/etc/x/secret`. Gives a name for free(). */
static char *name_beside(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t folder_len = slash ? (size_t)(slash - path) + 1 : 0;
    struct buf name = {0};

    buf_add(&name, path, folder_len);
    buf_addf(&name, ".%s.new", path + folder_len);
    return buf_take(&name);
}

struct file_draft {
    char *path;
    char *name;  /* of the new file */
    int fd;      /* of the new file; -1: there is none */
    int lock_fd; /* the folder */
};

static enum status lock_folder(struct file_draft *draft, struct err *err)
{
    draft->lock_fd = open_parent(draft->path);
    if (draft->lock_fd < 0) {
        return err_set_errno(err, ST_IO, errno, "open the directory of %s", draft->path);
    }
    if (flock(draft->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        return ST_OK;
    }
    return errno == EWOULDBLOCK
               ? err_set(err, ST_BUSY,
                         "another hook2mqtt command is changing %s; try again when it is done",
                         draft->path)
               : err_set_errno(err, ST_IO, errno, "lock the directory of %s", draft->path);
}

enum status file_draft_open(const char *path, struct file_draft **out_draft, struct err *err)
{
    struct file_draft *draft = xalloc(sizeof(*draft));
    enum status st;

    *draft = (struct file_draft){xstrdup(path), name_beside(path), .fd = -1};
    st = lock_folder(draft, err);
    if (st != ST_OK) {
        file_draft_close(draft);
        return st;
    }
    *out_draft = draft;
    return ST_OK;
}

/* The new file's name is always the same, so that one left by a killed process is removed here. */
static enum status create_file(struct file_draft *draft, struct err *err)
{
    struct stat owner;

    (void)unlink(draft->name); /* if it fails, the next line finds out why */
    draft->fd = open(draft->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (draft->fd < 0) {
        return err_set_errno(err, ST_IO, errno, "create %s", draft->name);
    }
    if (geteuid() == 0 && find_owner(draft->path, &owner)) {
        /* If root may not do that (in a container, on NFS), root's own file is better than
         * none. */
        int ignored = fchown(draft->fd, owner.st_uid, owner.st_gid);

        (void)ignored;
    }
    return ST_OK;
}

/* If the file system cannot reserve, glibc writes zeros instead; other C libraries return an error
 * that is ignored here. */
static enum status take_room(const struct file_draft *draft, size_t bytes, struct err *err)
{
    int error = 0;

    do {
        error = bytes ? posix_fallocate(draft->fd, 0, (off_t)bytes) : 0;
    } while (error == EINTR);
    if (error == 0 || error == EOPNOTSUPP || error == EINVAL) {
        return ST_OK;
    }
    return err_set_errno(err, ST_IO, error, "make room for %s", draft->path);
}

static void drop_file(struct file_draft *draft)
{
    if (draft->fd >= 0) {
        (void)close(draft->fd);    /* what is in it is not wanted */
        (void)unlink(draft->name); /* if it fails, the next draft removes it */
        draft->fd = -1;
    }
}

enum status file_draft_reserve(struct file_draft *draft, size_t bytes, struct err *err)
{
    enum status st = draft->fd < 0 ? create_file(draft, err) : ST_OK;

    st = st == ST_OK ? take_room(draft, bytes, err) : st;
    if (st != ST_OK) {
        drop_file(draft);
    }
    return st;
}

void file_draft_close(struct file_draft *draft)
{
    if (draft) {
        drop_file(draft);
        if (draft->lock_fd >= 0) {
            (void)close(draft->lock_fd); /* nothing was written to it */
        }
        free(draft->path);
        free(draft->name);
        free(draft);
    }
}

static enum status write_synced(int fd, struct slice data, struct err *err)
{
    size_t len = data.len;

    while (data.len > 0) {
        ssize_t n = write(fd, data.data, data.len);

        if (n < 0 && errno != EINTR) {
            return err_set_errno(err, ST_IO, errno, "write");
        }
        if (n > 0) {
            data = slice_from(data, (size_t)n);
        }
    }
    /* Gives back the reserved bytes that were not needed. */
    if (ftruncate(fd, (off_t)len) != 0) {
        return err_set_errno(err, ST_IO, errno, "truncate");
    }
    return fsync(fd) == 0 ? ST_OK : err_set_errno(err, ST_IO, errno, "sync");
}

enum status file_draft_put(struct file_draft *draft, struct slice data, bool *out_synced,
                           struct err *err)
{
    enum status st = file_draft_reserve(draft, data.len, err);

    if (st != ST_OK) {
        return st;
    }
    st = write_synced(draft->fd, data, err);
    /* If we die before this, path is as it was, and the next draft removes the new file. */
    if (st == ST_OK && rename(draft->name, draft->path) != 0) {
        st = err_set_errno(err, ST_IO, errno, "rename %s", draft->name);
    }
    if (st != ST_OK) {
        drop_file(draft);
        return err ? err_wrap(err, "%s", draft->path) : st;
    }
    (void)close(draft->fd); /* it is synced */
    draft->fd = -1;
    *out_synced = file_sync_parent(draft->path, err) == ST_OK;
    return ST_OK;
}

/* The folder's real path and the name in it. */
static char *join_real(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *copy = xstrdup(path);
    char *folder = realpath(dirname(copy), NULL);
    struct buf joined = {0};

    free(copy);
    if (folder == NULL) {
        return NULL;
    }
    buf_addf(&joined, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder,
             slash != NULL ? slash + 1 : path);
    free(folder);
    return buf_take(&joined);
}

/* What a symbolic link names, seen from here. NULL: path is no link. */
static char *read_link(const char *path)
{
    char target[PATH_MAX];
    ssize_t len = readlink(path, target, sizeof(target));
    const char *slash = strrchr(path, '/');
    struct buf name = {0};

    if (len <= 0 || (size_t)len == sizeof(target)) {
        return NULL;
    }
    if (target[0] != '/' && slash != NULL) {
        buf_add(&name, path, (size_t)(slash - path) + 1);
    }
    buf_add(&name, target, (size_t)len);
    return buf_take(&name);
}

char *file_real_path(const char *path)
{
    enum { MAX_LINKS = 40 }; /* as the kernel */
    char *name = xstrdup(path);
    char *real = NULL;

    for (int links = 0; links < MAX_LINKS && name != NULL; links++) {
        char *next = NULL;

        real = realpath(name, NULL);
        if (real != NULL || errno != ENOENT) {
            break;
        }
        next = read_link(name); /* to something that is not there yet */
        if (next == NULL) {
            real = join_real(name);
            break;
        }
        free(name);
        name = next;
    }
    free(name);
    return real;
}
