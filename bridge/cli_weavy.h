/*
 * cli_weavy - subscriptions at Divalto weavy. Only for cli_weavy*.c.
 */
#ifndef BRIDGE_CLI_WEAVY_H
#define BRIDGE_CLI_WEAVY_H

#include "bridge/cli_provider.h"
#include "bridge/cli_state.h"

/* A verb at work: the account, and what is stored of it. */
struct weavy {
    struct registration reg;
    struct cli_state *state; /* NULL until weavy_open_state */
    bool logged_in;          /* by this command: its token is as new as can be */
};

/* registration_begin, and what is stored. changes: for a verb that stores something. Returns
 * EXIT_DONE, or what the command has to end with. End it with weavy_end in every case. */
int weavy_begin(struct weavy *weavy, struct cli *cli, bool changes) MUST_USE;
void weavy_end(struct weavy *weavy);

/* Logs in with user name and password, and keeps the token. */
enum status weavy_login(struct weavy *weavy, struct err *err) MUST_USE;

/* Calls an entry point (`EPT_…`), logging in before if there is no token, and again if the
 * token does not count any more. A 2xx answer that only holds an error is ST_REFUSED. With
 * --dry-run it is printed instead, and nothing is answered. */
enum status weavy_call(struct weavy *weavy, const char *entry_point, struct slice json,
                       struct cli_api_reply *out_reply, struct err *err) MUST_USE;

/* Adds what follows the source's path in the URL of an event. */
void weavy_add_suffix(struct buf *out, const struct provider *provider, const char *event);

int weavy_subscribe(struct cli *cli);
int weavy_unsubscribe(struct cli *cli);
int weavy_list(struct cli *cli);
int weavy_sample(struct cli *cli);

#endif
