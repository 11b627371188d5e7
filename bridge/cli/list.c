#include "bridge/cli/list.h"

#include "common/clock.h"

#include "bridge/cli/row.h"

struct store *cli_store(const struct cli *cli)
{
    const char *path = cli->config->outbox.path;
    struct store *store = NULL;
    struct err err = {0};

    switch (store_open_reader(path, &store, &err)) {
    case ST_OK:
        break;
    case ST_NOT_FOUND:
        cli_fail("no outbox at %s: has the bridge ever run?", path);
        break;
    default:
        cli_fail("%s", err.text);
    }
    return store;
}

bool cli_read_id(const struct cli *cli, const char *text, struct uuid *out_id)
{
    if (uuid_parse(slice_of(text), out_id)) {
        return true;
    }
    cli_misuse(cli, "%s: not an id such as 0190b8e4-7a3c-7def-8abc-0123456789ab", text);
    return false;
}

/* One listing: each row is printed as it is read, so that memory does not grow with the outbox.
 */
struct listing {
    bool dead;
    bool json;
    struct buf line;
};

static bool print_row(void *ctx, const struct event *event, bool delivered)
{
    struct listing *listing = ctx;
    enum row_state state = row_state(listing->dead, delivered);

    buf_clear(&listing->line);
    if (listing->json) {
        row_add_json(&listing->line, event, state, false);
        buf_add_char(&listing->line, '\n');
    } else {
        row_add_columns(&listing->line, event, state);
    }
    /* A closed pipe ends it; main says so. */
    return fwrite(listing->line.data, 1, listing->line.len, stdout) == listing->line.len;
}

static int print_rows(struct store *store, struct listing *listing, enum store_which which,
                      const struct store_selection *selection)
{
    struct err err = {0};
    int status = EXIT_DONE;

    if (!listing->json) {
        row_add_heading(&listing->line, listing->dead);
        (void)fwrite(listing->line.data, 1, listing->line.len, stdout);
    }
    if (store_list(store, which, selection, false, print_row, listing, &err) != ST_OK) {
        status = cli_fail("%s", err.text);
    }
    buf_free(&listing->line);
    return status;
}

int cli_list(struct cli *cli, bool dead)
{
    struct listing listing = {.dead = dead};
    struct store_selection selection = {.since_ms = CLOCK_NONE, .until_ms = CLOCK_NONE};
    const char *source = NULL;
    bool undelivered = false, delivered = false;
    const struct cli_option options[] = {
        {"--source", CLI_TEXT, &source},
        {"--since", CLI_WHEN, &selection.since_ms},
        {"--until", CLI_WHEN, &selection.until_ms},
        {"--limit", CLI_COUNT, &selection.limit},
        {"--json", CLI_FLAG, &listing.json},
        /* What dead letters have not. */
        {dead ? NULL : "--undelivered", CLI_FLAG, &undelivered},
        {"--delivered", CLI_FLAG, &delivered},
        {0},
    };
    enum store_which which = dead ? STORE_DEAD : STORE_ALL;
    struct store *store;
    int status;

    if (!cli_arguments(cli, options, 0, 0)) {
        return EXIT_USAGE;
    }
    if (undelivered && delivered) {
        return cli_misuse(cli, "--undelivered or --delivered, not both");
    }
    if (undelivered || delivered) {
        which = undelivered ? STORE_UNDELIVERED : STORE_DELIVERED;
    }
    selection.source = slice_of(source);
    store = cli_read_config(cli) ? cli_store(cli) : NULL;
    status = store ? print_rows(store, &listing, which, &selection) : EXIT_FAILED;
    store_close(store);
    return status;
}
