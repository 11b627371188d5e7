#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/encode.h"

#include "bridge/verify/verify.h"

#include "tests/unit/lib/presets.h"
#include "tests/unit/lib/verify_delivery.h"
#include "tests/unit/lib/verify_vectors.h"

static struct verifier *make(const char *provider, const struct slice *secrets, size_t count)
{
    const struct provider *row = preset(provider);
    struct verifier *verifier = NULL;
    struct err err = {0};

    assert_non_null(row);
    if (verifier_create(&row->signature, secrets, count, &verifier, &err) != ST_OK) {
        fail_msg("%s: %s", provider, err.text);
    }
    return verifier;
}

static void assert_rows(const struct row *rows, size_t count)
{
    for (const struct row *row = rows; row < rows + count; row++) {
        const struct slice secret = slice_of(row->secret);
        struct verifier *verifier = make(row->provider, &secret, 1);

        /* Seconds count as a whole, whatever follows them. */
        for (int64_t ms = 0; ms < 1000; ms += 999) {
            if (check_lines(verifier, slice_of(row->headers), slice_of(row->body),
                            row->at_s * 1000 + ms) != row->verdict) {
                fail_msg("%s does not give: %s", row->headers, status_text(row->verdict));
            }
        }
        verifier_destroy(verifier);
    }
}

static void the_published_vectors_verify(void **state)
{
    (void)state;
    assert_rows(vectors, COUNT_OF(vectors));
}

static void any_line_of_the_signature_s_header_counts(void **state)
{
    (void)state;
    assert_rows(headers, COUNT_OF(headers));
}

static void a_plain_signature_is_the_header_or_one_of_a_list(void **state)
{
    (void)state;
    assert_rows(plain, COUNT_OF(plain));
}

static void a_prefix_is_there_as_it_is_spelled(void **state)
{
    (void)state;
    assert_rows(prefix, COUNT_OF(prefix));
}

static void pairs_may_be_many_and_unknown_but_not_where_they_are_ordered(void **state)
{
    (void)state;
    assert_rows(pairs, COUNT_OF(pairs));
}

static void of_a_list_of_versions_one_that_is_wanted_is_right(void **state)
{
    (void)state;
    assert_rows(versions, COUNT_OF(versions));
}

static void an_id_is_visible_ascii_and_cannot_run_into_the_timestamp(void **state)
{
    (void)state;
    assert_rows(ids, COUNT_OF(ids));
}

static void a_timestamp_has_one_spelling(void **state)
{
    (void)state;
    assert_rows(spellings, COUNT_OF(spellings));
}

static void a_delivery_exactly_as_old_as_the_tolerance_passes_and_no_older_one(void **state)
{
    (void)state;
    assert_rows(ages, COUNT_OF(ages));
}

static void a_token_is_equal_to_a_secret(void **state)
{
    (void)state;
    assert_rows(tokens, COUNT_OF(tokens));
}

static void every_changed_byte_of_body_and_headers_is_noticed(void **state)
{
    (void)state;
    for (const struct row *row = vectors; row < vectors + COUNT_OF(vectors); row++) {
        const struct slice secret = slice_of(row->secret);
        struct verifier *verifier = make(row->provider, &secret, 1);
        bool is_token = strcmp(row->provider, "gitlab") == 0;
        char lines[512], body[512];
        struct slice both[] = {{lines, strlen(row->headers)}, {body, strlen(row->body)}};

        memcpy(lines, row->headers, both[0].len);
        memcpy(body, row->body, both[1].len);
        for (size_t i = 0; i < both[0].len; i++) {
            lines[i] ^= 1;
            assert_int_equal(check_lines(verifier, both[0], both[1], row->at_s * 1000),
                             ST_UNAUTHENTIC);
            lines[i] ^= 1;
        }
        for (size_t i = 0; i < both[1].len; i++) {
            struct slice cut = {body, i};

            body[i] ^= 1;
            assert_int_equal(check_lines(verifier, both[0], both[1], row->at_s * 1000),
                             is_token ? ST_OK : ST_UNAUTHENTIC);
            body[i] ^= 1;
            assert_int_equal(check_lines(verifier, both[0], cut, row->at_s * 1000),
                             is_token ? ST_OK : ST_UNAUTHENTIC);
        }
        assert_int_equal(check_lines(verifier, both[0], both[1], row->at_s * 1000), ST_OK);
        verifier_destroy(verifier);
    }
}

