/*
 * health - /healthz (alive) and /readyz (would accept a webhook), for both listeners.
 *
 * A broker that is away does not make the bridge unready: webhooks are stored meanwhile.
 */
#ifndef BRIDGE_HEALTH_H
#define BRIDGE_HEALTH_H

#include "bridge/http/http.h"
#include "bridge/outbox/outbox.h"

/* Loop thread, head complete. True if the path was one of the two; the request has been answered
 * then. */
bool health_answer(struct http_request *request, const struct outbox *outbox);

#endif
