/*
 * Opening a handle that changes nothing, not even a log that a killed bridge left.
 */
#include "bridge/store/internal.h"

#include <stdlib.h>
#include <string.h>

/* `file:` and the path, with what has a meaning in a URI escaped. */
static char *make_uri(const char *path, const char *query)
{
    struct buf uri = {0};

    buf_add_str(&uri, "file:");
    for (; *path != '\0'; path++) {
        if (strchr("%?#", *path) != NULL) {
            buf_addf(&uri, "%%%02X", (unsigned)(unsigned char)*path);
        } else {
            buf_add_char(&uri, *path);
        }
    }
    buf_add_str(&uri, query);
    return buf_take(&uri);
}

/* Without a log all rows are in the database, and SQLite must not make a log. With a log and its
 * index, both are shared with a running bridge; if there is none, SQLite reads the log into an
 * index in memory. With a log alone (a copy, or half of the files was removed) only a connection
 * without locks does that, and there can be no bridge that it would have to respect. */
static enum status connect_reader(struct store *store, struct err *err)
{
    bool log = store_file_exists(store->path, "-wal");
    bool index = store_file_exists(store->path, "-shm");
    char *uri = make_uri(store->path, log ? "?readonly_shm=1" : "?immutable=1");
    const char *vfs = log && !index ? "unix-none" : NULL;
    enum status st;

    store->shared = log && index;
    store_note_version(store);
    st = store_connect_by(store, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, vfs, err);
    free(uri);
    return st == ST_OK && log && !index
               ? store_exec(store, "PRAGMA locking_mode=EXCLUSIVE", err)
               : st;
}

enum status store_open_reader(const char *path, struct store **out_store, struct err *err)
{
    char *real_path = NULL;
    struct store *store;
    enum status st = store_find_file(path, &real_path, err);

    if (st != ST_OK) {
        return st;
    }
    store = store_alloc(real_path);
    free(real_path);
    st = store_refuse_empty(store, err);
    if (st == ST_OK) {
        st = connect_reader(store, err);
    }
    if (st == ST_OK) {
        st = store_check_identity(store, err);
    }
    if (st == ST_OK) {
        st = store_check_format(store, err);
    }
    if (st == ST_OK) {
        st = store_exec(store, "PRAGMA cache_size=-1000", err);
    }
    if (st != ST_OK) {
        (void)store_close(store); /* err says what failed */
        return err_wrap(err, "open outbox %s", path);
    }
    *out_store = store;
    return ST_OK;
}
