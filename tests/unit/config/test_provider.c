/*
 * What a source says otherwise about its provider.
 */
#include "tests/unit/lib/config_fixture.h"

#define OF(provider, path, settings)                                                           \
    "{'sources':[{'name':'p','provider':'" provider "','path':'" path "'," settings "}]}"
#define GITHUB(settings)  OF("github", "/p", SECRETS "," settings)
#define STRIPE(settings)  OF("stripe", "/p", SECRETS "," settings)
#define RICLOUD(settings) OF("ricloud", "/p", SECRETS "," settings)
#define SIGNATURE(values) "'signature':{" values "}"
#define FIELDS            "'fields':{'event':'{body.type}','gid':'{body.id}'}"
#define CUSTOM(settings)  OF("custom", "/p", SECRETS ",'dedupe':'body'," FIELDS "," settings)
#define SIGNED                                                                                 \
    SIGNATURE("'scheme':'hmac','algorithm':'sha256','form':'plain','encoding':'hex',"          \
              "'key':'text','header':'X-S','message':'{body}'")
#define SECRET_PATH              "/p/2b7e151628aed2a6"
#define OPEN(provider, settings) OF(provider, SECRET_PATH, "'verify':'none'," settings)

static const struct provider *merged(void)
{
    return config->sources[0].provider;
}

static void assert_same_text(const char *a, const char *b)
{
    if (a && b) {
        assert_string_equal(a, b);
    } else {
        assert_ptr_equal(a, b);
    }
}

static void assert_same_signature(const struct provider_signature *a,
                                  const struct provider_signature *b)
{
    assert_int_equal(a->scheme, b->scheme);
    assert_int_equal(a->algorithm, b->algorithm);
    assert_int_equal(a->form, b->form);
    assert_int_equal(a->encoding, b->encoding);
    assert_int_equal(a->key, b->key);
    assert_int_equal(a->skew, b->skew);
    assert_same_text(a->header, b->header);
    assert_same_text(a->mark, b->mark);
    assert_int_equal(a->separator, b->separator);
    assert_int_equal(a->ordered, b->ordered);
    assert_same_text(a->message, b->message);
    assert_same_text(a->timestamp_header, b->timestamp_header);
    assert_same_text(a->timestamp_key, b->timestamp_key);
    assert_int_equal(a->timestamp_format, b->timestamp_format);
    assert_int_equal(a->tolerance_ms, b->tolerance_ms);
    assert_same_text(a->id_header, b->id_header);
}

static void assert_same_fields(const struct provider *a, const struct provider *b)
{
    assert_same_text(a->fields.event, b->fields.event);
    assert_same_text(a->fields.resource_type, b->fields.resource_type);
    assert_same_text(a->fields.gid, b->fields.gid);
    assert_same_text(a->fields.delivery_id, b->fields.delivery_id);
    assert_same_text(a->fields.event_time, b->fields.event_time);
    assert_same_text(a->fields.deletion_event, b->fields.deletion_event);
    assert_same_text(a->challenge.field, b->challenge.field);
    assert_same_text(a->challenge.value, b->challenge.value);
    assert_same_text(a->challenge.echo, b->challenge.echo);
    assert_int_equal(a->takes_suffix, b->takes_suffix);
}

static void assert_same_samples(const struct provider_sample *a,
                                const struct provider_sample *b)
{
    for (; b->resource_type; a++, b++) {
        assert_string_equal(a->resource_type, b->resource_type);
        assert_string_equal(a->events[0], b->events[0]);
        assert_string_equal(a->body, b->body);
        assert_same_text(a->headers, b->headers);
        assert_same_text(a->gid_form, b->gid_form);
        assert_same_text(a->suffix, b->suffix);
    }
    assert_null(a->resource_type);
}

/* The preset */

static void what_is_not_set_is_as_in_the_preset(void **state)
{
    const struct provider *row;

    (void)state;
    for (size_t i = 0; (row = preset_at(i)); i++) {
        char text[512];

        if (row->signature.scheme == SCHEME_UNSET || row->signature.scheme == SCHEME_NONE ||
            row->signature.key != KEY_TEXT) {
            continue; /* those need more to be said */
        }
        (void)snprintf(text, sizeof(text),
                       "{'sources':[{'name':'p','provider':'%s','path':'/p'," SECRETS "}]}",
                       row->name);
        assert_no_finding(text);
        assert_string_equal(config->sources[0].preset->name, row->name);
        assert_same_signature(&merged()->signature, &row->signature);
        assert_same_fields(merged(), row);
        assert_string_equal(merged()->name, row->name);
        assert_same_samples(merged()->samples, row->samples);
        assert_string_equal(config->sources[0].topic, row->topic);
    }
}

