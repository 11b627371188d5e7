/*
 * config - the configuration file, read and checked; and what it says, as plain values.
 *
 * config_settings.c holds the table: one row per setting drives reading, checking, `help
 * config` and the JSON Schema. Every fault is reported, not only the first, each as
 * `path.to.key: what is wrong`.
 *
 * The file is JSON by RFC 8259 with comments (`//` to the end of the line, and as in C). In any
 * text `${NAME}` stands for an environment variable, `$${` for a literal `${`. A secret is
 * {"env": "NAME"}, {"file": "PATH"} (one newline at its end does not count), or text. Relative
 * paths are relative to where the program was started.
 */
#ifndef BRIDGE_CONFIG_H
#define BRIDGE_CONFIG_H

#include "common/buf.h"
#include "common/err.h"

#include "bridge/provider.h"

struct config_list {
    char **items;
    size_t count;
};

/* NULL text: not set. All text is NUL-terminated and holds no NUL; secrets are bytes. */
struct config_source {
    char *name;
    const struct provider *provider;
    char *path;
    bool verify; /* false: "verify": "none" */
    struct buf *secrets;
    size_t secret_count;
    char *topic;
    int64_t qos;
    bool retain;
    char *state_topic;
    int64_t message_expiry_ms; /* 0: none */
};

struct config {
    struct {
        struct config_list listen;
        int64_t max_body;
        int64_t max_connections;
        int64_t request_timeout_ms;
        int64_t threads;
    } ingress;
    struct {
        struct config_list listen;
        struct buf token; /* empty: none */
    } admin;
    struct {
        struct config_list servers;
        int64_t version; /* 5 or 4 */
        char *client_id;
        char *username;
        struct buf password;
        char *ca_file, *cert_file, *key_file;
        int64_t keep_alive_ms;
        int64_t max_in_flight;
        char *bridge_topic;
    } mqtt;
    struct {
        char *path;
        int64_t max_size;
        int64_t keep_delivered_ms;
        int64_t dedupe_window_ms;
    } outbox;
    struct config_source *sources;
    size_t source_count;
};

/* One finding: path such as sources[0].topic ("" for the file as a whole), and one sentence. */
struct config_fault {
    bool warning; /* works, but somebody should look */
    char *path;
    char *text;
};
struct config_faults {
    struct config_fault *items;
    size_t count;
    size_t error_count; /* those that are no warnings */
};

/* Main thread. Reads the file and every file it names. Gives *out_config for config_destroy if
 * there was no error (warnings may be there); out_faults is filled in every case:
 * config_faults_free. ST_INVALID with faults, or ST_IO/ST_NOT_FOUND (also as a fault) if the
 * file itself cannot be read. */
enum status config_load(const char *path, struct config **out_config,
                        struct config_faults *out_faults) MUST_USE;
/* Main thread. The same for `check`, which wants to know still more: could the bridge run here,
 * as this user. */
enum status config_check(const char *path, struct config_faults *out_faults) MUST_USE;
/* Main thread. As config_load, for commands that only look or talk to a running bridge:
 * whatever is outside the file and cannot be had (an unset variable or an unreadable file of a
 * secret, an unreadable certificate or key file) is a warning at its path instead of an error.
 * Such a secret is left empty, and stays in its place in the list; who needs it looks. */
enum status config_load_lenient(const char *path, struct config **out_config,
                                struct config_faults *out_faults) MUST_USE;
void config_destroy(struct config *config); /* wipes the secrets */
void config_faults_free(struct config_faults *faults);

/* Prints the settings table for people (Markdown), and the JSON Schema (draft 2020-12), both
 * from the same rows. */
void config_write_table(struct buf *out);
void config_write_schema(struct buf *out);

#endif
