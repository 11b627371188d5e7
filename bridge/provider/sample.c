/*
 * Sample deliveries, made from templates: each placeholder is replaced by a value, encoded as
 * its place needs it. Text that is not a placeholder stays as it is; nothing fails.
 */
#include "bridge/provider/provider.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/encode.h"
#include "common/json.h"

/* Adds a value as the place it goes to needs it. */
typedef void encode_fn(struct buf *out, struct slice text);

/* What a template is filled in with. */
struct filling {
    const struct provider *provider;
    const struct provider_sample *sample;
    const struct provider_sample_values *values;
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
    buf_add_str(out, date);
    buf_add_slice(out, slice_of(with->provider->time_zone));
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

static const struct placeholder {
    struct slice name;
    void (*add)(struct buf *out, const struct filling *with);
} placeholders[] = {
    {SLICE("@EVENT@"), add_event},
    {SLICE("@ACTION@"), add_action},
    {SLICE("@TYPE@"), add_type},
    {SLICE("@GID@"), add_gid},
    {SLICE("@NOW@"), add_now},
    {SLICE("@UNIX@"), add_unix},
    {SLICE("@UUID@"), add_uuid},
    {SLICE("@N@"), add_number},
    /* Whole strings of a body, quotes included. */
    {SLICE("\"@GID_VALUE@\""), add_gid_value},
    {SLICE("\"@UNIX_VALUE@\""), add_unix},
    {SLICE("\"@N_VALUE@\""), add_number},
};

static const struct placeholder *find_placeholder(const char *text)
{
    for (size_t i = 0; strchr("@\"", *text) && i < COUNT_OF(placeholders); i++) {
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

void provider_make(const struct provider *provider, const struct provider_sample *sample,
                   const struct provider_sample_values *values, struct provider_made *made)
{
    const char *listed = sample->suffix ? NULL : provider_url_suffix(provider, values->event);
    struct filling with = {provider, sample, values, encode_json};

    buf_clear(&made->body);
    buf_clear(&made->headers);
    buf_clear(&made->suffix);
    expand(&made->body, sample->body, &with);
    with.encode = encode_header;
    expand(&made->headers, sample->headers, &with);
    with.encode = encode_path;
    if (listed) {
        encode_path(&made->suffix, slice_of(listed));
    } else {
        expand(&made->suffix, sample->suffix ? sample->suffix : provider->sample_suffix, &with);
    }
}

void provider_made_fini(struct provider_made *made)
{
    buf_free(&made->body);
    buf_free(&made->headers);
    buf_free(&made->suffix);
}

/* a to f become 0 to 5: no matter that those are the more likely ones then. */
static char decimal(char hex_digit)
{
    if (hex_digit >= 'a') {
        return "012345"[hex_digit - 'a'];
    }
    return hex_digit;
}

void provider_make_gid(const struct provider *provider, const struct provider_sample *sample,
                       const uint8_t random[16], char out_text[PROVIDER_GID_SIZE])
{
    const char *form = sample->gid_form ? sample->gid_form : provider->gid_form;
    char digits[33];
    size_t used = 0;
    size_t i = 0;

    encode_hex(random, 16, digits);
    for (; i < PROVIDER_GID_SIZE - 1 && form[i]; i++) {
        out_text[i] = form[i];
        if (used < 32 && form[i] == '#') {
            out_text[i] = digits[used++];
        } else if (used < 32 && form[i] == '?') {
            out_text[i] = decimal(digits[used++]);
        }
    }
    out_text[i] = '\0';
}
