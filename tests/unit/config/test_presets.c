/*
 * The presets, checked as a user's file would be; and written by a user, as a source of
 * provider "custom".
 */
#include "tests/unit/lib/config_fixture.h"

#include "bridge/verify/verify.h"

#include "tests/unit/lib/verify_delivery.h"

enum { NOW_S = 1770107400 };
#define ID  "0b2f4d6e-8a1c-4e3f-9b7d-5c6a7e8f9012"
#define GID "559befeeab59f"

/* A configuration whose only source is this preset's file with the keys that each source needs
 * put into it. */
static void write_as_custom(const struct provider_preset *preset, const char *name)
{
    bool is_open = strcmp(preset->name, "weavy") == 0;
    const char *object =
        preset->text[0] == '{' ? preset->text : strstr(preset->text, "\n{") + 1;
    struct buf text = {0};

    forget();
    buf_addf(&text, "{\"outbox\": {\"path\": \"/tmp/o.db\"}, \"sources\": [");
    buf_add(&text, preset->text, (size_t)(object - preset->text));
    buf_addf(
        &text, "{\"name\": \"p\", \"provider\": \"%s\", \"path\": \"/p/2b7e151628aed2a6\", %s,",
        name, is_open ? "\"verify\": \"none\"" : "\"secrets\": [{\"env\": \"TEST_WHSEC\"}]");
    buf_add_str(&text, object + 1);
    buf_add_str(&text, "]}");
    write_file(config_path, text.data, text.len);
    buf_free(&text);
}

/* A source that sets all itself is warned about what it means then, but not about its samples
 * or topics. */
static void assert_samples_are_good(const char *name)
{
    for (size_t i = 0; i < faults.count; i++) {
        const char *path = faults.items[i].path;

        if (!faults.items[i].warning || strstr(path, "samples") || strstr(path, "topic")) {
            print_findings();
            fail_msg("%s: %s", name, path);
        }
    }
}

static void a_preset_is_sound_as_a_users_file_would_have_to_be(void **state)
{
    (void)state;
    for (const struct provider_preset *embedded = provider_presets; embedded->name;
         embedded++) {
        const struct provider *provider = preset(embedded->name);

        assert_non_null(provider->title);
        assert_non_null(provider->gid_form);
        if (strcmp(embedded->name, "custom") == 0) {
            continue; /* it has no fields */
        }
        write_as_custom(embedded, "custom");
        assert_int_equal(config_check(config_path, &faults), ST_OK);
        assert_samples_are_good(embedded->name);
        write_as_custom(embedded, embedded->name);
        assert_int_equal(config_check(config_path, &faults), ST_OK);
        assert_samples_are_good(embedded->name);
    }
}

static struct verifier *verifier_of(const struct provider *provider)
{
    struct slice secret = slice_of(getenv("TEST_WHSEC"));
    struct verifier *verifier = NULL;
    struct err err = {0};

    assert_int_equal(verifier_create(&provider->signature, &secret, 1, &verifier, &err), ST_OK);
    return verifier;
}

static struct parser *parser_of(const struct provider *provider)
{
    struct parser *parser = NULL;
    struct err err = {0};
    const char *key;

    assert_int_equal(parser_create(provider, &parser, &key, &err), ST_OK);
    return parser;
}

static void assert_same_event(const struct provider *preset, const struct provider *custom,
                              const struct delivery *delivery)
{
    struct parser *parsers[] = {parser_of(preset), parser_of(custom)};
    struct parsed parsed[2];

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(parser_read(parsers[i], delivery, NULL, &parsed[i]), ST_OK);
    }
    assert_true(slice_equal(parsed[0].event, parsed[1].event));
    assert_true(slice_equal(parsed[0].resource_type, parsed[1].resource_type));
    assert_true(slice_equal(parsed[0].gid, parsed[1].gid));
    assert_true(slice_equal(parsed[0].delivery_id, parsed[1].delivery_id));
    assert_int_equal(parsed[0].event_ms, parsed[1].event_ms);
    assert_int_equal(parsed[0].deletion, parsed[1].deletion);
    for (size_t i = 0; i < 2; i++) {
        parsed_fini(&parsed[i]);
        parser_destroy(parsers[i]);
    }
}

