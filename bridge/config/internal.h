/*
 * internal - what the parts of config share. The files, in the order of calls:
 *
 *   load.c       puts them together, and owns a configuration's references
 *   check.c      values against each other and the machine: check_sources.c, check_provider.c,
 *                check_trust.c, check_repeats.c, check_samples.c, check_overrides.c; trial.c:
 *                a sample as a delivery
 *   check_tls.c  the listeners' certificates
 *   document.c   the table as Markdown and JSON Schema
 *   changes.c    what a reload cannot change
 *   read.c       walks the tree with the table of settings
 *   source.c     what comes before and after reading a source's keys
 *   merge.c      a source's own keys over its preset's
 *   text.c       the file's bytes to a tree
 *   values.c     one value; lists.c: one that contains others; secret.c: secrets; expand.c:
 *                variables in a text
 *   environment.c  variables, of the process and of the environment file
 *   grammar.c    texts that must be of some form; pem.c: files that must
 *   report.c     findings, and the place in the file
 *   settings.c   the table, with its rows in rows_bridge.c and rows_source.c
 */
#ifndef BRIDGE_CONFIG_INTERNAL_H
#define BRIDGE_CONFIG_INTERNAL_H

#include "bridge/config/config.h"
#include "bridge/config/settings.h"
#include "bridge/delivery.h"

struct json_object;

/* Adds a finding. path "" is the file as a whole. */
void config_fault(struct config_faults *faults, const char *path, const char *format, ...)
    PRINTF_LIKE(3, 4);
