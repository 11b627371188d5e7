/*
 * A source's own rules for its deliveries: its path, duplicates, challenges, required headers.
 */
#include "tests/unit/lib/intake_fixture.h"

/* ---- paths ---- */

static void assert_found(const char *path, const char *source, const char *suffix)
{
    struct slice found_suffix = SLICE("untouched");
    const struct intake_source *found = intake_find(intake, slice_of(path), &found_suffix);

    if (source == NULL) {
        if (found != NULL) {
            fail_msg("%s has a source", path);
        }
        return;
    }
    if (found == NULL) {
        fail_msg("%s has no source", path);
    }
    assert_int_equal(intake_source_index(found), metrics_source(source));
    assert_slice(found_suffix, suffix);
}

static void a_source_is_found_at_exactly_its_path(void **state)
{
    const char *const wrong[] = {"/webhooks/partners/x",
                                 "//webhooks/partners",
                                 "/webhooks/partner",
                                 "/webhooks/Partners",
                                 "webhooks/partners",
                                 "/",
                                 ""};

    (void)state;
    use("{'name':'partners','provider':'creads','path':'/webhooks/partners','secrets':['s']},"
        "{'name':'open','provider':'creads','path':'/webhooks/open','verify':'none'}");
    assert_found("/webhooks/partners", "partners", NULL);
    assert_found("/webhooks/partners/", "partners", NULL);
    assert_found("/webhooks/partners///", "partners", NULL);
    assert_found("/webhooks/open", "open", NULL);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_found(wrong[i], NULL, NULL);
    }
}

static void a_provider_that_appends_something_is_found_below_its_path_too(void **state)
{
    (void)state;
    use("{'name':'phones','provider':'ricloud','path':'/hooks','secrets':['s']},"
        "{'name':'exact','provider':'creads','path':'/hooks/partners','secrets':['s']},"
        "{'name':'deeper','provider':'ricloud','path':'/hooks/more','secrets':['s']}");
    assert_found("/hooks", "phones", NULL);
    assert_found("/hooks/", "phones", NULL);
    assert_found("/hooks///", "phones", NULL);
    assert_found("/hooks/0b2f4d6e", "phones", "0b2f4d6e");
    assert_found("/hooks//0b2f4d6e", "phones", "0b2f4d6e");
    assert_found("/hooks/a/b/", "phones", "a/b");
    assert_found("/hooksx", NULL, NULL);
    assert_found("/hook", NULL, NULL);
    assert_found("", NULL, NULL);

    assert_found("/hooks/partners", "exact", NULL);
    assert_found("/hooks/partners/", "exact", NULL);
    assert_found("/hooks/partners/x", "phones", "partners/x");
    assert_found("/hooks/more", "deeper", NULL);
    assert_found("/hooks/more/x", "deeper", "x");
    assert_found("/hooks/mor/x", "phones", "mor/x");
}

static void a_source_that_lists_its_events_has_no_other_paths(void **state)
{
    (void)state;
    use("{'name':'erp','provider':'weavy','path':'/erp/token','verify':'none',"
        "'events':{'new-customer':'customer.created','gone':'customer.deleted'}},"
        "{'name':'any','provider':'weavy','path':'/erp','verify':'none'}");
    assert_found("/erp/token/new-customer", "erp", "new-customer");
    assert_found("/erp/token/gone", "erp", "gone");
    assert_found("/erp/token", NULL, NULL);
    assert_found("/erp/token/", NULL, NULL);
    assert_found("/erp/token/new", NULL, NULL);
    assert_found("/erp/token/new-customer/", "erp", "new-customer");
    /* This source lists no events: the suffix is the event. */
    assert_found("/erp/CustomerCreated", "any", "CustomerCreated");
}

static void the_end_of_the_path_becomes_the_event(void **state)
{
    (void)state;
    use("{'name':'erp','provider':'weavy','path':'/erp','verify':'none',"
        "'events':{'new-customer':'customer.created'}}");
    deliver_plain("/erp/new-customer", SLICE("{\"result\":{\"codeTiers\":\"C1\"}}"));
    assert_slice(fake.event->event, "customer.created");
    assert_slice(fake.event->topic, "weavy/customer.created/C1");
}

/* ---- duplicates ---- */

#define RICLOUD(id, gid, retries)                                                              \
    "{\"id\":\"" id "\",\"resource\":\"event\",\"type\":\"poll\",\"action\":\"completed\","    \
    "\"data\":{\"id\":\"" gid "\"},\"retries\":" retries "}"

static struct event_identity signed_identity(const char *path, const char *body)
{
    deliver_signed(path, preset("ricloud"), "s", slice_of(body));
    assert_int_equal(answer.result.status, ST_OK);
    return fake.event->identity;
}

