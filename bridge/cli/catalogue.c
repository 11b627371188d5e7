/*
 * Walks the events of which a provider has samples, and finds the one that a name means. A name
 * that means none, or several, is answered with what was probably meant.
 */
#include "bridge/cli/catalogue.h"

#include <string.h>

#include "common/nearest.h"

#include "bridge/cli/cli.h"

bool catalogue_at(const struct provider *provider, size_t i, struct catalogue_pair *out_pair)
{
    const struct provider_sample *sample = provider->samples;

    for (; sample && sample->resource_type; sample++) {
        for (const char *const *event = sample->events; *event; event++) {
            if (i-- == 0) {
                *out_pair = (struct catalogue_pair){sample, *event};
                return true;
            }
        }
    }
    return false;
}

/* No other type has an event of this name: it need not be told which one is meant. */
static bool is_alone(const struct provider *provider, const struct catalogue_pair *pair)
{
    struct catalogue_pair other;

    for (size_t i = 0; catalogue_at(provider, i, &other); i++) {
        if (strcmp(other.event, pair->event) == 0 &&
            strcmp(other.sample->resource_type, pair->sample->resource_type) != 0) {
            return false;
        }
    }
    return true;
}

void catalogue_add_name(struct buf *out, const struct provider *provider,
                        const struct catalogue_pair *pair)
{
    if (!is_alone(provider, pair)) {
        buf_addf(out, "%s:", pair->sample->resource_type);
    }
    buf_add_str(out, pair->event);
}

static bool has_full_name(const struct catalogue_pair *pair, const char *text)
{
    size_t len = strlen(pair->sample->resource_type);

    return strncmp(text, pair->sample->resource_type, len) == 0 && text[len] == ':' &&
           strcmp(text + len + 1, pair->event) == 0;
}

bool catalogue_find(const struct provider *provider, const char *text,
                    struct catalogue_pair *out_pair)
{
    struct catalogue_pair pair;

    for (size_t i = 0; catalogue_at(provider, i, &pair); i++) {
        if (has_full_name(&pair, text) ||
            (strcmp(text, pair.event) == 0 && is_alone(provider, &pair))) {
            *out_pair = pair;
            return true;
        }
    }
    return false;
}

/* What was probably meant: this name of a type or of an event; NULL: who knows. */
static const char *nearest_word(const struct provider *provider, const char *text)
{
    struct nearest type = {.text = {text, strcspn(text, ":")}};
    struct nearest event = {.text = slice_of(text)};
    struct catalogue_pair pair;

    for (size_t i = 0; catalogue_at(provider, i, &pair); i++) {
        nearest_offer(&type, pair.sample->resource_type);
        nearest_offer(&event, pair.event);
    }
    return event.word && (!type.word || event.distance < type.distance) ? event.word
                                                                        : type.word;
}

int catalogue_unknown(const struct provider *provider, const char *text)
{
    const char *word = nearest_word(provider, text);
    struct buf wanted = {0};
    struct catalogue_pair pair;

    for (size_t i = 0; word && catalogue_at(provider, i, &pair); i++) {
        if (strcmp(word, pair.event) == 0 || strcmp(word, pair.sample->resource_type) == 0) {
            buf_add_str(&wanted, wanted.len ? ", " : "");
            catalogue_add_name(&wanted, provider, &pair);
        }
    }
    if (word && strcmp(word, text) == 0) {
        cli_fail("%s: which one of %s?", text, wanted.data);
    } else {
        cli_fail("%s: no sample of %s%s%.*s (--list names them all)", text, provider->title,
                 wanted.len ? "; did you mean " : "", SLICE_ARG(buf_slice(&wanted)));
    }
    buf_free(&wanted);
    return EXIT_FAILED;
}
