/*
 * No body of weavy's names its event, so each event has a URL of its own. The URL ends in the
 * event's name, or in the path that the source's `events` gives it. The bridge would not take an
 * event without a path there, so that is refused before the provider is asked.
 *
 * weavy wants a login, whose token it does not always accept for long: so a call logs in when
 * there is no token, and once again when it is answered 401, unless the token is configured.
 *
 * Whatever is handed out, a token or a code, has its room on the disk before it is asked for.
 */
#include <string.h>

#include <json-c/json.h>

#include "bridge/cli/provider/internal.h"

enum status weavy_add_url(struct buf *out, struct job *job, const char *base, const char *event)
{
    const struct provider *provider = job->source->provider;
    const char *suffix = provider_url_suffix(provider, event);
    struct buf known = {0};
    size_t len = strlen(base);

    if (!suffix && provider->url_events) {
        for (const struct provider_url_event *e = provider->url_events; e->suffix; e++) {
            buf_addf(&known, "%s %s", known.len ? "," : "", e->event);
        }
        err_set(&job->err, ST_NOT_FOUND,
                "sources[%zu].events names no path for %s; the bridge would not take it. It "
                "has:%s",
                job->source_index, event, known.data);
        buf_free(&known);
        return ST_NOT_FOUND;
    }
    if (!suffix && strchr(event, '/')) {
        return err_set(&job->err, ST_NOT_FOUND,
                       "%s: the bridge takes no event with a slash in its name, unless "
                       "sources[%zu].events has a path for it",
                       event, job->source_index);
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

enum status weavy_begin(struct job *job, bool changes)
{
    const struct config_source *source = job->source;
    const char *project_code = source->api.project_code;
    enum status st;

    if (!project_code || !api_is_segment(project_code)) {
        return err_set(&job->err, ST_MISSING, "source %s: api.project_code %s", source->name,
                       project_code ? "cannot stand in a URL" : "is missing");
    }
    job->account = TEXTS({"source", source->name}, {"api", job->api.base.data},
                         {"project_code", project_code});
    /* A dry run changes nothing, and keeps nobody waiting. */
    st = state_open(job, changes && !job->options.dry_run);
    return st == ST_OK
               ? job_set_token(job, tree_text(state_entry(job, STATE_LOGINS, 0), "/token"))
               : st;
}

static enum status check_credentials(struct job *job)
{
    const struct config_source *source = job->source;

    if (!cli_secret_was_read(job->cli, &source->api.password, "sources[%zu].api.password",
                             job->source_index)) {
        return err_set(&job->err, ST_MISSING, "cannot log in without api.password");
    }
    return source->api.username && source->api.password.len > 0
               ? state_make_room(job)
               : err_set(&job->err, ST_MISSING,
                         "cannot log in: source %s needs api.username and api.password (or "
                         "api.token)",
                         source->name);
}

static enum status keep_login(struct job *job)
{
    const char *token = tree_text(job->reply.json, "/authToken");
    enum status st;

    if (!token || !token[0]) {
        return job_reject(job, ST_REFUSED, "contains no authToken");
    }
    st = api_set_token(job, slice_of(token));
    if (st != ST_OK) {
        return st;
    }
    state_remove(job, STATE_LOGINS, state_entry(job, STATE_LOGINS, 0));
    state_add(job, STATE_LOGINS, TEXTS({"token", token}));
    return state_save(job);
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
    bool is_configured = job->source->api.token.len > 0;
    struct buf path = {0};
    enum status st = job->options.dry_run ? ST_OK : state_make_room(job);

    if (st != ST_OK) {
        return st;
    }
    buf_addf(&path, "/process/?c=EPT_Webhook%s", entry_point);
    st = job_call(job, &(struct request){.method = "POST",
                                         .path = "/v1/EntryPoints",
                                         .id = job->source->api.project_code,
                                         .more = path.data,
                                         .json = tree_copy(json)});
    buf_free(&path);
    if (st == ST_OK && !job->options.dry_run) {
        job->logged_in = false; /* the token was accepted; some are only once */
    }
    if (st == ST_UNAUTHENTIC) {
        err_wrap(&job->err, "%s of source %s is not accepted",
                 is_configured ? "api.token" : "the login", job->source->name);
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
