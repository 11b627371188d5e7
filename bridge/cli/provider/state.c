/*
 * In memory: rows with the columns of both lists; which one a row belongs to says whether it
 * has a token. Files are small: a row is found by looking at all of them.
 */
#include "bridge/cli/provider/state.h"

#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"

#include "bridge/cli/cli.h"
#include "bridge/cli/provider/json.h"

enum {
    VERSION = 1,
    MAX_BYTES = 4 * 1024 * 1024,
    MAX_GROWTH = 64 * 1024, /* by one login or subscription */
};

struct row {
    char *source, *api, *project_code; /* the account */
    char *token;                       /* a login's; NULL: it is a subscription */
    struct cli_subscription subscription;
};

struct cli_state {
    const char *path;
    struct cli_account account;
    int lock_fd;              /* -1: not locked */
    struct file_draft *draft; /* room for the next save; NULL: not taken yet */
    struct row *rows;
    size_t count;
};

/* ---- rows ---- */

static void free_row(struct row *row)
{
    if (row->token) {
        explicit_bzero(row->token, strlen(row->token));
    }
    free(row->source);
    free(row->api);
    free(row->project_code);
    free(row->token);
    free(row->subscription.event);
    free(row->subscription.url);
    free(row->subscription.code);
    free(row->subscription.since);
}

/* Takes what the row owns. */
static void add_row(struct cli_state *state, const struct row *row)
{
    state->rows = xrealloc(state->rows, (state->count + 1) * sizeof(state->rows[0]));
    state->rows[state->count++] = *row;
}

static void remove_row(struct cli_state *state, struct row *row)
{
    size_t i = (size_t)(row - state->rows);

    free_row(row);
    memmove(row, row + 1, (state->count - i - 1) * sizeof(*row));
    state->count--;
}

static bool is_ours(const struct cli_state *state, const struct row *row)
{
    return strcmp(row->source, state->account.source) == 0 &&
           strcmp(row->api, state->account.api) == 0 &&
           strcmp(row->project_code, state->account.project_code) == 0;
}

/* A row of the account, with the time of now. */
static struct row new_row(const struct cli_state *state)
{
    char now[CLOCK_TEXT_SIZE];

    clock_format(clock_unix_ms(), now);
    return (struct row){
        .source = xstrdup(state->account.source),
        .api = xstrdup(state->account.api),
        .project_code = xstrdup(state->account.project_code),
        .subscription = {.since = xstrdup(now)},
    };
}

static struct row *find_login(const struct cli_state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        if (state->rows[i].token && is_ours(state, &state->rows[i])) {
            return &state->rows[i];
        }
    }
    return NULL;
}

static struct row *find_subscription(const struct cli_state *state, size_t index)
{
    for (size_t i = 0; i < state->count; i++) {
        struct row *row = &state->rows[i];

        if (!row->token && is_ours(state, row) && index-- == 0) {
            return row;
        }
    }
    return NULL;
}

const char *cli_state_token(const struct cli_state *state)
{
    const struct row *row = find_login(state);

    return row ? row->token : NULL;
}

void cli_state_set_token(struct cli_state *state, const char *token)
{
    struct row *old = find_login(state);
    struct row row = new_row(state);

    row.token = xstrdup(token);
    if (old) {
        remove_row(state, old);
    }
    add_row(state, &row);
}

const struct cli_subscription *cli_state_subscription(const struct cli_state *state, size_t i)
{
    const struct row *row = find_subscription(state, i);

    return row ? &row->subscription : NULL;
}

void cli_state_add_subscription(struct cli_state *state, const char *event, const char *url,
                                const char *code)
{
    struct row row = new_row(state);

    row.subscription.event = xstrdup(event);
    row.subscription.url = xstrdup(url);
    row.subscription.code = xstrdup(code);
    add_row(state, &row);
}

void cli_state_remove_subscription(struct cli_state *state, size_t i)
{
    struct row *row = find_subscription(state, i);

    CHECK(row);
    remove_row(state, row);
}

/* ---- reading ---- */

static bool read_row(struct cli_state *state, struct slice json, bool login)
{
    struct row row = {
        .source = cli_json_text(json, "source"),
        .api = cli_json_text(json, "api"),
        .project_code = cli_json_text(json, "project_code"),
        .token = login ? cli_json_text(json, "token") : NULL,
        .subscription = {.since = cli_json_text(json, "since")},
    };
    struct cli_subscription *subscription = &row.subscription;
    bool complete = row.source && row.api && row.project_code && subscription->since;

    if (!login) {
        subscription->event = cli_json_text(json, "event");
        subscription->url = cli_json_text(json, "url");
        subscription->code = cli_json_text(json, "code");
    }
    complete =
        complete && (login ? row.token != NULL
                           : subscription->event && subscription->url && subscription->code);
    if (complete) {
        add_row(state, &row);
    } else {
        free_row(&row);
    }
    return complete;
}

