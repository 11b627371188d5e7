/*
 * cli_api_internal - one API and one try to reach it, for the files that make up cli_api.
 */
#ifndef BRIDGE_CLI_PROVIDER_API_INTERNAL_H
#define BRIDGE_CLI_PROVIDER_API_INTERNAL_H

#include <curl/curl.h>

#include "bridge/cli/provider/api.h"

enum { MAX_HIDDEN = 4 };

struct cli_api {
    struct cli_api_options options;
    CURL *curl;
    int64_t deadline_ms; /* of the monotonic clock */
    struct buf base;
    struct buf authorities; /* of ca_file; empty until they are needed */
    struct buf token;
    struct buf hidden[MAX_HIDDEN];
    size_t hidden_count;

    /* The last call */
    struct buf asked; /* `GET https://…` */
    long status;      /* of the answer */
    struct buf reply;
    struct buf shown; /* the reply without secrets */
    bool is_json;     /* both */
    char error[CURL_ERROR_SIZE];
};

/* How one try went. What it was answered is in api->reply. */
struct attempt {
    CURLcode code;
    long status; /* if code is CURLE_OK */
    bool sent;   /* at least a part of the request */
    int64_t retry_after_ms;
    const char *redirect; /* libcurl's; NULL: none */
};

/* The request's header lines; token is what stands in Authorization. Gives a list for
 * cli_api_free_headers, which wipes them. */
struct curl_slist *cli_api_headers(const struct cli_api *api,
                                   const struct cli_api_request *request, struct slice token);
void cli_api_free_headers(struct curl_slist *lines);

/* Adds `METHOD url: why the try failed`, safe for a terminal and without secrets. */
void cli_api_add_failure(const struct cli_api *api, const struct attempt *attempt,
                         struct buf *out);

/* Puts *** for each secret. Returns whether there was one. */
bool cli_api_hide_text(const struct cli_api *api, struct buf *text);
/* Adds JSON that json_check has accepted, with *** for each secret in it and for the values of
 * members that are named like one. It is JSON then, too, and laid out as it was. */
void cli_api_hide_json(const struct cli_api *api, struct slice json, struct buf *out);

/* Adds what an answer says about its failure, in the API's own words if it has some. Not safe for
 * a terminal, and with whatever secrets body has. Pure. */
void cli_api_add_reason(struct buf *out, long status, struct slice body);

#endif
