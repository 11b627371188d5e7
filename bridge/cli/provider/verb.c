/*
 * Each verb takes the same way: read the arguments, read the configuration, find the source, open
 * its API, let the vendor get a token, run, close. The provider is not asked before arguments and
 * configuration have been checked. Whatever fails is printed at once.
 */
#include "bridge/cli/provider/internal.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/units.h"
#include "common/utf8.h"

#include "bridge/cli/tree.h"

enum { DEFAULT_TIMEOUT_MS = 60000, MAX_VERBS = 16 };

/* ---- options and arguments ---- */

const struct cli_option verb_common_options[] = {
    {"--source", CLI_TEXT, offsetof(struct verb_options, source), "NAME",
     "for this source; needed if the provider has several"},
    {"--timeout", CLI_TEXT, offsetof(struct verb_options, timeout), "TIME",
     "gives up after this time, tries and waits included (default 60s)"},
    {"--dry-run", CLI_FLAG, offsetof(struct verb_options, dry_run), NULL,
     "prints the requests, without tokens and passwords, and sends none"},
    {"--json", CLI_FLAG, offsetof(struct verb_options, json), NULL,
     "one JSON object a line for what is done, listed or would be sent"},
    {0},
};

void verb_add_help(struct buf *out, const struct vendor *vendor)
{
    buf_addf(out, "%s: %s\n", vendor->name, vendor->summary);
    for (const struct verb *verb = vendor->verbs; verb->name; verb++) {
        if (verb->help) {
            cli_add_help(out, verb->name, NULL, verb->help);
        }
    }
    cli_add_option_help(out, vendor->options);
    buf_add_char(out, '\n');
}

/* names: room for cli_choose, as long as the verb runs. */
static const struct verb *choose(struct cli *cli, const struct vendor *vendor,
                                 struct cli_verb names[MAX_VERBS])
{
    const struct cli_verb *chosen;

    for (size_t i = 0; vendor->verbs[i].name; i++) {
        CHECK(i + 1 < MAX_VERBS);
        names[i].name = vendor->verbs[i].name;
        names[i].options = vendor->verbs[i].options;
    }
    chosen = cli_choose(cli, names);
    cli->more_options = vendor->options;
    return chosen ? &vendor->verbs[chosen - names] : NULL;
}

static int check_usage(struct job *job, const struct verb *verb)
{
    const struct cli *cli = job->cli;
    const char *url = job->options.url;
    int status = verb->check ? verb->check(job) : EXIT_DONE;

    for (int i = 1; i < cli->argc && status == EXIT_DONE; i++) {
        struct buf shown = {0};

        if (!api_is_segment(cli->argv[i])) {
            cli_add_safe(&shown, slice_of(cli->argv[i]));
            status = cli_misuse(cli, "'%s' is not %s", buf_slice(&shown).data, verb->argument);
        }
        buf_free(&shown);
    }
    /* The URL is not shown: it may contain a password, which is one of the faults. */
    if (status == EXIT_DONE && url && !utf8_is_fit(slice_of(url))) {
        status = cli_misuse(cli, "--url must not contain control characters");
    } else if (status == EXIT_DONE && url && config_check_url(url, &job->err) != ST_OK) {
        status = cli_misuse(cli, "--url %s", job->err.text);
    }
    return status;
}

/* ---- which source ---- */

/* The one that --source names, else the vendor's only one. NULL: why not has been printed. */
static const struct config_source *find_source(const struct job *job,
                                               const struct vendor *vendor)
{
    const struct config *config = job->cli->config;
    const char *wanted = job->options.source;
    const struct config_source *found = wanted ? cli_source(job->cli, wanted) : NULL;
    struct buf names = {0};
    size_t count = 0;

    for (size_t i = 0; !wanted && i < config->source_count; i++) {
        if (strcmp(config->sources[i].preset->name, vendor->name) == 0) {
            found = &config->sources[i];
            buf_addf(&names, "%s%s", count++ ? ", " : "", found->name);
        }
    }
    if (wanted && found && strcmp(found->preset->name, vendor->name) != 0) {
        cli_fail("source %s is of the provider %s, not %s", wanted, found->preset->name,
                 vendor->name);
        found = NULL;
    } else if (!wanted && count == 0) {
        cli_fail("%s: no source has \"provider\": \"%s\"", job->cli->config_path, vendor->name);
    } else if (count > 1) {
        cli_fail("which source? Name one with --source: %s", names.data);
        found = NULL;
    }
    buf_free(&names);
    return found;
}

