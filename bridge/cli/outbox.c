#include "bridge/cli/cli.h"

#include <inttypes.h>

#include "common/clock.h"
#include "common/units.h"

#include "bridge/cli/operator.h"
#include "bridge/cli/list.h"

static int outbox_ls(struct cli *cli)
{
    return cli_list(cli, false);
}

static int outbox_show(struct cli *cli)
{
    return cli_show(cli, false);
}

static int outbox_replay(struct cli *cli)
{
    return cli_operate(cli, OUTBOX_REPLAY);
}

static int outbox_drop(struct cli *cli)
{
    return cli_operate(cli, OUTBOX_DROP);
}

static void print_stats_json(const struct config *config, const struct store_stats *stats)
{
    printf("{\"first_seq\":%" PRIu64 ",\"last_seq\":%" PRIu64 ",\"delivered_seq\":%" PRIu64
           ",\"undelivered_count\":%" PRIu64 ",\"undelivered_bytes\":%" PRIu64
           ",\"kept_count\":%" PRIu64 ",\"kept_bytes\":%" PRIu64 ",\"dead_count\":%" PRIu64
           ",\"dead_bytes\":%" PRIu64 ",\"max_bytes\":%" PRId64 ",\"oldest_undelivered_at\":",
           stats->first_seq, stats->last_seq, stats->delivered_seq, stats->undelivered_count,
           stats->undelivered_bytes, stats->kept_count, stats->kept_bytes, stats->dead_count,
           stats->dead_bytes, config->outbox.max_size);
    if (stats->oldest_undelivered_ms == CLOCK_NONE) {
        puts("null}");
    } else {
        char oldest[CLOCK_TEXT_SIZE];

        clock_format(stats->oldest_undelivered_ms, oldest);
        printf("\"%s\"}\n", oldest);
    }
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
    printf("%-14s %s\n", "limit", limit);
    if (stats->oldest_undelivered_ms != CLOCK_NONE) {
        char oldest[CLOCK_TEXT_SIZE];

        clock_format(stats->oldest_undelivered_ms, oldest);
        printf("%-14s %s\n", "waiting since", oldest);
    }
}

static int outbox_totals(struct cli *cli)
{
    bool json = false;
    const struct cli_option options[] = {{"--json", CLI_FLAG, &json}, {0}};
    struct store_stats stats = {0};
    struct store *store;
    struct err err = {0};
    int status = EXIT_FAILED;

    if (!cli_arguments(cli, options, 0, 0)) {
        return EXIT_USAGE;
    }
    store = cli_read_config(cli) ? cli_store(cli) : NULL;
    if (store && store_stats_read(store, &stats, &err) != ST_OK) {
        cli_fail("%s", err.text);
    } else if (store) {
        (json ? print_stats_json : print_stats)(cli->config, &stats);
        status = EXIT_DONE;
    }
    store_close(store);
    return status;
}

int cli_outbox(struct cli *cli)
{
    static const struct cli_verb verbs[] = {
        {"ls", outbox_ls},         {"show", outbox_show}, {"stats", outbox_totals},
        {"replay", outbox_replay}, {"drop", outbox_drop}, {0},
    };

    return cli_dispatch(cli, verbs);
}
