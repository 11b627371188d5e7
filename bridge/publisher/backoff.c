/*
 * Decides how long to wait after trouble with the broker, and which message to blame. link.c and
 * answer.c act on it; recover.c and status.c report burials and answers to it. Only send.c
 * buries without asking: an event that MQTT or this broker can never carry (0x90, 0x95).
 *
 * To treat another reason code in its own way, add its row to `reasons`. A code without a row
 * is retried: no event is buried for a reason that we do not know.
 */
#include "bridge/publisher/backoff.h"

#include "common/check.h"

#include "bridge/mqtt/mqtt.h"

enum {
    CONNECT_FIRST_MS = 100, /* then twice as long each time */
    CONNECT_LONGEST_MS = 10000,
    /* Two bridges with one client_id would kick each other off for ever. */
    TAKEN_OVER_MS = 60000,
    GOOD_AFTER_MS = 10000, /* a connection that lasted so long was a good one */
    /* A shorter one that settled something counts as no more failures than this: 1.6 s. */
    SHORT_LINK_FAILURES = 4,
    SHORT_LINKS_TO_HINT = 5,

    PAUSE_FIRST_MS = 1000, /* then twice as long each time */
    PAUSE_LONGEST_MS = 30000,
    GRACE_PAUSE_LONGEST_MS = 4000, /* so that the grace sees several tries */
    GRACE_MS = 10000,
    GRACE_FORGET_MS = 60000, /* after so long without a 0x87 the next one starts a new grace */

    LOSSES_TO_BLAME = 5,
};

/* What the code means as the answer to a message. */
enum answer {
    ANSWER_RETRY,
    ANSWER_GRACE, /* retry for a while, then bury */
    ANSWER_BURY,
};

/* What the code means as the end of a connection. */
enum ending {
    ENDING_BLAME,  /* what was in flight may be the cause */
    ENDING_EXCUSE, /* says nothing about what was in flight */
    ENDING_TAKEN_OVER,
};

struct reason {
    int code;
    enum answer answer;
    enum ending ending;
};

static const struct reason reasons[] = {
    {MQTT_CUT, ANSWER_RETRY, ENDING_EXCUSE}, /* our own watchdog */
    {0x80, ANSWER_RETRY, ENDING_BLAME},      /* unspecified error */
    {0x83, ANSWER_RETRY, ENDING_BLAME},      /* implementation specific error */
    {0x87, ANSWER_GRACE, ENDING_BLAME},      /* not authorized */
    {0x89, ANSWER_RETRY, ENDING_EXCUSE},     /* server busy */
    {0x8B, ANSWER_RETRY, ENDING_EXCUSE},     /* server shutting down */
    {0x8D, ANSWER_RETRY, ENDING_EXCUSE},     /* keep alive timeout */
    {0x8E, ANSWER_RETRY, ENDING_TAKEN_OVER}, /* session taken over */
    {0x90, ANSWER_BURY, ENDING_BLAME},       /* topic name invalid */
    {0x95, ANSWER_BURY, ENDING_BLAME},       /* packet too large */
    {0x97, ANSWER_RETRY, ENDING_BLAME},      /* quota exceeded */
    {0x98, ANSWER_RETRY, ENDING_EXCUSE},     /* administrative action */
    {0x99, ANSWER_BURY, ENDING_BLAME},       /* payload format invalid */
    {0x9C, ANSWER_RETRY, ENDING_EXCUSE},     /* use another server */
    {0x9D, ANSWER_RETRY, ENDING_EXCUSE},     /* server moved */
    {0xA0, ANSWER_RETRY, ENDING_EXCUSE},     /* maximum connect time */
};

static struct reason find_reason(int code)
{
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].code == code) {
            return reasons[i];
        }
    }
    return (struct reason){code, ANSWER_RETRY, ENDING_BLAME};
}

/* The step of a ladder that begins at first_ms and doubles up to longest_ms. */
static int64_t step_ms(int64_t first_ms, unsigned step, int64_t longest_ms)
{
    int64_t ms = first_ms << (step < 16 ? step : 16);

    return ms < longest_ms ? ms : longest_ms;
}

/* --- the connection --- */

void backoff_connected(struct backoff *backoff, int64_t now_ms)
{
    backoff->connected_ms = now_ms;
    backoff->useful = backoff->paused = false;
}

