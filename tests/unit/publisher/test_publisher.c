/*
 * The publisher's thread between an outbox in memory and a broker that does what a test tells
 * it. The functions of outbox.h are defined here and replace the real ones at link time. Tests
 * assert on what the broker received and on what the publisher reported to the outbox.
 *
 * How long the publisher waits after trouble is test_backoff's subject. Here getrandom is
 * replaced by one without randomness: jitter is then nothing, and the publisher connects again
 * at once.
 */
#include "bridge/publisher/publisher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <sys/random.h>

#include <cmocka.h>

#include "common/log.h"

#include "bridge/metrics.h"

#include "tests/unit/lib/fake_broker.h"

ssize_t getrandom(void *buffer, size_t len, unsigned flags)
{
    (void)flags;
    memset(buffer, 0, len);
    return (ssize_t)len;
}

/* --- the outbox --- */

enum { MAX_EVENTS = 2000 };

struct outbox {
    pthread_mutex_t mu;
    pthread_cond_t changed;
    struct publisher *pub;
    struct event events[MAX_EVENTS + 1]; /* by seq */
    char topics[MAX_EVENTS + 1][64], states[MAX_EVENTS + 1][64], bodies[MAX_EVENTS + 1][32];
    uint64_t count;
    uint64_t watermark, on_disk, released;
    bool disk_is_slow; /* the watermark does not reach it */
    bool held[MAX_EVENTS + 1], dropped[MAX_EVENTS + 1];
    int hold_reasons[MAX_EVENTS + 1];
    size_t held_count, most_held, expired_count, holds;
    bool dead_are_full;
    uint64_t buried[64];
    char reasons[64][128];
    size_t buried_count;
};

uint64_t outbox_delivered_seq(const struct outbox *ob)
{
    return ob->watermark;
}

enum status outbox_read(struct outbox *ob, uint64_t after_seq, size_t max_count,
                        size_t max_bytes, struct event **out_events, size_t *out_count,
                        struct err *err)
{
    size_t n = 0;

    (void)max_bytes;
    (void)err;
    CHECK(pthread_mutex_lock(&ob->mu) == 0);
    for (uint64_t seq = after_seq + 1; n < max_count && seq <= ob->count; seq++) {
        CHECK(!ob->held[seq] || seq <= after_seq);
        out_events[n++] = event_copy(&ob->events[seq]);
    }
    CHECK(pthread_mutex_unlock(&ob->mu) == 0);
    *out_count = n;
    return ST_OK;
}

void outbox_rewind(struct outbox *ob, uint64_t after_seq)
{
    (void)ob;
    (void)after_seq;
}

/* Under mu, so that progress never goes back, as the outbox promises. */
static void tell_progress(struct outbox *ob)
{
    struct outbox_progress progress = {ob->count, ob->on_disk, ob->released};

    publisher_progress(ob->pub, &progress);
    CHECK(pthread_cond_broadcast(&ob->changed) == 0);
}

void outbox_set_watermark(struct outbox *ob, uint64_t seq)
{
    CHECK(pthread_mutex_lock(&ob->mu) == 0);
    CHECK(seq > ob->watermark && seq <= ob->count);
    ob->watermark = seq;
    if (!ob->disk_is_slow) {
        ob->on_disk = seq;
    }
    tell_progress(ob);
    CHECK(pthread_mutex_unlock(&ob->mu) == 0);
}

/* Under mu. It is held no longer. */
static void unhold(struct outbox *ob, uint64_t seq)
{
    ob->held_count -= ob->held[seq];
    ob->held[seq] = false;
}

enum status outbox_bury(struct outbox *ob, uint64_t seq, uint64_t cost_bytes,
                        const char *reason)
{
    CHECK(cost_bytes > 256);
    if (ob->dead_are_full) {
        return ST_FULL;
    }
    CHECK(pthread_mutex_lock(&ob->mu) == 0);
    CHECK(ob->buried_count < COUNT_OF(ob->buried));
    (void)snprintf(ob->reasons[ob->buried_count], sizeof(ob->reasons[0]), "%s", reason);
    ob->buried[ob->buried_count++] = seq;
    unhold(ob, seq);
    tell_progress(ob);
    CHECK(pthread_mutex_unlock(&ob->mu) == 0);
    return ST_OK;
}

void outbox_hold(struct outbox *ob, const struct store_hold *hold, bool in_flight)
{
    (void)in_flight;
    CHECK(pthread_mutex_lock(&ob->mu) == 0);
    ob->held_count += !ob->held[hold->seq];
    ob->held[hold->seq] = true;
    ob->hold_reasons[hold->seq] = hold->reason;
    ob->holds++;
    CHECK(pthread_cond_broadcast(&ob->changed) == 0);
    ob->most_held = ob->held_count > ob->most_held ? ob->held_count : ob->most_held;
    CHECK(pthread_mutex_unlock(&ob->mu) == 0);
}

void outbox_release(struct outbox *ob, uint64_t seq)
{
    CHECK(pthread_mutex_lock(&ob->mu) == 0);
    CHECK(ob->held[seq]);
    unhold(ob, seq);
    ob->released++;
    tell_progress(ob);
    CHECK(pthread_mutex_unlock(&ob->mu) == 0);
}

void outbox_expire(struct outbox *ob, uint64_t seq)
{
    CHECK(pthread_mutex_lock(&ob->mu) == 0);
    unhold(ob, seq);
    ob->expired_count++;
    CHECK(pthread_mutex_unlock(&ob->mu) == 0);
}

enum status outbox_read_held(struct outbox *ob, uint64_t seq, struct event **out_event,
                             struct err *err)
{
    (void)err;
    CHECK(pthread_mutex_lock(&ob->mu) == 0);
    *out_event = ob->dropped[seq] ? NULL : event_copy(&ob->events[seq]);
    CHECK(pthread_mutex_unlock(&ob->mu) == 0);
    return ST_OK;
}

