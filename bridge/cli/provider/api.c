/*
 * A call is tried until it is answered, up to MAX_TRIES times and as long as the time lasts:
 *
 * - no connection, a connection that breaks, a time-out, 429, 5xx: again, after as long as
 *   Retry-After says, else after a delay that grows and is random
 * - every other answer that is not 2xx, and an untrusted certificate: would be the same again
 *
 * If a try may have been carried out although its answer was lost, the reply is `uncertain`: then
 * there may be a config or a subscription that nobody knows of.
 */
#include "bridge/cli/provider/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/random.h>

#include <json-c/json.h>

#include "common/clock.h"
#include "common/utf8.h"

#include "bridge/cli/cli.h"
#include "bridge/cli/http.h"
#include "bridge/cli/tree.h"
#include "bridge/cli/provider/secrets.h"

enum {
    MAX_TRIES = 5,
    FIRST_DELAY_MS = 500, /* doubles */
    TRY_TIMEOUT_MS = 30000,
    LAST_TRY_MS = 1000, /* for a command's last question, such as how a test went */
    MAX_WORDS = 200,    /* bytes of each of the API's own words in an error */
};

struct api {
    const char *scheme;
    const char *ca_file; /* still to be read; NULL: none */
    int64_t deadline_ms; /* of the monotonic clock */
    struct buf base;
    struct buf token;
    struct secrets secrets; /* the token, too */
    struct cli_http *http;

    /* The last call */
    const char *method;
    struct buf url;
    struct api_reply reply;
};

struct api *api_open(const struct config_source *source, const char *scheme, int64_t timeout_ms)
{
    struct api *api = xalloc(sizeof(*api));

    api->scheme = scheme;
    api->ca_file = source->api.ca_file;
    api->deadline_ms = clock_mono_ms() + timeout_ms;
    buf_add_str(&api->base, source->api.url ? source->api.url : source->provider->api_url);
    while (api->base.data[api->base.len - 1] == '/') {
        api->base.data[--api->base.len] = '\0';
    }
    api_hide(api, buf_slice(&source->api.token));
    api_hide(api, buf_slice(&source->api.password));
    api->http = cli_http_open_api(api->base.data);
    return api;
}

static void drop_reply(struct api *api)
{
    tree_wipe(api->reply.json);
    json_object_put(api->reply.shown);
    api->reply = (struct api_reply){0};
}

void api_close(struct api *api)
{
    if (api) {
        drop_reply(api);
        cli_http_close(api->http);
        secrets_wipe(&api->secrets);
        buf_wipe(&api->token);
        buf_free(&api->base);
        buf_free(&api->url);
        free(api);
    }
}

enum status api_set_token(struct api *api, struct slice token, struct err *err)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.data[i] <= ' ' || token.data[i] > '~') {
            return err_set(err, ST_INVALID,
                           "the token contains a character that no HTTP header can have");
        }
    }
    buf_wipe(&api->token);
    buf_add_slice(&api->token, token);
    api_hide(api, token);
    return ST_OK;
}

bool api_has_token(const struct api *api)
{
    return api->token.len > 0;
}

void api_hide(struct api *api, struct slice secret)
{
    secrets_add(&api->secrets, secret);
}

void api_add_hidden(const struct api *api, struct buf *out, const char *text)
{
    (void)secrets_add_hidden(&api->secrets, out, slice_of(text));
}

const char *api_url(const struct api *api)
{
    return api->base.data;
}

/* ---- a request: --dry-run prints the headers as an object, a call sends them as lines ---- */

void api_add_url(struct buf *out, const struct api_request *request, const char *base)
{
    const char *at = request->id ? strstr(request->path, "{id}") : NULL;

    buf_add_str(out, base);
    if (at) {
        buf_add(out, request->path, (size_t)(at - request->path));
        cli_http_add_escaped(out, request->id);
        buf_add_str(out, at + strlen("{id}"));
    } else {
        buf_add_str(out, request->path);
    }
    buf_add_str(out, request->query ? request->query : "");
}

/* For tree_wipe. */
static struct json_object *headers_of(const struct api_request *request, const char *scheme,
                                      struct slice token)
{
    struct json_object *headers = TREE({"Accept", tree_string("application/json")});
    struct buf value = {0};

    if (!request->anonymous) {
        buf_reserve(&value, token.len + 64); /* growing would leave a copy behind */
        buf_addf(&value, "%s %.*s", scheme, SLICE_ARG(token));
        json_object_object_add(headers, "Authorization", tree_string(value.data));
        buf_wipe(&value);
    }
    if (request->json) {
        json_object_object_add(headers, "Content-Type", tree_string("application/json"));
    }
    if (request->await) {
        json_object_object_add(headers, "Ricloud-Await", tree_string(request->await));
    }
    return headers;
}

