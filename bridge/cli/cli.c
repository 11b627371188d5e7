/*
 * A command's arguments and its help, both from the tables beside the command. Wrong usage is
 * printed at once, with the usage and the option or verb that was probably meant; the command
 * then returns EXIT_USAGE.
 */
#include "bridge/cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "common/clock.h"
#include "common/date.h"
#include "common/log.h"
#include "common/nearest.h"
#include "common/units.h"

/* Made safe for a terminal: much of it comes from peers. */
static void PRINTF_LIKE(1, 0) print_error(const char *format, va_list args)
{
    struct buf safe = {0};
    char *text = NULL;

    CHECK(vasprintf(&text, format, args) >= 0);
    cli_add_safe(&safe, slice_of(text));
    (void)fprintf(stderr, "%s" CLI_PREFIX "%s\n", log_priority(STDERR_FILENO, LOG_ERROR),
                  buf_slice(&safe).data);
    buf_free(&safe);
    free(text);
}

int cli_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_error(format, args);
    va_end(args);
    return EXIT_FAILED;
}

/* The lines of the usage that begin with these words. */
static void print_usage(FILE *out, const struct cli_command *command, const char *words)
{
    const char *line = command->usage;
    const char *label = "usage: ";

    while (*line) {
        int len = (int)strcspn(line, "\n");

        if (slice_starts_with(slice_of(line), slice_of(words))) {
            (void)fprintf(out, "%shook2mqtt %.*s\n", label, len, line);
            label = "       ";
        }
        line += len + (line[len] == '\n');
    }
}

int cli_misuse(const struct cli *cli, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_error(format, args);
    va_end(args);
    print_usage(stderr, cli->command, cli->words[0] ? cli->words : cli->command->name);
    return EXIT_USAGE;
}

void cli_add_help(struct buf *out, const char *name, const char *argument, const char *text)
{
    struct buf left = {0};

    buf_addf(&left, "%s%s%s", name, argument ? " " : "", argument ? argument : "");
    for (const char *line = text, *cell = left.data; line; cell = "") {
        int len = (int)strcspn(line, "\n");

        buf_addf(out, "  %-16s %.*s\n", cell, len, line);
        line = line[len] ? line + len + 1 : NULL;
    }
    buf_free(&left);
}

void cli_add_option_help(struct buf *out, const struct cli_option *options)
{
    for (; options && (options->name || options->help); options++) {
        if (!options->name) {
            buf_addf(out, "%s\n", options->help);
        } else if (options->help) {
            cli_add_help(out, options->name, options->argument, options->help);
        }
    }
}

void cli_print_help(FILE *out, const struct cli_command *command)
{
    struct buf text = {0};

    buf_addf(&text, "\n%s.\n\n%s", command->summary, command->intro ? command->intro : "");
    cli_add_option_help(&text, command->options);
    if (command->add_notes) {
        command->add_notes(&text);
    }
    buf_addf(&text,
             "%sOptions of every command:\n"
             "  -c, --config FILE    the configuration (default " CLI_DEFAULT_CONFIG ")\n"
             "  -e, --env-file FILE  variables for it (default: `environment` beside it, if it "
             "is there)\n"
             "  --log-level LEVEL    debug, info, warn or error\n"
             "  --log-format FORMAT  text (key=value) or json, one object a line\n"
             "  -h, --help           this text\n",
             command->notes ? command->notes : "");
    print_usage(out, command, command->name);
    (void)fputs(text.data, out);
    buf_free(&text);
}

/* ---- arguments ---- */

static bool is_among(const char *name, const char *words)
{
    size_t len = strlen(name);

    for (const char *at = words; at && (at = strstr(at, name)) != NULL; at += len) {
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

/* Among those that the verb takes. */
static const struct cli_option *find_option(const struct cli *cli, struct nearest *near)
{
    const struct cli_option *options = cli->command->options;

    for (; options && (options->name || options->help); options++) {
        if (!options->name || (cli->verb && !is_among(options->name, cli->verb->options))) {
            continue;
        }
        if (slice_equal(near->text, slice_of(options->name))) {
            return options;
        }
        nearest_offer(near, options->name);
    }
    return NULL;
}

static bool read_count(const char *text, uint64_t *out_count)
{
    int64_t count;

    /* A size without a unit is a whole number, and strictly so. */
    if (text[strspn(text, "0123456789")] || !units_parse_size(slice_of(text), &count) ||
        count < 1) {
        return false;
    }
    *out_count = (uint64_t)count;
    return true;
}

static bool read_time(const char *text, int64_t *out_ms)
{
    return units_parse_time(slice_of(text), out_ms) && *out_ms > 0;
}

static bool read_when(const char *text, int64_t *out_unix_ms)
{
    int64_t ago_ms;

    if (units_parse_time(slice_of(text), &ago_ms)) {
        *out_unix_ms = clock_unix_ms() - ago_ms;
        return true;
    }
    return date_parse(slice_of(text), out_unix_ms);
}

/* NULL: stored. Else the kind of value that the option wants. */
static const char *store_value(const struct cli_option *option, void *values, const char *text)
{
    void *value = (char *)values + option->offset;

    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)value = true;
        return NULL;
    case CLI_TEXT:
        *(const char **)value = text;
        return NULL;
    case CLI_COUNT:
        return read_count(text, value) ? NULL : "a whole number from 1";
    case CLI_TIME:
        return read_time(text, value) ? NULL : "a time such as 30s or 2m";
    case CLI_WHEN:
        return read_when(text, value)
                   ? NULL
                   : "a time such as 2026-01-31T18:00:00Z, or a time ago such as 90s, 1h or 2d";
    }
    return NULL;
}

