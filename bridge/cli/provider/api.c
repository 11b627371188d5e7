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
#include <poll.h>
#include <string.h>

#include <sys/random.h>

#include <json-c/json.h>

#include "common/clock.h"
#include "common/utf8.h"

#include "bridge/cli/provider/internal.h"

enum {
    MAX_TRIES = 5,
    FIRST_DELAY_MS = 500, /* doubles */
    TRY_TIMEOUT_MS = 30000,
    LAST_TRY_MS = 1000, /* for a command's last question, such as how a test went */
    MAX_WORDS = 200,    /* bytes of each of the API's own words in an error */
};

void api_open(struct job *job, const char *scheme)
{
    const struct config_source *source = job->source;
    struct api *api = &job->api;

    api->scheme = scheme;
    api->ca_file = source->api.ca_file;
    api->deadline_ms = clock_mono_ms() + job->options.timeout_ms;
    buf_add_str(&api->base, source->provider->api_url);
    while (api->base.data[api->base.len - 1] == '/') {
        api->base.data[--api->base.len] = '\0';
    }
    secrets_add(&api->secrets, buf_slice(&source->api.token));
    secrets_add(&api->secrets, buf_slice(&source->api.password));
    api->http = cli_http_open_api(api->base.data, job->stop_fd);
}

void api_close(struct job *job)
{
    tree_wipe(job->sent);
    tree_wipe(job->reply.json);
    cli_http_close(job->api.http);
    secrets_wipe(&job->api.secrets);
    buf_wipe(&job->api.token);
    buf_free(&job->api.base);
}

enum status api_set_token(struct job *job, struct slice token)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.data[i] <= ' ' || token.data[i] > '~') {
            return err_set(&job->err, ST_INVALID,
                           "the token contains a character that no HTTP header can have");
        }
    }
    buf_wipe(&job->api.token);
    buf_add_slice(&job->api.token, token);
    secrets_add(&job->api.secrets, token);
    return ST_OK;
}

bool api_is_segment(const char *text)
{
    return text[0] && strcmp(text, ".") != 0 && strcmp(text, "..") != 0 &&
           utf8_is_fit(slice_of(text));
}

/* ---- one try ---- */

void api_make(struct job *job, const struct request *request)
{
    struct json_object *headers = TREE({"Accept", tree_string("application/json")});
    struct slice token = job->options.dry_run ? SLICE("***") : buf_slice(&job->api.token);
    struct buf url = {0}, value = {0};

    buf_addf(&url, "%s%s", job->api.base.data, request->path);
    if (request->id) {
        buf_add_char(&url, '/');
        cli_http_add_escaped(&url, request->id);
    }
    buf_add_str(&url, request->more ? request->more : "");
    if (!request->anonymous) {
        buf_reserve(&value, token.len + 64); /* growing would leave a copy behind */
        buf_addf(&value, "%s %.*s", job->api.scheme, SLICE_ARG(token));
        json_object_object_add(headers, "Authorization", tree_string(value.data));
    }
    if (request->json) {
        json_object_object_add(headers, "Content-Type", tree_string("application/json"));
    }
    if (request->await) {
        json_object_object_add(headers, "Ricloud-Await", tree_string(request->await));
    }
    tree_wipe(job->sent);
    job->sent = TREE({"method", tree_string(request->method)}, {"url", tree_string(url.data)},
                     {"headers", headers}, {"body", request->json});
    buf_wipe(&value);
    buf_free(&url);
}

static void add_headers(struct buf *out, struct json_object *sent)
{
    json_object_object_foreach(tree_at(sent, "/headers"), name, value)
    {
        buf_addf(out, "%s: %s\n", name, json_object_get_string(value));
    }
}