static void sixteen_signatures_are_tried_and_with_seventeen_none_is(void **state)
{
    const struct slice secret = SLICE(STRIPE_SECRET);
    struct verifier *verifier = make("stripe", &secret, 1);

    (void)state;
    for (int others = 14; others <= 16; others++) {
        struct buf lines = {0};

        buf_add_str(&lines, "Stripe-Signature: t=1614265330");
        for (int i = 0; i < others; i++) {
            buf_add_str(&lines, i % 2 ? ",v1=" OTHER_MAC : ",v1=nonsense,v0=ignored");
        }
        buf_add_str(&lines, ",v1=" STRIPE_MAC);
        assert_int_equal(check_lines(verifier, buf_slice(&lines), SLICE(STRIPE_BODY),
                                     STRIPE_AT * INT64_C(1000)),
                         others < 16 ? ST_OK : ST_UNAUTHENTIC);
        buf_free(&lines);
    }
    verifier_destroy(verifier);
}

static void the_limit_is_for_all_lines_together(void **state)
{
    const struct slice secret = SLICE("my_secret");
    struct verifier *verifier = make("creads", &secret, 1);

    (void)state;
    for (int others = 14; others <= 17; others++) {
        for (int in_lines = 0; in_lines < 2; in_lines++) {
            struct buf lines = {0};
            struct delivery delivery = {.body = SLICE("{}"), .header = find_header};
            struct slice all;
            enum status st;

            buf_add_str(&lines, "X-Partners-Signature: ");
            for (int i = 0; i < others; i++) {
                buf_add_str(&lines, OTHER_MAC);
                buf_add_str(&lines, in_lines ? "\nX-Partners-Signature: " : ", ");
            }
            buf_add_str(&lines,
                        "3c980c81acef21e0356767cca9ab9d6a62a4e09677bb07107e4524c381b17309");
            all = buf_slice(&lines);
            delivery.ctx = &all;
            st = verifier_check_head(verifier, &delivery, NULL);
            st = st == ST_OK ? verifier_check(verifier, &delivery, NULL) : st;
            assert_int_equal(st, others < 16 ? ST_OK : ST_UNAUTHENTIC);
            buf_free(&lines);
        }
    }
    verifier_destroy(verifier);
}

static void any_of_several_secrets_verifies(void **state)
{
    (void)state;
    for (const struct row *row = vectors; row < vectors + COUNT_OF(vectors); row++) {
        for (size_t at = 0; at <= VERIFY_MAX_SECRETS; at++) {
            struct slice secrets[VERIFY_MAX_SECRETS];
            struct verifier *verifier;

            for (size_t i = 0; i < VERIFY_MAX_SECRETS; i++) {
                secrets[i] = i == at ? slice_of(row->secret) : SLICE("ANOTHERS");
            }
            verifier = make(row->provider, secrets, VERIFY_MAX_SECRETS);
            assert_int_equal(check_lines(verifier, slice_of(row->headers), slice_of(row->body),
                                         row->at_s * 1000),
                             at < VERIFY_MAX_SECRETS ? ST_OK : ST_UNAUTHENTIC);
            verifier_destroy(verifier);
        }
    }
}

static void a_check_leaves_nothing_behind_for_the_next(void **state)
{
    const struct slice secret = SLICE("my_secret"), right = slice_of(vectors[0].headers);
    struct verifier *verifier = make("creads", &secret, 1);

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            check_lines(verifier, SLICE("X-Partners-Signature: x"), SLICE("{}"), 0),
            ST_UNAUTHENTIC);
        assert_int_equal(check_lines(verifier, right, SLICE(""), 0), ST_UNAUTHENTIC);
        assert_int_equal(check_lines(verifier, right, SLICE_NONE, 0), ST_UNAUTHENTIC);
        assert_int_equal(check_lines(verifier, right, SLICE("{}"), 0), ST_OK);
    }
    verifier_destroy(verifier);
}

static void without_a_secret_nothing_passes_and_nothing_is_signed(void **state)
{
    (void)state;
    for (const struct row *row = vectors; row < vectors + COUNT_OF(vectors); row++) {
        struct verifier *verifier = make(row->provider, NULL, 0);
        struct buf out = {0};

        assert_int_equal(check_lines(verifier, slice_of(row->headers), slice_of(row->body),
                                     row->at_s * 1000),
                         ST_UNAUTHENTIC);
        assert_int_equal(verifier_sign(verifier, SLICE("{}"), 1, SLICE("id"), &out),
                         ST_MISSING);
        assert_int_equal(out.len, 0);
        verifier_destroy(verifier);
    }
}

