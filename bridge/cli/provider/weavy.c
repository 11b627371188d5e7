/*
 * provider weavy: logging in at Divalto weavy, and calling its entry points.
 */
#include "bridge/cli/provider/weavy.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#include "bridge/cli/provider/json.h"

/* ---- begin and end ---- */

static int open_state(struct weavy *weavy, bool changes)
{
    const struct config_source *source = weavy->reg.source;
    const struct cli_account account = {
        .source = source->name,
        .api = cli_api_url(weavy->reg.api),
        .project_code = source->api.project_code,
    };
    struct err err = {0};

    if (!account.project_code) {
        return cli_fail("source %s has no api.project_code", source->name);
    }
    if (!cli_api_is_segment(account.project_code)) {
        return cli_fail("source %s: api.project_code cannot stand in a URL", source->name);
    }
    /* A dry run changes nothing, not even whether others have to wait. */
    if (cli_state_open(source->api.state_file, &account, changes && !weavy->reg.dry_run,
                       &weavy->state, &err) != ST_OK) {
        return cli_fail("%s", err.text);
    }
    return EXIT_DONE;
}

/* The token that the configuration gives, else the one of the last login. */
static int choose_token(struct weavy *weavy)
{
    const struct buf *given = &weavy->reg.source->api.token;
    const char *stored = cli_state_token(weavy->state);
    struct err err = {0};

    if (!weavy->reg.dry_run &&
        !cli_secret_was_read(weavy->reg.cli, given, "sources[%zu].api.token",
                             weavy->reg.source_index)) {
        return EXIT_FAILED;
    }
    return cli_api_set_token(weavy->reg.api, given->len ? buf_slice(given) : slice_of(stored),
                             &err) == ST_OK
               ? EXIT_DONE
               : cli_fail("source %s: api.token: %s", weavy->reg.source->name, err.text);
}

int weavy_begin(struct weavy *weavy, struct cli *cli, bool changes)
{
    int status = registration_begin(&weavy->reg, cli, "weavy", "Bearer");

    status = status == EXIT_DONE ? open_state(weavy, changes) : status;
    return status == EXIT_DONE ? choose_token(weavy) : status;
}

void weavy_end(struct weavy *weavy)
{
    cli_state_close(weavy->state);
    weavy->state = NULL;
    registration_end(&weavy->reg);
}

/* Nothing is asked for that could not be stored. */
static enum status call_api(struct weavy *weavy, const struct cli_api_request *request,
                            struct cli_api_reply *out_reply, struct err *err)
{
    enum status st = cli_state_make_room(weavy->state, err);

    return st == ST_OK ? cli_api_call(weavy->reg.api, request, out_reply, err) : st;
}

/* ---- logging in ---- */

/* Not in the configuration, or it could not be read, as has been printed. */
static enum status check_credentials(const struct weavy *weavy, struct err *err)
{
    const struct config_source *source = weavy->reg.source;

    if (!cli_secret_was_read(weavy->reg.cli, &source->api.password, "sources[%zu].api.password",
                             weavy->reg.source_index)) {
        return err_set(err, ST_MISSING, "cannot log in without api.password");
    }
    if (!source->api.username || source->api.password.len == 0) {
        return err_set(err, ST_MISSING,
                       "cannot log in: source %s needs api.username and api.password (or "
                       "api.token)",
                       source->name);
    }
    return ST_OK;
}

/* password: absent stands for the one that is not shown. */
static void make_login(const struct config_source *source, struct slice password,
                       struct buf *out)
{
    buf_reserve(out, 65536); /* so that few copies of the password stay behind */
    buf_add_char(out, '{');
    cli_json_add_string(out, "username", source->api.username ? source->api.username : "");
    buf_add_str(out, ",\"password\":");
    json_add_string(out, password.data ? password : SLICE("***"));
    buf_add_char(out, ',');
    cli_json_add_string(out, "projectCode", source->api.project_code);
    buf_add_str(out, ",\"scope\":\"API\"}");
}

static enum status keep_token(struct weavy *weavy, const struct cli_api_reply *reply,
                              struct err *err)
{
    char *token = cli_json_text(reply->json, "authToken");
    enum status st;

    if (!token || !token[0]) {
        st = cli_api_reject(weavy->reg.api, ST_REFUSED, "holds no authToken", err);
    } else {
        st = cli_api_set_token(weavy->reg.api, slice_of(token), err);
    }
    if (st == ST_OK) {
        cli_state_set_token(weavy->state, token);
        st = cli_state_save(weavy->state, err);
    }
    if (token) {
        explicit_bzero(token, strlen(token));
    }
    free(token);
    weavy->logged_in = st == ST_OK;
    return st;
}

enum status weavy_login(struct weavy *weavy, struct err *err)
{
    const struct config_source *source = weavy->reg.source;
    struct cli_api_request request = {
        .method = "POST", .path = "/v1/Authenticate", .anonymous = true};
    struct cli_api_reply reply = {0};
    struct buf json = {0};
    enum status st = weavy->reg.dry_run ? ST_OK : check_credentials(weavy, err);

