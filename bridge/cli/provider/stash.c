/*
 * A file for what a provider hands out only once: locked against other commands, and with its
 * room on the disk, before it is asked for. A full disk or another command cannot be the reason
 * why it is lost then. If we die before it is written, the old file is there, and the new one
 * beside it is removed by the next command.
 */
#include <unistd.h>

#include "common/file.h"

#include "bridge/cli/provider/internal.h"

enum status stash_lock(struct stash *stash, struct err *err)
{
    enum status st = file_lock_parent(stash->path, &stash->lock_fd, err);

    return st != ST_BUSY
               ? st
               : err_set(err, st,
                         "another hook2mqtt command is changing %s; try again when it is done",
                         stash->path);
}

enum status stash_make_room(struct stash *stash, size_t bytes, struct err *err)
{
    return stash->draft ? ST_OK : file_draft_open(stash->path, bytes, &stash->draft, err);
}

enum status stash_put(struct stash *stash, struct slice data, struct err *err)
{
    bool synced = true;
    enum status st = file_draft_put(stash->draft, data, &synced, err);

    file_draft_close(stash->draft);
    stash->draft = NULL;
    if (st == ST_OK && !synced) {
        cli_fail("%s is stored, but a power cut may undo that: %s", stash->path, err->text);
    }
    return st;
}

void stash_close(struct stash *stash)
{
    file_draft_close(stash->draft);
    if (stash->lock_fd >= 0) {
        (void)close(stash->lock_fd); /* nothing was written to it */
    }
    *stash = (struct stash){.lock_fd = -1};
}