void api_add_headers(struct buf *out, const struct api_request *request, const char *scheme,
                     struct slice token)
{
    struct json_object *headers = headers_of(request, scheme, token);

    buf_reserve(out, token.len + 512);
    json_object_object_foreach(headers, name, value)
    {
        buf_addf(out, "%s: %s\n", name, json_object_get_string(value));
    }
    tree_wipe(headers);
}

void api_add_request(struct buf *out, const struct api_request *request, const char *base,
                     const char *scheme, bool as_json)
{
    struct buf url = {0};
    struct json_object *object;

    api_add_url(&url, request, base);
    if (as_json) {
        object = TREE({"method", tree_string(request->method)}, {"url", tree_string(url.data)},
                      {"headers", headers_of(request, scheme, SLICE("***"))},
                      {"body", tree_raw(request->json)});
        buf_addf(out, "%s\n", tree_print(object));
        json_object_put(object);
    } else {
        buf_addf(out, "%s %s\n", request->method, url.data);
        api_add_headers(out, request, scheme, SLICE("***"));
        buf_addf(out, request->json ? "\n%s\n\n" : "%s\n", request->json ? request->json : "");
    }
    buf_free(&url);
}

void api_print(const struct api *api, const struct api_request *request, bool as_json)
{
    struct buf text = {0}, shown = {0};

    api_add_request(&text, request, api->base.data, api->scheme, as_json);
    api_add_hidden(api, &shown, text.data);
    (void)fwrite(shown.data, 1, shown.len, stdout); /* main looks whether it has arrived */
    buf_free(&text);
    buf_free(&shown);
}

bool api_is_segment(const char *text)
{
    return text[0] && strcmp(text, ".") != 0 && strcmp(text, "..") != 0 &&
           utf8_is_fit(slice_of(text));
}

/* ---- one try ---- */

static int64_t left_ms(const struct api *api)
{
    int64_t left = api->deadline_ms - clock_mono_ms();

    return left > 0 ? left : 0;
}

static void read_reply(struct api *api, const struct cli_http_reply *answer)
{
    struct api_reply *reply = &api->reply;
    struct slice body = answer->body;

    reply->status = answer->status;
    reply->body = body;
    reply->is_empty = !body.data || strspn(body.data, " \t\r\n") == body.len;
    reply->json = tree_parse(body, &reply->is_json);
    reply->shown = secrets_hide(&api->secrets, reply->json);
}

static enum status try_once(struct api *api, const struct api_request *request,
                            struct cli_http_reply *out_answer, struct err *why)
{
    int64_t left = left_ms(api);
    struct slice json = slice_of(request->json);
    struct cli_http_request call = {
        .method = request->method,
        .path = api->url.data + api->base.len,
        .json = json.data ? &json : NULL,
        .timeout_ms = left < LAST_TRY_MS      ? LAST_TRY_MS
                      : left < TRY_TIMEOUT_MS ? left
                                              : TRY_TIMEOUT_MS,
    };
    struct buf lines = {0};
    enum status st;

    drop_reply(api);
    api_add_headers(&lines, request, api->scheme, buf_slice(&api->token));
    call.header = lines.data;
    st = cli_http_run(api->http, &call, out_answer, why);
    buf_wipe(&lines);
    read_reply(api, out_answer);
    return st;
}

/* ---- why a try failed ---- */

static const char *first_text(struct json_object *tree, const char *const *pointers)
{
    const char *text = NULL;

    for (; !text && *pointers; pointers++) {
        text = tree_text(tree, *pointers);
    }
    return text;
}

void api_add_reason(struct buf *out, const struct api_reply *reply)
{
    static const char *const codes[] = {"/error", "/error/code", "/code", NULL};
    static const char *const messages[] = {"/message", "/error/message", "/error_description",
                                           "/Message", "/detail",        NULL};
    const char *code = first_text(reply->shown, codes);
    const char *message = first_text(reply->shown, messages);
    struct json_object *params = tree_at(reply->shown, "/params");

    buf_addf(out, "answered %ld%s", reply->status,
             reply->is_json || reply->is_empty ? "" : ", but not with JSON");
    if (code || message) {
        buf_addf(out, ": %.*s%s%.*s", MAX_WORDS, code ? code : "", code && message ? ": " : "",
                 MAX_WORDS, message ? message : "");
    }
    if (params && strlen(tree_print(params)) > 2) { /* more than {} */
        buf_addf(out, ", %.*s", MAX_WORDS, tree_print(params));
    }
}

