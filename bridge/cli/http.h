/*
 * cli_http - the HTTP client of the commands: asks the running bridge or a provider's API, over
 * one connection that is kept open.
 *
 * Talks to the address it is given and to nobody else: TLS is verified, redirects are not
 * followed. One thread. Everything that was sent and received is wiped from memory afterwards,
 * as it may contain secrets.
 */
#ifndef BRIDGE_CLI_HTTP_H
#define BRIDGE_CLI_HTTP_H

#include "common/buf.h"
#include "common/err.h"

struct cli_http;

/* For the running bridge, without proxies. target: a URL, or an address that the bridge listens
 * on (0.0.0.0 and [::] are asked on this machine). timeout_ms applies to each request. Gives a
 * client for cli_http_close. */
enum status cli_http_open(const char *target, int64_t timeout_ms, struct cli_http **out_http,
                          struct err *err) MUST_USE;
/* The same, for a listener of the running bridge: at its first address, or by TLS if it has that. With
 * TLS it must have the key of the certificate in its cert_file, whatever name that is for and however
 * old it is; with anybody, whoever answers is asked, so send nothing that matters. A unix socket is
 * preferred then, as it has no TLS, and wants no client certificate. */
struct config_list;
struct config_tls;
enum status cli_http_open_listener(const struct config_list *listen,
                                   const struct config_tls *tls, bool anybody,
                                   int64_t timeout_ms, struct cli_http **out_http,
                                   struct err *err) MUST_USE;
/* For a provider's API: through the environment's proxies, but never without TLS. A request that
 * is not a GET gets a new connection: on an old one that has died, libcurl would silently send
 * it again. stop_fd: once it can be read (a signalfd), the request under way gets a few more
 * seconds. Gives a client for cli_http_close. */
struct cli_http *cli_http_open_api(const char *url, int stop_fd);
/* Trusts the authorities in this file (PEM) instead of the system's. ST_IO: it cannot be read. */
enum status cli_http_trust(struct cli_http *http, const char *path, struct err *err) MUST_USE;
void cli_http_close(struct cli_http *http);

struct cli_http_request {
    const char *path;   /* behind the target's address; "" if the target is the whole URL */
    const char *header; /* more lines `Name: value`, separated by \n; NULL: none */
    const struct slice *json; /* the body; NULL: none */
    const char *method;       /* NULL: POST with a body, GET without one */
    int64_t timeout_ms;       /* 0: the client's */
};
struct cli_http_reply {
    long status;            /* 0: no answer */
    struct slice body;      /* borrowed until the next request, as is redirect */
    unsigned retry_after_s; /* 0: none */
    const char *redirect;   /* where to; NULL: none */
    bool sent;              /* at least a part of the request */
    bool is_transient;      /* no answer, for a reason that may not be there next time */
};

/* ST_UNREACHABLE: no answer; err says `URL: why`. *out_reply is written in every case. */
enum status cli_http_run(struct cli_http *http, const struct cli_http_request *request,
                         struct cli_http_reply *out_reply, struct err *err) MUST_USE;

/* The bridge answered with this status, such as `duplicate`. */
bool cli_http_says(const struct cli_http_reply *reply, const char *status);
/* The bridge answered 2xx, and did not keep the event as a dead letter. */
bool cli_http_is_taken(const struct cli_http_reply *reply);
/* Adds ` (<reason>)`, safe for a terminal, if the answer has one. */
void cli_http_add_reason(struct buf *out, const struct cli_http_reply *reply);
/* Adds the text of a member of a JSON answer, made safe for a terminal, or `missing` if there
 * is none. */
void cli_http_add_field(struct buf *out, const struct cli_http_reply *reply, const char *name,
                        const char *missing);

/* Adds text as it may stand in one segment or query value of a URL. Pure. */
void cli_http_add_escaped(struct buf *out, const char *text);

#endif