enum status outbox_walk_held(struct outbox *ob, store_held_fn *row, void *ctx, struct err *err)
{
    (void)err;
    for (uint64_t seq = 1; seq <= ob->count; seq++) {
        if (ob->held[seq]) {
            struct store_hold hold = {
                .seq = seq, .cost_bytes = 300, .reason = ob->hold_reasons[seq]};

            row(ctx, &ob->events[seq], &hold);
        }
    }
    return ST_OK;
}

void outbox_stats(const struct outbox *ob, struct store_stats *out_stats)
{
    (void)ob;
    *out_stats =
        (struct store_stats){.undelivered_count = 7, .oldest_undelivered_ms = CLOCK_NONE};
}

/* --- one bridge, one broker --- */

struct rig {
    struct fake_broker broker;
    struct outbox ob;
    struct publisher_options options;
    const char *servers[1];
    struct publisher *pub;
    /* for decide(): */
    const char *victim; /* a topic */
    int answer;         /* to it */
    unsigned times;     /* how often still; other messages are acknowledged */
};

/* Gives `answer` to the victim, `times` times. */
static int decide_victim(void *ctx, const struct fake_message *message)
{
    struct rig *rig = ctx;

    if (rig->times == 0 || strcmp(message->topic, rig->victim) != 0) {
        return 0;
    }
    rig->times--;
    return rig->answer;
}

static struct rig *rig_new(int version)
{
    struct rig *rig = xalloc(sizeof(*rig));

    log_set_level(LOG_FATAL);
    rig->broker.version = version;
    rig->broker.decide = decide_victim;
    rig->broker.ctx = rig;
    rig->options = (struct publisher_options){
        .servers = rig->servers,
        .server_count = 1,
        .mqtt = {.version = version,
                 .client_id = "b1",
                 .keep_alive_s = 30,
                 .connect_timeout_s = 5},
        .max_in_flight = 16,
        .bridge_topic = "hook2mqtt",
        .info = SLICE("{\"version\":\"test\"}"),
    };
    CHECK(pthread_mutex_init(&rig->ob.mu, NULL) == 0);
    CHECK(pthread_cond_init(&rig->ob.changed, NULL) == 0);
    return rig;
}

static void rig_start(struct rig *rig)
{
    struct err err = {.status = ST_OK};

    fake_broker_start(&rig->broker);
    rig->servers[0] = rig->broker.server;
    assert_int_equal(publisher_create(&rig->options, &rig->ob, &rig->pub, &err), ST_OK);
    rig->ob.pub = rig->pub;
    assert_int_equal(publisher_start(rig->pub, &err), ST_OK);
}

static void rig_end(struct rig *rig)
{
    publisher_stop(rig->pub, 2000);
    publisher_destroy(rig->pub);
    fake_broker_stop(&rig->broker);
    CHECK(pthread_cond_destroy(&rig->ob.changed) == 0);
    CHECK(pthread_mutex_destroy(&rig->ob.mu) == 0);
    free(rig);
}

/* Adds an event of a resource of its own that goes to topic t/<seq>; to be changed until commit. */
static struct event *add(struct rig *rig)
{
    struct outbox *ob = &rig->ob;
    uint64_t seq = ob->count + 1;
    struct event *event = &ob->events[seq];
    uint8_t random[10] = {(uint8_t)seq};

    CHECK(seq <= MAX_EVENTS);
    (void)snprintf(ob->topics[seq], sizeof(ob->topics[seq]), "t/%d", (int)seq);
    (void)snprintf(ob->states[seq], sizeof(ob->states[seq]), "s/%d", (int)seq);
    (void)snprintf(ob->bodies[seq], sizeof(ob->bodies[seq]), "{\"n\":%d}", (int)seq);
    *event = (struct event){
        .seq = seq,
        .id = uuid_make_v7(1700000000000, random),
        .received_ms = clock_unix_ms(),
        .source = SLICE("partners"),
        .event = SLICE("resource.updated"),
        .gid = slice_of(ob->topics[seq]),
        .topic = slice_of(ob->topics[seq]),
        .body = slice_of(ob->bodies[seq]),
        .qos = 1,
    };
    ob->count++;
    return event;
}

static void commit(struct rig *rig)
{
    CHECK(pthread_mutex_lock(&rig->ob.mu) == 0);
    tell_progress(&rig->ob);
    CHECK(pthread_mutex_unlock(&rig->ob.mu) == 0);
}

static void add_many(struct rig *rig, int n)
{
    CHECK(pthread_mutex_lock(&rig->ob.mu) == 0);
    for (int i = 0; i < n; i++) {
        (void)add(rig);
    }
    CHECK(pthread_mutex_unlock(&rig->ob.mu) == 0);
    commit(rig);
}

/* Until everything up to seq is settled, and nothing is held. */
static void wait_watermark(struct rig *rig, uint64_t seq, int64_t timeout_ms)
{
    int64_t until_ms = clock_unix_ms() + timeout_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    uint64_t watermark;
    int rc = 0;

    CHECK(pthread_mutex_lock(&rig->ob.mu) == 0);
    while ((rig->ob.watermark < seq || rig->ob.held_count > 0) && rc == 0) {
        rc = pthread_cond_timedwait(&rig->ob.changed, &rig->ob.mu, &until);
    }
    watermark = rig->ob.watermark;
    CHECK(pthread_mutex_unlock(&rig->ob.mu) == 0);
    assert_int_equal(watermark, seq);
    assert_int_equal(rig->ob.held_count, 0);
}

static bool has_messages(const struct fake_broker *broker, size_t want)
{
    return broker->count >= want;
}

