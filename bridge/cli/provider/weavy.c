/*
 * provider weavy: subscriptions at Divalto weavy. The API cannot list them, and ends one only by
 * its code. So each code is on disk before the next one is asked for, and is only forgotten when
 * the API has confirmed the end of the subscription, or when the user wants it.
 *
 * Of several events every one is tried, whatever became of the others, unless the login fails.
 */
#include <limits.h>
#include <string.h>

#include <json-c/json.h>

#include "bridge/cli/catalogue.h"
#include "bridge/cli/provider/internal.h"

static enum status login(struct job *job)
{
    const struct config_source *source = job->source;
    enum status st = weavy_login(job);

    if (st == ST_OK) {
        job_print(job,
                  TEXTS({"username", source->api.username},
                        {"project_code", source->api.project_code},
                        {"state_file", source->api.state_file}),
                  "logged in as {username}; the login is kept in {state_file}");
    }
    return st;
}

/* status: what became of it; NULL: it is only listed. */
static void print_subscription(const struct job *job, struct json_object *one,
                               const char *status)
{
    struct json_object *object =
        TREE_PICK(json_object_new_object(), one, "event", "code", "url", "since");

    if (status) {
        json_object_object_add(object, "status", tree_string(status));
    }
    job_print(job, object,
              status ? "{event}  {code}  {status}  {url}" : "{event}  {code}  {since}  {url}");
}

static enum status list(struct job *job)
{
    struct json_object *one;

    job->options.dry_run = false; /* the provider is not asked */
    for (size_t i = 0; (one = weavy_entry(job, WEAVY_SUBSCRIPTIONS, i)) != NULL; i++) {
        print_subscription(job, one, NULL);
    }
    return ST_OK;
}

static int check_which(struct job *job)
{
    return job->options.all != (job->cli->argc > 1)
               ? EXIT_DONE
               : cli_misuse(job->cli, "which ones? Either name them, or give --all");
}

/* Does it to each of them, whatever became of the others; but to none after a login that failed. */
static enum status act_on(struct job *job, struct json_object *list,
                          void (*act)(struct job *job, struct json_object *one))
{
    for (size_t i = 0; i < json_object_array_length(list) && !job->login_failed; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);

        if (job_is_stopped(job)) {
            return err_set(&job->err, ST_CLOSED, "interrupted before %s",
                           tree_text(one, tree_text(one, "/event") ? "/event" : "/code"));
        }
        act(job, one);
    }
    return ST_OK;
}

/* ---- subscribe ---- */

static void keep(struct job *job, struct json_object *one)
{
    enum status st = weavy_replace(job, WEAVY_SUBSCRIPTIONS, NULL, json_object_get(one));

    print_subscription(job, one, st == ST_OK ? "subscribed" : "not stored");
    if (st != ST_OK) {
        job->exit_status =
            cli_fail("%s IS SUBSCRIBED, BUT ITS CODE IS NOT STORED: %s; `provider weavy "
                     "unsubscribe CODE` with the code above ends it",
                     tree_text(one, "/event"), job->err.text);
    }
}

static void subscribe_anew(struct job *job, struct json_object *one)
{
    const char *event = tree_text(one, "/event"), *code;
    enum status st = weavy_call(job, WEAVY_SUBSCRIBE,
                                TEXTS({"event", event}, {"hookUrl", tree_text(one, "/url")}));
    bool is_lost = job->reply.uncertain, may_be = is_lost || st == ST_OK;

    code = tree_text(job->reply.json, "/result/codeWebhookSubscription");
    if (code && code[0]) { /* even if the answer is an error: the code ends the subscription */
        json_object_object_add(one, "code", tree_string(code));
        if (st != ST_OK) {
            cli_fail("%s: %s", event, job->err.text);
        }
        if (is_lost) {
            cli_fail("%s may be subscribed twice: the answer to a try did not arrive", event);
        }
        keep(job, one);
        return;
    }
    st = st == ST_OK ? job_reject(job, ST_INVALID, "contains no subscription code") : st;
    if (st == ST_OK) {
        return; /* a dry run */
    }
    job->exit_status = cli_fail("%s: %s", event, job->err.text);
    if (may_be) {
        print_subscription(job, one, "unknown");
        cli_fail("%s may be subscribed all the same, with a code that is not known here%s",
                 event, is_lost ? ": the answer to a try did not arrive" : "");
    }
}

/* one: event and url, to which the code comes. Of --all none is tried after one that failed. */
static void subscribe_one(struct job *job, struct json_object *one)
{
    const char *event = tree_text(one, "/event"), *url = tree_text(one, "/url");
    struct json_object *same;
    size_t i = 0;

    while ((same = weavy_entry(job, WEAVY_SUBSCRIPTIONS, i)) &&
           !(tree_is(same, "/event", event) && tree_is(same, "/url", url))) {
        i++;
    }
    if (same && job->options.dry_run) {
        (void)fprintf(stderr, CLI_PREFIX "%s is subscribed already\n", event);
    } else if (same) {
        print_subscription(job, same, "subscribed already");
    } else if (!job->options.all || job->exit_status == EXIT_DONE) {
        subscribe_anew(job, one);
    }
}

