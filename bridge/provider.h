/*
 * provider - how each webhook system signs and where its fields are, as data. Pure; any thread.
 *
 * One row a provider. Adding one is adding a row (and its samples), no code elsewhere; when a
 * provider needs something that no row can say yet, the axis is added here and read in verify
 * or parse.
 */
#ifndef BRIDGE_PROVIDER_H
#define BRIDGE_PROVIDER_H

#include "common/buf.h"

/* How a delivery proves where it comes from. More forms (prefix, key=value list, timestamps,
 * base64) belong here as the providers that use them arrive. */
struct provider_signature {
    const char *header; /* HMAC-SHA256 of the raw body under the secret's bytes, as hex */
};

/* Dotted paths in the body; NULL: the provider has no such field. */
struct provider_fields {
    const char *event;
    const char *resource_type;
    const char *gid;
    const char *event_time;      /* ISO 8601; absent in a body is allowed */
    const char *event_time_else; /* read where event_time is absent or null */
    const char *deletion_event;  /* the event's literal value that says the resource is gone */
};

/* A realistic state of one resource, and which events exist for it. */
struct provider_sample {
    const char *resource_type; /* as `trigger` names it and as the body says it */
    const char *resource;      /* a JSON object, a template (see struct provider) */
    const char *const *events; /* literal event names that exist for it, NULL-terminated */
};

struct provider {
    const char *name;
    const char *title; /* for people */
    struct provider_signature signature;
    struct provider_fields fields;
    const char *default_topic;

    /* How sample bodies are made: templates in which @EVENT@, @TYPE@, @GID@, @NOW@ and @N@ (a
     * number that makes each sent body its own) are replaced, and @RESOURCE@ by the sample's
     * resource. A deletion has a body of its own: where that does not carry @N@, two deletions
     * of one gid are the same bytes, as they are at the provider. */
    const char *sample_body;
    const char *sample_deletion;
    const char *time_zone; /* what it writes behind 2014-09-08T22:47:31 for UTC */
    unsigned gid_digits;   /* a gid is so many lower-case hex digits; at most 32 */
    const struct provider_sample *samples; /* ends with a row without resource_type */
};

/* The rows, each in a file of its own. */
extern const struct provider provider_creads;

/* Finds by name; NULL if there is none. */
const struct provider *provider_find(struct slice name);
/* The i-th provider, in the order of the table; NULL after the last. */
const struct provider *provider_at(size_t i);

/* True if the catalogue knows this pair. resource_type is compared after lower-casing and
 * dropping all but letters and digits (project_message, project-message and ProjectMessage are
 * one); others pass through the bridge just as well, but are counted and logged once. */
bool provider_knows(const struct provider *provider, struct slice resource_type,
                    struct slice event);

/* A gid in the provider's form, from 16 random bytes. out_text holds 33 bytes. */
void provider_make_gid(const struct provider *provider, const uint8_t random[16],
                       char out_text[33]);
/* Adds the whole body of a sample event to out. number: see @N@. now_ms: Unix time. Any event
 * and gid will do. */
void provider_sample_body(const struct provider *provider, const struct provider_sample *sample,
                          const char *event, const char *gid, int64_t now_ms, uint64_t number,
                          struct buf *out);

#endif
