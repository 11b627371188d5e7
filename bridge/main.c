/*
 * hook2mqtt: the list of subcommands, and what they have in common: takes the options of every
 * command out of the arguments, finds the command, runs it, and makes sure that what it printed
 * has arrived. What a command prints as it fails is its own.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include "common/log.h"
#include "common/nearest.h"

#include "bridge/cli/cli.h"
#include "bridge/cli/provider/provider.h"

static const struct cli_command version_command, help_command;

static const struct cli_command *const commands[] = {
    &run_command,    &check_command,    &sign_command,    &trigger_command,
    &outbox_command, &dead_command,     &state_command,   &health_command,
    &reload_command, &provider_command, &version_command, &help_command,
};

static void print_overview(FILE *out)
{
    (void)fputs("usage: hook2mqtt [-c FILE] [-e FILE] COMMAND [ARGUMENT...]\n\n"
                "Receives signed webhooks, stores each one, and publishes it on MQTT.\n\n",
                out);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        (void)fprintf(out, "  %-8s  %s\n", commands[i]->name, commands[i]->summary);
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

    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(name, commands[i]->name) == 0) {
            return commands[i];
        }
        nearest_offer(&near, commands[i]->name);
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

static const struct cli_command version_command = {
    .name = "version",
    .usage = "version",
    .summary = "Print the version",
    .run = version,
};

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
    if (strcmp(cli->argv[1], "man") == 0) {
        cli_write_man(stdout, commands, COUNT_OF(commands));
        return EXIT_DONE;
    }
    command = find_command(cli->argv[1]);
    if (!command) {
        return EXIT_USAGE;
    }
    cli_print_help(stdout, command);
    return EXIT_DONE;
}

static const struct cli_command help_command = {
    .name = "help",
    .usage = "help [COMMAND | config | schema | man]",
    .summary = "Explain a command or the configuration",
    .notes = "help config prints the table of settings, help schema the JSON Schema of the\n"
             "configuration, help man the manual page.\n\n",
    .run = help,
};

/* The options of every command. */
struct common {
    const char *config_path;
    const char *env_file;
    const char *log_level;
    const char *log_format;
    bool help;
    bool version;
};

/* A row of them. */
struct option {
    char letter; /* behind one dash; 0: none */
    const char *name;
    const char **text; /* where its value goes; NULL: it takes none */
    bool *flag;
};

static const struct option *find_name(const struct option *options, struct slice name)
{
    while (options->name && !slice_equal(name, slice_of(options->name))) {
        options++;
    }
    return options->name ? options : NULL;
}

static const struct option *find_letter(const struct option *options, char letter)
{
    while (options->name && options->letter != letter) {
        options++;
    }
    return options->name ? options : NULL;
}

/* What takes an option's value: what stands behind it in its argument (value), or else the next
 * argument, to which *i moves. */
static bool take_value(const struct option *option, const char *value, int argc, char **argv,
                       int *i)
{
    if (!value && *i + 1 >= argc) {
        cli_fail("%s: a value is missing", argv[*i]);
        return false;
    }
    *option->text = value ? value : argv[++*i];
    return true;
}

enum taken { NOT_OURS, TAKEN, WRONG };

/* `--name`, `--name VALUE`, `--name=VALUE`; a flag takes no value, and if it is given one it is not
 * ours: the command will refuse it. */
static enum taken take_name(const struct option *options, int argc, char **argv, int *i)
{
    const char *arg = argv[*i];
    size_t len = strcspn(arg, "=");
    const struct option *option = find_name(options, (struct slice){arg, len});

    if (!option || (option->flag && arg[len])) {
        return NOT_OURS;
    }
    if (option->flag) {
        *option->flag = true;
        return TAKEN;
    }
    return take_value(option, arg[len] ? arg + len + 1 : NULL, argc, argv, i) ? TAKEN : WRONG;
}

/* `-h`, `-c FILE`, `-cFILE`, `-hcFILE`. No command has letters of its own. */
static enum taken take_letters(const struct option *options, int argc, char **argv, int *i)
{
    const char *arg = argv[*i];

    for (const char *letter = arg + 1; *letter; letter++) {
        const struct option *option = find_letter(options, *letter);

        if (!option) {
            return NOT_OURS;
        }
        if (option->text) {
            const char *value = letter[1] ? letter + 1 + (letter[1] == '=') : NULL;

            return take_value(option, value, argc, argv, i) ? TAKEN : WRONG;
        }
        *option->flag = true;
    }
    return arg[1] ? TAKEN : NOT_OURS;
}

/* Takes the common options out of argv, before and after the command's name. False: one lacks its
 * value. */
static bool take_common(int *argc, char **argv, struct common *common)
{
    const struct option options[] = {
        {'c', "--config", &common->config_path, NULL},
        {'e', "--env-file", &common->env_file, NULL},
        {0, "--log-level", &common->log_level, NULL},
        {0, "--log-format", &common->log_format, NULL},
        {'h', "--help", NULL, &common->help},
        {0, "--version", NULL, &common->version},
        {0},
    };
    int kept = 1;
    int i = 1;

    for (; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        bool dash = argv[i][0] == '-';
        enum taken taken = dash && argv[i][1] == '-' ? take_name(options, *argc, argv, &i)
                           : dash                    ? take_letters(options, *argc, argv, &i)
                                                     : NOT_OURS;

        if (taken == WRONG) {
            return false;
        }
        if (taken == NOT_OURS) {
            argv[kept++] = argv[i];
        }
    }
    while (i < *argc) {
        argv[kept++] = argv[i++];
    }
    *argc = kept;
    return true;
}

static bool set_log(const struct common *common, const struct cli_command *command)
{
    /* The other commands print their results and errors themselves. */
    enum log_level level = command == &run_command ? LOG_INFO : LOG_WARN;
    enum log_format format = LOG_FORMAT_TEXT;

    if (common->log_level && !log_level_parse(common->log_level, &level)) {
        cli_fail("--log-level %s: not debug, info, warn or error", common->log_level);
        return false;
    }
    if (common->log_format && !log_format_parse(common->log_format, &format)) {
        cli_fail("--log-format %s: not text or json", common->log_format);
        return false;
    }
    log_set_level(level);
    log_set_format(format);
    return true;
}

static int start(const struct common *common, int argc, char **argv)
{
    const struct cli_command *command = find_command(argv[0]);
    struct cli cli = {
        .config_path = common->config_path, .command = command, .argc = argc, .argv = argv};
    int status;

    if (!command || !set_log(common, command)) {
        return EXIT_USAGE;
    }
    if (common->help) {
        cli_print_help(stdout, command);
        return EXIT_DONE;
    }
    config_use_environment(common->env_file);
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
    return start(&common, argc - 1, argv + 1);
}

/* A descriptor below 3 that was closed would become a socket or the outbox, and get what is meant
 * for stdout or the log. */
static void fill_standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) {
        (void)close(fd); /* nothing to lose */
    }
}

int main(int argc, char **argv)
{
    int status;

    fill_standard_descriptors();
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error like any other */
    status = run(argc, argv);
    /* Nothing else checks that the output has arrived. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        status = cli_fail("write the output: %s", strerror(errno));
    }
    return status;
}
