/*
 * Topic templates: the topics that they make, their encoding and their limit, and the faults that
 * are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/utf8.h"

#include "bridge/parse/route.h"

static struct route_values example(void)
{
    return (struct route_values){
        .source = SLICE("partners"),
        .resource_type = SLICE("project"),
        .event = SLICE("resource.updated"),
        .gid = SLICE("559befeeab59f"),
        .id = SLICE("0199a8f0-0000-7000-8000-000000000000"),
        .body = SLICE("{\"resource\":{\"state\":\"in/progress\"}}"),
    };
}

static struct route *make(const char *text)
{
    struct route *route = NULL;
    struct err err = {0};

    if (route_create(text, &route, &err) != ST_OK) {
        fail_msg("%s: %s", text, err.text);
    }
    return route;
}

static void assert_topic(const char *template, struct route_values values, const char *want)
{
    struct route *route = make(template);
    struct buf out = {0};

    assert_int_equal(route_topic(route, &values, &out), ST_OK);
    assert_string_equal(out.data, want);
    assert_int_equal(out.len, strlen(want));
    buf_free(&out);
    route_destroy(route);
}

static void assert_gid(struct slice gid, const char *want)
{
    struct route_values values = example();

    values.gid = gid;
    assert_topic("{gid}", values, want);
}

static void the_topic_of_the_contract(void **state)
{
    (void)state;
    assert_topic("partners/{resource_type}/{event}/{gid}", example(),
                 "partners/project/resource.updated/559befeeab59f");
}

static void every_variable_has_its_value(void **state)
{
    (void)state;
    assert_topic("{source}/{resource_type}/{event}/{action}/{gid}/{id}", example(),
                 "partners/project/resource.updated/updated/559befeeab59f/"
                 "0199a8f0-0000-7000-8000-000000000000");
    assert_topic("{type}/{resource_type}", example(), "project/project");
    assert_topic("a/{body.resource.state}/b", example(), "a/in%2Fprogress/b");
    assert_topic("a/{body.resource.other}/b", example(), "a/_/b");
    assert_topic("no variables", example(), "no variables");
    assert_topic("/{gid}{gid}/x-{gid}-y/", example(),
                 "/559befeeab59f559befeeab59f/x-559befeeab59f-y/");
}

static void a_name_in_quotes_may_be_anything(void **state)
{
    struct parsed parsed = {0};
    struct route_values values = {
        .body = SLICE(
            "{\"a.b\":{\"0\":\"zero\",\"} {\":1.50,\"+|#\":true},\"a\":{\"b\":\"plain\"}}"),
        .parsed = &parsed};

    (void)state;
    assert_topic("t/{body.\"a.b\".\"0\"}/{body.a.b}", values, "t/zero/plain");
    assert_topic("{body.\"a.b\".\"} {\"}x", values, "1.50x");
    assert_topic("{body.\"a.b\".\"+|#\"}", values, "true");
    parsed_fini(&parsed);
}

static void a_byte_order_mark_is_skipped(void **state)
{
    struct parsed parsed = {0};
    struct route_values values = {.body = SLICE("\xEF\xBB\xBF{\"a\":7}"), .parsed = &parsed};

    (void)state;
    assert_topic("{body.a}", values, "7");
    parsed_fini(&parsed);
}

static void the_action_is_the_event_behind_its_last_dot(void **state)
{
    const struct {
        struct slice event;
        const char *action;
    } cases[] = {
        {SLICE("resource.updated"), "updated"},
        {SLICE("a.b.c"), "c"},
        {SLICE("plain"), "plain"},
        {SLICE("ends."), "_"},
        {SLICE(""), "_"},
        {SLICE_NONE, "_"},
        {SLICE("a./x"), "%2Fx"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct route_values values = example();

        values.event = cases[i].event;
        assert_topic("{action}", values, cases[i].action);
    }
}

static void characters_with_a_meaning_in_topics_are_encoded(void **state)
{
    (void)state;
    assert_gid(SLICE("a/b"), "a%2Fb");
    assert_gid(SLICE("+"), "%2B");
    assert_gid(SLICE("#"), "%23");
    assert_gid(SLICE("100%"), "100%25");
    assert_gid(SLICE("%2F"), "%252F");
    assert_gid(SLICE("$SYS"), "%24SYS");
    assert_gid(SLICE("a$b"), "a$b");
    assert_gid(SLICE("$$"), "%24$");
    assert_gid(SLICE("../.."), "..%2F..");
    assert_gid(SLICE("a\0b"), "a%00b");
    assert_gid(SLICE("\t\n\x1F\x7F"), "%09%0A%1F%7F");
    assert_gid(SLICE("a b\"{}\\"), "a b\"{}\\");
    assert_gid(SLICE(""), "_");
    assert_gid(SLICE_NONE, "_");
    assert_gid(SLICE("_"), "_");
}

static void characters_pass_and_other_bytes_are_encoded(void **state)
{
    (void)state;
    assert_gid(SLICE("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"),
               "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    assert_gid(SLICE("\xC2\xA0"), "\xC2\xA0");
    assert_gid(SLICE("\xEF\xBF\xBD"), "\xEF\xBF\xBD");
    /* U+0080 to U+009F; U+FDD0; the last two of a plane */
    assert_gid(SLICE("\xC2\x80x\xC2\x9F"), "%C2%80x%C2%9F");
    assert_gid(SLICE("\xEF\xB7\x90\xEF\xB7\xAF"), "%EF%B7%90%EF%B7%AF");
    assert_gid(SLICE("\xEF\xBF\xBE\xEF\xBF\xBF"), "%EF%BF%BE%EF%BF%BF");
    assert_gid(SLICE("\xF4\x8F\xBF\xBE"), "%F4%8F%BF%BE");
    /* not UTF-8 */
    assert_gid(SLICE("\xFF"), "%FF");
    assert_gid(SLICE("a\xC3"), "a%C3");
    assert_gid(SLICE("\xC3(\xC3\xA9"), "%C3(\xC3\xA9");
    assert_gid(SLICE("\xC0\xAF"), "%C0%AF");
    assert_gid(SLICE("\xED\xA0\x80"), "%ED%A0%80");
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Tries all values of two bytes. */
static void no_value_leaves_its_level_and_no_two_share_one(void **state)
{
    struct route *route = make("{gid}");
    char(*topics)[8] = calloc(65536, sizeof(*topics));
    unsigned count = 0;
    struct buf out = {0};

    (void)state;
    assert_non_null(topics);
    for (unsigned c = 0; c < 65536; c++) {
        char value[2] = {(char)(c >> 8), (char)c};
        struct route_values values = example();

        values.gid = (struct slice){value, 2};
        buf_clear(&out);
        assert_int_equal(route_topic(route, &values, &out), ST_OK);
        assert_true(out.len < sizeof(topics[0]));
        assert_null(strpbrk(out.data, "/+#"));
        assert_int_equal(strlen(out.data), out.len);
        assert_true(out.data[0] != '$');
        assert_true(utf8_valid(buf_slice(&out)));
        memcpy(topics[count++], out.data, out.len);
    }
    qsort(topics, count, sizeof(topics[0]), compare_text);
    for (unsigned i = 1; i < count; i++) {
        assert_string_not_equal(topics[i - 1], topics[i]);
    }
    free(topics);
    buf_free(&out);
    route_destroy(route);
}

