/*
 * daemon - `run`: starts back to front (outbox, publisher, ingress, admin), stops front to
 * back, and watches the threads.
 */
#ifndef BRIDGE_DAEMON_H
#define BRIDGE_DAEMON_H

#include "bridge/config.h"

/* Main thread. Returns when SIGTERM or SIGINT came and everything is drained, or the outbox
 * failed. The exit status. */
int daemon_run(const struct config *config);

#endif
