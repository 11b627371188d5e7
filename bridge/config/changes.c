/*
 * Which settings differ between two configurations, of those that a running bridge cannot
 * change.
 */
#include <string.h>

#include "bridge/config/internal.h"

static const struct setting *find_row(const char *parent, const char *key)
{
    const struct setting *setting = setting_find(parent, slice_of(key));

    CHECK(setting);
    return setting;
}

bool config_admin_token_is_live(const struct config *before, const struct config *after)
{
    return setting_is_equal(find_row("admin", "listen"), before, after);
}

bool config_tls_is_live(const struct config_tls *before, const struct config_tls *after)
{
    return (before->cert_file != NULL) == (after->cert_file != NULL);
}

static bool is_below(const struct setting *setting, const char *path)
{
    return strncmp(setting->path, path, strlen(path)) == 0;
}

/* Can it change while the bridge runs? */
static bool is_live(const struct setting *setting, const struct config *before,
                    const struct config *after)
{
    return is_below(setting, "sources") ||
           (is_below(setting, "ingress.tls.") &&
            config_tls_is_live(&before->ingress.tls, &after->ingress.tls)) ||
           (is_below(setting, "admin.tls.") &&
            config_tls_is_live(&before->admin.tls, &after->admin.tls)) ||
           (strcmp(setting->path, "admin.token") == 0 &&
            config_admin_token_is_live(before, after));
}

void config_list_changes(const struct config *before, const struct config *after,
                         struct buf *out)
{
    const struct setting *setting;
    const char *comma = "";

    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (!is_live(setting, before, after) && !setting_is_equal(setting, before, after)) {
            buf_addf(out, "%s%s", comma, setting->path);
            comma = ", ";
        }
    }
}
