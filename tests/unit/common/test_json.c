#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "common/utf8.h"

/* A copy of exactly its size, so that a sanitizer sees any read beyond it. */
static enum status check_tight(struct slice text, size_t *out_error_at)
{
    char *copy = malloc(text.len > 0 ? text.len : 1);
    enum status st;

    assert_non_null(copy);
    memcpy(copy, text.data, text.len);
    st = json_check((struct slice){copy, text.len}, out_error_at);
    free(copy);
    return st;
}

static void assert_json(struct slice text)
{
    if (check_tight(text, NULL) != ST_OK) {
        fail_msg("refused: %.*s", SLICE_ARG(text));
    }
}

static void assert_not_json(struct slice text)
{
    if (check_tight(text, NULL) != ST_INVALID) {
        fail_msg("accepted: %.*s", SLICE_ARG(text));
    }
}

static void assert_too_deep(struct slice text)
{
    assert_int_equal(check_tight(text, NULL), ST_TOO_LARGE);
}

static void every_form_of_value_is_json(void **state)
{
    const struct slice good[] = {
        SLICE("{}"),
        SLICE("[]"),
        SLICE("null"),
        SLICE("true"),
        SLICE("false"),
        SLICE("\"\""),
        SLICE("0"),
        SLICE("-0"),
        SLICE("-0.0"),
        SLICE("1"),
        SLICE("10"),
        SLICE("-1.5e+10"),
        SLICE("1E5"),
        SLICE("1e-5"),
        SLICE("0e0"),
        SLICE("0.1e1"),
        SLICE("123456789012345678901234567890"),
        SLICE("1e9999"),
        SLICE(" \t\r\n[ 1 , 2 ] \n"),
        SLICE("[[],[[]],{}]"),
        SLICE("{\"a\":{\"b\":[{\"c\":null}]}}"),
        SLICE("{\"\":0}"),
        SLICE("{\"a\":1,\"a\":2}"),
        SLICE("{ \"a\" : 1 , \"b\" : [ ] , \"c\" : { } }"),
        SLICE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
        SLICE("\"\\u0000\\u001F\\uAbCd\""),
        SLICE("\"\\uD83D\\uDE00\""),
        SLICE("\"\\uD800\""),
        SLICE("\"\x7F\""),
        SLICE("\"12345678\""),
        SLICE("\"1234567\\n12345678\""),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_json(good[i]);
    }
}

