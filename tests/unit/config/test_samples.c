/*
 * Samples in the configuration: `check` reads in them what the bridge would.
 */
#include "tests/unit/lib/config_fixture.h"

#define OF(provider, settings)                                                                 \
    "{'outbox':{'path':'/tmp/o.db'},'sources':[{'name':'p','provider':'" provider              \
    "','path':'/p/2b7e151628aed2a6'," settings "}]}"
#define SIGNED                                                                                 \
    SECRETS ",'signature':{'scheme':'hmac','algorithm':'sha256','form':'plain','encoding':"    \
            "'hex','key':'text','header':'X-S','message':'{body}'}"
#define FIELDS           "'fields':{'event':'{body.type}','gid':'{body.id}','event_time':'{body.at}'}"
#define CUSTOM(settings) OF("custom", SIGNED ",'dedupe':'body'," FIELDS "," settings)
#define SAMPLES(samples) "'samples':[" samples "]"

/* The bridge has nothing to say of it; `check` has this warning, or (path NULL) none. */
static void assert_checked(const char *text, const char *path)
{
    assert_no_finding(text);
    write_config(text);
    assert_int_equal(config_check(config_path, &faults), ST_OK);
    if (faults.count != (path != NULL)) {
        print_findings();
        fail_msg("%zu findings", faults.count);
    }
    if (path) {
        assert_found(true, path);
    }
}

static void a_sample_that_is_read_as_it_says_is_no_finding(void **state)
{
    (void)state;
    assert_checked(
        CUSTOM(SAMPLES("{'event':'order.paid','body':{'type':'@EVENT@','id':'@GID@'}},"
                       "{'event':'order.lost','body':{'type':'order.@ACTION@','id':7,"
                       "'at':'@NOW@'}}")),
        NULL);
}

static void what_is_read_in_a_sample_is_what_the_sample_says(void **state)
{
    (void)state;
    assert_checked(
        CUSTOM(SAMPLES("{'event':'order.paid','body':{'type':'totally.other','id':1}}")),
        "sources[0].samples[0].event");
    assert_checked(CUSTOM(SAMPLES("{'event':'order.paid','resource_type':'Order',"
                                  "'body':{'type':'@EVENT@','id':1}}")),
                   "sources[0].samples[0].resource_type");
}

static void a_sample_that_makes_no_event_is_told_with_the_reason(void **state)
{
    (void)state;
    assert_checked(CUSTOM(SAMPLES("{'event':'a.b','body':{'type':'@EVENT@','id':'1'}},"
                                  "{'event':'a.c','body':{'type':'@EVENT@'}}")),
                   "sources[0].samples[1]");
    assert_checked(
        OF("github", SECRETS ",'sample_defaults':null," SAMPLES("{'event':'push','body':{}}")),
        "sources[0].samples[0]");
}

static void a_time_that_cannot_be_read_is_told(void **state)
{
    (void)state;
    assert_checked(CUSTOM(SAMPLES("{'event':'a','body':{'type':'a','id':1,'at':1410216451042}},"
                                  "{'event':'a','body':{'type':'a','id':1,'at':'8/9/2014'}}")),
                   "sources[0].samples[1]");
}

static void a_sample_is_read_with_its_headers_and_its_url(void **state)
{
#define BY_HEADER(samples)                                                                     \
    OF("custom", SECRETS ",'signature':{'scheme':'token','header':'X-T'},'path_suffix':true,"  \
                         "'topic':'t/{gid}','fields':{'event':'{header.X-Event}','gid':"       \
                         "'{url}','delivery_id':'{header.X-Id}'}," SAMPLES(samples))
    (void)state;
    assert_checked(
        BY_HEADER("{'event':'a b','url':'@GID@','headers':{'X-Event-Id':'o',"
                  "'x-event':'@EVENT@'},'body':{}},"
                  "{'event':'a','url':'/a%2Bb%','headers':{'X-Event':'a'},'body':{}}"),
        NULL);
    assert_checked(BY_HEADER("{'event':'a','url':'x','headers':{'X-Event':'a','x-event':'a'},"
                             "'body':{}}"),
                   "sources[0].samples[0]");
    assert_checked(BY_HEADER("{'event':'a','url':'x%2Fy','headers':{'X-Event':'a'},'body':{}}"),
                   "sources[0].samples[0]");
}

