#include "bridge/config/settings.h"

#include <inttypes.h>
#include <string.h>

#include "common/units.h"

#include "bridge/config/config.h"
#include "bridge/config/override.h"
#include "bridge/config/rows.h"

/* Text may hold ${NAME}, so a pattern lets everything with one pass; what it becomes is checked
 * when it is read. */
#define VARIABLE    "\\\\$\\\\{[A-Za-z_][A-Za-z0-9_]*\\\\}"
#define TEXT_SCHEMA "\"type\": \"string\", \"minLength\": 1"
#define PATTERN(p)  "\"type\": \"string\", \"pattern\": \"^(?:" p "|.*" VARIABLE ".*)$\""
#define SEGMENT     "[A-Za-z0-9._~!$&'()*+,;=:@-]+"
/* With such keys, and text as values. */
#define OBJECT_OF(keys)                                                                        \
    "\"type\": \"object\", \"propertyNames\": {\"pattern\": \"^" keys                          \
    "$\"}, \"additionalProperties\": {" TEXT_SCHEMA "}"
#define LIST_OF(item) "\"type\": \"array\", \"items\": {" item "}"

static const struct setting_words words[SETTING_TYPE_COUNT] = {
    [SETTING_OBJECT] = {"an object in { }", "object", NULL},
    [SETTING_SOURCES] = {"a list of sources such as [{\"name\": …}]", "list of objects", NULL},
    [SETTING_SAMPLES] = {"a list of samples such as [{\"event\": …, \"body\": {}}]",
                         "list of objects", NULL},
    [SETTING_IGNORED] = {"text in quotes", "text", "\"type\": \"string\""},
    [SETTING_BOOL] = {"true or false", "true, false", "\"type\": \"boolean\""},
    [SETTING_FLAG] = {"true or false", "true, false", "\"type\": \"boolean\""},
    [SETTING_INT] = {"a whole number", "number", "\"type\": \"integer\""},
    [SETTING_SIZE] = {"a size such as \"64MiB\"", "size",
                      PATTERN("[0-9]+(?:B|kB|MB|GB|KiB|MiB|GiB)?")},
    [SETTING_TIME] = {"a time such as \"10m\"", "time", PATTERN("[0-9]+(?:ms|s|m|h|d)")},
    [SETTING_SECONDS] = {"a time such as \"30s\"", "time", PATTERN("[0-9]+(?:ms|s|m|h|d)")},
    [SETTING_SWITCH] = {"one of a few words", "word", NULL},
    [SETTING_CHOICE] = {"one of a few words", "word", NULL},
    [SETTING_NAME] = {"a name such as \"partners\"", "name",
                      PATTERN("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")},
    [SETTING_TEXT] = {"text in quotes", "text", TEXT_SCHEMA},
    [SETTING_FILE] = {"a file's path in quotes", "file", TEXT_SCHEMA},
    [SETTING_LEVEL] = {"text in quotes", "text", PATTERN("[^$+#/][^+#/]*")},
    [SETTING_TOPIC] = {"a topic such as \"hook2mqtt\"", "topic", PATTERN("[^$+#][^+#]*")},
    [SETTING_TEMPLATE] = {"a topic such as \"partners/{event}/{gid}\"", "topic template",
                          PATTERN("[^$+#][^+#]*")},
    [SETTING_HTTP_PATH] = {"a path such as \"/webhooks/partners\"", "path",
                           PATTERN("(?:/" SEGMENT ")+")},
    [SETTING_URL] = {"a URL such as \"https://bridge.example/webhooks\"", "URL",
                     PATTERN("https?://[^/@?#]+(?:/[^?#]*)?")},
    [SETTING_HEADER] = {"a header's name such as \"X-Signature\"", "header",
                        PATTERN("[A-Za-z0-9!#$%&'*+.^_`|~-]+")},
    [SETTING_FIELD] = {"a template such as \"{body.type}\"", "field template", TEXT_SCHEMA},
    [SETTING_GID_FORM] = {"a form such as \"id-####\"", "form of a gid", TEXT_SCHEMA},
    [SETTING_BODY] = {"an object in { }", "object", "\"type\": \"object\""},
    [SETTING_EVENTS] = {"an object such as {\"new-customer\": \"NewCustomer\"}",
                        "object of path: event", OBJECT_OF("/?" SEGMENT "(?:/" SEGMENT ")*")},
    [SETTING_HEADERS] = {"an object such as {\"X-Event\": \"@EVENT@\"}",
                         "object of name: value", OBJECT_OF("[A-Za-z0-9!#$%&'*+.^_`|~-]+")},
    [SETTING_PROVIDER] = {"the name of a provider", "provider", NULL},
    [SETTING_ADDRESSES] =
        {"a list such as [\"127.0.0.1:8080\"]", "list of addresses",
         LIST_OF(PATTERN("unix:/.+|\\\\[[0-9A-Fa-f:.]+\\\\]:[0-9]+|[^:/\\\\[\\\\]]+:[0-9]+"))},
    [SETTING_SERVERS] = {"a list such as [\"mqtt://127.0.0.1:1883\"]", "list of servers",
                         LIST_OF(
                             PATTERN("(?:mqtts?://[^/@?#]+/?|wss?://[^/@?#]+(?:/[^?#]*)?)"))},
    [SETTING_SECRET] = {"a secret such as {\"env\": \"NAME\"} or {\"file\": \"PATH\"}",
                        "secret", "\"$ref\": \"#/$defs/secret\""},
    [SETTING_SECRETS] = {"a list such as [{\"env\": \"NAME\"}]", "list of secrets",
                         LIST_OF("\"$ref\": \"#/$defs/secret\"")},
};

