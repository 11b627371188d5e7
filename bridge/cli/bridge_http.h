/*
 * cli_http - a client for the running bridge, over one kept connection. (Providers' APIs:
 * cli_api.)
 *
 * Talks to the address it is given and to nothing else: no proxies, no redirects. One thread.
 */
#ifndef BRIDGE_CLI_BRIDGE_HTTP_H
#define BRIDGE_CLI_BRIDGE_HTTP_H

#include "common/buf.h"
#include "common/err.h"

struct cli_http;

/* target: a URL, or an address that the bridge listens on (0.0.0.0 and [::] are asked on this
 * machine). timeout_ms holds for each request. Gives a client for cli_http_close. */
enum status cli_http_open(const char *target, int64_t timeout_ms, struct cli_http **out_http,
                          struct err *err) MUST_USE;
void cli_http_close(struct cli_http *http);

struct cli_http_request {
    const char *path;   /* behind the target's address; "" if the target is the whole URL */
    const char *header; /* more lines `Name: value`, separated by \n; NULL: none */
    const struct slice *json; /* POSTs this; NULL: GET */
};
struct cli_http_reply {
    long status;
    struct slice body;      /* borrowed until the next request */
    unsigned retry_after_s; /* 0: none */
};

/* ST_UNREACHABLE: no answer. */
enum status cli_http_run(struct cli_http *http, const struct cli_http_request *request,
                         struct cli_http_reply *out_reply, struct err *err) MUST_USE;

/* Answered 2xx, and not kept as a dead letter. */
bool cli_http_is_taken(const struct cli_http_reply *reply);
/* Adds ` (<reason>)`, safe for a terminal, if the answer has one. */
void cli_http_add_reason(struct buf *out, const struct cli_http_reply *reply);
/* Adds the text of a member of a JSON answer, made safe for a terminal, or `missing` if there
 * is none. */
void cli_http_add_field(struct buf *out, const struct cli_http_reply *reply, const char *name,
                        const char *missing);

#endif
