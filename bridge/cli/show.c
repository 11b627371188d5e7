#include "bridge/cli/list.h"

#include "common/clock.h"

#include "bridge/cli/row.h"

enum show_as { SHOW_TEXT, SHOW_JSON, SHOW_BODY };

struct showing {
    bool dead;
    enum show_as as;
    bool found;
    struct buf text; /* of the newest row of this id: a replay has the id of what it repeats */
};

static bool take_row(void *ctx, const struct event *event, bool delivered)
{
    struct showing *showing = ctx;
    enum row_state state = row_state(showing->dead, delivered);

    showing->found = true;
    buf_clear(&showing->text);
    switch (showing->as) {
    case SHOW_TEXT:
        row_add_details(&showing->text, event, state);
        break;
    case SHOW_JSON:
        row_add_json(&showing->text, event, state, true);
        buf_add_char(&showing->text, '\n');
        break;
    case SHOW_BODY:
        buf_add_slice(&showing->text, event->body);
        break;
    }
    return true;
}

static bool note_row(void *ctx, const struct event *event, bool delivered)
{
    (void)event;
    (void)delivered;
    *(bool *)ctx = true;
    return false;
}

/* Not among the events: perhaps among the dead letters, or the other way round. */
static int not_found(struct store *store, const struct store_selection *selection, bool dead,
                     const char *id)
{
    struct err err = {0};
    bool elsewhere = false;

    if (store_list(store, dead ? STORE_ALL : STORE_DEAD, selection, false, note_row, &elsewhere,
                   &err) != ST_OK) {
        return cli_fail("%s", err.text);
    }
    if (elsewhere) {
        return cli_fail("%s is %s dead letter: see hook2mqtt %s show", id, dead ? "no" : "a",
                        dead ? "outbox" : "dead");
    }
    return cli_fail("%s is not in the outbox", id);
}

static int show_row(struct store *store, struct showing *showing, const struct uuid *id,
                    const char *id_text)
{
    const struct store_selection selection = {
        .ids = id,
        .id_count = 1,
        .since_ms = CLOCK_NONE,
        .until_ms = CLOCK_NONE,
    };
    struct err err = {0};

    if (store_list(store, showing->dead ? STORE_DEAD : STORE_ALL, &selection, true, take_row,
                   showing, &err) != ST_OK) {
        return cli_fail("%s", err.text);
    }
    if (!showing->found) {
        return not_found(store, &selection, showing->dead, id_text);
    }
    (void)fwrite(showing->text.data, 1, showing->text.len, stdout);
    return EXIT_DONE;
}

int cli_show(struct cli *cli, bool dead)
{
    struct showing showing = {.dead = dead};
    bool json = false, body = false;
    const struct cli_option options[] = {
        {"--json", CLI_FLAG, &json}, {"--body", CLI_FLAG, &body}, {0}};
    struct uuid id;
    struct store *store;
    int status;

    if (!cli_arguments(cli, options, 1, 1) || !cli_read_id(cli, cli->argv[1], &id)) {
        return EXIT_USAGE;
    }
    if (json && body) {
        return cli_misuse(cli, "--json and --body: only one of them");
    }
    showing.as = json ? SHOW_JSON : body ? SHOW_BODY : SHOW_TEXT;
    store = cli_read_config(cli) ? cli_store(cli) : NULL;
    status = store ? show_row(store, &showing, &id, cli->argv[1]) : EXIT_FAILED;
    store_close(store);
    buf_free(&showing.text);
    return status;
}
