/*
 * The signature's header, in its four forms. Keys and versions that are not the wanted ones are
 * skipped: they are how providers bring in new schemes beside old ones. While a secret is being
 * changed, providers put several signatures in one header, in ways of their own: a list, one with a
 * mark before each or before the first only, several values behind one key or version. All are
 * taken: what is compared more is no easier to forge, and there is a limit.
 */
#include "bridge/verify/internal.h"

#include <string.h>

#include "common/encode.h"

/* FORM_PAIRS */
static char separator_of(const struct provider_signature *signature)
{
    if (signature->separator != '\0') {
        return signature->separator;
    }
    return ',';
}

static bool is_name(struct slice text, const char *name)
{
    return is_set(name) && slice_equal(text, slice_of(name));
}

static bool decode_mac(enum provider_encoding encoding, struct slice text, size_t mac_len,
                       uint8_t out_mac[VERIFY_MAX_MAC])
{
    size_t len;

    switch (encoding) {
    case ENCODING_HEX:
        return decode_hex(text, out_mac, mac_len);
    case ENCODING_BASE64:
        return decode_base64(text, out_mac, mac_len, &len) && len == mac_len;
    case ENCODING_UNSET:
        break;
    }
    return false;
}

/* Where a header's signatures go, and how many of the wanted kind there were, right or not. */
struct reading {
    const struct provider_signature *signature;
    size_t mac_len;
    size_t wanted;
    struct signature_given *given;
};

/* False: there are too many. */
static bool add_signature(struct reading *reading, struct slice text)
{
    struct signature_given *given = reading->given;

    if (++reading->wanted > VERIFY_MAX_SIGNATURES) {
        return false;
    }
    given->count += decode_mac(reading->signature->encoding, text, reading->mac_len,
                               given->macs[given->count]);
    return true;
}

/* True if this can be a signature, right or wrong. */
static bool is_signature(const struct reading *reading, struct slice text)
{
    uint8_t mac[VERIFY_MAX_MAC];

    return decode_mac(reading->signature->encoding, text, reading->mac_len, mac);
}

/* What may stand between two signatures, and is never part of one. */
static bool is_divider(char c)
{
    static const char dividers[] = ",; \t";

    return memchr(dividers, c, sizeof(dividers) - 1) != NULL;
}

static struct slice skip_dividers(struct slice rest)
{
    while (rest.len > 0 && is_divider(rest.data[0])) {
        rest = slice_from(rest, 1);
    }
    return rest;
}

/* What precedes the next divider. */
static struct slice take_item(struct slice *rest)
{
    struct slice item = {rest->data, 0};

    while (item.len < rest->len && !is_divider(item.data[item.len])) {
        item.len++;
    }
    *rest = slice_from(*rest, item.len);
    return item;
}

static bool read_list(struct reading *reading, struct slice value)
{
    for (value = skip_dividers(value); value.len > 0; value = skip_dividers(value)) {
        if (!add_signature(reading, take_item(&value))) {
            return false;
        }
    }
    return true;
}

/* The mark is before each signature, or before the first of several. What has another mark, or
 * follows that, is another kind's. */
static bool read_prefix(struct reading *reading, struct slice value)
{
    const struct slice mark = slice_of(reading->signature->mark);
    bool marked = false;

    for (; value.len > 0; value = skip_dividers(value)) {
        bool begins = slice_starts_with(value, mark);
        struct slice item;

        value = begins ? slice_from(value, mark.len) : value;
        item = take_item(&value);
        marked = begins ? item.len > 0 : marked && is_signature(reading, item);
        if (marked && !add_signature(reading, item)) {
            return false;
        }
    }
    return true;
}

/* There may be several, but only one time. */
static bool add_timestamp(struct reading *reading, struct slice text)
{
    struct slice *timestamp = &reading->given->timestamp;
    bool agrees = text.data && (timestamp->data == NULL || slice_equal(*timestamp, text));

    *timestamp = text;
    return agrees;
}