static bool has_connections(const struct fake_broker *broker, size_t want)
{
    return broker->connections >= want;
}

static bool is_stalled(const struct fake_broker *broker, size_t want)
{
    (void)want;
    return broker->stalled;
}

/* How often the broker received this topic. */
static unsigned seen(struct rig *rig, const char *topic)
{
    unsigned n = 0;

    CHECK(pthread_mutex_lock(&rig->broker.mu) == 0);
    for (size_t i = 0; i < rig->broker.count; i++) {
        n += strcmp(rig->broker.messages[i].topic, topic) == 0;
    }
    CHECK(pthread_mutex_unlock(&rig->broker.mu) == 0);
    return n;
}

/* For has_seen. */
static const char *wanted_topic;

static bool has_seen(const struct fake_broker *broker, size_t want)
{
    for (size_t i = 0; i < broker->count; i++) {
        want -= strcmp(broker->messages[i].topic, wanted_topic) == 0;
    }
    return want == 0;
}

static void wait_until_seen(struct rig *rig, const char *topic, int64_t timeout_ms)
{
    wanted_topic = topic;
    assert_true(fake_wait(&rig->broker, has_seen, 1, timeout_ms));
}

static bool is_event(const struct fake_message *message)
{
    return strncmp(message->topic, "t/", 2) == 0;
}

/* Without trouble, events of different resources also arrive in the order of the outbox, each
 * once. */
static void assert_order(const struct rig *rig, int last)
{
    int before = 0;

    for (size_t i = 0; i < rig->broker.count; i++) {
        const struct fake_message *message = &rig->broker.messages[i];

        if (is_event(message)) {
            assert_int_equal(atoi(message->topic + 2), ++before);
        }
    }
    assert_int_equal(before, last);
}

/* Every event but the missing one was taken, or is among those that the broker saw at least. */
static void assert_all_seen(struct rig *rig, int last, int missing)
{
    char topic[32];

    for (int seq = 1; seq <= last; seq++) {
        (void)snprintf(topic, sizeof(topic), "t/%d", seq);
        assert_true(seen(rig, topic) > 0 || seq == missing);
    }
}

static bool has_property(const struct fake_message *message, const char *name,
                         const char *value)
{
    char want[128];
    size_t name_len = strlen(name);
    size_t value_len = strlen(value);

    want[0] = 0x26;
    want[1] = 0;
    want[2] = (char)name_len;
    memcpy(want + 3, name, name_len);
    want[3 + name_len] = 0;
    want[4 + name_len] = (char)value_len;
    memcpy(want + 5 + name_len, value, value_len);
    return memmem(message->properties, message->properties_len, want,
                  5 + name_len + value_len) != NULL;
}

/* --- without trouble --- */

static void birth_comes_before_events_and_offline_before_the_end(void **state)
{
    struct rig *rig = rig_new(5);
    const struct fake_message *m;

    (void)state;
    rig_start(rig);
    add_many(rig, 3);
    wait_watermark(rig, 3, 5000);
    publisher_stop(rig->pub, 2000);
    m = rig->broker.messages;
    assert_int_equal(rig->broker.count, 7);
    assert_string_equal(m[0].topic, "hook2mqtt/b1/state");
    assert_string_equal(m[0].payload, "{\"state\":\"online\"}");
    assert_string_equal(m[1].topic, "hook2mqtt/b1/info");
    assert_string_equal(m[1].payload, "{\"version\":\"test\"}");
    assert_string_equal(m[2].topic, "hook2mqtt/b1/health");
    assert_non_null(strstr(m[2].payload, "\"backlog\":7"));
    for (int i = 0; i < 3; i++) {
        assert_true(m[i].retain);
        assert_int_equal(m[i].qos, 1);
    }
    assert_string_equal(m[6].topic, "hook2mqtt/b1/state");
    assert_string_equal(m[6].payload, "{\"state\":\"offline\"}");
    assert_order(rig, 3);
    rig_end(rig);
}

static void new_info_is_published_at_once(void **state)
{
    struct rig *rig = rig_new(5);
    const struct fake_message *m;
    char info[] = "{\"version\":\"other\"}";

    (void)state;
    rig_start(rig);
    assert_true(fake_wait(&rig->broker, has_messages, 3, 5000));
    publisher_set_info(rig->pub, slice_of(info));
    memset(info, 'x', sizeof(info) - 1); /* it was copied */
    assert_true(fake_wait(&rig->broker, has_messages, 4, 5000));
    publisher_stop(rig->pub, 2000);
    m = rig->broker.messages;
    assert_string_equal(m[1].payload, "{\"version\":\"test\"}");
    assert_string_equal(m[3].topic, "hook2mqtt/b1/info");
    assert_string_equal(m[3].payload, "{\"version\":\"other\"}");
    assert_true(m[3].retain);
    assert_int_equal(m[3].qos, 1);
    assert_int_equal(rig->broker.count, 5); /* and "offline" */
    rig_end(rig);
}

static void a_message_carries_the_exact_body_and_its_metadata(void **state)
{
    struct rig *rig = rig_new(5);
    struct event *event;
    const struct fake_message *m;
    char id[UUID_TEXT_SIZE];

    (void)state;
    rig_start(rig);
    event = add(rig);
    event->received_ms = 1700000000042;
    event->delivery_id = SLICE("d-1");
    event->expiry_s = 3600;
    event->replayed = true; /* it has all of its time */
    event->event = SLICE("resource\0updated");
    event->retain = true;
    uuid_format(event->id, id);
    commit(rig);
    wait_watermark(rig, 1, 5000);
    m = &rig->broker.messages[3];
    assert_string_equal(m->topic, "t/1");
    assert_string_equal(m->payload, "{\"n\":1}");
    assert_true(m->retain);
    assert_true(has_property(m, "id", id));
    assert_true(has_property(m, "source", "partners"));
    assert_true(has_property(m, "received_at", "2023-11-14T22:13:20.042Z"));
    assert_true(has_property(m, "delivery_id", "d-1"));
    assert_memory_equal(m->properties,
                        "\x02\x00\x00\x0e\x10\x03\x00\x10"
                        "application/json",
                        24);
    assert_null(memmem(m->properties, m->properties_len, "\0updated",
                       8)); /* MQTT allows no NUL in text */
    rig_end(rig);
}