static void scheme_none_passes_everything_and_signs_nothing(void **state)
{
    const struct slice secrets[VERIFY_MAX_SECRETS + 1] = {SLICE("")};
    const struct delivery delivery = {.body = SLICE("{}")};
    struct verifier *verifier = make("weavy", secrets, COUNT_OF(secrets));
    struct buf out = {0};

    (void)state;
    assert_int_equal(verifier_check_head(verifier, &delivery, NULL), ST_OK);
    assert_int_equal(verifier_check(verifier, &delivery, NULL), ST_OK);
    assert_int_equal(verifier_sign(verifier, SLICE("{}"), 1, SLICE("id"), &out), ST_OK);
    assert_int_equal(out.len, 0);
    verifier_destroy(verifier);
}

static void before_the_body_every_header_that_is_needed_is_asked_for(void **state)
{
    const struct slice secret = SLICE(WHSEC);
    struct verifier *verifier = make("standard-webhooks", &secret, 1);
    struct slice lines = SLICE("webhook-id: \nWEBHOOK-TIMESTAMP: x\nwebhook-signature: y");
    const struct slice lacking[] = {
        SLICE("webhook-id: a\nwebhook-timestamp: x"),
        SLICE("webhook-id: a\nwebhook-signature: y"),
        SLICE("webhook-timestamp: x\nwebhook-signature: y"),
        SLICE("webhook-id: a\nwebhook-id: a\nwebhook-timestamp: x\nwebhook-signature: y"),
        SLICE(""),
    };
    struct delivery head = {.header = find_header, .ctx = &lines};

    (void)state;
    assert_int_equal(verifier_check_head(verifier, &head, NULL),
                     ST_OK); /* there; good or not is seen later */
    for (size_t i = 0; i < COUNT_OF(lacking); i++) {
        lines = lacking[i];
        assert_int_equal(verifier_check_head(verifier, &head, NULL), ST_UNAUTHENTIC);
    }
    head.header = NULL;
    assert_int_equal(verifier_check_head(verifier, &head, NULL), ST_UNAUTHENTIC);
    assert_int_equal(verifier_check(verifier, &head, NULL), ST_UNAUTHENTIC);
    verifier_destroy(verifier);
}

static void signing_writes_what_the_provider_sends_with_the_first_secret(void **state)
{
    (void)state;
    for (const struct row *row = vectors; row < vectors + COUNT_OF(vectors); row++) {
        const struct slice secrets[] = {slice_of(row->secret), SLICE("OLDER+++")};
        struct verifier *verifier = make(row->provider, secrets, 2);
        struct buf out = {0};

        assert_int_equal(verifier_sign(verifier, slice_of(row->body), row->at_s,
                                       SLICE("msg_p5jXN8AQM9LWM0D4loKWxJek"), &out),
                         ST_OK);
        assert_string_equal(out.data, row->headers);
        buf_free(&out);
        verifier_destroy(verifier);
    }
}

static void what_no_provider_would_send_is_not_signed(void **state)
{
    const struct slice secret = SLICE(WHSEC);
    struct verifier *verifier = make("standard-webhooks", &secret, 1);
    const struct slice bad_ids[] = {SLICE_NONE, SLICE(""), SLICE("a.b"), SLICE("a\nb"),
                                    SLICE(X256 "x")};
    struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_ids); i++) {
        assert_int_equal(verifier_sign(verifier, SLICE("{}"), 1, bad_ids[i], &out), ST_INVALID);
    }
    assert_int_equal(verifier_sign(verifier, SLICE("{}"), -1, SLICE("a"), &out), ST_INVALID);
    assert_int_equal(
        verifier_sign(verifier, SLICE("{}"), INT64_C(1000000000000), SLICE("a"), &out),
        ST_INVALID);
    assert_int_equal(verifier_sign(verifier, SLICE("{}"), INT64_MIN, SLICE("a"), &out),
                     ST_INVALID);
    assert_int_equal(out.len, 0);
    verifier_destroy(verifier);
}

