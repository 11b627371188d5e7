/*
 * Is there room within the configured sizes.
 *
 * Room is checked twice: when an event is submitted, so that none is queued that could not be
 * stored, and for each batch before it is written (where the disk is looked at, too). Without room
 * the answer is ST_FULL. A limit that is reached is logged once, and cleared when a tenth of it is
 * free again.
 */
#include "bridge/outbox/internal.h"

#include "common/clock.h"
#include "common/log.h"

enum {
    QUEUE_BYTES = 33554432, /* limit of events waiting for the committer */
    RETRY_MS = 5000,
};

struct limit *outbox_limit_of(struct outbox *ob, const struct event *event)
{
    return event->reason.data != NULL ? &ob->quarantined : &ob->events;
}

uint64_t outbox_limit_bytes(const struct outbox *ob, const struct limit *limit)
{
    return limit == &ob->events ? ob->options.max_bytes : ob->options.max_bytes / 2;
}

/* Kept events do not count here: they make room when the event is committed. */
bool outbox_has_room(const struct outbox *ob, const struct limit *limit, uint64_t cost_bytes)
{
    return atomic_load(&limit->fixed_bytes) + atomic_load(&limit->queued_bytes) + cost_bytes <=
           outbox_limit_bytes(ob, limit);
}

bool outbox_queue_has_room(const struct outbox *ob, uint64_t cost_bytes)
{
    uint64_t queued =
        atomic_load(&ob->events.queued_bytes) + atomic_load(&ob->quarantined.queued_bytes);

    return queued == 0 || queued + cost_bytes <= QUEUE_BYTES;
}

void outbox_limit_reached(struct outbox *ob, struct limit *limit, const char *why)
{
    if (atomic_exchange(&limit->full, true)) {
        return;
    }
    if (limit == &ob->events) {
        log_warn("outbox full: webhooks are refused until there is room", L_STR("why", why));
    } else if (limit == &ob->refused) {
        log_error(
            "dead letters full: messages that the broker refuses wait in the outbox until "
            "there is room",
            L_STR("why", why));
    } else {
        log_warn("dead letters full: bodies that make no event are refused until there is room",
                 L_STR("why", why));
    }
}

static void clear_limit(struct outbox *ob, struct limit *limit, const char *news)
{
    if (atomic_load(&limit->full) &&
        outbox_has_room(ob, limit, outbox_limit_bytes(ob, limit) / 10)) {
        atomic_store(&limit->full, false);
        log_info(news);
    }
}

/* Would a batch be written now? A transaction without any change shows whether another program has
 * the file locked. */
static bool is_writable(struct outbox *ob)
{
    struct err err;
    bool writable;

    if (checkpointer_rest(&ob->checkpointer, ob->writer, &err) != ST_OK ||
        outbox_check_disk(ob, READY_BYTES, &err) != ST_OK) {
        return false;
    }
    writable = store_begin(ob->writer, false, &err) == ST_OK;
    store_rollback(ob->writer);
    return writable;
}

void outbox_end_refusing(struct outbox *ob)
{
    if (atomic_exchange(&ob->refusing, ST_OK) == ST_BUSY) {
        log_info("outbox is no longer locked");
    }
}

/* Only when a tenth is free again, so that the log does not flicker near the limit. What refused a
 * write is tried again after a while, whether webhooks come or not. */
void outbox_clear_limits(struct outbox *ob)
{
    if (atomic_load(&ob->refusing) != ST_OK &&
        clock_mono_ms() - ob->refusing_since_ms > RETRY_MS) {
        ob->refusing_since_ms = clock_mono_ms();
        if (is_writable(ob)) {
            outbox_end_refusing(ob);
        }
    }
    if (atomic_load(&ob->refusing) == ST_OK) {
        clear_limit(ob, &ob->events, "outbox has room again");
    }
    clear_limit(ob, &ob->quarantined, "dead letters have room again");
    clear_limit(ob, &ob->refused, "dead letters have room again for refused messages");
}
