/*
 * The samples that a source sets: makes of each what trigger would send, reads it as the bridge
 * would, and warns where that makes no event, or not the one that the sample names.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/encode.h"

#include "bridge/config/internal.h"

static void add_header(struct buf *lines, const char *name, const char *value)
{
    if (name) {
        buf_addf(lines, "%s%s: %s", lines->len > 0 ? "\n" : "", name, value);
    }
}

/* A % that encodes nothing stands for itself, as it does in the HTTP library. */
static void decode_url(struct buf *url)
{
    struct buf out = {0};
    size_t i = 0;

    while (i < url->len) {
        uint8_t byte;

        if (url->data[i] == '%' && url->len - i > 2 &&
            decode_hex((struct slice){url->data + i + 1, 2}, &byte, 1)) {
            buf_add(&out, &byte, 1);
            i += 3;
        } else {
            buf_add_char(&out, url->data[i++]);
        }
    }
    buf_free(url);
    *url = out;
}

/* Of the signature's own headers only those that a field can be taken from: there may be no
 * secret yet. */
static void make_delivery(const struct provider *provider, const struct provider_sample *sample,
                          const char *event, struct provider_made *made)
{
    static const char id[] = "8a6e0804-2bd0-4672-b79d-d97027f9071a";
    const uint8_t random[16] = {0x42, 0x13, 0x37};
    char gid[PROVIDER_GID_SIZE], now_s[32];
    struct provider_sample_values values = {
        .event = event, .gid = gid, .delivery_id = id, .now_ms = clock_unix_ms(), .number = 1};

    provider_make_gid(provider, sample, random, gid);
    provider_make(provider, sample, &values, made);
    (void)snprintf(now_s, sizeof(now_s), "%" PRId64, values.now_ms / 1000);
    add_header(&made->headers, provider->signature.id_header, id);
    add_header(&made->headers, provider->signature.timestamp_header, now_s);
    decode_url(&made->suffix);
}

/* See struct delivery. */
static size_t find_header(void *ctx, const char *name, struct slice *out_values, size_t room)
{
    struct slice lines = buf_slice(ctx);
    const char *line = lines.data, *end = lines.data + lines.len;
    size_t count = 0, name_len = strlen(name);

    out_values[0] = SLICE_NONE;
    while (line && line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((newline ? newline : end) - line);

        if (len >= name_len + 2 && line[name_len] == ':' &&
            slice_equal_nocase((struct slice){line, name_len}, slice_of(name))) {
            if (count < room) {
                out_values[count] = (struct slice){line + name_len + 2, len - name_len - 2};
            }
            count++;
        }
        line = newline ? newline + 1 : NULL;
    }
    return count;
}

static void warn(struct source_view *view, size_t index, const char *key, const char *text)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "samples[%zu]%s", index, key);
    config_warn(view->faults, source_path(view, path), "%s", text);
}

static void compare(struct source_view *view, size_t index, const char *key,
                    const char *expected, struct slice found)
{
    struct buf text = {0};

    buf_add_str(&text, "is ");
    config_add_quoted(&text, slice_of(expected));
    buf_add_str(&text, ", but what the bridge finds in this sample is ");
    config_add_quoted(&text, found);
    warn(view, index, key, text.data);
    buf_free(&text);
}

static void check_event(struct source_view *view, size_t index,
                        const struct provider_sample *sample, const char *event,
                        const struct parsed *parsed)
{
    struct slice type = slice_of(sample->resource_type);

    if (!slice_equal(parsed->event, slice_of(event))) {
        compare(view, index, ".event", event, parsed->event);
    } else if (parsed->resource_type.len > 0 && !slice_equal(parsed->resource_type, type)) {
        compare(view, index, ".resource_type", sample->resource_type, parsed->resource_type);
    }
    if (parsed->unreadable_time) {
        warn(view, index, "",
             "has a time at fields.event_time that cannot be read: it does not count");
    }
}

/* A header that comes twice is refused. */
static void check_headers(struct source_view *view, size_t index, struct provider_made *made)
{
    const struct provider_signature *signature = &view->source->provider->signature;
    const struct {
        const char *name;
        size_t made; /* by make_delivery */
    } own[] = {
        {signature->header, 0}, {signature->timestamp_header, 1}, {signature->id_header, 1}};
    struct slice value;

    for (size_t i = 0; i < COUNT_OF(own); i++) {
        if (own[i].name && own[i].name[0] != '\0' &&
            find_header(&made->headers, own[i].name, &value, 1) > own[i].made) {
            warn(view, index, ".headers",
                 "contain one that the signature brings, too: what comes twice is refused");
        }
    }
}

static void check_sample(struct source_view *view, const struct parser *parser, size_t index,
                         const char *event)
{
    const struct provider *provider = view->source->provider;
    const struct provider_sample *sample = &provider->samples[index];
    struct provider_made made = {0};
    struct delivery delivery = {.header = find_header, .ctx = &made.headers};
    struct buf text = {0};
    struct parsed parsed;
    enum status st;

    make_delivery(provider, sample, event, &made);
    check_headers(view, index, &made);
    delivery.body = buf_slice(&made.body);
    delivery.suffix = provider_url_rest(SLICE_NONE, buf_slice(&made.suffix));
    st = parser_read(parser, &delivery, NULL, &parsed);
    if (!provider_url_takes(provider, delivery.suffix)) {
        warn(view, index, "", "is sent to a URL that is not taken, and answered 404");
    } else if (st != ST_OK) {
        buf_addf(&text, "makes no event: %s", parsed.reason);
        warn(view, index, "", text.data);
    } else if (!parsed.challenge.data) {
        check_event(view, index, sample, event, &parsed);
    }
    buf_free(&text);
    parsed_fini(&parsed);
    provider_made_fini(&made);
}

static void check_source(struct source_view *view)
{
    const struct provider_sample *samples = view->source->provider->samples;
    struct parser *parser = NULL;
    const char *key;
    struct err err;

    if (!config_is_set(view->source, "samples") ||
        parser_create(view->source->provider, &parser, &key, &err) != ST_OK) {
        return; /* the preset's own, or a fault was added */
    }
    for (size_t i = 0; samples && samples[i].resource_type; i++) {
        for (const char *const *event = samples[i].events; *event; event++) {
            check_sample(view, parser, i, *event);
        }
    }
    parser_destroy(parser);
}

void config_check_samples(const struct config *config, struct config_faults *faults)
{
    for (size_t i = 0; i < config->source_count; i++) {
        struct source_view view = {
            .config = config, .source = &config->sources[i], .index = i, .faults = faults};
        char path[32];

        (void)snprintf(path, sizeof(path), "sources[%zu]", i);
        if (!config_is_faulty(faults, path)) {
            check_source(&view);
        }
    }
}
