/*
 * parser_read: the fields of a delivery, the reasons for a quarantine, and challenges.
 */
#include "tests/unit/lib/parse_fixture.h"

static enum status read_creads(struct slice body, struct parsed *out)
{
    return read_once(preset("creads"), plain(body), NULL, out);
}

static void assert_creads_refused(struct slice body, enum status want, const char *reason)
{
    assert_refused(preset("creads"), plain(body), want, reason);
}

/* A body whose gid is this JSON text. */
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
    struct parsed parsed = read_well(preset("creads"), plain(with_gid(json)));

    assert_true(slice_equal(parsed.gid, want));
    parsed_fini(&parsed);
}

static void a_delivery_is_read(void **state)
{
    struct parsed parsed =
        read_well(preset("creads"),
                  plain(SLICE("{\"event\":\"resource.updated\",\"resource_type\":\"project\","
                              "\"resource_gid\":\"559befeeab59f\",\"resource\":{\"gid\":\"x\","
                              "\"created_at\":\"2014-01-01T00:00:00+0000\","
                              "\"modified_at\":\"2014-09-08T22:47:31+0000\"}}")));

    (void)state;
    assert_slice(parsed.event, "resource.updated");
    assert_slice(parsed.resource_type, "project");
    assert_slice(parsed.gid, "559befeeab59f");
    assert_slice(parsed.delivery_id, NULL);
    assert_slice(parsed.challenge, NULL);
    assert_int_equal(parsed.event_ms, 1410216451000);
    assert_false(parsed.deletion);
    assert_null(parsed.made);
    parsed_fini(&parsed);
}

static void a_deletion_needs_no_resource(void **state)
{
    struct parsed parsed =
        read_well(preset("creads"),
                  plain(SLICE("{\"event\":\"resource.deleted\",\"resource_type\":\"project\","
                              "\"resource_gid\":\"559befeeab59f\"}")));

    (void)state;
    assert_true(parsed.deletion);
    assert_int_equal(parsed.event_ms, CLOCK_NONE);
    parsed_fini(&parsed);
}

static bool deletes(const char *deletion_event, const char *event)
{
    struct provider provider = {
        .fields = {.event = "{body.e}", .deletion_event = deletion_event}};
    struct buf body = {0};
    struct parsed parsed;

    buf_addf(&body, "{\"e\":\"%s\"}", event);
    parsed = read_well(&provider, plain(buf_slice(&body)));
    parsed_fini(&parsed);
    buf_free(&body);
    return parsed.deletion;
}

static void only_the_literal_event_is_a_deletion(void **state)
{
    const char *const others[] = {"resource.delete",  "Resource.deleted", "resource.deleted ",
                                  "resource.created", "deleted",          ""};

    (void)state;
    assert_true(deletes("resource.deleted", "resource.deleted"));
    assert_true(deletes("resource.deleted", "resource.d\\u0065leted"));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_false(deletes("resource.deleted", others[i]));
        assert_false(deletes(NULL, others[i]));
    }
}

static void a_deletion_may_be_all_events_with_one_ending(void **state)
{
    (void)state;
    assert_true(deletes("*.deleted", "customer.deleted"));
    assert_true(deletes("*.deleted", "customer.subscription.deleted"));
    assert_true(deletes("*.deleted", ".deleted"));
    assert_false(deletes("*.deleted", "deleted"));
    assert_false(deletes("*.deleted", "undeleted"));
    assert_false(deletes("*.deleted", "customer.deleted.again"));
    assert_false(deletes("*.deleted", "*.deletex"));
}

/* A parsed delivery with this resource; its texts are freed. */
static struct parsed read_resource(const char *resource)
{
    struct buf body = {0};
    struct parsed parsed;

    buf_addf(&body,
             "{\"event\":\"e\",\"resource_type\":\"t\",\"resource_gid\":\"g\",\"resource\":%s}",
             resource);
    parsed = read_well(preset("creads"), plain(buf_slice(&body)));
    parsed_fini(&parsed);
    buf_free(&body);
    return parsed;
}

static int64_t time_of(const char *resource)
{
    return read_resource(resource).event_ms;
}

