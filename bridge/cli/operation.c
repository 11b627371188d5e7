/*
 * Only the lock on the outbox tells whether the bridge runs. A command that gets the lock works on
 * the outbox itself; one that finds it taken sends the selection to the bridge's admin API.
 *
 * Ids that are not there, an outbox that does not exist and a bridge that does not answer fail
 * before anything is changed. What the operation skipped is counted, with the last reason.
 */
#include "bridge/cli/operation.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"

#include "bridge/admin/admin.h"
#include "bridge/cli/http.h"
#include "bridge/daemon/daemon.h"
#include "bridge/intake/intake.h"
#include "bridge/store/store.h"

enum { TIMEOUT_MS = 60000 };

/* One row per operation. */
static const struct operation {
    const char *done; /* for `<done> 3` */
    enum store_which which;
    bool publishes; /* the events go to the broker */
} operations[] = {
    [OUTBOX_REPLAY] = {"replayed", STORE_DELIVERED, true},
    [OUTBOX_DROP] = {"dropped", STORE_UNDELIVERED, false},
    [OUTBOX_DROP_DELIVERED] = {"dropped", STORE_DELIVERED, false},
    [DEAD_RETRY] = {"retried", STORE_DEAD, true},
    [DEAD_DROP] = {"dropped", STORE_DEAD, false},
    [STATE_FORGET] = {"forgot", STORE_ALL, false},
};

struct order {
    enum outbox_op op;
    struct uuid *ids;
    bool *seen; /* beside ids */
    struct store_selection selection;
    bool json;
};

/* ---- the selection ---- */

static bool read_ids(const struct cli *cli, struct order *order)
{
    size_t count = (size_t)cli->argc - 1;

    order->ids = xalloc((count + 1) * sizeof(*order->ids));
    order->seen = xalloc(count + 1);
    for (size_t i = 0; i < count; i++) {
        if (!cli_read_id(cli, cli->argv[i + 1], &order->ids[i])) {
            return false;
        }
    }
    order->selection.ids = count ? order->ids : NULL;
    order->selection.id_count = count;
    return true;
}

static bool read_selection(struct cli *cli, struct order *order)
{
    struct store_selection *selection = &order->selection;
    struct outbox_choice choice = OUTBOX_CHOICE_NONE;

    if (!cli_arguments(cli, &choice, 0, INT_MAX) || !read_ids(cli, order)) {
        return false;
    }
    selection->source = slice_of(choice.source);
    selection->since_ms = choice.since_ms;
    selection->until_ms = choice.until_ms;
    order->json = choice.json;
    if (choice.delivered) { /* nothing is lost: so this is a selection, too */
        order->op = OUTBOX_DROP_DELIVERED;
    } else if (!choice.all && store_selects_everything(selection)) {
        cli_misuse(cli, "which ones? Give ids, --source, --since, --until or --all");
        return false;
    }
    return true;
}

static bool note_seen(void *ctx, const struct event *event, bool delivered)
{
    struct order *order = ctx;

    (void)delivered;
    for (size_t i = 0; i < order->selection.id_count; i++) {
        order->seen[i] |= uuid_equal(order->ids[i], event->id);
    }
    return true;
}

/* If one of the ids is wrong, the others may be too, and nothing is done. */
static bool ids_are_there(struct store *store, struct order *order)
{
    bool dead = operations[order->op].which == STORE_DEAD;
    struct err err = {0};
    bool all_there = true;

    if (order->selection.id_count == 0) {
        return true;
    }
    if (store_list(store, dead ? STORE_DEAD : STORE_ALL, &order->selection, false, note_seen,
                   order, &err) != ST_OK) {
        cli_fail("%s", err.text);
        return false;
    }
    for (size_t i = 0; i < order->selection.id_count; i++) {
        char id[UUID_TEXT_SIZE];

        if (!order->seen[i]) {
            uuid_format(order->ids[i], id);
            cli_fail("%s is not %s", id, dead ? "a dead letter" : "in the outbox");
            all_there = false;
        }
    }
    return all_there;
}

/* ---- while the bridge is stopped ---- */

static struct event *reparse(void *ctx, const struct event *dead, struct err *why)
{
    struct intake **reparser = ctx; /* made once it is known that nobody else has the outbox */

    return intake_reparse(*reparser, dead, why);
}

