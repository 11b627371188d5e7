/*
 * check - prints everything that is wrong with the configuration, and ends with 1 if the bridge
 * would not start with it.
 */
#include "bridge/cli/cli.h"

#include <string.h>

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* The findings are what was asked for, so they go to stdout; the last line sums up. */
static int check(struct cli *cli)
{
    struct config_faults faults;
    size_t errors, warnings;
    bool good;

    if (!cli_arguments(cli, NULL, 0, 1)) {
        return EXIT_USAGE;
    }
    if (cli->argc == 2 && strcmp(cli->config_path, CLI_DEFAULT_CONFIG) != 0) {
        return cli_misuse(cli, "%s: -c names a configuration already", cli->argv[1]);
    }
    cli->config_path = cli->argc == 2 ? cli->argv[1] : cli->config_path;
    good = config_check(cli->config_path, &faults) == ST_OK;
    cli_print_faults(stdout, "", cli->config_path, &faults, true);
    errors = faults.error_count;
    warnings = faults.count - errors;
    printf("%s: ", cli->config_path);
    if (good) {
        printf("ok");
    } else {
        printf("%zu fault%s", errors, plural(errors));
    }
    if (warnings > 0) {
        printf(", %zu warning%s", warnings, plural(warnings));
    }
    printf("\n");
    cli_hint_config(cli);
    config_faults_free(&faults);
    return good ? EXIT_DONE : EXIT_FAILED;
}

const struct cli_command check_command = {
    .name = "check",
    .usage = "check [FILE]",
    .summary = "Read the configuration and every file it names, and say what is wrong",
    .notes = "Prints each fault as `path.to.key: what is wrong` and starts nothing. FILE is "
             "the same\n"
             "as -c FILE.\n\n",
    .run = check,
};
