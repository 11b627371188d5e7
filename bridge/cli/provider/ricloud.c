/*
 * provider ricloud: the webhook configs of Reincubate ricloud, and which of them a key uses.
 */
#include "bridge/cli/provider/ricloud.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/cli/provider/json.h"

int ricloud_begin(struct registration *reg, struct cli *cli)
{
    int status = registration_begin(reg, cli, "ricloud", "Token");
    const struct buf *token;
    struct err err = {0};

    if (status != EXIT_DONE || reg->dry_run) {
        return status;
    }
    token = &reg->source->api.token;
    if (!cli_secret_was_read(cli, token, "sources[%zu].api.token", reg->source_index)) {
        return EXIT_FAILED;
    }
    if (token->len == 0) {
        return cli_fail("source %s has no api.token: the token of a key of ricloud",
                        reg->source->name);
    }
    return cli_api_set_token(reg->api, buf_slice(token), &err) == ST_OK
               ? EXIT_DONE
               : cli_fail("source %s: api.token: %s", reg->source->name, err.text);
}

/* The id at argv[1], or NULL: it is none, which has been printed. */
static const char *id_argument(const struct cli *cli)
{
    return registration_check_name(cli, cli->argv[1], "an id") ? cli->argv[1] : NULL;
}

/* ---- get, delete ---- */

static int get_config(struct registration *reg, const char *id)
{
    const struct ricloud_request request = {.method = "GET", .id = id};
    struct ricloud_config config = {0};
    struct cli_api_reply reply = {0};
    struct err err = {0};
    enum status st = ricloud_call(reg, &request, &reply, &err);

    if (st == ST_OK && !reg->dry_run) {
        st = ricloud_read_config(reg, &reply, &config, &err);
    }
    if (config.id) {
        ricloud_print(reg, buf_slice(&config.shown));
    }
    ricloud_config_fini(&config);
    return st == ST_OK ? EXIT_DONE : cli_fail("%s", err.text);
}

static int delete_config(struct registration *reg, const char *id)
{
    const struct ricloud_request request = {.method = "DELETE", .id = id};
    struct cli_api_reply reply = {0};
    struct err err = {0};
    struct buf line = {0};
    enum status st = ricloud_call(reg, &request, &reply, &err);

    /* Gone, after a try whose answer did not arrive, is what was wanted. */
    if (st != ST_OK && !(st == ST_NOT_FOUND && reply.uncertain)) {
        return cli_fail("%s", err.text);
    }
    if (reg->dry_run) {
        return EXIT_DONE;
    }
    if (reg->json) {
        buf_add_char(&line, '{');
        ricloud_add_id(&line, "id", id, &reply, "id");
        buf_add_str(&line, ",\"deleted\":true}");
    } else {
        cli_add_safe(&line, slice_of(id));
        buf_add_str(&line, "  deleted");
    }
    registration_print(&line);
    buf_free(&line);
    return EXIT_DONE;
}

static int run_by_id(struct cli *cli, int (*run)(struct registration *reg, const char *id))
{
    struct registration reg = {0};
    const struct cli_option options[] = {REGISTRATION_OPTIONS(&reg)};
    const char *id;
    int status;

    if (!cli_arguments(cli, options, 1, 1) || !(id = id_argument(cli))) {
        return EXIT_USAGE;
    }
    status = ricloud_begin(&reg, cli);
    status = status == EXIT_DONE ? run(&reg, id) : status;
    registration_end(&reg);
    return status;
}

int ricloud_get(struct cli *cli)
{
    return run_by_id(cli, get_config);
}

int ricloud_delete(struct cli *cli)
{
    return run_by_id(cli, delete_config);
}

/* ---- update ---- */

struct update {
    struct registration reg;
    const char *url, *state;
};

static void make_update(const struct update *update, struct buf *out)
{
    buf_add_char(out, '{');
    if (update->url) {
        cli_json_add_string(out, "url", update->url);
    }
    buf_add_str(out, update->url && update->state ? "," : "");
    if (update->state) {
        cli_json_add_string(out, "state", update->state);
    }
    buf_add_char(out, '}');
}

static enum status post_update(struct update *update, const char *id,
                               struct ricloud_config *config, struct err *err)
{
    struct ricloud_request request = {.method = "POST", .id = id};
    struct cli_api_reply reply = {0};
    struct buf json = {0};
    enum status st;

    make_update(update, &json);
    request.json = buf_slice(&json);
    st = ricloud_call(&update->reg, &request, &reply, err);
    if (st == ST_OK && !update->reg.dry_run) {
        st = ricloud_read_config(&update->reg, &reply, config, err);
    }
    buf_free(&json);
    return st;
}

