/*
 * subscribe and list. The API cannot list subscriptions, and ends one only by its code: so each
 * code is on disk before the next one is asked for.
 */
#include "bridge/cli/provider/weavy.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/catalogue.h"
#include "bridge/cli/provider/json.h"

void weavy_print_subscription(const struct registration *reg,
                              const struct cli_subscription *subscription, const char *what)
{
    struct buf line = {0}, code = {0};

    cli_api_add_hidden(reg->api, &code, subscription->code);
    if (reg->json) {
        buf_add_char(&line, '{');
        cli_json_add_string(&line, "event", subscription->event);
        buf_add_char(&line, ',');
        cli_json_add_string(&line, "code", code.data);
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
        cli_add_safe(&line, buf_slice(&code));
        buf_add_str(&line, "  ");
        cli_add_safe(&line, slice_of(what ? what : subscription->since));
        buf_add_str(&line, "  ");
        cli_add_safe(&line, slice_of(subscription->url ? subscription->url : "-"));
    }
    registration_print(&line);
    buf_free(&line);
    buf_free(&code);
}

/* ---- subscribe ---- */

struct subscribe {
    struct weavy weavy;
    const char *url;
    bool all;
    const char *base; /* of the hook URLs */
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
        weavy_print_subscription(&subscribe->weavy.reg, subscription, "not stored");
        return cli_fail("%s IS SUBSCRIBED, BUT ITS CODE IS NOT STORED: %s; `provider weavy "
                        "unsubscribe CODE` with the code above ends it",
                        event, err.text);
    }
    weavy_print_subscription(&subscribe->weavy.reg, subscription, "subscribed");
    return EXIT_DONE;
}

/* No code has come. */
static int no_code(const char *event, const struct cli_api_reply *reply, enum status st,
                   const struct err *err)
{
    cli_fail("%s: %s", event, err->text);
    if (reply->uncertain) {
        cli_fail("%s may be subscribed all the same, with a code that is not known here: the "
                 "answer to a try did not arrive",
                 event);
    } else if (st == ST_OK) {
        cli_fail("%s may be subscribed all the same, with a code that is not known here",
                 event);
    }
    return EXIT_FAILED;
}

/* st: of the call. A code ends a subscription, whatever else the answer says about it. */
static int read_code(struct subscribe *subscribe, const char *event, const char *url,
                     const struct cli_api_reply *reply, enum status st, struct err *err)
{
    char *code = reply->status / 100 == 2
                     ? cli_json_text(reply->json, "result.codeWebhookSubscription")
                     : NULL;
    int status;

    if (code && code[0]) {
        if (st != ST_OK) {
            cli_fail("%s: %s", event, err->text);
        }
        if (reply->uncertain) {
            cli_fail("%s may be subscribed twice: the answer to a try did not arrive", event);
        }
        status = keep_code(subscribe, event, url, code);
    } else {
        if (st == ST_OK) {
            (void)cli_api_reject(subscribe->weavy.reg.api, ST_INVALID,
                                 "holds no subscription code", err);
        }
        status = no_code(event, reply, st, err);
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
    if (subscribe->weavy.reg.dry_run && st == ST_OK) {
        return EXIT_DONE;
    }
    return read_code(subscribe, event, url, &reply, st, &err);
}

static int subscribe_event(struct subscribe *subscribe, const char *event)
{
    const struct registration *reg = &subscribe->weavy.reg;
    const struct cli_subscription *same;
    struct buf url = {0};
    int status = EXIT_DONE;

    weavy_add_url(&url, reg->source->provider, subscribe->base, event);
    same = find_same(subscribe->weavy.state, event, url.data);
    if (!same) {
        status = subscribe_at(subscribe, event, url.data);
    } else if (reg->dry_run) {
        (void)fprintf(stderr, CLI_PREFIX "%s is subscribed already\n", event);
    } else {
        weavy_print_subscription(reg, same, "subscribed already");
    }
    buf_free(&url);
    return status;
}

/* Nothing is sent if one of them has no path; then every one is tried, whatever became of the
 * others. */
static int subscribe_named(struct subscribe *subscribe, const struct cli *cli)
{
    int status = EXIT_DONE;

    for (int i = 1; i < cli->argc && status == EXIT_DONE; i++) {
        status = weavy_check_path(&subscribe->weavy.reg, cli->argv[i]);
    }
    if (status != EXIT_DONE) {
        return status;
    }
    for (int i = 1; i < cli->argc; i++) {
        int one = subscribe_event(subscribe, cli->argv[i]);

        status = status == EXIT_DONE ? one : status;
    }
    return status;
}

/* Says which standard events are left out. False: there is no other one, which has been
 * printed. */
static bool announce_all(const struct registration *reg)
{
    struct buf left_out = {0};
    struct catalogue_pair pair;
    bool any = false;

    for (size_t i = 0; catalogue_at(reg->source->provider, i, &pair); i++) {
        if (weavy_has_path(reg->source->provider, pair.event)) {
            any = true;
        } else {
            buf_addf(&left_out, "%s%s", left_out.len ? ", " : "", pair.event);
        }
    }
    if (!any) {
        cli_fail("sources[%zu].events names no path for any standard event", reg->source_index);
    } else if (left_out.len > 0) {
        (void)fprintf(stderr, CLI_PREFIX "sources[%zu].events names no path for %s: left out\n",
                      reg->source_index, left_out.data);
    }
    buf_free(&left_out);
    return any;
}

/* The standard events that the bridge takes, until one fails. */
static int subscribe_all(struct subscribe *subscribe)
{
    const struct registration *reg = &subscribe->weavy.reg;
    struct catalogue_pair pair;
    int status = announce_all(reg) ? EXIT_DONE : EXIT_FAILED;

    for (size_t i = 0; status == EXIT_DONE && catalogue_at(reg->source->provider, i, &pair);
         i++) {
        if (weavy_has_path(reg->source->provider, pair.event)) {
            status = subscribe_event(subscribe, pair.event);
        }
    }
    return status;
}

static int subscribe_any(struct subscribe *subscribe, const struct cli *cli)
{
    subscribe->base = registration_url(&subscribe->weavy.reg, subscribe->url);
    if (!subscribe->base) {
        return EXIT_FAILED;
    }
    return subscribe->all ? subscribe_all(subscribe) : subscribe_named(subscribe, cli);
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
    if (!weavy_check_names(cli, "an event") || !registration_check_url(cli, subscribe.url)) {
        return EXIT_USAGE;
    }
    status = weavy_begin(&subscribe.weavy, cli, true);
    status = status == EXIT_DONE ? subscribe_any(&subscribe, cli) : status;
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
        weavy_print_subscription(&weavy.reg, subscription, NULL);
    }
    weavy_end(&weavy);
    return status;
}
