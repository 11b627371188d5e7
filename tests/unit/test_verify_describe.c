#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/verify.h"

static const struct provider_signature plain = {
    .scheme = SCHEME_HMAC,
    .algorithm = ALGORITHM_SHA256,
    .form = FORM_PLAIN,
    .encoding = ENCODING_HEX,
    .key = KEY_TEXT,
    .header = "X-Signature",
    .message = "{body}",
    .tolerance_ms = -1,
};

static const struct provider_signature pairs = {
    .scheme = SCHEME_HMAC,
    .algorithm = ALGORITHM_SHA1,
    .form = FORM_PAIRS,
    .encoding = ENCODING_BASE64,
    .key = KEY_BASE64,
    .skew = SKEW_PAST,
    .header = "X-Signature",
    .mark = "v1",
    .message = "{timestamp}.{body}",
    .timestamp_key = "t",
    .tolerance_ms = 300000,
};

static const struct provider_signature versions = {
    .scheme = SCHEME_HMAC,
    .algorithm = ALGORITHM_SHA512,
    .form = FORM_VERSIONS,
    .encoding = ENCODING_BASE64,
    .key = KEY_WHSEC,
    .skew = SKEW_BOTH,
    .header = "X-Signature",
    .mark = "v1",
    .message = "{id}.{timestamp}.{body}",
    .timestamp_header = "X-Time",
    .tolerance_ms = 300000,
    .id_header = "X-Id",
};

static const struct provider_signature token = {
    .scheme = SCHEME_TOKEN, .header = "X-Token", .tolerance_ms = -1};

static void assert_sound(const struct provider_signature *signature)
{
    const char *key = NULL;
    struct err err = {0};

    if (verify_check_description(signature, &key, &err) != ST_OK) {
        fail_msg("%s %s", key, err.text);
    }
}

static void assert_faulty(const struct provider_signature *signature, const char *want_key,
                          const char *want_words)
{
    struct verifier *verifier = NULL;
    const char *key = NULL;
    struct err err = {0};

    assert_int_equal(verify_check_description(signature, &key, &err), ST_INVALID);
    assert_string_equal(key, want_key);
    if (!strstr(err.text, want_words)) {
        fail_msg("\"%s\" is not in: %s", want_words, err.text);
    }
    assert_int_equal(verifier_create(signature, NULL, 0, &verifier, &err), ST_INVALID);
}

/* The base with one member otherwise. */
#define SOUND(base, assignment)                                                                \
    do {                                                                                       \
        struct provider_signature changed = base;                                              \
        changed.assignment;                                                                    \
        assert_sound(&changed);                                                                \
    } while (0)
#define FAULTY(base, assignment, key, words)                                                   \
    do {                                                                                       \
        struct provider_signature changed = base;                                              \
        changed.assignment;                                                                    \
        assert_faulty(&changed, key, words);                                                   \
    } while (0)

static void every_row_of_the_table_but_custom_is_sound(void **state)
{
    const struct provider *provider;

    (void)state;
    for (size_t i = 0; (provider = provider_at(i)) != NULL; i++) {
        if (strcmp(provider->name, "custom") != 0) {
            assert_sound(&provider->signature);
        }
    }
    assert_sound(&plain);
    assert_sound(&pairs);
    assert_sound(&versions);
    assert_sound(&token);
}

static void what_is_not_said_is_asked_for(void **state)
{
    (void)state;
    FAULTY(plain, scheme = SCHEME_UNSET, "scheme", "\"hmac\"");
    FAULTY(plain, algorithm = ALGORITHM_UNSET, "algorithm", "\"sha256\"");
    FAULTY(plain, form = FORM_UNSET, "form", "\"pairs\"");
    FAULTY(plain, encoding = ENCODING_UNSET, "encoding", "\"base64\"");
    FAULTY(plain, key = KEY_UNSET, "key", "\"whsec\"");
    FAULTY(plain, header = NULL, "header", "missing");
    FAULTY(plain, header = "", "header", "missing");
    FAULTY(plain, message = NULL, "message", "missing");
    FAULTY(plain, message = "", "message", "missing");
    FAULTY(token, header = NULL, "header", "missing");
}

