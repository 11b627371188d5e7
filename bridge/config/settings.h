/*
 * config_settings - the table of settings: one row each, in the order in which people read
 * them.
 *
 * A row drives reading into struct config, checking, `help config` and the JSON Schema, so none
 * of them can disagree. A new setting is: a field in struct config, a row
 * (rows_bridge.c or rows_source.c), and a line in config/full.json; then
 * the schema again (`make generate`). A new type is: its words and schema in settings.c,
 * its reader in values.c, and how two values of it differ in changes.c.
 */
#ifndef BRIDGE_CONFIG_SETTINGS_H
#define BRIDGE_CONFIG_SETTINGS_H

#include "common/buf.h"

enum setting_type {
    SETTING_OBJECT, /* holds other settings, stored nowhere itself */
    /* Lists of objects; their items' settings are below "sources[]", "sources[].samples[]". */
    SETTING_SOURCES,
    SETTING_SAMPLES,
    SETTING_IGNORED, /* text for other programs */
    /* Stored as a bool; a switch is spelled as one of two words. */
    SETTING_BOOL,
    SETTING_SWITCH,
    /* Stored as an int64_t; times in ms, sizes in bytes, a choice as its value, a flag as an
     * enum config_flag. */
    SETTING_FLAG,
    SETTING_INT,
    SETTING_SIZE,
    SETTING_TIME,
    SETTING_SECONDS, /* a time without a fraction of a second */
    SETTING_CHOICE,
    /* Stored as char *. */
    SETTING_NAME,
    SETTING_TEXT,
    SETTING_FILE, /* a PEM file to read */
    SETTING_LEVEL,
    SETTING_TOPIC,
    SETTING_TEMPLATE,
    SETTING_HTTP_PATH,
    SETTING_URL,
    SETTING_HEADER, /* a header's name */
    SETTING_FIELD,
    SETTING_GID_FORM,
    SETTING_BODY, /* an object of any form; as JSON */
    /* Stored as const struct provider *. */
    SETTING_PROVIDER,
    /* Stored as struct config_pairs: objects whose keys are free. */
    SETTING_EVENTS,
    SETTING_HEADERS,
    /* Stored as struct config_list. */
    SETTING_ADDRESSES,
    SETTING_SERVERS,
    /* Stored as struct buf, and as secrets and secret_count of struct config_source. */
    SETTING_SECRET,
    SETTING_SECRETS,
    SETTING_TYPE_COUNT,
};

struct setting_choice {
    const char *word; /* NULL ends a list */
    int64_t value;
};

struct setting {
    const char *path; /* "mqtt.tls.ca_file"; "sources[].name" for a part of each source */
    enum setting_type type;
    /* Into struct config; below sources[] into struct config_source, or into its description;
     * below sources[].samples[] into struct config_sample. */
    size_t offset;
    bool in_description;
    const char *default_json; /* as it would stand in the file; NULL: not set */
    bool required;
    /* Only commands need it, the bridge does not: what cannot be had is a warning. */
    bool for_commands;
    int64_t min, max; /* of a number, size or time; of a text's bytes; of a list's items */
    const struct setting_choice *choices; /* of a choice or switch */
    const char *help;                     /* one sentence */
};

/* How people and the schema call a type. */
struct setting_words {
    const char *what; /* `a time such as "10m"` */
    const char *name; /* one or two words, for the table */
    /* Members of a JSON Schema, without braces; NULL: document.c makes it. */
    const char *schema;
};

/* The i-th row; NULL after the last. */
const struct setting *setting_at(size_t i);
/* The row of a key directly below parent ("" is the top, "mqtt.tls", "sources[]"); NULL if
 * there is none. */
const struct setting *setting_find(const char *parent, struct slice key);
bool setting_is_below(const struct setting *setting, const char *parent);
/* The last part of the path. */
const char *setting_key(const struct setting *setting);
const struct setting_words *setting_words(enum setting_type type);
/* Adds "1KiB to 64MiB" and the like; nothing where no range is checked. */
void setting_add_range(struct buf *out, const struct setting *setting);

/* Where the setting's value is stored. base: struct config, config_source or config_sample, as
 * the row is one of them. */
void *setting_place(const struct setting *setting, void *base);

#endif
