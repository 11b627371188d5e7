/*
 * One delivery: the event that is submitted, and the answer.
 */
#include "tests/unit/lib/intake_fixture.h"

#define PROJECT                                                                                \
    "{\"event\":\"resource.updated\",\"resource_type\":\"project\",\"resource_gid\":\"559b/"   \
    "1\","                                                                                     \
    "\"resource\":{\"state\":\"published\",\"modified_at\":\"2014-09-08T22:47:31+0000\"}}"
#define DELETED                                                                                \
    "{\"event\":\"resource.deleted\",\"resource_type\":\"project\",\"resource_gid\":\"559b/"   \
    "1\"}"

#define PARTNERS "/webhooks/partners"
#define OPEN     "/webhooks/open"

static int set_up(void **state)
{
    if (set_up_empty(state) != 0) {
        return -1;
    }
    load("{'name':'partners','provider':'creads','path':'" PARTNERS "',"
         "'secrets':['old','your_secret_key'],'topic':'{source}/{resource_type}/{event}/{gid}',"
         "'state_topic':'state/{resource_type}/{gid}','qos':1},"
         "{'name':'open','provider':'creads','path':'" OPEN "','verify':'none',"
         "'topic':'{source}/{resource_type}/{event}/{gid}','qos':2,'retain':true}");
    config->sources[0].message_expiry_ms = 1001;
    recreate();
    return 0;
}

static void replace(char **text, const char *other)
{
    free(*text);
    *text = xstrdup(other);
}

static void deliver_header(const char *signature, struct slice body)
{
    struct headers headers = {.text = ""};

    if (signature != NULL) {
        add_headers(&headers, "X-Partners-Signature: ");
        strcat(headers.text, signature);
    }
    deliver_with(PARTNERS, &headers, body);
}

static void deliver_partners(struct slice body)
{
    deliver_signed(PARTNERS, preset("creads"), "your_secret_key", body);
}

static void deliver(struct slice body)
{
    deliver_plain(OPEN, body);
}

static void an_authentic_delivery_is_submitted_as_an_event(void **state)
{
    (void)state;
    deliver_partners(SLICE(PROJECT));
    assert_int_equal(fake.count, 1);
    assert_slice(fake.event->source, "partners");
    assert_slice(fake.event->event, "resource.updated");
    assert_slice(fake.event->resource_type, "project");
    assert_slice(fake.event->gid, "559b/1");
    assert_slice(fake.event->delivery_id, NULL);
    assert_slice(fake.event->topic, "partners/project/resource.updated/559b%2F1");
    assert_slice(fake.event->state_topic, "state/project/559b%2F1");
    assert_slice(fake.event->body, PROJECT);
    assert_slice(fake.event->reason, NULL);
    assert_int_equal(fake.event->received_ms, 1700000000123);
    assert_int_equal(fake.event->event_ms, 1410216451000);
    assert_int_equal(fake.event->qos, 1);
    assert_false(fake.event->retain);
    assert_int_equal(fake.event->expiry_s, 2);
    assert_false(fake.event->deletion);
    assert_false(fake.event->replayed);

    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.result.status, ST_OK);
    assert_false(answer.result.duplicate);
    assert_false(answer.result.quarantined);
    assert_true(uuid_equal(answer.result.id, fake.event->id));
}

static void each_source_has_its_own_settings(void **state)
{
    (void)state;
    deliver(SLICE(DELETED));
    assert_slice(fake.event->source, "open");
    assert_slice(fake.event->topic, "open/project/resource.deleted/559b%2F1");
    assert_slice(fake.event->state_topic, NULL);
    assert_int_equal(fake.event->qos, 2);
    assert_true(fake.event->retain);
    assert_true(fake.event->deletion);
    assert_int_equal(fake.event->expiry_s, 0);
    assert_int_equal(fake.event->event_ms, CLOCK_NONE);
}

static void a_delivery_that_is_not_authentic_is_not_read(void **state)
{
    const char *const signatures[] = {
        NULL, "", "1c87db2bffdc66eeb4357067fff2404e3c36c5071a76fd7c428608e69e01a827"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(signatures); i++) {
        deliver_header(signatures[i], SLICE(PROJECT));
        assert_int_equal(answer.count, 1);
        assert_int_equal(answer.result.status, ST_UNAUTHENTIC);
        assert_int_equal(fake.count, 0);
    }
    /* Nobody even finds out that this is not JSON. */
    deliver_header("", SLICE("{"));
    assert_int_equal(answer.result.status, ST_UNAUTHENTIC);
    assert_false(answer.result.quarantined);
}