    if (st != ST_OK) {
        return st;
    }
    make_login(source, weavy->reg.dry_run ? SLICE_NONE : buf_slice(&source->api.password),
               &json);
    request.json = buf_slice(&json);
    if (weavy->reg.dry_run) {
        cli_api_print(weavy->reg.api, &request);
        weavy->logged_in = true;
    } else {
        st = call_api(weavy, &request, &reply, err);
        st = st == ST_OK ? keep_token(weavy, &reply, err) : st;
    }
    buf_wipe(&json);
    return st;
}

static int login_now(struct weavy *weavy)
{
    const struct config_source *source = weavy->reg.source;
    struct buf line = {0};
    struct err err = {0};

    if (weavy_login(weavy, &err) != ST_OK) {
        return cli_fail("%s", err.text);
    }
    if (weavy->reg.dry_run) {
        return EXIT_DONE;
    }
    if (weavy->reg.json) {
        buf_add_char(&line, '{');
        cli_json_add_string(&line, "username", source->api.username);
        buf_add_char(&line, ',');
        cli_json_add_string(&line, "project_code", source->api.project_code);
        buf_add_char(&line, ',');
        cli_json_add_string(&line, "state_file", source->api.state_file);
        buf_add_char(&line, '}');
    } else {
        buf_addf(&line, "logged in as %s; the login is kept in %s", source->api.username,
                 source->api.state_file);
    }
    registration_print(&line);
    buf_free(&line);
    return EXIT_DONE;
}

int weavy_log_in(struct cli *cli)
{
    struct weavy weavy = {0};
    const struct cli_option options[] = {REGISTRATION_OPTIONS(&weavy.reg)};
    int status;

    if (!cli_arguments(cli, options, 0, 0)) {
        return EXIT_USAGE;
    }
    status = weavy_begin(&weavy, cli, true);
    status = status == EXIT_DONE ? login_now(&weavy) : status;
    weavy_end(&weavy);
    return status;
}

/* ---- calling ---- */

/* Errors with status 200 are not documented, but then neither are errors at all. Many an API has
 * the member in every answer: false, 0 or empty where there is none. */
static bool is_error(struct json_value error)
{
    struct slice raw = error.raw;

    switch (error.kind) {
    case JSON_ABSENT:
    case JSON_NULL:
        return false;
    case JSON_BOOL:
        return slice_equal(raw, SLICE("true"));
    case JSON_NUMBER:
        return !slice_equal(raw, SLICE("0"));
    case JSON_STRING:
        return raw.len > 2;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return strspn(raw.data + 1, " \t\r\n") + 2 < raw.len;
    }
    return false;
}

/* What to do about a token that is not accepted. */
static enum status explain_401(const struct weavy *weavy, struct err *err)
{
    const char *name = weavy->reg.source->name;

    return weavy->reg.source->api.token.len
               ? err_wrap(err, "api.token of source %s is not accepted", name)
               : err_wrap(err, "the login of source %s is not accepted", name);
}

static enum status call_again(struct weavy *weavy, const struct cli_api_request *request,
                              struct cli_api_reply *out_reply, struct err *err)
{
    bool was_uncertain = out_reply->uncertain;
    enum status st = weavy_login(weavy, err);

    if (st == ST_OK) {
        st = call_api(weavy, request, out_reply, err);
        out_reply->uncertain |= was_uncertain;
    }
    return st == ST_UNAUTHENTIC ? explain_401(weavy, err) : st;
}

enum status weavy_call(struct weavy *weavy, const char *entry_point, struct slice json,
                       struct cli_api_reply *out_reply, struct err *err)
{
    struct registration *reg = &weavy->reg;
    bool may_log_in = reg->source->api.token.len == 0;
    struct cli_api_request request = {.method = "POST", .json = json};
    struct buf path = {0};
    enum status st = ST_OK;

    if (!cli_api_has_token(reg->api) && !weavy->logged_in && may_log_in) {
        st = weavy_login(weavy, err);
    }
    buf_add_str(&path, "/v1/EntryPoints/");
    cli_api_add_escaped(&path, reg->source->api.project_code);
    buf_addf(&path, "/process/?c=%s", entry_point);
    request.path = path.data;
    if (st == ST_OK && reg->dry_run) {
        cli_api_print(reg->api, &request);
    } else if (st == ST_OK) {
        st = call_api(weavy, &request, out_reply, err);
        if (st == ST_UNAUTHENTIC) {
            st = may_log_in && !weavy->logged_in ? call_again(weavy, &request, out_reply, err)
                                                 : explain_401(weavy, err);
        }
        if (st == ST_OK && is_error(json_find(out_reply->json, SLICE("error")))) {
            st = cli_api_reject(reg->api, ST_REFUSED, "is an error", err);
        }
    }
    buf_free(&path);
    return st;
}
