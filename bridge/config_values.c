/*
 * One value of the file: is it of its setting's type, within its range, and what is stored for
 * it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/nearest.h"
#include "common/units.h"

#include "bridge/config_internal.h"
#include "bridge/route.h"

static const char *type_words(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return "null";
    case json_type_boolean:
        return json_object_get_boolean(value) ? "true" : "false";
    case json_type_double:
    case json_type_int:
        return "a number";
    case json_type_object:
        return "an object";
    case json_type_array:
        return "a list";
    case json_type_string:
        return "text";
    }
    return "something else";
}

void config_wrong_type(struct reader *reader, const char *wanted, struct json_object *value)
{
    config_fault(reader->faults, reader_path(reader), "must be %s, not %s", wanted,
                 type_words(value));
}

/* `"5" or "3.1.1"` */
static void add_choices(struct buf *out, const struct setting_choice *choice)
{
    for (const char * or = ""; choice->word; choice++, or = " or ") {
        buf_addf(out, "%s\"%s\"", or, choice->word);
    }
}

static void add_providers(struct buf *out)
{
    const struct provider *provider;

    for (size_t i = 0; (provider = provider_at(i)); i++) {
        buf_addf(out, "%s\"%s\"", i == 0 ? "" : " or ", provider->name);
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

static void *place(const struct setting *setting, void *base)
{
    return (char *)base + setting->offset;
}

static void store_integer(const struct setting *setting, int64_t value, void *base)
{
    if (setting->type == SETTING_BOOL || setting->type == SETTING_SWITCH) {
        *(bool *)place(setting, base) = value != 0;
    } else {
        *(int64_t *)place(setting, base) = value;
    }
}

static void out_of_range(struct reader *reader, const struct setting *setting)
{
    struct buf range = {0};

    setting_add_range(&range, setting);
    config_fault(reader->faults, reader_path(reader), "must be %s", range.data);
    buf_free(&range);
}

static void store_in_range(struct reader *reader, const struct setting *setting, int64_t value,
                           void *base)
{
    if (value < setting->min || value > setting->max) {
        out_of_range(reader, setting);
    } else {
        store_integer(setting, value, base);
    }
}

/* Tells that the text is none of the words that would be right, and the nearest of them. */
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
            store_integer(setting, choice->value, base);
            return;
        }
        nearest_offer(&near, choice->word);
    }
    unknown_word(reader, setting, &near);
}

static void take_provider(struct reader *reader, const struct setting *setting,
                          struct slice text, void *base)
{
    const struct provider *found = provider_find(text);
    const struct provider *provider;
    struct nearest near = {.text = text};

    if (found) {
        *(const struct provider **)place(setting, base) = found;
        return;
    }
    for (size_t i = 0; (provider = provider_at(i)); i++) {
        nearest_offer(&near, provider->name);
    }
    unknown_word(reader, setting, &near);
}

static void take_quantity(struct reader *reader, const struct setting *setting,
                          struct slice text, void *base)
{
    int64_t value;
    bool good = setting->type == SETTING_SIZE ? units_parse_size(text, &value)
                                              : units_parse_time(text, &value);
    struct buf quoted = {0};

    if (!good) {
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

static enum status check_name(const char *text, struct err *err)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    if (text[strspn(text, allowed)] != '\0' || strchr("._-", text[0])) {
        return err_set(
            err, ST_INVALID,
            "must begin with a letter or digit and hold only letters, digits and . _ -");
    }
    return ST_OK;
}

static enum status check_topic(const char *text, struct err *err)
{
    if (strpbrk(text, "+#")) {
        return err_set(err, ST_INVALID, "must not hold the wildcards + and #");
    }
    if (text[0] == '$') {
        return err_set(err, ST_INVALID, "must not begin with $: such topics are the broker's");
    }
    return ST_OK;
}

static enum status check_level(const char *text, struct err *err)
{
    if (strpbrk(text, "+#/")) {
        return err_set(err, ST_INVALID,
                       "must not hold +, # or /: it is one level of the bridge's own topics");
    }
    return ST_OK;
}

static bool has_control_character(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F) {
            return true;
        }
    }
    return false;
}