static void an_authentic_body_that_makes_no_event_is_quarantined(void **state)
{
    (void)state;
    fake.later = true;
    deliver_partners(SLICE("{\"event\":\"resource.updated\",\"resource_type\":\"project\"}"));
    assert_slice(fake.event->reason, "resource_gid is missing");
    assert_slice(fake.event->topic, NULL);
    assert_slice(fake.event->state_topic, NULL);
    assert_slice(fake.event->source, "partners");
    assert_slice(fake.event->event, "resource.updated");
    assert_slice(fake.event->body,
                 "{\"event\":\"resource.updated\",\"resource_type\":\"project\"}");
    assert_int_equal(answer.count, 0);
    answer_pending();
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.result.status, ST_OK);
    assert_true(answer.result.quarantined);
    assert_string_equal(answer.reason, "resource_gid is missing");
}

static void a_body_whose_topic_is_too_long_is_quarantined(void **state)
{
    struct buf body = {0};

    (void)state;
    buf_add_str(&body,
                "{\"event\":\"a\",\"resource_type\":\"b\",\"resource_gid\":\"c\",\"x\":\"");
    for (int i = 0; i < 65535; i++) {
        buf_add_char(&body, 'x');
    }
    buf_add_str(&body, "\"}");
    config->sources[1].topic = "{body.x}";
    recreate();
    deliver(buf_slice(&body));
    assert_false(answer.result.quarantined);
    assert_int_equal(fake.event->topic.len, 65535);

    replace(&config->sources[1].state_topic, "s/{body.x}");
    recreate();
    deliver(buf_slice(&body));
    assert_true(answer.result.quarantined);
    assert_string_equal(answer.reason, "its topic would be longer than MQTT allows");
    assert_slice(fake.event->topic, NULL);
    assert_slice(fake.event->gid, "c");
    buf_free(&body);
}

static void the_answer_of_the_outbox_is_passed_on_once(void **state)
{
    (void)state;
    fake.duplicate = true;
    deliver(SLICE(PROJECT));
    assert_int_equal(answer.count, 1);
    assert_true(answer.result.duplicate);

    fake.duplicate = false;
    fake.done_status = ST_IO;
    deliver(SLICE(PROJECT));
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.result.status, ST_IO);

    fake.submit_status = ST_FULL;
    deliver(SLICE(PROJECT));
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.result.status, ST_FULL);

    fake.submit_status = ST_CLOSED;
    deliver(SLICE("{"));
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.result.status, ST_CLOSED);
}

static void a_delivery_may_be_freed_after_the_submit(void **state)
{
    char *body = strdup(PROJECT);

    (void)state;
    fake.later = true;
    deliver((struct slice){body, strlen(body)});
    memset(body, 'x', strlen(body));
    free(body);
    assert_slice(fake.event->body, PROJECT);
    assert_slice(fake.event->gid, "559b/1");
    answer_pending();
    assert_int_equal(answer.count, 1);
}

static struct event_identity identity_of(const char *path, struct slice body)
{
    deliver_plain(path, body);
    return fake.event->identity;
}

static void the_key_is_the_resource_and_the_digest_the_body(void **state)
{
    struct event_identity updated, deleted, other, shifted, elsewhere;

    (void)state;
    use("{'name':'partners','provider':'creads','path':'" PARTNERS "','verify':'none'},"
        "{'name':'open','provider':'creads','path':'" OPEN "','verify':'none'}");
    updated = identity_of(OPEN, SLICE(PROJECT));
    deleted = identity_of(OPEN, SLICE(DELETED));
    assert_true(same_key(updated, deleted));
    assert_false(same_digest(updated, deleted));
    assert_true(same_digest(deleted, identity_of(OPEN, SLICE(DELETED))));

    elsewhere = identity_of(PARTNERS, SLICE(DELETED));
    assert_false(same_key(deleted, elsewhere));
    assert_true(same_digest(deleted, elsewhere));

    /* The same bytes, split differently between the fields, are another resource. */
    other = identity_of(
        OPEN, SLICE("{\"event\":\"e\",\"resource_type\":\"ab\",\"resource_gid\":\"c\"}"));
    shifted = identity_of(
        OPEN, SLICE("{\"event\":\"e\",\"resource_type\":\"a\",\"resource_gid\":\"bc\"}"));
    assert_false(same_key(other, shifted));
    /* Another spelling of the same value is the same resource. */
    assert_true(same_key(
        other, identity_of(OPEN, SLICE("{\"event\":\"e\",\"resource_type\":\"\\u0061b\","
                                       "\"resource_gid\":\"c\"}"))));
}

static void a_quarantined_body_is_no_repeat_of_another_one(void **state)
{
    struct event_identity first, again, other;

    (void)state;
    first = identity_of(OPEN, SLICE("{\"a\":1"));
    again = identity_of(OPEN, SLICE("{\"a\":1"));
    other = identity_of(OPEN, SLICE("{\"a\":2"));
    assert_true(same_key(first, again) && same_digest(first, again));
    assert_false(same_digest(first, other));
}

