/*
 * cli_weavy - subscriptions at Divalto weavy. Only for cli_weavy*.c.
 */
#ifndef BRIDGE_CLI_PROVIDER_WEAVY_H
#define BRIDGE_CLI_PROVIDER_WEAVY_H

#include "bridge/cli/provider/registration.h"
#include "bridge/cli/provider/state.h"

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
 * token does not count any more. A 2xx answer that tells an error is ST_REFUSED, too. With
 * --dry-run it is printed instead, and nothing is answered. */
enum status weavy_call(struct weavy *weavy, const char *entry_point, struct slice json,
                       struct cli_api_reply *out_reply, struct err *err) MUST_USE;

/* False if an argument can be no event (or code), which has been printed as wrong usage. kind:
 * `an event`. */
bool weavy_check_names(const struct cli *cli, const char *kind) MUST_USE;
/* One of the standard events, or of the source's `events`. */
bool weavy_is_event(const struct provider *provider, const char *name) MUST_USE;
/* Whether the bridge takes deliveries of the event: where the source has `events`, only of
 * those; else of every one that is a single segment of a path. weavy_check_path prints it if not,
 * and returns what the command has to end with, or EXIT_DONE. */
bool weavy_has_path(const struct provider *provider, const char *event) MUST_USE;
int weavy_check_path(const struct registration *reg, const char *event) MUST_USE;
/* Adds where deliveries of an event that has a path go. base: of the source, a URL or a path;
 * slashes at its end do not count. */
void weavy_add_url(struct buf *out, const struct provider *provider, const char *base,
                   const char *event);

/* Prints a subscription and what became of it; NULL: it is only shown. */
void weavy_print_subscription(const struct registration *reg,
                              const struct cli_subscription *subscription, const char *what);

int weavy_log_in(struct cli *cli);
int weavy_subscribe(struct cli *cli);
int weavy_unsubscribe(struct cli *cli);
int weavy_list(struct cli *cli);
int weavy_sample(struct cli *cli);

#endif