static void with_scheme_none_nothing_else_matters(void **state)
{
    (void)state;
    SOUND(plain, scheme = SCHEME_NONE);
    SOUND(((struct provider_signature){0}), scheme = SCHEME_NONE);
}

static void header_names_are_tokens_and_different_ones(void **state)
{
    (void)state;
    FAULTY(plain, header = "X Signature", "header", "RFC 9110");
    FAULTY(plain, header = "X-Signature:", "header", "RFC 9110");
    FAULTY(plain, header = "X-Signatur\xC3\xA9", "header", "RFC 9110");
    FAULTY(plain, header = "X-Signature\r\nX", "header", "RFC 9110");
    FAULTY(versions, timestamp_header = "X(Time)", "timestamp_header", "RFC 9110");
    FAULTY(versions, id_header = "X,Id", "id_header", "RFC 9110");
    FAULTY(versions, timestamp_header = "x-signature", "timestamp_header", "timestamp_key");
    FAULTY(versions, id_header = "X-SIGNATURE", "id_header", "something else");
    FAULTY(versions, id_header = "x-time", "id_header", "something else");
    FAULTY(token, header = "X-Token=", "header", "RFC 9110");
    SOUND(plain, header = "!#$%&'*+-.^_`|~09azAZ");
}

static void a_mark_is_where_the_form_has_one(void **state)
{
    (void)state;
    FAULTY(plain, mark = "sha256=", "mark", "\"prefix\"");
    SOUND(plain, mark = "");
    FAULTY(plain, form = FORM_PREFIX, "mark", "before the signature");
    FAULTY(plain, form = FORM_PAIRS, "mark", "key of signatures");
    FAULTY(plain, form = FORM_VERSIONS, "mark", "version of signatures");
    FAULTY(pairs, mark = "", "mark", "key of signatures");
    FAULTY(pairs, mark = "v=1", "mark", "without");
    FAULTY(pairs, mark = "v,1", "mark", "without");
    FAULTY(pairs, mark = " v1", "mark", "without");
    FAULTY(versions, mark = "v 1", "mark", "without");
    FAULTY(versions, mark = "v1,", "mark", "without");
    FAULTY(versions, mark = "v\xC3\xA9", "mark", "ASCII");
}

static void a_prefix_is_what_a_header_can_begin_with(void **state)
{
    struct provider_signature prefix = plain;

    (void)state;
    prefix.form = FORM_PREFIX;
    prefix.mark = "HMAC sha256, =";
    assert_sound(&prefix);
    FAULTY(prefix, mark = " sha256=", "mark", "ASCII");
    FAULTY(prefix, mark = "sha256\t", "mark", "ASCII");
    FAULTY(prefix, mark = "\xC3\xA9", "mark", "ASCII");
}

static void a_timestamp_key_is_a_key_of_pairs(void **state)
{
    (void)state;
    FAULTY(versions, timestamp_key = "t", "timestamp_key", "needs form \"pairs\"");
    FAULTY(pairs, timestamp_header = "X-Time", "timestamp_key", "exclude");
    FAULTY(pairs, timestamp_key = "v1", "timestamp_key", "same as mark");
    FAULTY(pairs, timestamp_key = "t=", "timestamp_key", "without");
    FAULTY(pairs, timestamp_key = "t,", "timestamp_key", "without");
}

static void ordered_needs_a_timestamp_to_come_first(void **state)
{
    (void)state;
    SOUND(pairs, ordered = true);
    FAULTY(plain, ordered = true, "ordered", "timestamp_key");
    FAULTY(versions, ordered = true, "ordered", "\"pairs\"");
}

