/*
 * Field templates: the values that they find in a delivery, the faults that are refused, and which
 * of them the signature covers.
 */
#include "tests/unit/lib/parse_fixture.h"

/* The event that a template finds in a delivery. */
static void assert_event(const char *template, struct delivery delivery, const char *want)
{
    struct provider provider = {.takes_suffix = true, .fields = {.event = template}};
    struct parsed parsed = read_well(&provider, delivery);

    assert_slice(parsed.event, want);
    parsed_fini(&parsed);
}

static void assert_no_event(const char *template, struct delivery delivery, const char *reason)
{
    struct provider provider = {.takes_suffix = true, .fields = {.event = template}};

    assert_refused(&provider, delivery, ST_MISSING, reason);
}

static void assert_gid(const char *template, const char *body, const char *want)
{
    struct provider provider = {.fields = {.event = "e", .gid = template}};
    struct parsed parsed = read_well(&provider, plain(slice_of(body)));

    assert_slice(parsed.gid, want);
    parsed_fini(&parsed);
}

static void a_template_is_text_and_parts(void **state)
{
    struct delivery delivery =
        plain(SLICE("{\"a\":\"x\",\"b\":{\"c\":\"y/\\u00e9\"},\"e\":\"\"}"));

    (void)state;
    assert_event("fixed text", delivery, "fixed text");
    assert_event("{body.a}", delivery, "x");
    assert_event("{body.a}.{body.b.c}", delivery, "x.y/\xC3\xA9");
    assert_event("<{body.a}{body.a}>", delivery, "<xx>");
    assert_event("{body.e}", delivery, "");
    assert_event("{body.e}{body.e}", delivery, "");
}

static void a_plain_part_points_into_the_body(void **state)
{
    struct provider provider = {.fields = {.event = "{body.x}|{body.e}", .gid = "{body.g}"}};
    struct slice body = SLICE("{\"e\":\"event\",\"g\":12}");
    struct parsed parsed = read_well(&provider, plain(body));

    (void)state;
    assert_ptr_equal(parsed.event.data, body.data + 6);
    assert_ptr_equal(parsed.gid.data, body.data + 17);
    assert_null(parsed.made);
    parsed_fini(&parsed);
}

static void the_first_alternative_with_all_its_parts_is_taken(void **state)
{
    (void)state;
    assert_event("{body.a}|{body.b}", plain(SLICE("{\"b\":\"2\",\"a\":\"1\"}")), "1");
    assert_event("{body.a}|{body.b}", plain(SLICE("{\"b\":\"2\"}")), "2");
    assert_event("{body.a}|{body.b}", plain(SLICE("{\"a\":null,\"b\":\"2\"}")), "2");
    assert_event("{body.a}|{body.b}", plain(SLICE("{\"a\":[7],\"b\":\"2\"}")), "2");
    assert_event("{body.a}|{body.b}", plain(SLICE("{\"a\":7,\"b\":\"2\"}")), "7");
    assert_event("{body.a}|{body.b}", plain(SLICE("{\"a\":\"\",\"b\":\"2\"}")), "");
    assert_event("{body.a}.{body.c}|{body.b}.{body.c}|{body.c}",
                 plain(SLICE("{\"b\":\"2\",\"c\":\"3\"}")), "2.3");
    assert_event("{body.a.b}|{body.a}|x", plain(SLICE("{\"a\":\"1\"}")), "1");
    assert_event("{body.a.b}|{body.a}|x", plain(SLICE("{\"a\":{\"b\":\"1\"}}")), "1");
    assert_event("{body.a}|unknown", plain(SLICE("{}")), "unknown");
}

