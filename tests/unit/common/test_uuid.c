#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/uuid.h"

/* RFC 9562, appendix A.6: the test vector of version 7. */
static void the_vector_of_the_standard_is_reproduced(void **state)
{
    const uint8_t random[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    char text[UUID_TEXT_SIZE];

    (void)state;
    uuid_format(uuid_make_v7(0x017F22E279B0, random), text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void text_reads_back_in_either_case(void **state)
{
    struct uuid id = uuid_new();
    struct uuid back;
    char text[UUID_TEXT_SIZE];

    (void)state;
    uuid_format(id, text);
    assert_true(uuid_parse(slice_of(text), &back));
    assert_true(uuid_equal(id, back));
    assert_true(uuid_parse(SLICE("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &back));
    uuid_format(back, text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void a_text_that_is_not_a_uuid_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff",
        "017f22e2079b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    };
    struct uuid id;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(uuid_parse(slice_of(wrong[i]), &id));
    }
}

static void ids_sort_by_time_and_differ(void **state)
{
    const uint8_t random[10] = {0xff};
    struct uuid early = uuid_make_v7(1000, random);
    struct uuid late = uuid_make_v7(1001, (uint8_t[10]){0});

    (void)state;
    assert_true(memcmp(early.bytes, late.bytes, sizeof(early.bytes)) < 0);
    assert_false(uuid_equal(uuid_new(), uuid_new()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_of_the_standard_is_reproduced),
        cmocka_unit_test(text_reads_back_in_either_case),
        cmocka_unit_test(a_text_that_is_not_a_uuid_is_refused),
        cmocka_unit_test(ids_sort_by_time_and_differ),
    };

    return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