static void a_signed_delivery_id_decides_about_duplicates(void **state)
{
    struct event_identity first, again, other, elsewhere;

    (void)state;
    use("{'name':'a','provider':'ricloud','path':'/a','secrets':['s']},"
        "{'name':'b','provider':'ricloud','path':'/b','secrets':['s']}");
    first = signed_identity("/a", RICLOUD("e1", "g", "0"));
    assert_slice(fake.event->delivery_id, "e1");
    assert_slice(fake.event->topic, "ricloud/poll/completed/g");
    /* The body contains a count of attempts. */
    again = signed_identity("/a", RICLOUD("e1", "g", "1"));
    assert_true(same_key(first, again) && same_digest(first, again));
    assert_memory_equal(first.key, first.digest, sizeof(first.key));
    other = signed_identity("/a", RICLOUD("e2", "g", "0"));
    assert_false(same_key(first, other));
    elsewhere = signed_identity("/b", RICLOUD("e1", "g", "0"));
    assert_false(same_key(first, elsewhere));
}

static void a_delivery_id_is_never_taken_for_a_resource(void **state)
{
    struct event_identity named;

    (void)state;
    use("{'name':'any','provider':'custom','path':'/any','verify':'none','fields':{'event':'e',"
        "'resource_type':'{body.t}|','gid':'{body.g}|','delivery_id':'{body.d}|'},"
        "'topic':'any/{gid}'}");
    deliver_plain("/any", SLICE("{\"t\":\"t\",\"g\":\"g\",\"d\":\"D1\"}"));
    assert_slice(fake.event->delivery_id, "D1");
    named = fake.event->identity;
    deliver_plain("/any", SLICE("{\"t\":\"delivery\",\"g\":\"D1\"}"));
    assert_slice(fake.event->resource_type, "delivery");
    assert_false(same_key(named, fake.event->identity));
}

static bool has_none(struct event_identity identity)
{
    struct event event = {.identity = identity};

    return !event_has_identity(&event);
}

static void a_delivery_without_an_id_is_no_repeat(void **state)
{
    (void)state;
    use("{'name':'a','provider':'ricloud','path':'/a','secrets':['s']}");
    assert_true(has_none(signed_identity("/a", RICLOUD("", "g", "0"))));
}

static void a_source_may_tell_repeats_otherwise_than_its_provider(void **state)
{
    struct event_identity first, again;

    (void)state;
    use("{'name':'a','provider':'ricloud','path':'/a','secrets':['s'],'dedupe':'body',"
        "'dedupe_window':'2h'},"
        "{'name':'b','provider':'ricloud','path':'/b','secrets':['s'],'dedupe':'none'}");
    first = signed_identity("/a", RICLOUD("e1", "g", "0"));
    assert_int_equal(fake.event->dedupe_window_ms, 7200000);
    again = signed_identity("/a", RICLOUD("e1", "g", "1"));
    assert_true(same_key(first, again)); /* of the resource */
    assert_false(same_digest(first, again));
    assert_true(has_none(signed_identity("/b", RICLOUD("e1", "g", "0"))));
    assert_true(has_none(signed_identity("/b", "{")));
}

static void a_quarantined_body_is_identified_by_its_bytes_not_its_delivery_id(void **state)
{
    struct event_identity first, other;

    (void)state;
    use("{'name':'a','provider':'ricloud','path':'/a','secrets':['s']}");
    first = signed_identity("/a", "{\"id\":\"e1\",\"type\":\"poll\",\"n\":1}");
    assert_true(answer.result.quarantined);
    other = signed_identity("/a", "{\"id\":\"e1\",\"type\":\"poll\",\"n\":2}");
    assert_true(answer.result.quarantined);
    assert_false(same_key(first, other));
}

static void quarantined_bodies_that_differ_only_in_the_url_are_different(void **state)
{
    struct headers headers = {.text = "X-T: s"};
    struct event_identity first;

    (void)state;
    use("{'name':'p','provider':'custom','path':'/p','secrets':['s'],'path_suffix':true,"
        "'signature':{'scheme':'token','header':'X-T'},"
        "'fields':{'event':'{body.e}','gid':'{url}'},'topic':'p/{gid}','dedupe':'body'}");
    deliver_with("/p/p1", &headers, SLICE("{}"));
    assert_true(answer.result.quarantined);
    first = fake.event->identity;
    deliver_with("/p/p2", &headers, SLICE("{}"));
    assert_true(answer.result.quarantined);
    assert_false(same_key(first, fake.event->identity));
}