static void the_reason_is_the_fault_of_the_first_alternative(void **state)
{
    (void)state;
    assert_no_event("{body.a}.{body.b}|{body.c}", plain(SLICE("{\"a\":\"1\"}")),
                    "b is missing");
    assert_no_event("{body.a}.{body.b}|{body.c}", plain(SLICE("{\"b\":\"1\"}")),
                    "a is missing");
    assert_no_event("{body.a}.{body.b}|{body.c}", plain(SLICE("{\"a\":\"\",\"b\":[]}")),
                    "b is not text");
    assert_no_event("x{body.a.b}y|{header.X}", plain(SLICE("{\"a\":1}")), "a.b is missing");
}

static void an_empty_last_alternative_makes_the_field_optional(void **state)
{
    struct provider provider = {
        .fields = {.event = "{body.e}", .resource_type = "{body.t}|", .gid = "{body.g}|"}};
    struct parsed parsed = read_well(&provider, plain(SLICE("{\"e\":\"a.b\",\"g\":{}}")));

    (void)state;
    assert_slice(parsed.resource_type, NULL);
    assert_slice(parsed.gid, NULL);
    parsed_fini(&parsed);
    assert_gid("{body.g}|", "{\"g\":1}", "1");
}

static void a_bar_alone_means_that_there_is_no_such_field(void **state)
{
    struct provider provider = {.signature = {.scheme = SCHEME_HMAC},
                                .fields = {.event = "{header.X}|{body.e}",
                                           .resource_type = "|",
                                           .gid = "|",
                                           .delivery_id = "|",
                                           .event_time = "|"}};
    struct parsed parsed = read_well(&provider, plain(SLICE("{\"e\":\"a.b\",\"g\":\"1\"}")));
    struct parser *parser = make_parser(&provider);

    (void)state;
    assert_slice(parsed.event, "a.b");
    assert_slice(parsed.resource_type, NULL);
    assert_slice(parsed.gid, NULL);
    assert_slice(parsed.delivery_id, NULL);
    assert_int_equal(parsed.event_ms, CLOCK_NONE);
    assert_false(parsed.unreadable_time);
    parsed_fini(&parsed);
    assert_false(parser_trusts(parser, PARSE_EVENT));
    assert_true(
        parser_trusts(parser, PARSE_TYPE)); /* always absent, so no unsigned part decides it */
    parser_destroy(parser);
}

static void fields_without_a_template_are_absent(void **state)
{
    struct provider provider = {.fields = {.event = "{body.e}"}};
    struct parsed parsed = read_well(&provider, plain(SLICE("{\"e\":\"x\",\"gid\":\"g\"}")));

    (void)state;
    assert_slice(parsed.gid, NULL);
    assert_slice(parsed.delivery_id, NULL);
    assert_int_equal(parsed.event_ms, CLOCK_NONE);
    parsed_fini(&parsed);
}

static void a_delivery_id_may_be_missing_or_not_text(void **state)
{
    const char *const bodies[] = {"{}", "{\"i\":null}", "{\"i\":{}}", "{\"i\":true}"};
    struct provider provider = {.fields = {.event = "e", .delivery_id = "{body.i}"}};
    struct parsed parsed;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        parsed = read_well(&provider, plain(slice_of(bodies[i])));
        assert_slice(parsed.delivery_id, NULL);
        parsed_fini(&parsed);
    }
    parsed = read_well(&provider, plain(SLICE("{\"i\":17}")));
    assert_slice(parsed.delivery_id, "17");
    parsed_fini(&parsed);
}

