/*
 * run: the bridge itself. Unlike the other commands it needs every secret; a configuration with
 * errors is not started, its warnings go to the log.
 *
 * A service manager starts us again after a failure, which mends what may pass. An error in the
 * file itself stays until somebody edits it; so, to a service manager only, it has a status of its
 * own, and the unit stops at it.
 */
#include "bridge/cli/cli.h"

#include "common/log.h"
#include "common/service.h"

#include "bridge/daemon/daemon.h"

enum { LAST_LINES_MS = 1000 }; /* a reader of the log that sleeps longer misses the end */

static int refuse(struct cli *cli, enum status why)
{
    size_t count = cli->faults.error_count;
    bool stays = why == ST_INVALID && !config_may_pass(&cli->faults);

    cli_print_faults(stderr, "", cli->config_path, &cli->faults, true);
    cli_hint_config(cli);
    cli_fail("not started: %zu %s in the configuration", count,
             count == 1 ? "error" : "errors");
    return stays && service_is_managed() ? EXIT_CONFIG : EXIT_FAILED;
}

static int read_and_run(struct cli *cli)
{
    enum status st = config_load(cli->config_path, &cli->config, &cli->faults);

    if (st != ST_OK) {
        return refuse(cli, st);
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
