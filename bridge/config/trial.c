/*
 * A trial: makes of a sample what trigger would send, and reads it as the bridge would. Of the
 * signature's own headers it has only those that a field can be taken from: there may be no secret
 * yet.
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

size_t trial_find_header(void *ctx, const char *name, struct slice *out_values, size_t room)
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

void trial_begin(struct trial *trial, const struct provider *provider,
                 const struct parser *parser, const struct provider_sample *sample,
                 const char *event)
{
    *trial =
        (struct trial){.delivery = {.header = trial_find_header, .ctx = &trial->made.headers}};
    make_delivery(provider, sample, event, &trial->made);
    trial->delivery.body = buf_slice(&trial->made.body);
    trial->delivery.suffix = provider_url_rest(SLICE_NONE, buf_slice(&trial->made.suffix));
    trial->taken = provider_url_takes(provider, trial->delivery.suffix);
    trial->status = parser_read(parser, &trial->delivery, NULL, &trial->parsed);
}

void trial_end(struct trial *trial)
{
    parsed_fini(&trial->parsed);
    provider_made_fini(&trial->made);
}
