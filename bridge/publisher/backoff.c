/*
 * Decides how long to wait after trouble with the broker, and which message to blame. link.c,
 * answer.c and hold.c act on it. Only send.c buries without asking: an event that MQTT or this
 * broker can never carry (0x90, 0x95).
 *
 * To treat another reason code in its own way, add its row to `reasons`. A code without a row
 * is held for a while as the answer to a message, and may blame one as the end of a connection.
 */
#include "bridge/publisher/backoff.h"

#include <stddef.h>

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

    TRY_FIRST_MS = 1000, /* then twice as long each time */
    TRY_LONGEST_MS = 30000,
    HOLD_MS = 60000,             /* then it is buried */
    GRACE_TRY_LONGEST_MS = 4000, /* so that the grace sees several tries */
    GRACE_MS = 10000,            /* rights may be on their way */
    KIND_FORGET_MS = 60000,      /* after so long without one, the next is the first again */
    SUSPECT_FIRST_MS = 500,      /* then twice as long each time */
    NO_ROOM_MS = 30000,
    PASSING_MS = 5000,
    HANG_UP_MS = 200, /* a loss so soon after a refusal follows from it */
    BARRED_MS = 1000,

    LOSSES_TO_BLAME = 5,
};

/* What the code means as the answer to a message. */
enum answer {
    ANSWER_RETRY, /* for a while, then bury */
    ANSWER_GRACE, /* likewise, but it is about the source */
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
    {0x88, ANSWER_RETRY, ENDING_EXCUSE},     /* server unavailable */
    {0x89, ANSWER_RETRY, ENDING_EXCUSE},     /* server busy */
    {0x8A, ANSWER_RETRY, ENDING_EXCUSE},     /* banned */
    {0x8B, ANSWER_RETRY, ENDING_EXCUSE},     /* server shutting down */
    {0x8D, ANSWER_RETRY, ENDING_EXCUSE},     /* keep alive timeout */
    {0x8E, ANSWER_RETRY, ENDING_TAKEN_OVER}, /* session taken over */
    {0x90, ANSWER_BURY, ENDING_BLAME},       /* topic name invalid */
    {0x93, ANSWER_RETRY, ENDING_EXCUSE},     /* receive maximum exceeded */
    {0x95, ANSWER_BURY, ENDING_BLAME},       /* packet too large */
    {0x96, ANSWER_RETRY, ENDING_EXCUSE},     /* message rate too high */
    {0x97, ANSWER_RETRY, ENDING_EXCUSE},     /* quota exceeded */
    {0x98, ANSWER_RETRY, ENDING_EXCUSE},     /* administrative action */
    {0x99, ANSWER_BURY, ENDING_BLAME},       /* payload format invalid */
    {0x9C, ANSWER_RETRY, ENDING_EXCUSE},     /* use another server */
    {0x9D, ANSWER_RETRY, ENDING_EXCUSE},     /* server moved */
    {0x9F, ANSWER_RETRY, ENDING_EXCUSE},     /* connection rate exceeded */
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
    backoff->useful = false;
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

/* It counts only if the connection ended soon after something was sent. */
static bool is_suspicious(const struct backoff_loss *loss)
{
    return loss->in_flight != IN_FLIGHT_NOTHING &&
           find_reason(loss->reason).ending == ENDING_BLAME &&
           loss->silent_ms < loss->keep_alive_ms;
}

/* Did the broker hang up because it had refused something? */
static bool follows_refusal(const struct backoff *backoff, const struct backoff_loss *loss,
                            int64_t now_ms)
{
    return backoff->refused_ms != 0 && now_ms - backoff->refused_ms < HANG_UP_MS &&
           find_reason(loss->reason).ending == ENDING_BLAME;
}

struct backoff_judgement backoff_lost(struct backoff *backoff, const struct backoff_loss *loss,
                                      int64_t now_ms, uint64_t random)
{
    bool explained = follows_refusal(backoff, loss, now_ms);
    struct backoff_judgement found = {
        .suspicious = is_suspicious(loss) && !explained,
        .explained = explained,
        .taken_over = find_reason(loss->reason).ending == ENDING_TAKEN_OVER,
    };

    backoff->hangs_up_on_refusal = backoff->hangs_up_on_refusal || explained;
    if (now_ms - backoff->connected_ms >= GOOD_AFTER_MS || explained ||
        (found.suspicious && loss->known)) {
        /* It was good, or one message's fault, for which the others need not wait. */
        backoff->failures = 0;
    } else if (backoff->useful && backoff->failures > SHORT_LINK_FAILURES) {
        backoff->failures = SHORT_LINK_FAILURES;
    }
    backoff_connect_failed(backoff, loss->reason, now_ms, random);
    return found;
}

/* --- messages --- */

static struct backoff_kind *find_kind(struct backoff *backoff, uint64_t source, int reason)
{
    struct backoff_kind *oldest = &backoff->kinds[0];