/* ---- begin and end ---- */

/* Everything from the configuration to the end. */
static void run(struct job *job, const struct vendor *vendor, const struct verb *verb,
                int64_t timeout_ms)
{
    job->source = cli_read_config(job->cli) ? find_source(job, vendor) : NULL;
    if (!job->source) {
        job->exit_status = EXIT_FAILED;
        return;
    }
    job->source_index = (size_t)(job->source - job->cli->config->sources);
    if (!job->source->api.url && !job->source->provider->api_url) {
        job_end(job, cli_fail("source %s has no api.url", job->source->name));
        return;
    }
    job->api = api_open(job->source, vendor->scheme, timeout_ms);
    if (vendor->begin(job, verb->changes) != ST_OK || verb->run(job) != ST_OK) {
        job_end(job, cli_fail("%s", job->err.text));
    }
    state_close(job->state);
    api_close(job->api);
}

int verb_run(struct cli *cli, const struct vendor *vendor)
{
    struct job job = {.cli = cli, .options = {.created_ms = CLOCK_NONE}};
    struct cli_verb names[MAX_VERBS] = {0};
    const struct verb *verb = choose(cli, vendor, names);
    const char **timeout = &job.options.timeout;
    int64_t timeout_ms = DEFAULT_TIMEOUT_MS;

    if (!verb || !cli_arguments(cli, &job.options, verb->min_count, verb->max_count)) {
        return EXIT_USAGE;
    }
    if (*timeout && (!units_parse_time(slice_of(*timeout), &timeout_ms) || timeout_ms <= 0)) {
        return cli_misuse(cli, "--timeout %s: not a time such as 30s or 2m", *timeout);
    }
    job.exit_status = check_usage(&job, verb);
    if (job.exit_status == EXIT_DONE) {
        run(&job, vendor, verb, timeout_ms);
    }
    return job.exit_status;
}

/* ---- for the verbs ---- */

void job_end(struct job *job, int exit_status)
{
    job->exit_status = job->exit_status == EXIT_DONE ? exit_status : job->exit_status;
}

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
    if (api_set_token(job->api, token->len ? buf_slice(token) : slice_of(other), &job->err) !=
        ST_OK) {
        return err_wrap(&job->err, "source %s: api.token", job->source->name);
    }
    return ST_OK;
}

enum status job_call(struct job *job, const struct api_request *request)
{
    enum status st = ST_OK;

    job->reply = (struct api_reply){0};
    if (job->options.dry_run) {
        api_print(job->api, request, job->options.json);
    } else {
        st = api_call(job->api, request, &job->reply, &job->err);
    }
    if (request->json) {
        explicit_bzero(request->json, strlen(request->json));
    }
    free(request->json);
    return st;
}

enum status job_reject(struct job *job, enum status st, const char *what)
{
    return api_reject(job->api, st, what, &job->err);
}

void job_add_line(struct buf *out, struct json_object *object, const char *line)
{
    while (*line) {
        size_t len = strcspn(line, "{"), name_len = line[len] ? strcspn(line + len, "}") : 0;
        struct buf pointer = {0};
        const char *text;

        buf_add(out, line, len);
        line += len;
        if (name_len) {
            buf_addf(&pointer, "/%.*s", (int)name_len - 1, line + 1);
            text = tree_text(object, pointer.data);
            cli_add_safe(out, slice_of(text ? text : "-"));
            buf_free(&pointer);
            line += name_len + 1;
        }
    }
}

void job_print(const struct job *job, struct json_object *object, const char *line)
{
    struct buf text = {0};

    if (job->options.json) {
        buf_add_str(&text, tree_print(object));
    } else {
        job_add_line(&text, object, line);
    }
    puts(text.data);
    buf_free(&text);
    json_object_put(object);
}

char *body_of(const struct body_member *members)
{
    struct buf out = {0};

    buf_reserve(&out, 65536); /* growing would leave a copy of a password behind */
    for (; members->name; members++) {
        if (members->text) {
            buf_addf(&out, "%c\"%s\":", out.len ? ',' : '{', members->name);
            json_add_string(&out, slice_of(members->text));
        }
    }
    buf_add_char(&out, '}');
    return buf_take(&out);
}
