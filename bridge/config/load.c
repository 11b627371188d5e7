/*
 * A configuration from its file: the text becomes a tree, the tree values, the values are
 * checked. What is wrong on the way is added to the faults, and all of it is found in one run;
 * a configuration with faults is given to nobody.
 */
#include "bridge/config/internal.h"

#include <stdlib.h>

#include <json-c/json.h>

/* Gives *out_config whenever the file could be read; it is complete only with ST_OK. */
static enum status load(const char *path, bool partial, struct config **out_config,
                        struct config_faults *faults)
{
    struct reader reader = {.faults = faults, .partial = partial};
    struct environment *environment;
    struct json_object *root = NULL;
    enum status st = config_text_load(path, &root, faults);

    if (st != ST_OK) {
        return st;
    }
    *out_config = xalloc(sizeof(**out_config));
    environment = config_read_environment(path, &reader);
    reader.environment = environment;
    config_read(&reader, root, *out_config);
    config_environment_free(environment);
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

struct config *config_hold(struct config *config)
{
    (void)atomic_fetch_add(&config->more_references, 1);
    return config;
}

void config_destroy(struct config *config)
{
    if (config && atomic_fetch_sub(&config->more_references, 1) == 0) {
        settings_free(HOME_CONFIG, "", config);
        free(config);
    }
}
