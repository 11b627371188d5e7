#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/verify/verify.h"

#include "tests/unit/lib/presets.h"

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

/* What was told, in its order: "key: text". */
struct told {
    char lines[16][600];
    size_t count;
};

static void tell(void *ctx, const struct verify_fault *fault)
{
    struct told *told = ctx;

    assert_true(told->count < COUNT_OF(told->lines));
    assert_int_equal(fault->is_missing, strncmp(fault->text, "is missing", 10) == 0);
    (void)snprintf(told->lines[told->count++], sizeof(told->lines[0]), "%s: %s", fault->key,
                   fault->text);
}

static struct told faults_of(const struct provider_signature *signature)
{
    struct told told = {.count = 0};
    enum status st = verify_check_description(signature, tell, &told);

    assert_int_equal(st, told.count == 0 ? ST_OK : ST_INVALID);
    return told;
}

static void assert_sound(const struct provider_signature *signature)
{
    struct told told = faults_of(signature);

    if (told.count > 0) {
        fail_msg("%s", told.lines[0]);
    }
}

static bool is_fault(const char *line, const char *key, const char *words)
{
    size_t len = strlen(key);

    return strncmp(line, key, len) == 0 && line[len] == ':' && strstr(line + len, words);
}

static void assert_faulty(const struct provider_signature *signature, const char *want_key,
                          const char *want_words)
{
    struct verifier *verifier = NULL;
    struct told told = faults_of(signature);
    struct err err = {0};
    size_t found = 0;

    for (size_t i = 0; i < told.count; i++) {
        found += is_fault(told.lines[i], want_key, want_words);
    }
    if (found != 1) {
        fail_msg("%zu times \"%s\" at %s; first: %s", found, want_words, want_key,
                 told.count > 0 ? told.lines[0] : "nothing");
    }
    assert_int_equal(verifier_create(signature, NULL, 0, &verifier, &err), ST_INVALID);
    assert_string_equal(err.text, told.lines[0]);
}

