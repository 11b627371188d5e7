/*
 * The API tests a config by sending an event to its URL. That takes time, so whoever wants to
 * know the outcome asks for it again and again.
 */
#include "bridge/cli/provider/ricloud.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#include "bridge/cli/provider/json.h"

enum { FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 2000, TEST_AGAIN_AFTER_MS = 5000 };

#define AWAIT_HEADER "Ricloud-Await: 10" /* seconds; more is not allowed */

void ricloud_config_fini(struct ricloud_config *config)
{
    buf_free(&config->shown);
    free(config->id);
    free(config->shown_id);
    free(config->state);
    *config = (struct ricloud_config){0};
}

void ricloud_test_fini(struct ricloud_test *test)
{
    free(test->id);
    free(test->state);
    free(test->error);
    *test = (struct ricloud_test){0};
}

enum status ricloud_call(struct registration *reg, const struct ricloud_request *request,
                         struct cli_api_reply *out_reply, struct err *err)
{
    struct buf path = {0};
    struct cli_api_request call = {
        .method = request->method, .header = request->header, .json = request->json};
    enum status st = ST_OK;

    buf_add_str(&path, "/configs/webhook");
    if (request->id) {
        buf_add_char(&path, '/');
        cli_api_add_escaped(&path, request->id);
    }
    buf_add_str(&path, request->tail ? request->tail : "");
    call.path = path.data;
    if (reg->dry_run) {
        cli_api_print(reg->api, &call);
    } else {
        st = cli_api_call(reg->api, &call, out_reply, err);
    }
    buf_free(&path);
    return st;
}

void ricloud_add_id(struct buf *out, const char *name, const char *id,
                    const struct cli_api_reply *reply, const char *path)
{
    char *answered = cli_json_text(reply->json, path);
    bool number = strspn(id, "0123456789") == strlen(id) && (id[0] != '0' || id[1] == '\0');

    if (answered && strcmp(answered, id) == 0) {
        cli_json_add_member(out, name, reply->shown, path);
    } else if (number) {
        buf_addf(out, "\"%s\":%s", name, id);
    } else {
        cli_json_add_string(out, name, id);
    }
    free(answered);
}

enum status ricloud_read_config(const struct registration *reg,
                                const struct cli_api_reply *reply,
                                struct ricloud_config *config, struct err *err)
{
    struct ricloud_config read = {
        .id = cli_json_text(reply->json, "id"),
        .state = cli_json_text(reply->json, "state"),
    };
    struct ricloud_config before = *config;
    struct buf shown = {0};

    if (!read.id || !cli_api_is_segment(read.id) || !read.state) {
        ricloud_config_fini(&read);
        return cli_api_reject(reg->api, ST_INVALID, "describes no webhook config", err);
    }
    cli_json_add_text(&shown, reply->shown, "id", "-");
    read.shown_id = buf_take(&shown);
    buf_add_slice(&read.shown, reply->shown);
    *config = read;
    ricloud_config_fini(&before);
    return ST_OK;
}

enum status ricloud_fetch(struct registration *reg, struct ricloud_config *config,
                          struct err *err)
{
    const struct ricloud_request request = {.method = "GET", .id = config->id};
    struct cli_api_reply reply = {0};
    enum status st = ricloud_call(reg, &request, &reply, err);

    return st == ST_OK ? ricloud_read_config(reg, &reply, config, err) : st;
}

static bool is_in(const struct ricloud_config *config, const char *state)
{
    return strcmp(config->state, state) == 0;
}

/* Asks again while its state is `new`, for at most so long. */
static enum status wait_while_new(struct registration *reg, struct ricloud_config *config,
                                  int64_t max_ms, struct err *err)
{
    int64_t end_ms = clock_mono_ms() + max_ms;
    enum status st = ST_OK;

    for (int64_t pause = FIRST_PAUSE_MS;
         st == ST_OK && is_in(config, "new") && clock_mono_ms() < end_ms; pause *= 2) {
        pause = pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS;
        if (!cli_api_wait(reg->api, pause)) {
            break;
        }
        st = ricloud_fetch(reg, config, err);
    }
    return st;
}

/* What the config's state becomes by this task; NULL: it has not ended. */
static const char *expected_state(struct slice task)
{
    char *state = cli_json_text(task, "state");
    const char *expected = NULL;

    if (state && strcmp(state, "succeeded") == 0) {
        expected = "valid";
    } else if (state && strcmp(state, "failed") == 0) {
        expected = "invalid";
    }
    free(state);
    return expected;
}

enum status ricloud_start_test(struct registration *reg, const char *id, bool await,
                               struct ricloud_test *out_test, struct err *err)
{
    const struct ricloud_request request = {
        .method = "POST",
        .id = id,
        .tail = "/test",
        .header = await ? AWAIT_HEADER : NULL,
        .json = SLICE("null"), /* as the provider's own client */
    };
    struct cli_api_reply reply = {0};
    enum status st = ricloud_call(reg, &request, &reply, err);

    if (st == ST_OK && !reg->dry_run) {
        *out_test = (struct ricloud_test){
            .id = cli_json_text(reply.shown, "id"),
            .state = cli_json_text(reply.shown, "state"),
            .error = cli_json_text(reply.shown, "error"),
            .expected = expected_state(reply.json),
        };
    }
    return st;
}

enum status ricloud_wait_test(struct registration *reg, struct ricloud_test *test,
                              struct ricloud_config *config, struct err *err)
{
    const char *expected = test->expected;
    char *before = xstrdup(config->state);
    enum status st = ricloud_fetch(reg, config, err);

    /* If it is not known how the test ended, any change of the state tells. */
    for (int64_t pause = FIRST_PAUSE_MS; st == ST_OK; pause *= 2) {
        pause = pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS;
        if (expected ? is_in(config, expected)
                     : !is_in(config, before) && !is_in(config, "new")) {
            break;
        }
        if (!cli_api_wait(reg->api, pause)) {
            test->is_open = true;
            break;
        }
        st = ricloud_fetch(reg, config, err);
    }
    free(before);
    return st;
}

enum status ricloud_settle(struct registration *reg, struct ricloud_config *config,
                           struct ricloud_test *out_test, struct err *err)
{
    enum status st = wait_while_new(reg, config, TEST_AGAIN_AFTER_MS, err);
    bool is_new = is_in(config, "new");

    if (st != ST_OK || !(is_new || is_in(config, "invalid")) || !cli_api_wait(reg->api, 0)) {
        return st;
    }
    st = ricloud_start_test(reg, config->id, true, out_test, err);
    if (st == ST_REFUSED && is_new) { /* not while the first one runs, perhaps */
        cli_fail("%s; waiting for the test that has begun", err->text);
        return wait_while_new(reg, config, INT64_MAX / 2, err);
    }
    return st == ST_OK ? ricloud_wait_test(reg, out_test, config, err) : st;
}
