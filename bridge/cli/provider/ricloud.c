/*
 * provider ricloud: the webhook configs of Reincubate ricloud, and which of them a key uses. Most
 * verbs are one call about one config; the answer is printed. What the API refuses is printed in
 * its own words, and ends the verb.
 */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/clock.h"

#include "bridge/cli/provider/internal.h"

enum { PAGE_SIZE = 100, MAX_PAGES = 1000 };

static enum status begin(struct job *job, bool changes)
{
    (void)changes;
    enum status st = job_set_token(job, NULL);

    return st != ST_OK || job->api.token.len > 0 || job->options.dry_run
               ? st
               : err_set(&job->err, ST_MISSING,
                         "source %s has no api.token: the token of a key of ricloud",
                         job->source->name);
}

/* An id as JSON: as it was answered, if it was; else a number if it looks like one, as the API's
 * own ids are. */
static struct json_object *id_value(const char *id, struct json_object *answered)
{
    bool is_number = strspn(id, "0123456789") == strlen(id) && (id[0] != '0' || id[1] == '\0');

    return tree_is(answered, "", id) ? json_object_get(answered)
           : is_number               ? tree_raw(id)
                                     : json_object_new_string(id);
}

/* ---- get, delete, update, test ---- */

static enum status get(struct job *job)
{
    enum status st = ricloud_ask(job, "GET", NULL);

    ricloud_print(job, job->config);
    return st;
}

static enum status remove_config(struct job *job)
{
    const char *id = job->cli->argv[1];
    enum status st =
        job_call(job, &(struct request){.method = "DELETE", .path = RICLOUD_CONFIG, .id = id});

    if (st == ST_OK ||
        (st == ST_NOT_FOUND && job->reply.uncertain)) { /* a try has deleted it */
        job_print(job,
                  TREE({"id", id_value(id, tree_at(job->reply.json, "/id"))},
                       {"deleted", json_object_new_boolean(true)}),
                  "{id}  deleted");
        st = ST_OK;
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
    enum status st =
        ricloud_ask(job, "POST", TEXTS({"url", job->options.url}, {"state", state}));

    if (st == ST_OK && state && strcmp(state, "deactivated") == 0) {
        ricloud_print(job, job->config); /* it is not tested */
        return ST_OK;
    }
    return ricloud_report(job, st == ST_OK && job->config ? ricloud_settle(job) : st, NULL);
}

static enum status test(struct job *job)
{
    bool wait = job->options.wait && !job->options.dry_run;
    /* Only with the state before can a change of the state be seen. */
    enum status st = wait ? ricloud_ask(job, "GET", NULL) : ST_OK;

    if (st == ST_OK && wait && tree_is(job->config, "/state", "deactivated")) {
        return ricloud_report(job, st, NULL);
    }
    st = st == ST_OK ? ricloud_start_test(job, job->options.wait) : st;
    if (wait) {
        return ricloud_report(job, st == ST_OK ? ricloud_wait_test(job) : st, NULL);
    }
    if (st == ST_OK) {
        job_print(job,
                  TREE({"task", json_object_get(tree_at(job->test, "/id"))},
                       {"state", json_object_get(tree_at(job->test, "/state"))},
                       {"test_error", json_object_get(tree_at(job->test, "/error"))}),
                  "test {task}  {state}");
    }
    return st;
}

/* ---- list: all pages of it ---- */

static void add_query(const struct verb_options *options, const char *last_id, struct buf *out)
{
    char created[CLOCK_TEXT_SIZE];
    char *fraction;

    buf_addf(out, "?limit=%d", PAGE_SIZE);
    if (options->state) {
        buf_add_str(out, "&state=");
        cli_http_add_escaped(out, options->state);
    }
    if (options->created_ms != CLOCK_NONE) {
        clock_format(options->created_ms, created);
        fraction = strstr(created, ".000Z");
        if (fraction) {
            memcpy(fraction, "Z", 2); /* as the API's own examples are */
        }
        buf_add_str(out, "&date_created=");
        cli_http_add_escaped(out, created);
    }
    if (last_id) {
        buf_add_str(out, "&after_id=");
        cli_http_add_escaped(out, last_id);
    }
}

/* Prints the items of a page and sets *last_id to the last one's. It is not documented whether a
 * page begins at after_id or behind it: an item with that id is skipped. A page without any other
 * item must be the last one, as the next one would be the same. */
static enum status print_page(struct job *job, char **last_id, bool *out_more)
{
    struct json_object *items = tree_at(job->reply.json, "/data");
    const char *newest = NULL;

