/*
 * The rows of the sources. What is stored in PROVIDER or SAMPLE a preset may set as well.
 */
#include "bridge/config/rows.h"

#include "bridge/metrics.h"
#include "bridge/parse/route.h"
#include "bridge/verify/verify.h"

/* MQTT 5.0 section 3.3.2.3.3: four bytes of seconds. */
#define MAX_EXPIRY SEC(4294967295)

static const struct setting_choice verify_choices[] = {
    {"signature", true}, {"none", false}, {NULL, 0}};

static const struct setting_choice schemes[] = {
    {"hmac", SCHEME_HMAC}, {"token", SCHEME_TOKEN}, {"none", SCHEME_NONE}, {NULL, 0}};
#define ALGORITHM_CHOICE(name, word, mac_len) {word, ALGORITHM_##name},
static const struct setting_choice algorithms[] = {
    PROVIDER_ALGORITHMS(ALGORITHM_CHOICE){NULL, 0}};
static const struct setting_choice forms[] = {{"plain", FORM_PLAIN},
                                              {"prefix", FORM_PREFIX},
                                              {"pairs", FORM_PAIRS},
                                              {"versions", FORM_VERSIONS},
                                              {NULL, 0}};
static const struct setting_choice encodings[] = {
    {"hex", ENCODING_HEX}, {"base64", ENCODING_BASE64}, {NULL, 0}};
static const struct setting_choice keys[] = {
    {"text", KEY_TEXT}, {"base64", KEY_BASE64}, {"whsec", KEY_WHSEC}, {NULL, 0}};
static const struct setting_choice separators[] = {{",", ','}, {";", ';'}, {NULL, 0}};
static const struct setting_choice timestamps[] = {{"seconds", TIMESTAMP_SECONDS},
                                                   {"milliseconds", TIMESTAMP_MILLISECONDS},
                                                   {"rfc3339", TIMESTAMP_RFC3339},
                                                   {NULL, 0}};
static const struct setting_choice skews[] = {
    {"past", SKEW_PAST}, {"both", SKEW_BOTH}, {NULL, 0}};

static const struct setting_choice dedupes[] = {
    {"id", DEDUPE_ID}, {"body", DEDUPE_BODY}, {"none", DEDUPE_NONE}, {NULL, 0}};

