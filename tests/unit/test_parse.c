#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"

#include "bridge/parse.h"

static void assert_slice(struct slice got, const char *want)
{
    if (!slice_equal(got, slice_of(want)) || (got.data == NULL) != (want == NULL)) {
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(got), want ? want : "(absent)");
    }
}

static void assert_refused(struct slice body, enum status want, const char *reason)
{
    struct parsed parsed;

    assert_int_equal(parse_body(&provider_creads, body, &parsed), want);
    assert_string_equal(parsed.reason, reason);
    parsed_fini(&parsed);
}

/* A body with this in place of its gid. */
static struct slice with_gid(const char *gid)
{
    static struct buf body;

    buf_clear(&body);
    buf_addf(&body,
             "{\"event\":\"resource.created\",\"resource_type\":\"work\",\"resource_gid\":%s}",
             gid);
    return buf_slice(&body);
}

static void assert_gid(const char *json, struct slice want)
{
    struct parsed parsed;

    assert_int_equal(parse_body(&provider_creads, with_gid(json), &parsed), ST_OK);
    assert_true(slice_equal(parsed.gid, want));
    parsed_fini(&parsed);
}

static void a_delivery_is_read(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_int_equal(
        parse_body(&provider_creads,
                   SLICE("{\"event\":\"resource.updated\",\"resource_type\":\"project\","
                         "\"resource_gid\":\"559befeeab59f\",\"resource\":{\"gid\":\"x\","
                         "\"created_at\":\"2014-01-01T00:00:00+0000\","
                         "\"modified_at\":\"2014-09-08T22:47:31+0000\"}}"),
                   &parsed),
        ST_OK);
    assert_slice(parsed.event, "resource.updated");
    assert_slice(parsed.resource_type, "project");
    assert_slice(parsed.gid, "559befeeab59f");
    assert_slice(parsed.delivery_id, NULL);
    assert_int_equal(parsed.event_ms, 1410216451000);
    assert_false(parsed.deletion);
    assert_string_equal(parsed.reason, "");
    parsed_fini(&parsed);
}

static void a_deletion_needs_no_resource(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_int_equal(
        parse_body(&provider_creads,
                   SLICE("{\"event\":\"resource.deleted\",\"resource_type\":\"project\","
                         "\"resource_gid\":\"559befeeab59f\"}"),
                   &parsed),
        ST_OK);
    assert_true(parsed.deletion);
    assert_int_equal(parsed.event_ms, CLOCK_NONE);
    parsed_fini(&parsed);
}

static void only_the_literal_event_is_a_deletion(void **state)
{
    const char *const events[] = {"resource.delete", "Resource.deleted", "resource.deleted ",
                                  "resource.created", "deleted"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        struct buf body = {0};
        struct parsed parsed;

        buf_addf(&body, "{\"event\":\"%s\",\"resource_type\":\"a\",\"resource_gid\":\"b\"}",
                 events[i]);
        assert_int_equal(parse_body(&provider_creads, buf_slice(&body), &parsed), ST_OK);
        assert_false(parsed.deletion);
        parsed_fini(&parsed);
        buf_free(&body);
    }
}

static int64_t time_of(const char *resource)
{
    struct buf body = {0};
    struct parsed parsed;
    int64_t event_ms;

    buf_addf(&body,
             "{\"event\":\"e\",\"resource_type\":\"t\",\"resource_gid\":\"g\",\"resource\":%s}",
             resource);
    assert_int_equal(parse_body(&provider_creads, buf_slice(&body), &parsed), ST_OK);
    event_ms = parsed.event_ms;
    parsed_fini(&parsed);
    buf_free(&body);
    return event_ms;
}

static void the_events_time_is_the_change_or_else_the_creation(void **state)
{
    (void)state;
    assert_int_equal(time_of("{\"modified_at\":\"2014-09-08T22:47:31-08:00\"}"), 1410245251000);
    assert_int_equal(time_of("{\"created_at\":\"2014-09-08T22:47:31+0000\"}"), 1410216451000);
    assert_int_equal(
        time_of("{\"modified_at\":null,\"created_at\":\"2014-09-08T22:47:31+0000\"}"),
        1410216451000);
    assert_int_equal(time_of("{\"modified_at\":\"2014-09-08T22:47:31\\u002b0000\"}"),
                     1410216451000);
}

