/*
 * A webhook config is created `new`; the API tests it by sending an event to its URL, after which
 * it is `valid` or `invalid`. That takes time, so the config is fetched again and again until
 * its state shows the outcome, or the time is over.
 *
 * A test can also get lost: it may come before the bridge has the secret. So a config that stays
 * new or becomes invalid is tested once more before it is reported as such.
 */
#include "bridge/cli/provider/internal.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/clock.h"

#include "bridge/cli/tree.h"

enum { FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 2000, TEST_AGAIN_AFTER_MS = 5000 };

void ricloud_config_fini(struct ricloud_config *config)
{
    free(config->id);
    json_object_put(config->shown);
    json_object_put(config->task);
}

/* state: new, valid, invalid or deactivated. */
static bool is(const struct ricloud_config *config, const char *state)
{
    return strcmp(tree_text(config->shown, "/state"), state) == 0;
}

/* ---- calls ---- */

enum status ricloud_ask(struct job *job, struct ricloud_config *config, const char *method,
                        char *json)
{
    enum status st =
        job_call(job, &(struct api_request){
                          .method = method,
                          .path = config->id ? "/configs/webhook/{id}" : "/configs/webhook",
                          .id = config->id,
                          .json = json,
                      });
    const char *id = tree_text(job->reply.json, "/id");

    if (st != ST_OK || job->options.dry_run) {
        return st;
    }
    if (!id || !api_is_segment(id) || !tree_text(job->reply.shown, "/state")) {
        return job_reject(job, ST_INVALID, "describes no webhook config");
    }
    free(config->id);
    config->id = xstrdup(id);
    json_object_put(config->shown);
    config->shown = json_object_get(job->reply.shown);
    return ST_OK;
}

enum status ricloud_start_test(struct job *job, struct ricloud_config *config, bool await)
{
    enum status st =
        job_call(job, &(struct api_request){
                          .method = "POST",
                          .path = "/configs/webhook/{id}/test",
                          .id = config->id,
                          .await = await ? "10" : NULL, /* seconds; more is not allowed */
                          .json = xstrdup("null"),      /* as the provider's own client */
                      });

    if (st == ST_OK) {
        json_object_put(config->task);
        config->task = json_object_get(job->reply.shown);
    }
    return st;
}

/* ---- waiting ---- */

/* Asks again until the config is in the expected state (NULL: in another one than before, and not
 * `new`), for at most so long. */
static enum status wait_for_state(struct job *job, struct ricloud_config *config,
                                  const char *expected, const char *before, int64_t max_ms)
{
    int64_t end_ms = clock_mono_ms() + max_ms;
    enum status st = ST_OK;

    config->is_open = true;
    for (int64_t pause = FIRST_PAUSE_MS; st == ST_OK && config->is_open; pause *= 2) {
        config->is_open =
            expected ? !is(config, expected) : is(config, before) || is(config, "new");
        if (config->is_open) {
            if (clock_mono_ms() >= end_ms ||
                !api_wait(job->api, pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS)) {
                break;
            }
            st = ricloud_ask(job, config, "GET", NULL);
        }
    }
    return st;
}

enum status ricloud_wait_test(struct job *job, struct ricloud_config *config)
{
    const char *state = tree_text(config->task, "/state");
    /* If the task has not ended, any change of the config's state shows the outcome. */
    char *before = xstrdup(tree_text(config->shown, "/state"));
    const char *expected = !state                            ? NULL
                           : strcmp(state, "succeeded") == 0 ? "valid"
                           : strcmp(state, "failed") == 0    ? "invalid"
                                                             : NULL;
    enum status st = ricloud_ask(job, config, "GET", NULL);

    st = st == ST_OK ? wait_for_state(job, config, expected, before, INT64_MAX / 2) : st;
    free(before);
    return st;
}

enum status ricloud_settle(struct job *job, struct ricloud_config *config)
{
    enum status st = wait_for_state(job, config, NULL, "new", TEST_AGAIN_AFTER_MS);
    bool is_new = st == ST_OK && config->is_open;

    if (st != ST_OK || !(is_new || is(config, "invalid")) || !api_wait(job->api, 0)) {
        return st;
    }
    st = ricloud_start_test(job, config, true);
    if (st == ST_REFUSED && is_new) { /* not while the first one runs, perhaps */
        cli_fail("%s; waiting for the test that has begun", job->err.text);
        return wait_for_state(job, config, NULL, "new", INT64_MAX / 2);
    }
    return st == ST_OK ? ricloud_wait_test(job, config) : st;
}

/* ---- printing ---- */

#define CONFIG_LINE "{id}  {state}  {date_created}  {url}"

/* The members of a config that are printed. */
static struct json_object *describe(struct json_object *shown)
{
    static const char *const names[] = {"id",           "url",          "state",
                                        "organisation", "date_created", NULL};
    struct json_object *object = json_object_new_object();

    tree_pick(object, shown, names);
    return object;
}

void ricloud_print(const struct job *job, struct json_object *shown)
{
    job_print(job, describe(shown), CONFIG_LINE);
}

/* A line on stderr; line: see job_add_line. */
static void say(struct json_object *object, const char *line)
{
    struct buf text = {0};

    job_add_line(&text, object, line);
    (void)fprintf(stderr, "%s\n", text.data);
    buf_free(&text);
}

/* What may be wrong. report: what was printed of the config. */
static void explain(const struct job *job, const struct ricloud_config *config,
                    struct json_object *report)
{
    json_object_object_add(report, "path", tree_string(job->source->path));
    json_object_object_add(report, "source", tree_string(job->source->name));
    json_object_object_add(report, "still", tree_string(is(config, "new") ? "" : "still "));
    say(report, config->is_open ? CLI_PREFIX
                    "webhook config {id} is {still}{state}: the API has not "
                    "finished its test within --timeout"
                : tree_text(report, "/test_error")
                    ? CLI_PREFIX "webhook config {id} is {state}: {test_error}"
                    : CLI_PREFIX "webhook config {id} is {state}");
    if (is(config, "invalid")) {
        say(report, "  does the bridge run? `hook2mqtt health` asks it\n"
                    "  does {url} lead to {path} of the bridge, from outside too?");
        say(report, tree_text(report, "/secret_file")
                        ? "  does the running bridge have {secret_file} among the secrets of "
                          "source {source}, and may its user read it?"
                        : "  is the secret of source {source} the one of this config?");
    }
    if (!is(config, "deactivated")) {
        say(report, "  `hook2mqtt provider ricloud test {id} --wait` tests it again");
    }
}

void ricloud_report(struct job *job, const struct ricloud_config *config,
                    const char *secret_file)
{
    struct json_object *report = describe(config->shown);

    json_object_object_add(report, "test_error",
                           tree_string(tree_text(config->task, "/error")));
    json_object_object_add(report, "secret_file", tree_string(secret_file));
    job_print(job, json_object_get(report),
              secret_file ? CONFIG_LINE "\nits secret is in {secret_file}" : CONFIG_LINE);
    if (!is(config, "valid") || config->is_open) {
        explain(job, config, report);
        job_end(job, EXIT_FAILED);
    }
    json_object_put(report);
}
