/*
 * The outbox's files: the lock that makes one process the only writer, and whether they are still
 * the ones that were opened.
 *
 * The lock is on the database file itself, so that every name of it, through a symbolic or a hard
 * link, leads to the same lock. A new outbox is made under another name (open.c), which is locked
 * in its place and keeps the lock when it is renamed. So an outbox that is empty is never one of
 * ours.
 *
 * Closing any descriptor of a file releases SQLite's locks on it in the whole process. So the
 * lock's descriptor is opened before SQLite opens the file, and closed after SQLite has closed it.
 */
#include "bridge/store/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/file.h"

/* ---- names ---- */

char *store_name(const char *path, const char *suffix)
{
    struct buf name = {0};

    buf_add_str(&name, path);
    buf_add_str(&name, suffix);
    return buf_take(&name);
}

/* False: no such file. */
static bool look_at(const char *path, const char *suffix, struct stat *out_info)
{
    char *name = store_name(path, suffix);
    bool found = stat(name, out_info) == 0;

    free(name);
    return found;
}

uint64_t store_file_bytes(const char *path, const char *suffix)
{
    struct stat info;

    return look_at(path, suffix, &info) ? (uint64_t)info.st_size : 0;
}

bool store_file_exists(const char *path, const char *suffix)
{
    struct stat info;

    return look_at(path, suffix, &info);
}

enum status store_find_file(const char *path, char **out_real_path, struct err *err)
{
    char *real_path = file_real_path(path);

    if (real_path == NULL || access(real_path, F_OK) != 0) {
        enum status st = errno == ENOENT ? ST_NOT_FOUND : ST_IO;

        st = err_set_errno(err, st, errno, "open outbox %s", path);
        free(real_path);
        return st;
    }
    *out_real_path = real_path;
    return ST_OK;
}

/* ---- the lock ---- */

/* ST_NOT_FOUND: no such file, or no longer the one that we have locked. */
static enum status lock_file(const char *name, int flags, int *out_fd, struct err *err)
{
    int fd = open(name, O_RDWR | O_CLOEXEC | flags, 0600);
    struct stat locked, named;
    enum status st = ST_OK;

    if (fd < 0) {
        return err_set_errno(err, errno == ENOENT ? ST_NOT_FOUND : ST_IO, errno, "open %s",
                             name);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        st = errno == EWOULDBLOCK
                 ? err_set(err, ST_BUSY, "another hook2mqtt runs on this outbox (%s is locked)",
                           name)
                 : err_set_errno(err, ST_IO, errno, "lock %s", name);
    } else if (fstat(fd, &locked) != 0 || stat(name, &named) != 0 ||
               locked.st_ino != named.st_ino || locked.st_dev != named.st_dev) {
        st = err_set(err, ST_NOT_FOUND, "%s was replaced just now", name);
    }
    if (st != ST_OK) {
        (void)close(fd); /* nothing was written */
        return st;
    }
    *out_fd = fd;
    return ST_OK;
}

/* A log without its database has promised events in it. SQLite would start a new database and
 * delete that log. */
static enum status refuse_empty(const char *path, struct err *err)
{
    return store_file_bytes(path, "-wal") > 0
               ? err_set(
                     err, ST_INVALID,
                     "it is empty or missing, but its log (-wal) is not: restore a backup, or "
                     "move it and its log away to start anew")
               : err_set(err, ST_INVALID,
                         "it is empty, so what was in it is gone: restore a backup, or move it "
                         "away to start anew");
}

enum status store_refuse_empty(const struct store *store, struct err *err)
{
    return store_file_bytes(store->path, "") == 0 ? refuse_empty(store->path, err) : ST_OK;
}

enum status store_lock(struct store *store, bool *out_new, struct err *err)
{
    enum { TRIES = 100 }; /* each time another process was just creating it */
    char *draft = store_name(store->path, STORE_DRAFT);
    enum status st = ST_NOT_FOUND;

