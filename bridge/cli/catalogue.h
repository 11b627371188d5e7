/*
 * cli_catalogue - the events of which a provider has samples, and what they are called on the
 * command line: `project:resource.updated`, or `push` where no other type has an event of that
 * name. Both are understood wherever they say which one is meant.
 */
#ifndef BRIDGE_CLI_CATALOGUE_H
#define BRIDGE_CLI_CATALOGUE_H

#include "common/buf.h"

#include "bridge/provider/provider.h"

/* Borrows from the provider. */
struct catalogue_pair {
    const struct provider_sample *sample;
    const char *event;
};

/* The i-th one; false behind the last. */
bool catalogue_at(const struct provider *provider, size_t i, struct catalogue_pair *out_pair);

void catalogue_add_name(struct buf *out, const struct provider *provider,
                        const struct catalogue_pair *pair);

/* The one that text names; false: none, or not only one. */
bool catalogue_find(const struct provider *provider, const char *text,
                    struct catalogue_pair *out_pair);
/* Prints why text names none, and what was probably meant. Gives EXIT_FAILED. */
int catalogue_unknown(const struct provider *provider, const char *text);

#endif
