#include "bridge/cli/provider/api_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/net.h"
#include "common/utf8.h"

/* ---- the address ---- */

static char *url_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;

    return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

static bool is_this_machine(const char *host)
{
    struct net_address address;
    struct buf text = {0};
    bool is;

    buf_addf(&text, "%s:1", host);
    is = net_parse_address(text.data, &address, NULL) == ST_OK && net_is_loopback(&address);
    buf_free(&text);
    return is;
}

static enum status check_parts(CURLU *url, const char *text, struct err *err)
{
    char *scheme = url_part(url, CURLUPART_SCHEME);
    char *host = url_part(url, CURLUPART_HOST);
    char *user = url_part(url, CURLUPART_USER);
    char *query = url_part(url, CURLUPART_QUERY);
    char *fragment = url_part(url, CURLUPART_FRAGMENT);
    enum status st = ST_OK;

    if (user || query || fragment) {
        st = err_set(err, ST_INVALID,
                     "the API's URL must have no user, query or fragment in it");
    } else if (!scheme || !host ||
               (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)) {
        st = err_set(err, ST_INVALID, "%s: not a URL such as https://api.example", text);
    } else if (strcmp(scheme, "http") == 0 && !is_this_machine(host)) {
        st = err_set(err, ST_INVALID,
                     "%s: without TLS everybody on the way could read the token; use https",
                     text);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(query);
    curl_free(fragment);
    return st;
}

static enum status check_url(const char *text, struct err *err)
{
    CURLU *url = curl_url();
    enum status st;

    CHECK(url);
    st = curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK
             ? check_parts(url, text, err)
             : err_set(err, ST_INVALID, "%s: not a URL such as https://api.example", text);
    curl_url_cleanup(url);
    return st;
}

/* ---- life ---- */

/* So that few copies of what is secret in an answer stay behind while it grows. */
enum { USUAL_REPLY = 64 * 1024 };

enum status cli_api_open(const struct cli_api_options *options, struct cli_api **out_api,
                         struct err *err)
{
    struct cli_api *api;
    enum status st = check_url(options->url, err);

    if (st != ST_OK) {
        return st;
    }
    api = xalloc(sizeof(*api));
    api->options = *options;
    api->curl = curl_easy_init();
    CHECK(api->curl);
    api->deadline_ms = clock_mono_ms() + options->timeout_ms;
    buf_reserve(&api->reply, USUAL_REPLY);
    buf_add_str(&api->base, options->url);
    while (api->base.data[api->base.len - 1] == '/') {
        api->base.data[--api->base.len] = '\0';
    }
    *out_api = api;
    return ST_OK;
}

void cli_api_close(struct cli_api *api)
{
    if (api) {
        curl_easy_cleanup(api->curl);
        for (size_t i = 0; i < api->hidden_count; i++) {
            buf_wipe(&api->hidden[i]);
        }
        buf_free(&api->base);
        buf_free(&api->authorities);
        buf_wipe(&api->token);
        buf_free(&api->asked);
        buf_wipe(&api->reply);
        buf_free(&api->shown);
        free(api);
    }
}

enum status cli_api_set_token(struct cli_api *api, struct slice token, struct err *err)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.data[i] <= ' ' || token.data[i] > '~') {
            return err_set(err, ST_INVALID,
                           "the token holds a character that no HTTP header can have");
        }
    }
    buf_wipe(&api->token);
    buf_add_slice(&api->token, token);
    return ST_OK;
}

bool cli_api_has_token(const struct cli_api *api)
{
    return api->token.len > 0;
}

void cli_api_hide(struct cli_api *api, struct slice secret)
{
    CHECK(api->hidden_count < MAX_HIDDEN);
    buf_add_slice(&api->hidden[api->hidden_count++], secret);
}

const char *cli_api_url(const struct cli_api *api)
{
    return api->base.data;
}

void cli_api_add_escaped(struct buf *out, const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);

    CHECK(escaped);
    buf_add_str(out, escaped);
    curl_free(escaped);
}

bool cli_api_is_segment(const char *text)
{
    return text[0] && strcmp(text, ".") != 0 && strcmp(text, "..") != 0 &&
           utf8_is_fit(slice_of(text));
}
