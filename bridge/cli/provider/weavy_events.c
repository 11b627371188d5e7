/*
 * No body of weavy's names its event, so each event has a URL of its own. The URL ends in the
 * event's name, or in the path that the source's `events` gives it. The bridge would not
 * take an event without a path there, so that is refused before the provider is asked.
 */
#include "bridge/cli/provider/weavy.h"

#include <string.h>

#include "bridge/cli/catalogue.h"
#include "bridge/cli/http.h"

bool weavy_has_path(const struct provider *provider, const char *event)
{
    return provider->url_events ? provider_url_suffix(provider, event) != NULL
                                : !strchr(event, '/');
}

bool weavy_check_path(struct job *job, const char *event)
{
    const struct provider *provider = job->source->provider;
    struct buf shown = {0}, known = {0};
    bool has_path = weavy_has_path(provider, event);

    cli_add_safe(&shown, slice_of(event));
    for (const struct provider_url_event *e = provider->url_events; e && e->suffix; e++) {
        buf_addf(&known, "%s%s", known.len ? ", " : "", e->event);
    }
    if (!has_path && !provider->url_events) {
        job_end(job,
                cli_misuse(job->cli,
                           "%s: the bridge takes no event with a slash in its name, unless "
                           "sources[%zu].events has a path for it",
                           shown.data, job->source_index));
    } else if (!has_path) {
        job_end(job, cli_fail("sources[%zu].events names no path for %s; the bridge would not "
                              "take it. It has: %s",
                              job->source_index, shown.data, known.data));
    }
    buf_free(&shown);
    buf_free(&known);
    return has_path;
}

bool weavy_is_event(const struct provider *provider, const char *name)
{
    struct catalogue_pair pair;

    for (size_t i = 0; catalogue_at(provider, i, &pair); i++) {
        if (strcmp(pair.event, name) == 0) {
            return true;
        }
    }
    return provider->url_events && weavy_has_path(provider, name);
}

void weavy_add_url(struct buf *out, const struct provider *provider, const char *base,
                   const char *event)
{
    const char *suffix = provider_url_suffix(provider, event);
    size_t len = strlen(base);

    while (len > 0 && base[len - 1] == '/') {
        len--;
    }
    buf_add(out, base, len);
    if (suffix && !suffix[0]) {
        return; /* it is the base itself */
    }
    buf_add_char(out, '/');
    if (suffix) {
        buf_add_str(out, suffix); /* config has checked that it may stand in a URL */
    } else {
        cli_http_add_escaped(out, event);
    }
}
