/*
 * The settings table as documentation: Markdown for people, JSON Schema for editors and
 * validators.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"

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

/* The words of a choice, or the names of providers; nothing for other types. */
static void add_alternatives(struct buf *out, const struct setting *setting, const char *quote)
{
    const struct setting_choice *choice = setting->choices;
    const struct provider *provider;
    const char *comma = "";

    for (; choice && choice->word; choice++, comma = ", ") {
        buf_addf(out, "%s%s\"%s\"%s", comma, quote, choice->word, quote);
    }
    for (size_t i = 0; setting->type == SETTING_PROVIDER && (provider = provider_at(i));
         i++, comma = ", ") {
        buf_addf(out, "%s%s\"%s\"%s", comma, quote, provider->name, quote);
    }
}

static void add_value_words(struct buf *out, const struct setting *setting)
{
    struct buf range = {0};

    if (setting->choices || setting->type == SETTING_PROVIDER) {
        add_alternatives(out, setting, "`");
        return;
    }
    add_cell(out, setting_words(setting->type)->name);
    setting_add_range(&range, setting);
    if (range.len > 0) {
        buf_addf(out, ", %s", range.data);
    }
    buf_free(&range);
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

static void add_line(struct buf *out, int depth, const char *format, ...) PRINTF_LIKE(3, 4);

/* A line of the schema, without the newline at its end. */
static void add_line(struct buf *out, int depth, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    CHECK(vasprintf(&text, format, args) >= 0);
    va_end(args);
    buf_addf(out, "%*s%s", 2 * depth, "", text);
    free(text);
}

static void add_limits(struct buf *out, const struct setting *setting, const char *what)
{
    buf_addf(out, ", \"min%s\": %" PRId64 ", \"max%s\": %" PRId64, what, setting->min, what,
             setting->max);
}

/* The schema of a plain value, on one line. */
static void add_value(struct buf *out, const struct setting *setting)
{
    const char *schema = setting_words(setting->type)->schema;

    if (schema) {
        buf_add_str(out, schema);
    } else {
        buf_add_str(out, "\"type\": \"string\", \"anyOf\": [{\"enum\": [");
        add_alternatives(out, setting, "");
        buf_add_str(out, "]}, {\"pattern\": \"\\\\$\\\\{\"}]"); /* or a variable */
    }
    if (setting->type == SETTING_INT) {
        add_limits(out, setting, "imum");
    } else if (setting->type == SETTING_ADDRESSES || setting->type == SETTING_SERVERS ||
               setting->type == SETTING_SECRETS) {
        add_limits(out, setting, "Items");
    } else if (setting->type == SETTING_EVENTS || setting->type == SETTING_HEADERS) {
        add_limits(out, setting, "Properties");
    }
}

static void add_object(struct buf *out, const char *parent, int depth);

/* What one setting of a source makes of others. */

#define VERIFIES_NOTHING                                                                       \
    "\"properties\": {\"verify\": {\"const\": \"none\"}}, \"required\": [\"verify\"]"

/* Rows that leave something to be said. */
static void add_provider_rule(struct buf *out, const struct provider *provider, int depth)
{
    if (provider->fields.event && provider->fields.gid &&
        provider->signature.scheme != SCHEME_UNSET &&
        provider->signature.scheme != SCHEME_NONE) {
        return;
    }
    buf_add_str(out, ",\n");
    add_line(out, depth,
             "{\"if\": {\"properties\": {\"provider\": {\"const\": \"%s\"}}, \"required\": "
             "[\"provider\"]}, \"then\": {",
             provider->name);
    if (!provider->fields.event || !provider->fields.gid) {
        buf_add_str(out, "\"required\": [\"fields\"], \"properties\": {\"fields\": "
                         "{\"required\": [\"event\", \"gid\"]}}, ");
    }
    buf_add_str(out, "\"anyOf\": [{" VERIFIES_NOTHING "}, {\"required\": [\"signature\"]}]}}");
}

static void add_source_rules(struct buf *out, int depth)
{
    const struct provider *provider;

    add_line(out, depth, "\"allOf\": [\n");
    add_line(out, depth + 1,
             "{\"if\": {" VERIFIES_NOTHING "}, \"else\": {\"required\": [\"secrets\"]}},\n");
    add_line(
        out, depth + 1,
        "{\"if\": {\"properties\": {\"signature\": {\"properties\": {\"scheme\": {\"const\": "
        "\"none\"}}, \"required\": [\"scheme\"]}}, \"required\": [\"signature\"]}, \"then\": "
        "{" VERIFIES_NOTHING "}}");
    for (size_t i = 0; (provider = provider_at(i)); i++) {
        add_provider_rule(out, provider, depth + 1);
    }
    buf_add_char(out, '\n');
    add_line(out, depth, "]");
}

/* A list of objects, whose members are below "<path>[]". */
static void add_items(struct buf *out, const struct setting *setting, int depth)
{
    char parent[64];

    (void)snprintf(parent, sizeof(parent), "%s[]", setting->path);
    add_line(out, depth, "\"type\": \"array\"");
    add_limits(out, setting, "Items");
    buf_add_str(out, ",\n");
    add_line(out, depth, "\"items\": {\n");
    add_object(out, parent, depth + 1);
    if (setting->type == SETTING_SOURCES) {
        buf_add_str(out, ",\n");
        add_source_rules(out, depth + 1);
    }
    buf_add_char(out, '\n');
    add_line(out, depth, "}");
}

/* The range is part of it, because a pattern cannot say it. */
static void add_description(struct buf *out, const struct setting *setting, int depth)
{
    struct buf text = {0}, range = {0};

    buf_add_str(&text, setting->help);
    setting_add_range(&range, setting);
    if (range.len > 0) {
        buf_addf(&text, " (%s)", range.data);
    }
    add_line(out, depth, "\"description\": ");
    json_add_string(out, buf_slice(&text));
    buf_add_str(out, ",\n");
    buf_free(&range);
    buf_free(&text);
}

static void add_property(struct buf *out, const struct setting *setting, int depth)
{
    add_line(out, depth, "\"%s\": {\n", setting_key(setting));
    add_description(out, setting, depth + 1);
    if (setting->default_json) {
        add_line(out, depth + 1, "\"default\": %s,\n", setting->default_json);
    }
    if (setting->type == SETTING_OBJECT) {
        add_object(out, setting->path, depth + 1);
    } else if (setting->type == SETTING_SOURCES || setting->type == SETTING_SAMPLES) {
        add_items(out, setting, depth + 1);
    } else {
        add_line(out, depth + 1, "%s", "");
        add_value(out, setting);
    }
    buf_add_char(out, '\n');
    add_line(out, depth, "}");
}

static void add_required(struct buf *out, const char *parent, int depth)
{
    const struct setting *setting;
    const char *comma = "";

    add_line(out, depth, "\"required\": [");
    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (setting->required && setting_is_below(setting, parent)) {
            buf_addf(out, "%s\"%s\"", comma, setting_key(setting));
            comma = ", ";
        }
    }
    buf_add_str(out, "],\n");
}

