/*
 * use: which config the events of a key go to. Two calls: only the API knows the id of the key
 * whose token it is.
 */
#include "bridge/cli_ricloud.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#include "bridge/cli_json.h"

/* `{"webhook_config": 3}`: a number where the id is spelled like one, as the API's own are. */
static void make_use(const char *id, struct buf *out)
{
    bool number = strspn(id, "0123456789") == strlen(id) && (id[0] != '0' || id[1] == '\0');

    buf_add_str(out, "{\"webhook_config\":");
    if (number) {
        buf_add_str(out, id);
    } else {
        json_add_string(out, slice_of(id));
    }
    buf_add_char(out, '}');
}

/* With --dry-run the key's id, which only the API knows, is {id}. */
static enum status ask_key(struct registration *reg, char **out_key, struct err *err)
{
    const struct cli_api_request request = {.method = "GET", .path = "/key"};
    struct cli_api_reply reply = {0};
    enum status st;

    if (reg->dry_run) {
        cli_api_print(reg->api, &request);
        *out_key = xstrdup("{id}");
        return ST_OK;
    }
    st = cli_api_call(reg->api, &request, &reply, err);
    if (st == ST_OK) {
        *out_key = cli_json_text(reply.json, "id");
        st = *out_key && cli_api_is_segment(*out_key)
                 ? ST_OK
                 : err_set(err, ST_INVALID, "the API's answer describes no key");
    }
    return st;
}

static enum status set_key(struct registration *reg, const char *key, const char *id,
                           struct err *err)
{
    struct buf path = {0}, json = {0};
    struct cli_api_request request = {.method = "POST"};
    struct cli_api_reply reply = {0};
    enum status st = ST_OK;

    buf_add_str(&path, "/keys/");
    if (reg->dry_run) {
        buf_add_str(&path, key);
    } else {
        cli_api_add_escaped(&path, key);
    }
    make_use(id, &json);
    request.path = path.data;
    request.json = buf_slice(&json);
    if (reg->dry_run) {
        cli_api_print(reg->api, &request);
    } else {
        st = cli_api_call(reg->api, &request, &reply, err);
    }
    buf_free(&path);
    buf_free(&json);
    return st;
}

static void print_use(const struct registration *reg, const char *key, const char *id)
{
    struct buf line = {0};

    if (reg->json) {
        buf_add_char(&line, '{');
        cli_json_add_string(&line, "key", key);
        buf_add_char(&line, ',');
        cli_json_add_string(&line, "webhook_config", id);
        buf_add_char(&line, '}');
    } else {
        buf_add_str(&line, "key ");
        cli_add_safe(&line, slice_of(key));
        buf_add_str(&line, " uses webhook config ");
        cli_add_safe(&line, slice_of(id));
    }
    registration_print(&line);
    buf_free(&line);
}

int ricloud_use_config(struct registration *reg, const char *id)
{
    char *key = NULL;
    struct err err = {0};
    enum status st = ask_key(reg, &key, &err);

    if (st == ST_OK) {
        st = set_key(reg, key, id, &err);
    }
    if (st == ST_OK && !reg->dry_run) {
        print_use(reg, key, id);
    }
    free(key);
    return st == ST_OK ? EXIT_DONE : cli_fail("%s", err.text);
}
