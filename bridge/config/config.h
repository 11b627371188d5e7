/*
 * config - the configuration file, read and checked, as plain values.
 *
 * rows_*.c are the table: one row per setting drives reading, checking, `help config` and the
 * JSON Schema. A source is its provider's preset with its own keys merged over it (RFC 7396).
 * Every fault is reported, not only the first, each as `path.to.key: what is wrong`.
 *
 * The file is JSON by RFC 8259 with comments (`//` to the end of the line, and as in C). In any
 * text `${NAME}` stands for an environment variable, `$${` for a literal `${`. A secret is
 * {"env": "NAME"}, {"file": "PATH"} (one newline at its end does not count), or text. Relative
 * paths are relative to where the program was started.
 *
 * A variable is the process's own, or else one of the environment file, which is read with each
 * configuration.
 */
#ifndef BRIDGE_CONFIG_CONFIG_H
#define BRIDGE_CONFIG_CONFIG_H

#include <stdatomic.h>

#include "common/buf.h"
#include "common/err.h"

#include "bridge/parse/parse.h"
#include "bridge/provider/provider.h"

struct config_list {
    char **items;
    size_t count;
};

/* Bytes, and where they were read from. An empty value is no secret: it could not be read (see
 * config_load_partial), or was not issued yet. Whoever makes a verifier skips it. A new member
 * that owns memory is freed in free_secrets (settings.c) and config_read_secret (secret.c). */
struct config_secret {
    struct buf value;
    char *file; /* NULL: not from a file */
    /* The file is not there, or there is nothing in it: a provider that issues_secret will
     * bring it. */
    bool missing, empty;
    struct buf latest; /* under config's own lock: see config_note_secret */
};

/* What no setting lets pass; http reads no larger body for any source. */
enum { CONFIG_MAX_BODY_BYTES = 64 << 20 };

/* A listener's TLS; without a cert_file it has none. */
struct config_tls {
    char *cert_file, *key_file, *client_ca_file;
};

/* NULL text: not set. All text is NUL-terminated and contains no NUL; secrets are bytes. */
struct config_source {
    char *name;
    const struct provider *preset; /* as it is; shared */
    /* The preset with this source's own keys merged over it; everyone else uses this. Owned,
     * but for samples that are the preset's. With "verify": "none" its signature is SCHEME_NONE
     * and nothing else. */
    struct provider *provider;
    bool *is_set; /* config's own; see config_is_set */
    char *path;
    /* Set in every case: the source's own; or ingress.max_body, if the file sets that; or what
     * its provider sends at most; or ingress.max_body by default. */
    int64_t max_body;
    bool verify; /* false: "verify": "none" */
    struct config_secret *secrets;
    size_t secret_count;
    /* Headers and the URL may decide about deletions, times and topics, though the signature
     * does not cover them. */
    bool trust_unsigned;
    /* Do these fields count? They do if the signature covers them, if the source itself says
     * where an event, a type or a gid is, or with trust_unsigned. A delivery id counts by itself
     * only if the signature covers it. */
    bool trusted[PARSE_FIELDS];
    /* What is a repeat, and for how long. Set in every case; DEDUPE_NONE if the window is 0. */
    enum provider_dedupe dedupe;
    int64_t dedupe_window_ms;
    /* Set in every case; borrowed from the provider, unless it is the fallback. */
    const char *topic;
    int64_t qos;
    bool retain;
    char *state_topic;
    int64_t message_expiry_ms; /* 0: none */
    /* For `provider …`: how to reach the provider's API, and how the provider reaches us. URLs
     * have no slash at their end. What of it cannot be had is a warning: the bridge does not
     * need it. */
    char *public_url; /* of the path, as the provider sees it */
    struct {
        const char *url; /* the source's own; NULL: the provider's */
        struct buf token;
        char *username;
        struct buf password;
        char *project_code;
        char *state_file; /* set in every case: by default beside the outbox */
        char *ca_file;
    } api;
};

struct config {
    struct {
        struct config_list listen;
        int64_t max_body;
        bool max_body_is_set; /* by the file; else it is the default */
        int64_t max_connections;
        int64_t request_timeout_ms;
        int64_t keep_alive_ms; /* of both listeners */
        int64_t threads;
        struct config_tls tls;
    } ingress;
    struct {
        struct config_list listen;
        struct buf token; /* empty: none */
        struct config_tls tls;
    } admin;
    struct {
        struct config_list servers;
        int64_t version; /* 5 or 4 */
        char *client_id;
        char *username;
        struct config_secret password;
        char *ca_file, *cert_file, *key_file;
        int64_t keep_alive_ms;
        int64_t max_in_flight;
        char *bridge_topic;
    } mqtt;
    struct {
        char *path;
        int64_t max_size;
        int64_t keep_delivered_ms;
        int64_t dedupe_window_ms; /* -1: not set */
        int64_t dedupe_entries;
    } outbox;
    struct config_source *sources;
    size_t source_count;
    struct config_preset *presets; /* those that sources name; config's own */
    atomic_uint more_references;   /* beside the first one; config_hold and config_destroy */
};