static void a_time_that_cannot_be_read_is_no_time(void **state)
{
    (void)state;
    assert_int_equal(time_of("{}"), CLOCK_NONE);
    assert_int_equal(time_of("null"), CLOCK_NONE);
    assert_int_equal(time_of("[]"), CLOCK_NONE);
    assert_int_equal(time_of("{\"modified_at\":1410216451}"), CLOCK_NONE);
    assert_int_equal(time_of("{\"modified_at\":{}}"), CLOCK_NONE);
    assert_int_equal(time_of("{\"modified_at\":\"yesterday\"}"), CLOCK_NONE);
    /* Not taken for one with the creation's time. */
    assert_int_equal(
        time_of("{\"modified_at\":\"yesterday\",\"created_at\":\"2014-09-08T22:47:31+0000\"}"),
        CLOCK_NONE);
}

static void gids_of_any_shape_pass(void **state)
{
    (void)state;
    assert_gid("\"559befeeab59f\"", SLICE("559befeeab59f"));
    assert_gid("\"a b/c+d#e%f$\"", SLICE("a b/c+d#e%f$"));
    assert_gid("\"\xC3\xA9\xE2\x82\xAC\"", SLICE("\xC3\xA9\xE2\x82\xAC"));
    assert_gid("\" \"", SLICE(" "));
    assert_gid("\"\"", SLICE(""));
    assert_gid("\"a\\u0000b\"", SLICE("a\0b"));
    assert_gid("\"null\"", SLICE("null"));
    assert_gid("1234567891012", SLICE("1234567891012"));
    assert_gid("123456789012345678901234567890", SLICE("123456789012345678901234567890"));
    assert_gid("-0.0", SLICE("-0.0"));
    assert_gid("1E+2 ", SLICE("1E+2"));
}

