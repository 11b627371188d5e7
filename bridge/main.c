/*
 * hook2mqtt: the table of subcommands, and what holds for all of them.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "common/log.h"
#include "common/nearest.h"

#include "bridge/cli/cli.h"
#include "bridge/cli/provider/provider.h"

static int help(struct cli *cli);
static int version(struct cli *cli);

#define SELECTION_HELP                                                                         \
    "  --source NAME    only events of this source\n"                                          \
    "  --since TIME     only events received at TIME or later\n"                               \
    "  --until TIME     only events received before TIME\n"
#define LISTING_HELP                                                                           \
    "  --limit N        at most N\n"                                                           \
    "  --json           ls: one JSON object a line; else one object\n"                         \
    "  --body           show: the body's bytes, and nothing else\n"
#define TIME_HELP                                                                              \
    "TIME is such as 2026-01-31T18:00:00Z, or a time ago such as 90s, 1h or 2d.\n\n"
#define CHANGE_KEYS_HELP                                                                       \
    "Keys of what a change says: done, skipped, why (of the last one skipped, or null).\n\n"
#define KEYS_HELP                                                                              \
    "Keys of an object: seq, id, received_at, source, event, resource_type, gid, state\n"      \
    "(undelivered, delivered or dead), reason, event_at, delivery_id, topic, state_topic, "    \
    "qos,\n"                                                                                   \
    "retain, expiry_seconds, deletion, replayed; with show also body, or body_hex if the "     \
    "body is\n"                                                                                \
    "not UTF-8. What is not known is null.\n\n"
#define RUNNING_HELP                                                                           \
    "Looking works whether the bridge runs or not. Changes are made in the outbox itself "     \
    "while\n"                                                                                  \
    "the bridge is stopped; while it runs it is asked to, at admin.listen.\n\n"

#define PROVIDER_HELP                                                                          \
    "  --source NAME    for this source; needed if several are of the provider\n"              \
    "  --timeout TIME   gives up after so long, tries and waits together (default 60s)\n"      \
    "  --dry-run        prints the requests, without tokens and passwords, and sends none\n"   \
    "  --json           one JSON object a line, of what is done, listed or would be sent\n\n"  \
    "The source's api and public_url say where the provider is and how it reaches the "        \
    "bridge.\n"                                                                                \
    "What may have been bad luck (no connection, a time-out, 429, 5xx) is tried again.\n\n"    \
    "ricloud: webhook configs.\n"                                                              \
    "  create           makes one; its secret goes to the first file among the source's\n"     \
    "                   secrets that is missing or empty. Waits for the provider's test,\n"    \
    "                   and fails unless the config ends up valid\n"                           \
    "  update           changes one; where that has it tested again, waits as create does\n"   \
    "  test             has one tested; --wait waits for the outcome, and fails unless that\n" \
    "                   is seen and the config valid\n"                                        \
    "  use              has the key, whose token this is, send to this config\n"               \
    "  --url URL        where the provider is to send to; else public_url of the source\n"     \
    "  --replace-secret if no such file is left, replaces the secret in the first one\n"       \
    "  --state STATE    list: only these; deactivated ones are listed no other way\n"          \
    "  --date-created T list: only those that the provider finds under this time\n\n"          \
    "weavy: subscriptions, each with a code that ends it, kept in api.state_file.\n"           \
    "  login            gets a new token with api.username and api.password; the others do\n"  \
    "                   so by themselves when it is needed\n"                                  \
    "  subscribe        has an event sent to URL/EVENT, or where the source has events, to\n"  \
    "                   the path that it has there; --all: every standard event, or those\n"   \
    "                   that have a path there\n"                                              \
    "  unsubscribe      ends one, and keeps its code until the provider has said that it "     \
    "has\n"                                                                                    \
    "                   ended; --forget: removes it here without asking the provider\n"        \
    "  list             the subscriptions that are kept here; the provider is not asked\n"     \
    "  sample           prints what the provider would send; --publish sends that to the\n"    \
    "                   running bridge, as the provider would, and fails if it is not taken\n" \
    "  --url URL        of the source's path, from outside; else public_url of the "           \
    "source\n\n"                                                                               \
    "Keys of an object:\n"                                                                     \
    "  config           id, url, state, organisation, date_created; and with create, update\n" \
    "                   and test --wait: test_error, secret_file\n"                            \
    "  test             task, state, test_error\n"                                             \
    "  deletion         id, deleted\n"                                                         \
    "  use              key, webhook_config\n"                                                 \
    "  login            username, project_code, state_file\n"                                  \
    "  subscription     event, code, url, since; and where something was done: status\n"       \
    "  request          method, url, headers, body (with --dry-run)\n"                         \
    "  sample --publish event, http_status, and what the bridge says: status, id, reason,\n"   \
    "                   error, message, or null\n"                                             \
    "A sample that is only printed is what would be sent, whichever keys that has.\n\n"

static const struct cli_command commands[] = {
    {"run", "run", "Run the bridge in the foreground",
     "Ends with 0 after SIGTERM or SIGINT: what was accepted is answered, and what is on its "
     "way\n"
     "to the broker gets a moment to arrive. Logs go to stderr.\n\n",
     cli_run},
    {"check", "check", "Read the configuration and every file it names, and say what is wrong",
     "Prints each fault as `path.to.key: what is wrong` and starts nothing.\n\n", cli_check},
    {"sign", "sign SOURCE < body",
     "Print the header or headers that the provider would send for a body",
     "Signs the bytes of standard input, up to 64 MiB, with the source's first secret. One "
     "header\n"
     "a line; where time and an id are signed as well, they are now and a new one.\n\n",
     cli_sign},
    {"trigger",
     "trigger SOURCE EVENT [--gid GID] [--count N] [--url URL]\n"
     "trigger SOURCE --all [--gid GID] [--count N] [--url URL]\n"
     "trigger SOURCE --list",
     "Send signed sample events to the running bridge, as the provider would",
     "EVENT is such as push, or project:resource.updated where several types of resource have "
     "an\n"
     "event of that name. Samples are the provider's, or those of the source in the "
     "configuration.\n"
     "Prints a line for each event: HTTP status, what the bridge says, id, EVENT and gid. "
     "Fails "
     "if\n"
     "one of them was not taken, or became a dead letter.\n\n"
     "  --gid GID        of the resource; else each event gets a new one\n"
     "  --count N        sends N different bodies\n"
     "  --url URL        posts there, not to the first ingress.listen and the source's path; "
     "what\n"
     "                   the provider appends to its URL is appended to this one, too\n"
     "  --all            sends every event of which there is a sample\n"
     "  --list           names them\n\n",
     cli_trigger},
    {"outbox",
     "outbox ls [--undelivered | --delivered] [SELECTION] [--limit N] [--json]\n"
     "outbox show ID [--json | --body]\n"
     "outbox stats [--json]\n"
     "outbox replay (ID... | SELECTION | --all) [--json]\n"
     "outbox drop (ID... | SELECTION | --all) [--json]",
     "Look into the outbox, publish delivered events again, or give undelivered ones up",
     "Selection:\n" SELECTION_HELP "  --all            all of them\n\n" LISTING_HELP
     "\n" TIME_HELP RUNNING_HELP KEYS_HELP "Keys of stats: first_seq, last_seq, delivered_seq, "
     "undelivered_count, undelivered_bytes,\n"
     "kept_count, kept_bytes, dead_count, dead_bytes, max_bytes, "
     "oldest_undelivered_at.\n" CHANGE_KEYS_HELP,
     cli_outbox},
    {"dead",
     "dead ls [SELECTION] [--limit N] [--json]\n"
     "dead show ID [--json | --body]\n"
     "dead retry (ID... | SELECTION | --all) [--json]\n"
     "dead drop (ID... | SELECTION | --all) [--json]",
     "Look at the dead letters, try them again, or remove them",
     "A webhook that no event can be made of, and an event that the broker refuses for good, "
     "end\n"
     "here. Retry puts them at the end of the queue, with today's configuration.\n\n"
     "Selection:\n" SELECTION_HELP "  --all            all of them\n\n" LISTING_HELP
     "\n" TIME_HELP RUNNING_HELP KEYS_HELP CHANGE_KEYS_HELP,
     cli_dead},
    {"health", "health [--ready]", "Ask the running bridge how it is",
     "Ends with 0 if the bridge is alive, and with --ready if it would accept a webhook.\n\n",
     cli_health},
    {"provider",
     "provider ricloud create [--url URL] [--replace-secret]\n"
     "provider ricloud list [--state STATE] [--date-created TIME]\n"
     "provider ricloud update ID [--url URL] [--state new | deactivated]\n"
     "provider ricloud test ID [--wait]\n"
     "provider ricloud (get | delete | use) ID\n"
     "provider weavy login\n"
     "provider weavy subscribe (EVENT... | --all) [--url URL]\n"
     "provider weavy unsubscribe (EVENT... | CODE... | --all) [--forget]\n"
     "provider weavy sample EVENT [--publish]\n"
     "provider weavy list",
     "Register the bridge at a provider, through the provider's API", PROVIDER_HELP,
     cli_provider},
    {"version", "version", "Print the version", "", version},
    {"help", "help [COMMAND | config | schema]",
     "Explain a command, or print the table of settings or the JSON Schema of the "
     "configuration",
     "", help},
    {0},
};

static void print_overview(FILE *out)
{
    (void)fputs("usage: hook2mqtt [-c FILE] [--log-level LEVEL] COMMAND [ARGUMENT...]\n\n"
                "Receives signed webhooks, stores each one, and publishes it on MQTT.\n\n",
                out);
    for (const struct cli_command *command = commands; command->name; command++) {
        (void)fprintf(out, "  %-8s  %s\n", command->name, command->summary);
    }
    (void)fputs("\nhook2mqtt COMMAND --help explains a command; hook2mqtt help config the "
                "configuration.\n"
                "Exit status: 0 done, 1 failed, 2 wrong usage.\n",
                out);
}

static const struct cli_command *find_command(const char *name)
{
    struct nearest near = {.text = slice_of(name)};
    char question[NEAREST_TEXT_SIZE];

    for (const struct cli_command *command = commands; command->name; command++) {
        if (strcmp(name, command->name) == 0) {
            return command;
        }
        nearest_offer(&near, command->name);
    }
    cli_fail("%s: no such command%s", name,
             near.word ? nearest_question(&near, "", question)
                       : " (hook2mqtt help names them)");
    return NULL;
}

static int version(struct cli *cli)
{
    if (!cli_arguments(cli, NULL, 0, 0)) {
        return EXIT_USAGE;
    }
    puts("hook2mqtt " HOOK2MQTT_VERSION);
    return EXIT_DONE;
}

static int print_generated(void (*write)(struct buf *out))
{
    struct buf out = {0};

    write(&out);
    (void)fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
    return EXIT_DONE;
}

static int help(struct cli *cli)
{
    const struct cli_command *command;

    if (!cli_arguments(cli, NULL, 0, 1)) {
        return EXIT_USAGE;
    }
    if (cli->argc == 1) {
        print_overview(stdout);
        return EXIT_DONE;
    }
    if (strcmp(cli->argv[1], "config") == 0) {
        return print_generated(config_write_table);
    }
    if (strcmp(cli->argv[1], "schema") == 0) {
        return print_generated(config_write_schema);
    }
    command = find_command(cli->argv[1]);
    if (!command) {
        return EXIT_USAGE;
    }
    cli_print_help(stdout, command);
    return EXIT_DONE;
}

/* What holds for every command. */
struct common {
    const char *config_path;
    const char *log_level;
    bool help;
    bool version;
};

