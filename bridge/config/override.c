/*
 * What a source says, put into its provider's row: value by value; then the lists, which
 * replace the row's as a whole.
 */
#include "bridge/config/override.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/config/internal.h"

struct config_description *config_description_create(void)
{
    struct config_description *said = xalloc(sizeof(*said));

    said->signature.tolerance_ms = -1;
    return said;
}

static void pairs_fini(struct config_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->items[i].key);
        free(pairs->items[i].value);
    }
    free(pairs->items);
}

static void sample_fini(struct config_sample *sample)
{
    pairs_fini(&sample->headers);
    free(sample->event);
    free(sample->resource_type);
    free(sample->gid_form);
    free(sample->url);
    free(sample->body);
    free(sample->header_lines);
}

void config_description_destroy(struct config_description *said)
{
    if (!said) {
        return;
    }
    free(said->signature.header);
    free(said->signature.mark);
    free(said->signature.message);
    free(said->signature.timestamp_header);
    free(said->signature.timestamp_key);
    free(said->signature.id_header);
    free(said->fields.event);
    free(said->fields.resource_type);
    free(said->fields.gid);
    free(said->fields.delivery_id);
    free(said->fields.event_time);
    free(said->fields.deletion_event);
    free(said->challenge.field);
    free(said->challenge.value);
    free(said->challenge.echo);
    pairs_fini(&said->events);
    for (size_t i = 0; i < said->sample_count; i++) {
        sample_fini(&said->samples[i]);
    }
    free(said->samples);
    free(said->delivery_id);
    free(said->url_events);
    free(said->provider_samples);
    free(said);
}

/* Signature */

bool config_says_signature(const struct config_description *said)
{
    return said->signature.scheme || said->signature.algorithm || said->signature.form ||
           said->signature.encoding || said->signature.key || said->signature.skew ||
           said->signature.separator || said->signature.timestamp_format ||
           said->signature.ordered || said->signature.header || said->signature.mark ||
           said->signature.message || said->signature.timestamp_header ||
           said->signature.timestamp_key || said->signature.tolerance_ms >= 0 ||
           said->signature.id_header;
}

static bool is_timed(const char *message)
{
    return message && strstr(message, "{timestamp}");
}

/* Takes out of the row what it says only for the sake of something that is said otherwise now.
 * */
static void drop_meaningless(const struct config_description *said,
                             struct provider_signature *signature)
{
    const char *message = said->signature.message;
    bool untimed = message && !is_timed(message);

    if (said->signature.scheme == SCHEME_TOKEN && signature->scheme != SCHEME_TOKEN) {
        *signature = (struct provider_signature){.header = signature->header};
    }
    if (said->signature.form && said->signature.form != (int64_t)signature->form) {
        signature->mark = NULL;
        signature->separator = '\0';
        signature->ordered = false;
        signature->timestamp_key = NULL;
    }
    if (said->signature.timestamp_header || untimed) {
        signature->timestamp_key = NULL;
        signature->ordered = false;
    }
    if (said->signature.timestamp_key || untimed) {
        signature->timestamp_header = NULL;
    }
    if (untimed) {
        signature->timestamp_format = TIMESTAMP_UNSET;
        signature->skew = SKEW_UNSET;
    }
    if (message && !strstr(message, "{id}")) {
        signature->id_header = NULL;
    }
}

/* A row without {timestamp} has no tolerance that could be taken over: 0 would be any age. */
static int64_t merged_tolerance_ms(const struct config_description *said,
                                   const struct provider_signature *row, const char *message)
{
    if (said->signature.tolerance_ms >= 0) {
        return said->signature.tolerance_ms;
    }
    if (!is_timed(message)) {
        return 0;
    }
    return is_timed(row->message) ? row->tolerance_ms : -1;
}

static void put_text(const char **value, const char *said)
{
    if (said) {
        *value = said;
    }
}

static void put_flag(bool *value, int64_t said)
{
    if (said != FLAG_UNSET) {
        *value = said == FLAG_TRUE;
    }
}

static void merge_signature(const struct config_description *said,
                            struct provider_signature *signature)
{
    const struct provider_signature row = *signature;

    drop_meaningless(said, signature);
    if (said->signature.scheme) {
        signature->scheme = (enum provider_scheme)said->signature.scheme;
    }
    if (said->signature.algorithm) {
        signature->algorithm = (enum provider_algorithm)said->signature.algorithm;
    }
    if (said->signature.form) {
        signature->form = (enum provider_form)said->signature.form;
    }
    if (said->signature.encoding) {
        signature->encoding = (enum provider_encoding)said->signature.encoding;
    }
    if (said->signature.key) {
        signature->key = (enum provider_key)said->signature.key;
    }
    if (said->signature.skew) {
        signature->skew = (enum provider_skew)said->signature.skew;
    }
    if (said->signature.separator) {
        signature->separator = (char)said->signature.separator;
    }
    if (said->signature.timestamp_format) {
        signature->timestamp_format = (enum provider_timestamp)said->signature.timestamp_format;
    }
    put_flag(&signature->ordered, said->signature.ordered);
    put_text(&signature->header, said->signature.header);
    put_text(&signature->mark, said->signature.mark);
    put_text(&signature->message, said->signature.message);
    put_text(&signature->timestamp_header, said->signature.timestamp_header);
    put_text(&signature->timestamp_key, said->signature.timestamp_key);
    put_text(&signature->id_header, said->signature.id_header);
    signature->tolerance_ms = merged_tolerance_ms(said, &row, signature->message);
}