static void the_event_time_is_the_change_or_else_the_creation(void **state)
{
    (void)state;
    assert_int_equal(time_of("{\"modified_at\":\"2014-09-08T22:47:31-08:00\"}"), 1410245251000);
    assert_int_equal(time_of("{\"created_at\":\"2014-09-08T22:47:31+0000\"}"), 1410216451000);
    assert_int_equal(
        time_of("{\"modified_at\":null,\"created_at\":\"2014-09-08T22:47:31+0000\"}"),
        1410216451000);
    assert_int_equal(
        time_of("{\"modified_at\":[],\"created_at\":\"2014-09-08T22:47:31+0000\"}"),
        1410216451000);
    assert_int_equal(time_of("{\"modified_at\":\"2014-09-08T22:47:31\\u002b0000\"}"),
                     1410216451000);
}

static void a_time_may_be_unix_seconds_or_milliseconds(void **state)
{
    (void)state;
    assert_int_equal(time_of("{\"modified_at\":1410216451}"), 1410216451000);
    assert_int_equal(time_of("{\"modified_at\":\"1410216451\"}"), 1410216451000);
    assert_int_equal(time_of("{\"modified_at\":\"1355517523.000005\"}"), 1355517523000);
    assert_int_equal(time_of("{\"modified_at\":1410216451042}"), 1410216451042);
    assert_int_equal(time_of("{\"modified_at\":\"1410216451042\"}"), 1410216451042);
    assert_int_equal(time_of("{\"modified_at\":1.410216451042E9}"), 1410216451042);
}

static void a_time_that_cannot_be_read_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(time_of("{}"), CLOCK_NONE);
    assert_int_equal(time_of("null"), CLOCK_NONE);
    assert_int_equal(time_of("[]"), CLOCK_NONE);
    assert_int_equal(time_of("{\"modified_at\":{}}"), CLOCK_NONE);
    assert_int_equal(time_of("{\"modified_at\":true}"), CLOCK_NONE);
    assert_int_equal(time_of("{\"modified_at\":\"\"}"), CLOCK_NONE);
    assert_int_equal(time_of("{\"modified_at\":\"yesterday\"}"), CLOCK_NONE);
    assert_int_equal(time_of("{\"modified_at\":-1}"), CLOCK_NONE);
    assert_int_equal(time_of("{\"modified_at\":14102164510000}"), CLOCK_NONE);
    /* The time of creation does not stand in for a change that cannot be read. */
    assert_int_equal(
        time_of("{\"modified_at\":\"yesterday\",\"created_at\":\"2014-09-08T22:47:31+0000\"}"),
        CLOCK_NONE);
}

static void a_time_in_an_unknown_form_differs_from_no_time(void **state)
{
    const char *const unreadable[] = {"{\"modified_at\":\"yesterday\"}", "{\"modified_at\":-1}",
                                      "{\"created_at\":\"08/09/2014\"}"};
    const char *const others[] = {"{}", "null", "{\"modified_at\":\"\"}",
                                  "{\"modified_at\":{}}", "{\"modified_at\":1410216451}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(unreadable); i++) {
        assert_true(read_resource(unreadable[i]).unreadable_time);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_false(read_resource(others[i]).unreadable_time);
    }
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
    struct slice body = SLICE("{\"event\":\"\\u0065vent\",\"resource_type\":\"t\\u0079pe\","
                              "\"resource_gid\":\"gi\\u0064\",\"x\":\"\\u0078\"}");
    struct parsed parsed = read_well(preset("creads"), plain(body));
    struct slice x = parse_body_text(&parsed, body, SLICE("x"));

    (void)state;
    assert_slice(parsed.event, "event");
    assert_slice(parsed.resource_type, "type");
    assert_slice(parsed.gid, "gid");
    assert_slice(x, "x");
    parsed_fini(&parsed);
}

static void a_body_that_is_not_a_json_object_is_refused(void **state)
{
    (void)state;
    assert_creads_refused(SLICE(""), ST_INVALID, "the body is empty");
    assert_creads_refused(SLICE_NONE, ST_INVALID, "the body is empty");
    assert_creads_refused(SLICE(" "), ST_INVALID, "not JSON (RFC 8259): wrong at byte 1");
    assert_creads_refused(SLICE("{\"event\":'x'}"), ST_INVALID,
                          "not JSON (RFC 8259): wrong at byte 9");
    assert_creads_refused(SLICE("event=x"), ST_INVALID, "not JSON (RFC 8259): wrong at byte 0");
    assert_creads_refused(SLICE("{\"event\":\"\xC0\xAF\"}"), ST_INVALID,
                          "not JSON (RFC 8259): wrong at byte 10");
    assert_creads_refused(SLICE("[]"), ST_INVALID, "JSON, but not an object");
    assert_creads_refused(SLICE("\"{}\""), ST_INVALID, "JSON, but not an object");
    assert_creads_refused(SLICE("null"), ST_INVALID, "JSON, but not an object");
}

