#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/json.h"

#include "bridge/cli/provider/api_internal.h"

#define TOKEN    "tok/a+=b"
#define PASSWORD "p\"\\w\xC3\xA4\t"

static void set(struct buf *secret, const char *text)
{
    buf_add_str(secret, text);
}

static int make_api(void **state)
{
    struct cli_api *api = xalloc(sizeof(*api));

    set(&api->token, TOKEN);
    set(&api->hidden[0], PASSWORD);
    api->hidden_count = 1;
    *state = api;
    return 0;
}

static int free_api(void **state)
{
    cli_api_close(*state);
    return 0;
}

static void assert_text(const struct cli_api *api, const char *text, const char *wanted)
{
    struct buf shown = {0};

    buf_add_str(&shown, text);
    assert_int_equal(cli_api_hide_text(api, &shown), strcmp(text, wanted) != 0);
    assert_string_equal(buf_slice(&shown).data, wanted);
    buf_free(&shown);
}

static void a_secret_is_hidden_wherever_it_stands(void **state)
{
    assert_text(*state, "", "");
    assert_text(*state, TOKEN, "***");
    assert_text(*state, "a" TOKEN TOKEN "b " PASSWORD, "a******b ***");
    assert_text(*state, "tok/a+=, tok/a+=", "tok/a+=, tok/a+=");
}

static void however_json_spells_it(void **state)
{
    static const char *const spelled[] = {
        "tok\\/a+=b",           /* PHP */
        "tok/a\\u002B=b",       /* .NET */
        "tok/a\\u002b\\u003db", /* lower case; and where nothing asks for it */
        "tok\\\\/a\\\\u002B=b", /* in a string in a string */
        "p\\\"\\\\w\\u00e4\\t", /* Python */
        "p\\u0022\\u005cw\xC3\xA4\\u0009",
        "p\\\\\\\"\\\\\\\\w\xC3\xA4\\\\t",
        "p\"\\w\\xc3\\xA4\\x09", /* as bytes */
        "tok%2Fa%2B%3db",        /* in a URL */
        "p%22%5Cw%C3%A4%09",
    };

    for (size_t i = 0; i < COUNT_OF(spelled); i++) {
        struct buf text = {0};

        buf_addf(&text, "[%s]", spelled[i]);
        assert_true(cli_api_hide_text(*state, &text));
        assert_string_equal(text.data, "[***]");
        buf_free(&text);
    }
}

static void of_two_that_begin_alike_the_longer_one_goes(void **state)
{
    struct cli_api *api = *state;

    set(&api->hidden[1], TOKEN "/more");
    set(&api->hidden[2], "tok/");
    api->hidden_count = 3;
    assert_text(api, TOKEN "/more " TOKEN " tok/", "*** *** ***");
}

static void one_or_two_characters_are_no_secret_that_could_be_hidden(void **state)
{
    struct cli_api *api = *state;

    set(&api->hidden[1], "ab");
    set(&api->hidden[2], "cde");
    api->hidden_count = 4; /* the last one is empty */
    assert_text(api, "abacus cde", "abacus ***");
}

static void a_megabyte_of_backslashes_takes_no_time(void **state)
{
    struct timespec begin, end;
    struct buf text = {0};

    for (int i = 0; i < 1 << 20; i++) {
        buf_add_char(&text, '\\');
    }
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin), 0);
    assert_false(cli_api_hide_text(*state, &text));
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end), 0);
    assert_int_equal(text.len, 1 << 20);
    assert_true(end.tv_sec - begin.tv_sec < 10);
    buf_free(&text);
}

static void assert_json(const struct cli_api *api, const char *json, const char *wanted)
{
    struct buf shown = {0};

    assert_int_equal(json_check(slice_of(json), NULL), ST_OK);
    cli_api_hide_json(api, slice_of(json), &shown);
    assert_string_equal(shown.data, wanted);
    assert_int_equal(json_check(buf_slice(&shown), NULL), ST_OK);
    buf_free(&shown);
}

static void json_stays_as_it_was_where_nothing_is_hidden(void **state)
{
    const char *json =
        "{ \"a\\/\": [1.50e+3, -0, true,\tnull, \"\\u00e9\\ud800\"] , \"\" :{ } }\n";

    assert_json(*state, json, json);
    assert_json(*state, "7", "7");
    assert_json(*state, "\"\"", "\"\"");
}

static void json_stays_json_where_something_is(void **state)
{
    struct cli_api *api = *state;

    assert_json(api, "{\"tok\\/a\\u002B=b\": [\"\\\"tok/a+=b\\\"\"]}",
                "{\"***\": [\"\\\"***\\\"\"]}");
    assert_json(api,
                "{\"message\":\"sent {\\\"x\\\":\\\"p\\\\\\\"\\\\\\\\w\\u00e4\\\\t\\\"}\"}",
                "{\"message\":\"sent {\\\"x\\\":\\\"***\\\"}\"}");
    set(&api->hidden[1], "1234");
    set(&api->hidden[2], "ue,\"");
    set(&api->hidden[3], "00e9");
    api->hidden_count = 4;
    assert_json(api, "{\"a\":12345,\"b\":true,\"c\":\"\\u00e9\"}",
                "{\"a\":\"***5\",\"b\":true,\"c\":\"\\u00e9\"}");
}

static void what_is_named_like_a_secret_is_one(void **state)
{
    assert_json(*state, "{\"secret\":\"a\",\"authToken\" : \"b\",\"old_password\":[\"c\"]}",
                "{\"secret\":\"***\",\"authToken\" : \"***\",\"old_password\":\"***\"}");
    assert_json(*state, "{\"secretary\":\"a\",\"secret\":null,\"b\":\"c\",\"token\":-7.5e3}",
                "{\"secretary\":\"a\",\"secret\":null,\"b\":\"c\",\"token\":\"***\"}");
    assert_json(*state, "{\"secret\": {\"v\":[\"}\",1,{}]} ,\"b\":[{\"token\":true}],\"c\":2}",
                "{\"secret\": \"***\" ,\"b\":[{\"token\":\"***\"}],\"c\":2}");
}

int main(void)
{
#define WITH_API(test) cmocka_unit_test_setup_teardown(test, make_api, free_api)
    const struct CMUnitTest tests[] = {
        WITH_API(a_secret_is_hidden_wherever_it_stands),
        WITH_API(however_json_spells_it),
        WITH_API(of_two_that_begin_alike_the_longer_one_goes),
        WITH_API(one_or_two_characters_are_no_secret_that_could_be_hidden),
        WITH_API(a_megabyte_of_backslashes_takes_no_time),
        WITH_API(json_stays_as_it_was_where_nothing_is_hidden),
        WITH_API(json_stays_json_where_something_is),
        WITH_API(what_is_named_like_a_secret_is_one),
    };

    return cmocka_run_group_tests_name("cli_api_hide", tests, NULL, NULL);
}
