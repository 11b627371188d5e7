/*
 * cli - what the subcommands share: their arguments, their errors, the configuration. Each
 * cli_<name>.c is one subcommand; main.c holds the table.
 *
 * One thread. Errors go to stderr as `hook2mqtt: <text>`; the exit status is done, failed or
 * wrong usage.
 */
#ifndef BRIDGE_CLI_CLI_H
#define BRIDGE_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

#include "bridge/config/config.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define CLI_DEFAULT_CONFIG "/etc/hook2mqtt/bridge.json"
#define CLI_PREFIX         "hook2mqtt: " /* of every line on stderr */

struct verifier;
struct cli_command;

/* The subcommand that is running. The options that all of them have (-c, --log-level, --help)
 * have been taken out of argv. */
struct cli {
    const char *config_path;
    const struct cli_command *command;
    int argc; /* argv[0] is the subcommand's name */
    char **argv;
    struct config *config; /* of cli_read_config; main destroys it */
    struct config_faults faults;
};

struct cli_command {
    const char *name;
    const char *usage;   /* after "hook2mqtt ", one line per form */
    const char *summary; /* one line for `help` */
    const char *help;    /* the rest of `NAME --help` */
    int (*run)(struct cli *cli);
};

/* One option of a subcommand, as `--name VALUE` or `--name=VALUE`. */
enum cli_kind {
    CLI_FLAG,  /* bool; no value */
    CLI_TEXT,  /* const char *; borrows from argv */
    CLI_COUNT, /* uint64_t; at least 1 */
    CLI_WHEN,  /* int64_t, Unix ms: RFC 3339, or a time ago such as 1h */
};
struct cli_option {
    const char *name; /* with its dashes; the last row of a table has none */
    enum cli_kind kind;
    void *value; /* written if the option is there */
};

/* Reads the options, wherever they stand, and leaves the other arguments in argv[1..argc-1]
 * (`--` ends the options). options may be NULL. False: wrong usage, which has been printed;
 * return EXIT_USAGE. */
bool cli_arguments(struct cli *cli, const struct cli_option *options, int min_count,
                   int max_count) MUST_USE;

/* Prints `hook2mqtt: <text>` to stderr. Gives EXIT_FAILED. */
int cli_fail(const char *format, ...) PRINTF_LIKE(1, 2);
/* The same, and the usage of the subcommand. Gives EXIT_USAGE. */
int cli_misuse(const struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
/* `hook2mqtt NAME --help` for one command. */
void cli_print_help(FILE *out, const struct cli_command *command);

/* One line per finding: prefix, then `path.to.key: what is wrong`; a finding about the file as
 * a whole names config_path instead. */
void cli_print_faults(FILE *out, const char *prefix, const char *config_path,
                      const struct config_faults *faults, bool with_warnings);

/* Reads the configuration (config_load_partial) into cli->config. False: there were
 * errors, which have been printed; return EXIT_FAILED. */
bool cli_read_config(struct cli *cli) MUST_USE;
/* For a secret that is needed, after cli_read_config. False if something kept it from being
 * read, which has been printed. format names its path, such as sources[0].secrets[0]. */
bool cli_secret_was_read(const struct cli *cli, const struct buf *secret, const char *format,
                         ...) PRINTF_LIKE(3, 4) MUST_USE;

/* The source of this name, after cli_read_config. NULL: there is none, as has been printed. */
const struct config_source *cli_source(const struct cli *cli, const char *name) MUST_USE;
/* What signs as this source's provider does, with its first secret. False: why not has been
 * printed. Gives a verifier for verifier_destroy. */
bool cli_signer(const struct cli *cli, const struct config_source *source,
                struct verifier **out_signer) MUST_USE;

/* Verbs of a subcommand, as in `outbox ls`; the last row has no name. */
struct cli_verb {
    const char *name;
    int (*run)(struct cli *cli); /* argv[0] is the verb */
};
/* The verb that argv[1] names, which becomes argv[0]. NULL: there is none, as has been printed;
 * return EXIT_USAGE. */
const struct cli_verb *cli_choose(struct cli *cli, const struct cli_verb *verbs) MUST_USE;
/* Chooses and runs. */
int cli_dispatch(struct cli *cli, const struct cli_verb *verbs);

/* Adds text as a terminal may safely show it: control characters, bidirectional overrides and
 * what is not UTF-8 as \xNN. Returns how many columns it takes if every character takes one. */
size_t cli_add_safe(struct buf *out, struct slice text);

int cli_run(struct cli *cli);
int cli_check(struct cli *cli);
int cli_sign(struct cli *cli);
int cli_trigger(struct cli *cli);
int cli_outbox(struct cli *cli);
int cli_dead(struct cli *cli);
int cli_health(struct cli *cli);

#endif
