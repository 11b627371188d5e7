/*
 * ingress - webhooks over HTTP: turns requests into deliveries for the intake, and results into
 * the answers of the contract.
 *
 * What can be refused before the body is read is: an unknown path, another method than POST, a
 * signature that is missing or there twice. Every refusal is counted; the log says at most one
 * line a second for each reason, so nobody can fill the disk.
 *
 * The configuration and the secrets can change while requests come: each is judged by the ones that
 * were there when its head was complete; if these refuse its signature, by those of its end.
 */
#ifndef BRIDGE_INTAKE_INGRESS_H
#define BRIDGE_INTAKE_INGRESS_H

#include "bridge/config/config.h"
#include "bridge/http/http.h"
#include "bridge/intake/intake.h"
#include "bridge/outbox/outbox.h"

struct ingress;

/* Main thread. One ingress is one loop thread with an intake of its own; config.ingress.threads
 * of them share the sockets and max_connections. Borrows outbox and the sockets until
 * ingress_stop; holds config until nothing needs it any more. */
enum status ingress_start(struct config *config, struct outbox *outbox, const int *listen_fds,
                          size_t listen_count, struct ingress **out_ingress,
                          struct err *err) MUST_USE;
/* Main thread. Takes the intake, with which every request is judged whose head is complete
 * after this has returned. The loop thread fetches it at the next one. Until then it is the
 * main thread's, which frees it if still another one comes; the one before is the loop
 * thread's, which frees it when its last request is submitted or gone. */
void ingress_reload(struct ingress *ingress, struct intake *intake);
/* Main thread. No new connections; what comes on the old ones is answered 503. Deliveries under
 * way go on. */
void ingress_quiesce(struct ingress *ingress);
/* Main thread. Waits for the answers of what is under way, at most timeout_ms; then stops and
 * frees. NULL is allowed. */
void ingress_stop(struct ingress *ingress, int64_t timeout_ms);
const struct heartbeat *ingress_heartbeat(const struct ingress *ingress);

#endif