/* Does it in the outbox. ST_BUSY: somebody else has it. */
static enum status operate_directly(const struct cli *cli, const struct order *order,
                                    struct outbox_operation_result *out_result, struct err *err)
{
    struct config *config = cli->config;
    struct intake *reparser = NULL;
    struct outbox_options options = daemon_outbox_options(config);
    struct outbox *outbox = NULL;
    enum status st;

    options.reparse = reparse;
    options.reparse_ctx = &reparser;
    st = outbox_open(&options, &outbox, err);
    if (st == ST_OK && order->op == DEAD_RETRY) {
        st = intake_create(config, NULL, &reparser, err);
    }
    if (st == ST_OK) {
        outbox_operate_now(outbox, order->op, &order->selection, out_result);
        st = out_result->status;
        if (st != ST_OK) {
            err_set(err, st, "%s", out_result->why);
        }
    }
    outbox_close(outbox);
    intake_drop(reparser);
    return st;
}

/* ---- while the bridge runs ---- */

static void add_time(struct buf *out, const char *name, int64_t unix_ms)
{
    if (unix_ms != CLOCK_NONE) {
        buf_addf(out, ",\"%s\":%" PRId64, name, unix_ms);
    }
}

static void add_topics(struct buf *out, const struct store_selection *selection)
{
    buf_add_str(out, "{\"topics\":[");
    for (size_t i = 0; i < selection->topic_count; i++) {
        buf_add_str(out, i ? "," : "");
        json_add_string(out, selection->topics[i]);
    }
    buf_add_str(out, "]}");
}

static void add_selection(struct buf *out, const struct store_selection *selection)
{
    buf_addf(out, "{\"all\":%s", store_selects_everything(selection) ? "true" : "false");
    for (size_t i = 0; i < selection->id_count; i++) {
        char id[UUID_TEXT_SIZE];

        uuid_format(selection->ids[i], id);
        buf_addf(out, "%s\"%s\"", i ? "," : ",\"ids\":[", id);
    }
    buf_add_str(out, selection->id_count ? "]" : "");
    if (selection->source.data) {
        buf_add_str(out, ",\"source\":");
        json_add_string(out, selection->source);
    }
    add_time(out, "since_ms", selection->since_ms);
    add_time(out, "until_ms", selection->until_ms);
    buf_add_char(out, '}');
}

static uint64_t read_count(const struct cli_http_reply *reply, const char *name)
{
    struct buf text = {0};
    uint64_t count;

    cli_http_add_field(&text, reply, name, "0");
    count = text.data ? strtoull(text.data, NULL, 10) : 0;
    buf_free(&text);
    return count;
}

static enum status read_answer(const struct cli_http_reply *reply,
                               struct outbox_operation_result *out_result, struct err *err)
{
    struct buf text = {0};

    if (reply->status != 200) {
        cli_http_add_field(&text, reply, "message", "it does not say why");
        err_set(err, ST_REFUSED, "the running bridge answered %ld: %s", reply->status,
                text.data);
        buf_free(&text);
        return ST_REFUSED;
    }
    cli_http_add_field(&text, reply, "why", "");
    *out_result = (struct outbox_operation_result){
        .done_count = read_count(reply, "done"),
        .skipped_count = read_count(reply, "skipped"),
    };
    (void)snprintf(out_result->why, sizeof(out_result->why), "%.*s",
                   SLICE_ARG(buf_slice(&text)));
    buf_free(&text);
    return ST_OK;
}

static enum status post(struct cli_http *http, const struct buf *token,
                        const struct order *order, struct outbox_operation_result *out_result,
                        struct err *err)
{
    struct cli_http_request request = {.path = admin_api_path(order->op)};
    struct cli_http_reply reply = {0};
    struct buf json = {0}, header = {0};
    struct slice body;
    enum status st;

    (order->op == STATE_FORGET ? add_topics : add_selection)(&json, &order->selection);
    body = buf_slice(&json);
    request.json = &body;
    if (token->len) {
        buf_addf(&header, "Authorization: Bearer %.*s", SLICE_ARG(buf_slice(token)));
        request.header = header.data;
    }
    st = cli_http_run(http, &request, &reply, err);
    if (st == ST_OK) {
        st = read_answer(&reply, out_result, err);
    }
    buf_free(&header);
    buf_free(&json);
    return st;
}

