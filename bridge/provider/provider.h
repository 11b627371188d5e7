/*
 * provider - how a webhook system signs, where its fields are, what it sends, as data. Pure;
 * any thread.
 *
 * A preset is a file, presets/<name>.json, in the language of a source in the configuration.
 * Adding a provider is adding one: the build embeds whatever is in that folder. config merges a
 * source's own keys over its preset and reads the result into a struct provider, which is what
 * verify and parse work with. Where a provider needs what no key can describe yet, the key is
 * added to the settings table (config/rows_source.c) and read in verify or parse.
 */
#ifndef BRIDGE_PROVIDER_PROVIDER_H
#define BRIDGE_PROVIDER_PROVIDER_H

#include "common/buf.h"

/* In each enum 0 means "not set". */
enum provider_scheme {
    SCHEME_UNSET,
    SCHEME_NONE,  /* proves nothing; a source must ask for it */
    SCHEME_TOKEN, /* the header's value is the secret */
    SCHEME_HMAC,
};
/* The algorithms: name, word in the configuration (and for OpenSSL), bytes of the MAC. */
#define PROVIDER_ALGORITHMS(X)                                                                 \
    X(SHA1, "sha1", 20)                                                                        \
    X(SHA256, "sha256", 32)                                                                    \
    X(SHA512, "sha512", 64)
enum provider_algorithm {
    ALGORITHM_UNSET,
#define PROVIDER_ALGORITHM(name, word, mac_len) ALGORITHM_##name,
    PROVIDER_ALGORITHMS(PROVIDER_ALGORITHM)
#undef PROVIDER_ALGORITHM
};
/* What the signature's header looks like. */
enum provider_form {
    FORM_UNSET,
    /* 3c980c81… */
    FORM_PLAIN,
    /* sha256=3c980c81…: `mark` is the text before the signature. */
    FORM_PREFIX,
    /* t=1614265330,v1=…,v1=…: a list of pairs, each split at its first `=`. `mark` is the key of
     * the signatures; there may be several. */
    FORM_PAIRS,
    /* v1,g0hM9… v1a,…: a list of version,signature, separated by spaces. `mark` is the
     * version. */
    FORM_VERSIONS,
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
    SKEW_PAST, /* only old timestamps are refused */
    SKEW_BOTH, /* and those from the future */
};
/* What makes a delivery a repeat of an earlier one of its source. */
enum provider_dedupe {
    DEDUPE_UNSET, /* as the fields allow: by a delivery id, or nothing */
    DEDUPE_NONE,  /* nothing does */
    /* The same delivery id; where the signature does not cover it, all that is proven must be
     * equal as well. A delivery without an id is no repeat. */
    DEDUPE_ID,
    /* All that is proven equals the newest event of the same resource. */
    DEDUPE_BODY,
};
/* How {timestamp} is written. */
enum provider_timestamp {
    TIMESTAMP_UNSET,        /* as the next one */
    TIMESTAMP_SECONDS,      /* decimal, since 1970 */
    TIMESTAMP_MILLISECONDS, /* likewise */
    /* 2026-01-31T23:59:59.042Z, or with an offset, -07:00. The fraction is optional and has at
     * most nine digits. */
    TIMESTAMP_RFC3339,
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
    /* FORM_PAIRS: what separates two of them, `,` or `;`; '\0': a comma. */
    char separator;
    /* FORM_PAIRS: the header holds the timestamp and then one signature, nothing else. */
    bool ordered;
    /* What is signed, of {body}, {timestamp}, {id} and text between them; each at most once. */
    const char *message;
    /* Where {timestamp} is: a header, or a key of FORM_PAIRS. */
    const char *timestamp_header, *timestamp_key;
    enum provider_timestamp timestamp_format;
    /* How far the timestamp may be from now, in whole seconds; 0: any; -1: not set. */
    int64_t tolerance_ms;
    const char *id_header; /* where {id} is */
};

/* Field templates. A template is text with variables:
 * - {body.path.to.field}: a string of the body, or a number or a boolean as it is spelled (a delivery
 *   id is no boolean). The path is one of common/json.h.
 * - {header.Name}: a header that the delivery has exactly once.
 * - {url}: what follows the source's path, or the event that `url_events` has for it.
 *
 * Alternatives are separated by `|`: the first one whose variables are all present applies. An
 * empty last one lets the field be missing. NULL, or `|` alone: the provider has no such
 * field. */
struct provider_fields {
    const char *event;
    const char *resource_type; /* NULL: what precedes the last dot of the event, or all of it */
    const char *gid;
    const char *delivery_id; /* may be missing in a delivery */
    const char *event_time;  /* as date.h reads it; may be missing */
    /* The event by which the resource is gone: literally, or `*.deleted` for all that
     * end so. */
    const char *deletion_event;
};

/* A delivery that is not an event but wants a value of its body back: {"challenge": "…"}. Paths
 * into the body; NULL: the provider has none. */
