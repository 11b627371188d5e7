/*
 * Subscriptions. The API cannot list them, and ends one only by its code: so each code is on
 * disk before the next one is asked for.
 */
#include "bridge/cli_weavy.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#include "bridge/cli_json.h"

/* ---- which events ---- */

/* Calls for each event of the provider's catalogue; ends with the first that does not return
 * EXIT_DONE. */
static int each_known_event(const struct provider *provider,
                            int (*call)(void *ctx, const char *event), void *ctx)
{
    int status = EXIT_DONE;

    for (const struct provider_sample *sample = provider->samples;
         sample && sample->resource_type; sample++) {
        for (size_t i = 0; status == EXIT_DONE && sample->events[i]; i++) {
            status = call(ctx, sample->events[i]);
        }
    }
    return status;
}

static bool is_known_event(const struct provider *provider, const char *event)
{
    for (const struct provider_sample *sample = provider->samples;
         sample && sample->resource_type; sample++) {
        for (size_t i = 0; sample->events[i]; i++) {
            if (strcmp(sample->events[i], event) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Prints one subscription and what became of it; NULL: it is only shown. */
static void print_subscription(const struct registration *reg,
                               const struct cli_subscription *subscription, const char *what)
{
    struct buf line = {0};

    if (reg->json) {
        buf_add_char(&line, '{');
        cli_json_add_string(&line, "event", subscription->event);
        buf_add_char(&line, ',');
        cli_json_add_string(&line, "code", subscription->code);
        buf_add_char(&line, ',');
        cli_json_add_string(&line, "url", subscription->url);
        buf_add_char(&line, ',');
        cli_json_add_string(&line, "since", subscription->since);
        if (what) {
            buf_add_char(&line, ',');
            cli_json_add_string(&line, "status", what);
        }
        buf_add_char(&line, '}');
    } else {
        cli_add_safe(&line, slice_of(subscription->event ? subscription->event : "-"));
        buf_add_str(&line, "  ");
        cli_add_safe(&line, slice_of(subscription->code));
        buf_addf(&line, "  %s  ", what ? what : subscription->since);
        cli_add_safe(&line, slice_of(subscription->url ? subscription->url : "-"));
    }
    registration_print(&line);
    buf_free(&line);
}

/* ---- subscribe ---- */

struct subscribe {
    struct weavy weavy;
    const char *url;
    bool all;
    struct buf base; /* of the hook URLs; with a slash at its end */
};

/* Where to, of our own ones at the same URL; NULL: none. */
static const struct cli_subscription *find_same(const struct cli_state *state,
                                                const char *event, const char *url)
{
    const struct cli_subscription *subscription;

    for (size_t i = 0; (subscription = cli_state_subscription(state, i)) != NULL; i++) {
        if (strcmp(subscription->event, event) == 0 && strcmp(subscription->url, url) == 0) {
            return subscription;
        }
    }
    return NULL;
}

/* Stores the code; only then is the event subscribed as far as we are concerned. */
static int keep_code(struct subscribe *subscribe, const char *event, const char *url,
                     const char *code)
{
    struct cli_state *state = subscribe->weavy.state;
    const struct cli_subscription *subscription;
    struct err err = {0};

    cli_state_add_subscription(state, event, url, code);
    subscription = find_same(state, event, url);
    if (cli_state_save(state, &err) != ST_OK) {
        print_subscription(&subscribe->weavy.reg, subscription, "not stored");
        return cli_fail("%s IS SUBSCRIBED, BUT ITS CODE IS NOT STORED: %s; `provider weavy "
                        "unsubscribe CODE` with the code above ends it",
                        event, err.text);
    }
    print_subscription(&subscribe->weavy.reg, subscription, "subscribed");
    return EXIT_DONE;
}

static int failed(const char *event, const struct cli_api_reply *reply, const struct err *err)
{
    cli_fail("%s: %s", event, err->text);
    if (reply->uncertain) {
        cli_fail("%s may be subscribed all the same, with a code that is not known here: the "
                 "answer to a try did not arrive",
                 event);
    }
    return EXIT_FAILED;
}

static int read_code(struct subscribe *subscribe, const char *event, const char *url,
                     struct cli_api_reply *reply)
{
    char *code = cli_json_text(reply->json, "result.codeWebhookSubscription");
    struct err err = {0};
    int status;

    if (!code || !code[0]) {
        struct buf why = {0}, shown = {0};

        cli_api_add_reason(&why, reply->status, reply->json);
        cli_add_safe(&shown, buf_slice(&why));
        err_set(&err, ST_REFUSED, "no subscription code; the API %s", shown.data);
        buf_free(&why);
        buf_free(&shown);
        reply->uncertain = true;
        status = failed(event, reply, &err);
    } else {
        if (reply->uncertain) {
            cli_fail("%s may be subscribed twice: the answer to a try did not arrive", event);
        }
        status = keep_code(subscribe, event, url, code);
    }
    free(code);
    return status;
}

static int subscribe_at(struct subscribe *subscribe, const char *event, const char *url)
{
    struct cli_api_reply reply = {0};
    struct buf json = {0};
    struct err err = {0};
    enum status st;

    buf_add_char(&json, '{');
    cli_json_add_string(&json, "event", event);
    buf_add_char(&json, ',');
    cli_json_add_string(&json, "hookUrl", url);
    buf_add_char(&json, '}');
    st = weavy_call(&subscribe->weavy, "EPT_WebhookSubscribe", buf_slice(&json), &reply, &err);
    buf_free(&json);
    if (st != ST_OK) {
        return failed(event, &reply, &err);
    }
    return subscribe->weavy.reg.dry_run ? EXIT_DONE : read_code(subscribe, event, url, &reply);
}

static int subscribe_event(void *ctx, const char *event)
{
    struct subscribe *subscribe = ctx;
    const struct registration *reg = &subscribe->weavy.reg;
    const struct cli_subscription *same;
    struct buf url = {0};
    int status = EXIT_DONE;

    buf_add_slice(&url, buf_slice(&subscribe->base));
    weavy_add_suffix(&url, reg->source->provider, event);
    same = find_same(subscribe->weavy.state, event, url.data);
    if (!same) {
        status = subscribe_at(subscribe, event, url.data);
    } else if (reg->dry_run) {
        (void)fprintf(stderr, CLI_PREFIX "%s is subscribed already\n", event);
    } else {
        print_subscription(reg, same, "subscribed already");
    }
    buf_free(&url);
    return status;
}

/* Every event is tried, whatever became of the others. */
static int subscribe_named(struct subscribe *subscribe, const struct cli *cli)
{
    int status = EXIT_DONE;

    for (int i = 1; i < cli->argc; i++) {
        int one = subscribe_event(subscribe, cli->argv[i]);

        status = status == EXIT_DONE ? one : status;
    }
    return status;
}

static int subscribe_all(struct subscribe *subscribe, const struct cli *cli)
{
    const struct registration *reg = &subscribe->weavy.reg;
    const char *url = registration_url(reg, subscribe->url);

    if (!url) {
        return EXIT_FAILED;
    }
    buf_add_str(&subscribe->base, url);
    while (subscribe->base.data[subscribe->base.len - 1] == '/') {
        subscribe->base.len--;
    }
    buf_add_char(&subscribe->base, '/');
    return subscribe->all ? each_known_event(reg->source->provider, subscribe_event, subscribe)
                          : subscribe_named(subscribe, cli);
}

int weavy_subscribe(struct cli *cli)
{
    struct subscribe subscribe = {0};
    const struct cli_option options[] = {
        {"--url", CLI_TEXT, &subscribe.url},
        {"--all", CLI_FLAG, &subscribe.all},
        REGISTRATION_OPTIONS(&subscribe.weavy.reg),
    };
    int status;

    if (!cli_arguments(cli, options, 0, INT_MAX)) {
        return EXIT_USAGE;
    }
    if (subscribe.all == (cli->argc > 1)) {
        return cli_misuse(cli, "which ones? Either events are named, or --all");
    }
    status = weavy_begin(&subscribe.weavy, cli, true);
    status = status == EXIT_DONE ? subscribe_all(&subscribe, cli) : status;
    buf_free(&subscribe.base);
    weavy_end(&subscribe.weavy);
    return status;
}

/* ---- list ---- */

int weavy_list(struct cli *cli)
{
    struct weavy weavy = {0};
    const struct cli_option options[] = {REGISTRATION_OPTIONS(&weavy.reg)};
    const struct cli_subscription *subscription;
    int status;

    if (!cli_arguments(cli, options, 0, 0)) {
        return EXIT_USAGE;
    }
    status = weavy_begin(&weavy, cli, false);
    for (size_t i = 0; status == EXIT_DONE; i++) {
        subscription = cli_state_subscription(weavy.state, i);
        if (!subscription) {
            break;
        }
        print_subscription(&weavy.reg, subscription, NULL);
    }
    weavy_end(&weavy);
    return status;
}

/* ---- unsubscribe ---- */

/* Ends one at the provider. */
static enum status end_code(struct weavy *weavy, const char *code, struct err *err)
{
    struct cli_api_reply reply = {0};
    struct buf json = {0};
    enum status st;

    buf_add_char(&json, '{');
    cli_json_add_string(&json, "codeWebhookSubscription", code);
    buf_add_char(&json, '}');
    st = weavy_call(weavy, "EPT_WebhookUnsubscribe", buf_slice(&json), &reply, err);
    buf_free(&json);
    return st;
}

/* Ends the i-th stored one, and forgets it, which *out_forgotten says. What the provider
 * does not know any more has ended before. */
static int end_stored(struct weavy *weavy, size_t i, bool *out_forgotten)
{
    const struct cli_subscription *subscription = cli_state_subscription(weavy->state, i);
    struct err err = {0};
    enum status st = end_code(weavy, subscription->code, &err);
    bool gone = st == ST_NOT_FOUND;

    *out_forgotten = false;
    subscription = cli_state_subscription(weavy->state, i); /* a new login may have moved it */
    if (st != ST_OK && !gone) {
        return cli_fail("%s %s: %s", subscription->event, subscription->code, err.text);
    }
    if (weavy->reg.dry_run) {
        return EXIT_DONE;
    }
    print_subscription(&weavy->reg, subscription,
                       gone ? "unsubscribed before" : "unsubscribed");
    cli_state_remove_subscription(weavy->state, i);
    *out_forgotten = true;
    return cli_state_save(weavy->state, &err) == ST_OK ? EXIT_DONE : cli_fail("%s", err.text);
}

/* A code that is not stored here, such as one that could not be. */
static int end_unknown(struct weavy *weavy, const char *code)
{
    const struct cli_subscription subscription = {.code = strdup(code)};
    struct err err = {0};
    int status = EXIT_DONE;

    CHECK(subscription.code);
    if (is_known_event(weavy->reg.source->provider, code)) {
        status = cli_fail("%s is not subscribed", code);
    } else if (end_code(weavy, code, &err) != ST_OK) {
        status = cli_fail("%s, which is not stored here: %s", code, err.text);
    } else if (!weavy->reg.dry_run) {
        print_subscription(&weavy->reg, &subscription, "unsubscribed");
    }
    free(subscription.code);
    return status;
}

/* All that have this event or code; name of NULL: all there are. */
static int end_matching(struct weavy *weavy, const char *name)
{
    const struct cli_subscription *subscription;
    int status = EXIT_DONE;
    bool found = false;

    for (size_t i = 0; (subscription = cli_state_subscription(weavy->state, i)) != NULL;) {
        bool forgotten = false;

        if (!name || strcmp(subscription->event, name) == 0 ||
            strcmp(subscription->code, name) == 0) {
            int one = end_stored(weavy, i, &forgotten);

            status = status == EXIT_DONE ? one : status;
            found = true;
        }
        i += !forgotten; /* else the next one has moved up */
    }
    return found || !name ? status : end_unknown(weavy, name);
}

static int end_named(struct weavy *weavy, const struct cli *cli)
{
    int status = EXIT_DONE;

    for (int i = 1; i < cli->argc; i++) {
        int one = end_matching(weavy, cli->argv[i]);

        status = status == EXIT_DONE ? one : status;
    }
    return status;
}

int weavy_unsubscribe(struct cli *cli)
{
    struct weavy weavy = {0};
    bool all = false;
    const struct cli_option options[] = {
        {"--all", CLI_FLAG, &all},
        REGISTRATION_OPTIONS(&weavy.reg),
    };
    int status;

    if (!cli_arguments(cli, options, 0, INT_MAX)) {
        return EXIT_USAGE;
    }
    if (all == (cli->argc > 1)) {
        return cli_misuse(cli, "which ones? Either events or codes are named, or --all");
    }
    status = weavy_begin(&weavy, cli, true);
    if (status == EXIT_DONE) {
        status = all ? end_matching(&weavy, NULL) : end_named(&weavy, cli);
    }
    weavy_end(&weavy);
    return status;
}
