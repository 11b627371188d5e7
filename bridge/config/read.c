/*
 * Walks the tree with the table of settings: each key has a row or is a fault, each row without
 * a key gets its default. A source is merged with its preset first, so faults are found at the
 * source's own path; a preset has none, which the tests make sure of.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/nearest.h"

#include "bridge/config/internal.h"

static void read_object(struct reader *reader, const char *parent, struct json_object *object,
                        void *base);

/* The same key elsewhere in the table: people often indent wrongly. */
static const struct setting *find_elsewhere(struct slice key)
{
    const struct setting *setting;

    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (slice_equal(slice_of(setting_key(setting)), key)) {
            return setting;
        }
    }
    return NULL;
}

static void add_known_keys(struct buf *out, const char *parent)
{
    const struct setting *setting;
    const char *comma = "";

    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (setting_is_below(setting, parent) && setting->type != SETTING_IGNORED) {
            buf_addf(out, "%s%s", comma, setting_key(setting));
            comma = ", ";
        }
    }
}

static void unknown_key(struct reader *reader, const char *parent, struct slice key)
{
    struct nearest near = {.text = key};
    const struct setting *setting;
    struct buf known = {0};
    char question[NEAREST_TEXT_SIZE];

    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (setting_is_below(setting, parent)) {
            nearest_offer(&near, setting_key(setting));
        }
    }
    setting = find_elsewhere(key);
    if (near.word) {
        config_fault(reader->faults, reader_path(reader), "unknown key%s",
                     nearest_question(&near, "", question));
    } else if (setting) {
        config_fault(reader->faults, reader_path(reader), "unknown key here, did you mean %s?",
                     setting->path);
    } else {
        add_known_keys(&known, parent);
        config_fault(reader->faults, reader_path(reader), "unknown key; known here: %s",
                     known.data);
    }
    buf_free(&known);
}

/* The length of a list of objects; 0: a fault was added. */
static size_t count_items(struct reader *reader, const struct setting *setting,
                          struct json_object *list)
{
    const char *what = setting->type == SETTING_SOURCES ? "source" : "sample";
    size_t count;

    if (!json_object_is_type(list, json_type_array)) {
        config_wrong_type(reader, setting_words(setting->type)->what, list);
        return 0;
    }
    count = json_object_array_length(list);
    if (count < (size_t)setting->min) {
        config_fault(reader->faults, reader_path(reader), "there must be at least one %s",
                     what);
        return 0;
    }
    if (count > (size_t)setting->max) {
        config_fault(reader->faults, reader_path(reader), "there are %zu %ss; at most %" PRId64,
                     count, what, setting->max);
        return 0;
    }
    return count;
}

static void read_item(struct reader *reader, const struct setting *setting,
                      struct json_object *item, void *base)
{
    char parent[64];

    (void)snprintf(parent, sizeof(parent), "%s[]", setting->path);
    if (json_object_is_type(item, json_type_object)) {
        read_object(reader, parent, item, base);
    } else {
        config_wrong_type(reader, setting_words(SETTING_OBJECT)->what, item);
    }
}

static void read_samples(struct reader *reader, const struct setting *setting,
                         struct json_object *list, struct config_source *source)
{
    size_t count = count_items(reader, setting, list);
    struct provider_sample *samples = xalloc((count + 1) * sizeof(samples[0]));

    source->provider->samples = samples;
    for (size_t i = 0; i < count; i++) {
        size_t offset = reader_enter_item(reader, i);

        read_item(reader, setting, json_object_array_get_idx(list, i), &samples[i]);
        config_complete_sample(&samples[i]);
        reader_leave(reader, offset);
    }
}

/* Presets */

static struct provider *create_provider(void)
{
    struct provider *provider = xalloc(sizeof(*provider));

    provider->signature.tolerance_ms = -1;
    provider->dedupe_window_ms = -1;
    return provider;
}

/* Without {timestamp} there is nothing to tolerate. A source may take all of the preset's
 * sample_defaults out. */
static void complete_provider(struct provider *provider)
{
    const char *message = provider->signature.message;

    provider->gid_form = provider->gid_form ? provider->gid_form : xstrdup("############");
    provider->time_zone = provider->time_zone ? provider->time_zone : xstrdup("Z");
    if (provider->signature.tolerance_ms < 0 && !(message && strstr(message, "{timestamp}"))) {
        provider->signature.tolerance_ms = 0;
    }
}

static struct provider *read_preset(const struct provider_preset *preset,
                                    struct json_object *tree, struct config_faults *faults)
{
    struct reader reader = {.faults = faults, .preset = true};
    struct config_source alone = {.provider = create_provider()};

    read_object(&reader, "sources[]", tree, &alone);
    complete_provider(alone.provider);
    alone.provider->name = preset->name;
    buf_free(&reader.path);
    return alone.provider;
}

/* The samples become whole, and the tree what there is to read. */
static struct provider *read_whole_preset(const struct provider_preset *preset,
                                          struct json_object *tree,
                                          struct config_faults *faults)
{
    struct json_object *nothing = json_object_new_object();
    struct provider *provider;

    config_merge(tree, nothing);
    provider = read_preset(preset, tree, faults);
    json_object_put(nothing);
    return provider;
}

struct provider *config_preset_create(const struct provider_preset *preset,
                                      struct config_faults *faults)
{
    struct json_object *tree = config_parse_preset(preset, faults);
    struct provider *provider = read_whole_preset(preset, tree, faults);

    json_object_put(tree);
    return provider;
}

/* The preset that the source names, read for the first source that does; NULL: none that is known. */
static struct config_preset *take_preset(struct config *config, struct json_object *source)
{
    const struct provider_preset *found = config_find_preset(source);
    struct config_preset *preset = found ? &config->presets[found - provider_presets] : NULL;
    struct config_faults faults = {0};