static void assert_refused_as(struct slice type, const char *body, const char *reason)
{
    struct header headers[] = {{"content-type", type}, {0}};
    struct delivery delivery = plain(slice_of(body));

    delivery.ctx = headers;
    assert_refused(preset("creads"), delivery, ST_INVALID, reason);
}

static void a_form_is_recognised_by_its_content_type(void **state)
{
    const char *form = "a form, not JSON: set the provider's content type to application/json";
    const char *no_json = "not JSON (RFC 8259): wrong at byte 0";
    const char *body = "payload=%7B%22action%22%3A%22opened%22%7D";
    struct delivery unknown = {.body = slice_of(body)};

    (void)state;
    assert_refused_as(SLICE("application/x-www-form-urlencoded"), body, form);
    assert_refused_as(SLICE("Application/X-WWW-Form-URLencoded; charset=utf-8"), body, form);
    assert_refused_as(SLICE("multipart/form-data; boundary=x"), "--x\r\n", form);
    assert_refused_as(SLICE("application/x-www-form-urlencoded"), "true=1", form);
    assert_refused_as(SLICE("application/json"), body, no_json);
    assert_refused_as(SLICE("application/x-www-form"), body, no_json);
    assert_refused_as(SLICE(""), body, no_json);
    assert_refused_as(SLICE("application/x-www-form-urlencoded"), "", "the body is empty");
    assert_refused_as(SLICE("application/x-www-form-urlencoded"), "{\"a\":1,}",
                      "not JSON (RFC 8259): wrong at byte 7");
    assert_refused_as(SLICE("application/x-www-form-urlencoded"), " \n{",
                      "not JSON (RFC 8259): wrong at byte 3");
    assert_refused(preset("creads"), unknown, ST_INVALID, no_json);
}

static void a_body_must_be_json_even_if_no_field_comes_from_it(void **state)
{
    struct provider provider = {.fields = {.event = "always"}};
    struct parsed parsed = read_well(&provider, plain(SLICE("{\"a\":1}")));

    (void)state;
    assert_slice(parsed.event, "always");
    parsed_fini(&parsed);
    assert_refused(&provider, plain(SLICE("{\"a\":1,}")), ST_INVALID,
                   "not JSON (RFC 8259): wrong at byte 7");
    assert_refused(&provider, plain(SLICE("[]")), ST_INVALID, "JSON, but not an object");
}

static void a_missing_field_is_named(void **state)
{
    (void)state;
    assert_creads_refused(SLICE("{}"), ST_MISSING, "event is missing");
    assert_creads_refused(SLICE("{\"event\":\"e\"}"), ST_MISSING, "resource_type is missing");
    assert_creads_refused(SLICE("{\"event\":\"e\",\"resource_type\":\"t\"}"), ST_MISSING,
                          "resource_gid is missing");
    assert_creads_refused(
        SLICE("{\"event\":[5],\"resource_type\":\"t\",\"resource_gid\":\"g\"}"), ST_MISSING,
        "event is not text");
    assert_creads_refused(
        SLICE("{\"event\":\"e\",\"resource_type\":{},\"resource_gid\":\"g\"}"), ST_MISSING,
        "resource_type is not text");
    assert_creads_refused(with_gid("null"), ST_MISSING, "resource_gid is missing");
    assert_creads_refused(with_gid("{}"), ST_MISSING, "resource_gid is not text");
    assert_creads_refused(with_gid("[\"a\"]"), ST_MISSING, "resource_gid is not text");
    assert_creads_refused(with_gid("\"a\",\"resource_gid\":null"), ST_MISSING,
                          "resource_gid is missing");
}

static void a_field_that_is_too_long_is_refused(void **state)
{
    struct buf gid = {0};
    struct parsed parsed;

    (void)state;
    buf_add_char(&gid, '"');
    for (int i = 0; i < PARSE_MAX_FIELD; i++) {
        buf_add_str(&gid, "\\u0061"); /* the limit is for the decoded length */
    }
    buf_add_char(&gid, '"');
    assert_int_equal(read_creads(with_gid(gid.data), &parsed), ST_OK);
    assert_int_equal(parsed.gid.len, PARSE_MAX_FIELD);
    parsed_fini(&parsed);
    gid.data[gid.len - 1] = 'a';
    buf_add_char(&gid, '"');
    assert_creads_refused(with_gid(gid.data), ST_INVALID,
                          "resource_gid is longer than 4096 bytes");
    buf_free(&gid);
}

