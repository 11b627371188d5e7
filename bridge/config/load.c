#include "bridge/config/config.h"

#include <stdlib.h>

#include <json-c/json.h>

#include "bridge/config/override.h"
#include "bridge/config/internal.h"

/* Gives *out_config whenever the file could be read; it is complete only with ST_OK. */
static enum status load(const char *path, bool partial, struct config **out_config,
                        struct config_faults *faults)
{
    struct reader reader = {.faults = faults, .partial = partial};
    struct json_object *root = NULL;
    enum status st = config_text_load(path, &root, faults);

    if (st != ST_OK) {
        return st;
    }
    *out_config = xalloc(sizeof(**out_config));
    config_read(&reader, root, *out_config);
    config_check_whole(*out_config, partial, faults);
    json_object_put(root);
    buf_free(&reader.path);
    return faults->error_count == 0 ? ST_OK : ST_INVALID;
}

static enum status load_complete(const char *path, bool partial, struct config **out_config,
                                 struct config_faults *out_faults)
{
    struct config *config = NULL;
    enum status st;

    *out_faults = (struct config_faults){0};
    st = load(path, partial, &config, out_faults);
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

enum status config_load_partial(const char *path, struct config **out_config,
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
