/*
 * provider ricloud: the webhook configs of Reincubate ricloud, and which of them a key uses. Most
 * verbs are one call about one config; the answer is printed. What the API refuses is printed in
 * its own words, and ends the verb.
 */
#include "bridge/cli/provider/internal.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/clock.h"

#include "bridge/cli/http.h"
#include "bridge/cli/tree.h"

enum { PAGE_SIZE = 100, MAX_PAGES = 1000 };

static enum status begin(struct job *job, bool changes)
{
    (void)changes;
    enum status st = job_set_token(job, NULL);

    if (st == ST_OK && !api_has_token(job->api) && !job->options.dry_run) {
        st = err_set(&job->err, ST_MISSING,
                     "source %s has no api.token: the token of a key of ricloud",
                     job->source->name);
    }
    return st;
}

/* An id as JSON: as the answer spells it at this pointer, if it is there; else a number if it
 * looks like one, as the API's own ids are. */
static struct json_object *id_value(const char *id, const struct api_reply *reply,
                                    const char *pointer)
{
    const char *answered = tree_text(reply->json, pointer);

    if (answered && strcmp(answered, id) == 0) {
        return json_object_get(tree_at(reply->shown, pointer));
    }
    if (strspn(id, "0123456789") == strlen(id) && (id[0] != '0' || id[1] == '\0')) {
        return tree_raw(id);
    }
    return json_object_new_string(id);
}

/* ---- get, delete, update, test ---- */

static enum status get(struct job *job)
{
    struct ricloud_config config = {.id = xstrdup(job->cli->argv[1])};
    enum status st = ricloud_ask(job, &config, "GET", NULL);

    if (config.shown) {
        ricloud_print(job, config.shown);
    }
    ricloud_config_fini(&config);
    return st;
}

static enum status delete (struct job *job) {
    const struct api_request request = {.method = "DELETE",
                                        .path = "/configs/webhook/{id}",
                                        .id = job->cli->argv[1]};
    enum status st = job_call(job, &request);

    if (st == ST_NOT_FOUND && job->reply.uncertain){
        st = ST_OK; /* a try whose answer was lost has deleted it */
    }
if (st == ST_OK && !job->options.dry_run)
{
    job_print(job,
              TREE({"id", id_value(request.id, &job->reply, "/id")},
                   {"deleted", json_object_new_boolean(true)}),
              "{id}  deleted");
}
return st;
}

static int check_update(struct job *job)
{
    const char *state = job->options.state;

    if (!job->options.url && !state) {
        return cli_misuse(job->cli, "nothing to change: give --url or --state");
    }
    return !state || strcmp(state, "new") == 0 || strcmp(state, "deactivated") == 0
               ? EXIT_DONE
               : cli_misuse(job->cli, "--state %s: it can be set to new or deactivated only",
                            state);
}

static enum status update(struct job *job)
{
    const char *state = job->options.state;
    struct ricloud_config config = {.id = xstrdup(job->cli->argv[1])};
    enum status st =
        ricloud_ask(job, &config, "POST", BODY({"url", job->options.url}, {"state", state}));

    if (config.shown && state && strcmp(state, "deactivated") == 0) {
        ricloud_print(job, config.shown); /* it is not tested */
    } else if (config.shown) {
        st = ricloud_settle(job, &config);
        if (st == ST_OK) {
            ricloud_report(job, &config, NULL);
        }
    }
    ricloud_config_fini(&config);
    return st;
}

static enum status test(struct job *job)
{
    struct ricloud_config config = {.id = xstrdup(job->cli->argv[1])};
    bool wait = job->options.wait && !job->options.dry_run;
    /* Only with the state before can a change of the state be seen. */
    enum status st = wait ? ricloud_ask(job, &config, "GET", NULL) : ST_OK;

    st = st == ST_OK ? ricloud_start_test(job, &config, job->options.wait) : st;
    st = st == ST_OK && wait ? ricloud_wait_test(job, &config) : st;
    if (st == ST_OK && wait) {
        ricloud_report(job, &config, NULL);
    } else if (st == ST_OK && !job->options.dry_run) {
        job_print(job,
                  TREE({"task", tree_string(tree_text(config.task, "/id"))},
                       {"state", tree_string(tree_text(config.task, "/state"))},
                       {"test_error", tree_string(tree_text(config.task, "/error"))}),
                  "test {task}  {state}");
    }
    ricloud_config_fini(&config);
    return st;
}

/* ---- list: all pages of it ---- */

static void add_query(const struct verb_options *options, const char *last_id, struct buf *out)
{
    buf_addf(out, "?limit=%d", PAGE_SIZE);
    if (options->state) {
        buf_add_str(out, "&state=");
        cli_http_add_escaped(out, options->state);
    }
    if (options->created_ms != CLOCK_NONE) {
        char text[CLOCK_TEXT_SIZE];
        char *fraction;

        clock_format(options->created_ms, text);
        fraction = strstr(text, ".000Z");
        if (fraction) {
            memcpy(fraction, "Z", 2); /* as the API's own examples are */
        }
        buf_add_str(out, "&date_created=");
        cli_http_add_escaped(out, text);
    }
    if (last_id) {
        buf_add_str(out, "&after_id=");
        cli_http_add_escaped(out, last_id);
    }
}

