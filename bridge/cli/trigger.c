/*
 * trigger - sends sample events to the running bridge, signed as the source's provider would sign
 * them, and prints each answer. Ends with 1 if one was not taken, or none could be sent.
 */
#include "bridge/cli/cli.h"

#include <string.h>

#include <sys/random.h>

#include "common/clock.h"
#include "common/uuid.h"

#include "bridge/cli/catalogue.h"
#include "bridge/cli/http.h"
#include "bridge/provider/provider.h"
#include "bridge/verify/verify.h"

enum { TIMEOUT_MS = 10000 };

struct trigger {
    const struct config_source *source;
    const struct provider *provider; /* the source's */
    const char *gid;                 /* NULL: each event gets its own */
    const char *url;                 /* NULL: where the bridge listens */
    uint64_t count;
    bool list, all;

    struct verifier *signer;
    struct cli_http *http;
    struct slice path;  /* what precedes the suffix */
    struct slice query; /* what follows it */
    uint64_t number;    /* makes each body its own, also from one call to the next */
    bool refused;       /* at least one was not taken */
    struct provider_made made;
    struct buf target, line;
};

/* Where the URL names the event, one that has no path is not taken. */
static bool has_path(const struct provider *provider, const struct catalogue_pair *pair)
{
    return !provider->url_events || !provider->sample_suffix || pair->sample->suffix ||
           provider_url_suffix(provider, pair->event);
}

static int list_pairs(const struct provider *provider)
{
    struct buf line = {0};
    struct catalogue_pair pair;

    for (size_t i = 0; catalogue_at(provider, i, &pair); i++) {
        if (has_path(provider, &pair)) {
            buf_clear(&line);
            catalogue_add_name(&line, provider, &pair);
            puts(line.data);
        }
    }
    buf_free(&line);
    return EXIT_DONE;
}

/* The line behind the headers that are there. */
static void add_lines(struct buf *headers, const struct buf *lines)
{
    if (headers->len > 0 && lines->len > 0) {
        buf_add_char(headers, '\n');
    }
    buf_add_slice(headers, buf_slice(lines));
}

static enum status sign(struct trigger *trigger, const struct provider_sample_values *values,
                        struct err *err)
{
    struct buf lines = {0};
    enum status st =
        verifier_sign(trigger->signer, buf_slice(&trigger->made.body), values->now_ms / 1000,
                      slice_of(values->delivery_id), &lines);

    add_lines(&trigger->made.headers, &lines);
    buf_free(&lines);
    return st == ST_OK ? ST_OK : err_set(err, st, "sign the body: %s", status_text(st));
}

/* `/webhooks/weavy` and `NewDeal` to `/webhooks/weavy/NewDeal`. */
static void make_target(struct trigger *trigger, struct slice suffix)
{
    struct slice path = trigger->path;

    while (suffix.len > 0 && path.len > 0 && path.data[path.len - 1] == '/') {
        path.len--;
    }
    while (suffix.len > 0 && suffix.data[0] == '/') {
        suffix = (struct slice){suffix.data + 1, suffix.len - 1};
    }
    buf_add_slice(&trigger->target, path);
    if (suffix.len > 0) {
        buf_add_char(&trigger->target, '/');
        buf_add_slice(&trigger->target, suffix);
    }
    buf_add_slice(&trigger->target, trigger->query);
}

/* Everything that is sent: body, headers, and where to. */
static enum status make_delivery(struct trigger *trigger, const struct catalogue_pair *pair,
                                 const char *gid, struct err *err)
{
    char id[UUID_TEXT_SIZE];
    struct provider_sample_values values = {.event = pair->event,
                                            .gid = gid,
                                            .delivery_id = id,
                                            .now_ms = clock_unix_ms(),
                                            .number = trigger->number++};

    uuid_format(uuid_new(), id);
    buf_clear(&trigger->target);
    provider_make(trigger->provider, pair->sample, &values, &trigger->made);
    make_target(trigger, buf_slice(&trigger->made.suffix));
    return sign(trigger, &values, err);
}

/* What a good answer says if it says no status. */
static const char *taken_word(const struct cli_http_reply *reply)
{
    struct buf challenge = {0};
    const char *word;

    cli_http_add_field(&challenge, reply, "challenge", "");
    word = challenge.len > 0 ? "challenge" : "-";
    buf_free(&challenge);
    return word;
}

