/*
 * The broker's answers to messages, and what follows from each.
 *
 * An acknowledged event is settled once all its messages are, and counted. A refused message is
 * judged by backoff: its event is buried, or held until it is tried again; either way the others
 * go on. An answer to a status message goes to status.c; an answer to nothing in flight is
 * dropped.
 */
#include "bridge/publisher/internal.h"

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

static void refused(struct publisher *pub, struct parcel *parcel, unsigned part, int reason)
{
    bool news = false;
    enum backoff_verdict verdict = backoff_refused(&pub->backoff, &parcel->record, reason,
                                                   parcel->source, clock_mono_ms(), &news);

    if (verdict == VERDICT_BURY) {
        publisher_bury_refused(pub, parcel, part, reason, "");
        return;
    }
    metrics_refused(reason);
    if (news) {
        log_warn("broker refuses an event for now: it waits, others pass",
                 L_UUID("id", parcel->id), L_STR("topic", parcel->topic), L_INT("code", reason),
                 L_STR("reason", mqtt_reason_text(reason)));
    }
    publisher_rest(pub, parcel, reason);
}

/* All that was sent carefully is answered: twice as many, next. */
static void be_less_careful(struct publisher *pub)
{
    if (pub->careful_count > 0 && window_messages(pub->window) == pub->status_in_flight) {
        pub->careful_limit *= 2;
    }
}

static void take_answer(struct publisher *pub, const struct answer *answer)
{
    void *owner = NULL;
    unsigned part = 0;
    enum window_found found = window_answered(pub->window, answer->token, &owner, &part);
    struct parcel *parcel = owner;

    if (found == WINDOW_STATUS) {
        publisher_status_answered(pub, answer->reason);
    } else if (found == WINDOW_EVENT) {
        pub->events_quiet_ms = clock_mono_ms();
        if (answer->reason >= 0x80) {
            refused(pub, parcel, part, answer->reason);
        } else if (window_deliver(pub->window, parcel->place)) {
            parcel->place = WINDOW_NOWHERE;
            publisher_count_delivered(parcel, answer->at_ms, answer->reason);
            publisher_delivered(pub, parcel);
        }
        be_less_careful(pub);
    }
}

void publisher_take_answers(struct publisher *pub)
{
    for (size_t i = 0; i < pub->answers.count; i++) {
        take_answer(pub, &pub->answers.items[i]);
    }
    pub->answers.count = 0;
}
