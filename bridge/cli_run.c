#include "bridge/cli.h"

#include "bridge/daemon.h"

int cli_run(struct cli *cli)
{
    enum status st;

    if (!cli_arguments(cli, NULL, 0, 0)) {
        return EXIT_USAGE;
    }
    /* Unlike the other commands, this one needs every secret. */
    st = config_load(cli->config_path, &cli->config, &cli->faults);
    cli_print_faults(stderr, cli->config_path, &cli->faults, true);
    if (st != ST_OK) {
        return cli_fail("not started: %zu %s in the configuration", cli->faults.error_count,
                        cli->faults.error_count == 1 ? "error" : "errors");
    }
    return daemon_run(cli->config);
}