/* Prints the items of a page and sets *last_id to the last one's. It is not documented whether a
 * page begins at after_id or behind it: an item with that id is skipped, and a page without any
 * other item is the last one. */
static enum status print_page(struct job *job, char **last_id, bool *out_more)
{
    struct json_object *items = tree_at(job->reply.json, "/data");
    struct json_object *shown_items = tree_at(job->reply.shown, "/data");
    const char *newest = NULL;

    if (!json_object_is_type(items, json_type_array)) {
        return job_reject(job, ST_INVALID, "is no list");
    }
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        const char *id = tree_text(json_object_array_get_idx(items, i), "/id");

        if (!id || !*last_id || strcmp(id, *last_id) != 0) {
            ricloud_print(job, json_object_array_get_idx(shown_items, i));
            newest = id ? id : newest;
        }
    }
    if (newest) {
        free(*last_id);
        *last_id = xstrdup(newest);
        *out_more = json_object_get_boolean(tree_at(job->reply.json, "/has_more"));
    }
    return ST_OK;
}

static enum status list(struct job *job)
{
    enum status st = ST_OK;
    char *last_id = NULL;
    bool more = true;

    for (int page = 0; st == ST_OK && more && page < MAX_PAGES; page++) {
        struct buf query = {0};

        add_query(&job->options, last_id, &query);
        st = job_call(job, &(struct api_request){.method = "GET",
                                                 .path = "/configs/webhook",
                                                 .query = query.data});
        more = false;
        if (st == ST_OK && !job->options.dry_run) {
            st = print_page(job, &last_id, &more);
        }
        buf_free(&query);
    }
    if (st == ST_OK && more) {
        st = err_set(&job->err, ST_INVALID, "the API's list does not end after %d pages",
                     MAX_PAGES);
    }
    free(last_id);
    return st;
}

/* ---- use: two calls, as only the API knows the id of the key whose token it is ---- */

static enum status use(struct job *job)
{
    const char *id = job->cli->argv[1];
    enum status st = job_call(job, &(struct api_request){.method = "GET", .path = "/key"});
    const char *answered = tree_text(job->reply.json, "/id");
    char *key = answered ? xstrdup(answered) : NULL;
    struct json_object *shown_key = json_object_get(tree_at(job->reply.shown, "/id"));
    struct json_object *body = TREE({"webhook_config", id_value(id, &job->reply, "")});
    struct api_request request = {
        .method = "POST",
        .path = "/keys/{id}", /* as it is in a dry run */
        .id = key,
        .json = xstrdup(tree_print(body)),
    };

    if (st == ST_OK && !job->options.dry_run && !(key && api_is_segment(key))) {
        st = job_reject(job, ST_INVALID, "describes no key");
    }
    if (st == ST_OK) {
        st = job_call(job, &request);
    } else {
        free(request.json);
    }
    if (st == ST_OK && !job->options.dry_run) {
        job_print(job,
                  TREE({"key", json_object_get(shown_key)},
                       {"webhook_config", id_value(id, &job->reply, "/webhook_config")}),
                  "key {key} uses webhook config {webhook_config}");
    }
    json_object_put(body);
    json_object_put(shown_key);
    free(key);
    return st;
}

/* Name, options, what an argument is, how many, stores something, check, run, help. */
static const struct verb verbs[] = {
    {"create", VERB_OPTIONS " --url --replace-secret", NULL, 0, 0, true, NULL, ricloud_create,
     "makes one; its secret goes to the first file among the source's\n"
     "secrets that is missing or empty. Waits for the provider's test,\n"
     "and fails unless the config ends up valid"},
    {"get", VERB_OPTIONS, "an id", 1, 1, false, NULL, get, NULL},
    {"list", VERB_OPTIONS " --state --date-created", NULL, 0, 0, false, NULL, list, NULL},
    {"update", VERB_OPTIONS " --url --state", "an id", 1, 1, false, check_update, update,
     "changes one; if that starts a new test, waits for it as create does"},
    {"test", VERB_OPTIONS " --wait", "an id", 1, 1, false, NULL, test,
     "has one tested; --wait waits for the outcome, and fails unless the\n"
     "config is seen to be valid"},
    {"delete", VERB_OPTIONS, "an id", 1, 1, false, NULL, delete, NULL},
    {"use", VERB_OPTIONS, "an id", 1, 1, false, NULL, use,
     "makes the key whose token is api.token send to this config"},
    {0},
};

static const struct cli_option options[] = {
    {"--url", CLI_TEXT, offsetof(struct verb_options, url), "URL",
     "where the provider sends to; default: the source's public_url"},
    {"--replace-secret", CLI_FLAG, offsetof(struct verb_options, replace_secret), NULL,
     "if no such file is left, replaces the secret in the first one"},
    {"--state", CLI_TEXT, offsetof(struct verb_options, state), "STATE",
     "list: only these; the only way to see deactivated ones"},
    {"--date-created", CLI_WHEN, offsetof(struct verb_options, created_ms), "T",
     "list: only those that the provider finds for this time"},
    {"--wait", CLI_FLAG, offsetof(struct verb_options, wait), NULL, NULL},
    {0},
};

const struct vendor ricloud = {"ricloud", "Token", "webhook configs.", verbs, options, begin};
