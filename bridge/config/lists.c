/*
 * Values that are lists, or objects whose keys are free. As in values.c, what is wrong adds a
 * fault at its own place; the good items beside it are kept, so that all faults are found in
 * one run.
 */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "bridge/config/internal.h"

/* Takes text. */
void config_store_text(const struct setting *setting, char *text, void *base)
{
    if (setting->size > 0) {
        *(char **)setting_place(setting, base) = text;
    } else {
        free(text);
    }
}

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
static char *read_address(struct reader *reader, const struct setting *setting,
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

        list->items[i] = read_address(reader, setting, json_object_array_get_idx(value, i));
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

/* Gives the text of a list's item or an object's member; NULL: a fault was added. */
static char *read_plain_text(struct reader *reader, struct json_object *value, int64_t max)
{
    struct buf text = {0};
    struct err err = {0};

    if (!json_object_is_type(value, json_type_string)) {
        config_wrong_type(reader, "text in quotes", value);
    } else if (config_expand_text(reader, value, &text)) {
        if (config_check_text(SETTING_TEXT, buf_slice(&text), max, &err) == ST_OK) {
            return buf_take(&text);
        }
        config_fault(reader->faults, reader_path(reader), "%s", err.text);
    }
    buf_free(&text);
    return NULL;
}

void config_read_texts(struct reader *reader, const struct setting *setting,
                       struct json_object *value, void *base)
{
    bool is_list = json_object_is_type(value, json_type_array);
    size_t count = is_list ? json_object_array_length(value) : 1;
    char **texts = xalloc((count + 1) * sizeof(texts[0]));

    if (count == 0) {
        config_fault(reader->faults, reader_path(reader), "must not be empty");
    }
    *(char ***)setting_place(setting, base) = texts;
    for (size_t i = 0; i < count; i++) {
        size_t offset = is_list ? reader_enter_item(reader, i) : reader->path.len;

        *texts = read_plain_text(reader, is_list ? json_object_array_get_idx(value, i) : value,
                                 setting->max);
        texts += *texts != NULL;
        reader_leave(reader, offset);
    }
}

/* Calls add for each member of an object whose keys are free. */
static void read_pairs(struct reader *reader, const struct setting *setting,
                       struct json_object *value,
                       void (*add)(void *to, const char *key, char *text), void *to)
{
    int64_t count;

    if (!json_object_is_type(value, json_type_object)) {
        return config_wrong_type(reader, setting_words(setting->type)->what, value);
    }
    count = json_object_object_length(value);
    if (count < setting->min || count > setting->max) {
        return config_out_of_range(reader, setting);
    }
    json_object_object_foreach(value, key, item)
    {
        size_t offset = reader_enter_key(reader, slice_of(key));
        char *text = is_good_key(reader, setting, key)
                         ? read_plain_text(reader, item, MAX_PAIR_TEXT)
                         : NULL;

        if (text) {
            add(to, key, text);
        }
        reader_leave(reader, offset);
    }
}

static void add_event(void *to, const char *key, char *text)
{
    struct provider_url_event **next = to;

    *(*next)++ = (struct provider_url_event){xstrdup(key), text};
}

void config_read_events(struct reader *reader, const struct setting *setting,
                        struct json_object *value, void *base)
{
    struct provider_url_event *next = xalloc(((size_t)setting->max + 1) * sizeof(*next));

    *(struct provider_url_event **)setting_place(setting, base) = next;
    read_pairs(reader, setting, value, add_event, &next);
}

static void add_header(void *to, const char *key, char *text)
{
    struct buf *lines = to;

    buf_addf(lines, "%s%s: %s", lines->len > 0 ? "\n" : "", key, text);
    free(text);
}

void config_read_headers(struct reader *reader, const struct setting *setting,
                         struct json_object *value, void *base)
{
    struct buf lines = {0};

    read_pairs(reader, setting, value, add_header, &lines);
    config_store_text(setting, lines.len > 0 ? buf_take(&lines) : NULL, base);
}

void config_read_body(struct reader *reader, const struct setting *setting,
                      struct json_object *value, void *base)
{
    if (json_object_is_type(value, json_type_object)) {
        const char *text = json_object_to_json_string_ext(
            value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

        config_store_text(setting, xstrdup(text), base);
    } else {
        config_wrong_type(reader, setting_words(setting->type)->what, value);
    }
}