static void a_provider_can_be_described_in_the_configuration_alone(void **state)
{
    (void)state;
    load_good(
        OF("custom", "/p",
           SECRETS
           ",'signature':{'scheme':'hmac','algorithm':'sha256',"
           "'form':'prefix','encoding':'hex','key':'text','header':'X-Hub-Signature-256',"
           "'mark':'sha256=','message':'{body}'},"
           "'fields':{'event':'{header.X-GitHub-Event}.{body.action}|"
           "{header.X-GitHub-Event}',"
           "'gid':'{body.repository.full_name}|{body.organization.login}|"
           "{body.enterprise.slug}|{body.installation.account.login}|"
           "{body.marketplace_purchase.account.login}|{body.sponsorship.sponsorable.login}|"
           "{body.account.login}|{body.security_advisory.ghsa_id}|{body.sender.login}|"
           "{body.hook_id}|','delivery_id':'{header.X-GitHub-Delivery}'},"
           "'topic':'github/{gid}'"));
    assert_found(true, "sources[0].fields.event");
    assert_same_signature(&merged()->signature, &preset("github")->signature);
    assert_same_fields(merged(), preset("github"));
    assert_string_equal(config->sources[0].topic, preset("github")->topic);
    assert_no_finding(OF(
        "custom", "/p",
        SECRETS ",'signature':{'scheme':'hmac','algorithm':'sha256','form':'pairs',"
                "'encoding':'base64','key':'text','header':'Ricloud-Signature','mark':'s',"
                "'ordered':true,'message':'{timestamp}.{body}','timestamp_key':'t',"
                "'tolerance':'10m','skew':'past'},"
                "'fields':{'event':'{body.type}.{body.action}','resource_type':'{body.type}',"
                "'gid':'{body.data.id}|','delivery_id':'{body.id}',"
                "'event_time':'{body.date_created}'},'path_suffix':true"));
    assert_same_signature(&merged()->signature, &preset("ricloud")->signature);
    assert_same_fields(merged(), preset("ricloud"));
}

static void a_single_value_is_put_over_the_preset_and_the_rest_stays(void **state)
{
    struct provider_signature expected = preset("stripe")->signature;

    (void)state;
    assert_no_finding(STRIPE("'signature':{'header':'X-Pay','tolerance':'1m','skew':'both'},"
                             "'fields':{'deletion_event':'*.gone'},"
                             "'challenge':{'field':'type','value':'ping','echo':'token'}"));
    expected.header = "X-Pay";
    expected.tolerance_ms = 60000;
    expected.skew = SKEW_BOTH;
    assert_same_signature(&merged()->signature, &expected);
    assert_string_equal(merged()->fields.deletion_event, "*.gone");
    assert_string_equal(merged()->fields.gid, preset("stripe")->fields.gid);
    assert_string_equal(merged()->challenge.echo, "token");
    assert_string_equal(merged()->name, "stripe");
    assert_string_equal(preset("stripe")->signature.header, "Stripe-Signature");
    assert_no_finding(
        OF("ricloud", "/p", SECRETS ",'path_suffix':false," SIGNATURE("'ordered':false")));
    assert_false(merged()->takes_suffix);
    assert_false(merged()->signature.ordered);
}

/* Of the row, what is there for the sake of something that is otherwise now. */
static void what_an_override_makes_meaningless_is_dropped(void **state)
{
    struct provider_signature token = {.scheme = SCHEME_TOKEN, .header = "X-Hub-Signature-256"};

    (void)state;
    load_good(GITHUB(SIGNATURE("'scheme':'token'")));
    assert_same_signature(&merged()->signature, &token);
    load_good(GITHUB(SIGNATURE("'form':'plain'")));
    assert_null(merged()->signature.mark);
    load_good(STRIPE(SIGNATURE("'message':'{body}'")));
    assert_null(merged()->signature.timestamp_key);
    assert_int_equal(merged()->signature.tolerance_ms, 0);
    assert_int_equal(merged()->signature.skew, SKEW_UNSET);
    load_good(STRIPE(SIGNATURE("'timestamp_header':'X-Time'")));
    assert_null(merged()->signature.timestamp_key);
    assert_string_equal(merged()->signature.timestamp_header, "X-Time");
    load_good(OF("slack", "/p",
                 SECRETS "," SIGNATURE("'form':'pairs','mark':'v1','timestamp_key':'t'")));
    assert_null(merged()->signature.timestamp_header);
    assert_string_equal(merged()->signature.timestamp_key, "t");
    load_good(OF("standard-webhooks", "/p",
                 SECRETS ",'topic':'t/{gid}'," SIGNATURE(
                     "'key':'text','message':'{timestamp}.{body}'")));
    assert_null(merged()->signature.id_header);
}

#define STANDARD(settings)                                                                     \
    OF("standard-webhooks", "/p", "'secrets':['${TEST_WHSEC}']," settings)
#define SVIX                                                                                   \
    "'header':'svix-signature','timestamp_header':'svix-timestamp','id_header':'svix-id'"

static void a_delivery_id_that_is_the_signed_id_stays_so_in_another_header(void **state)
{
    (void)state;
    assert_no_finding(STANDARD(SIGNATURE(SVIX)));
    assert_string_equal(merged()->fields.delivery_id, "{header.svix-id}");
    assert_string_equal(preset("standard-webhooks")->fields.delivery_id, "{header.webhook-id}");
    assert_no_finding(STANDARD(SIGNATURE(SVIX) ",'fields':{'delivery_id':'{body.id}'}"));
    assert_string_equal(merged()->fields.delivery_id, "{body.id}");
    assert_warning(STANDARD(SIGNATURE(SVIX) ",'fields':{'delivery_id':'|'}"),
                   "sources[0].dedupe");
    assert_string_equal(merged()->fields.delivery_id, "|");
    assert_no_finding(STANDARD(SIGNATURE("'header':'svix-signature'")));
    assert_string_equal(merged()->fields.delivery_id, "{header.webhook-id}");
}