static void texts_that_lenient_readers_accept_are_refused(void **state)
{
    const struct slice bad[] = {
        SLICE(""),
        SLICE(" "),
        SLICE("\xEF\xBB\xBF{}"),
        SLICE("{}\0"),
        SLICE("\0"),
        /* structure */
        SLICE("{"),
        SLICE("["),
        SLICE("}"),
        SLICE("]"),
        SLICE("[}"),
        SLICE("{]"),
        SLICE("[1}"),
        SLICE("{\"a\":1]"),
        SLICE("{} {}"),
        SLICE("[]]"),
        SLICE("1 2"),
        SLICE("[1 2]"),
        SLICE("[,]"),
        SLICE("[1,]"),
        SLICE("[,1]"),
        SLICE("[1,,2]"),
        SLICE(","),
        SLICE("[1],"),
        SLICE("{,}"),
        SLICE("{\"a\":1,}"),
        SLICE("{\"a\":1,,\"b\":2}"),
        SLICE("{\"a\"}"),
        SLICE("{\"a\":}"),
        SLICE("{\"a\"::1}"),
        SLICE("{:1}"),
        SLICE("{1:1}"),
        SLICE("{a:1}"),
        SLICE("{null:1}"),
        SLICE("{\"a\" 1}"),
        SLICE("{\"a\":1 \"b\":2}"),
        SLICE("{[]:1}"),
        SLICE("{\"a\":1"),
        SLICE("{\"a\":"),
        SLICE("{\"a\""),
        SLICE("{\"a"),
        SLICE("[1,"),
        SLICE("[\"a\":1]"),
        SLICE("[1:2]"),
        SLICE("{\"a\",\"b\"}"),
        /* words */
        SLICE("nul"),
        SLICE("nulll"),
        SLICE("True"),
        SLICE("NULL"),
        SLICE("tru"),
        SLICE("fals"),
        SLICE("NaN"),
        SLICE("nan"),
        SLICE("Infinity"),
        SLICE("-Infinity"),
        SLICE("inf"),
        SLICE("undefined"),
        SLICE("truefalse"),
        SLICE("[true false]"),
        /* numbers */
        SLICE("01"),
        SLICE("-01"),
        SLICE("00"),
        SLICE("+1"),
        SLICE("-"),
        SLICE("--1"),
        SLICE("1."),
        SLICE(".5"),
        SLICE("-.5"),
        SLICE("1.e1"),
        SLICE("1e"),
        SLICE("1e+"),
        SLICE("1E-"),
        SLICE("1e1.5"),
        SLICE("0x1F"),
        SLICE("1_000"),
        SLICE("1,5"),
        SLICE("1 000"),
        SLICE("1a"),
        SLICE("- 1"),
        SLICE("1.2.3"),
        SLICE("1e5e5"),
        SLICE("\xEF\xBC\x91"),
        /* strings */
        SLICE("'a'"),
        SLICE("{'a':1}"),
        SLICE("\""),
        SLICE("\"a"),
        SLICE("a\""),
        SLICE("\"a\"b"),
        SLICE("\"\n\""),
        SLICE("\"\t\""),
        SLICE("\"\x1F\""),
        SLICE("\"a\0b\""),
        SLICE("\"\\\""),
        SLICE("\"\\a\""),
        SLICE("\"\\'\""),
        SLICE("\"\\x41\""),
        SLICE("\"\\0\""),
        SLICE("\"\\\0\""),
        SLICE("\"\\u\""),
        SLICE("\"\\u12\""),
        SLICE("\"\\u12G4\""),
        SLICE("\"\\U0041\""),
        SLICE("\"\\u 041\""),
        SLICE("\"\\u-041\""),
        SLICE("\"\\u004"),
        SLICE("\"\\u004\0\""),
        SLICE("\"\\\n\""),
        SLICE("\"\\"),
        /* comments and other white space */
        SLICE("/**/{}"),
        SLICE("{}//"),
        SLICE("[1/*x*/]"),
        SLICE("#\n1"),
        SLICE("[\f1]"),
        SLICE("[\v1]"),
        SLICE("\xC2\xA0[]"),
        SLICE("[\xE2\x80\xA8]"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_not_json(bad[i]);
    }
}

static const struct slice utf8_good[] = {
    SLICE("\xC2\x80"),
    SLICE("\xDF\xBF"),
    SLICE("\xE0\xA0\x80"),
    SLICE("\xED\x9F\xBF"),
    SLICE("\xEE\x80\x80"),
    SLICE("\xEF\xBF\xBF"),
    SLICE("\xF0\x90\x80\x80"),
    SLICE("\xF4\x8F\xBF\xBF"),
    SLICE("1234567\xC3\xA9"
          "12345678\xE2\x82\xAC"),
};
static const struct slice utf8_bad[] = {
    SLICE("\x80"),
    SLICE("\xBF"),
    SLICE("\xC3"),
    SLICE("\xC3\x28"),
    SLICE("\xE2\x82"),
    SLICE("\xE2\x28\xA1"),
    SLICE("\xF0\x9F\x98"),
    SLICE("\xF0\x28\x8C\xBC"),
    SLICE("\xFE"),
    SLICE("\xFF"),
    SLICE("\xF8\x88\x80\x80\x80"),
    SLICE("1234567\xC3"),
    /* overlong */
    SLICE("\xC0\x80"),
    SLICE("\xC0\xAF"),
    SLICE("\xC1\xBF"),
    SLICE("\xE0\x80\xAF"),
    SLICE("\xE0\x9F\xBF"),
    SLICE("\xF0\x80\x80\xAF"),
    SLICE("\xF0\x8F\xBF\xBF"),
    /* surrogates; beyond U+10FFFF */
    SLICE("\xED\xA0\x80"),
    SLICE("\xED\xBF\xBF"),
    SLICE("\xF4\x90\x80\x80"),
    SLICE("\xF5\x80\x80\x80"),
};

static void strings_must_be_utf8(void **state)
{
    struct buf text = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(utf8_good) + COUNT_OF(utf8_bad); i++) {
        bool good = i < COUNT_OF(utf8_good);
        struct slice bytes = good ? utf8_good[i] : utf8_bad[i - COUNT_OF(utf8_good)];

        assert_int_equal(utf8_valid(bytes), good);
        buf_clear(&text);
        buf_addf(&text, "{\"%.*s\":\"%.*s\"}", SLICE_ARG(bytes), SLICE_ARG(bytes));
        assert_int_equal(check_tight(buf_slice(&text), NULL), good ? ST_OK : ST_INVALID);
    }
    buf_free(&text);
}

