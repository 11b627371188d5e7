/*
 * The samples that a source sets: makes of each what trigger would send, reads it as the bridge
 * would, and warns where that makes no event, or not the one that the sample names.
 */
#include <stdio.h>

#include "bridge/config/internal.h"

static void warn(struct source_view *view, size_t index, const char *key, const char *text)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "samples[%zu]%s", index, key);
    config_warn(view->faults, source_path(view, path), "%s", text);
}

static void compare(struct source_view *view, size_t index, const char *key,
                    const char *expected, struct slice found)
{
    struct buf text = {0};

    buf_add_str(&text, "is ");
    config_add_quoted(&text, slice_of(expected));
    buf_add_str(&text, ", but what the bridge finds in this sample is ");
    config_add_quoted(&text, found);
    warn(view, index, key, text.data);
    buf_free(&text);
}

static void check_event(struct source_view *view, size_t index,
                        const struct provider_sample *sample, const char *event,
                        const struct parsed *parsed)
{
    struct slice type = slice_of(sample->resource_type);

    if (!slice_equal(parsed->event, slice_of(event))) {
        compare(view, index, ".event", event, parsed->event);
    } else if (parsed->resource_type.len > 0 && !slice_equal(parsed->resource_type, type)) {
        compare(view, index, ".resource_type", sample->resource_type, parsed->resource_type);
    }
    if (parsed->unreadable_time) {
        warn(view, index, "",
             "has a time at fields.event_time that cannot be read: it does not count");
    }
}

/* A time or an id that comes twice is refused, and a second signature helps nobody. */
static void check_headers(struct source_view *view, size_t index, struct provider_made *made)
{
    const struct provider_signature *signature = &view->source->provider->signature;
    const struct {
        const char *name;
        size_t made; /* by make_delivery */
    } own[] = {
        {signature->header, 0}, {signature->timestamp_header, 1}, {signature->id_header, 1}};
    struct slice value;

    for (size_t i = 0; i < COUNT_OF(own); i++) {
        if (own[i].name && own[i].name[0] != '\0' &&
            trial_find_header(&made->headers, own[i].name, &value, 1) > own[i].made) {
            warn(view, index, ".headers",
                 "contain one that the signature brings, too; remove it");
        }
    }
}

static void check_sample(struct source_view *view, const struct parser *parser, size_t index,
                         const char *event)
{
    const struct provider *provider = view->source->provider;
    const struct provider_sample *sample = &provider->samples[index];
    struct buf text = {0};
    struct trial trial;

    trial_begin(&trial, provider, parser, sample, event);
    check_headers(view, index, &trial.made);
    if (!trial.taken) {
        warn(view, index, "", "is sent to a URL that is not taken, and answered 404");
    } else if (trial.status != ST_OK) {
        buf_addf(&text, "makes no event: %s", trial.parsed.reason);
        warn(view, index, "", text.data);
    } else if (!trial.parsed.challenge.data) {
        check_event(view, index, sample, event, &trial.parsed);
    }
    buf_free(&text);
    trial_end(&trial);
}

static void check_source(struct source_view *view)
{
    const struct provider_sample *samples = view->source->provider->samples;
    struct parser *parser = NULL;
    const char *key;
    struct err err;

    if (parser_create(view->source->provider, &parser, &key, &err) != ST_OK) {
        return; /* a fault was added */
    }
    if (config_is_set(view->source, "samples")) {
        for (size_t i = 0; samples && samples[i].resource_type; i++) {
            for (const char *const *event = samples[i].events; *event; event++) {
                check_sample(view, parser, i, *event);
            }
        }
    } else {
        config_check_overrides(view, parser); /* the samples are the preset's own */
    }
    parser_destroy(parser);
}

void config_check_samples(const struct config *config, struct config_faults *faults)
{
    for (size_t i = 0; i < config->source_count; i++) {
        struct source_view view = {
            .config = config, .source = &config->sources[i], .index = i, .faults = faults};
        char path[32];

        (void)snprintf(path, sizeof(path), "sources[%zu]", i);
        if (!config_is_faulty(faults, path)) {
            check_source(&view);
        }
    }
}
