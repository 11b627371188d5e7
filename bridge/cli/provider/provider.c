/*
 * `hook2mqtt provider NAME VERB`: to the provider's verbs.
 */
#include "bridge/cli/provider/provider.h"

#include <string.h>

#include "bridge/cli/provider/ricloud.h"
#include "bridge/cli/provider/weavy.h"

static int ricloud(struct cli *cli)
{
    static const struct cli_verb verbs[] = {
        {"create", ricloud_create}, {"get", ricloud_get},
        {"list", ricloud_list},     {"update", ricloud_update},
        {"test", ricloud_test},     {"delete", ricloud_delete},
        {"use", ricloud_use},       {0},
    };

    return cli_dispatch(cli, verbs);
}

static int weavy(struct cli *cli)
{
    static const struct cli_verb verbs[] = {
        {"login", weavy_log_in},
        {"subscribe", weavy_subscribe},
        {"unsubscribe", weavy_unsubscribe},
        {"list", weavy_list},
        {"sample", weavy_sample},
        {0},
    };

    return cli_dispatch(cli, verbs);
}

int cli_provider(struct cli *cli)
{
    static const struct cli_verb providers[] = {{"ricloud", ricloud}, {"weavy", weavy}, {0}};
    const char *name = cli->argc > 1 ? cli->argv[1] : NULL;

    if (!name) {
        return cli_misuse(cli, "provider: a provider is missing; ricloud or weavy");
    }
    for (const struct cli_verb *provider = providers; provider->name; provider++) {
        if (strcmp(name, provider->name) == 0) {
            return cli_dispatch(cli, providers);
        }
    }
    return cli_misuse(cli, "provider %s: no such provider; ricloud or weavy", name);
}