/* Exactly these members are told, each once: "header algorithm". */
static void assert_members(const struct provider_signature *signature, const char *want)
{
    struct told told = faults_of(signature);
    struct buf members = {0};

    for (size_t i = 0; i < told.count; i++) {
        buf_addf(&members, "%s%.*s", i > 0 ? " " : "", (int)strcspn(told.lines[i], ":"),
                 told.lines[i]);
    }
    assert_string_equal(members.data ? members.data : "", want);
    buf_free(&members);
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
#define MEMBERS(base, assignment, members)                                                     \
    do {                                                                                       \
        struct provider_signature changed = base;                                              \
        changed.assignment;                                                                    \
        assert_members(&changed, members);                                                     \
    } while (0)

static void every_preset_but_custom_is_sound(void **state)
{
    const struct provider *provider;

    (void)state;
    for (size_t i = 0; (provider = preset_at(i)) != NULL; i++) {
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

static void all_that_is_wrong_is_told_at_once(void **state)
{
    const struct provider_signature bare = {.scheme = SCHEME_HMAC, .tolerance_ms = -1};
    struct provider_signature timed = bare, bad = versions, muddled = token;

    (void)state;
    assert_members(&bare, "header algorithm form encoding key message");
    timed.message = "{id}.{timestamp}.{body}";
    assert_members(&timed, "header algorithm form encoding key message message tolerance skew");
    bad.header = "X Signature";
    bad.mark = "v 1";
    bad.timestamp_header = "X Time";
    bad.tolerance_ms = 1500;
    bad.skew = SKEW_UNSET;
    bad.id_header = "X Id";
    bad.separator = ';';
    assert_members(&bad, "header mark separator timestamp_header tolerance skew id_header");
    muddled.header = NULL;
    muddled.mark = "Bearer ";
    muddled.timestamp_format = TIMESTAMP_RFC3339;
    muddled.separator = ',';
    assert_members(&muddled, "header mark separator timestamp_format");
    MEMBERS(versions, message = "{body}",
            "timestamp_header tolerance skew id_header"); /* all that is useless */
}

static void what_only_follows_from_something_else_is_not_told(void **state)
{
    struct provider_signature formless = pairs;

    (void)state;
    /* Without a scheme nothing is known; without a form, whether these have a place; without a
     * message, whether times and ids are of use; without an algorithm, what its name is. */
    MEMBERS(versions, scheme = SCHEME_UNSET, "scheme");
    formless.separator = ';';
    formless.mark = "";
    MEMBERS(formless, form = FORM_UNSET, "form");
    MEMBERS(versions, message = NULL, "message");
    MEMBERS(versions, message = "{body", "message");
    MEMBERS(pairs, algorithm = ALGORITHM_UNSET, "algorithm");
    /* A member that is wrong in two ways is told once. */
    formless = versions;
    formless.timestamp_key = "t";
    formless.tolerance_ms = 0;
    formless.skew = SKEW_UNSET;
    formless.timestamp_header = NULL;
    MEMBERS(formless, message = "{id}.{body}", "timestamp_key");
    formless.timestamp_header = "x-signature";
    MEMBERS(formless, message = "{id}.{body}", "timestamp_header timestamp_key");
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

static void a_mark_names_no_other_algorithm(void **state)
{
    struct provider_signature prefix = plain;

    (void)state;
    prefix.form = FORM_PREFIX;
    prefix.mark = "sha1=";
    FAULTY(prefix, algorithm = ALGORITHM_SHA256, "mark",
           "is \"sha1=\", but algorithm is \"sha256\"; write \"sha256=\", or algorithm "
           "\"sha1\"");
    FAULTY(prefix, mark = "SHA512=", "mark", "write \"sha256=\", or algorithm \"sha512\"");
    FAULTY(prefix, mark = "sha512", "mark", "write \"sha256\", or");
    FAULTY(pairs, mark = "sha256", "mark", "write \"sha1\", or algorithm \"sha256\"");
    FAULTY(versions, mark = "sha1", "mark", "write \"sha512\", or");
    SOUND(prefix, algorithm = ALGORITHM_SHA1);
    SOUND(prefix, mark = "sha256=");
    SOUND(prefix, mark = "SHA256=");
    SOUND(prefix, mark = "v1=");
    SOUND(prefix, mark = "sha1=v1=");
    SOUND(prefix, mark = "sha");
}

static void a_separator_is_between_pairs(void **state)
{
    (void)state;
    SOUND(pairs, separator = ',');
    SOUND(pairs, separator = ';');
    FAULTY(plain, separator = ';', "separator", "needs form \"pairs\"");
    FAULTY(versions, separator = ',', "separator", "needs form \"pairs\"");
    FAULTY(pairs, mark = "v;1", "mark", "semicolon");
    FAULTY(pairs, timestamp_key = "t;", "timestamp_key", "semicolon");
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
    FAULTY(plain, message = "x", "message", "must contain {body}");
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
    FAULTY(versions, message = "{id}{body}{timestamp}", "message", "between {id} and {body}");
    FAULTY(versions, message = "{timestamp}{body}{id}", "message", "between {body} and {id}");
    FAULTY(versions, message = "{timestamp}.{id}{body}", "message", "between {id} and {body}");
    FAULTY(pairs, message = "{timestamp}0{body}", "message", "digit");
    FAULTY(pairs, message = "{body}Z{timestamp}", "message", "Z beside");
    FAULTY(versions, message = "{id}{timestamp}7{body}", "message", "digit");
    FAULTY(versions, message = "{body}7{timestamp}{id}", "message", "digit");
    FAULTY(pairs, message = "{timestamp}9.{body}", "message", "digit");
    FAULTY(pairs, message = "{body}.1{timestamp}", "message", "digit");
    SOUND(pairs, message = "{timestamp}.0{body}");
    SOUND(pairs, message = "0{timestamp}.{body}");
    SOUND(pairs, message = "{body}0.{timestamp}");
    SOUND(pairs, message = "{body}.{timestamp}0");
    SOUND(pairs, message = "0{timestamp}{body}0");
    SOUND(pairs, message = "0{body}{timestamp}0");
    SOUND(versions, message = "{timestamp}{id}7{body}");
}

/* A timestamp has a length that is known, so text beside it is not needed. */
static void a_timestamp_may_touch_what_is_beside_it_if_its_age_counts(void **state)
{
    static const char *const messages[] = {
        "{id}{timestamp}{body}",  "{timestamp}{id}.{body}", "{id}{timestamp}.{body}",
        "{id}.{timestamp}{body}", "{body}{timestamp}{id}",  "{body}.{id}{timestamp}",
        "{body}{timestamp}.{id}", "{body}.{timestamp}{id}", "{timestamp}{body}.{id}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        struct provider_signature touching = versions;

        touching.message = messages[i];
        assert_sound(&touching);
        SOUND(touching, skew = SKEW_PAST);
        SOUND(touching, timestamp_format = TIMESTAMP_MILLISECONDS);
        SOUND(touching, timestamp_format = TIMESTAMP_RFC3339);
        FAULTY(touching, tolerance_ms = 0, "tolerance", "such as \"5m\"");
        FAULTY(touching, tolerance_ms = -1, "tolerance", "is missing");
    }
    SOUND(versions, tolerance_ms = 0);
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
    FAULTY(plain, timestamp_format = TIMESTAMP_SECONDS, "timestamp_format", "not signed");
    SOUND(pairs, timestamp_format = TIMESTAMP_RFC3339);
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
    FAULTY(token, separator = ',', "separator", "\"hmac\"");
    FAULTY(token, ordered = true, "ordered", "\"hmac\"");
    FAULTY(token, encoding = ENCODING_HEX, "encoding", "\"hmac\"");
    FAULTY(token, key = KEY_BASE64, "key", "\"hmac\"");
    FAULTY(token, message = "{body}", "message", "\"hmac\"");
    FAULTY(token, timestamp_header = "X-Time", "timestamp_header", "\"hmac\"");
    FAULTY(token, timestamp_key = "t", "timestamp_key", "\"hmac\"");
    FAULTY(token, timestamp_format = TIMESTAMP_SECONDS, "timestamp_format", "\"hmac\"");
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
        cmocka_unit_test(every_preset_but_custom_is_sound),
        cmocka_unit_test(what_is_not_said_is_asked_for),
        cmocka_unit_test(all_that_is_wrong_is_told_at_once),
        cmocka_unit_test(what_only_follows_from_something_else_is_not_told),
        cmocka_unit_test(with_scheme_none_nothing_else_matters),
        cmocka_unit_test(header_names_are_tokens_and_different_ones),
        cmocka_unit_test(a_mark_is_where_the_form_has_one),
        cmocka_unit_test(a_prefix_is_what_a_header_can_begin_with),
        cmocka_unit_test(a_mark_names_no_other_algorithm),
        cmocka_unit_test(a_separator_is_between_pairs),
        cmocka_unit_test(a_timestamp_key_is_a_key_of_pairs),
        cmocka_unit_test(ordered_needs_a_timestamp_to_come_first),
        cmocka_unit_test(a_message_holds_the_body_once_and_known_variables),
        cmocka_unit_test(a_message_has_one_reading),
        cmocka_unit_test(a_timestamp_may_touch_what_is_beside_it_if_its_age_counts),
        cmocka_unit_test(a_timestamp_is_signed_and_has_a_place),
        cmocka_unit_test(a_tolerance_is_said_in_whole_seconds_and_with_its_direction),
        cmocka_unit_test(an_id_is_signed_and_has_a_place),
        cmocka_unit_test(a_token_has_no_use_for_what_a_signature_is_made_of),
        cmocka_unit_test(a_secret_is_what_the_key_is_made_of),
        cmocka_unit_test(a_token_can_come_in_a_header),
    };

    return cmocka_run_group_tests_name("verify_describe", tests, NULL, NULL);
}