struct provider_challenge {
    const char *field, *value; /* it is one if this field has this value */
    const char *echo;
};

/* Deliveries at <source path>/<suffix> are of this event. */
struct provider_url_event {
    const char *suffix; /* NULL ends a list */
    const char *event;
};

/* A realistic delivery, as templates in which @EVENT@, @ACTION@ (what follows its last dot),
 * @TYPE@, @GID@, @NOW@, @UNIX@ (seconds), @UUID@ (of the delivery) and @N@ (a number that makes
 * each sent body unique) are replaced. In the body the strings "@GID_VALUE@", "@UNIX_VALUE@"
 * and "@N_VALUE@" become numbers (the gid only if it is one). Where a body does not contain
 * @N@, two deliveries for one gid are the same bytes. */
struct provider_sample {
    const char *resource_type; /* NULL ends a list */
    const char *const *events; /* the events that look like this, NULL-terminated */
    const char *body;          /* JSON */
    const char *headers;       /* lines `Name: value` between \n; NULL: none */
    const char *gid_form;      /* NULL: the provider's */
    const char *suffix;        /* NULL: of url_events, or the provider's */
};

struct provider {
    const char *name;  /* of the preset */
    const char *title; /* for people */
    struct provider_signature signature;
    struct provider_fields fields;
    struct provider_challenge challenge;
    const char *topic; /* the preset's, or the source's own */
    enum provider_dedupe dedupe;
    /* How long: what the provider publishes of its retries; -1: not set. */
    int64_t dedupe_window_ms;
    /* Paths in the body whose values are kept out of all that is stored and published; NULL: none. */
    const char *const *mask;
    int64_t max_body; /* bytes that it sends at most, as published; 0: not known */
    /* It posts to <path>/<anything>, too. */
    bool takes_suffix;
    /* NULL: the suffix is the event's name itself. */
    const struct provider_url_event *url_events;

    /* Registration: the API's base URL, NULL: unknown; and whether registering creates the
     * secret, so that its file may be missing until then. */
    const char *api_url;
    bool issues_secret;

    const struct provider_sample *samples; /* NULL: none */
    /* The samples are examples; other events are as well known. */
    bool open_catalogue;
    /* What samples have in common. */
    const char *sample_suffix; /* what it appends to the path; NULL: nothing */
    /* What it writes behind 2014-09-08T22:47:31 for UTC; NULL: nothing. */
    const char *time_zone;
    /* What a gid looks like: # is a lower-case hex digit, ? a decimal one, all else stands for
     * itself; at most 63 characters, 32 of them random. */
    const char *gid_form;
};

/* ---- presets ---- */

/* An embedded preset; the table ends with name NULL, and is sorted by name. */
struct provider_preset {
    const char *name;
    const char *text; /* the file as it is, comments included */
};
extern const struct provider_preset provider_presets[];
extern const size_t provider_preset_count;

/* Finds by exact name; NULL: unknown. */
const struct provider_preset *provider_find(struct slice name);

/* ---- events ---- */

/* True if the catalogue lists this pair, or is open. resource_type is compared after
 * lower-casing and dropping all but letters and digits (project_message, project-message and
 * ProjectMessage are one); others pass through the bridge just as well, but are counted and
 * logged once. */
bool provider_knows(const struct provider *provider, struct slice resource_type,
                    struct slice event);

/* The resource type of an event whose provider has no field for it: what precedes the last dot,
 * or all of it. Borrows from event. */
struct slice provider_type_of(struct slice event);
/* True if the event is the provider's deletion_event. */
bool provider_is_deletion(const struct provider *provider, struct slice event);

/* ---- url.c: which source and event a path belongs to ---- */

/* Does path lie below the source's path, where the provider posts? */
bool provider_url_is_below(const struct provider *provider, struct slice source_path,
                           struct slice path);
/* What follows the source's path, without the slashes before and behind it; absent: nothing. */
struct slice provider_url_rest(struct slice source_path, struct slice path);
/* Is this suffix taken? Where url_events lists the events, other suffixes (and the path itself,
 * whose suffix is empty) do not exist. */
bool provider_url_takes(const struct provider *provider, struct slice suffix);
/* The event that url_events has at this suffix, and the suffix that it has for an event; NULL:
 * none. */
const char *provider_url_event(const struct provider *provider, struct slice suffix);
const char *provider_url_suffix(const struct provider *provider, const char *event);

/* ---- sample.c: sample deliveries ---- */

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
/* A delivery that a sample makes, but for the signature: end it with provider_made_fini. */
struct provider_made {
    struct buf body;
    struct buf headers; /* `Name: value`, separated by \n, without one at the end */
    struct buf suffix;  /* of the path, percent-encoded; no slash before it */
};
/* Any event and gid will do. Replaces what *made holds. */
void provider_make(const struct provider *provider, const struct provider_sample *sample,
                   const struct provider_sample_values *values, struct provider_made *made);
void provider_made_fini(struct provider_made *made);

#endif
