/*
 * A call is tried until it is answered, up to MAX_TRIES times and as long as the time lasts:
 *
 * - no connection, a connection that breaks, a time-out, 429, 5xx: again, after what Retry-After
 *   says, else after a growing and random while
 * - everything else that is no 2xx, and a certificate that is not right: would be the same again
 *
 * Whoever asks for something to be made hears if a try may have made it unseen (`uncertain`).
 */
#include "bridge/cli/provider/api_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sys/random.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"

#include "bridge/cli/cli.h"

enum {
    MAX_TRIES = 5,
    CONNECT_TIMEOUT_MS = 10000,
    TRY_TIMEOUT_MS = 30000, /* well above the 10 s that Ricloud-Await may take */
    FIRST_DELAY_MS = 500,   /* doubles */
    MAX_REPLY = 4 * 1024 * 1024,
    MAX_AUTHORITIES = 4 * 1024 * 1024,
    MAX_RETRY_AFTER_S = 24 * 3600, /* longer than anybody waits here */
};

static size_t take_reply(char *data, size_t size, size_t count, void *ctx)
{
    struct cli_api *api = ctx;

    if (size * count > MAX_REPLY - api->reply.len) {
        return 0; /* libcurl gives up with CURLE_WRITE_ERROR */
    }
    buf_add(&api->reply, data, size * count);
    return size * count;
}

static int64_t left_ms(const struct cli_api *api)
{
    int64_t left = api->deadline_ms - clock_mono_ms();

    return left > 0 ? left : 0;
}

/* The last request of a command, such as how a test went, gets a moment even if the time is
 * over. */
static long try_timeout_ms(const struct cli_api *api)
{
    int64_t left = left_ms(api);

    left = left > 1000 ? left : 1000;
    return (long)(left < TRY_TIMEOUT_MS ? left : TRY_TIMEOUT_MS);
}

static void set_options(struct cli_api *api, const struct cli_api_request *request,
                        const char *url)
{
    CURL *curl = api->curl;
    struct curl_blob authorities = {api->authorities.data, api->authorities.len,
                                    CURL_BLOB_NOCOPY};

    curl_easy_reset(curl); /* keeps the connection */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    /* On a kept connection that has died libcurl would send again by itself, and not say so. */
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT,
                     strcmp(request->method, "GET") != 0 ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (api->options.ca_file) {
        curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &authorities);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    if (strncmp(url, "https:", 6) != 0) {
        curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* it would read the token */
    }
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, try_timeout_ms(api));
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "hook2mqtt/" HOOK2MQTT_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, api->error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_reply);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, api);
    if (request->json.data) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->json.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->json.data);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

/* What may be shown of the answer. */
static void make_shown(struct cli_api *api)
{
    struct slice reply = buf_slice(&api->reply);

    buf_clear(&api->shown);
    api->is_json = json_check(reply, NULL) == ST_OK;
    if (api->is_json) {
        cli_api_hide_json(api, reply, &api->shown);
    } else {
        buf_add_slice(&api->shown, reply);
        (void)cli_api_hide_text(api, &api->shown);
    }
}

static struct attempt try_once(struct cli_api *api, const struct cli_api_request *request)
{
    struct attempt attempt = {0};
    /* "Expect: 100-continue" would cost a round trip for nothing. */
    struct curl_slist *headers =
        curl_slist_append(cli_api_headers(api, request, buf_slice(&api->token)), "Expect:");
    struct buf url = {0};
    curl_off_t retry_after_s = 0;
    long sent_bytes = 0;

    CHECK(headers);
    buf_clear(&api->reply);
    api->error[0] = '\0';
    buf_addf(&url, "%s%s", api->base.data, request->path);
    set_options(api, request, url.data);
    curl_easy_setopt(api->curl, CURLOPT_HTTPHEADER, headers);
    attempt.code = curl_easy_perform(api->curl);
    curl_easy_setopt(api->curl, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(api->curl, CURLOPT_URL, NULL);
    cli_api_free_headers(headers);
    buf_free(&url);
    curl_easy_getinfo(api->curl, CURLINFO_REQUEST_SIZE, &sent_bytes);
    curl_easy_getinfo(api->curl, CURLINFO_RETRY_AFTER, &retry_after_s);
    attempt.sent = sent_bytes > 0;
    if (attempt.code == CURLE_OK) {
        curl_easy_getinfo(api->curl, CURLINFO_RESPONSE_CODE, &attempt.status);
        curl_easy_getinfo(api->curl, CURLINFO_REDIRECT_URL, &attempt.redirect);
        attempt.retry_after_ms =
            (retry_after_s < MAX_RETRY_AFTER_S ? retry_after_s : MAX_RETRY_AFTER_S) * 1000;
    }
    if (attempt.code == CURLE_WRITE_ERROR) {
        (void)snprintf(api->error, sizeof(api->error), "the answer is larger than %d MiB",
                       MAX_REPLY / 1024 / 1024);
    }
    api->status = attempt.status;
    make_shown(api);
    return attempt;
}

static bool may_be_bad_luck(const struct attempt *attempt)
{
    switch (attempt->code) {
    case CURLE_OK:
        return attempt->status == 429 || attempt->status >= 500;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return true;
    default:
        return false;
    }
}

static bool may_have_been_done(const struct attempt *attempt)
{
    return attempt->sent && (attempt->code != CURLE_OK || attempt->status >= 500);
}

/* Doubles with each try; between half and all of it, so that many callers do not come at
 * once. */
static int64_t delay_ms(unsigned try_number, const struct attempt *attempt)
{
    int64_t full = (int64_t)FIRST_DELAY_MS << (try_number - 1);
    uint32_t random;

    if (attempt->retry_after_ms > 0) {
        return attempt->retry_after_ms;
    }
    CHECK(getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random));
    return full / 2 + random % (full / 2);
}