static void without_a_template_the_type_is_the_event_up_to_its_last_dot(void **state)
{
    const struct {
        const char *event, *type;
    } cases[] = {{"poll.completed", "poll"},
                 {"customer.subscription.deleted", "customer.subscription"},
                 {"push", "push"},
                 {".x", ""},
                 {"x.", "x"},
                 {"", ""}};
    struct provider provider = {.fields = {.event = "{body.e}"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf body = {0};
        struct parsed parsed;

        buf_addf(&body, "{\"e\":\"%s\"}", cases[i].event);
        parsed = read_well(&provider, plain(buf_slice(&body)));
        assert_slice(parsed.resource_type, cases[i].type);
        parsed_fini(&parsed);
        buf_free(&body);
    }
}

static void a_name_in_quotes_may_be_anything(void **state)
{
    struct slice body = SLICE("{\"a.b\":{\"c|d\":\"1\",\"}\":\"2\"},\"a\":{\"b\":\"3\"}}");

    (void)state;
    assert_event("{body.\"a.b\".\"c|d\"}|x", plain(body), "1");
    assert_event("{body.\"a.b\".\"}\"}-{body.a.b}", plain(body), "2-3");
    assert_event("{body.\"a.c\".x}|{body.\"a\".\"b\"}", plain(body), "3");
}

static void a_number_is_text(void **state)
{
    (void)state;
    assert_gid("{body.a}", "{\"a\":7}", "7");
    assert_gid("{body.a}-{body.b}", "{\"a\":7,\"b\":1.50}", "7-1.50");
    assert_gid("{body.a}|x", "{\"a\":true}", "true");
    assert_event("{body.a}", plain(SLICE("{\"a\":7}")), "7");
    assert_event("{body.b}.{body.a}", plain(SLICE("{\"a\":7,\"b\":\"x\"}")), "x.7");
}

static void a_star_finds_the_first_scalar_whose_name_has_the_prefix(void **state)
{
    (void)state;
    assert_gid("{body.result.code*}", "{\"result\":{\"name\":\"n\",\"codedeal\":\"D1\"}}",
               "D1");
    assert_gid("{body.result.code*}", "{\"result\":{\"code\":{},\"codes\":[1],\"codex\":7}}",
               "7");
    assert_gid("{body.result.code*}|x", "{\"result\":{\"Code\":1},\"code\":2}", "x");
    assert_gid("{body.code*}|{body.name}", "{\"code1\":null,\"name\":\"n\"}", "n");
    assert_no_event("{body.result.code*}", plain(SLICE("{\"result\":{}}")),
                    "result.code* is missing");
}

static void a_field_that_is_joined_from_parts_is_limited_as_a_whole(void **state)
{
    struct provider provider = {.fields = {.event = "{body.a}{body.a}", .gid = "{body.b}-x"}};
    struct buf body = {0};
    struct parsed parsed;

    (void)state;
    buf_add_str(&body, "{\"b\":\"\",\"a\":\"");
    for (int i = 0; i < PARSE_MAX_FIELD / 2; i++) {
        buf_add_char(&body, 'x');
    }
    buf_add_str(&body, "\"}");
    parsed = read_well(&provider, plain(buf_slice(&body)));
    assert_int_equal(parsed.event.len, PARSE_MAX_FIELD);
    assert_slice(parsed.gid, "-x");
    parsed_fini(&parsed);
    body.len -= 2;
    buf_add_str(&body, "x\"}");
    assert_refused(&provider, plain(buf_slice(&body)), ST_INVALID,
                   "event is longer than 4096 bytes");
    buf_free(&body);
}

static struct delivery with_header(struct header *headers)
{
    struct delivery delivery = plain(SLICE("{\"action\":\"opened\"}"));

    delivery.ctx = headers;
    return delivery;
}

static void a_header_is_a_part(void **state)
{
    struct header headers[] = {
        {"x-github-event", SLICE("issues")}, {"X-Empty", SLICE("")}, {0}};

    (void)state;
    assert_event("{header.X-GitHub-Event}", with_header(headers), "issues");
    assert_event("{header.X-GitHub-Event}.{body.action}|{header.X-GitHub-Event}",
                 with_header(headers), "issues.opened");
    assert_event("{header.X-GitHub-Event}.{body.other}|{header.X-GitHub-Event}",
                 with_header(headers), "issues");
    assert_event("{header.X-Empty}", with_header(headers), "");
}

static void a_header_must_appear_once(void **state)
{
    struct header headers[] = {{"X-Event", SLICE("a")}, {"X-EVENT", SLICE("b")},
                               {"Y", SLICE("a")},       {"Y", SLICE("a")},
                               {"Y", SLICE("a")},       {0}};
    struct delivery delivery = with_header(headers);

    (void)state;
    assert_no_event("{header.X-Event}", delivery, "header X-Event appears twice");
    assert_no_event("{header.Y}", delivery, "header Y appears 3 times");
    assert_no_event("{header.X}", delivery, "header X is missing");
    assert_event("{header.X-Event}|{body.action}", delivery, "opened");
    delivery.header = NULL;
    assert_no_event("{header.X-Event}", delivery, "header X-Event is missing");
}

static void a_header_or_an_end_of_the_url_that_is_not_text_is_missing(void **state)
{
    const struct slice bad[] = {
        SLICE("a\xFF"), SLICE("a\xC0\xAF"), SLICE("a\tb"),         SLICE("a\0b"),
        SLICE("\x7F"),  SLICE("a\xC2\x85"), SLICE("\xEF\xBF\xBE"), SLICE("\xED\xA0\x80"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct header headers[] = {{"X", bad[i]}, {0}};
        struct delivery delivery = with_header(headers);

        delivery.suffix = bad[i];
        assert_no_event("{header.X}", delivery, "header X is not text");
        assert_no_event("{url}", delivery, "the end of the URL is not one segment of text");
    }
}

static void the_end_of_the_url_is_a_part(void **state)
{
    struct delivery delivery = plain(SLICE("{}"));

    (void)state;
    delivery.suffix = SLICE("new customer");
    assert_event("{url}", delivery, "new customer");
    assert_event("weavy.{url}", delivery, "weavy.new customer");
    delivery.suffix = SLICE_NONE;
    assert_no_event("{url}", delivery, "the URL has nothing after the source's path");
    delivery.suffix = SLICE("a/b");
    assert_no_event("{url}", delivery, "the end of the URL is not one segment of text");
    delivery.suffix = SLICE("/");
    assert_no_event("{url}", delivery, "the end of the URL is not one segment of text");
}

static void the_end_of_the_url_may_be_mapped_to_an_event(void **state)
{
    const struct provider_url_event events[] = {
        {"new-customer", "NewCustomer"}, {"deal/new", "NewDeal"}, {NULL, NULL}};
    struct provider provider = {.url_events = events, .fields = {.event = "{url}"}};
    const struct {
        const char *suffix, *event;
    } good[] = {{"new-customer", "NewCustomer"}, {"deal/new", "NewDeal"}};
    const char *const bad[] = {"NewCustomer", "new-customer/", "new", "NEW-CUSTOMER"};
    struct delivery delivery = plain(SLICE("{}"));

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct parsed parsed;

        delivery.suffix = slice_of(good[i].suffix);
        parsed = read_well(&provider, delivery);
        assert_slice(parsed.event, good[i].event);
        parsed_fini(&parsed);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        delivery.suffix = slice_of(bad[i]);
        assert_refused(&provider, delivery, ST_MISSING,
                       "the end of the URL belongs to no event");
    }
    delivery.suffix = SLICE_NONE;
    assert_refused(&provider, delivery, ST_MISSING,
                   "the URL has nothing after the source's path");
}

static void a_reason_that_is_cut_is_still_utf8(void **state)
{
    struct buf template = {0};
    struct provider provider = {0};
    struct parsed parsed;

    (void)state;
    buf_add_str(&template, "{body.");
    for (int i = 0; i < 100; i++) {
        buf_add_str(&template, "\u20ac");
    }
    buf_add_str(&template, "}");
    provider.fields.event = template.data;
    assert_int_equal(read_once(&provider, plain(SLICE("{}")), NULL, &parsed), ST_MISSING);
    assert_int_equal(strlen(parsed.reason), (PARSE_REASON_SIZE - 1) / 3 * 3);
    assert_memory_equal(parsed.reason + strlen(parsed.reason) - 3, "\u20ac", 3);
    parsed_fini(&parsed);
    buf_free(&template);
}

static void assert_wrong(const struct provider *provider, const char *key, const char *reason)
{
    struct parser *parser = NULL;
    const char *got_key = NULL;
    struct err err = {0};

    assert_int_equal(parser_create(provider, &parser, &got_key, &err), ST_INVALID);
    assert_string_equal(err.text, reason);
    assert_string_equal(got_key, key);
    assert_null(parser);
}

#define ARRAYS(path)                                                                           \
    "the path " path " asks for an array element, but arrays cannot be looked into; "          \
    "write names with dots between them, such as data.id"
#define DOTS(path)                                                                             \
    "the path " path " has a dot with no name beside it; write one dot between two names, "    \
    "such as data.id"
#define STAR(path)                                                                             \
    "the path " path " has a * before its end; write it at the end, such as data.code*, for "  \
    "the first field whose name begins like that"
#define NO_PATH  "names no field; write a path such as data.id"
#define UNCLOSED "contains a { without its }; write {body.type}"
#define UNOPENED "contains a } without its {; write {body.type}"
#define UNFIT    "contains a control character or is not UTF-8; remove it"
#define EMPTY_ALTERNATIVE                                                                      \
    "has an empty alternative that is not the last; an empty last one makes the field "        \
    "optional; remove a |"
#define NO_HEADER(name)                                                                        \
    "\"" name "\" is not a header name; use letters, digits and dashes, such as "              \
    "{header.X-Event}"
#define MANY_PARTS "has more than 16 parts in one alternative; remove some"

static void a_wrong_template_is_refused_with_the_correct_form(void **state)
{
    const struct {
        const char *template, *reason;
    } cases[] = {
        {"", "is empty; write where the field is, such as {body.type}, or | if there is none"},
        {"a\nb", UNFIT},
        {"a\xFF", UNFIT},
        {"{body.a", UNCLOSED},
        {"{body.a{body.b}}", UNCLOSED},
        {"body.a}", UNOPENED},
        {"{body.a}|x}", UNOPENED},
        {"|{body.a}", EMPTY_ALTERNATIVE},
        {"{body.a}||", EMPTY_ALTERNATIVE},
        {"||", EMPTY_ALTERNATIVE},
        {"{bdy.a}", "unknown part {bdy.a}; did you mean {body.path.to.field}?"},
        {"{body}", "unknown part {body}; did you mean {body.path.to.field}?"},
        {"{headers.X}", "unknown part {headers.X}; did you mean {header.Name}?"},
        {"{uri}", "unknown part {uri}; did you mean {url}?"},
        {"{url.a}", "unknown part {url.a}; did you mean {url}?"},
        {"{resource_type}", "unknown part {resource_type}; the parts are {body.path.to.field}, "
                            "{header.Name} and {url}"},
        {"{}", "unknown part {}; the parts are {body.path.to.field}, {header.Name} and {url}"},
        {"{body.}", NO_PATH},
        {"{body..a}", DOTS(".a")},
        {"{body.a.}", DOTS("a.")},
        {"{body.a..b}", DOTS("a..b")},
        {"{body.a*.b}", STAR("a*.b")},
        {"{body.a**}", STAR("a**")},
        {"{body.items[0].id}", ARRAYS("items[0].id")},
        {"{body.items[].id}", ARRAYS("items[].id")},
        {"{body.a[*]}", ARRAYS("a[*]")},
        {"{body.a[-1]}", ARRAYS("a[-1]")},
        {"{body.items.0.id}", "the path items.0.id has a number for a name, but arrays cannot "
                              "be looked into; if it is "
                              "the name of a member, put it in quotes, as in data.\"0\""},
        {"{body.a|b}", "{body.a|b} has a | inside of the braces; write alternatives as "
                       "{body.a}|{body.b}"},
        {"{body.\"a\"b}", "the path \"a\"b has a quote that does not end before a dot; write "
                          "data.\"item.id\".value"},
        {"{header.}", NO_HEADER("")},
        {"{header.X Event}", NO_HEADER("X Event")},
        {"{header.X:}", NO_HEADER("X:")},
        {"{header.\u00e9}", NO_HEADER("\u00e9")},
        {"{url}", "{url} is the part of the URL after the source's path, but this source has "
                  "none; set \"path_suffix\": true, or \"events\""},
        {"a{body.a}a{body.a}a{body.a}a{body.a}a{body.a}a{body.a}a{body.a}a{body.a}a",
         MANY_PARTS},
        {"a{body.a}a{body.a}a{body.a}a{body.a}a{body.a}a{body.a}a{body.a}a{body.a}{header.X}",
         MANY_PARTS},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct provider provider = {.fields = {.event = "e", .gid = cases[i].template}};

        assert_wrong(&provider, "gid", cases[i].reason);
    }
}

static void the_key_of_the_wrong_field_is_returned(void **state)
{
    struct provider provider = {.fields = {.event = "e"}};

    (void)state;
    provider.fields.event_time = "{body.}";
    assert_wrong(&provider, "event_time", NO_PATH);
    provider.fields.delivery_id = "{";
    assert_wrong(&provider, "delivery_id", UNCLOSED);
    provider.fields.resource_type = "{";
    assert_wrong(&provider, "resource_type", UNCLOSED);
    provider.fields.event = "{";
    assert_wrong(&provider, "event", UNCLOSED);
}

#define NOT_OPTIONAL                                                                           \
    "must not be optional; write where it is, such as {body.type}, without a | at the end"
#define CONSTANT(text, right)                                                                  \
    "\"" text "\" without braces is constant text, the same in every delivery; write " right

static void an_event_is_required(void **state)
{
    struct provider provider = {.fields = {.gid = "{body.gid}"}};

    (void)state;
    assert_wrong(&provider, "event", "is missing; write where it is, such as {body.type}");
    provider.fields.event = "{body.type}|";
    assert_wrong(&provider, "event", NOT_OPTIONAL);
    provider.fields.event = "|";
    assert_wrong(&provider, "event", NOT_OPTIONAL);
}

static void a_constant_that_looks_like_a_path_is_refused(void **state)
{
    const struct {
        const char *template, *reason;
    } cases[] = {
        {"body.event", CONSTANT("body.event", "{body.event}")},
        {"$.order.number", CONSTANT("$.order.number", "{body.order.number}")},
        {"$.body.event", CONSTANT("$.body.event", "{body.event}")},
        {".id", CONSTANT(".id", "{body.id}")},
        {"header.X-Event", CONSTANT("header.X-Event", "{header.X-Event}")},
        {"headers.X-Event", CONSTANT("headers.X-Event", "{header.X-Event}")},
        {"header.body.x", CONSTANT("header.body.x", "{header.body.x}")},
        {"{body.a}|body.b", CONSTANT("body.b", "{body.b}")},
        {"body.a|{body.b}|", CONSTANT("body.a", "{body.a}")},
        {"$.items[0].id", ARRAYS("items[0].id")},
    };
    const char *const good[] = {
        "order",
        "$order",
        "$.",
        "./",
        "...",
        "v1.order.created",
        "shop.example",
        "somebody.else",
        "body",
        "a body.b",
        "headers",
        "body.",
        "$",
        "all",
        ".",
        "{body.a}.b",
        "a.id",
        "subheader.x",
        "{body.a}.body.b",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct provider provider = {.fields = {.event = "e", .gid = cases[i].template}};

        assert_wrong(&provider, "gid", cases[i].reason);
    }
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct provider provider = {.fields = {.event = "e", .gid = good[i]}};

        parser_destroy(make_parser(&provider));
    }
}