/* Repeats */

enum { HOUR_MS = 3600000, DAY_MS = 24 * HOUR_MS };

static void assert_dedupe(const char *json, enum provider_dedupe mode, int64_t window_ms)
{
    load_good(json);
    assert_int_equal(config->sources[0].dedupe, mode);
    assert_int_equal(config->sources[0].dedupe_window_ms, window_ms);
}

static void each_provider_has_its_own_rule_for_repeats(void **state)
{
    (void)state;
    assert_dedupe(STANDARD("'qos':1"), DEDUPE_ID, 3 * DAY_MS);
    assert_dedupe(STRIPE("'qos':1"), DEDUPE_ID, 3 * DAY_MS);
    assert_dedupe(GITHUB("'qos':1"), DEDUPE_ID, 3 * DAY_MS);
    assert_dedupe(OF("shopify", "/p", SECRETS), DEDUPE_ID, 2 * DAY_MS);
    assert_dedupe(RICLOUD("'qos':1"), DEDUPE_ID, DAY_MS);
    assert_dedupe(OF("slack", "/p", SECRETS), DEDUPE_ID, HOUR_MS);
    assert_dedupe(OF("gitlab", "/p", SECRETS), DEDUPE_ID, DAY_MS);
    assert_dedupe(OF("gitea", "/p", SECRETS), DEDUPE_ID, DAY_MS);
    assert_dedupe(OF("creads", "/p", SECRETS), DEDUPE_BODY, DAY_MS);
    assert_dedupe(OF("weavy", "/p", "'verify':'none'"), DEDUPE_BODY, 600000);
}

#define WITH_ID "'fields':{'event':'{body.type}','gid':'{body.id}','delivery_id':'{body.n}'},"
#define WINDOW(window, source)                                                                 \
    "{'outbox':{'dedupe_window':'" window "'},'sources':[{'name':'p','path':'/p'," SECRETS     \
    "," source "}]}"

static void a_custom_provider_has_repeats_if_it_has_a_delivery_id(void **state)
{
    (void)state;
    assert_dedupe(OF("custom", "/p", SECRETS "," WITH_ID SIGNED), DEDUPE_ID, DAY_MS);
    assert_dedupe(OF("custom", "/p", SECRETS "," FIELDS "," SIGNED), DEDUPE_NONE, 600000);
    assert_dedupe(OF("custom", "/p", SECRETS "," FIELDS ",'dedupe':'body'," SIGNED),
                  DEDUPE_BODY, 600000);
    assert_dedupe(WINDOW("3h", "'provider':'custom'," WITH_ID SIGNED), DEDUPE_ID, 3 * HOUR_MS);
    assert_dedupe(WINDOW("3h", "'provider':'custom','dedupe':'body'," FIELDS "," SIGNED),
                  DEDUPE_BODY, 3 * HOUR_MS);
    assert_dedupe(WINDOW("3h", "'provider':'slack'"), DEDUPE_ID, HOUR_MS); /* its own */
}

static void a_source_decides_otherwise(void **state)
{
    (void)state;
    assert_dedupe(GITHUB("'dedupe':'body','dedupe_window':'5m'"), DEDUPE_BODY, 300000);
    assert_dedupe(OF("creads", "/p", SECRETS ",'fields':{'delivery_id':'{body.n}'}"), DEDUPE_ID,
                  DAY_MS);
    assert_dedupe(GITHUB("'fields':{'delivery_id':'|'}"), DEDUPE_NONE, 3 * DAY_MS);
    assert_dedupe(GITHUB("'fields':{'delivery_id':null}"), DEDUPE_NONE, 3 * DAY_MS);
    assert_dedupe(GITHUB("'dedupe_window':'0s'"), DEDUPE_NONE, 0);
    assert_fault(OF("creads", "/p", SECRETS ",'dedupe':'id'"), "sources[0].dedupe");
    assert_fault(GITHUB("'dedupe':'id','fields':{'delivery_id':'|'}"), "sources[0].dedupe");
    assert_fault(GITHUB("'dedupe':'header'"), "sources[0].dedupe");
}

static void what_can_repeat_or_swallow_is_warned_about(void **state)
{
    (void)state;
    assert_no_finding(OF("custom", "/p", SECRETS "," WITH_ID SIGNED));
    assert_warning(OF("custom", "/p", SECRETS "," FIELDS "," SIGNED), "sources[0].dedupe");
    assert_warning(GITHUB("'dedupe':'none'"), "sources[0].dedupe");
    assert_warning(GITHUB("'dedupe_window':'0s'"), "sources[0].dedupe_window");
    assert_warning(GITHUB("'dedupe':'body'"), "sources[0].dedupe"); /* may have no gid */
    assert_no_finding(OF("custom", "/p", SECRETS "," FIELDS ",'dedupe':'body'," SIGNED));
    assert_warning(OF("custom", "/p",
                      SECRETS
                      ",'fields':{'event':'{body.type}','gid':'|'},'dedupe':'body'," SIGNED),
                   "sources[0].dedupe");
}

