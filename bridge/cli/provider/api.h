/*
 * api - calls a provider's API: logs in with a token, tries again after transient failures, and
 * explains the others in the API's own words, but never shows the token or another secret that
 * it knows: an API may well send them back.
 *
 * One thread. A try that is repeated is a line on stderr.
 */
#ifndef BRIDGE_CLI_PROVIDER_API_H
#define BRIDGE_CLI_PROVIDER_API_H

#include "common/buf.h"
#include "common/err.h"

#include "bridge/config/config.h"

struct api;
struct json_object;

struct api_request {
    const char *method;
    const char *path;  /* behind the base; `{id}` in it stands for id */
    const char *id;    /* any text, escaped; NULL: the path stays as it is */
    const char *query; /* with its ?; NULL: none */
    const char *await; /* the header Ricloud-Await; NULL: none */
    char *json;        /* NULL: no body */
    bool anonymous;    /* without the token */
};

/* Pure. base: the API's URL. */
void api_add_url(struct buf *out, const struct api_request *request, const char *base);
/* Pure. Adds its header lines, each with a \n. scheme and token: of Authorization. */
void api_add_headers(struct buf *out, const struct api_request *request, const char *scheme,
                     struct slice token);
/* Pure. Adds all of it, with *** for the token: as lines, or as a JSON object on one line. */
void api_add_request(struct buf *out, const struct api_request *request, const char *base,
                     const char *scheme, bool as_json);

/* For the API of a source, which has a URL: https, or http to this machine, as the configuration
 * has made sure. Borrows the source. scheme: of the Authorization header, such as `Token`.
 * timeout_ms: for everything together, tries and waits included. Hides the source's secrets.
 * Gives an API for api_close, which wipes them. */
struct api *api_open(const struct config_source *source, const char *scheme,
                     int64_t timeout_ms);
void api_close(struct api *api);

/* Keeps a copy, and hides it; replaces the one before. ST_INVALID: it cannot stand in a header. */
enum status api_set_token(struct api *api, struct slice token, struct err *err) MUST_USE;
bool api_has_token(const struct api *api);
/* Keeps a copy: like the token, it is shown as *** wherever the API sends it back. */
void api_hide(struct api *api, struct slice secret);
/* Adds a text that came from the API before, with *** for secrets. */
void api_add_hidden(const struct api *api, struct buf *out, const char *text);

/* The base, without a slash at its end. */
const char *api_url(const struct api *api);
/* False if text, even escaped, would not be a segment of its own: it is empty, . or .. , which
 * clients and servers resolve, or not UTF-8 without control characters. Pure. */
bool api_is_segment(const char *text) MUST_USE;

struct api_reply {
    long status;       /* 0: no answer */
    struct slice body; /* borrowed until the next call, like the two below */
    /* What was answered; NULL: nothing, `null`, or not JSON. See tree.h. */
    struct json_object *json;
    /* The same without secrets. Whatever is printed of an answer is read from here. */
    struct json_object *shown;
    bool is_json, is_empty;
    /* A request was sent and its outcome is not known: it may have been carried out, also beside
     * the one that was answered. */
    bool uncertain;
};

/* ST_OK: answered 2xx. Else err has the reason, in the API's own words if it gave one:
 * ST_UNAUTHENTIC: 401; ST_NOT_FOUND: 404 or 410; ST_REFUSED: anything else that asking again
 * would not change; ST_UNREACHABLE: no usable answer after all tries; ST_IO: ca_file cannot be
 * read, and nobody was asked. *out_reply is written in every case. */
enum status api_call(struct api *api, const struct api_request *request,
                     struct api_reply *out_reply, struct err *err) MUST_USE;
/* Adds `answered 400: <the API's own words>`: a code, a message and parameters, under one of the
 * names that APIs give them. An answer without those is not quoted: it may contain a secret that
 * nobody knows to be one. Not yet safe for a terminal. Pure. */
void api_add_reason(struct buf *out, const struct api_reply *reply);
/* Instead of a call: prints what would be sent to stdout, with *** for the token. */
void api_print(const struct api *api, const struct api_request *request, bool as_json);

/* The last call's answer was 2xx but of no use: `the API's answer <what>: GET https://…:
 * answered 200: <the API's own words>`, without secrets and safe for a terminal. Gives st. */
enum status api_reject(const struct api *api, enum status st, const char *what,
                       struct err *err);

/* False if the time is over, else waits (less, if less is left). */
bool api_wait(const struct api *api, int64_t ms);

/* How long to wait after the n-th try, from 1: as long as the API asked for (0: it did not), else
 * twice as long each time, of which random takes off up to a half, so that many callers do not
 * come back at once. Pure. */
int64_t api_retry_delay_ms(unsigned n, unsigned retry_after_s, uint32_t random);

#endif
