#include "bridge/cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/nearest.h"
#include "common/units.h"

#include "bridge/verify/verify.h"

static void PRINTF_LIKE(1, 0) print_error(const char *format, va_list args)
{
    (void)fputs(CLI_PREFIX, stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
}

int cli_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_error(format, args);
    va_end(args);
    return EXIT_FAILED;
}

static void print_usage(FILE *out, const struct cli_command *command)
{
    const char *line = command->usage;
    const char *label = "usage: ";

    while (*line) {
        int len = (int)strcspn(line, "\n");

        (void)fprintf(out, "%shook2mqtt %.*s\n", label, len, line);
        line += len + (line[len] == '\n');
        label = "       ";
    }
}

int cli_misuse(const struct cli *cli, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_error(format, args);
    va_end(args);
    print_usage(stderr, cli->command);
    return EXIT_USAGE;
}

void cli_print_help(FILE *out, const struct cli_command *command)
{
    print_usage(out, command);
    (void)fprintf(out, "\n%s.\n\n%s", command->summary, command->help);
    (void)fputs("Options of every command:\n"
                "  -c, --config FILE    the configuration (default " CLI_DEFAULT_CONFIG ")\n"
                "  --log-level LEVEL    debug, info, warn or error\n"
                "  -h, --help           this text\n",
                out);
}

static const struct cli_option *find_option(const struct cli_option *options, struct slice name,
                                            struct nearest *near)
{
    for (; options && options->name; options++) {
        if (slice_equal(name, slice_of(options->name))) {
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

static bool read_when(const char *text, int64_t *out_unix_ms)
{
    int64_t ago_ms;

    if (units_parse_time(slice_of(text), &ago_ms)) {
        *out_unix_ms = clock_unix_ms() - ago_ms;
        return true;
    }
    return clock_parse(slice_of(text), out_unix_ms);
}

/* Returns what the value should have been; NULL: it was. */
static const char *store_value(const struct cli_option *option, const char *text)
{
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)option->value = true;
        return NULL;
    case CLI_TEXT:
        *(const char **)option->value = text;
        return NULL;
    case CLI_COUNT:
        return read_count(text, option->value) ? NULL : "a whole number from 1";
    case CLI_WHEN:
        return read_when(text, option->value)
                   ? NULL
                   : "a time such as 2026-01-31T18:00:00Z, or a time ago such as 90s, 1h or 2d";
    }
    return NULL;
}

/* Reads the option at argv[*i] and moves *i to the last argument it took. */
static bool read_option(const struct cli *cli, const struct cli_option *options, int *i)
{
    const char *arg = cli->argv[*i];
    struct slice name = {arg, strcspn(arg, "=")};
    struct nearest near = {.text = name};
    const struct cli_option *option = find_option(options, name, &near);
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
    wanted = store_value(option, value);
    if (wanted) {
        cli_misuse(cli, "%s %s: not %s", option->name, value, wanted);
        return false;
    }
    return true;
}

bool cli_arguments(struct cli *cli, const struct cli_option *options, int min_count,
                   int max_count)
{
    bool options_ended = false;
    int count = 0;

    for (int i = 1; i < cli->argc; i++) {
        char *arg = cli->argv[i];

        if (!options_ended && strcmp(arg, "--") == 0) {
            options_ended = true;
        } else if (!options_ended && arg[0] == '-' && arg[1]) {
            if (!read_option(cli, options, &i)) {
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

/* `outbox`, or `provider weavy` where a verb has verbs of its own. */
static void add_words(struct buf *out, const struct cli *cli)
{
    buf_add_str(out, cli->command->name);
    if (strcmp(cli->argv[0], cli->command->name) != 0) {
        buf_addf(out, " %s", cli->argv[0]);
    }
}

const struct cli_verb *cli_choose(struct cli *cli, const struct cli_verb *verbs)
{
    struct nearest near = {.text = slice_of(cli->argc > 1 ? cli->argv[1] : "")};
    const struct cli_verb *verb = find_verb(verbs, &near);
    char question[NEAREST_TEXT_SIZE];
    struct buf words = {0};

    if (verb) {
        cli->argc--;
        cli->argv++;
        return verb;
    }
    add_words(&words, cli);
    if (cli->argc < 2) {
        cli_misuse(cli, "%s: a command is missing", words.data);
    } else {
        cli_misuse(cli, "%s %s: no such command%s", words.data, cli->argv[1],
                   nearest_question(&near, "", question));
    }
    buf_free(&words);
    return NULL;
}

int cli_dispatch(struct cli *cli, const struct cli_verb *verbs)
{
    const struct cli_verb *verb = cli_choose(cli, verbs);

    return verb ? verb->run(cli) : EXIT_USAGE;
}

void cli_print_faults(FILE *out, const char *prefix, const char *config_path,
                      const struct config_faults *faults, bool with_warnings)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct config_fault *fault = &faults->items[i];

        if (!fault->warning || with_warnings) {
            (void)fprintf(out, "%s%s: %s%s\n", prefix,
                          fault->path[0] ? fault->path : config_path,
                          fault->warning ? "warning: " : "", fault->text);
        }
    }
}

bool cli_read_config(struct cli *cli)
{
    if (config_load_partial(cli->config_path, &cli->config, &cli->faults) == ST_OK) {
        return true;
    }
    cli_print_faults(stderr, CLI_PREFIX, cli->config_path, &cli->faults, false);
    return false;
}

bool cli_secret_was_read(const struct cli *cli, const struct buf *secret, const char *format,
                         ...)
{
    char path[128];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    for (size_t i = 0; secret->len == 0 && i < cli->faults.count; i++) {
        const struct config_fault *fault = &cli->faults.items[i];

        /* The fault may be about a part of it, such as admin.token.env. */
        if (slice_starts_with(slice_of(fault->path), slice_of(path))) {
            cli_fail("%s: %s", fault->path, fault->text);
            return false;
        }
    }
    return true;
}

const struct config_source *cli_source(const struct cli *cli, const char *name)
{
    const struct config *config = cli->config;
    struct buf names = {0};

    for (size_t i = 0; i < config->source_count; i++) {
        if (strcmp(config->sources[i].name, name) == 0) {
            buf_free(&names);
            return &config->sources[i];
        }
        buf_addf(&names, "%s%s", i ? ", " : "", config->sources[i].name);
    }
    cli_fail("%s: no such source in %s; there is: %.*s", name, cli->config_path,
             SLICE_ARG(buf_slice(&names)));
    buf_free(&names);
    return NULL;
}

bool cli_signer(const struct cli *cli, const struct config_source *source,
                struct verifier **out_signer)
{
    struct slice secret = SLICE_NONE;
    struct err err = {0};
    size_t index = (size_t)(source - cli->config->sources);

    if (source->verify) {
        const struct buf *first = &source->secrets[0].value;

        if (!cli_secret_was_read(cli, first, "sources[%zu].secrets[0]", index)) {
            return false;
        }
        secret = buf_slice(first);
    }
    if (verifier_create(&source->provider->signature, &secret, source->verify ? 1 : 0,
                        out_signer, &err) != ST_OK) {
        cli_fail("source %s: %s", source->name, err.text);
        return false;
    }
    return true;
}
