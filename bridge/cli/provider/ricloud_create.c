/*
 * create, which is more than one call: the API makes the secret, answers with it, and begins to
 * test the bridge at the same moment.
 *
 * 1. choose the file that the secret goes to, and take room for it on the disk
 * 2. POST; from here on there is a config at the provider
 * 3. store the secret; the running bridge looks for it when the test arrives
 * 4. wait for the outcome; where the test came before the secret, have it tested once more
 *
 * If we die between 2 and 3 the secret is lost; `list` shows the config, `delete` ends it.
 */
#include "bridge/cli/provider/ricloud.h"

#include <string.h>

#include <unistd.h>

#include "common/file.h"

#include "bridge/cli/tree.h"

enum { MAX_SECRET = 64 * 1024 };

struct create {
    struct job *job;
    const char *secret_file;
    bool replaces; /* there is another secret in it */
    int lock_fd;
    struct file_draft *draft;
    struct ricloud_config config;
    struct buf shown_id; /* safe for a terminal */
    struct buf secret;
};

/* ---- where the secret goes ---- */

/* Missing or empty; a newline alone is empty, as for the configuration. ST_OK gives the
 * answer. */
static enum status is_free(const char *path, bool *out_free, struct err *err)
{
    struct buf text = {0};
    enum status st = file_read_regular(path, MAX_SECRET, &text, err);

    if (st == ST_NOT_FOUND || st == ST_OK) {
        *out_free =
            st == ST_NOT_FOUND || text.len == 0 || (text.len == 1 && text.data[0] == '\n');
        st = ST_OK;
    }
    buf_wipe(&text);
    return st;
}

/* The first file without a secret, else the first one if it may be replaced. */
static enum status choose_file(struct create *create)
{
    struct err *err = &create->job->err;
    const struct config_source *source = create->job->source;
    const char *first = NULL;
    bool found = false;

    for (size_t i = 0; i < source->secret_count && !found; i++) {
        const char *file = source->secrets[i].file;
        enum status st = file ? is_free(file, &found, err) : ST_OK;

        if (st != ST_OK) {
            return st;
        }
        first = first ? first : file;
        create->secret_file = found ? file : first;
    }
    if (!first) {
        return err_set(
            err, ST_MISSING,
            "source %s has no secret that is a file; add {\"file\": \"PATH\"} to its "
            "secrets, and create stores the secret there",
            source->name);
    }
    if (!found && !create->job->options.replace_secret) {
        return err_set(
            err, ST_FULL,
            "every secret file of source %s contains one already; add another "
            "{\"file\": \"PATH\"} to its secrets, or give --replace-secret to replace "
            "the one in %s",
            source->name, first);
    }
    create->replaces = !found;
    return ST_OK;
}

/* Against a second `create` that would choose the same file; and before anything is made at the
 * provider. */
static enum status prepare(struct create *create)
{
    struct err *err = &create->job->err;
    enum status st = choose_file(create);

    if (st != ST_OK || create->job->options.dry_run) {
        return st;
    }
    st = file_lock_parent(create->secret_file, &create->lock_fd, err);
    if (st == ST_BUSY) {
        err_set(
            err, st,
            "another hook2mqtt command is storing something beside %s; try again when it is "
            "done",
            create->secret_file);
    }
    if (st == ST_OK) {
        st = choose_file(create); /* it may have been taken meanwhile */
    }
    return st == ST_OK ? file_draft_open(create->secret_file, MAX_SECRET, &create->draft, err)
                       : st;
}

/* ---- creating ---- */

/* st: of the whole. */
static void warn_of_leftovers(const struct api_reply *reply, enum status st)
{
    const char *which = NULL;

    if (reply->uncertain) {
        which = "a try whose answer did not arrive may have made a config, too";
    } else if (st != ST_OK && reply->status / 100 == 2) {
        which = "a config may have been made all the same";
    }
    if (which) {
        cli_fail(
            "%s: `provider ricloud list` shows it, `provider ricloud delete ID` removes it",
            which);
    }
}

static enum status post(struct create *create, const char *url)
{
    struct job *job = create->job;
    enum status st = ricloud_ask(job, &create->config, "POST", BODY({"url", url}));
    const char *secret = tree_text(job->reply.json, "/secret");
    const char *id = tree_text(create->config.shown, "/id");

    buf_add_str(&create->secret, secret ? secret : "");
    api_hide(job->api, slice_of(secret));
    cli_add_safe(&create->shown_id, slice_of(id));
    warn_of_leftovers(&job->reply, st);
    return st;
}

static enum status store_secret(struct create *create)
{
    struct slice secret = buf_slice(&create->secret);
    struct err *err = &create->job->err;
    bool synced = true;
    enum status st;

    if (secret.len == 0 || strpbrk(secret.data, "\r\n")) {
        return err_set(err, ST_INVALID, "the API's answer contains no secret");
    }
    st = file_draft_put(create->draft, secret, &synced, err);
    if (st == ST_OK && !synced) {
        cli_fail("the secret of webhook config %s is stored, but a power cut may undo that: %s",
                 create->shown_id.data, err->text);
    }
    return st;
}

static void finish(struct create *create)
{
    struct job *job = create->job;
    const char *id = create->shown_id.data, *file = create->secret_file;

    if (store_secret(create) != ST_OK) {
        cli_fail("webhook config %s WAS CREATED, BUT ITS SECRET IS NOT STORED: %s", id,
                 job->err.text);
        job_end(job, cli_fail("the bridge will refuse its events; `provider ricloud delete %s` "
                              "removes it; then create a new one",
                              id));
        return;
    }
    if (create->replaces) {
        (void)fprintf(stderr,
                      CLI_PREFIX "the secret that was in %s is replaced: from now on, "
                                 "deliveries signed with the old one are refused\n",
                      file);
    }
    if (ricloud_settle(job, &create->config) == ST_OK) {
        ricloud_report(job, &create->config, file);
    } else {
        job_end(job, cli_fail("webhook config %s was created, and its secret is in %s; but how "
                              "its test went is not known: %s",
                              id, file, job->err.text));
    }
}

void ricloud_create(struct job *job)
{
    struct create create = {.job = job, .lock_fd = -1};
    const char *url = job_url(job);

    if (!url) {
        return;
    }
    if (prepare(&create) != ST_OK || post(&create, url) != ST_OK) {
        job_fail(job);
    } else if (job->options.dry_run) {
        (void)fprintf(stderr, CLI_PREFIX "the secret would go to %s\n", create.secret_file);
    } else {
        finish(&create);
    }
    file_draft_close(create.draft);
    if (create.lock_fd >= 0) {
        (void)close(create.lock_fd); /* nothing was written to it */
    }
    buf_wipe(&create.secret);
    buf_free(&create.shown_id);
    ricloud_config_fini(&create.config);
}
