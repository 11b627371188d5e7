/*
 * How far the outbox was synced, in a small file beside it. SQLite reads a log only as far as its
 * checksums are right, and says nothing about the rest: after a kill, a log that was cut, emptied
 * or garbled just looks shorter. The record shows that something is missing.
 *
 * It is written, but not synced, after each synced commit and before its answers. So a kill leaves
 * it right. A power cut may leave an older one, which shows less and never too much: whatever it
 * says was synced before it was written. One that cannot be read says nothing.
 */
#include "bridge/store/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include "common/log.h"

/* One line, always of the same length, so that writing it again needs no room. */
#define RECORD_FORMAT "synced %020" PRIu64 " newest %020" PRIu64 " check %016" PRIx64 "\n"
enum { RECORD_BYTES = 7 + 20 + 8 + 20 + 7 + 16 + 1 };

/* FNV-1a over both numbers: finds a line that was half written. */
static uint64_t check_of(struct store_record record)
{
    uint64_t numbers[] = {record.synced_count, record.last_seq}, hash = 0xCBF29CE484222325;

    for (size_t i = 0; i < sizeof(numbers); i++) {
        hash = (hash ^ ((numbers[i / 8] >> (i % 8 * 8)) & 0xFF)) * 0x100000001B3;
    }
    return hash;
}

static void format_record(struct store_record record, char out_line[RECORD_BYTES + 1])
{
    (void)snprintf(out_line, RECORD_BYTES + 1, RECORD_FORMAT, record.synced_count,
                   record.last_seq, check_of(record));
}

bool store_read_record(const struct store *store, struct store_record *out_record)
{
    char line[RECORD_BYTES + 1] = "", right[RECORD_BYTES + 1];
    struct store_record record;

    if (pread(store->record_fd, line, RECORD_BYTES, 0) != RECORD_BYTES) {
        return false;
    }
    record.synced_count = strtoull(line + strlen("synced "), NULL, 10);
    record.last_seq = strtoull(line + strlen("synced ") + 20 + strlen(" newest "), NULL, 10);
    format_record(record, right);
    if (strcmp(line, right) != 0) {
        return false;
    }
    *out_record = record;
    return true;
}

void store_write_record(const struct store *store)
{
    struct store_record record = {store->committed.synced_count, store->committed.last_seq};
    char line[RECORD_BYTES + 1];

    format_record(record, line);
    /* If this fails, an older one stays, which shows less. */
    if (pwrite(store->record_fd, line, RECORD_BYTES, 0) != RECORD_BYTES) {
        log_debug("cannot write how far the outbox was synced");
    }
}

enum status store_open_record(struct store *store, struct err *err)
{
    char *name = store_name(store->path, STORE_RECORD);
    struct stat owner;
    enum status st = ST_OK;

    store->record_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->record_fd < 0) {
        st = err_set_errno(err, ST_IO, errno, "open %s", name);
    } else if (geteuid() == 0 && fstat(store->lock_fd, &owner) == 0) {
        /* Root works on a service's outbox; if it may not give the file away, it keeps it. */
        int ignored = fchown(store->record_fd, owner.st_uid, owner.st_gid);

        (void)ignored;
    }
    free(name);
    return st;
}