static void the_signatures_own_headers_are_there(void **state)
{
    (void)state;
    assert_checked(
        OF("standard-webhooks",
           "'secrets':['${TEST_WHSEC}'],'topic':'t/{gid}','fields':{'gid':"
           "'{header.webhook-id}','event_time':'{header.webhook-timestamp}'}," SAMPLES(
               "{'event':'a','body':{'type':'a'}}")),
        NULL);
}

static void a_header_that_the_signature_brings_too_is_told(void **state)
{
    (void)state;
    assert_checked(
        OF("slack", SECRETS "," SAMPLES("{'event':'a','headers':{'x-slack-signature':'v0=1'},"
                                        "'body':{'type':'a'}}")),
        "sources[0].samples[0].headers");
    assert_checked(OF("slack", SECRETS "," SAMPLES("{'event':'a','headers':"
                                                   "{'X-Slack-Request-Timestamp':'5'},"
                                                   "'body':{'type':'a'}}")),
                   "sources[0].samples[0].headers");
}

static void where_there_is_no_type_none_is_asked_for(void **state)
{
    (void)state;
    assert_checked(OF("custom",
                      SECRETS ",'signature':{'scheme':'token','header':'X-T'},"
                              "'topic':'t/{gid}','fields':{'event':'{body.type}',"
                              "'resource_type':'|','gid':'{body.id}'},'dedupe':'body'," SAMPLES(
                                  "{'event':'a.b','body':{'type':'@EVENT@','id':1}}")),
                   NULL);
}

static void a_sample_that_goes_to_no_path_of_the_source_is_told(void **state)
{
#define BY_URL(samples)                                                                        \
    OF("weavy", "'verify':'none','fields':{'gid':'|','delivery_id':'{body.id}'},'events':{'"   \
                "paid':'order.paid'}," SAMPLES(samples))
    (void)state;
    assert_checked(BY_URL("{'event':'order.paid','body':{}}"), NULL);
    assert_checked(BY_URL("{'event':'order.paid','url':'/paid','body':{}}"), NULL);
    assert_checked(BY_URL("{'event':'order.lost','body':{}}"), "sources[0].samples[0]");
    assert_checked(BY_URL("{'event':'order.paid','url':'lost','body':{}}"),
                   "sources[0].samples[0]");
}

static void a_sample_of_a_challenge_need_not_be_an_event(void **state)
{
    (void)state;
    assert_checked(CUSTOM("'challenge':{'field':'type','value':'ping','echo':'say'}," SAMPLES(
                       "{'event':'ping','body':{'type':'ping','say':'x'}}")),
                   NULL);
}

/* Faults are told once, where they are. */
static void samples_of_a_source_with_faults_are_not_looked_at(void **state)
{
    (void)state;
    write_config(CUSTOM(SAMPLES("{'event':'a','body':{}}") ",'qos':9"));
    assert_int_equal(config_check(config_path, &faults), ST_INVALID);
    assert_int_equal(faults.count, 1);
    assert_found(false, "sources[0].qos");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_that_is_read_as_it_says_is_no_finding),
        cmocka_unit_test(what_is_read_in_a_sample_is_what_the_sample_says),
        cmocka_unit_test(a_sample_that_makes_no_event_is_told_with_the_reason),
        cmocka_unit_test(a_time_that_cannot_be_read_is_told),
        cmocka_unit_test(a_sample_is_read_with_its_headers_and_its_url),
        cmocka_unit_test(the_signatures_own_headers_are_there),
        cmocka_unit_test(a_header_that_the_signature_brings_too_is_told),
        cmocka_unit_test(where_there_is_no_type_none_is_asked_for),
        cmocka_unit_test(a_sample_that_goes_to_no_path_of_the_source_is_told),
        cmocka_unit_test(a_sample_of_a_challenge_need_not_be_an_event),
        cmocka_unit_test(samples_of_a_source_with_faults_are_not_looked_at),
    };

    return cmocka_run_group_tests_name("config_samples", tests, set_up, tear_down);
}
