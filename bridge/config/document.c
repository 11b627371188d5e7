/*
 * The settings table as documentation: Markdown for people, JSON Schema for editors and
 * validators.
 */
#include <stdio.h>

#include <json-c/json.h>

#include "bridge/config/internal.h"

/* Markdown */

static void add_cell(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|' || *text == '<') {
            buf_add_char(out, '\\');
        }
        buf_add_char(out, *text);
    }
}

/* The words that a setting may be; NULL: it is not one of a few words. Gives an array for
 * json_object_put. */
static struct json_object *list_words(const struct setting *setting)
{
    struct json_object *words = NULL;

    if (setting->choices || setting->type == SETTING_PROVIDER) {
        words = json_object_new_array();
    }
    for (const struct setting_choice *c = setting->choices; c && c->word; c++) {
        json_object_array_add(words, json_object_new_string(c->word));
    }
    for (const struct provider_preset *p = provider_presets;
         setting->type == SETTING_PROVIDER && p->name; p++) {
        json_object_array_add(words, json_object_new_string(p->name));
    }
    return words;
}

static void add_value_words(struct buf *out, const struct setting *setting)
{
    struct json_object *words = list_words(setting);
    struct buf range = {0};

    if (!words) {
        add_cell(out, setting_words(setting->type)->name);
        setting_add_range(&range, setting);
        buf_addf(out, "%s%.*s", range.len > 0 ? ", " : "", SLICE_ARG(buf_slice(&range)));
        buf_free(&range);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(words); i++) {
        buf_addf(out, "%s`%s`", i > 0 ? ", " : "",
                 json_object_to_json_string(json_object_array_get_idx(words, i)));
    }
    json_object_put(words);
}

void config_write_table(struct buf *out)
{
    const struct setting *setting;

    buf_add_str(out, "| setting | value | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; (setting = setting_at(i)); i++) {
        buf_addf(out, "| `%s` | ", setting->path);
        add_value_words(out, setting);
        if (setting->default_json) {
            buf_addf(out, " | `%s` | ", setting->default_json);
        } else {
            buf_add_str(out, setting->required ? " | required | " : " | – | ");
        }
        add_cell(out, setting->help);
        buf_add_str(out, " |\n");
    }
}

/* JSON Schema, draft 2020-12 */

static struct json_object *parse(const char *json)
{
    struct json_object *tree = json_tokener_parse(json);

    CHECK(tree);
    return tree;
}

static void add(struct json_object *to, const char *key, struct json_object *value)
{
    json_object_object_add(to, key, value);
}

static void add_text(struct json_object *to, const char *key, const char *text)
{
    add(to, key, json_object_new_string(text));
}

static void add_limits(struct json_object *to, const struct setting *setting, const char *what)
{
    char key[32];

    (void)snprintf(key, sizeof(key), "min%s", what);
    add(to, key, json_object_new_int64(setting->min));
    (void)snprintf(key, sizeof(key), "max%s", what);
    add(to, key, json_object_new_int64(setting->max));
}

/* The range is a part of it, because a pattern cannot express it. */
static void add_description(struct json_object *to, const struct setting *setting)
{
    struct buf text = {0}, range = {0};

    buf_add_str(&text, setting->help);
    setting_add_range(&range, setting);
    if (range.len > 0) {
        buf_addf(&text, " (%s)", range.data);
    }
    add_text(to, "description", text.data);
    buf_free(&range);
    buf_free(&text);
}

static void add_value(struct json_object *to, const struct setting *setting)
{
    struct json_object *words = list_words(setting), *members;
    struct buf json = {0};

    if (words) {
        buf_addf(&json,
                 "{\"type\": \"string\", \"anyOf\": [{\"enum\": %s}, {\"pattern\": "
                 "\"\\\\$\\\\{\"}]}",
                 json_object_to_json_string(words)); /* or a variable */
    } else {
        buf_addf(&json, "{%s}", setting_words(setting->type)->schema);
    }
    members = parse(json.data);
    json_object_object_foreach(members, key, value)
    {
        add(to, key, json_object_get(value));
    }
    if (setting->type == SETTING_INT) {
        add_limits(to, setting, "imum");
    } else if (setting->type == SETTING_ADDRESSES || setting->type == SETTING_SERVERS ||
               setting->type == SETTING_SECRETS) {
        add_limits(to, setting, "Items");
    } else if (setting->type == SETTING_EVENTS || setting->type == SETTING_HEADERS) {
        add_limits(to, setting, "Properties");
    }
    json_object_put(members);
    json_object_put(words);
    buf_free(&json);
}

/* What one setting of a source makes of others. */

#define VERIFIES_NOTHING                                                                       \
    "{\"properties\": {\"verify\": {\"const\": \"none\"}}, \"required\": [\"verify\"]}"
#define SOURCE_RULES                                                                           \
    "[{\"if\": " VERIFIES_NOTHING ", \"else\": {\"required\": [\"secrets\"]}},"                \
    " {\"if\": {\"properties\": {\"signature\": {\"properties\": {\"scheme\": {\"const\": "    \
    "\"none\"}}, \"required\": [\"scheme\"]}}, \"required\": [\"signature\"]}, "               \
    "\"then\": " VERIFIES_NOTHING "},"                                                         \
    " {\"if\": {\"anyOf\": [{\"properties\": {\"sample_defaults\": {\"required\": "            \
    "[\"body\"]}}, "                                                                           \
    "\"required\": [\"sample_defaults\"]}, {\"properties\": {\"provider\": {\"not\": "         \
    "{\"const\": "                                                                             \
    "\"custom\"}}}}]}, \"else\": {\"properties\": {\"samples\": {\"items\": "                  \
    "{\"required\": [\"body\"]}}}}}]"

