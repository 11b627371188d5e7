/*
 * In memory the file is the tree that its JSON makes. Files are small: an entry is found by
 * looking at all of them.
 *
 * A change is: lock the folder, read, take room on the disk for the new file, (ask the API,)
 * write the new file beside the old one and put it in its place. If we die before that, the old
 * file is there, and a code or token that the API handed out meanwhile is lost. A full disk
 * cannot be the reason, as the room was taken before.
 */
#include "bridge/cli/provider/state.h"

#include <stdlib.h>

#include <unistd.h>

#include <json-c/json.h>

#include "common/clock.h"
#include "common/file.h"

#include "bridge/cli/cli.h"
#include "bridge/cli/tree.h"

enum {
    MAX_BYTES = 4 * 1024 * 1024,
    USUAL_BYTES = 64 * 1024, /* growing buffers would leave copies of tokens behind */
    MAX_GROWTH = 64 * 1024,  /* by one login or subscription */
};

#define LOGINS        "/logins"
#define SUBSCRIPTIONS "/subscriptions"

struct state {
    const char *path;
    struct json_object *account; /* the members that all entries of the account have */
    int lock_fd;                 /* -1: not locked */
    struct file_draft *draft;    /* room for the next save; NULL: not taken yet */
    struct json_object *tree;
};

/* ---- entries ---- */

static bool is_ours(const struct state *state, struct json_object *entry)
{
    bool ours = true;

    json_object_object_foreach(state->account, name, value)
    {
        ours &= json_object_equal(json_object_object_get(entry, name), value) != 0;
    }
    return ours;
}

/* Where the account's i-th entry is in a list; the list's length: there are not so many. */
static size_t find(const struct state *state, struct json_object *list, size_t i)
{
    size_t at = 0;

    for (; at < json_object_array_length(list); at++) {
        if (is_ours(state, json_object_array_get_idx(list, at)) && i-- == 0) {
            break;
        }
    }
    return at;
}

static struct json_object *get_entry(const struct state *state, const char *name, size_t i)
{
    struct json_object *list = tree_at(state->tree, name);

    return json_object_array_get_idx(list, find(state, list, i));
}

static void remove_entry(struct state *state, const char *name, size_t i)
{
    struct json_object *list = tree_at(state->tree, name);
    size_t at = find(state, list, i);
    struct json_object *entry = json_object_get(json_object_array_get_idx(list, at));

    if (entry) {
        json_object_array_del_idx(list, at, 1);
        tree_wipe(entry);
    }
}

/* Adds an entry of the account, with the time of now. Takes own, its own members. */
static void add_entry(struct state *state, const char *name, struct json_object *own)
{
    char now[CLOCK_TEXT_SIZE];

    clock_format(clock_unix_ms(), now);
    json_object_object_foreach(state->account, member, value)
    {
        json_object_object_add(own, member, json_object_get(value));
    }
    json_object_object_add(own, "since", tree_string(now));
    json_object_array_add(tree_at(state->tree, name), own);
}

const char *state_token(const struct state *state)
{
    return tree_text(get_entry(state, LOGINS, 0), "/token");
}

void state_set_token(struct state *state, const char *token)
{
    remove_entry(state, LOGINS, 0);
    add_entry(state, LOGINS, TREE({"token", tree_string(token)}));
}

static struct subscription describe(struct json_object *entry)
{
    return (struct subscription){tree_text(entry, "/event"), tree_text(entry, "/url"),
                                 tree_text(entry, "/code"), tree_text(entry, "/since")};
}

bool state_subscription(const struct state *state, size_t i, struct subscription *out)
{
    struct json_object *entry = get_entry(state, SUBSCRIPTIONS, i);

    *out = describe(entry);
    return entry != NULL;
}

struct subscription state_add_subscription(struct state *state, const char *event,
                                           const char *url, const char *code)
{
    struct json_object *entry = TREE({"event", tree_string(event)}, {"url", tree_string(url)},
                                     {"code", tree_string(code)});

    add_entry(state, SUBSCRIPTIONS, entry);
    return describe(entry);
}

