/*
 * provider: sample deliveries, made from the rows' templates.
 */
#include "bridge/provider/provider.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/json.h"

/* Adds a value as the place it goes to needs it. */
typedef void encode_fn(struct buf *out, struct slice text);

/* What a template is filled in with. */
struct filling {
    const struct provider *provider;
    const struct provider_sample *sample;
    const struct provider_sample_values *values;
    const char *resource; /* NULL inside a resource: it does not hold another */
    encode_fn *encode;
};

/* Between the quotes of a JSON string. */
static void encode_json(struct buf *out, struct slice text)
{
    struct buf quoted = {0};

    json_add_string(&quoted, text);
    buf_add(out, quoted.data + 1, quoted.len - 2);
    buf_free(&quoted);
}

static void add_percent(struct buf *out, char c)
{
    buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
}

/* No value can end its header line. */
static void encode_header(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < ' ' || c == 0x7F) {
            add_percent(out, text.data[i]);
        } else {
            buf_add_char(out, text.data[i]);
        }
    }
}

/* All but slashes and the unreserved characters of RFC 3986. */
static void encode_path(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c != '\0' && strchr("-._~/", c))) {
            buf_add_char(out, c);
        } else {
            add_percent(out, c);
        }
    }
}

static void expand(struct buf *out, const char *template, const struct filling *with);

static void add_event(struct buf *out, const struct filling *with)
{
    with->encode(out, slice_of(with->values->event));
}

static void add_action(struct buf *out, const struct filling *with)
{
    const char *dot = strrchr(with->values->event, '.');

    with->encode(out, slice_of(dot ? dot + 1 : with->values->event));
}

static void add_type(struct buf *out, const struct filling *with)
{
    with->encode(out, slice_of(with->sample->resource_type));
}

static void add_gid(struct buf *out, const struct filling *with)
{
    with->encode(out, slice_of(with->values->gid));
}

/* JSON numbers do not begin with a 0 that is not all of them. */
static void add_gid_value(struct buf *out, const struct filling *with)
{
    const char *gid = with->values->gid;
    size_t digits = strspn(gid, "0123456789");

    if (digits > 0 && gid[digits] == '\0' && (gid[0] != '0' || digits == 1)) {
        buf_add_str(out, gid);
    } else {
        json_add_string(out, slice_of(gid));
    }
}

static void add_now(struct buf *out, const struct filling *with)
{
    time_t seconds = (time_t)(with->values->now_ms / 1000);
    char date[32];
    struct tm utc;
    bool fits =
        gmtime_r(&seconds, &utc) && strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc) > 0;

    CHECK(fits);
    buf_addf(out, "%s%s", date, with->provider->time_zone);
}

static void add_unix(struct buf *out, const struct filling *with)
{
    buf_addf(out, "%" PRId64, with->values->now_ms / 1000);
}

static void add_uuid(struct buf *out, const struct filling *with)
{
    with->encode(out, slice_of(with->values->delivery_id));
}

static void add_number(struct buf *out, const struct filling *with)
{
    buf_addf(out, "%" PRIu64, with->values->number);
}

static void add_resource(struct buf *out, const struct filling *with)
{
    struct filling inside = *with;

    inside.resource = NULL;
    expand(out, with->resource, &inside);
}

static const struct placeholder {
    struct slice name;
    void (*add)(struct buf *out, const struct filling *with);
} placeholders[] = {
    {SLICE("@EVENT@"), add_event}, {SLICE("@ACTION@"), add_action},
    {SLICE("@TYPE@"), add_type},   {SLICE("@GID@"), add_gid},
    {SLICE("@NOW@"), add_now},     {SLICE("@GID_VALUE@"), add_gid_value},
    {SLICE("@UNIX@"), add_unix},   {SLICE("@UUID@"), add_uuid},
    {SLICE("@N@"), add_number},    {SLICE("@RESOURCE@"), add_resource},
};

static const struct placeholder *find_placeholder(const char *text)
{
    for (size_t i = 0; *text == '@' && i < COUNT_OF(placeholders); i++) {
        if (strncmp(text, placeholders[i].name.data, placeholders[i].name.len) == 0) {
            return &placeholders[i];
        }
    }
    return NULL;
}

/* template may be NULL: then there is nothing to add. */
static void expand(struct buf *out, const char *template, const struct filling *with)
{
    while (template && *template) {
        const struct placeholder *found = find_placeholder(template);

        if (found) {
            found->add(out, with);
            template += found->name.len;
        } else {
            buf_add_char(out, *template);
            template ++;
        }
    }
}

static const char *body_template(const struct provider *provider,
                                 const struct provider_sample *sample, const char *event)
{
    if (sample->body) {
        return sample->body;
    }
    return provider->sample_deletion && provider_is_deletion(provider, slice_of(event))
               ? provider->sample_deletion
               : provider->sample_body;
}

void provider_sample_body(const struct provider *provider, const struct provider_sample *sample,
                          const struct provider_sample_values *values, struct buf *out)
{
    const struct filling with = {provider, sample, values, sample->resource, encode_json};

    expand(out, body_template(provider, sample, values->event), &with);
}

void provider_sample_headers(const struct provider *provider,
                             const struct provider_sample *sample,
                             const struct provider_sample_values *values, struct buf *out)
{
    const struct filling with = {provider, sample, values, NULL, encode_header};

    expand(out, provider->sample_headers, &with);
    if (provider->sample_headers && sample->headers) {
        buf_add_char(out, '\n');
    }
    expand(out, sample->headers, &with);
}

const char *provider_url_suffix(const struct provider *provider, const char *event)
{
    for (const struct provider_url_event *e = provider->url_events; e && e->suffix; e++) {
        if (strcmp(e->event, event) == 0) {
            return e->suffix;
        }
    }
    return NULL;
}

const char *provider_url_event(const struct provider *provider, struct slice suffix)
{
    for (const struct provider_url_event *e = provider->url_events; e && e->suffix; e++) {
        if (slice_equal(slice_of(e->suffix), suffix)) {
            return e->event;
        }
    }
    return NULL;
}

void provider_sample_suffix(const struct provider *provider,
                            const struct provider_sample *sample,
                            const struct provider_sample_values *values, struct buf *out)
{
    const struct filling with = {provider, sample, values, NULL, encode_path};
    const char *listed = provider_url_suffix(provider, values->event);

    if (!sample->suffix && listed) {
        encode_path(out, slice_of(listed));
        return;
    }
    expand(out, sample->suffix ? sample->suffix : provider->sample_suffix, &with);
}
