/*
 * A source's merged provider, checked against itself: verify and parse report whether they can
 * work with it. Beside a value that could not be read, nothing is concluded from what depends
 * on it.
 */
#include <stdio.h>
#include <string.h>

#include "common/json.h"

#include "bridge/config/internal.h"
#include "bridge/parse/parse.h"
#include "bridge/verify/verify.h"

enum { TOKEN_CHARACTERS = 16, TOKEN_CHANGES = 3 };

/* Signature and secrets */

static void report_unsigned(struct source_view *view)
{
    const struct provider *preset = view->source->preset;
    bool is_own = config_is_set(view->source, "signature");

    if (preset->signature.scheme == SCHEME_UNSET && !is_own) {
        config_fault(
            view->faults, source_path(view, "signature"),
            "is missing; it must describe how deliveries are signed, or \"verify\" must be "
            "\"none\"");
    } else if (preset->signature.scheme != SCHEME_NONE && !is_own) {
        config_fault(view->faults, source_path(view, "signature"),
                     "must not be null: that takes out how %s signs; leave the key out",
                     preset->title);
    } else {
        config_fault(view->faults, source_path(view, "verify"),
                     "must be \"none\": %s, so whoever knows the path can post events, and "
                     "that must be explicit",
                     is_own ? "with this signature nothing is verified"
                            : "this provider signs nothing");
    }
}

/* One of the signature's faults is not in the value of a key that we know: what seems missing
 * may be what was meant there. */
static bool has_lost_key(struct source_view *view)
{
    const char *parent = source_path(view, "signature");
    size_t len = strlen(parent);

    for (size_t i = 0; i < view->faults->count; i++) {
        const struct config_fault *fault = &view->faults->items[i];

        if (!fault->warning && strncmp(fault->path, parent, len) == 0 &&
            (fault->path[len] == '\0' ||
             !setting_find("sources[].signature", slice_of(fault->path + len + 1)))) {
            return true;
        }
    }
    return false;
}

/* Beside values that could not be read, only what is missing is known to be wrong. */
struct signature_faults {
    struct source_view *view;
    bool half_read;
};

static void report_fault(void *ctx, const struct verify_fault *fault)
{
    struct signature_faults *faults = ctx;
    char key[64];

    (void)snprintf(key, sizeof(key), "signature.%s", fault->key);
    if (!faults->half_read || (fault->is_missing && !source_is_faulty(faults->view, key))) {
        config_fault(faults->view->faults, source_path(faults->view, key), "%s", fault->text);
    }
}

/* False: there is nothing that secrets could be held against. */
static bool check_signature(struct source_view *view)
{
    const struct config_source *source = view->source;
    const struct provider_signature *signature = &source->provider->signature;
    struct signature_faults faults = {view, source_is_faulty(view, "signature")};
    bool is_own = config_is_set(source, "signature");

    if (source_is_faulty(view, "verify") || (faults.half_read && has_lost_key(view))) {
        return false;
    }
    if (!source->verify) {
        if (is_own) {
            config_warn(view->faults, source_path(view, "signature"),
                        "is not used, because \"verify\" is \"none\"");
        }
        return false;
    }
    if (signature->scheme == SCHEME_NONE || (signature->scheme == SCHEME_UNSET && !is_own)) {
        if (!faults.half_read) {
            report_unsigned(view);
        }
        return false;
    }
    return verify_check_description(signature, report_fault, &faults) == ST_OK &&
           !faults.half_read;
}

static void check_keys(struct source_view *view, bool is_signed)
{
    const struct config_source *source = view->source;
    const struct provider_signature *signature = &source->provider->signature;

    for (size_t i = 0; is_signed && i < source->secret_count; i++) {
        struct slice secret = buf_slice(&source->secrets[i].value);
        struct err err = {0};
        char key[32];

        (void)snprintf(key, sizeof(key), "secrets[%zu]", i);
        if (secret.len > 0 && verify_check_secret(signature, secret, &err) != ST_OK) {
            config_fault(view->faults, source_path(view, key), "%s", err.text);
        }
    }
    if (source->secret_count > 0 && signature->scheme == SCHEME_NONE) {
        config_warn(view->faults, source_path(view, "secrets"), "is not used, because %s",
                    source->verify ? "nothing is signed" : "\"verify\" is \"none\"");
    }
}

