/*
 * sample: what weavy would send for an event, made by the same script of its as the real thing.
 */
#include "bridge/cli/provider/weavy.h"

#include <stdlib.h>

#include "common/json.h"

#include "bridge/cli/bridge_http.h"
#include "bridge/cli/provider/json.h"

enum { TIMEOUT_MS = 10000 };

struct sample {
    struct weavy weavy;
    bool publish;
    const char *event;
    struct cli_http *http; /* to the running bridge, with --publish */
    struct buf path;
};

/* A delivery's body: what already is one passes as it is, a bare object is put into
 * `result`. */
static void make_body(struct slice item, struct buf *out)
{
    if (json_find(item, SLICE("result")).kind != JSON_ABSENT) {
        buf_add_slice(out, item);
    } else {
        buf_addf(out, "{\"result\":%.*s}", SLICE_ARG(item));
    }
}

/* `200 accepted 0190b8e4-… NewCustomer`, or `202 quarantined … NewCustomer (no_gid)` */
static void add_answer_line(struct buf *out, const struct sample *sample,
                            const struct cli_http_reply *reply)
{
    buf_addf(out, "%ld ", reply->status);
    cli_http_add_field(out, reply, reply->status / 100 == 2 ? "status" : "error", "-");
    buf_add_char(out, ' ');
    cli_http_add_field(out, reply, "id", "-");
    buf_add_char(out, ' ');
    cli_add_safe(out, slice_of(sample->event));
    cli_http_add_reason(out, reply);
}

static void add_answer_json(struct buf *out, const struct sample *sample,
                            const struct cli_http_reply *reply)
{
    static const char *const names[] = {"status", "id", "reason", "error", "message"};
    /* A proxy may answer for the bridge, in words of its own. */
    struct slice json = json_check(reply->body, NULL) == ST_OK ? reply->body : SLICE("null");

    buf_add_char(out, '{');
    cli_json_add_string(out, "event", sample->event);
    buf_addf(out, ",\"http_status\":%ld", reply->status);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char *text = cli_json_text(json, names[i]);

        buf_add_char(out, ',');
        cli_json_add_string(out, names[i], text);
        free(text);
    }
    buf_add_char(out, '}');
}

static int print_answer(const struct sample *sample, const struct cli_http_reply *reply)
{
    struct buf line = {0};

    (sample->weavy.reg.json ? add_answer_json : add_answer_line)(&line, sample, reply);
    registration_print(&line);
    buf_free(&line);
    return cli_http_is_taken(reply) ? EXIT_DONE : EXIT_FAILED;
}

static int publish(const struct sample *sample, struct slice item)
{
    struct cli_http_request request = {.path = sample->path.data};
    struct cli_http_reply reply = {0};
    struct buf body = {0};
    struct slice json;
    struct err err = {0};
    int status;

    make_body(item, &body);
    json = buf_slice(&body);
    request.json = &json;
    status = cli_http_run(sample->http, &request, &reply, &err) == ST_OK
                 ? print_answer(sample, &reply)
                 : cli_fail("%s", err.text);
    buf_free(&body);
    return status;
}

/* In JSON these stand between tokens only. */
static void add_on_one_line(struct buf *out, struct slice json)
{
    for (size_t i = 0; i < json.len; i++) {
        if (json.data[i] != '\n' && json.data[i] != '\r' && json.data[i] != '\t') {
            buf_add_char(out, json.data[i]);
        }
    }
}

/* One line of JSON; for people, nothing in it that a terminal obeys. */
static int print(const struct sample *sample, struct slice item)
{
    struct buf body = {0}, line = {0};

    make_body(item, &body);
    if (sample->weavy.reg.json) {
        add_on_one_line(&line, buf_slice(&body));
    } else {
        cli_add_safe(&line, buf_slice(&body));
    }
    registration_print(&line);
    buf_free(&body);
    buf_free(&line);
    return EXIT_DONE;
}

static int take(const struct sample *sample, struct slice item)
{
    return sample->publish ? publish(sample, item) : print(sample, item);
}

/* One {"result":{…}}, {"result":[…]}, or an array of either kind of item. */
static int take_all(const struct sample *sample, struct slice json)
{
    struct json_value result = json_find(json, SLICE("result"));
    struct slice items = json_kind_of(json) == JSON_ARRAY ? json : result.raw;
    struct slice item;
    struct err err = {0};
    int status = EXIT_DONE;
    size_t count = 0;

    if (json_kind_of(json) == JSON_OBJECT && result.kind == JSON_OBJECT) {
        return take(sample, json);
    }
    if (json_kind_of(json) != JSON_ARRAY && result.kind != JSON_ARRAY) {
        (void)cli_api_reject(sample->weavy.reg.api, ST_INVALID, "holds no sample", &err);
        return cli_fail("%s: %s", sample->event, err.text);
    }
    for (; cli_json_next(&items, &item); count++) {
        int one = take(sample, item);

        status = status == EXIT_DONE ? one : status;
    }
    return count ? status : cli_fail("%s: the API has no sample of it", sample->event);
}

/* Where deliveries of the event arrive. */
static enum status open_bridge(struct sample *sample, struct err *err)
{
    const struct config_source *source = sample->weavy.reg.source;
    const struct config_list *listen = &sample->weavy.reg.cli->config->ingress.listen;

    if (listen->count == 0) {
        return err_set(err, ST_MISSING,
                       "ingress.listen names no address to send the sample to");
    }
    weavy_add_url(&sample->path, source->provider, source->path, sample->event);
    return cli_http_open(listen->items[0], TIMEOUT_MS, &sample->http, err);
}

static int get_sample(struct sample *sample)
{
    struct cli_api_reply reply = {0};
    struct buf json = {0};
    struct err err = {0};
    enum status st;

    int status =
        sample->publish ? weavy_check_path(&sample->weavy.reg, sample->event) : EXIT_DONE;

    if (status != EXIT_DONE) {
        return status;
    }
    st = sample->publish ? open_bridge(sample, &err) : ST_OK;
    if (st == ST_OK) {
        buf_add_char(&json, '{');
        cli_json_add_string(&json, "event", sample->event);
        buf_add_char(&json, '}');
        st = weavy_call(&sample->weavy, "EPT_WebhookPerformList", buf_slice(&json), &reply,
                        &err);
        buf_free(&json);
    }
    if (st != ST_OK) {
        return cli_fail("%s: %s", sample->event, err.text);
    }
    if (sample->weavy.reg.dry_run) {
        return EXIT_DONE;
    }
    return take_all(sample, sample->publish ? reply.json : reply.shown);
}

int weavy_sample(struct cli *cli)
{
    struct sample sample = {0};
    const struct cli_option options[] = {
        {"--publish", CLI_FLAG, &sample.publish},
        REGISTRATION_OPTIONS(&sample.weavy.reg),
    };
    int status;

    if (!cli_arguments(cli, options, 1, 1)) {
        return EXIT_USAGE;
    }
    sample.event = cli->argv[1];
    if (!registration_check_name(cli, sample.event, "an event")) {
        return EXIT_USAGE;
    }
    status = weavy_begin(&sample.weavy, cli, true);
    status = status == EXIT_DONE ? get_sample(&sample) : status;
    cli_http_close(sample.http);
    buf_free(&sample.path);
    weavy_end(&sample.weavy);
    return status;
}
