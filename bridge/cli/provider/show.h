/*
 * show - `hook2mqtt provider show`: a preset, as it is embedded.
 */
#ifndef BRIDGE_CLI_PROVIDER_SHOW_H
#define BRIDGE_CLI_PROVIDER_SHOW_H

#include "bridge/cli/cli.h"

/* provider show NAME */
int provider_show(struct cli *cli);

#endif
