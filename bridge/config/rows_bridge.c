/*
 * The rows of everything but the sources; see rows.h for how they are written.
 */
#include "bridge/config/rows.h"

enum { MAX_LISTENERS = 16, MAX_SERVERS = 16 };

static const struct setting_choice mqtt_versions[] = {{"5", 5}, {"3.1.1", 4}, {NULL, 0}};

/* The files of a listener's TLS. NOLINTBEGIN(bugprone-macro-parentheses): it names a member. */
#define LISTENER_TLS_ROWS(listener)                                                            \
    ROW(#listener ".tls.cert_file", FILE, CONFIG(listener.tls.cert_file), NULL, 1, 4095,       \
        "PEM file of the server's certificate and those that lead to its authority, in this "  \
        "order; read again when it changes.",                                                  \
        .required = true),                                                                     \
        ROW(#listener ".tls.key_file", FILE, CONFIG(listener.tls.key_file), NULL, 1, 4095,     \
            "PEM file of that certificate's private key; not needed if cert_file contains "    \
            "it."),                                                                            \
        ROW(#listener ".tls.client_ca_file", FILE, CONFIG(listener.tls.client_ca_file), NULL,  \
            1, 4095,                                                                           \
            "PEM file of the authorities of client certificates; if set, every client must "   \
            "show one.")
/* NOLINTEND(bugprone-macro-parentheses) */

