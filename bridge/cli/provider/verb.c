/*
 * Each verb takes the same way: read the arguments, read the configuration, find the source, open
 * its API, let the vendor get a token, run, close. The provider is not asked before arguments and
 * configuration have been checked. Whatever fails is printed at once.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <sys/signalfd.h>

#include <json-c/json.h>

#include "common/clock.h"
#include "common/file.h"

#include "bridge/cli/provider/internal.h"

enum { DEFAULT_TIMEOUT_MS = 60000 };

const struct cli_option verb_options[] = {
    {"--source", CLI_TEXT, offsetof(struct verb_options, source), "NAME",
     "for this source; needed if the provider has several"},
    {"--timeout", CLI_TIME, offsetof(struct verb_options, timeout_ms), "TIME",
     "gives up after this time, tries and waits included (default 60s)"},
    {"--dry-run", CLI_FLAG, offsetof(struct verb_options, dry_run), NULL,
     "prints the requests, without tokens and passwords, and sends none"},
    {"--json", CLI_FLAG, offsetof(struct verb_options, json), NULL,
     "one JSON object a line for what is done, listed or would be sent"},
    {"--url", CLI_TEXT, offsetof(struct verb_options, url), "URL",
     "the source's path as seen from outside; default: its public_url"},
    {"--replace-secret", CLI_FLAG, offsetof(struct verb_options, replace_secret), NULL,
     "if all secret files are taken, replaces the secret in the first one"},
    {"--state", CLI_TEXT, offsetof(struct verb_options, state), "STATE",
     "list: only these; the only way to see deactivated ones"},
    {"--date-created", CLI_WHEN, offsetof(struct verb_options, created_ms), "T",
     "list: only those that the provider finds for this time"},
    {"--wait", CLI_FLAG, offsetof(struct verb_options, wait), NULL, NULL},
    {"--all", CLI_FLAG, offsetof(struct verb_options, all), NULL, NULL},
    {"--forget", CLI_FLAG, offsetof(struct verb_options, forget), NULL, NULL},
    {"--publish", CLI_FLAG, offsetof(struct verb_options, publish), NULL, NULL},
    {0},
};

static int check_usage(struct job *job, const struct vendor *vendor, const struct verb *verb)
{
    const struct cli *cli = job->cli;
    const char *url = job->options.url;

    for (int i = 1; i < cli->argc; i++) {
        if (!api_is_segment(cli->argv[i])) {
            return cli_misuse(cli, "'%s' is not %s", cli->argv[i], vendor->argument);
        }
    }
    /* The URL is not shown: it may contain a password, which is one of the faults. */
    if (url && config_check_url(url, &job->err) != ST_OK) {
        return cli_misuse(cli, "--url %s", job->err.text);
    }
    return verb->check ? verb->check(job) : EXIT_DONE;
}

/* The one that is wanted, else the vendor's only one. NULL: why not has been printed. */
static const struct config_source *find_source(const struct cli *cli, const char *wanted,
                                               const char *vendor)
{
    const struct config_source *found = wanted ? cli_source(cli, wanted) : NULL;
    struct buf names = {0};
    size_t count = found != NULL;

    for (size_t i = 0; !wanted && i < cli->config->source_count; i++) {
        if (strcmp(cli->config->sources[i].preset->name, vendor) == 0) {
            found = &cli->config->sources[i];
            buf_addf(&names, "%s%s", count++ ? ", " : "", found->name);
        }
    }
    if (count > 1) {
        cli_fail("which source? Name one with --source: %s", names.data);
    } else if (!wanted && !found) {
        cli_fail("%s: no source has \"provider\": \"%s\"", cli->config_path, vendor);
    }
    buf_free(&names);
    if (!found || count > 1) {
        return NULL;
    }
    if (strcmp(found->preset->name, vendor) != 0) {
        cli_fail("source %s is of the provider %s, not %s", wanted, found->preset->name,
                 vendor);
        return NULL;
    }
    if (!found->provider->api_url) {
        cli_fail("source %s has no api.url", found->name);
        return NULL;
    }
    return found;
}

/* A signal does not end us between an answer and its storing: it can be read from job->stop_fd, and
 * ends us when all is done. One that was ignored stays so; SIGPIPE shows when main closes stdout. */
