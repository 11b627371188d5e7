/*
 * What other threads see of the outbox: its statistics and gauges, and the progress of disk and
 * watermark (handoff C). All of it is published after each commit and kept in memory, so that
 * looking never waits for the disk. Finding the oldest events may fail like any read; that is
 * final for the outbox.
 */
#include "bridge/outbox/internal.h"

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

static void set_gauges(const struct store_stats *stats, uint64_t wal_bytes)
{
    metrics_set(METRIC_STORED_BYTES,
                (int64_t)(stats->undelivered_bytes + stats->kept_bytes + stats->dead_bytes));
    metrics_set(METRIC_STORED_ROWS, (int64_t)(stats->undelivered_count + stats->kept_count));
    metrics_set(METRIC_UNDELIVERED, (int64_t)stats->undelivered_count);
    metrics_set(METRIC_HELD, (int64_t)stats->held_count);
    metrics_set(METRIC_DEAD_LETTERS, (int64_t)stats->dead_count);
    metrics_set(METRIC_LOST, (int64_t)stats->lost_count);
    metrics_set(METRIC_DEAD_REFUSED, (int64_t)stats->refused_count);
    metrics_set(METRIC_WAL_BYTES, (int64_t)wal_bytes);
}

static enum status find_oldest(struct outbox *ob, struct store_stats *stats, struct err *err)
{
    const struct store_stats *last =
        &ob->numbers->stats; /* written here only: no lock needed */

    if (stats->undelivered_count == 0) {
        return ST_OK;
    }
    /* A held event may have gone although the watermark stayed. */
    if (stats->held_count == 0 && last->held_count == 0 && last->undelivered_count > 0 &&
        last->delivered_seq == stats->delivered_seq &&
        last->oldest_undelivered_ms != CLOCK_NONE) {
        stats->oldest_undelivered_ms = last->oldest_undelivered_ms;
        return ST_OK;
    }
    return store_get_oldest(ob->writer, &stats->oldest_undelivered_ms, err);
}

static enum status find_oldest_kept(struct outbox *ob, struct store_stats *stats,
                                    struct err *err)
{
    const struct store_stats *last = &ob->numbers->stats;

    if (last->first_seq == stats->first_seq && last->oldest_kept_ms != CLOCK_NONE) {
        stats->oldest_kept_ms = last->oldest_kept_ms;
        return ST_OK;
    }
    return store_get_oldest_kept(ob->writer, &stats->oldest_kept_ms, err);
}

void outbox_tell_progress(struct outbox *ob)
{
    if (ob->listener.progress != NULL) {
        struct outbox_progress progress = {
            .durable_seq = atomic_load(&ob->durable_seq),
            .watermark_seq = atomic_load(&ob->watermark_seq),
            .released_count = atomic_load(&ob->released_count),
        };

        ob->listener.progress(ob->listener.ctx, &progress);
    }
}

enum status outbox_publish_stats(struct outbox *ob, struct err *err)
{
    struct store_stats stats;
    enum status st;

    store_get_stats(ob->writer, &stats);
    st = find_oldest(ob, &stats, err);
    if (st == ST_OK) {
        st = find_oldest_kept(ob, &stats, err);
    }
    CHECK(pthread_mutex_lock(&ob->numbers->mu) == 0);
    ob->numbers->stats = stats;
    CHECK(pthread_mutex_unlock(&ob->numbers->mu) == 0);
    atomic_store(&ob->events.fixed_bytes, stats.undelivered_bytes);
    atomic_store(&ob->quarantined.fixed_bytes, stats.dead_bytes - stats.refused_bytes);
    atomic_store(&ob->refused.fixed_bytes, stats.refused_bytes);
    atomic_store(&ob->durable_seq, stats.last_seq);
    /* It may be ahead of the disk, see keep_watermark_in_memory. */
    if (stats.delivered_seq > atomic_load(&ob->watermark_seq)) {
        atomic_store(&ob->watermark_seq, stats.delivered_seq);
    }
    set_gauges(&stats, store_wal_bytes(ob->writer));
    outbox_tell_progress(ob);
    return st;
}

void outbox_note_older(const struct event *event)
{
    metrics_add(METRIC_STATE_SKIPPED, 1);
    log_info("event is older than its resource's state", L_UUID("id", event->id));
}

void outbox_stats(const struct outbox *ob, struct store_stats *out_stats)
{
    CHECK(pthread_mutex_lock(&ob->numbers->mu) == 0);
    *out_stats = ob->numbers->stats;
    CHECK(pthread_mutex_unlock(&ob->numbers->mu) == 0);
}
