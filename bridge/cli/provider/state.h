/*
 * state - logins and subscription codes, which a provider's API hands out only once.
 * One small JSON file, readable for people too, mode 0600.
 *
 * Written in one step (file_draft_put). A file that is not understood is an error, and never
 * overwritten. Opened for a change, it is locked against other commands until it is closed.
 * Entries of other accounts in the same file are kept as they are, and not seen.
 *
 *   {"version": 1,
 *    "logins": [{"token", "source", "api", "project_code", "since"}],
 *    "subscriptions": [{"event", "url", "code", "source", "api", "project_code", "since"}]}
 */
#ifndef BRIDGE_CLI_PROVIDER_STATE_H
#define BRIDGE_CLI_PROVIDER_STATE_H

#include "common/buf.h"
#include "common/err.h"

struct json_object;
struct state;

/* Borrowed until it is removed. */
struct subscription {
    const char *event, *url;
    const char *code;  /* ends it */
    const char *since; /* RFC 3339 */
};

/* Borrows the path. Takes account, an object: the members that tell whose logins and subscriptions
 * they are. A missing file is an empty one. for_change: locks; ST_BUSY if another command has
 * it. ST_INVALID: damaged, or of a newer version. Gives a state for state_close, which wipes the
 * tokens. */
enum status state_open(const char *path, struct json_object *account, bool for_change,
                       struct state **out_state, struct err *err) MUST_USE;
void state_close(struct state *state);

/* Opened for a change: takes room on the disk for the next token or code, so that nothing is asked
 * for that could not be stored. Lasts until the next save. */
enum status state_make_room(struct state *state, struct err *err) MUST_USE;
/* Writes the changes; opened for a change. If a power cut may undo that, prints a warning. */
enum status state_save(struct state *state, struct err *err) MUST_USE;

/* The login's token; NULL: none. Borrowed until it is set again. */
const char *state_token(const struct state *state);
void state_set_token(struct state *state, const char *token);

/* The account's i-th subscription, in the order in which they were made; false after the last. */
bool state_subscription(const struct state *state, size_t i, struct subscription *out);
/* Adds one that was made now, and gives it as it is stored. */
struct subscription state_add_subscription(struct state *state, const char *event,
                                           const char *url, const char *code);
void state_remove_subscription(struct state *state, size_t i);

#endif
