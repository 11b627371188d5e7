/*
 * state: what the outbox knows of the retained states. Looking reads the database itself, row by
 * row, whether the bridge runs or not. Forgetting goes in portions, so that neither memory nor a
 * request to the bridge grows with the number of states; what was forgotten before a failure stays
 * so.
 */
#include "bridge/cli/cli.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"

#include "bridge/cli/operation.h"
#include "bridge/store/store.h"

enum {
    PORTION_TOPICS = 1000,
    PORTION_BYTES = 65536, /* of topics; as JSON they may be six times as long */
};

struct choice {
    const char *source;
    bool all, json;
};

/* ---- ls ---- */

struct listing {
    bool json;
    struct buf text; /* of a row */
};

static const char *format_time(int64_t unix_ms, char text[CLOCK_TEXT_SIZE])
{
    if (unix_ms == CLOCK_NONE) {
        return "-";
    }
    clock_format(unix_ms, text);
    return text;
}

static void add_columns(struct buf *out, const struct event *event, uint64_t body_bytes)
{
    char time[CLOCK_TEXT_SIZE], received[CLOCK_TEXT_SIZE], size[24] = "cleared";
    const char *shown_time = format_time(event->event_ms, time);

    if (!event->deletion) {
        (void)snprintf(size, sizeof(size), "%" PRIu64, body_bytes);
    }
    buf_addf(out, "%-24s  %-24s  %9s  ", shown_time, format_time(event->received_ms, received),
             size);
    for (size_t width = cli_add_safe(out, event->source.len ? event->source : SLICE("-"));
         width < 12; width++) {
        buf_add_char(out, ' ');
    }
    buf_add_str(out, "  ");
    for (size_t width = cli_add_safe(out, event->event.len ? event->event : SLICE("-"));
         width < 16; width++) {
        buf_add_char(out, ' ');
    }
    buf_add_str(out, "  ");
    cli_add_safe(out, event->state_topic);
    buf_add_char(out, '\n');
}

static void add_json_text(struct buf *out, const char *name, struct slice text)
{
    buf_addf(out, ",\"%s\":", name);
    if (text.data) {
        json_add_string(out, text);
    } else {
        buf_add_str(out, "null");
    }
}

static void add_json_time(struct buf *out, const char *name, int64_t unix_ms)
{
    char text[CLOCK_TEXT_SIZE];

    add_json_text(out, name,
                  unix_ms == CLOCK_NONE ? SLICE_NONE : slice_of(format_time(unix_ms, text)));
}

static void add_json(struct buf *out, const struct event *event, uint64_t body_bytes)
{
    buf_add_str(out, "{\"topic\":");
    json_add_string(out, event->state_topic);
    add_json_time(out, "event_at", event->event_ms);
    add_json_time(out, "received_at", event->received_ms);
    add_json_text(out, "source", event->source);
    add_json_text(out, "event", event->event);
    buf_addf(out, ",\"bytes\":%" PRIu64 ",\"cleared\":%s}\n", event->deletion ? 0 : body_bytes,
             event->deletion ? "true" : "false");
}

static bool print_row(void *ctx, const struct event *event, uint64_t body_bytes)
{
    struct listing *listing = ctx;

    buf_clear(&listing->text);
    (listing->json ? add_json : add_columns)(&listing->text, event, body_bytes);
    /* A closed pipe ends it; main prints the error. */
    return fwrite(listing->text.data, 1, listing->text.len, stdout) == listing->text.len;
}

static int state_ls(struct cli *cli)
{
    struct choice choice = {0};
    struct listing listing = {0};
    struct store *store;
    struct err err = {0};
    int status = EXIT_DONE;

    if (!cli_arguments(cli, &choice, 0, 0)) {
        return EXIT_USAGE;
    }
    store = cli_read_config(cli) ? cli_store(cli) : NULL;
    if (!store) {
        return EXIT_FAILED;
    }
    listing.json = choice.json;
    if (!choice.json) {
        printf("%-24s  %-24s  %9s  %-12s  %-16s  %s\n", "TIME", "RECEIVED", "BYTES", "SOURCE",
               "EVENT", "TOPIC");
    }
    if (store_list_states(store, slice_of(choice.source), print_row, &listing, &err) != ST_OK) {
        status = cli_fail("%s", err.text);
    }
    buf_free(&listing.text);
    store_close(store);
    return status;
}

/* ---- forget ---- */

/* Some of the topics, and their text. */
struct portion {
    struct slice topics[PORTION_TOPICS];
    size_t lens[PORTION_TOPICS];
    size_t count;
    struct buf text;
};

/* False: there is no room for more. */
static bool add_topic(struct portion *portion, struct slice topic)
{
    portion->lens[portion->count++] = topic.len;
    buf_add_slice(&portion->text, topic);
    return portion->count < PORTION_TOPICS && portion->text.len < PORTION_BYTES;
}

static bool collect(void *ctx, const struct event *event, uint64_t body_bytes)
{
    (void)body_bytes;
    return add_topic(ctx, event->state_topic);
}