static void a_state_topic_follows_its_event_retained_and_a_deletion_clears_it(void **state)
{
    struct rig *rig = rig_new(4);
    const struct fake_message *m;

    (void)state;
    rig_start(rig);
    add(rig)->state_topic = SLICE("s/1");
    add(rig)->state_topic = SLICE("s/1");
    rig->ob.events[2].deletion = true;
    commit(rig);
    wait_watermark(rig, 2, 5000);
    m = &rig->broker.messages[3];
    assert_string_equal(m[0].topic, "t/1");
    assert_false(m[0].retain);
    assert_string_equal(m[1].topic, "s/1");
    assert_true(m[1].retain);
    assert_int_equal(m[1].qos, 1);
    assert_string_equal(m[1].payload, "{\"n\":1}");
    assert_string_equal(m[2].topic, "t/2");
    assert_string_equal(m[2].payload, "{\"n\":2}");
    assert_string_equal(m[3].topic, "s/1");
    assert_true(m[3].retain);
    assert_int_equal(m[3].payload_len, 0);
    rig_end(rig);
}

static void qos_0_counts_as_delivered_when_it_is_sent(void **state)
{
    struct rig *rig = rig_new(5);

    (void)state;
    rig->victim = "t/1";
    rig->answer = FAKE_NO_ANSWER;
    rig->times = 1;
    rig_start(rig);
    add(rig)->qos = 0;
    add(rig)->qos = 2;
    rig->ob.events[2].qos = 1;
    commit(rig);
    wait_watermark(rig, 2, 5000);
    assert_int_equal(rig->broker.messages[3].qos, 0);
    rig_end(rig);
}

static void a_receive_maximum_of_one_is_respected_with_two_messages_per_event(void **state)
{
    static const uint8_t connack[] = {0x20, 6, 0, 0, 3, 0x21, 0, 1};
    struct rig *rig = rig_new(5);

    (void)state;
    rig->broker.connack = connack;
    rig->broker.connack_len = sizeof(connack);
    rig_start(rig);
    for (int i = 0; i < 20; i++) {
        struct event *event = add(rig);

        event->state_topic = slice_of(rig->ob.states[event->seq]);
    }
    commit(rig);
    wait_watermark(rig, 20, 5000);
    assert_int_equal(rig->broker.count, 3 + 40);
    assert_order(rig, 20);
    rig_end(rig);
}

static void a_lower_qos_and_missing_retain_of_the_broker_are_respected(void **state)
{
    static const uint8_t connack[] = {0x20, 7, 0, 0, 4, 0x24, 1, 0x25, 0};
    struct rig *rig = rig_new(5);
    struct event *event;

    (void)state;
    rig->broker.connack = connack;
    rig->broker.connack_len = sizeof(connack);
    rig_start(rig);
    event = add(rig);
    event->retain = true;
    event->qos = 2;
    commit(rig);
    wait_watermark(rig, 1, 5000);
    assert_true(fake_wait(&rig->broker, has_messages, 4, 5000));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(rig->broker.messages[i].qos, 1);
        assert_false(rig->broker.messages[i].retain);
    }
    rig_end(rig);
}

static void no_more_than_max_in_flight_is_sent_beyond_the_watermark_on_disk(void **state)
{
    struct rig *rig = rig_new(5);

    (void)state;
    rig->ob.disk_is_slow = true;
    rig_start(rig);
    add_many(rig, 100);
    wait_watermark(rig, 16, 5000);
    assert_int_equal(rig->broker.count, 3 + 16);
    CHECK(pthread_mutex_lock(&rig->ob.mu) == 0);
    rig->ob.on_disk = 10; /* the watermark has been written up to here */
    CHECK(pthread_mutex_unlock(&rig->ob.mu) == 0);
    commit(rig);
    wait_watermark(rig, 26, 5000);
    assert_int_equal(rig->broker.count, 3 + 26);
    rig_end(rig);
}

/* --- trouble --- */

static void after_a_loss_what_was_in_flight_is_sent_again_in_order_one_then_more(void **state)
{
    struct rig *rig = rig_new(5);
    const struct fake_message *m;
    int before = 0;

    (void)state;
    rig->victim = "t/5";
    rig->answer = FAKE_CLOSE;
    rig->times = 1;
    rig_start(rig);
    add_many(rig, 200);
    wait_watermark(rig, 200, 10000);
    assert_all_seen(rig, 200, 0);
    assert_int_equal(rig->broker.connections, 2);
    assert_int_equal(rig->ob.buried_count, 0);
    m = rig->broker.messages;
    for (size_t i = 0; i < rig->broker.count; i++) {
        if (m[i].connection == 2 && is_event(&m[i])) {
            assert_true(atoi(m[i].topic + 2) > before);
            before = atoi(m[i].topic + 2);
        }
    }
    rig_end(rig);
}

static void a_message_that_takes_the_connection_with_it_five_times_is_buried(void **state)
{
    struct rig *rig = rig_new(4);

    (void)state;
    rig->victim = "t/7";
    rig->answer = FAKE_CLOSE;
    rig->times = 1000;
    rig_start(rig);
    add_many(rig, 20);
    wait_watermark(rig, 20, 20000);
    assert_int_equal(rig->ob.buried_count, 1);
    assert_int_equal(rig->ob.buried[0], 7);
    assert_string_equal(rig->ob.reasons[0], "lost the connection 5 times");
    assert_in_range(seen(rig, "t/7"), 5, 7);
    assert_all_seen(rig, 20, 0);
    rig_end(rig);
}