    if (preset && !preset->provider) {
        preset->embedded = found;
        preset->tree = config_parse_preset(found, &faults);
        preset->provider = read_whole_preset(found, preset->tree, &faults);
        json_object_object_del(preset->tree, "samples");
        CHECK(faults.count == 0);
    }
    return preset;
}

/* own_samples: else the source has the preset's samples as they are, and need not merge them. */
static void merge_preset(struct json_object *source, const struct config_preset *preset,
                         bool own_samples)
{
    struct config_faults faults = {0};
    struct json_object *tree = NULL;

    if (own_samples) {
        tree = config_parse_preset(preset->embedded, &faults);
    } else {
        CHECK(json_object_deep_copy(preset->tree, &tree, NULL) == 0);
    }
    config_merge(source, tree);
    json_object_put(tree);
}

/* Sources */

static void read_source(struct reader *reader, const struct setting *setting,
                        struct json_object *item, const struct config_preset *preset,
                        struct config_source *source)
{
    struct provider *provider = create_provider();
    bool own_samples;

    source->is_set = config_note_set(item);
    source->verify = true; /* also if its value cannot be understood */
    source->provider = provider;
    source->preset = preset ? preset->provider : NULL;
    own_samples = config_is_set(source, "samples") || config_is_set(source, "sample_defaults");
    if (preset) {
        merge_preset(item, preset, own_samples);
    }
    read_item(reader, setting, item, source);
    config_complete_events(reader, source);
    complete_provider(provider);
    if (preset && !own_samples) {
        provider->samples = preset->provider->samples; /* shared: there may be many sources */
    }
    if (!source->verify || provider->signature.scheme == SCHEME_NONE) {
        settings_free(HOME_PROVIDER, "sources[].signature", provider);
        provider->signature.scheme = SCHEME_NONE;
    }
    if (config_is_set(source, "api.url")) {
        source->api.url = provider->api_url;
    }
}

static void read_sources(struct reader *reader, const struct setting *setting,
                         struct json_object *list, struct config *config)
{
    size_t count = count_items(reader, setting, list);

    config->sources = xalloc(count * sizeof(config->sources[0]));
    config->source_count = count;
    config->presets = xalloc(provider_preset_count * sizeof(config->presets[0]));
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        size_t offset = reader_enter_item(reader, i);

        if (json_object_is_type(item, json_type_object)) {
            read_source(reader, setting, item, take_preset(config, item), &config->sources[i]);
        } else {
            read_item(reader, setting, item, NULL);
        }
        reader_leave(reader, offset);
    }
    for (size_t i = 0; i < provider_preset_count; i++) {
        json_object_put(config->presets[i].tree);
    }
}

/* The tree */

/* A preset by itself is a source without what is its own. */
static bool is_known(const struct reader *reader, const struct setting *setting)
{
    return setting && (!reader->preset || setting->home == HOME_SAMPLE ||
                       (setting->home == HOME_PROVIDER && setting->type != SETTING_PROVIDER));
}

static void read_setting(struct reader *reader, const struct setting *setting,
                         struct json_object *value, void *base)
{
    if (setting->type == SETTING_SOURCES) {
        read_sources(reader, setting, value, base);
    } else if (setting->type == SETTING_SAMPLES) {
        read_samples(reader, setting, value, base);
    } else if (setting->type != SETTING_OBJECT) {
        config_read_value(reader, setting, value, base);
    } else if (json_object_is_type(value, json_type_object)) {
        read_object(reader, setting->path, value, base);
    } else {
        config_wrong_type(reader, setting_words(setting->type)->what, value);
    }
}

/* given: the object that it belongs to is there. */
static void read_default(struct reader *reader, const struct setting *setting, bool given,
                         void *base)
{
    struct json_object *value;
    struct buf wanted = {0};

    if (setting->type == SETTING_OBJECT) {
        read_object(reader, setting->path, NULL, base);
    } else if (setting->required && given) {
        config_add_wanted(&wanted, setting);
        config_fault(reader->faults, reader_path(reader), "is missing; it must be %s",
                     wanted.data);
        buf_free(&wanted);
    } else if (setting->default_json) {
        value = json_tokener_parse(setting->default_json);
        CHECK(value);
        config_read_value(reader, setting, value, base);
        json_object_put(value);
    }
}

/* object: NULL if not given. parent: a path of the table; reader->path is one of the file. */
static void read_object(struct reader *reader, const char *parent, struct json_object *object,
                        void *base)
{
    const struct setting *setting;

    if (object) {
        json_object_object_foreach(object, name, value)
        {
            struct slice key = slice_of(name);
            size_t offset = reader_enter_key(reader, key);

            setting = setting_find(parent, key);
            if (is_known(reader, setting)) {
                read_setting(reader, setting, value, base);
            } else {
                unknown_key(reader, parent, key);
            }
            reader_leave(reader, offset);
        }
    }
    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (setting_is_below(setting, parent) && is_known(reader, setting) &&
            !json_object_object_get_ex(object, setting_key(setting), NULL)) {
            size_t offset = reader_enter_key(reader, slice_of(setting_key(setting)));

            read_default(reader, setting, object != NULL, base);
            reader_leave(reader, offset);
        }
    }
}

void config_read(struct reader *reader, struct json_object *root, struct config *config)
{
    struct json_object *ingress = NULL;

    config->outbox.dedupe_window_ms = -1;
    read_object(reader, "", root, config);
    config->ingress.max_body_is_set = json_object_object_get_ex(root, "ingress", &ingress) &&
                                      json_object_object_get_ex(ingress, "max_body", NULL);
}
