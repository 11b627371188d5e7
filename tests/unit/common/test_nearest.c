#include "common/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const words[] = {"qos", "retain", "topic", "state_topic", "resource_type"};

static const char *nearest_of(const char *text)
{
    struct nearest near = {.text = slice_of(text)};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        nearest_offer(&near, words[i]);
    }
    return near.word;
}

static void one_slip_is_understood(void **state)
{
    (void)state;
    assert_string_equal(nearest_of("qoz"), "qos");
    assert_string_equal(nearest_of("qo"), "qos");
    assert_string_equal(nearest_of("qoss"), "qos");
    assert_string_equal(nearest_of("qso"), "qos");
    assert_string_equal(nearest_of("QOS"), "qos");
    assert_string_equal(nearest_of("topci"), "topic");
}

static void longer_words_may_have_more_slips(void **state)
{
    (void)state;
    assert_string_equal(nearest_of("resourcetyp"), "resource_type");
    assert_string_equal(nearest_of("statetopik"), "state_topic");
    assert_string_equal(nearest_of("resource"), "resource_type");
    assert_null(nearest_of("resurzentippe"));
}

static void the_nearest_of_several_wins(void **state)
{
    struct nearest near = {.text = SLICE("ls")};

    (void)state;
    nearest_offer(&near, "lss");
    nearest_offer(&near, "ls");
    nearest_offer(&near, "lsx");
    assert_string_equal(near.word, "ls");
    assert_int_equal(near.distance, 0);
}

static void a_word_that_is_far_off_finds_nothing(void **state)
{
    char endless[200] = {0};

    (void)state;
    memset(endless, 'q', sizeof(endless) - 1);
    assert_null(nearest_of(""));
    assert_null(nearest_of("broker"));
    assert_null(nearest_of("q"));
    assert_null(nearest_of(endless));
    assert_null(nearest_of(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_slip_is_understood),
        cmocka_unit_test(longer_words_may_have_more_slips),
        cmocka_unit_test(the_nearest_of_several_wins),
        cmocka_unit_test(a_word_that_is_far_off_finds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