const struct setting *setting_at(size_t i)
{
    if (i < settings_of_bridge_count) {
        return &settings_of_bridge[i];
    }
    i -= settings_of_bridge_count;
    return i < settings_of_source_count ? &settings_of_source[i] : NULL;
}

/* Where the path's last part begins. */
static size_t key_offset(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot ? (size_t)(dot - path) + 1 : 0;
}

const char *setting_key(const struct setting *setting)
{
    return setting->path + key_offset(setting->path);
}

bool setting_is_below(const struct setting *setting, const char *parent)
{
    size_t offset = key_offset(setting->path);
    size_t parent_len = strlen(parent);

    if (offset == 0) {
        return parent_len == 0;
    }
    return parent_len == offset - 1 && memcmp(setting->path, parent, parent_len) == 0;
}

const struct setting *setting_find(const char *parent, struct slice key)
{
    const struct setting *setting;

    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (setting_is_below(setting, parent) &&
            slice_equal(slice_of(setting_key(setting)), key)) {
            return setting;
        }
    }
    return NULL;
}

const struct setting_words *setting_words(enum setting_type type)
{
    return &words[type];
}

void setting_add_range(struct buf *out, const struct setting *setting)
{
    char low[32], high[32];

    switch (setting->type) {
    case SETTING_INT:
        buf_addf(out, "%" PRId64 " to %" PRId64, setting->min, setting->max);
        return;
    case SETTING_SIZE:
        units_format_size(setting->min, low);
        units_format_size(setting->max, high);
        buf_addf(out, "%s to %s", low, high);
        return;
    case SETTING_TIME:
    case SETTING_SECONDS:
        units_format_time(setting->min, low);
        units_format_time(setting->max, high);
        buf_addf(out, "%s to %s", low, high);
        return;
    case SETTING_SOURCES:
    case SETTING_SAMPLES:
    case SETTING_ADDRESSES:
    case SETTING_SERVERS:
    case SETTING_SECRETS:
    case SETTING_EVENTS:
    case SETTING_HEADERS:
        buf_addf(out, "%" PRId64 " to %" PRId64 " items", setting->min, setting->max);
        return;
    default: /* its range is its grammar */
        return;
    }
}

void *setting_place(const struct setting *setting, void *base)
{
    if (setting->in_description) {
        base = ((struct config_source *)base)->description;
    }
    return (char *)base + setting->offset;
}
