/*
 * A request is made on one libcurl handle, which keeps its connection; the answer is gathered in
 * memory up to MAX_REPLY. The bridge is asked directly, at a TCP address or a Unix socket. A
 * provider is asked with its own authorities, where it has some.
 *
 * No answer is ST_UNREACHABLE with libcurl's reason, and a verdict whether asking again may
 * help. An answer is ST_OK whatever its status is: the caller knows what it means.
 */
#include "bridge/cli/http.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <json-c/json.h>

#include "common/authorities.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/net.h"

#include "bridge/cli/cli.h"
#include "bridge/cli/tree.h"
#include "bridge/tls/tls.h"

enum {
    MAX_REPLY = 4 * 1024 * 1024,
    MAX_AUTHORITIES = 4 * 1024 * 1024,
    USUAL_REPLY = 64 * 1024, /* a buffer that does not grow leaves no copies behind */
    API_TIMEOUT_MS = 30000,  /* well above the 10 s that Ricloud-Await may take */
    API_CONNECT_TIMEOUT_MS = 10000,
    STOP_MS = 5000, /* what a request that is under way has left once the user wants to stop */
};

struct cli_http {
    CURL *curl;
    bool is_api;
    int64_t timeout_ms;
    struct buf base; /* URL up to where a request's path starts */
    struct buf reply;
    char error[CURL_ERROR_SIZE];
    int stop_fd;        /* -1: none */
    int64_t stop_at_ms; /* 0: nobody wants to stop */
};

static size_t take_reply(char *data, size_t size, size_t count, void *ctx)
{
    struct cli_http *http = ctx;

    if (size * count > MAX_REPLY - http->reply.len) {
        return 0; /* libcurl gives up with CURLE_WRITE_ERROR */
    }
    buf_add(&http->reply, data, size * count);
    return size * count;
}

static enum status set_target(struct cli_http *http, const char *target, const char *scheme,
                              struct err *err)
{
    struct net_address address;
    enum status st;

    if (strncmp(target, "http://", 7) == 0 || strncmp(target, "https://", 8) == 0) {
        buf_add_str(&http->base, target);
        return ST_OK;
    }
    st = net_parse_address(target, &address, err);
    if (st != ST_OK) {
        return st;
    }
    if (address.family == NET_UNIX) {
        curl_easy_setopt(http->curl, CURLOPT_UNIX_SOCKET_PATH, address.host);
        buf_add_str(&http->base, "http://localhost");
        return ST_OK;
    }
    if (address.port == 0) {
        return err_set(err, ST_INVALID, "%s: port 0 is not where the bridge listens", target);
    }
    buf_addf(&http->base, address.family == NET_IPV6 ? "%s://[%s]:%u" : "%s://%s:%u", scheme,
             net_reachable_host(&address), address.port);
    return ST_OK;
}

/* libcurl calls it at least once a second. */
static int look_for_stop(void *ctx, curl_off_t to_get, curl_off_t got, curl_off_t to_send,
                         curl_off_t sent)
{
    struct cli_http *http = ctx;
    struct pollfd stop = {.fd = http->stop_fd, .events = POLLIN};

    (void)to_get;
    (void)got;
    (void)to_send;
    (void)sent;
    if (http->stop_at_ms == 0 && poll(&stop, 1, 0) > 0) {
        http->stop_at_ms = clock_mono_ms() + STOP_MS;
        cli_fail("waiting for the answer, %d s at most", STOP_MS / 1000);
    }
    return http->stop_at_ms != 0 && clock_mono_ms() >= http->stop_at_ms;
}

static struct cli_http *create(int64_t timeout_ms)
{
    struct cli_http *http = xalloc(sizeof(*http));

    http->curl = curl_easy_init();
    CHECK(http->curl);
    http->timeout_ms = timeout_ms;
    http->stop_fd = -1;
    buf_reserve(&http->reply, USUAL_REPLY);
    curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(http->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(http->curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(http->curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(http->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(http->curl, CURLOPT_ACCEPT_ENCODING, ""); /* some compress unasked */
    curl_easy_setopt(http->curl, CURLOPT_USERAGENT, "hook2mqtt/" HOOK2MQTT_VERSION);
    curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->error);
    curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, take_reply);
    curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, http);
    return http;
}

static enum status open_bridge(const char *target, const char *scheme, int64_t timeout_ms,
                               struct cli_http **out_http, struct err *err)
{
    struct cli_http *http = create(timeout_ms);
    enum status st = set_target(http, target, scheme, err);