/* Signatures */

static void a_signature_that_cannot_work_is_told_at_its_key(void **state)
{
    (void)state;
    assert_fault(CUSTOM(SIGNATURE("'header':'X-S'")), "sources[0].signature.scheme");
    assert_fault(GITHUB(SIGNATURE("'message':'nothing'")), "sources[0].signature.message");
    assert_fault(GITHUB(SIGNATURE("'form':'pairs'")), "sources[0].signature.mark");
    assert_fault(GITHUB(SIGNATURE("'timestamp_header':'X-T'")),
                 "sources[0].signature.timestamp_header");
    assert_fault(GITHUB(SIGNATURE("'scheme':'token','algorithm':'sha1'")),
                 "sources[0].signature.algorithm");
    assert_fault(STRIPE(SIGNATURE("'header':'X S'")), "sources[0].signature.header");
    assert_fault(STRIPE(SIGNATURE("'tolerance':'31d'")), "sources[0].signature.tolerance");
    assert_fault(STRIPE(SIGNATURE("'algorithm':'md5'")), "sources[0].signature.algorithm");
    assert_fault(STRIPE(SIGNATURE("'hedaer':'X'")), "sources[0].signature.hedaer");
    assert_fault(STRIPE("'signature':'hmac'"), "sources[0].signature");
    assert_fault(STRIPE(SIGNATURE("'ordered':'yes'")), "sources[0].signature.ordered");
}

static void all_faults_of_a_signature_are_told_in_one_run(void **state)
{
    (void)state;
    assert_int_equal(load(CUSTOM(SIGNATURE("'scheme':'hmac'"))), ST_INVALID);
    assert_found(false, "sources[0].signature.header");
    assert_found(false, "sources[0].signature.algorithm");
    assert_found(false, "sources[0].signature.form");
    assert_found(false, "sources[0].signature.encoding");
    assert_found(false, "sources[0].signature.key");
    assert_found(false, "sources[0].signature.message");
    assert_int_equal(faults.count, 6);
}

/* A value that cannot be read is no missing one, and nothing is concluded from it; a key that
 * is not known may be meant for any that is missing. */
static void beside_what_cannot_be_read_only_what_is_missing_is_told(void **state)
{
    (void)state;
    assert_int_equal(load(CUSTOM(SIGNATURE("'scheme':'hmac','algorithm':'md5','form':'pears',"
                                           "'mark':'v=1','timestamp_key':'t',"
                                           "'encoding':'hex','key':'text'"))),
                     ST_INVALID);
    assert_found(false, "sources[0].signature.algorithm");
    assert_found(false, "sources[0].signature.form");
    assert_found(false, "sources[0].signature.header");
    assert_found(false, "sources[0].signature.message");
    assert_int_equal(faults.count, 4);
    assert_fault(STRIPE(SIGNATURE("'timestamp_key':'','timestamp_header':'X-T'")),
                 "sources[0].signature.timestamp_key");
    assert_fault(CUSTOM(SIGNATURE("'sceme':'hmac'")), "sources[0].signature.sceme");
    assert_fault(CUSTOM(SIGNATURE("'scheme':'hmac','formm':'plain'")),
                 "sources[0].signature.formm");
    assert_fault(CUSTOM(SIGNATURE("'scheme':'hmca'")), "sources[0].signature.scheme");
}

static void a_mark_that_names_another_algorithm_is_told(void **state)
{
    (void)state;
    assert_fault(GITHUB(SIGNATURE("'algorithm':'sha1','header':'X-Hub-Signature'")),
                 "sources[0].signature.mark");
    assert_no_finding(
        GITHUB(SIGNATURE("'algorithm':'sha1','header':'X-Hub-Signature','mark':'sha1='")));
}

static void timestamps_and_separators_can_be_others(void **state)
{
    (void)state;
    assert_no_finding(STRIPE(SIGNATURE("'separator':';','timestamp_format':'milliseconds'")));
    assert_int_equal(merged()->signature.separator, ';');
    assert_int_equal(merged()->signature.timestamp_format, TIMESTAMP_MILLISECONDS);
    assert_no_finding(OF("slack", "/p", SECRETS "," SIGNATURE("'timestamp_format':'rfc3339'")));
    assert_int_equal(merged()->signature.timestamp_format, TIMESTAMP_RFC3339);
    assert_fault(GITHUB(SIGNATURE("'separator':';'")), "sources[0].signature.separator");
    assert_fault(GITHUB(SIGNATURE("'timestamp_format':'rfc3339'")),
                 "sources[0].signature.timestamp_format");
    assert_fault(STRIPE(SIGNATURE("'separator':', '")), "sources[0].signature.separator");
    assert_fault(STRIPE(SIGNATURE("'separator':' and '")), "sources[0].signature.separator");
    assert_no_finding(STRIPE(SIGNATURE("'message':'{timestamp}{body}'")));
    assert_fault(STRIPE(SIGNATURE("'message':'{timestamp}{body}','tolerance':'0s'")),
                 "sources[0].signature.tolerance");
}

