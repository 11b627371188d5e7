/*
 * The publisher's thread: what it waits for, and the order of a turn.
 *
 *  - Other threads post signals (durable, watermark, answers, lost, stop) under mu. The thread
 *    takes all of them at once and works without the lock. Before it sleeps it notes what it
 *    wants to be woken for, so that a thousand acknowledgements wake it a few times and not a
 *    thousand times.
 *  - A turn: answers, the watermark, a lost connection; connect if it is time; status topics;
 *    events; the watchdog.
 *  - At the end it waits for the events in flight, publishes "offline" and disconnects.
 *
 * All trouble ends in one of two ways: events are held (hold.c), or one goes to the dead letters
 * (settle.c). If we die, the next start sends again what the outbox has as held, and what is
 * beyond its watermark.
 */
#include "bridge/publisher/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/metrics.h"

enum {
    /* How long the broker has to acknowledge "offline", even if the drain time is used up. */
    OFFLINE_WAIT_MS = 1000,
    /* One per message in flight. */
    MAX_ANSWERS = PUBLISHER_MAX_IN_FLIGHT + STATUS_MAX_IN_FLIGHT,
};

static void wake(struct publisher *pub)
{
    CHECK(pthread_cond_signal(&pub->changed) == 0);
}

/* --- from other threads --- */

static void on_acked(void *ctx, uint32_t epoch, int token, int reason)
{
    struct publisher *pub = ctx;
    struct answer answer = {.token = token, .reason = reason, .at_ms = clock_unix_ms()};

    publisher_lock(pub);
    if (epoch > pub->closed_epoch) {
        struct answers *posted = &pub->posted_answers;

        CHECK(posted->count < MAX_ANSWERS);
        posted->items[posted->count++] = answer;
        if (posted->count == pub->want_answers) {
            wake(pub);
        }
    }
    publisher_unlock(pub);
}

static void on_lost(void *ctx, uint32_t epoch, int reason, const char *text)
{
    struct publisher *pub = ctx;

    publisher_lock(pub);
    if (epoch > pub->closed_epoch) {
        struct signals *posted = &pub->posted;

        posted->lost = true;
        posted->lost_epoch = epoch;
        posted->lost_reason = reason;
        /* May be cut. */
        (void)snprintf(posted->lost_text, sizeof(posted->lost_text), "%s", text);
        wake(pub);
    }
    publisher_unlock(pub);
}

static void on_waiting(void *ctx)
{
    struct publisher *pub = ctx;

    heartbeat_now(&pub->heartbeat);
}

void publisher_progress(struct publisher *pub, const struct outbox_progress *progress)
{
    const struct outbox_progress *before = &pub->posted.progress;

    publisher_lock(pub);
    if ((pub->want_durable && progress->durable_seq > before->durable_seq) ||
        (pub->want_room && (progress->watermark_seq > before->watermark_seq ||
                            progress->released_count > before->released_count))) {
        wake(pub);
    }
    pub->posted.progress = *progress;
    publisher_unlock(pub);
}

void publisher_dropped(struct publisher *pub, uint64_t seq)
{
    publisher_lock(pub);
    buf_add(&pub->posted_drops, &seq, sizeof(seq));
    wake(pub);
    publisher_unlock(pub);
}

void publisher_set_info(struct publisher *pub, struct slice info)
{
    publisher_lock(pub);
    buf_clear(&pub->posted_info);
    buf_add_slice(&pub->posted_info, info);
    pub->info_posted = true;
    wake(pub);
    publisher_unlock(pub);
}

const struct heartbeat *publisher_heartbeat(const struct publisher *pub)
{
    return &pub->heartbeat;
}

/* --- the thread --- */

