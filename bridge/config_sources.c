/*
 * Sources held against each other and against the rest of the configuration.
 */
#include <stdio.h>
#include <string.h>

#include "bridge/config_internal.h"

/* The source that is being looked at, and what it takes to name its settings. */
struct view {
    const struct config *config;
    struct config_source *source;
    size_t index;
    struct config_faults *faults;
    char path[64];
};

/* "sources[2].topic"; stays until the next call. */
static const char *path_of(struct view *view, const char *key)
{
    (void)snprintf(view->path, sizeof(view->path), "sources[%zu].%s", view->index, key);
    return view->path;
}

static bool is_faulty(struct view *view, const char *key)
{
    return config_is_faulty(view->faults, path_of(view, key));
}

static void check_verification(struct view *view)
{
    const struct config_source *source = view->source;

    if (is_faulty(view, "verify") || is_faulty(view, "secrets")) {
        return;
    }
    if (source->verify && source->secret_count == 0) {
        config_fault(view->faults, path_of(view, "secrets"),
                     "is missing; it must be %s, or \"verify\" must be \"none\"",
                     setting_words(SETTING_SECRETS)->what);
    }
    if (!source->verify) {
        config_warn(view->faults, path_of(view, "verify"),
                    "anybody who knows the path can post events");
    }
    if (!source->verify && source->secret_count > 0) {
        config_warn(view->faults, path_of(view, "secrets"),
                    "is not used, because \"verify\" is \"none\"");
    }
}

static void check_delivery(struct view *view)
{
    const struct config_source *source = view->source;

    if (source->qos == 0 && !is_faulty(view, "qos")) {
        config_warn(view->faults, path_of(view, "qos"),
                    "with 0 the broker acknowledges nothing and events can be lost; 1 is at "
                    "least once");
    }
    if (source->message_expiry_ms > 0 && view->config->mqtt.version == 4) {
        config_warn(view->faults, path_of(view, "message_expiry"),
                    "is not used: MQTT 3.1.1 has no message expiry");
    }
    if (source->topic && source->state_topic &&
        strcmp(source->topic, source->state_topic) == 0) {
        config_fault(view->faults, path_of(view, "state_topic"), "must differ from topic");
    }
}

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static void check_unique(struct view *view)
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
        config_fault(view->faults, path_of(view, "name"),
                     "is the same as sources[%zu].name; each source needs its own", name);
    }
    if (path < view->index) {
        config_fault(view->faults, path_of(view, "path"),
                     "is the same as sources[%zu].path; each source needs its own", path);
    }
}

static void check_source(struct view *view)
{
    struct config_source *source = view->source;

    if (source->provider && !source->topic && !is_faulty(view, "topic")) {
        source->topic = xstrdup(source->provider->default_topic);
    }
    if (same(source->path, "/healthz") || same(source->path, "/readyz")) {
        config_fault(view->faults, path_of(view, "path"),
                     "%s is the bridge's own; choose another one", source->path);
    }
    check_unique(view);
    check_verification(view);
    check_delivery(view);
}

void config_check_sources(struct config *config, struct config_faults *faults)
{
    for (size_t i = 0; i < config->source_count; i++) {
        struct view view = {
            .config = config, .source = &config->sources[i], .index = i, .faults = faults};

        check_source(&view);
    }
}
