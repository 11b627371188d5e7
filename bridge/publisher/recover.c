/*
 * The two ways in which all trouble ends: sending starts over at the oldest event that is not
 * settled, or an event goes to the dead letters. And the two steps in which a connection ends: it
 * is dying once publishing fails, and its epoch is closed when it is lost, so that late answers
 * from it are dropped.
 *
 * Nothing here can fail. A burial reaches the disk no later than the watermark that covers it; if
 * we die before, the event is sent again and refused again.
 */
#include "bridge/publisher/internal.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

void publisher_close_epoch(struct publisher *pub)
{
    publisher_lock(pub);
    pub->closed_epoch = pub->epoch;
    pub->posted.lost = false;
    pub->posted_answers.count = 0;
    publisher_unlock(pub);
    pub->seen.lost = false;
    pub->answers.count = 0;
}

void publisher_link_dies(struct publisher *pub)
{
    if (!pub->dying) {
        pub->dying = true;
        pub->dying_since_ms = clock_mono_ms();
    }
}

void publisher_feed_drop(struct publisher *pub)
{
    while (pub->feed_at < pub->feed_count) {
        event_free(pub->feed[pub->feed_at++]);
    }
    pub->feed_at = pub->feed_count = 0;
    pub->part = 0;
    pub->placed = false;
}

void publisher_start_over(struct publisher *pub, size_t max_messages)
{
    publisher_feed_drop(pub);
    window_restart(pub->window, max_messages);
    pub->status_in_flight = 0;
    pub->read_seq = window_settled(pub->window);
    outbox_rewind(pub->outbox, pub->read_seq);
}

void publisher_bury_as(struct publisher *pub, uint64_t seq, const char *why)
{
    const struct window_event *event = window_find(pub->window, seq);

    CHECK(event != NULL);
    log_warn("event buried", L_UUID("id", event->id), L_STR("reason", why));
    metrics_add(METRIC_BURIED, 1);
    outbox_bury(pub->outbox, seq, why);
    window_bury(pub->window, seq);
    pub->solo = false;
    backoff_buried(&pub->backoff);
}

void publisher_bury(struct publisher *pub, uint64_t seq, unsigned part, int reason)
{
    char why[96];

    metrics_refused(reason);
    (void)snprintf(why, sizeof(why), "0x%02X %s%s", (unsigned)reason, mqtt_reason_text(reason),
                   part > 0 ? " (state topic)" : ""); /* fits, or is cut */
    publisher_bury_as(pub, seq, why);
}
