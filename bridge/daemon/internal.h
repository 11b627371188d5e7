/*
 * daemon_internal - what the files of the daemon share; nobody else includes it.
 *
 * daemon.c          start, watch, stop
 * sockets.c  the sockets of the two listeners
 * reload.c   another configuration, while everything runs
 */
#ifndef BRIDGE_DAEMON_INTERNAL_H
#define BRIDGE_DAEMON_INTERNAL_H

#include <stdatomic.h>

#include <pthread.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/err.h"

#include "bridge/admin/admin.h"
#include "bridge/config/config.h"
#include "bridge/daemon/daemon.h"
#include "bridge/intake/ingress.h"
#include "bridge/intake/intake.h"
#include "bridge/outbox/outbox.h"
#include "bridge/publisher/publisher.h"

enum {
    DAEMON_MAX_LISTENERS = 32,
    DAEMON_MAX_THREADS = 64, /* as the setting allows */
};

/* Sockets of one listener. Those that we bound ourselves are removed from the file system at
 * the end. */
struct sockets {
    int fds[DAEMON_MAX_LISTENERS];
    size_t count;
    bool activated;
};

/* Reads dead letters again. The committer uses it, a reload replaces it. */
struct reparser {
    pthread_mutex_t mu;
    struct intake *intake; /* under mu, with all its references */
};

struct daemon {
    const char *config_path;
    /* The one we started with: everything but sources and admin.token stays as it says, and
     * many borrow from it. */
    struct config *started_with;
    struct config *config; /* the one that counts; held */
    struct sockets ingress_sockets, admin_sockets;
    struct reparser reparser;
    struct outbox *outbox;
    struct publisher *publisher;
    struct ingress *ingress[DAEMON_MAX_THREADS];
    size_t ingress_count;
    struct admin *admin;
    int signal_fd;
    int wake_fd;
    int64_t watchdog_ms;
    bool hung;           /* a loop is stuck; said once */
    _Atomic bool failed; /* set by the committer thread */
};

/* Main thread, all of them, unless said otherwise. */

/* --- sockets.c --- */

/* Those that the service manager handed over. One named "admin" (FileDescriptorName=) is for
 * the operator, every other one for webhooks. */
void daemon_sockets_take(struct sockets *ingress, struct sockets *admin);
/* Binds, unless some were handed over. mode is for unix sockets: who may connect is decided by
 * the directory and this. */
enum status daemon_sockets_open(struct sockets *sockets, const struct config_list *listen,
                                mode_t mode, struct err *err) MUST_USE;
void daemon_sockets_log(const struct sockets *sockets, const char *listener);
void daemon_sockets_close(struct sockets *sockets);

/* --- reload.c --- */

void daemon_reparser_init(struct reparser *reparser);
void daemon_reparser_fini(struct reparser *reparser);
/* Takes the intake. */
void daemon_reparser_set(struct reparser *reparser, struct intake *intake);
/* Committer thread. For outbox_options.reparse; ctx is the reparser. */
struct event *daemon_reparse(void *ctx, const struct event *dead, struct err *why);

/* What …/info says: what runs here, and nothing that opens a door (paths may be secret). */
void daemon_write_info(const struct config *config, struct buf *out);
/* Reads the configuration again and takes it over, or says why not. */
void daemon_reload(struct daemon *d);

#endif
