/*
 * unsubscribe: by the codes that are stored, or by one that is not.
 */
#include "bridge/cli_weavy.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/cli_json.h"

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

static int cannot_end(const struct cli_subscription *subscription, const struct err *err)
{
    struct buf which = {0};

    cli_add_safe(&which, slice_of(subscription->event));
    buf_add_char(&which, ' ');
    cli_add_safe(&which, slice_of(subscription->code));
    cli_fail("%s: %s", which.data, err->text);
    buf_free(&which);
    return EXIT_FAILED;
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
        return cannot_end(subscription, &err);
    }
    if (weavy->reg.dry_run) {
        return EXIT_DONE;
    }
    weavy_print_subscription(&weavy->reg, subscription,
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
    if (weavy_is_event(weavy->reg.source->provider, code)) {
        status = cli_fail("%s is not subscribed", code);
    } else if (end_code(weavy, code, &err) != ST_OK) {
        status = cli_fail("%s, which is not stored here: %s", code, err.text);
    } else if (!weavy->reg.dry_run) {
        weavy_print_subscription(&weavy->reg, &subscription, "unsubscribed");
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
    if (!weavy_check_names(cli, "an event or code")) {
        return EXIT_USAGE;
    }
    status = weavy_begin(&weavy, cli, true);
    if (status == EXIT_DONE) {
        status = all ? end_matching(&weavy, NULL) : end_named(&weavy, cli);
    }
    weavy_end(&weavy);
    return status;
}
