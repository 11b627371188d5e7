/*
 * `hook2mqtt provider VENDOR VERB`: finds the vendor; verb.c runs the verb.
 * `hook2mqtt provider show NAME`: prints a preset, comments and all, so that it can be copied into
 * a source. A missing or unknown name is wrong usage, answered with the names there are.
 */
#include "bridge/cli/provider/provider.h"

#include "common/nearest.h"

#include "bridge/cli/provider/internal.h"
#include "bridge/provider/provider.h"

static int show(struct cli *cli)
{
    const char *name = cli->argc > 1 ? cli->argv[1] : NULL;
    const struct provider_preset *found = provider_find(slice_of(name));
    struct nearest near = {.text = slice_of(name)};
    char question[NEAREST_TEXT_SIZE];
    struct buf names = {0};

    (void)snprintf(cli->words, sizeof(cli->words), "provider show"); /* for the usage */
    if (!cli_arguments(cli, NULL, 0, 1)) {
        return EXIT_USAGE;
    }
    if (found) {
        (void)fputs(found->text, stdout);
        return EXIT_DONE;
    }
    for (const struct provider_preset *preset = provider_presets; preset->name; preset++) {
        buf_addf(&names, "%s%s", names.len > 0 ? ", " : "", preset->name);
        nearest_offer(&near, preset->name);
    }
    if (name) {
        cli_misuse(cli, "provider show %s: no such preset%s (there are %s)", name,
                   nearest_question(&near, "", question), names.data);
    } else {
        cli_misuse(cli, "provider show: a preset is missing; one of %s", names.data);
    }
    buf_free(&names);
    return EXIT_USAGE;
}

static int run(struct cli *cli)
{
    static const struct cli_verb vendors[] = {{"ricloud", verb_run, NULL, &ricloud},
                                              {"weavy", verb_run, NULL, &weavy},
                                              {"show", show, NULL, NULL},
                                              {0}};

    return cli_dispatch(cli, vendors);
}

static const char notes[] =
    "\nThe source's api and public_url say where the provider is and how it reaches the "
    "bridge.\n"
    "A request that fails for now (no connection, a time-out, 429, 5xx) is tried again.\n\n"
    "ricloud: webhook configs.\n"
    "  create           makes one; its secret goes to the first file among the source's\n"
    "                   secrets that is missing or empty. Waits for the provider's test, and\n"
    "                   fails unless the config ends up valid\n"
    "  update           changes one; waits for a test that this starts, as create does\n"
    "  test             has one tested; --wait waits for the outcome, and fails unless the\n"
    "                   config is seen to be valid\n"
    "  use              makes the key whose token is api.token send to this config\n\n"
    "weavy: subscriptions, each with a code that ends it, kept in api.state_file.\n"
    "  login            gets a new token with api.username and api.password; the other\n"
    "                   verbs log in by themselves when they need to\n"
    "  subscribe        has an event sent to URL/EVENT, or if the source has events, to its\n"
    "                   path there; --all: every standard event, or those with a path there\n"
    "  unsubscribe      ends one, and keeps its code until the provider has said that it\n"
    "                   has ended; --forget: removes it here without asking the provider\n"
    "  list             the subscriptions that are stored here; the provider is not asked\n"
    "  sample           prints what the provider would send; --publish sends that to the\n"
    "                   running bridge, as the provider would, and fails if it is not taken\n\n"
    "show: prints the preset of a provider, over which a source's keys are merged.\n\n"
    "Keys of an object:\n"
    "  config           id, url, state, organisation, date_created; and with create,\n"
    "                   update and test --wait: test_error, secret_file\n"
    "  test             task, state, test_error\n"
    "  deletion         id, deleted\n"
    "  use              key, webhook_config\n"
    "  login            username, project_code, state_file\n"
    "  subscription     event, code, url, since; and if something was done: status\n"
    "  request          method, url, headers, body (with --dry-run)\n"
    "  sample --publish event, http_status, and what the bridge says: status, id, reason,\n"
    "                   error, message, or null\n"
    "Where nobody knows whether a change was made, its state or status is unknown.\n"
    "A sample that is only printed has the keys that weavy would send.\n\n";

const struct cli_command provider_command = {
    .name = "provider",
    .usage = "provider ricloud create [--url URL] [--replace-secret]\n"
             "provider ricloud list [--state STATE] [--date-created TIME]\n"
             "provider ricloud update ID [--url URL] [--state new | deactivated]\n"
             "provider ricloud test ID [--wait]\n"
             "provider ricloud (get | delete | use) ID\n"
             "provider weavy login\n"
             "provider weavy subscribe (EVENT... | --all) [--url URL]\n"
             "provider weavy unsubscribe (EVENT... | CODE... | --all) [--forget]\n"
             "provider weavy sample EVENT [--publish]\n"
             "provider weavy list\n"
             "provider show NAME",
    .summary = "Register the bridge at a provider, through the provider's API",
    .options = verb_options,
    .notes = notes,
    .run = run,
};
