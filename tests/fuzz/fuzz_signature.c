/*
 * Input: a byte that picks a description, and the value of its header. In that, \1 stands for the
 * right signature by the new secret, \2 for that by the old one, \3 for the new one's in capitals.
 * Checks that the verifier accepts every header that a second, simpler and stricter reader accepts,
 * nothing without a right signature in it, and never a changed body.
 */
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "common/encode.h"

#include "bridge/verify/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_SIZE = 128, MAC_SIZE = 32, MAC_TEXT_SIZE = 2 * MAC_SIZE + 1 };

#define BODY       "{}"
#define NEW_SECRET "bmV3" /* text, and base64 of "new" */
#define OLD_SECRET "b2xk"

#define HMAC_OVER(text)                                                                        \
    .scheme = SCHEME_HMAC, .algorithm = ALGORITHM_SHA256, .key = KEY_TEXT, .header = "S",      \
    .message = (text)

static const struct provider_signature descriptions[] = {
    {HMAC_OVER("{body}"), .form = FORM_PLAIN, .encoding = ENCODING_HEX},
    {HMAC_OVER("{body}"), .form = FORM_PLAIN, .encoding = ENCODING_BASE64},
    {HMAC_OVER("{body}"), .form = FORM_PREFIX, .encoding = ENCODING_HEX, .mark = "v1="},
    {HMAC_OVER("{body}"), .form = FORM_PREFIX, .encoding = ENCODING_BASE64, .mark = "v1="},
    {HMAC_OVER("{body}"), .form = FORM_PAIRS, .encoding = ENCODING_HEX, .mark = "v1"},
    {HMAC_OVER("{body}"), .form = FORM_VERSIONS, .encoding = ENCODING_HEX, .mark = "v1"},
    {HMAC_OVER("{body}"), .form = FORM_VERSIONS, .encoding = ENCODING_BASE64, .mark = "v1"},
    {HMAC_OVER("{timestamp}.{body}"), .form = FORM_PAIRS, .encoding = ENCODING_HEX,
     .mark = "v1", .timestamp_key = "t"},
    {HMAC_OVER("{timestamp}.{body}"), .form = FORM_PAIRS, .encoding = ENCODING_BASE64,
     .mark = "v1", .timestamp_key = "t"},
    {HMAC_OVER("{timestamp}.{body}"), .form = FORM_PAIRS, .encoding = ENCODING_HEX,
     .mark = "v1", .timestamp_key = "t", .ordered = true},
    {HMAC_OVER("{timestamp}.{body}"), .form = FORM_PAIRS, .encoding = ENCODING_BASE64,
     .mark = "v1", .timestamp_key = "t", .ordered = true},
    {HMAC_OVER("{body}"), .form = FORM_PAIRS, .encoding = ENCODING_HEX, .mark = "v1",
     .separator = ';'},
    {HMAC_OVER("{timestamp}.{body}"), .form = FORM_PAIRS, .encoding = ENCODING_HEX,
     .mark = "v1", .separator = ';', .timestamp_key = "t"},
    {HMAC_OVER("{timestamp}.{body}"), .form = FORM_PAIRS, .encoding = ENCODING_BASE64,
     .mark = "v1", .separator = ';', .timestamp_key = "t", .ordered = true},
};

static struct verifier *verifiers[COUNT_OF(descriptions)]; /* static, as a bridge keeps them */
static EVP_MAC_CTX *keyed[2];                              /* for our own signatures */

static EVP_MAC_CTX *keyed_context(EVP_MAC *hmac, const char *secret)
{
    char sha256[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);

    CHECK(EVP_MAC_init(context, (const unsigned char *)secret, strlen(secret), params));
    return context;
}

static void set_up(void)
{
    const struct slice secrets[] = {SLICE(NEW_SECRET), SLICE(OLD_SECRET)};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    struct err err;

    for (size_t i = 0; i < COUNT_OF(descriptions); i++) {
        CHECK(verifier_create(&descriptions[i], secrets, 2, &verifiers[i], &err) == ST_OK);
    }
    keyed[0] = keyed_context(hmac, NEW_SECRET);
    keyed[1] = keyed_context(hmac, OLD_SECRET);
    EVP_MAC_free(hmac);
}

