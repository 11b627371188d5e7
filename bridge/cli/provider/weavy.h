/*
 * weavy - subscriptions at Divalto weavy. Only for weavy*.c.
 */
#ifndef BRIDGE_CLI_PROVIDER_WEAVY_H
#define BRIDGE_CLI_PROVIDER_WEAVY_H

#include "bridge/cli/provider/state.h"
#include "bridge/cli/provider/verb.h"

/* ---- weavy_api.c: logging in, calling, where deliveries of an event go ---- */

/* Opens the state, and sets the token that the configuration gives, else the last login's. */
enum status weavy_begin(struct job *job, bool changes) MUST_USE;
/* Logs in with user name and password, and keeps the token. */
enum status weavy_login(struct job *job) MUST_USE;
/* Calls an entry point, such as `Subscribe`, about this event, URL or code; those that are NULL
 * are left out. Logs in before if there is no token, and again if the token is no longer
 * accepted. A 2xx answer with an error in it is ST_REFUSED, too. See job_call. */
enum status weavy_call(struct job *job, const char *entry_point,
                       const struct subscription *about) MUST_USE;

/* One of the standard events, or of the source's `events`. */
bool weavy_is_event(const struct provider *provider, const char *name) MUST_USE;
/* Whether the bridge takes deliveries of the event: where the source has `events`, of those only;
 * else of every one that is a single segment of a path. weavy_check_path prints it if not, which
 * ends the command. */
bool weavy_has_path(const struct provider *provider, const char *event) MUST_USE;
bool weavy_check_path(struct job *job, const char *event) MUST_USE;
/* Adds where deliveries of an event that has a path go. base: of the source, a URL or a path;
 * slashes at its end are ignored. */
void weavy_add_url(struct buf *out, const struct provider *provider, const char *base,
                   const char *event);

/* ---- weavy_sample.c ---- */

enum status weavy_sample(struct job *job) MUST_USE;

#endif