static void escapes_are_decoded(void **state)
{
    (void)state;
    assert_gid("\"a\\/b\\\"\\\\\\n\"", SLICE("a/b\"\\\n"));
    assert_gid("\"\\u00e9\\u20AC\\ud83d\\ude00\"",
               SLICE("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
    assert_gid("\"\\ud800x\"", SLICE("\xEF\xBF\xBDx"));
}

static void several_decoded_fields_live_side_by_side(void **state)
{
    struct parsed parsed;
    struct slice body = SLICE("{\"event\":\"\\u0065vent\",\"resource_type\":\"t\\u0079pe\","
                              "\"resource_gid\":\"gi\\u0064\",\"x\":\"\\u0078\"}");
    struct slice x;

    (void)state;
    assert_int_equal(parse_body(&provider_creads, body, &parsed), ST_OK);
    x = parse_body_text(&parsed, body, SLICE("x"));
    assert_slice(parsed.event, "event");
    assert_slice(parsed.resource_type, "type");
    assert_slice(parsed.gid, "gid");
    assert_slice(x, "x");
    parsed_fini(&parsed);
}

static void a_body_that_is_no_json_object_is_refused(void **state)
{
    (void)state;
    assert_refused(SLICE(""), ST_INVALID, "not JSON (RFC 8259): wrong at byte 0");
    assert_refused(SLICE_NONE, ST_INVALID, "not JSON (RFC 8259): wrong at byte 0");
    assert_refused(SLICE("{\"event\":'x'}"), ST_INVALID,
                   "not JSON (RFC 8259): wrong at byte 9");
    assert_refused(SLICE("event=x"), ST_INVALID, "not JSON (RFC 8259): wrong at byte 0");
    assert_refused(SLICE("{\"event\":\"\xC0\xAF\"}"), ST_INVALID,
                   "not JSON (RFC 8259): wrong at byte 10");
    assert_refused(SLICE("[]"), ST_INVALID, "JSON, but not an object");
    assert_refused(SLICE("\"{}\""), ST_INVALID, "JSON, but not an object");
    assert_refused(SLICE("null"), ST_INVALID, "JSON, but not an object");
}

static void a_field_that_is_missing_is_named(void **state)
{
    (void)state;
    assert_refused(SLICE("{}"), ST_MISSING, "event is missing");
    assert_refused(SLICE("{\"event\":\"e\"}"), ST_MISSING, "resource_type is missing");
    assert_refused(SLICE("{\"event\":\"e\",\"resource_type\":\"t\"}"), ST_MISSING,
                   "resource_gid is missing");
    assert_refused(SLICE("{\"event\":5,\"resource_type\":\"t\",\"resource_gid\":\"g\"}"),
                   ST_MISSING, "event is not text");
    assert_refused(SLICE("{\"event\":\"e\",\"resource_type\":true,\"resource_gid\":\"g\"}"),
                   ST_MISSING, "resource_type is not text");
    assert_refused(with_gid("null"), ST_MISSING, "resource_gid is missing");
    assert_refused(with_gid("{}"), ST_MISSING, "resource_gid is not text");
    assert_refused(with_gid("[\"a\"]"), ST_MISSING, "resource_gid is not text");
    assert_refused(with_gid("false"), ST_MISSING, "resource_gid is not text");
    assert_refused(with_gid("\"a\",\"resource_gid\":null"), ST_MISSING,
                   "resource_gid is missing");
}

static void what_cannot_be_an_identifier_is_refused(void **state)
{
    struct buf gid = {0};

    (void)state;
    buf_add_char(&gid, '"');
    for (int i = 0; i < PARSE_MAX_FIELD; i++) {
        buf_add_str(&gid, "\\u0061"); /* its decoded length is what counts */
    }
    buf_add_char(&gid, '"');
    struct parsed parsed;
    assert_int_equal(parse_body(&provider_creads, with_gid(gid.data), &parsed), ST_OK);
    assert_int_equal(parsed.gid.len, PARSE_MAX_FIELD);
    parsed_fini(&parsed);
    gid.data[gid.len - 1] = 'a';
    buf_add_char(&gid, '"');
    assert_refused(with_gid(gid.data), ST_INVALID, "resource_gid is longer than 4096 bytes");
    buf_free(&gid);
}

static void what_was_good_is_there_although_another_field_is_not(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_int_equal(parse_body(&provider_creads,
                                SLICE("{\"event\":\"resource.updated\",\"resource_type\":7,"
                                      "\"resource_gid\":\"g\"}"),
                                &parsed),
                     ST_MISSING);
    assert_slice(parsed.event, "resource.updated");
    assert_slice(parsed.resource_type, NULL);
    assert_slice(parsed.gid, "g");
    parsed_fini(&parsed);
}

static void the_text_of_any_scalar_of_the_body_can_be_had(void **state)
{
    struct slice body =
        SLICE("{\"event\":\"e\",\"resource_type\":\"t\",\"resource_gid\":\"g\","
              "\"a\":{\"s\":\"x\\ty\",\"e\":\"\",\"n\":-1.50,\"t\":true,\"f\":false,"
              "\"z\":null,\"o\":{},\"l\":[1]}}");
    struct parsed parsed;

    (void)state;
    assert_int_equal(parse_body(&provider_creads, body, &parsed), ST_OK);
    assert_slice(parse_body_text(&parsed, body, SLICE("a.s")), "x\ty");
    assert_slice(parse_body_text(&parsed, body, SLICE("a.e")), "");
    assert_slice(parse_body_text(&parsed, body, SLICE("a.n")), "-1.50");
    assert_slice(parse_body_text(&parsed, body, SLICE("a.t")), "true");
    assert_slice(parse_body_text(&parsed, body, SLICE("a.f")), "false");
    assert_slice(parse_body_text(&parsed, body, SLICE("a.z")), NULL);
    assert_slice(parse_body_text(&parsed, body, SLICE("a.o")), NULL);
    assert_slice(parse_body_text(&parsed, body, SLICE("a.l")), NULL);
    assert_slice(parse_body_text(&parsed, body, SLICE("a.l.0")), NULL);
    assert_slice(parse_body_text(&parsed, body, SLICE("b")), NULL);
    parsed_fini(&parsed);
}

static void every_sample_of_the_provider_is_read(void **state)
{
    (void)state;
    for (const struct provider_sample *s = provider_creads.samples; s->resource_type; s++) {
        for (const char *const *event = s->events; *event; event++) {
            struct buf body = {0};
            struct parsed parsed;

            provider_sample_body(&provider_creads, s, *event, "559befeeab59f", 0, 1, &body);
            assert_int_equal(parse_body(&provider_creads, buf_slice(&body), &parsed), ST_OK);
            assert_slice(parsed.event, *event);
            assert_slice(parsed.resource_type, s->resource_type);
            assert_slice(parsed.gid, "559befeeab59f");
            assert_int_equal(parsed.deletion, strcmp(*event, "resource.deleted") == 0);
            parsed_fini(&parsed);
            buf_free(&body);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delivery_is_read),
        cmocka_unit_test(a_deletion_needs_no_resource),
        cmocka_unit_test(only_the_literal_event_is_a_deletion),
        cmocka_unit_test(the_events_time_is_the_change_or_else_the_creation),
        cmocka_unit_test(a_time_that_cannot_be_read_is_no_time),
        cmocka_unit_test(gids_of_any_shape_pass),
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(several_decoded_fields_live_side_by_side),
        cmocka_unit_test(a_body_that_is_no_json_object_is_refused),
        cmocka_unit_test(a_field_that_is_missing_is_named),
        cmocka_unit_test(what_cannot_be_an_identifier_is_refused),
        cmocka_unit_test(what_was_good_is_there_although_another_field_is_not),
        cmocka_unit_test(the_text_of_any_scalar_of_the_body_can_be_had),
        cmocka_unit_test(every_sample_of_the_provider_is_read),
    };

    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