bool cli_api_wait(const struct cli_api *api, int64_t ms)
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

static void say_again(const struct cli_api *api, const struct attempt *attempt,
                      unsigned try_number, int64_t delay)
{
    struct buf why = {0};

    cli_api_add_failure(api, attempt, &why);
    cli_fail("%s; trying again in %.1f s (%u of %d)", why.data, (double)delay / 1000,
             try_number + 1, MAX_TRIES);
    buf_free(&why);
}

static enum status status_of(const struct attempt *attempt)
{
    if (attempt->code == CURLE_OK && attempt->status / 100 == 2) {
        return ST_OK;
    }
    if (may_be_bad_luck(attempt)) {
        return ST_UNREACHABLE;
    }
    switch (attempt->status) {
    case 401:
        return ST_UNAUTHENTIC;
    case 404:
    case 410:
        return ST_NOT_FOUND;
    default:
        return ST_REFUSED;
    }
}

static enum status end_call(const struct cli_api *api, const struct attempt *attempt,
                            int64_t unaffordable_ms, struct err *err)
{
    enum status st = status_of(attempt);
    struct buf why = {0};

    if (st == ST_OK) {
        return ST_OK;
    }
    cli_api_add_failure(api, attempt, &why);
    if (unaffordable_ms) {
        buf_addf(&why,
                 "; it wants to be asked again in %.0f s, which is more than --timeout leaves",
                 (double)unaffordable_ms / 1000);
    }
    err_set(err, st, "%s", why.data);
    buf_free(&why);
    return st;
}

/* Not by libcurl, which a pipe in the place of the file would keep waiting for ever. */
static enum status read_authorities(struct cli_api *api, struct err *err)
{
    if (!api->options.ca_file || api->authorities.len > 0) {
        return ST_OK;
    }
    if (file_read_regular(api->options.ca_file, MAX_AUTHORITIES, &api->authorities, err) !=
        ST_OK) {
        buf_clear(&api->authorities);
        (void)err_wrap(err, "api.ca_file");
        err->status = ST_IO;
        return ST_IO;
    }
    return ST_OK;
}

static void read_reply(const struct cli_api *api, struct cli_api_reply *reply)
{
    struct slice body = buf_slice(&api->reply);

    reply->status = api->status;
    reply->is_json = api->is_json;
    reply->is_empty = strspn(body.data, " \t\r\n") == body.len;
    if (reply->is_json) {
        reply->json = body;
        reply->shown = buf_slice(&api->shown);
    }
}

enum status cli_api_call(struct cli_api *api, const struct cli_api_request *request,
                         struct cli_api_reply *out_reply, struct err *err)
{
    struct cli_api_reply reply = {.json = SLICE("null"), .shown = SLICE("null")};
    struct attempt attempt;
    int64_t unaffordable_ms = 0;
    enum status st;

    *out_reply = reply;
    st = read_authorities(api, err);
    if (st != ST_OK) {
        return st;
    }
    buf_clear(&api->asked);
    buf_addf(&api->asked, "%s %s%s", request->method, api->base.data, request->path);
    for (unsigned n = 1;; n++) {
        int64_t delay;

        attempt = try_once(api, request);
        reply.uncertain |= may_have_been_done(&attempt);
        if (!may_be_bad_luck(&attempt) || n == MAX_TRIES) {
            break;
        }
        delay = delay_ms(n, &attempt);
        if (delay >= left_ms(api)) {
            unaffordable_ms = attempt.retry_after_ms;
            break;
        }
        say_again(api, &attempt, n, delay);
        (void)cli_api_wait(api, delay);
    }
    if (attempt.code == CURLE_OK) {
        read_reply(api, &reply);
    }
    *out_reply = reply;
    return end_call(api, &attempt, unaffordable_ms, err);
}
