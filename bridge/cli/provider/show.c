/*
 * `hook2mqtt provider show NAME`: prints a provider's preset, comments and all, so that it can
 * be copied into a source. A missing or unknown name is wrong usage, answered with the names
 * there are.
 */
#include "bridge/cli/provider/show.h"

#include "common/nearest.h"

#include "bridge/provider/provider.h"

int provider_show(struct cli *cli)
{
    const char *name = cli->argc > 1 ? cli->argv[1] : NULL;
    const struct provider_preset *found = provider_find(slice_of(name));
    struct nearest near = {.text = slice_of(name)};
    char question[NEAREST_TEXT_SIZE];
    struct buf names = {0};

    if (!cli_arguments(cli, NULL, 0, 1)) {
        return EXIT_USAGE;
    }
    if (found) {
        (void)fputs(found->text, stdout);
        return EXIT_DONE;
    }
    for (const struct provider_preset *preset = provider_presets; preset->name; preset++) {
        buf_addf(&names, "%s%s", names.len > 0 ? ", " : "", preset->name);
        nearest_offer(&near, preset->name);
    }
    if (name) {
        cli_misuse(cli, "provider show %s: no such preset%s (there are %s)", name,
                   nearest_question(&near, "", question), names.data);
    } else {
        cli_misuse(cli, "provider show: a preset is missing; one of %s", names.data);
    }
    buf_free(&names);
    return EXIT_USAGE;
}
