/*
 * In memory the file is the tree that its JSON makes. Files are small: an entry is found by
 * looking at all of them. A file that is not understood is an error, and never overwritten.
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

/* It is a list, and every entry has the members of one. */
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
    const char *path = job->source->api.state_file;
    const char *version = tree_text(job->state, "/version");

    if (!version || !is_list(tree_at(job->state, STATE_LOGINS), login) ||
        !is_list(tree_at(job->state, STATE_SUBSCRIPTIONS), subscription)) {
        return err_set(&job->err, ST_INVALID,
                       "%s: damaged: not JSON, or a part of it is missing; nothing is changed",
                       path);
    }
    return strcmp(version, "1") == 0
               ? ST_OK
               : err_set(&job->err, ST_INVALID, "%s: of version %s; this program knows 1 only",
                         path, version);
}

enum status state_open(struct job *job, bool for_change)
{
    const char *path = job->source->api.state_file;
    enum status st = for_change ? file_draft_open(path, &job->draft, &job->err) : ST_OK;
    struct buf text = {0};

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
    return st;
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

struct json_object *state_entry(const struct job *job, const char *list_name, size_t i)
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

void state_remove(struct job *job, const char *list_name, const struct json_object *entry)
{
    struct json_object *list = tree_at(job->state, list_name);

    for (size_t at = 0; at < json_object_array_length(list); at++) {
        if (json_object_array_get_idx(list, at) == entry) {
            json_object_array_del_idx(list, at, 1);
        }
    }
}

void state_add(struct job *job, const char *list_name, struct json_object *entry)
{
    char now[CLOCK_TEXT_SIZE];

    clock_format(clock_unix_ms(), now);
    json_object_object_foreach(job->account, name, value)
    {
        json_object_object_add(entry, name, json_object_get(value));
    }
    json_object_object_add(entry, "since", tree_string(now));
    json_object_array_add(tree_at(job->state, list_name), entry);
}

/* Borrowed until the tree changes. */
static struct slice print(const struct job *job)
{
    return slice_of(json_object_to_json_string_ext(
        job->state,
        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
}

enum status state_make_room(struct job *job)
{
    return file_draft_reserve(job->draft, print(job).len + MAX_GROWTH, &job->err);
}

enum status state_save(struct job *job)
{
    return job_store(job, print(job));
}
