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

#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "common/file.h"

#include "bridge/cli/provider/json.h"

enum { MAX_SECRET = 64 * 1024 };

struct create {
    struct registration reg;
    const char *url;
    bool replace_secret;

    const char *secret_file;
    bool replaces; /* there is another secret in it */
    int lock_fd;
    struct file_draft *draft;
    struct ricloud_config config;
    struct buf secret;
    struct ricloud_test test;
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

/* The first file that holds no secret yet, and the first file; NULL: there is none. */
static enum status find_file(const struct config_source *source, const char **out_free,
                             const char **out_first, struct err *err)
{
    *out_free = *out_first = NULL;
    for (size_t i = 0; i < source->secret_count && !*out_free; i++) {
        const char *file = source->secrets[i].file;
        bool free_now = false;
        enum status st = file ? is_free(file, &free_now, err) : ST_OK;

        if (st != ST_OK) {
            return st;
        }
        *out_first = *out_first ? *out_first : file;
        *out_free = free_now ? file : NULL;
    }
    return ST_OK;
}

static enum status choose_file(struct create *create, struct err *err)
{
    const struct config_source *source = create->reg.source;
    const char *free_file, *first_file;
    enum status st = find_file(source, &free_file, &first_file, err);

    if (st != ST_OK) {
        return st;
    }
    if (!first_file) {
        return err_set(
            err, ST_MISSING,
            "source %s has no secret that is a file; add {\"file\": \"PATH\"} to its "
            "secrets, and create stores the secret there",
            source->name);
    }
    if (!free_file && !create->replace_secret) {
        return err_set(
            err, ST_FULL,
            "every secret file of source %s holds one already; add another "
            "{\"file\": \"PATH\"} to its secrets, or give --replace-secret to replace "
            "what is in %s",
            source->name, first_file);
    }
    create->secret_file = free_file ? free_file : first_file;
    create->replaces = !free_file;
    return ST_OK;
}

/* Against a second `create` that would choose the same file; and before anything is made at the
 * provider. */
static enum status prepare(struct create *create, struct err *err)
{
    enum status st = choose_file(create, err);

    if (st != ST_OK || create->reg.dry_run) {
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
        st = choose_file(create, err); /* it may have been taken meanwhile */
    }
    return st == ST_OK ? file_draft_open(create->secret_file, MAX_SECRET, &create->draft, err)
                       : st;
}

/* ---- creating ---- */

/* st: of the whole. */
static void say_uncertain(const struct cli_api_reply *reply, enum status st)
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

/* Keeps the secret that the API has made. */
static void read_secret(struct create *create, const struct cli_api_reply *reply)
{
    char *secret = cli_json_text(reply->json, "secret");

    if (secret) {
        buf_add_str(&create->secret, secret);
        cli_api_hide(create->reg.api, slice_of(secret));
        explicit_bzero(secret, strlen(secret));
    }
    free(secret);
}

static enum status post(struct create *create, const char *url, struct err *err)
{
    struct ricloud_request request = {.method = "POST"};
    struct cli_api_reply reply = {0};
    struct buf json = {0};
    enum status st;

    buf_add_char(&json, '{');
    cli_json_add_string(&json, "url", url);
    buf_add_char(&json, '}');
    request.json = buf_slice(&json);
    st = ricloud_call(&create->reg, &request, &reply, err);
    if (st == ST_OK && !create->reg.dry_run) {
        st = ricloud_read_config(&create->reg, &reply, &create->config, err);
        read_secret(create, &reply);
    }
    say_uncertain(&reply, st);
    buf_free(&json);
    return st;
}

static enum status store_secret(struct create *create, struct err *err)
{
    struct slice secret = buf_slice(&create->secret);
    bool synced = true;
    enum status st;

    if (secret.len == 0 || strpbrk(secret.data, "\r\n")) {
        return err_set(err, ST_INVALID, "the API's answer holds no secret");
    }
    st = file_draft_put(create->draft, secret, &synced, err);
    if (st == ST_OK && !synced) {
        cli_fail("the secret of webhook config %s is stored, but a power cut may undo that: %s",
                 create->config.shown_id, err->text);
    }
    return st;
}

static int lost_secret(const struct create *create, const struct err *err)
{
    const char *id = create->config.shown_id;

    cli_fail("webhook config %s WAS CREATED, BUT ITS SECRET IS NOT STORED: %s", id, err->text);
    return cli_fail(
        "the bridge will refuse its events; `provider ricloud delete %s` removes it; "
        "then create a new one",
        id);
}

static int create_config(struct create *create)
{
    const char *url = registration_url(&create->reg, create->url);
    struct err err = {0};

    if (!url) {
        return EXIT_FAILED;
    }
    if (prepare(create, &err) != ST_OK || post(create, url, &err) != ST_OK) {
        return cli_fail("%s", err.text);
    }
    if (create->reg.dry_run) {
        (void)fprintf(stderr, CLI_PREFIX "the secret would go to %s\n", create->secret_file);
        return EXIT_DONE;
    }
    if (store_secret(create, &err) != ST_OK) {
        return lost_secret(create, &err);
    }
    if (create->replaces) {
        (void)fprintf(stderr,
                      CLI_PREFIX
                      "the secret that was in %s is replaced: what is signed with it is "
                      "refused from now on\n",
                      create->secret_file);
    }
    if (ricloud_settle(&create->reg, &create->config, &create->test, &err) != ST_OK) {
        return cli_fail(
            "webhook config %s was created, and its secret is in %s; but how its test "
            "went is not known: %s",
            create->config.shown_id, create->secret_file, err.text);
    }
    return ricloud_report(&create->reg, &create->config, &create->test, create->secret_file);
}

int ricloud_create(struct cli *cli)
{
    struct create create = {.lock_fd = -1};
    const struct cli_option options[] = {
        {"--url", CLI_TEXT, &create.url},
        {"--replace-secret", CLI_FLAG, &create.replace_secret},
        REGISTRATION_OPTIONS(&create.reg),
    };
    int status;

    if (!cli_arguments(cli, options, 0, 0) || !registration_check_url(cli, create.url)) {
        return EXIT_USAGE;
    }
    status = ricloud_begin(&create.reg, cli);
    if (status == EXIT_DONE) {
        status = create_config(&create);
    }
    file_draft_close(create.draft);
    if (create.lock_fd >= 0) {
        (void)close(create.lock_fd); /* nothing was written to it */
    }
    buf_wipe(&create.secret);
    ricloud_config_fini(&create.config);
    ricloud_test_fini(&create.test);
    registration_end(&create.reg);
    return status;
}
