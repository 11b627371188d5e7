/*
 * What is shown of a call: what goes out with --dry-run, and what comes back when it fails. All
 * of it passes hide_secrets: an API may well send a token back in an error.
 */
#include "bridge/cli_api_internal.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"

#include "bridge/cli.h"
#include "bridge/cli_json.h"

enum { MAX_REASON = 360 }; /* bytes of struct err's text for the API's own words */

/* text with *** in place of each occurrence. */
static void hide_one(struct buf *text, struct slice secret)
{
    struct slice rest = buf_slice(text);
    struct buf shown = {0};
    const char *found;

    if (secret.len == 0 || rest.len == 0) {
        return;
    }
    while ((found = memmem(rest.data, rest.len, secret.data, secret.len)) != NULL) {
        size_t len = (size_t)(found - rest.data);

        buf_add(&shown, rest.data, len);
        buf_add_str(&shown, "***");
        rest = (struct slice){found + secret.len, rest.len - len - secret.len};
    }
    buf_add_slice(&shown, rest);
    buf_wipe(text);
    *text = shown;
}

static void hide_secrets(const struct cli_api *api, struct buf *text)
{
    hide_one(text, buf_slice(&api->token));
    for (size_t i = 0; i < api->hidden_count; i++) {
        hide_one(text, api->hidden[i]);
    }
}

static void add_why(const struct cli_api *api, const struct attempt *attempt, struct buf *out)
{
    struct buf body = {0}, why = {0};

    if (attempt->code != CURLE_OK) {
        buf_add_str(&why, api->error[0] ? api->error : curl_easy_strerror(attempt->code));
    } else if (attempt->redirect) {
        buf_addf(&why, "answered %ld, a redirect to %s, which is not followed", attempt->status,
                 attempt->redirect);
    } else {
        /* Once before anything is cut off, and once after what was escaped is decoded. */
        buf_add_slice(&body, buf_slice(&api->reply));
        hide_secrets(api, &body);
        cli_api_add_reason(&why, attempt->status, buf_slice(&body));
    }
    hide_secrets(api, &why);
    why.len = why.len < MAX_REASON ? why.len : MAX_REASON;
    cli_add_safe(out, buf_slice(&why));
    buf_wipe(&body);
    buf_wipe(&why);
}

void cli_api_add_failure(const struct cli_api *api, const struct cli_api_request *request,
                         const struct attempt *attempt, struct buf *out)
{
    buf_addf(out, "%s %s%s: ", request->method, api->base.data, request->path);
    add_why(api, attempt, out);
}

static struct curl_slist *add_line(struct curl_slist *lines, const char *line)
{
    lines = curl_slist_append(lines, line);
    CHECK(lines);
    return lines;
}

struct curl_slist *cli_api_headers(const struct cli_api *api,
                                   const struct cli_api_request *request, struct slice token)
{
    struct curl_slist *lines = add_line(NULL, "Accept: application/json");

    if (!request->anonymous) {
        struct buf line = {0};

        buf_addf(&line, "Authorization: %s %.*s", api->options.scheme, SLICE_ARG(token));
        lines = add_line(lines, line.data);
        buf_wipe(&line);
    }
    if (request->json.data) {
        lines = add_line(lines, "Content-Type: application/json");
    }
    return request->header ? add_line(lines, request->header) : lines;
}

static void add_header_members(struct buf *out, const struct curl_slist *lines)
{
    for (const struct curl_slist *line = lines; line; line = line->next) {
        size_t name_len = strcspn(line->data, ":");

        buf_add_str(out, line == lines ? "" : ",");
        json_add_string(out, (struct slice){line->data, name_len});
        buf_add_char(out, ':');
        json_add_string(out, slice_of(line->data + name_len + 2));
    }
}

void cli_api_print(const struct cli_api *api, const struct cli_api_request *request)
{
    struct curl_slist *lines = cli_api_headers(api, request, SLICE("***"));
    struct buf out = {0}, url = {0};

    buf_addf(&url, "%s%s", api->base.data, request->path);
    if (api->options.dry_run_json) {
        buf_addf(&out, "{\"method\":\"%s\",", request->method);
        cli_json_add_string(&out, "url", url.data);
        buf_add_str(&out, ",\"headers\":{");
        add_header_members(&out, lines);
        buf_add_str(&out, "},\"body\":");
        buf_add_slice(&out, request->json.data ? request->json : SLICE("null"));
        buf_add_str(&out, "}\n");
    } else {
        buf_addf(&out, "%s %s\n", request->method, url.data);
        for (const struct curl_slist *line = lines; line; line = line->next) {
            buf_addf(&out, "%s\n", line->data);
        }
        buf_addf(&out, request->json.data ? "\n%.*s\n\n" : "%.*s\n", SLICE_ARG(request->json));
    }
    hide_secrets(api, &out);
    (void)fwrite(out.data, 1, out.len, stdout); /* main looks whether it has arrived */
    buf_free(&out);
    buf_free(&url);
    curl_slist_free_all(lines);
}
