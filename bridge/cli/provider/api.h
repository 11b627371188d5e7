/*
 * cli_api - calls a provider's API: TLS verified, with time-outs, tries again what may have
 * been bad luck, follows no redirects, and never shows the token or another secret that it was
 * told of: an API may well send them back.
 *
 * One thread. What goes wrong on the way and is tried again is a line on stderr. Proxies are
 * those of the environment, but not for http, which only goes to this machine.
 */
#ifndef BRIDGE_CLI_PROVIDER_API_H
#define BRIDGE_CLI_PROVIDER_API_H

#include "common/buf.h"
#include "common/err.h"

struct cli_api;

struct cli_api_options {
    const char *url;     /* the API's base: https, or http to this machine */
    const char *scheme;  /* of the Authorization header: `Token`, `Bearer` */
    const char *ca_file; /* NULL: the system's authorities */
    int64_t timeout_ms;  /* for everything together, tries and waits included */
    bool dry_run_json;   /* how cli_api_print prints */
};

/* Borrows all but url. ST_INVALID: the URL is none that a token may be sent to. Gives an API
 * for cli_api_close, which wipes the token. */
enum status cli_api_open(const struct cli_api_options *options, struct cli_api **out_api,
                         struct err *err) MUST_USE;
void cli_api_close(struct cli_api *api);

/* Keeps a copy; replaces the one before. ST_INVALID: it cannot stand in a header. */
enum status cli_api_set_token(struct cli_api *api, struct slice token,
                              struct err *err) MUST_USE;
bool cli_api_has_token(const struct cli_api *api);
/* Keeps a copy: like the token, it is shown as *** wherever the API sends it back, as it is or as
 * JSON or a URL would spell it (unless it has but one or two characters). */
void cli_api_hide(struct cli_api *api, struct slice secret);

/* The base, without a slash at its end. */
const char *cli_api_url(const struct cli_api *api);
/* Adds text as it may stand in one segment or query value of a URL. */
void cli_api_add_escaped(struct buf *out, const char *text);
/* False if text, even escaped, would not be a segment of its own: it is empty, . or .. , which
 * clients and servers resolve, or not UTF-8 without control characters. Pure. */
bool cli_api_is_segment(const char *text) MUST_USE;

struct cli_api_request {
    const char *method;
    const char *path;   /* behind the base, with the query */
    const char *header; /* one more `Name: value`; NULL: none */
    struct slice json;  /* absent: no body */
    bool anonymous;     /* without the token */
};
struct cli_api_reply {
    long status; /* 0: no answer */
    /* What was answered; `null` unless it is JSON. Borrowed until the next call. */
    struct slice json;
    /* The same, member for member, with *** for all secrets, also for what a member holds that
     * is named so (authToken). Whatever is printed of an answer is read from here. */
    struct slice shown;
    bool is_json, is_empty;
    /* One try was sent, and what became of it is not known: it may have been carried out beside
     * the one that was answered, or at all. */
    bool uncertain;
};

/* ST_OK: answered 2xx. Else err says what happened, with the API's own words:
 * ST_UNAUTHENTIC: 401; ST_NOT_FOUND: 404 or 410; ST_REFUSED: anything else that asking again
 * would not change; ST_UNREACHABLE: no usable answer after all tries; ST_IO: ca_file cannot be
 * read, and nobody was asked. *out_reply is written in every case. */
enum status cli_api_call(struct cli_api *api, const struct cli_api_request *request,
                         struct cli_api_reply *out_reply, struct err *err) MUST_USE;

/* Instead of a call: prints what would be sent to stdout, with *** for the token. */
void cli_api_print(const struct cli_api *api, const struct cli_api_request *request);

/* False if the time is over, else waits (less, if less is left). */
bool cli_api_wait(const struct cli_api *api, int64_t ms);

/* For a 2xx answer, the last call's, that is of no use: `the API's answer <what>: GET https://…:
 * answered 200: <the API's own words>`, without secrets and safe for a terminal. Gives st. */
enum status cli_api_reject(const struct cli_api *api, enum status st, const char *what,
                           struct err *err);

/* Adds text that came from the API before, with *** for secrets. */
void cli_api_add_hidden(const struct cli_api *api, struct buf *out, const char *text);

#endif
