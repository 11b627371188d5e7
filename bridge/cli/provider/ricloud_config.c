/*
 * A webhook config is created `new`; the API tests it by sending an event to its URL, after which
 * it is `valid` or `invalid`. That takes time, so the config is fetched again and again until
 * its state shows the outcome, or the time is over.
 *
 * A test can also get lost: it may come before the bridge has the secret. So a config that stays
 * new or becomes invalid is tested once more before it is reported as such.
 */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/clock.h"

#include "bridge/cli/provider/internal.h"

enum { FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 2000, TEST_AGAIN_AFTER_MS = 5000 };

void ricloud_config_fini(struct ricloud_config *config)
{
    tree_wipe(config->seen);
    tree_wipe(config->task);
}

/* state: new, valid, invalid or deactivated. */
static bool is(const struct ricloud_config *config, const char *state)
{
    return strcmp(tree_text(config->seen, "/state"), state) == 0;
}

/* ---- calls ---- */

static const char *id_of(const struct ricloud_config *config)
{
    return config->seen ? tree_text(config->seen, "/id") : config->id;
}

enum status ricloud_ask(struct job *job, struct ricloud_config *config, const char *method,
                        struct json_object *json)
{
    const char *id = id_of(config);
    enum status st = job_call(job, &(struct request){
                                       .method = method,
                                       .path = id ? RICLOUD_CONFIG : RICLOUD_CONFIGS,
                                       .id = id,
                                       .json = json,
                                   });

    if (st != ST_OK) {
        return st;
    }
    id = tree_text(job->reply.json, "/id");
    if (!id || !api_is_segment(id) || !tree_text(job->reply.json, "/state")) {
        return job_reject(job, ST_INVALID, "describes no webhook config");
    }
    job_keep(job, &config->seen);
    return ST_OK;
}

enum status ricloud_start_test(struct job *job, struct ricloud_config *config, bool await)
{
    enum status st =
        job_call(job, &(struct request){
                          .method = "POST",
                          .path = RICLOUD_CONFIG "/test",
                          .id = id_of(config),
                          .await = await ? "10" : NULL, /* seconds; more is not allowed */
                          .json = tree_raw("null"),     /* as the provider's own client */
                      });

    if (st == ST_OK) {
        job_keep(job, &config->task);
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
    int64_t pause_ms = FIRST_PAUSE_MS;
    enum status st = ST_OK;

    for (;;) {
        config->is_open =
            expected ? !is(config, expected) : is(config, before) || is(config, "new");
        if (!config->is_open || clock_mono_ms() >= end_ms || !job_wait(job, pause_ms)) {
            return ST_OK;
        }
        st = ricloud_ask(job, config, "GET", NULL);
        if (st != ST_OK) {
            return st;
        }
        pause_ms = pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
    }
}

enum status ricloud_wait_test(struct job *job, struct ricloud_config *config)
{
    const char *state = tree_text(config->task, "/state");
    /* If the task has not ended, any change of the config's state shows the outcome. */
    char *before = xstrdup(tree_text(config->seen, "/state"));
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

    if (st != ST_OK || !(is_new || is(config, "invalid")) || !job_wait(job, 0)) {
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
static struct json_object *describe(struct json_object *seen)
{
    static const char *const names[] = {"id",           "url",          "state",
                                        "organisation", "date_created", NULL};
    struct json_object *object = json_object_new_object();

    tree_pick(object, seen, names);
    return object;
}

void ricloud_print(const struct job *job, struct json_object *seen)
{
    job_print(job, describe(seen), CONFIG_LINE);
}

/* On stderr, what may be wrong. report: what was printed of the config. */
static void explain(const struct job *job, const struct ricloud_config *config,
                    struct json_object *report)
{
    struct buf text = {0};

    json_object_object_add(report, "path", tree_string(job->source->path));
    json_object_object_add(report, "source", tree_string(job->source->name));
    job_add_line(
        job, &text, report,
        !config->is_open ? tree_text(report, "/test_error")
                               ? "webhook config {id} is {state}: {test_error}\n"
                               : "webhook config {id} is {state}\n"
        : is(config, "new")
            ? "webhook config {id} is new: the API has not finished its test within "
              "--timeout\n"
            : "webhook config {id} is still {state}: the API has not finished its test "
              "within --timeout\n");
    if (is(config, "invalid")) {
        job_add_line(job, &text, report,
                     "  does the bridge run? `hook2mqtt health` asks it\n"
                     "  does {url} lead to {path} of the bridge, from outside too?\n");
        job_add_line(job, &text, report,
                     tree_text(report, "/secret_file")
                         ? "  does the running bridge have {secret_file} among the secrets of "
                           "source {source}, and may its user read it?\n"
                         : "  is the secret of source {source} the one of this config?\n");
    }
    if (!is(config, "deactivated")) {
        job_add_line(job, &text, report,
                     "  `hook2mqtt provider ricloud test {id} --wait` tests it again\n");
    }
    (void)fprintf(stderr, CLI_PREFIX "%s", text.data);
    buf_free(&text);
}

void ricloud_report(struct job *job, const struct ricloud_config *config,
                    const char *secret_file)
{
    struct json_object *report = describe(config->seen);

    json_object_object_add(report, "test_error",
                           json_object_get(tree_at(config->task, "/error")));
    json_object_object_add(report, "secret_file", tree_string(secret_file));
    job_print(job, json_object_get(report),
              secret_file ? CONFIG_LINE "\nits secret is in {secret_file}" : CONFIG_LINE);
    if (!is(config, "valid") || config->is_open) {
        explain(job, config, report);
        job_end(job, EXIT_FAILED);
    }
    json_object_put(report);
}
