/*
 * Input: a byte of choices, and between newlines a template, a timestamp, an id, and the body.
 *
 * If the template is one, then what was signed can be taken apart again in one way only; a
 * delivery with the right signature passes if and only if its timestamp and id are what they
 * should be; it does not with a bit changed; and signing writes the same headers.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "common/encode.h"

#include "bridge/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_SIZE = 320, MAC_SIZE = 32, NOW_S = 1614265330, TOLERANCE_S = 300 };

/* The choices. */
enum { TIME_IN_PAIRS = 1, NO_TIME = 2, NO_ID = 4, PAST_ONLY = 8, ANY_AGE = 16 };

struct input {
    unsigned choices;
    char template[MAX_SIZE + 1];
    struct slice timestamp, id, body;
};

/* Up to the next newline, or the end. */
static struct slice take_line(struct slice *rest)
{
    const char *newline = memchr(rest->data, '\n', rest->len);
    size_t len = newline ? (size_t)(newline - rest->data) : rest->len;
    struct slice line = {rest->data, len};

    rest->data += newline ? len + 1 : len;
    rest->len -= newline ? len + 1 : len;
    return line;
}

static void read_input(const uint8_t *data, size_t size, struct input *out)
{
    struct slice rest = {(const char *)data + 1, size - 1};
    struct slice template = take_line(&rest);

    out->choices = data[0];
    memcpy(out->template, template.data, template.len);
    out->template[template.len] = '\0';
    out->timestamp = take_line(&rest);
    out->id = take_line(&rest);
    out->body = rest;
}

static struct provider_signature describe(const struct input *input)
{
    struct provider_signature signature = {
        .scheme = SCHEME_HMAC,
        .algorithm = ALGORITHM_SHA256,
        .form = FORM_PLAIN,
        .encoding = ENCODING_HEX,
        .key = KEY_TEXT,
        .header = "S",
        .message = input->template,
    };

    if (!(input->choices & NO_ID)) {
        signature.id_header = "I";
    }
    if (input->choices & NO_TIME) {
        return signature;
    }
    signature.skew = input->choices & PAST_ONLY ? SKEW_PAST : SKEW_BOTH;
    signature.tolerance_ms = input->choices & ANY_AGE ? 0 : TOLERANCE_S * 1000;
    if (input->choices & TIME_IN_PAIRS) {
        signature.form = FORM_PAIRS;
        signature.mark = "s";
        signature.timestamp_key = "t";
    } else {
        signature.timestamp_header = "T";
    }
    return signature;
}

/* ---- the message, made and taken apart by other means ---- */

static const char *const variables[] = {"{timestamp}", "{id}", "{body}"};

static size_t render(const struct input *input, char *out_text)
{
    const struct slice values[] = {input->timestamp, input->id, input->body};
    size_t len = 0;

    for (const char *at = input->template; *at != '\0';) {
        size_t i = 0;

        while (i < COUNT_OF(variables) &&
               strncmp(at, variables[i], strlen(variables[i])) != 0) {
            i++;
        }
        if (i == COUNT_OF(variables)) {
            out_text[len++] = *at++;
            continue;
        }
        memcpy(out_text + len, values[i].data, values[i].len);
        len += values[i].len;
        at += strlen(variables[i]);
    }
    return len;
}

static struct slice expected(const struct input *input, const char *variable)
{
    return variable[1] == 't' ? input->timestamp : input->id;
}

/* From the left: text is itself, a variable ends before the character that follows it. Returns
 * how much of the message precedes the body. */
static size_t read_forwards(const struct input *input, const char *message, size_t len)
{
    const char *at = input->template;
    size_t read = 0;

    while (strncmp(at, "{body}", 6) != 0) {
        if (*at == '{') {
            struct slice value = expected(input, at);
            size_t start = read;

            at = strchr(at, '}') + 1;
            while (read < len && message[read] != *at) {
                read++;
            }
            CHECK(slice_equal((struct slice){message + start, read - start}, value));
        } else {
            CHECK(read < len && message[read++] == *at++);
        }
    }
    return read;
}

