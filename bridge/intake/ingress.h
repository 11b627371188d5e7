/*
 * ingress - webhooks over HTTP: turns requests into deliveries for the intake, and the intake's
 * results into the answers of the contract.
 *
 * These are refused before their body is read: an unknown path, a method other than POST, a body
 * that is larger than its source takes or that has a Content-Encoding, a signature that is missing.
 * Every refusal, also one by http itself, is counted for its source and logged with peer, path, size
 * and reason; the log takes at most one line a second for each source and reason, so that nobody can
 * fill the disk.
 *
 * The configuration and the secrets can change while requests arrive. A request is judged by those
 * in force when its head was complete; if they refuse its signature, by those in force at its end.
 */
#ifndef BRIDGE_INTAKE_INGRESS_H
#define BRIDGE_INTAKE_INGRESS_H

#include "bridge/config/config.h"
#include "bridge/http/http.h"
#include "bridge/intake/intake.h"
#include "bridge/outbox/outbox.h"

struct ingress;

/* Main thread. One ingress is one loop thread with an intake of its own; config.ingress.threads
 * of them share the sockets, tls (NULL: none) and max_connections. Borrows these and outbox until
 * ingress_stop; keeps a reference to config as long as it needs one. */
enum status ingress_start(struct config *config, struct outbox *outbox, const int *listen_fds,
                          size_t listen_count, struct tls *tls, struct ingress **out_ingress,
                          struct err *err) MUST_USE;
/* Main thread. Takes the intake: it judges every request whose head completes after this has
 * returned. The loop thread fetches it at the next request. Until then the new intake belongs to
 * the main thread, which frees it if another reload replaces it. The old intake belongs to the
 * loop thread, which frees it when its last request is submitted or gone. */
void ingress_reload(struct ingress *ingress, struct intake *intake);
/* Main thread. No new connections; new requests on the old ones are answered 503. Deliveries under
 * way continue. */
void ingress_quiesce(struct ingress *ingress);
/* Main thread. Waits, at most timeout_ms, until the deliveries under way are answered; then stops
 * and frees. NULL is allowed. */
void ingress_stop(struct ingress *ingress, int64_t timeout_ms);
const struct heartbeat *ingress_heartbeat(const struct ingress *ingress);

#endif