static void each_code_point_is_read_back(void **state)
{
    unsigned count = 0;

    (void)state;
    /* All pairs of a first and a second byte. */
    for (unsigned lead = 0x80; lead < 0x100; lead++) {
        for (unsigned next = 0; next < 0x100; next++) {
            char bytes[2] = {(char)lead, (char)next};
            uint32_t c = 0;

            if (utf8_decode(bytes, 2, &c) == 2) {
                assert_int_equal(c, (lead & 0x1F) << 6 | (next & 0x3F));
                count++;
            }
        }
    }
    assert_int_equal(count, 0x800 - 0x80);
}

static void the_offset_of_the_first_wrong_byte_is_returned(void **state)
{
    const struct {
        struct slice text;
        size_t at;
    } cases[] = {
        {SLICE(""), 0},          {SLICE("  "), 2},        {SLICE("{\"a\":1,}"), 7},
        {SLICE("[1,]"), 3},      {SLICE("01"), 1},        {SLICE("\"a\nb\""), 2},
        {SLICE("\"\\x\""), 2},   {SLICE("\"\\u12\""), 5}, {SLICE("\"a\xC3(\""), 2},
        {SLICE("nulx"), 3},      {SLICE("{} x"), 3},      {SLICE("\"abc"), 4},
        {SLICE("{\"a\" 1}"), 5}, {SLICE("'a'"), 0},       {SLICE("[1}"), 2},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t at = 99;

        assert_int_equal(check_tight(cases[i].text, &at), ST_INVALID);
        assert_int_equal(at, cases[i].at);
    }
}

/* Tries each byte at each position of the eight-byte steps. */
static void a_byte_is_judged_the_same_at_every_position(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < 24; pad++) {
        for (int c = 0; c < 256; c++) {
            char text[64];
            size_t len = 0;
            bool good = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

            text[len++] = '"';
            memset(text + len, 'x', pad);
            len += pad;
            text[len++] = (char)c;
            memset(text + len, 'y', 11);
            len += 11;
            text[len++] = '"';
            assert_int_equal(check_tight((struct slice){text, len}, NULL),
                             good ? ST_OK : ST_INVALID);
        }
    }
}

static struct slice nested(char open, char close, size_t depth)
{
    static char text[4096];
    size_t len = 0;

    for (size_t i = 0; i < depth; i++) {
        len += (size_t)sprintf(text + len, open == '{' ? "{\"a\":" : "[");
    }
    text[len++] = '1';
    memset(text + len, close, depth);
    return (struct slice){text, len + depth};
}

static void depth_is_limited_for_objects_and_arrays_alike(void **state)
{
    (void)state;
    assert_json(nested('[', ']', JSON_MAX_DEPTH));
    assert_too_deep(nested('[', ']', JSON_MAX_DEPTH + 1));
    assert_json(nested('{', '}', JSON_MAX_DEPTH));
    assert_too_deep(nested('{', '}', JSON_MAX_DEPTH + 1));
}

/* 64 levels of both kinds: the bits are neither mixed up nor is the outermost one lost. */
static void each_level_is_closed_by_its_own_bracket(void **state)
{
    char text[1024], right[JSON_MAX_DEPTH];
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < JSON_MAX_DEPTH; i++) {
        bool object = (i * i + i / 3) % 3 == 1;

        len += (size_t)sprintf(text + len, object ? "{\"k\":" : "[");
        right[JSON_MAX_DEPTH - 1 - i] = object ? '}' : ']';
    }
    text[len++] = '0';
    memcpy(text + len, right, sizeof(right));
    assert_json((struct slice){text, len + sizeof(right)});
    for (size_t i = 0; i < sizeof(right); i++) {
        text[len + i] = right[i] == '}' ? ']' : '}';
        assert_not_json((struct slice){text, len + sizeof(right)});
        text[len + i] = right[i];
    }
}