/* One finding: path such as sources[0].topic ("" for the file as a whole), and one sentence. */
struct config_fault {
    bool warning; /* works, but somebody should look */
    bool outside; /* about what the file asks for from outside, which may still come */
    char *path;
    char *text;
};
struct config_faults {
    struct config_fault *items;
    size_t count;
    size_t error_count; /* those that are no warnings */
};

/* Main thread, at the start. Names the environment file, which must then be there; NULL: the
 * `environment` beside each configuration, if it is there. Borrows. */
void config_use_environment(const char *path);
/* Main thread, before others start. Also sets the file's variables for the libraries, such as
 * SSL_CERT_FILE, where the process has none of its own. They are not the process's own for the
 * configurations that are read later. */
void config_export_environment(const char *config_path);

/* Main thread. Reads the file and every file it names. Gives *out_config for config_destroy if
 * there was no error (warnings may be there); out_faults is filled in every case:
 * config_faults_free. ST_INVALID with faults, or ST_IO/ST_NOT_FOUND (also as a fault) if the
 * file itself cannot be read. */
enum status config_load(const char *path, struct config **out_config,
                        struct config_faults *out_faults) MUST_USE;
/* Main thread. The same for `check`, which wants to know still more: could the bridge run here,
 * as this user, and do the samples make the events that they name. */
enum status config_check(const char *path, struct config_faults *out_faults) MUST_USE;
/* Main thread. As config_load, for commands that only look or talk to a running bridge:
 * whatever is outside the file and cannot be had (an unset variable or an unreadable file of a
 * secret, an unreadable certificate or key file) is a warning at its path instead of an error.
 * Such a secret is left empty, and stays in its place in the list; who needs it looks. */
enum status config_load_partial(const char *path, struct config **out_config,
                                struct config_faults *out_faults) MUST_USE;
/* Any thread. References: a config is freed, and its secrets are wiped, with the last one. The
 * one that config_load gave counts. config_destroy drops one; NULL is allowed. */
struct config *config_hold(struct config *config);
void config_destroy(struct config *config);

/* Any thread. Adds a source's i-th secret to out, read again if it is from a file.
 * ST_NOT_FOUND: there is no such file; ST_IO: it cannot be read now; others: it contains
 * nothing that could be a secret of this provider. */
enum status config_read_secret_again(const struct config_source *source, size_t i,
                                     struct buf *out, struct err *err) MUST_USE;
/* Any thread. What a source's i-th secret, from a file, has become since the configuration was
 * read; for config_keep_secrets. */
void config_note_secret(const struct config_source *source, size_t i, struct slice value);
/* Main thread, before config is used. Where a secret's file is missing or empty in config, but
 * was read for the same source before, what was read last stays. */
void config_keep_secrets(struct config *config, const struct config *before);

/* Main thread. The settings outside of `sources`, admin.token and a listener's certificates that differ, by their path:
 * what a running bridge cannot change. Adds "outbox.max_size, mqtt.servers" to out; nothing if
 * there are none. */
void config_list_changes(const struct config *before, const struct config *after,
                         struct buf *out);
/* Main thread. May admin.token change without a restart? Only if the listeners stay: another
 * token, or none, may be right for the new ones alone. */
bool config_admin_token_is_live(const struct config *before, const struct config *after);

/* Main thread. May the listener's certificates change without a restart? Not between TLS and none. */
bool config_tls_is_live(const struct config_tls *before, const struct config_tls *after);

/* Main thread. Every error is about something outside of the file: trying again may help. */
bool config_may_pass(const struct config_faults *faults);

void config_faults_free(struct config_faults *faults);

/* Main thread. A provider's preset by itself, whatever is wrong in it added to faults. Gives a
 * provider for config_preset_destroy. */
struct provider *config_preset_create(const struct provider_preset *preset,
                                      struct config_faults *faults);
void config_preset_destroy(struct provider *preset);

/* Any thread. May text stand as a URL in the configuration: http or https, a host, a path, no
 * query? Else err says what is wrong, such as `must end behind the path`. Pure. */
enum status config_check_url(const char *url, struct err *err) MUST_USE;

/* Adds the settings table for people (Markdown), and the JSON Schema (draft 2020-12), both
 * from the same rows. */
void config_write_table(struct buf *out);
void config_write_schema(struct buf *out);

#endif
