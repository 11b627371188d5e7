#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

static void absent_and_empty_differ_but_are_equal_bytes(void **state)
{
    (void)state;
    assert_null(slice_of(NULL).data);
    assert_non_null(slice_of("").data);
    assert_true(slice_equal(SLICE_NONE, SLICE("")));
}

static void slices_compare_by_bytes(void **state)
{
    (void)state;
    assert_true(slice_equal(SLICE("a\0b"), SLICE("a\0b")));
    assert_false(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
    assert_false(slice_equal(SLICE("a"), SLICE("ab")));
    assert_true(slice_equal_nocase(SLICE("X-Header"), SLICE("x-hEADER")));
    assert_true(slice_starts_with(SLICE("unix:/x"), SLICE("unix:")));
    assert_false(slice_starts_with(SLICE("uni"), SLICE("unix:")));
}

static void items_are_taken_up_to_each_separator(void **state)
{
    struct slice rest = SLICE("a,,b");

    (void)state;
    assert_true(slice_equal(slice_take_until(&rest, ','), SLICE("a")));
    assert_true(slice_equal(slice_take_until(&rest, ','), SLICE("")));
    assert_non_null(rest.data);
    assert_true(slice_equal(slice_take_until(&rest, ','), SLICE("b")));
    assert_null(rest.data);
    rest = SLICE("a,");
    (void)slice_take_until(&rest, ',');
    assert_non_null(rest.data); /* one more item, which is empty */
    assert_int_equal(rest.len, 0);
}

static void trimming_removes_bytes_of_the_set_at_either_end(void **state)
{
    (void)state;
    assert_true(slice_equal(slice_trim(SLICE("\t a \tb \t"), " \t"), SLICE("a \tb")));
    assert_true(slice_equal(slice_trim(SLICE("a"), " \t"), SLICE("a")));
    assert_int_equal(slice_trim(SLICE(" \t"), " \t").len, 0);
    assert_int_equal(slice_trim(SLICE("\0"), " \t").len, 1); /* the set's NUL is not in it */
    assert_null(slice_trim(SLICE_NONE, " \t").data);
    assert_true(slice_equal(slice_from(SLICE("abc"), 1), SLICE("bc")));
    assert_null(slice_from(SLICE_NONE, 0).data);
}

static void a_buffer_grows_and_stays_terminated(void **state)
{
    struct buf buf = {0};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        buf_addf(&buf, "%d,", i);
        assert_int_equal(buf.data[buf.len], '\0');
    }
    assert_int_equal(strlen(buf.data), buf.len);
    assert_int_equal(buf.len, 10 * 2 + 90 * 3 + 900 * 4);
    assert_memory_equal(buf.data + buf.len - 8, "998,999,", 8);
    buf_clear(&buf);
    assert_string_equal(buf.data, "");
    buf_free(&buf);
}

static void formatted_text_of_any_length_is_whole(void **state)
{
    struct buf buf = {0};

    (void)state;
    buf_addf(&buf, "%0500d", 7);
    assert_int_equal(buf.len, 500);
    assert_int_equal(buf.data[499], '7');
    assert_int_equal(buf.data[500], '\0');
    buf_free(&buf);
}

static void the_caller_owns_the_memory_that_it_takes(void **state)
{
    struct buf buf = {0};
    char *text = buf_take(&buf); /* also from an empty buffer */

    (void)state;
    assert_string_equal(text, "");
    free(text);
    buf_add_slice(&buf, SLICE("x\0y"));
    text = buf_take(&buf);
    assert_memory_equal(text, "x\0y", 4);
    assert_null(buf.data);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_and_empty_differ_but_are_equal_bytes),
        cmocka_unit_test(slices_compare_by_bytes),
        cmocka_unit_test(items_are_taken_up_to_each_separator),
        cmocka_unit_test(trimming_removes_bytes_of_the_set_at_either_end),
        cmocka_unit_test(a_buffer_grows_and_stays_terminated),
        cmocka_unit_test(formatted_text_of_any_length_is_whole),
        cmocka_unit_test(the_caller_owns_the_memory_that_it_takes),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
