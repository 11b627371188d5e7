/*
 * Sets up a source: its secrets, its parser with the fields it trusts, its topics. Any of these
 * may be unusable; the error names the source, and intake_source_fini frees the rest.
 *
 * Finds the source of a request's path: the source with exactly this path; slashes behind it do not
 * matter, as people add them to URLs. If there is none, then
 * of the sources whose provider appends a suffix to their path, the one with the longest path that
 * the request's path begins with. If the provider lists its suffixes, a path without one of them
 * has no source.
 */
#include "bridge/intake/internal.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/metrics.h"

static enum status create_parser(struct intake_source *source, struct err *err)
{
    const char *key = NULL;
    enum status st = parser_create(source->config->provider, &source->parser, &key, err);

    if (st != ST_OK) {
        return err_wrap(err, "fields.%s", key);
    }
    memcpy(source->trusted, source->config->trusted, sizeof(source->trusted));
    return ST_OK;
}

static enum status create_routes(struct intake_source *source, struct err *err)
{
    enum status st = route_create(source->config->topic, &source->topic, err);

    if (st == ST_OK && source->config->state_topic != NULL) {
        st = route_create(source->config->state_topic, &source->state_topic, err);
    }
    return st;
}

static enum status create_mask(struct intake_source *source, struct err *err)
{
    const char *const *path = source->config->provider->mask;
    enum status st = ST_OK;

    while (st == ST_OK && path && path[source->mask_count]) {
        CHECK(source->mask_count < COUNT_OF(source->mask)); /* config has counted them */
        st = json_compile_path(slice_of(path[source->mask_count]),
                               &source->mask[source->mask_count], err);
        source->mask_count++;
    }
    return st == ST_OK ? ST_OK : err_wrap(err, "mask");
}

enum status intake_source_init(struct intake_source *source, const struct config_source *config,
                               bool verifies, struct err *err)
{
    enum status st = ST_OK;

    source->config = config;
    source->name = slice_of(config->name);
    source->path = slice_of(config->path);
    source->metrics_index = metrics_source(config->name);
    source->logged = xalloc(sizeof(*source->logged));
    if (verifies) {
        st = intake_keys_create(config, &source->keys, err);
    }
    if (st == ST_OK) {
        st = create_parser(source, err);
    }
    if (st == ST_OK) {
        st = create_routes(source, err);
    }
    if (st == ST_OK) {
        st = create_mask(source, err);
    }
    return st == ST_OK ? ST_OK : err_wrap(err, "source %s", config->name);
}

void intake_source_fini(struct intake_source *source)
{
    intake_keys_destroy(source->keys);
    parser_destroy(source->parser);
    route_destroy(source->topic);
    route_destroy(source->state_topic);
    for (size_t i = 0; i < source->mask_count; i++) {
        buf_free(&source->mask[i]);
    }
    free(source->logged);
}

static const struct intake_source *find_at(const struct intake *intake, struct slice path)
{
    for (size_t i = 0; i < intake->source_count; i++) {
        if (slice_equal(intake->sources[i].path, path)) {
            return &intake->sources[i];
        }
    }
    return NULL;
}

static const struct intake_source *find_above(const struct intake *intake, struct slice path)
{
    const struct intake_source *found = NULL;

    for (size_t i = 0; i < intake->source_count; i++) {
        const struct intake_source *source = &intake->sources[i];

        if (provider_url_is_below(source->config->provider, source->path, path) &&
            (found == NULL || source->path.len > found->path.len)) {
            found = source;
        }
    }
    return found;
}

static struct slice without_slashes(struct slice path)
{
    while (path.len > 0 && path.data[path.len - 1] == '/') {
        path.len--;
    }
    return path;
}

const struct intake_source *intake_find(const struct intake *intake, struct slice path,
                                        struct slice *out_suffix)
{
    const struct intake_source *source = find_at(intake, without_slashes(path));
    struct slice suffix = SLICE_NONE;

    if (source == NULL) {
        source = find_above(intake, path);
        suffix = source != NULL ? provider_url_rest(source->path, path) : SLICE_NONE;
    }
    if (source == NULL || !provider_url_takes(source->config->provider, suffix)) {
        return NULL;
    }
    *out_suffix = suffix;
    return source;
}

void intake_suggest_path(const struct intake *intake, struct slice path,
                         char out_text[NEAREST_TEXT_SIZE])
{
    struct nearest near = {.text = path};

    for (size_t i = 0; i < intake->source_count; i++) {
        nearest_offer(&near, intake->sources[i].config->path);
    }
    (void)nearest_question(&near, "", out_text);
}

size_t intake_max_body(const struct intake_source *source)
{
    return (size_t)source->config->max_body;
}

unsigned intake_source_index(const struct intake_source *source)
{
    return source->metrics_index;
}