static int64_t time_in_header(const char *trust)
{
    struct headers headers = {.text = "X-Time: 2023-01-02T03:04:05Z"};
    char *sources = NULL;

    assert_true(
        asprintf(&sources,
                 "{'name':'t','provider':'creads','path':'/t','secrets':['s'],%s"
                 "'fields':{'event_time':'{header.X-Time}'},'state_topic':'state/{gid}'}",
                 trust) > 0);
    use(sources);
    free(sources);
    sign(preset("creads"), "s", NULL,
         SLICE("{\"event\":\"a.b\",\"resource_type\":\"a\",\"resource_gid\":\"1\"}"), &headers);
    deliver_with("/t", &headers,
                 SLICE("{\"event\":\"a.b\",\"resource_type\":\"a\",\"resource_gid\":\"1\"}"));
    assert_int_equal(answer.result.status, ST_OK);
    return fake.event->event_ms;
}

static void an_unsigned_time_decides_about_no_retained_state(void **state)
{
    (void)state;
    assert_true(time_in_header("") == CLOCK_NONE);
    assert_true(time_in_header("'trust_unsigned':true,") == INT64_C(1672628645000));
}

#define HUB(n) "{\"repository\":{\"full_name\":\"acme/widget\"},\"n\":" n "}"

static struct event_identity hub_identity(const char *path, const char *id, const char *body)
{
    struct headers headers = {.text = "X-GitHub-Event: push"};

    if (id != NULL) {
        add_headers(&headers, "X-GitHub-Delivery: ");
        strcat(headers.text, id);
    }
    sign(preset("github"), "s", NULL, slice_of(body), &headers);
    deliver_with(path, &headers, slice_of(body));
    assert_int_equal(answer.result.status, ST_OK);
    assert_false(answer.result.quarantined);
    return fake.event->identity;
}

/* Neither can a known id hide a coming event, nor does another id make a repeat of an event: whether
 * headers are trusted or not. */
static void an_unsigned_delivery_id_decides_together_with_what_is_proven(void **state)
{
    const char *const paths[] = {"/hub", "/open"};

    (void)state;
    use("{'name':'hub','provider':'github','path':'/hub','secrets':['s']},"
        "{'name':'open','provider':'github','path':'/open','secrets':['s'],"
        "'trust_unsigned':true}");
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct event_identity first = hub_identity(paths[i], "72d3162e", HUB("1"));
        struct event_identity again = hub_identity(paths[i], "72d3162e", HUB("1"));

        assert_slice(fake.event->delivery_id, "72d3162e");
        assert_slice(fake.event->event, "push");
        assert_int_equal(fake.event->dedupe_window_ms, 3 * 24 * 3600 * 1000);
        assert_true(same_key(first, again) && same_digest(first, again));
        assert_false(same_key(first, hub_identity(paths[i], "72d3162e", HUB("2"))));
        assert_false(same_key(first, hub_identity(paths[i], "other", HUB("1"))));
        assert_true(has_none(hub_identity(paths[i], NULL, HUB("1"))));
    }
}

static void a_header_that_the_signature_covers_is_trusted(void **state)
{
    static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    struct slice body = SLICE("{\"type\":\"user.created\",\"data\":{\"id\":\"u1\"}}");
    struct slice later = SLICE("{\"type\":\"user.created\",\"data\":{\"id\":\"u1\"},\"n\":2}");
    struct headers headers = {.text = ""}, other = {.text = ""};
    struct event_identity first;

    (void)state;
    use("{'name':'sw','provider':'standard-webhooks','path':'/sw',"
        "'secrets':['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']}");
    sign(preset("standard-webhooks"), secret, "msg_1", body, &headers);
    deliver_with("/sw", &headers, body);
    assert_int_equal(answer.result.status, ST_OK);
    assert_slice(fake.event->delivery_id, "msg_1");
    first = fake.event->identity;
    sign(preset("standard-webhooks"), secret, "msg_1", later, &other);
    deliver_with("/sw", &other, later);
    assert_true(same_key(first, fake.event->identity));
    assert_true(same_digest(first, fake.event->identity));
}

/* ---- challenges ---- */

#define CHALLENGE "{\"type\":\"url_verification\",\"challenge\":\"3eZbrw1aB\\u0022\"}"

static void a_challenge_is_answered_and_not_stored(void **state)
{
    (void)state;
    use("{'name':'chat','provider':'slack','path':'/chat','secrets':['s']}");
    deliver_signed("/chat", preset("slack"), "s", SLICE(CHALLENGE));
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.result.status, ST_OK);
    assert_string_equal(answer.challenge, "3eZbrw1aB\"");
    assert_int_equal(fake.count, 0);
    /* Only an authentic sender learns whether challenges are answered. */
    deliver_signed("/chat", preset("slack"), "wrong", SLICE(CHALLENGE));
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.result.status, ST_UNAUTHENTIC);
    assert_string_equal(answer.challenge, "");
}