static void good_fields_are_filled_in_although_another_is_wrong(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_int_equal(read_creads(SLICE("{\"event\":\"resource.updated\",\"resource_type\":[],"
                                       "\"resource_gid\":\"g\"}"),
                                 &parsed),
                     ST_MISSING);
    assert_slice(parsed.event, "resource.updated");
    assert_slice(parsed.resource_type, NULL);
    assert_slice(parsed.gid, "g");
    parsed_fini(&parsed);
}

static void the_first_of_several_reasons_is_kept(void **state)
{
    (void)state;
    assert_creads_refused(SLICE("{\"event\":\"e\",\"resource_type\":{}}"), ST_MISSING,
                          "resource_type is not text");
    assert_creads_refused(SLICE("{\"event\":[],\"resource_type\":1}"), ST_MISSING,
                          "event is not text");
}

/* The texts live in parsed or in the body, not in the path. */
static struct slice text_at(struct parsed *parsed, struct slice body, const char *path)
{
    struct buf compiled = {0};
    struct slice text;

    assert_int_equal(json_compile_path(slice_of(path), &compiled, NULL), ST_OK);
    text = parse_body_text(parsed, body, buf_slice(&compiled));
    buf_free(&compiled);
    return text;
}

static void a_number_or_a_boolean_is_text_as_it_is_spelled(void **state)
{
    const char *const spellings[] = {
        "7", "-0", "1.0", "1e3", "1E+30", "12345678901234567890123", "true", "false", "0.10"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        struct buf body = {0};
        struct parsed parsed;

        buf_addf(&body, "{\"event\":%s,\"resource_type\":%s,\"resource_gid\":%s}", spellings[i],
                 spellings[i], spellings[i]);
        parsed = read_well(preset("creads"), plain(buf_slice(&body)));
        assert_slice(parsed.event, spellings[i]);
        assert_slice(parsed.resource_type, spellings[i]);
        assert_slice(parsed.gid, spellings[i]);
        parsed_fini(&parsed);
        buf_free(&body);
    }
}

static void a_byte_order_mark_is_skipped(void **state)
{
    struct slice body =
        SLICE("\xEF\xBB\xBF {\"event\":\"resource.updated\",\"resource_type\":\"t\","
              "\"resource_gid\":\"g\"}");
    struct parsed parsed = read_well(preset("creads"), plain(body));

    (void)state;
    assert_slice(parsed.event, "resource.updated");
    assert_slice(parsed.gid, "g");
    assert_slice(text_at(&parsed, body, "resource_type"), "t");
    parsed_fini(&parsed);
    assert_creads_refused(SLICE("\xEF\xBB\xBF"), ST_INVALID, "the body is empty");
    assert_creads_refused(SLICE("\xEF\xBB\xBF{"), ST_INVALID,
                          "not JSON (RFC 8259): wrong at byte 4");
    assert_creads_refused(SLICE("\xEF\xBB\xBF\xEF\xBB\xBF{}"), ST_INVALID,
                          "not JSON (RFC 8259): wrong at byte 3");
    assert_creads_refused(SLICE("\xEF\xBB{}"), ST_INVALID,
                          "not JSON (RFC 8259): wrong at byte 0");
}

static void what_is_nested_too_deep_is_called_that(void **state)
{
    struct buf body = {0};

    (void)state;
    buf_add_str(&body, "{\"a\":");
    for (int i = 0; i < JSON_MAX_DEPTH; i++) {
        buf_add_char(&body, '[');
    }
    for (int i = 0; i < JSON_MAX_DEPTH; i++) {
        buf_add_char(&body, ']');
    }
    buf_add_char(&body, '}');
    assert_creads_refused(buf_slice(&body), ST_INVALID,
                          "nested deeper than 64 levels at byte 68");
    buf_free(&body);
}

static void any_scalar_of_the_body_can_be_read_as_text(void **state)
{
    struct slice body =
        SLICE("{\"event\":\"e\",\"resource_type\":\"t\",\"resource_gid\":\"g\","
              "\"a\":{\"s\":\"x\\ty\",\"e\":\"\",\"n\":-1.50,\"t\":true,\"f\":false,"
              "\"z\":null,\"o\":{},\"l\":[1]}}");
    struct parsed parsed = read_well(preset("creads"), plain(body));

    (void)state;
    assert_slice(text_at(&parsed, body, ("a.s")), "x\ty");
    assert_slice(text_at(&parsed, body, ("a.e")), "");
    assert_slice(text_at(&parsed, body, ("a.n")), "-1.50");
    assert_slice(text_at(&parsed, body, ("a.t")), "true");
    assert_slice(text_at(&parsed, body, ("a.f")), "false");
    assert_slice(text_at(&parsed, body, ("a.z")), NULL);
    assert_slice(text_at(&parsed, body, ("a.o")), NULL);
    assert_slice(text_at(&parsed, body, ("a.l")), NULL);
    assert_slice(text_at(&parsed, body, ("a.n*")), "-1.50");
    assert_slice(text_at(&parsed, body, ("b")), NULL);
    parsed_fini(&parsed);
}