static void a_broker_that_is_away_is_never_held_against_a_message(void **state)
{
    struct rig *rig = rig_new(5);

    (void)state;
    rig->victim = "t/1";
    rig->answer = FAKE_DISCONNECT | 0x8B; /* shutting down */
    rig->times = 6;
    rig_start(rig);
    add_many(rig, 3);
    wait_watermark(rig, 3, 20000);
    assert_int_equal(rig->ob.buried_count, 0);
    assert_int_equal(rig->broker.connections, 7);
    rig_end(rig);
}

static void refused_for_good(int reason, const char *text)
{
    struct rig *rig = rig_new(5);

    rig->victim = "t/3";
    rig->answer = reason;
    rig->times = 1;
    rig_start(rig);
    add_many(rig, 30);
    wait_watermark(rig, 30, 5000);
    assert_int_equal(rig->ob.buried_count, 1);
    assert_int_equal(rig->ob.buried[0], 3);
    assert_string_equal(rig->ob.reasons[0], text);
    assert_int_equal(rig->broker.connections, 1);
    assert_int_equal(rig->broker.count, 3 + 30);
    rig_end(rig);
}

static void a_refusal_for_good_buries_one_event_and_the_others_go_on(void **state)
{
    (void)state;
    refused_for_good(0x90, "0x90 topic name invalid");
    refused_for_good(0x95, "0x95 packet too large");
    refused_for_good(0x99, "0x99 payload format invalid");
}

static void a_packet_over_the_brokers_maximum_is_buried_without_being_sent(void **state)
{
    static const uint8_t connack[] = {0x20, 8, 0, 0, 5, 0x27, 0, 0, 1, 0x2c}; /* 300 bytes */
    struct rig *rig = rig_new(5);
    static char large[300];

    (void)state;
    memset(large, 'x', sizeof(large));
    rig->broker.connack = connack;
    rig->broker.connack_len = sizeof(connack);
    rig_start(rig);
    (void)add(rig);
    add(rig)->body = (struct slice){large, sizeof(large)};
    (void)add(rig);
    commit(rig);
    wait_watermark(rig, 3, 5000);
    assert_int_equal(seen(rig, "t/1") + seen(rig, "t/3"), 2);
    assert_int_equal(seen(rig, "t/2"), 0);
    assert_int_equal(rig->ob.buried[0], 2);
    assert_string_equal(rig->ob.reasons[0],
                        "0x95 packet too large: 459 bytes, the broker allows 300");
    rig_end(rig);
}

static void refused_for_now(int reason)
{
    struct rig *rig = rig_new(5);
    int64_t began = clock_mono_ms();

    rig->victim = "t/3";
    rig->answer = reason;
    rig->times = 1;
    rig_start(rig);
    add_many(rig, 30);
    wait_watermark(rig, 30, 15000);
    assert_true(clock_mono_ms() - began >= 1000); /* it waited */
    assert_int_equal(rig->ob.buried_count, 0);
    assert_int_equal(rig->broker.connections, 1);
    assert_int_equal(seen(rig, "t/3"), 2);
    assert_int_equal(rig->broker.count, 3 + 31); /* the others passed it, and came once */
    rig_end(rig);
}

static void a_refusal_for_now_is_tried_again_while_the_others_pass(void **state)
{
    static const int reasons[] = {0x87, 0x97, 0xC7};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        refused_for_now(reasons[i]);
    }
}

/* All of one resource, to be changed until commit. */
static void add_of(struct rig *rig, const char *gid, int n)
{
    for (int i = 0; i < n; i++) {
        add(rig)->gid = slice_of(gid);
    }
}

/* The seqs of these messages that the broker took, in the order in which it did. */
static size_t taken(const struct rig *rig, const char *prefix, int *out_seqs, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < rig->broker.count && count < max; i++) {
        const struct fake_message *m = &rig->broker.messages[i];

        if (strncmp(m->topic, prefix, strlen(prefix)) == 0 && m->answer == 0) {
            out_seqs[count++] = atoi(m->payload + 5);
        }
    }
    return count;
}

static void assert_rising(const int *seqs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        assert_true(seqs[i] > seqs[i - 1]);
    }
}

static void a_resource_is_in_order_although_one_of_it_is_refused_and_taken_later(void **state)
{
    struct rig *rig = rig_new(5);
    int seqs[40];

    (void)state;
    rig->victim = "t/2";
    rig->answer = 0x87;
    rig->times = 2;
    rig_start(rig);
    add_of(rig, "g1", 10);
    add_of(rig, "g2", 10);
    commit(rig);
    wait_watermark(rig, 20, 15000);
    assert_int_equal(taken(rig, "t/", seqs, COUNT_OF(seqs)), 20);
    assert_int_equal(seqs[0], 1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(seqs[1 + i], 11 + i); /* the other one did not wait */
    }
    for (int i = 0; i < 9; i++) {
        assert_int_equal(seqs[11 + i], 2 + i);
    }
    assert_int_equal(rig->ob.most_held, 9);
    rig_end(rig);
}

/* Two resources share the state topic: what is retained last must be the newest. */
static void a_shared_state_topic_is_in_order_too(void **state)
{
    struct rig *rig = rig_new(5);
    int seqs[8];

    (void)state;
    rig->victim = "t/1";
    rig->answer = 0x97;
    rig->times = 1;
    rig_start(rig);
    add(rig)->state_topic = SLICE("s/all");
    add(rig)->state_topic = SLICE("s/all");
    (void)add(rig);
    commit(rig);
    wait_watermark(rig, 3, 15000);
    assert_int_equal(taken(rig, "s/", seqs, COUNT_OF(seqs)),
                     3); /* once more beside the refused */
    assert_int_equal(seqs[0], 1);
    assert_int_equal(seqs[1], 1);
    assert_int_equal(seqs[2], 2);
    rig_end(rig);
}

