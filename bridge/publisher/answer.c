/*
 * What the broker says to a message, and what follows from it.
 */
#include "bridge/publisher/internal.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

enum {
    RETRY_FIRST_MS = 1000, /* then twice as long each time */
    RETRY_LONGEST_MS = 30000,
    /* The longest for 0x87, so that its grace sees several tries. */
    RETRY_UNAUTHORIZED_MS = 4000,
    UNAUTHORIZED_GRACE_MS = 10000,
    UNAUTHORIZED_FORGET_MS = 60000, /* without a 0x87, the next one has a grace of its own */
};

enum verdict {
    /* This message will never be taken: to the dead letters, the others go on. */
    VERDICT_BURY,
    /* As RETRY for a while (rights may be on their way), then as BURY. */
    VERDICT_GRACE,
    /* Not now: pause, then send again from the oldest that is not settled. */
    VERDICT_RETRY,
};

/* Codes below 0x80 are yes (0x10: nobody has subscribed). Codes that are not in the table are
 * retried: no event is given up for a reason that we do not know. */
static const struct {
    int reason;
    enum verdict verdict;
} verdicts[] = {
    {0x80, VERDICT_RETRY}, /* unspecified error */
    {0x83, VERDICT_RETRY}, /* implementation specific error */
    {0x87, VERDICT_GRACE}, /* not authorized */
    {0x90, VERDICT_BURY},  /* topic name invalid */
    {0x95, VERDICT_BURY},  /* packet too large; also when we see it before sending */
    {0x97, VERDICT_RETRY}, /* quota exceeded */
    {0x99, VERDICT_BURY},  /* payload format invalid */
};

/* The grace outlives connections: Mosquitto 2.0.11 hangs up after each 0x87. */
static bool grace_is_over(struct publisher *pub, int64_t now_ms)
{
    int64_t last_ms = pub->unauthorized_last_ms;

    if (last_ms == 0 || now_ms - last_ms > UNAUTHORIZED_FORGET_MS) {
        pub->unauthorized_since_ms = now_ms;
    }
    pub->unauthorized_last_ms = now_ms;
    return now_ms - pub->unauthorized_since_ms >= UNAUTHORIZED_GRACE_MS;
}

static enum verdict judge(struct publisher *pub, int reason, int64_t now_ms)
{
    enum verdict verdict = VERDICT_RETRY;

    for (size_t i = 0; i < COUNT_OF(verdicts); i++) {
        if (verdicts[i].reason == reason) {
            verdict = verdicts[i].verdict;
        }
    }
    if (verdict != VERDICT_GRACE) {
        return verdict;
    }
    return grace_is_over(pub, now_ms) ? VERDICT_BURY : VERDICT_RETRY;
}

static void pause_sending(struct publisher *pub, const struct window_event *event, int reason,
                          int64_t now_ms)
{
    int64_t longest_ms = reason == 0x87 ? RETRY_UNAUTHORIZED_MS : RETRY_LONGEST_MS;
    int64_t wait_ms = RETRY_FIRST_MS << (pub->pauses < 16 ? pub->pauses : 16);

    metrics_refused(reason);
    if (pub->paused) {
        return; /* one of several that were in flight together */
    }
    if (pub->pauses == 0) {
        log_warn("broker refuses for now, trying again", L_UUID("id", event->id),
                 L_INT("code", reason), L_STR("reason", mqtt_reason_text(reason)));
    }
    pub->paused = true;
    pub->paused_until_ms = now_ms + (wait_ms < longest_ms ? wait_ms : longest_ms);
    pub->pauses++;
}

void publisher_resume(struct publisher *pub, int64_t now_ms)
{
    if (!pub->paused || now_ms < pub->paused_until_ms || window_messages(pub->window) > 0) {
        return;
    }
    pub->paused = false;
    pub->solo = true;
    publisher_start_over(pub, pub->max_messages);
}

static void refused(struct publisher *pub, uint64_t seq, unsigned part, int reason)
{
    int64_t now_ms = clock_mono_ms();

    if (judge(pub, reason, now_ms) == VERDICT_BURY) {
        publisher_bury(pub, seq, part, reason);
    } else {
        pause_sending(pub, window_find(pub->window, seq), reason, now_ms);
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
    pub->useful = true;
    pub->solo = false;
    pub->solo_losses = 0;
    if (!pub->paused) {
        pub->pauses = 0;
    }
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
