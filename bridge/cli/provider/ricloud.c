/*
 * provider ricloud: the webhook configs of Reincubate ricloud, and which of them a key uses. Most
 * verbs are one call about one config; the answer is printed. What the API refuses is printed in
 * its own words, and ends the verb.
 */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/clock.h"
#include "common/file.h"

#include "bridge/cli/provider/internal.h"
#include "bridge/verify/verify.h"

enum { PAGE_SIZE = 100, MAX_SECRET = 64 * 1024 };

/* ---- create, which is more than one call: the API makes the secret, answers with it, and begins
 * to test the bridge at the same moment.
 *
 * 1. choose the file that the secret goes to, and take room for it on the disk
 * 2. POST; from here on there is a config at the provider
 * 3. store the secret; the running bridge looks for it when the test arrives
 * 4. wait for the outcome; where the test came before the secret, have it tested once more
 *
 * If we die between 2 and 3 the secret is lost; `list` shows the config, `delete` ends it. */

/* Missing or empty. */
static enum status is_free(const char *path, bool *out_free, struct err *err)
{
    struct buf secret = {0};
    enum status st = file_read_secret(path, &secret, err);

    *out_free = secret.len == 0;
    buf_wipe(&secret);
    return st == ST_NOT_FOUND ? ST_OK : st;
}

/* The first file without a secret, else the first one if it may be replaced. */
static enum status choose_file(struct job *job, const char **out_file, bool *out_free)
{
    const struct config_source *source = job->source;
    enum status st = ST_OK;

    *out_file = NULL;
    *out_free = false;
    for (size_t i = 0; i < source->secret_count && !*out_free && st == ST_OK; i++) {
        const char *file = source->secrets[i].file;

        st = file ? is_free(file, out_free, &job->err) : ST_OK;
        *out_file = *out_free || !*out_file ? file : *out_file;
    }
    if (st == ST_OK && !*out_free && !(*out_file && job->options.replace_secret)) {
        return err_set(&job->err, ST_FULL,
                       "source %s has no file for the secret: add {\"file\": \"PATH\"} to its "
                       "secrets%s%s",
                       source->name, *out_file ? ", or give --replace-secret to replace " : "",
                       *out_file ? *out_file : "");
    }
    return st;
}

/* Locks against a second `create` that would choose the same file, before anything is made at the
 * provider. */
static enum status prepare(struct job *job, const char **out_file, bool *out_free)
{
    const char *file;
    enum status st = choose_file(job, &file, out_free);

    *out_file = file;
    if (st == ST_OK && job->options.dry_run) {
        (void)fprintf(stderr, CLI_PREFIX "the secret would go to %s\n", file);
        return ST_OK;
    }
    st = st == ST_OK ? file_draft_open(file, &job->draft, &job->err) : st;
    st = st == ST_OK ? choose_file(job, out_file, out_free) : st;
    if (st == ST_OK && *out_file != file) {
        return err_set(&job->err, ST_BUSY,
                       "another hook2mqtt command has just stored a secret in %s; try again",
                       file);
    }
    return st == ST_OK ? file_draft_reserve(job->draft, MAX_SECRET, &job->err) : st;
}

/* id: of the config, for messages. */
static enum status store_secret(struct job *job, const char *file, bool was_free,
                                const char *id)
{
    struct json_object *value =
        tree_at(job->config, "/secret"); /* has no length if no string */
    struct slice secret = {json_object_get_string(value),
                           (size_t)json_object_get_string_len(value)};
    /* As a secret file, and the configuration, can have it. */
    bool is_fit = secret.len > 0 && secret.len <= VERIFY_MAX_SECRET &&
                  strcspn(secret.data, "\r\n") == secret.len;
    enum status st;

    secrets_add(&job->api.secrets, secret);
    st = is_fit
             ? job_store(job, secret)
             : err_set(&job->err, ST_INVALID,
                       "the API's answer contains no secret of one line and at most %d bytes",
                       VERIFY_MAX_SECRET);
    if (st != ST_OK) {
        cli_fail("webhook config %s WAS CREATED, BUT ITS SECRET IS NOT STORED: %s", id,
                 job->err.text);
        return err_set(&job->err, st,
                       "the bridge will refuse its events: `provider ricloud delete %s`, then "
                       "create a new one",
                       id);
    }
    if (!was_free) {
        cli_fail("the secret that was in %s is replaced: deliveries signed with it are refused "
                 "from now on",
                 file);
    }
    return ST_OK;
}