static void one_of_a_resource_is_in_flight_at_a_time_unless_no_broker_can_refuse(void **state)
{
    (void)state;
    for (int version = 4; version <= 5; version++) {
        struct rig *rig = rig_new(version);

        rig->victim = "t/1";
        rig->answer = FAKE_NO_ANSWER;
        rig->times = 1;
        rig_start(rig);
        add_of(rig, "g1", 5);
        commit(rig);
        if (version == 4) {
            assert_true(fake_wait(&rig->broker, has_messages, 3 + 5, 5000));
        } else {
            (void)add(rig); /* another resource */
            commit(rig);
            assert_true(fake_wait(&rig->broker, has_messages, 3 + 2, 5000));
            assert_int_equal(seen(rig, "t/2"), 0);
            assert_int_equal(seen(rig, "t/6"), 1);
        }
        fake_broker_cut(&rig->broker);
        wait_watermark(rig, rig->ob.count, 10000);
        rig_end(rig);
    }
}

/* The window would hold nothing but events that wait for the first. */
static void a_busy_resource_does_not_set_the_pace_for_the_others(void **state)
{
    struct rig *rig = rig_new(5);
    int seqs[256];
    size_t count;

    (void)state;
    rig->victim = "t/1";
    rig->answer = FAKE_NO_ANSWER;
    rig->times = 1;
    rig_start(rig);
    add_of(rig, "busy", 100);
    for (int i = 0; i < 20; i++) {
        (void)add(rig);
    }
    commit(rig);
    assert_true(fake_wait(&rig->broker, has_messages, 3 + 1 + 20, 5000));
    fake_broker_cut(&rig->broker);
    wait_watermark(rig, 120, 10000);
    count = taken(rig, "t/", seqs, COUNT_OF(seqs));
    assert_int_equal(seqs[0], 101);
    assert_rising(seqs, 20);
    for (size_t i = 0, next = 1; i < count; i++) { /* the busy ones, each once */
        if (seqs[i] <= 100) {
            assert_int_equal(seqs[i], next);
            next++;
        }
    }
    rig_end(rig);
}

static void others_pass_a_suspect_while_it_rests(void **state)
{
    struct rig *rig = rig_new(5);
    int seqs[256];
    size_t count;

    (void)state;
    rig->victim = "t/3";
    rig->answer = FAKE_CLOSE;
    rig->times = 3;
    rig_start(rig);
    add_of(rig, "poison", 5);
    for (int i = 0; i < 40; i++) {
        (void)add(rig);
    }
    commit(rig);
    /* Once in company, once alone: then it rests, and the others go. */
    assert_true(fake_wait(&rig->broker, has_connections, 3, 5000));
    wait_until_seen(rig, "t/45", 1000);
    add_many(rig, 1);
    wait_watermark(rig, 46, 10000);
    assert_int_equal(rig->ob.buried_count, 0);
    count = taken(rig, "t/", seqs, COUNT_OF(seqs));
    assert_true(count >= 46);
    for (size_t i = 0, last = 0; i < count; i++) { /* of the one resource */
        if (seqs[i] <= 5) {
            assert_true((size_t)seqs[i] >= last);
            last = (size_t)seqs[i];
        }
    }
    rig_end(rig);
}

/* Hangs up on t/1 twice, and lets another event come while it is taken; does not answer t/4. */
static int take_the_third_time(void *ctx, const struct fake_message *message)
{
    struct rig *rig = ctx;

    if (strcmp(message->topic, "t/4") == 0) {
        return FAKE_NO_ANSWER;
    }
    if (strcmp(message->topic, "t/1") != 0) {
        return 0;
    }
    if (rig->times > 0) {
        rig->times--;
        return FAKE_CLOSE;
    }
    add_many(rig, 1);
    return 0;
}

/* The second event is suspected, too, but waits behind the first until nobody is careful any more. */
static void who_waited_behind_a_suspect_is_no_suspect_later(void **state)
{
    struct rig *rig = rig_new(4); /* pipelined */

    (void)state;
    rig->broker.decide = take_the_third_time;
    rig->times = 2;
    rig_start(rig);
    add_of(rig, "g", 2);
    commit(rig);
    assert_true(fake_wait(&rig->broker, has_connections, 3, 5000));
    add_many(rig, 1); /* another event passes */
    wait_until_seen(rig, "t/4", 10000);
    add_many(rig, 1);
    wait_until_seen(rig, "t/5", 1000); /* although t/4 is not answered */
    rig_end(rig);
}

static int hang_up_at_first(void *ctx, const struct fake_message *message)
{
    struct rig *rig = ctx;

    if (is_event(message) && rig->times > 0) {
        rig->times--;
        return FAKE_CLOSE;
    }
    return 0;
}

/* Nothing passes, so there is no proof against any of them. */
static void a_broker_that_hangs_up_on_every_event_blames_none(void **state)
{
    struct rig *rig = rig_new(5);
    int seqs[64];

    (void)state;
    rig->broker.decide = hang_up_at_first;
    rig->times = 12; /* of 2 resources: more than five each */
    rig_start(rig);
    add_of(rig, "g1", 3);
    add_of(rig, "g2", 3);
    commit(rig);
    wait_watermark(rig, 6, 60000);
    assert_int_equal(rig->ob.buried_count, 0);
    assert_int_equal(rig->times, 0);
    for (int g = 0; g < 2; g++) {
        size_t count = taken(rig, "t/", seqs, COUNT_OF(seqs));
        int last = 0;

        for (size_t i = 0; i < count; i++) {
            if ((seqs[i] - 1) / 3 == g) {
                assert_true(seqs[i] > last);
                last = seqs[i];
            }
        }
        assert_int_equal(last, 3 * g + 3);
    }
    rig_end(rig);
}

