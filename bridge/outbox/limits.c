/*
 * Is there room: within the configured sizes, and on the disk.
 *
 * Room is checked twice: when an event is submitted, so that none is queued that could not be
 * stored, and for each batch before it is written. Without room the answer is ST_FULL. A limit
 * that is reached is logged once, and cleared when a tenth of it is free again. If the free space
 * of the disk cannot be read, the write itself will show whether there is room.
 */
#include "bridge/outbox/internal.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"

enum {
    QUEUE_BYTES = 33554432,  /* limit of events waiting for the committer */
    RESERVE_BYTES = 2097152, /* on the disk, for the watermark, removals and checkpoints */
    DISK_RETRY_MS = 5000,
};

struct limit *outbox_limit_of(struct outbox *ob, const struct event *event)
{
    return event->reason.data != NULL ? &ob->dead : &ob->events;
}

/* Kept events do not count here: they make room when the event is committed. */
bool outbox_has_room(const struct outbox *ob, const struct limit *limit, uint64_t cost_bytes)
{
    return atomic_load(&limit->fixed_bytes) + atomic_load(&limit->queued_bytes) + cost_bytes <=
           ob->options.max_bytes;
}

bool outbox_queue_has_room(const struct outbox *ob, uint64_t cost_bytes)
{
    uint64_t queued =
        atomic_load(&ob->events.queued_bytes) + atomic_load(&ob->dead.queued_bytes);

    return queued == 0 || queued + cost_bytes <= QUEUE_BYTES;
}

void outbox_limit_reached(struct outbox *ob, struct limit *limit, const char *why)
{
    if (atomic_exchange(&limit->full, true)) {
        return;
    }
    if (limit == &ob->events) {
        log_warn("outbox full: webhooks are refused until there is room", L_STR("why", why));
    } else {
        log_warn("dead letters full: bodies that make no event are refused until there is room",
                 L_STR("why", why));
    }
}

enum status outbox_check_disk(struct outbox *ob, uint64_t bytes, struct err *err)
{
    /* Events are written twice: into the log, and from there into the database. */
    uint64_t ample = store_wal_bytes(ob->writer) + 2 * bytes + RESERVE_BYTES;
    uint64_t free_bytes = 0;
    struct store_needs needs;
    struct err unknown;
    enum status st;

    if (file_free_bytes(ob->options.path, &free_bytes, &unknown) != ST_OK ||
        free_bytes >= ample) {
        return ST_OK; /* or unknown: then the write will show */
    }
    st = store_estimate(ob->writer, bytes, &needs, err);
    if (st == ST_OK && (free_bytes < needs.database_bytes ||
                        free_bytes + needs.log_room_bytes <
                            needs.log_bytes + needs.database_bytes + RESERVE_BYTES)) {
        st = err_set(err, ST_FULL, "the disk is full: %llu bytes are free",
                     (unsigned long long)free_bytes);
    }
    return st;
}

static void clear_limit(struct outbox *ob, struct limit *limit, const char *news)
{
    if (atomic_load(&limit->full) && outbox_has_room(ob, limit, ob->options.max_bytes / 10)) {
        atomic_store(&limit->full, false);
        log_info(news);
    }
}

/* Only when a tenth is free again, so that the log does not flicker near the limit. A disk that
 * refuses although it has free space (a quota, a limit on file sizes) is tried again after a
 * while. */
void outbox_clear_limits(struct outbox *ob)
{
    struct err err;

    if (atomic_load(&ob->disk_full) &&
        clock_mono_ms() - ob->disk_full_since_ms > DISK_RETRY_MS &&
        outbox_check_disk(ob, BATCH_BYTES, &err) == ST_OK) {
        atomic_store(&ob->disk_full, false);
    }
    if (!atomic_load(&ob->disk_full)) {
        clear_limit(ob, &ob->events, "outbox has room again");
    }
    clear_limit(ob, &ob->dead, "dead letters have room again");
}
