/*
 * outbox salvage: acknowledges what an outbox has lost, or saves what can be read of a damaged one.
 * All of it is the store's work, on a stopped bridge; here is what it found, in words.
 */
#include "bridge/cli/operation.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"

#include "bridge/store/store.h"

static uint64_t lost_events(const struct store_loss *loss)
{
    return loss->change_count > 0 ? loss->last_seq + 1 - loss->first_seq : 0;
}

static void print_loss(const struct store_loss *loss)
{
    uint64_t count = lost_events(loss);

    if (count > 0) {
        printf("acknowledged: %" PRIu64 " accepted events are missing (seq %" PRIu64
               " to %" PRIu64 ")\n",
               count, loss->first_seq, loss->last_seq);
    } else {
        printf("acknowledged: the last changes of dead letters, or by hand, are missing\n");
    }
}

int cli_salvage(struct cli *cli)
{
    struct outbox_choice choice = OUTBOX_CHOICE_NONE;
    struct store_salvage salvage = {0};
    const char *path;
    struct err err = {0};
    enum status st;

    if (!cli_arguments(cli, &choice, 0, 0)) {
        return EXIT_USAGE;
    }
    if (!cli_read_config(cli)) {
        return EXIT_FAILED;
    }
    path = cli->config->outbox.path;
    st = store_salvage(path, &salvage, &err);
    if (st != ST_OK) {
        return cli_fail("%s%s", err.text, st == ST_BUSY ? "; stop it first" : "");
    }
    if (salvage.loss.change_count > 0) {
        print_loss(&salvage.loss);
    }
    if (salvage.aside != NULL) {
        printf("saved %" PRIu64 " events and %" PRIu64 " dead letters; %" PRIu64
               " rows could not be read\nthe damaged outbox is now %s\n",
               salvage.event_count, salvage.dead_count, salvage.unreadable_count,
               salvage.aside);
    } else if (salvage.loss.change_count == 0) {
        printf("nothing to save: %s is whole\n", path);
    }
    free(salvage.aside);
    return EXIT_DONE;
}
