#include "bridge/config_settings.h"

#include <inttypes.h>
#include <string.h>

#include "common/units.h"

#include "bridge/config.h"
#include "bridge/metrics.h"
#include "bridge/verify.h"

#define KIB(n)   ((int64_t)(n) << 10)
#define MIB(n)   ((int64_t)(n) << 20)
#define GIB(n)   ((int64_t)(n) << 30)
#define SEC(n)   ((int64_t)(n)*1000)
#define HOURS(n) SEC((n)*3600)
#define DAYS(n)  HOURS((int64_t)(n)*24)

/* Where a setting is stored. */
#define IN_CONFIG(member) .offset = offsetof(struct config, member)
#define IN_SOURCE(member) .offset = offsetof(struct config_source, member)
#define RANGE(low, high)  .min = (low), .max = (high)

enum { MAX_LISTENERS = 16, MAX_SERVERS = 16 };
/* MQTT 5.0 section 3.3.2.3.3: four bytes of seconds. */
#define MAX_EXPIRY SEC(4294967295)

static const struct setting_choice mqtt_versions[] = {{"5", 5}, {"3.1.1", 4}, {NULL, 0}};
static const struct setting_choice verify_choices[] = {
    {"signature", true}, {"none", false}, {NULL, 0}};

static const struct setting settings[] = {
    {.path = "$schema",
     .type = SETTING_IGNORED,
     .help = "Where an editor finds this file's schema; the bridge does not read it."},

    {.path = "ingress",
     .type = SETTING_OBJECT,
     .help = "The HTTP listener that takes webhooks."},
    {.path = "ingress.listen",
     .type = SETTING_ADDRESSES,
     IN_CONFIG(ingress.listen),
     .default_json = "[\"127.0.0.1:8080\"]",
     RANGE(1, MAX_LISTENERS),
     .help = "Addresses that take webhooks: host:port, [ipv6]:port or unix:/path."},
    {.path = "ingress.max_body",
     .type = SETTING_SIZE,
     IN_CONFIG(ingress.max_body),
     .default_json = "\"1MiB\"",
     RANGE(KIB(1), MIB(64)),
     .help = "The largest body that is accepted; a larger one is answered 413."},
    {.path = "ingress.max_connections",
     .type = SETTING_INT,
     IN_CONFIG(ingress.max_connections),
     .default_json = "4096",
     RANGE(1, 65536),
     .help = "How many connections may be open at once."},
    {.path = "ingress.request_timeout",
     .type = SETTING_TIME,
     IN_CONFIG(ingress.request_timeout_ms),
     .default_json = "\"10s\"",
     RANGE(100, HOURS(1)),
     .help = "How long one request may take from its first byte to its last."},
    {.path = "ingress.threads",
     .type = SETTING_INT,
     IN_CONFIG(ingress.threads),
     .default_json = "1",
     RANGE(1, 64),
     .help = "HTTP loops; one is enough for tens of thousands of webhooks a second."},

    {.path = "admin",
     .type = SETTING_OBJECT,
     .help = "The HTTP listener for operators: health, metrics and control."},
    {.path = "admin.listen",
     .type = SETTING_ADDRESSES,
     IN_CONFIG(admin.listen),
     .default_json = "[\"127.0.0.1:9180\"]",
     RANGE(0, MAX_LISTENERS),
     .help = "Addresses of the operators' listener, as ingress.listen; an empty list turns it "
             "off."},
    {.path = "admin.token",
     .type = SETTING_SECRET,
     IN_CONFIG(admin.token),
     .help = "The bearer token that metrics and control ask for; without it they are open to "
             "whoever can connect."},

    {.path = "mqtt",
     .type = SETTING_OBJECT,
     .help = "The broker that events are published to."},
    {.path = "mqtt.servers",
     .type = SETTING_SERVERS,
     IN_CONFIG(mqtt.servers),
     .default_json = "[\"mqtt://127.0.0.1:1883\"]",
     RANGE(1, MAX_SERVERS),
     .help = "Brokers, tried in turn: mqtt://, mqtts://, ws:// or wss://host:port."},
    {.path = "mqtt.version",
     .type = SETTING_CHOICE,
     IN_CONFIG(mqtt.version),
     .default_json = "\"5\"",
     .choices = mqtt_versions,
     .help = "The MQTT version to speak; 3.1.1 loses metadata and the reasons of refusals."},
    {.path = "mqtt.client_id",
     .type = SETTING_LEVEL,
     IN_CONFIG(mqtt.client_id),
     .default_json = "\"hook2mqtt\"",
     RANGE(1, 256),
     .help = "The client identifier; each bridge at one broker needs its own."},
    {.path = "mqtt.username",
     .type = SETTING_TEXT,
     IN_CONFIG(mqtt.username),
     RANGE(1, 65535),
     .help = "The user name to log in with."},
    {.path = "mqtt.password",
     .type = SETTING_SECRET,
     IN_CONFIG(mqtt.password),
     .help = "The password to log in with."},
    {.path = "mqtt.tls",
     .type = SETTING_OBJECT,
     .help = "Certificates for mqtts:// and wss:// servers."},
    {.path = "mqtt.tls.ca_file",
     .type = SETTING_FILE,
     IN_CONFIG(mqtt.ca_file),
     RANGE(1, 4095),
     .help = "PEM file of the authorities to trust; the system's if not set."},
    {.path = "mqtt.tls.cert_file",
     .type = SETTING_FILE,
     IN_CONFIG(mqtt.cert_file),
     RANGE(1, 4095),
     .help = "PEM file of the bridge's own certificate, for brokers that ask for one."},
    {.path = "mqtt.tls.key_file",
     .type = SETTING_FILE,
     IN_CONFIG(mqtt.key_file),
     RANGE(1, 4095),
     .help = "PEM file of that certificate's private key; not needed if cert_file holds it."},
    {.path = "mqtt.keep_alive",
     .type = SETTING_SECONDS,
     IN_CONFIG(mqtt.keep_alive_ms),
     .default_json = "\"30s\"",
     RANGE(SEC(1), SEC(65535)),
     .help = "How often to make sure that the broker is there; twice this without an answer is "
             "a lost connection."},
    {.path = "mqtt.max_in_flight",
     .type = SETTING_INT,
     IN_CONFIG(mqtt.max_in_flight),
     .default_json = "256",
     RANGE(1, 16000),
     .help = "How many events may wait for the broker's acknowledgement; never more than the "
             "broker allows."},
    {.path = "mqtt.bridge_topic",
     .type = SETTING_TOPIC,
     IN_CONFIG(mqtt.bridge_topic),
     .default_json = "\"hook2mqtt\"",
     RANGE(1, 1024),
     .help = "The bridge's own state, info and health go to <bridge_topic>/<client_id>/…"},

    {.path = "outbox", .type = SETTING_OBJECT, .help = "Where accepted webhooks are stored."},
    {.path = "outbox.path",
     .type = SETTING_TEXT,
     IN_CONFIG(outbox.path),
     .default_json = "\"/var/lib/hook2mqtt/outbox.db\"",
     RANGE(1, 4095),
     .help = "The outbox's file, on a local disk; its directory must exist and be writable."},
    {.path = "outbox.max_size",
     .type = SETTING_SIZE,
     IN_CONFIG(outbox.max_size),
     .default_json = "\"256MiB\"",
     RANGE(KIB(64), GIB(1024)),
     .help = "Room for events; when undelivered ones fill it, webhooks are answered 503."},
    {.path = "outbox.keep_delivered",
     .type = SETTING_TIME,
     IN_CONFIG(outbox.keep_delivered_ms),
     .default_json = "\"1h\"",
     RANGE(0, DAYS(365)),
     .help = "How long delivered events are kept, for replays and to know repeats after a "
             "restart."},
    {.path = "outbox.dedupe_window",
     .type = SETTING_TIME,
     IN_CONFIG(outbox.dedupe_window_ms),
     .default_json = "\"10m\"",
     RANGE(0, DAYS(365)),
     .help = "How long a repeat of a resource's newest event counts as a duplicate; 0s turns "
             "this off."},

    {.path = "sources",
     .type = SETTING_SOURCES,
     IN_CONFIG(sources),
     .required = true,
     RANGE(1, METRICS_MAX_SOURCES - 1),
     .help = "The webhooks to take, each at a path of its own."},
    {.path = "sources[].name",
     .type = SETTING_NAME,
     IN_SOURCE(name),
     .required = true,
     RANGE(1, 64),
     .help = "What logs, metrics and {source} call it."},
    {.path = "sources[].provider",
     .type = SETTING_PROVIDER,
     IN_SOURCE(provider),
     .required = true,
     .help = "The system that sends: how it signs and where its fields are."},
    {.path = "sources[].path",
     .type = SETTING_HTTP_PATH,
     IN_SOURCE(path),
     .required = true,
     RANGE(2, 512),
     .help = "The path that the provider posts to."},
    {.path = "sources[].secrets",
     .type = SETTING_SECRETS,
     IN_SOURCE(secrets),
     RANGE(1, VERIFY_MAX_SECRETS),
     .help = "Secrets that deliveries are signed with; any one of them verifies, so that they "
             "can be changed one after the other."},
    {.path = "sources[].verify",
     .type = SETTING_SWITCH,
     IN_SOURCE(verify),
     .default_json = "\"signature\"",
     .choices = verify_choices,
     .help = "\"none\" takes webhooks from anybody who knows the path."},
    {.path = "sources[].topic",
     .type = SETTING_TEMPLATE,
     IN_SOURCE(topic),
     RANGE(1, 1024),
     .help = "The topic of each event, with {source} {resource_type} {event} {action} {gid} "
             "{id} and {body.path.to.field}; the provider's own if not set."},
    {.path = "sources[].qos",
     .type = SETTING_INT,
     IN_SOURCE(qos),
     .default_json = "1",
     RANGE(0, 2),
     .help = "MQTT quality of service; 0 gives up at-least-once delivery."},
    {.path = "sources[].retain",
     .type = SETTING_BOOL,
     IN_SOURCE(retain),
     .default_json = "false",
     .help = "Whether the broker retains each event on its topic."},
    {.path = "sources[].state_topic",
     .type = SETTING_TEMPLATE,
     IN_SOURCE(state_topic),
     RANGE(1, 1024),
     .help = "A second topic that retains each resource's newest event; a deletion clears it."},
    {.path = "sources[].message_expiry",
     .type = SETTING_SECONDS,
     IN_SOURCE(message_expiry_ms),
     RANGE(SEC(1), MAX_EXPIRY),
     .help =
         "After this the broker drops an event that a subscriber has not fetched (MQTT 5)."},
};

