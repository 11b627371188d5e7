/*
 * cli_api_internal - one API and one try to reach it, for the three files that make up cli_api.
 */
#ifndef BRIDGE_CLI_API_INTERNAL_H
#define BRIDGE_CLI_API_INTERNAL_H

#include <curl/curl.h>

#include "bridge/cli_api.h"

enum { MAX_HIDDEN = 4 };

struct cli_api {
    struct cli_api_options options;
    CURL *curl;
    int64_t deadline_ms; /* of the monotonic clock */
    struct buf base;
    struct buf token;
    struct slice hidden[MAX_HIDDEN];
    size_t hidden_count;
    struct buf reply;
    char error[CURL_ERROR_SIZE];
};

/* How one try went. */
struct attempt {
    CURLcode code;
    long status; /* if code is CURLE_OK */
    bool sent;   /* at least a part of the request */
    int64_t retry_after_ms;
    const char *redirect; /* libcurl's; NULL: none */
};

/* The request's header lines; token is what stands in Authorization. Gives a list for
 * curl_slist_free_all. */
struct curl_slist *cli_api_headers(const struct cli_api *api,
                                   const struct cli_api_request *request, struct slice token);

/* Adds `METHOD url: why the try failed`, safe for a terminal and without secrets. */
void cli_api_add_failure(const struct cli_api *api, const struct cli_api_request *request,
                         const struct attempt *attempt, struct buf *out);

#endif
