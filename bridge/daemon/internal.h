/*
 * daemon/internal - shared by the files of daemon. Calls go down this list only:
 *
 *   daemon.c   start, watch, stop
 *   reload.c   another configuration, while everything runs
 *   verdict.c  what became of a reload, for who asked for it
 *   sockets.c  the sockets of the two listeners, and their certificates
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
#include "bridge/tls/tls.h"

enum {
    DAEMON_MAX_LISTENERS = 32,
    DAEMON_MAX_THREADS = 64, /* the maximum of ingress.threads */
};

/* The sockets of one listener. */
struct sockets {
    int fds[DAEMON_MAX_LISTENERS];
    size_t count;
    bool activated; /* by the service manager; otherwise we remove unix sockets at the end */
};

/* Reparses dead letters. The committer uses it, a reload replaces its intake. */
struct reparser {
    pthread_mutex_t mu;
    struct intake *intake; /* under mu, as are all its references */
};

struct daemon {
    const char *config_path;
    /* The configuration at the start. Everything but the sources and admin.token keeps its values,
     * and many modules borrow from it. */
    struct config *started_with;
    struct config *config; /* the current one; a reference of ours */
    struct sockets ingress_sockets, admin_sockets;
    struct reparser reparser;
    struct outbox *outbox;
    struct publisher *publisher;
    struct tls *tls[LISTENER_COUNT]; /* NULL: that listener has none */
    struct ingress *ingress[DAEMON_MAX_THREADS];
    size_t ingress_count;
    struct admin *admin;
    int signal_fd;
    int wake_fd;
    int64_t watchdog_ms;
    bool hung;           /* a loop is stuck, and that has been logged */
    _Atomic bool failed; /* set by the committer thread */
};

/* All for the main thread, except where noted. */

/* --- reload.c --- */

void daemon_reparser_init(struct reparser *reparser);
void daemon_reparser_fini(struct reparser *reparser);
/* Takes the intake. */
void daemon_reparser_set(struct reparser *reparser, struct intake *intake);
/* Committer thread. For outbox_options.reparse; ctx is the reparser. */
struct event *daemon_reparse(void *ctx, const struct event *dead, struct err *why);

/* Writes the payload of …/info: version and sources, and nothing that helps an attacker (paths may
 * be secret). */
void daemon_write_info(const struct config *config, struct buf *out);
/* Reads the configuration again and puts it into force, or logs why not. */
void daemon_reload(struct daemon *d);

/* --- verdict.c --- */

/* Leaves the verdict of the reload that began then (clock_mono_us), if the service manager has made
 * a folder for it. */
void daemon_verdict_put(int64_t begun_us, bool accepted);

/* --- sockets.c --- */

/* Takes the sockets that the service manager hands over. Those named "admin" (FileDescriptorName=)
 * are for the operator, all others for webhooks. */
void daemon_sockets_take(struct sockets *ingress, struct sockets *admin);
/* Binds, unless sockets were handed over. mode is for unix sockets: with their directory it
 * decides who may connect. */
enum status daemon_sockets_open(struct sockets *sockets, const struct config_list *listen,
                                mode_t mode, struct err *err) MUST_USE;
void daemon_sockets_log(const struct sockets *sockets, const char *listener);
void daemon_sockets_close(struct sockets *sockets);

/* The files of a listener's TLS; false: it has none. Borrows from config. */
bool daemon_tls_files(const struct config *config, enum metric_listener listener,
                      struct tls_files *out_files);

#endif
