/*
 * The presets against those who use them: verify signs and accepts what a sample makes, parse
 * reads from it what went in, route takes the default topic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/json.h"

#include "bridge/parse/parse.h"
#include "bridge/provider/provider.h"
#include "bridge/parse/route.h"
#include "bridge/verify/verify.h"

#include "tests/unit/lib/presets.h"
#include "tests/unit/lib/verify_delivery.h"

enum { NOW_S = 1410216451, MAX_BODY = 4096 }; /* 2014-09-08T22:47:31 UTC */

#define GID         "559befeeab59f"
#define DELIVERY_ID "0b2f4d6e-8a1c-4e3f-9b7d-5c6a7e8f9012"

/* ---- what a sample makes ---- */

static struct provider_sample_values values_of(const char *event, const char *gid,
                                               uint64_t number)
{
    return (struct provider_sample_values){.event = event,
                                           .gid = gid,
                                           .delivery_id = DELIVERY_ID,
                                           .now_ms = NOW_S * INT64_C(1000),
                                           .number = number};
}

typedef void sample_fn(const struct provider *provider, const struct provider_sample *sample,
                       const char *event);

static void each_sample(sample_fn *check)
{
    const struct provider *provider;

    for (size_t i = 0; (provider = preset_at(i)); i++) {
        const struct provider_sample *sample = provider->samples;

        for (; sample && sample->resource_type; sample++) {
            for (const char *const *event = sample->events; *event; event++) {
                check(provider, sample, *event);
            }
        }
    }
}

static const struct provider_sample *sample_of(const struct provider *provider,
                                               const char *event)
{
    for (const struct provider_sample *s = provider->samples; s->resource_type; s++) {
        for (const char *const *e = s->events; *e; e++) {
            if (strcmp(*e, event) == 0) {
                return s;
            }
        }
    }
    fail_msg("%s has no %s", provider->name, event);
    return NULL;
}

/* ---- the table ---- */

static void providers_are_found_by_their_exact_name(void **state)
{
    static const char *const names[] = {
        "creads",  "custom", "gitea",
        "github",  "gitlab", "ricloud",
        "shopify", "slack",  "standard-webhooks",
        "stripe",  "weavy",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_string_equal(preset(names[i])->name, names[i]);
    }
    for (const struct provider_preset *p = provider_presets; p->name; p++) {
        assert_ptr_equal(provider_find(slice_of(p->name)), p);
        assert_true(!p[1].name || strcmp(p->name, p[1].name) < 0);
    }
    assert_null(provider_find(SLICE("Creads")));
    assert_null(provider_find(SLICE("cread")));
    assert_null(provider_find(SLICE("")));
    assert_null(provider_find(SLICE_NONE));
}

static void fail_at_fault(void *ctx, const struct verify_fault *fault)
{
    const struct provider *const *provider = ctx;

    fail_msg("%s: signature.%s %s", (*provider)->name, fault->key, fault->text);
}

static void every_preset_describes_its_signature_completely(void **state)
{
    const struct provider *provider;

    (void)state;
    for (size_t i = 0; (provider = preset_at(i)); i++) {
        if (provider != preset("custom")) {
            assert_int_equal(
                verify_check_description(&provider->signature, fail_at_fault, &provider),
                ST_OK);
        }
    }
    assert_int_equal(preset("custom")->signature.scheme, SCHEME_UNSET);
    assert_int_equal(preset("weavy")->signature.scheme, SCHEME_NONE);
}

static struct parser *parser_of(const struct provider *provider)
{
    struct parser *parser = NULL;
    const char *key = NULL;
    struct err err = {0};

    if (parser_create(provider, &parser, &key, &err) != ST_OK) {
        fail_msg("%s: fields.%s %s", provider->name, key, err.text);
    }
    return parser;
}

