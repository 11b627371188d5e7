/*
 * provider - how each webhook system signs, where its fields are, what it sends, as data. Pure;
 * any thread.
 *
 * One row a provider, in a file of its own. Adding one is adding a row and its samples, no code
 * elsewhere; the configuration can describe one just as well (`custom`), or change single values of
 * a row. When a provider needs something that no row can say yet, the axis is added here and read
 * in verify or parse.
 */
#ifndef BRIDGE_PROVIDER_PROVIDER_H
#define BRIDGE_PROVIDER_PROVIDER_H

#include "common/buf.h"

/* In all of them 0 is "not said", so that the configuration can leave it to the row. */
enum provider_scheme {
    SCHEME_UNSET,
    SCHEME_NONE,  /* proves nothing; a source must say so itself */
    SCHEME_TOKEN, /* the header's value is the secret */
    SCHEME_HMAC,
};
enum provider_algorithm { ALGORITHM_UNSET, ALGORITHM_SHA1, ALGORITHM_SHA256, ALGORITHM_SHA512 };
/* What the signature's header looks like. */
enum provider_form {
    FORM_UNSET,
    FORM_PLAIN,  /* 3c980c81… */
    FORM_PREFIX, /* sha256=3c980c81…: `mark` is what stands before */
    FORM_PAIRS, /* t=1614265330,v1=…,v1=…: a list, split at the first =; `mark` is the key of
                      signatures, which may come several times */
    FORM_VERSIONS, /* v1,g0hM9… v1a,…: space list of version,signature; `mark` is the version */
};
enum provider_encoding { ENCODING_UNSET, ENCODING_HEX, ENCODING_BASE64 };
/* How the secret's text becomes the key. */
enum provider_key {
    KEY_UNSET,
    KEY_TEXT,   /* its bytes */
    KEY_BASE64, /* decoded */
    KEY_WHSEC,  /* decoded, after `whsec_`, which may be missing */
};
enum provider_skew {
    SKEW_UNSET,
    SKEW_PAST, /* only old ones are refused */
    SKEW_BOTH, /* and those from the future */
};
/* How {timestamp} is written. */
enum provider_timestamp {
    TIMESTAMP_UNSET,        /* as the next one */
    TIMESTAMP_SECONDS,      /* decimal, since 1970 */
    TIMESTAMP_MILLISECONDS, /* likewise */
    TIMESTAMP_RFC3339,      /* 2026-01-31T23:59:59.042Z, with at most nine digits behind the
                                  point, or none; or with an offset, -07:00 */
};

/* How a delivery proves where it comes from. */
struct provider_signature {
    enum provider_scheme scheme;
    enum provider_algorithm algorithm;
    enum provider_form form;
    enum provider_encoding encoding; /* hex in either case; base64 standard, padded */
    enum provider_key key;
    enum provider_skew skew;
    const char *header;
    const char *mark;
    /* FORM_PAIRS: what stands between two of them, `,` or `;`; '\0': a comma. */
    char separator;
    /* FORM_PAIRS: there is nothing but the timestamp and then one signature. */
    bool ordered;
    /* What is signed, of {body}, {timestamp}, {id} and text between them; each at most once. */
    const char *message;
    /* Where {timestamp} is: a header, or a key of FORM_PAIRS. */
    const char *timestamp_header, *timestamp_key;
    enum provider_timestamp timestamp_format;
    int64_t
        tolerance_ms; /* how far it may be from now, in whole seconds; 0: any; -1: not said */
    const char *id_header; /* where {id} is */
};

/* Field templates; NULL: the provider has no such field. Text, and in braces
 *   {body.path.to.field}  a string of the body, for a gid or delivery id a number, too; a last part
 *                         that ends in `*` is the first member whose name begins so
 *   {header.Name}         a header that is there once
 *   {url}                 what follows the source's path, or the event that `url_events` has for it
 * Alternatives are separated by `|`: the first one counts whose parts are all there; an empty last
 * one says that the field may be missing; `|` alone, as NULL, that there is none. */
struct provider_fields {
    const char *event;
    const char *resource_type; /* NULL: what precedes the last dot of the event, or all of it */
    const char *gid;
    const char *delivery_id; /* may be missing in a delivery */
    const char *event_time;  /* ISO 8601, or Unix seconds or milliseconds; may be missing */
    /* The event that says the resource is gone: literally, or `*.deleted` for all that end so. */
    const char *deletion_event;
};

/* A delivery that is no event but wants a value of its body back: {"challenge": "…"}. Paths into
 * the body; NULL: the provider has none. */
struct provider_challenge {
    const char *field, *value; /* it is one if this field has this value */
    const char *echo;
};

/* Deliveries at <source path>/<suffix> are of this event. */
struct provider_url_event {
    const char *suffix; /* NULL ends a list */
    const char *event;
};

