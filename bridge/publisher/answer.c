/*
 * The broker's answers to messages, and what follows from each.
 *
 * An acknowledged event is settled once all its messages are, and counted. A refused message is
 * judged by backoff: either its event is buried and the others go on, or sending pauses and then
 * starts over at the oldest event that is not settled, which is sent solo. An answer to a status
 * message goes to status.c; an answer to nothing in flight is dropped.
 */
#include "bridge/publisher/internal.h"

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

void publisher_resume(struct publisher *pub, int64_t now_ms)
{
    if (!pub->backoff.paused || now_ms < pub->backoff.resume_at_ms ||
        window_messages(pub->window) > 0) {
        return;
    }
    backoff_resumed(&pub->backoff);
    pub->solo = true;
    publisher_start_over(pub, pub->max_messages);
}

static void refused(struct publisher *pub, uint64_t seq, unsigned part, int reason)
{
    bool first = pub->backoff.pauses == 0;
    enum backoff_verdict verdict = backoff_refused(&pub->backoff, reason, clock_mono_ms());

    if (verdict == VERDICT_BURY) {
        publisher_bury(pub, seq, part, reason);
        return;
    }
    metrics_refused(reason);
    if (verdict == VERDICT_PAUSE && first) {
        log_warn("broker refuses an event for now, trying again",
                 L_UUID("id", window_find(pub->window, seq)->id), L_INT("code", reason),
                 L_STR("reason", mqtt_reason_text(reason)));
    }
}

static void delivered(struct publisher *pub, uint64_t seq, const struct answer *answer)
{
    struct window_event event = *window_find(pub->window, seq);
    int64_t took_ms = answer->at_ms - event.received_ms;

    if (!window_deliver(pub->window, seq)) {
        return; /* the other message of the event is still in flight */
    }
    metrics_add(METRIC_PUBLISHED, 1);
    if (!event.replayed) {
        metrics_observe(HISTOGRAM_DELIVERY, took_ms > 0 ? took_ms * 1000 : 0);
    }
    log_debug("event published", L_UUID("id", event.id), L_INT("code", answer->reason),
              L_INT("ms", took_ms));
    pub->solo = false;
    backoff_delivered(&pub->backoff);
}

static void take_answer(struct publisher *pub, const struct answer *answer)
{
    uint64_t seq;
    unsigned part;
    enum window_found found = window_answered(pub->window, answer->token, &seq, &part);

    if (found == WINDOW_STATUS) {
        publisher_status_answered(pub, answer->reason);
    } else if (found == WINDOW_EVENT) {
        pub->events_quiet_ms = clock_mono_ms();
        if (answer->reason >= 0x80) {
            refused(pub, seq, part, answer->reason);
        } else {
            delivered(pub, seq, answer);
        }
    }
}

void publisher_take_answers(struct publisher *pub)
{
    for (size_t i = 0; i < pub->answers.count; i++) {
        take_answer(pub, &pub->answers.items[i]);
    }
    pub->answers.count = 0;
}
