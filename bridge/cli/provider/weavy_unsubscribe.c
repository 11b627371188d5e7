/*
 * unsubscribe: by the codes that are stored, or by one that is not.
 *
 * A code that is lost ends nothing any more, and the API has no list of them. So one is only
 * forgotten when the API has said that the subscription has ended, or when the user says so.
 */
#include "bridge/cli/provider/weavy.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli/provider/json.h"

struct unsubscribe {
    struct weavy weavy;
    bool all, forget;
};

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
    if (st == ST_OK && !weavy->reg.dry_run && !reply.is_json && !reply.is_empty) {
        return cli_api_reject(weavy->reg.api, ST_INVALID, "is no JSON", err);
    }
    /* Not there, after a try whose answer did not arrive, is what was wanted. */
    return reply.uncertain && (reply.status == 404 || reply.status == 410) ? ST_OK : st;
}

static int cannot_end(const struct weavy *weavy, const struct cli_subscription *subscription,
                      enum status st, const struct err *err)
{
    bool was_answered = st == ST_NOT_FOUND || st == ST_REFUSED || st == ST_INVALID;
    struct buf code = {0}, which = {0};

    cli_api_add_hidden(weavy->reg.api, &code, subscription->code);
    cli_add_safe(&which, slice_of(subscription->event));
    buf_add_char(&which, ' ');
    cli_add_safe(&which, buf_slice(&code));
    cli_fail("%s: %s", which.data, err->text);
    if (was_answered) {
        cli_fail("%s is kept here; if it has ended, `unsubscribe --forget` removes it without "
                 "asking the API",
                 which.data);
    }
    buf_free(&code);
    buf_free(&which);
    return EXIT_FAILED;
}

/* Removes the i-th stored one. */
static int forget_stored(struct weavy *weavy, size_t i, const char *what)
{
    struct err err = {0};

    weavy_print_subscription(&weavy->reg, cli_state_subscription(weavy->state, i), what);
    cli_state_remove_subscription(weavy->state, i);
    return cli_state_save(weavy->state, &err) == ST_OK ? EXIT_DONE : cli_fail("%s", err.text);
}

/* Ends the i-th stored one, and forgets it, which *out_forgotten says. */
static int end_stored(struct unsubscribe *unsubscribe, size_t i, bool *out_forgotten)
{
    struct weavy *weavy = &unsubscribe->weavy;
    const struct cli_subscription *subscription = cli_state_subscription(weavy->state, i);
    struct err err = {0};
    enum status st = ST_OK;

    *out_forgotten = false;
    if (!unsubscribe->forget) {
        st = end_code(weavy, subscription->code, &err);
        subscription = cli_state_subscription(weavy->state, i); /* a login may have moved it */
    }
    if (st != ST_OK) {
        return cannot_end(weavy, subscription, st, &err);
    }
    if (weavy->reg.dry_run) {
        return EXIT_DONE;
    }
    *out_forgotten = true;
    return forget_stored(weavy, i, unsubscribe->forget ? "forgotten" : "unsubscribed");
}

/* A code that is not stored here, such as one that could not be. */
static int end_unknown(struct unsubscribe *unsubscribe, const char *code)
{
    struct weavy *weavy = &unsubscribe->weavy;
    const struct cli_subscription subscription = {.code = xstrdup(code)};
    struct err err = {0};
    int status = EXIT_DONE;

    if (weavy_is_event(weavy->reg.source->provider, code)) {
        status = cli_fail("%s is not subscribed", code);
    } else if (unsubscribe->forget) {
        status = cli_fail("%s is not stored here", code);
    } else if (end_code(weavy, code, &err) != ST_OK) {
        status = cli_fail("%s, which is not stored here: %s", code, err.text);
    } else if (!weavy->reg.dry_run) {
        weavy_print_subscription(&weavy->reg, &subscription, "unsubscribed");
    }
    free(subscription.code);
    return status;
}

/* All that have this event or code; name of NULL: all there are. */
static int end_matching(struct unsubscribe *unsubscribe, const char *name)
{
    const struct cli_state *state = unsubscribe->weavy.state;
    const struct cli_subscription *subscription;
    int status = EXIT_DONE;
    bool found = false;

    for (size_t i = 0; (subscription = cli_state_subscription(state, i)) != NULL;) {
        bool forgotten = false;

        if (!name || strcmp(subscription->event, name) == 0 ||
            strcmp(subscription->code, name) == 0) {
            int one = end_stored(unsubscribe, i, &forgotten);

            status = status == EXIT_DONE ? one : status;
            found = true;
        }
        i += !forgotten; /* else the next one has moved up */
    }
    return found || !name ? status : end_unknown(unsubscribe, name);
}

static int end_named(struct unsubscribe *unsubscribe, const struct cli *cli)
{
    int status = EXIT_DONE;

    for (int i = 1; i < cli->argc; i++) {
        int one = end_matching(unsubscribe, cli->argv[i]);

        status = status == EXIT_DONE ? one : status;
    }
    return status;
}

int weavy_unsubscribe(struct cli *cli)
{
    struct unsubscribe unsubscribe = {0};
    const struct cli_option options[] = {
        {"--all", CLI_FLAG, &unsubscribe.all},
        {"--forget", CLI_FLAG, &unsubscribe.forget},
        REGISTRATION_OPTIONS(&unsubscribe.weavy.reg),
    };
    int status;

    if (!cli_arguments(cli, options, 0, INT_MAX)) {
        return EXIT_USAGE;
    }
    if (unsubscribe.all == (cli->argc > 1)) {
        return cli_misuse(cli, "which ones? Either events or codes are named, or --all");
    }
    if (!weavy_check_names(cli, "an event or code")) {
        return EXIT_USAGE;
    }
    status = weavy_begin(&unsubscribe.weavy, cli, true);
    if (status == EXIT_DONE) {
        status =
            unsubscribe.all ? end_matching(&unsubscribe, NULL) : end_named(&unsubscribe, cli);
    }
    weavy_end(&unsubscribe.weavy);
    return status;
}
