/*
 * cli_operate - what an operator does by hand to events and dead letters: in the outbox itself
 * while the bridge is stopped, through the admin API while it runs.
 */
#ifndef BRIDGE_CLI_OPERATOR_H
#define BRIDGE_CLI_OPERATOR_H

#include "bridge/cli/cli.h"
#include "bridge/outbox/outbox.h"

/* argv: the verb, then ids and options of a selection. Prints how many were done. */
int cli_operate(struct cli *cli, enum outbox_op op);

#endif
