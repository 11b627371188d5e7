/*
 * The samples of a source: what trigger would send, and what the bridge would read in it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/encode.h"

#include "bridge/config/override.h"
#include "bridge/config/internal.h"

/* A delivery as it is made of a sample. */
struct made {
    struct buf body;
    struct buf headers; /* lines `Name: value` between \n */
    struct buf suffix;  /* decoded */
};

static void made_fini(struct made *made)
{
    buf_free(&made->body);
    buf_free(&made->headers);
    buf_free(&made->suffix);
}

static void add_header(struct buf *lines, const char *name, const char *value)
{
    if (name) {
        buf_addf(lines, "%s%s: %s", lines->len > 0 ? "\n" : "", name, value);
    }
}

/* A % that encodes nothing stands for itself, as it does in the HTTP library. */
static void decode_url(const struct buf *url, struct buf *out)
{
    size_t i = 0;

    while (i < url->len) {
        uint8_t byte;

        if (url->data[i] == '%' && url->len - i > 2 &&
            decode_hex((struct slice){url->data + i + 1, 2}, &byte, 1)) {
            buf_add(out, &byte, 1);
            i += 3;
        } else {
            buf_add_char(out, url->data[i++]);
        }
    }
}

/* Without slashes before it: one follows the source's path, and the bridge skips more. */
static struct slice suffix_of(const struct made *made)
{
    struct slice suffix = buf_slice(&made->suffix);

    while (suffix.len > 0 && suffix.data[0] == '/') {
        suffix = (struct slice){suffix.data + 1, suffix.len - 1};
    }
    return suffix.len > 0 ? suffix : SLICE_NONE;
}

/* Of the signature's own headers only those that a field can be taken from: there may be no
 * secret yet. */
static void make_delivery(const struct provider *provider, const struct provider_sample *sample,
                          struct made *made)
{
    static const char id[] = "8a6e0804-2bd0-4672-b79d-d97027f9071a";
    const uint8_t random[16] = {0x42, 0x13, 0x37};
    char gid[PROVIDER_GID_SIZE], now_s[32];
    struct provider_sample_values values = {.event = sample->events[0],
                                            .gid = gid,
                                            .delivery_id = id,
                                            .now_ms = clock_unix_ms(),
                                            .number = 1};
    struct buf url = {0};

    provider_make_gid(provider, sample, random, gid);
    provider_sample_body(provider, sample, &values, &made->body);
    provider_sample_headers(provider, sample, &values, &made->headers);
    (void)snprintf(now_s, sizeof(now_s), "%" PRId64, values.now_ms / 1000);
    add_header(&made->headers, provider->signature.id_header, id);
    add_header(&made->headers, provider->signature.timestamp_header, now_s);
    provider_sample_suffix(provider, sample, &values, &url);
    decode_url(&url, &made->suffix);
    buf_free(&url);
}

/* See struct delivery. */
static size_t find_header(void *ctx, const char *name, struct slice *out_value)
{
    struct slice lines = buf_slice(ctx);
    const char *line = lines.data, *end = lines.data + lines.len;
    size_t count = 0, name_len = strlen(name);

    *out_value = SLICE_NONE;
    while (line && line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((newline ? newline : end) - line);

        if (len >= name_len + 2 && line[name_len] == ':' &&
            slice_equal_nocase((struct slice){line, name_len}, slice_of(name))) {
            struct slice value = {line + name_len + 2, len - name_len - 2};

            *out_value = count++ == 0 ? value : *out_value;
        }
        line = newline ? newline + 1 : NULL;
    }
    return count;
}

/* As the intake finds sources. */
static bool is_taken(const struct provider *provider, struct slice suffix)
{
    return provider->url_events ? provider_url_event(provider, suffix) != NULL
                                : suffix.len == 0 || provider->takes_suffix;
}

static void warn(struct source_view *view, size_t index, const char *key, const char *text)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "samples[%zu]%s", index, key);
    config_warn(view->faults, source_path(view, path), "%s", text);
}

static void compare(struct source_view *view, size_t index, const char *key, const char *said,
                    struct slice found)
{
    struct buf text = {0};

    buf_add_str(&text, "is ");
    config_add_quoted(&text, slice_of(said));
    buf_add_str(&text, ", but what the bridge finds in this sample is ");
    config_add_quoted(&text, found);
    warn(view, index, key, text.data);
    buf_free(&text);
}

static void check_event(struct source_view *view, size_t index,
                        const struct provider_sample *sample, const struct parsed *parsed)
{
    struct slice event = slice_of(sample->events[0]), type = slice_of(sample->resource_type);

    if (!slice_equal(parsed->event, event)) {
        compare(view, index, ".event", sample->events[0], parsed->event);
    } else if (parsed->resource_type.len > 0 && !slice_equal(parsed->resource_type, type)) {
        compare(view, index, ".resource_type", sample->resource_type, parsed->resource_type);
    }
    if (parsed->unreadable_time) {
        warn(view, index, "",
             "has a time at fields.event_time that is neither ISO 8601 nor Unix seconds or "
             "milliseconds: it does not count");
    }
}

/* A header that comes twice is refused. */
static void check_headers(struct source_view *view, size_t index, struct made *made)
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
            find_header(&made->headers, own[i].name, &value) > own[i].made) {
            warn(view, index, ".headers",
                 "hold one that the signature brings, too: what comes twice is refused");
        }
    }
}

static void check_sample(struct source_view *view, const struct parser *parser, size_t index)
{
    const struct provider *provider = view->source->provider;
    const struct provider_sample *sample = &provider->samples[index];
    struct made made = {0};
    struct delivery delivery = {.header = find_header, .ctx = &made.headers};
    struct buf text = {0};
    struct parsed parsed;
    enum status st;

    make_delivery(provider, sample, &made);
    check_headers(view, index, &made);
    delivery.body = buf_slice(&made.body);
    delivery.suffix = suffix_of(&made);
    st = parser_read(parser, &delivery, NULL, &parsed);
    if (!is_taken(provider, delivery.suffix)) {
        warn(view, index, "", "is sent to a URL that is not taken, and answered 404");
    } else if (st != ST_OK) {
        buf_addf(&text, "makes no event: %s", parsed.reason);
        warn(view, index, "", text.data);
    } else if (!parsed.challenge.data) {
        check_event(view, index, sample, &parsed);
    }
    buf_free(&text);
    parsed_fini(&parsed);
    made_fini(&made);
}

static void check_source(struct source_view *view)
{
    struct parser *parser = NULL;
    const char *key;
    struct err err;

    if (parser_create(view->source->provider, &parser, &key, &err) != ST_OK) {
        return; /* a fault was added */
    }
    for (size_t i = 0; i < view->source->description->sample_count; i++) {
        check_sample(view, parser, i);
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
