/*
 * Making a new outbox: as a draft beside its place, complete and synced, which is then renamed. So
 * an outbox is never half made, and one that is empty was emptied by somebody.
 *
 * What can fail: any of it; then there is no outbox. If we die, only the draft is there, and the
 * next start makes another.
 */
#include "bridge/store/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <unistd.h>

#include "common/file.h"

/* Left by a process that died while it made one. */
static enum status clear_draft(const struct store *draft, struct err *err)
{
    static const char *const suffixes[] = {"-wal", "-shm"};

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char *name = store_name(draft->path, suffixes[i]);
        bool cleared = unlink(name) == 0 || errno == ENOENT;

        free(name);
        if (!cleared) {
            return err_set_errno(err, ST_IO, errno, "remove %s%s", draft->path, suffixes[i]);
        }
    }
    return truncate(draft->path, 0) == 0
               ? ST_OK
               : err_set_errno(err, ST_IO, errno, "empty %s", draft->path);
}

static enum status fill_draft(struct store *draft, struct err *err)
{
    char pragma[48];
    enum status st = store_connect(draft, err);

    (void)snprintf(pragma, sizeof(pragma), "PRAGMA page_size=%d", STORE_PAGE_BYTES);
    if (st == ST_OK) {
        st = store_exec(draft, pragma, err);
    }
    if (st == ST_OK) {
        st = store_set_up(draft, err);
    }
    if (st == ST_OK) {
        st = store_migrate(draft, err);
    }
    /* All of it into the one file that is renamed. */
    if (st == ST_OK) {
        st = store_checkpoint(draft, true, err);
    }
    if (st == ST_OK && store_vfs_sync_failed(draft->vfs)) {
        st = err_set(err, ST_IO, "a sync failed");
    }
    return st;
}

/* The lock on the draft is held, and becomes the lock on the outbox. */
enum status store_create(const struct store *store, struct err *err)
{
    char *name = store_name(store->path, STORE_DRAFT);
    struct store *draft = store_alloc(name);
    enum status st = clear_draft(draft, err);

    draft->vfs = store->vfs;
    if (st == ST_OK) {
        st = fill_draft(draft, err);
    }
    (void)store_close(draft); /* what it had to write is in the file */
    /* If we die before this, there is no outbox yet; after it, all of it is there, except that a
     * power cut may take the name, and nothing in it was promised yet. */
    if (st == ST_OK && rename(name, store->path) != 0) {
        st = err_set_errno(err, ST_IO, errno, "rename %s", name);
    }
    free(name);
    return st == ST_OK ? file_sync_parent(store->path, err) : st;
}