static int64_t sleep_ms(const struct publisher *pub, int64_t now_ms)
{
    int64_t until_ms = now_ms + THREAD_TURN_MS;

    if (!pub->up && pub->backoff.connect_at_ms < until_ms) {
        until_ms = pub->backoff.connect_at_ms;
    }
    if (pub->up && lanes_resting(pub->lanes) > 0 && pub->due_ms > now_ms &&
        pub->due_ms < until_ms) {
        until_ms = pub->due_ms;
    }
    if (pub->seen.stop && pub->seen.stop_by_ms < until_ms) {
        until_ms = pub->seen.stop_by_ms;
    }
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

/* How many answers are worth waking up for: while more events wait to be sent, a quarter of those
 * in flight, so that the broker never runs idle; otherwise all. A turn ends anyway if the last
 * ones take long. */
static size_t answers_wanted(const struct publisher *pub)
{
    size_t in_flight = window_messages(pub->window);
    bool more = publisher_feed_has_more(pub) || lanes_count(pub->lanes) > in_flight;
    size_t wanted = more ? in_flight / 4 : in_flight;

    return wanted > 0 ? wanted : 1;
}

/* Under mu. */
static bool anything_posted(const struct publisher *pub)
{
    const struct signals *posted = &pub->posted;
    const struct signals *seen = &pub->seen;

    return posted->lost || posted->stop != seen->stop || pub->info_posted ||
           pub->posted_answers.count >= pub->want_answers || pub->posted_drops.len > 0 ||
           (pub->want_durable && posted->progress.durable_seq > seen->progress.durable_seq) ||
           (pub->want_room &&
            (posted->progress.watermark_seq > seen->progress.watermark_seq ||
             posted->progress.released_count > seen->progress.released_count));
}

static void wait_for_signals(struct publisher *pub)
{
    struct timespec until = thread_deadline(sleep_ms(pub, clock_mono_ms()));
    struct answers taken = pub->answers;
    struct buf drops = pub->drops; /* empty */
    int rc = 0;

    publisher_lock(pub);
    pub->want_answers = answers_wanted(pub);
    pub->want_durable =
        pub->up && window_has_room(pub->window) && !publisher_feed_has_more(pub);
    pub->want_room = !window_has_room(pub->window);
    while (!anything_posted(pub) && rc == 0) {
        rc = pthread_cond_timedwait(&pub->changed, &pub->mu, &until);
        CHECK(rc == 0 || rc == ETIMEDOUT);
    }
    pub->want_answers = 0; /* awake: no more wake-ups */
    pub->want_durable = pub->want_room = false;
    pub->seen = pub->posted;
    pub->posted.lost = false;
    publisher_status_take_info(pub);
    pub->answers = pub->posted_answers;
    taken.count = 0;
    pub->posted_answers = taken;
    pub->drops = pub->posted_drops;
    pub->posted_drops = drops;
    publisher_unlock(pub);
}

static void post_watermark(struct publisher *pub, uint64_t *posted)
{
    uint64_t settled = window_settled(pub->window);

    if (settled > *posted) {
        outbox_set_watermark(pub->outbox, settled);
        *posted = settled;
    }
}

static bool may_stop(const struct publisher *pub)
{
    return pub->seen.stop &&
           (!pub->up || pub->dying || clock_mono_ms() >= pub->seen.stop_by_ms ||
            (pub->sending == NULL && window_messages(pub->window) == pub->status_in_flight));
}

static void take_turn(struct publisher *pub)
{
    int64_t now_ms = clock_mono_ms();

    publisher_take_answers(pub);
    publisher_take_drops(pub);
    window_set_watermark(pub->window, pub->seen.progress.watermark_seq);
    window_released(pub->window, pub->seen.progress.released_count);
    if (pub->seen.lost && pub->up && pub->seen.lost_epoch == pub->epoch) {
        publisher_link_lost(pub, pub->seen.lost_reason, pub->seen.lost_text);
    }
    if (!pub->seen.stop) {
        publisher_link_connect_if_due(pub, now_ms);
    }
    if (pub->up && !pub->seen.stop) {
        publisher_wake_rested(pub, clock_mono_ms());
    }
    publisher_status_send(pub);
    publisher_send_events(pub);
    publisher_link_watch(pub, clock_mono_ms());
    metrics_set(METRIC_IN_FLIGHT, (int64_t)lanes_sent_count(pub->lanes));
}

/* The broker does not send the will after a clean disconnect, so we publish "offline" ourselves. */
static void say_goodbye(struct publisher *pub)
{
    int64_t until_ms = clock_mono_ms() + OFFLINE_WAIT_MS;

    if (!pub->up || pub->dying ||
        !presence_is_on(&publisher_server(pub)->presence, PRESENCE_STATE)) {
        return;
    }
    pub->status_due = STATUS_OFFLINE;
    pub->solo = NULL;
    while (clock_mono_ms() < until_ms && !pub->seen.lost && !pub->dying &&
           (pub->status_due != 0 || pub->status_in_flight > 0)) {
        publisher_status_send(pub);
        pub->seen.stop_by_ms = until_ms;
        wait_for_signals(pub);
        publisher_take_answers(pub);
    }
}

static void *publisher_main(void *arg)
{
    struct publisher *pub = arg;
    uint64_t posted = window_settled(pub->window);

    while (!may_stop(pub)) {
        heartbeat_now(&pub->heartbeat);
        take_turn(pub);
        post_watermark(pub, &posted);
        if (!may_stop(pub)) {
            wait_for_signals(pub);
        }
    }
    publisher_take_answers(pub);
    say_goodbye(pub);
    post_watermark(pub, &posted);
    /* Without an acknowledged "offline", leave it to the will. */
    mqtt_disconnect(pub->mq, pub->status_due == 0 && pub->status_in_flight == 0);
    publisher_close_epoch(pub);
    metrics_set(METRIC_CONNECTED, 0);
    log_info("publisher stopped", L_INT("in_flight", lanes_sent_count(pub->lanes)));
    /* What was sent and not acknowledged must not keep back the watermark of the rest. */
    publisher_hold_all(pub);
    post_watermark(pub, &posted);
    return NULL;
}

/* --- life --- */

static void init_shared(struct publisher *pub, uint64_t settled_seq)
{
    CHECK(pthread_mutex_init(&pub->mu, NULL) == 0);
    thread_cond_init(&pub->changed);
    pub->answers.items = xalloc(MAX_ANSWERS * sizeof(struct answer));
    pub->posted_answers.items = xalloc(MAX_ANSWERS * sizeof(struct answer));
    pub->posted.progress =
        (struct outbox_progress){.durable_seq = settled_seq, .watermark_seq = settled_seq};
}

enum status publisher_create(const struct publisher_options *options, struct outbox *outbox,
                             struct publisher **out_publisher, struct err *err)
{
    struct publisher *pub = xalloc(sizeof(*pub));
    struct mqtt_listener listener = {
        .acked = on_acked, .lost = on_lost, .waiting = on_waiting, .ctx = pub};
    uint64_t settled_seq = outbox_delivered_seq(outbox);
    enum status st;

    CHECK(options->server_count > 0 && options->max_in_flight > 0 &&
          options->max_in_flight <= PUBLISHER_MAX_IN_FLIGHT);
    pub->options = *options;
    pub->outbox = outbox;
    pub->known = xalloc(options->server_count * sizeof(*pub->known));
    pub->started_ms = pub->down_since_ms = clock_mono_ms();
    pub->read_seq = settled_seq;
    init_shared(pub, settled_seq);
    pub->window = window_create(pub->options.max_in_flight, settled_seq);
    pub->lanes = lanes_create(pub->options.mqtt.version != 5);
    publisher_status_init(pub);
    buf_add_slice(&pub->password, options->password);
    st = mqtt_create(&pub->options.mqtt, &listener, &pub->mq, err);
    st = st == ST_OK ? publisher_feed_load(pub, err) : err_wrap(err, "MQTT");
    if (st != ST_OK) {
        publisher_destroy(pub);
        return st;
    }
    *out_publisher = pub;
    return ST_OK;
}

enum status publisher_start(struct publisher *pub, struct err *err)
{
    enum status st = thread_start(&pub->thread, "publisher", publisher_main, pub, err);

    pub->started = st == ST_OK;
    return st;
}

void publisher_stop(struct publisher *pub, int64_t drain_ms)
{
    int64_t stop_by_ms = clock_mono_ms() + drain_ms;

    if (!pub->started) {
        return;
    }
    publisher_lock(pub);
    pub->posted.stop = true;
    pub->posted.stop_by_ms = stop_by_ms;
    wake(pub);
    publisher_unlock(pub);
    mqtt_set_deadline(pub->mq, stop_by_ms + OFFLINE_WAIT_MS);
    CHECK(pthread_join(pub->thread, NULL) == 0);
    pub->started = false;
}

void publisher_destroy(struct publisher *pub)
{
    if (pub == NULL) {
        return;
    }
    CHECK(!pub->started);
    mqtt_destroy(pub->mq);
    publisher_status_fini(pub);
    publisher_feed_free(pub);
    lanes_destroy(pub->lanes);
    window_destroy(pub->window);
    buf_free(&pub->topic);
    buf_wipe(&pub->password);
    buf_free(&pub->drops);
    buf_free(&pub->posted_drops);
    free(pub->known);
    free(pub->answers.items);
    free(pub->posted_answers.items);
    CHECK(pthread_cond_destroy(&pub->changed) == 0);
    CHECK(pthread_mutex_destroy(&pub->mu) == 0);
    free(pub);
}
