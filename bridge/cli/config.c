/*
 * What commands get out of the configuration: a source, what signs as its provider does, the
 * outbox. The configuration is read without what only a running bridge needs, so a secret that
 * could not be read is only a fault when a command asks for it. Each step prints what is wrong.
 */
#include "bridge/cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include <unistd.h>

#include "common/log.h"
#include "common/uuid.h"

#include "bridge/store/store.h"
#include "bridge/verify/verify.h"

void cli_print_faults(FILE *out, const char *prefix, const char *config_path,
                      const struct config_faults *faults, bool with_warnings)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct config_fault *fault = &faults->items[i];

        if (!fault->warning || with_warnings) {
            const char *priority =
                log_priority(fileno(out), fault->warning ? LOG_WARN : LOG_ERROR);

            (void)fprintf(out, "%s%s%s: %s%s\n", priority, prefix,
                          fault->path[0] ? fault->path : config_path,
                          fault->warning ? "warning: " : "", fault->text);
        }
    }
}

void cli_hint_config(const struct cli *cli)
{
    static const char example[] = CLI_DEFAULT_CONFIG ".example";

    if (strcmp(cli->config_path, CLI_DEFAULT_CONFIG) != 0 ||
        access(cli->config_path, F_OK) == 0 || errno != ENOENT) {
        return;
    }
    cli_fail("-c FILE names another configuration; %s%s",
             access(example, F_OK) == 0 ? "an example is " : "`hook2mqtt help config` lists",
             access(example, F_OK) == 0 ? example : " the settings");
}

bool cli_read_config(struct cli *cli)
{
    config_export_environment(cli->config_path);
    if (config_load_partial(cli->config_path, &cli->config, &cli->faults) == ST_OK) {
        return true;
    }
    cli_print_faults(stderr, CLI_PREFIX, cli->config_path, &cli->faults, true);
    cli_hint_config(cli);
    return false;
}

bool cli_secret_was_read(const struct cli *cli, const struct buf *secret, const char *format,
                         ...)
{
    char path[128];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    for (size_t i = 0; secret->len == 0 && i < cli->faults.count; i++) {
        const struct config_fault *fault = &cli->faults.items[i];

        /* The fault may be about a part of it, such as admin.token.env. */
        if (slice_starts_with(slice_of(fault->path), slice_of(path))) {
            cli_fail("%s: %s", fault->path, fault->text);
            return false;
        }
    }
    return true;
}

const struct config_source *cli_source(const struct cli *cli, const char *name)
{
    const struct config *config = cli->config;
    struct buf names = {0};

    for (size_t i = 0; i < config->source_count; i++) {
        if (strcmp(config->sources[i].name, name) == 0) {
            buf_free(&names);
            return &config->sources[i];
        }
        buf_addf(&names, "%s%s", i ? ", " : "", config->sources[i].name);
    }
    cli_fail("%s: no such source in %s, which has: %.*s", name, cli->config_path,
             SLICE_ARG(buf_slice(&names)));
    buf_free(&names);
    return NULL;
}

bool cli_signer(const struct cli *cli, const struct config_source *source,
                struct verifier **out_signer)
{
    struct slice secret = SLICE_NONE;
    struct err err = {0};
    size_t index = (size_t)(source - cli->config->sources);

    if (source->verify) {
        const struct buf *first = &source->secrets[0].value;

        if (!cli_secret_was_read(cli, first, "sources[%zu].secrets[0]", index)) {
            return false;
        }
        secret = buf_slice(first);
    }
    if (verifier_create(&source->provider->signature, &secret, source->verify ? 1 : 0,
                        out_signer, &err) != ST_OK) {
        cli_fail("source %s: %s", source->name, err.text);
        return false;
    }
    return true;
}

bool cli_read_id(const struct cli *cli, const char *text, struct uuid *out_id)
{
    if (uuid_parse(slice_of(text), out_id)) {
        return true;
    }
    cli_misuse(cli, "%s: not an id such as 0190b8e4-7a3c-7def-8abc-0123456789ab", text);
    return false;
}

struct store *cli_store(const struct cli *cli)
{
    const char *path = cli->config->outbox.path;
    struct store *store = NULL;
    struct err err = {0};
    enum status st = store_open_reader(path, &store, &err);

    if (st == ST_NOT_FOUND) {
        cli_fail("no outbox at %s: has the bridge ever run?", path);
    } else if (st != ST_OK) {
        cli_fail("%s", err.text);
    }
    return store;
}
