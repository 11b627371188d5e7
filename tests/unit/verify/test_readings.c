/*
 * A signature is good for one delivery: whatever a provider signed, nobody can move the borders
 * between id, timestamp and body and have another event of it. Random deliveries, full of what
 * looks like timestamps, quotes and braces; every other way to cut the same bytes is tried.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"

#include "bridge/verify/verify.h"

#include "tests/unit/lib/verify_delivery.h"
#include "tests/unit/lib/verify_splits.h"

enum { NOW_S = 1614265330, TOLERANCE_S = 300, ROUNDS = 25 };

/* Random, and the same in each run. */

static uint64_t state_of_random = 0x2021022515021000;

static size_t random_below(size_t limit)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return (size_t)(state_of_random % limit);
}

#define ONE_OF(list) (list)[random_below(COUNT_OF(list))]

/* What borders could be mistaken for. */
static const char *const bits[] = {
    "{",          "}",
    "[",          "]",
    "\"",         "\\",
    "\\\"",       ":",
    ",",          "1",
    "0",          "16",
    "Z",          "T",
    "+01:00",     " ",
    "{}",         "{\"a\":1}",
    "{\"a\":\"",  "\"}",
    "1614265330", "1614265330000",
    "1614265331", "1614265330{\"a\":1}",
    "9999999999", "2021-02-25T15:02:10Z",
    "2021-02-25", "2021-02-25T15:02:10.5+00:00{\"a\":1}",
};

static void add_bits(struct buf *out, size_t most)
{
    for (size_t n = random_below(most + 1); n > 0; n--) {
        buf_add_str(out, ONE_OF(bits));
    }
}

/* Any text. */
static void add_soup(struct buf *out)
{
    add_bits(out, 12);
}

static void add_text(struct buf *out)
{
    struct buf text = {0};

    add_bits(&text, 4);
    json_add_string(out, buf_slice(&text));
    buf_free(&text);
}

static void add_value(struct buf *out, int depth);

static void add_items(struct buf *out, int depth, bool named)
{
    for (size_t i = 0, n = random_below(4); i < n; i++) {
        buf_add_str(out, i > 0 ? "," : "");
        if (named) {
            add_text(out);
            buf_add_str(out, ":");
        }
        add_value(out, depth + 1);
    }
}

static void add_object(struct buf *out, int depth)
{
    buf_add_str(out, "{");
    add_items(out, depth, true);
    buf_add_str(out, "}");
}

static void add_value(struct buf *out, int depth)
{
    static const char *const scalars[] = {"1614265330", "16", "1614265330000", "null"};

    switch (random_below(depth < 2 ? 6 : 4)) {
    case 4:
        add_object(out, depth);
        break;
    case 5:
        buf_add_str(out, "[");
        add_items(out, depth, false);
        buf_add_str(out, "]");
        break;
    case 3:
        buf_add_str(out, ONE_OF(scalars));
        break;
    default:
        add_text(out);
    }
}

/* Mostly an object, as events are, with blanks around. */
static void add_json(struct buf *out)
{
    static const char *const blanks[] = {"", "", " ", "\n\n"};

    buf_add_str(out, ONE_OF(blanks));
    if (random_below(4) > 0) {
        add_object(out, 0);
    } else {
        add_value(out, 0);
    }
    buf_add_str(out, ONE_OF(blanks));
}

/* Visible, without the dot, which is the text in the templates. */
static void add_id(struct buf *out)
{
    struct buf text = {0};

    add_bits(&text, 5);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] > ' ' && text.data[i] != '.') {
            buf_add(out, &text.data[i], 1);
        }
    }
    if (out->len == 0) {
        buf_add_str(out, "e76c6bd4-55c9-4987");
    }
    buf_free(&text);
}

static void add_timestamp(enum provider_timestamp format, struct buf *out)
{
    static const char *const rfc3339[] = {
        "2021-02-25T15:02:10Z",      "2021-02-25T15:02:10.123456789Z",
        "2021-02-25T15:02:10+00:00", "2021-02-25T07:02:10.5-08:00",
        "2021-02-25T20:22:10+05:20",
    };
    unsigned at_s = (unsigned)(NOW_S - TOLERANCE_S + random_below(2 * TOLERANCE_S));

    if (format == TIMESTAMP_RFC3339) {
        buf_add_str(out, ONE_OF(rfc3339));
    } else {
        buf_addf(out, "%u", at_s);
        if (format == TIMESTAMP_MILLISECONDS) {
            buf_addf(out, "%03u", (unsigned)random_below(1000));
        }
    }
}

/* One delivery, as it was signed, and what comes of it otherwise. */
struct trial {
    struct provider_signature signature;
    struct verifier *verifier;
    struct buf timestamp, id, body;
    struct slice proof;          /* the right signature's header */
    const struct split *claimed; /* what the headers say now */
    bool always;                 /* one reading, also if the body is no JSON */
    size_t passed;               /* other readings that are authentic */
};

static size_t claimed_header(void *ctx, const char *name, struct slice *out_values, size_t room)
{
    const struct trial *trial = ctx;

    (void)room;
    out_values[0] = *name == 'S'   ? trial->proof
                    : *name == 'T' ? trial->claimed->timestamp
                                   : trial->claimed->id;
    return 1;
}

static bool passes(struct trial *trial, const struct split *split)
{
    const struct delivery delivery = {.body = split->body,
                                      .received_ms = NOW_S * INT64_C(1000),
                                      .header = claimed_header,
                                      .ctx = trial};

    trial->claimed = split;
    return verifier_check(trial->verifier, &delivery, NULL) == ST_OK;
}

