/*
 * reload: for ExecReload= of a service. A signal alone would tell the service manager that all is
 * well, although the bridge may refuse what it reads.
 */
#include "bridge/cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "bridge/daemon/daemon.h"

static int reload(struct cli *cli)
{
    struct err err = {0};
    char *end;
    long pid;

    if (!cli_arguments(cli, NULL, 1, 1)) {
        return EXIT_USAGE;
    }
    pid = strtol(cli->argv[1], &end, 10);
    if (*end || pid < 1 || pid > INT_MAX) {
        return cli_misuse(cli, "%s: not the id of a process", cli->argv[1]);
    }
    if (daemon_ask_reload((pid_t)pid, &err) != ST_OK) {
        return cli_fail("not reloaded: %s", err.text);
    }
    return EXIT_DONE;
}

const struct cli_command reload_command = {
    .name = "reload",
    .usage = "reload PID",
    .summary = "Have the service read its configuration again, and fail if it refuses",
    .notes =
        "For ExecReload= of a systemd service: `systemctl reload hook2mqtt` sends SIGHUP to "
        "the\n"
        "bridge, waits for its verdict in the service's RUNTIME_DIRECTORY, and fails where a\n"
        "signal alone would not.\n\n",
    .run = reload,
};