/* Takes the common options out of argv, before and after the command's name. False: one lacks
 * its value. */
static bool take_common(int *argc, char **argv, struct common *common)
{
    const struct {
        const char *name;
        const char **text;
        bool *flag;
    } all[] = {
        {"-c", &common->config_path, NULL},        {"--config", &common->config_path, NULL},
        {"--log-level", &common->log_level, NULL}, {"-h", NULL, &common->help},
        {"--help", NULL, &common->help},           {"--version", NULL, &common->version},
    };
    int kept = 1;
    int i = 1;

    for (; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        size_t len = strcspn(argv[i], "=");
        size_t k = 0;

        while (k < COUNT_OF(all) &&
               !slice_equal((struct slice){argv[i], len}, slice_of(all[k].name))) {
            k++;
        }
        if (k == COUNT_OF(all)) {
            argv[kept++] = argv[i];
        } else if (all[k].flag) {
            *all[k].flag = true;
        } else if (argv[i][len]) {
            *all[k].text = argv[i] + len + 1;
        } else if (i + 1 < *argc) {
            *all[k].text = argv[++i];
        } else {
            cli_fail("%s: a value is missing", argv[i]);
            return false;
        }
    }
    while (i < *argc) {
        argv[kept++] = argv[i++];
    }
    *argc = kept;
    return true;
}