/* What a row without timestamps has there would take any age. */
static void a_new_timestamp_needs_a_tolerance_of_its_own(void **state)
{
    (void)state;
    assert_fault(GITHUB(SIGNATURE("'message':'{timestamp}.{body}','timestamp_header':'X-T',"
                                  "'skew':'both'")),
                 "sources[0].signature.tolerance");
    assert_fault(CUSTOM(SIGNATURE("'scheme':'hmac','algorithm':'sha1','form':'plain',"
                                  "'encoding':'hex','key':'text','header':'X-S',"
                                  "'message':'{timestamp}.{body}','timestamp_header':'X-T',"
                                  "'skew':'past'")),
                 "sources[0].signature.tolerance");
    assert_warning(GITHUB(SIGNATURE("'message':'{timestamp}.{body}','timestamp_header':"
                                    "'X-T','tolerance':'0s'")),
                   "sources[0].signature.tolerance");
}

static void a_secret_that_is_no_key_is_told_at_its_place(void **state)
{
    (void)state;
    assert_fault(
        OF("standard-webhooks", "/p", "'secrets':['${TEST_WHSEC}','whsec_${TEST_HOST}!']"),
        "sources[0].secrets[1]");
    assert_null(strstr(faults.items[0].text, "broker"));
    assert_no_finding(OF("standard-webhooks", "/p", "'secrets':['${TEST_WHSEC}']"));
}

static void verifying_nothing_must_be_said(void **state)
{
    (void)state;
    assert_fault("{'sources':[{" BASICS "}]}", "sources[0].secrets");
    assert_fault("{'sources':[{'name':'p','provider':'weavy','path':'" SECRET_PATH "'}]}",
                 "sources[0].verify");
    assert_fault(GITHUB(SIGNATURE("'scheme':'none'")), "sources[0].verify");
    assert_found(true, "sources[0].secrets");
    assert_fault(OF("custom", "/p", SECRETS "," FIELDS), "sources[0].signature");
    load_good(OPEN("creads", SECRETS "," SIGNATURE("'header':'X'")));
    assert_found(true, "sources[0].secrets");
    assert_found(true, "sources[0].signature");
    assert_int_equal(merged()->signature.scheme, SCHEME_NONE);
    assert_null(merged()->signature.header);
}

static void assert_guessable(const char *path, bool expected)
{
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "{'sources':[{'name':'p','provider':'weavy','path':'%s','verify':'none'}]}",
                   path);
    load_good(text);
    assert_int_equal(faults.count, expected);
    if (expected) {
        assert_found(true, "sources[0].path");
    }
}

static void where_nothing_is_verified_the_path_must_be_hard_to_guess(void **state)
{
    (void)state;
    assert_guessable("/webhooks/weavy", true);
    assert_guessable("/webhooks-of-our-partners/customers", true);
    assert_guessable("/webhooks-of-our-partners-2024", true);
    assert_guessable("/2b7e1516/28aed2a6", true);
    assert_guessable("/weavy/2b7e151628aed2a6", false);
    assert_guessable("/0b2f4d6e-8a1c-4e3f-9b7d-5c6a7e8f9012/weavy", false);
    assert_guessable("/x/Vq9-hT_kLz3mWbYcT8", false);
    assert_warning(OPEN("creads", "'qos':1"), "sources[0].verify");
}

/* Fields */

static void a_field_that_cannot_be_read_is_told_at_its_key(void **state)
{
    (void)state;
    assert_int_equal(load(OF("custom", "/p", SECRETS "," SIGNED)), ST_INVALID);
    assert_found(false, "sources[0].fields.event");
    assert_found(false, "sources[0].fields.gid");
    assert_int_equal(faults.count, 2);
    assert_fault(GITHUB("'fields':{'event':'{boddy.x}'}"), "sources[0].fields.event");
    assert_fault(GITHUB("'fields':{'gid':'{body.x'}"), "sources[0].fields.gid");
    assert_fault(GITHUB("'fields':{'gid':''}"), "sources[0].fields.gid");
    assert_no_finding(GITHUB("'fields':{'gid':'|'}"));
    assert_fault(GITHUB("'fields':{'gid':'$.order.id'}"), "sources[0].fields.gid");
    assert_fault(GITHUB("'fields':{'delivery_id':'id'}"), "sources[0].fields.delivery_id");
    assert_fault(GITHUB("'topic':'a/{body.items[0].id}'"), "sources[0].topic");
    assert_fault(GITHUB("'fields':{'id':'x'}"), "sources[0].fields.id");
    assert_fault(GITHUB("'challenge':{'field':'type','value':'ping'}"),
                 "sources[0].challenge.echo");
    assert_fault(GITHUB("'challenge':{'field':'a..b','value':'ping','echo':'x'}"),
                 "sources[0].challenge.field");
}

static void all_faults_of_fields_are_told_in_one_run(void **state)
{
    (void)state;
    assert_int_equal(
        load(GITHUB("'fields':{'event':'body.event','gid':'{body.x','delivery_id':'id',"
                    "'event_time':'{boddy.x}','deletion_event':'*'},"
                    "'challenge':{'field':'{x}','value':'ping','echo':'x'}")),
        ST_INVALID);
    assert_found(false, "sources[0].fields.event");
    assert_found(false, "sources[0].fields.gid");
    assert_found(false, "sources[0].fields.delivery_id");
    assert_found(false, "sources[0].fields.event_time");
    assert_found(false, "sources[0].fields.deletion_event");
    assert_found(false, "sources[0].challenge.field");
    assert_int_equal(faults.error_count, 6);
}