static void a_message_holds_the_body_once_and_known_variables(void **state)
{
    (void)state;
    FAULTY(plain, message = "x", "message", "must hold {body}");
    FAULTY(plain, message = "{body}{body}", "message", "twice");
    FAULTY(plain, message = "{body}.{body}", "message", "twice");
    FAULTY(plain, message = "{Body}", "message", "{Body}");
    FAULTY(plain, message = "{url}.{body}", "message", "belongs to none");
    FAULTY(plain, message = "{body", "message", "belongs to none");
    FAULTY(plain, message = "{body}{", "message", "belongs to none");
    FAULTY(plain, message = "body}", "message", "belongs to none");
    FAULTY(plain, message = "{{body}}", "message", "belongs to none");
    FAULTY(plain, message = "{body}}", "message", "belongs to none");
    FAULTY(plain, message = "{}{body}", "message", "belongs to none");
    SOUND(plain, message = "POST\n\xC3\xA9:{body}:");
}

/* Or one signature would be good for several deliveries. */
static void a_message_has_one_reading(void **state)
{
    (void)state;
    FAULTY(pairs, message = "{timestamp}{body}", "message", "between {timestamp} and {body}");
    FAULTY(pairs, message = "{body}{timestamp}", "message", "between {body} and {timestamp}");
    FAULTY(versions, message = "{id}{timestamp}.{body}", "message", "between {id} and");
    FAULTY(pairs, message = "{timestamp}0{body}", "message", "digit");
    FAULTY(pairs, message = "{timestamp}9.{body}", "message", "digit");
    FAULTY(pairs, message = "{body}.1{timestamp}", "message", "digit");
    SOUND(pairs, message = "{timestamp}.0{body}");
    SOUND(pairs, message = "0{timestamp}.{body}");
    SOUND(pairs, message = "{body}0.{timestamp}");
    SOUND(pairs, message = "{body}.{timestamp}0");
}

static void a_timestamp_is_signed_and_has_a_place(void **state)
{
    (void)state;
    FAULTY(plain, message = "{timestamp}.{body}", "message", "timestamp_header");
    FAULTY(pairs, timestamp_key = NULL, "message", "timestamp_key");
    FAULTY(pairs, message = "{body}", "timestamp_key", "not signed");
    FAULTY(versions, message = "{id}.{body}", "timestamp_header", "not signed");
    FAULTY(plain, tolerance_ms = 1000, "tolerance", "not signed");
    FAULTY(plain, skew = SKEW_PAST, "skew", "not signed");
    SOUND(plain, tolerance_ms = 0);
}

static void a_tolerance_is_said_in_whole_seconds_and_with_its_direction(void **state)
{
    (void)state;
    FAULTY(pairs, tolerance_ms = -1, "tolerance", "missing");
    FAULTY(pairs, tolerance_ms = 1500, "tolerance", "whole seconds");
    FAULTY(pairs, skew = SKEW_UNSET, "skew", "\"past\"");
    SOUND(pairs, tolerance_ms = 0);
    SOUND(pairs, tolerance_ms = 1000);
}

static void an_id_is_signed_and_has_a_place(void **state)
{
    (void)state;
    FAULTY(versions, id_header = NULL, "message", "id_header");
    FAULTY(versions, id_header = "", "message", "id_header");
    FAULTY(versions, message = "{timestamp}.{body}", "id_header", "fields.delivery_id");
}

static void a_token_has_no_use_for_what_a_signature_is_made_of(void **state)
{
    (void)state;
    FAULTY(token, algorithm = ALGORITHM_SHA256, "algorithm", "\"hmac\"");
    FAULTY(token, form = FORM_PREFIX, "form", "whole value");
    FAULTY(token, mark = "Bearer ", "mark", "whole value");
    FAULTY(token, ordered = true, "ordered", "\"hmac\"");
    FAULTY(token, encoding = ENCODING_HEX, "encoding", "\"hmac\"");
    FAULTY(token, key = KEY_BASE64, "key", "\"hmac\"");
    FAULTY(token, message = "{body}", "message", "\"hmac\"");
    FAULTY(token, timestamp_header = "X-Time", "timestamp_header", "\"hmac\"");
    FAULTY(token, timestamp_key = "t", "timestamp_key", "\"hmac\"");
    FAULTY(token, tolerance_ms = 1000, "tolerance", "\"hmac\"");
    FAULTY(token, skew = SKEW_BOTH, "skew", "\"hmac\"");
    FAULTY(token, id_header = "X-Id", "id_header", "\"hmac\"");
    SOUND(token, key = KEY_TEXT); /* as it is */
    SOUND(token, form = FORM_PLAIN);
}