static const struct provider challenging = {
    .fields = {.event = "{body.type}", .gid = "{body.gid}"},
    .challenge = {.field = "type", .value = "url_verification", .echo = "challenge"},
};

static void a_challenge_has_a_text_to_echo_and_no_fields(void **state)
{
    struct parsed parsed = read_well(
        &challenging,
        plain(SLICE("{\"type\":\"url_verification\",\"challenge\":\"a\\u0062\\\"c\"}")));

    (void)state;
    assert_slice(parsed.challenge, "ab\"c");
    assert_slice(parsed.event, NULL);
    assert_slice(parsed.gid, NULL);
    parsed_fini(&parsed);
    parsed = read_well(
        &challenging,
        plain(SLICE("{\"challenge\":\"\",\"type\":\"url\\u005fverification\",\"gid\":\"g\"}")));
    assert_slice(parsed.challenge, "");
    parsed_fini(&parsed);
}

static void a_body_that_only_looks_like_a_challenge_is_an_event(void **state)
{
    const struct slice bodies[] = {
        SLICE("{\"type\":\"url_verification\",\"gid\":\"g\"}"),
        SLICE("{\"type\":\"url_verification\",\"gid\":\"g\",\"challenge\":7}"),
        SLICE(
            "{\"type\":\"url_verification\",\"gid\":\"g\",\"challenge\":{\"challenge\":\"\"}}"),
        SLICE("{\"type\":\"url_verification \",\"gid\":\"g\",\"challenge\":\"c\"}"),
        SLICE("{\"type\":\"message\",\"gid\":\"g\",\"challenge\":\"c\"}"),
        SLICE("{\"type\":\"url_verification\",\"type\":\"message\",\"gid\":\"g\","
              "\"challenge\":\"c\"}"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct parsed parsed = read_well(&challenging, plain(bodies[i]));

        assert_slice(parsed.challenge, NULL);
        assert_slice(parsed.gid, "g");
        parsed_fini(&parsed);
    }
    assert_refused(&challenging, plain(SLICE("{\"type\":\"url_verification\"}")), ST_MISSING,
                   "gid is missing");
}

static void a_challenge_has_at_most_the_length_of_a_field(void **state)
{
    struct buf body = {0};
    struct parsed parsed;

    (void)state;
    buf_add_str(&body, "{\"type\":\"url_verification\",\"challenge\":\"");
    for (int i = 0; i < PARSE_MAX_FIELD; i++) {
        buf_add_char(&body, 'x');
    }
    buf_add_str(&body, "\"}");
    parsed = read_well(&challenging, plain(buf_slice(&body)));
    assert_int_equal(parsed.challenge.len, PARSE_MAX_FIELD);
    parsed_fini(&parsed);
    body.len -= 2;
    buf_add_str(&body, "x\"}");
    assert_refused(&challenging, plain(buf_slice(&body)), ST_INVALID,
                   "challenge is longer than 4096 bytes");
    buf_free(&body);
}

/* As intake reparses a dead letter, which has only its body and the event as it was read. */
static void fields_from_a_header_or_the_url_keep_their_known_values(void **state)
{
    struct provider provider = {
        .takes_suffix = true,
        .fields = {.event = "{url}.{body.action}|{body.other}",
                   .gid = "{body.gid}",
                   .delivery_id = "{header.X-Id}",
                   .event_time = "{header.X-Time}"},
    };
    struct event known = {.event = SLICE("thing.made"),
                          .resource_type = SLICE("not used"),
                          .gid = SLICE("not used"),
                          .delivery_id = SLICE("7"),
                          .event_ms = 42};
    struct delivery delivery = {
        .body = SLICE("{\"gid\":\"g\",\"action\":\"lost\",\"other\":\"o\"}")};
    struct parsed parsed;

    (void)state;
    assert_int_equal(read_once(&provider, delivery, &known, &parsed), ST_OK);
    assert_slice(parsed.event, "thing.made");
    assert_slice(parsed.resource_type, "thing");
    assert_slice(parsed.gid, "g");
    assert_slice(parsed.delivery_id, "7");
    assert_int_equal(parsed.event_ms, 42);
    parsed_fini(&parsed);

    /* A value that was not read then comes from the body now. */
    known.event = known.delivery_id = SLICE_NONE;
    assert_int_equal(read_once(&provider, delivery, &known, &parsed), ST_OK);
    assert_slice(parsed.event, "o");
    assert_slice(parsed.delivery_id, NULL);
    parsed_fini(&parsed);
}

static void a_delivery_that_has_its_headers_ignores_the_known_event(void **state)
{
    struct provider provider = {.takes_suffix = true, .fields = {.event = "{url}"}};
    struct event known = {.event = SLICE("old")};
    struct delivery delivery = plain(SLICE("{}"));
    struct parsed parsed;

    (void)state;
    delivery.suffix = SLICE("new");
    assert_int_equal(read_once(&provider, delivery, &known, &parsed), ST_OK);
    assert_slice(parsed.event, "new");
    parsed_fini(&parsed);
    delivery.suffix = SLICE_NONE;
    assert_int_equal(read_once(&provider, delivery, &known, &parsed), ST_MISSING);
    assert_slice(parsed.event, NULL);
    parsed_fini(&parsed);
}

static void every_sample_of_a_provider_is_read(void **state)
{
    struct parser *parser = make_parser(preset("creads"));
    struct provider_sample_values values = {
        .gid = "559befeeab59f", .delivery_id = "d", .number = 1};

    (void)state;
    for (const struct provider_sample *s = preset("creads")->samples; s->resource_type; s++) {
        for (const char *const *event = s->events; *event; event++) {
            struct provider_made made = {0};
            struct delivery delivery;
            struct parsed parsed;

            values.event = *event;
            provider_make(preset("creads"), s, &values, &made);
            delivery = plain(buf_slice(&made.body));
            assert_int_equal(parser_read(parser, &delivery, NULL, &parsed), ST_OK);
            assert_slice(parsed.event, *event);
            assert_slice(parsed.resource_type, s->resource_type);
            assert_slice(parsed.gid, "559befeeab59f");
            assert_int_equal(parsed.deletion, strcmp(*event, "resource.deleted") == 0);
            parsed_fini(&parsed);
            provider_made_fini(&made);
        }
    }
    parser_destroy(parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delivery_is_read),
        cmocka_unit_test(a_deletion_needs_no_resource),
        cmocka_unit_test(only_the_literal_event_is_a_deletion),
        cmocka_unit_test(a_deletion_may_be_all_events_with_one_ending),
        cmocka_unit_test(the_event_time_is_the_change_or_else_the_creation),
        cmocka_unit_test(a_time_may_be_unix_seconds_or_milliseconds),
        cmocka_unit_test(a_time_that_cannot_be_read_is_unknown),
        cmocka_unit_test(a_time_in_an_unknown_form_differs_from_no_time),
        cmocka_unit_test(gids_of_any_shape_pass),
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(several_decoded_fields_live_side_by_side),
        cmocka_unit_test(a_body_that_is_not_a_json_object_is_refused),
        cmocka_unit_test(a_form_is_recognised_by_its_content_type),
        cmocka_unit_test(a_body_must_be_json_even_if_no_field_comes_from_it),
        cmocka_unit_test(a_missing_field_is_named),
        cmocka_unit_test(a_field_that_is_too_long_is_refused),
        cmocka_unit_test(good_fields_are_filled_in_although_another_is_wrong),
        cmocka_unit_test(the_first_of_several_reasons_is_kept),
        cmocka_unit_test(a_number_or_a_boolean_is_text_as_it_is_spelled),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(what_is_nested_too_deep_is_called_that),
        cmocka_unit_test(any_scalar_of_the_body_can_be_read_as_text),
        cmocka_unit_test(a_challenge_has_a_text_to_echo_and_no_fields),
        cmocka_unit_test(a_body_that_only_looks_like_a_challenge_is_an_event),
        cmocka_unit_test(a_challenge_has_at_most_the_length_of_a_field),
        cmocka_unit_test(fields_from_a_header_or_the_url_keep_their_known_values),
        cmocka_unit_test(a_delivery_that_has_its_headers_ignores_the_known_event),
        cmocka_unit_test(every_sample_of_a_provider_is_read),
    };

    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
