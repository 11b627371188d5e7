/*
 * What read.c does for a source before and after its keys: find its preset, note which keys it
 * sets itself, and complete what follows from other values. What is wrong is found when the
 * keys are read, or added to the faults at its place.
 */
#include "bridge/config/internal.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

static void note_below(bool *is_set, const char *parent, struct json_object *object)
{
    const struct setting *setting;

    for (size_t i = 0; (setting = setting_at(i)); i++) {
        struct json_object *value = NULL;

        if (!setting_is_below(setting, parent) ||
            !json_object_object_get_ex(object, setting_key(setting), &value)) {
            continue;
        }
        if (setting->type != SETTING_OBJECT) {
            is_set[i] = true;
        } else if (json_object_is_type(value, json_type_object)) {
            note_below(is_set, setting->path, value);
        }
    }
}

bool *config_note_set(struct json_object *source)
{
    size_t rows = 0;
    bool *is_set;

    while (setting_at(rows)) {
        rows++;
    }
    is_set = xalloc(rows * sizeof(is_set[0]));
    note_below(is_set, "sources[]", source);
    return is_set;
}

bool config_is_set(const struct config_source *source, const char *key)
{
    size_t before = strlen("sources[]."), len = strlen(key);
    const struct setting *setting;

    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (source->is_set[i] && strncmp(setting->path + before, key, len) == 0 &&
            strchr(".", setting->path[before + len])) {
            return true;
        }
    }
    return false;
}

/* Keys are what follows the source's path, with or without the slash before it, or the whole
 * path, which may be the source's own. Leaves what follows. */
static void cut_event_path(char *suffix, const char *path)
{
    size_t len = path ? strlen(path) : 0, cut = suffix[0] == '/';

    if (path && strcmp(suffix, path) == 0) {
        cut = len;
    } else if (path && strncmp(suffix, path, len) == 0 && suffix[len] == '/') {
        cut = len + 1;
    }
    memmove(suffix, suffix + cut, strlen(suffix + cut) + 1);
}

void config_complete_events(struct reader *reader, struct config_source *source)
{
    const struct provider_url_event *events = source->provider->url_events;
    size_t events_offset = reader_enter_key(reader, SLICE("events"));

    for (const struct provider_url_event *event = events; event && event->suffix; event++) {
        size_t offset = reader_enter_key(reader, slice_of(event->suffix));
        const struct provider_url_event *other = events;
        char *suffix;

        memcpy(&suffix, &event->suffix, sizeof(suffix)); /* read.c has made it */
        cut_event_path(suffix, source->path);
        while (strcmp(other->suffix, event->suffix) != 0) {
            other++;
        }
        if (other < event) {
            config_fault(reader->faults, reader_path(reader),
                         "is the same path as an earlier one; each event needs its own");
        }
        reader_leave(reader, offset);
    }
    reader_leave(reader, events_offset);
}

/* What the source itself names, if that can be understood; whatever is wrong with it is found
 * when it is read. */
const struct provider_preset *config_find_preset(struct json_object *source)
{
    struct config_faults faults = {0};
    struct reader reader = {.faults = &faults};
    const struct provider_preset *preset = NULL;
    struct json_object *name = NULL;
    struct buf text = {0};

    if (json_object_object_get_ex(source, "provider", &name) &&
        json_object_is_type(name, json_type_string) &&
        config_expand_text(&reader, name, &text)) {
        preset = provider_find(buf_slice(&text));
    }
    buf_free(&text);
    config_faults_free(&faults);
    return preset;
}

struct json_object *config_parse_preset(const struct provider_preset *preset,
                                        struct config_faults *faults)
{
    struct json_object *tree = NULL;
    struct buf text = {0};

    buf_add_str(&text, preset->text);
    if (config_text_parse(&text, &tree, faults) != ST_OK) {
        tree = json_object_new_object();
    }
    buf_free(&text);
    return tree;
}

void config_complete_sample(struct provider_sample *sample)
{
    struct slice type;

    if (!sample->events) {
        sample->events = xalloc(sizeof(sample->events[0])); /* a fault was added */
    }
    if (!sample->resource_type) {
        type = provider_type_of(slice_of(sample->events[0]));
        sample->resource_type = strndup(type.data ? type.data : "", type.len);
        CHECK(sample->resource_type);
    }
}