static enum status check_template(const char *text, struct err *err)
{
    struct route *route = NULL;
    enum status st = route_create(text, &route, err);

    if (st == ST_OK) {
        route_destroy(route);
    }
    return st;
}

static enum status check_text(const struct setting *setting, struct slice text, struct err *err)
{
    if (text.len == 0) {
        return err_set(err, ST_INVALID, "must not be empty");
    }
    if (text.len > (size_t)setting->max) {
        return err_set(err, ST_INVALID, "must have at most %" PRId64 " bytes", setting->max);
    }
    if (has_control_character(text)) {
        return err_set(err, ST_INVALID, "must not hold control characters");
    }
    if (setting->type == SETTING_NAME) {
        return check_name(text.data, err);
    }
    if (setting->type == SETTING_LEVEL) {
        return check_level(text.data, err);
    }
    if (setting->type == SETTING_TOPIC) {
        return check_topic(text.data, err);
    }
    if (setting->type == SETTING_TEMPLATE) {
        return check_template(text.data, err);
    }
    if (setting->type == SETTING_HTTP_PATH) {
        return config_check_http_path(text.data, err);
    }
    return ST_OK; /* any text will do */
}

static void take_text(struct reader *reader, const struct setting *setting, struct slice text,
                      void *base)
{
    struct err err = {0};

    if (check_text(setting, text, &err) == ST_OK) {
        *(char **)place(setting, base) = xstrdup(text.data);
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

/* A list with as many items as the setting may have. False: a fault was added. */
static bool is_good_list(struct reader *reader, const struct setting *setting,
                         struct json_object *value)
{
    size_t count;

    if (!json_object_is_type(value, json_type_array)) {
        config_fault(reader->faults, reader_path(reader), "must be %s, not %s%s",
                     setting_words(setting->type)->what, type_words(value),
                     json_object_is_type(value, json_type_string) ? ": put [ ] around it" : "");
        return false;
    }
    count = json_object_array_length(value);
    if (count < (size_t)setting->min || count > (size_t)setting->max) {
        out_of_range(reader, setting);
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

static void read_list(struct reader *reader, const struct setting *setting,
                      struct json_object *value, void *base)
{
    struct config_list *list = place(setting, base);
    size_t count;

    if (!is_good_list(reader, setting, value)) {
        return;
    }
    count = json_object_array_length(value);
    list->items = xalloc(count * sizeof(list->items[0]));
    list->count = count;
    for (size_t i = 0; i < count; i++) {
        size_t mark = reader_enter_item(reader, i);

        list->items[i] = read_item(reader, setting, json_object_array_get_idx(value, i));
        reader_leave(reader, mark);
    }
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
        store_integer(setting, json_object_get_boolean(value), base);
    } else {
        wrong_type(reader, setting, value);
    }
}

static void read_secrets(struct reader *reader, const struct setting *setting,
                         struct json_object *value, void *base)
{
    if (is_good_list(reader, setting, value)) {
        config_read_secrets(reader, value, base);
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
    case SETTING_SWITCH:
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
        return read_string(reader, setting, value, take_text, base);
    case SETTING_IGNORED:
        return read_string(reader, setting, value, take_nothing, base);
    case SETTING_ADDRESSES:
    case SETTING_SERVERS:
        return read_list(reader, setting, value, base);
    case SETTING_SECRET:
        return config_read_secret(reader, value, place(setting, base));
    case SETTING_SECRETS:
        return read_secrets(reader, setting, value, base);
    case SETTING_OBJECT:
    case SETTING_SOURCES:
    case SETTING_TYPE_COUNT:
        CHECK(false); /* config_read.c walks these itself */
    }
}