/* Text may hold ${NAME}, so a pattern lets everything with one pass; what it becomes is checked
 * when it is read. */
#define VARIABLE      "\\\\$\\\\{[A-Za-z_][A-Za-z0-9_]*\\\\}"
#define TEXT_SCHEMA   "\"type\": \"string\", \"minLength\": 1"
#define PATTERN(p)    "\"type\": \"string\", \"pattern\": \"^(?:" p "|.*" VARIABLE ".*)$\""
#define LIST_OF(item) "\"type\": \"array\", \"items\": {" item "}"

static const struct setting_words words[SETTING_TYPE_COUNT] = {
    [SETTING_OBJECT] = {"an object in { }", "object", NULL},
    [SETTING_SOURCES] = {"a list of sources such as [{\"name\": …}]", "list of objects", NULL},
    [SETTING_IGNORED] = {"text in quotes", "text", "\"type\": \"string\""},
    [SETTING_BOOL] = {"true or false", "true, false", "\"type\": \"boolean\""},
    [SETTING_INT] = {"a whole number", "number", "\"type\": \"integer\""},
    [SETTING_SIZE] = {"a size such as \"64MiB\"", "size",
                      PATTERN("[0-9]+(?:B|kB|MB|GB|KiB|MiB|GiB)?")},
    [SETTING_TIME] = {"a time such as \"10m\"", "time", PATTERN("[0-9]+(?:ms|s|m|h|d)")},
    [SETTING_SECONDS] = {"a time such as \"30s\"", "time", PATTERN("[0-9]+(?:ms|s|m|h|d)")},
    [SETTING_SWITCH] = {"one of a few words", "word", NULL},
    [SETTING_CHOICE] = {"one of a few words", "word", NULL},
    [SETTING_NAME] = {"a name such as \"partners\"", "name",
                      PATTERN("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")},
    [SETTING_TEXT] = {"text in quotes", "text", TEXT_SCHEMA},
    [SETTING_FILE] = {"a file's path in quotes", "file", TEXT_SCHEMA},
    [SETTING_LEVEL] = {"text in quotes", "text", PATTERN("[^$+#/][^+#/]*")},
    [SETTING_TOPIC] = {"a topic such as \"hook2mqtt\"", "topic", PATTERN("[^$+#][^+#]*")},
    [SETTING_TEMPLATE] = {"a topic such as \"partners/{event}/{gid}\"", "topic template",
                          PATTERN("[^$+#][^+#]*")},
    [SETTING_HTTP_PATH] = {"a path such as \"/webhooks/partners\"", "path",
                           PATTERN("(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")},
    [SETTING_PROVIDER] = {"the name of a provider", "provider", NULL},
    [SETTING_ADDRESSES] =
        {"a list such as [\"127.0.0.1:8080\"]", "list of addresses",
         LIST_OF(PATTERN("unix:/.+|\\\\[[0-9A-Fa-f:.]+\\\\]:[0-9]+|[^:/\\\\[\\\\]]+:[0-9]+"))},
    [SETTING_SERVERS] = {"a list such as [\"mqtt://127.0.0.1:1883\"]", "list of servers",
                         LIST_OF(
                             PATTERN("(?:mqtts?://[^/@?#]+/?|wss?://[^/@?#]+(?:/[^?#]*)?)"))},
    [SETTING_SECRET] = {"a secret such as {\"env\": \"NAME\"} or {\"file\": \"PATH\"}",
                        "secret", "\"$ref\": \"#/$defs/secret\""},
    [SETTING_SECRETS] = {"a list such as [{\"env\": \"NAME\"}]", "list of secrets",
                         LIST_OF("\"$ref\": \"#/$defs/secret\"")},
};

