/*
 * The headers are made once, as an object: --dry-run prints it, a call sends its members as lines.
 */
#include "bridge/cli/provider/request.h"

#include <string.h>

#include <json-c/json.h>

#include "bridge/cli/http.h"
#include "bridge/cli/tree.h"

void request_add_url(struct buf *out, const struct api_request *request, const char *base)
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

void request_add_headers(struct buf *out, const struct api_request *request, const char *scheme,
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

void request_add_text(struct buf *out, const struct api_request *request, const char *base,
                      const char *scheme, bool as_json)
{
    struct buf url = {0};
    struct json_object *object;

    request_add_url(&url, request, base);
    if (as_json) {
        object = TREE({"method", tree_string(request->method)}, {"url", tree_string(url.data)},
                      {"headers", headers_of(request, scheme, SLICE("***"))},
                      {"body", tree_raw(request->json)});
        buf_addf(out, "%s\n", tree_print(object));
        json_object_put(object);
    } else {
        buf_addf(out, "%s %s\n", request->method, url.data);
        request_add_headers(out, request, scheme, SLICE("***"));
        buf_addf(out, request->json ? "\n%s\n\n" : "%s\n", request->json ? request->json : "");
    }
    buf_free(&url);
}