static bool read_list(struct cli_state *state, struct slice json, const char *name, bool login)
{
    struct json_value list = json_find(json, slice_of(name));
    struct slice item;

    if (list.kind != JSON_ARRAY) {
        return false;
    }
    while (cli_json_next(&list.raw, &item)) {
        if (!read_row(state, item, login)) {
            return false;
        }
    }
    return true;
}

static enum status read_text(struct cli_state *state, struct slice text, struct err *err)
{
    struct json_value version;

    if (json_check(text, NULL) != ST_OK || json_kind_of(text) != JSON_OBJECT) {
        return err_set(err, ST_INVALID, "damaged: not a JSON object; nothing is changed");
    }
    version = json_find(text, SLICE("version"));
    if (version.kind != JSON_NUMBER) {
        return err_set(err, ST_INVALID, "damaged: it has no version; nothing is changed");
    }
    if (!slice_equal(version.raw, SLICE("1"))) {
        return err_set(err, ST_INVALID, "of version %.*s; this program knows %d only",
                       SLICE_ARG(version.raw), VERSION);
    }
    if (!read_list(state, text, "logins", true) ||
        !read_list(state, text, "subscriptions", false)) {
        return err_set(err, ST_INVALID,
                       "damaged: a list or a part of an entry is missing; "
                       "nothing is changed");
    }
    return ST_OK;
}

static enum status read_file(struct cli_state *state, struct err *err)
{
    struct buf text = {0};
    enum status st;

    buf_reserve(&text, 65536); /* so that few copies of tokens stay behind when it grows */
    st = file_read_regular(state->path, MAX_BYTES, &text, err);
    if (st == ST_NOT_FOUND) {
        st = ST_OK;
    } else if (st == ST_OK) {
        st = read_text(state, buf_slice(&text), err);
        st = st == ST_OK ? ST_OK : err_wrap(err, "%s", state->path);
    }
    buf_wipe(&text);
    return st;
}

enum status cli_state_open(const char *path, const struct cli_account *account, bool for_change,
                           struct cli_state **out_state, struct err *err)
{
    struct cli_state *state = xalloc(sizeof(*state));
    enum status st = ST_OK;

    state->path = path;
    state->account = *account;
    state->lock_fd = -1;
    if (for_change) {
        st = file_lock_parent(path, &state->lock_fd, err);
        if (st == ST_BUSY) {
            err_set(err, st,
                    "another hook2mqtt command is changing %s; try again when it is done",
                    path);
        }
    }
    if (st == ST_OK) {
        st = read_file(state, err);
    }
    if (st != ST_OK) {
        cli_state_close(state);
        return st;
    }
    *out_state = state;
    return ST_OK;
}

void cli_state_close(struct cli_state *state)
{
    if (!state) {
        return;
    }
    for (size_t i = 0; i < state->count; i++) {
        free_row(&state->rows[i]);
    }
    free(state->rows);
    file_draft_close(state->draft);
    if (state->lock_fd >= 0) {
        (void)close(state->lock_fd); /* nothing was written to it */
    }
    free(state);
}

/* ---- writing ---- */

static void add_member(struct buf *out, const char *name, const char *text)
{
    buf_add_str(out, ", ");
    cli_json_add_string(out, name, text);
}

static void add_row_text(struct buf *out, const struct row *row)
{
    buf_add_char(out, '{');
    cli_json_add_string(out, "source", row->source);
    add_member(out, "api", row->api);
    add_member(out, "project_code", row->project_code);
    if (row->token) {
        add_member(out, "token", row->token);
    } else {
        add_member(out, "event", row->subscription.event);
        add_member(out, "url", row->subscription.url);
        add_member(out, "code", row->subscription.code);
    }
    add_member(out, "since", row->subscription.since);
    buf_add_char(out, '}');
}

static void add_list(struct buf *out, const struct cli_state *state, const char *name,
                     bool logins)
{
    const char *separator = "";

    buf_addf(out, ",\n  \"%s\": [", name);
    for (size_t i = 0; i < state->count; i++) {
        if ((state->rows[i].token != NULL) == logins) {
            buf_addf(out, "%s\n    ", separator);
            add_row_text(out, &state->rows[i]);
            separator = ",";
        }
    }
    buf_add_str(out, "\n  ]");
}

static void add_all(struct buf *out, const struct cli_state *state)
{
    buf_reserve(out, 65536); /* as above */
    buf_addf(out, "{\n  \"version\": %d", VERSION);
    add_list(out, state, "logins", true);
    add_list(out, state, "subscriptions", false);
    buf_add_str(out, "\n}\n");
}

enum status cli_state_make_room(struct cli_state *state, struct err *err)
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

enum status cli_state_save(struct cli_state *state, struct err *err)
{
    struct buf text = {0};
    bool synced = true;
    enum status st = cli_state_make_room(state, err);

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
