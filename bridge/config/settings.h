/*
 * settings - the table of settings: one row each, in the order in which people read them.
 *
 * A row drives reading, checking, comparing and freeing, how a source's own keys go over its
 * preset's, `help config` and the JSON Schema, so none of them can disagree. A new setting is a
 * member of the struct that it is stored in, a row (rows_bridge.c or rows_source.c), and a line
 * in config/full.json; then the schema again (`make generate`). A new type is its words, schema
 * and storage in settings.c, and its reader in values.c.
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
    SETTING_BOOL,
    /* Numbers of any width: times in ms, sizes in bytes, one of a few words as its value. */
    SETTING_INT,
    SETTING_SIZE,
    SETTING_TIME,
    SETTING_SECONDS, /* a time without a fraction of a second */
    SETTING_CHOICE,
    /* Text. */
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
    SETTING_TEXTS,    /* text, or a list of texts */
    SETTING_PROVIDER, /* the name of a preset */
    /* Objects whose keys are free. */
    SETTING_BODY, /* kept as JSON */
    SETTING_EVENTS,
    SETTING_HEADERS, /* kept as lines `Name: value` */
    SETTING_ADDRESSES,
    SETTING_SERVERS,
    SETTING_SECRET,
    SETTING_LIVE_SECRET, /* from a file it is read again each time it is used */
    SETTING_SECRETS,
    SETTING_TYPE_COUNT,
};

struct setting_choice {
    const char *word; /* NULL ends a list */
    int64_t value;
};

/* The struct that a setting is stored in: struct config, config_source, provider (the
 * source's), provider_sample. What a preset may set is in the provider or in a sample. */
enum setting_home { HOME_CONFIG, HOME_SOURCE, HOME_PROVIDER, HOME_SAMPLE };

/* What a preset's value makes sense with: where a source changes that, the value is left out.
 * merge.c says what each one means. */
enum setting_need {
    NEED_HMAC = 1,
    NEED_SAME_FORM = 2,
    NEED_PAIRS = 4,
    NEED_TIMESTAMP = 8,
    NEED_ID = 16,
    NEED_TIMESTAMP_KEY = 32,
    NEED_NO_TIMESTAMP_KEY = 64,
    NEED_NO_TIMESTAMP_HEADER = 128,
};

struct setting {
    const char *path; /* "mqtt.tls.ca_file"; "sources[].name" for a part of each source */
    enum setting_type type;
    enum setting_home home;
    size_t offset, size;      /* in there; size 0: stored nowhere */
    const char *default_json; /* as it would stand in the file; NULL: not set */
    int64_t min, max; /* of a number, size or time; of a text's bytes; of a list's items */
    const char *help; /* one sentence */
    bool required;
    /* Only commands need it, the bridge does not: what cannot be had is a warning. */
    bool for_commands;
    const struct setting_choice *choices;
    unsigned needs; /* enum setting_need, or'ed */
};

/* How a type's values are kept, and so how they are compared and freed. */
enum setting_store {
    STORE_NONE,  /* nothing of its own: nowhere, a bare number, a pointer that is borrowed */
    STORE_TEXT,  /* char * */
    STORE_TEXTS, /* char **, NULL-terminated; a struct provider_url_event * is one, too */
    STORE_LIST,  /* struct config_list */
    STORE_SAMPLES,
    STORE_SECRET,      /* struct buf */
    STORE_LIVE_SECRET, /* struct config_secret */
    STORE_SECRETS,
    STORE_SOURCES,
};

struct setting_words {
    const char *what; /* for people: `a time such as "10m"` */
    const char *name; /* one or two words, for the table */
    /* Members of a JSON Schema, without braces; NULL: document.c makes it. */
    const char *schema;
    enum setting_store store;
};

/* The i-th row; NULL after the last. */
const struct setting *setting_at(size_t i);
/* The row of a key directly below parent ("" is the top, "mqtt.tls", "sources[]"); NULL:
 * none. */
const struct setting *setting_find(const char *parent, struct slice key);
bool setting_is_below(const struct setting *setting, const char *parent);
/* The last part of the path. */
const char *setting_key(const struct setting *setting);
const struct setting_words *setting_words(enum setting_type type);
/* Adds "1KiB to 64MiB" and the like; nothing where no range is checked. */
void setting_add_range(struct buf *out, const struct setting *setting);

/* Where the setting's value is stored. base: struct config, config_source (also for what is in
 * its provider) or provider_sample. */
void *setting_place(const struct setting *setting, void *base);

/* Of two structs config; for rows outside of sources. */
bool setting_is_equal(const struct setting *setting, const void *a, const void *b);
/* Frees, and sets to zero, what the rows whose path begins so have stored in base, the struct
 * of that home; secrets are wiped. */
void settings_free(enum setting_home home, const char *prefix, void *base);

#endif
