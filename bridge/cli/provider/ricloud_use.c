/*
 * use: which config the events of a key go to. Two calls: only the API knows the id of the key
 * whose token it is.
 */
#include "bridge/cli/provider/ricloud.h"

#include <stdlib.h>

#include "bridge/cli/provider/json.h"

struct use {
    struct registration *reg;
    const char *id;   /* of the config */
    char *key;        /* its id */
    struct buf shown; /* what the API said of the key: see struct cli_api_reply */
};

/* With --dry-run the key's id, which only the API knows, is {id}. */
static enum status ask_key(struct use *use, struct err *err)
{
    const struct cli_api_request request = {.method = "GET", .path = "/key"};
    struct cli_api_reply reply = {0};
    enum status st;

    if (use->reg->dry_run) {
        cli_api_print(use->reg->api, &request);
        use->key = xstrdup("{id}");
        return ST_OK;
    }
    st = cli_api_call(use->reg->api, &request, &reply, err);
    if (st == ST_OK) {
        use->key = cli_json_text(reply.json, "id");
        buf_add_slice(&use->shown, reply.shown);
        st = use->key && cli_api_is_segment(use->key)
                 ? ST_OK
                 : cli_api_reject(use->reg->api, ST_INVALID, "describes no key", err);
    }
    return st;
}

static enum status set_key(const struct use *use, struct cli_api_reply *out_reply,
                           struct err *err)
{
    const struct cli_api_reply none = {.json = SLICE("null")};
    struct buf path = {0}, json = {0};
    struct cli_api_request request = {.method = "POST"};
    enum status st = ST_OK;

    buf_add_str(&path, "/keys/");
    if (use->reg->dry_run) {
        buf_add_str(&path, use->key);
    } else {
        cli_api_add_escaped(&path, use->key);
    }
    buf_add_char(&json, '{');
    ricloud_add_id(&json, "webhook_config", use->id, &none, "webhook_config");
    buf_add_char(&json, '}');
    request.path = path.data;
    request.json = buf_slice(&json);
    if (use->reg->dry_run) {
        cli_api_print(use->reg->api, &request);
    } else {
        st = cli_api_call(use->reg->api, &request, out_reply, err);
    }
    buf_free(&path);
    buf_free(&json);
    return st;
}

static void print_use(const struct use *use, const struct cli_api_reply *reply)
{
    struct buf line = {0};

    if (use->reg->json) {
        buf_add_char(&line, '{');
        cli_json_add_member(&line, "key", buf_slice(&use->shown), "id");
        buf_add_char(&line, ',');
        ricloud_add_id(&line, "webhook_config", use->id, reply, "webhook_config");
        buf_add_char(&line, '}');
    } else {
        buf_add_str(&line, "key ");
        cli_json_add_text(&line, buf_slice(&use->shown), "id", "-");
        buf_add_str(&line, " uses webhook config ");
        cli_add_safe(&line, slice_of(use->id));
    }
    registration_print(&line);
    buf_free(&line);
}

int ricloud_use_config(struct registration *reg, const char *id)
{
    struct use use = {.reg = reg, .id = id};
    struct cli_api_reply reply = {0};
    struct err err = {0};
    enum status st = ask_key(&use, &err);

    if (st == ST_OK) {
        st = set_key(&use, &reply, &err);
    }
    if (st == ST_OK && !reg->dry_run) {
        print_use(&use, &reply);
    }
    free(use.key);
    buf_free(&use.shown);
    return st == ST_OK ? EXIT_DONE : cli_fail("%s", err.text);
}