/* There is a config. */
static enum status finish(struct job *job, const char *file, bool was_free)
{
    struct buf id = {0};
    enum status st;

    job_add_line(job, &id, job->config, "{id}");
    st = store_secret(job, file, was_free, id.data);
    if (st != ST_OK) {
        st = ricloud_report(job, st, NULL);
    } else if (ricloud_report(job, ricloud_settle(job), file) != ST_OK) {
        st =
            err_wrap(&job->err,
                     "webhook config %s was created, and its secret is in %s; but how its test "
                     "went is not known",
                     id.data, file);
    }
    buf_free(&id);
    return st;
}

static enum status create(struct job *job)
{
    const char *file, *url;
    bool was_free = false;
    enum status st = prepare(job, &file, &was_free);

    st = st == ST_OK ? job_url(job, &url) : st;
    if (st != ST_OK) {
        return st;
    }
    st = ricloud_ask(job, "POST", TEXTS({"url", url}));
    if (job->reply.uncertain || (st != ST_OK && job->config)) {
        cli_fail("a config may have been made all the same: `provider ricloud list` shows it, "
                 "`provider ricloud delete ID` removes it");
    }
    return st == ST_OK && job->config ? finish(job, file, was_free)
                                      : ricloud_report(job, st, NULL);
}

/* ---- get, update, test ---- */

static enum status get(struct job *job)
{
    enum status st = ricloud_ask(job, "GET", NULL);

    ricloud_print(job, job->config);
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

/* Prints what a change has done; if nobody knows whether it has, with `unknown` as its state. Takes
 * the object. */
static enum status print_change(struct job *job, enum status st, struct json_object *object,
                                const char *line, const char *unknown_line)
{
    if (st == ST_OK) {
        job_print(job, object, line);
    } else if (job->reply.uncertain) {
        json_object_object_add(object, "state", tree_string("unknown"));
        job_print(job, object, unknown_line);
    } else {
        json_object_put(object);
    }
    return st;
}

static enum status test(struct job *job)
{
    bool wait = job->options.wait && !job->options.dry_run;
    /* Only with the state before can a change of the state be seen. */
    enum status st = wait ? ricloud_ask(job, "GET", NULL) : ST_OK;

    if (st != ST_OK || (wait && tree_is(job->config, "/state", "deactivated"))) {
        return ricloud_report(job, st, NULL);
    }
    st = ricloud_start_test(job, job->options.wait);
    if (wait) {
        return ricloud_report(job, st == ST_OK ? ricloud_wait_test(job) : st, NULL);
    }
    return print_change(job, st,
                        TREE({"task", json_object_get(tree_at(job->test, "/id"))},
                             {"state", json_object_get(tree_at(job->test, "/state"))},
                             {"test_error", json_object_get(tree_at(job->test, "/error"))}),
                        "test {task}  {state}", "test {task}  {state}");
}

/* ---- delete, use ---- */

/* An id as JSON: as it was answered, if it was; else a number if it looks like one, as the API's
 * own ids are. */
static struct json_object *id_value(const char *id, struct json_object *answered)
{
    bool is_number = strspn(id, "0123456789") == strlen(id) && (id[0] != '0' || id[1] == '\0');

    return tree_is(answered, "", id) ? json_object_get(answered)
           : is_number               ? tree_raw(id)
                                     : json_object_new_string(id);
}

static enum status remove_config(struct job *job)
{
    const char *id = job->cli->argv[1];
    enum status st =
        job_call(job, &(struct request){.method = "DELETE", .path = RICLOUD_CONFIGS, .id = id});

    st = st == ST_NOT_FOUND && job->reply.uncertain ? ST_OK : st; /* a try has deleted it */
    return print_change(job, st,
                        TREE({"id", id_value(id, tree_at(job->reply.json, "/id"))},
                             {"deleted", st == ST_OK ? json_object_new_boolean(true) : NULL}),
                        "{id}  deleted", "{id}  {state}");
}

/* Only the API knows which key's token it is, and how it spells the config's id. */
static enum status use(struct job *job)
{
    const char *id = job->cli->argv[1], *key_id;
    struct json_object *key, *config_id, *used;
    enum status st = ricloud_ask(job, "GET", NULL);