static struct buf compile(const char *path)
{
    struct buf compiled = {0};
    struct err err;

    if (json_compile_path(slice_of(path), &compiled, &err) != ST_OK) {
        fail_msg("%s", err.text);
    }
    return compiled;
}

static struct json_value find(struct slice text, const char *path)
{
    struct buf compiled = compile(path);
    struct json_value value = json_find(text, buf_slice(&compiled));

    buf_free(&compiled);
    return value;
}

static void assert_value(struct json_value value, const char *path, enum json_kind kind,
                         const char *raw)
{
    assert_int_equal(value.kind, kind);
    if (!slice_equal(value.raw, slice_of(raw))) {
        fail_msg("%s is %.*s", path, SLICE_ARG(value.raw));
    }
}

static void assert_found(const char *text, const char *path, enum json_kind kind,
                         const char *raw)
{
    assert_int_equal(json_check(slice_of(text), NULL), ST_OK);
    assert_value(find(slice_of(text), path), path, kind, raw);
}

/* name: as it is, whatever is in it. */
static void assert_raw(const char *text, const char *name, enum json_kind kind, const char *raw)
{
    assert_int_equal(json_check(slice_of(text), NULL), ST_OK);
    assert_value(json_find(slice_of(text), slice_of(name)), name, kind, raw);
}

static void a_path_finds_its_value(void **state)
{
    const char *text = " { \"a\" : 1 , \"b\":{\"c\":{\"d\":\"x}\\\"{\"},\"e\":[1,{\"f\":2}]},"
                       "\"n\":null,\"t\":true,\"s\":\"\",\"z\":-1.5e3} ";

    (void)state;
    assert_found(text, "a", JSON_NUMBER, "1");
    assert_found(text, "b.c.d", JSON_STRING, "\"x}\\\"{\"");
    assert_found(text, "b.c", JSON_OBJECT, "{\"d\":\"x}\\\"{\"}");
    assert_found(text, "b.e", JSON_ARRAY, "[1,{\"f\":2}]");
    assert_found(text, "n", JSON_NULL, "null");
    assert_found(text, "t", JSON_BOOL, "true");
    assert_found(text, "s", JSON_STRING, "\"\"");
    assert_found(text, "z", JSON_NUMBER, "-1.5e3");
    assert_found("{\"a\":{}}", "a", JSON_OBJECT, "{}");
    assert_found("{\"\":{\"\":7}}", "\"\".\"\"", JSON_NUMBER, "7");
}

static void a_missing_value_is_absent(void **state)
{
    const char *text = "{\"a\":{\"b\":1},\"l\":[{\"b\":2}],\"a.b\":3,\"s\":\"b\",\"ab\":4}";

    (void)state;
    assert_found(text, "c", JSON_ABSENT, NULL);
    assert_found(text, "a.c", JSON_ABSENT, NULL);
    assert_found(text, "a.b.c", JSON_ABSENT, NULL);
    assert_found(text, "l.b", JSON_ABSENT, NULL);
    assert_found(text, "s.b", JSON_ABSENT, NULL);
    assert_found(text, "a.\"\"", JSON_ABSENT, NULL);
    assert_found(text, "a.b", JSON_NUMBER, "1"); /* never the name with a dot in it */
    assert_found("{}", "a", JSON_ABSENT, NULL);
    assert_found("[{\"a\":1}]", "a", JSON_ABSENT, NULL);
    assert_found("\"a\"", "a", JSON_ABSENT, NULL);
    assert_found("5", "a", JSON_ABSENT, NULL);
}

