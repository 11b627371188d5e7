/*
 * daemon - `run`: starts back to front (outbox, publisher, ingress, admin), stops front to
 * back, and watches the threads.
 *
 * SIGHUP reads the configuration again. The new sources with their secrets, and admin.token,
 * apply at once; changes of other settings are named in the log and take effect after a
 * restart. If anything is wrong, it is logged and the whole old configuration stays. Webhooks
 * are accepted meanwhile, and events of a source that was removed are still delivered.
 * The environment file is read again, too; the process's own environment variables keep the values
 * that they had at the start.
 */
#ifndef BRIDGE_DAEMON_DAEMON_H
#define BRIDGE_DAEMON_DAEMON_H

#include <sys/types.h>

#include "bridge/config/config.h"
#include "bridge/outbox/outbox.h"

/* Main thread. Borrows config and the path that it was read from. Returns the exit status, after
 * SIGTERM or SIGINT when everything is drained, or when the outbox has failed. */
int daemon_run(struct config *config, const char *config_path);

/* Main thread of another process. Has the bridge pid read its configuration again (SIGHUP), and
 * waits for its verdict, which it leaves in $RUNTIME_DIRECTORY/reload. ST_OK: it is in force; else
 * err says why it is not, or why nobody knows. */
enum status daemon_ask_reload(pid_t pid, struct err *err) MUST_USE;

/* The outbox as configured, for whoever opens it; without reparse. Borrows config's path. */
struct outbox_options daemon_outbox_options(const struct config *config);

#endif