/* Is there a segment in the path that nobody can guess? Random text changes often between
 * digits, small and capital letters; words, and years behind words, do not. */
static bool has_random_segment(const char *path)
{
    size_t characters = 0, changes = 0;
    int last = 0;

    for (const char *c = path; *c != '\0'; c++) {
        int kind = *c >= '0' && *c <= '9'   ? '0'
                   : *c >= 'a' && *c <= 'z' ? 'a'
                   : *c >= 'A' && *c <= 'Z' ? 'A'
                                            : 0;

        if (*c == '/') {
            characters = changes = 0;
            last = 0;
        }
        if (kind != 0) {
            characters++;
            changes += last != 0 && kind != last;
            last = kind;
        }
        if (characters >= TOKEN_CHARACTERS && changes >= TOKEN_CHANGES) {
            return true;
        }
    }
    return false;
}

static void check_open_door(struct source_view *view)
{
    const struct config_source *source = view->source;

    if (source->verify) {
        return;
    }
    if (source->preset->signature.scheme != SCHEME_NONE) {
        config_warn(view->faults, source_path(view, "verify"),
                    "anybody who knows the path can post events");
    }
    if (source->path && !has_random_segment(source->path)) {
        config_warn(view->faults, source_path(view, "path"),
                    "can be guessed, and nothing else keeps strangers out; put a random "
                    "segment in it, such as the output of `openssl rand -hex 16`");
    }
}

/* Fields */

/* What parser_create would refuse with less help. */
static bool has_fields(struct source_view *view)
{
    const struct provider_fields *fields = &view->source->provider->fields;

    if (!fields->event) {
        config_fault(view->faults, source_path(view, "fields.event"),
                     "is missing; it must say where the event's name is, such as "
                     "\"{body.type}\" or \"{header.X-Event}\"");
    }
    if (!fields->gid) {
        config_fault(view->faults, source_path(view, "fields.gid"),
                     "is missing; it must say where the id of the resource is, such as "
                     "\"{body.data.id}\", \"{body.data.id}|\" if it may be missing, or \"|\" "
                     "if there is none");
    }
    return fields->event && fields->gid;
}

static const char **field_at(struct provider *provider, const struct setting *setting)
{
    return (const char **)(void *)((char *)provider + setting->offset);
}

/* Takes what is wrong out, or puts something sound in its place. */
static void take_out(struct provider *provider, const char *key)
{
    const struct setting *setting = setting_find("sources[].fields", slice_of(key));

    if (setting) {
        *field_at(provider, setting) = strcmp(key, "event") == 0 ? "any" : NULL;
    } else {
        provider->challenge = (struct provider_challenge){0};
    }
}

/* Each fault hides those behind it, until what is wrong is out of the way. */
static void report_fields(struct source_view *view, const char *key, struct err *err)
{
    struct provider rest = *view->source->provider;
    struct parser *parser = NULL;
    char path[64];

    do {
        (void)snprintf(path, sizeof(path), "%s%s",
                       strncmp(key, "challenge", 9) == 0 ? "" : "fields.", key);
        config_fault(view->faults, source_path(view, path), "%s", err->text);
        take_out(&rest, key);
    } while (parser_create(&rest, &parser, &key, err) != ST_OK);
    parser_destroy(parser);
}

/* Gives a parser; NULL: a fault was added. */
static struct parser *check_fields(struct source_view *view)
{
    struct parser *parser = NULL;
    const char *key = "";
    struct err err = {0};

    if (source_is_faulty(view, "fields") || source_is_faulty(view, "challenge") ||
        source_is_faulty(view, "events") || !has_fields(view)) {
        return NULL;
    }
    if (parser_create(view->source->provider, &parser, &key, &err) != ST_OK) {
        report_fields(view, key, &err);
        return NULL;
    }
    return parser;
}

/* The fields are templates; does one of them ask for the URL? */
static bool uses_url(struct provider *provider)
{
    const struct setting *setting;
    bool found = false;

    for (size_t i = 0; (setting = setting_at(i)); i++) {
        if (setting->type == SETTING_FIELD && *field_at(provider, setting)) {
            found = found || strstr(*field_at(provider, setting), "{url}");
        }
    }
    return found;
}

