/*
 * What no single value shows: checks values against each other, the files they name, and the
 * machine. Each finding is added at the path of the value that should change.
 *
 * A value that could not be read is NULL, 0 or empty here; a check that would conclude
 * something from that asks config_is_faulty first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libgen.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/authorities.h"
#include "common/file.h"
#include "common/net.h"

#include "bridge/config/internal.h"

enum { PATH_SIZE = 64, MAX_CLIENT_ID_311 = 23 };

/* Listeners */

struct listener {
    struct net_address address;
    char path[PATH_SIZE]; /* in the file */
};

/* Returns how many were added. */
static size_t add_listeners(const struct config_list *list, const char *path,
                            struct listener *out)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (net_parse_address(list->items[i], &out[count].address, NULL) == ST_OK) {
            (void)snprintf(out[count].path, sizeof(out[count].path), "%s[%zu]", path, i);
            count++;
        }
    }
    return count;
}

static bool collide(const struct net_address *a, const struct net_address *b)
{
    if (a->family != b->family || a->port != b->port) {
        return false;
    }
    if (a->family == NET_UNIX) {
        return strcmp(a->host, b->host) == 0;
    }
    return a->port != 0 &&
           (net_is_any(a) || net_is_any(b) || strcasecmp(a->host, b->host) == 0);
}

static void check_collisions(const struct listener *listeners, size_t count,
                             struct config_faults *faults)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (collide(&listeners[i].address, &listeners[k].address)) {
                config_fault(faults, listeners[i].path,
                             "is the same address as %s; each needs its own",
                             listeners[k].path);
                break;
            }
        }
    }
}

static void check_listeners(const struct config *config, struct config_faults *faults)
{
    size_t room = config->ingress.listen.count + config->admin.listen.count;
    struct listener *listeners = xalloc(room * sizeof(listeners[0]));
    size_t ingress = add_listeners(&config->ingress.listen, "ingress.listen", listeners);
    size_t admin = add_listeners(&config->admin.listen, "admin.listen", listeners + ingress);

    check_collisions(listeners, ingress + admin, faults);
    for (size_t i = ingress; i < ingress + admin; i++) {
        if (config->admin.token.len == 0 && !net_is_loopback(&listeners[i].address) &&
            !config_is_faulty(faults, "admin.token")) {
            config_fault(faults, listeners[i].path,
                         "other machines can reach this: it needs an admin.token");
        }
    }
    free(listeners);
}

/* The broker */

static bool has_tls_server(const struct config *config)
{
    for (size_t i = 0; i < config->mqtt.servers.count; i++) {
        const char *url = config->mqtt.servers.items[i];

        if (strncmp(url, "mqtts:", 6) == 0 || strncmp(url, "wss:", 4) == 0) {
            return true;
        }
    }
    return false;
}

static void check_tls_files(const struct config *config, bool partial,
                            struct config_faults *faults)
{
    struct reader reader = {.faults = faults, .optional = partial};
    const char *cert = config->mqtt.cert_file, *key = config->mqtt.key_file;

    buf_add_str(&reader.path, "mqtt.tls");
    config_check_pem(&reader, "ca_file", config->mqtt.ca_file, "CERTIFICATE");
    config_check_pem(&reader, "cert_file", cert, "CERTIFICATE");
    if (key || config_is_faulty(faults, "mqtt.tls")) {
        config_check_pem(&reader, "key_file", key, "PRIVATE KEY");
    } else {
        config_check_pem(&reader, "cert_file", cert,
                         "PRIVATE KEY"); /* one file may contain both */
    }
    buf_free(&reader.path);
}

/* The system's, or those that the environment names: a bundle that is not there is the environment's. */
static void warn_if_no_authorities(struct config_faults *faults)
{
    struct authorities system;

    if (!authorities_find(&system)) {
        config_warn(
            faults, "mqtt.tls.ca_file",
            "is not set, and this system has no certificate authorities: no mqtts:// or "
            "wss:// server will be trusted");
    } else if (system.bundle && access(system.bundle, R_OK) != 0) {
        config_warn(faults, "mqtt.tls.ca_file",
                    "is not set, and SSL_CERT_FILE names %s, which cannot be read: no mqtts:// "
                    "or wss:// server will be reached",
                    system.bundle);
    }
}

