/*
 * cli/provider - `hook2mqtt provider`: registers the bridge at a provider, through its API.
 *
 * The files in the order of calls:
 *   provider.c         the vendors, the help, `show`
 *   ricloud.c          its verbs     ricloud_create.c  one of them    ricloud_config.c  what they share
 *   weavy.c            its verbs     weavy_sample.c    one of them    weavy_api.c       what they share
 *   verb.c             the frame of every verb
 *   state.c            what is stored for a vendor
 *   api.c              a call: token, tries, the reason of a failure
 *   request.c secrets.c              pure parts of a call
 */
#ifndef BRIDGE_CLI_PROVIDER_PROVIDER_H
#define BRIDGE_CLI_PROVIDER_PROVIDER_H

#include "bridge/cli/cli.h"

extern const struct cli_command provider_command;

#endif
