/*
 * Which settings differ between two configurations, of those that a running bridge cannot
 * change.
 */
#include <string.h>

#include "bridge/config/internal.h"

static bool same_text(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static bool same_list(const struct config_list *a, const struct config_list *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        if (!same_text(a->items[i], b->items[i])) {
            return false;
        }
    }
    return a->count == b->count;
}

/* Of the types that stand outside of sources. */
static bool same_value(enum setting_type type, const void *a, const void *b)
{
    switch (type) {
    case SETTING_BOOL:
    case SETTING_SWITCH:
        return *(const bool *)a == *(const bool *)b;
    case SETTING_FLAG:
    case SETTING_INT:
    case SETTING_SIZE:
    case SETTING_TIME:
    case SETTING_SECONDS:
    case SETTING_CHOICE:
        return *(const int64_t *)a == *(const int64_t *)b;
    case SETTING_NAME:
    case SETTING_TEXT:
    case SETTING_FILE:
    case SETTING_LEVEL:
    case SETTING_TOPIC:
    case SETTING_TEMPLATE:
    case SETTING_HTTP_PATH:
    case SETTING_URL:
    case SETTING_HEADER:
    case SETTING_FIELD:
    case SETTING_GID_FORM:
    case SETTING_BODY:
        return same_text(*(char *const *)a, *(char *const *)b);
    case SETTING_PROVIDER:
        return *(const struct provider *const *)a == *(const struct provider *const *)b;
    case SETTING_ADDRESSES:
    case SETTING_SERVERS:
        return same_list(a, b);
    case SETTING_SECRET:
        return slice_equal(buf_slice(a), buf_slice(b));
    case SETTING_OBJECT:
    case SETTING_IGNORED:
        return true; /* stores nothing itself */
    case SETTING_SOURCES:
    case SETTING_SAMPLES:
    case SETTING_SECRETS:
    case SETTING_EVENTS:
    case SETTING_HEADERS:
    case SETTING_TYPE_COUNT:
        break;
    }
    CHECK(!"stands in sources only");
    return false;
}

bool config_admin_token_is_live(const struct config *before, const struct config *after)
{
    return same_list(&before->admin.listen, &after->admin.listen);
}

/* Can it change while the bridge runs? */
static bool is_live(const struct setting *setting, const struct config *before,
                    const struct config *after)
{
    return strncmp(setting->path, "sources", strlen("sources")) == 0 ||
           (strcmp(setting->path, "admin.token") == 0 &&
            config_admin_token_is_live(before, after));
}

void config_list_changes(const struct config *before, const struct config *after,
                         struct buf *out)
{
    const struct setting *setting;
    const char *comma = "";

    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (!is_live(setting, before, after) &&
            !same_value(setting->type, (const char *)before + setting->offset,
                        (const char *)after + setting->offset)) {
            buf_addf(out, "%s%s", comma, setting->path);
            comma = ", ";
        }
    }
}