static void deliver_unknown(void)
{
    deliver(SLICE("{\"event\":\"resource.archived\",\"resource_type\":\"project\","
                  "\"resource_gid\":\"1\"}"));
    deliver(SLICE("{\"event\":\"resource.archived\",\"resource_type\":\"project\","
                  "\"resource_gid\":\"2\"}"));
    deliver(SLICE("{\"event\":\"resource.created\",\"resource_type\":\"planet\\n\","
                  "\"resource_gid\":\"3\"}"));
    deliver(SLICE(PROJECT));
    deliver(SLICE("{")); /* quarantined is not unknown */
    fake.duplicate = true;
    deliver(SLICE("{\"event\":\"resource.archived\",\"resource_type\":\"project\","
                  "\"resource_gid\":\"2\"}"));
}

static void unknown_events_pass_and_are_counted_and_logged_once_each(void **state)
{
    int64_t before = metrics_get(METRIC_UNKNOWN_EVENTS);
    char *log = stderr_of(deliver_unknown);

    (void)state;
    assert_slice(fake.event->topic, "open/project/resource.archived/2");
    assert_int_equal(metrics_get(METRIC_UNKNOWN_EVENTS) - before, 3);
    assert_int_equal(count_of(log, "\n"), 2);
    assert_int_equal(count_of(log, "event=resource.archived"), 1);
    assert_int_equal(count_of(log, "source=open"), 2);
    assert_non_null(strstr(log, "planet\\x0a"));
    free(log);
}

static void deliver_many_unknown(void)
{
    for (int i = 0; i < 100; i++) {
        struct buf body = {0};

        buf_addf(&body, "{\"event\":\"e%d\",\"resource_type\":\"t\",\"resource_gid\":\"1\"}",
                 i);
        deliver(buf_slice(&body));
        assert_int_equal(answer.result.status, ST_OK);
        buf_free(&body);
    }
}

static void a_peer_cannot_fill_the_log_with_unknown_events(void **state)
{
    char *log = stderr_of(deliver_many_unknown);

    (void)state;
    assert_int_equal(count_of(log, "\n"), 64);
    assert_int_equal(count_of(log, "only counted"), 1);
    free(log);
}

/* Received at 2023-11-14T22:13:20.123Z. */
static int64_t time_as(const char *time)
{
    struct buf body = {0};

    buf_addf(&body,
             "{\"event\":\"resource.updated\",\"resource_type\":\"project\","
             "\"resource_gid\":\"1\",\"resource\":{\"modified_at\":%s}}",
             time);
    deliver_partners(buf_slice(&body));
    assert_int_equal(answer.result.status, ST_OK);
    buf_free(&body);
    return fake.event->event_ms;
}

static void deliver_odd_times(void)
{
    assert_true(time_as("\"2023-01-02T03:04:05Z\"") != CLOCK_NONE);
    assert_true(time_as("\"yesterday\"") == CLOCK_NONE);
    assert_true(time_as("\"never\"") == CLOCK_NONE);
}

static void a_time_that_is_not_understood_is_counted_and_logged_now_and_then(void **state)
{
    int64_t before = metrics_total(METRIC_UNREADABLE_TIMES);
    char *log = stderr_of(deliver_odd_times);

    (void)state;
    assert_int_equal(count_of(log, "\n"), 1);
    assert_int_equal(count_of(log, "event time not understood"), 1);
    assert_int_equal(count_of(log, "source=partners"), 1);
    assert_int_equal(metrics_total(METRIC_UNREADABLE_TIMES) - before, 2);
    free(log);
}

static void deliver_early_times(void)
{
    assert_int_equal(time_as("\"2023-11-14T22:23:20.123Z\""), 1700000600123);
    assert_int_equal(time_as("\"2023-11-14T22:23:20.124Z\""), 1700000000123);
    assert_int_equal(time_as("\"2099-01-01\""), 1700000000123);
    assert_int_equal(time_as("253402300799"), 1700000000123);
}

static void a_time_in_the_future_counts_as_that_of_the_receipt(void **state)
{
    int64_t before = metrics_total(METRIC_FUTURE_TIMES);
    char *log = stderr_of(deliver_early_times);

    (void)state;
    assert_int_equal(count_of(log, "\n"), 1);
    assert_int_equal(count_of(log, "event time is in the future"), 1);
    assert_int_equal(metrics_total(METRIC_FUTURE_TIMES) - before, 3);
    free(log);
}

static struct event dead_letter(const char *source, struct slice body)
{
    struct event dead = {.received_ms = 1600000000000,
                         .source = slice_of(source),
                         .body = body,
                         .reason = SLICE("resource_gid is missing")};

    dead.id = uuid_new();
    return dead;
}