/* The last try in words: `GET https://…: answered 404: …`. no_answer: why there was no answer. */
static void add_failure(const struct api *api, const struct cli_http_reply *answer,
                        const struct err *no_answer, struct buf *out)
{
    struct buf why = {0}, shown = {0};

    if (answer->redirect) {
        /* The query may contain anything, such as the request. */
        buf_addf(&why, "%s: answered %ld, a redirect to %.*s, which is not followed",
                 api->url.data, answer->status, (int)strcspn(answer->redirect, "?#"),
                 answer->redirect);
        api_add_hidden(api, &shown, why.data);
    } else if (answer->status) {
        buf_addf(&shown, "%s: ", api->url.data);
        api_add_reason(&shown, &api->reply);
    } else {
        api_add_hidden(api, &shown, no_answer->text);
    }
    buf_addf(out, "%s ", api->method);
    cli_add_safe(out, buf_slice(&shown));
    buf_free(&why);
    buf_free(&shown);
}

enum status api_reject(const struct api *api, enum status st, const char *what, struct err *err)
{
    struct buf why = {0}, safe = {0};

    api_add_reason(&why, &api->reply);
    cli_add_safe(&safe, buf_slice(&why));
    err_set(err, st, "the API's answer %s: %s %s: %s", what, api->method, api->url.data,
            safe.data);
    buf_free(&why);
    buf_free(&safe);
    return st;
}

/* ---- all tries ---- */

static bool is_transient(const struct cli_http_reply *answer)
{
    return answer->is_transient || answer->status == 429 || answer->status >= 500;
}

int64_t api_retry_delay_ms(unsigned n, unsigned retry_after_s, uint32_t random)
{
    int64_t full = (int64_t)FIRST_DELAY_MS << (n - 1);

    return retry_after_s ? (int64_t)retry_after_s * 1000 : full - random % (full / 2);
}

bool api_wait(const struct api *api, int64_t ms)
{
    int64_t left = left_ms(api);
    int64_t wait = ms < left ? ms : left;
    struct timespec pause = {wait / 1000, wait % 1000 * 1000000};

    if (left == 0) {
        return false;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, &pause) != 0) {
    }
    return true;
}

static enum status status_of(const struct cli_http_reply *answer)
{
    if (is_transient(answer)) {
        return ST_UNREACHABLE;
    }
    switch (answer->status) {
    case 401:
        return ST_UNAUTHENTIC;
    case 404:
    case 410:
        return ST_NOT_FOUND;
    default:
        return answer->status / 100 == 2 ? ST_OK : ST_REFUSED;
    }
}

/* After the n-th try, which failed because of why: waits until it is time for the next one. False:
 * there will be no other try; if that is because the API asks for a longer pause than is left,
 * why ends with it. */
static bool wait_for_next_try(const struct api *api, unsigned n,
                              const struct cli_http_reply *answer, struct buf *why)
{
    uint32_t random;
    int64_t delay;

    if (!is_transient(answer) || n == MAX_TRIES) {
        return false;
    }
    CHECK(getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random));
    delay = api_retry_delay_ms(n, answer->retry_after_s, random);
    if (delay >= left_ms(api)) {
        if (answer->retry_after_s) {
            buf_addf(
                why,
                "; it wants to be asked again in %u s, which is more than --timeout leaves",
                answer->retry_after_s);
        }
        return false;
    }
    cli_fail("%s; trying again in %.1f s (%u of %d)", why->data, (double)delay / 1000, n + 1,
             MAX_TRIES);
    return api_wait(api, delay);
}

enum status api_call(struct api *api, const struct api_request *request,
                     struct api_reply *out_reply, struct err *err)
{
    struct cli_http_reply answer = {0};
    struct buf why = {0};
    bool uncertain = false, again = true;
    enum status st = ST_OK;

    if (api->ca_file) {
        st = cli_http_trust(api->http, api->ca_file, err);
        if (st != ST_OK) {
            (void)err_wrap(err, "api.ca_file");
        } else {
            api->ca_file = NULL;
        }
    }

    drop_reply(api);
    api->method = request->method;
    buf_clear(&api->url);
    api_add_url(&api->url, request, api->base.data);
    for (unsigned n = 1; st == ST_OK && again; n++) {
        struct err no_answer = {0};

        (void)try_once(api, request, &answer, &no_answer); /* see answer and no_answer */
        uncertain |= answer.sent && (answer.status == 0 || answer.status >= 500);
        buf_clear(&why);
        if (status_of(&answer) == ST_OK) {
            break;
        }
        add_failure(api, &answer, &no_answer, &why);
        again = wait_for_next_try(api, n, &answer, &why);
    }
    api->reply.uncertain = uncertain;
    *out_reply = api->reply;
    if (st == ST_OK && why.len > 0) {
        st = err_set(err, status_of(&answer), "%s", why.data);
    }
    buf_free(&why);
    return st;
}