static void a_topic_is_added_behind_the_text_in_the_buffer(void **state)
{
    struct route *route = make("t/{gid}");
    struct route_values values = example();
    struct buf out = {0};

    (void)state;
    buf_add_str(&out, "before:");
    assert_int_equal(route_topic(route, &values, &out), ST_OK);
    assert_string_equal(out.data, "before:t/559befeeab59f");
    buf_free(&out);
    route_destroy(route);
}

static void a_topic_has_at_most_65535_bytes(void **state)
{
    char *long_gid = calloc(1, ROUTE_MAX_TOPIC + 2);
    struct route *route = make("t/{gid}"), *alone = make("{gid}");
    struct route_values values = example();
    struct buf out = {0};

    (void)state;
    assert_non_null(long_gid);
    memset(long_gid, 'x', ROUTE_MAX_TOPIC + 1);
    values.gid = (struct slice){long_gid, ROUTE_MAX_TOPIC + 1};
    assert_int_equal(route_topic(alone, &values, &out), ST_TOO_LARGE);
    assert_int_equal(out.len, 0);

    buf_add_str(&out, "before");
    values.gid.len = ROUTE_MAX_TOPIC - 1;
    assert_int_equal(route_topic(route, &values, &out), ST_TOO_LARGE);
    assert_string_equal(out.data, "before");
    values.gid.len = ROUTE_MAX_TOPIC - 2;
    assert_int_equal(route_topic(route, &values, &out), ST_OK);
    assert_int_equal(out.len, 6 + ROUTE_MAX_TOPIC);

    buf_clear(&out);
    memset(long_gid, '/', ROUTE_MAX_TOPIC); /* short enough until it is encoded */
    values.gid.len = ROUTE_MAX_TOPIC / 2;
    assert_int_equal(route_topic(route, &values, &out), ST_TOO_LARGE);
    assert_int_equal(out.len, 0);
    free(long_gid);
    buf_free(&out);
    route_destroy(route);
    route_destroy(alone);
    route_destroy(NULL);
}

