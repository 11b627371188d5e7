/*
 * sample: a delivery for an event, made by the same script of weavy's as the real ones.
 * It is printed, or posted to the running bridge byte for byte, as weavy would. The API answers
 * with one sample or several, each ready to send or bare; which, is not documented.
 */
#include <json-c/json.h>

#include "common/clock.h"
#include "common/json.h"

#include "bridge/cli/provider/internal.h"

enum { TIMEOUT_MS = 10000 };

/* Where samples are published. */
struct target {
    struct cli_http *bridge; /* NULL: they are only printed */
    struct buf path;         /* where deliveries of the event arrive */
};

/* `200 accepted 0190b8e4-… NewCustomer`, or `202 quarantined … NewCustomer (no_gid)` */
static void print_answer(struct job *job, const struct cli_http_reply *reply)
{
    /* A proxy may answer for the bridge, in words of its own. */
    struct json_object *answer = tree_parse(reply->body, NULL);
    struct json_object *object = TREE({"event", tree_string(job->cli->argv[1])},
                                      {"http_status", json_object_new_int64(reply->status)});

    TREE_PICK(object, answer, "status", "id", "reason", "error", "message");
    json_object_put(answer);
    job_print(job, object,
              reply->status / 100 != 2       ? "{http_status} {error} {id} {event}"
              : tree_text(object, "/reason") ? "{http_status} {status} {id} {event} ({reason})"
                                             : "{http_status} {status} {id} {event}");
    job->exit_status = cli_http_is_taken(reply) ? job->exit_status : EXIT_FAILED;
}

/* Posts a body to where deliveries of the event arrive. The API has the same sample each time, which
 * the bridge takes for a repeat: then once more with the time behind it, written in white space. */
static void publish(struct job *job, const struct target *target, struct buf *body)
{
    struct slice sent = buf_slice(body);
    struct cli_http_request request = {.path = target->path.data, .json = &sent};
    struct cli_http_reply reply = {0};
    enum status st = cli_http_run(target->bridge, &request, &reply, &job->err);

    if (st == ST_OK && cli_http_says(&reply, "duplicate")) {
        for (int64_t now = clock_unix_ms(); now > 0; now /= 2) {
            buf_add_char(body, now % 2 ? '\t' : ' ');
        }
        sent = buf_slice(body);
        st = cli_http_run(target->bridge, &request, &reply, &job->err);
    }
    if (st == ST_OK) {
        print_answer(job, &reply);
    } else {
        job->exit_status = cli_fail("%s", job->err.text);
    }
}

/* Publishes a sample, or prints it on one line of JSON; for people, without anything that a
 * terminal obeys. A bare object is put into `result`. */
static void take_one(struct job *job, const struct target *target, struct slice item)
{
    bool is_bare = json_find(item, SLICE("result")).kind == JSON_ABSENT;
    struct buf body = {0}, safe = {0};

    buf_addf(&body, is_bare ? "{\"result\":%.*s}" : "%.*s", SLICE_ARG(item));
    if (target->bridge) {
        publish(job, target, &body);
    } else {
        cli_add_safe(&safe, buf_slice(&body));
        puts(job->options.json ? body.data : safe.data);
    }
    buf_free(&body);
    buf_free(&safe);
}

/* json: one {"result":{…}}, {"result":[…]}, or an array of either kind of item. */
static enum status take_all(struct job *job, const struct target *target, struct slice json)
{
    bool is_array = json_kind_of(json) == JSON_ARRAY;
    struct json_value result = json_find(json, SLICE("result"));
    struct slice items = is_array ? json : result.raw, item;
    size_t count = 0;

    if (!is_array && result.kind == JSON_OBJECT) {
        take_one(job, target, json);
        return ST_OK;
    }
    if (!is_array && result.kind != JSON_ARRAY) {
        return job_reject(job, ST_INVALID, "contains no sample");
    }
    for (; tree_next_item(&items, &item); count++) {
        take_one(job, target, item);
    }
    return count ? ST_OK : err_set(&job->err, ST_NOT_FOUND, "the API has no sample of it");
}

static enum status open_bridge(struct job *job, struct target *target)
{
    const struct config_list *listen = &job->cli->config->ingress.listen;
    enum status st = weavy_add_url(&target->path, job, job->source->path, job->cli->argv[1]);

    if (st == ST_OK && listen->count == 0) {
        return err_set(&job->err, ST_MISSING,
                       "ingress.listen names no address to send the sample to");
    }
    return st == ST_OK ? cli_http_open(listen->items[0], TIMEOUT_MS, &target->bridge, &job->err)
                       : st;
}

enum status weavy_sample(struct job *job)
{
    const char *event = job->cli->argv[1];
    struct target target = {0};
    struct json_object *shown = NULL;
    enum status st = job->options.publish ? open_bridge(job, &target) : ST_OK;

    if (st != ST_OK) {
        return st;
    }
    st = weavy_call(job, WEAVY_SAMPLE, TEXTS({"event", event}));
    if (st == ST_OK && !job->options.dry_run) {
        /* Printed without secrets, sent as it is. */
        shown = secrets_hide(&job->api.secrets, job->reply.json);
        st = take_all(job, &target,
                      target.bridge && job->reply.is_json ? job->reply.http.body
                                                          : slice_of(tree_print(shown)));
        json_object_put(shown);
    }
    cli_http_close(target.bridge);
    buf_free(&target.path);
    return st == ST_OK ? ST_OK : err_wrap(&job->err, "%s", event);
}
