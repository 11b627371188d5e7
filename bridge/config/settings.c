/*
 * The table's rows, found by path; what each type is called; and what can be done with stored
 * values knowing nothing but the rows: compare and free them. Nothing fails.
 */
#include "bridge/config/settings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/units.h"

#include "bridge/config/internal.h"
#include "bridge/config/rows.h"

/* Text may contain ${NAME}, so a pattern lets everything with one pass; what it becomes is
 * checked when it is read. */
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
    [SETTING_OBJECT] = {"an object in { }", "object", NULL, STORE_NONE},
    [SETTING_SOURCES] = {"a list of sources such as [{\"name\": …}]", "list of objects", NULL,
                         STORE_SOURCES},
    [SETTING_SAMPLES] = {"a list of samples such as [{\"event\": …, \"body\": {}}]",
                         "list of objects", NULL, STORE_SAMPLES},
    [SETTING_IGNORED] = {"text in quotes", "text", "\"type\": \"string\"", STORE_NONE},
    [SETTING_BOOL] = {"true or false", "true, false", "\"type\": \"boolean\"", STORE_NONE},
    [SETTING_INT] = {"a whole number", "number", "\"type\": \"integer\"", STORE_NONE},
    [SETTING_SIZE] = {"a size such as \"64MiB\"", "size",
                      PATTERN("[0-9]+(?:B|kB|MB|GB|KiB|MiB|GiB)?"), STORE_NONE},
    [SETTING_TIME] = {"a time such as \"10m\"", "time", PATTERN("[0-9]+(?:ms|s|m|h|d)"),
                      STORE_NONE},
    [SETTING_SECONDS] = {"a time such as \"30s\"", "time", PATTERN("[0-9]+(?:ms|s|m|h|d)"),
                         STORE_NONE},
    [SETTING_CHOICE] = {"one of a few words", "word", NULL, STORE_NONE},
    [SETTING_NAME] = {"a name such as \"partners\"", "name",
                      PATTERN("[A-Za-z0-9][A-Za-z0-9._-]{0,63}"), STORE_TEXT},
    [SETTING_TEXT] = {"text in quotes", "text", TEXT_SCHEMA, STORE_TEXT},
    [SETTING_FILE] = {"a file's path in quotes", "file", TEXT_SCHEMA, STORE_TEXT},
    [SETTING_LEVEL] = {"text in quotes", "text", PATTERN("[^$+#/][^+#/]*"), STORE_TEXT},
    [SETTING_TOPIC] = {"a topic such as \"hook2mqtt\"", "topic", PATTERN("[^$+#][^+#]*"),
                       STORE_TEXT},
    [SETTING_TEMPLATE] = {"a topic such as \"partners/{event}/{gid}\"", "topic template",
                          PATTERN("[^$+#][^+#]*"), STORE_TEXT},
    [SETTING_HTTP_PATH] = {"a path such as \"/webhooks/partners\"", "path",
                           PATTERN("(?:/" SEGMENT ")+"), STORE_TEXT},
    [SETTING_URL] = {"a URL such as \"https://bridge.example/webhooks\"", "URL",
                     PATTERN("https?://[^/@?#]+(?:/[^?#]*)?"), STORE_TEXT},
    [SETTING_HEADER] = {"a header's name such as \"X-Signature\"", "header",
                        PATTERN("[A-Za-z0-9!#$%&'*+.^_`|~-]+"), STORE_TEXT},
    [SETTING_FIELD] = {"a template such as \"{body.type}\"", "field template", TEXT_SCHEMA,
                       STORE_TEXT},
    [SETTING_GID_FORM] = {"a form such as \"id-####\"", "form of a gid", TEXT_SCHEMA,
                          STORE_TEXT},
    [SETTING_TEXTS] = {"text in quotes", "text, or list of texts",
                       "\"type\": [\"string\", \"array\"], \"minLength\": 1, \"minItems\": 1, "
                       "\"items\": {" TEXT_SCHEMA "}",
                       STORE_TEXTS},
    [SETTING_PROVIDER] = {"the name of a provider", "provider", NULL, STORE_NONE},
    [SETTING_BODY] = {"an object in { }", "object", "\"type\": \"object\"", STORE_TEXT},
    [SETTING_EVENTS] = {"an object such as {\"new-customer\": \"NewCustomer\"}",
                        "object of path: event", OBJECT_OF("/?" SEGMENT "(?:/" SEGMENT ")*"),
                        STORE_TEXTS},
    [SETTING_HEADERS] = {"an object such as {\"X-Event\": \"@EVENT@\"}",
                         "object of name: value", OBJECT_OF("[A-Za-z0-9!#$%&'*+.^_`|~-]+"),
                         STORE_TEXT},
    [SETTING_ADDRESSES] =
        {"a list such as [\"127.0.0.1:8080\"]", "list of addresses",
         LIST_OF(PATTERN("unix:/.+|\\\\[[0-9A-Fa-f:.]+\\\\]:[0-9]+|[^:/\\\\[\\\\]]+:[0-9]+")),
         STORE_LIST},
    [SETTING_SERVERS] = {"a list such as [\"mqtt://127.0.0.1:1883\"]", "list of servers",
                         LIST_OF(
                             PATTERN("(?:mqtts?://[^/@?#]+/?|wss?://[^/@?#]+(?:/[^?#]*)?)")),
                         STORE_LIST},
    [SETTING_SECRET] = {"a secret such as {\"env\": \"NAME\"} or {\"file\": \"PATH\"}",
                        "secret", "\"$ref\": \"#/$defs/secret\"", STORE_SECRET},
    [SETTING_LIVE_SECRET] = {"a secret such as {\"env\": \"NAME\"} or {\"file\": \"PATH\"}",
                             "secret", "\"$ref\": \"#/$defs/secret\"", STORE_LIVE_SECRET},
    [SETTING_SECRETS] = {"a list such as [{\"env\": \"NAME\"}]", "list of secrets",
                         LIST_OF("\"$ref\": \"#/$defs/secret\""), STORE_SECRETS},
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
    if (setting->home == HOME_PROVIDER) {
        base = ((struct config_source *)base)->provider;
    }
    return (char *)base + setting->offset;
}

