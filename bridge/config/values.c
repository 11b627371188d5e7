/*
 * One value of the file: is it of its setting's type and within its range? Then it is stored
 * where its row says; else a fault is added and nothing is stored.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/nearest.h"
#include "common/units.h"

#include "bridge/config/internal.h"

/* `"5" or "3.1.1"` */
static void add_choices(struct buf *out, const struct setting_choice *choice)
{
    for (const char * or = ""; choice->word; choice++, or = " or ") {
        buf_addf(out, "%s\"%s\"", or, choice->word);
    }
}

static void add_providers(struct buf *out)
{
    for (const struct provider_preset *preset = provider_presets; preset->name; preset++) {
        buf_addf(out, "%s\"%s\"", preset == provider_presets ? "" : " or ", preset->name);
    }
}

void config_add_wanted(struct buf *out, const struct setting *setting)
{
    if (setting->choices) {
        add_choices(out, setting->choices);
    } else if (setting->type == SETTING_PROVIDER) {
        add_providers(out);
    } else {
        buf_add_str(out, setting_words(setting->type)->what);
    }
}

static void wrong_type(struct reader *reader, const struct setting *setting,
                       struct json_object *value)
{
    struct buf wanted = {0};

    config_add_wanted(&wanted, setting);
    config_wrong_type(reader, wanted.data, value);
    buf_free(&wanted);
}

/* As wide as the member is. */
static void store_number(const struct setting *setting, int64_t value, void *base)
{
    void *place = setting_place(setting, base);

    if (setting->size == sizeof(int64_t)) {
        memcpy(place, &value, sizeof(value));
    } else if (setting->size == sizeof(int32_t)) {
        memcpy(place, &(int32_t){(int32_t)value}, sizeof(int32_t));
    } else {
        *(char *)place = (char)value;
    }
}

static void store_in_range(struct reader *reader, const struct setting *setting, int64_t value,
                           void *base)
{
    if (value < setting->min || value > setting->max) {
        config_out_of_range(reader, setting);
    } else {
        store_number(setting, value, base);
    }
}

/* Reports that the text is not one of the possible words, and suggests the nearest one. */
static void unknown_word(struct reader *reader, const struct setting *setting,
                         struct nearest *near)
{
    struct buf text = {0};
    char question[NEAREST_TEXT_SIZE];

    config_add_quoted(&text, near->text);
    buf_addf(&text, " is not known%s", nearest_question(near, "\"", question));
    if (!near->word) {
        buf_add_str(&text, "; it must be ");
        config_add_wanted(&text, setting);
    }
    config_fault(reader->faults, reader_path(reader), "%s", text.data);
    buf_free(&text);
}

static void take_choice(struct reader *reader, const struct setting *setting, struct slice text,
                        void *base)
{
    struct nearest near = {.text = text};

    for (const struct setting_choice *choice = setting->choices; choice->word; choice++) {
        if (slice_equal(text, slice_of(choice->word))) {
            store_number(setting, choice->value, base);
            return;
        }
        nearest_offer(&near, choice->word);
    }
    unknown_word(reader, setting, &near);
}

static void take_provider(struct reader *reader, const struct setting *setting,
                          struct slice text, void *base)
{
    const struct provider_preset *found = provider_find(text);
    struct nearest near = {.text = text};

    if (found) {
        *(const char **)setting_place(setting, base) = found->name;
        return;
    }
    for (const struct provider_preset *preset = provider_presets; preset->name; preset++) {
        nearest_offer(&near, preset->name);
    }
    unknown_word(reader, setting, &near);
}

/* A quantity of the right form, but for its number, which is beyond all measure. */
static bool is_too_large(const struct setting *setting, struct slice text)
{
    size_t digits = strspn(text.data, "0123456789");
    struct slice one = slice_from(text, digits > 0 ? digits - 1 : 0);
    int64_t value;

    return digits > 1 && (setting->type == SETTING_SIZE ? units_parse_size(one, &value)
                                                        : units_parse_time(one, &value));
}

static void take_quantity(struct reader *reader, const struct setting *setting,
                          struct slice text, void *base)
{
    int64_t value;
    bool good = setting->type == SETTING_SIZE ? units_parse_size(text, &value)
                                              : units_parse_time(text, &value);
    struct buf quoted = {0};

