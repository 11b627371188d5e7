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
#include "bridge/cli/provider/internal.h"

#include <string.h>

#include <json-c/json.h>

#include "bridge/cli/catalogue.h"
#include "bridge/cli/http.h"
#include "bridge/cli/tree.h"

/* ---- where deliveries of an event go ---- */

bool weavy_has_path(const struct provider *provider, const char *event)
{
    return provider->url_events ? provider_url_suffix(provider, event) != NULL
                                : !strchr(event, '/');
}

bool weavy_check_path(struct job *job, const char *event)
{
    const struct provider_url_event *known = job->source->provider->url_events;
    struct buf shown = {0};

    if (weavy_has_path(job->source->provider, event)) {
        return true;
    }
    cli_add_safe(&shown, slice_of(event));
    if (known) {
        buf_add_str(&shown, "; the bridge would not take it. It has:");
        for (const struct provider_url_event *e = known; e->suffix; e++) {
            buf_addf(&shown, "%s %s", e == known ? "" : ",", e->event);
        }
        job_end(job, cli_fail("sources[%zu].events names no path for %s", job->source_index,
                              shown.data));
    } else {
        job_end(job,
                cli_misuse(job->cli,
                           "%s: the bridge takes no event with a slash in its name, unless "
                           "sources[%zu].events has a path for it",
                           shown.data, job->source_index));
    }
    buf_free(&shown);
    return false;
}

bool weavy_is_event(const struct provider *provider, const char *name)
{
    struct catalogue_pair pair;

    for (size_t i = 0; catalogue_at(provider, i, &pair); i++) {
        if (strcmp(pair.event, name) == 0) {
            return true;
        }
    }
    return provider->url_events && weavy_has_path(provider, name);
}

void weavy_add_url(struct buf *out, const struct provider *provider, const char *base,
                   const char *event)
{
    const char *suffix = provider_url_suffix(provider, event);
    size_t len = strlen(base);

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
}

/* ---- logging in ---- */

enum status weavy_begin(struct job *job, bool changes)
{
    const struct config_source *source = job->source;
    const char *project_code = source->api.project_code;
    enum status st;

    if (!project_code || !api_is_segment(project_code)) {
        return err_set(&job->err, ST_MISSING, "source %s: api.project_code %s", source->name,
                       project_code ? "cannot stand in a URL" : "is missing");
    }
    /* A dry run changes nothing, and keeps nobody waiting. */
    st = state_open(source->api.state_file,
                    TREE({"source", tree_string(source->name)},
                         {"api", tree_string(api_url(job->api))},
                         {"project_code", tree_string(project_code)}),
                    changes && !job->options.dry_run, &job->state, &job->err);
    return st == ST_OK ? job_set_token(job, state_token(job->state)) : st;
}

static enum status check_credentials(struct job *job)
{
    const struct config_source *source = job->source;

    if (!cli_secret_was_read(job->cli, &source->api.password, "sources[%zu].api.password",
                             job->source_index)) {
        return err_set(&job->err, ST_MISSING, "cannot log in without api.password");
    }
    if (!source->api.username || source->api.password.len == 0) {
        return err_set(&job->err, ST_MISSING,
                       "cannot log in: source %s needs api.username and api.password (or "
                       "api.token)",
                       source->name);
    }
    return state_make_room(job->state, &job->err);
}

enum status weavy_login(struct job *job)
{
    const struct config_source *source = job->source;
    const char *username = source->api.username ? source->api.username : "";
    const char *token;
    enum status st = job->options.dry_run ? ST_OK : check_credentials(job);

    if (st != ST_OK) {
        return st;
    }
    st = job_call(
        job,
        &(struct api_request){
            .method = "POST",
            .path = "/v1/Authenticate",
            .anonymous = true,
            .json = BODY({"username", username},
                         {"password", job->options.dry_run ? "***" : source->api.password.data},
                         {"projectCode", source->api.project_code}, {"scope", "API"}),
        });
    token = tree_text(job->reply.json, "/authToken");
    if (st == ST_OK && !job->options.dry_run) {
        st = token && token[0] ? api_set_token(job->api, slice_of(token), &job->err)
                               : job_reject(job, ST_REFUSED, "contains no authToken");
        if (st == ST_OK) {
            state_set_token(job->state, token);
            st = state_save(job->state, &job->err);
        }
    }
    job->logged_in = st == ST_OK;
    job->reply = (struct api_reply){0}; /* is not the reply to what a verb asks */
    return st;
}

/* ---- calling ---- */

/* Errors with status 200 are not documented, but then errors are not documented at all. Many an
 * API has the member in every answer: false, 0 or empty where there is none. */
static bool is_error(struct json_object *error)
{
    return json_object_is_type(error, json_type_array) ? json_object_array_length(error) > 0
           : json_object_is_type(error, json_type_object)
               ? json_object_object_length(error) > 0
               : json_object_get_boolean(error); /* as in most languages */
}

static enum status call_once(struct job *job, const char *path,
                             const struct subscription *about)
{
    enum status st = job->options.dry_run ? ST_OK : state_make_room(job->state, &job->err);

    return st != ST_OK
               ? st
               : job_call(job,
                          &(struct api_request){
                              .method = "POST",
                              .path = path,
                              .id = job->source->api.project_code,
                              .json = BODY({"event", about->event}, {"hookUrl", about->url},
                                           {"codeWebhookSubscription", about->code}),
                          });
}

enum status weavy_call(struct job *job, const char *entry_point,
                       const struct subscription *about)
{
    bool is_configured = job->source->api.token.len > 0, uncertain;
    struct buf path = {0};
    enum status st = ST_OK;

    buf_addf(&path, "/v1/EntryPoints/{id}/process/?c=EPT_Webhook%s", entry_point);
    if (!is_configured && !api_has_token(job->api) && !job->logged_in) {
        st = weavy_login(job);
    }
    if (st == ST_OK) {
        st = call_once(job, path.data, about);
        uncertain = job->reply.uncertain;
        if (st == ST_UNAUTHENTIC && !is_configured && !job->logged_in) {
            st = weavy_login(job);
            st = st == ST_OK ? call_once(job, path.data, about) : st;
            job->reply.uncertain |= uncertain;
        }
        if (st == ST_UNAUTHENTIC) {
            st = err_wrap(&job->err, "%s of source %s is not accepted",
                          is_configured ? "api.token" : "the login", job->source->name);
        }
    }
    if (st == ST_OK && is_error(tree_at(job->reply.json, "/error"))) {
        st = job_reject(job, ST_REFUSED, "is an error");
    }
    buf_free(&path);
    return st;
}