const struct setting settings_of_source[] = {
    ROW("sources", SOURCES, CONFIG(sources), NULL, 1, METRICS_MAX_SOURCES - 1,
        "The webhooks to take, each at a path of its own.", .required = true),
    ROW("sources[].name", NAME, SOURCE(name), NULL, 1, 64,
        "What logs, metrics and {source} call it.", .required = true),
    ROW("sources[].provider", PROVIDER, PROVIDER(name), NULL, 0, 0,
        "The system that sends: its preset (hook2mqtt provider show) is what the source's own "
        "keys are merged over; null takes a value of it out.",
        .required = true),
    ROW("sources[].path", HTTP_PATH, SOURCE(path), NULL, 2, 512,
        "The path that the provider posts to; a slash behind it makes no difference.",
        .required = true),
    ROW("sources[].max_body", SIZE, PROVIDER(max_body), NULL, KIB(1), CONFIG_MAX_BODY_BYTES,
        "The largest body that this source accepts; ingress.max_body, or what the provider "
        "sends at "
        "most, if not set."),
    ROW("sources[].secrets", SECRETS, SOURCE(secrets), NULL, 1, VERIFY_MAX_SECRETS,
        "Secrets that deliveries are signed with; any one of them verifies, so that they can "
        "be changed one after the other."),
    ROW("sources[].verify", CHOICE, SOURCE(verify), "\"signature\"", 0, 0,
        "\"none\" takes webhooks from anybody who knows the path.", .choices = verify_choices),
    ROW("sources[].topic", TEMPLATE, PROVIDER(topic), NULL, 1, 1024,
        "The topic of each event, with" ROUTE_VARIABLES
        " and {body.path.to.field}; the provider's own if not set."),
    ROW("sources[].qos", INT, SOURCE(qos), "1", 0, 2,
        "MQTT quality of service; 0 gives up at-least-once delivery."),
    ROW("sources[].retain", BOOL, SOURCE(retain), "false", 0, 0,
        "Whether the broker retains each event on its topic."),
    ROW("sources[].state_topic", TEMPLATE, SOURCE(state_topic), NULL, 1, 1024,
        "A second topic that retains each resource's newest event; a deletion clears it."),
    ROW("sources[].message_expiry", SECONDS, SOURCE(message_expiry_ms), NULL, SEC(1),
        MAX_EXPIRY,
        "After this the broker drops an event that a subscriber has not fetched (MQTT 5)."),

    ROW("sources[].path_suffix", BOOL, PROVIDER(takes_suffix), NULL, 0, 0,
        "Whether posts to <path>/<anything> are taken, too; the provider's own if not set."),
    ROW("sources[].events", EVENTS, PROVIDER(url_events), NULL, 1, 256,
        "For providers whose bodies do not name the event: which path below the source's is "
        "which event."),
    WORD("sources[].dedupe", PROVIDER(dedupe), dedupes,
         "What makes a delivery a repeat: the same delivery id (and, where the signature does "
         "not cover it, the same content); the same content as the newest event of its "
         "resource; or nothing. The provider's own if not set, else id where there is one."),
    ROW("sources[].dedupe_window", TIME, PROVIDER(dedupe_window_ms), NULL, 0, DAYS(365),
        "How long a delivery, sent again, is a repeat; how long the provider retries, else "
        "outbox.dedupe_window, if not set."),
    ROW("sources[].mask", TEXTS, PROVIDER(mask), NULL, 1, 1024,
        "Paths in the body, such as data.secret, whose values are stored and published as "
        "\"***\"; "
        "a body that is not JSON is stored as *** then."),
    ROW("sources[].trust_unsigned", BOOL, SOURCE(trust_unsigned), "false", 0, 0,
        "Whether headers and the URL decide about deletions, times and topics, though the "
        "signature does not cover them."),

    OBJECT(HOME_PROVIDER, "sources[].signature",
           "How deliveries are signed; what is not set is as the provider does it."),
    WORD("sources[].signature.scheme", PROVIDER(signature.scheme), schemes,
         "What proves where a delivery comes from: a signature made with the secret, the "
         "secret itself, or nothing."),
    WORD("sources[].signature.algorithm", PROVIDER(signature.algorithm), algorithms,
         "The hash that the signature is made with.", .needs = NEED_HMAC),
    ROW("sources[].signature.header", HEADER, PROVIDER(signature.header), NULL, 1, 128,
        "The header that contains the signature, or the token."),
    WORD("sources[].signature.form", PROVIDER(signature.form), forms,
         "What that header looks like: the signature alone; text before it; a list of "
         "key=value; a space list of version,signature.",
         .needs = NEED_HMAC),
    ROW("sources[].signature.mark", TEXT, PROVIDER(signature.mark), NULL, 1, 64,
        "What identifies the signature in that header: its prefix, key or version.",
        .needs = NEED_HMAC | NEED_SAME_FORM),
    WORD("sources[].signature.separator", PROVIDER(signature.separator), separators,
         "What stands between one key=value and the next; a comma if not set.",
         .needs = NEED_HMAC | NEED_PAIRS),
    ROW("sources[].signature.ordered", BOOL, PROVIDER(signature.ordered), NULL, 0, 0,
        "Whether a list of key=value must be the timestamp and then one signature.",
        .needs = NEED_HMAC | NEED_PAIRS | NEED_TIMESTAMP_KEY),
    WORD("sources[].signature.encoding", PROVIDER(signature.encoding), encodings,
         "How the signature's bytes are written.", .needs = NEED_HMAC),
    WORD("sources[].signature.key", PROVIDER(signature.key), keys,
         "How a secret becomes the key: as it is, decoded, or decoded behind whsec_ (which may "
         "be missing).",
         .needs = NEED_HMAC),
    ROW("sources[].signature.message", TEXT, PROVIDER(signature.message), NULL, 1, 256,
        "What is signed, of {body}, {timestamp}, {id} and text between them.",
        .needs = NEED_HMAC),
    ROW("sources[].signature.timestamp_header", HEADER, PROVIDER(signature.timestamp_header),
        NULL, 1, 128, "The header that contains {timestamp}.",
        .needs = NEED_HMAC | NEED_TIMESTAMP | NEED_NO_TIMESTAMP_KEY),
    ROW("sources[].signature.timestamp_key", TEXT, PROVIDER(signature.timestamp_key), NULL, 1,
        64, "The key of {timestamp} in a list of key=value.",
        .needs = NEED_HMAC | NEED_PAIRS | NEED_TIMESTAMP | NEED_NO_TIMESTAMP_HEADER),
    WORD("sources[].signature.timestamp_format", PROVIDER(signature.timestamp_format),
         timestamps,
         "How {timestamp} is written: Unix seconds (also if not set), Unix milliseconds, or as "
         "2026-01-31T23:59:59Z.",
         .needs = NEED_HMAC | NEED_TIMESTAMP),
    ROW("sources[].signature.tolerance", SECONDS, PROVIDER(signature.tolerance_ms), NULL, 0,
        DAYS(30),
        "How old a timestamp may be; 0s takes any, and so whatever was recorded once.",
        .needs = NEED_HMAC | NEED_TIMESTAMP),
    WORD("sources[].signature.skew", PROVIDER(signature.skew), skews,
         "Which timestamps the tolerance is for: those of the past, or also those of the "
         "future.",
         .needs = NEED_HMAC | NEED_TIMESTAMP),
    ROW("sources[].signature.id_header", HEADER, PROVIDER(signature.id_header), NULL, 1, 128,
        "The header that contains {id}.", .needs = NEED_HMAC | NEED_ID),

    OBJECT(HOME_PROVIDER, "sources[].fields",
           "Where a delivery's fields are, with {body.path.to.field}, {header.Name} and {url}; "
           "what is not set is as the provider does it."),
    ROW("sources[].fields.event", FIELD, PROVIDER(fields.event), NULL, 1, 1024,
        "The event's name; alternatives are separated by |."),
    ROW("sources[].fields.resource_type", FIELD, PROVIDER(fields.resource_type), NULL, 1, 1024,
        "What kind of thing the event is about; else what precedes the event's last dot."),
    ROW("sources[].fields.gid", FIELD, PROVIDER(fields.gid), NULL, 1, 1024,
        "Which one of them: events of one gid stay in order; an alternative that is empty lets "
        "it be missing."),
    ROW("sources[].fields.delivery_id", FIELD, PROVIDER(fields.delivery_id), NULL, 1, 1024,
        "The delivery ID: the value that the provider sends again when it retries."),
    ROW("sources[].fields.event_time", FIELD, PROVIDER(fields.event_time), NULL, 1, 1024,
        "When it happened, as ISO 8601, RFC 2822 or Unix time: an older event never replaces a "
        "newer state."),
    ROW("sources[].fields.deletion_event", TEXT, PROVIDER(fields.deletion_event), NULL, 1, 256,
        "The event by which the resource is gone, or *.deleted for all that end so."),

    OBJECT(HOME_PROVIDER, "sources[].challenge",
           "A delivery that is not an event but wants a value of its body back."),
    ROW("sources[].challenge.field", TEXT, PROVIDER(challenge.field), NULL, 1, 256,
        "The path in the body that tells it apart, such as type."),
    ROW("sources[].challenge.value", TEXT, PROVIDER(challenge.value), NULL, 1, 256,
        "The value that this field has then."),
    ROW("sources[].challenge.echo", TEXT, PROVIDER(challenge.echo), NULL, 1, 256,
        "The path in the body of the text that is sent back."),

    OBJECT(HOME_PROVIDER, "sources[].sample_defaults", "What all samples have in common."),
    ROW("sources[].sample_defaults.gid_form", GID_FORM, PROVIDER(gid_form), NULL, 1,
        PROVIDER_GID_SIZE - 1, "What a gid looks like: # is a hex digit, ? a decimal one."),
    ROW("sources[].sample_defaults.time_zone", TEXT, PROVIDER(time_zone), NULL, 1, 16,
        "What follows 2026-01-31T23:59:59 in @NOW@, such as Z."),
    ROW("sources[].sample_defaults.url", TEXT, PROVIDER(sample_suffix), NULL, 1, 256,
        "What follows the source's path."),
    ROW("sources[].sample_defaults.headers", HEADERS, NOWHERE, NULL, 1, 64,
        "Headers beside the signature's."),
    ROW("sources[].sample_defaults.body", BODY, NOWHERE, NULL, 0, 0,
        "What the samples' bodies are merged over, the source's own ones, too; null leaves the "
        "preset's out."),
    ROW("sources[].samples", SAMPLES, PROVIDER(samples), NULL, 1, 256,
        "Deliveries for trigger, instead of the provider's: @EVENT@ @ACTION@ @TYPE@ @GID@ "
        "@NOW@ @UNIX@ @UUID@ and @N@ are replaced in them, and \"@GID_VALUE@\", "
        "\"@UNIX_VALUE@\" and \"@N_VALUE@\" by numbers."),
    ROW("sources[].samples[].event", TEXTS, SAMPLE(events), NULL, 1, 256,
        "The event's name, as fields.event finds it, or a list of such names.",
        .required = true),
    ROW("sources[].samples[].resource_type", TEXT, SAMPLE(resource_type), NULL, 1, 256,
        "The type, as fields.resource_type finds it; else what precedes the event's last dot."),
    ROW("sources[].samples[].gid_form", GID_FORM, SAMPLE(gid_form), NULL, 1,
        PROVIDER_GID_SIZE - 1, "What a gid looks like, if not as in sample_defaults."),
    ROW("sources[].samples[].headers", HEADERS, SAMPLE(headers), NULL, 1, 64,
        "Headers beside the signature's and those of sample_defaults."),
    ROW("sources[].samples[].url", TEXT, SAMPLE(suffix), NULL, 1, 256,
        "What follows the source's path."),
    ROW("sources[].samples[].body", BODY, SAMPLE(body), NULL, 0, 0,
        "The body, an object of any form, merged over that of sample_defaults.",
        .required = true),
    ROW("sources[].open_catalogue", BOOL, PROVIDER(open_catalogue), NULL, 0, 0,
        "Whether other events than those of the samples are as well known; else they are "
        "logged once."),
    ROW("sources[].title", TEXT, PROVIDER(title), NULL, 1, 64,
        "What messages call the provider."),

    ROW("sources[].public_url", URL, SOURCE(public_url), NULL, 1, 1024,
        "The source's path as the provider sees it, for hook2mqtt provider."),
    OBJECT(HOME_PROVIDER, "sources[].api",
           "The provider's API, for hook2mqtt provider; the bridge itself does not call it."),
    ROW("sources[].api.url", URL, PROVIDER(api_url), NULL, 1, 1024,
        "Where the API is; the provider's own if not set."),
    ROW("sources[].api.issues_secret", BOOL, PROVIDER(issues_secret), NULL, 0, 0,
        "Whether registering the bridge there creates the secret, so that its file may be "
        "missing until then."),
    ROW("sources[].api.token", SECRET, SOURCE(api.token), NULL, 0, 0,
        "The token that the API asks for.", .for_commands = true),
    ROW("sources[].api.username", TEXT, SOURCE(api.username), NULL, 1, 256,
        "The user name to log in with."),
    ROW("sources[].api.password", SECRET, SOURCE(api.password), NULL, 0, 0,
        "The password to log in with.", .for_commands = true),
    ROW("sources[].api.project_code", TEXT, SOURCE(api.project_code), NULL, 1, 256,
        "The project to log in to."),
    ROW("sources[].api.state_file", TEXT, SOURCE(api.state_file), NULL, 1, 4095,
        "The file that keeps what the API handed out, such as subscription codes; "
        "<source>.provider.json beside the outbox if not set."),
    ROW("sources[].api.ca_file", FILE, SOURCE(api.ca_file), NULL, 1, 4095,
        "PEM file of the authorities to trust; the system's if not set."),
};
const size_t settings_of_source_count = COUNT_OF(settings_of_source);