static enum status forget_portion(const struct cli *cli, struct portion *portion,
                                  struct outbox_operation_result *total, struct err *err)
{
    struct outbox_operation_result result = {0};
    const char *text = portion->text.data;
    enum status st;

    for (size_t i = 0; i < portion->count; i++) {
        portion->topics[i] = (struct slice){text, portion->lens[i]};
        text += portion->lens[i];
    }
    st = cli_forget_states(cli, portion->topics, portion->count, &result, err);
    portion->count = 0;
    buf_clear(&portion->text);
    total->done_count += result.done_count;
    total->skipped_count += result.skipped_count;
    if (result.skipped_count > 0) {
        memcpy(total->why, result.why, sizeof(total->why));
    }
    return st;
}

static enum status forget_topics(const struct cli *cli, struct portion *portion,
                                 struct outbox_operation_result *total, struct err *err)
{
    enum status st = ST_OK;

    for (int i = 1; i < cli->argc && st == ST_OK; i++) {
        if (!add_topic(portion, slice_of(cli->argv[i])) || i + 1 == cli->argc) {
            st = forget_portion(cli, portion, total, err);
        }
    }
    return st;
}

/* What was forgotten is not listed again. What comes again meanwhile may be forgotten once more;
 * a portion of which nothing is known any more is the end. */
static enum status forget_listed(const struct cli *cli, struct slice source,
                                 struct portion *portion, struct outbox_operation_result *total,
                                 struct err *err)
{
    bool more = true;
    enum status st = ST_OK;

    while (st == ST_OK && more) {
        uint64_t before = total->done_count;
        struct store *store = cli_store(cli);

        if (!store) {
            return err_set(err, ST_IO, "the outbox cannot be read any more");
        }
        st = store_list_states(store, source, collect, portion, err);
        store_close(store);
        more = portion->count > 0;
        if (st == ST_OK && more) {
            st = forget_portion(cli, portion, total, err);
            more = total->done_count > before;
        }
    }
    return st;
}

static int forget(struct cli *cli, const struct choice *choice)
{
    struct portion *portion = xalloc(sizeof(*portion));
    struct outbox_operation_result total = {0};
    struct store *store = cli_read_config(cli) ? cli_store(cli) : NULL;
    struct err err = {0};
    int status = EXIT_FAILED;
    enum status st;

    store_close(store);
    if (store) { /* else opening the outbox would create one */
        st = cli->argc > 1
                 ? forget_topics(cli, portion, &total, &err)
                 : forget_listed(cli, slice_of(choice->source), portion, &total, &err);
        cli_print_result(STATE_FORGET, &total, true, choice->json);
        status = st != ST_OK               ? cli_fail("%s", err.text)
                 : total.skipped_count > 0 ? EXIT_FAILED
                                           : EXIT_DONE;
    }
    buf_free(&portion->text);
    free(portion);
    return status;
}

static int state_forget(struct cli *cli)
{
    struct choice choice = {0};

    if (!cli_arguments(cli, &choice, 0, INT_MAX)) {
        return EXIT_USAGE;
    }
    if ((cli->argc > 1) + (choice.source != NULL) + choice.all != 1) {
        return cli_misuse(cli, "which ones? Give topics, or --source, or --all");
    }
    return forget(cli, &choice);
}

/* ---- the command ---- */

static int run_state(struct cli *cli)
{
    static const struct cli_verb verbs[] = {
        {"ls", state_ls, "--source --json", NULL},
        {"forget", state_forget, "--source --all --json", NULL},
        {0},
    };

    return cli_dispatch(cli, verbs);
}

static const struct cli_option options[] = {
    {"--source", CLI_TEXT, offsetof(struct choice, source), "NAME", "those of this source"},
    {"--all", CLI_FLAG, offsetof(struct choice, all), NULL, "all of them"},
    {"--json", CLI_FLAG, offsetof(struct choice, json), NULL,
     "ls: one JSON object a line; else one object"},
    {.help = ""},
    {0},
};

const struct cli_command state_command = {
    .name = "state",
    .usage = "state ls [--source NAME] [--json]\n"
             "state forget (TOPIC... | --source NAME | --all) [--json]",
    .summary = "List what is known of the retained states, or forget it",
    .intro =
        "An event that is older than the state at its state_topic does not overwrite it. To "
        "forget a\n"
        "state is to let the next event set it, whatever its time. Nothing is published: what "
        "the\n"
        "broker retains stays until that event. To clear it, too:\n"
        "mosquitto_pub -r -n -t TOPIC\n\n",
    .options = options,
    .notes = "Listing works whether the bridge runs or not. States are forgotten in the outbox "
             "itself while\n"
             "the bridge is stopped, else by the running bridge, which is asked at "
             "admin.listen.\n\n"
             "Columns, and keys of an object: topic; event_at and received_at of the newest "
             "event, source,\n"
             "event, bytes (of the state), cleared (by a deletion). Unknown values are null.\n"
             "Keys of the result of forget: done, skipped, why (the last one was skipped, or "
             "null).\n\n",
    .run = run_state,
};