/* Fields */

/* If the row's delivery id is the id that is signed, so it is when that is in another header:
 * what is left in the row's own is signed no more. */
static void follow_id_header(struct config_description *said, struct provider *provider)
{
    const char *before = provider->signature.id_header, *now = said->signature.id_header;
    const char *delivery_id = provider->fields.delivery_id;
    struct buf signed_id = {0};

    if (!before || !now || !delivery_id) {
        return;
    }
    buf_addf(&signed_id, "{header.%s}", before);
    if (strcmp(delivery_id, signed_id.data) == 0) {
        buf_clear(&signed_id);
        buf_addf(&signed_id, "{header.%s}", now);
        said->delivery_id = buf_take(&signed_id);
        provider->fields.delivery_id = said->delivery_id;
    }
    buf_free(&signed_id);
}

static void merge_fields(const struct config_description *said, struct provider *provider)
{
    put_text(&provider->fields.event, said->fields.event);
    put_text(&provider->fields.resource_type, said->fields.resource_type);
    put_text(&provider->fields.gid, said->fields.gid);
    put_text(&provider->fields.delivery_id, said->fields.delivery_id);
    put_text(&provider->fields.event_time, said->fields.event_time);
    put_text(&provider->fields.deletion_event, said->fields.deletion_event);
    put_text(&provider->challenge.field, said->challenge.field);
    put_text(&provider->challenge.value, said->challenge.value);
    put_text(&provider->challenge.echo, said->challenge.echo);
}

/* Events of the URL */

/* Keys are what follows the source's path, with or without the slash before it, or the whole
 * path, which may be the source's own. */
static const char *suffix_of(const char *key, const char *path)
{
    size_t len = path ? strlen(path) : 0;

    if (path && strcmp(key, path) == 0) {
        return "";
    }
    if (path && strncmp(key, path, len) == 0 && key[len] == '/') {
        return key + len + 1;
    }
    return key[0] == '/' ? key + 1 : key;
}

/* The i-th one has the suffix of an earlier one. */
static bool is_repeated(const struct provider_url_event *events, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(events[k].suffix, events[i].suffix) == 0) {
            return true;
        }
    }
    return false;
}

static void merge_events(struct source_view *view)
{
    struct config_source *source = view->source;
    struct config_description *said = source->description;
    const struct config_pairs *pairs = &said->events;
    struct reader reader = {.faults = view->faults};

    if (pairs->count == 0) {
        return;
    }
    said->url_events = xalloc((pairs->count + 1) * sizeof(said->url_events[0]));
    buf_add_str(&reader.path, source_path(view, "events"));
    for (size_t i = 0; i < pairs->count; i++) {
        size_t offset = reader_enter_key(&reader, slice_of(pairs->items[i].key));

        said->url_events[i].suffix = suffix_of(pairs->items[i].key, source->path);
        said->url_events[i].event = pairs->items[i].value;
        if (is_repeated(said->url_events, i)) {
            config_fault(view->faults, reader_path(&reader),
                         "is the same path as an earlier one; each event needs its own");
        }
        reader_leave(&reader, offset);
    }
    buf_free(&reader.path);
    source->provider->url_events = said->url_events;
    source->provider->takes_suffix = true;
}

/* Samples */

/* Provider rows write headers as lines. */
static char *header_lines(const struct config_pairs *headers)
{
    struct buf lines = {0};

    if (headers->count == 0) {
        return NULL;
    }
    for (size_t i = 0; i < headers->count; i++) {
        buf_addf(&lines, "%s%s: %s", i > 0 ? "\n" : "", headers->items[i].key,
                 headers->items[i].value);
    }
    return buf_take(&lines);
}

static void merge_samples(struct config_description *said, struct provider *provider)
{
    if (said->sample_count == 0) {
        return;
    }
    said->provider_samples =
        xalloc((said->sample_count + 1) * sizeof(said->provider_samples[0]));
    for (size_t i = 0; i < said->sample_count; i++) {
        struct config_sample *sample = &said->samples[i];

        if (!sample->event) {
            continue; /* a fault was added */
        }
        if (!sample->resource_type) {
            struct slice type = provider_type_of(slice_of(sample->event));

            sample->resource_type = strndup(type.data, type.len);
            CHECK(sample->resource_type);
        }
        sample->events[0] = sample->event;
        sample->header_lines = header_lines(&sample->headers);
        said->provider_samples[i] = (struct provider_sample){
            .resource_type = sample->resource_type,
            .events = sample->events,
            .body = sample->body,
            .headers = sample->header_lines,
            .gid_form = sample->gid_form,
            .suffix = sample->url,
        };
    }
    provider->samples = said->provider_samples;
    provider->sample_headers = NULL;
}

void config_merge(struct source_view *view)
{
    struct config_source *source = view->source;
    struct config_description *said = source->description;
    struct provider *provider = xalloc(sizeof(*provider));

    *provider = *source->preset;
    source->provider = provider;
    follow_id_header(said, provider);
    merge_signature(said, &provider->signature);
    if (!source->verify || provider->signature.scheme == SCHEME_NONE) {
        provider->signature = (struct provider_signature){.scheme = SCHEME_NONE};
    }
    merge_fields(said, provider);
    put_flag(&provider->takes_suffix, said->path_suffix);
    merge_events(view);
    merge_samples(said, provider);
}