/* `200 accepted <id> project:resource.updated <gid>`, `202 quarantined … (no_gid)`,
 * or `503 unavailable - … (retry after 1 s)`. */
static void print_answer(struct trigger *trigger, const struct catalogue_pair *pair,
                         const char *gid, const struct cli_http_reply *reply)
{
    struct buf *line = &trigger->line;

    buf_clear(line);
    buf_addf(line, "%ld ", reply->status);
    if (reply->status / 100 == 2) {
        cli_http_add_field(line, reply, "status", taken_word(reply));
    } else {
        cli_http_add_field(line, reply, "error", "-");
    }
    buf_add_char(line, ' ');
    cli_http_add_field(line, reply, "id", "-");
    buf_add_char(line, ' ');
    catalogue_add_name(line, trigger->provider, pair);
    buf_addf(line, " %s", gid);
    cli_http_add_reason(line, reply);
    if (reply->retry_after_s) {
        buf_addf(line, " (retry after %u s)", reply->retry_after_s);
    }
    puts(line->data);
}

static enum status send_once(struct trigger *trigger, const struct catalogue_pair *pair,
                             struct err *err)
{
    uint8_t random[16];
    char own_gid[PROVIDER_GID_SIZE];
    const char *gid = trigger->gid;
    struct slice body;
    struct cli_http_request request = {.json = &body};
    struct cli_http_reply reply = {0};
    enum status st;

    if (!gid) {
        CHECK(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
        provider_make_gid(trigger->provider, pair->sample, random, own_gid);
        gid = own_gid;
    }
    st = make_delivery(trigger, pair, gid, err);
    if (st != ST_OK) {
        return st;
    }
    body = buf_slice(&trigger->made.body);
    request.path = trigger->target.len ? trigger->target.data : "";
    request.header = trigger->made.headers.len ? trigger->made.headers.data : NULL;
    st = cli_http_run(trigger->http, &request, &reply, err);
    if (st != ST_OK) {
        return st;
    }
    print_answer(trigger, pair, gid, &reply);
    trigger->refused |= !cli_http_is_taken(&reply);
    return ST_OK;
}

static enum status send_pair(struct trigger *trigger, const struct catalogue_pair *pair,
                             struct err *err)
{
    enum status st = ST_OK;

    for (uint64_t i = 0; st == ST_OK && i < trigger->count; i++) {
        st = send_once(trigger, pair, err);
    }
    return st;
}

static enum status send_all(struct trigger *trigger, struct err *err)
{
    enum status st = ST_OK;
    struct catalogue_pair pair;

    for (size_t i = 0; st == ST_OK && catalogue_at(trigger->provider, i, &pair); i++) {
        if (has_path(trigger->provider, &pair)) {
            st = send_pair(trigger, &pair, err);
        }
    }
    return st;
}

/* A URL's path goes on with the suffix, before the query. */
static enum status connect_to_url(struct trigger *trigger, struct err *err)
{
    const char *host = strstr(trigger->url, "://") + 3; /* check_url has seen it */
    const char *path = host + strcspn(host, "/?");
    struct buf origin = {0};
    enum status st;

    buf_add(&origin, trigger->url, (size_t)(path - trigger->url));
    trigger->path = (struct slice){path, strcspn(path, "?")};
    trigger->query = slice_of(path + trigger->path.len);
    st = cli_http_open(origin.data, TIMEOUT_MS, &trigger->http, err);
    buf_free(&origin);
    return st;
}

static enum status connect_to_bridge(struct trigger *trigger, const struct config *config,
                                     struct err *err)
{
    const struct config_list *listen = &config->ingress.listen;

