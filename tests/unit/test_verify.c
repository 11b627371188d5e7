#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <ctype.h>
#include <string.h>

#include <cmocka.h>

#include "common/encode.h"

#include "bridge/verify.h"

#define BODY                                                                                   \
    SLICE("{\"event\":\"resource.created\",\"resource_type\":\"project\","                     \
          "\"resource_gid\":\"559befeeab59f\",\"resource\":{\"gid\":\"559befeeab59f\"}}")
#define SECRET SLICE("your_secret_key")
#define MAC    "1c87db2bffdc66eeb4357067fff2404e3c36c5071a76fd7c428608e69e01a827"

static struct verifier *make(const struct slice *secrets, size_t count)
{
    struct verifier *verifier = NULL;
    struct err err = {0};

    assert_int_equal(verifier_create(&provider_creads, secrets, count, &verifier, &err), ST_OK);
    return verifier;
}

static enum status check_once(struct slice secret, struct slice header, struct slice body)
{
    struct verifier *verifier = make(&secret, 1);
    enum status st = verifier_check(verifier, header, body);

    verifier_destroy(verifier);
    return st;
}

static void the_published_vectors_verify(void **state)
{
    (void)state;
    assert_int_equal(BODY.len, 120);
    assert_int_equal(
        check_once(SLICE("my_secret"),
                   SLICE("3c980c81acef21e0356767cca9ab9d6a62a4e09677bb07107e4524c381b17309"),
                   SLICE("{}")),
        ST_OK);
    assert_int_equal(check_once(SECRET, SLICE(MAC), BODY), ST_OK);
}

static void every_flipped_bit_of_the_mac_is_noticed(void **state)
{
    struct slice secret = SECRET;
    struct verifier *verifier = make(&secret, 1);
    uint8_t mac[DIGEST_SIZE];

    (void)state;
    assert_true(decode_hex(SLICE(MAC), mac, sizeof(mac)));
    for (size_t bit = 0; bit < 8 * sizeof(mac); bit++) {
        char hex[2 * DIGEST_SIZE + 1];

        mac[bit / 8] ^= (uint8_t)(1u << bit % 8);
        encode_hex(mac, sizeof(mac), hex);
        assert_int_equal(verifier_check(verifier, slice_of(hex), BODY), ST_UNAUTHENTIC);
        mac[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(verifier_check(verifier, SLICE(MAC), BODY), ST_OK);
    verifier_destroy(verifier);
}

static void every_changed_byte_of_the_body_is_noticed(void **state)
{
    struct slice secret = SECRET;
    struct verifier *verifier = make(&secret, 1);
    char body[120];

    (void)state;
    memcpy(body, BODY.data, sizeof(body));
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] ^= 1;
        assert_int_equal(
            verifier_check(verifier, SLICE(MAC), (struct slice){body, sizeof(body)}),
            ST_UNAUTHENTIC);
        body[i] ^= 1;
        assert_int_equal(verifier_check(verifier, SLICE(MAC), (struct slice){body, i}),
                         ST_UNAUTHENTIC);
    }
    verifier_destroy(verifier);
}

static void the_signature_is_64_hex_digits_in_either_case_and_nothing_else(void **state)
{
    const struct slice wrong[] = {
        SLICE_NONE,
        SLICE(""),
        SLICE(" "),
        {MAC, 63},
        {MAC, 62},
        {MAC, 32},
        SLICE(MAC "0"),
        SLICE(MAC "00"),
        SLICE(MAC " "),
        SLICE(" " MAC),
        SLICE("sha256=" MAC),
        SLICE("0x" MAC),
        SLICE(MAC "," MAC),
        SLICE("gc87db2bffdc66eeb4357067fff2404e3c36c5071a76fd7c428608e69e01a827"),
        SLICE("1c87db2bffdc66eeb4357067fff2404e3c36c5071a76fd7c428608e69e01a82\0"),
        SLICE("HIfbK//cZu60NXBn//JATjw2xQcadv18QoYI5p4BqCc="),
    };
    char upper[] = MAC;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(check_once(SECRET, wrong[i], BODY), ST_UNAUTHENTIC);
    }
    for (char *c = upper; *c != '\0'; c++) {
        *c = (char)toupper(*c);
    }
    assert_int_equal(check_once(SECRET, slice_of(upper), BODY), ST_OK);
}