    if (st != ST_OK) {
        cli_http_close(http);
        return st;
    }
    curl_easy_setopt(http->curl, CURLOPT_PROXY, ""); /* not the environment's */
    *out_http = http;
    return ST_OK;
}

enum status cli_http_open(const char *target, int64_t timeout_ms, struct cli_http **out_http,
                          struct err *err)
{
    return open_bridge(target, "http", timeout_ms, out_http, err);
}

static const char *choose_address(const struct config_list *listen)
{
    for (size_t i = 0; i < listen->count; i++) {
        if (strncmp(listen->items[i], "unix:", strlen("unix:")) == 0) {
            return listen->items[i];
        }
    }
    return listen->items[0];
}

/* It is the listener itself that we know, not an authority. */
static enum status expect(struct cli_http *http, const struct config_tls *tls, bool anybody,
                          struct err *err)
{
    struct buf pin = {0};
    enum status st = ST_OK;

    curl_easy_setopt(http->curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(http->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    if (!anybody) {
        st = tls_add_pin(tls->cert_file, &pin, err);
        if (st == ST_OK) {
            curl_easy_setopt(http->curl, CURLOPT_PINNEDPUBLICKEY, pin.data);
        }
    }
    buf_free(&pin);
    return st;
}

enum status cli_http_open_listener(const struct config_list *listen,
                                   const struct config_tls *tls, bool anybody,
                                   int64_t timeout_ms, struct cli_http **out_http,
                                   struct err *err)
{
    struct cli_http *http;
    const char *address;
    enum status st;

    CHECK(listen->count > 0);
    if (!tls->cert_file) {
        return cli_http_open(listen->items[0], timeout_ms, out_http, err);
    }
    address = choose_address(listen);
    st = open_bridge(address, "https", timeout_ms, &http, err);
    if (st == ST_OK && strncmp(address, "unix:", strlen("unix:")) != 0) {
        st = expect(http, tls, anybody, err);
        if (st != ST_OK) {
            cli_http_close(http);
            return st;
        }
    }
    if (st == ST_OK) {
        *out_http = http;
    }
    return st;
}

struct cli_http *cli_http_open_api(const char *url, int stop_fd)
{
    struct cli_http *http = create(API_TIMEOUT_MS);
    struct authorities system;

    http->is_api = true;
    http->stop_fd = stop_fd;
    curl_easy_setopt(http->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(http->curl, CURLOPT_XFERINFOFUNCTION, look_for_stop);
    curl_easy_setopt(http->curl, CURLOPT_XFERINFODATA, http);
    buf_add_str(&http->base, url);
    curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)API_CONNECT_TIMEOUT_MS);
    if (strncmp(url, "https:", 6) != 0) {
        curl_easy_setopt(http->curl, CURLOPT_PROXY, ""); /* it would read the token */
    }
    if (authorities_find(
            &system)) { /* libcurl knows only those of the system it was built on */
        curl_easy_setopt(http->curl, CURLOPT_CAINFO, system.bundle);
        curl_easy_setopt(http->curl, CURLOPT_CAPATH, system.folder);
    }
    return http;
}

/* Not by libcurl, which a pipe in the place of the file would keep waiting for ever. */
enum status cli_http_trust(struct cli_http *http, const char *path, struct err *err)
{
    struct buf pem = {0};
    struct curl_blob blob = {.flags = CURL_BLOB_COPY};
    enum status st = file_read_regular(path, MAX_AUTHORITIES, &pem, err);

    if (st == ST_OK) {
        blob.data = pem.data;
        blob.len = pem.len;
        curl_easy_setopt(http->curl, CURLOPT_CAINFO_BLOB, &blob);
        curl_easy_setopt(http->curl, CURLOPT_CAPATH, NULL);
    } else {
        st = err->status = ST_IO;
    }
    buf_free(&pem);
    return st;
}

void cli_http_close(struct cli_http *http)
{
    if (http) {
        curl_easy_cleanup(http->curl);
        buf_free(&http->base);
        buf_wipe(&http->reply);
        free(http);
    }
}

static struct curl_slist *add_header(struct curl_slist *headers, const char *line)
{
    headers = curl_slist_append(headers, line);
    CHECK(headers);
    return headers;
}

static struct curl_slist *add_headers(struct curl_slist *headers, const char *lines)
{
    struct buf line = {0};