/* t=<timestamp>,s=<signature>: the second part is all that follows the first separator. */
static bool read_ordered(struct reading *reading, struct slice value)
{
    struct slice first = slice_take_until(&value, separator_of(reading->signature));

    if (!is_name(slice_take_until(&first, '='), reading->signature->timestamp_key) ||
        !is_name(slice_take_until(&value, '='), reading->signature->mark)) {
        return true;
    }
    return add_timestamp(reading, first) && add_signature(reading, value);
}

/* What follows a pair without a key of its own is one more value of its key. */
static bool read_pair(struct reading *reading, struct slice item, bool *wanted)
{
    struct slice value = slice_trim(item, " \t");
    struct slice whole = value, key;

    if (*wanted &&
        is_signature(reading, whole)) { /* base64 may end in =, as if it were a key */
        return add_signature(reading, whole);
    }
    key = slice_take_until(&value, '=');
    *wanted = is_name(key, reading->signature->mark);
    if (*wanted) {
        return read_list(reading, value);
    }
    return !is_name(key, reading->signature->timestamp_key) || add_timestamp(reading, value);
}

static bool read_pairs(struct reading *reading, struct slice value)
{
    char separator = separator_of(reading->signature);
    bool wanted = false;

    while (value.data) {
        if (!read_pair(reading, slice_take_until(&value, separator), &wanted)) {
            return false;
        }
    }
    return true;
}

static bool read_versions(struct reading *reading, struct slice value)
{
    while (value.data) {
        struct slice item = slice_take_until(&value, ' ');

        if (is_name(slice_take_until(&item, ','), reading->signature->mark) &&
            !read_list(reading, item)) {
            return false;
        }
    }
    return true;
}

/* False: there are too many signatures, or different times. What is no signature is skipped. */
static bool read_form(struct reading *reading, struct slice value)
{
    switch (reading->signature->form) {
    case FORM_PLAIN:
        return read_list(reading, value);
    case FORM_PREFIX:
        return read_prefix(reading, value);
    case FORM_PAIRS:
        return reading->signature->ordered ? read_ordered(reading, value)
                                           : read_pairs(reading, value);
    case FORM_VERSIONS:
        return read_versions(reading, value);
    case FORM_UNSET:
        break;
    }
    return false;
}

bool signature_read(const struct provider_signature *signature, const struct slice *lines,
                    size_t count, size_t mac_len, struct signature_given *out_given)
{
    struct reading reading = {signature, mac_len, 0, out_given};
    bool good = true;

    out_given->count = 0;
    out_given->timestamp = SLICE_NONE;
    for (size_t i = 0; i < count && good; i++) {
        good = read_form(&reading, lines[i]);
    }
    return good && out_given->count > 0;
}

static void write_mark(const struct provider_signature *signature, struct slice timestamp,
                       struct buf *out)
{
    switch (signature->form) {
    case FORM_PREFIX:
        buf_add_str(out, signature->mark);
        break;
    case FORM_PAIRS:
        if (is_set(signature->timestamp_key)) {
            buf_addf(out, "%s=%.*s%c", signature->timestamp_key, SLICE_ARG(timestamp),
                     separator_of(signature));
        }
        buf_addf(out, "%s=", signature->mark);
        break;
    case FORM_VERSIONS:
        buf_addf(out, "%s,", signature->mark);
        break;
    case FORM_PLAIN:
    case FORM_UNSET:
        break;
    }
}

void signature_write(const struct provider_signature *signature, const uint8_t *mac,
                     size_t mac_len, struct slice timestamp, struct buf *out)
{
    char text[2 * VERIFY_MAX_MAC + 1] = ""; /* hex is the longer one */

    switch (signature->encoding) {
    case ENCODING_HEX:
        encode_hex(mac, mac_len, text);
        break;
    case ENCODING_BASE64:
        encode_base64(mac, mac_len, text);
        break;
    case ENCODING_UNSET:
        break;
    }
    write_mark(signature, timestamp, out);
    buf_add_str(out, text);
}
