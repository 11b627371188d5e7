/*
 * A provider that the configuration describes: there is nothing here to be taken over unsaid, and
 * no topic either, as it depends on the fields which one can be trusted.
 */
#include "bridge/provider/provider.h"

const struct provider provider_custom = {
    .name = "custom",
    .title = "a provider of your own",
    .time_zone = "Z",
    .gid_form = "############",
    .open_catalogue = true,
};
