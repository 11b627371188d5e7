/*
 * reason - why a call failed, in the API's own words. Pure.
 */
#ifndef BRIDGE_CLI_PROVIDER_REASON_H
#define BRIDGE_CLI_PROVIDER_REASON_H

#include "common/buf.h"

struct json_object;

/* Adds `answered 400: <its words>`, without line ends. shown: the answer without secrets; NULL:
 * it is not JSON. text: the same as text. Not yet safe for a terminal. */
void reason_add(struct buf *out, long status, struct json_object *shown, struct slice text);

#endif
