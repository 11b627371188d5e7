/*
 * provider weavy: subscriptions at Divalto weavy. The API cannot list them, and ends one only by
 * its code. So each code is on disk before the next one is asked for, and is only forgotten when
 * the API has confirmed the end of the subscription, or when the user wants it.
 *
 * Of several events every one is tried, whatever became of the others; the first failure gives
 * the exit status.
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
    static const char *const names[] = {"event", "code", "url", "since", NULL};
    struct json_object *object = json_object_new_object();

    tree_pick(object, one, names);
    if (status) {
        json_object_object_add(object, "status", tree_string(status));
    }
    job_print(job, object,
              status ? "{event}  {code}  {status}  {url}" : "{event}  {code}  {since}  {url}");
}

static struct json_object *subscription(const struct job *job, size_t i)
{
    return state_entry(job, STATE_SUBSCRIPTIONS, i);
}

static enum status list(struct job *job)
{
    struct json_object *one;

    job->options.dry_run = false; /* the provider is not asked */
    for (size_t i = 0; (one = subscription(job, i)) != NULL; i++) {
        print_subscription(job, one, NULL);
    }
    return ST_OK;
}

/* ---- subscribe ---- */

static int check_which(struct job *job)
{
    return job->options.all != (job->cli->argc > 1)
               ? EXIT_DONE
               : cli_misuse(job->cli, "which ones? Either name them, or give --all");
}

/* Stores it; only then is the event subscribed as far as we are concerned. Takes it. */
static void keep(struct job *job, struct json_object *one, const char *event)
{
    enum status st;

    state_add(job, STATE_SUBSCRIPTIONS, one);
    st = state_save(job);
    print_subscription(job, one, st == ST_OK ? "subscribed" : "not stored");
    if (st != ST_OK) {
        job_end(job,
                cli_fail("%s IS SUBSCRIBED, BUT ITS CODE IS NOT STORED: %s; `provider weavy "
                         "unsubscribe CODE` with the code above ends it",
                         event, job->err.text));
    }
}

static void subscribe_at(struct job *job, const char *event, const char *url)
{
    enum status st = weavy_call(job, "Subscribe", TEXTS({"event", event}, {"hookUrl", url}));
    bool is_taken = job->reply.http.status / 100 == 2, uncertain = job->reply.uncertain;
    const char *code =
        is_taken ? tree_text(job->reply.json, "/result/codeWebhookSubscription") : NULL;
    bool is_made = code && code[0], is_unknown = uncertain || st == ST_OK;
    struct json_object *one = TEXTS({"event", event}, {"url", url}, {"code", code});

    if (!is_made && st == ST_OK) {
        st = job_reject(job, ST_INVALID, "contains no subscription code");
    }
    if (st != ST_OK) {
        cli_fail("%s: %s", event, job->err.text);
    }
    if (is_made) { /* even if the answer is an error: the code ends the subscription */
        if (uncertain) {
            cli_fail("%s may be subscribed twice: the answer to a try did not arrive", event);
        }
        keep(job, one, event);
        return;
    }
    if (st != ST_OK && is_unknown) {
        print_subscription(job, one, "unknown");
        cli_fail("%s may be subscribed all the same, with a code that is not known here%s",
                 event, uncertain ? ": the answer to a try did not arrive" : "");
    }
    job_end(job, st == ST_OK ? EXIT_DONE : EXIT_FAILED);
    json_object_put(one);
}