void backoff_connect_failed(struct backoff *backoff, int reason, int64_t now_ms,
                            uint64_t random)
{
    int64_t shortest_ms = 0;
    int64_t jitter_ms = step_ms(CONNECT_FIRST_MS, backoff->failures, CONNECT_LONGEST_MS);

    if (find_reason(reason).ending == ENDING_TAKEN_OVER) {
        shortest_ms = TAKEN_OVER_MS;
        jitter_ms = TAKEN_OVER_MS / 2;
    } else {
        backoff->failures++;
    }
    backoff->connect_at_ms = now_ms + shortest_ms + (int64_t)(random % (uint64_t)jitter_ms);
}

/* A loss counts only if one thing alone was in flight and the connection ended soon. */
static struct backoff_judgement find_culprit(struct backoff *backoff,
                                             const struct backoff_loss *loss)
{
    struct backoff_judgement found = {.culprit = CULPRIT_NONE};

    if (find_reason(loss->reason).ending != ENDING_BLAME ||
        loss->silent_ms >= loss->keep_alive_ms) {
        return found;
    }
    if (loss->in_flight == IN_FLIGHT_STATUS) {
        found.losses = ++backoff->status_losses;
        if (found.losses == LOSSES_TO_BLAME) {
            found.culprit = CULPRIT_STATUS;
        }
    } else if (loss->in_flight == IN_FLIGHT_SOLO) {
        found.losses = loss->seq == backoff->solo_seq ? backoff->solo_losses + 1 : 1;
        backoff->solo_seq = loss->seq;
        backoff->solo_losses = found.losses;
        if (found.losses >= LOSSES_TO_BLAME) {
            found.culprit = CULPRIT_EVENT;
            backoff->solo_losses = 0;
            backoff_buried(backoff);
        }
    }
    return found;
}

struct backoff_judgement backoff_lost(struct backoff *backoff, const struct backoff_loss *loss,
                                      int64_t now_ms, uint64_t random)
{
    struct backoff_judgement found = find_culprit(backoff, loss);

    found.taken_over = find_reason(loss->reason).ending == ENDING_TAKEN_OVER;
    backoff->paused = false;
    if (now_ms - backoff->connected_ms >= GOOD_AFTER_MS) {
        backoff->failures = backoff->short_links = 0;
    } else if (backoff->useful) {
        if (backoff->failures > SHORT_LINK_FAILURES) {
            backoff->failures = SHORT_LINK_FAILURES;
        }
        /* Not every broker says 0x8E (Mosquitto 2.0.11 does not). */
        found.same_client = ++backoff->short_links == SHORT_LINKS_TO_HINT;
    }
    backoff_connect_failed(backoff, loss->reason, now_ms, random);
    return found;
}

/* --- messages --- */

/* The grace outlives connections: Mosquitto 2.0.11 hangs up after each 0x87. */
static bool grace_is_over(struct backoff *backoff, int64_t now_ms)
{
    int64_t last_ms = backoff->unauthorized_last_ms;

    if (last_ms == 0 || now_ms - last_ms > GRACE_FORGET_MS) {
        backoff->unauthorized_since_ms = now_ms;
    }
    backoff->unauthorized_last_ms = now_ms;
    return now_ms - backoff->unauthorized_since_ms >= GRACE_MS;
}

enum backoff_verdict backoff_refused(struct backoff *backoff, int reason, int64_t now_ms)
{
    enum answer answer = find_reason(reason).answer;
    bool grace = answer == ANSWER_GRACE;

    if (answer == ANSWER_BURY || (grace && grace_is_over(backoff, now_ms))) {
        return VERDICT_BURY;
    }
    if (backoff->paused) {
        return VERDICT_PAUSED;
    }
    backoff->paused = true;
    backoff->resume_at_ms = now_ms + step_ms(PAUSE_FIRST_MS, backoff->pauses,
                                             grace ? GRACE_PAUSE_LONGEST_MS : PAUSE_LONGEST_MS);
    backoff->pauses++;
    return VERDICT_PAUSE;
}

void backoff_resumed(struct backoff *backoff)
{
    backoff->paused = false;
}

void backoff_delivered(struct backoff *backoff)
{
    backoff->useful = true;
    backoff->solo_losses = 0;
    if (!backoff->paused) {
        backoff->pauses = 0;
    }
}

void backoff_buried(struct backoff *backoff)
{
    backoff->useful = true;
}

void backoff_status_answered(struct backoff *backoff)
{
    backoff->status_losses = 0;
}
