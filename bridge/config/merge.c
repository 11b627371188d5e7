/*
 * A source is its preset with its own keys merged over it (RFC 7396): objects merge, null takes
 * a preset's value out, everything else replaces it. The settings table says which objects
 * these are; objects that are values themselves (a body, headers, events) are replaced as a
 * whole, and null is a fault where the preset has nothing.
 *
 * A preset's value that only makes sense together with another one is left out where the source
 * changes that one: its row says what it needs. What the source itself sets is never left out,
 * but checked later. Nothing fails here: a value of the wrong type is merged like any other,
 * and found when it is read.
 */
#include "bridge/config/internal.h"

#include <string.h>

#include <json-c/json.h>

/* The value at a path such as "signature.form", one of a setting; NULL: none. A user's key is no
 * path: it may contain dots, and be of any length. */
static struct json_object *find_value(struct json_object *object, const char *path)
{
    while (object) {
        size_t len = strcspn(path, ".");
        char key[64];
        struct json_object *value = NULL;

        CHECK(len < sizeof(key));
        memcpy(key, path, len);
        key[len] = '\0';
        if (!json_object_is_type(object, json_type_object) ||
            !json_object_object_get_ex(object, key, &value) || path[len] == '\0') {
            return value;
        }
        object = value;
        path += len + 1;
    }
    return NULL;
}

/* What a merged source would have there. source: NULL for the preset alone. */
static const char *text_at(struct json_object *source, struct json_object *preset,
                           const char *path)
{
    struct json_object *value = find_value(source, path);

    return json_object_get_string(value ? value : find_value(preset, path));
}

static const struct {
    const char *path, *text;
    enum setting_need need;
    enum { IS, CONTAINS, PRESENT, ABSENT, UNCHANGED } rule;
} conditions[] = {
    {"signature.scheme", "hmac", NEED_HMAC, IS},
    {"signature.form", NULL, NEED_SAME_FORM, UNCHANGED},
    {"signature.form", "pairs", NEED_PAIRS, IS},
    {"signature.message", "{timestamp}", NEED_TIMESTAMP, CONTAINS},
    {"signature.message", "{id}", NEED_ID, CONTAINS},
    {"signature.timestamp_key", NULL, NEED_TIMESTAMP_KEY, PRESENT},
    {"signature.timestamp_key", NULL, NEED_NO_TIMESTAMP_KEY, ABSENT},
    {"signature.timestamp_header", NULL, NEED_NO_TIMESTAMP_HEADER, ABSENT},
};

static bool has_needs(unsigned needs, struct json_object *source, struct json_object *preset)
{
    bool met = true;

    for (size_t i = 0; i < COUNT_OF(conditions) && met; i++) {
        const char *text = text_at(source, preset, conditions[i].path);
        const char *before = text_at(NULL, preset, conditions[i].path);

        if (!(needs & conditions[i].need)) {
            continue;
        }
        switch (conditions[i].rule) {
        case IS:
            met = text && strcmp(text, conditions[i].text) == 0;
            break;
        case CONTAINS:
            met = text && strstr(text, conditions[i].text);
            break;
        case PRESENT:
        case ABSENT:
            met = (text != NULL) == (conditions[i].rule == PRESENT);
            break;
        case UNCHANGED:
            met = text && before ? strcmp(text, before) == 0 : text == before;
            break;
        }
    }
    return met;
}

/* Takes the value out of the preset; false: it has none there. */
static bool take_out(struct json_object *preset, const char *path)
{
    const char *dot = strrchr(path, '.');
    char parent[64] = "";
    struct json_object *object = preset;

    if (!find_value(preset, path)) {
        return false;
    }
    if (dot) {
        CHECK((size_t)(dot - path) < sizeof(parent));
        memcpy(parent, path, (size_t)(dot - path));
        object = find_value(preset, parent);
    }
    json_object_object_del(object, dot ? dot + 1 : path);
    return true;
}

/* before: the whole preset, in which a value's needs were met. One value that is left out may be
 * what another one needs, so once more until none is. */
static void leave_out_meaningless(struct json_object *source, struct json_object *preset,
                                  struct json_object *before)
{
    const struct setting *setting;
    bool again = true;