static void a_constant_id_or_time_is_refused(void **state)
{
    const char *const constant[] = {"id", "{body.a}|none", "a|"};
    struct provider provider = {.fields = {.event = "e"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(constant); i++) {
        provider.fields.delivery_id = constant[i];
        assert_wrong(&provider, "delivery_id",
                     "would be the same in different deliveries; write where it is, such as "
                     "{body.id}");
    }
    provider.fields.delivery_id = NULL;
    provider.fields.event_time = "created_at";
    assert_wrong(&provider, "event_time",
                 "would be the same in different deliveries; write where it is, such as "
                 "{body.created_at}");
    provider.fields.event_time = "{body.day}T00:00:00Z";
    parser_destroy(make_parser(&provider));
}

#define NO_EVENT                                                                               \
    "names no event; write one, such as resource.deleted, or *.deleted for all events with "   \
    "that ending"
#define INNER_STAR                                                                             \
    "has a * that is not its first character; write *.deleted for all events with that ending"

static void a_wrong_deletion_event_is_refused(void **state)
{
    const struct {
        const char *text, *reason;
    } cases[] = {
        {"", NO_EVENT},
        {"*", NO_EVENT},
        {"customer.*", INNER_STAR},
        {"**", INNER_STAR},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct provider provider = {.fields = {.event = "e", .deletion_event = cases[i].text}};

        assert_wrong(&provider, "deletion_event", cases[i].reason);
    }
}

static void a_challenge_needs_all_its_members(void **state)
{
    const char *missing = "is missing; a challenge needs a field, the value that identifies "
                          "it, and the field to echo";
    struct provider provider = {.fields = {.event = "e"}, .challenge = {.echo = "a..b"}};

    (void)state;
    assert_wrong(&provider, "challenge.field", missing);
    provider.challenge.field = "";
    assert_wrong(&provider, "challenge.value", missing);
    provider.challenge.value = "v";
    assert_wrong(&provider, "challenge.field", NO_PATH);
    provider.challenge.field = "type";
    assert_wrong(&provider, "challenge.echo", DOTS("a..b"));
    provider.challenge.echo = "{body.challenge}";
    assert_wrong(&provider, "challenge.echo",
                 "must be a path in the body, without braces, such as data.id");
    provider.challenge.echo = NULL;
    assert_wrong(&provider, "challenge.echo", missing);
}

static void templates_may_use_as_many_paths_as_one_pass_can_find(void **state)
{
    struct buf template = {0};
    struct provider provider = {.fields = {.event = "{body.a}"}};
    struct parsed parsed;

    (void)state;
    for (int i = 0; i < 31; i++) {
        buf_addf(&template, "{body.a%d}|{body.a}|", i);
    }
    provider.fields.gid = template.data;
    parsed = read_well(&provider, plain(SLICE("{\"a\":\"x\",\"a30\":\"y\",\"a0\":7}")));
    assert_slice(parsed.gid, "7");
    parsed_fini(&parsed);
    provider.fields.delivery_id = "{body.b}";
    assert_wrong(&provider, "delivery_id",
                 "the templates together use more than 32 fields of the body; remove some");
    buf_free(&template);
}

static bool trusts(struct provider_signature signature, const char *gid)
{
    struct provider provider = {
        .signature = signature, .takes_suffix = true, .fields = {.event = "e", .gid = gid}};
    struct parser *parser = make_parser(&provider);
    bool trusted = parser_trusts(parser, PARSE_GID);

    parser_destroy(parser);
    return trusted;
}

static void only_fields_that_the_signature_covers_are_trusted(void **state)
{
    const struct provider_signature hmac = {.scheme = SCHEME_HMAC,
                                            .header = "X-Signature",
                                            .message = "{id}.{timestamp}.{body}",
                                            .id_header = "webhook-id",
                                            .timestamp_header = "webhook-timestamp"};
    struct provider_signature body_only = hmac;

    (void)state;
    body_only.message = "{body}";
    assert_true(trusts(hmac, "text-{body.a}|{body.b}|"));
    assert_true(trusts(hmac, "{header.Webhook-ID}"));
    assert_true(trusts(hmac, "{header.webhook-timestamp}|{body.a}"));
    assert_false(trusts(hmac, "{header.webhook-idd}"));
    assert_false(trusts(hmac, "{header.X-Signature}"));
    assert_false(trusts(hmac, "{body.a}|{header.X}"));
    assert_false(trusts(hmac, "{header.X}|{body.a}"));
    assert_false(trusts(hmac, "{body.a}.{url}"));
    assert_false(trusts(body_only, "{header.webhook-id}"));
    assert_false(trusts(body_only, "{header.webhook-timestamp}"));
    assert_true(trusts((struct provider_signature){.scheme = SCHEME_HMAC}, NULL));
}

static void without_a_signature_all_fields_are_trusted(void **state)
{
    (void)state;
    assert_true(trusts((struct provider_signature){.scheme = SCHEME_TOKEN}, "{header.X}{url}"));
    assert_true(trusts((struct provider_signature){.scheme = SCHEME_NONE}, "{header.X}{url}"));
}

static void a_type_without_a_template_is_as_trusted_as_the_event(void **state)
{
    struct provider provider = {.signature = {.scheme = SCHEME_HMAC},
                                .fields = {.event = "{header.X}"}};
    struct parser *parser = make_parser(&provider);

    (void)state;
    assert_false(parser_trusts(parser, PARSE_EVENT));
    assert_false(parser_trusts(parser, PARSE_TYPE));
    assert_true(parser_trusts(parser, PARSE_GID));
    parser_destroy(parser);
    provider.fields.resource_type = "{body.type}";
    parser = make_parser(&provider);
    assert_true(parser_trusts(parser, PARSE_TYPE));
    parser_destroy(parser);
    parser_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_template_is_text_and_parts),
        cmocka_unit_test(a_plain_part_points_into_the_body),
        cmocka_unit_test(the_first_alternative_with_all_its_parts_is_taken),
        cmocka_unit_test(the_reason_is_the_fault_of_the_first_alternative),
        cmocka_unit_test(an_empty_last_alternative_makes_the_field_optional),
        cmocka_unit_test(a_bar_alone_means_that_there_is_no_such_field),
        cmocka_unit_test(fields_without_a_template_are_absent),
        cmocka_unit_test(a_delivery_id_may_be_missing_or_not_text),
        cmocka_unit_test(without_a_template_the_type_is_the_event_up_to_its_last_dot),
        cmocka_unit_test(a_name_in_quotes_may_be_anything),
        cmocka_unit_test(a_number_is_text),
        cmocka_unit_test(a_star_finds_the_first_scalar_whose_name_has_the_prefix),
        cmocka_unit_test(a_field_that_is_joined_from_parts_is_limited_as_a_whole),
        cmocka_unit_test(a_header_is_a_part),
        cmocka_unit_test(a_header_must_appear_once),
        cmocka_unit_test(a_header_or_an_end_of_the_url_that_is_not_text_is_missing),
        cmocka_unit_test(the_end_of_the_url_is_a_part),
        cmocka_unit_test(the_end_of_the_url_may_be_mapped_to_an_event),
        cmocka_unit_test(a_reason_that_is_cut_is_still_utf8),
        cmocka_unit_test(a_wrong_template_is_refused_with_the_correct_form),
        cmocka_unit_test(the_key_of_the_wrong_field_is_returned),
        cmocka_unit_test(an_event_is_required),
        cmocka_unit_test(a_constant_that_looks_like_a_path_is_refused),
        cmocka_unit_test(a_constant_id_or_time_is_refused),
        cmocka_unit_test(a_wrong_deletion_event_is_refused),
        cmocka_unit_test(a_challenge_needs_all_its_members),
        cmocka_unit_test(templates_may_use_as_many_paths_as_one_pass_can_find),
        cmocka_unit_test(only_fields_that_the_signature_covers_are_trusted),
        cmocka_unit_test(without_a_signature_all_fields_are_trusted),
        cmocka_unit_test(a_type_without_a_template_is_as_trusted_as_the_event),
    };

    return cmocka_run_group_tests_name("parse_templates", tests, NULL, NULL);
}
