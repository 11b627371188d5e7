/*
 * cli_provider - registers the bridge at a provider: what its verbs have in common. Each
 * provider's verbs are in cli_<provider>*.c.
 */
#ifndef BRIDGE_CLI_PROVIDER_REGISTRATION_H
#define BRIDGE_CLI_PROVIDER_REGISTRATION_H

#include "bridge/cli/cli.h"
#include "bridge/cli/provider/api.h"

/* One verb at work: the options that all of them have, and whom it is about. */
struct registration {
    struct cli *cli;
    const struct config_source *source;
    size_t source_index;
    struct cli_api *api;

    const char *source_name;
    const char *timeout;
    bool json;
    bool dry_run;
};

/* The last rows of a verb's table of options. */
#define REGISTRATION_OPTIONS(reg)                                                              \
    {"--source", CLI_TEXT, &(reg)->source_name}, {"--timeout", CLI_TEXT, &(reg)->timeout},     \
        {"--json", CLI_FLAG, &(reg)->json}, {"--dry-run", CLI_FLAG, &(reg)->dry_run},          \
    {                                                                                          \
        0                                                                                      \
    }

/* After cli_arguments: reads the configuration, finds the source and gets its API ready;
 * asks nobody yet. preset: the provider's name; scheme: see cli_api_options. Returns
 * EXIT_DONE, or what the command has to end with, which has been printed. End it with
 * registration_end in every case. */
int registration_begin(struct registration *reg, struct cli *cli, const char *preset,
                       const char *scheme) MUST_USE;
void registration_end(struct registration *reg);

/* False if text can be no id, code or event, which has been printed as wrong usage: it could
 * not stand in a URL. kind: `an id`. */
bool registration_check_name(const struct cli *cli, const char *text,
                             const char *kind) MUST_USE;

/* For --url, if it is given: false if it is none that the configuration would take as public_url,
 * which has been printed as wrong usage. */
bool registration_check_url(const struct cli *cli, const char *url) MUST_USE;
/* Where the provider sends to: given, or else the source's public_url. NULL: there is none,
 * which has been printed. */
const char *registration_url(const struct registration *reg, const char *given) MUST_USE;

/* Prints a line to stdout, and empties it. */
void registration_print(struct buf *line);

#endif
