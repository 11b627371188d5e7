/*
 * The two steps in which a connection ends: it is dying once publishing fails, and its epoch is
 * closed when it is lost, so that late answers from it are dropped. What was read ahead goes back to
 * the outbox.
 */
#include "bridge/publisher/internal.h"

#include "common/clock.h"

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
    pub->read_seq = window_newest(pub->window);
    outbox_rewind(pub->outbox, pub->read_seq);
}