static void an_expired_event_is_dropped_and_its_state_is_not(void **state)
{
    struct rig *rig = rig_new(5);
    const struct fake_message *m;
    int64_t before = metrics_get(METRIC_EXPIRED);
    struct event *event;

    (void)state;
    rig_start(rig);
    event = add(rig);
    event->received_ms -= 3000;
    event->expiry_s = 3;
    event = add(rig);
    event->received_ms -= 3000;
    event->expiry_s = 3;
    event->state_topic = SLICE("s/2");
    event = add(rig);
    event->received_ms -= 12000;
    event->expiry_s = 30;
    commit(rig);
    wait_watermark(rig, 3, 5000);
    m = &rig->broker.messages[3];
    assert_int_equal(rig->broker.count, 5);
    assert_string_equal(m[0].topic, "s/2");
    assert_string_equal(m[1].topic, "t/3");
    assert_memory_equal(m[1].properties, "\x02\0\0\0\x12", 5); /* 18 s are left */
    assert_int_equal(rig->ob.expired_count, 1);
    assert_int_equal(metrics_get(METRIC_EXPIRED), before + 2);
    rig_end(rig);
}

static void the_next_one_follows_a_held_event_that_is_dropped_by_hand(void **state)
{
    struct rig *rig = rig_new(5);

    (void)state;
    rig->victim = "t/1";
    rig->answer = 0x83;
    rig->times = 1000;
    rig_start(rig);
    add_of(rig, "g1", 3);
    commit(rig);
    CHECK(pthread_mutex_lock(&rig->ob.mu) == 0);
    while (rig->ob.holds < 3 + 1) { /* all three, and the first once more */
        CHECK(pthread_cond_wait(&rig->ob.changed, &rig->ob.mu) == 0);
    }
    rig->ob.dropped[1] = true;
    unhold(&rig->ob, 1);
    CHECK(pthread_mutex_unlock(&rig->ob.mu) == 0);
    publisher_dropped(rig->pub, 1);
    wait_watermark(rig, 3, 1000);
    assert_int_equal(seen(rig, "t/2") + seen(rig, "t/3"), 2);
    rig_end(rig);
}

static void what_the_last_run_held_comes_before_the_rest_of_its_resource(void **state)
{
    struct rig *rig = rig_new(5);
    int seqs[16];

    (void)state;
    add_of(rig, "g1", 8);
    rig->ob.watermark = rig->ob.on_disk = 5;
    rig->ob.held[2] = rig->ob.held[3] = true;
    rig->ob.held_count = 2;
    rig_start(rig);
    commit(rig);
    wait_watermark(rig, 8, 5000);
    assert_int_equal(taken(rig, "t/", seqs, COUNT_OF(seqs)), 5);
    assert_int_equal(seqs[0], 2);
    assert_int_equal(seqs[1], 3);
    assert_int_equal(seqs[2], 6);
    rig_end(rig);
}

static void without_room_for_dead_letters_a_refused_event_waits(void **state)
{
    struct rig *rig = rig_new(5);

    (void)state;
    rig->ob.dead_are_full = true;
    rig->victim = "t/1";
    rig->answer = 0x90;
    rig->times = 1000;
    rig_start(rig);
    add_of(rig, "g1", 2);
    (void)add(rig);
    commit(rig);
    assert_true(fake_wait(&rig->broker, has_messages, 3 + 2, 5000));
    publisher_stop(rig->pub, 2000);
    assert_int_equal(rig->ob.watermark, 3);
    assert_true(rig->ob.held[1] && rig->ob.held[2]);
    assert_int_equal(rig->ob.hold_reasons[1], 0x90);
    assert_int_equal(rig->ob.buried_count, 0);
    rig_end(rig);
}

static void what_a_stop_leaves_unacknowledged_is_held_so_that_the_rest_counts(void **state)
{
    struct rig *rig = rig_new(5);

    (void)state;
    rig->victim = "t/1";
    rig->answer = FAKE_NO_ANSWER;
    rig->times = 1;
    rig_start(rig);
    add_many(rig, 3);
    assert_true(fake_wait(&rig->broker, has_messages, 3 + 3, 5000));
    publisher_stop(rig->pub, 200);
    assert_int_equal(rig->ob.watermark, 3);
    assert_int_equal(rig->ob.held_count, 1);
    assert_true(rig->ob.held[1]);
    rig_end(rig);
}

static void refused_status_messages_do_not_hold_up_events(void **state)
{
    struct rig *rig = rig_new(5);

    (void)state;
    rig->victim = "hook2mqtt/b1/info";
    rig->answer = 0x87;
    rig->times = 1;
    rig_start(rig);
    add_many(rig, 5);
    wait_watermark(rig, 5, 5000);
    assert_int_equal(rig->ob.buried_count, 0);
    assert_int_equal(rig->broker.connections, 1);
    rig_end(rig);
}

static void
status_messages_that_end_the_connection_are_given_up_and_no_event_is_blamed(void **state)
{
    struct rig *rig = rig_new(5);

    (void)state;
    rig->victim = "hook2mqtt/b1/state";
    rig->answer = FAKE_CLOSE;
    rig->times = 1000;
    rig_start(rig);
    add_many(rig, 5);
    wait_watermark(rig, 5, 30000);
    assert_int_equal(rig->ob.buried_count, 0);
    rig_end(rig);
}

