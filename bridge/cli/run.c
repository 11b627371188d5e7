/*
 * run: the bridge itself. Unlike the other commands it needs every secret; a configuration with
 * errors is not started, its warnings go to the log.
 */
#include "bridge/cli/cli.h"

#include "common/log.h"

#include "bridge/daemon/daemon.h"

enum { LAST_LINES_MS = 1000 }; /* a reader of the log that sleeps longer misses the end */

static int read_and_run(struct cli *cli)
{
    enum status st = config_load(cli->config_path, &cli->config, &cli->faults);

    if (st != ST_OK) {
        cli_print_faults(stderr, "", cli->config_path, &cli->faults, true);
        cli_hint_config(cli);
        return cli_fail("not started: %zu %s in the configuration", cli->faults.error_count,
                        cli->faults.error_count == 1 ? "error" : "errors");
    }
    for (size_t i = 0; i < cli->faults.count; i++) {
        log_warn("configuration", L_STR("path", cli->faults.items[i].path),
                 L_STR("warning", cli->faults.items[i].text));
    }
    return daemon_run(cli->config, cli->config_path);
}

static int run(struct cli *cli)
{
    struct err err = {0};
    int status;

    if (!cli_arguments(cli, NULL, 0, 0)) {
        return EXIT_USAGE;
    }
    config_export_environment(cli->config_path);
    if (log_start(&err) != ST_OK) {
        return cli_fail("%s", err.text);
    }
    status = read_and_run(cli);
    log_stop(LAST_LINES_MS);
    return status;
}

const struct cli_command run_command = {
    .name = "run",
    .usage = "run",
    .summary = "Run the bridge in the foreground",
    .notes = "Exits with 0 after SIGTERM or SIGINT: accepted webhooks are answered, and events "
             "on their "
             "way\n"
             "to the broker get a moment to arrive. Logs go to stderr.\n\n",
    .run = run,
};