/* At a URL that has not been subscribed yet. */
static void subscribe_event(struct job *job, const char *event, const char *url)
{
    struct json_object *same;
    size_t i = 0;

    while ((same = subscription(job, i)) &&
           !(tree_is(same, "/event", event) && tree_is(same, "/url", url))) {
        i++;
    }
    if (!same) {
        subscribe_at(job, event, url);
    } else if (job->options.dry_run) {
        (void)fprintf(stderr, CLI_PREFIX "%s is subscribed already\n", event);
    } else {
        print_subscription(job, same, "subscribed already");
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

/* All that are meant, in two rounds: nothing is sent if one that was named has no path. Of --all
 * only those that have one are meant, and none is tried after one that failed. */
static enum status subscribe(struct job *job)
{
    struct buf url = {0}, left_out = {0};
    const char *base, *event;
    enum status st = job_url(job, &base);
    size_t count = 0;

    for (size_t i = 0; st == ST_OK && (event = event_at(job, i)); i++) {
        st = weavy_add_url(&url, job, base, event);
        count += st == ST_OK;
        if (st != ST_OK && job->options.all) {
            buf_addf(&left_out, "%s%s", left_out.len ? ", " : "", event);
            st = ST_OK;
        }
    }
    if (st == ST_OK && count == 0) {
        st = err_set(&job->err, ST_NOT_FOUND,
                     "sources[%zu].events names no path for any standard event",
                     job->source_index);
    } else if (st == ST_OK && left_out.len > 0) {
        cli_fail("sources[%zu].events names no path for %s: left out", job->source_index,
                 left_out.data);
    }
    for (size_t i = 0; st == ST_OK && (event = event_at(job, i)); i++) {
        if (job_is_stopped(job)) {
            st = err_set(&job->err, ST_CLOSED, "interrupted before %s", event);
            break;
        }
        buf_clear(&url);
        if (weavy_add_url(&url, job, base, event) == ST_OK &&
            (!job->options.all || job->exit_status == EXIT_DONE)) {
            subscribe_event(job, event, url.data);
        }
    }
    buf_free(&url);
    buf_free(&left_out);
    return st;
}

/* ---- unsubscribe: by the codes that are stored, or by one that is not ---- */

/* Ends one at the provider. */
static enum status end_code(struct job *job, const char *code)
{
    enum status st = weavy_call(job, "Unsubscribe", TEXTS({"codeWebhookSubscription", code}));
    const struct reply *reply = &job->reply;

    if (st == ST_OK && !reply->is_json) {
        return job_reject(job, ST_INVALID, "is no JSON");
    }
    /* It may have been ended by a try whose answer was lost. */
    return reply->uncertain && (reply->http.status == 404 || reply->http.status == 410) ? ST_OK
                                                                                        : st;
}

/* Ends the i-th stored one, and forgets it. Returns whether it did. */
static bool end_stored(struct job *job, size_t i)
{
    struct json_object *one = subscription(job, i);
    bool forget = job->options.forget;
    enum status st = forget ? ST_OK : end_code(job, tree_text(one, "/code"));
    struct buf which = {0};

    job_add_line(job, &which, one, "{event} {code}");
    if (st != ST_OK) {
        job_end(job, cli_fail("%s: %s", which.data, job->err.text));
        if (job->reply.uncertain) {
            print_subscription(job, one, "unknown");
        }
        if (st == ST_NOT_FOUND || st == ST_REFUSED || st == ST_INVALID) {
            cli_fail("%s is kept here; if it has ended, `unsubscribe --forget` removes it "
                     "without asking the API",
                     which.data);
        }
    } else if (!job->options.dry_run) {
        json_object_get(one);
        state_remove(job, STATE_SUBSCRIPTIONS, i);
        if (state_save(job) != ST_OK) {
            job_end(job, cli_fail("%s", job->err.text));
        }
        print_subscription(job, one, forget ? "forgotten" : "unsubscribed");
        json_object_put(one);
    }
    buf_free(&which);
    return st == ST_OK && !job->options.dry_run;
}

/* A code that is not stored here, such as one that could not be. */
static void end_unknown(struct job *job, const char *code)
{
    const struct provider *provider = job->source->provider;
    struct json_object *one = TEXTS({"code", code});
    struct catalogue_pair pair;

    if (catalogue_find(provider, code, &pair) || provider_url_suffix(provider, code)) {
        job_end(job, cli_fail("%s is not subscribed", code));
    } else if (job->options.forget) {
        job_end(job, cli_fail("%s is not stored here", code));
    } else if (end_code(job, code) != ST_OK) {
        job_end(job, cli_fail("%s, which is not stored here: %s", code, job->err.text));
    } else {
        print_subscription(job, one, "unsubscribed");
    }
    json_object_put(one);
}

/* All that have this event or code; name of NULL: all there are. */
static void end_matching(struct job *job, const char *name)
{
    struct json_object *one;
    bool found = false;

    for (size_t i = 0; (one = subscription(job, i)) != NULL && !job_is_stopped(job);) {
        bool matches = !name || tree_is(one, "/event", name) || tree_is(one, "/code", name);

        found |= matches;
        i += !(matches && end_stored(job, i)); /* else the next one has moved up */
    }
    if (name && !found && !job_is_stopped(job)) {
        end_unknown(job, name);
    }
}

static enum status unsubscribe(struct job *job)
{
    if (job->options.all) {
        end_matching(job, NULL);
    }
    for (int i = 1; i < job->cli->argc; i++) {
        end_matching(job, job->cli->argv[i]);
    }
    return job_is_stopped(job) ? err_set(&job->err, ST_CLOSED, "interrupted") : ST_OK;
}

/* Run, how many arguments, stores something, check. */
static const struct cli_verb verbs[] = {
    {"login", NULL, VERB_OPTIONS, &(const struct verb){login, 0, 0, true, NULL}},
    {"subscribe", NULL, VERB_OPTIONS " --url --all",
     &(const struct verb){subscribe, 0, INT_MAX, true, check_which}},
    {"unsubscribe", NULL, VERB_OPTIONS " --all --forget",
     &(const struct verb){unsubscribe, 0, INT_MAX, true, check_which}},
    {"list", NULL, VERB_OPTIONS, &(const struct verb){list, 0, 0, false, NULL}},
    {"sample", NULL, VERB_OPTIONS " --publish",
     &(const struct verb){weavy_sample, 1, 1, true, NULL}},
    {0},
};

const struct vendor weavy = {"weavy", "Bearer", "an event or code", verbs, weavy_begin};
