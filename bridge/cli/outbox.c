/*
 * outbox and dead: the events and the dead letters of the outbox. Looking reads the database
 * itself, whether the bridge runs or not, and changes nothing; each row is printed as it is read,
 * so that memory does not grow with the outbox. What changes something is in operation.c.
 */
#include "bridge/cli/cli.h"

#include <inttypes.h>

#include "common/clock.h"
#include "common/units.h"

#include "bridge/cli/operation.h"
#include "bridge/cli/row.h"
#include "bridge/store/store.h"

/* Prints one row after the other, or keeps one. */
struct listing {
    const struct outbox_choice *choice;
    bool dead;
    bool found;
    struct buf text; /* of a row */
};

static struct store *open_store(struct cli *cli)
{
    return cli_read_config(cli) ? cli_store(cli) : NULL;
}

/* ---- ls ---- */

static bool print_row(void *ctx, const struct event *event, bool delivered)
{
    struct listing *listing = ctx;
    enum row_state state = row_state(listing->dead, delivered);

    buf_clear(&listing->text);
    if (listing->choice->json) {
        row_add_json(&listing->text, event, state, false);
        buf_add_char(&listing->text, '\n');
    } else {
        row_add_columns(&listing->text, event, state);
    }
    /* A closed pipe ends it; main prints the error. */
    return fwrite(listing->text.data, 1, listing->text.len, stdout) == listing->text.len;
}

static int list(struct cli *cli, bool dead)
{
    struct outbox_choice choice = OUTBOX_CHOICE_NONE;
    struct listing listing = {.choice = &choice, .dead = dead};
    struct store_selection selection = {0};
    enum store_which which;
    struct store *store;
    struct err err = {0};
    int status = EXIT_DONE;

    if (!cli_arguments(cli, &choice, 0, 0)) {
        return EXIT_USAGE;
    }
    if (choice.undelivered && choice.delivered) {
        return cli_misuse(cli, "--undelivered or --delivered, not both");
    }
    store = open_store(cli);
    if (!store) {
        return EXIT_FAILED;
    }
    selection = (struct store_selection){.source = slice_of(choice.source),
                                         .since_ms = choice.since_ms,
                                         .until_ms = choice.until_ms,
                                         .limit = choice.limit,
                                         .oldest_first = choice.oldest};
    which = dead                 ? STORE_DEAD
            : choice.undelivered ? STORE_UNDELIVERED
            : choice.delivered   ? STORE_DELIVERED
                                 : STORE_ALL;
    if (!choice.json) {
        row_add_heading(&listing.text, dead);
        (void)fwrite(listing.text.data, 1, listing.text.len, stdout);
    }
    if (store_list(store, which, &selection, false, print_row, &listing, &err) != ST_OK) {
        status = cli_fail("%s", err.text);
    }
    buf_free(&listing.text);
    store_close(store);
    return status;
}

/* ---- show ---- */

/* A replay has the id of the event it repeats. The newest row comes first, and is shown. */
static bool take_row(void *ctx, const struct event *event, bool delivered)
{
    struct listing *listing = ctx;
    enum row_state state = row_state(listing->dead, delivered);

    listing->found = true;
    buf_clear(&listing->text);
    if (listing->choice->json) {
        row_add_json(&listing->text, event, state, true);
        buf_add_char(&listing->text, '\n');
    } else if (listing->choice->body) {
        buf_add_slice(&listing->text, event->body);
    } else {
        row_add_details(&listing->text, event, state);
    }
    return false;
}

static int show_row(struct store *store, struct listing *listing, const struct uuid *id,
                    const char *id_text)
{
    const struct store_selection selection = {
        .ids = id,
        .id_count = 1,
        .since_ms = CLOCK_NONE,
        .until_ms = CLOCK_NONE,
    };
    const bool dead = listing->dead;
    struct err err = {0};

    if (store_list(store, dead ? STORE_DEAD : STORE_ALL, &selection, true, take_row, listing,
                   &err) != ST_OK) {
        return cli_fail("%s", err.text);
    }
    if (listing->found) {
        (void)fwrite(listing->text.data, 1, listing->text.len, stdout);
        return EXIT_DONE;
    }
    if (store_list(store, dead ? STORE_ALL : STORE_DEAD, &selection, true, take_row, listing,
                   &err) != ST_OK) {
        return cli_fail("%s", err.text);
    }
    return listing->found ? cli_fail("%s is %s dead letter: see hook2mqtt %s show", id_text,
                                     dead ? "not a" : "a", dead ? "outbox" : "dead")
                          : cli_fail("%s is not in the outbox", id_text);
}

