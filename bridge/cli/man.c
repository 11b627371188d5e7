/*
 * The manual page, in man(7), from the same texts as --help. Only a lack of memory can fail, and
 * stops the process.
 */
#include "bridge/cli/cli.h"

#include <stdlib.h>
#include <string.h>

/* What every command's help ends with. */
static const char common_options[] = "Options of every command:\n";

/* As it stands, line by line: roff commands begin with a dot or a quote. */
static void add_text(struct buf *out, const char *text, size_t len)
{
    bool begin = true;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (begin && (c == '.' || c == '\'')) {
            buf_add_str(out, "\\&");
        }
        if (c == '\\') {
            buf_add_str(out, "\\e");
        } else if (c == '-') {
            buf_add_str(out, "\\-");
        } else {
            buf_add_char(out, c);
        }
        begin = c == '\n';
    }
}

static void add_block(struct buf *out, const char *text, size_t len)
{
    buf_add_str(out, ".nf\n");
    add_text(out, text, len);
    buf_add_str(out, ".fi\n");
}

/* Gives the text of --help for free. */
static char *help_of(const struct cli_command *command)
{
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);

    CHECK(memory);
    cli_print_help(memory, command);
    CHECK(fclose(memory) == 0);
    return text;
}

static void add_command(struct buf *out, const struct cli_command *command)
{
    char *text = help_of(command);
    const char *end = strstr(text, common_options);

    CHECK(end);
    while (end > text && end[-1] == '\n') {
        end--; /* one newline is left */
    }
    buf_addf(out, ".SS %s\n", command->name);
    add_block(out, text, (size_t)(end - text) + 1);
    free(text);
}

static void add_options(struct buf *out, const struct cli_command *command)
{
    char *text = help_of(command);
    const char *options = strstr(text, common_options) + strlen(common_options);

    buf_add_str(out, ".SH OPTIONS\nThey may stand before and behind the command.\n");
    add_block(out, options, strlen(options));
    free(text);
}

void cli_write_man(FILE *out, const struct cli_command *const *commands, size_t count)
{
    struct buf page = {0};

    buf_add_str(&page,
                ".TH HOOK2MQTT 1 \"\" \"hook2mqtt " HOOK2MQTT_VERSION "\" \"User Commands\"\n"
                ".SH NAME\nhook2mqtt \\- a webhook\\-to\\-MQTT bridge\n"
                ".SH SYNOPSIS\n.B hook2mqtt\n[\\-c FILE] [\\-e FILE] COMMAND [ARGUMENT...]\n"
                ".SH DESCRIPTION\nReceives signed webhooks over HTTP, checks that they are "
                "authentic, stores "
                "each one on disk, and publishes it on MQTT. A webhook answered with 200 is on "
                "disk, and "
                "reaches the broker at least once, in order per resource.\n");
    add_options(&page, commands[0]);
    buf_add_str(&page, ".SH COMMANDS\n");
    for (size_t i = 0; i < count; i++) {
        add_command(&page, commands[i]);
    }
    buf_add_str(
        &page,
        ".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage. Under a service manager, run ends "
        "with 78 "
        "if the configuration itself is wrong.\n"
        ".SH SIGNALS\n.TP\nSIGHUP\nThe bridge reads its configuration and the environment file "
        "again.\n.TP\nSIGTERM, SIGINT\nIt answers what it accepted, and ends.\n"
        ".SH FILES\n.TP\n" CLI_DEFAULT_CONFIG
        "\nThe configuration; hook2mqtt help config lists "
        "every setting.\n.TP\n/etc/hook2mqtt/environment\nVariables for it, NAME=value, as in "
        "systemd.exec(5), EnvironmentFile=. The process's own win.\n.TP\n"
        "/var/lib/hook2mqtt/outbox.db\nWhat was accepted.\n"
        ".SH SEE ALSO\nmosquitto(8), mosquitto_sub(1), systemd.exec(5)\n");
    (void)fwrite(page.data, 1, page.len, out); /* main looks whether all has arrived */
    buf_free(&page);
}
