/*
 * Is there room on the disk, and are the files still there.
 *
 * Two bounds limit what the files may take, the log included: the configuration's (twice max_size
 * and 32 MiB, whoever reads meanwhile) and what the file system has. What is left of the smaller
 * one is compared with what a batch needs: events are written into the log, and when the log is
 * copied, into the database, where freed pages are used again. A reserve is never used for events,
 * because delivering, removing and copying need room, too.
 *
 * Before it is too late for a batch, the disk is called short: then retention removes kept events
 * early, in ordinary transactions, so that their pages are there when they are needed.
 *
 * If the free space cannot be read, only the configuration's bound counts, and the write itself
 * will show whether there is room.
 */
#include "bridge/outbox/internal.h"

enum {
    MIB = 1048576,
    LOG_MIN_BYTES = MIB,
    LOG_MAX_BYTES =
        64 * MIB, /* more than SQLite's own, because a file that grows makes each sync
                                 slower */
    RESERVE_MIN_BYTES = MIB / 2,
    RESERVE_MAX_BYTES = 2 * MIB,
    BEYOND_BYTES = 32 * MIB, /* than twice max_size */
    SMALL_BYTES = MIB / 2,   /* of a transaction without events */
};

static uint64_t excess(uint64_t wanted, uint64_t there)
{
    return wanted > there ? wanted - there : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
    return value < min ? min : least(value, max);
}

static uint64_t taken_bytes(const struct disk *disk)
{
    return disk->files.database_bytes + disk->files.log_bytes + disk->files.index_bytes;
}

static uint64_t left_of_bound(const struct disk *disk)
{
    return excess(disk->bound_bytes, taken_bytes(disk));
}

static uint64_t left_bytes(const struct outbox *ob)
{
    uint64_t left = left_of_bound(&ob->disk), free_bytes = 0;

    return store_free_bytes(ob->writer, &free_bytes) ? least(left, free_bytes) : left;
}

enum status outbox_look_at_files(struct outbox *ob, struct err *err)
{
    return store_look_at_files(ob->writer, &ob->disk.files, err);
}

enum status outbox_measure_disk(struct outbox *ob, struct err *err)
{
    struct disk *disk = &ob->disk;
    uint64_t capacity = ob->options.max_bytes, free_bytes = 0;
    enum status st = outbox_look_at_files(ob, err);

    if (st != ST_OK) {
        return st;
    }
    if (store_free_bytes(ob->writer, &free_bytes)) {
        capacity = least(capacity, free_bytes + taken_bytes(disk));
    }
    disk->log_bytes = clamp(capacity / 4, LOG_MIN_BYTES, LOG_MAX_BYTES);
    disk->reserve_bytes = clamp(capacity / 16, RESERVE_MIN_BYTES, RESERVE_MAX_BYTES);
    /* A database that was larger under another configuration does not shrink: its free pages are
     * used again. */
    disk->bound_bytes = 2 * ob->options.max_bytes + BEYOND_BYTES;
    if (disk->bound_bytes < disk->files.database_bytes + BEYOND_BYTES) {
        disk->bound_bytes = disk->files.database_bytes + BEYOND_BYTES;
    }
    return store_limit_log(ob->writer, disk->log_bytes, err);
}

/* Once there is room again, the log may be as long as before. */
static enum status end_limit(struct outbox *ob, struct err *err)
{
    if (!ob->disk.log_is_limited) {
        return ST_OK;
    }
    ob->disk.log_is_limited = false;
    return store_limit_log(ob->writer, ob->disk.log_bytes, err);
}

static enum status say_full(const struct outbox *ob, uint64_t left, struct err *err)
{
    const struct disk *disk = &ob->disk;
    unsigned long long log_mib = store_wal_bytes(ob->writer) / MIB;

    if (left < left_of_bound(disk)) {
        return err_set(err, ST_FULL, "the disk is full: %llu bytes are free",
                       (unsigned long long)left);
    }
    return store_wal_bytes(ob->writer) > disk->log_bytes
               ? err_set(err, ST_FULL,
                         "the outbox takes %llu MiB on disk, %llu of them in its log, which "
                         "cannot shrink while another program reads an old state of it",
                         (unsigned long long)taken_bytes(disk) / MIB, log_mib)
               : err_set(err, ST_FULL, "the outbox takes %llu MiB on disk, all that it may",
                         (unsigned long long)taken_bytes(disk) / MIB);
}

enum status outbox_check_disk(struct outbox *ob, uint64_t bytes, struct err *err)
{
    struct disk *disk = &ob->disk;
    uint64_t left = left_bytes(ob);
    uint64_t soon = bytes + disk->log_bytes / 2; /* until the log starts over */
    struct store_needs needs;
    uint64_t wanted, growth;
    enum status st;

    disk->short_bytes = 0;
    /* Events are written twice, and today's log once more. */
    if (left >= store_wal_bytes(ob->writer) + 2 * soon + disk->reserve_bytes) {
        return end_limit(ob, err);
    }
    st = store_estimate(ob->writer, &disk->files, bytes, &needs, err);
    if (st != ST_OK) {
        return st;
    }
    growth = excess(soon, needs.unused_bytes);
    wanted = excess(disk->log_bytes / 2, disk->files.log_bytes) + needs.pending_bytes + growth +
             disk->reserve_bytes;
    disk->short_bytes = least(excess(wanted, left), growth);

    growth = needs.pending_bytes + excess(needs.written_bytes, needs.unused_bytes);
    return left < growth || left + needs.log_room_bytes <
                                growth + needs.written_bytes + disk->reserve_bytes
               ? say_full(ob, left, err)
               : ST_OK;
}

enum status outbox_check_reserve(const struct outbox *ob, struct err *err)
{
    uint64_t room = left_of_bound(&ob->disk) +
                    excess(ob->disk.files.log_bytes, store_wal_bytes(ob->writer));

    return room < SMALL_BYTES ? say_full(ob, left_of_bound(&ob->disk), err) : ST_OK;
}
