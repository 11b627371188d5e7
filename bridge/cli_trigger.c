/*
 * trigger - sends sample events to the running bridge, signed as the source's provider would.
 */
#include "bridge/cli.h"

#include <stdlib.h>
#include <string.h>

#include <sys/random.h>

#include "common/clock.h"
#include "common/nearest.h"

#include "bridge/cli_http.h"
#include "bridge/provider.h"
#include "bridge/verify.h"

enum { TIMEOUT_MS = 10000 };

struct trigger {
    const struct config_source *source;
    const char *gid; /* NULL: each event gets its own */
    const char *url; /* NULL: where the bridge listens */
    uint64_t count;
    bool list, all;

    struct verifier *signer;
    struct cli_http *http;
    const char *path;
    uint64_t number; /* makes each body its own, also from one call to the next */
    bool refused;    /* at least one was not answered 2xx */
    struct buf body, header, line;
};

/* One pair of the provider's catalogue. */
struct pair {
    const struct provider_sample *sample;
    const char *event;
};

typedef enum status pair_fn(struct trigger *trigger, const struct pair *pair, struct err *err);

/* Calls for every pair; ends with the first that does not return ST_OK. */
static enum status each_pair(struct trigger *trigger, pair_fn *call, struct err *err)
{
    enum status st = ST_OK;

    for (const struct provider_sample *sample = trigger->source->provider->samples;
         sample->resource_type; sample++) {
        for (size_t i = 0; st == ST_OK && sample->events[i]; i++) {
            st = call(trigger, &(struct pair){sample, sample->events[i]}, err);
        }
    }
    return st;
}

static enum status print_pair(struct trigger *trigger, const struct pair *pair, struct err *err)
{
    (void)trigger;
    (void)err;
    printf("%s:%s\n", pair->sample->resource_type, pair->event);
    return ST_OK;
}

static enum status make_body(struct trigger *trigger, const struct pair *pair, const char *gid,
                             struct err *err)
{
    enum status st;

    buf_clear(&trigger->body);
    buf_clear(&trigger->header);
    provider_sample_body(trigger->source->provider, pair->sample, pair->event, gid,
                         clock_unix_ms(), trigger->number++, &trigger->body);
    st = verifier_sign(trigger->signer, buf_slice(&trigger->body), &trigger->header);
    return st == ST_OK ? ST_OK : err_set(err, st, "sign the body: %s", status_text(st));
}

/* `200 accepted <id> project:resource.updated <gid>`,
 * or `503 unavailable - … (retry after 1 s)`. */
static void print_answer(struct trigger *trigger, const struct pair *pair, const char *gid,
                         const struct cli_http_reply *reply)
{
    struct buf *line = &trigger->line;

    buf_clear(line);
    buf_addf(line, "%ld ", reply->status);
    cli_http_add_field(line, reply, reply->status / 100 == 2 ? "status" : "error", "-");
    buf_add_char(line, ' ');
    cli_http_add_field(line, reply, "id", "-");
    buf_addf(line, " %s:%s %s", pair->sample->resource_type, pair->event, gid);
    if (reply->retry_after_s) {
        buf_addf(line, " (retry after %u s)", reply->retry_after_s);
    }
    puts(line->data);
}

static enum status send_once(struct trigger *trigger, const struct pair *pair, struct err *err)
{
    uint8_t random[16];
    char own_gid[33];
    const char *gid = trigger->gid;
    struct slice body;
    struct cli_http_request request = {.path = trigger->path, .json = &body};
    struct cli_http_reply reply = {0};
    enum status st;

    if (!gid) {
        CHECK(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
        provider_make_gid(trigger->source->provider, random, own_gid);
        gid = own_gid;
    }
    st = make_body(trigger, pair, gid, err);
    if (st != ST_OK) {
        return st;
    }
    body = buf_slice(&trigger->body);
    request.header = trigger->header.len ? trigger->header.data : NULL;
    st = cli_http_run(trigger->http, &request, &reply, err);
    if (st != ST_OK) {
        return st;
    }
    print_answer(trigger, pair, gid, &reply);
    trigger->refused |= reply.status / 100 != 2;
    return ST_OK;
}

static enum status send_pair(struct trigger *trigger, const struct pair *pair, struct err *err)
{
    enum status st = ST_OK;

