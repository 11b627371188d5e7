#include "bridge/cli/cli.h"

#include "bridge/cli/operator.h"
#include "bridge/cli/list.h"

static int dead_ls(struct cli *cli)
{
    return cli_list(cli, true);
}

static int dead_show(struct cli *cli)
{
    return cli_show(cli, true);
}

static int dead_retry(struct cli *cli)
{
    return cli_operate(cli, DEAD_RETRY);
}

static int dead_drop(struct cli *cli)
{
    return cli_operate(cli, DEAD_DROP);
}

int cli_dead(struct cli *cli)
{
    static const struct cli_verb verbs[] = {
        {"ls", dead_ls}, {"show", dead_show}, {"retry", dead_retry}, {"drop", dead_drop}, {0},
    };

    return cli_dispatch(cli, verbs);
}
