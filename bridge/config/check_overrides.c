/*
 * What a source sets over its preset, tried on the preset's samples: a field or a variable of a
 * topic that none of them has is most likely misspelled, and nothing else would show it before the
 * first webhook.
 */
#include <string.h>

#include "common/clock.h"

#include "bridge/config/internal.h"
#include "bridge/parse/route.h"

/* How many samples have it. */
struct tally {
    size_t with, without;
    const char *first_without; /* an event */
};

static void count(struct tally *tally, bool has, const char *event)
{
    tally->with += has;
    tally->without += !has;
    if (!has && !tally->first_without) {
        tally->first_without = event;
    }
}

/* ---- fields ---- */

static const struct {
    const char *key;
    bool required; /* else nothing becomes a dead letter for lack of it */
    const char *consequence;
} fields[PARSE_FIELDS] = {
    [PARSE_EVENT] = {"fields.event", true, "a webhook without it becomes a dead letter"},
    [PARSE_TYPE] = {"fields.resource_type", true, "a webhook without it becomes a dead letter"},
    [PARSE_GID] = {"fields.gid", true, "a webhook without it becomes a dead letter"},
    [PARSE_DELIVERY_ID] = {"fields.delivery_id", false, "repeats are not known by it"},
    [PARSE_TIME] = {"fields.event_time", false, "events are ordered as they came"},
};

static bool has_field(const struct trial *trial, enum parse_field field)
{
    const struct parsed *parsed = &trial->parsed;

    if (fields[field].required && trial->status == ST_OK) {
        return true; /* also if it is empty */
    }
    switch (field) {
    case PARSE_EVENT:
        return parsed->event.data;
    case PARSE_TYPE:
        return parsed->resource_type.data;
    case PARSE_GID:
        return parsed->gid.data;
    case PARSE_DELIVERY_ID:
        return parsed->delivery_id.data;
    case PARSE_TIME:
        return parsed->event_ms != CLOCK_NONE || parsed->unreadable_time;
    case PARSE_FIELDS:
        break;
    }
    return false;
}

/* `"delivery_id": "|"` takes it out of the preset. */
static bool is_taken_out(const struct provider *provider, enum parse_field field)
{
    const char *template = field == PARSE_DELIVERY_ID ? provider->fields.delivery_id
                           : field == PARSE_TIME      ? provider->fields.event_time
                                                      : NULL;

    return template && template[strspn(template, "|")] == '\0';
}

static void warn_of_field(struct source_view *view, enum parse_field field,
                          const struct tally *tally)
{
    const char *path = source_path(view, fields[field].key);

    if (tally->with == 0 && tally->without > 0) {
        config_warn(view->faults, path, "is in none of the provider's samples: %s",
                    fields[field].consequence);
    } else if (fields[field].required && tally->without > 0) {
        config_warn(view->faults, path,
                    "is not in %zu of the provider's %zu samples (such as %s): %s",
                    tally->without, tally->with + tally->without, tally->first_without,
                    fields[field].consequence);
    }
}

/* ---- topics ---- */

enum { MAX_VARIABLES = 16 }; /* of one template that are looked at */

static const char *const topic_keys[] = {"topic", "state_topic"};

struct variable {
    const char *key;
    struct slice text; /* with its braces */
    struct route *route;
    struct tally tally;
};

struct variables {
    struct variable items[2 * MAX_VARIABLES];
    size_t count;
};

/* Its variables one by one, each as a template of its own. */
static void add_variables(struct variables *variables, const char *key, const char *template)
{
    const char *open = template, *close;
    size_t until = variables->count + MAX_VARIABLES;
    struct err err;

    while (template && (open = strchr(open, '{')) && (close = strchr(open, '}')) &&
           variables->count < until) {
        struct variable *variable = &variables->items[variables->count];
        struct buf alone = {0};

        *variable = (struct variable){.key = key, .text = {open, (size_t)(close + 1 - open)}};
        buf_add_slice(&alone, variable->text);
        variables->count += route_create(alone.data, &variable->route, &err) == ST_OK;
        buf_free(&alone);
        open = close;
    }
}

static void count_variables(struct variables *variables, const struct source_view *view,
                            struct trial *trial, const char *event)
{
    struct route_values values = {
        .source = slice_of(view->source->name),
        .resource_type = trial->parsed.resource_type,
        .event = trial->parsed.event,
        .gid = trial->parsed.gid,
        .id = SLICE("id"),
        .body = trial->delivery.body,
        .parsed = &trial->parsed,
    };
    struct buf topic = {0};

    for (size_t i = 0; i < variables->count; i++) {
        buf_clear(&topic);
        count(&variables->items[i].tally,
              route_topic(variables->items[i].route, &values, &topic) == ST_OK &&
                  !slice_equal(buf_slice(&topic), SLICE("_")),
              event);
    }
    buf_free(&topic);
}

static void warn_of_variables(struct source_view *view, const struct variables *variables)
{
    for (size_t i = 0; i < variables->count; i++) {
        const struct variable *variable = &variables->items[i];

        if (variable->tally.with == 0 && variable->tally.without > 0) {
            config_warn(view->faults, source_path(view, variable->key),
                        "%.*s is in none of the provider's samples: it is always _ in them",
                        SLICE_ARG(variable->text));
        }
    }
}

/* ---- the source ---- */

static void try_sample(struct source_view *view, const struct parser *parser,
                       const struct provider_sample *sample, const char *event,
                       struct tally tallies[PARSE_FIELDS], struct variables *variables)
{
    struct trial trial;

    trial_begin(&trial, view->source->provider, parser, sample, event);
    if (trial.taken && !trial.parsed.challenge.data) {
        for (enum parse_field field = PARSE_EVENT; field < PARSE_FIELDS; field++) {
            count(&tallies[field], has_field(&trial, field), event);
        }
        if (trial.status == ST_OK) {
            count_variables(variables, view, &trial, event);
        }
    }
    trial_end(&trial);
}

void config_check_overrides(struct source_view *view, const struct parser *parser)
{
    const struct config_source *source = view->source;
    const char *const templates[] = {source->topic, source->state_topic};
    const struct provider_sample *sample = source->provider->samples;
    struct tally tallies[PARSE_FIELDS] = {0};
    struct variables variables = {.count = 0};

    for (size_t i = 0; i < COUNT_OF(topic_keys); i++) {
        if (config_is_set(source, topic_keys[i])) {
            add_variables(&variables, topic_keys[i], templates[i]);
        }
    }
    for (; sample && sample->resource_type; sample++) {
        for (const char *const *event = sample->events; *event; event++) {
            try_sample(view, parser, sample, *event, tallies, &variables);
        }
    }
    for (enum parse_field field = PARSE_EVENT; field < PARSE_FIELDS; field++) {
        if (config_is_set(source, fields[field].key) &&
            !is_taken_out(source->provider, field)) {
            warn_of_field(view, field, &tallies[field]);
        }
    }
    warn_of_variables(view, &variables);
    for (size_t i = 0; i < variables.count; i++) {
        route_destroy(variables.items[i].route);
    }
}