    while (lines && *lines) {
        size_t len = strcspn(lines, "\n");

        buf_clear(&line);
        buf_add(&line, lines, len);
        headers = add_header(headers, line.data);
        lines += len + (lines[len] == '\n');
    }
    buf_wipe(&line);
    return headers;
}

static bool names_content_type(const struct curl_slist *headers)
{
    struct slice name = SLICE("Content-Type:");

    while (headers && strncasecmp(headers->data, name.data, name.len) != 0) {
        headers = headers->next;
    }
    return headers != NULL;
}

/* The request may contain a token. */
static void free_headers(struct curl_slist *headers)
{
    for (struct curl_slist *line = headers; line; line = line->next) {
        explicit_bzero(line->data, strlen(line->data));
    }
    curl_slist_free_all(headers);
}

static void set_request(struct cli_http *http, const struct cli_http_request *request,
                        const char *url, const struct curl_slist *headers)
{
    CURL *curl = http->curl;
    bool is_get = request->method ? strcmp(request->method, "GET") == 0 : !request->json;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, http->is_api && !is_get ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                     (long)(request->timeout_ms ? request->timeout_ms : http->timeout_ms));
    if (request->json) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->json->len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->json->data);
    } else {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static bool is_transient(CURLcode code)
{
    switch (code) {
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

static enum status no_answer(struct cli_http *http, CURLcode code, const char *url,
                             struct err *err)
{
    if (code == CURLE_WRITE_ERROR) {
        return err_set(err, ST_UNREACHABLE, "%s: the answer is larger than %d MiB", url,
                       MAX_REPLY / 1024 / 1024);
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        return err_set(err, ST_UNREACHABLE, "%s: interrupted before there was an answer", url);
    }
    return err_set(err, ST_UNREACHABLE, "%s: %s%s", url,
                   http->error[0] ? http->error : curl_easy_strerror(code),
                   code == CURLE_COULDNT_CONNECT && !http->is_api ? "; is the bridge running?"
                                                                  : "");
}

static enum status perform(struct cli_http *http, const char *url,
                           struct cli_http_reply *out_reply, struct err *err)
{
    curl_off_t retry_after_s = 0;
    long sent_bytes = 0;
    CURLcode code;

    buf_clear(&http->reply);
    http->error[0] = '\0';
    code = curl_easy_perform(http->curl);
    curl_easy_getinfo(http->curl, CURLINFO_REQUEST_SIZE, &sent_bytes);
    out_reply->sent = sent_bytes > 0;
    if (code != CURLE_OK) {
        out_reply->is_transient = is_transient(code);
        return no_answer(http, code, url, err);
    }
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &out_reply->status);
    curl_easy_getinfo(http->curl, CURLINFO_REDIRECT_URL, &out_reply->redirect);
    curl_easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &retry_after_s);
    out_reply->retry_after_s = retry_after_s < UINT_MAX ? (unsigned)retry_after_s : UINT_MAX;
    out_reply->body = buf_slice(&http->reply);
    return ST_OK;
}

enum status cli_http_run(struct cli_http *http, const struct cli_http_request *request,
                         struct cli_http_reply *out_reply, struct err *err)
{
    /* "Expect: 100-continue" would cost a round trip for nothing. */
    struct curl_slist *headers = add_header(NULL, "Expect:");
    struct buf url = {0};
    enum status st;

    *out_reply = (struct cli_http_reply){0};
    headers = add_headers(headers, request->header);
    if (request->json && !names_content_type(headers)) {
        headers = add_header(headers, "Content-Type: application/json");
    }
    buf_addf(&url, "%s%s", http->base.data, request->path);
    set_request(http, request, url.data, headers);
    st = perform(http, url.data, out_reply, err);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
    free_headers(headers);
    buf_free(&url);
    return st;
}

void cli_http_add_field(struct buf *out, const struct cli_http_reply *reply, const char *name,
                        const char *missing)
{
    struct json_object *answer = tree_parse(reply->body, NULL);
    struct json_object *value = NULL;

    json_object_object_get_ex(answer, name, &value);
    cli_add_safe(out, slice_of(value ? json_object_get_string(value) : missing));
    json_object_put(answer);
}

void cli_http_add_reason(struct buf *out, const struct cli_http_reply *reply)
{
    struct buf reason = {0};

    cli_http_add_field(&reason, reply, "reason", "");
    if (reason.len > 0) {
        buf_addf(out, " (%s)", reason.data);
    }
    buf_free(&reason);
}

bool cli_http_says(const struct cli_http_reply *reply, const char *status)
{
    struct buf said = {0};
    bool same;

    cli_http_add_field(&said, reply, "status", "");
    same = slice_equal(buf_slice(&said), slice_of(status));
    buf_free(&said);
    return same;
}

bool cli_http_is_taken(const struct cli_http_reply *reply)
{
    return reply->status / 100 == 2 && !cli_http_says(reply, "quarantined");
}

void cli_http_add_escaped(struct buf *out, const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);

    CHECK(escaped);
    buf_add_str(out, escaped);
    curl_free(escaped);
}
