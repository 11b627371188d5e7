#include "bridge/cli/provider/registration.h"

#include <string.h>

#include "common/units.h"
#include "common/utf8.h"

enum { DEFAULT_TIMEOUT_MS = 60000 };

static bool is_of(const struct config_source *source, const char *preset)
{
    return strcmp(source->preset->name, preset) == 0;
}

/* The only one of the provider. */
static const struct config_source *only_source(const struct cli *cli, const char *preset)
{
    const struct config_source *found = NULL;
    struct buf names = {0};
    size_t count = 0;

    for (size_t i = 0; i < cli->config->source_count; i++) {
        const struct config_source *source = &cli->config->sources[i];

        if (is_of(source, preset)) {
            buf_addf(&names, "%s%s", count++ ? ", " : "", source->name);
            found = source;
        }
    }
    if (count == 0) {
        cli_fail("%s: no source has \"provider\": \"%s\"", cli->config_path, preset);
    } else if (count > 1) {
        cli_fail("which source? --source says it; there is: %s", names.data);
    }
    buf_free(&names);
    return count == 1 ? found : NULL;
}

static const struct config_source *find_source(const struct registration *reg,
                                               const char *preset)
{
    const struct config_source *source;

    if (!reg->source_name) {
        return only_source(reg->cli, preset);
    }
    source = cli_source(reg->cli, reg->source_name);
    if (source && !is_of(source, preset)) {
        cli_fail("source %s is of the provider %s, not %s", source->name, source->preset->name,
                 preset);
        return NULL;
    }
    return source;
}

static int open_api(struct registration *reg, const char *scheme, int64_t timeout_ms)
{
    const struct config_source *source = reg->source;
    struct err err = {0};
    const struct cli_api_options options = {
        .url = source->api.url ? source->api.url : source->provider->api_url,
        .scheme = scheme,
        .ca_file = source->api.ca_file,
        .timeout_ms = timeout_ms,
        .dry_run_json = reg->json,
    };

    if (!options.url) {
        return cli_fail("source %s has no api.url", source->name);
    }
    if (cli_api_open(&options, &reg->api, &err) != ST_OK) {
        return cli_fail("source %s: %s", source->name, err.text);
    }
    cli_api_hide(reg->api, buf_slice(&source->api.token));
    cli_api_hide(reg->api, buf_slice(&source->api.password));
    return EXIT_DONE;
}

int registration_begin(struct registration *reg, struct cli *cli, const char *preset,
                       const char *scheme)
{
    int64_t timeout_ms = DEFAULT_TIMEOUT_MS;

    reg->cli = cli;
    if (reg->timeout &&
        (!units_parse_time(slice_of(reg->timeout), &timeout_ms) || timeout_ms <= 0)) {
        return cli_misuse(cli, "--timeout %s: not a time such as 30s or 2m", reg->timeout);
    }
    if (!cli_read_config(cli)) {
        return EXIT_FAILED;
    }
    reg->source = find_source(reg, preset);
    if (!reg->source) {
        return EXIT_FAILED;
    }
    reg->source_index = (size_t)(reg->source - cli->config->sources);
    return open_api(reg, scheme, timeout_ms);
}

void registration_end(struct registration *reg)
{
    cli_api_close(reg->api);
    reg->api = NULL;
}

bool registration_check_name(const struct cli *cli, const char *text, const char *kind)
{
    struct buf shown = {0};

    if (cli_api_is_segment(text)) {
        return true;
    }
    cli_add_safe(&shown, slice_of(text));
    cli_misuse(cli, "'%s' is not %s", shown.data ? shown.data : "", kind);
    buf_free(&shown);
    return false;
}

bool registration_check_url(const struct cli *cli, const char *url)
{
    struct err err = {0};

    if (!url) {
        return true;
    }
    if (!utf8_is_fit(slice_of(url))) {
        cli_misuse(cli, "--url must hold no control characters");
        return false;
    }
    /* It is not shown: it may hold a password, which is one of the faults. */
    if (config_check_url(url, &err) != ST_OK) {
        cli_misuse(cli, "--url %s", err.text);
        return false;
    }
    return true;
}

const char *registration_url(const struct registration *reg, const char *given)
{
    const char *url = given ? given : reg->source->public_url;

    if (!url) {
        cli_fail("the URL that the provider is to send to is not known: --url says it, or "
                 "public_url of source %s",
                 reg->source->name);
    }
    return url;
}

void registration_print(struct buf *line)
{
    puts(line->data ? line->data : "");
    buf_clear(line);
}
