#include "bridge/config/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/json.h"

#include "bridge/config/override.h"
#include "bridge/config/internal.h"

enum { MAX_QUOTED = 80 };

static void add_finding(struct config_faults *faults, bool warning, const char *path,
                        const char *format, va_list args) __attribute__((format(printf, 4, 0)));

static void add_finding(struct config_faults *faults, bool warning, const char *path,
                        const char *format, va_list args)
{
    struct config_fault *fault;
    char *text;

    CHECK(vasprintf(&text, format, args) >= 0);
    /* Grows when the count is a power of two. */
    if ((faults->count & (faults->count - 1)) == 0) {
        size_t room = faults->count == 0 ? 1 : faults->count * 2;

        faults->items = xrealloc(faults->items, room * sizeof(faults->items[0]));
    }
    fault = &faults->items[faults->count++];
    *fault = (struct config_fault){.warning = warning, .path = xstrdup(path), .text = text};
    faults->error_count += !warning;
}

void config_fault(struct config_faults *faults, const char *path, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_finding(faults, false, path, format, args);
    va_end(args);
}

void config_warn(struct config_faults *faults, const char *path, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_finding(faults, true, path, format, args);
    va_end(args);
}

void reader_miss(struct reader *reader, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_finding(reader->faults, reader->forgiving, reader_path(reader), format, args);
    va_end(args);
}

bool config_is_faulty(const struct config_faults *faults, const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < faults->count; i++) {
        const struct config_fault *fault = &faults->items[i];

        if (!fault->warning && strncmp(fault->path, path, len) == 0 &&
            (fault->path[len] == '\0' || strchr(".[", fault->path[len]))) {
            return true;
        }
    }
    return false;
}

void config_faults_free(struct config_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        free(faults->items[i].path);
        free(faults->items[i].text);
    }
    free(faults->items);
    *faults = (struct config_faults){0};
}

void config_add_quoted(struct buf *out, struct slice text)
{
    bool cut = text.len > MAX_QUOTED;

    json_add_string(out, (struct slice){text.data, cut ? MAX_QUOTED : text.len});
    if (cut) {
        buf_add_str(out, "…");
    }
}

static bool is_plain_key(struct slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '$')) {
            return false;
        }
    }
    return key.len > 0 && key.len <= MAX_QUOTED;
}

size_t reader_enter_key(struct reader *reader, struct slice key)
{
    size_t mark = reader->path.len;

    if (mark > 0) {
        buf_add_char(&reader->path, '.');
    }
    if (is_plain_key(key)) {
        buf_add_slice(&reader->path, key);
    } else {
        config_add_quoted(&reader->path, key);
    }
    return mark;
}

size_t reader_enter_item(struct reader *reader, size_t index)
{
    size_t mark = reader->path.len;

    buf_addf(&reader->path, "[%zu]", index);
    return mark;
}

void reader_leave(struct reader *reader, size_t mark)
{
    if (reader->path.data) {
        reader->path.len = mark;
        reader->path.data[mark] = '\0';
    }
}

const char *reader_path(const struct reader *reader)
{
    return reader->path.data ? reader->path.data : "";
}

/* Gives *out_config whenever the file could be read; it is complete only with ST_OK. */
static enum status load(const char *path, bool lenient, struct config **out_config,
                        struct config_faults *faults)
{
    struct reader reader = {.faults = faults, .lenient = lenient};
    struct json_object *root = NULL;
    enum status st = config_text_load(path, &root, faults);

    if (st != ST_OK) {
        return st;
    }
    *out_config = xalloc(sizeof(**out_config));
    config_read(&reader, root, *out_config);
    config_check_whole(*out_config, lenient, faults);
    json_object_put(root);
    buf_free(&reader.path);
    return faults->error_count == 0 ? ST_OK : ST_INVALID;
}

static enum status load_complete(const char *path, bool lenient, struct config **out_config,
                                 struct config_faults *out_faults)
{
    struct config *config = NULL;
    enum status st;

    *out_faults = (struct config_faults){0};
    st = load(path, lenient, &config, out_faults);
    if (st == ST_OK) {
        *out_config = config;
    } else {
        config_destroy(config);
    }
    return st;
}

enum status config_load(const char *path, struct config **out_config,
                        struct config_faults *out_faults)
{
    return load_complete(path, false, out_config, out_faults);
}

enum status config_load_lenient(const char *path, struct config **out_config,
                                struct config_faults *out_faults)
{
    return load_complete(path, true, out_config, out_faults);
}

enum status config_check(const char *path, struct config_faults *out_faults)
{
    struct config *config = NULL;
    enum status st;

    *out_faults = (struct config_faults){0};
    st = load(path, false, &config, out_faults);
    if (config) {
        config_check_samples(config, out_faults);
        config_check_machine(config, out_faults);
        st = out_faults->error_count == 0 ? ST_OK : ST_INVALID;
    }
    config_destroy(config);
    return st;
}

static void list_free(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
}

static void source_fini(struct config_source *source)
{
    for (size_t i = 0; i < source->secret_count; i++) {
        buf_wipe(&source->secrets[i].value);
        buf_wipe(&source->secrets[i].latest);
        free(source->secrets[i].file);
    }
    free(source->secrets);
    buf_wipe(&source->api.token);
    buf_wipe(&source->api.password);
    free(source->api.url);
    free(source->api.username);
    free(source->api.project_code);
    free(source->api.state_file);
    free(source->api.ca_file);
    free(source->public_url);
    free(source->name);
    free(source->path);
    free(source->topic);
    free(source->state_topic);
    free(source->provider);
    config_description_destroy(source->description);
}

static void config_fini(struct config *config)
{
    for (size_t i = 0; i < config->source_count; i++) {
        source_fini(&config->sources[i]);
    }
    free(config->sources);
    list_free(&config->ingress.listen);
    list_free(&config->admin.listen);
    buf_wipe(&config->admin.token);
    list_free(&config->mqtt.servers);
    free(config->mqtt.client_id);
    free(config->mqtt.username);
    buf_wipe(&config->mqtt.password);
    free(config->mqtt.ca_file);
    free(config->mqtt.cert_file);
    free(config->mqtt.key_file);
    free(config->mqtt.bridge_topic);
    free(config->outbox.path);
}

struct config *config_hold(struct config *config)
{
    (void)atomic_fetch_add(&config->more_references, 1);
    return config;
}

void config_destroy(struct config *config)
{
    if (config && atomic_fetch_sub(&config->more_references, 1) == 0) {
        config_fini(config);
        free(config);
    }
}
