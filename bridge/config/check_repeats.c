/*
 * What is a repeat, and for how long: fills in what a source leaves to its provider or to the
 * outbox, and warns of what can swallow an event or publish it twice.
 */
#include <string.h>

#include "bridge/config/internal.h"

/* Where no provider says how long it retries. */
enum { WINDOW_BY_ID_MS = 24 * 3600 * 1000, WINDOW_MS = 600 * 1000 };

/* "|" alone takes a field out. */
static bool has_field(const char *template)
{
    return template && strcmp(template, "|") != 0;
}

/* An empty last alternative lets it be missing. */
static bool may_be_missing(const char *template)
{
    size_t len = strlen(template);

    return len > 0 && template[len - 1] == '|';
}

/* The preset's word counts as long as it fits the source's own delivery id. */
static enum provider_dedupe choose_mode(const struct config_source *source)
{
    enum provider_dedupe mode = source->provider->dedupe;
    bool has_id = has_field(source->provider->fields.delivery_id);
    bool own_id = has_id && config_is_set(source, "fields.delivery_id");

    if (config_is_set(source, "dedupe") && mode != DEDUPE_UNSET) {
        return mode;
    }
    if (mode == DEDUPE_UNSET || (mode == DEDUPE_ID && !has_id) ||
        (mode == DEDUPE_BODY && own_id)) {
        return has_id ? DEDUPE_ID : DEDUPE_NONE;
    }
    return mode;
}

static int64_t choose_window(const struct config *config, const struct config_source *source)
{
    if (source->provider->dedupe_window_ms >= 0) {
        return source->provider->dedupe_window_ms;
    }
    if (config->outbox.dedupe_window_ms >= 0) {
        return config->outbox.dedupe_window_ms;
    }
    return source->dedupe == DEDUPE_ID ? WINDOW_BY_ID_MS : WINDOW_MS;
}

static void warn_of_none(struct source_view *view)
{
    const struct config_source *source = view->source;
    bool by_window = source->dedupe != DEDUPE_NONE;

    config_warn(view->faults, source_path(view, by_window ? "dedupe_window" : "dedupe"),
                "%s: what the provider sends again is published again%s",
                by_window ? "is 0s, so nothing is a repeat" : "is \"none\"",
                has_field(source->provider->fields.delivery_id)
                    ? ""
                    : "; fields.delivery_id, if it sends one, would tell repeats");
}

/* Without a resource, all events of a source are compared with the newest one of them. */
static void warn_of_body(struct source_view *view)
{
    const struct config_source *source = view->source;
    const char *gid = source->provider->fields.gid;

    if (!has_field(gid) || !source->trusted[PARSE_GID]) {
        config_warn(view->faults, source_path(view, "dedupe"),
                    "is \"body\", and %s: of two events with the same body the second one is "
                    "swallowed, whatever they are about",
                    has_field(gid) ? "the signature does not cover which resource it is"
                                   : "there is no gid");
    } else if (may_be_missing(gid)) {
        config_warn(view->faults, source_path(view, "dedupe"),
                    "is \"body\", and the gid may be missing: of two events without one and "
                    "with the same body the second one is swallowed");
    }
}

void config_check_repeats(struct source_view *view)
{
    struct config_source *source = view->source;

    source->dedupe = choose_mode(source);
    source->dedupe_window_ms = choose_window(view->config, source);
    if (source_is_faulty(view, "dedupe") || source_is_faulty(view, "dedupe_window") ||
        config_is_faulty(view->faults, "outbox.dedupe_window")) {
        return;
    }
    if (source->dedupe == DEDUPE_ID && !has_field(source->provider->fields.delivery_id)) {
        config_fault(view->faults, source_path(view, "dedupe"),
                     "is \"id\", which needs fields.delivery_id: where the provider's delivery "
                     "id is");
    } else if (source->dedupe == DEDUPE_NONE || source->dedupe_window_ms == 0) {
        warn_of_none(view);
        source->dedupe = DEDUPE_NONE;
    } else if (source->dedupe == DEDUPE_BODY) {
        warn_of_body(view);
    }
}
