/*
 * How long delivered events are kept: for keep_delivered_ms, but no longer than until new ones
 * need their room, within the limit or on the disk. The oldest are removed first, by range, within the committer's transactions: if
 * we die before the commit, they are still there. An undelivered event is never removed.
 */
#include "bridge/outbox/internal.h"

enum {
    REMOVE_ROWS = 1024,      /* per transaction: more than one can add */
    REMOVE_BYTES = 33554432, /* likewise, about; no more, because waiters wait for it */
    ROOM_ROWS = 256,         /* at a time when room must be made */
};

static int64_t expired_before_ms(const struct outbox *ob, int64_t now_ms)
{
    return now_ms - ob->options.keep_delivered_ms + 1;
}

enum status outbox_make_room(struct outbox *ob, uint64_t cost_bytes, bool *out_fits,
                             struct err *err)
{
    struct store_removal removal = {.before_ms = INT64_MAX, .max_rows = ROOM_ROWS};
    uint64_t max_bytes = ob->options.max_bytes;
    struct store_stats stats;
    uint64_t fixed, used;
    enum status st;

    for (;;) {
        store_get_stats(ob->writer, &stats);
        fixed = stats.undelivered_bytes + cost_bytes;
        used = fixed + stats.kept_bytes;
        *out_fits = used <= max_bytes;
        if (*out_fits || fixed > max_bytes) {
            return ST_OK;
        }
        removal.enough_bytes = used - max_bytes;
        st = store_remove_kept(ob->writer, &removal, err);
        if (st != ST_OK) {
            return st;
        }
    }
}

enum status outbox_remove_kept(struct outbox *ob, int64_t now_ms, struct err *err)
{
    struct store_removal any = {
        .before_ms = INT64_MAX, .enough_bytes = ob->disk.short_bytes, .max_rows = REMOVE_ROWS};
    struct store_removal expired = {.before_ms = expired_before_ms(ob, now_ms),
                                    .enough_bytes = REMOVE_BYTES,
                                    .max_rows = REMOVE_ROWS};
    enum status st = any.enough_bytes > 0 ? store_remove_kept(ob->writer, &any, err) : ST_OK;

    if (st == ST_OK) {
        st = store_remove_kept(ob->writer, &expired, err);
    }
    return st == ST_OK ? store_remove_gone_states(ob->writer, now_ms, err) : st;
}

enum status outbox_look_for_expired(struct outbox *ob, int64_t now_ms, struct err *err)
{
    enum status st =
        store_has_expired(ob->writer, expired_before_ms(ob, now_ms), &ob->more_expired, err);

    ob->more_expired = ob->more_expired || store_has_gone_states(ob->writer, now_ms);
    return st;
}
