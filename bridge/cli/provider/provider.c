/*
 * `hook2mqtt provider VENDOR VERB`: finds the vendor; verb.c runs the verb.
 */
#include "bridge/cli/provider/provider.h"

#include <string.h>

#include "bridge/cli/provider/ricloud.h"
#include "bridge/cli/provider/weavy.h"

static int run_ricloud(struct cli *cli)
{
    return verb_run(cli, &ricloud);
}

static int run_weavy(struct cli *cli)
{
    return verb_run(cli, &weavy);
}

int cli_provider(struct cli *cli)
{
    static const struct cli_verb vendors[] = {
        {"ricloud", run_ricloud}, {"weavy", run_weavy}, {0}};
    const char *name = cli->argc > 1 ? cli->argv[1] : NULL;

    if (!name) {
        return cli_misuse(cli, "provider: a provider is missing; ricloud or weavy");
    }
    for (const struct cli_verb *vendor = vendors; vendor->name; vendor++) {
        if (strcmp(name, vendor->name) == 0) {
            return cli_dispatch(cli, vendors);
        }
    }
    return cli_misuse(cli, "provider %s: no such provider; ricloud or weavy", name);
}