/* Made and signed as the preset does it, checked and read as the custom provider does. */
static void check_delivery(const struct provider *preset, const struct provider *custom,
                           const struct provider_sample *sample, const char *event)
{
    const struct provider_sample_values values = {event, GID, ID, NOW_S * INT64_C(1000), 1};
    struct verifier *signer = verifier_of(preset), *verifier = verifier_of(custom);
    struct provider_made made = {0};
    struct slice lines;
    struct delivery delivery = {
        .received_ms = values.now_ms, .header = find_header, .ctx = &lines};

    provider_make(preset, sample, &values, &made);
    delivery.body = buf_slice(&made.body);
    delivery.suffix = made.suffix.len > 0 ? buf_slice(&made.suffix) : SLICE_NONE;
    buf_add_str(&made.headers, made.headers.len > 0 ? "\n" : "");
    assert_int_equal(verifier_sign(signer, delivery.body, NOW_S, SLICE(ID), &made.headers),
                     ST_OK);
    lines = buf_slice(&made.headers);
    assert_int_equal(verifier_check(verifier, &delivery, NULL), ST_OK);
    assert_true(provider_url_takes(custom, delivery.suffix));
    assert_same_event(preset, custom, &delivery);
    verifier_destroy(signer);
    verifier_destroy(verifier);
    provider_made_fini(&made);
}

static void a_preset_written_by_a_user_takes_the_same_deliveries(void **state)
{
    size_t count = 0;

    (void)state;
    for (const struct provider_preset *embedded = provider_presets; embedded->name;
         embedded++) {
        const struct provider *provider = preset(embedded->name);
        const struct provider_sample *sample = provider->samples;

        if (!sample) {
            continue;
        }
        write_as_custom(embedded, "custom");
        assert_int_equal(config_load(config_path, &config, &faults), ST_OK);
        assert_string_equal(config->sources[0].topic, provider->topic);
        for (; sample->resource_type; sample++) {
            for (const char *const *event = sample->events; *event; event++, count++) {
                check_delivery(provider, config->sources[0].provider, sample, *event);
            }
        }
    }
    assert_true(count > 100);
}

static void faults_of_a_preset_are_found_at_their_path(void **state)
{
    static const struct {
        const char *text, *path;
    } cases[] = {
        {"{'title':'a','secrets':[]}", "secrets"},
        {"{'title':'a','name':'b'}", "name"},
        {"{'provider':'github'}", "provider"},
        {"{'signature':{'scheme':'hmca'}}", "signature.scheme"},
        {"{'signature':{'tolerance':'31d'}}", "signature.tolerance"},
        {"{'fields':{'gid':'a','gid':'b'}}", "fields.gid"},
        {"{'topic':'a/{b}'}", "topic"},
        {"{'samples':[{'event':'a'}]}", "samples[0].body"},
        {"{'sample_defaults':{'body':7},'samples':[{'event':'a','body':{}}]}",
         "sample_defaults.body"},
        {"{'title':", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256];
        struct provider_preset odd = {"x", text};

        forget();
        (void)snprintf(text, sizeof(text), "%s", cases[i].text);
        for (char *c = text; *c != '\0'; c++) {
            *c = *c == '\'' ? '"' : *c;
        }
        config_preset_destroy(config_preset_create(&odd, &faults));
        if (faults.error_count != 1 || strcmp(faults.items[0].path, cases[i].path) != 0) {
            print_findings();
            fail_msg("%s", text);
        }
    }
}

/* RFC 7396 */

#define OF(provider, settings)                                                                 \
    "{'sources':[{'name':'p','provider':'" provider "','path':'/p'," SECRETS "," settings "}]" \
    "}"

static void null_takes_a_presets_value_out(void **state)
{
    const struct provider *merged;

    (void)state;
    assert_no_finding(OF("slack", "'challenge':null,'fields':{'event_time':null}"));
    merged = config->sources[0].provider;
    assert_null(merged->challenge.field);
    assert_null(merged->fields.event_time);
    assert_string_equal(merged->fields.delivery_id, preset("slack")->fields.delivery_id);
    assert_no_finding(OF("github", "'signature':{'form':'plain','mark':null}"));
    assert_null(config->sources[0].provider->signature.mark);
    assert_no_finding(OF("stripe", "'topic':null"));
    assert_string_equal(config->sources[0].topic, "{source}/{event}/{gid}");
    /* What the signature does not cover gets into no topic this way. */
    assert_fault(OF("github", "'topic':null"), "sources[0].topic");
    assert_fault(OF("slack", "'signature':{'message':null}"), "sources[0].signature.message");
    assert_fault(OF("github", "'challenge':null"), "sources[0].challenge");
    assert_fault(OF("github", "'qos':null"), "sources[0].qos");
    /* Nobody is led to switch verification off. */
    assert_fault(OF("github", "'signature':null"), "sources[0].signature");
    assert_fault(OF("gitlab", "'signature':null"), "sources[0].signature");
}