static bool is_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What is in a file may change as it likes. */
static bool is_same_live_secret(const struct config_secret *a, const struct config_secret *b)
{
    return a->file && b->file ? strcmp(a->file, b->file) == 0
                              : !a->file && !b->file &&
                                    slice_equal(buf_slice(&a->value), buf_slice(&b->value));
}

bool setting_is_equal(const struct setting *setting, const void *a, const void *b)
{
    const struct config_list *list = a = (const char *)a + setting->offset;
    const struct config_list *other = b = (const char *)b + setting->offset;
    bool equal = true;

    CHECK(setting->home == HOME_CONFIG);
    switch (words[setting->type].store) {
    case STORE_NONE:
        return setting->size == 0 || memcmp(a, b, setting->size) == 0;
    case STORE_TEXT:
        return is_same_text(*(char *const *)a, *(char *const *)b);
    case STORE_LIST:
        for (size_t i = 0; i < list->count && i < other->count; i++) {
            equal = equal && is_same_text(list->items[i], other->items[i]);
        }
        return equal && list->count == other->count;
    case STORE_SECRET:
        return slice_equal(buf_slice(a), buf_slice(b));
    case STORE_LIVE_SECRET:
        return is_same_live_secret(a, b);
    case STORE_TEXTS:
    case STORE_SAMPLES:
    case STORE_SECRETS:
    case STORE_SOURCES:
        break;
    }
    CHECK(!"is in sources only");
    return false;
}

/* Also of url_events: a list of pairs of texts. */
static void free_texts(char **texts)
{
    for (char **text = texts; text && *text; text++) {
        free(*text);
    }
    free(texts);
}

static void free_list(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
}

static void free_samples(struct provider_sample *samples)
{
    for (struct provider_sample *sample = samples; sample && sample->resource_type; sample++) {
        settings_free(HOME_SAMPLE, "", sample);
    }
    free(samples);
}

static void free_live_secret(struct config_secret *secret)
{
    buf_wipe(&secret->value);
    free(secret->file);
}

static void free_secrets(struct config_source *source)
{
    for (size_t i = 0; i < source->secret_count; i++) {
        buf_wipe(&source->secrets[i].value);
        buf_wipe(&source->secrets[i].latest);
        free(source->secrets[i].file);
    }
    free(source->secrets);
}

static void free_sources(struct config *config)
{
    for (size_t i = 0; i < config->source_count; i++) {
        struct config_source *source = &config->sources[i];

        if (source->preset && source->provider->samples == source->preset->samples) {
            source->provider->samples = NULL;
        }
        config_preset_destroy(source->provider);
        free(source->is_set);
        settings_free(HOME_SOURCE, "", source);
    }
    for (size_t i = 0; config->presets && i < provider_preset_count; i++) {
        config_preset_destroy(config->presets[i].provider);
    }
    free(config->presets);
    free(config->sources);
}

static void free_value(const struct setting *setting, void *base)
{
    void *place = (char *)base + setting->offset;

    switch (words[setting->type].store) {
    case STORE_NONE:
        return;
    case STORE_TEXT:
        return free(*(char **)place);
    case STORE_TEXTS:
        return free_texts(*(char ***)place);
    case STORE_LIST:
        return free_list(place);
    case STORE_SAMPLES:
        return free_samples(*(struct provider_sample **)place);
    case STORE_SECRET:
        return buf_wipe(place);
    case STORE_LIVE_SECRET:
        return free_live_secret(place);
    case STORE_SECRETS:
        return free_secrets(base);
    case STORE_SOURCES:
        return free_sources(base);
    }
}

void settings_free(enum setting_home home, const char *prefix, void *base)
{
    const struct setting *setting;

    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (setting->home == home && setting->size > 0 &&
            strncmp(setting->path, prefix, strlen(prefix)) == 0) {
            free_value(setting, base);
            memset((char *)base + setting->offset, 0, setting->size);
        }
    }
}

void config_preset_destroy(struct provider *preset)
{
    if (preset) {
        settings_free(HOME_PROVIDER, "", preset);
        free(preset);
    }
}
