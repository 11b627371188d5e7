/*
 * sample: a delivery for an event, made by the same script of weavy's as the real ones.
 * It is printed, or posted to the running bridge byte for byte, as weavy would. The API answers
 * with one sample or several, each ready to send or bare; which, is not documented.
 */
#include "bridge/cli/provider/weavy.h"

#include <json-c/json.h>

#include "common/json.h"

#include "bridge/cli/http.h"
#include "bridge/cli/tree.h"

enum { TIMEOUT_MS = 10000 };

/* The bridge and the path there, with --publish. */
struct target {
    struct cli_http *http;
    struct buf path;
};

/* A delivery's body: a bare object is put into `result`. */
static void make_body(struct slice item, struct buf *out)
{
    if (json_find(item, SLICE("result")).kind != JSON_ABSENT) {
        buf_add_slice(out, item);
    } else {
        buf_addf(out, "{\"result\":%.*s}", SLICE_ARG(item));
    }
}

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

/* Printed on one line of JSON; for people, without anything that a terminal obeys. */
static void print_or_publish(struct job *job, struct target *target, struct slice item)
{
    struct buf body = {0}, safe = {0};
    struct slice json;
    struct cli_http_request request = {.path = target->path.data, .json = &json};
    struct cli_http_reply reply = {0};

    make_body(item, &body);
    json = buf_slice(&body);
    if (!target->http) {
        cli_add_safe(&safe, json);
        puts(job->options.json ? body.data : safe.data);
    } else if (cli_http_run(target->http, &request, &reply, &job->err) == ST_OK) {
        print_answer(job, &reply);
    } else {
        job_end(job, cli_fail("%s", job->err.text));
    }
    buf_free(&body);
    buf_free(&safe);
}

/* json: one {"result":{…}}, {"result":[…]}, or an array of either kind of item. */
static void take_all(struct job *job, struct target *target, struct slice json)
{
    struct json_value result = json_find(json, SLICE("result"));
    bool is_array = json_kind_of(json) == JSON_ARRAY;
    struct slice items = is_array ? json : result.raw;
    struct slice item;
    size_t count = 0;

    if (!is_array && result.kind == JSON_OBJECT) {
        print_or_publish(job, target, json);
    } else if (!is_array && result.kind != JSON_ARRAY) {
        (void)job_reject(job, ST_INVALID, "contains no sample");
        job_end(job, cli_fail("%s: %s", job->cli->argv[1], job->err.text));
    } else {
        for (; tree_next_item(&items, &item); count++) {
            print_or_publish(job, target, item);
        }
        if (count == 0) {
            job_end(job, cli_fail("%s: the API has no sample of it", job->cli->argv[1]));
        }
    }
}

/* The bridge, at the path where deliveries of the event arrive. */
static enum status open_target(struct job *job, struct target *target)
{
    const struct config_list *listen = &job->cli->config->ingress.listen;

    if (listen->count == 0) {
        return err_set(&job->err, ST_MISSING,
                       "ingress.listen names no address to send the sample to");
    }
    weavy_add_url(&target->path, job->source->provider, job->source->path, job->cli->argv[1]);
    return cli_http_open(listen->items[0], TIMEOUT_MS, &target->http, &job->err);
}

enum status weavy_sample(struct job *job)
{
    bool publish = job->options.publish;
    const char *event = job->cli->argv[1];
    struct target target = {0};
    enum status st;

    if (publish && !weavy_check_path(job, event)) {
        return ST_OK; /* it has ended the command */
    }
    st = publish ? open_target(job, &target) : ST_OK;
    if (st == ST_OK) {
        st = weavy_call(job, "PerformList", &(struct subscription){.event = event});
    }
    if (st != ST_OK) {
        (void)err_wrap(&job->err, "%s", event);
    } else if (!job->options.dry_run) {
        /* Printed without secrets, sent as it is. */
        take_all(job, &target,
                 publish && job->reply.is_json ? job->reply.body
                                               : slice_of(tree_print(job->reply.shown)));
    }
    cli_http_close(target.http);
    buf_free(&target.path);
    return st;
}
