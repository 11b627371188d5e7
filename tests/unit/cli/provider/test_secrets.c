#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "bridge/cli/provider/internal.h"

#define TOKEN    "tok/a+=b"
#define PASSWORD "p\"\\w\xC3\xA4\t"

static int make_secrets(void **state)
{
    struct secrets *secrets = xalloc(sizeof(*secrets));

    secrets_add(secrets, SLICE(TOKEN));
    secrets_add(secrets, SLICE(PASSWORD));
    *state = secrets;
    return 0;
}

static int free_secrets(void **state)
{
    secrets_wipe(*state);
    free(*state);
    return 0;
}

static void assert_text(const struct secrets *secrets, const char *text, const char *wanted)
{
    struct buf shown = {0};

    assert_int_equal(secrets_add_hidden(secrets, &shown, slice_of(text)),
                     strcmp(text, wanted) != 0);
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

static void a_text_that_spells_one_with_escapes_is_hidden_whole(void **state)
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
        "p\\\\u005cu0022\\\\u005c\\\\u005cw\xC3\xA4\\t", /* escaped twice, unlike each time */
    };

    for (size_t i = 0; i < COUNT_OF(spelled); i++) {
        struct buf text = {0};

        buf_addf(&text, "[%s]", spelled[i]);
        assert_text(*state, text.data, "***");
        buf_free(&text);
    }
}

/* What looks like an escape in the secret itself is none. */
static void a_secret_that_contains_escapes_is_found_behind_others(void **state)
{
    static const char *const spelled[] = {
        "x%41\\n%5Bz",      "x%2541\\n%255Bz", "x%252541\\n%25255Bz",
        "x%2541%5Cn%255Bz", "x%41\\\\n%5Bz",   "x%41\\u005cn%5Bz",
    };

    secrets_add(*state, SLICE("x%41\\n%5Bz"));
    for (size_t i = 0; i < COUNT_OF(spelled); i++) {
        assert_text(*state, spelled[i], "***");
    }
    assert_text(*state, "xA[y 100%", "xA[y 100%");
}

static void of_two_that_begin_alike_the_longer_one_goes(void **state)
{
    secrets_add(*state, SLICE(TOKEN "/more"));
    secrets_add(*state, SLICE("tok/"));
    assert_text(*state, TOKEN "/more " TOKEN " tok/", "*** *** ***");
}

static void one_or_two_characters_are_no_secret_that_could_be_hidden(void **state)
{
    secrets_add(*state, SLICE("ab"));
    secrets_add(*state, SLICE("cde"));
    secrets_add(*state, SLICE(""));
    assert_text(*state, "abacus cde", "abacus ***");
}

static void a_megabyte_of_backslashes_takes_no_time(void **state)
{
    struct timespec begin, end;
    struct buf text = {0}, shown = {0};

    for (int i = 0; i < 1 << 20; i++) {
        buf_add_char(&text, '\\');
    }
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin), 0);
    assert_false(secrets_add_hidden(*state, &shown, buf_slice(&text)));
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end), 0);
    assert_int_equal(shown.len, 1 << 20);
    assert_true(end.tv_sec - begin.tv_sec < 10);
    buf_free(&text);
    buf_free(&shown);
}

static void assert_json(const struct secrets *secrets, const char *json, const char *wanted)
{
    bool is_json;
    struct json_object *tree = tree_parse(slice_of(json), &is_json);
    struct json_object *shown = secrets_hide(secrets, tree);

    assert_true(is_json);
    assert_string_equal(tree_print(shown), wanted);
    json_object_put(shown);
    json_object_put(tree);
}

static void json_stays_as_it_was_where_nothing_is_hidden(void **state)
{
    assert_json(*state, "{ \"a\\/\": [1.50e+3, -0, true,\tnull, \"\\u00e9\"] , \"\" :{ } }\n",
                "{\"a/\":[1.50e+3,0,true,null,\"\xC3\xA9\"],\"\":{}}");
    assert_json(*state, "7", "7");
    assert_json(*state, "\"\"", "\"\"");
    assert_json(*state, "\"a\\u0000b\"", "\"a\\u0000b\"");
}

static void json_stays_json_where_something_is(void **state)
{
    assert_json(*state, "{\"tok\\/a\\u002B=b\": [\"\\\"tok/a+=b\\\"\"]}",
                "{\"***\":[\"\\\"***\\\"\"]}");
    assert_json(*state,
                "{\"message\":\"sent {\\\"x\\\":\\\"p\\\\\\\"\\\\\\\\w\\u00e4\\\\t\\\"}\"}",
                "{\"message\":\"***\"}");
    secrets_add(*state, SLICE("1234"));
    secrets_add(*state, SLICE("ue,\""));
    secrets_add(*state, SLICE("00e9"));
    assert_json(*state, "{\"a\":12345,\"b\":true,\"c\":\"\\u00e9\"}",
                "{\"a\":\"***5\",\"b\":true,\"c\":\"\xC3\xA9\"}");
}

static void what_is_named_like_a_secret_is_one(void **state)
{
    assert_json(*state, "{\"secret\":\"a\",\"authToken\" : \"b\",\"old_password\":[\"c\"]}",
                "{\"secret\":\"***\",\"authToken\":\"***\",\"old_password\":\"***\"}");
    assert_json(*state, "{\"secretary\":\"a\",\"secret\":null,\"b\":\"c\",\"token\":-7.5e3}",
                "{\"secretary\":\"a\",\"secret\":null,\"b\":\"c\",\"token\":\"***\"}");
    assert_json(*state, "{\"secret\": {\"v\":[\"}\",1,{}]} ,\"b\":[{\"token\":true}],\"c\":2}",
                "{\"secret\":\"***\",\"b\":[{\"token\":\"***\"}],\"c\":2}");
}

int main(void)
{
#define WITH_SECRETS(test) cmocka_unit_test_setup_teardown(test, make_secrets, free_secrets)
    const struct CMUnitTest tests[] = {
        WITH_SECRETS(a_secret_is_hidden_wherever_it_stands),
        WITH_SECRETS(a_text_that_spells_one_with_escapes_is_hidden_whole),
        WITH_SECRETS(a_secret_that_contains_escapes_is_found_behind_others),
        WITH_SECRETS(of_two_that_begin_alike_the_longer_one_goes),
        WITH_SECRETS(one_or_two_characters_are_no_secret_that_could_be_hidden),
        WITH_SECRETS(a_megabyte_of_backslashes_takes_no_time),
        WITH_SECRETS(json_stays_as_it_was_where_nothing_is_hidden),
        WITH_SECRETS(json_stays_json_where_something_is),
        WITH_SECRETS(what_is_named_like_a_secret_is_one),
    };

    return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