void state_remove_subscription(struct state *state, size_t i)
{
    remove_entry(state, SUBSCRIPTIONS, i);
}

/* ---- reading ---- */

/* Every entry has these members; the names end with NULL. */
static bool is_complete(struct json_object *list, const char *const *names)
{
    bool complete = json_object_is_type(list, json_type_array);

    for (size_t i = 0; complete && i < json_object_array_length(list); i++) {
        for (const char *const *name = names; *name; name++) {
            complete &= tree_text(json_object_array_get_idx(list, i), *name) != NULL;
        }
    }
    return complete;
}

static enum status check_tree(struct json_object *tree, struct err *err)
{
    static const char *const subscription[] = {"/event",  "/url", "/code",         "/since",
                                               "/source", "/api", "/project_code", NULL};
    static const char *const login[] = {"/token", "/since",        "/source",
                                        "/api",   "/project_code", NULL};
    struct json_object *version = tree_at(tree, "/version");

    if (json_object_is_type(version, json_type_int) && json_object_get_int64(version) != 1) {
        return err_set(err, ST_INVALID, "of version %s; this program knows 1 only",
                       json_object_get_string(version));
    }
    if (!json_object_is_type(version, json_type_int) ||
        !is_complete(tree_at(tree, LOGINS), login) ||
        !is_complete(tree_at(tree, SUBSCRIPTIONS), subscription)) {
        return err_set(err, ST_INVALID,
                       "damaged: not JSON, or a part of it is missing; nothing is changed");
    }
    return ST_OK;
}

static enum status read_file(struct state *state, struct err *err)
{
    struct buf text = {0};
    enum status st;

    buf_reserve(&text, USUAL_BYTES);
    st = file_read_regular(state->path, MAX_BYTES, &text, err);
    if (st == ST_NOT_FOUND) {
        buf_add_str(&text, "{\"version\":1,\"logins\":[],\"subscriptions\":[]}");
        st = ST_OK;
    }
    if (st == ST_OK) {
        state->tree = tree_parse(buf_slice(&text), NULL);
        st = check_tree(state->tree, err);
        st = st == ST_OK ? ST_OK : err_wrap(err, "%s", state->path);
    }
    buf_wipe(&text);
    return st;
}

enum status state_open(const char *path, struct json_object *account, bool for_change,
                       struct state **out_state, struct err *err)
{
    struct state *state = xalloc(sizeof(*state));
    enum status st = ST_OK;

    state->path = path;
    state->account = account;
    state->lock_fd = -1;
    if (for_change) {
        st = file_lock_parent(path, &state->lock_fd, err);
        if (st == ST_BUSY) {
            err_set(err, st,
                    "another hook2mqtt command is changing %s; try again when it is done",
                    path);
        }
    }
    st = st == ST_OK ? read_file(state, err) : st;
    if (st != ST_OK) {
        state_close(state);
        return st;
    }
    *out_state = state;
    return ST_OK;
}

void state_close(struct state *state)
{
    if (state) {
        tree_wipe(state->tree);
        json_object_put(state->account);
        file_draft_close(state->draft);
        if (state->lock_fd >= 0) {
            (void)close(state->lock_fd); /* nothing was written to it */
        }
        free(state);
    }
}

/* ---- writing ---- */

/* Borrowed until the tree changes. */
static struct slice print(const struct state *state)
{
    return slice_of(json_object_to_json_string_ext(
        state->tree,
        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
}

enum status state_make_room(struct state *state, struct err *err)
{
    CHECK(state->lock_fd >= 0);
    return state->draft ? ST_OK
                        : file_draft_open(state->path, print(state).len + MAX_GROWTH,
                                          &state->draft, err);
}

enum status state_save(struct state *state, struct err *err)
{
    bool synced = true;
    enum status st = state_make_room(state, err);

    if (st != ST_OK) {
        return st;
    }
    st = file_draft_put(state->draft, print(state), &synced, err);
    file_draft_close(state->draft);
    state->draft = NULL;
    if (st == ST_OK && !synced) {
        cli_fail("%s is written, but a power cut may undo that: %s", state->path, err->text);
    }
    return st;
}
