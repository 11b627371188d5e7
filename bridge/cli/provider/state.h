/*
 * cli_state - what a provider's API handed out and will not tell again: logins and subscription
 * codes. One small JSON file, for people to read too, mode 0600.
 *
 * Written in one step (file_draft_put). A file that is not understood is an error, and never
 * overwritten. Opened for a change, it is locked against other commands until it is closed.
 * What belongs to another account (of the same file) is kept as it is, and not seen.
 *
 *   {"version": 1,
 *    "logins": [{"source", "api", "project_code", "token", "since"}],
 *    "subscriptions": [{"source", "api", "project_code", "event", "url", "code", "since"}]}
 */
#ifndef BRIDGE_CLI_PROVIDER_STATE_H
#define BRIDGE_CLI_PROVIDER_STATE_H

#include "common/buf.h"
#include "common/err.h"

struct cli_state;

/* Whose logins and subscriptions. */
struct cli_account {
    const char *source, *api, *project_code;
};

struct cli_subscription {
    char *event;
    char *url;
    char *code;  /* what ends it */
    char *since; /* RFC 3339 */
};

/* Borrows all. A file that is not there is an empty one. for_change: locks; ST_BUSY if
 * another command has it. ST_INVALID: damaged, or of a newer version. Gives a state for
 * cli_state_close, which wipes the tokens. */
enum status cli_state_open(const char *path, const struct cli_account *account, bool for_change,
                           struct cli_state **out_state, struct err *err) MUST_USE;
void cli_state_close(struct cli_state *state);

/* Opened for a change: takes room on the disk for what the next answer may bring, so that nothing
 * is asked for that could not be stored. Lasts until the next save. */
enum status cli_state_make_room(struct cli_state *state, struct err *err) MUST_USE;
/* Writes what has been changed; opened for a change. What a power cut may undo is a line on
 * stderr. */
enum status cli_state_save(struct cli_state *state, struct err *err) MUST_USE;

/* The login's token; NULL: none. Borrowed until it is set again. */
const char *cli_state_token(const struct cli_state *state);
void cli_state_set_token(struct cli_state *state, const char *token);

/* The account's i-th subscription, in the order in which they were made; NULL after the last.
 * Borrowed until one is added or removed, or a token is set. */
const struct cli_subscription *cli_state_subscription(const struct cli_state *state, size_t i);
/* Borrows all; adds when it was made. */
void cli_state_add_subscription(struct cli_state *state, const char *event, const char *url,
                                const char *code);
void cli_state_remove_subscription(struct cli_state *state, size_t i);

#endif