static void assert_secret(const struct provider_signature *signature, struct slice secret,
                          const char *want_words)
{
    struct err err = {0};
    enum status st = verify_check_secret(signature, secret, &err);

    assert_int_equal(st, want_words ? ST_INVALID : ST_OK);
    if (want_words && !strstr(err.text, want_words)) {
        fail_msg("\"%s\" is not in: %s", want_words, err.text);
    }
    assert_null(strstr(err.text, "MfKQ"));
}

static void a_secret_is_what_the_key_is_made_of(void **state)
{
    static char longest[VERIFY_MAX_SECRET + 1];

    (void)state;
    memset(longest, 'A', sizeof(longest));
    assert_secret(&plain, SLICE("any bytes\n\0\xFF"), NULL);
    assert_secret(&plain, SLICE("whsec_"), NULL);
    assert_secret(&plain, SLICE(""), "empty");
    assert_secret(&plain, (struct slice){longest, VERIFY_MAX_SECRET}, NULL);
    assert_secret(&plain, (struct slice){longest, VERIFY_MAX_SECRET + 1}, "4096 at most");

    assert_secret(&pairs, (struct slice){longest, VERIFY_MAX_SECRET}, NULL);
    assert_secret(&pairs, SLICE("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), NULL);
    assert_secret(&pairs, SLICE("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "base64");
    assert_secret(&pairs, SLICE("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"), "base64");
    assert_secret(&pairs, SLICE("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), "base64");
    assert_secret(&pairs, SLICE("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_"), "base64");
    assert_secret(&pairs, SLICE(""), "empty");

    assert_secret(&versions, SLICE("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), NULL);
    assert_secret(&versions, SLICE("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), NULL);
    assert_secret(&versions, SLICE("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "base64");
    assert_secret(&versions, SLICE("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "base64");
    assert_secret(&versions, SLICE("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw="), "base64");
    assert_secret(&versions, SLICE("whsec_"), "empty");
}

static void a_token_can_come_in_a_header(void **state)
{
    (void)state;
    assert_secret(&token, SLICE("Bearer caf\xC3\xA9"), NULL);
    assert_secret(&token, SLICE("x"), NULL);
    assert_secret(&token, SLICE(""), "empty");
    assert_secret(&token, SLICE(" x"), "header");
    assert_secret(&token, SLICE("x "), "header");
    assert_secret(&token, SLICE("MfKQ\n"), "header");
    assert_secret(&token, SLICE("a\0b"), "header");
    assert_secret(&token, SLICE("\x7F"), "header");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table_but_custom_is_sound),
        cmocka_unit_test(what_is_not_said_is_asked_for),
        cmocka_unit_test(with_scheme_none_nothing_else_matters),
        cmocka_unit_test(header_names_are_tokens_and_different_ones),
        cmocka_unit_test(a_mark_is_where_the_form_has_one),
        cmocka_unit_test(a_prefix_is_what_a_header_can_begin_with),
        cmocka_unit_test(a_timestamp_key_is_a_key_of_pairs),
        cmocka_unit_test(ordered_needs_a_timestamp_to_come_first),
        cmocka_unit_test(a_message_holds_the_body_once_and_known_variables),
        cmocka_unit_test(a_message_has_one_reading),
        cmocka_unit_test(a_timestamp_is_signed_and_has_a_place),
        cmocka_unit_test(a_tolerance_is_said_in_whole_seconds_and_with_its_direction),
        cmocka_unit_test(an_id_is_signed_and_has_a_place),
        cmocka_unit_test(a_token_has_no_use_for_what_a_signature_is_made_of),
        cmocka_unit_test(a_secret_is_what_the_key_is_made_of),
        cmocka_unit_test(a_token_can_come_in_a_header),
    };

    return cmocka_run_group_tests_name("verify_describe", tests, NULL, NULL);
}