/* The members of an object's schema, without its braces and without a newline at the end. */
static void add_object(struct buf *out, const char *parent, int depth)
{
    const struct setting *setting;
    const char *comma = "";

    add_line(out, depth, "\"type\": \"object\",\n");
    add_line(out, depth, "\"additionalProperties\": false,\n");
    add_required(out, parent, depth);
    add_line(out, depth, "\"properties\": {\n");
    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (setting_is_below(setting, parent)) {
            buf_add_str(out, comma);
            add_property(out, setting, depth + 1);
            comma = ",\n";
        }
    }
    buf_add_char(out, '\n');
    add_line(out, depth, "}");
}

static const char secret_schema[] =
    "  \"$defs\": {\n"
    "    \"secret\": {\n"
    "      \"description\": \"Where a secret is: an environment variable, a file (one newline "
    "at its end does not count), or this very text.\",\n"
    "      \"oneOf\": [\n"
    "        {\"type\": \"string\", \"minLength\": 1},\n"
    "        {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"env\"], "
    "\"properties\": {\"env\": {\"type\": \"string\", \"minLength\": 1, \"description\": "
    "\"The name of an environment variable.\"}}},\n"
    "        {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"file\"], "
    "\"properties\": {\"file\": {\"type\": \"string\", \"minLength\": 1, \"description\": "
    "\"The path of a file.\"}}}\n"
    "      ]\n"
    "    }\n"
    "  }\n";

void config_write_schema(struct buf *out)
{
    buf_add_str(out, "{\n"
                     "  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                     "  \"title\": \"hook2mqtt\",\n"
                     "  \"description\": \"The configuration of hook2mqtt. Any text may hold "
                     "${NAME} for an environment variable; $${ is a literal ${.\",\n");
    add_object(out, "", 1);
    buf_add_str(out, ",\n");
    buf_add_str(out, secret_schema);
    buf_add_str(out, "}\n");
}
