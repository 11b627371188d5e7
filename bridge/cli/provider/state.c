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

/* Every entry of a list has these members; their names end with NULL. */
static bool is_list(const struct state *state, const char *list_name, const char *const *names)
{
    struct json_object *list = tree_at(state->tree, list_name);
    bool is_whole = json_object_is_type(list, json_type_array);

    for (size_t i = 0; is_whole && i < json_object_array_length(list); i++) {
        for (const char *const *name = names; *name; name++) {
            is_whole &= tree_text(json_object_array_get_idx(list, i), *name) != NULL;
        }
    }
    return is_whole;
}

static enum status check_tree(const struct state *state, struct err *err)
{
    static const char *const login[] = {"/token", NULL};
    static const char *const subscription[] = {"/event", "/url", "/code", "/since", NULL};
    const char *version = tree_text(state->tree, "/version");

    if (!version || !is_list(state, STATE_LOGINS, login) ||
        !is_list(state, STATE_SUBSCRIPTIONS, subscription)) {
        return err_set(err, ST_INVALID,
                       "%s: damaged: not JSON, or a part of it is missing; nothing is changed",
                       state->stash.path);
    }
    return strcmp(version, "1") == 0
               ? ST_OK
               : err_set(err, ST_INVALID, "%s: of version %s; this program knows 1 only",
                         state->stash.path, version);
}

static enum status read_file(struct state *state, struct err *err)
{
    struct buf text = {0};
    enum status st;

    buf_reserve(&text, USUAL_BYTES);
    st = file_read_regular(state->stash.path, MAX_BYTES, &text, err);
    if (st == ST_NOT_FOUND) {
        buf_add_str(&text, "{\"version\":1,\"logins\":[],\"subscriptions\":[]}");
        st = ST_OK;
    }
    if (st == ST_OK) {
        state->tree = tree_parse(buf_slice(&text), NULL);
        st = check_tree(state, err);
    }
    buf_wipe(&text);
    return st;
}

enum status state_open(struct state *state, const char *path, bool for_change, struct err *err)
{
    enum status st;

    state->stash = (struct stash){.path = path, .lock_fd = -1};
    st = for_change ? stash_lock(&state->stash, err) : ST_OK;
    return st == ST_OK ? read_file(state, err) : st;
}

void state_close(struct state *state)
{
    if (state->account) { /* else it was never opened */
        tree_wipe(state->tree);
        json_object_put(state->account);
        stash_close(&state->stash);
    }
}

/* Where the account's i-th entry is; the list's length if there are not so many. */
static size_t find(const struct state *state, struct json_object *list, size_t i)
{
    size_t at = 0;

    for (; at < json_object_array_length(list); at++) {
        bool ours = true;

        json_object_object_foreach(state->account, name, value)
        {
            struct json_object *entry = json_object_array_get_idx(list, at);

            ours &= json_object_equal(json_object_object_get(entry, name), value) != 0;
        }
        if (ours && i-- == 0) {
            break;
        }
    }
    return at;
}

struct json_object *state_entry(const struct state *state, const char *list_name, size_t i)
{
    struct json_object *list = tree_at(state->tree, list_name);

    return json_object_array_get_idx(list, find(state, list, i));
}

void state_add(struct state *state, const char *list_name, struct json_object *entry)
{
    char now[CLOCK_TEXT_SIZE];

    clock_format(clock_unix_ms(), now);
    json_object_object_foreach(state->account, name, value)
    {
        json_object_object_add(entry, name, json_object_get(value));
    }
    json_object_object_add(entry, "since", tree_string(now));
    json_object_array_add(tree_at(state->tree, list_name), entry);
}

void state_remove(struct state *state, const char *list_name, size_t i)
{
    struct json_object *list = tree_at(state->tree, list_name);

    json_object_array_del_idx(list, find(state, list, i), 1); /* none, if there is no such */
}

/* Borrowed until the tree changes. */
static struct slice print(const struct state *state)
{
    return slice_of(json_object_to_json_string_ext(
        state->tree,
        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
}

enum status state_make_room(struct state *state, struct err *err)
{
    return stash_make_room(&state->stash, print(state).len + MAX_GROWTH, err);
}

enum status state_save(struct state *state, struct err *err)
{
    enum status st = state_make_room(state, err);

    return st == ST_OK ? stash_put(&state->stash, print(state), err) : st;
}
