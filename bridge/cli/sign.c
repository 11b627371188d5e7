/*
 * sign: prints the headers that the provider would send for the body on standard input. For a
 * source that verifies nothing it prints only a remark, on stderr; that is not a failure.
 */
#include "bridge/cli/cli.h"

#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/uuid.h"

#include "bridge/verify/verify.h"

enum { MAX_BODY = 64 * 1024 * 1024 };

static int print_signature(const struct config_source *source, struct verifier *signer)
{
    struct buf body = {0}, headers = {0};
    char id[UUID_TEXT_SIZE];
    struct err err = {0};
    int status = EXIT_DONE;

    uuid_format(uuid_new(), id);
    if (file_read_fd(STDIN_FILENO, MAX_BODY, &body, &err) != ST_OK) {
        status = cli_fail("read the body: %s", err.text);
    } else if (verifier_sign(signer, buf_slice(&body), clock_unix_ms() / 1000, slice_of(id),
                             &headers) != ST_OK) {
        status = cli_fail("source %s: the body cannot be signed", source->name);
    } else if (headers.len == 0) {
        (void)fprintf(stderr, "hook2mqtt: source %s verifies nothing: no header is needed\n",
                      source->name);
    } else {
        printf("%.*s\n", SLICE_ARG(buf_slice(&headers)));
    }
    buf_free(&headers);
    buf_free(&body);
    return status;
}

static int sign(struct cli *cli)
{
    const struct config_source *source;
    struct verifier *signer = NULL;
    int status = EXIT_FAILED;

    if (!cli_arguments(cli, NULL, 1, 1)) {
        return EXIT_USAGE;
    }
    if (!cli_read_config(cli)) {
        return EXIT_FAILED;
    }
    source = cli_source(cli, cli->argv[1]);
    if (source && cli_signer(cli, source, &signer)) {
        status = print_signature(source, signer);
    }
    verifier_destroy(signer);
    return status;
}

const struct cli_command sign_command = {
    .name = "sign",
    .usage = "sign SOURCE < body",
    .summary = "Print the header or headers that the provider would send for a body",
    .notes =
        "Signs the bytes of standard input, up to 64 MiB, with the source's first secret. One "
        "header\n"
        "a line. If a time and an id are signed too, they are the current time and a new "
        "id.\n\n",
    .run = sign,
};
