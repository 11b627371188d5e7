/*
 * Which source and event a path belongs to, as far as the provider decides it: does it post
 * below the source's path, and is that suffix one of its events? What cannot be matched is no
 * error here; the caller answers 404.
 */
#include "bridge/provider/provider.h"

#include <string.h>

bool provider_url_is_below(const struct provider *provider, struct slice source_path,
                           struct slice path)
{
    return (provider->takes_suffix || provider->url_events) && path.len > source_path.len &&
           path.data[source_path.len] == '/' && slice_starts_with(path, source_path);
}

struct slice provider_url_rest(struct slice source_path, struct slice path)
{
    struct slice rest = slice_trim(slice_from(path, source_path.len), "/");

    return rest.len > 0 ? rest : SLICE_NONE;
}

bool provider_url_takes(const struct provider *provider, struct slice suffix)
{
    return provider->url_events ? provider_url_event(provider, suffix) != NULL
                                : suffix.len == 0 || provider->takes_suffix;
}

const char *provider_url_event(const struct provider *provider, struct slice suffix)
{
    for (const struct provider_url_event *e = provider->url_events; e && e->suffix; e++) {
        if (slice_equal(slice_of(e->suffix), suffix)) {
            return e->event;
        }
    }
    return NULL;
}

const char *provider_url_suffix(const struct provider *provider, const char *event)
{
    for (const struct provider_url_event *e = provider->url_events; e && e->suffix; e++) {
        if (strcmp(e->event, event) == 0) {
            return e->suffix;
        }
    }
    return NULL;
}
