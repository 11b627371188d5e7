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
#include <string.h>

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
    struct state_account account;
    int lock_fd;              /* -1: not locked */
    struct file_draft *draft; /* room for the next save; NULL: not taken yet */
    struct json_object *tree;
};

/* ---- entries ---- */

static bool is_equal(struct json_object *entry, const char *member, const char *text)
{
    return strcmp(tree_text(entry, member), text) == 0;
}

/* The account's i-th entry in a list, which is at *out_index there; NULL: there are not so many. */
static struct json_object *find(const struct state *state, const char *list, size_t i,
                                size_t *out_index)
{
    struct json_object *entries = tree_at(state->tree, list);

    for (size_t at = 0; at < json_object_array_length(entries); at++) {
        struct json_object *entry = json_object_array_get_idx(entries, at);

        if (is_equal(entry, "/source", state->account.source) &&
            is_equal(entry, "/api", state->account.api) &&
            is_equal(entry, "/project_code", state->account.project_code) && i-- == 0) {
            *out_index = at;
            return entry;
        }
    }
    return NULL;
}

static void remove_entry(struct state *state, const char *list, size_t i)
{
    size_t index = 0;
    struct json_object *entry = json_object_get(find(state, list, i, &index));

    if (entry) {
        json_object_array_del_idx(tree_at(state->tree, list), index, 1);
        tree_wipe(entry);
    }
}

/* Adds an entry of the account, with the time of now. own: its own members. */
static void add_entry(struct state *state, const char *list, struct json_object *own)
{
    struct json_object *entry = json_object_new_object();
    char now[CLOCK_TEXT_SIZE];

    clock_format(clock_unix_ms(), now);
    json_object_object_add(entry, "source", json_object_new_string(state->account.source));
    json_object_object_add(entry, "api", json_object_new_string(state->account.api));
    json_object_object_add(entry, "project_code",
                           json_object_new_string(state->account.project_code));
    json_object_object_foreach(own, name, value)
    {
        json_object_object_add(entry, name, json_object_get(value));
    }
    json_object_object_add(entry, "since", json_object_new_string(now));
    json_object_array_add(tree_at(state->tree, list), entry);
    json_object_put(own);
}

const char *state_token(const struct state *state)
{
    size_t index;

    return tree_text(find(state, LOGINS, 0, &index), "/token");
}

void state_set_token(struct state *state, const char *token)
{
    remove_entry(state, LOGINS, 0);
    add_entry(state, LOGINS, TREE({"token", json_object_new_string(token)}));
}

bool state_subscription(const struct state *state, size_t i, struct subscription *out)
{
    size_t index;
    struct json_object *entry = find(state, SUBSCRIPTIONS, i, &index);

    *out = (struct subscription){tree_text(entry, "/event"), tree_text(entry, "/url"),
                                 tree_text(entry, "/code"), tree_text(entry, "/since")};
    return entry != NULL;
}

void state_add_subscription(struct state *state, const char *event, const char *url,
                            const char *code)
{
    add_entry(state, SUBSCRIPTIONS,
              TREE({"event", json_object_new_string(event)},
                   {"url", json_object_new_string(url)},
                   {"code", json_object_new_string(code)}));
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
    static const char *const login[] = {"/source", "/api",   "/project_code",
                                        "/token",  "/since", NULL};
    static const char *const subscription[] = {"/source", "/api",  "/project_code", "/event",
                                               "/url",    "/code", "/since",        NULL};
    struct json_object *version = tree_at(tree, "/version");

    if (!json_object_is_type(tree, json_type_object)) {
        return err_set(err, ST_INVALID, "damaged: not a JSON object; nothing is changed");
    }
    if (!json_object_is_type(version, json_type_int)) {
        return err_set(err, ST_INVALID, "damaged: it has no version; nothing is changed");
    }
    if (json_object_get_int64(version) != 1) {
        return err_set(err, ST_INVALID, "of version %s; this program knows 1 only",
                       json_object_get_string(version));
    }
    if (!is_complete(tree_at(tree, LOGINS), login) ||
        !is_complete(tree_at(tree, SUBSCRIPTIONS), subscription)) {
        return err_set(err, ST_INVALID,
                       "damaged: a list or a part of an entry is missing; nothing is changed");
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

enum status state_open(const char *path, const struct state_account *account, bool for_change,
                       struct state **out_state, struct err *err)
{
    struct state *state = xalloc(sizeof(*state));
    enum status st = ST_OK;

    *state = (struct state){.path = path, .account = *account, .lock_fd = -1};
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
    if (!state) {
        return;
    }
    tree_wipe(state->tree);
    file_draft_close(state->draft);
    if (state->lock_fd >= 0) {
        (void)close(state->lock_fd); /* nothing was written to it */
    }
    free(state);
}

/* ---- writing ---- */

/* One entry a line, for people who read it. */
static void add_list(struct buf *out, const struct state *state, const char *list)
{
    struct json_object *entries = tree_at(state->tree, list);

    buf_addf(out, ",\n  \"%s\": [", list + 1);
    for (size_t i = 0; i < json_object_array_length(entries); i++) {
        buf_addf(out, "%s\n    %s", i ? "," : "",
                 tree_print(json_object_array_get_idx(entries, i)));
    }
    buf_add_str(out, "\n  ]");
}

static void add_all(struct buf *out, const struct state *state)
{
    buf_reserve(out, USUAL_BYTES);
    buf_add_str(out, "{\n  \"version\": 1");
    add_list(out, state, LOGINS);
    add_list(out, state, SUBSCRIPTIONS);
    buf_add_str(out, "\n}\n");
}

enum status state_make_room(struct state *state, struct err *err)
{
    struct buf text = {0};
    enum status st = ST_OK;

    CHECK(state->lock_fd >= 0);
    if (!state->draft) {
        add_all(&text, state);
        st = file_draft_open(state->path, text.len + MAX_GROWTH, &state->draft, err);
        buf_wipe(&text);
    }
    return st;
}

enum status state_save(struct state *state, struct err *err)
{
    struct buf text = {0};
    bool synced = true;
    enum status st = state_make_room(state, err);

    if (st != ST_OK) {
        return st;
    }
    add_all(&text, state);
    st = file_draft_put(state->draft, buf_slice(&text), &synced, err);
    file_draft_close(state->draft);
    state->draft = NULL;
    buf_wipe(&text);
    if (st == ST_OK && !synced) {
        cli_fail("%s is written, but a power cut may undo that: %s", state->path, err->text);
    }
    return st;
}
