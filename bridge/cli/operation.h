/*
 * operation - what an operator does by hand to events, dead letters and states: in the outbox itself
 * while the bridge is stopped, through the admin API while it runs. For outbox.c and state.c.
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

/* Forgets what is known of the states at these topics. What was done before a failure stays so. */
enum status cli_forget_states(const struct cli *cli, const struct slice *topics, size_t count,
                              struct outbox_operation_result *out_result,
                              struct err *err) MUST_USE;
/* Prints how many were done and skipped. */
void cli_print_result(enum outbox_op op, const struct outbox_operation_result *result,
                      bool running, bool json);
/* Says what an outbox has lost, and saves what is there. */
int cli_salvage(struct cli *cli);
/* argv: the verb, then ids and options of a selection. Prints how many were done. */
int cli_operate(struct cli *cli, enum outbox_op op);

#endif
