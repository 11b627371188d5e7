/*
 * admin - the operator's listener: /healthz, /readyz, /metrics, and the operator API that the
 * outbox, dead and state commands use on a running bridge.
 *
 *   POST /api/outbox/replay | /api/outbox/drop | /api/outbox/drop-delivered
 *        /api/dead/retry | /api/dead/drop
 *        {"ids":["…"], "source":"partners", "since_ms":1700000000000,
 *         "until_ms":1700003600000, "limit":100, "all":false}
 *     -> 200 {"done":2,"skipped":1,"why":"…"}
 *
 *   POST /api/state/forget {"topics":["…"]} -> the same
 *
 * Every part of a selection is optional, but a selection without ids, source and times needs "all": true. If a
 * token is configured, the API and /metrics want `Authorization: Bearer …`. No web page can use a
 * browser against the API: it wants `Content-Type: application/json`, and no Origin.
 */
#ifndef BRIDGE_ADMIN_ADMIN_H
#define BRIDGE_ADMIN_ADMIN_H

#include "bridge/http/http.h"
#include "bridge/outbox/outbox.h"

struct admin;

struct admin_options {
    struct slice token;    /* see admin_set_token */
    int64_t keep_alive_ms; /* see http_options */
    struct outbox *outbox; /* this and the sockets are borrowed until admin_stop */
    const int *listen_fds;
    size_t listen_count;
    struct tls *tls; /* borrowed likewise; NULL: no TLS */
};

/* Main thread. Copies options. */
enum status admin_start(const struct admin_options *options, struct admin **out_admin,
                        struct err *err) MUST_USE;
/* Main thread. Copies the token (empty: no token is needed). Applies to requests whose head
 * arrives from now on. */
void admin_set_token(struct admin *admin, struct slice token);
/* Main thread. Waits for answers under way, at most timeout_ms; then stops and frees. NULL is
 * allowed. */
void admin_stop(struct admin *admin, int64_t timeout_ms);
const struct heartbeat *admin_heartbeat(const struct admin *admin);

/* Any thread. Where the operator API takes this operation; a constant. */
const char *admin_api_path(enum outbox_op op);

#endif
