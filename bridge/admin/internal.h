/*
 * internal - what admin.c, which has the listener, calls in api.c, which has the operations.
 */
#ifndef BRIDGE_ADMIN_INTERNAL_H
#define BRIDGE_ADMIN_INTERNAL_H

#include "bridge/admin/admin.h"

/* Answers with the contract's error. */
void admin_refuse(struct http_request *request, enum reject reason, const char *message);

/* Loop thread. Finds the operation at this path. False: no operation. */
bool admin_api_find(struct slice path, enum outbox_op *out_op);
/* Loop thread, head complete. False: the request gets no further; it has been answered. */
bool admin_api_allows(struct http_request *request);
/* Loop thread, body complete. Answers, now or when the outbox is done. */
void admin_api_run(struct http_request *request, struct outbox *outbox);

#endif