static void a_reparsed_dead_letter_keeps_its_id_and_time(void **state)
{
    struct event dead = dead_letter("partners", SLICE(PROJECT));
    struct err why = {0};
    struct event *reparsed = intake_reparse(intake, &dead, &why);

    (void)state;
    assert_non_null(reparsed);
    assert_true(uuid_equal(reparsed->id, dead.id));
    assert_int_equal(reparsed->received_ms, 1600000000000);
    assert_slice(reparsed->topic, "partners/project/resource.updated/559b%2F1");
    assert_slice(reparsed->reason, NULL);
    assert_slice(reparsed->body, PROJECT);
    assert_true(reparsed->body.data != dead.body.data);
    deliver_partners(SLICE(DELETED));
    assert_true(same_key(reparsed->identity, fake.event->identity));
    event_free(reparsed);
}

static void a_dead_letter_that_still_makes_no_event_gives_a_reason(void **state)
{
    struct event bad = dead_letter("partners", SLICE("{}"));
    struct event orphan = dead_letter("gone", SLICE(PROJECT));
    struct err why = {0};

    (void)state;
    assert_null(intake_reparse(intake, &bad, &why));
    assert_int_equal(why.status, ST_INVALID);
    assert_string_equal(why.text, "event is missing");
    assert_null(intake_reparse(intake, &orphan, &why));
    assert_int_equal(why.status, ST_NOT_FOUND);
    assert_string_equal(why.text, "source gone is not configured");
}

static void assert_not_created(const char *text)
{
    struct intake *none = NULL;
    struct err err = {0};

    assert_int_equal(intake_create(config, outbox, &none, &err), ST_INVALID);
    assert_string_equal(err.text, text);
    assert_null(none);
}

static void a_source_that_cannot_work_fails_the_creation(void **state)
{
    struct intake *none = NULL;
    const char *gid;
    struct err err = {0};

    (void)state;
    replace(&config->sources[1].state_topic, "a/{gdi}");
    assert_not_created("source open: unknown variable {gdi}; did you mean {gid}?");
    config->sources[0].topic = "a/{gdi}";
    assert_not_created("source partners: unknown variable {gdi}; did you mean {gid}?");
    gid = config->sources[0].provider->fields.gid;
    config->sources[0].provider->fields.gid = "{body.";
    assert_int_equal(intake_create(config, outbox, &none, &err), ST_INVALID);
    config->sources[0].provider->fields.gid = gid;
    assert_memory_equal(err.text, "source partners: fields.gid: ", 29);
    config->sources[0].secrets[0].value.len = config->sources[0].secrets[1].value.len = 0;
    assert_not_created("source partners: has no secret to verify with");
    intake_drop(NULL);
}

static void reparsing_needs_no_secret(void **state)
{
    struct event dead = dead_letter("partners", SLICE(PROJECT));
    struct intake *reparser = NULL;
    struct event *reparsed;
    struct err err = {0};

    (void)state;
    config->sources[0].secrets[0].value.len = config->sources[0].secrets[1].value.len = 0;
    assert_int_equal(intake_create(config, NULL, &reparser, &err), ST_OK);
    reparsed = intake_reparse(reparser, &dead, &err);
    assert_non_null(reparsed);
    event_free(reparsed);
    intake_drop(reparser);
}

static void an_intake_outlives_the_configuration_it_was_made_from(void **state)
{
    struct intake *held = intake_hold(intake);

    (void)state;
    intake_drop(intake);
    config_destroy(config);
    config = NULL;
    deliver_partners(SLICE(PROJECT));
    assert_slice(fake.event->topic, "partners/project/resource.updated/559b%2F1");
    intake = held; /* the last reference, for tear_down */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_authentic_delivery_is_submitted_as_an_event),
        TEST(each_source_has_its_own_settings),
        TEST(a_delivery_that_is_not_authentic_is_not_read),
        TEST(an_authentic_body_that_makes_no_event_is_quarantined),
        TEST(a_body_whose_topic_is_too_long_is_quarantined),
        TEST(the_answer_of_the_outbox_is_passed_on_once),
        TEST(a_delivery_may_be_freed_after_the_submit),
        TEST(the_key_is_the_resource_and_the_digest_the_body),
        TEST(a_quarantined_body_is_no_repeat_of_another_one),
        TEST(unknown_events_pass_and_are_counted_and_logged_once_each),
        TEST(a_peer_cannot_fill_the_log_with_unknown_events),
        TEST(a_time_that_is_not_understood_is_counted_and_logged_now_and_then),
        TEST(a_time_in_the_future_counts_as_that_of_the_receipt),
        TEST(a_reparsed_dead_letter_keeps_its_id_and_time),
        TEST(a_dead_letter_that_still_makes_no_event_gives_a_reason),
        TEST(a_source_that_cannot_work_fails_the_creation),
        TEST(reparsing_needs_no_secret),
        TEST(an_intake_outlives_the_configuration_it_was_made_from),
    };

    return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
