#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "bridge/cli/tree.h"

static void assert_text(const char *json, const char *pointer, const char *wanted)
{
    bool is_json;
    struct json_object *tree = tree_parse(slice_of(json), &is_json);
    const char *text = tree_text(tree, pointer);

    assert_true(is_json);
    if (wanted) {
        assert_non_null(text);
        assert_string_equal(text, wanted);
    } else {
        assert_null(text);
    }
    tree_wipe(tree);
}

static void strings_are_decoded_and_the_rest_is_as_it_is_spelled(void **state)
{
    (void)state;
    assert_text("{\"a\":\"x\"}", "/a", "x");
    assert_text("{\"a\":{\"b\":\"\\u00e9\\/\\n\\ud83d\\ude00\"}}", "/a/b", "é/\n😀");
    assert_text("{\"a\":\"\"}", "/a", "");
    assert_text("{\"a\":18446744073709551614}", "/a", "18446744073709551614");
    assert_text("{\"a\":1.50e+3}", "/a", "1.50e+3");
    assert_text("{\"a\":false}", "/a", "false");
    assert_text(" 7", "", "7");
}

static void what_is_no_text_is_none(void **state)
{
    (void)state;
    assert_text("{}", "/a", NULL);
    assert_text("null", "/a", NULL);
    assert_text("[]", "/a", NULL);
    assert_text("{\"a\":null}", "/a", NULL);
    assert_text("{\"a\":{}}", "/a", NULL);
    assert_text("{\"a\":[\"x\"]}", "/a", NULL);
    assert_text("{\"a\":\"x\\u0000y\"}", "/a", NULL);
}

static void what_json_c_would_let_pass_or_change_is_not_json(void **state)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "{'a':1}",
                                        "[1,]",
                                        "NaN",
                                        "{} {}",
                                        "/* */ {}",
                                        "\"\xFF\"",
                                        "\"\n\"",
                                        "[01]",
                                        "{\"a\":184467440737095516160}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        bool is_json = true;

        assert_null(tree_parse(slice_of(texts[i]), &is_json));
        assert_false(is_json);
    }
}

static void assert_items(const char *json, const char *const *wanted)
{
    struct slice rest = slice_of(json);
    struct slice item;

    for (; *wanted; wanted++) {
        assert_true(tree_next_item(&rest, &item));
        assert_int_equal(item.len, strlen(*wanted));
        assert_memory_equal(item.data, *wanted, item.len);
    }
    assert_false(tree_next_item(&rest, &item));
    assert_false(tree_next_item(&rest, &item));
}

static void the_items_of_an_array_come_one_by_one_as_they_are_spelled(void **state)
{
    (void)state;
    assert_items("[]", (const char *const[]){NULL});
    assert_items("[ \n ]", (const char *const[]){NULL});
    assert_items("[7]", (const char *const[]){"7", NULL});
    assert_items(" [ {\"a\": [1, 2]} ,\t[[\"]\"],\"},\"] , \"\\\"],\\\\\" ,null, 1.50 ,true\n]",
                 (const char *const[]){"{\"a\": [1, 2]}", "[[\"]\"],\"},\"]", "\"\\\"],\\\\\"",
                                       "null", "1.50", "true", NULL});
    assert_items("[\"\",\"\"]", (const char *const[]){"\"\"", "\"\"", NULL});
}

static void an_object_is_printed_on_one_line_with_its_members_in_order(void **state)
{
    struct json_object *object = TREE({"q\"", tree_string("a/\tb")}, {"n", tree_string(NULL)},
                                      {"i", json_object_new_int64(7)});

    (void)state;
    assert_string_equal(tree_print(object), "{\"q\\\"\":\"a/\\tb\",\"n\":null,\"i\":7}");
    tree_wipe(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_decoded_and_the_rest_is_as_it_is_spelled),
        cmocka_unit_test(what_is_no_text_is_none),
        cmocka_unit_test(what_json_c_would_let_pass_or_change_is_not_json),
        cmocka_unit_test(the_items_of_an_array_come_one_by_one_as_they_are_spelled),
        cmocka_unit_test(an_object_is_printed_on_one_line_with_its_members_in_order),
    };

    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
