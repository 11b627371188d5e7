/*
 * What is shown of a call: what goes out with --dry-run, and what comes back when it fails.
 */
#include "bridge/cli/provider/api_internal.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"

#include "bridge/cli/cli.h"
#include "bridge/cli/provider/json.h"

enum { MAX_REASON = 360 }; /* bytes of struct err's text for the API's own words */

/* The last call's answer in the API's own words, cut to what an error has room for. */
static void add_answer(const struct cli_api *api, struct buf *out)
{
    struct buf why = {0};

    cli_api_add_reason(&why, api->status, buf_slice(&api->shown));
    why.len = why.len < MAX_REASON ? why.len : MAX_REASON;
    cli_add_safe(out, buf_slice(&why));
    buf_free(&why);
}

static void add_why(const struct cli_api *api, const struct attempt *attempt, struct buf *out)
{
    struct buf why = {0};

    if (attempt->code == CURLE_OK && !attempt->redirect) {
        add_answer(api, out);
        return;
    }
    if (attempt->redirect) {
        /* What is behind a ? may be anything, such as what was sent. */
        buf_addf(&why, "answered %ld, a redirect to %.*s, which is not followed",
                 attempt->status, (int)strcspn(attempt->redirect, "?#"), attempt->redirect);
    } else {
        buf_add_str(&why, api->error[0] ? api->error : curl_easy_strerror(attempt->code));
    }
    (void)cli_api_hide_text(api, &why);
    cli_add_safe(out, buf_slice(&why));
    buf_free(&why);
}

void cli_api_add_failure(const struct cli_api *api, const struct attempt *attempt,
                         struct buf *out)
{
    buf_addf(out, "%s: ", api->asked.data);
    add_why(api, attempt, out);
}

enum status cli_api_reject(const struct cli_api *api, enum status st, const char *what,
                           struct err *err)
{
    struct buf why = {0};

    add_answer(api, &why);
    err_set(err, st, "the API's answer %s: %s: %s", what, api->asked.data, why.data);
    buf_free(&why);
    return st;
}

void cli_api_add_hidden(const struct cli_api *api, struct buf *out, const char *text)
{
    struct buf shown = {0};

    buf_add_str(&shown, text);
    (void)cli_api_hide_text(api, &shown);
    buf_add_slice(out, buf_slice(&shown));
    buf_free(&shown);
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

        buf_reserve(&line, token.len + 128); /* it leaves no copy behind by growing */
        buf_addf(&line, "Authorization: %s %.*s", api->options.scheme, SLICE_ARG(token));
        lines = add_line(lines, line.data);
        buf_wipe(&line);
    }
    if (request->json.data) {
        lines = add_line(lines, "Content-Type: application/json");
    }
    return request->header ? add_line(lines, request->header) : lines;
}

void cli_api_free_headers(struct curl_slist *lines)
{
    for (struct curl_slist *line = lines; line; line = line->next) {
        explicit_bzero(line->data, strlen(line->data));
    }
    curl_slist_free_all(lines);
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

static void add_request_json(const struct cli_api *api, const struct cli_api_request *request,
                             const char *url, const struct curl_slist *lines, struct buf *out)
{
    struct buf json = {0};

    buf_addf(&json, "{\"method\":\"%s\",", request->method);
    cli_json_add_string(&json, "url", url);
    buf_add_str(&json, ",\"headers\":{");
    add_header_members(&json, lines);
    buf_add_str(&json, "},\"body\":");
    buf_add_slice(&json, request->json.data ? request->json : SLICE("null"));
    buf_add_str(&json, "}\n");
    cli_api_hide_json(api, buf_slice(&json), out);
    buf_wipe(&json);
}

static void add_request_text(const struct cli_api *api, const struct cli_api_request *request,
                             const char *url, const struct curl_slist *lines, struct buf *out)
{
    buf_addf(out, "%s %s\n", request->method, url);
    for (const struct curl_slist *line = lines; line; line = line->next) {
        buf_addf(out, "%s\n", line->data);
    }
    buf_addf(out, request->json.data ? "\n%.*s\n\n" : "%.*s\n", SLICE_ARG(request->json));
    (void)cli_api_hide_text(api, out);
}

void cli_api_print(const struct cli_api *api, const struct cli_api_request *request)
{
    struct curl_slist *lines = cli_api_headers(api, request, SLICE("***"));
    struct buf out = {0}, url = {0};

    buf_addf(&url, "%s%s", api->base.data, request->path);
    (api->options.dry_run_json ? add_request_json : add_request_text)(api, request, url.data,
                                                                      lines, &out);
    (void)fwrite(out.data, 1, out.len, stdout); /* main looks whether it has arrived */
    buf_free(&out);
    buf_free(&url);
    cli_api_free_headers(lines);
}