void config_warn(struct config_faults *faults, const char *path, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* What common/file.h says of a file, without its name: for a finding whose path that is. Borrows
 * text. */
const char *config_without_name(const char *text, const char *path);
/* Something is known to be wrong at this path or below it, so nothing needs to be concluded
 * from it. */
bool config_is_faulty(const struct config_faults *faults, const char *path);

/* The place in the file that is being read, and where to report what is wrong there. */
struct reader {
    struct config_faults *faults;
    const struct environment *environment; /* NULL: the process's own only */
    struct buf path;
    bool partial;  /* config_load_partial */
    bool preset;   /* a preset by itself: only what a preset may set is known */
    bool optional; /* inside of a secret that need not be there */
};

/* Both return what reader_leave needs to come back. */
size_t reader_enter_key(struct reader *reader, struct slice key);
size_t reader_enter_item(struct reader *reader, size_t index);
void reader_leave(struct reader *reader, size_t offset);
const char *reader_path(const struct reader *reader);
/* What the file asks for from outside is not there: a fault, but only a warning while
 * optional. */
void reader_miss(struct reader *reader, const char *format, ...) PRINTF_LIKE(2, 3);
/* For printing: text in quotes, as JSON writes it, cut when it is long. */
void config_add_quoted(struct buf *out, struct slice text);

/* Reads the file. ST_OK gives a tree for json_object_put; else the fault has been added. */
enum status config_text_load(const char *path, struct json_object **out_root,
                             struct config_faults *faults) MUST_USE;
/* The same for text that is in memory already; its comments become blanks. */
enum status config_text_parse(struct buf *text, struct json_object **out_root,
                              struct config_faults *faults) MUST_USE;

/* A preset that sources name. */
struct config_preset {
    const struct provider_preset *embedded;
    struct provider *provider; /* NULL: no source names it */
    struct json_object *tree;  /* without its samples; only while sources are read */
};

/* The preset that a source (tree) names; NULL: none that is known. */
const struct provider_preset *config_find_preset(struct json_object *source);
/* Gives the preset's tree; what is wrong in it is added to faults. */
struct json_object *config_parse_preset(const struct provider_preset *preset,
                                        struct config_faults *faults);
/* What a source (tree) sets itself, by row; for config_is_set. Gives memory for free. */
bool *config_note_set(struct json_object *source);
/* Does the source itself set this key ("topic"), or one below it ("signature")? */
bool config_is_set(const struct config_source *source, const char *key);
/* At the source's place. Makes suffixes of the keys of `events`, which may be whole paths. */
void config_complete_events(struct reader *reader, struct config_source *source);
/* Fills in its type, if it has none. */
void config_complete_sample(struct provider_sample *sample);

/* Makes of a source's tree what there is to read: fills in what its preset (tree) has and it
 * lacks, but for what makes no sense with the source's own keys; then the samples, from what
 * they have in common. Changes both. */
void config_merge(struct json_object *source, struct json_object *preset);

/* Fills config from the tree, and what the tree leaves out from the defaults. */
void config_read(struct reader *reader, struct json_object *root, struct config *config);

/* Adds what would be right, in words: `a time such as "10m"`. */
void config_add_wanted(struct buf *out, const struct setting *setting);
/* Reports that value is of the wrong type. */
void config_wrong_type(struct reader *reader, const char *wanted, struct json_object *value);

/* "a list" */
const char *config_type_words(struct json_object *value);
void config_out_of_range(struct reader *reader, const struct setting *setting);

typedef void config_read_fn(struct reader *reader, const struct setting *setting,
                            struct json_object *value, void *base);
/* Where the value is wrong, a fault is added and nothing is stored. */
config_read_fn config_read_value; /* all types but those that read.c walks itself */
config_read_fn config_read_list, config_read_secrets, config_read_texts;
config_read_fn config_read_events, config_read_headers, config_read_body;
/* Takes text. */
void config_store_text(const struct setting *setting, char *text, void *base);

/* A string for people or protocols, its variables put in: UTF-8 without NUL. False: a fault was
 * added. */
bool config_expand_text(struct reader *reader, struct json_object *value, struct buf *out);
/* The same for bytes of any kind. *out_varied: there was a variable in it. */
bool config_expand(struct reader *reader, struct json_object *value, struct buf *out,
                   bool *out_varied);
/* The value of an environment variable; NULL: a fault was added. */
const char *config_variable(struct reader *reader, struct slice name);

/* The environment file; see config_use_environment. What is wrong with it is added to the reader's
 * faults. Gives memory for config_environment_free. */
struct environment *config_read_environment(const char *config_path, struct reader *reader);
void config_environment_free(struct environment *environment);
/* The process's own variable, or else the file's. NULL: neither is set. */
const char *config_environment_get(const struct environment *environment, const char *name);
/* The file, if it is there but cannot be read: it may be what lacks. */
const char *config_environment_hint(const struct environment *environment);
/* May this be the name of a variable? */
bool config_is_variable_name(struct slice name);

/* A secret that stands alone. for_commands: see struct setting. */
void config_read_secret(struct reader *reader, struct json_object *value, bool for_commands,
                        struct buf *out);
/* The same, of the bridge itself, with its file: whoever uses it reads that again. */
void config_read_live_secret(struct reader *reader, struct json_object *value,
                             struct config_secret *out);
/* One of a source's: a file that is not there is no finding yet, but out->missing. */
void config_read_source_secret(struct reader *reader, struct json_object *value,
                               struct config_secret *out);
/* At the secret's place: its file is not there. */
void config_report_missing(struct reader *reader, const struct config_secret *secret);

/* A text against its type; the reason in err. */
enum status config_check_text(enum setting_type type, struct slice text, int64_t max_bytes,
                              struct err *err) MUST_USE;
enum status config_check_http_path(const char *path, struct err *err) MUST_USE;
enum status config_check_address(const char *address, struct err *err) MUST_USE;
/* Of a URL that config_check_url accepts: what is sent there can be read on the way. */
bool config_url_in_clear(const char *url);
/* Adds the URL with its port written out. */
enum status config_normalise_server(const char *url, struct buf *out, struct err *err) MUST_USE;

/* Checks values against each other. Fills in what depends on other values (topic, trusted,
 * state_file). */
void config_check_whole(struct config *config, bool partial, struct config_faults *faults);

/* Of the listeners' certificates; whether they are outdated is a fault for `check` alone. */
void config_check_tls(const struct config *config, struct config_faults *faults);
void config_check_tls_dates(const struct config *config, struct config_faults *faults);
/* Warns, at the setting, if every user of the machine can read the file. NULL is allowed. */
void config_warn_if_world_readable(const char *setting, const char *file,
                                   struct config_faults *faults);

/* The source that is being checked, and what it takes to name its settings. */
struct source_view {
    const struct config *config;
    struct config_source *source;
    size_t index;
    bool partial;
    struct config_faults *faults;
    char path[96];
};
/* "sources[2].fields.gid"; stays until the next call. */
const char *source_path(struct source_view *view, const char *key);
bool source_is_faulty(struct source_view *view, const char *key);

void config_check_sources(struct config *config, bool partial, struct config_faults *faults);
/* Checks the merged provider against itself and the source: is it complete, does it fit
 * together, and what does it leave open to people who know no secret. Fills in topic and
 * trusted. */
void config_check_provider(struct source_view *view);
/* The part of it that is about what the signature does not cover. */
void config_check_trust(struct source_view *view, const struct parser *parser);
/* And the part that is about repeats, which needs to know what is trusted: fills in dedupe and
 * dedupe_window_ms. */
void config_check_repeats(struct source_view *view);
/* Is the file, if one is named, PEM with such a block? Else a fault at the key below the
 * reader's place. */
void config_check_pem(struct reader *reader, const char *key, const char *file,
                      const char *block);
/* Makes of each sample that a source sets what trigger would send, reads it as the bridge
 * would, and warns where that makes no event, or not the one that the sample names. */
void config_check_samples(const struct config *config, struct config_faults *faults);
/* For a source with its preset's samples: warns where they have no such field, or no such variable
 * of a topic, as the source sets. */
void config_check_overrides(struct source_view *view, const struct parser *parser);

/* A sample, made into the delivery that trigger would send and read as the bridge would read it. */
struct trial {
    struct provider_made made;
    struct delivery delivery;
    bool taken;         /* the source takes its URL */
    enum status status; /* of parser_read */
    struct parsed parsed;
};
/* Borrows all but the trial, which is for trial_end. */
void trial_begin(struct trial *trial, const struct provider *provider,
                 const struct parser *parser, const struct provider_sample *sample,
                 const char *event);
void trial_end(struct trial *trial);
/* See struct delivery; ctx: a struct buf with lines of headers. */
size_t trial_find_header(void *ctx, const char *name, struct slice *out_values, size_t room);
/* Holds it against the machine: could the bridge run here, as this user. */
void config_check_machine(const struct config *config, struct config_faults *faults);

#endif