static int show(struct cli *cli, bool dead)
{
    struct outbox_choice choice = OUTBOX_CHOICE_NONE;
    struct listing listing = {.choice = &choice, .dead = dead};
    struct uuid id;
    struct store *store;
    int status;

    if (!cli_arguments(cli, &choice, 1, 1) || !cli_read_id(cli, cli->argv[1], &id)) {
        return EXIT_USAGE;
    }
    if (choice.json && choice.body) {
        return cli_misuse(cli, "--json and --body: only one of them");
    }
    store = open_store(cli);
    status = store ? show_row(store, &listing, &id, cli->argv[1]) : EXIT_FAILED;
    store_close(store);
    buf_free(&listing.text);
    return status;
}

/* ---- stats ---- */

static void print_time_json(const char *name, int64_t unix_ms)
{
    char text[CLOCK_TEXT_SIZE];

    if (unix_ms == CLOCK_NONE) {
        printf(",\"%s\":null", name);
    } else {
        clock_format(unix_ms, text);
        printf(",\"%s\":\"%s\"", name, text);
    }
}

static void print_time(const char *name, int64_t unix_ms)
{
    char text[CLOCK_TEXT_SIZE];

    if (unix_ms != CLOCK_NONE) {
        clock_format(unix_ms, text);
        printf("%-14s %s\n", name, text);
    }
}

static void print_stats_json(const struct config *config, const struct store_stats *stats)
{
    printf("{\"first_seq\":%" PRIu64 ",\"last_seq\":%" PRIu64 ",\"delivered_seq\":%" PRIu64
           ",\"undelivered_count\":%" PRIu64 ",\"undelivered_bytes\":%" PRIu64
           ",\"kept_count\":%" PRIu64 ",\"kept_bytes\":%" PRIu64 ",\"dead_count\":%" PRIu64
           ",\"dead_bytes\":%" PRIu64 ",\"lost_count\":%" PRIu64 ",\"max_bytes\":%" PRId64,
           stats->first_seq, stats->last_seq, stats->delivered_seq, stats->undelivered_count,
           stats->undelivered_bytes, stats->kept_count, stats->kept_bytes, stats->dead_count,
           stats->dead_bytes, stats->lost_count, config->outbox.max_size);
    print_time_json("oldest_undelivered_at", stats->oldest_undelivered_ms);
    print_time_json("oldest_delivered_at", stats->oldest_kept_ms);
    puts("}");
}

static void print_amount(const char *name, uint64_t count, uint64_t bytes)
{
    printf("%-14s %10" PRIu64 " events %10.1f MiB\n", name, count,
           (double)bytes / (1024 * 1024));
}

static void print_stats(const struct config *config, const struct store_stats *stats)
{
    char limit[32];

    units_format_size(config->outbox.max_size, limit);
    print_amount("undelivered", stats->undelivered_count, stats->undelivered_bytes);
    print_amount("delivered", stats->kept_count, stats->kept_bytes);
    print_amount("dead letters", stats->dead_count, stats->dead_bytes);
    if (stats->lost_count > 0) {
        printf("%-14s %10" PRIu64 " events\n", "lost", stats->lost_count);
    }
    printf("%-14s %s\n", "limit", limit);
    print_time("waiting since", stats->oldest_undelivered_ms);
    print_time("replay reaches", stats->oldest_kept_ms);
}

static int outbox_stats_verb(struct cli *cli)
{
    struct outbox_choice choice = OUTBOX_CHOICE_NONE;
    struct store_stats stats = {0};
    struct store *store;
    struct err err = {0};
    int status = EXIT_FAILED;

    if (!cli_arguments(cli, &choice, 0, 0)) {
        return EXIT_USAGE;
    }
    store = open_store(cli);
    if (store && store_stats_read(store, &stats, &err) != ST_OK) {
        cli_fail("%s", err.text);
    } else if (store) {
        (choice.json ? print_stats_json : print_stats)(cli->config, &stats);
        status = EXIT_DONE;
    }
    store_close(store);
    return status;
}

/* ---- the verbs ---- */

static int outbox_ls(struct cli *cli)
{
    return list(cli, false);
}

static int outbox_show(struct cli *cli)
{
    return show(cli, false);
}

static int outbox_replay(struct cli *cli)
{
    return cli_operate(cli, OUTBOX_REPLAY);
}

static int outbox_drop(struct cli *cli)
{
    return cli_operate(cli, OUTBOX_DROP);
}

static int dead_ls(struct cli *cli)
{
    return list(cli, true);
}

static int dead_show(struct cli *cli)
{
    return show(cli, true);
}

static int dead_retry(struct cli *cli)
{
    return cli_operate(cli, DEAD_RETRY);
}

static int dead_drop(struct cli *cli)
{
    return cli_operate(cli, DEAD_DROP);
}

#define SELECTION "--source --since --until"

static int run_outbox(struct cli *cli)
{
    static const struct cli_verb verbs[] = {
        {"ls", outbox_ls, SELECTION " --undelivered --delivered --oldest --limit --json", NULL},
        {"show", outbox_show, "--json --body", NULL},
        {"stats", outbox_stats_verb, "--json", NULL},
        {"replay", outbox_replay, SELECTION " --all --json", NULL},
        {"drop", outbox_drop, SELECTION " --all --delivered --json", NULL},
        {"salvage", cli_salvage, "", NULL},
        {0},
    };

    return cli_dispatch(cli, verbs);
}

