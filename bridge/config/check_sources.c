/*
 * Sources checked against each other and against the rest of the configuration. Each finding is
 * added at the path of the source that should change.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libgen.h>

#include "common/units.h"

#include "bridge/config/internal.h"

/* The topic if neither the source nor its preset has one. */
#define FALLBACK_TOPIC "{source}/{event}/{gid}"

/* A secret's file that does not exist, or is empty. */
static void check_missing_secret(struct source_view *view, size_t index)
{
    const struct config_source *source = view->source;
    struct reader reader = {.faults = view->faults, .optional = view->partial};

    buf_addf(&reader.path, "%s[%zu]", source_path(view, "secrets"), index);
    if (source->preset && source->preset->issues_secret) {
        config_warn(view->faults, reader.path.data,
                    "%s %s; `hook2mqtt provider %s create` writes it",
                    source->secrets[index].file,
                    source->secrets[index].empty ? "is empty" : "does not exist yet",
                    source->preset->name);
    } else if (source->provider->issues_secret) {
        config_warn(view->faults, reader.path.data, "%s %s; registering the bridge brings it",
                    source->secrets[index].file,
                    source->secrets[index].empty ? "is empty" : "does not exist yet");
    } else {
        config_report_missing(&reader, &source->secrets[index]);
    }
    buf_free(&reader.path);
}

static void check_secrets(struct source_view *view)
{
    const struct config_source *source = view->source;
    bool is_signed = source->provider->signature.scheme != SCHEME_NONE;

    for (size_t i = 0; i < source->secret_count; i++) {
        if (source->secrets[i].missing || source->secrets[i].empty) {
            check_missing_secret(view, i);
        }
    }
    if (source->verify && is_signed && source->secret_count == 0 &&
        !source_is_faulty(view, "verify") && !source_is_faulty(view, "secrets")) {
        config_fault(view->faults, source_path(view, "secrets"),
                     "is missing; it must be %s, or \"verify\" must be \"none\"",
                     setting_words(SETTING_SECRETS)->what);
    }
}

static void check_delivery(struct source_view *view)
{
    const struct config_source *source = view->source;

    if (source->qos == 0 && !source_is_faulty(view, "qos")) {
        config_warn(view->faults, source_path(view, "qos"),
                    "with 0 the broker acknowledges nothing and events can be lost; 1 is at "
                    "least once");
    }
    if (source->message_expiry_ms > 0 && view->config->mqtt.version == 4) {
        config_warn(view->faults, source_path(view, "message_expiry"),
                    "is not used: MQTT 3.1.1 has no message expiry");
    }
    if (source->topic && source->state_topic &&
        strcmp(source->topic, source->state_topic) == 0) {
        config_fault(view->faults, source_path(view, "state_topic"), "must differ from topic");
    }
}

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static void check_unique(struct source_view *view)
{
    const struct config_source *sources = view->config->sources;
    size_t name = 0, path = 0; /* the first with the same one; at the latest itself */

    while (name < view->index && !same(sources[name].name, view->source->name)) {
        name++;
    }
    while (path < view->index && !same(sources[path].path, view->source->path)) {
        path++;
    }
    if (name < view->index) {
        config_fault(view->faults, source_path(view, "name"),
                     "is the same as sources[%zu].name; each source needs its own", name);
    }
    if (path < view->index) {
        config_fault(view->faults, source_path(view, "path"),
                     "is the same as sources[%zu].path; each source needs its own", path);
    }
}

/* path is that of one of the source's events. */
static bool is_event_path(const struct config_source *source, const char *path)
{
    struct slice own = slice_of(source->path), other = slice_of(path);

    return provider_url_is_below(source->provider, own, other) &&
           provider_url_event(source->provider, provider_url_rest(own, other));
}

/* Of two sources the one with the longer path gets a delivery. */
static void check_events_reachable(const struct config *config, struct config_faults *faults)
{
    for (size_t i = 0; i < config->source_count; i++) {
        for (size_t k = 0; k < config->source_count; k++) {
            const struct config_source *a = &config->sources[i], *b = &config->sources[k];
            char path[64];

            if (a->provider && a->path && b->path && is_event_path(a, b->path)) {
                (void)snprintf(path, sizeof(path), "sources[%zu].path", k);
                config_fault(faults, path, "is also the path of an event of sources[%zu]", i);
            }
        }
    }
}

/* What the provider publishes is a promise that larger bodies do not come; less than that is a
 * promise to lose some. */
static void check_max_body(struct source_view *view)
{
    struct config_source *source = view->source;
    int64_t published = source->preset ? source->preset->max_body : 0;
    int64_t usual = view->config->ingress.max_body;
    bool is_own = config_is_set(source, "max_body") && source->provider->max_body > 0;
    char size[32];

    if (is_own || !view->config->ingress.max_body_is_set) {
        source->max_body = source->provider->max_body;
    }
    source->max_body = source->max_body > 0 ? source->max_body : usual;
    units_format_size(published, size);
    if (source_is_faulty(view, "max_body") ||
        config_is_faulty(view->faults, "ingress.max_body")) {
        return;
    }
    if (source->max_body < published && is_own) {
        config_warn(view->faults, source_path(view, "max_body"),
                    "is below the %s that %s sends at most: what is larger is answered 413",
                    size, source->preset->title);
    } else if (source->max_body < published) {
        config_warn(
            view->faults, "ingress.max_body",
            "is below the %s that %s sends at most: what is larger is answered 413, unless "
            "sources[%zu].max_body allows it",
            size, source->preset->title, view->index);
    }
    if (source->max_body > usual && source->max_body > view->config->outbox.max_size &&
        !config_is_faulty(view->faults, "outbox.max_size")) {
        config_warn(
            view->faults, "outbox.max_size",
            "is smaller than sources[%zu].max_body: the largest webhooks never find room",
            view->index);
    }
}

/* Beside the outbox, where the bridge's user may write. */
static void fill_state_file(struct source_view *view)
{
    const char *outbox = view->config->outbox.path;
    struct buf path = {0};
    char *copy;

    if (view->source->api.state_file || !outbox || !view->source->name) {
        return;
    }
    copy = xstrdup(outbox);
    buf_addf(&path, "%s/%s.provider.json", dirname(copy), view->source->name);
    view->source->api.state_file = buf_take(&path);
    free(copy);
}

static void check_source(struct source_view *view)
{
    struct config_source *source = view->source;

    if (same(source->path, "/healthz") || same(source->path, "/readyz")) {
        config_fault(view->faults, source_path(view, "path"),
                     "%s is the bridge's own; choose another one", source->path);
    }
    source->topic = source->provider->topic ? source->provider->topic : FALLBACK_TOPIC;
    fill_state_file(view);
    check_max_body(view);
    check_unique(view);
    if (source->preset) {
        config_check_provider(view);
    }
    check_secrets(view);
    check_delivery(view);
}

void config_check_sources(struct config *config, bool partial, struct config_faults *faults)
{
    for (size_t i = 0; i < config->source_count; i++) {
        struct source_view view = {.config = config,
                                   .source = &config->sources[i],
                                   .index = i,
                                   .partial = partial,
                                   .faults = faults};

        if (view.source->provider) { /* else it was not an object */
            check_source(&view);
        }
    }
    check_events_reachable(config, faults);
}
