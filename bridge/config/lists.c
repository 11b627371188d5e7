/*
 * Values that are lists, or objects whose keys are free.
 */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "bridge/config/override.h"
#include "bridge/config/internal.h"

/* A list with as many items as the setting may have. False: a fault was added. */
static bool is_good_list(struct reader *reader, const struct setting *setting,
                         struct json_object *value)
{
    size_t count;

    if (!json_object_is_type(value, json_type_array)) {
        config_fault(reader->faults, reader_path(reader), "must be %s, not %s%s",
                     setting_words(setting->type)->what, config_type_words(value),
                     json_object_is_type(value, json_type_string) ? ": put [ ] around it" : "");
        return false;
    }
    count = json_object_array_length(value);
    if (count < (size_t)setting->min || count > (size_t)setting->max) {
        config_out_of_range(reader, setting);
        return false;
    }
    return true;
}

/* Gives the item's text; empty if it is wrong. */
static char *read_item(struct reader *reader, const struct setting *setting,
                       struct json_object *value)
{
    struct buf text = {0}, item = {0};
    struct err err = {0};
    enum status st = ST_OK;

    if (!json_object_is_type(value, json_type_string)) {
        config_wrong_type(reader, "text in quotes", value);
    } else if (!config_expand_text(reader, value, &text)) {
        /* The fault has been added. */
    } else if (setting->type == SETTING_SERVERS) {
        st = config_normalise_server(text.data, &item, &err);
    } else {
        st = config_check_address(text.data, &err);
        buf_add_slice(&item, buf_slice(&text));
    }
    if (st != ST_OK) {
        config_fault(reader->faults, reader_path(reader), "%s", err.text);
    }
    buf_free(&text);
    return buf_take(&item);
}

void config_read_list(struct reader *reader, const struct setting *setting,
                      struct json_object *value, void *base)
{
    struct config_list *list = setting_place(setting, base);
    size_t count;

    if (!is_good_list(reader, setting, value)) {
        return;
    }
    count = json_object_array_length(value);
    list->items = xalloc(count * sizeof(list->items[0]));
    list->count = count;
    for (size_t i = 0; i < count; i++) {
        size_t offset = reader_enter_item(reader, i);

        list->items[i] = read_item(reader, setting, json_object_array_get_idx(value, i));
        reader_leave(reader, offset);
    }
}

void config_read_secrets(struct reader *reader, const struct setting *setting,
                         struct json_object *value, void *base)
{
    struct config_source *source = base;

    if (!is_good_list(reader, setting, value)) {
        return;
    }
    source->secret_count = json_object_array_length(value);
    source->secrets = xalloc(source->secret_count * sizeof(source->secrets[0]));
    for (size_t i = 0; i < source->secret_count; i++) {
        size_t offset = reader_enter_item(reader, i);

        config_read_source_secret(reader, json_object_array_get_idx(value, i),
                                  &source->secrets[i]);
        reader_leave(reader, offset);
    }
}

enum { MAX_PAIR_TEXT = 1024 };

/* Of an object whose keys are paths or headers' names. */
static bool is_good_key(struct reader *reader, const struct setting *setting, const char *key)
{
    struct buf path = {0};
    struct err err = {0};
    enum status st;

    if (setting->type == SETTING_HEADERS) {
        st = config_check_text(SETTING_HEADER, slice_of(key), MAX_PAIR_TEXT, &err);
    } else {
        buf_addf(&path, "%s%s", key[0] == '/' ? "" : "/", key);
        st = config_check_http_path(path.data, &err);
    }
    if (st != ST_OK) {
        config_fault(reader->faults, reader_path(reader), "its key %s", err.text);
    }
    buf_free(&path);
    return st == ST_OK;
}

/* Gives the pair's value; NULL: a fault was added. */
static char *read_pair_value(struct reader *reader, struct json_object *value)
{
    struct buf text = {0};
    struct err err = {0};
    bool good = false;

    if (!json_object_is_type(value, json_type_string)) {
        config_wrong_type(reader, "text in quotes", value);
    } else if (!config_expand_text(reader, value, &text)) {
        /* The fault has been added. */
    } else if (config_check_text(SETTING_TEXT, buf_slice(&text), MAX_PAIR_TEXT, &err) !=
               ST_OK) {
        config_fault(reader->faults, reader_path(reader), "%s", err.text);
    } else {
        good = true;
    }
    if (!good) {
        buf_free(&text);
        return NULL;
    }
    return buf_take(&text);
}

void config_read_pairs(struct reader *reader, const struct setting *setting,
                       struct json_object *value, void *base)
{
    struct config_pairs *pairs = setting_place(setting, base);
    size_t count;

    if (!json_object_is_type(value, json_type_object)) {
        config_wrong_type(reader, setting_words(setting->type)->what, value);
        return;
    }
    count = (size_t)json_object_object_length(value);
    if (count < (size_t)setting->min || count > (size_t)setting->max) {
        config_out_of_range(reader, setting);
        return;
    }
    pairs->items = xalloc(count * sizeof(pairs->items[0]));
    json_object_object_foreach(value, key, item)
    {
        size_t offset = reader_enter_key(reader, slice_of(key));
        char *text = is_good_key(reader, setting, key) ? read_pair_value(reader, item) : NULL;

        if (text) {
            pairs->items[pairs->count++] = (struct config_pair){xstrdup(key), text};
        }
        reader_leave(reader, offset);
    }
}

void config_read_body(struct reader *reader, const struct setting *setting,
                      struct json_object *value, void *base)
{
    if (json_object_is_type(value, json_type_object)) {
        *(char **)setting_place(setting, base) = xstrdup(json_object_to_json_string_ext(
            value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    } else {
        config_wrong_type(reader, setting_words(setting->type)->what, value);
    }
}
