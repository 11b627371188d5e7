/*
 * secrets - replaces known secrets by *** in everything that comes from an API. Pure.
 */
#ifndef BRIDGE_CLI_PROVIDER_SECRETS_H
#define BRIDGE_CLI_PROVIDER_SECRETS_H

#include "common/buf.h"

struct json_object;

/* Zero-initialised is empty. */
struct secrets {
    struct buf items[8];
    size_t count;
};

/* Keeps a copy. An empty one is allowed, and hides nothing. */
void secrets_add(struct secrets *secrets, struct slice secret);
void secrets_wipe(struct secrets *secrets);

/* Adds text with *** for each secret. Returns whether there was one. */
bool secrets_add_hidden(const struct secrets *secrets, struct buf *out, struct slice text);
/* A copy of a tree with *** for each secret in its strings, numbers and names, and for the value
 * of each member that is named like a secret (authToken). Gives it for json_object_put. */
struct json_object *secrets_hide(const struct secrets *secrets, struct json_object *tree);

#endif