static enum status operate_through_bridge(const struct cli *cli, const struct order *order,
                                          struct outbox_operation_result *out_result,
                                          struct err *err)
{
    const struct config_list *listen = &cli->config->admin.listen;
    struct cli_http *http = NULL;
    enum status st;

    if (listen->count == 0) {
        return err_set(
            err, ST_UNREACHABLE,
            "the outbox is in use, and admin.listen names no address to ask the bridge at");
    }
    if (!cli_secret_was_read(cli, &cli->config->admin.token, "admin.token")) {
        return err_set(err, ST_MISSING, "the running bridge wants its admin.token");
    }
    st = cli_http_open_listener(listen, &cli->config->admin.tls, false, TIMEOUT_MS, &http, err);
    if (st == ST_OK) {
        st = post(http, &cli->config->admin.token, order, out_result, err);
    }
    cli_http_close(http);
    return st == ST_UNREACHABLE
               ? err_wrap(err, "the outbox is in use, but its bridge does not answer")
               : st;
}

/* ---- either way ---- */

static enum status operate(const struct cli *cli, const struct order *order,
                           struct outbox_operation_result *out_result, bool *out_running,
                           struct err *err)
{
    enum status st = operate_directly(cli, order, out_result, err);

    *out_running = st == ST_BUSY;
    return *out_running ? operate_through_bridge(cli, order, out_result, err) : st;
}

enum status cli_forget_states(const struct cli *cli, const struct slice *topics, size_t count,
                              struct outbox_operation_result *out_result, struct err *err)
{
    struct order order = {.op = STATE_FORGET,
                          .selection = {.since_ms = CLOCK_NONE,
                                        .until_ms = CLOCK_NONE,
                                        .topics = topics,
                                        .topic_count = count}};
    bool running;

    return operate(cli, &order, out_result, &running, err);
}

static void print_json(const struct outbox_operation_result *result)
{
    struct buf why = {0};

    json_add_string(&why, slice_of(result->why));
    printf("{\"done\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"why\":%s}\n", result->done_count,
           result->skipped_count, result->skipped_count ? why.data : "null");
    buf_free(&why);
}

static void print_words(const struct operation *operation,
                        const struct outbox_operation_result *result, bool running)
{
    printf("%s %" PRIu64, operation->done, result->done_count);
    if (result->skipped_count) {
        struct buf why = {0};

        cli_add_safe(&why, slice_of(result->why));
        printf(", skipped %" PRIu64 ": %.*s", result->skipped_count,
               SLICE_ARG(buf_slice(&why)));
        buf_free(&why);
    }
    if (operation->publishes && result->done_count && !running) {
        printf(" (to be published when the bridge starts)");
    }
    putchar('\n');
}

void cli_print_result(enum outbox_op op, const struct outbox_operation_result *result,
                      bool running, bool json)
{
    if (json) {
        print_json(result);
    } else {
        print_words(&operations[op], result, running);
    }
}

static int report(const struct order *order, const struct outbox_operation_result *result,
                  bool running)
{
    const struct operation *operation = &operations[order->op];

    cli_print_result(order->op, result, running, order->json);
    if (order->selection.id_count && result->done_count + result->skipped_count == 0) {
        return cli_fail("none of these is %s",
                        operation->which == STORE_DELIVERED ? "delivered yet" : "undelivered");
    }
    return result->skipped_count ? EXIT_FAILED : EXIT_DONE;
}

static int run(const struct cli *cli, struct order *order)
{
    struct outbox_operation_result result = {0};
    struct store *store = cli_store(cli); /* opening the outbox would create one */
    bool there = store && ids_are_there(store, order);
    bool running = false;
    struct err err = {0};
    enum status st;

    store_close(store);
    if (!there) {
        return EXIT_FAILED;
    }
    st = operate(cli, order, &result, &running, &err);
    return st == ST_OK ? report(order, &result, running) : cli_fail("%s", err.text);
}

int cli_operate(struct cli *cli, enum outbox_op op)
{
    struct order order = {.op = op};
    int status = EXIT_USAGE;

    if (read_selection(cli, &order)) {
        status = cli_read_config(cli) ? run(cli, &order) : EXIT_FAILED;
    }
    free(order.ids);
    free(order.seen);
    return status;
}