static bool is_object(struct slice body)
{
    return json_check(body, NULL) == ST_OK && json_kind_of(body) == JSON_OBJECT;
}

static void try_split(void *ctx, const struct split *split)
{
    struct trial *trial = ctx;
    bool is_original = slice_equal(split->timestamp, buf_slice(&trial->timestamp)) &&
                       slice_equal(split->body, buf_slice(&trial->body));

    if (is_original) {
        assert_true(passes(trial, split));
    } else if (passes(trial, split)) {
        trial->passed++;
        if (trial->always || is_object(split->body)) {
            fail_msg("%s, signed as [%.*s] [%.*s] [%.*s], passes as [%.*s] [%.*s] [%.*s]",
                     trial->signature.message, SLICE_ARG(buf_slice(&trial->timestamp)),
                     SLICE_ARG(buf_slice(&trial->id)), SLICE_ARG(buf_slice(&trial->body)),
                     SLICE_ARG(split->timestamp), SLICE_ARG(split->id), SLICE_ARG(split->body));
        }
    }
}

static void render(const struct trial *trial, struct buf *out)
{
    for (const char *at = trial->signature.message; *at != '\0';) {
        size_t len = strcspn(at, "{");

        buf_add(out, at, len);
        at += len;
        if (*at == '{') {
            buf_add_slice(out, buf_slice(at[1] == 't'   ? &trial->timestamp
                                         : at[1] == 'i' ? &trial->id
                                                        : &trial->body));
            at = strchr(at, '}') + 1;
        }
    }
}

static void set_up(struct trial *trial, const char *template, enum provider_timestamp format,
                   enum provider_skew skew)
{
    const struct slice secret = SLICE("secret");
    struct err err = {0};

    trial->signature = (struct provider_signature){
        .scheme = SCHEME_HMAC,
        .algorithm = ALGORITHM_SHA256,
        .form = FORM_PLAIN,
        .encoding = ENCODING_HEX,
        .key = KEY_TEXT,
        .skew = skew,
        .header = "S",
        .message = template,
        .timestamp_header = "T",
        .timestamp_format = format,
        .tolerance_ms = TOLERANCE_S * 1000,
        .id_header = strstr(template, "{id}") ? "I" : NULL,
    };
    if (verifier_create(&trial->signature, &secret, 1, &trial->verifier, &err) != ST_OK) {
        fail_msg("%s: %s", template, err.text);
    }
}

static void try_delivery(struct trial *trial, void (*add_body)(struct buf *out))
{
    struct buf message = {0}, line = {0};

    buf_clear(&trial->timestamp);
    buf_clear(&trial->id);
    buf_clear(&trial->body);
    add_timestamp(trial->signature.timestamp_format, &trial->timestamp);
    if (trial->signature.id_header) {
        add_id(&trial->id);
    }
    add_body(&trial->body);
    render(trial, &message);
    sign_bytes(buf_slice(&message), "secret", &line);
    trial->proof = slice_of(line.data + strlen("S: "));
    each_split(trial->signature.message, buf_slice(&message), (struct split){0}, try_split,
               trial);
    buf_free(&message);
    buf_free(&line);
}

/* Returns how many other readings were authentic. */
static size_t try_deliveries(const char *template, bool always,
                             void (*add_body)(struct buf *out))
{
    size_t passed = 0;

    for (enum provider_timestamp format = TIMESTAMP_SECONDS; format <= TIMESTAMP_RFC3339;
         format++) {
        for (enum provider_skew skew = SKEW_PAST; skew <= SKEW_BOTH; skew++) {
            struct trial trial = {.always = always};

            set_up(&trial, template, format, skew);
            for (int i = 0; i < ROUNDS; i++) {
                try_delivery(&trial, add_body);
            }
            passed += trial.passed;
            verifier_destroy(trial.verifier);
            buf_free(&trial.timestamp);
            buf_free(&trial.id);
            buf_free(&trial.body);
        }
    }
    return passed;
}

static void where_a_border_is_known_there_is_one_reading_of_any_body(void **state)
{
    static const char *const templates[] = {
        "{timestamp}{body}",
        "{body}{timestamp}",
        "16{timestamp}{body}16",
        "16{body}{timestamp}16",
        "POSThttps://hooks.example/x{body}{timestamp}",
        "{id}{timestamp}.{body}",
        "{body}.{timestamp}{id}",
        "{timestamp}{id}.{body}",
        "{body}.{id}{timestamp}",
        "{id}.{timestamp}{body}",
        "{body}{timestamp}.{id}",
        "{timestamp}{body}.{id}",
        "{id}.{body}{timestamp}",
        "{id}.{timestamp}.{body}",
        "{timestamp}.{body}",
        "{body}.{timestamp}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(templates); i++) {
        assert_int_equal(try_deliveries(templates[i], true, add_soup), 0);
        assert_int_equal(try_deliveries(templates[i], true, add_json), 0);
    }
}

static void between_an_id_and_a_body_a_timestamp_has_one_reading_that_is_an_event(void **state)
{
    size_t passed = 0;

    (void)state;
    for (int i = 0; i < 8; i++) {
        passed += try_deliveries("{id}{timestamp}{body}", false, add_json);
        passed += try_deliveries("{body}{timestamp}{id}", false, add_json);
        passed += try_deliveries("POST{id}{timestamp}{body}16", false, add_json);
    }
    assert_true(passed > 0); /* others are authentic, or this would prove nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_a_border_is_known_there_is_one_reading_of_any_body),
        cmocka_unit_test(between_an_id_and_a_body_a_timestamp_has_one_reading_that_is_an_event),
    };

    return cmocka_run_group_tests_name("verify_readings", tests, NULL, NULL);
}