/* The default topic's variables, one by one. */
static bool is_trusted(const struct parser *parser, struct slice variable)
{
    static const struct {
        struct slice name;
        enum parse_field field;
    } fields[] = {
        {SLICE("event"), PARSE_EVENT}, {SLICE("action"), PARSE_EVENT},
        {SLICE("type"), PARSE_TYPE},   {SLICE("resource_type"), PARSE_TYPE},
        {SLICE("gid"), PARSE_GID},
    };

    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (slice_equal(fields[i].name, variable)) {
            return parser_trusts(parser, fields[i].field);
        }
    }
    return false;
}

static void a_default_topic_is_made_of_what_the_signature_covers(void **state)
{
    const struct provider *provider;

    (void)state;
    for (size_t i = 0; (provider = preset_at(i)); i++) {
        const char *brace = provider->topic;
        struct parser *parser;
        struct route *route = NULL;
        struct err err = {0};

        if (provider == preset("custom")) {
            continue;
        }
        parser = parser_of(provider);
        assert_int_equal(route_create(provider->topic, &route, &err), ST_OK);
        while ((brace = strchr(brace, '{'))) {
            struct slice variable = {brace + 1, strcspn(brace + 1, "}")};

            if (!is_trusted(parser, variable)) {
                fail_msg("%s: {%.*s}", provider->name, SLICE_ARG(variable));
            }
            brace++;
        }
        route_destroy(route);
        parser_destroy(parser);
    }
    assert_null(preset("custom")->topic);
}

