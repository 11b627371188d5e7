#include "bridge/cli/provider/ricloud.h"

#include <string.h>

#include "bridge/cli/provider/json.h"

static void add_members(struct buf *out, struct slice shown)
{
    static const char *const names[] = {"id", "url", "state", "organisation", "date_created"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        buf_add_str(out, i ? "," : "");
        cli_json_add_member(out, names[i], shown, names[i]);
    }
}

/* `3  valid  2018-10-01T17:04:34Z  https://…` */
static void print_line(struct slice shown)
{
    struct buf line = {0};

    cli_json_add_text(&line, shown, "id", "-");
    buf_add_str(&line, "  ");
    cli_json_add_text(&line, shown, "state", "-");
    buf_add_str(&line, "  ");
    cli_json_add_text(&line, shown, "date_created", "-");
    buf_add_str(&line, "  ");
    cli_json_add_text(&line, shown, "url", "-");
    registration_print(&line);
    buf_free(&line);
}

void ricloud_print(const struct registration *reg, struct slice shown)
{
    struct buf line = {0};

    if (!reg->json) {
        print_line(shown);
        return;
    }
    buf_add_char(&line, '{');
    add_members(&line, shown);
    buf_add_char(&line, '}');
    registration_print(&line);
    buf_free(&line);
}

static void print_report_json(const struct ricloud_config *config,
                              const struct ricloud_test *test, const char *secret_file)
{
    struct buf line = {0};

    buf_add_char(&line, '{');
    add_members(&line, buf_slice(&config->shown));
    buf_add_char(&line, ',');
    cli_json_add_string(&line, "test_error", test->error);
    buf_add_char(&line, ',');
    cli_json_add_string(&line, "secret_file", secret_file);
    buf_add_char(&line, '}');
    registration_print(&line);
    buf_free(&line);
}

static void print_hints(const struct registration *reg, const struct ricloud_config *config,
                        const char *secret_file)
{
    struct buf url = {0};

    cli_json_add_text(&url, buf_slice(&config->shown), "url", "its URL");
    (void)fprintf(stderr, "  does the bridge run? `hook2mqtt health` asks it\n");
    (void)fprintf(stderr, "  does %s lead to %s of the bridge, from outside too?\n", url.data,
                  reg->source->path);
    if (secret_file) {
        (void)fprintf(
            stderr,
            "  does the running bridge have %s among the secrets of source %s, and may "
            "its user read it?\n",
            secret_file, reg->source->name);
    } else {
        (void)fprintf(stderr, "  is the secret that source %s has the one of this config?\n",
                      reg->source->name);
    }
    buf_free(&url);
}

static void say_why(const struct registration *reg, const struct ricloud_config *config,
                    const struct ricloud_test *test, const char *secret_file)
{
    bool is_new = strcmp(config->state, "new") == 0;
    struct buf state = {0}, error = {0};

    cli_json_add_text(&state, buf_slice(&config->shown), "state", "-");
    if (is_new || test->is_open) {
        cli_fail(
            "webhook config %s is %s%s: the API has not finished its test within --timeout",
            config->shown_id, is_new ? "" : "still ", state.data);
    } else {
        cli_add_safe(&error, slice_of(test->error));
        cli_fail("webhook config %s is %s%s%s", config->shown_id, state.data,
                 error.len ? ": " : "", buf_slice(&error).data);
    }
    if (strcmp(config->state, "invalid") == 0) {
        print_hints(reg, config, secret_file);
    }
    if (strcmp(config->state, "deactivated") != 0) {
        (void)fprintf(stderr, "  `hook2mqtt provider ricloud test %s --wait` tests it again\n",
                      config->shown_id);
    }
    buf_free(&state);
    buf_free(&error);
}

int ricloud_report(const struct registration *reg, const struct ricloud_config *config,
                   const struct ricloud_test *test, const char *secret_file)
{
    if (reg->json) {
        print_report_json(config, test, secret_file);
    } else {
        print_line(buf_slice(&config->shown));
        if (secret_file) {
            printf("its secret is in %s\n", secret_file);
        }
    }
    if (strcmp(config->state, "valid") == 0 && !test->is_open) {
        return EXIT_DONE;
    }
    say_why(reg, config, test, secret_file);
    return EXIT_FAILED;
}