static void what_the_signature_does_not_cover_is_told_where_a_topic_uses_it(void **state)
{
    (void)state;
    assert_warning(GITHUB("'topic':'g/{event}/{gid}'"), "sources[0].topic");
    assert_warning(GITHUB("'state_topic':'g/{type}/{action}'"), "sources[0].state_topic");
    assert_no_finding(GITHUB("'topic':'g/{body.action}/{gid}/{id}/{source}'"));
    /* The header of a token is worth as much as what stands beside it. */
    assert_no_finding(OF("gitlab", "/p", SECRETS ",'topic':'g/{event}/{gid}'"));
    assert_no_finding(OPEN("weavy", "'topic':'w/{event}/{gid}'"));
}

static void a_topic_that_is_not_said_never_holds_what_is_not_signed(void **state)
{
    (void)state;
    assert_no_finding(CUSTOM(SIGNED));
    assert_string_equal(config->sources[0].topic, "{source}/{event}/{gid}");
    assert_fault(OF("custom", "/p",
                    SECRETS "," SIGNED
                            ",'fields':{'event':'{header.X-Event}','gid':'{body.id}'}"),
                 "sources[0].topic");
    assert_fault(GITHUB("'fields':{'gid':'{header.X-Id}'}"), "sources[0].topic");
}

static void trusting_what_is_not_signed_is_told(void **state)
{
    (void)state;
    assert_no_finding(GITHUB("'trust_unsigned':false"));
    assert_warning(GITHUB("'trust_unsigned':true"), "sources[0].trust_unsigned");
    assert_warning(OF("stripe", "/p", SECRETS ",'trust_unsigned':true"),
                   "sources[0].trust_unsigned");
    assert_warning(WITH_SOURCE("'trust_unsigned':true"), "sources[0].trust_unsigned");
}

/* Events of the URL */

#define EVENTS(pairs) "'events':{" pairs "}"

static void a_time_that_is_not_signed_is_told(void **state)
{
    (void)state;
    assert_warning(GITHUB("'fields':{'event_time':'{header.X-Time}'}"),
                   "sources[0].fields.event_time");
    load_good(GITHUB("'trust_unsigned':true,'fields':{'event_time':'{header.X-Time}'}"));
    assert_false(found(true, "sources[0].fields.event_time"));
}

static void the_event_of_a_url_is_said_by_what_follows_the_path(void **state)
{
    const struct provider_url_event *event;

    (void)state;
    assert_no_finding(OPEN("weavy", EVENTS("'new-customer':'NewCustomer','/a/b':'NewDeal',"
                                           "'" SECRET_PATH "/c':'New Prospect',"
                                           "'" SECRET_PATH "':'NewSuspect'")));
    event = merged()->url_events;
    assert_string_equal(event[0].suffix, "new-customer");
    assert_string_equal(event[0].event, "NewCustomer");
    assert_string_equal(event[1].suffix, "a/b");
    assert_string_equal(event[2].suffix, "c");
    assert_string_equal(event[2].event, "New Prospect");
    assert_string_equal(event[3].suffix, "");
    assert_null(event[4].suffix);
    load_good(CUSTOM(SIGNED ",'topic':'t/{gid}','events':{'x':'X'}"));
    assert_true(merged()->takes_suffix);
    load_good(OPEN("weavy", "'qos':1"));
    assert_null(merged()->url_events);
}

static void events_that_cannot_be_told_apart_are_faults(void **state)
{
    (void)state;
    assert_fault(OPEN("weavy", EVENTS("'a':'A','/a':'B'")), "sources[0].events.\"/a\"");
    assert_fault(OPEN("weavy", EVENTS("'a?b':'A'")), "sources[0].events.\"a?b\"");
    assert_fault(OPEN("weavy", EVENTS("'':'A'")), "sources[0].events.\"\"");
    assert_fault(OPEN("weavy", EVENTS("'/':'A'")), "sources[0].events.\"/\"");
    assert_fault(OPEN("weavy", EVENTS("'a':''")), "sources[0].events.a");
    assert_fault(OPEN("weavy", EVENTS("'a':1")), "sources[0].events.a");
    assert_fault(OPEN("weavy", EVENTS("'a':'x\\ny'")), "sources[0].events.a");
    assert_fault(OPEN("weavy", EVENTS("")), "sources[0].events");
    assert_fault(OPEN("weavy", "'events':['a']"), "sources[0].events");
    assert_fault(OPEN("weavy", EVENTS("'a':'A'") ",'path_suffix':false"),
                 "sources[0].path_suffix");
    assert_fault(OPEN("weavy", "'path_suffix':false"), "sources[0].fields.event");
    assert_warning(STRIPE(EVENTS("'a':'A'")), "sources[0].events");
}

#define WEAVY_AND(path)                                                                        \
    "{'sources':[" SOURCE ",{'name':'w','provider':'weavy','path':'" SECRET_PATH               \
    "','verify':'none','events':{'a':'A'}},{'name':'q','provider':'creads','path':'" path      \
    "'," SECRETS "}]}"