/* Presets that leave something to be set. */
static void add_provider_rule(struct json_object *rules, const struct provider *provider)
{
    bool has_fields = provider->fields.event && provider->fields.gid;
    struct buf json = {0};

    if (!has_fields || provider->signature.scheme == SCHEME_UNSET ||
        provider->signature.scheme == SCHEME_NONE) {
        buf_addf(&json,
                 "{\"if\": {\"properties\": {\"provider\": {\"const\": \"%s\"}}, \"required\": "
                 "[\"provider\"]}, \"then\": {%s\"anyOf\": [" VERIFIES_NOTHING
                 ", {\"required\": [\"signature\"]}]}}",
                 provider->name,
                 has_fields ? ""
                            : "\"required\": [\"fields\"], \"properties\": {\"fields\": "
                              "{\"required\": [\"event\", \"gid\"]}}, ");
        json_object_array_add(rules, parse(json.data));
    }
    buf_free(&json);
}

static struct json_object *source_rules(void)
{
    struct json_object *rules = parse(SOURCE_RULES);
    struct config_faults faults = {0};

    for (const struct provider_preset *preset = provider_presets; preset->name; preset++) {
        struct provider *provider = config_preset_create(preset, &faults);

        add_provider_rule(rules, provider);
        config_preset_destroy(provider);
    }
    config_faults_free(&faults);
    return rules;
}

static void add_object(struct json_object *to, const char *parent);

/* A list of objects, whose members are below "<path>[]". */
static void add_items(struct json_object *to, const struct setting *setting)
{
    struct json_object *items = json_object_new_object();
    char parent[64];

    (void)snprintf(parent, sizeof(parent), "%s[]", setting->path);
    add_text(to, "type", "array");
    add_limits(to, setting, "Items");
    add_object(items, parent);
    if (setting->type == SETTING_SOURCES) {
        add(items, "allOf", source_rules());
    }
    add(to, "items", items);
}

/* null takes a preset's value out. */
static void allow_null(struct json_object *property)
{
    struct json_object *types = json_object_get(json_object_object_get(property, "type"));

    if (!json_object_is_type(types, json_type_array)) {
        struct json_object *only = types;

        types = json_object_new_array();
        json_object_array_add(types, only);
    }
    json_object_array_add(types, json_object_new_string("null"));
    add(property, "type", types);
}

static struct json_object *make_property(const struct setting *setting)
{
    struct json_object *property = json_object_new_object();

    add_description(property, setting);
    if (setting->default_json) {
        add(property, "default", parse(setting->default_json));
    }
    if (setting->type == SETTING_OBJECT) {
        add_object(property, setting->path);
    } else if (setting->type == SETTING_SOURCES || setting->type == SETTING_SAMPLES) {
        add_items(property, setting);
    } else {
        add_value(property, setting);
    }
    if (setting->home == HOME_PROVIDER && !setting->required) {
        allow_null(property);
    }
    return property;
}

static void add_object(struct json_object *to, const char *parent)
{
    struct json_object *required = json_object_new_array();
    struct json_object *properties = json_object_new_object();
    const struct setting *setting;

    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (setting_is_below(setting, parent)) {
            add(properties, setting_key(setting), make_property(setting));
            /* A sample's body may come from sample_defaults, the preset's too: see the rules. */
            if (setting->required && setting->type != SETTING_BODY) {
                json_object_array_add(required, json_object_new_string(setting_key(setting)));
            }
        }
    }
    add_text(to, "type", "object");
    add(to, "additionalProperties", json_object_new_boolean(false));
    add(to, "required", required);
    add(to, "properties", properties);
}

#define SECRET_SCHEMA                                                                          \
    "{\"secret\": {\"description\": \"Where a secret is: an environment variable, a file "     \
    "(one "                                                                                    \
    "newline at its end does not count), or this very text.\", \"oneOf\": ["                   \
    "{\"type\": \"string\", \"minLength\": 1}, "                                               \
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"env\"], "        \
    "\"properties\": {\"env\": {\"type\": \"string\", \"minLength\": 1, \"description\": "     \
    "\"The name of an environment variable.\"}}}, "                                            \
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"file\"], "       \
    "\"properties\": {\"file\": {\"type\": \"string\", \"minLength\": 1, \"description\": "    \
    "\"The path of a file.\"}}}]}}"

void config_write_schema(struct buf *out)
{
    struct json_object *schema = json_object_new_object();

    add_text(schema, "$schema", "https://json-schema.org/draft/2020-12/schema");
    add_text(schema, "title", "hook2mqtt");
    add_text(schema, "description",
             "The configuration of hook2mqtt. Any text may contain ${NAME} for an environment "
             "variable; $${ is a literal ${.");
    add_object(schema, "");
    add(schema, "$defs", parse(SECRET_SCHEMA));
    buf_add_str(out, json_object_to_json_string_ext(
                         schema, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                     JSON_C_TO_STRING_NOSLASHESCAPE));
    buf_add_char(out, '\n');
    json_object_put(schema);
}
