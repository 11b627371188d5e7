#include "bridge/cli_ricloud.h"

#include <string.h>

#include "bridge/cli_json.h"

static void add_members(struct buf *out, struct slice json)
{
    static const char *const names[] = {"id", "url", "state", "organisation", "date_created"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        buf_add_str(out, i ? "," : "");
        cli_json_add_member(out, names[i], json, names[i]);
    }
}

/* `3  valid  2018-10-01T17:04:34Z  https://…` */
static void print_line(struct slice json)
{
    struct buf line = {0};

    cli_json_add_text(&line, json, "id", "-");
    buf_add_str(&line, "  ");
    cli_json_add_text(&line, json, "state", "-");
    buf_add_str(&line, "  ");
    cli_json_add_text(&line, json, "date_created", "-");
    buf_add_str(&line, "  ");
    cli_json_add_text(&line, json, "url", "-");
    registration_print(&line);
    buf_free(&line);
}

void ricloud_print(const struct registration *reg, struct slice json)
{
    struct buf line = {0};

    if (!reg->json) {
        print_line(json);
        return;
    }
    buf_add_char(&line, '{');
    add_members(&line, json);
    buf_add_char(&line, '}');
    registration_print(&line);
    buf_free(&line);
}

static void print_report_json(const struct ricloud_config *config,
                              const struct ricloud_test *test, const char *secret_file)
{
    struct buf line = {0};

    buf_add_char(&line, '{');
    add_members(&line, buf_slice(&config->json));
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

    cli_json_add_text(&url, buf_slice(&config->json), "url", "its URL");
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
    (void)fprintf(stderr, "  then `hook2mqtt provider ricloud test %s --wait` tests it again\n",
                  config->shown_id);
    buf_free(&url);
}

static void say_why(const struct registration *reg, const struct ricloud_config *config,
                    const struct ricloud_test *test, const char *secret_file)
{
    struct buf why = {0};

    cli_add_safe(&why, slice_of(config->state));
    if (strcmp(config->state, "new") == 0) {
        buf_add_str(&why, ": the API has not finished its test within --timeout");
    } else if (test->error) {
        buf_add_str(&why, ": ");
        cli_add_safe(&why, slice_of(test->error));
    }
    cli_fail("webhook config %s is %s", config->shown_id, why.data);
    buf_free(&why);
    if (strcmp(config->state, "invalid") == 0) {
        print_hints(reg, config, secret_file);
    }
}

int ricloud_report(const struct registration *reg, const struct ricloud_config *config,
                   const struct ricloud_test *test, const char *secret_file)
{
    if (reg->json) {
        print_report_json(config, test, secret_file);
    } else {
        print_line(buf_slice(&config->json));
        if (secret_file) {
            printf("its secret is in %s\n", secret_file);
        }
    }
    if (strcmp(config->state, "valid") == 0) {
        return EXIT_DONE;
    }
    say_why(reg, config, test, secret_file);
    return EXIT_FAILED;
}