    for (uint64_t i = 0; st == ST_OK && i < trigger->count; i++) {
        st = send_once(trigger, pair, err);
    }
    return st;
}

/* Finds `<resource_type>:<event>`. */
static bool find_pair(const struct provider *provider, const char *text, struct pair *out_pair)
{
    const char *colon = strchr(text, ':');
    struct slice type = {text, colon ? (size_t)(colon - text) : 0};

    for (const struct provider_sample *sample = provider->samples;
         colon && sample->resource_type; sample++) {
        for (size_t i = 0; sample->events[i]; i++) {
            if (slice_equal(type, slice_of(sample->resource_type)) &&
                strcmp(colon + 1, sample->events[i]) == 0) {
                *out_pair = (struct pair){sample, sample->events[i]};
                return true;
            }
        }
    }
    return false;
}

/* Says what was probably meant: the events of the resource that is named, or of the one nearest
 * to it. */
static int unknown_pair(const struct provider *provider, const char *text)
{
    struct nearest near = {.text = {text, strcspn(text, ":")}};
    struct buf wanted = {0};

    for (const struct provider_sample *sample = provider->samples; sample->resource_type;
         sample++) {
        nearest_offer(&near, sample->resource_type);
    }
    for (const struct provider_sample *sample = provider->samples; sample->resource_type;
         sample++) {
        for (size_t i = 0; near.word == sample->resource_type && sample->events[i]; i++) {
            buf_addf(&wanted, "%s%s:%s", wanted.len ? ", " : "; did you mean ",
                     sample->resource_type, sample->events[i]);
        }
    }
    cli_fail("%s: no sample of %s%.*s (--list names them all)", text, provider->title,
             SLICE_ARG(buf_slice(&wanted)));
    buf_free(&wanted);
    return EXIT_FAILED;
}

static int send_events(struct cli *cli, struct trigger *trigger, const struct pair *pair)
{
    struct err err = {0};
    const struct config_list *listen = &cli->config->ingress.listen;
    const char *target = trigger->url;

    if (!target && listen->count == 0) {
        return cli_fail("ingress.listen names no address: where to is for --url to say");
    }
    target = target ? target : listen->items[0];
    trigger->path = trigger->url ? "" : trigger->source->path;
    trigger->number = (uint64_t)clock_unix_ms();
    if (!cli_signer(cli, trigger->source, &trigger->signer)) {
        return EXIT_FAILED;
    }
    if (cli_http_open(target, TIMEOUT_MS, &trigger->http, &err) != ST_OK ||
        (pair->sample ? send_pair(trigger, pair, &err) : each_pair(trigger, send_pair, &err)) !=
            ST_OK) {
        return cli_fail("%s", err.text);
    }
    return trigger->refused ? EXIT_FAILED : EXIT_DONE;
}

static int trigger_run(struct cli *cli, struct trigger *trigger)
{
    struct pair pair = {0};
    const char *event = cli->argv[2];

    if (!cli_read_config(cli)) {
        return EXIT_FAILED;
    }
    trigger->source = cli_source(cli, cli->argv[1]);
    if (!trigger->source) {
        return EXIT_FAILED;
    }
    if (trigger->list) {
        return each_pair(trigger, print_pair, NULL) == ST_OK ? EXIT_DONE : EXIT_FAILED;
    }
    if (!trigger->all && !find_pair(trigger->source->provider, event, &pair)) {
        return unknown_pair(trigger->source->provider, event);
    }
    return send_events(cli, trigger, &pair);
}

int cli_trigger(struct cli *cli)
{
    struct trigger trigger = {.count = 1};
    const struct cli_option options[] = {
        {"--gid", CLI_TEXT, &trigger.gid}, {"--count", CLI_COUNT, &trigger.count},
        {"--url", CLI_TEXT, &trigger.url}, {"--list", CLI_FLAG, &trigger.list},
        {"--all", CLI_FLAG, &trigger.all}, {0},
    };
    int status;

    if (!cli_arguments(cli, options, 1, 2)) {
        return EXIT_USAGE;
    }
    if ((cli->argc == 3) + trigger.list + trigger.all != 1) {
        return cli_misuse(cli, "one of EVENT, --list and --all is needed");
    }
    status = trigger_run(cli, &trigger);
    cli_http_close(trigger.http);
    verifier_destroy(trigger.signer);
    buf_free(&trigger.body);
    buf_free(&trigger.header);
    buf_free(&trigger.line);
    return status;
}
