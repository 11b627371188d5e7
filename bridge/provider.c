#include "bridge/provider.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/encode.h"
#include "common/json.h"

static const struct provider *const providers[] = {&provider_creads};

const struct provider *provider_at(size_t i)
{
    return i < COUNT_OF(providers) ? providers[i] : NULL;
}

const struct provider *provider_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        if (slice_equal(slice_of(providers[i]->name), name)) {
            return providers[i];
        }
    }
    return NULL;
}

/* The next letter (in lower case) or digit of text from *i on; -1 behind the last one. */
static int next_significant(struct slice text, size_t *i)
{
    while (*i < text.len) {
        char c = text.data[(*i)++];

        if (c >= 'A' && c <= 'Z') {
            return c - 'A' + 'a';
        }
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            return c;
        }
    }
    return -1;
}

/* Which spelling a provider uses for a type of two words is often not documented:
 * project_message, project-message and ProjectMessage are one. */
static bool same_type(struct slice a, struct slice b)
{
    size_t i = 0, j = 0;
    int c;

    do {
        c = next_significant(a, &i);
        if (c != next_significant(b, &j)) {
            return false;
        }
    } while (c >= 0);
    return true;
}

bool provider_knows(const struct provider *provider, struct slice resource_type,
                    struct slice event)
{
    for (const struct provider_sample *s = provider->samples; s->resource_type; s++) {
        if (!same_type(resource_type, slice_of(s->resource_type))) {
            continue;
        }
        for (const char *const *e = s->events; *e; e++) {
            if (slice_equal(event, slice_of(*e))) {
                return true;
            }
        }
    }
    return false;
}

void provider_make_gid(const struct provider *provider, const uint8_t random[16],
                       char out_text[33])
{
    encode_hex(random, 16, out_text);
    out_text[provider->gid_digits] = '\0';
}

struct placeholder {
    struct slice name, value;
};

static void expand(struct buf *out, const char *template, const struct placeholder *all,
                   size_t count)
{
    while (*template != '\0') {
        size_t i = 0;

        while (i < count && strncmp(template, all[i].name.data, all[i].name.len) != 0) {
            i++;
        }
        if (i < count) {
            buf_add_slice(out, all[i].value);
            template += all[i].name.len;
        } else {
            buf_add_char(out, *template ++);
        }
    }
}

/* As it stands between the quotes of a JSON string; the memory is in `quoted`. */
static struct slice quoted_inside(const char *text, struct buf *quoted)
{
    json_add_string(quoted, slice_of(text));
    return (struct slice){quoted->data + 1, quoted->len - 2};
}

static struct slice format_time(const struct provider *provider, int64_t unix_ms,
                                struct buf *text)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    char date[32];
    struct tm utc;
    bool fits =
        gmtime_r(&seconds, &utc) && strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc) > 0;

    CHECK(fits);
    buf_addf(text, "%s%s", date, provider->time_zone);
    return buf_slice(text);
}

void provider_sample_body(const struct provider *provider, const struct provider_sample *sample,
                          const char *event, const char *gid, int64_t now_ms, uint64_t number,
                          struct buf *out)
{
    bool deletion =
        provider->fields.deletion_event && strcmp(event, provider->fields.deletion_event) == 0;
    struct buf quoted_event = {0}, quoted_gid = {0}, now = {0}, digits = {0}, resource = {0};
    struct placeholder values[] = {
        {SLICE("@EVENT@"), quoted_inside(event, &quoted_event)},
        {SLICE("@TYPE@"), slice_of(sample->resource_type)},
        {SLICE("@GID@"), quoted_inside(gid, &quoted_gid)},
        {SLICE("@NOW@"), format_time(provider, now_ms, &now)},
        {SLICE("@N@"), SLICE_NONE},
        {SLICE("@RESOURCE@"), SLICE_NONE}, /* last: a resource does not hold a resource */
    };
    enum { N = COUNT_OF(values) - 2, RESOURCE = COUNT_OF(values) - 1 };

    buf_addf(&digits, "%" PRIu64, number);
    values[N].value = buf_slice(&digits);
    expand(&resource, sample->resource, values, RESOURCE);
    values[RESOURCE].value = buf_slice(&resource);
    expand(out, deletion ? provider->sample_deletion : provider->sample_body, values,
           COUNT_OF(values));
    buf_free(&resource);
    buf_free(&digits);
    buf_free(&now);
    buf_free(&quoted_gid);
    buf_free(&quoted_event);
}
