#include "bridge/config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/config/config.h"

static const struct setting *row(const char *path)
{
    const struct setting *setting;

    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (strcmp(setting->path, path) == 0) {
            return setting;
        }
    }
    fail_msg("no row for %s", path);
    return NULL;
}

static void each_row_is_found_below_its_parent(void **state)
{
    const struct setting *setting;
    size_t count = 0;

    (void)state;
    for (size_t i = 0; (setting = setting_at(i)); i++, count++) {
        char parent[64] = "";
        const char *key = setting_key(setting);

        if (key > setting->path) {
            memcpy(parent, setting->path, (size_t)(key - setting->path) - 1);
        }
        assert_true(setting_is_below(setting, parent));
        assert_ptr_equal(setting_find(parent, slice_of(key)), setting);
    }
    assert_true(count > 70);
}

static void a_key_is_found_only_directly_below_its_own_parent(void **state)
{
    (void)state;
    assert_ptr_equal(setting_find("mqtt.tls", SLICE("ca_file")), row("mqtt.tls.ca_file"));
    assert_null(setting_find("mqtt", SLICE("ca_file")));
    assert_null(setting_find("", SLICE("ca_file")));
    assert_null(setting_find("sources", SLICE("name")));
    assert_non_null(setting_find("sources[]", SLICE("name")));
    assert_null(setting_find("sources[]", SLICE("nam")));
    assert_ptr_equal(setting_find("sources[].signature", SLICE("header")),
                     row("sources[].signature.header"));
    assert_null(setting_find("sources[]", SLICE("header")));
    assert_ptr_equal(setting_find("sources[].samples[]", SLICE("event")),
                     row("sources[].samples[].event"));
}

static void each_row_has_a_help_sentence_and_words_for_its_type(void **state)
{
    const struct setting *setting;

    (void)state;
    for (size_t i = 0; (setting = setting_at(i)); i++) {
        const struct setting_words *words = setting_words(setting->type);
        size_t len = strlen(setting->help);

        assert_true(len > 20);
        assert_true(setting->help[len - 1] == '.' || strcmp(setting->help + len - 3, "…") == 0);
        assert_non_null(words->what);
        assert_non_null(words->name);
    }
}

/* Two rows that store into the same place would overwrite each other. */
static void no_two_rows_share_a_place(void **state)
{
    const struct setting *a, *b;

    (void)state;
    for (size_t i = 0; (a = setting_at(i)); i++) {
        for (size_t k = 0; k < i; k++) {
            b = setting_at(k);
            if (a->size > 0 && b->size > 0 && a->offset == b->offset && a->home == b->home) {
                fail_msg("%s and %s", a->path, b->path);
            }
        }
    }
}

static void assert_range(const char *path, const char *expected)
{
    struct buf out = {0};

    setting_add_range(&out, row(path));
    assert_string_equal(out.data ? out.data : "", expected);
    buf_free(&out);
}

static void ranges_are_told_in_the_units_of_the_file(void **state)
{
    (void)state;
    assert_range("ingress.max_body", "1KiB to 64MiB");
    assert_range("ingress.request_timeout", "100ms to 1h");
    assert_range("ingress.keep_alive", "1s to 1h");
    assert_range("sources[].qos", "0 to 2");
    assert_range("mqtt.servers", "1 to 16 items");
    assert_range("mqtt.username", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_found_below_its_parent),
        cmocka_unit_test(a_key_is_found_only_directly_below_its_own_parent),
        cmocka_unit_test(each_row_has_a_help_sentence_and_words_for_its_type),
        cmocka_unit_test(no_two_rows_share_a_place),
        cmocka_unit_test(ranges_are_told_in_the_units_of_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