/* GitHub's published example for SHA-1 and SHA-256; that of SHA-512 is Python's. */
static void every_algorithm_in_every_encoding(void **state)
{
    const struct {
        enum provider_algorithm algorithm;
        enum provider_encoding encoding;
        const char *mac;
    } cases[] = {
        {ALGORITHM_SHA1, ENCODING_HEX, "01dc10d0c83e72ed246219cdd91669667fe2ca59"},
        {ALGORITHM_SHA1, ENCODING_BASE64, "AdwQ0Mg+cu0kYhnN2RZpZn/iylk="},
        {ALGORITHM_SHA256, ENCODING_HEX, GITHUB_MAC},
        {ALGORITHM_SHA256, ENCODING_BASE64, "dXEH6g6yUJ/CESIczphLijdXC211hsIsRvQ3nIsEPhc="},
        {ALGORITHM_SHA512, ENCODING_HEX,
         "11ed355a617e98134e842012a7944ccf59c10256cb182357bd7e3a42013ff07c"
         "376f8c14cf5cc1923da20b51d64256b2fb8ebbf100aa67a61326f61fea8111bc"},
        {ALGORITHM_SHA512, ENCODING_BASE64,
         "Ee01WmF+mBNOhCASp5RMz1nBAlbLGCNXvX46QgE/8Hw3b4wUz1zBkj2iC1HWQlay+4678QCqZ6YTJvYf6oER"
         "vA=="},
    };
    const struct slice secret = SLICE(GITHUB_SECRET);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct provider_signature signature = {
            .scheme = SCHEME_HMAC,
            .algorithm = cases[i].algorithm,
            .form = FORM_PLAIN,
            .encoding = cases[i].encoding,
            .key = KEY_TEXT,
            .header = "S",
            .message = "{body}",
        };
        struct verifier *verifier = NULL;
        struct buf out = {0};
        struct err err;

        assert_int_equal(verifier_create(&signature, &secret, 1, &verifier, &err), ST_OK);
        for (size_t j = 0; j < COUNT_OF(cases); j++) {
            char line[200];

            (void)snprintf(line, sizeof(line), "S: %s", cases[j].mac);
            assert_int_equal(check_lines(verifier, slice_of(line), SLICE(GITHUB_BODY), 0),
                             i == j ? ST_OK : ST_UNAUTHENTIC);
        }
        assert_int_equal(verifier_sign(verifier, SLICE(GITHUB_BODY), 0, SLICE_NONE, &out),
                         ST_OK);
        assert_string_equal(out.data + 3, cases[i].mac);
        buf_free(&out);
        verifier_destroy(verifier);
    }
}

/* Body first, and an id that follows it: its border is the character before. */
static void an_id_behind_the_body_cannot_reach_into_it(void **state)
{
    const struct provider_signature signature = {
        .scheme = SCHEME_HMAC,
        .algorithm = ALGORITHM_SHA256,
        .form = FORM_PLAIN,
        .encoding = ENCODING_HEX,
        .key = KEY_TEXT,
        .header = "S",
        .message = "{body}/{id}",
        .id_header = "I",
    };
    const struct slice secret = SLICE("my_secret");
    struct verifier *verifier = NULL;
    struct err err;

    (void)state;
    assert_int_equal(verifier_create(&signature, &secret, 1, &verifier, &err), ST_OK);
    assert_int_equal(
        check_lines(
            verifier,
            SLICE("I: msg_1\n"
                  "S: 5036f7f0a5af688117d5cab1cd5e498c5d32176716897041c8cc34f6fa4ac1db"),
            SLICE("{\"a\":1}"), 0),
        ST_OK);
    assert_int_equal(
        check_lines(
            verifier,
            SLICE("I: msg/1\n"
                  "S: f7c91b90c3046613f170bfff3268848c928626cbaaff21d56eb3177662a621ec"),
            SLICE("{\"a\":1}"), 0),
        ST_UNAUTHENTIC);
    verifier_destroy(verifier);
}

static void bad_and_too_many_secrets_are_refused(void **state)
{
    const struct slice secrets[VERIFY_MAX_SECRETS + 1] = {SLICE("a"), SLICE("")};
    const struct provider_signature *signature = &preset("creads")->signature;
    const struct provider_signature nothing = {0};
    struct verifier *verifier = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(verifier_create(signature, secrets, 2, &verifier, &err), ST_INVALID);
    assert_string_equal(err.text, "secret 2: is empty");
    assert_int_equal(
        verifier_create(signature, secrets, VERIFY_MAX_SECRETS + 1, &verifier, &err),
        ST_TOO_LARGE);
    assert_int_equal(verifier_create(&nothing, secrets, 1, &verifier, &err), ST_INVALID);
    assert_null(verifier);
    verifier_destroy(NULL);
}