static void a_source_below_another_ones_path_must_not_take_its_events(void **state)
{
    (void)state;
    assert_no_finding(WEAVY_AND(SECRET_PATH "/b"));
    assert_fault(WEAVY_AND(SECRET_PATH "/a"), "sources[2].path");
}

/* Samples */

#define SAMPLE(more) "'samples':[{'event':'order.paid','body':{}" more "}]"

static void samples_replace_those_of_the_provider(void **state)
{
    const struct provider_sample *sample;

    (void)state;
    assert_no_finding(
        CUSTOM(SIGNED ",'path_suffix':true,'samples':["
                      "{'event':'order.paid','resource_type':'order','gid_form':'o-####',"
                      "'headers':{'X-A':'@EVENT@','X-B':'b'},'url':'@UUID@',"
                      "'body':{'id':'@GID@','path':'a/b','list':[1,2.50,true,null]}},"
                      "{'event':'invoice.late.sent','body':{}},{'event':'ping','body':{}}]"));
    sample = merged()->samples;
    assert_string_equal(sample[0].resource_type, "order");
    assert_string_equal(sample[0].events[0], "order.paid");
    assert_null(sample[0].events[1]);
    assert_string_equal(sample[0].gid_form, "o-####");
    assert_string_equal(sample[0].headers, "X-A: @EVENT@\nX-B: b");
    assert_string_equal(sample[0].suffix, "@UUID@");
    assert_string_equal(sample[0].body,
                        "{\"id\":\"@GID@\",\"path\":\"a/b\",\"list\":[1,2.50,true,null]}");
    assert_string_equal(sample[1].resource_type, "invoice.late");
    assert_null(sample[1].headers);
    assert_string_equal(sample[2].resource_type, "ping");
    assert_null(sample[3].resource_type);
    assert_no_finding(GITHUB(SAMPLE("")));
    assert_string_equal(merged()->samples[0].events[0], "order.paid");
    assert_non_null(strstr(merged()->samples[0].headers, "X-GitHub-Event: @TYPE@"));
}

static void a_sample_that_cannot_be_sent_is_told_at_its_key(void **state)
{
    (void)state;
    assert_int_equal(load(STRIPE("'sample_defaults':null,'samples':[{}]")), ST_INVALID);
    assert_found(false, "sources[0].samples[0].event");
    assert_found(false, "sources[0].samples[0].body");
    assert_int_equal(faults.count, 2);
    assert_fault(STRIPE("'samples':[]"), "sources[0].samples");
    assert_fault(STRIPE("'samples':{}"), "sources[0].samples");
    assert_fault(STRIPE("'samples':[7]"), "sources[0].samples[0]");
    assert_fault(STRIPE("'samples':[{'event':'e','body':'{}'}]"), "sources[0].samples[0].body");
    assert_fault(STRIPE(SAMPLE(",'gid_form':'fixed'")), "sources[0].samples[0].gid_form");
    assert_fault(STRIPE(SAMPLE(",'gid_form':'#################################'")),
                 "sources[0].samples[0].gid_form");
    assert_fault(STRIPE(SAMPLE(",'headers':{'X A':'b'}")),
                 "sources[0].samples[0].headers.\"X A\"");
    assert_fault(STRIPE(SAMPLE(",'headers':{'X-A':'b\\r\\nX-B: c'}")),
                 "sources[0].samples[0].headers.X-A");
    assert_fault(STRIPE(SAMPLE(",'url':'x'")), "sources[0].samples[0].url");
    assert_fault(STRIPE(SAMPLE(",'bdy':{}")), "sources[0].samples[0].bdy");
}

/* The API */

static void the_token_never_travels_in_clear(void **state)
{
    (void)state;
    assert_fault(RICLOUD("'api':{'url':'http://api.example'}"), "sources[0].api.url");
    assert_fault(RICLOUD("'api':{'url':'http://10.0.0.1:8000/v1'}"), "sources[0].api.url");
    assert_fault(RICLOUD("'api':{'url':'http://localhost.example'}"), "sources[0].api.url");
    assert_no_finding(RICLOUD("'api':{'url':'http://127.0.0.1:8000/v1'}"));
    assert_no_finding(RICLOUD("'api':{'url':'http://[::1]:8000'}"));
    assert_no_finding(RICLOUD("'api':{'url':'http://localhost'}"));
    assert_no_finding(RICLOUD("'api':{'url':'https://api.example/v1'}"));
}

static void a_url_is_one_of_http(void **state)
{
    (void)state;
    assert_fault(STRIPE("'public_url':'ftp://x'"), "sources[0].public_url");
    assert_fault(STRIPE("'public_url':'https://'"), "sources[0].public_url");
    assert_fault(STRIPE("'public_url':'https://x:0/y'"), "sources[0].public_url");
    assert_fault(STRIPE("'public_url':'https://x/y?z'"), "sources[0].public_url");
    assert_fault(STRIPE("'public_url':'https://x?z'"), "sources[0].public_url");
    assert_fault(STRIPE("'public_url':'https://me:hush@x/'"), "sources[0].public_url");
    assert_null(strstr(faults.items[0].text, "hush"));
    assert_no_finding(STRIPE("'public_url':'https://x.example:8443/y///'"));
    assert_string_equal(config->sources[0].public_url, "https://x.example:8443/y");
    assert_no_finding(STRIPE("'public_url':'http://[2001:db8::1]/y'"));
}

