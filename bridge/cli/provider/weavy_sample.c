/*
 * sample: a delivery for an event, made by the same script of weavy's as the real ones.
 * It is printed, or posted to the running bridge byte for byte, as weavy would. The API answers
 * with one sample or several, each ready to send or bare; which, is not documented.
 */
#include <json-c/json.h>

#include "common/json.h"

#include "bridge/cli/provider/internal.h"

enum { TIMEOUT_MS = 10000 };

/* `200 accepted 0190b8e4-… NewCustomer`, or `202 quarantined … NewCustomer (no_gid)` */
static void print_answer(struct job *job, const struct cli_http_reply *reply)
{
    static const char *const names[] = {"status", "id", "reason", "error", "message", NULL};
    /* A proxy may answer for the bridge, in words of its own. */
    struct json_object *answer = tree_parse(reply->body, NULL);
    struct json_object *object = TREE({"event", tree_string(job->cli->argv[1])},
                                      {"http_status", json_object_new_int64(reply->status)});

    tree_pick(object, answer, names);
    json_object_put(answer);
    job_print(job, object,
              reply->status / 100 != 2       ? "{http_status} {error} {id} {event}"
              : tree_text(object, "/reason") ? "{http_status} {status} {id} {event} ({reason})"
                                             : "{http_status} {status} {id} {event}");
    job_end(job, cli_http_is_taken(reply) ? EXIT_DONE : EXIT_FAILED);
}

/* Posts a body to the path where deliveries of the event arrive. */
static void publish(struct job *job, struct cli_http *bridge, struct slice body)
{
    struct buf path = {0};
    struct cli_http_request request = {.json = &body};
    struct cli_http_reply reply = {0};

    weavy_add_url(&path, job->source->provider, job->source->path, job->cli->argv[1]);
    request.path = path.data;
    if (cli_http_run(bridge, &request, &reply, &job->err) == ST_OK) {
        print_answer(job, &reply);
    } else {
        job_end(job, cli_fail("%s", job->err.text));
    }
    buf_free(&path);
}

/* A bare object is put into `result`. bridge: NULL prints it on one line of JSON; for people,
 * without anything that a terminal obeys. */
static void take_one(struct job *job, struct cli_http *bridge, struct slice item)
{
    bool is_bare = json_find(item, SLICE("result")).kind == JSON_ABSENT;
    struct buf body = {0}, safe = {0};

    buf_addf(&body, is_bare ? "{\"result\":%.*s}" : "%.*s", SLICE_ARG(item));
    cli_add_safe(&safe, buf_slice(&body));
    if (bridge) {
        publish(job, bridge, buf_slice(&body));
    } else {
        puts(job->options.json ? body.data : safe.data);
    }
    buf_free(&body);
    buf_free(&safe);
}

/* json: one {"result":{…}}, {"result":[…]}, or an array of either kind of item. */
static enum status take_all(struct job *job, struct cli_http *bridge, struct slice json)
{
    struct json_value result = json_find(json, SLICE("result"));
    bool is_array = json_kind_of(json) == JSON_ARRAY;
    struct slice items = is_array ? json : result.raw;
    struct slice item;
    size_t count = 0;

    if (!is_array && result.kind == JSON_OBJECT) {
        take_one(job, bridge, json);
        return ST_OK;
    }
    if (!is_array && result.kind != JSON_ARRAY) {
        return job_reject(job, ST_INVALID, "contains no sample");
    }
    for (; tree_next_item(&items, &item); count++) {
        take_one(job, bridge, item);
    }
    return count ? ST_OK : err_set(&job->err, ST_NOT_FOUND, "the API has no sample of it");
}

/* Where to publish; none, if that is not wanted. */
static enum status open_bridge(struct job *job, struct cli_http **out_bridge)
{
    const struct config_list *listen = &job->cli->config->ingress.listen;

    if (!job->options.publish) {
        return ST_OK;
    }
    return listen->count ? cli_http_open(listen->items[0], TIMEOUT_MS, out_bridge, &job->err)
                         : err_set(&job->err, ST_MISSING,
                                   "ingress.listen names no address to send the sample to");
}

enum status weavy_sample(struct job *job)
{
    const char *event = job->cli->argv[1];
    struct cli_http *bridge = NULL;
    struct json_object *shown = NULL;
    enum status st;

    if (job->options.publish && !weavy_check_path(job, event)) {
        return ST_OK; /* it has ended the command */
    }
    st = open_bridge(job, &bridge);
    if (st == ST_OK) {
        st = weavy_call(job, "PerformList", TREE({"event", tree_string(event)}));
    }
    if (st == ST_OK && !job->options.dry_run) {
        /* Printed without secrets, sent as it is. */
        shown = secrets_hide(&job->api.secrets, job->reply.json);
        st = take_all(job, bridge,
                      bridge && job->reply.is_json ? job->reply.http.body
                                                   : slice_of(tree_print(shown)));
        json_object_put(shown);
    }
    cli_http_close(bridge);
    return st == ST_OK ? ST_OK : err_wrap(&job->err, "%s", event);
}