const struct setting settings_of_bridge[] = {
    ROW("$schema", IGNORED, .home = HOME_CONFIG, NULL, 0, 0,
        "Where an editor finds this file's schema; the bridge does not read it."),

    OBJECT(HOME_CONFIG, "ingress", "The HTTP listener that takes webhooks."),
    ROW("ingress.listen", ADDRESSES, CONFIG(ingress.listen), "[\"127.0.0.1:8080\"]", 1,
        MAX_LISTENERS, "Addresses that take webhooks: host:port, [ipv6]:port or unix:/path."),
    OBJECT(HOME_CONFIG, "ingress.tls", "TLS for webhooks; unix sockets stay without."),
    LISTENER_TLS_ROWS(ingress),
    ROW("ingress.max_body", SIZE, CONFIG(ingress.max_body), "\"1MiB\"", KIB(1),
        CONFIG_MAX_BODY_BYTES,
        "The largest body that is accepted; a larger one is answered 413. If it is not set, "
        "sources "
        "of providers that publish a larger limit of their own take that."),
    ROW("ingress.max_connections", INT, CONFIG(ingress.max_connections), "4096", 1, 65536,
        "How many connections may be open at once."),
    ROW("ingress.request_timeout", TIME, CONFIG(ingress.request_timeout_ms), "\"10s\"", 100,
        HOURS(1),
        "How long a request may take, counted from the opening of its connection or, on a kept "
        "connection, from its first byte."),
    ROW("ingress.keep_alive", TIME, CONFIG(ingress.keep_alive_ms), "\"75s\"", SEC(1), HOURS(1),
        "How long a connection may be silent between two requests, here and at the operators' "
        "listener; longer than clients and proxies keep theirs, or they meet a closed one."),
    ROW("ingress.threads", INT, CONFIG(ingress.threads), "1", 1, 64,
        "HTTP loops; one is enough for tens of thousands of webhooks a second."),

    OBJECT(HOME_CONFIG, "admin",
           "The HTTP listener for operators: health, metrics and control."),
    ROW("admin.listen", ADDRESSES, CONFIG(admin.listen), "[\"127.0.0.1:9180\"]", 0,
        MAX_LISTENERS,
        "Addresses of the operators' listener, as ingress.listen; an empty list turns it off."),
    ROW("admin.token", SECRET, CONFIG(admin.token), NULL, 0, 0,
        "The bearer token that metrics and control ask for. Without it they are open to every "
        "program on this machine, and other machines must not reach the listener."),
    OBJECT(HOME_CONFIG, "admin.tls", "TLS for operators; unix sockets stay without."),
    LISTENER_TLS_ROWS(admin),

    OBJECT(HOME_CONFIG, "mqtt", "The broker that events are published to."),
    ROW("mqtt.servers", SERVERS, CONFIG(mqtt.servers), "[\"mqtt://127.0.0.1:1883\"]", 1,
        MAX_SERVERS, "Brokers, tried in turn: mqtt://, mqtts://, ws:// or wss://host:port."),
    ROW("mqtt.version", CHOICE, CONFIG(mqtt.version), "\"5\"", 0, 0,
        "The MQTT version to speak; 3.1.1 loses metadata and the reasons of refusals.",
        .choices = mqtt_versions),
    ROW("mqtt.client_id", LEVEL, CONFIG(mqtt.client_id), "\"hook2mqtt\"", 1, 256,
        "The client identifier; each bridge at one broker needs its own."),
    ROW("mqtt.username", TEXT, CONFIG(mqtt.username), NULL, 1, 65535,
        "The user name to log in with."),
    ROW("mqtt.password", LIVE_SECRET, CONFIG(mqtt.password), NULL, 0, 0,
        "The password to log in with; a file is read at each connect."),
    OBJECT(HOME_CONFIG, "mqtt.tls", "Certificates for mqtts:// and wss:// servers."),
    ROW("mqtt.tls.ca_file", FILE, CONFIG(mqtt.ca_file), NULL, 1, 4095,
        "PEM file of the authorities to trust, read at each connect; the system's if not set."),
    ROW("mqtt.tls.cert_file", FILE, CONFIG(mqtt.cert_file), NULL, 1, 4095,
        "PEM file of the bridge's own certificate, for brokers that ask for one."),
    ROW("mqtt.tls.key_file", FILE, CONFIG(mqtt.key_file), NULL, 1, 4095,
        "PEM file of that certificate's private key; not needed if cert_file contains it."),
    ROW("mqtt.keep_alive", SECONDS, CONFIG(mqtt.keep_alive_ms), "\"30s\"", SEC(1), SEC(65535),
        "How often to make sure that the broker is there; twice this without an answer is a "
        "lost connection."),
    ROW("mqtt.max_in_flight", INT, CONFIG(mqtt.max_in_flight), "256", 1, 16000,
        "How many events may wait for the broker's acknowledgement; never more than the broker "
        "allows."),
    ROW("mqtt.bridge_topic", TOPIC, CONFIG(mqtt.bridge_topic), "\"hook2mqtt\"", 1, 1024,
        "The bridge's own state, info and health go to <bridge_topic>/<client_id>/…"),

    OBJECT(HOME_CONFIG, "outbox", "Where accepted webhooks are stored."),
    ROW("outbox.path", TEXT, CONFIG(outbox.path), "\"/var/lib/hook2mqtt/outbox.db\"", 1, 4095,
        "The outbox's file, on a local disk; its directory must exist and be writable."),
    ROW("outbox.max_size", SIZE, CONFIG(outbox.max_size), "\"256MiB\"", KIB(64), GIB(1024),
        "Room for events; when undelivered ones fill it, webhooks are answered 503."),
    ROW("outbox.keep_delivered", TIME, CONFIG(outbox.keep_delivered_ms), "\"1h\"", 0, DAYS(365),
        "How long delivered events are kept for replays."),
    ROW("outbox.dedupe_window", TIME, CONFIG(outbox.dedupe_window_ms), NULL, 0, DAYS(365),
        "How long a delivery, sent again, is a repeat, for sources that set no dedupe_window "
        "and "
        "whose provider has none: 1d by id and 10m by body if not set; 0s turns it off."),
    ROW("outbox.dedupe_entries", INT, CONFIG(outbox.dedupe_entries), "262144", 1, 16777216,
        "How many of the newest deliveries are remembered to know repeats, in memory and, for "
        "the next start, on disk: about 75 and 65 bytes each."),
};
const size_t settings_of_bridge_count = COUNT_OF(settings_of_bridge);