/* From the right, likewise. */
static size_t read_backwards(const struct input *input, const char *message, size_t len)
{
    const char *body_end = strstr(input->template, "{body}") + 6;
    const char *at = input->template + strlen(input->template);
    size_t left = len;

    while (at > body_end) {
        if (at[-1] == '}') {
            size_t end = left;

            while (*--at != '{') {
            }
            while (left > 0 && message[left - 1] != at[-1]) {
                left--;
            }
            CHECK(slice_equal((struct slice){message + left, end - left}, expected(input, at)));
        } else {
            CHECK(left > 0 && message[--left] == *--at);
        }
    }
    return left;
}

static void check_one_reading(const struct input *input, const char *message, size_t len)
{
    size_t from = read_forwards(input, message, len);
    size_t to = read_backwards(input, message, len);

    CHECK(from <= to && slice_equal((struct slice){message + from, to - from}, input->body));
}

/* ---- the delivery ---- */

struct headers {
    const struct input *input;
    char signature[2 * MAX_SIZE];
};

static size_t find_header(void *ctx, const char *name, struct slice *out_value)
{
    const struct headers *headers = ctx;

    *out_value = *name == 'S'   ? slice_of(headers->signature)
                 : *name == 'T' ? headers->input->timestamp
                                : headers->input->id;
    return 1;
}

static void sign(const char *message, size_t len, char out_hex[2 * MAC_SIZE + 1])
{
    static EVP_MAC_CTX *keyed;
    unsigned char mac[MAC_SIZE];
    size_t mac_len;

    if (keyed == NULL) {
        char sha256[] = "SHA256";
        const OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
            OSSL_PARAM_construct_end(),
        };
        EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

        keyed = EVP_MAC_CTX_new(hmac);
        CHECK(EVP_MAC_init(keyed, (const unsigned char *)"secret", 6, params));
        EVP_MAC_free(hmac);
    }
    CHECK(EVP_MAC_init(keyed, NULL, 0, NULL) &&
          EVP_MAC_update(keyed, (const unsigned char *)message, len) &&
          EVP_MAC_final(keyed, mac, &mac_len, sizeof(mac)));
    encode_hex(mac, sizeof(mac), out_hex);
}

/* As C's own functions see it: a number that is printed as it was read. */
static bool read_timestamp(struct slice text, long long *out_s)
{
    char copy[MAX_SIZE + 1], back[32];

    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *out_s = strtoll(copy, NULL, 10);
    (void)snprintf(back, sizeof(back), "%lld", *out_s);
    return slice_equal(text, slice_of(back)) && *out_s >= 0 && *out_s <= 999999999999;
}

static bool is_timely(const struct input *input, long long timestamp_s)
{
    return (input->choices & ANY_AGE) ||
           (timestamp_s >= NOW_S - TOLERANCE_S &&
            ((input->choices & PAST_ONLY) || timestamp_s <= NOW_S + TOLERANCE_S));
}

/* The character that would make an id run into what is beside it. */
static char border_of_id(const char *template)
{
    const char *id = strstr(template, "{id}");

    return id < strstr(template, "{body}") ? id[4] : id[-1];
}

static bool is_id(const struct input *input)
{
    char border = border_of_id(input->template);

    for (size_t i = 0; i < input->id.len; i++) {
        if (input->id.data[i] < 0x21 || input->id.data[i] > 0x7E ||
            input->id.data[i] == border) {
            return false;
        }
    }
    return input->id.len >= 1 && input->id.len <= VERIFY_MAX_ID;
}

/* Part is one of input's. */
static void check_part_changed(struct verifier *verifier, struct input *input,
                               struct slice *part, struct delivery delivery)
{
    struct slice kept = *part;
    char copy[MAX_SIZE];