/* Reads the option at argv[*i] and moves *i to the last argument it took. */
static bool read_option(const struct cli *cli, void *values, int *i)
{
    const char *arg = cli->argv[*i];
    struct slice name = {arg, strcspn(arg, "=")};
    struct nearest near = {.text = name};
    const struct cli_option *option = find_option(cli, &near);
    const char *value = arg[name.len] ? arg + name.len + 1 : NULL;
    const char *wanted;
    char question[NEAREST_TEXT_SIZE];

    if (!option) {
        cli_misuse(cli, "%.*s: no such option%s", SLICE_ARG(name),
                   nearest_question(&near, "", question));
        return false;
    }
    if (option->kind == CLI_FLAG && value) {
        cli_misuse(cli, "%s takes no value", option->name);
        return false;
    }
    if (option->kind != CLI_FLAG && !value) {
        if (*i + 1 >= cli->argc) {
            cli_misuse(cli, "%s: a value is missing", option->name);
            return false;
        }
        value = cli->argv[++*i];
    }
    wanted = store_value(option, values, value);
    if (wanted) {
        cli_misuse(cli, "%s %s: not %s", option->name, value, wanted);
        return false;
    }
    return true;
}

bool cli_arguments(struct cli *cli, void *values, int min_count, int max_count)
{
    bool options_ended = false;
    int count = 0;

    for (int i = 1; i < cli->argc; i++) {
        char *arg = cli->argv[i];

        if (!options_ended && strcmp(arg, "--") == 0) {
            options_ended = true;
        } else if (!options_ended && arg[0] == '-' && arg[1]) {
            if (!read_option(cli, values, &i)) {
                return false;
            }
        } else {
            cli->argv[++count] = arg;
        }
    }
    cli->argc = count + 1;
    if (count < min_count) {
        cli_misuse(cli, "an argument is missing");
        return false;
    }
    if (count > max_count) {
        cli_misuse(cli, "%s: one argument too many", cli->argv[max_count + 1]);
        return false;
    }
    return true;
}

static const struct cli_verb *find_verb(const struct cli_verb *verbs, struct nearest *near)
{
    for (; verbs->name; verbs++) {
        if (slice_equal(near->text, slice_of(verbs->name))) {
            return verbs;
        }
        nearest_offer(near, verbs->name);
    }
    return NULL;
}

const struct cli_verb *cli_choose(struct cli *cli, const struct cli_verb *verbs)
{
    struct nearest near = {.text = slice_of(cli->argc > 1 ? cli->argv[1] : "")};
    const struct cli_verb *verb = find_verb(verbs, &near);
    bool is_first = strcmp(cli->argv[0], cli->command->name) == 0;
    char question[NEAREST_TEXT_SIZE];

    (void)snprintf(cli->words, sizeof(cli->words), "%s%s%s", cli->command->name,
                   is_first ? "" : " ", is_first ? "" : cli->argv[0]);
    if (verb) {
        cli->argc--;
        cli->argv++;
        cli->verb = verb;
        return verb;
    }
    if (cli->argc < 2) {
        cli_misuse(cli, "%s: a command is missing", cli->words);
    } else {
        cli_misuse(cli, "%s %s: no such command%s", cli->words, cli->argv[1],
                   nearest_question(&near, "", question));
    }
    return NULL;
}

int cli_dispatch(struct cli *cli, const struct cli_verb *verbs)
{
    const struct cli_verb *verb = cli_choose(cli, verbs);

    return verb ? verb->run(cli) : EXIT_USAGE;
}
