/*
 * Input: a byte of choices, then a template, a timestamp, an id and the body, separated by
 * newlines. If the template is valid, checks that
 * - the signed message can be split into its parts in only one way (or, see verify/message.c, in
 *   only one that makes an event)
 * - a delivery with the right signature passes if and only if its timestamp and id are valid
 * - it fails if one bit is changed
 * - verifier_sign writes the same headers, if the timestamp is in the form that it writes
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "common/encode.h"
#include "common/json.h"

#include "bridge/verify/verify.h"

#include "tests/unit/lib/verify_splits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MAX_SIZE = 320,
    MAX_SPLIT = 80, /* the longest message that is split in every possible way, which is slow */
    MAC_SIZE = 32,
    NOW_S = 1614265330,
    TOLERANCE_S = 300,
};

/* Bits of the byte of choices. */
enum {
    TIME_IN_PAIRS = 1,
    NO_TIME = 2,
    NO_ID = 4,
    PAST_ONLY = 8,
    ANY_AGE = 16,
    IN_MS = 32,
    RFC3339 = 64,
};

struct input {
    unsigned choices;
    char template[MAX_SIZE + 1];
    struct slice timestamp, id, body;
};

/* The text up to the next newline, or the end. */
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
    signature.timestamp_format = input->choices & RFC3339 ? TIMESTAMP_RFC3339
                                 : input->choices & IN_MS ? TIMESTAMP_MILLISECONDS
                                                          : TIMESTAMP_UNSET;
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

/* ---- the message and its parts, checked by other means ---- */

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

/* The timestamp has no text between it and another variable. */
static bool is_tight(const char *template)
{
    return strstr(template, "{timestamp}{") || strstr(template, "}{timestamp}");
}

/* Checked with C's own functions: a number that prints as it was written. */
static bool read_number(const struct input *input, const char *text, long long *out_s)
{
    bool in_ms = input->choices & IN_MS;
    long long number = strtoll(text, NULL, 10);
    char back[32];

    (void)snprintf(back, sizeof(back), "%lld", number);
    *out_s = in_ms ? number / 1000 : number;
    if (is_tight(input->template) && strlen(text) != (in_ms ? 13 : 10)) {
        return false;
    }
    return strcmp(text, back) == 0 && number >= 0 && strlen(text) <= (in_ms ? 15 : 12);
}

/* The part behind the seconds: .123456789 or nothing, then Z or +00:00. */
static bool read_zone(const char *text, int *out_minutes)
{
    int hours = 0, minutes = 0;
    char sign = '+';

    if (*text == '.') {
        size_t digits = strspn(++text, "0123456789");

        if (digits < 1 || digits > 9) {
            return false;
        }
        text += digits;
    }
    if (strcmp(text, "Z") != 0 &&
        (strlen(text) != 6 || text[3] != ':' || strspn(text + 1, "0123456789") != 2 ||
         strspn(text + 4, "0123456789") != 2 ||
         sscanf(text, "%c%2d:%2d", &sign, &hours, &minutes) != 3)) {
        return false;
    }
    *out_minutes = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
    return (sign == '+' || sign == '-') && hours < 24 && minutes < 60;
}

static bool read_rfc3339(const char *text, long long *out_s)
{
    struct tm tm = {0}, day;
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    char back[80];
    int minutes;

    (void)snprintf(back, sizeof(back), "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (end != text + 19 || strncmp(text, back, 19) != 0 || tm.tm_sec > 60 ||
        tm.tm_year < 1 - 1900 || !read_zone(end, &minutes)) {
        return false;
    }
    day = (struct tm){.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday};
    (void)timegm(&day);
    if (day.tm_mday != tm.tm_mday) {
        return false; /* a day that does not exist, such as 30 February */
    }
    *out_s = timegm(&tm) - minutes * 60LL;
    return true;
}

