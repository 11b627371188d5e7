/*
 * request - a request to a provider's API: as it is sent, and as --dry-run prints it. Pure.
 */
#ifndef BRIDGE_CLI_PROVIDER_REQUEST_H
#define BRIDGE_CLI_PROVIDER_REQUEST_H

#include "common/buf.h"

struct api_request {
    const char *method;
    const char *path;  /* behind the base; `{id}` in it stands for id */
    const char *id;    /* any text, escaped; NULL: the path stays as it is */
    const char *query; /* with its ?; NULL: none */
    const char *await; /* the header Ricloud-Await; NULL: none */
    char *json;        /* NULL: no body */
    bool anonymous;    /* without the token */
};

/* base: the API's URL. */
void request_add_url(struct buf *out, const struct api_request *request, const char *base);
/* Adds its header lines, each with a \n. scheme and token: of Authorization. */
void request_add_headers(struct buf *out, const struct api_request *request, const char *scheme,
                         struct slice token);
/* Adds all of it, with *** for the token: as lines, or as a JSON object on one line. */
void request_add_text(struct buf *out, const struct api_request *request, const char *base,
                      const char *scheme, bool as_json);

#endif
