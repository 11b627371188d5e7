/*
 * create, which is more than one call: the API makes the secret, answers with it, and begins to test
 * the bridge at the same moment.
 *
 * 1. choose the file that the secret goes to, and take room for it on the disk
 * 2. POST; from here on there is a config at the provider
 * 3. store the secret; the running bridge looks for it when the test arrives
 * 4. wait for the outcome; where the test came before the secret, have it tested once more
 *
 * If we die between 2 and 3 the secret is lost; `list` shows the config, `delete` ends it.
 */
#include <string.h>

#include <json-c/json.h>

#include "common/file.h"

#include "bridge/cli/provider/internal.h"
#include "bridge/verify/verify.h"

enum { MAX_SECRET = 64 * 1024 };

/* Missing or empty; a newline alone is empty, as for the configuration. ST_OK gives the
 * answer. */
static enum status is_free(const char *path, bool *out_free, struct err *err)
{
    struct buf text = {0};
    enum status st = file_read_regular(path, MAX_SECRET, &text, err);

    if (st == ST_NOT_FOUND || st == ST_OK) {
        *out_free = text.len == 0 || slice_equal(buf_slice(&text), SLICE("\n"));
        st = ST_OK;
    }
    buf_wipe(&text);
    return st;
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
    if (st == ST_OK && !*out_file) {
        st = err_set(&job->err, ST_MISSING,
                     "source %s has no secret that is a file; add {\"file\": \"PATH\"} to its "
                     "secrets, and create stores the secret there",
                     source->name);
    } else if (st == ST_OK && !*out_free && !job->options.replace_secret) {
        st = err_set(&job->err, ST_FULL,
                     "every secret file of source %s contains one already; add another "
                     "{\"file\": \"PATH\"} to its secrets, or give --replace-secret to replace "
                     "the one in %s",
                     source->name, *out_file);
    }
    return st;
}

/* Locks against a second `create` that would choose the same file, before anything is made at the
 * provider. */
static enum status prepare(struct job *job, const char **out_file, bool *out_free)
{
    enum status st = choose_file(job, out_file, out_free);

    if (st == ST_OK && job->options.dry_run) {
        (void)fprintf(stderr, CLI_PREFIX "the secret would go to %s\n", *out_file);
        return ST_OK;
    }
    st = st == ST_OK ? file_draft_open(*out_file, &job->draft, &job->err) : st;
    st = st == ST_OK ? choose_file(job, out_file, out_free) : st; /* taken meanwhile? */
    return st == ST_OK ? file_draft_reserve(job->draft, MAX_SECRET, &job->err) : st;
}

static enum status post(struct job *job)
{
    const char *url;
    enum status st = job_url(job, &url);
    const char *which;

    if (st != ST_OK) {
        return st;
    }
    st = ricloud_ask(job, "POST", TEXTS({"url", url}));
    which = job->reply.uncertain
                ? "a try whose answer did not arrive may have made a config, too"
            : st != ST_OK && job->reply.http.status / 100 == 2
                ? "a config may have been made all the same"
                : NULL;
    if (which) {
        cli_fail(
            "%s: `provider ricloud list` shows it, `provider ricloud delete ID` removes it",
            which);
    }
    return st;
}

/* ST_INVALID: a secret file cannot have it. ST_TOO_LARGE: the configuration would not take it. */
static enum status check_secret(struct job *job, struct slice *out_secret)
{
    struct json_object *secret = tree_at(job->config, "/secret");
    bool is_string = json_object_is_type(secret, json_type_string);

    *out_secret = (struct slice){json_object_get_string(secret),
                                 is_string ? (size_t)json_object_get_string_len(secret) : 0};
    return out_secret->len == 0
               ? err_set(&job->err, ST_INVALID, "the API's answer contains no secret")
           : memchr(out_secret->data, '\0', out_secret->len) ||
                   strpbrk(out_secret->data, "\r\n")
               ? err_set(&job->err, ST_INVALID,
                         "the API's secret contains a line break or a NUL, which a secret file "
                         "cannot have")
           : out_secret->len > VERIFY_MAX_SECRET
               ? err_set(&job->err, ST_TOO_LARGE,
                         "the API's secret has %zu bytes; a secret may have %d at most",
                         out_secret->len, VERIFY_MAX_SECRET)
               : ST_OK;
}

/* id: of the config, for messages. */
static enum status store_secret(struct job *job, const char *file, bool was_free,
                                const char *id)
{
    struct slice secret;
    enum status st = check_secret(job, &secret);

    secrets_add(&job->api.secrets, secret);
    st = st == ST_OK ? job_store(job, secret) : st;
    if (st != ST_OK) {
        cli_fail("webhook config %s WAS CREATED, BUT ITS SECRET IS NOT STORED: %s", id,
                 job->err.text);
        return err_set(&job->err, st,
                       "the bridge will refuse its events; `provider ricloud delete %s` "
                       "removes it; then create a new one",
                       id);
    }
    if (!was_free) {
        cli_fail("the secret that was in %s is replaced: from now on, deliveries signed with "
                 "the old one are refused",
                 file);
    }
    return ST_OK;
}

/* After the POST. */
static enum status finish(struct job *job, const char *file, bool was_free)
{
    struct buf id = {0};
    enum status st;

    job_add_line(job, &id, job->config, "{id}");
    st = store_secret(job, file, was_free, id.data);
    if (st == ST_OK) {
        st = ricloud_report(job, ricloud_settle(job), file);
        if (st != ST_OK) {
            err_wrap(&job->err,
                     "webhook config %s was created, and its secret is in %s; but how its test "
                     "went is not known",
                     id.data, file);
        }
    } else {
        st = ricloud_report(job, st, NULL);
    }
    buf_free(&id);
    return st;
}

enum status ricloud_create(struct job *job)
{
    const char *file;
    bool was_free = false;
    enum status st = prepare(job, &file, &was_free);

    if (st == ST_OK) {
        st = post(job);
        st = st == ST_OK && job->config ? finish(job, file, was_free)
                                        : ricloud_report(job, st, NULL);
    }
    return st;
}
