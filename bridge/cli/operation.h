/*
 * operation - what an operator does by hand to events and dead letters: in the outbox itself while
 * the bridge is stopped, through the admin API while it runs. Only for outbox.c.
 */
#ifndef BRIDGE_CLI_OPERATION_H
#define BRIDGE_CLI_OPERATION_H

#include "bridge/cli/cli.h"
#include "bridge/outbox/outbox.h"

/* The options of `outbox` and `dead`; a verb looks at those that its row names. */
struct outbox_choice {
    const char *source;
    int64_t since_ms, until_ms; /* CLOCK_NONE: not given */
    uint64_t limit;             /* 0: not given */
    bool all, undelivered, delivered, oldest, json, body;
};
#define OUTBOX_CHOICE_NONE                                                                     \
    {                                                                                          \
        .since_ms = CLOCK_NONE, .until_ms = CLOCK_NONE                                         \
    }

/* argv: the verb, then ids and options of a selection. Prints how many were done. */
int cli_operate(struct cli *cli, enum outbox_op op);

#endif