static sigset_t hold_signals(struct job *job)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t held, before;

    (void)sigemptyset(&held);
    for (size_t i = 0; i < COUNT_OF(stops); i++) {
        struct sigaction action;

        if (sigaction(stops[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            (void)sigaddset(&held, stops[i]);
        }
    }
    job->stop_fd = signalfd(-1, &held, SFD_CLOEXEC);
    (void)sigaddset(&held, SIGPIPE);
    CHECK(job->stop_fd >= 0 && sigprocmask(SIG_BLOCK, &held, &before) == 0);
    return before;
}

/* Everything from the configuration to the end. */
static int run(struct job *job, const struct vendor *vendor, const struct verb *verb)
{
    sigset_t before;
    enum status st;

    if (cli_read_config(job->cli)) {
        job->source = find_source(job->cli, job->options.source, vendor->name);
    }
    if (!job->source) {
        return EXIT_FAILED;
    }
    job->source_index = (size_t)(job->source - job->cli->config->sources);
    before = hold_signals(job);
    api_open(job, vendor->scheme);
    st = vendor->begin ? vendor->begin(job, verb->changes) : job_set_token(job, NULL);
    if (st != ST_OK || verb->run(job) != ST_OK) {
        job->exit_status = cli_fail("%s", job->err.text);
    }
    tree_wipe(job->config);
    tree_wipe(job->test);
    tree_wipe(job->state);
    json_object_put(job->account);
    file_draft_close(job->draft);
    api_close(job);
    (void)fflush(stdout);
    (void)close(job->stop_fd);
    CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
    return job->exit_status;
}

int verb_run(struct cli *cli)
{
    const struct vendor *vendor = cli->verb->data;
    struct job job = {
        .cli = cli,
        .options = {.created_ms = CLOCK_NONE, .timeout_ms = DEFAULT_TIMEOUT_MS},
    };
    const struct cli_verb *chosen = cli_choose(cli, vendor->verbs);
    const struct verb *verb = chosen ? chosen->data : NULL;
    int status;

    if (!verb || !cli_arguments(cli, &job.options, verb->min_count, verb->max_count)) {
        return EXIT_USAGE;
    }
    status = check_usage(&job, vendor, verb);
    return status == EXIT_DONE ? run(&job, vendor, verb) : status;
}

/* ---- for the verbs ---- */

enum status job_url(struct job *job, const char **out_url)
{
    *out_url = job->options.url ? job->options.url : job->source->public_url;
    return *out_url ? ST_OK
                    : err_set(&job->err, ST_MISSING,
                              "which URL shall the provider send to? Give --url, or set "
                              "public_url of source %s",
                              job->source->name);
}

enum status job_set_token(struct job *job, const char *other)
{
    const struct buf *token = &job->source->api.token;

    if (!job->options.dry_run &&
        !cli_secret_was_read(job->cli, token, "sources[%zu].api.token", job->source_index)) {
        return err_set(&job->err, ST_MISSING, "cannot log in without api.token");
    }
    return api_set_token(job, token->len ? buf_slice(token) : slice_of(other)) == ST_OK
               ? ST_OK
               : err_wrap(&job->err, "source %s: api.token", job->source->name);
}

enum status job_store(struct job *job, struct slice data)
{
    bool synced = true;
    enum status st = file_draft_put(job->draft, data, &synced, &job->err);

    if (st == ST_OK && !synced) {
        cli_fail("it is stored, but a power cut may undo that: %s", job->err.text);
    }
    return st;
}

void job_add_line(const struct job *job, struct buf *out, struct json_object *object,
                  const char *line)
{
    struct json_object *shown = secrets_hide(&job->api.secrets, object);

    if (line) {
        tree_add_line(out, shown, line);
    } else {
        buf_add_str(out, tree_print(shown));
    }
    json_object_put(shown);
}

void job_print(const struct job *job, struct json_object *object, const char *line)
{
    struct buf text = {0};

    if (!job->options.dry_run) {
        job_add_line(job, &text, object, job->options.json ? NULL : line);
        puts(text.data);
    }
    buf_free(&text);
    json_object_put(object);
}