static void the_last_of_equal_names_wins(void **state)
{
    (void)state;
    assert_found("{\"a\":1,\"a\":2}", "a", JSON_NUMBER, "2");
    assert_found("{\"a\":1,\"a\":null}", "a", JSON_NULL, "null");
    assert_found("{\"a\":{\"b\":1},\"a\":{\"b\":2}}", "a.b", JSON_NUMBER, "2");
    assert_found("{\"a\":{\"b\":1},\"a\":{}}", "a.b", JSON_ABSENT, NULL);
    assert_found("{\"a\":{\"b\":1},\"a\":5}", "a.b", JSON_ABSENT, NULL);
    assert_found("{\"a\":5,\"a\":{\"b\":1}}", "a.b", JSON_NUMBER, "1");
    assert_found("{\"a\":1,\"\\u0061\":2}", "a", JSON_NUMBER, "2");
}

static void names_with_escapes_are_compared_decoded(void **state)
{
    (void)state;
    assert_found("{\"resource\\u005ftype\":1}", "resource_type", JSON_NUMBER, "1");
    assert_found("{\"\\u00e9\\u20AC\\ud83d\\ude00\":1}", "\u00e9\u20ac\U0001F600", JSON_NUMBER,
                 "1");
    assert_raw("{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\":1}", "\"\\/\b\f\n\r\t", JSON_NUMBER, "1");
    assert_found("{\"a\\u0000b\":1}", "a", JSON_ABSENT, NULL);
    assert_found("{\"\\ud800\":1}", "\xED\xA0\x80", JSON_ABSENT, NULL);
    assert_found("{\"\\udc00\\ud800\":1}", "\"\"", JSON_ABSENT, NULL);
    assert_found("{\"ab\\u0063\":1}", "ab", JSON_ABSENT, NULL);
    assert_found("{\"a\\u0062\":1}", "abc", JSON_ABSENT, NULL);
    assert_found("{\"a\\u002eb\":1}", "a.b", JSON_ABSENT, NULL);
}

static void a_star_finds_the_first_scalar_whose_name_has_the_prefix(void **state)
{
    const char *text = "{\"name\":\"n\",\"code\":{},\"codes\":[],\"codenull\":null,"
                       "\"codea\":\"1\",\"codeb\":2,\"cod\":3,\"in\":{\"code\":true}}";

    (void)state;
    assert_found(text, "code*", JSON_STRING, "\"1\"");
    assert_found(text, "codeb*", JSON_NUMBER, "2");
    assert_found(text, "cod*", JSON_STRING, "\"1\"");
    assert_found(text, "c*", JSON_STRING, "\"1\"");
    assert_found(text, "*", JSON_STRING, "\"n\"");
    assert_found(text, "in.code*", JSON_BOOL, "true");
    assert_found(text, "in.*", JSON_BOOL, "true");
    assert_found(text, "in.codes*", JSON_ABSENT, NULL);
    assert_found(text, "Code*", JSON_ABSENT, NULL);
    assert_found(text, "code.*", JSON_ABSENT, NULL);
    assert_found("[1]", "*", JSON_ABSENT, NULL);
    /* In quotes a star is an ordinary character, as it is in names. */
    assert_found("{\"a*\":{\"b\":1},\"ax\":{\"b\":2}}", "\"a*\".b", JSON_NUMBER, "1");
    assert_found("{\"ab\":1,\"a*b\":2}", "\"a*b\"", JSON_NUMBER, "2");
}

static void a_star_takes_the_first_of_equal_names_in_the_last_of_equal_objects(void **state)
{
    (void)state;
    assert_found("{\"ab\":1,\"ab\":2}", "a*", JSON_NUMBER, "1");
    assert_found("{\"ab\":{},\"ab\":2}", "a*", JSON_NUMBER, "2");
    assert_found("{\"o\":{\"ab\":1},\"o\":{\"ac\":2}}", "o.a*", JSON_NUMBER, "2");
    assert_found("{\"o\":{\"ab\":1},\"o\":{}}", "o.a*", JSON_ABSENT, NULL);
    assert_found("{\"o\":{\"ab\":1},\"o\":null}", "o.a*", JSON_ABSENT, NULL);
}

static void a_star_compares_names_with_escapes_decoded(void **state)
{
    (void)state;
    assert_found("{\"c\\u006fde\\u0031\":1}", "code*", JSON_NUMBER, "1");
    assert_found("{\"c\\u006fdx\":1}", "code*", JSON_ABSENT, NULL);
    assert_found("{\"c\\u006fd\":1}", "code*", JSON_ABSENT, NULL);
    assert_found("{\"code\\ud800\":1}", "code*", JSON_NUMBER, "1");
    assert_found("{\"\\ud800code\":1}", "code*", JSON_ABSENT, NULL);
    assert_found("{\"\\n\":1}", "*", JSON_NUMBER, "1");
}