static int update_config(struct update *update, const char *id)
{
    bool tested = !update->state || strcmp(update->state, "new") == 0;
    struct ricloud_config config = {0};
    struct ricloud_test test = {0};
    struct err err = {0};
    int status = EXIT_DONE;
    enum status st;

    st = post_update(update, id, &config, &err);
    if (st == ST_OK && !update->reg.dry_run && tested) {
        st = ricloud_settle(&update->reg, &config, &test, &err);
    }
    if (st != ST_OK) {
        status = cli_fail("%s", err.text);
    } else if (config.id && tested) {
        status = ricloud_report(&update->reg, &config, &test, NULL);
    } else if (config.id) {
        ricloud_print(&update->reg, buf_slice(&config.shown));
    }
    ricloud_config_fini(&config);
    ricloud_test_fini(&test);
    return status;
}

int ricloud_update(struct cli *cli)
{
    struct update update = {0};
    const struct cli_option options[] = {
        {"--url", CLI_TEXT, &update.url},
        {"--state", CLI_TEXT, &update.state},
        REGISTRATION_OPTIONS(&update.reg),
    };
    const char *id;
    int status;

    if (!cli_arguments(cli, options, 1, 1) || !(id = id_argument(cli))) {
        return EXIT_USAGE;
    }
    if (!update.url && !update.state) {
        return cli_misuse(cli, "what is to change? --url or --state says it");
    }
    if (update.state && strcmp(update.state, "new") != 0 &&
        strcmp(update.state, "deactivated") != 0) {
        return cli_misuse(cli, "--state %s: it can be set to new or deactivated only",
                          update.state);
    }
    if (!registration_check_url(cli, update.url)) {
        return EXIT_USAGE;
    }
    status = ricloud_begin(&update.reg, cli);
    status = status == EXIT_DONE ? update_config(&update, id) : status;
    registration_end(&update.reg);
    return status;
}

/* ---- test ---- */

static void print_test(const struct registration *reg, const struct ricloud_test *test)
{
    struct buf line = {0};

    if (reg->json) {
        buf_add_char(&line, '{');
        cli_json_add_string(&line, "task", test->id);
        buf_add_char(&line, ',');
        cli_json_add_string(&line, "state", test->state);
        buf_add_char(&line, ',');
        cli_json_add_string(&line, "test_error", test->error);
        buf_add_char(&line, '}');
    } else {
        buf_add_str(&line, "test ");
        cli_add_safe(&line, slice_of(test->id ? test->id : "-"));
        buf_add_str(&line, "  ");
        cli_add_safe(&line, slice_of(test->state ? test->state : "-"));
    }
    registration_print(&line);
    buf_free(&line);
}

/* Tests it and waits for the outcome. */
static int test_and_wait(struct registration *reg, const char *id)
{
    struct ricloud_config config = {.id = xstrdup(id)};
    struct ricloud_test test = {0};
    struct err err = {0};
    int status = EXIT_DONE;
    /* The state before tells a test that changes it from one that has not ended. */
    enum status st = reg->dry_run ? ST_OK : ricloud_fetch(reg, &config, &err);

    if (st == ST_OK) {
        st = ricloud_start_test(reg, id, true, &test, &err);
    }
    if (st == ST_OK && !reg->dry_run) {
        st = ricloud_wait_test(reg, &test, &config, &err);
    }
    if (st != ST_OK) {
        status = cli_fail("%s", err.text);
    } else if (!reg->dry_run) {
        status = ricloud_report(reg, &config, &test, NULL);
    }
    ricloud_config_fini(&config);
    ricloud_test_fini(&test);
    return status;
}

static int test_only(struct registration *reg, const char *id)
{
    struct ricloud_test test = {0};
    struct err err = {0};

    if (ricloud_start_test(reg, id, false, &test, &err) != ST_OK) {
        return cli_fail("%s", err.text);
    }
    if (!reg->dry_run) {
        print_test(reg, &test);
    }
    ricloud_test_fini(&test);
    return EXIT_DONE;
}

int ricloud_test(struct cli *cli)
{
    struct registration reg = {0};
    bool wait = false;
    const struct cli_option options[] = {
        {"--wait", CLI_FLAG, &wait},
        REGISTRATION_OPTIONS(&reg),
    };
    const char *id;
    int status;

    if (!cli_arguments(cli, options, 1, 1) || !(id = id_argument(cli))) {
        return EXIT_USAGE;
    }
    status = ricloud_begin(&reg, cli);
    if (status == EXIT_DONE) {
        status = (wait ? test_and_wait : test_only)(&reg, id);
    }
    registration_end(&reg);
    return status;
}

int ricloud_use(struct cli *cli)
{
    return run_by_id(cli, ricloud_use_config);
}