const struct setting *setting_at(size_t i)
{
    return i < COUNT_OF(settings) ? &settings[i] : NULL;
}

/* Where the path's last part begins. */
static size_t key_offset(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot ? (size_t)(dot - path) + 1 : 0;
}

const char *setting_key(const struct setting *setting)
{
    return setting->path + key_offset(setting->path);
}

bool setting_is_below(const struct setting *setting, const char *parent)
{
    size_t offset = key_offset(setting->path);
    size_t parent_len = strlen(parent);

    if (offset == 0) {
        return parent_len == 0;
    }
    return parent_len == offset - 1 && memcmp(setting->path, parent, parent_len) == 0;
}

const struct setting *setting_find(const char *parent, struct slice key)
{
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        if (setting_is_below(&settings[i], parent) &&
            slice_equal(slice_of(setting_key(&settings[i])), key)) {
            return &settings[i];
        }
    }
    return NULL;
}

const struct setting_words *setting_words(enum setting_type type)
{
    return &words[type];
}

void setting_add_range(struct buf *out, const struct setting *setting)
{
    char low[32], high[32];

    switch (setting->type) {
    case SETTING_INT:
        buf_addf(out, "%" PRId64 " to %" PRId64, setting->min, setting->max);
        return;
    case SETTING_SIZE:
        units_format_size(setting->min, low);
        units_format_size(setting->max, high);
        buf_addf(out, "%s to %s", low, high);
        return;
    case SETTING_TIME:
    case SETTING_SECONDS:
        units_format_time(setting->min, low);
        units_format_time(setting->max, high);
        buf_addf(out, "%s to %s", low, high);
        return;
    case SETTING_SOURCES:
    case SETTING_ADDRESSES:
    case SETTING_SERVERS:
    case SETTING_SECRETS:
        buf_addf(out, "%" PRId64 " to %" PRId64 " items", setting->min, setting->max);
        return;
    default: /* its range is its grammar */
        return;
    }
}