static void several_paths_are_found_in_one_pass(void **state)
{
    struct slice text =
        SLICE("{\"x\":{\"a\":1,\"b\":{\"c\":2}},\"y\":3,\"x\":{\"b\":{\"d\":4}}}");
    const char *const texts[] = {"x.a",   "x.b.d", "x",     "y",       NULL, "x.b",
                                 "x.b.d", "x.b.c", "x.b.*", "\"x\".*", "*",  "\"x\".b.\"d\""};
    const char *want[] = {
        NULL, "4", "{\"b\":{\"d\":4}}", "3", NULL, "{\"d\":4}", "4", NULL, "4", NULL, "3", "4"};
    struct slice paths[COUNT_OF(texts)];
    struct buf compiled[COUNT_OF(texts)] = {{0}};
    struct json_value values[COUNT_OF(texts)];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (texts[i]) {
            compiled[i] = compile(texts[i]);
        }
        paths[i] = buf_slice(&compiled[i]);
    }
    json_find_all(text, paths, COUNT_OF(paths), values);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        buf_free(&compiled[i]);
        assert_true(slice_equal(values[i].raw, slice_of(want[i])));
        assert_int_equal(values[i].kind == JSON_ABSENT, want[i] == NULL);
    }
}

static void a_path_can_go_as_deep_as_a_text(void **state)
{
    char path[2 * JSON_MAX_DEPTH + 2] = "";
    struct json_value value;
    struct buf out = {0};
    struct err err;

    (void)state;
    for (size_t i = 0; i < 2 * JSON_MAX_DEPTH - 1; i++) {
        path[i] = i % 2 ? '.' : 'a';
    }
    value = find(nested('{', '}', JSON_MAX_DEPTH), path);
    assert_true(slice_equal(value.raw, SLICE("1")));
    strcat(path, ".a");
    assert_int_equal(json_compile_path(slice_of(path), &out, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "65 names"));
    assert_null(out.data == NULL ? NULL : strchr(out.data, 'a'));
    buf_free(&out);
}

static void a_name_in_quotes_may_be_anything(void **state)
{
    const char *text = "{\"a.b\":{\"c d\":1,\"0\":2,\"e*\":3,\"e\":4,\"|\":5,\"\":6,\"}{\":7},"
                       "\"a\":{\"b\":8},\"f\\u001fg\":9,\"f\":{\"g\":10},\"h\\u002ei\":11}";

    (void)state;
    assert_found(text, "\"a.b\".\"c d\"", JSON_NUMBER, "1");
    assert_found(text, "\"a.b\".c d", JSON_NUMBER, "1");
    assert_found(text, "\"a.b\".\"0\"", JSON_NUMBER, "2");
    assert_found(text, "\"a.b\".\"e*\"", JSON_NUMBER, "3");
    assert_found(text, "\"a.b\".\"e\"", JSON_NUMBER, "4");
    assert_found(text, "\"a.b\".e*", JSON_NUMBER, "3");
    assert_found(text, "\"a.b\".\"|\"", JSON_NUMBER, "5");
    assert_found(text, "\"a.b\".\"\"", JSON_NUMBER, "6");
    assert_found(text, "\"a.b\".\"}{\"", JSON_NUMBER, "7");
    assert_found(text, "a.b", JSON_NUMBER, "8");
    assert_found(text, "\"a\".\"b\"", JSON_NUMBER, "8");
    assert_found(text, "f.g", JSON_NUMBER, "10");
    assert_found(text, "\"h.i\"", JSON_NUMBER, "11");
    assert_found(text, "h.i", JSON_ABSENT, NULL);
    assert_found(text, "\"a.b.c\"", JSON_ABSENT, NULL);
}