static void a_wrong_template_is_refused_with_the_correct_form(void **state)
{
    const struct {
        const char *template, *reason;
    } cases[] = {
        {"", "is empty; write one such as partners/{resource_type}/{event}/{gid}"},
        {"$SYS/{gid}",
         "begins with $, which is reserved for the broker; begin with another character"},
        {"a/+/b", "contains the wildcard +, which is only for subscriptions; remove it"},
        {"a/#", "contains the wildcard #, which is only for subscriptions; remove it"},
        {"a/{gid", "contains a { without its }; write {name}"},
        {"a/{", "contains a { without its }; write {name}"},
        {"a/{{gid}}", "contains a { without its }; write {name}"},
        {"a/gid}", "contains a } without its {; write {name}"},
        {"a/{gdi}", "unknown variable {gdi}; did you mean {gid}?"},
        {"a/{ressource_type}",
         "unknown variable {ressource_type}; did you mean {resource_type}?"},
        {"a/{tpye}", "unknown variable {tpye}; did you mean {type}?"},
        {"a/{resource}", "unknown variable {resource}; did you mean {resource_type}?"},
        {"a/{}",
         "unknown variable {}; the variables are {source} {event} {action} {resource_type} "
         "{type} {gid} {id} and {body.<path>}"},
        {"{body.}", "unknown variable {body.}; the variables are {source} {event} {action} "
                    "{resource_type} {type} {gid} {id} and {body.<path>}"},
        {"{body.items[0].id}",
         "the path items[0].id asks for an array element, but arrays cannot be looked into; "
         "write names with dots between them, such as data.id"},
        {"{body.a..b}", "the path a..b has a dot with no name beside it; write one dot between "
                        "two names, such as data.id"},
        {"{body.items.0.id}", "the path items.0.id has a number for a name, but arrays cannot "
                              "be looked into; if it is "
                              "the name of a member, put it in quotes, as in data.\"0\""},
        {"{body.a|b}", "{body.a|b} has a |, but a topic has no alternatives; write them in "
                       "`fields`, and the field here, such as {gid}"},
        {"{gid|event}", "{gid|event} has a |, but a topic has no alternatives; write them in "
                        "`fields`, and the field here, such as {gid}"},
        {"{body.\"a}", "the path \"a has a quote that does not end before a dot; write "
                       "data.\"item.id\".value"},
        {"{body.\"a}\"", "contains a { without its }; write {name}"},
        {"{body. a}",
         "the path  a has a blank at the end of a name; remove it, or put the name in "
         "quotes, as in data.\" id\""},
        {"a\x01", "contains U+0001, which topics must not contain; remove it"},
        {"a\xC2\x85", "contains U+0085, which topics must not contain; remove it"},
        {"a\xEF\xBF\xBF", "contains U+FFFF, which topics must not contain; remove it"},
        {"ab\xFF", "is not UTF-8 at byte 2; save it as UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct route *route = NULL;
        struct err err = {0};

        assert_int_equal(route_create(cases[i].template, &route, &err), ST_INVALID);
        assert_string_equal(err.text, cases[i].reason);
        assert_null(route);
    }
}

static void a_template_longer_than_a_topic_is_refused(void **state)
{
    char *text = calloc(1, ROUTE_MAX_TOPIC + 2);
    struct route *route = NULL;
    struct err err = {0};

    (void)state;
    assert_non_null(text);
    memset(text, 'x', ROUTE_MAX_TOPIC + 1);
    assert_int_equal(route_create(text, &route, &err), ST_INVALID);
    assert_string_equal(err.text, "is longer than a topic may be; use at most 65535 bytes");
    text[ROUTE_MAX_TOPIC] = '\0';
    assert_int_equal(route_create(text, &route, &err), ST_OK);
    route_destroy(route);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_topic_of_the_contract),
        cmocka_unit_test(every_variable_has_its_value),
        cmocka_unit_test(a_name_in_quotes_may_be_anything),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(the_action_is_the_event_behind_its_last_dot),
        cmocka_unit_test(characters_with_a_meaning_in_topics_are_encoded),
        cmocka_unit_test(characters_pass_and_other_bytes_are_encoded),
        cmocka_unit_test(no_value_leaves_its_level_and_no_two_share_one),
        cmocka_unit_test(a_topic_is_added_behind_the_text_in_the_buffer),
        cmocka_unit_test(a_topic_has_at_most_65535_bytes),
        cmocka_unit_test(a_wrong_template_is_refused_with_the_correct_form),
        cmocka_unit_test(a_template_longer_than_a_topic_is_refused),
    };

    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
