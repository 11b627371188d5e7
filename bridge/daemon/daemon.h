/*
 * daemon - `run`: starts back to front (outbox, publisher, ingress, admin), stops front to
 * back, and watches the threads.
 *
 * SIGHUP reads the configuration again. The sources with their secrets, and admin.token, count
 * from then on; changes of other settings are named in the log and need a restart. What is
 * wrong is logged, and all of the old configuration stays. Webhooks go on being taken
 * meanwhile, and what a source that is gone has brought before is still delivered. Environment
 * variables are as they were at the start.
 */
#ifndef BRIDGE_DAEMON_DAEMON_H
#define BRIDGE_DAEMON_DAEMON_H

#include "bridge/config/config.h"

/* Main thread. Borrows config and the path that it was read from. Returns when SIGTERM or
 * SIGINT came and everything is drained, or the outbox failed. The exit status. */
int daemon_run(struct config *config, const char *config_path);

#endif
