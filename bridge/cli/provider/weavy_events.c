/*
 * Events, and where deliveries of one go: no body names its event, so each has a URL of its
 * own. Its end is the event's name, or what the source's `events` says.
 */
#include "bridge/cli/provider/weavy.h"

#include <string.h>

#include "bridge/cli/catalogue.h"

bool weavy_has_path(const struct provider *provider, const char *event)
{
    return provider->url_events ? provider_url_suffix(provider, event) != NULL
                                : !strchr(event, '/');
}

int weavy_check_path(const struct registration *reg, const char *event)
{
    const struct provider *provider = reg->source->provider;
    struct buf shown = {0}, known = {0};
    int status = EXIT_FAILED;

    if (weavy_has_path(provider, event)) {
        return EXIT_DONE;
    }
    cli_add_safe(&shown, slice_of(event));
    if (!provider->url_events) {
        status = cli_misuse(reg->cli,
                            "%s: the bridge takes no event with a slash in its name, unless "
                            "sources[%zu].events has a path for it",
                            shown.data, reg->source_index);
    } else {
        for (const struct provider_url_event *e = provider->url_events; e->suffix; e++) {
            buf_addf(&known, "%s%s", known.len ? ", " : "", e->event);
        }
        cli_fail("sources[%zu].events names no path for %s; the bridge would not take it. It "
                 "has: %s",
                 reg->source_index, shown.data, known.data);
    }
    buf_free(&shown);
    buf_free(&known);
    return status;
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
        cli_api_add_escaped(out, event);
    }
}

bool weavy_check_names(const struct cli *cli, const char *kind)
{
    for (int i = 1; i < cli->argc; i++) {
        if (!registration_check_name(cli, cli->argv[i], kind)) {
            return false;
        }
    }
    return true;
}