    config_id = id_value(id, tree_at(job->config, "/id"));
    st = st == ST_OK ? job_call(job, &(struct request){.method = "GET", .path = "/key"}) : st;
    key = tree_copy(tree_at(job->reply.json, "/id"));
    key_id = tree_text(key, "");
    if (st == ST_OK && !(key_id && api_is_segment(key_id))) {
        st = job_reject(job, ST_INVALID, "describes no key");
    }
    if (st == ST_OK) {
        st = job_call(job, &(struct request){
                               .method = "POST",
                               .path = key_id ? "/keys" : "/keys/{id}", /* in a dry run */
                               .id = key_id,
                               .json = TREE({"webhook_config", tree_copy(config_id)}),
                           });
        used = tree_at(job->reply.json, "/webhook_config");
        st = print_change(job, st,
                          TREE({"key", json_object_get(key)},
                               {"webhook_config", id_value(id, used ? used : config_id)}),
                          "key {key} uses webhook config {webhook_config}",
                          "key {key}  {state}");
    }
    json_object_put(config_id);
    json_object_put(key);
    return st;
}

/* ---- list: all pages of it ---- */

static void add_filter(struct buf *out, const char *name, const char *value)
{
    if (value) {
        buf_addf(out, "&%s=", name);
        cli_http_add_escaped(out, value);
    }
}

static void add_query(struct buf *out, const struct verb_options *options, const char *last_id)
{
    bool is_created = options->created_ms != CLOCK_NONE;
    char created[CLOCK_TEXT_SIZE], *fraction;

    clock_format(is_created ? options->created_ms : 0, created);
    fraction = strstr(created, ".000Z");
    if (fraction) {
        memcpy(fraction, "Z", 2); /* as the API's own examples are */
    }
    buf_addf(out, "?limit=%d", PAGE_SIZE);
    add_filter(out, "state", options->state);
    add_filter(out, "date_created", is_created ? created : NULL);
    add_filter(out, "after_id", last_id);
}

/* Prints the items of a page, and gives the last one's id if more pages follow. It is not documented
 * whether a page begins at after_id or behind it: an item with that id is skipped. A page without
 * any other item must be the last one, as the next one would be the same. */
static enum status print_page(struct job *job, char **last_id)
{
    struct json_object *items = tree_at(job->reply.json, "/data");
    bool more = json_object_get_boolean(tree_at(job->reply.json, "/has_more"));
    const char *newest = NULL;

    if (!json_object_is_type(items, json_type_array)) {
        return job_reject(job, ST_INVALID, "is no list");
    }
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        struct json_object *item = json_object_array_get_idx(items, i);
        const char *id = tree_text(item, "/id");

        if (!*last_id || !id || strcmp(id, *last_id) != 0) {
            ricloud_print(job, item);
            newest = id ? id : newest;
        }
    }
    if (more && !newest) {
        return job_reject(job, ST_INVALID, "says that there are more, but has none of them");
    }
    free(*last_id);
    *last_id = more ? xstrdup(newest) : NULL;
    return ST_OK;
}

static enum status list(struct job *job)
{
    enum status st;
    char *last_id = NULL;

    do {
        struct buf query = {0};

        add_query(&query, &job->options, last_id);
        st = job_call(job, &(struct request){
                               .method = "GET", .path = RICLOUD_CONFIGS, .more = query.data});
        st = st == ST_OK ? print_page(job, &last_id) : st;
        if (st == ST_OK && last_id && !job_wait(job, 0)) {
            st = err_set(&job->err, ST_CLOSED, "the list has more pages, but the time is over");
        }
        buf_free(&query);
    } while (st == ST_OK && last_id);
    free(last_id);
    return st;
}

static const struct cli_verb verbs[] = {
    {VERB("create", " --url --replace-secret", create, 0, 0, false, NULL)},
    {VERB("get", "", get, 1, 1, false, NULL)},
    {VERB("list", " --state --date-created", list, 0, 0, false, NULL)},
    {VERB("update", " --url --state", update, 1, 1, false, check_update)},
    {VERB("test", " --wait", test, 1, 1, false, NULL)},
    {VERB("delete", "", remove_config, 1, 1, false, NULL)},
    {VERB("use", "", use, 1, 1, false, NULL)},
    {0},
};

const struct vendor ricloud = {"ricloud", "Token", "an id", verbs, NULL};