/* ---- headers ---- */

static bool has_headers(const char *path, const char *lines)
{
    struct headers headers = {.text = ""};
    struct delivery head = {.header = find_header, .ctx = &headers};
    struct slice suffix;
    unsigned secrets;

    add_headers(&headers, lines);
    return intake_check_head(intake_find(intake, slice_of(path), &suffix), &head, &secrets,
                             NULL) == ST_OK;
}

static void each_header_of_the_signature_must_appear(void **state)
{
    (void)state;
    use("{'name':'chat','provider':'slack','path':'/chat','secrets':['s']},"
        "{'name':'open','provider':'creads','path':'/open','verify':'none'}");
    assert_true(has_headers("/chat", "X-Slack-Signature: v0=1\nX-Slack-Request-Timestamp: 1"));
    assert_false(has_headers("/chat", "X-Slack-Signature: v0=1"));
    assert_false(has_headers("/chat", "X-Slack-Request-Timestamp: 1"));
    assert_true(has_headers("/chat", "X-Slack-Signature: v0=1\nX-Slack-Signature: v0=1\n"
                                     "X-Slack-Request-Timestamp: 1"));
    assert_false(has_headers("/chat", "X-Slack-Signature: v0=1\nX-Slack-Request-Timestamp: 1\n"
                                      "X-Slack-Request-Timestamp: 1"));
    assert_true(has_headers("/open", ""));
}

/* ---- dead letters ---- */

static void a_reparsed_dead_letter_keeps_the_values_from_headers(void **state)
{
    struct event dead = {.source = SLICE("hub"),
                         .event = SLICE("push"),
                         .resource_type = SLICE("push"),
                         .delivery_id = SLICE("72d3162e"),
                         .received_ms = 1600000000000,
                         .body = SLICE(HUB("1")),
                         .reason = SLICE("its topic would be longer than MQTT allows")};
    struct err why = {0};
    struct event *reparsed;

    (void)state;
    use("{'name':'hub','provider':'github','path':'/hub','secrets':['s'],"
        "'topic':'hub/{event}/{gid}','trust_unsigned':true}");
    dead.id = uuid_new();
    reparsed = intake_reparse(intake, &dead, &why);
    assert_non_null(reparsed);
    assert_slice(reparsed->event, "push");
    assert_slice(reparsed->delivery_id, "72d3162e");
    assert_slice(reparsed->topic, "hub/push/acme%2Fwidget");
    assert_true(same_key(reparsed->identity, hub_identity("/hub", "72d3162e", HUB("1"))));
    event_free(reparsed);
}

static void a_dead_letter_that_is_a_challenge_makes_no_event(void **state)
{
    struct event dead = {.source = SLICE("chat"),
                         .received_ms = 1600000000000,
                         .body = SLICE("{\"type\":\"url_verification\",\"challenge\":\"x\","
                                       "\"event\":{\"type\":\"message\"}}"),
                         .reason = SLICE("event.type is missing")};
    struct err why = {0};

    (void)state;
    use("{'name':'chat','provider':'slack','path':'/chat','secrets':['s']}");
    dead.id = uuid_new();
    assert_null(intake_reparse(intake, &dead, &why));
    assert_non_null(strstr(why.text, "challenge"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_empty, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_source_is_found_at_exactly_its_path),
        TEST(a_provider_that_appends_something_is_found_below_its_path_too),
        TEST(a_source_that_lists_its_events_has_no_other_paths),
        TEST(the_end_of_the_path_becomes_the_event),
        TEST(a_signed_delivery_id_decides_about_duplicates),
        TEST(a_delivery_id_is_never_taken_for_a_resource),
        TEST(a_delivery_without_an_id_is_no_repeat),
        TEST(a_source_may_tell_repeats_otherwise_than_its_provider),
        TEST(a_quarantined_body_is_identified_by_its_bytes_not_its_delivery_id),
        TEST(quarantined_bodies_that_differ_only_in_the_url_are_different),
        TEST(an_unsigned_time_decides_about_no_retained_state),
        TEST(an_unsigned_delivery_id_decides_together_with_what_is_proven),
        TEST(a_header_that_the_signature_covers_is_trusted),
        TEST(a_challenge_is_answered_and_not_stored),
        TEST(each_header_of_the_signature_must_appear),
        TEST(a_reparsed_dead_letter_keeps_the_values_from_headers),
        TEST(a_dead_letter_that_is_a_challenge_makes_no_event),
    };

    return cmocka_run_group_tests_name("intake: sources", tests, NULL, NULL);
}
