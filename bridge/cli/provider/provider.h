/*
 * cli/provider - `hook2mqtt provider`: registers the bridge at a provider, through its API.
 */
#ifndef BRIDGE_CLI_PROVIDER_PROVIDER_H
#define BRIDGE_CLI_PROVIDER_PROVIDER_H

#include "bridge/cli/cli.h"

extern const struct cli_command provider_command;

#endif