    for (size_t i = 0; i < BACKOFF_KINDS; i++) {
        struct backoff_kind *kind = &backoff->kinds[i];

        if (kind->last_ms != 0 && kind->source == source && kind->reason == reason) {
            return kind;
        }
        oldest = kind->last_ms < oldest->last_ms ? kind : oldest;
    }
    *oldest = (struct backoff_kind){.source = source, .reason = reason};
    return oldest;
}

enum backoff_verdict backoff_refused(struct backoff *backoff, struct backoff_record *record,
                                     int reason, uint64_t source, int64_t now_ms,
                                     bool *out_news)
{
    struct backoff_kind *kind = find_kind(backoff, source, reason);
    enum answer answer = find_reason(reason).answer;
    bool grace = answer == ANSWER_GRACE;
    int64_t until_ms;

    backoff->refused_ms = now_ms;
    *out_news = kind->last_ms == 0 || now_ms - kind->last_ms > KIND_FORGET_MS;
    if (*out_news) {
        kind->since_ms = now_ms;
    }
    kind->last_ms = now_ms;
    if (record->since_ms == 0) {
        record->since_ms = now_ms;
    }
    until_ms = grace ? kind->since_ms + GRACE_MS : record->since_ms + HOLD_MS;
    if (answer == ANSWER_BURY ||
        (now_ms >= until_ms && (grace || backoff->passed_ms > record->since_ms))) {
        return VERDICT_BURY;
    }
    record->due_ms = now_ms + step_ms(TRY_FIRST_MS, record->tries++,
                                      grace ? GRACE_TRY_LONGEST_MS : TRY_LONGEST_MS);
    if (now_ms < until_ms && record->due_ms > until_ms) {
        record->due_ms = until_ms; /* the last try comes when the time is up */
    }
    return VERDICT_HOLD;
}

bool backoff_is_barred(const struct backoff *backoff, uint64_t source, int64_t now_ms,
                       int64_t *out_due_ms)
{
    for (size_t i = 0; i < BACKOFF_KINDS && backoff->hangs_up_on_refusal; i++) {
        const struct backoff_kind *kind = &backoff->kinds[i];

        if (kind->last_ms != 0 && kind->source == source && kind->reason == 0x87 &&
            now_ms - kind->last_ms < BARRED_MS) {
            *out_due_ms = kind->last_ms + BARRED_MS;
            return true;
        }
    }
    return false;
}

bool backoff_has_proof(const struct backoff *backoff, const struct backoff_record *record)
{
    return backoff->passed > record->passed;
}

enum backoff_verdict backoff_suspect(const struct backoff *backoff,
                                     struct backoff_record *record, bool only, int64_t now_ms)
{
    bool proven = record->losses == 0 || backoff_has_proof(backoff, record) ||
                  (only && backoff->passed_status > record->passed_status);

    record->losses += proven;
    record->passed = backoff->passed;
    record->passed_status = backoff->passed_status;
    if (record->since_ms == 0) {
        record->since_ms = now_ms;
    }
    record->due_ms = now_ms + step_ms(SUSPECT_FIRST_MS, record->tries++, TRY_LONGEST_MS);
    return record->losses >= LOSSES_TO_BLAME ? VERDICT_BURY : VERDICT_HOLD;
}

void backoff_no_room(struct backoff_record *record, int64_t now_ms)
{
    record->due_ms = now_ms + NO_ROOM_MS;
}

void backoff_passed(struct backoff *backoff, int64_t now_ms)
{
    backoff->useful = true;
    backoff->passed++;
    backoff->passed_ms = now_ms;
}

void backoff_recovered(struct backoff *backoff, uint64_t source)
{
    for (size_t i = 0; i < BACKOFF_KINDS; i++) {
        if (backoff->kinds[i].source == source) {
            backoff->kinds[i].last_ms = 0;
        }
    }
}

void backoff_status_answered(struct backoff *backoff, bool taken, int64_t now_ms)
{
    if (taken) {
        backoff->passed_status++;
        backoff->passed_ms = now_ms;
    }
}

void backoff_buried(struct backoff *backoff)
{
    backoff->useful = true;
}

bool backoff_is_passing(const struct backoff *backoff, int64_t now_ms)
{
    return backoff->passed > 0 && now_ms - backoff->passed_ms < PASSING_MS;
}