static bool read_timestamp(const struct input *input, struct slice text, long long *out_s)
{
    bool in_rfc3339 = input->choices & RFC3339;
    char copy[36];

    /* Most attempts are too short or too long. */
    if (text.len < (in_rfc3339 ? 20 : 1) || text.len > (in_rfc3339 ? 35 : 15) ||
        memchr(text.data, '\0', text.len)) {
        return false;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return in_rfc3339 ? read_rfc3339(copy, out_s) : read_number(input, copy, out_s);
}

static bool is_timely(const struct input *input, long long timestamp_s)
{
    return (input->choices & ANY_AGE) ||
           (timestamp_s >= NOW_S - TOLERANCE_S &&
            ((input->choices & PAST_ONLY) || timestamp_s <= NOW_S + TOLERANCE_S));
}

/* The character with which an id would run into the text beside it, or beside the timestamp
 * that it touches; '\0' if that is the body. */
static char border_of_id(const char *template)
{
    const char *id = strstr(template, "{id}"), *body = strstr(template, "{body}");
    const char *behind = id + 4;

    if (id < body) {
        behind += strncmp(behind, "{timestamp}", 11) == 0 ? 11 : 0;
        return *behind == '{' ? '\0' : *behind;
    }
    if (id >= template + 11 && strncmp(id - 11, "{timestamp}", 11) == 0) {
        id -= 11;
    }
    return id[-1] == '}' ? '\0' : id[-1];
}

static bool is_id(const struct input *input, struct slice id)
{
    char border = border_of_id(input->template);

    for (size_t i = 0; i < id.len; i++) {
        if (id.data[i] < 0x21 || id.data[i] > 0x7E || id.data[i] == border) {
            return false;
        }
    }
    return id.len >= 1 && id.len <= VERIFY_MAX_ID;
}

/* ---- one reading ---- */

static bool is_same(const struct input *input, const struct split *split)
{
    return split->body.len == input->body.len &&
           ((input->choices & NO_ID) || split->id.len == input->id.len) &&
           ((input->choices & NO_TIME) || split->timestamp.len == input->timestamp.len);
}

static void check_split(void *ctx, const struct split *split)
{
    const struct input *input = ctx;
    long long timestamp_s;

    if (is_same(input, split) ||
        (!(input->choices & NO_TIME) &&
         !read_timestamp(input, split->timestamp, &timestamp_s)) ||
        (!(input->choices & NO_ID) && !is_id(input, split->id))) {
        return;
    }
    /* Another possible reading: it must make no event if the signed body is JSON. */
    CHECK(strstr(input->template, "{id}{timestamp}{body}") ||
          strstr(input->template, "{body}{timestamp}{id}"));
    CHECK(json_check(input->body, NULL) != ST_OK || json_check(split->body, NULL) != ST_OK ||
          json_kind_of(split->body) != JSON_OBJECT);
}

/* ---- the delivery ---- */

struct headers {
    const struct input *input;
    char signature[2 * MAX_SIZE];
};

static size_t find_header(void *ctx, const char *name, struct slice *out_values, size_t room)
{
    const struct headers *headers = ctx;

    (void)room;
    out_values[0] = *name == 'S'   ? slice_of(headers->signature)
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

/* part is one of the parts of input. */
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

/* The timestamp in the form that a signer writes. */
static bool is_as_written(const struct input *input, long long timestamp_s)
{
    time_t seconds = (time_t)timestamp_s;
    struct tm tm;
    char text[40];

    if (input->choices & NO_TIME || !(input->choices & (IN_MS | RFC3339))) {
        return true;
    }
    if (input->choices & RFC3339) {
        CHECK(gmtime_r(&seconds, &tm));
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
    } else {
        (void)snprintf(text, sizeof(text), "%lld", timestamp_s * 1000);
    }
    return slice_equal(input->timestamp, slice_of(text));
}

/* verifier_sign must write the same headers as we do, if the provider could send them. */
static void check_signing(struct verifier *verifier, const struct headers *headers,
                          long long timestamp_s, bool could)
{
    static struct buf lines; /* static to reuse its memory */
    const struct input *input = headers->input;
    char want[4 * MAX_SIZE];
    int len = 0;

    buf_clear(&lines);
    could = could && timestamp_s >= 0;
    CHECK((verifier_sign(verifier, input->body, timestamp_s, input->id, &lines) == ST_OK) ==
          could);
    if (!could) {
        CHECK(lines.len == 0);
        return;
    }
    if (!is_as_written(input, timestamp_s)) {
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
        could = read_timestamp(input, input->timestamp, &timestamp_s);
        timestamp_s = could ? timestamp_s : -1;
        timely = is_timely(input, timestamp_s);
    }
    if (!(input->choices & NO_ID)) {
        could = could && is_id(input, input->id);
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
    if (could && len <= MAX_SPLIT) {
        each_split(input->template, (struct slice){message, len}, (struct split){0},
                   check_split, input);
    }
    if (could && timely) {
        check_changed(verifier, input, &delivery);
    }
}

static void count_fault(void *ctx, const struct verify_fault *fault)
{
    *(size_t *)ctx += fault->key && fault->text[0] != '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice secret = {"secret", 6};
    struct input input;
    struct provider_signature signature;
    struct verifier *verifier = NULL;
    size_t faults = 0;
    struct err err;
    enum status sound;

    if (size == 0 || size > MAX_SIZE) {
        return 0;
    }
    read_input(data, size, &input);
    signature = describe(&input);
    sound = verify_check_description(&signature, count_fault, &faults);
    CHECK((sound == ST_OK) == (faults == 0));
    CHECK(verifier_create(&signature, &secret, 1, &verifier, &err) == sound);
    if (verifier) {
        check_delivery(verifier, &input);
        verifier_destroy(verifier);
    }
    return 0;
}
