/*
 * presets - the embedded presets by name, read through config.
 */
#ifndef TESTS_UNIT_LIB_PRESETS_H
#define TESTS_UNIT_LIB_PRESETS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bridge/config/config.h"

/* The i-th preset; NULL behind the last. Each is read once and kept. */
static inline const struct provider *preset_at(size_t i)
{
    static struct provider *read[64];
    struct config_faults faults = {0};

    assert_true(i < COUNT_OF(read));
    if (!provider_presets[i].name) {
        return NULL;
    }
    if (!read[i]) {
        read[i] = config_preset_create(&provider_presets[i], &faults);
        for (size_t k = 0; k < faults.count; k++) {
            print_message("%s: %s: %s\n", provider_presets[i].name, faults.items[k].path,
                          faults.items[k].text);
        }
        assert_int_equal(faults.count, 0);
        config_faults_free(&faults);
    }
    return read[i];
}

__attribute__((returns_nonnull)) static inline const struct provider *preset(const char *name)
{
    const struct provider_preset *found = provider_find(slice_of(name));
    const struct provider *provider;

    CHECK(found);
    provider = preset_at((size_t)(found - provider_presets));
    CHECK(provider);
    return provider;
}

#endif
