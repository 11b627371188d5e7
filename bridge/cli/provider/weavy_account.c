/*
 * The account at weavy: its login, its subscriptions, and calls on its behalf.
 *
 * weavy wants a login, whose token it does not always accept for long: so a call logs in when
 * there is no token, and once again when it is answered 401, unless the token is configured.
 * Whatever is handed out, a token or a code, has its room on the disk before it is asked for.
 *
 * What is stored is one small JSON file, readable for people too, mode 0600; in memory it is the
 * tree that its JSON makes. Entries of other accounts are kept as they are, and not seen. A file
 * that is not understood is an error, and never overwritten.
 *
 *   {"version": 1,
 *    "logins": [{"token", "source", "api", "project_code", "since"}],
 *    "subscriptions": [{"event", "url", "code", "source", "api", "project_code", "since"}]}
 */
#include <string.h>

#include <json-c/json.h>

#include "common/clock.h"
#include "common/file.h"

#include "bridge/cli/provider/internal.h"

enum {
    MAX_BYTES = 4 * 1024 * 1024,
    USUAL_BYTES = 64 * 1024, /* growing buffers would leave copies of tokens behind */
    MAX_GROWTH = 64 * 1024,  /* by one login or subscription */
};

/* It is a list, and every entry has the members of one; their names end with NULL. */
static bool is_list(struct json_object *list, const char *const *names)
{
    bool is_whole = json_object_is_type(list, json_type_array);

    for (size_t i = 0; is_whole && i < json_object_array_length(list); i++) {
        for (const char *const *name = names; *name; name++) {
            is_whole &= tree_text(json_object_array_get_idx(list, i), *name) != NULL;
        }
    }
    return is_whole;
}

static enum status check_tree(struct job *job)
{
    static const char *const login[] = {"/token", NULL};
    static const char *const subscription[] = {"/event", "/url", "/code", "/since", NULL};
    const char *version = tree_text(job->state, "/version");
    bool is_whole = version && is_list(tree_at(job->state, WEAVY_LOGINS), login) &&
                    is_list(tree_at(job->state, WEAVY_SUBSCRIPTIONS), subscription);

    return is_whole && strcmp(version, "1") == 0
               ? ST_OK
               : err_set(&job->err, ST_INVALID, "%s: %s%s; nothing is changed",
                         job->source->api.state_file,
                         is_whole ? "this program knows version 1 only, not version "
                                  : "damaged: not JSON, or a part of it is missing",
                         is_whole ? version : "");
}

static bool is_ours(const struct job *job, struct json_object *entry)
{
    bool ours = true;

    json_object_object_foreach(job->account, name, value)
    {
        ours &= json_object_equal(json_object_object_get(entry, name), value) != 0;
    }
    return ours;
}

struct json_object *weavy_entry(const struct job *job, const char *list_name, size_t i)
{
    struct json_object *list = tree_at(job->state, list_name);

    for (size_t at = 0; at < json_object_array_length(list); at++) {
        struct json_object *entry = json_object_array_get_idx(list, at);

        if (is_ours(job, entry) && i-- == 0) {
            return entry;
        }
    }
    return NULL;
}