    if (kept.len > 0) {
        memcpy(copy, kept.data, kept.len);
        copy[(unsigned char)kept.data[0] % kept.len] ^= 1;
        part->data = copy;
        delivery.body = input->body;
        CHECK(verifier_check(verifier, &delivery, NULL) == ST_UNAUTHENTIC);
        *part = kept;
    }
}

static void check_changed(struct verifier *verifier, struct input *input,
                          const struct delivery *delivery)
{
    check_part_changed(verifier, input, &input->body, *delivery);
    if (!(input->choices & (NO_TIME | TIME_IN_PAIRS))) {
        check_part_changed(verifier, input, &input->timestamp, *delivery);
    }
    if (!(input->choices & NO_ID)) {
        check_part_changed(verifier, input, &input->id, *delivery);
    }
}

/* The same headers as ours, if the provider could send them. */
static void check_signing(struct verifier *verifier, const struct headers *headers,
                          long long timestamp_s, bool could)
{
    static struct buf lines; /* kept, for its memory */
    const struct input *input = headers->input;
    char want[4 * MAX_SIZE];
    int len = 0;

    buf_clear(&lines);
    CHECK((verifier_sign(verifier, input->body, timestamp_s, input->id, &lines) == ST_OK) ==
          could);
    if (!could) {
        CHECK(lines.len == 0);
        return;
    }
    if (!(input->choices & NO_ID)) {
        len +=
            snprintf(want + len, sizeof(want) - (size_t)len, "I: %.*s\n", SLICE_ARG(input->id));
    }
    if (!(input->choices & (NO_TIME | TIME_IN_PAIRS))) {
        len += snprintf(want + len, sizeof(want) - (size_t)len, "T: %.*s\n",
                        SLICE_ARG(input->timestamp));
    }
    (void)snprintf(want + len, sizeof(want) - (size_t)len, "S: %s", headers->signature);
    CHECK(slice_equal(buf_slice(&lines), slice_of(want)));
}

static void check_delivery(struct verifier *verifier, struct input *input)
{
    char message[2 * MAX_SIZE], hex[2 * MAC_SIZE + 1];
    size_t len = render(input, message);
    struct headers headers = {.input = input};
    const struct delivery delivery = {.body = input->body,
                                      .received_ms = NOW_S * INT64_C(1000) + 999,
                                      .header = find_header,
                                      .ctx = &headers};
    long long timestamp_s = 0;
    bool could = true, timely = true;

    if (!(input->choices & NO_TIME)) {
        could = read_timestamp(input->timestamp, &timestamp_s);
        timestamp_s = could ? timestamp_s : -1;
        timely = is_timely(input, timestamp_s);
    }
    if (!(input->choices & NO_ID)) {
        could = could && is_id(input);
    }
    sign(message, len, hex);
    if ((input->choices & (NO_TIME | TIME_IN_PAIRS)) == TIME_IN_PAIRS) {
        (void)snprintf(headers.signature, sizeof(headers.signature), "t=%.*s,s=%s",
                       SLICE_ARG(input->timestamp), hex);
    } else {
        memcpy(headers.signature, hex, sizeof(hex));
    }
    CHECK((verifier_check(verifier, &delivery, NULL) == ST_OK) == (could && timely));
    check_signing(verifier, &headers, timestamp_s, could);
    if (could) {
        check_one_reading(input, message, len);
    }
    if (could && timely) {
        check_changed(verifier, input, &delivery);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice secret = {"secret", 6};
    struct input input;
    struct provider_signature signature;
    struct verifier *verifier = NULL;
    const char *key = NULL;
    struct err err;
    enum status sound;

    if (size == 0 || size > MAX_SIZE) {
        return 0;
    }
    read_input(data, size, &input);
    signature = describe(&input);
    sound = verify_check_description(&signature, &key, &err);
    CHECK((sound == ST_OK) == (key == NULL));
    CHECK(verifier_create(&signature, &secret, 1, &verifier, &err) == sound);
    if (verifier) {
        check_delivery(verifier, &input);
        verifier_destroy(verifier);
    }
    return 0;
}