static void check_samples(struct source_view *view)
{
    const struct provider *provider = view->source->provider;
    const struct provider_sample *sample = provider->samples;
    char key[48];

    if (provider->takes_suffix || !config_is_set(view->source, "samples")) {
        return;
    }
    for (size_t i = 0; sample && sample[i].resource_type; i++) {
        if (sample[i].suffix) {
            (void)snprintf(key, sizeof(key), "samples[%zu].url", i);
            config_fault(view->faults, source_path(view, key),
                         "needs path_suffix true: nothing is taken below the path");
        }
    }
}

static void check_suffix(struct source_view *view)
{
    struct provider *provider = view->source->provider;

    if (source_is_faulty(view, "events") || source_is_faulty(view, "path_suffix")) {
        return;
    }
    if (provider->url_events && config_is_set(view->source, "path_suffix") &&
        !provider->takes_suffix) {
        config_fault(view->faults, source_path(view, "path_suffix"),
                     "must not be false: events are told apart by what follows the path");
    } else if (provider->url_events && !uses_url(provider)) {
        config_warn(view->faults, source_path(view, "events"),
                    "names no events: no field contains {url}, so these paths are taken, and "
                    "no others, "
                    "but what they are called is not");
    }
    provider->takes_suffix = provider->takes_suffix || provider->url_events;
    check_samples(view);
}

static void check_mask(struct source_view *view)
{
    const char *const *path = view->source->provider->mask;
    struct buf compiled = {0};
    struct err err = {0};
    char key[48];

    for (size_t i = 0; path && path[i] && !source_is_faulty(view, "mask"); i++) {
        (void)snprintf(key, sizeof(key), "mask[%zu]", i);
        if (i == JSON_MAX_PATHS) {
            config_fault(view->faults, source_path(view, "mask"), "has more than %d paths",
                         JSON_MAX_PATHS);
        } else if (json_compile_path(slice_of(path[i]), &compiled, &err) != ST_OK) {
            config_fault(view->faults, source_path(view, key), "%s", err.text);
        }
    }
    buf_free(&compiled);
}

/* The API */

static bool says_api(const struct config_source *source)
{
    return source->api.url || source->api.token.len > 0 || source->api.username ||
           source->api.password.len > 0 || source->api.project_code || source->api.ca_file;
}

static void check_api(struct source_view *view)
{
    const struct config_source *source = view->source;
    struct reader reader = {.faults = view->faults, .optional = true};

    if (says_api(source) && !source->preset->api_url) {
        config_warn(view->faults, source_path(view, "api"),
                    "is not used: `hook2mqtt provider` does not know %s",
                    source->provider->name);
    }
    if (source->preset->api_url && !source->provider->api_url &&
        !source_is_faulty(view, "api")) {
        config_fault(view->faults, source_path(view, "api.url"),
                     "must not be null: that takes out where the API of %s is; leave the key "
                     "out",
                     source->preset->title);
    }
    if (source->api.url && config_url_in_clear(source->api.url)) {
        config_fault(view->faults, source_path(view, "api.url"),
                     "must begin with https://: what logs in would travel in clear");
    }
    if (source->public_url && config_url_in_clear(source->public_url) &&
        source->provider->signature.scheme != SCHEME_HMAC) {
        config_warn(view->faults, source_path(view, "public_url"),
                    "does not begin with https://: who reads a delivery on its way can send "
                    "others");
    }
    buf_add_str(&reader.path, source_path(view, "api"));
    config_check_pem(&reader, "ca_file", source->api.ca_file, "CERTIFICATE");
    buf_free(&reader.path);
}

void config_check_provider(struct source_view *view)
{
    bool is_signed = check_signature(view);
    struct parser *parser = check_fields(view);

    check_keys(view, is_signed);
    check_open_door(view);
    check_suffix(view);
    check_mask(view);
    check_api(view);
    if (parser && !source_is_faulty(view, "signature") && !source_is_faulty(view, "verify")) {
        config_check_trust(view, parser);
        config_check_repeats(view);
    }
    parser_destroy(parser);
}