    while (again) {
        again = false;
        for (size_t i = 0; (setting = setting_at(i)); i++) {
            const char *path = setting->path + strlen("sources[].");

            if (setting->needs && !find_value(source, path) &&
                has_needs(setting->needs, NULL, before) &&
                !has_needs(setting->needs, source, preset)) {
                again = take_out(preset, path) || again;
            }
        }
    }
}

/* If the preset's delivery id is the id that is signed, it stays that when a source has the
 * signed id in another header: what is left in the preset's header is not signed any more. */
static void follow_id_header(struct json_object *source, struct json_object *preset)
{
    const char *before = text_at(NULL, preset, "signature.id_header");
    const char *now = text_at(source, NULL, "signature.id_header");
    const char *delivery_id = text_at(NULL, preset, "fields.delivery_id");
    struct buf text = {0};

    if (!before || !now || !delivery_id) {
        return;
    }
    buf_addf(&text, "{header.%s}", before);
    if (strcmp(delivery_id, text.data) == 0) {
        buf_clear(&text);
        buf_addf(&text, "{header.%s}", now);
        json_object_object_add(find_value(preset, "fields"), "delivery_id",
                               json_object_new_string(text.data));
    }
    buf_free(&text);
}

/* The row says that the objects at this key merge. */
static bool is_merged(const struct setting *setting, struct json_object *own,
                      struct json_object *under)
{
    return setting && setting->type == SETTING_OBJECT &&
           json_object_is_type(own, json_type_object) &&
           json_object_is_type(under, json_type_object);
}

/* What is null in the source and there in the preset goes out of both. */
static void apply_nulls(struct json_object *source, struct json_object *preset,
                        const char *parent)
{
    json_object_object_foreach(source, key, own)
    {
        const struct setting *setting = setting_find(parent, slice_of(key));
        struct json_object *under = NULL;

        (void)json_object_object_get_ex(preset, key, &under);
        if (!own && under) {
            json_object_object_del(preset, key);
            json_object_object_del(source, key);
        } else if (is_merged(setting, own, under)) {
            apply_nulls(own, under, setting->path);
        }
    }
}

/* Adds what the source lacks. */
static void put_under(struct json_object *source, struct json_object *preset,
                      const char *parent)
{
    json_object_object_foreach(preset, key, under)
    {
        const struct setting *setting = setting_find(parent, slice_of(key));
        struct json_object *own = NULL;

        if (!json_object_object_get_ex(source, key, &own)) {
            json_object_object_add(source, key, json_object_get(under));
        } else if (is_merged(setting, own, under)) {
            put_under(own, under, setting->path);
        }
    }
}

/* Of two objects that are values: all objects in them merge, and null is a value. */
static void put_over(struct json_object *object, struct json_object *over)
{
    json_object_object_foreach(over, key, value)
    {
        struct json_object *own = NULL;

        (void)json_object_object_get_ex(object, key, &own);
        if (json_object_is_type(own, json_type_object) &&
            json_object_is_type(value, json_type_object)) {
            put_over(own, value);
        } else {
            json_object_object_add(object, key, json_object_get(value));
        }
    }
}

/* Puts a member of each sample over what the samples have in common there. */
static void merge_samples(struct json_object *samples, struct json_object *common,
                          const char *key)
{
    if (!json_object_is_type(common, json_type_object)) {
        return;
    }
    for (size_t i = 0; i < json_object_array_length(samples); i++) {
        struct json_object *sample = json_object_array_get_idx(samples, i), *merged = NULL;
        struct json_object *own = find_value(sample, key);

        if (json_object_is_type(sample, json_type_object) &&
            (!own || json_object_is_type(own, json_type_object))) {
            CHECK(json_object_deep_copy(common, &merged, NULL) == 0);
            if (own) {
                put_over(merged, own);
            }
            json_object_object_add(sample, key, merged);
        }
    }
}

void config_merge(struct json_object *source, struct json_object *preset)
{
    struct json_object *samples, *before = NULL;

    CHECK(json_object_deep_copy(preset, &before, NULL) == 0);
    apply_nulls(source, preset, "sources[]");
    leave_out_meaningless(source, preset, before);
    json_object_put(before);
    follow_id_header(source, preset);
    put_under(source, preset, "sources[]");
    samples = find_value(source, "samples");
    if (json_object_is_type(samples, json_type_array)) {
        merge_samples(samples, find_value(source, "sample_defaults.headers"), "headers");
        merge_samples(samples, find_value(source, "sample_defaults.body"), "body");
    }
}