/* Borrowed until the tree changes. */
static struct slice print(const struct job *job)
{
    return slice_of(json_object_to_json_string_ext(
        job->state,
        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static enum status make_room(struct job *job)
{
    return file_draft_reserve(job->draft, print(job).len + MAX_GROWTH, &job->err);
}

enum status weavy_replace(struct job *job, const char *list_name, struct json_object *old,
                          struct json_object *new)
{
    struct json_object *list = tree_at(job->state, list_name);
    char now[CLOCK_TEXT_SIZE];

    for (size_t at = 0; at < json_object_array_length(list); at++) {
        if (json_object_array_get_idx(list, at) == old) {
            json_object_array_del_idx(list, at, 1);
        }
    }
    if (new) {
        clock_format(clock_unix_ms(), now);
        json_object_object_foreach(job->account, name, value)
        {
            json_object_object_add(new, name, json_object_get(value));
        }
        json_object_object_add(new, "since", tree_string(now));
        json_object_array_add(list, new);
    }
    return job_store(job, print(job));
}

/* ---- the login, and calls ---- */

enum status weavy_begin(struct job *job, bool changes)
{
    const struct config_source *source = job->source;
    const char *project_code = source->api.project_code, *path = source->api.state_file;
    enum status st = ST_OK;
    struct buf text = {0};

    if (!project_code || !api_is_segment(project_code)) {
        return err_set(&job->err, ST_MISSING, "source %s: api.project_code %s", source->name,
                       project_code ? "cannot stand in a URL" : "is missing");
    }
    job->account = TEXTS({"source", source->name}, {"api", job->api.base.data},
                         {"project_code", project_code});
    if (changes && !job->options.dry_run) { /* else nobody is kept waiting */
        st = file_draft_open(path, &job->draft, &job->err);
    }
    buf_reserve(&text, USUAL_BYTES);
    st = st == ST_OK ? file_read_regular(path, MAX_BYTES, &text, &job->err) : st;
    if (st == ST_NOT_FOUND) {
        buf_add_str(&text, "{\"version\":1,\"logins\":[],\"subscriptions\":[]}");
        st = ST_OK;
    }
    if (st == ST_OK) {
        job->state = tree_parse(buf_slice(&text), NULL);
        st = check_tree(job);
    }
    buf_wipe(&text);
    return st == ST_OK
               ? job_set_token(job, tree_text(weavy_entry(job, WEAVY_LOGINS, 0), "/token"))
               : st;
}

static enum status check_credentials(struct job *job)
{
    const struct config_source *source = job->source;
    const struct buf *password = &source->api.password;

    return cli_secret_was_read(job->cli, password, "sources[%zu].api.password",
                               job->source_index) &&
                   source->api.username && password->len > 0
               ? make_room(job)
               : err_set(&job->err, ST_MISSING,
                         "cannot log in: source %s needs api.username and api.password (or "
                         "api.token)",
                         source->name);
}

static enum status keep_login(struct job *job)
{
    const char *token = tree_text(job->reply.json, "/authToken");

    if (!token || !token[0]) {
        return job_reject(job, ST_REFUSED, "contains no authToken");
    }
    return api_set_token(job, slice_of(token)) == ST_OK
               ? weavy_replace(job, WEAVY_LOGINS, weavy_entry(job, WEAVY_LOGINS, 0),
                               TEXTS({"token", token}))
               : job->err.status;
}

enum status weavy_login(struct job *job)
{
    const struct config_source *source = job->source;
    bool dry_run = job->options.dry_run;
    enum status st = dry_run ? ST_OK : check_credentials(job);

    if (st == ST_OK) {
        st = job_call(
            job, &(struct request){
                     .method = "POST",
                     .path = "/v1/Authenticate",
                     .anonymous = true,
                     .json = TEXTS({"username", source->api.username},
                                   {"password", dry_run ? "***" : source->api.password.data},
                                   {"projectCode", source->api.project_code}, {"scope", "API"}),
                 });
        st = st == ST_OK ? keep_login(job) : st;
    }
    job->logged_in = st == ST_OK;
    job->login_failed = st != ST_OK;
    tree_wipe(job->reply.json);
    job->reply = (struct reply){0}; /* is not the reply to what a verb asks */
    return st;
}

/* Errors with status 200 are not documented, but then errors are not documented at all. Many an
 * API has the member in every answer: false, 0 or empty where there is none. */
static bool is_error(struct json_object *error)
{
    return json_object_is_type(error, json_type_array) ? json_object_array_length(error) > 0
           : json_object_is_type(error, json_type_object)
               ? json_object_object_length(error) > 0
               : json_object_get_boolean(error); /* as in most languages */
}

static enum status call_once(struct job *job, const char *entry_point, struct json_object *json)
{
    enum status st = job->options.dry_run ? ST_OK : make_room(job);

    if (st != ST_OK) {
        return st;
    }
    st = job_call(job, &(struct request){.method = "POST",
                                         .path = "/v1/EntryPoints",
                                         .id = job->source->api.project_code,
                                         .more = entry_point,
                                         .json = tree_copy(json)});
    job->logged_in &= st != ST_OK || job->options.dry_run; /* some accept a token only once */
    if (st == ST_UNAUTHENTIC) {
        err_wrap(&job->err, "%s of source %s is not accepted",
                 job->source->api.token.len > 0 ? "api.token" : "the login", job->source->name);
    }
    return st == ST_OK && is_error(tree_at(job->reply.json, "/error"))
               ? job_reject(job, ST_REFUSED, "is an error")
               : st;
}

enum status weavy_call(struct job *job, const char *entry_point, struct json_object *json)
{
    bool may_log_in = job->source->api.token.len == 0 && !job->logged_in;
    bool has_token = job->api.token.len > 0 || job->logged_in, uncertain;
    enum status st = has_token ? call_once(job, entry_point, json) : ST_UNAUTHENTIC;

    if (st == ST_UNAUTHENTIC && may_log_in) {
        uncertain = job->reply.uncertain;
        st = weavy_login(job) == ST_OK ? call_once(job, entry_point, json) : ST_UNAUTHENTIC;
        job->reply.uncertain |= uncertain;
    }
    json_object_put(json);
    return st;
}

/* ---- where deliveries of an event go ---- */

enum status weavy_add_url(struct buf *out, struct job *job, const char *base, const char *event)
{
    const struct provider *provider = job->source->provider;
    const char *suffix = provider_url_suffix(provider, event);
    size_t len = strlen(base);

    if (!suffix && (provider->url_events || strchr(event, '/'))) {
        return err_set(
            &job->err, ST_NOT_FOUND,
            "sources[%zu].events names no path for %s; the bridge would not take it%s",
            job->source_index, event,
            provider->url_events ? "" : ", as it has a slash in its name");
    }
    while (len > 0 && base[len - 1] == '/') {
        len--;
    }
    buf_add(out, base, len);
    if (!suffix) {
        buf_add_char(out, '/');
        cli_http_add_escaped(out, event);
    } else if (suffix[0]) {           /* else it is the base itself */
        buf_addf(out, "/%s", suffix); /* config has checked that it may stand in a URL */
    }
    return ST_OK;
}
