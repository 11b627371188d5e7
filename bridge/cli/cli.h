/*
 * cli - the subcommands, and what they share: their arguments, their errors, the configuration.
 * Each <name>.c is one subcommand, with its help beside it; main.c lists them.
 *
 * One thread. Errors go to stderr as `hook2mqtt: <text>`; the exit status is done, failed or
 * wrong usage.
 *
 * The files in the order of calls:
 *   run.c reload.c check.c sign.c trigger.c outbox.c state.c health.c
 *                      one subcommand each (outbox.c: dead, too)
 *   operation.c salvage.c  changes to the outbox, for outbox.c and state.c
 *   row.c catalogue.c  a row of the outbox; the events of a provider
 *   http.c             the client for the bridge and for APIs
 *   config.c           what commands get out of the configuration
 *   man.c              the manual page
 *   cli.c              arguments and help
 *   tree.c safe.c      JSON; text for a terminal
 */
#ifndef BRIDGE_CLI_CLI_H
#define BRIDGE_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

#include "bridge/config/config.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 78, /* sysexits.h; see run.c */
};

#define CLI_DEFAULT_CONFIG "/etc/hook2mqtt/bridge.json"
#define CLI_PREFIX         "hook2mqtt: " /* of every line on stderr */

struct store;
struct uuid;
struct verifier;

/* One option, as `--name VALUE` or `--name=VALUE`. In a table, a row without a name but with help
 * is a line of text in the help, and the last row has neither. */
enum cli_kind {
    CLI_FLAG,  /* bool; no value */
    CLI_TEXT,  /* const char *; borrows from argv */
    CLI_COUNT, /* uint64_t; at least 1 */
    CLI_TIME,  /* int64_t, ms, at least 1: such as 30s */
    CLI_WHEN,  /* int64_t, Unix ms: RFC 3339, or a time ago such as 1h */
};
struct cli_option {
    const char *name; /* with its dashes */
    enum cli_kind kind;
    size_t offset;        /* of the value in the struct that cli_arguments fills in */
    const char *argument; /* what the help calls the value; NULL: a flag has none */
    const char *help;     /* one or more lines; NULL: the usage says enough */
};

/* Verbs of a subcommand, as in `outbox ls`; the last row of a table has no name. */
struct cli;
struct cli_verb {
    const char *name;
    int (*run)(struct cli *cli); /* argv[0] is the verb */
    const char *options;         /* which of the command's it takes, such as `--all --json` */
    const void *data;            /* the command's own */
};

/* A subcommand. Its help is usage, summary, intro, options, notes. */
struct cli_command {
    const char *name;
    const char *usage;   /* after "hook2mqtt ", one line per form */
    const char *summary; /* one line for `help` */
    const char *intro;
    const struct cli_option *options; /* NULL: none */
    void (*add_notes)(struct buf *out);
    const char *notes; /* behind add_notes; all of them may be NULL */
    int (*run)(struct cli *cli);
};

/* The subcommand that is running. The options that all of them have (-c, --log-level, --help)
 * have been taken out of argv. */
struct cli {
    const char *config_path;
    const struct cli_command *command;
    const struct cli_verb *verb; /* that cli_choose found last */
    char words[32];              /* behind which it did: `outbox`, `provider weavy` */
    int argc;                    /* argv[0] is the subcommand's name */
    char **argv;
    struct config *config; /* of cli_read_config; main destroys it */
    struct config_faults faults;
};

/* Reads the options that the command, or its verb, takes into *values, wherever they stand, and
 * leaves the other arguments in argv[1..argc-1] (`--` ends the options). False: wrong usage,
 * which has been printed; return EXIT_USAGE. */
bool cli_arguments(struct cli *cli, void *values, int min_count, int max_count) MUST_USE;

/* The verb that argv[1] names; it becomes argv[0]. NULL: no such verb, which has been printed;
 * return EXIT_USAGE. */
const struct cli_verb *cli_choose(struct cli *cli, const struct cli_verb *verbs) MUST_USE;
/* Chooses and runs. */
int cli_dispatch(struct cli *cli, const struct cli_verb *verbs);

/* Prints `hook2mqtt: <text>` to stderr, as one line and safe for a terminal. Gives EXIT_FAILED. */
int cli_fail(const char *format, ...) PRINTF_LIKE(1, 2);
/* The same, and the usage of the subcommand. Gives EXIT_USAGE. */
int cli_misuse(const struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
/* `hook2mqtt NAME --help` for one command. */
void cli_print_help(FILE *out, const struct cli_command *command);
/* The manual page hook2mqtt(1), in man(7). */
void cli_write_man(FILE *out, const struct cli_command *const *commands, size_t count);
/* Adds a row of help: a name, and beside it a column of lines. */
void cli_add_help(struct buf *out, const char *name, const char *argument, const char *text);
void cli_add_option_help(struct buf *out, const struct cli_option *options);

/* One line per finding: prefix, then `path.to.key: what is wrong`; a finding about the file as
 * a whole names config_path instead. */
void cli_print_faults(FILE *out, const char *prefix, const char *config_path,
                      const struct config_faults *faults, bool with_warnings);

/* If there is no configuration and none was named: a line on stderr that says how to have one. */
void cli_hint_config(const struct cli *cli);

/* Reads the configuration (config_load_partial) into cli->config. False: there were
 * errors, which have been printed; return EXIT_FAILED. */
bool cli_read_config(struct cli *cli) MUST_USE;
/* For a secret that is needed, after cli_read_config. False: it could not be read, for a reason
 * that has been printed. format makes its path, such as sources[0].secrets[0]. */
bool cli_secret_was_read(const struct cli *cli, const struct buf *secret, const char *format,
                         ...) PRINTF_LIKE(3, 4) MUST_USE;

/* The source of this name, after cli_read_config. NULL: no such source, which has been printed. */
const struct config_source *cli_source(const struct cli *cli, const char *name) MUST_USE;
/* Signs as this source's provider does, with the first secret. False: the reason has been printed.
 * Gives a verifier for verifier_destroy. */
bool cli_signer(const struct cli *cli, const struct config_source *source,
                struct verifier **out_signer) MUST_USE;

/* Adds text as a terminal may safely show it: control characters, bidirectional overrides and
 * bytes that are not UTF-8 as \xNN. Returns its width in columns, one for each character. */
size_t cli_add_safe(struct buf *out, struct slice text);

/* An id as people write it. False: not an id, which has been printed as wrong usage. */
bool cli_read_id(const struct cli *cli, const char *text, struct uuid *out_id) MUST_USE;
/* Opens the configured outbox, after cli_read_config. NULL: the reason has been printed. Gives a
 * store for store_close. */
struct store *cli_store(const struct cli *cli) MUST_USE;

extern const struct cli_command run_command, check_command, sign_command, trigger_command,
    outbox_command, dead_command, state_command, health_command, reload_command;

#endif
