#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"

#include "bridge/provider.h"

enum { NOW_S = 1410216451 }; /* 2014-09-08T22:47:31 UTC */

static const struct provider *creads(void)
{
    return provider_find(SLICE("creads"));
}

static void providers_are_found_by_their_exact_name(void **state)
{
    (void)state;
    assert_ptr_equal(provider_find(SLICE("creads")), &provider_creads);
    assert_null(provider_find(SLICE("Creads")));
    assert_null(provider_find(SLICE("cread")));
    assert_null(provider_find(SLICE("")));
    assert_null(provider_find(SLICE_NONE));
    assert_ptr_equal(provider_at(0), &provider_creads);
    assert_null(provider_at(1000));
}

static void the_catalogue_is_the_published_list_and_comment(void **state)
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
    while (creads()->samples[samples].resource_type) {
        samples++;
    }
    assert_int_equal(samples, COUNT_OF(published));
    for (size_t i = 0; i < COUNT_OF(published); i++) {
        for (size_t e = 0; e < 3; e++) {
            assert_int_equal(
                provider_knows(creads(), slice_of(published[i].type), slice_of(names[e])),
                strchr(published[i].events, "cud"[e]) != NULL);
        }
    }
}

static void a_type_is_known_in_any_spelling_but_an_event_is_literal(void **state)
{
    struct slice created = SLICE("resource.created");

    (void)state;
    assert_true(provider_knows(creads(), SLICE("project-message"), created));
    assert_true(provider_knows(creads(), SLICE("ProjectMessage"), created));
    assert_true(provider_knows(creads(), SLICE("Project Message"), created));
    assert_false(provider_knows(creads(), SLICE("project_messages"), created));
    assert_false(provider_knows(creads(), SLICE("projectmessag"), created));
    assert_false(provider_knows(creads(), SLICE("proj"), created));
    assert_false(provider_knows(creads(), SLICE(""), created));
    assert_false(provider_knows(creads(), SLICE("___"), created));
    assert_false(provider_knows(creads(), SLICE("project"), SLICE("Resource.Created")));
    assert_false(provider_knows(creads(), SLICE("project"), SLICE("resource.archived")));
    assert_false(provider_knows(creads(), SLICE("project"), SLICE_NONE));
}

static void a_gid_has_the_providers_form(void **state)
{
    const uint8_t random[16] = {0x55, 0x9B, 0xEF, 0xEE, 0xAB, 0x59, 0xF0};
    char gid[33];

    (void)state;
    provider_make_gid(creads(), random, gid);
    assert_string_equal(gid, "559befeeab59f");
}

static struct json_value find(const struct buf *body, const char *path)
{
    return json_find(buf_slice(body), slice_of(path));
}

static void assert_text(const struct buf *body, const char *path, const char *want)
{
    struct json_value value = find(body, path);

    assert_int_equal(value.kind, JSON_STRING);
    assert_int_equal(value.raw.len, strlen(want) + 2);
    assert_memory_equal(value.raw.data + 1, want, strlen(want));
}

static void check_sample(const struct provider_sample *sample, const char *event)
{
    bool deletion = strcmp(event, "resource.deleted") == 0;
    struct buf body = {0}, next = {0};

    provider_sample_body(creads(), sample, event, "559befeeab59f", NOW_S * INT64_C(1000), 1,
                         &body);
    provider_sample_body(creads(), sample, event, "559befeeab59f", NOW_S * INT64_C(1000), 2,
                         &next);
    assert_int_equal(json_check(buf_slice(&body), NULL), ST_OK);
    assert_text(&body, "event", event);
    assert_text(&body, "resource_type", sample->resource_type);
    assert_text(&body, "resource_gid", "559befeeab59f");
    if (deletion) {
        assert_int_equal(find(&body, "resource").kind, JSON_ABSENT);
    } else {
        assert_text(&body, "resource.gid", "559befeeab59f");
        assert_false(slice_equal(buf_slice(&body), buf_slice(&next)));
    }
    buf_free(&body);
    buf_free(&next);
}

static void every_sample_is_a_whole_body_and_each_body_differs(void **state)
{
    (void)state;
    for (const struct provider_sample *s = creads()->samples; s->resource_type; s++) {
        for (const char *const *event = s->events; *event; event++) {
            check_sample(s, *event);
        }
    }
}

static const struct provider_sample *sample_of(const char *type)
{
    const struct provider_sample *sample = creads()->samples;

    while (strcmp(sample->resource_type, type) != 0) {
        sample++;
    }
    return sample;
}

static void no_placeholder_is_left_in_a_body(void **state)
{
    static const char *const names[] = {"@GID@",   "@N@",    "@NOW@",
                                        "@EVENT@", "@TYPE@", "@RESOURCE@"};

    (void)state;
    for (const struct provider_sample *s = creads()->samples; s->resource_type; s++) {
        struct buf body = {0};

        provider_sample_body(creads(), s, "resource.updated", "1", 0, 1, &body);
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            assert_null(strstr(body.data, names[i]));
        }
        buf_free(&body);
    }
}

static void times_are_spelled_as_the_provider_does(void **state)
{
    struct buf body = {0};

    (void)state;
    provider_sample_body(creads(), sample_of("project"), "resource.updated", "1",
                         NOW_S * INT64_C(1000), 1, &body);
    assert_text(&body, "resource.modified_at", "2014-09-08T22:47:31+0000");
    buf_free(&body);
}

static void any_gid_and_event_make_a_body_that_is_json(void **state)
{
    struct buf body = {0};

    (void)state;
    provider_sample_body(creads(), sample_of("project"), "a\"b\\", "x\"/\n@N@", 0, UINT64_MAX,
                         &body);
    assert_int_equal(json_check(buf_slice(&body), NULL), ST_OK);
    assert_text(&body, "event", "a\\\"b\\\\");
    assert_text(&body, "resource_gid", "x\\\"/\\n@N@"); /* a value is not a template */
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(providers_are_found_by_their_exact_name),
        cmocka_unit_test(the_catalogue_is_the_published_list_and_comment),
        cmocka_unit_test(a_type_is_known_in_any_spelling_but_an_event_is_literal),
        cmocka_unit_test(a_gid_has_the_providers_form),
        cmocka_unit_test(every_sample_is_a_whole_body_and_each_body_differs),
        cmocka_unit_test(no_placeholder_is_left_in_a_body),
        cmocka_unit_test(times_are_spelled_as_the_provider_does),
        cmocka_unit_test(any_gid_and_event_make_a_body_that_is_json),
    };

    return cmocka_run_group_tests_name("provider", tests, NULL, NULL);
}