    *out_more = json_object_get_boolean(tree_at(job->reply.json, "/has_more"));
    if (!json_object_is_type(items, json_type_array)) {
        return job_reject(job, ST_INVALID, "is no list");
    }
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        struct json_object *item = json_object_array_get_idx(items, i);
        if (!*last_id || !tree_is(item, "/id", *last_id)) {
            ricloud_print(job, item);
            newest = tree_text(item, "/id") ? tree_text(item, "/id") : newest;
        }
    }
    if (newest) {
        free(*last_id);
        *last_id = xstrdup(newest);
    } else if (*out_more) {
        return job_reject(job, ST_INVALID, "says that there are more, but has none of them");
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
        st = job_call(job, &(struct request){
                               .method = "GET", .path = RICLOUD_CONFIGS, .query = query.data});
        more = false;
        if (st == ST_OK) {
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

/* ---- use: only the API knows which key's token it is, and how it spells the config's id ---- */

static enum status use(struct job *job)
{
    const char *id = job->cli->argv[1], *key_id;
    struct json_object *key = NULL, *config_id, *used;
    enum status st = ricloud_ask(job, "GET", NULL);

    config_id = id_value(id, tree_at(job->config, "/id"));
    st = st == ST_OK ? job_call(job, &(struct request){.method = "GET", .path = "/key"}) : st;
    key_id = tree_text(job->reply.json, "/id");
    if (st == ST_OK && !(key_id && api_is_segment(key_id))) {
        st = job_reject(job, ST_INVALID, "describes no key");
    }
    job_keep(job, &key);
    if (st == ST_OK) {
        st = job_call(job, &(struct request){
                               .method = "POST",
                               .path = "/keys/{id}", /* as it is in a dry run */
                               .id = key_id,
                               .json = TREE({"webhook_config", tree_copy(config_id)}),
                           });
    }
    if (st == ST_OK) {
        used = tree_at(job->reply.json, "/webhook_config");
        job_print(job,
                  TREE({"key", json_object_get(tree_at(key, "/id"))},
                       {"webhook_config", id_value(id, used ? used : config_id)}),
                  "key {key} uses webhook config {webhook_config}");
    }
    json_object_put(config_id);
    tree_wipe(key);
    return st;
}

/* Run, how many arguments, stores something, check. */
static const struct cli_verb verbs[] = {
    {"create", NULL, VERB_OPTIONS " --url --replace-secret",
     &(const struct verb){ricloud_create, 0, 0, true, NULL}},
    {"get", NULL, VERB_OPTIONS, &(const struct verb){get, 1, 1, false, NULL}},
    {"list", NULL, VERB_OPTIONS " --state --date-created",
     &(const struct verb){list, 0, 0, false, NULL}},
    {"update", NULL, VERB_OPTIONS " --url --state",
     &(const struct verb){update, 1, 1, false, check_update}},
    {"test", NULL, VERB_OPTIONS " --wait", &(const struct verb){test, 1, 1, false, NULL}},
    {"delete", NULL, VERB_OPTIONS, &(const struct verb){remove_config, 1, 1, false, NULL}},
    {"use", NULL, VERB_OPTIONS, &(const struct verb){use, 1, 1, false, NULL}},
    {0},
};

const struct vendor ricloud = {"ricloud", "Token", "an id", verbs, begin};
