/*
 * Which source and event a path belongs to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/provider/provider.h"

static const struct provider_url_event events[] = {
    {"new-customer", "NewCustomer"}, {"deal/new", "NewDeal"}, {"", "Ping"}, {NULL, NULL}};
static const struct provider plain = {.name = "plain"};
static const struct provider suffixed = {.name = "suffixed", .takes_suffix = true};
static const struct provider listed = {.name = "listed", .url_events = events};

static void only_what_follows_a_slash_is_below_a_path(void **state)
{
    struct slice path = SLICE("/hooks/a");

    (void)state;
    assert_true(provider_url_is_below(&suffixed, path, SLICE("/hooks/a/b")));
    assert_true(provider_url_is_below(&suffixed, path, SLICE("/hooks/a/")));
    assert_true(provider_url_is_below(&listed, path, SLICE("/hooks/a/b/c")));
    assert_false(provider_url_is_below(&suffixed, path, SLICE("/hooks/a")));
    assert_false(provider_url_is_below(&suffixed, path, SLICE("/hooks/ab")));
    assert_false(provider_url_is_below(&suffixed, path, SLICE("/hooks/b/a/b")));
    assert_false(provider_url_is_below(&plain, path, SLICE("/hooks/a/b")));
}

static void what_follows_the_path_begins_behind_all_slashes(void **state)
{
    struct slice path = SLICE("/a");

    (void)state;
    assert_true(slice_equal(provider_url_rest(path, SLICE("/a/b/c")), SLICE("b/c")));
    assert_true(slice_equal(provider_url_rest(path, SLICE("/a//b")), SLICE("b")));
    assert_true(slice_equal(provider_url_rest(path, SLICE("/a/b//")), SLICE("b")));
    assert_null(provider_url_rest(path, SLICE("/a/")).data);
    assert_null(provider_url_rest(path, SLICE("/a")).data);
}

static void where_events_are_listed_no_others_exist(void **state)
{
    (void)state;
    assert_true(provider_url_takes(&listed, SLICE("new-customer")));
    assert_true(provider_url_takes(&listed, SLICE("deal/new")));
    assert_true(provider_url_takes(&listed, SLICE_NONE)); /* the path itself */
    assert_false(provider_url_takes(&listed, SLICE("new")));
    assert_true(provider_url_takes(&suffixed, SLICE("anything")));
    assert_true(provider_url_takes(&suffixed, SLICE_NONE));
    assert_true(provider_url_takes(&plain, SLICE_NONE));
    assert_false(provider_url_takes(&plain, SLICE("anything")));
}

static void an_event_and_its_suffix_name_each_other(void **state)
{
    (void)state;
    assert_string_equal(provider_url_event(&listed, SLICE("deal/new")), "NewDeal");
    assert_string_equal(provider_url_suffix(&listed, "NewDeal"), "deal/new");
    assert_string_equal(provider_url_suffix(&listed, "Ping"), "");
    assert_null(provider_url_event(&listed, SLICE("NewDeal")));
    assert_null(provider_url_suffix(&listed, "deal/new"));
    assert_null(provider_url_event(&suffixed, SLICE("deal/new")));
    assert_null(provider_url_suffix(&suffixed, "NewDeal"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_follows_a_slash_is_below_a_path),
        cmocka_unit_test(what_follows_the_path_begins_behind_all_slashes),
        cmocka_unit_test(where_events_are_listed_no_others_exist),
        cmocka_unit_test(an_event_and_its_suffix_name_each_other),
    };

    return cmocka_run_group_tests_name("provider_url", tests, NULL, NULL);
}