    if (!good && is_too_large(setting, text)) {
        config_out_of_range(reader, setting);
    } else if (!good) {
        config_add_quoted(&quoted, text);
        config_fault(reader->faults, reader_path(reader), "must be %s, not %s",
                     setting_words(setting->type)->what, quoted.data);
        buf_free(&quoted);
    } else if (setting->type == SETTING_SECONDS && value % 1000 != 0) {
        config_fault(reader->faults, reader_path(reader), "must be whole seconds");
    } else {
        store_in_range(reader, setting, value, base);
    }
}

/* A URL is kept without a slash at its end, so that paths can be put behind it. */
static size_t kept_length(const struct setting *setting, struct slice text)
{
    size_t len = text.len;

    while (setting->type == SETTING_URL && text.data[len - 1] == '/') {
        len--;
    }
    return len;
}

static void take_text(struct reader *reader, const struct setting *setting, struct slice text,
                      void *base)
{
    struct err err = {0};

    if (config_check_text(setting->type, text, setting->max, &err) == ST_OK) {
        char *kept = xstrdup(text.data);

        kept[kept_length(setting, text)] = '\0';
        config_store_text(setting, kept, base);
    } else {
        config_fault(reader->faults, reader_path(reader), "%s", err.text);
    }
}

static void take_nothing(struct reader *reader, const struct setting *setting,
                         struct slice text, void *base)
{
    (void)reader;
    (void)setting;
    (void)text;
    (void)base;
}

typedef void take_fn(struct reader *reader, const struct setting *setting, struct slice text,
                     void *base);

static void read_string(struct reader *reader, const struct setting *setting,
                        struct json_object *value, take_fn *take, void *base)
{
    struct buf text = {0};

    if (!json_object_is_type(value, json_type_string)) {
        wrong_type(reader, setting, value);
    } else if (config_expand_text(reader, value, &text)) {
        take(reader, setting, buf_slice(&text), base);
    }
    buf_free(&text);
}

static void read_int(struct reader *reader, const struct setting *setting,
                     struct json_object *value, void *base)
{
    if (json_object_is_type(value, json_type_int)) {
        store_in_range(reader, setting, json_object_get_int64(value), base);
    } else if (json_object_is_type(value, json_type_double)) {
        config_fault(reader->faults, reader_path(reader),
                     "must be a whole number, without point or exponent");
    } else {
        wrong_type(reader, setting, value);
    }
}

static void read_bool(struct reader *reader, const struct setting *setting,
                      struct json_object *value, void *base)
{
    if (json_object_is_type(value, json_type_boolean)) {
        store_number(setting, json_object_get_boolean(value), base);
    } else {
        wrong_type(reader, setting, value);
    }
}

void config_read_value(struct reader *reader, const struct setting *setting,
                       struct json_object *value, void *base)
{
    switch (setting->type) {
    case SETTING_BOOL:
        return read_bool(reader, setting, value, base);
    case SETTING_INT:
        return read_int(reader, setting, value, base);
    case SETTING_SIZE:
    case SETTING_TIME:
    case SETTING_SECONDS:
        return read_string(reader, setting, value, take_quantity, base);
    case SETTING_CHOICE:
        return read_string(reader, setting, value, take_choice, base);
    case SETTING_PROVIDER:
        return read_string(reader, setting, value, take_provider, base);
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
        return read_string(reader, setting, value, take_text, base);
    case SETTING_IGNORED:
        return read_string(reader, setting, value, take_nothing, base);
    case SETTING_ADDRESSES:
    case SETTING_SERVERS:
        return config_read_list(reader, setting, value, base);
    case SETTING_SECRET:
        return config_read_secret(reader, value, setting->for_commands,
                                  setting_place(setting, base));
    case SETTING_LIVE_SECRET:
        return config_read_live_secret(reader, value, setting_place(setting, base));
    case SETTING_SECRETS:
        return config_read_secrets(reader, setting, value, base);
    case SETTING_TEXTS:
        return config_read_texts(reader, setting, value, base);
    case SETTING_EVENTS:
        return config_read_events(reader, setting, value, base);
    case SETTING_HEADERS:
        return config_read_headers(reader, setting, value, base);
    case SETTING_BODY:
        return config_read_body(reader, setting, value, base);
    case SETTING_OBJECT:
    case SETTING_SOURCES:
    case SETTING_SAMPLES:
    case SETTING_TYPE_COUNT:
        CHECK(false); /* read.c walks these itself */
    }
}
