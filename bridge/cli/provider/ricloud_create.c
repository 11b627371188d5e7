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
#include "bridge/cli/provider/internal.h"

#include <string.h>

#include <unistd.h>

#include "common/file.h"

#include "bridge/cli/tree.h"

enum { MAX_SECRET = 64 * 1024 };

struct create {
    const char *file; /* of the secret */
    bool replaces;    /* there is another secret in it */
    int lock_fd;
    struct file_draft *draft;
    struct ricloud_config config;
    struct buf secret;
};

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
static enum status choose_file(struct job *job, struct create *create)
{
    struct err *err = &job->err;
    const struct config_source *source = job->source;
    const char *first = NULL;
    bool found = false;

    for (size_t i = 0; i < source->secret_count && !found; i++) {
        const char *file = source->secrets[i].file;
        enum status st = file ? is_free(file, &found, err) : ST_OK;

        if (st != ST_OK) {
            return st;
        }
        first = first ? first : file;
        create->file = found ? file : first;
    }
    if (!first) {
        return err_set(
            err, ST_MISSING,
            "source %s has no secret that is a file; add {\"file\": \"PATH\"} to its "
            "secrets, and create stores the secret there",
            source->name);
    }
    if (!found && !job->options.replace_secret) {
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

/* Locks against a second `create` that would choose the same file; before anything is made at the
 * provider. */
static enum status prepare(struct job *job, struct create *create)
{
    enum status st = choose_file(job, create);

    if (st != ST_OK || job->options.dry_run) {
        return st;
    }
    st = file_lock_parent(create->file, &create->lock_fd, &job->err);
    if (st == ST_BUSY) {
        return err_set(&job->err, st,
                       "another hook2mqtt command is storing something beside %s; try again "
                       "when it is done",
                       create->file);
    }
    st = st == ST_OK ? choose_file(job, create) : st; /* it may have been taken meanwhile */
    return st == ST_OK ? file_draft_open(create->file, MAX_SECRET, &create->draft, &job->err)
                       : st;
}

static enum status post(struct job *job, struct create *create, const char *url)
{
    enum status st = ricloud_ask(job, &create->config, "POST", BODY({"url", url}));
    const char *secret = tree_text(job->reply.json, "/secret");
    const char *which = NULL;

    buf_add_str(&create->secret, secret ? secret : "");
    api_hide(job->api, slice_of(secret));
    if (job->reply.uncertain) {
        which = "a try whose answer did not arrive may have made a config, too";
    } else if (st != ST_OK && job->reply.status / 100 == 2) {
        which = "a config may have been made all the same";
    }
    if (which) {
        cli_fail(
            "%s: `provider ricloud list` shows it, `provider ricloud delete ID` removes it",
            which);
    }
    return st;
}

/* id: of the config, for messages. */
static enum status store_secret(struct job *job, struct create *create, const char *id)
{
    struct slice secret = buf_slice(&create->secret);
    struct err *err = &job->err;
    bool synced = true;
    enum status st;

    if (secret.len == 0 || strpbrk(secret.data, "\r\n")) {
        st = err_set(err, ST_INVALID, "the API's answer contains no secret");
    } else {
        st = file_draft_put(create->draft, secret, &synced, err);
    }
    if (st != ST_OK) {
        cli_fail("webhook config %s WAS CREATED, BUT ITS SECRET IS NOT STORED: %s", id,
                 err->text);
        return err_set(err, st,
                       "the bridge will refuse its events; `provider ricloud delete %s` "
                       "removes it; then create a new one",
                       id);
    }
    if (!synced) {
        cli_fail("the secret of webhook config %s is stored, but a power cut may undo that: %s",
                 id, err->text);
    }
    if (create->replaces) {
        cli_fail("the secret that was in %s is replaced: from now on, deliveries signed with "
                 "the old one are refused",
                 create->file);
    }
    return ST_OK;
}

/* After the POST. */
static enum status finish(struct job *job, struct create *create)
{
    struct buf id = {0};
    enum status st;

    cli_add_safe(&id, slice_of(tree_text(create->config.shown, "/id")));
    st = store_secret(job, create, id.data);
    if (st == ST_OK) {
        st = ricloud_settle(job, &create->config);
        if (st == ST_OK) {
            ricloud_report(job, &create->config, create->file);
        } else {
            err_wrap(&job->err,
                     "webhook config %s was created, and its secret is in %s; but how its test "
                     "went is not known",
                     id.data, create->file);
        }
    }
    buf_free(&id);
    return st;
}

enum status ricloud_create(struct job *job)
{
    struct create create = {.lock_fd = -1};
    const char *url;
    enum status st = job_url(job, &url);

    st = st == ST_OK ? prepare(job, &create) : st;
    st = st == ST_OK ? post(job, &create, url) : st;
    if (st == ST_OK && job->options.dry_run) {
        (void)fprintf(stderr, CLI_PREFIX "the secret would go to %s\n", create.file);
    } else if (st == ST_OK) {
        st = finish(job, &create);
    }
    file_draft_close(create.draft);
    if (create.lock_fd >= 0) {
        (void)close(create.lock_fd); /* nothing was written to it */
    }
    buf_wipe(&create.secret);
    ricloud_config_fini(&create.config);
    return st;
}