static int run_dead(struct cli *cli)
{
    static const struct cli_verb verbs[] = {
        {"ls", dead_ls, SELECTION " --oldest --limit --json", NULL},
        {"show", dead_show, "--json --body", NULL},
        {"retry", dead_retry, SELECTION " --all --json", NULL},
        {"drop", dead_drop, SELECTION " --all --json", NULL},
        {0},
    };

    return cli_dispatch(cli, verbs);
}

/* ---- the help ---- */

static const struct cli_option options[] = {
    {.help = "Selection:"},
    {"--source", CLI_TEXT, offsetof(struct outbox_choice, source), "NAME",
     "only events of this source"},
    {"--since", CLI_WHEN, offsetof(struct outbox_choice, since_ms), "TIME",
     "only events received at TIME or later"},
    {"--until", CLI_WHEN, offsetof(struct outbox_choice, until_ms), "TIME",
     "only events received before TIME"},
    {.help = ""},
    {"--all", CLI_FLAG, offsetof(struct outbox_choice, all), NULL,
     "all, in place of IDs or a selection"},
    {"--undelivered", CLI_FLAG, offsetof(struct outbox_choice, undelivered), NULL, NULL},
    {"--delivered", CLI_FLAG, offsetof(struct outbox_choice, delivered), NULL, NULL},
    {"--oldest", CLI_FLAG, offsetof(struct outbox_choice, oldest), NULL,
     "the oldest first; else the newest"},
    {"--limit", CLI_COUNT, offsetof(struct outbox_choice, limit), "N", "at most N"},
    {"--json", CLI_FLAG, offsetof(struct outbox_choice, json), NULL,
     "ls: one JSON object a line; else one object"},
    {"--body", CLI_FLAG, offsetof(struct outbox_choice, body), NULL,
     "show: the body's bytes, and nothing else"},
    {.help = ""},
    {0},
};

#define COMMON_NOTES                                                                           \
    "TIME is such as 2026-01-31T18:00:00Z, or a time ago such as 90s, 1h or 2d.\n\n"           \
    "Looking works whether the bridge runs or not. Changes are made in the outbox itself "     \
    "while\n"                                                                                  \
    "the bridge is stopped, else by the running bridge, which is asked at admin.listen.\n\n"   \
    "Keys of an object: seq, id, received_at, source, event, resource_type, gid, state\n"      \
    "(undelivered, delivered or dead), reason, event_at, delivery_id, topic, state_topic, "    \
    "qos,\n"                                                                                   \
    "retain, expiry_seconds, deletion, replayed; with show also body, or body_hex if the "     \
    "body is\n"                                                                                \
    "not UTF-8. Unknown values are null.\n\n"
#define CHANGE_NOTES                                                                           \
    "Keys of the result of a change: done, skipped, why (the last one was skipped, or "        \
    "null).\n\n"

const struct cli_command outbox_command = {
    .name = "outbox",
    .usage = "outbox ls [--undelivered | --delivered] [SELECTION] [--oldest] [--limit N] "
             "[--json]\n"
             "outbox show ID [--json | --body]\n"
             "outbox stats [--json]\n"
             "outbox replay (ID... | SELECTION | --all) [--json]\n"
             "outbox drop (ID... | SELECTION | --all) [--json]\n"
             "outbox drop --delivered [ID... | SELECTION] [--json]\n"
             "outbox salvage",
    .summary = "Look into the outbox, publish delivered events again, or drop undelivered ones",
    .options = options,
    .notes = COMMON_NOTES
    "Salvage, with the bridge stopped: says what is missing of an outbox whose log was "
    "damaged, "
    "so\n"
    "that the next start goes on without it; of a damaged outbox, saves every row that can be "
    "read.\n\n"
    "Keys of stats: first_seq, last_seq, delivered_seq, undelivered_count, undelivered_bytes,\n"
    "kept_count, kept_bytes, dead_count, dead_bytes, lost_count, max_bytes,\n"
    "oldest_undelivered_at, "
    "oldest_delivered_at (so far do replays reach).\n" CHANGE_NOTES,
    .run = run_outbox,
};

const struct cli_command dead_command = {
    .name = "dead",
    .usage = "dead ls [SELECTION] [--oldest] [--limit N] [--json]\n"
             "dead show ID [--json | --body]\n"
             "dead retry (ID... | SELECTION | --all) [--json]\n"
             "dead drop (ID... | SELECTION | --all) [--json]",
    .summary = "Look at the dead letters, retry or drop them",
    .intro = "Webhooks that make no event and events that the broker refuses for good end "
             "here. Retry "
             "puts\n"
             "them at the end of the queue, with today's configuration.\n\n",
    .options = options,
    .notes = COMMON_NOTES CHANGE_NOTES,
    .run = run_dead,
};
