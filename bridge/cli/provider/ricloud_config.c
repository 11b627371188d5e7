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

enum {
    FIRST_PAUSE_MS = 100,
    LONGEST_PAUSE_MS = 2000,
    TEST_AGAIN_AFTER_MS = 5000,
    NO_LIMIT_MS = 24 * 60 * 60 * 1000, /* but --timeout */
};

/* state: new, valid, invalid or deactivated. */
static bool is(const struct job *job, const char *state)
{
    return tree_is(job->config, "/state", state);
}

/* NULL: it does not exist yet. */
static const char *id_of(const struct job *job)
{
    return job->config          ? tree_text(job->config, "/id")
           : job->cli->argc > 1 ? job->cli->argv[1]
                                : NULL;
}

enum status ricloud_ask(struct job *job, const char *method, struct json_object *json)
{
    const char *id = id_of(job), *answered;
    enum status st = job_call(
        job,
        &(struct request){.method = method, .path = RICLOUD_CONFIGS, .id = id, .json = json});
    bool may_be_done = strcmp(method, "GET") != 0 && (st == ST_OK || job->reply.uncertain);

    answered = tree_text(job->reply.json, "/id");
    if (st == ST_OK && answered && api_is_segment(answered) &&
        tree_text(job->reply.json, "/state")) {
        job_keep(job, &job->config);
        return ST_OK;
    }
    if (may_be_done && !job->config && !job->options.dry_run) {
        job->config =
            TEXTS({"id", id}, {"url", tree_text(job->sent, "/body/url")}, {"state", "unknown"});
    }
    return st == ST_OK ? job_reject(job, ST_INVALID, "describes no webhook config") : st;
}

enum status ricloud_start_test(struct job *job, bool await)
{
    enum status st =
        job_call(job, &(struct request){
                          .method = "POST",
                          .path = RICLOUD_CONFIGS,
                          .id = id_of(job),
                          .more = "/test",
                          .await = await ? "10" : NULL, /* seconds; more is not allowed */
                          .json = tree_raw("null"),     /* as the provider's own client */
                      });

    if (st == ST_OK) {
        job_keep(job, &job->test);
    }
    return st;
}

/* Asks again until the config is in the expected state (NULL: in another one than before, and not
 * `new`), for at most so long. */
static enum status wait_for_state(struct job *job, const char *expected, const char *before,
                                  int64_t max_ms)
{
    int64_t end_ms = clock_mono_ms() + max_ms;
    enum status st = ST_OK;

    for (int64_t pause = FIRST_PAUSE_MS; st == ST_OK; pause *= 2) {
        job->is_open = expected ? !is(job, expected) : is(job, before) || is(job, "new");
        job->is_open &= !is(job, "deactivated"); /* is not tested */
        if (!job->is_open || clock_mono_ms() >= end_ms ||
            !job_wait(job, pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS)) {
            break;
        }
        st = ricloud_ask(job, "GET", NULL);
    }
    return st;
}

enum status ricloud_wait_test(struct job *job)
{
    /* If the task has not ended, any change of the config's state shows the outcome. */
    char *before = xstrdup(tree_text(job->config, "/state"));
    const char *expected = tree_is(job->test, "/state", "succeeded") ? "valid"
                           : tree_is(job->test, "/state", "failed")  ? "invalid"
                                                                     : NULL;
    enum status st = ricloud_ask(job, "GET", NULL);

    st = st == ST_OK ? wait_for_state(job, expected, before, NO_LIMIT_MS) : st;
    free(before);
    return st;
}

enum status ricloud_settle(struct job *job)
{
    enum status st = wait_for_state(job, NULL, "new", TEST_AGAIN_AFTER_MS);
    bool is_new = st == ST_OK && job->is_open;

    if (st != ST_OK || !(is_new || is(job, "invalid")) || !job_wait(job, 0)) {
        return st;
    }
    st = ricloud_start_test(job, true);
    if (st == ST_REFUSED && is_new) { /* not while the first one runs, perhaps */
        cli_fail("%s; waiting for the test that has begun", job->err.text);
        return wait_for_state(job, NULL, "new", NO_LIMIT_MS);
    }
    return st == ST_OK ? ricloud_wait_test(job) : st;
}

#define CONFIG_LINE "{id}  {state}  {date_created}  {url}"

/* The members of a config that are printed. */
static struct json_object *describe(struct json_object *config)
{
    return TREE_PICK(json_object_new_object(), config, "id", "url", "state", "organisation",
                     "date_created");
}

void ricloud_print(const struct job *job, struct json_object *config)
{
    if (config) {
        job_print(job, describe(config), CONFIG_LINE);
    }
}

/* On stderr, what may be wrong. report: what was printed of the config. */
static void explain(const struct job *job, struct json_object *report)
{
    const char *why = tree_text(report, "/test_error") ? ": {test_error}" : "";
    struct buf line = {0}, text = {0};
    char now[CLOCK_TEXT_SIZE];

    if (job->is_open) {
        why = job_is_stopped(job) ? ": interrupted before its test was finished"
                                  : ": the API has not finished its test within --timeout";
    }
    clock_format(clock_unix_ms(), now);
    json_object_object_add(report, "path", tree_string(job->source->path));
    json_object_object_add(report, "source", tree_string(job->source->name));
    json_object_object_add(report, "now", tree_string(now));
    buf_addf(&line, CLI_PREFIX "webhook config {id} is %s{state}%s\n",
             job->is_open && !is(job, "new") ? "still " : "", why);
    if (is(job, "invalid")) {
        buf_add_str(
            &line, "  does the bridge run? `hook2mqtt health` asks it\n"
                   "  does {url} lead to {path} of the bridge, from outside too?\n"
                   "  has source {source} of the running bridge the secret of this config, and "
                   "may its user read the file?\n"
                   "  is the clock right? Here it is {now}\n");
    }
    buf_addf(&line, "  `hook2mqtt provider ricloud %s\n",
             is(job, "deactivated") ? "update {id} --state new` activates it, and has it tested"
                                    : "test {id} --wait` tests it again");
    job_add_line(job, &text, report, line.data);
    (void)fputs(text.data, stderr);
    buf_free(&line);
    buf_free(&text);
}

enum status ricloud_report(struct job *job, enum status st, const char *secret_file)
{
    struct json_object *report;

    if (!job->config) {
        return st;
    }
    report = describe(job->config);
    json_object_object_add(report, "test_error", json_object_get(tree_at(job->test, "/error")));
    json_object_object_add(report, "secret_file", tree_string(secret_file));
    job_print(job, json_object_get(report),
              secret_file ? CONFIG_LINE "\nits secret is in {secret_file}" : CONFIG_LINE);
    if (st == ST_OK && (!is(job, "valid") || job->is_open)) {
        explain(job, report);
        job->exit_status = EXIT_FAILED;
    }
    json_object_put(report);
    return st;
}