static void a_path_that_can_find_nothing_is_refused(void **state)
{
    static const struct {
        const char *path, *why;
    } wrong[] = {
        {"", "names no field"},
        {"a..b", "a dot with no name"},
        {".a", "a dot with no name"},
        {"a.", "a dot with no name"},
        {".", "a dot with no name"},
        {"\"a\".", "a dot with no name"},
        {"items.0.id", "has a number"},
        {"0", "has a number"},
        {"a.12", "has a number"},
        {"items[0].id", "an array element"},
        {"a[-1]", "an array element"},
        {"a[].b", "an array element"},
        {"a[*]", "an array element"},
        {"a|b", "has a |"},
        {"a\"b", "a quote in the middle"},
        {"\"a", "a quote that does not end"},
        {"\"a\"b", "a quote that does not end"},
        {" a", "a blank at the end"},
        {"a .b", "a blank at the end"},
        {"a*.b", "has a * before its end"},
        {"**", "has a * before its end"},
        {"a\nb", "a control character"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct buf out = {0};
        struct err err;

        buf_add_str(&out, "before");
        assert_int_equal(json_compile_path(slice_of(wrong[i].path), &out, &err), ST_INVALID);
        assert_string_equal(out.data, "before");
        if (!strstr(err.text, wrong[i].why)) {
            fail_msg("%s: %s", wrong[i].path, err.text);
        }
        buf_free(&out);
    }
}

static void a_byte_order_mark_can_be_skipped(void **state)
{
    (void)state;
    assert_true(slice_equal(json_skip_mark(SLICE("\xEF\xBB\xBF{}")), SLICE("{}")));
    assert_true(slice_equal(json_skip_mark(SLICE("{}\xEF\xBB\xBF")), SLICE("{}\xEF\xBB\xBF")));
    assert_true(slice_equal(json_skip_mark(SLICE("\xEF\xBB")), SLICE("\xEF\xBB")));
    assert_int_equal(json_skip_mark(SLICE("\xEF\xBB\xBF")).len, 0);
    assert_null(json_skip_mark(SLICE_NONE).data);
    assert_int_equal(json_check(SLICE("\xEF\xBB\xBF{}"), NULL), ST_INVALID);
}

static void assert_masked(const char *text, const char *path, const char *wanted)
{
    struct buf out = {0}, compiled = {0};
    struct slice paths[2];

    assert_int_equal(json_compile_path(slice_of(path), &compiled, NULL), ST_OK);
    paths[0] = buf_slice(&compiled);
    paths[1] = SLICE("other");
    json_mask(slice_of(text), paths, COUNT_OF(paths), &out);
    assert_string_equal(out.data, wanted);
    buf_free(&out);
    buf_free(&compiled);
}

static void what_is_masked_is_gone_and_all_else_stays_as_it_is(void **state)
{
    (void)state;
    assert_masked("{\"a\":1}", "a", "{\"a\":\"***\"}");
    assert_masked(" { \"a\" :\t{\"a\":[\"}\"]} ,\n\"b\":1.50 } ", "a",
                  " { \"a\" :\t\"***\" ,\n\"b\":1.50 } ");
    assert_masked("{\"x\":{\"a\":\"\\\"\",\"b\":1},\"a\":2}", "x.a",
                  "{\"x\":{\"a\":\"***\",\"b\":1},\"a\":2}");
    assert_masked("{\"a\":true,\"\\u0061\":-1e3,\"a\":null,\"other\":[]}", "a",
                  "{\"a\":\"***\",\"\\u0061\":\"***\",\"a\":null,\"other\":\"***\"}");
    assert_masked("{\"x\":{\"a\":1},\"x\":[{\"a\":1}],\"x\":{\"a\":2}}", "x.a",
                  "{\"x\":{\"a\":\"***\"},\"x\":[{\"a\":1}],\"x\":{\"a\":\"***\"}}");
    assert_masked("{\"x\":{\"ab\":1,\"ac\":{},\"b\":1}}", "x.a*",
                  "{\"x\":{\"ab\":\"***\",\"ac\":\"***\",\"b\":1}}");
    assert_masked("[{\"a\":1}]", "a", "[{\"a\":1}]");
    assert_masked("{}", "a", "{}");
    assert_masked("\"a\"", "a", "\"a\"");
}

static void the_kind_of_a_text_is_that_of_its_value(void **state)
{
    (void)state;
    assert_int_equal(json_kind_of(SLICE(" \n{}")), JSON_OBJECT);
    assert_int_equal(json_kind_of(SLICE("[]")), JSON_ARRAY);
    assert_int_equal(json_kind_of(SLICE("\"\"")), JSON_STRING);
    assert_int_equal(json_kind_of(SLICE("-1")), JSON_NUMBER);
    assert_int_equal(json_kind_of(SLICE("false")), JSON_BOOL);
    assert_int_equal(json_kind_of(SLICE("null")), JSON_NULL);
}

static void escapes_in_a_string_are_found(void **state)
{
    (void)state;
    assert_false(json_has_escape((struct json_value){JSON_STRING, SLICE("\"plain\"")}));
    assert_true(json_has_escape((struct json_value){JSON_STRING, SLICE("\"\\n\"")}));
    assert_false(json_has_escape((struct json_value){JSON_ABSENT, SLICE_NONE}));
    assert_true(
        slice_equal(json_inside_quotes((struct json_value){JSON_STRING, SLICE("\"plain\"")}),
                    SLICE("plain")));
}

static void assert_written(struct slice text, const char *want)
{
    struct buf out = {0};

    json_add_string(&out, text);
    assert_string_equal(out.data, want);
    assert_int_equal(json_check(buf_slice(&out), NULL), ST_OK);
    buf_free(&out);
}

static void written_strings_are_json_whatever_the_bytes(void **state)
{
    char all[256];

    (void)state;
    assert_written(SLICE(""), "\"\"");
    assert_written(SLICE_NONE, "\"\"");
    assert_written(SLICE("say \"hi\" \\ /"), "\"say \\\"hi\\\" \\\\ /\"");
    assert_written(SLICE("\n\r\t\b\x1F\x7F"), "\"\\n\\r\\t\\u0008\\u001f\x7F\"");
    assert_written(SLICE("a\0b"), "\"a\\u0000b\"");
    assert_written(SLICE("\xC3\xA9\xF0\x9F\x98\x80"), "\"\xC3\xA9\xF0\x9F\x98\x80\"");
    assert_written(SLICE("a\xFF"
                         "b\xC3"),
                   "\"a\xEF\xBF\xBD"
                   "b\xEF\xBF\xBD\"");
    for (size_t i = 0; i < sizeof(all); i++) {
        struct buf out = {0};

        all[i] = (char)i;
        json_add_string(&out, (struct slice){all, i + 1});
        assert_int_equal(json_check(buf_slice(&out), NULL), ST_OK);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_value_is_json),
        cmocka_unit_test(texts_that_lenient_readers_accept_are_refused),
        cmocka_unit_test(strings_must_be_utf8),
        cmocka_unit_test(each_code_point_is_read_back),
        cmocka_unit_test(the_offset_of_the_first_wrong_byte_is_returned),
        cmocka_unit_test(a_byte_is_judged_the_same_at_every_position),
        cmocka_unit_test(depth_is_limited_for_objects_and_arrays_alike),
        cmocka_unit_test(each_level_is_closed_by_its_own_bracket),
        cmocka_unit_test(a_path_finds_its_value),
        cmocka_unit_test(a_missing_value_is_absent),
        cmocka_unit_test(the_last_of_equal_names_wins),
        cmocka_unit_test(names_with_escapes_are_compared_decoded),
        cmocka_unit_test(a_star_finds_the_first_scalar_whose_name_has_the_prefix),
        cmocka_unit_test(a_star_takes_the_first_of_equal_names_in_the_last_of_equal_objects),
        cmocka_unit_test(a_star_compares_names_with_escapes_decoded),
        cmocka_unit_test(several_paths_are_found_in_one_pass),
        cmocka_unit_test(a_path_can_go_as_deep_as_a_text),
        cmocka_unit_test(a_name_in_quotes_may_be_anything),
        cmocka_unit_test(a_path_that_can_find_nothing_is_refused),
        cmocka_unit_test(a_byte_order_mark_can_be_skipped),
        cmocka_unit_test(what_is_masked_is_gone_and_all_else_stays_as_it_is),
        cmocka_unit_test(the_kind_of_a_text_is_that_of_its_value),
        cmocka_unit_test(escapes_in_a_string_are_found),
        cmocka_unit_test(written_strings_are_json_whatever_the_bytes),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
