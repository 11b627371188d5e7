#include "bridge/provider/provider.h"

#include <string.h>

#include "common/encode.h"

static const struct provider *const providers[] = {
    &provider_creads, &provider_ricloud, &provider_weavy,   &provider_standard_webhooks,
    &provider_github, &provider_stripe,  &provider_shopify, &provider_gitlab,
    &provider_gitea,  &provider_slack,   &provider_custom,
};

const struct provider *provider_at(size_t i)
{
    return i < COUNT_OF(providers) ? providers[i] : NULL;
}

const struct provider *provider_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        if (slice_equal(slice_of(providers[i]->name), name)) {
            return providers[i];
        }
    }
    return NULL;
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

/* a to f become 0 to 5: no matter that those are the more likely ones then. */
static char decimal(char hex_digit)
{
    if (hex_digit >= 'a') {
        return "012345"[hex_digit - 'a'];
    }
    return hex_digit;
}

void provider_make_gid(const struct provider *provider, const struct provider_sample *sample,
                       const uint8_t random[16], char out_text[PROVIDER_GID_SIZE])
{
    const char *form = sample->gid_form ? sample->gid_form : provider->gid_form;
    char digits[33];
    size_t used = 0;
    size_t i = 0;

    encode_hex(random, 16, digits);
    for (; i < PROVIDER_GID_SIZE - 1 && form[i]; i++) {
        out_text[i] = form[i];
        if (used < 32 && form[i] == '#') {
            out_text[i] = digits[used++];
        } else if (used < 32 && form[i] == '?') {
            out_text[i] = decimal(digits[used++]);
        }
    }
    out_text[i] = '\0';
}