/* ---- a second reading ---- */

struct reading {
    struct slice timestamp;
    unsigned timestamps;
    struct slice signatures[MAX_SIZE];
    unsigned count;
};

static bool starts(struct slice text, const char *with)
{
    return text.len >= strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

static struct slice cut(struct slice text, size_t from)
{
    return (struct slice){text.data + from, text.len - from};
}

static void read_item(const struct provider_signature *description, struct slice item,
                      struct reading *reading)
{
    if (starts(item, description->form == FORM_VERSIONS ? "v1," : "v1=")) {
        reading->signatures[reading->count++] = cut(item, 3);
    } else if (item.len == 2 && memcmp(item.data, "v1", 2) == 0) {
        reading->signatures[reading->count++] = SLICE(""); /* counted, but no signature */
    } else if (description->timestamp_key && starts(item, "t=")) {
        reading->timestamps++;
        reading->timestamp = cut(item, 2);
    } else if (description->timestamp_key && item.len == 1 && item.data[0] == 't') {
        reading->timestamps += 2; /* never right */
    }
}

static void read_list(const struct provider_signature *description, struct slice value,
                      struct reading *reading)
{
    bool pairs = description->form == FORM_PAIRS;
    char separator = ' ';

    if (pairs) {
        separator = description->separator ? description->separator : ',';
    }
    for (size_t start = 0, end; start <= value.len; start = end + 1) {
        struct slice item = cut(value, start);

        for (end = start; end < value.len && value.data[end] != separator; end++) {
        }
        item.len = end - start;
        while (pairs && item.len > 0 && isblank((unsigned char)item.data[item.len - 1])) {
            item.len--;
        }
        while (pairs && item.len > 0 && isblank((unsigned char)item.data[0])) {
            item = cut(item, 1);
        }
        read_item(description, item, reading);
    }
}

static void read_ordered(char separator, struct slice value, struct reading *reading)
{
    size_t end = 2;

    while (end < value.len && value.data[end] != separator) {
        end++;
    }
    if (starts(value, "t=") && end < value.len && starts(cut(value, end + 1), "v1=")) {
        reading->timestamps = 1;
        reading->timestamp = (struct slice){value.data + 2, end - 2};
        reading->signatures[reading->count++] = cut(value, end + 4);
    }
}

static void read_value(const struct provider_signature *description, struct slice value,
                       struct reading *reading)
{
    reading->timestamps = reading->count = 0;
    reading->timestamp = SLICE("");
    if (description->ordered) {
        read_ordered(description->separator ? description->separator : ',', value, reading);
    } else if (description->form == FORM_PLAIN) {
        reading->signatures[reading->count++] = value;
    } else if (description->form == FORM_PREFIX) {
        if (starts(value, "v1=")) {
            reading->signatures[reading->count++] = cut(value, 3);
        }
    } else {
        read_list(description, value, reading);
    }
}

/* ---- the expected verdict ---- */

static void right_text(const struct provider_signature *description, EVP_MAC_CTX *context,
                       struct slice timestamp, char out_text[MAC_TEXT_SIZE])
{
    unsigned char message[MAX_SIZE + 16], mac[MAC_SIZE];
    size_t len = 0, mac_len;

    if (description->timestamp_key) {
        len = timestamp.len;
        memcpy(message, timestamp.data, len);
        message[len++] = '.';
    }
    memcpy(message + len, BODY, strlen(BODY));
    CHECK(EVP_MAC_init(context, NULL, 0, NULL) &&
          EVP_MAC_update(context, message, len + strlen(BODY)) &&
          EVP_MAC_final(context, mac, &mac_len, sizeof(mac)));
    if (description->encoding == ENCODING_HEX) {
        encode_hex(mac, sizeof(mac), out_text);
    } else {
        CHECK(EVP_EncodeBlock((unsigned char *)out_text, mac, sizeof(mac)) == 44);
    }
}

static bool is_right(const struct provider_signature *description, struct slice signature,
                     const char *right)
{
    return description->encoding == ENCODING_HEX
               ? slice_equal_nocase(signature, slice_of(right))
               : slice_equal(signature, slice_of(right));
}

static bool is_timestamp(struct slice text)
{
    size_t digits = 0;

    while (digits < text.len && isdigit((unsigned char)text.data[digits])) {
        digits++;
    }
    return digits == text.len && digits >= 1 && digits <= 12 &&
           (digits == 1 || text.data[0] != '0');
}

/* Replaces \1, \2 and \3 by signatures. */
static struct slice expand(const uint8_t *data, size_t size, char rights[3][MAC_TEXT_SIZE],
                           char *out_text)
{
    size_t len = 0;

    for (size_t i = 0; i < size; i++) {
        if (data[i] >= 1 && data[i] <= 3) {
            const char *right = rights[data[i] - 1];

            memcpy(out_text + len, right, strlen(right));
            len += strlen(right);
        } else {
            out_text[len++] = (char)data[i];
        }
    }
    return (struct slice){out_text, len};
}

static size_t only_header(void *ctx, const char *name, struct slice *out_values, size_t room)
{
    (void)room;
    CHECK(strcmp(name, "S") == 0);
    out_values[0] = *(const struct slice *)ctx;
    return 1;
}

/* The verifier must accept it. */
static bool deserves(const struct provider_signature *description,
                     const struct reading *reading, char rights[3][MAC_TEXT_SIZE])
{
    bool right = false;

    for (unsigned i = 0; i < reading->count; i++) {
        right |= is_right(description, reading->signatures[i], rights[0]) ||
                 is_right(description, reading->signatures[i], rights[1]);
    }
    return right && reading->count <= VERIFY_MAX_SIGNATURES &&
           reading->timestamps == (description->timestamp_key != NULL) &&
           (reading->timestamps == 0 || is_timestamp(reading->timestamp));
}

static bool contains_right(struct slice value, char rights[3][MAC_TEXT_SIZE])
{
    bool found = false;

    for (size_t at = 0; at < value.len && !found; at++) { /* hex may be in either case */
        for (int i = 0; i < 3; i++) {
            found |= value.len - at >= strlen(rights[i]) &&
                     strncasecmp(value.data + at, rights[i], strlen(rights[i])) == 0;
        }
    }
    return found;
}

/* So many that they may be more than are tried. */
static bool has_many_items(struct slice value)
{
    size_t dividers = 0;

    for (size_t i = 0; i < value.len; i++) {
        dividers += strchr(",; \t", value.data[i]) != NULL;
    }
    return dividers >= VERIFY_MAX_SIGNATURES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reading reading; /* static because it is large, like the text */
    static char text[MAX_SIZE * MAC_TEXT_SIZE];
    char rights[3][MAC_TEXT_SIZE];
    struct slice value;
    struct delivery delivery = {.body = SLICE(BODY), .header = only_header, .ctx = &value};
    size_t which;
    bool accepted;

    if (verifiers[0] == NULL) {
        set_up();
    }
    if (size == 0 || size > MAX_SIZE) {
        return 0;
    }
    which = data[0] % COUNT_OF(descriptions);
    value = (struct slice){(const char *)data + 1, size - 1};
    read_value(&descriptions[which], value, &reading);
    right_text(&descriptions[which], keyed[0], reading.timestamp, rights[0]);
    right_text(&descriptions[which], keyed[1], reading.timestamp, rights[1]);
    for (size_t i = 0; i < MAC_TEXT_SIZE; i++) {
        rights[2][i] = (char)toupper((unsigned char)rights[0][i]);
    }
    value = expand(data + 1, size - 1, rights, text);
    read_value(&descriptions[which], value, &reading);
    accepted = verifier_check(verifiers[which], &delivery, NULL) == ST_OK;
    CHECK(accepted || has_many_items(value) ||
          !deserves(&descriptions[which], &reading, rights));
    /* With a time, the right signatures are for the one that this reader has read last. */
    CHECK(!accepted || contains_right(value, rights));
    if (accepted) {
        delivery.body = SLICE("[}");
        CHECK(verifier_check(verifiers[which], &delivery, NULL) == ST_UNAUTHENTIC);
    }
    return 0;
}