void api_add_request(struct buf *out, const struct job *job)
{
    struct json_object *shown = secrets_hide(&job->api.secrets, job->sent);
    struct json_object *body = tree_at(shown, "/body");

    if (job->options.json) {
        buf_addf(out, "%s\n", tree_print(shown));
    } else {
        buf_addf(out, "%s %s\n", tree_text(shown, "/method"), tree_text(shown, "/url"));
        add_headers(out, shown);
        buf_addf(out, body ? "\n%s\n\n" : "\n", tree_print(body));
    }
    json_object_put(shown);
}

/* ---- why a try failed ---- */

/* Adds a part of an answer, cut, with a text before it; nothing for an empty object. */
static void add_part(struct buf *out, const struct job *job, const char *before,
                     struct json_object *part)
{
    struct json_object *shown = secrets_hide(&job->api.secrets, part);
    const char *text = tree_text(shown, "");

    text = text ? text : tree_print(shown);
    if (part && strcmp(text, "{}") != 0) {
        buf_addf(out, "%s%.*s", before, MAX_WORDS, text);
    }
    json_object_put(shown);
}

void api_add_answer(struct buf *out, const struct job *job)
{
    static const char *const names[][6] = {
        {"/error", "/error/code", "/code"},
        {"/message", "/error/message", "/error_description", "/Message", "/detail"},
    };
    const struct reply *reply = &job->reply;
    const char *redirect = reply->http.redirect;
    /* The query may contain anything, such as the request. */
    struct json_object *to =
        redirect ? json_object_new_string_len(redirect, (int)strcspn(redirect, "?#")) : NULL;

    buf_addf(out, "%s %s: answered %ld", tree_text(job->sent, "/method"),
             tree_text(job->sent, "/url"), reply->http.status);
    if (!redirect && !reply->is_json) {
        buf_add_str(out, ", but not with JSON");
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *const *name = names[i];

        while (*name && !tree_text(reply->json, *name)) {
            name++;
        }
        add_part(out, job, ": ", *name ? tree_at(reply->json, *name) : NULL);
    }
    add_part(out, job, ", ", tree_at(reply->json, "/params"));
    add_part(out, job, ", a redirect that is not followed, to ", to);
    json_object_put(to);
}

enum status job_reject(struct job *job, enum status st, const char *what)
{
    struct buf answer = {0};

    if (job->options.dry_run) {
        return ST_OK;
    }
    api_add_answer(&answer, job);
    err_set(&job->err, st, "the API's answer %s: %s", what, answer.data);
    buf_free(&answer);
    return st;
}

/* ---- tries ---- */

static int64_t left_ms(const struct job *job)
{
    int64_t left = job->api.deadline_ms - clock_mono_ms();

    return left > 0 ? left : 0;
}

static enum status status_of(const struct cli_http_reply *answer)
{
    if (answer->is_transient || answer->status == 429 || answer->status >= 500) {
        return ST_UNREACHABLE;
    }
    if (answer->status == 404 || answer->status == 410) {
        return ST_NOT_FOUND;
    }
    return answer->status / 100 == 2 ? ST_OK
           : answer->status == 401   ? ST_UNAUTHENTIC
                                     : ST_REFUSED;
}

/* why: it failed. */
static enum status try_once(struct job *job, struct buf *why)
{
    int64_t left = left_ms(job) < TRY_TIMEOUT_MS ? left_ms(job) : TRY_TIMEOUT_MS;
    struct json_object *body = tree_at(job->sent, "/body");
    struct slice json = slice_of(body ? tree_print(body) : NULL);
    struct reply *reply = &job->reply;
    struct buf headers = {0};
    struct cli_http_request request = {
        .method = tree_text(job->sent, "/method"),
        .path = tree_text(job->sent, "/url") + job->api.base.len,
        .json = body ? &json : NULL,
        .timeout_ms = left > LAST_TRY_MS ? left : LAST_TRY_MS,
    };
    struct err no_answer = {0};