static void assert_digest(const struct slice *parts, size_t count, const char *want)
{
    struct digester *digester = digester_create();
    uint8_t digest[DIGEST_SIZE];
    char hex[2 * DIGEST_SIZE + 1];

    for (int i = 0; i < 2; i++) { /* a digester can be used again */
        digester_run(digester, parts, count, digest);
        encode_hex(digest, sizeof(digest), hex);
        assert_string_equal(hex, want);
    }
    digester_destroy(digester);
}

/* The figures are sha256sum's, of the parts with their lengths as eight bytes, the highest
 * first. */
static void a_digest_is_sha256_over_lengths_and_parts(void **state)
{
    const struct slice parts[] = {SLICE("ab"), SLICE("c")};
    const struct slice other[] = {SLICE("a"), SLICE("bc")};
    const struct slice empty[] = {SLICE_NONE};

    (void)state;
    assert_digest(parts, 2, "601d5476e2ccfe2c87a2bba7a322659734a05749d5b5aa781f513e4912db0d5f");
    assert_digest(other, 2, "3fafa1cf2f19a7c1129beb20cf0983f73a489a221fc0dd2f16d1be292d089205");
    assert_digest(empty, 1, "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc");
    assert_digest(parts, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digester_destroy(NULL);
}

static void texts_are_equal_only_if_all_of_them_is(void **state)
{
    (void)state;
    assert_true(verify_equal_text(SLICE("token"), SLICE("token")));
    assert_true(verify_equal_text(SLICE(""), SLICE_NONE));
    assert_false(verify_equal_text(SLICE("token"), SLICE("tokem")));
    assert_false(verify_equal_text(SLICE("token"), SLICE("Token")));
    assert_false(verify_equal_text(SLICE("token"), SLICE("toke")));
    assert_false(verify_equal_text(SLICE("token"), SLICE("")));
    assert_false(verify_equal_text(SLICE("a\0b"), SLICE("a\0c")));
}

/* As the intake does it: the head first. */
static enum status judge(struct verifier *verifier, const struct delivery *delivery,
                         struct err *why)
{
    enum status st = verifier_check_head(verifier, delivery, why);

    return st == ST_OK ? verifier_check(verifier, delivery, why) : st;
}

/* The operator hears what is wrong; nobody's text is in it. */
static void why_it_is_refused_is_said(void **state)
{
    static const struct {
        const char *headers;
        int64_t at_s;
        const char *why;
    } cases[] = {
        {"webhook-id: a\nwebhook-timestamp: 1000", 1000, "header webhook-signature is missing"},
        {"webhook-id: a\nwebhook-id: a\nwebhook-timestamp: 1000\nwebhook-signature: v1,x", 1000,
         "header webhook-id is there 2 times"},
        {"webhook-id: a\nwebhook-timestamp: 1000\nwebhook-signature: what", 1000,
         "header webhook-signature is no signature of the configured form"},
        {"webhook-id: a\nwebhook-timestamp: 1e3\nwebhook-signature: v1,@", 1000,
         "its timestamp is none of the configured format"},
        {"webhook-id: a b\nwebhook-timestamp: 1000\nwebhook-signature: v1,@", 1000,
         "header webhook-id is no id that can be signed"},
        {"webhook-id: b\nwebhook-timestamp: 1000\nwebhook-signature: v1,@", 1000,
         "it is signed with another key, or has been changed"},
        {"webhook-id: a\nwebhook-timestamp: 1000\nwebhook-signature: v1,@", 1301,
         "its timestamp is 301 s old, more than the 300 s of the tolerance"},
        {"webhook-id: a\nwebhook-timestamp: 1000\nwebhook-signature: v1,@", 699,
         "its timestamp is 301 s ahead, more than the 300 s of the tolerance"},
        {"webhook-id: a\nwebhook-timestamp: 1000\nwebhook-signature: v1,@", 1300, NULL},
    };
    const struct slice secret = SLICE("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    struct verifier *verifier = make("standard-webhooks", &secret, 1);
    struct buf right = {0};
    const char *mac;

    (void)state;
    assert_int_equal(verifier_sign(verifier, SLICE("{}"), 1000, SLICE("a"), &right), ST_OK);
    mac = strstr(right.data, "v1,") + 3;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *at = strchr(cases[i].headers, '@');
        struct buf lines = {0};
        struct slice all;
        struct delivery delivery = {.body = SLICE("{}"),
                                    .received_ms = cases[i].at_s * 1000,
                                    .header = find_header,
                                    .ctx = &all};
        struct err why = {0};

        buf_addf(&lines, "%.*s%s",
                 at ? (int)(at - cases[i].headers) : (int)strlen(cases[i].headers),
                 cases[i].headers, at ? mac : "");
        all = buf_slice(&lines);
        assert_int_equal(judge(verifier, &delivery, &why),
                         cases[i].why ? ST_UNAUTHENTIC : ST_OK);
        assert_string_equal(why.text, cases[i].why ? cases[i].why : "");
        buf_free(&lines);
    }
    buf_free(&right);
    verifier_destroy(verifier);
}

static void without_the_right_token_or_any_secret_it_says_so(void **state)
{
    const struct slice secret = SLICE("right");
    struct verifier *token = make("gitlab", &secret, 1), *none = make("ricloud", NULL, 0);
    struct slice lines = SLICE("X-Gitlab-Token: wrong");
    struct delivery delivery = {.header = find_header, .ctx = &lines};
    struct err why;

    (void)state;
    assert_int_equal(judge(token, &delivery, &why), ST_UNAUTHENTIC);
    assert_string_equal(why.text, "header X-Gitlab-Token contains another token");
    lines = SLICE("X-Gitlab-Token: wrong\nX-Gitlab-Token: right");
    assert_int_equal(judge(token, &delivery, &why), ST_OK);
    assert_int_equal(verifier_check(none, &delivery, &why), ST_UNAUTHENTIC);
    assert_int_equal(verifier_check(none, &delivery, &why), ST_UNAUTHENTIC);
    assert_string_equal(why.text, "there is no key yet to check it with");
    verifier_destroy(token);
    verifier_destroy(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_verify),
        cmocka_unit_test(any_line_of_the_signature_s_header_counts),
        cmocka_unit_test(a_plain_signature_is_the_header_or_one_of_a_list),
        cmocka_unit_test(a_prefix_is_there_as_it_is_spelled),
        cmocka_unit_test(pairs_may_be_many_and_unknown_but_not_where_they_are_ordered),
        cmocka_unit_test(of_a_list_of_versions_one_that_is_wanted_is_right),
        cmocka_unit_test(an_id_is_visible_ascii_and_cannot_run_into_the_timestamp),
        cmocka_unit_test(a_timestamp_has_one_spelling),
        cmocka_unit_test(a_delivery_exactly_as_old_as_the_tolerance_passes_and_no_older_one),
        cmocka_unit_test(a_token_is_equal_to_a_secret),
        cmocka_unit_test(every_changed_byte_of_body_and_headers_is_noticed),
        cmocka_unit_test(sixteen_signatures_are_tried_and_with_seventeen_none_is),
        cmocka_unit_test(the_limit_is_for_all_lines_together),
        cmocka_unit_test(any_of_several_secrets_verifies),
        cmocka_unit_test(a_check_leaves_nothing_behind_for_the_next),
        cmocka_unit_test(without_a_secret_nothing_passes_and_nothing_is_signed),
        cmocka_unit_test(scheme_none_passes_everything_and_signs_nothing),
        cmocka_unit_test(before_the_body_every_header_that_is_needed_is_asked_for),
        cmocka_unit_test(signing_writes_what_the_provider_sends_with_the_first_secret),
        cmocka_unit_test(what_no_provider_would_send_is_not_signed),
        cmocka_unit_test(every_algorithm_in_every_encoding),
        cmocka_unit_test(an_id_behind_the_body_cannot_reach_into_it),
        cmocka_unit_test(bad_and_too_many_secrets_are_refused),
        cmocka_unit_test(a_digest_is_sha256_over_lengths_and_parts),
        cmocka_unit_test(why_it_is_refused_is_said),
        cmocka_unit_test(without_the_right_token_or_any_secret_it_says_so),
        cmocka_unit_test(texts_are_equal_only_if_all_of_them_is),
    };

    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