/* The bridge runs without what only `provider …` needs. */
static void what_only_commands_need_may_be_missing(void **state)
{
    (void)state;
    assert_warning(RICLOUD("'api':{'token':{'env':'TEST_UNSET'}}"), "sources[0].api.token.env");
    assert_warning(RICLOUD("'api':{'password':{'file':'/nonexistent'}}"),
                   "sources[0].api.password.file");
    assert_warning(RICLOUD("'api':{'ca_file':'/nonexistent'}"), "sources[0].api.ca_file");
    assert_fault(RICLOUD("'api':{'token':{'evn':'X'}}"), "sources[0].api.token.evn");
}

static void an_api_that_nobody_calls_is_told(void **state)
{
    (void)state;
    assert_warning(STRIPE("'api':{'token':{'env':'TEST_SECRET'}}"), "sources[0].api");
    assert_no_finding(STRIPE("'api':{'state_file':'x'}"));
}

/* What lets a delivery in can be read on its way there. */
static void a_public_url_in_clear_is_told_where_no_signature_protects(void **state)
{
    (void)state;
    assert_no_finding(STRIPE("'public_url':'http://bridge.example/p'"));
    assert_warning(OF("gitlab", "/p", SECRETS ",'public_url':'http://bridge.example/p'"),
                   "sources[0].public_url");
    assert_warning(OPEN("weavy", "'public_url':'http://bridge.example/p'"),
                   "sources[0].public_url");
    assert_no_finding(OPEN("weavy", "'public_url':'http://127.0.0.1:8080/p'"));
}

static void what_the_api_hands_out_is_kept_beside_the_outbox(void **state)
{
    (void)state;
    load_good("{'outbox':{'path':'/srv/h/o.db'}," SOURCES "}");
    assert_string_equal(config->sources[0].api.state_file, "/srv/h/p.provider.json");
    load_good("{'outbox':{'path':'o.db'}," SOURCES "}");
    assert_string_equal(config->sources[0].api.state_file, "./p.provider.json");
    load_good(RICLOUD("'api':{'state_file':'x.json'}"));
    assert_string_equal(config->sources[0].api.state_file, "x.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_set_is_as_in_the_preset),
        cmocka_unit_test(a_provider_can_be_described_in_the_configuration_alone),
        cmocka_unit_test(a_single_value_is_put_over_the_preset_and_the_rest_stays),
        cmocka_unit_test(what_an_override_makes_meaningless_is_dropped),
        cmocka_unit_test(a_delivery_id_that_is_the_signed_id_stays_so_in_another_header),
        cmocka_unit_test(each_provider_has_its_own_rule_for_repeats),
        cmocka_unit_test(a_custom_provider_has_repeats_if_it_has_a_delivery_id),
        cmocka_unit_test(a_source_decides_otherwise),
        cmocka_unit_test(what_can_repeat_or_swallow_is_warned_about),
        cmocka_unit_test(a_signature_that_cannot_work_is_told_at_its_key),
        cmocka_unit_test(all_faults_of_a_signature_are_told_in_one_run),
        cmocka_unit_test(beside_what_cannot_be_read_only_what_is_missing_is_told),
        cmocka_unit_test(a_mark_that_names_another_algorithm_is_told),
        cmocka_unit_test(timestamps_and_separators_can_be_others),
        cmocka_unit_test(a_new_timestamp_needs_a_tolerance_of_its_own),
        cmocka_unit_test(a_secret_that_is_no_key_is_told_at_its_place),
        cmocka_unit_test(verifying_nothing_must_be_said),
        cmocka_unit_test(where_nothing_is_verified_the_path_must_be_hard_to_guess),
        cmocka_unit_test(a_field_that_cannot_be_read_is_told_at_its_key),
        cmocka_unit_test(all_faults_of_fields_are_told_in_one_run),
        cmocka_unit_test(what_the_signature_does_not_cover_is_told_where_a_topic_uses_it),
        cmocka_unit_test(a_topic_that_is_not_said_never_holds_what_is_not_signed),
        cmocka_unit_test(trusting_what_is_not_signed_is_told),
        cmocka_unit_test(a_time_that_is_not_signed_is_told),
        cmocka_unit_test(the_event_of_a_url_is_said_by_what_follows_the_path),
        cmocka_unit_test(events_that_cannot_be_told_apart_are_faults),
        cmocka_unit_test(a_source_below_another_ones_path_must_not_take_its_events),
        cmocka_unit_test(samples_replace_those_of_the_provider),
        cmocka_unit_test(a_sample_that_cannot_be_sent_is_told_at_its_key),
        cmocka_unit_test(the_token_never_travels_in_clear),
        cmocka_unit_test(a_url_is_one_of_http),
        cmocka_unit_test(what_only_commands_need_may_be_missing),
        cmocka_unit_test(an_api_that_nobody_calls_is_told),
        cmocka_unit_test(a_public_url_in_clear_is_told_where_no_signature_protects),
        cmocka_unit_test(what_the_api_hands_out_is_kept_beside_the_outbox),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
