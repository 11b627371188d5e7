/*
 * cli_list - shows rows of the outbox, events and dead letters alike. Reads the database
 * itself, whether the bridge runs or not, and changes nothing.
 */
#ifndef BRIDGE_CLI_LIST_H
#define BRIDGE_CLI_LIST_H

#include "bridge/cli/cli.h"
#include "bridge/store/store.h"

/* Opens the configured outbox, after cli_read_config. NULL: why not has been printed. Gives a
 * store for store_close. */
struct store *cli_store(const struct cli *cli) MUST_USE;

/* An id as people write it; false: it is none, which has been printed as wrong usage. */
bool cli_read_id(const struct cli *cli, const char *text, struct uuid *out_id) MUST_USE;

/* `ls` and `show` of the outbox, or of its dead letters. */
int cli_list(struct cli *cli, bool dead);
int cli_show(struct cli *cli, bool dead);

#endif