    if (listen->count == 0) {
        return err_set(err, ST_INVALID,
                       "ingress.listen names no address: where to is for --url to say");
    }
    trigger->path = slice_of(trigger->source->path);
    return cli_http_open_listener(listen, &config->ingress.tls, false, TIMEOUT_MS,
                                  &trigger->http, err);
}

static int send_events(struct cli *cli, struct trigger *trigger,
                       const struct catalogue_pair *pair)
{
    struct err err = {0};
    enum status st;

    trigger->number = (uint64_t)clock_unix_ms();
    if (!cli_signer(cli, trigger->source, &trigger->signer)) {
        return EXIT_FAILED;
    }
    st = trigger->url ? connect_to_url(trigger, &err)
                      : connect_to_bridge(trigger, cli->config, &err);
    if (st == ST_OK) {
        st = pair->sample ? send_pair(trigger, pair, &err) : send_all(trigger, &err);
    }
    if (st != ST_OK) {
        return cli_fail("%s", err.text);
    }
    return trigger->refused ? EXIT_FAILED : EXIT_DONE;
}

static int trigger_run(struct cli *cli, struct trigger *trigger)
{
    struct catalogue_pair pair = {0};
    const char *event = cli->argv[2];

    if (!cli_read_config(cli)) {
        return EXIT_FAILED;
    }
    trigger->source = cli_source(cli, cli->argv[1]);
    if (!trigger->source) {
        return EXIT_FAILED;
    }
    trigger->provider = trigger->source->provider;
    if (!trigger->provider->samples) {
        return cli_fail(
            "source %s: nothing is known of what %s sends; describe it in the "
            "configuration: sources[%td].samples, such as [{\"event\": "
            "\"user.created\", \"body\": {\"type\": \"@EVENT@\", \"id\": \"@GID@\"}}]",
            trigger->source->name, trigger->provider->title,
            trigger->source - cli->config->sources);
    }
    if (trigger->list) {
        return list_pairs(trigger->provider);
    }
    if (!trigger->all && !catalogue_find(trigger->provider, event, &pair)) {
        return catalogue_unknown(trigger->provider, event);
    }
    return send_events(cli, trigger, &pair);
}

/* Of the URL's part before the query; NULL is right, too. */
static bool check_url(const struct cli *cli, const char *url)
{
    struct buf before_query = {0};
    struct err err = {0};
    enum status st = ST_OK;

    if (url) {
        buf_add(&before_query, url, strcspn(url, "?"));
        st = config_check_url(buf_slice(&before_query).data, &err);
    }
    buf_free(&before_query);
    if (st != ST_OK) {
        cli_misuse(cli, "--url %s", err.text);
    }
    return st == ST_OK;
}

static int run(struct cli *cli)
{
    struct trigger trigger = {.count = 1};
    int status;

    if (!cli_arguments(cli, &trigger, 1, 2)) {
        return EXIT_USAGE;
    }
    if ((cli->argc == 3) + trigger.list + trigger.all != 1) {
        return cli_misuse(cli, "one of EVENT, --list and --all is needed");
    }
    if (!check_url(cli, trigger.url)) {
        return EXIT_USAGE;
    }
    status = trigger_run(cli, &trigger);
    cli_http_close(trigger.http);
    verifier_destroy(trigger.signer);
    provider_made_fini(&trigger.made);
    buf_free(&trigger.target);
    buf_free(&trigger.line);
    return status;
}

static const struct cli_option options[] = {
    {"--gid", CLI_TEXT, offsetof(struct trigger, gid), "GID",
     "of the resource; else each event gets a new one"},
    {"--count", CLI_COUNT, offsetof(struct trigger, count), "N", "sends N different bodies"},
    {"--url", CLI_TEXT, offsetof(struct trigger, url), "URL",
     "posts there, not to the first ingress.listen and the source's path; what\n"
     "the provider appends to its URL is appended to this one, too"},
    {"--all", CLI_FLAG, offsetof(struct trigger, all), NULL,
     "sends every event of which there is a sample"},
    {"--list", CLI_FLAG, offsetof(struct trigger, list), NULL, "names them"},
    {.help = ""},
    {0},
};

const struct cli_command trigger_command = {
    .name = "trigger",
    .usage = "trigger SOURCE EVENT [--gid GID] [--count N] [--url URL]\n"
             "trigger SOURCE --all [--gid GID] [--count N] [--url URL]\n"
             "trigger SOURCE --list",
    .summary = "Send signed sample events to the running bridge, as the provider would",
    .intro =
        "EVENT is such as push, or project:resource.updated where several types of resource "
        "have an\n"
        "event of that name. Samples are the provider's, or those of the source in the "
        "configuration.\n"
        "Prints a line for each event: HTTP status, what the bridge says, id, EVENT and gid. "
        "Fails if\n"
        "one of them was not taken, or became a dead letter.\n\n",
    .options = options,
    .run = run,
};