static void samples_are_merged_over_what_they_have_in_common(void **state)
{
    const struct provider_sample *sample;

    (void)state;
    assert_no_finding(OF("stripe",
                         "'sample_defaults':{'gid_form':'x-##','headers':{'X-A':'1','X-B':'2'},"
                         "'body':{'type':'@EVENT@','data':{'id':'@GID@','n':null},'l':[1,2]}},"
                         "'samples':[{'event':['a.b','a.c'],'headers':{'X-B':'3'},"
                         "'body':{'data':{'id':7,'m':null},'l':[3]}},{'event':'d'}]"));
    sample = config->sources[0].provider->samples;
    assert_string_equal(config->sources[0].provider->gid_form, "x-##");
    assert_string_equal(sample[0].events[1], "a.c");
    assert_null(sample[0].events[2]);
    assert_string_equal(sample[0].resource_type, "a");
    assert_string_equal(sample[0].headers, "X-A: 1\nX-B: 3");
    assert_string_equal(sample[0].body, "{\"type\":\"@EVENT@\",\"data\":{\"id\":7,\"n\":null,"
                                        "\"m\":null},\"l\":[3]}");
    assert_string_equal(sample[1].body, "{\"type\":\"@EVENT@\",\"data\":{\"id\":\"@GID@\","
                                        "\"n\":null},\"l\":[1,2]}");
    /* Also where the source has only the one, and its preset the other. */
    assert_no_finding(OF("github", "'samples':[{'event':'star','headers':{'X-A':'1'},'body':{"
                                   "'repository':{'full_name':'a/b'}}}]"));
    sample = config->sources[0].provider->samples;
    assert_non_null(strstr(sample[0].headers, "X-GitHub-Event: @TYPE@"));
    assert_non_null(strstr(sample[0].headers, "X-A: 1"));
    assert_null(sample[1].events);
    assert_no_finding(OF("github",
                         "'sample_defaults':{'headers':null},'fields':{'event':'{body."
                         "e}'},'samples':[{'event':'star','body':{'e':'star'}}]"));
    assert_null(config->sources[0].provider->samples[0].headers);
    /* A preset's own samples, too. */
    assert_no_finding(OF("stripe", "'sample_defaults':{'headers':{'X-A':'1'}}"));
    assert_string_equal(config->sources[0].provider->samples[0].headers, "X-A: 1");
    assert_string_equal(config->sources[0].provider->samples[0].body,
                        preset("stripe")->samples[0].body);
    assert_fault(OF("stripe", "'samples':[{'event':[],'body':{}}]"),
                 "sources[0].samples[0].event");
    assert_fault(OF("stripe", "'samples':[{'event':['a',7],'body':{}}]"),
                 "sources[0].samples[0].event[1]");
}

/* What a source's own key makes meaningless is left out, and never reported: the source has not
 * written it. */
static void what_an_override_makes_meaningless_is_left_out(void **state)
{
    (void)state;
    for (const struct provider_preset *embedded = provider_presets; embedded->name;
         embedded++) {
        struct buf text = {0};

        if (preset(embedded->name)->signature.scheme != SCHEME_HMAC) {
            continue;
        }
        buf_addf(&text,
                 "{'sources':[{'name':'p','provider':'%s','path':'/p'," SECRETS
                 ",'topic':'a/{id}','signature':{'scheme':'token','header':'X-T'}}]}",
                 embedded->name);
        (void)load(text.data);
        for (size_t f = 0; f < faults.count; f++) {
            if (!faults.items[f].warning) {
                fail_msg("%s: %s: %s", embedded->name, faults.items[f].path,
                         faults.items[f].text);
            }
        }
        buf_free(&text);
    }
    assert_no_finding(
        OF("ricloud", "'signature':{'timestamp_key':null,'timestamp_header':'X-Time'}"));
}

/* A key is one name, however long it is and whatever it contains: it is unknown, and no path. */
static void a_key_is_no_path(void **state)
{
#define LONG_NAME "a23456789_123456789_123456789_123456789_123456789_123456789_123456789"
    (void)state;
    assert_fault(OF("github", "'" LONG_NAME "':1"), "sources[0]." LONG_NAME);
    assert_fault(OF("github", "'" LONG_NAME "':null"), "sources[0]." LONG_NAME);
    assert_fault(OF("github", "'signature':{'" LONG_NAME "':{}}"),
                 "sources[0].signature." LONG_NAME);
    assert_fault(OF("github", "'signature.form':null"), "sources[0].\"signature.form\"");
    assert_fault(OF("slack", "'fields':{'event.x':null}"), "sources[0].fields.\"event.x\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_preset_is_sound_as_a_users_file_would_have_to_be),
        cmocka_unit_test(a_preset_written_by_a_user_takes_the_same_deliveries),
        cmocka_unit_test(faults_of_a_preset_are_found_at_their_path),
        cmocka_unit_test(null_takes_a_presets_value_out),
        cmocka_unit_test(what_an_override_makes_meaningless_is_left_out),
        cmocka_unit_test(a_key_is_no_path),
        cmocka_unit_test(samples_are_merged_over_what_they_have_in_common),
    };

    return cmocka_run_group_tests_name("presets", tests, set_up, tear_down);
}