static void check_tls(const struct config *config, bool partial, struct config_faults *faults)
{
    const char *ca = config->mqtt.ca_file, *cert = config->mqtt.cert_file;
    const char *key = config->mqtt.key_file;

    check_tls_files(config, partial, faults);
    config_warn_if_world_readable("mqtt.tls.key_file", key, faults);
    if (key && !cert && !config_is_faulty(faults, "mqtt.tls.cert_file")) {
        config_fault(faults, "mqtt.tls.key_file",
                     "needs mqtt.tls.cert_file, the certificate that belongs to it");
    }
    if (!ca && has_tls_server(config) && !config_is_faulty(faults, "mqtt.tls")) {
        warn_if_no_authorities(faults);
    }
    if ((ca || cert || key) && !has_tls_server(config) &&
        !config_is_faulty(faults, "mqtt.servers")) {
        config_warn(faults, "mqtt.tls",
                    "is not used: no server begins with mqtts:// or wss://");
    }
}

static bool is_alphanumeric(const char *text)
{
    return text[strspn(
               text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")] == '\0';
}

static void check_mqtt(const struct config *config, bool partial, struct config_faults *faults)
{
    const char *id = config->mqtt.client_id;
    bool old = config->mqtt.version == 4;

    /* MQTT 3.1.1, [MQTT-3.1.3-5]: what every broker must take. */
    if (old && id && (strlen(id) > MAX_CLIENT_ID_311 || !is_alphanumeric(id))) {
        config_warn(faults, "mqtt.client_id",
                    "MQTT 3.1.1 brokers may refuse it: they need to take only 1 to 23 letters "
                    "and digits");
    }
    /* [MQTT-3.1.2-22]; MQTT 5 allows it. */
    if (old && config->mqtt.password.value.len > 0 && !config->mqtt.username &&
        !config_is_faulty(faults, "mqtt.username")) {
        config_fault(faults, "mqtt.password", "needs mqtt.username with MQTT 3.1.1");
    }
    check_tls(config, partial, faults);
}

/* The outbox */

static void check_outbox(const struct config *config, struct config_faults *faults)
{
    if (config->outbox.max_size < config->ingress.max_body &&
        !config_is_faulty(faults, "outbox.max_size")) {
        config_warn(faults, "outbox.max_size",
                    "is smaller than ingress.max_body: the largest webhooks never find room");
    }
}

void config_check_whole(struct config *config, bool partial, struct config_faults *faults)
{
    check_listeners(config, faults);
    if (!partial) { /* commands do not serve anybody */
        config_check_tls(config, faults);
    }
    check_mqtt(config, partial, faults);
    check_outbox(config, faults);
    config_check_sources(config, partial, faults);
}

/* 0, or the errno that opening or creating the outbox would meet. *out_at: the directory if
 * that is to blame. */
static int try_outbox(const char *path, const char *directory, const char **out_at)
{
    struct stat info;

    *out_at = directory;
    if (stat(directory, &info) != 0) {
        return errno;
    }
    if (!S_ISDIR(info.st_mode)) {
        return ENOTDIR;
    }
    if (access(directory, W_OK | X_OK) != 0) {
        return errno;
    }
    *out_at = path;
    if (access(path, R_OK | W_OK) != 0) {
        return errno == ENOENT ? 0 : errno; /* it will be created */
    }
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode) ? EISDIR : 0;
}

void config_check_machine(const struct config *config, struct config_faults *faults)
{
    const char *path = config->outbox.path, *at;
    char *copy = path ? xstrdup(path) : NULL;
    int error = path ? try_outbox(path, dirname(copy), &at) : 0;

    if (error != 0) {
        config_fault(faults, "outbox.path", "cannot be written: %s: %s", at, strerror(error));
    }
    free(copy);
    config_check_tls_dates(config, faults);
}