static bool set_log_level(const char *text, const struct cli_command *command)
{
    /* What the other commands have to say goes through stdout and cli_fail. */
    enum log_level level = command->run == cli_run ? LOG_INFO : LOG_WARN;

    if (text && !log_level_parse(text, &level)) {
        cli_fail("--log-level %s: not debug, info, warn or error", text);
        return false;
    }
    log_set_level(level);
    return true;
}

static int run_command(const struct common *common, int argc, char **argv)
{
    const struct cli_command *command = find_command(argv[0]);
    struct cli cli = {
        .config_path = common->config_path, .command = command, .argc = argc, .argv = argv};
    int status;

    if (!command || !set_log_level(common->log_level, command)) {
        return EXIT_USAGE;
    }
    if (common->help) {
        cli_print_help(stdout, command);
        return EXIT_DONE;
    }
    status = command->run(&cli);
    config_destroy(cli.config);
    config_faults_free(&cli.faults);
    return status;
}

static int run(int argc, char **argv)
{
    struct common common = {.config_path = CLI_DEFAULT_CONFIG};

    if (!take_common(&argc, argv, &common)) {
        return EXIT_USAGE;
    }
    if (common.version) {
        puts("hook2mqtt " HOOK2MQTT_VERSION);
        return EXIT_DONE;
    }
    if (argc < 2) {
        print_overview(common.help ? stdout : stderr);
        return common.help ? EXIT_DONE : EXIT_USAGE;
    }
    return run_command(&common, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    int status;

    (void)signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error like any other */
    status = run(argc, argv);
    /* Nobody else looks whether what was printed has arrived. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        status = cli_fail("write the output: %s", strerror(errno));
    }
    return status;
}