/* A realistic delivery. All templates, see struct provider. */
struct provider_sample {
    const char *resource_type; /* NULL ends a list */
    const char *const *events; /* literal event names that exist for it, NULL-terminated */
    const char *resource;      /* JSON, for the provider's sample_body; or NULL, and: */
    const char *body;          /* the whole body */
    const char *headers;       /* beside the provider's sample_headers; NULL: none */
    const char *gid_form;      /* NULL: the provider's */
    const char *suffix;        /* NULL: of url_events, or the provider's */
};
#define PROVIDER_EVENTS(...)                                                                   \
    (const char *const[])                                                                      \
    {                                                                                          \
        __VA_ARGS__, NULL                                                                      \
    }
/* JSON, written as it is, as a string literal; white space between its tokens becomes one space. */
#define PROVIDER_JSON(...) #__VA_ARGS__

struct provider {
    const char *name;
    const char *title; /* for people */
    struct provider_signature signature;
    struct provider_fields fields;
    struct provider_challenge challenge;
    /* Only of what the signature covers (but where nothing is signed). */
    const char *default_topic;
    /* It posts to <path>/<anything>, too. */
    bool takes_suffix;
    /* NULL: the suffix is the event's name itself. */
    const struct provider_url_event *url_events;

    /* Registration: the API's base, NULL: none that we know; and whether registering is what makes
     * the secret, so that its file may be missing until then. */
    const char *api_url;
    bool issues_secret;

    /* How samples are made: templates in which @EVENT@, @ACTION@ (what follows its last dot),
     * @TYPE@, @GID@, @NOW@, @UNIX@ (seconds), @UUID@ (of the delivery) and @N@ (a number that makes
     * each sent body its own) are replaced, and in sample_body @RESOURCE@ by the sample's resource.
     * They stand between quotes, but for @UNIX@, @N@, and @GID_VALUE@, which is the gid as a number
     * if it is one, else as a string. A deletion may have a body of its own: where that does not
     * carry @N@, two deletions of one gid are the same bytes, as they are at the provider. */
    const char *sample_body;
    const char *sample_deletion; /* NULL: as other events */
    const char *sample_headers;  /* lines `Name: value` between \n; NULL: none */
    const char *sample_suffix;   /* what it appends to the path; NULL: nothing */
    const char *time_zone;       /* what it writes behind 2014-09-08T22:47:31 for UTC */
    /* What a gid looks like: # is a lower-case hex digit, ? a decimal one, all else stands for
     * itself; at most 63 characters, 32 of them random. */
    const char *gid_form;
    const struct provider_sample *samples; /* NULL: none */
    /* The samples are examples; other events are just as well known. */
    bool open_catalogue;
};

/* Finds by name; NULL if there is none. */
const struct provider *provider_find(struct slice name);
/* The i-th provider, in the order of the table; NULL after the last. */
const struct provider *provider_at(size_t i);

/* True if the catalogue knows this pair, or is open. resource_type is compared after lower-casing
 * and dropping all but letters and digits (project_message, project-message and ProjectMessage are
 * one); others pass through the bridge just as well, but are counted and logged once. */
bool provider_knows(const struct provider *provider, struct slice resource_type,
                    struct slice event);

/* The resource type of an event whose provider has no field for it: what precedes the last dot, or
 * all of it. Borrows from event. */
struct slice provider_type_of(struct slice event);
/* True if the event is the provider's deletion_event. */
bool provider_is_deletion(const struct provider *provider, struct slice event);

enum { PROVIDER_GID_SIZE = 64 };
/* A gid in the sample's (or provider's) form, from 16 random bytes. */
void provider_make_gid(const struct provider *provider, const struct provider_sample *sample,
                       const uint8_t random[16], char out_text[PROVIDER_GID_SIZE]);

/* What goes into a sample delivery. */
struct provider_sample_values {
    const char *event, *gid;
    const char *delivery_id; /* @UUID@ */
    int64_t now_ms;          /* Unix time */
    uint64_t number;         /* @N@ */
};
/* Adds the whole body of a sample event to out; its header lines (`Name: value`, separated by \n,
 * without one at the end; nothing if there are none), and the suffix of its path, percent-encoded,
 * without a slash before it. Any event and gid will do. */
void provider_sample_body(const struct provider *provider, const struct provider_sample *sample,
                          const struct provider_sample_values *values, struct buf *out);
void provider_sample_headers(const struct provider *provider,
                             const struct provider_sample *sample,
                             const struct provider_sample_values *values, struct buf *out);
void provider_sample_suffix(const struct provider *provider,
                            const struct provider_sample *sample,
                            const struct provider_sample_values *values, struct buf *out);

/* The suffix at which url_events has this event; NULL: none, or there is no such list. */
const char *provider_url_suffix(const struct provider *provider, const char *event);
/* The other way round: the event at this suffix (that of the path itself is empty). */
const char *provider_url_event(const struct provider *provider, struct slice suffix);

/* The rows, each in a file of its own. */
extern const struct provider provider_creads, provider_ricloud, provider_weavy;
extern const struct provider provider_standard_webhooks, provider_github, provider_stripe;
extern const struct provider provider_shopify, provider_gitlab, provider_gitea, provider_slack;
extern const struct provider provider_custom; /* says nothing: the configuration says all */

#endif
