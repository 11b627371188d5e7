/*
 * config_description - what a source says otherwise about its provider, and the provider's row
 * with that put in; for config*.c only.
 */
#ifndef BRIDGE_CONFIG_OVERRIDE_H
#define BRIDGE_CONFIG_OVERRIDE_H

#include "bridge/config/config.h"

/* A bool that may be left to the provider's row. */
enum config_flag { FLAG_UNSET, FLAG_FALSE, FLAG_TRUE };

/* The members of an object whose keys are free, in their order. */
struct config_pair {
    char *key, *value;
};
struct config_pairs {
    struct config_pair *items;
    size_t count;
};

struct config_sample {
    char *event;
    char *resource_type;
    char *gid_form;
    struct config_pairs headers;
    char *url;  /* without the slash before it */
    char *body; /* JSON */

    /* What the merged row points to; made by config_merge. */
    const char *events[2];
    char *header_lines;
};

/* What is NULL or 0 is not said. Choices hold the enums of provider.h. */
struct config_description {
    struct {
        int64_t scheme, algorithm, form, encoding, key, skew;
        int64_t separator, timestamp_format;
        int64_t ordered; /* enum config_flag */
        char *header, *mark, *message;
        char *timestamp_header, *timestamp_key;
        int64_t tolerance_ms; /* -1: not said */
        char *id_header;
    } signature;
    struct {
        char *event, *resource_type, *gid, *delivery_id, *event_time, *deletion_event;
    } fields;
    struct {
        char *field, *value, *echo;
    } challenge;
    int64_t path_suffix; /* enum config_flag */
    struct config_pairs events;
    struct config_sample *samples;
    size_t sample_count;

    /* What the merged row points to; made by config_merge. */
    char *delivery_id;
    struct provider_url_event *url_events;
    struct provider_sample *provider_samples;
};

struct config_description *config_description_create(void);
void config_description_destroy(struct config_description *said);

/* Something is said about the signature. */
bool config_says_signature(const struct config_description *said);

struct source_view;

/* Makes source->provider of the row that it names (source->preset) and of what it says
 * otherwise. What the row says only for the sake of a value that is another one now (a scheme,
 * a form, a message without {timestamp}) is dropped; a delivery id that is the signed id stays
 * so when that is in another header. */
void config_merge(struct source_view *view);

/* Holds the merged row against itself and the source: is it complete, does it fit together, and
 * what does it leave open to people who know no secret. Fills in the topic. */
void config_check_provider(struct source_view *view);
/* The part of it that is about what the signature does not cover. */
void config_check_trust(struct source_view *view, const struct parser *parser);

#endif