static void without_an_answer_for_twice_the_keep_alive_it_connects_anew(void **state)
{
    struct rig *rig = rig_new(5);
    int64_t began;

    (void)state;
    rig->options.mqtt.keep_alive_s = 1;
    rig->victim = "t/1";
    rig->answer = FAKE_NO_ANSWER;
    rig->times = 1;
    rig_start(rig);
    began = clock_mono_ms();
    add_many(rig, 3);
    wait_watermark(rig, 3, 10000);
    assert_in_range(clock_mono_ms() - began, 1900, 6000);
    assert_int_equal(rig->broker.connections, 2);
    rig_end(rig);
}

static void a_broker_that_stops_reading_does_not_keep_us_from_stopping(void **state)
{
    struct rig *rig = rig_new(5);
    static char large[1024 * 1024];
    int64_t began;

    (void)state;
    memset(large, 'x', sizeof(large));
    rig->broker.receive_buffer = 4096;
    rig->victim = "t/1";
    rig->answer = FAKE_STOP_READING;
    rig->times = 1;
    rig_start(rig);
    for (int i = 0; i < 16; i++) {
        add(rig)->body = (struct slice){large, sizeof(large)};
    }
    rig->ob.events[1].body = SLICE("small");
    commit(rig);
    assert_true(fake_wait(&rig->broker, is_stalled, 0, 5000));
    began = clock_mono_ms();
    publisher_stop(rig->pub, 500);
    assert_in_range(clock_mono_ms() - began, 0, 5000);
    assert_int_equal(rig->ob.watermark, rig->ob.held_count); /* all that it covers is held */
    rig_end(rig);
}

static void a_stop_waits_for_events_in_flight_but_not_for_the_backlog(void **state)
{
    struct rig *rig = rig_new(5);

    (void)state;
    rig->ob.disk_is_slow = true;
    rig_start(rig);
    add_many(rig, 500);
    assert_true(fake_wait(&rig->broker, has_messages, 3 + 16, 5000));
    publisher_stop(rig->pub, 2000);
    assert_int_equal(rig->ob.watermark, 16); /* every event that was sent is acknowledged */
    assert_int_equal(rig->broker.count, 3 + 16 + 1);
    rig_end(rig);
}

static void a_refused_connect_is_tried_again(void **state)
{
    static const uint8_t bad_password[] = {0x20, 3, 0, 0x86, 0};
    struct rig *rig = rig_new(5);

    (void)state;
    rig->broker.connack = bad_password;
    rig->broker.connack_len = sizeof(bad_password);
    rig_start(rig);
    add_many(rig, 2);
    assert_true(fake_wait(&rig->broker, has_connections, 3, 10000));
    assert_int_equal(metrics_get(METRIC_CONNECTED), 0);
    assert_true(heartbeat_age_ms(publisher_heartbeat(rig->pub)) < 5000);
    rig_end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(birth_comes_before_events_and_offline_before_the_end),
        cmocka_unit_test(new_info_is_published_at_once),
        cmocka_unit_test(a_message_carries_the_exact_body_and_its_metadata),
        cmocka_unit_test(a_state_topic_follows_its_event_retained_and_a_deletion_clears_it),
        cmocka_unit_test(qos_0_counts_as_delivered_when_it_is_sent),
        cmocka_unit_test(a_receive_maximum_of_one_is_respected_with_two_messages_per_event),
        cmocka_unit_test(a_lower_qos_and_missing_retain_of_the_broker_are_respected),
        cmocka_unit_test(no_more_than_max_in_flight_is_sent_beyond_the_watermark_on_disk),
        cmocka_unit_test(after_a_loss_what_was_in_flight_is_sent_again_in_order_one_then_more),
        cmocka_unit_test(a_message_that_takes_the_connection_with_it_five_times_is_buried),
        cmocka_unit_test(a_broker_that_is_away_is_never_held_against_a_message),
        cmocka_unit_test(a_refusal_for_good_buries_one_event_and_the_others_go_on),
        cmocka_unit_test(a_packet_over_the_brokers_maximum_is_buried_without_being_sent),
        cmocka_unit_test(a_refusal_for_now_is_tried_again_while_the_others_pass),
        cmocka_unit_test(a_resource_is_in_order_although_one_of_it_is_refused_and_taken_later),
        cmocka_unit_test(a_shared_state_topic_is_in_order_too),
        cmocka_unit_test(one_of_a_resource_is_in_flight_at_a_time_unless_no_broker_can_refuse),
        cmocka_unit_test(a_busy_resource_does_not_set_the_pace_for_the_others),
        cmocka_unit_test(others_pass_a_suspect_while_it_rests),
        cmocka_unit_test(who_waited_behind_a_suspect_is_no_suspect_later),
        cmocka_unit_test(a_broker_that_hangs_up_on_every_event_blames_none),
        cmocka_unit_test(an_expired_event_is_dropped_and_its_state_is_not),
        cmocka_unit_test(the_next_one_follows_a_held_event_that_is_dropped_by_hand),
        cmocka_unit_test(what_the_last_run_held_comes_before_the_rest_of_its_resource),
        cmocka_unit_test(without_room_for_dead_letters_a_refused_event_waits),
        cmocka_unit_test(what_a_stop_leaves_unacknowledged_is_held_so_that_the_rest_counts),
        cmocka_unit_test(refused_status_messages_do_not_hold_up_events),
        cmocka_unit_test(
            status_messages_that_end_the_connection_are_given_up_and_no_event_is_blamed),
        cmocka_unit_test(without_an_answer_for_twice_the_keep_alive_it_connects_anew),
        cmocka_unit_test(a_broker_that_stops_reading_does_not_keep_us_from_stopping),
        cmocka_unit_test(a_stop_waits_for_events_in_flight_but_not_for_the_backlog),
        cmocka_unit_test(a_refused_connect_is_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
