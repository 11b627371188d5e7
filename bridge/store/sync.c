/*
 * SQLite's file layer with three methods wrapped. xSync: its time is measured, and a failure is
 * remembered for ever, whatever SQLite makes of it, because after a failed sync the kernel may
 * have dropped the pages and call the next sync a success. xWrite and xShmMap: the errno of a
 * failure is kept, because sqlite3_system_errno does not have it after every failure.
 *
 * Each writer has its own layer, which contains the method tables of its files. So a call finds
 * the layer from the file, without a wrapper around every method.
 */
#include "bridge/store/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

#include "bridge/metrics.h"

/* One kind of file: SQLite's methods, three of them replaced. */
struct methods {
    sqlite3_io_methods io;
    const sqlite3_io_methods *base; /* NULL: no file of this kind has been opened yet */
    struct store_vfs *owner;
    bool is_log;
};

struct store_vfs {
    sqlite3_vfs vfs;
    sqlite3_vfs *base;
    char name[32];
    struct methods database, log;
    atomic_bool sync_failed;
};

/* A connection is used by one thread, so its last error belongs to that thread. */
static _Thread_local int last_errno;

static const struct methods *methods_of(const sqlite3_file *file)
{
    const sqlite3_io_methods *io = file->pMethods;

    return (const void *)((const char *)io - offsetof(struct methods, io));
}

static int note_errno(int rc)
{
    if (rc != SQLITE_OK) {
        last_errno = errno;
    }
    return rc;
}

static int write_file(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset)
{
    return note_errno(methods_of(file)->base->xWrite(file, data, len, offset));
}

static int map_shared(sqlite3_file *file, int page, int page_bytes, int extend,
                      void volatile **out_memory)
{
    return note_errno(
        methods_of(file)->base->xShmMap(file, page, page_bytes, extend, out_memory));
}

static int sync_file(sqlite3_file *file, int flags)
{
    const struct methods *methods = methods_of(file);
    int64_t began_us = clock_mono_us();
    int rc = note_errno(methods->base->xSync(file, flags));

    if (rc != SQLITE_OK) {
        atomic_store(&methods->owner->sync_failed, true);
    }
    if (methods->is_log) {
        metrics_observe(HISTOGRAM_SYNC, clock_mono_us() - began_us);
    }
    return rc;
}

/* The first files are opened by store_open_writer, before another thread has a connection: so
 * the tables are filled in without a lock. */
static void adopt(struct methods *methods, sqlite3_file *file)
{
    if (methods->base == NULL) {
        methods->base = file->pMethods;
        methods->io = *file->pMethods;
        methods->io.xWrite = write_file;
        methods->io.xShmMap = map_shared;
        methods->io.xSync = sync_file;
    }
    CHECK(methods->base == file->pMethods);
    file->pMethods = &methods->io;
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *out_flags)
{
    struct store_vfs *own = (void *)((char *)vfs - offsetof(struct store_vfs, vfs));
    int rc = own->base->xOpen(own->base, name, file, flags, out_flags);

    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
        adopt(&own->database, file);
    }
    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) {
        adopt(&own->log, file);
    }
    return rc;
}

struct store_vfs *store_vfs_create(void)
{
    static atomic_uint counter;
    struct store_vfs *own = xalloc(sizeof(*own));

    CHECK(sqlite3_initialize() == SQLITE_OK);
    own->base = sqlite3_vfs_find(NULL);
    CHECK(own->base != NULL);
    (void)snprintf(own->name, sizeof(own->name), "outbox-%u", atomic_fetch_add(&counter, 1));
    own->database.owner = own->log.owner = own;
    own->log.is_log = true;
    own->vfs = *own->base;
    own->vfs.zName = own->name;
    own->vfs.pNext = NULL;
    own->vfs.xOpen = open_file;
    CHECK(sqlite3_vfs_register(&own->vfs, 0) == SQLITE_OK);
    return own;
}

void store_vfs_destroy(struct store_vfs *own)
{
    if (own == NULL) {
        return;
    }
    CHECK(sqlite3_vfs_unregister(&own->vfs) == SQLITE_OK);
    free(own);
}

const char *store_vfs_name(const struct store_vfs *own)
{
    return own->name;
}

bool store_vfs_sync_failed(const struct store_vfs *own)
{
    return atomic_load(&own->sync_failed);
}

int store_vfs_errno(void)
{
    return last_errno;
}
