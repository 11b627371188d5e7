/*
 * Presets by name, and what a provider's description says about an event: is it in the
 * catalogue, of which type, is it a deletion. Nothing fails: what is unknown is NULL or false.
 */
#include "bridge/provider/provider.h"

#include <string.h>

const struct provider_preset *provider_find(struct slice name)
{
    const struct provider_preset *preset = provider_presets;

    while (preset->name && !slice_equal(slice_of(preset->name), name)) {
        preset++;
    }
    return preset->name ? preset : NULL;
}

/* The next letter (in lower case) or digit of text from *i on; -1 behind the last one. */
static int next_significant(struct slice text, size_t *i)
{
    while (*i < text.len) {
        char c = text.data[(*i)++];

        if (c >= 'A' && c <= 'Z') {
            return c - 'A' + 'a';
        }
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            return c;
        }
    }
    return -1;
}

/* Which spelling a provider uses for a type of two words is often not documented:
 * project_message, project-message and ProjectMessage are one. */
static bool same_type(struct slice a, struct slice b)
{
    size_t i = 0, j = 0;
    int c;

    do {
        c = next_significant(a, &i);
        if (c != next_significant(b, &j)) {
            return false;
        }
    } while (c >= 0);
    return true;
}

static bool has_event(const struct provider_sample *sample, struct slice event)
{
    for (const char *const *e = sample->events; *e; e++) {
        if (slice_equal(event, slice_of(*e))) {
            return true;
        }
    }
    return false;
}

bool provider_knows(const struct provider *provider, struct slice resource_type,
                    struct slice event)
{
    if (provider->open_catalogue) {
        return true;
    }
    for (const struct provider_sample *s = provider->samples; s && s->resource_type; s++) {
        if (same_type(resource_type, slice_of(s->resource_type)) && has_event(s, event)) {
            return true;
        }
    }
    return false;
}

struct slice provider_type_of(struct slice event)
{
    const char *dot = event.len > 0 ? memrchr(event.data, '.', event.len) : NULL;

    return dot ? (struct slice){event.data, (size_t)(dot - event.data)} : event;
}

bool provider_is_deletion(const struct provider *provider, struct slice event)
{
    struct slice wanted = slice_of(provider->fields.deletion_event);

    if (wanted.len == 0 || event.len == 0) {
        return false;
    }
    if (wanted.data[0] == '*') {
        size_t len = wanted.len - 1;

        return event.len >= len &&
               memcmp(event.data + event.len - len, wanted.data + 1, len) == 0;
    }
    return slice_equal(event, wanted);
}
