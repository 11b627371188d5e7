/*
 * health: asks the running bridge, for people and container health checks. No answer, or one that
 * is not 200, is a failure.
 */
#include "bridge/cli/cli.h"

#include "bridge/cli/http.h"

enum { TIMEOUT_MS = 5000 };

struct choice {
    bool ready;
};

static int ask(struct cli_http *http, const char *path)
{
    const struct cli_http_request request = {.path = path};
    struct cli_http_reply reply = {0};
    struct buf said = {0};
    struct err err = {0};
    int status = EXIT_DONE;

    if (cli_http_run(http, &request, &reply, &err) != ST_OK) {
        status = cli_fail("%s", err.text);
    } else if (reply.status != 200) {
        cli_http_add_field(&said, &reply, "message", "the answer does not say why");
        status = cli_fail("%s: %ld: %.*s", path, reply.status, SLICE_ARG(buf_slice(&said)));
    } else {
        puts("ok");
    }
    buf_free(&said);
    return status;
}

static const struct cli_option options[] = {
    {"--ready", CLI_FLAG, offsetof(struct choice, ready), NULL, NULL},
    {0},
};

static int health(struct cli *cli)
{
    struct choice choice = {0};
    const struct config_list *listen;
    const struct config_tls *tls;
    struct cli_http *http = NULL;
    struct err err = {0};
    int status;

    if (!cli_arguments(cli, &choice, 0, 0)) {
        return EXIT_USAGE;
    }
    if (!cli_read_config(cli)) {
        return EXIT_FAILED;
    }
    /* Both listeners answer; the admin one is never the busy one. */
    listen = cli->config->admin.listen.count ? &cli->config->admin.listen
                                             : &cli->config->ingress.listen;
    tls = cli->config->admin.listen.count ? &cli->config->admin.tls : &cli->config->ingress.tls;
    if (listen->count == 0) {
        return cli_fail("the configuration names no address to ask");
    }
    /* A renewed certificate that cannot be used must not make a running bridge look dead. */
    if (cli_http_open_listener(listen, tls, true, TIMEOUT_MS, &http, &err) != ST_OK) {
        return cli_fail("%s", err.text);
    }
    status = ask(http, choice.ready ? "/readyz" : "/healthz");
    cli_http_close(http);
    return status;
}

const struct cli_command health_command = {
    .name = "health",
    .usage = "health [--ready]",
    .summary = "Ask the running bridge how it is",
    .options = options,
    .notes =
        "Exits with 0 if the bridge is alive (with --ready: if it would accept a webhook),\n"
        "otherwise with 1.\n\n",
    .run = health,
};