/* The i-th event that is meant: of the standard ones, or of those that were named. */
static const char *event_at(const struct job *job, size_t i)
{
    struct catalogue_pair pair;

    if (job->options.all) {
        return catalogue_at(job->source->provider, i, &pair) ? pair.event : NULL;
    }
    return i + 1 < (size_t)job->cli->argc ? job->cli->argv[i + 1] : NULL;
}

/* Nothing is sent if one that was named has no path. Of --all only those that have one are meant. */
static enum status subscribe(struct job *job)
{
    struct json_object *list = json_object_new_array();
    struct buf url = {0};
    const char *base, *event;
    enum status st = job_url(job, &base);

    for (size_t i = 0; st == ST_OK && (event = event_at(job, i)); i++) {
        buf_clear(&url);
        st = weavy_add_url(&url, job, base, event);
        if (st == ST_OK) {
            json_object_array_add(list, TEXTS({"event", event}, {"url", url.data}));
        } else if (job->options.all) {
            cli_fail("%s: left out", job->err.text);
            st = ST_OK;
        }
    }
    if (st == ST_OK && json_object_array_length(list) == 0) {
        st = err_set(&job->err, ST_NOT_FOUND,
                     "sources[%zu].events names no path for any standard event",
                     job->source_index);
    }
    st = st == ST_OK ? act_on(job, list, subscribe_one) : st;
    json_object_put(list);
    buf_free(&url);
    return st;
}

/* ---- unsubscribe: by the codes that are stored, or by one that is not ---- */

/* Ends one at the provider. */
static enum status end_code(struct job *job, const char *code)
{
    enum status st =
        weavy_call(job, WEAVY_UNSUBSCRIBE, TEXTS({"codeWebhookSubscription", code}));

    if (st == ST_OK && !job->reply.is_json) {
        return job_reject(job, ST_INVALID, "is no JSON");
    }
    /* It may have been ended by a try whose answer was lost. */
    return st == ST_NOT_FOUND && job->reply.uncertain ? ST_OK : st;
}

/* Ends one, and forgets it. One that is not stored here is a code alone. */
static void end_one(struct job *job, struct json_object *one)
{
    bool is_stored = tree_text(one, "/event") != NULL, forget = job->options.forget;
    enum status st = forget ? ST_OK : end_code(job, tree_text(one, "/code"));
    struct buf which = {0};

    job_add_line(job, &which, one,
                 is_stored ? "{event} {code}" : "{code}, which is not stored here");
    if (st != ST_OK) {
        job->exit_status = cli_fail("%s: %s", which.data, job->err.text);
        if (job->reply.uncertain) {
            print_subscription(job, one, "unknown");
        }
        if (is_stored && (st == ST_NOT_FOUND || st == ST_REFUSED || st == ST_INVALID)) {
            cli_fail("%s is kept here; if it has ended, `unsubscribe --forget` removes it "
                     "without asking the API",
                     which.data);
        }
    } else if (!job->options.dry_run) {
        if (is_stored && weavy_replace(job, WEAVY_SUBSCRIPTIONS, one, NULL) != ST_OK) {
            job->exit_status = cli_fail("%s", job->err.text);
        }
        print_subscription(job, one, forget ? "forgotten" : "unsubscribed");
    }
    buf_free(&which);
}

/* All that have this event or code; name of NULL: all there are. */
static enum status end_matching(struct job *job, const char *name)
{
    const struct provider *provider = job->source->provider;
    struct json_object *list = json_object_new_array(), *one;
    struct catalogue_pair pair;
    enum status st = ST_OK;

    for (size_t i = 0; (one = weavy_entry(job, WEAVY_SUBSCRIPTIONS, i)) != NULL; i++) {
        if (!name || tree_is(one, "/event", name) || tree_is(one, "/code", name)) {
            json_object_array_add(list, json_object_get(one));
        }
    }
    if (!name || json_object_array_length(list) > 0) {
        st = act_on(job, list, end_one);
    } else if (catalogue_find(provider, name, &pair) || provider_url_suffix(provider, name)) {
        job->exit_status = cli_fail("%s is not subscribed", name);
    } else if (job->options.forget) {
        job->exit_status = cli_fail("%s is not stored here", name);
    } else {
        json_object_array_add(list, TEXTS({"code", name}));
        st = act_on(job, list, end_one);
    }
    json_object_put(list);
    return st;
}

static enum status unsubscribe(struct job *job)
{
    enum status st = job->options.all ? end_matching(job, NULL) : ST_OK;

    for (int i = 1; i < job->cli->argc && st == ST_OK; i++) {
        st = end_matching(job, job->cli->argv[i]);
    }
    return st;
}

static const struct cli_verb verbs[] = {
    {VERB("login", "", login, 0, 0, true, NULL)},
    {VERB("subscribe", " --url --all", subscribe, 0, INT_MAX, true, check_which)},
    {VERB("unsubscribe", " --all --forget", unsubscribe, 0, INT_MAX, true, check_which)},
    {VERB("list", "", list, 0, 0, false, NULL)},
    {VERB("sample", " --publish", weavy_sample, 1, 1, true, NULL)},
    {0},
};

const struct vendor weavy = {"weavy", "Bearer", "an event or code", verbs, weavy_begin};