    for (int i = 0; i < TRIES && st == ST_NOT_FOUND; i++) {
        *out_new = false;
        st = lock_file(store->path, 0, &store->lock_fd, err);
        if (st != ST_NOT_FOUND || store_file_exists(store->path, "")) {
            continue;
        }
        if (store_file_bytes(store->path, "-wal") > 0) {
            st = refuse_empty(store->path, err);
            break;
        }
        *out_new = true;
        st = lock_file(draft, O_CREAT, &store->lock_fd, err);
        if (st == ST_OK && store_file_exists(store->path, "")) {
            store_unlock(store);
            st = ST_NOT_FOUND;
        }
    }
    free(draft);
    return st == ST_NOT_FOUND ? err_set(err, ST_IO, "%s", err->text) : st;
}

void store_unlock(struct store *store)
{
    if (store->lock_fd >= 0) {
        (void)close(store->lock_fd); /* gives the lock back; nothing was written through it */
        store->lock_fd = -1;
    }
}

/* ---- are they still the same? ---- */

static bool is_same(const struct store_file *file, const struct stat *info)
{
    return file->device == info->st_dev && file->inode == info->st_ino;
}

static void note(struct store_file *file, const struct stat *info)
{
    *file = (struct store_file){info->st_dev, info->st_ino};
}

static enum status is_gone(const struct store *store, const char *suffix, struct err *err)
{
    return err_set(err, ST_IO,
                   "%s%s was removed or replaced while the bridge was using it: what it writes "
                   "would be lost",
                   store->path, suffix);
}

enum status store_note_files(struct store *store, struct err *err)
{
    struct stat info;

    if (fstat(store->lock_fd, &info) != 0) {
        return err_set_errno(err, ST_IO, errno, "look at %s", store->path);
    }
    note(&store->database_file, &info);
    if (!look_at(store->path, "-wal", &info)) {
        return is_gone(store, "-wal", err);
    }
    note(&store->log_file, &info);
    if (!look_at(store->path, "-shm", &info)) {
        return is_gone(store, "-shm", err);
    }
    note(&store->index_file, &info);
    store->log_name = store_name(store->path, "-wal");
    store->index_name = store_name(store->path, "-shm");
    return ST_OK;
}

enum status store_look_at_files(const struct store *store, struct store_sizes *out_sizes,
                                struct err *err)
{
    struct stat database, log, index;

    if (stat(store->path, &database) != 0 || !is_same(&store->database_file, &database)) {
        return is_gone(store, "", err);
    }
    if (stat(store->log_name, &log) != 0 || !is_same(&store->log_file, &log)) {
        return is_gone(store, "-wal", err);
    }
    if (stat(store->index_name, &index) != 0 || !is_same(&store->index_file, &index)) {
        return is_gone(store, "-shm", err);
    }
    *out_sizes = (struct store_sizes){.database_bytes = (uint64_t)database.st_size,
                                      .log_bytes = (uint64_t)log.st_size,
                                      .index_bytes = (uint64_t)index.st_size};
    return ST_OK;
}

bool store_free_bytes(const struct store *store, uint64_t *out_bytes)
{
    struct statvfs fs;

    if (fstatvfs(store->lock_fd, &fs) != 0) {
        return false;
    }
    *out_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    return true;
}

void store_note_version(struct store *store)
{
    if (!look_at(store->path, "", &store->seen)) {
        store->seen = (struct stat){0};
    }
}

static bool is_unchanged(const struct store *store)
{
    struct stat now;

    return look_at(store->path, "", &now) && now.st_ino == store->seen.st_ino &&
           now.st_dev == store->seen.st_dev && now.st_size == store->seen.st_size &&
           now.st_mtim.tv_sec == store->seen.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == store->seen.st_mtim.tv_nsec;
}

enum status store_end_reading(const struct store *store, enum status st, struct err *err)
{
    return store->shared || is_unchanged(store)
               ? st
               : err_set(err, ST_BUSY, "a bridge was started while it was read: try again");
}