    buf_reserve(&headers, job->api.token.len + 512);
    add_headers(&headers, job->sent);
    request.header = headers.data;
    buf_clear(why);
    if (cli_http_run(job->api.http, &request, &reply->http, &no_answer) != ST_OK) {
        buf_addf(why, "%s ", request.method);
        (void)secrets_add_hidden(&job->api.secrets, why, slice_of(no_answer.text));
    }
    buf_wipe(&headers);
    tree_wipe(reply->json);
    reply->json = tree_parse(reply->http.body, &reply->is_json);
    reply->is_json |= slice_trim(reply->http.body, " \t\r\n").len == 0;
    reply->uncertain |= reply->http.sent && strcmp(request.method, "GET") != 0 &&
                        (reply->http.status == 0 || reply->http.status >= 500);
    if (reply->http.status) {
        api_add_answer(why, job);
    }
    return status_of(&reply->http);
}

int64_t api_retry_delay_ms(unsigned n, unsigned retry_after_s, uint32_t random)
{
    int64_t full = (int64_t)FIRST_DELAY_MS << (n - 1);

    return retry_after_s ? (int64_t)retry_after_s * 1000 : full - random % (full / 2);
}

bool job_is_stopped(const struct job *job)
{
    return poll(&(struct pollfd){.fd = job->stop_fd, .events = POLLIN}, 1, 0) > 0;
}

bool job_wait(const struct job *job, int64_t ms)
{
    int64_t left = left_ms(job);
    struct pollfd stop = {.fd = job->stop_fd, .events = POLLIN};

    return left > 0 && poll(&stop, 1, (int)(ms < left ? ms : left)) <= 0;
}

/* Waits until it is time for another try. False: there is none. */
static bool wait_for_next_try(const struct job *job, unsigned n, struct buf *why)
{
    unsigned retry_after_s = job->reply.http.retry_after_s;
    uint32_t random;
    int64_t delay;

    CHECK(getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random));
    delay = api_retry_delay_ms(n, retry_after_s, random);
    if (n == MAX_TRIES || job_is_stopped(job)) {
        return false;
    }
    if (delay < left_ms(job)) {
        cli_fail("%s; trying again in %.1f s (%u of %d)", why->data, (double)delay / 1000,
                 n + 1, MAX_TRIES);
        return job_wait(job, delay);
    }
    if (retry_after_s) {
        buf_addf(why,
                 "; it wants to be asked again in %u s, which is more than --timeout leaves",
                 retry_after_s);
    }
    return false;
}

static enum status call(struct job *job)
{
    struct buf why = {0};
    enum status st = ST_OK;
    unsigned n = 0;

    if (job->api.ca_file) {
        st = cli_http_trust(job->api.http, job->api.ca_file, &job->err);
        if (st != ST_OK) {
            return err_wrap(&job->err, "api.ca_file");
        }
        job->api.ca_file = NULL;
    }
    do {
        st = try_once(job, &why);
    } while (st == ST_UNREACHABLE && wait_for_next_try(job, ++n, &why));
    if (st != ST_OK) {
        err_set(&job->err, st, "%s", why.data);
    }
    buf_free(&why);
    return st;
}

enum status job_call(struct job *job, const struct request *request)
{
    struct buf text = {0};

    tree_wipe(job->reply.json);
    job->reply = (struct reply){0};
    api_make(job, request);
    if (job->options.dry_run) {
        api_add_request(&text, job);
        (void)fputs(text.data, stdout); /* main looks whether it has arrived */
        buf_free(&text);
        return ST_OK;
    }
    if (job_is_stopped(job)) {
        return err_set(&job->err, ST_CLOSED, "interrupted before it was asked for");
    }
    return request->anonymous || job->api.token.len > 0
               ? call(job)
               : err_set(&job->err, ST_MISSING, "source %s has no api.token",
                         job->source->name);
}

void job_keep(struct job *job, struct json_object **kept)
{
    tree_wipe(*kept);
    *kept = job->reply.json;
    job->reply.json = NULL;
}