static void what_only_an_unsigned_header_says_is_not_trusted(void **state)
{
    static const struct {
        const char *name;
        bool event, delivery_id;
    } rows[] = {
        {"creads", true, true},   {"ricloud", true, true}, {"standard-webhooks", true, true},
        {"stripe", true, true},   {"slack", true, true},   {"gitlab", true, true},
        {"github", false, false}, {"gitea", false, false}, {"shopify", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct parser *parser = parser_of(preset(rows[i].name));

        assert_int_equal(parser_trusts(parser, PARSE_EVENT), rows[i].event);
        assert_int_equal(parser_trusts(parser, PARSE_DELIVERY_ID), rows[i].delivery_id);
        parser_destroy(parser);
    }
}

/* ---- catalogues ---- */

static void the_catalogue_of_creads_is_the_published_list_and_comment(void **state)
{
    static const struct {
        const char *type;
        const char *events; /* c, u, d */
    } published[] = {
        {"invitation", "cud"}, {"organization", "u"}, {"product", "u"},
        {"membership", "cud"}, {"project", "cud"},    {"project_message", "c"},
        {"work", "c"},         {"webhook", "cud"},    {"comment", "c"},
    };
    static const char *const names[] = {"resource.created", "resource.updated",
                                        "resource.deleted"};
    size_t samples = 0;

    (void)state;
    for (const struct provider_sample *s = preset("creads")->samples; s->resource_type; s++) {
        for (const char *const *e = s->events; *e; e++) {
            samples++;
        }
    }
    for (size_t i = 0; i < COUNT_OF(published); i++) {
        samples -= strlen(published[i].events);
    }
    assert_int_equal(samples, 0);
    for (size_t i = 0; i < COUNT_OF(published); i++) {
        for (size_t e = 0; e < 3; e++) {
            assert_int_equal(provider_knows(preset("creads"), slice_of(published[i].type),
                                            slice_of(names[e])),
                             strchr(published[i].events, "cud"[e]) != NULL);
        }
    }
}

static void assert_catalogue(const struct provider *provider, const char *const *events,
                             size_t count)
{
    size_t found = 0;

    for (const struct provider_sample *s = provider->samples; s->resource_type; s++) {
        for (const char *const *e = s->events; *e; e++) {
            found++;
        }
    }
    assert_int_equal(found, count);
    for (size_t i = 0; i < count; i++) {
        const struct provider_sample *sample = sample_of(provider, events[i]);

        assert_true(
            provider_knows(provider, slice_of(sample->resource_type), slice_of(events[i])));
        assert_false(provider_knows(provider, slice_of(sample->resource_type), SLICE("other")));
    }
}

static void the_catalogues_of_ricloud_and_weavy_are_the_published_lists(void **state)
{
    static const char *const ricloud[] = {
        "session.expired", "poll.created", "poll.completed",      "task.created",
        "task.succeeded",  "task.failed",  "webhook_config.test",
    };
    static const char *const weavy[] = {
        "NewCustomer",      "NewProspect", "NewSuspect",
        "NewSubcontractor", "NewDeal",     "NewOpportunity",
    };

    (void)state;
    assert_catalogue(preset("ricloud"), ricloud, COUNT_OF(ricloud));
    assert_catalogue(preset("weavy"), weavy, COUNT_OF(weavy));
}

static void an_open_catalogue_knows_every_event(void **state)
{
    static const char *const open[] = {"standard-webhooks",
                                       "github",
                                       "stripe",
                                       "shopify",
                                       "gitlab",
                                       "gitea",
                                       "slack",
                                       "custom"};
    static const char *const closed[] = {"creads", "ricloud", "weavy"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(open); i++) {
        assert_true(provider_knows(preset(open[i]), SLICE("new"), SLICE("new.thing")));
    }
    for (size_t i = 0; i < COUNT_OF(closed); i++) {
        assert_false(provider_knows(preset(closed[i]), SLICE("new"), SLICE("new.thing")));
    }
}

static void a_type_is_known_in_any_spelling_but_an_event_is_literal(void **state)
{
    const struct provider *creads = preset("creads");
    struct slice created = SLICE("resource.created");

    (void)state;
    assert_true(provider_knows(creads, SLICE("project-message"), created));
    assert_true(provider_knows(creads, SLICE("ProjectMessage"), created));
    assert_true(provider_knows(creads, SLICE("Project Message"), created));
    assert_false(provider_knows(creads, SLICE("project_messages"), created));
    assert_false(provider_knows(creads, SLICE("projectmessag"), created));
    assert_false(provider_knows(creads, SLICE("proj"), created));
    assert_false(provider_knows(creads, SLICE(""), created));
    assert_false(provider_knows(creads, SLICE("___"), created));
    assert_false(provider_knows(creads, SLICE("project"), SLICE("Resource.Created")));
    assert_false(provider_knows(creads, SLICE("project"), SLICE("resource.archived")));
    assert_false(provider_knows(creads, SLICE("project"), SLICE_NONE));
}

static void a_deletion_is_one_event_or_all_that_end_alike(void **state)
{
    static const struct {
        const char *provider, *event;
        bool deletion;
    } cases[] = {
        {"creads", "resource.deleted", true},
        {"creads", "project.resource.deleted", false},
        {"creads", "", false},
        {"stripe", "customer.deleted", true},
        {"stripe", "customer.subscription.deleted", true},
        {"stripe", "customer.created", false},
        {"stripe", "deleted", false},
        {"shopify", "orders/delete", true},
        {"shopify", "orders/updated", false},
        /* What is deleted there is not what the gid names. */
        {"github", "issues.deleted", false},
        {"gitlab", "Issue Hook", false},
        {"ricloud", "session.expired", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(
            provider_is_deletion(preset(cases[i].provider), slice_of(cases[i].event)),
            cases[i].deletion);
    }
    assert_false(provider_is_deletion(preset("stripe"), SLICE_NONE));
}

/* ---- gids ---- */

static void assert_gid(const char *form, const char *want)
{
    const uint8_t random[16] = {0x55, 0x9B, 0xEF, 0xEE, 0xAB, 0x59, 0xF0};
    const struct provider_sample own = {.gid_form = form};
    const struct provider_sample none = {.gid_form = NULL};
    const struct provider provider = {.gid_form = form};
    char gid[PROVIDER_GID_SIZE];

    provider_make_gid(preset("creads"), &own, random, gid);
    assert_string_equal(gid, want);
    provider_make_gid(&provider, &none, random, gid);
    assert_string_equal(gid, want);
}

static void a_gid_has_the_form_of_its_sample_or_its_provider(void **state)
{
    (void)state;
    assert_gid(preset("creads")->gid_form, "559befeeab59f");
    assert_gid("cus_##-##", "cus_55-9b");
    assert_gid("1????", "15591"); /* b is 1 */
    assert_gid("fixed", "fixed");
    assert_gid("", "");
}

static void a_gid_is_cut_where_its_memory_ends(void **state)
{
    char form[100], gid[PROVIDER_GID_SIZE];
    const uint8_t random[16] = {0};
    const struct provider_sample sample = {.gid_form = form};

    (void)state;
    memset(form, '#', sizeof(form) - 1);
    form[sizeof(form) - 1] = '\0';
    provider_make_gid(preset("creads"), &sample, random, gid);
    assert_int_equal(strlen(gid), PROVIDER_GID_SIZE - 1);
}

/* ---- samples ---- */

static struct verifier *signer_of(const struct provider *provider)
{
    struct slice secret = provider->signature.key == KEY_WHSEC
                              ? SLICE("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
                              : SLICE("a secret of some length");
    struct verifier *verifier = NULL;
    struct err err = {0};

    if (verifier_create(&provider->signature, &secret, 1, &verifier, &err) != ST_OK) {
        fail_msg("%s: %s", provider->name, err.text);
    }
    return verifier;
}

static bool ends_with(struct slice text, const char *end)
{
    size_t len = strlen(end);

    return text.len >= len && memcmp(text.data + text.len - len, end, len) == 0;
}

static void assert_parsed(const struct provider *provider, const struct provider_sample *sample,
                          const char *event, const struct parsed *parsed)
{
    assert_true(slice_equal(parsed->event, slice_of(event)));
    assert_true(slice_equal(parsed->resource_type, slice_of(sample->resource_type)));
    assert_true(slice_equal(parsed->gid, slice_of(GID)));
    if (provider->fields.delivery_id) {
        assert_true(ends_with(parsed->delivery_id, DELIVERY_ID)); /* Stripe: evt_… */
    } else {
        assert_null(parsed->delivery_id.data);
    }
    assert_null(parsed->challenge.data);
    assert_int_equal(parsed->deletion, provider_is_deletion(provider, slice_of(event)));
    assert_true(parsed->event_ms == CLOCK_NONE || parsed->event_ms / 1000 == NOW_S);
    assert_true(provider_knows(provider, parsed->resource_type, parsed->event));
}

static void check_delivery(const struct provider *provider,
                           const struct provider_sample *sample, const char *event)
{
    const struct provider_sample_values values = values_of(event, GID, 1);
    struct verifier *verifier = signer_of(provider);
    struct parser *parser = parser_of(provider);
    struct parsed parsed;
    struct provider_made sent = {0};
    struct slice lines;
    struct delivery delivery = {
        .received_ms = values.now_ms, .header = find_header, .ctx = &lines};

    provider_make(provider, sample, &values, &sent);
    delivery.body = buf_slice(&sent.body);
    delivery.suffix = sent.suffix.len ? buf_slice(&sent.suffix) : SLICE_NONE;
    if (sent.headers.len) {
        buf_add_char(&sent.headers, '\n');
    }
    assert_int_equal(
        verifier_sign(verifier, delivery.body, NOW_S, SLICE(DELIVERY_ID), &sent.headers),
        ST_OK);
    lines = buf_slice(&sent.headers);
    assert_int_equal(verifier_check_head(verifier, &delivery, NULL), ST_OK);
    assert_int_equal(verifier_check(verifier, &delivery, NULL), ST_OK);
    if (parser_read(parser, &delivery, NULL, &parsed) != ST_OK) {
        fail_msg("%s, %s: %s", provider->name, event, parsed.reason);
    }
    assert_parsed(provider, sample, event, &parsed);
    parsed_fini(&parsed);
    parser_destroy(parser);
    verifier_destroy(verifier);
    provider_made_fini(&sent);
}

static void every_sample_is_authentic_and_is_read_as_what_it_was_made_of(void **state)
{
    (void)state;
    each_sample(check_delivery);
}

static void check_body(const struct provider *provider, const struct provider_sample *sample,
                       const char *event)
{
    const struct provider_sample_values one = values_of(event, GID, 1);
    const struct provider_sample_values two = values_of(event, GID, 2);
    struct provider_made first = {0}, second = {0};

    provider_make(provider, sample, &one, &first);
    provider_make(provider, sample, &two, &second);
    if (json_check(buf_slice(&first.body), NULL) != ST_OK || first.body.len > MAX_BODY) {
        fail_msg("%s, %s: %.*s", provider->name, event, SLICE_ARG(buf_slice(&first.body)));
    }
    if (slice_equal(buf_slice(&first.body), buf_slice(&second.body)) &&
        !provider_is_deletion(provider, slice_of(event))) {
        fail_msg("%s, %s: two are the same bytes", provider->name, event);
    }
    provider_made_fini(&first);
    provider_made_fini(&second);
}

static void every_sample_is_json_and_two_of_them_differ(void **state)
{
    (void)state;
    each_sample(check_body);
}

static void check_placeholders(const struct provider *provider,
                               const struct provider_sample *sample, const char *event)
{
    static const char *const names[] = {"@EVENT@", "@ACTION@", "@TYPE@", "@GID@", "@GID_VALUE@",
                                        "@NOW@",   "@UNIX@",   "@UUID@", "@N@",   "_VALUE@"};
    const struct provider_sample_values values = values_of(event, GID, 1);
    struct provider_made made = {0};
    const struct buf *all[] = {&made.body, &made.headers, &made.suffix};

    provider_make(provider, sample, &values, &made);
    for (size_t i = 0; i < COUNT_OF(names) * COUNT_OF(all); i++) {
        const struct buf *text = all[i % COUNT_OF(all)];

        if (text->len > 0 && strstr(text->data, names[i / COUNT_OF(all)])) {
            fail_msg("%s, %s: %s", provider->name, event, names[i / COUNT_OF(all)]);
        }
    }
    provider_made_fini(&made);
}

static void no_placeholder_is_left(void **state)
{
    (void)state;
    each_sample(check_placeholders);
}

static size_t count_lines(const struct buf *headers)
{
    size_t count = headers->len > 0;

    for (size_t i = 0; i < headers->len; i++) {
        count += headers->data[i] == '\n';
        assert_true(headers->data[i] == '\n' || (unsigned char)headers->data[i] >= ' ');
    }
    return count;
}

static void check_odd_values(const struct provider *provider,
                             const struct provider_sample *sample, const char *event)
{
    const struct provider_sample_values odd =
        values_of("a\"b\\\r\n.c d", "x\"/\n\x7F@N@?#%\xC3\xA9", UINT64_MAX);
    const struct provider_sample_values plain = values_of(event, GID, 1);
    struct provider_made sent = {0}, usual = {0};

    provider_make(provider, sample, &odd, &sent);
    provider_make(provider, sample, &plain, &usual);
    assert_int_equal(json_check(buf_slice(&sent.body), NULL), ST_OK);
    assert_int_equal(count_lines(&sent.headers), count_lines(&usual.headers));
    for (size_t i = 0; i < sent.suffix.len; i++) {
        assert_non_null(strchr("%-._~/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz",
                               sent.suffix.data[i]));
    }
    provider_made_fini(&sent);
    provider_made_fini(&usual);
}

static void any_gid_and_event_make_a_good_delivery(void **state)
{
    (void)state;
    each_sample(check_odd_values);
}

static void assert_at(const struct buf *body, const char *path, const char *want)
{
    struct buf compiled = {0};
    enum status st = json_compile_path(slice_of(path), &compiled, NULL);
    struct json_value value = json_find(buf_slice(body), buf_slice(&compiled));

    buf_free(&compiled);
    assert_int_equal(st, ST_OK);

    if (!slice_equal(value.raw, slice_of(want))) {
        fail_msg("%s is %.*s, not %s", path, SLICE_ARG(value.raw), want);
    }
}

static void a_creads_body_is_as_documented(void **state)
{
    const struct provider_sample *project = preset("creads")->samples;
    struct provider_made sent = {0};
    struct provider_sample_values values = values_of("resource.updated", GID, 7);

    (void)state;
    while (strcmp(project->resource_type, "project") != 0) {
        project++;
    }
    provider_make(preset("creads"), project, &values, &sent);
    assert_at(&sent.body, "event", "\"resource.updated\"");
    assert_at(&sent.body, "resource_type", "\"project\"");
    assert_at(&sent.body, "resource_gid", "\"" GID "\"");
    assert_at(&sent.body, "resource.gid", "\"" GID "\"");
    assert_at(&sent.body, "resource.modified_at", "\"2014-09-08T22:47:31+0000\"");
    assert_int_equal(sent.headers.len + sent.suffix.len, 0);
    provider_made_fini(&sent);

    values.event = "resource.deleted";
    provider_make(preset("creads"), project + 1, &values, &sent);
    assert_string_equal(sent.body.data,
                        "{\"event\":\"resource.deleted\",\"resource_type\":\"project\","
                        "\"resource_gid\":\"" GID "\"}");
    provider_made_fini(&sent);

    values = values_of("a\"b\\", "x\"/\n@N@", 0);
    provider_make(preset("creads"), project, &values, &sent);
    assert_at(&sent.body, "event", "\"a\\\"b\\\\\"");
    assert_at(&sent.body, "resource_gid", "\"x\\\"/\\n@N@\""); /* a value is no template */
    provider_made_fini(&sent);
}

static void a_gid_that_is_a_number_is_sent_as_one_where_the_provider_has_numbers(void **state)
{
    static const struct {
        const char *gid, *want;
    } cases[] = {
        {"5821000000001", "5821000000001"},
        {"0", "0"},
        {"007", "\"007\""},
        {"12a", "\"12a\""},
        {"-1", "\"-1\""},
        {"", "\"\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct provider_sample_values values = values_of("orders/paid", cases[i].gid, 1);
        struct provider_made sent = {0};

        provider_make(preset("shopify"), sample_of(preset("shopify"), "orders/paid"), &values,
                      &sent);
        assert_at(&sent.body, "id", cases[i].want);
        provider_made_fini(&sent);
    }
}

static void the_event_says_when_it_happened(void **state)
{
    static const struct {
        const char *provider, *event, *path, *want;
    } cases[] = {
        {"ricloud", "poll.created", "date_created", "\"2014-09-08T22:47:31.168354Z\""},
        {"standard-webhooks", "user.created", "timestamp", "\"2014-09-08T22:47:31Z\""},
        {"stripe", "customer.created", "created", "1410216451"},
        {"slack", "message", "event_time", "1410216451"},
        {"shopify", "orders/paid", "updated_at", "\"2014-09-08T22:47:31+00:00\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct provider *provider = preset(cases[i].provider);
        const struct provider_sample_values values = values_of(cases[i].event, GID, 1);
        struct provider_made sent = {0};

        provider_make(provider, sample_of(provider, cases[i].event), &values, &sent);
        assert_at(&sent.body, cases[i].path, cases[i].want);
        provider_made_fini(&sent);
    }
}

static void headers_are_lines_that_no_value_can_end(void **state)
{
    const struct provider_sample_values values = values_of("issues.opened", "g\r\n: 1", 1);
    const struct provider_sample own = {.resource_type = "issues",
                                        .headers = "X-Event: @TYPE@\nX-Gid: @GID@"};
    struct provider_made made = {0};

    (void)state;
    provider_make(preset("github"), &own, &values, &made);
    assert_string_equal(made.headers.data, "X-Event: issues\nX-Gid: g%0D%0A: 1");
    provider_made_fini(&made);
    provider_make(preset("github"), &preset("github")->samples[0], &values, &made);
    assert_non_null(strstr(made.headers.data, "X-GitHub-Delivery: " DELIVERY_ID));
    provider_made_fini(&made);
}

static void assert_suffix(const struct provider *provider, const struct provider_sample *sample,
                          const char *event, const char *want)
{
    const struct provider_sample_values values = values_of(event, GID, 1);
    struct provider_made made = {0};

    provider_make(provider, sample, &values, &made);
    assert_string_equal(made.suffix.len ? made.suffix.data : "", want);
    provider_made_fini(&made);
}

static void the_suffix_is_the_samples_or_the_events_or_the_providers(void **state)
{
    static struct provider_url_event events[] = {
        {"new/client a", "NewCustomer"}, {"p", "NewProspect"}, {NULL, NULL}};
    const struct provider_sample plain = {.resource_type = "x"};
    const struct provider_sample own = {.resource_type = "x", .suffix = "hook/@GID@"};
    struct provider weavy = *preset("weavy");

    (void)state;
    assert_suffix(preset("ricloud"), &plain, "poll.created", DELIVERY_ID);
    assert_suffix(preset("github"), &plain, "push", "");
    assert_suffix(&weavy, &plain, "NewCustomer", "NewCustomer");
    weavy.url_events = events;
    assert_suffix(&weavy, &plain, "NewCustomer", "new/client%20a");
    assert_suffix(&weavy, &plain, "NewProspect", "p");
    assert_suffix(&weavy, &plain, "NewDeal", "NewDeal");
    assert_suffix(&weavy, &own, "NewCustomer", "hook/" GID);
}

static void slack_wants_its_challenge_back(void **state)
{
    struct parser *parser = parser_of(preset("slack"));
    struct slice lines = SLICE("");
    struct delivery delivery = {.body = SLICE("{\"token\":\"t\",\"challenge\":\"3eZbrw1a\","
                                              "\"type\":\"url_verification\"}"),
                                .header = find_header,
                                .ctx = &lines};
    struct parsed parsed;

    (void)state;
    assert_int_equal(parser_read(parser, &delivery, NULL, &parsed), ST_OK);
    assert_true(slice_equal(parsed.challenge, SLICE("3eZbrw1a")));
    parsed_fini(&parsed);
    parser_destroy(parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(providers_are_found_by_their_exact_name),
        cmocka_unit_test(every_preset_describes_its_signature_completely),
        cmocka_unit_test(a_default_topic_is_made_of_what_the_signature_covers),
        cmocka_unit_test(what_only_an_unsigned_header_says_is_not_trusted),
        cmocka_unit_test(the_catalogue_of_creads_is_the_published_list_and_comment),
        cmocka_unit_test(the_catalogues_of_ricloud_and_weavy_are_the_published_lists),
        cmocka_unit_test(an_open_catalogue_knows_every_event),
        cmocka_unit_test(a_type_is_known_in_any_spelling_but_an_event_is_literal),
        cmocka_unit_test(a_deletion_is_one_event_or_all_that_end_alike),
        cmocka_unit_test(a_gid_has_the_form_of_its_sample_or_its_provider),
        cmocka_unit_test(a_gid_is_cut_where_its_memory_ends),
        cmocka_unit_test(every_sample_is_authentic_and_is_read_as_what_it_was_made_of),
        cmocka_unit_test(every_sample_is_json_and_two_of_them_differ),
        cmocka_unit_test(no_placeholder_is_left),
        cmocka_unit_test(any_gid_and_event_make_a_good_delivery),
        cmocka_unit_test(a_creads_body_is_as_documented),
        cmocka_unit_test(a_gid_that_is_a_number_is_sent_as_one_where_the_provider_has_numbers),
        cmocka_unit_test(the_event_says_when_it_happened),
        cmocka_unit_test(headers_are_lines_that_no_value_can_end),
        cmocka_unit_test(the_suffix_is_the_samples_or_the_events_or_the_providers),
        cmocka_unit_test(slack_wants_its_challenge_back),
    };

    return cmocka_run_group_tests_name("provider", tests, NULL, NULL);
}
