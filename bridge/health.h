/*
 * health - /healthz (alive) and /readyz (would accept a webhook), for both listeners.
 *
 * The bridge stays ready while its broker is away: webhooks are stored meanwhile.
 */
#ifndef BRIDGE_HEALTH_H
#define BRIDGE_HEALTH_H

#include "bridge/http/http.h"
#include "bridge/outbox/outbox.h"

/* Loop thread, head complete. True if the path is one of the two: it has answered the request. */
bool health_answer(struct http_request *request, const struct outbox *outbox);

#endif