static void any_of_several_secrets_verifies(void **state)
{
    const struct slice others[VERIFY_MAX_SECRETS] = {
        SLICE("a"), SLICE("b"), SLICE("c"), SLICE("d"), SLICE("e"), SLICE("f"),
        SLICE("g"), SLICE("h"), SLICE("i"), SLICE("j"), SLICE("k"), SLICE("l"),
        SLICE("m"), SLICE("n"), SLICE("o"), SLICE("p"),
    };

    (void)state;
    for (size_t at = 0; at < VERIFY_MAX_SECRETS; at++) {
        struct slice secrets[VERIFY_MAX_SECRETS];
        struct verifier *verifier;

        memcpy(secrets, others, sizeof(secrets));
        verifier = make(secrets, VERIFY_MAX_SECRETS);
        assert_int_equal(verifier_check(verifier, SLICE(MAC), BODY), ST_UNAUTHENTIC);
        verifier_destroy(verifier);
        secrets[at] = SECRET;
        verifier = make(secrets, VERIFY_MAX_SECRETS);
        assert_int_equal(verifier_check(verifier, SLICE(MAC), BODY), ST_OK);
        verifier_destroy(verifier);
    }
}

static void a_secret_is_bytes_not_text(void **state)
{
    (void)state;
    /* Not a lone NUL at the end: HMAC itself fills short keys up with zeros. */
    assert_int_equal(check_once(SLICE("your_secret_key\0x"), SLICE(MAC), BODY), ST_UNAUTHENTIC);
    assert_int_equal(check_once(SLICE("your_secret_key\n"), SLICE(MAC), BODY), ST_UNAUTHENTIC);
}

static void a_check_leaves_nothing_behind_for_the_next(void **state)
{
    struct slice secret = SECRET;
    struct verifier *verifier = make(&secret, 1);

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(verifier_check(verifier, SLICE("nonsense"), BODY), ST_UNAUTHENTIC);
        assert_int_equal(verifier_check(verifier, SLICE(MAC), SLICE("")), ST_UNAUTHENTIC);
        assert_int_equal(verifier_check(verifier, SLICE(MAC), SLICE_NONE), ST_UNAUTHENTIC);
        assert_int_equal(verifier_check(verifier, SLICE(MAC), BODY), ST_OK);
    }
    verifier_destroy(verifier);
}

static void empty_and_too_many_secrets_are_refused(void **state)
{
    const struct slice secrets[VERIFY_MAX_SECRETS + 1] = {SLICE("a"), SLICE("")};
    struct verifier *verifier = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(verifier_create(&provider_creads, secrets, 2, &verifier, &err),
                     ST_INVALID);
    assert_string_equal(err.text, "secret 2 is empty");
    assert_int_equal(
        verifier_create(&provider_creads, secrets, VERIFY_MAX_SECRETS + 1, &verifier, &err),
        ST_TOO_LARGE);
    assert_null(verifier);
    verifier_destroy(NULL);
}

static void without_secrets_everything_passes_and_no_header_is_asked_for(void **state)
{
    struct verifier *verifier = make(NULL, 0);
    struct buf out = {0};

    (void)state;
    assert_null(verifier_header(verifier));
    assert_int_equal(verifier_check(verifier, SLICE_NONE, BODY), ST_OK);
    assert_int_equal(verifier_sign(verifier, BODY, &out), ST_OK);
    assert_int_equal(out.len, 0);
    verifier_destroy(verifier);
}

static void signing_writes_the_providers_header_with_the_first_secret(void **state)
{
    const struct slice secrets[] = {SECRET, SLICE("older")};
    struct verifier *verifier = make(secrets, 2);
    struct buf out = {0};

    (void)state;
    assert_string_equal(verifier_header(verifier), "X-Partners-Signature");
    assert_int_equal(verifier_sign(verifier, BODY, &out), ST_OK);
    assert_string_equal(out.data, "X-Partners-Signature: " MAC);
    buf_free(&out);
    verifier_destroy(verifier);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_verify),
        cmocka_unit_test(every_flipped_bit_of_the_mac_is_noticed),
        cmocka_unit_test(every_changed_byte_of_the_body_is_noticed),
        cmocka_unit_test(the_signature_is_64_hex_digits_in_either_case_and_nothing_else),
        cmocka_unit_test(any_of_several_secrets_verifies),
        cmocka_unit_test(a_secret_is_bytes_not_text),
        cmocka_unit_test(a_check_leaves_nothing_behind_for_the_next),
        cmocka_unit_test(empty_and_too_many_secrets_are_refused),
        cmocka_unit_test(without_secrets_everything_passes_and_no_header_is_asked_for),
        cmocka_unit_test(signing_writes_the_providers_header_with_the_first_secret),
        cmocka_unit_test(a_digest_is_sha256_over_lengths_and_parts),
        cmocka_unit_test(texts_are_equal_only_if_all_of_them_is),
    };

    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
