/*
 * What no preset has, but a description can say: timestamps in milliseconds and as RFC 3339,
 * pairs with semicolons, and messages without text between their variables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/verify/verify.h"

#include "tests/unit/lib/verify_delivery.h"

#define HMAC_SHA256                                                                            \
    .scheme = SCHEME_HMAC, .algorithm = ALGORITHM_SHA256, .key = KEY_TEXT, .skew = SKEW_BOTH,  \
    .tolerance_ms = 300000

static const struct provider_signature zendesk = {
    HMAC_SHA256,
    .form = FORM_PLAIN,
    .encoding = ENCODING_BASE64,
    .header = "X-Zendesk-Webhook-Signature",
    .message = "{timestamp}{body}",
    .timestamp_header = "X-Zendesk-Webhook-Signature-Timestamp",
    .timestamp_format = TIMESTAMP_RFC3339,
};

static const struct provider_signature twitch = {
    HMAC_SHA256,
    .form = FORM_PREFIX,
    .encoding = ENCODING_HEX,
    .header = "Twitch-Eventsub-Message-Signature",
    .mark = "sha256=",
    .message = "{id}{timestamp}{body}",
    .timestamp_header = "Twitch-Eventsub-Message-Timestamp",
    .timestamp_format = TIMESTAMP_RFC3339,
    .id_header = "Twitch-Eventsub-Message-Id",
};

static const struct provider_signature hubspot = {
    HMAC_SHA256,
    .form = FORM_PLAIN,
    .encoding = ENCODING_BASE64,
    .header = "X-HubSpot-Signature-v3",
    .message = "POSThttps://hooks.example/hubspot{body}{timestamp}",
    .timestamp_header = "X-HubSpot-Request-Timestamp",
    .timestamp_format = TIMESTAMP_MILLISECONDS,
};

static const struct provider_signature paddle = {
    HMAC_SHA256,
    .form = FORM_PAIRS,
    .encoding = ENCODING_HEX,
    .header = "Paddle-Signature",
    .mark = "h1",
    .separator = ';',
    .message = "{timestamp}:{body}",
    .timestamp_key = "ts",
};

/* Computed with Python's hmac. */
static const struct {
    const struct provider_signature *signature;
    const char *secret, *headers, *body;
    int64_t at_s;
} vectors[] = {
    {&zendesk, "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",
     "X-Zendesk-Webhook-Signature-Timestamp: 2021-03-25T05:09:27Z\n"
     "X-Zendesk-Webhook-Signature: SaFY4naapBCHraMa4Gufji0MZkd7cfU1O6/tNZko/H0=",
     "{\"type\":\"zen:event-type:ticket.created\",\"detail\":{\"id\":\"5158\"}}", 1616648967},
    {&twitch, "s3cRe7",
     "Twitch-Eventsub-Message-Id: e76c6bd4-55c9-4987-8304-da1588d8988b\n"
     "Twitch-Eventsub-Message-Timestamp: 2019-11-16T10:11:12.634234626Z\n"
     "Twitch-Eventsub-Message-Signature: sha256="
     "02f66f980f417b4cccf48c36157e0e1ca720d06afb377ffe2d89ac86a3922487",
     "{\"subscription\":{\"id\":\"f1c2a387-161a-49f9-a165-0f21d7a4e1c4\","
     "\"type\":\"channel.follow\"},\"event\":{\"user_id\":\"1337\"}}",
     1573899072},
    {&hubspot, "itest-hubspot-secret",
     "X-HubSpot-Request-Timestamp: 1614265330123\n"
     "X-HubSpot-Signature-v3: 6y8aSkC3DNY1Md7D+4NVqllsp6YUjR/9VoT6+GxSwLE=",
     "[{\"eventId\":1,\"subscriptionType\":\"contact.creation\",\"objectId\":123}]",
     1614265330},
    {&paddle, "pdl_ntfset_01gkpjp8bkm3tm53kdgkx6sms7",
     "Paddle-Signature: ts=1671552777;h1="
     "82441ea5a9b48511975b1447ee1907a10ea9b3454ca496734087d9b9a578f788",
     "{\"event_id\":\"evt_01\",\"event_type\":\"subscription.created\"}", 1671552777},
};

static struct verifier *make(const struct provider_signature *signature, const char *secret)
{
    const struct slice secrets[] = {slice_of(secret)};
    struct verifier *verifier = NULL;
    struct err err = {0};

    if (verifier_create(signature, secrets, 1, &verifier, &err) != ST_OK) {
        fail_msg("%s", err.text);
    }
    return verifier;
}

static void deliveries_as_they_are_documented_verify_for_as_long_as_is_said(void **state)
{
    static const struct {
        int64_t from_now_s;
        enum status verdict;
    } ages[] = {
        {0, ST_OK}, {300, ST_OK}, {-300, ST_OK}, {301, ST_UNAUTHENTIC}, {-301, ST_UNAUTHENTIC}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct verifier *verifier = make(vectors[i].signature, vectors[i].secret);

        for (size_t k = 0; k < COUNT_OF(ages); k++) {
            int64_t at_ms = (vectors[i].at_s + ages[k].from_now_s) * 1000;

            /* Seconds count as a whole, whatever follows them. */
            for (int64_t ms = 0; ms < 1000; ms += 999) {
                assert_int_equal(check_lines(verifier, slice_of(vectors[i].headers),
                                             slice_of(vectors[i].body), at_ms + ms),
                                 ages[k].verdict);
            }
        }
        verifier_destroy(verifier);
    }
}

static void every_changed_byte_of_them_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct verifier *verifier = make(vectors[i].signature, vectors[i].secret);
        char lines[512], body[512];
        struct slice both[] = {{lines, strlen(vectors[i].headers)},
                               {body, strlen(vectors[i].body)}};

        memcpy(lines, vectors[i].headers, both[0].len);
        memcpy(body, vectors[i].body, both[1].len);
        for (size_t at = 0; at < both[0].len + both[1].len; at++) {
            char *c = at < both[0].len ? &lines[at] : &body[at - both[0].len];

            *c ^= 1;
            assert_int_equal(check_lines(verifier, both[0], both[1], vectors[i].at_s * 1000),
                             ST_UNAUTHENTIC);
            *c ^= 1;
        }
        assert_int_equal(check_lines(verifier, both[0], both[1], vectors[i].at_s * 1000),
                         ST_OK);
        verifier_destroy(verifier);
    }
}

static void a_byte_that_changes_sides_is_noticed(void **state)
{
    struct verifier *verifier = make(&zendesk, vectors[0].secret);
    const char *body = vectors[0].body;
    const struct slice moved[] = {
        SLICE("X-Zendesk-Webhook-Signature-Timestamp: 2021-03-25T05:09:27Z{\n"
              "X-Zendesk-Webhook-Signature: SaFY4naapBCHraMa4Gufji0MZkd7cfU1O6/tNZko/H0="),
        SLICE("X-Zendesk-Webhook-Signature-Timestamp: 2021-03-25T05:09:27\n"
              "X-Zendesk-Webhook-Signature: SaFY4naapBCHraMa4Gufji0MZkd7cfU1O6/tNZko/H0="),
    };
    char longer[128];

    (void)state;
    (void)snprintf(longer, sizeof(longer), "Z%s", body);
    assert_int_equal(check_lines(verifier, moved[0], slice_of(body + 1), 1616648967000),
                     ST_UNAUTHENTIC);
    assert_int_equal(check_lines(verifier, moved[1], slice_of(longer), 1616648967000),
                     ST_UNAUTHENTIC);
    verifier_destroy(verifier);
}

/* Where {timestamp} has a colon beside it, and where the body is. */
#define APART  ":{body}"
#define BESIDE "{body}"
#define SPELLED(format, behind, text, at_s, verdict)                                           \
    {                                                                                          \
        TIMESTAMP_##format, "{timestamp}" behind, text, at_s, verdict                          \
    }
#define PASSES  ST_OK
#define REFUSED ST_UNAUTHENTIC

static const struct {
    enum provider_timestamp format;
    const char *message, *text;
    int64_t at_s;
    enum status verdict;
} spellings[] = {
    SPELLED(MILLISECONDS, APART, "0", 0, PASSES),
    SPELLED(MILLISECONDS, APART, "999", 0, PASSES),
    SPELLED(MILLISECONDS, APART, "1614265330999", 1614265330, PASSES),
    SPELLED(MILLISECONDS, APART, "1614265030999", 1614265330, PASSES),
    SPELLED(MILLISECONDS, APART, "1614265029999", 1614265330, REFUSED),
    SPELLED(MILLISECONDS, APART, "1614265630999", 1614265330, PASSES),
    SPELLED(MILLISECONDS, APART, "1614265631000", 1614265330, REFUSED),
    SPELLED(MILLISECONDS, APART, "999999999999999", 999999999999, PASSES),
    SPELLED(MILLISECONDS, APART, "1000000000000000", 1000000000000, REFUSED),
    SPELLED(MILLISECONDS, APART, "1614265330", 1614265330, REFUSED),
    SPELLED(MILLISECONDS, APART, "01614265330000", 1614265330, REFUSED),
    SPELLED(MILLISECONDS, APART, "+1614265330000", 1614265330, REFUSED),
    SPELLED(MILLISECONDS, APART, "1614265330000.0", 1614265330, REFUSED),
    SPELLED(MILLISECONDS, APART, "", 0, REFUSED),
    SPELLED(SECONDS, APART, "1614265330000", 1614265330, REFUSED),
    SPELLED(SECONDS, APART, "2021-02-25T15:02:10Z", 1614265330, REFUSED),

    SPELLED(RFC3339, APART, "2021-02-25T15:02:10Z", 1614265330, PASSES),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10.9Z", 1614265330, PASSES),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10.123456789Z", 1614265330, PASSES),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10+00:00", 1614265330, PASSES),
    SPELLED(RFC3339, APART, "2021-02-25T16:32:10.5+01:30", 1614265330, PASSES),
    SPELLED(RFC3339, APART, "2021-02-25T07:02:10-08:00", 1614265330, PASSES),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10-08:00", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2016-12-31T23:59:60Z", 1483228800, PASSES), /* a leap second */
    SPELLED(RFC3339, APART, "2021-02-25T15:07:10.999Z", 1614265330, PASSES),
    SPELLED(RFC3339, APART, "2021-02-25T15:07:11Z", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25T14:57:10Z", 1614265330, PASSES),
    SPELLED(RFC3339, APART, "2021-02-25T14:57:09.999Z", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25 15:02:10Z", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25t15:02:10Z", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10z", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10,5Z", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10.Z", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10.1234567890Z", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10+0000", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10+00", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10Z ", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, " 2021-02-25T15:02:10Z", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10ZZ", 1614265330, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25T15:02Z", 1614265320, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-30T15:02:10Z", 1614697330, REFUSED), /* as 2 March */
    SPELLED(RFC3339, APART, "2021-02-25T24:00:00Z", 1614297600, REFUSED),
    SPELLED(RFC3339, APART, "2021-02-25T15:02:10+24:00", 1614178930, REFUSED),
    SPELLED(RFC3339, APART, "1614265330", 1614265330, REFUSED),

    /* Beside another variable a number has one length. */
    SPELLED(SECONDS, BESIDE, "1614265330", 1614265330, PASSES),
    SPELLED(SECONDS, BESIDE, "999999999", 999999999, REFUSED),
    SPELLED(SECONDS, BESIDE, "1000000000", 1000000000, PASSES),
    SPELLED(SECONDS, BESIDE, "9999999999", 9999999999, PASSES),
    SPELLED(SECONDS, BESIDE, "10000000000", 10000000000, REFUSED),
    SPELLED(SECONDS, BESIDE, "0000000000", 0, REFUSED),
    SPELLED(MILLISECONDS, BESIDE, "999999999999", 999999999, REFUSED),
    SPELLED(MILLISECONDS, BESIDE, "1000000000000", 1000000000, PASSES),
    SPELLED(MILLISECONDS, BESIDE, "10000000000000", 10000000000, REFUSED),
    SPELLED(RFC3339, BESIDE, "2021-02-25T15:02:10.5+00:00", 1614265330, PASSES),
};

static void a_timestamp_has_one_spelling_in_each_form(void **state)
{
    struct provider_signature signature = {HMAC_SHA256, .form = FORM_PLAIN,
                                           .encoding = ENCODING_HEX, .header = "S",
                                           .timestamp_header = "T"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        const char *between = strcmp(spellings[i].message, "{timestamp}{body}") ? ":" : "";
        struct buf message = {0}, lines = {0};
        struct verifier *verifier;

        signature.message = spellings[i].message;
        signature.timestamp_format = spellings[i].format;
        verifier = make(&signature, "secret");
        buf_addf(&message, "%s%s{}", spellings[i].text, between);
        buf_addf(&lines, "T: %s\n", spellings[i].text);
        sign_bytes(buf_slice(&message), "secret", &lines);
        if (check_lines(verifier, buf_slice(&lines), SLICE("{}"), spellings[i].at_s * 1000) !=
            spellings[i].verdict) {
            fail_msg("\"%s\" does not give: %s", spellings[i].text,
                     status_text(spellings[i].verdict));
        }
        verifier_destroy(verifier);
        buf_free(&message);
        buf_free(&lines);
    }
}

static void semicolons_separate_pairs_where_that_is_said(void **state)
{
#define MAC "82441ea5a9b48511975b1447ee1907a10ea9b3454ca496734087d9b9a578f788"
    const struct {
        const char *value;
        enum status verdict, ordered;
    } headers[] = {
        {"ts=1671552777;h1=" MAC, PASSES, PASSES},
        {"h1=" MAC ";ts=1671552777", PASSES, REFUSED},
        {"ts=1671552777; h1=" MAC, PASSES, REFUSED},
        {"ts=1671552777;h1=00;h1=" MAC, PASSES, REFUSED},
        {"ts=1671552777;h0=x,y;h1=" MAC, PASSES, REFUSED},
        {"ts=1671552777,h1=" MAC, REFUSED, REFUSED},
        {"ts=1671552777;h1=" MAC "," MAC, PASSES, REFUSED},
        {"ts=1671552777;ts=1671552777;h1=" MAC, PASSES, REFUSED},
        {"ts=1671552777;ts=1671552778;h1=" MAC, REFUSED, REFUSED},
        {"ts=1671552777;h2=" MAC, REFUSED, REFUSED},
        {"h1=" MAC, REFUSED, REFUSED},
    };
    struct provider_signature ordered = paddle;
    struct verifier *verifiers[2];

    (void)state;
    ordered.ordered = true;
    verifiers[0] = make(&paddle, vectors[3].secret);
    verifiers[1] = make(&ordered, vectors[3].secret);
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        struct buf line = {0};

        buf_addf(&line, "Paddle-Signature: %s", headers[i].value);
        assert_int_equal(check_lines(verifiers[0], buf_slice(&line), slice_of(vectors[3].body),
                                     1671552777000),
                         headers[i].verdict);
        assert_int_equal(check_lines(verifiers[1], buf_slice(&line), slice_of(vectors[3].body),
                                     1671552777000),
                         headers[i].ordered);
        buf_free(&line);
    }
    verifier_destroy(verifiers[0]);
    verifier_destroy(verifiers[1]);
}

static void assert_signs(const struct provider_signature *signature, int64_t now_s,
                         const char *want_begin)
{
    struct verifier *verifier = make(signature, "secret");
    struct buf lines = {0};

    assert_int_equal(verifier_sign(verifier, SLICE("{}"), now_s, SLICE("id"), &lines), ST_OK);
    if (strncmp(lines.data, want_begin, strlen(want_begin)) != 0) {
        fail_msg("\"%s\" does not begin with \"%s\"", lines.data, want_begin);
    }
    assert_int_equal(check_lines(verifier, buf_slice(&lines), SLICE("{}"), now_s * 1000),
                     ST_OK);
    buf_free(&lines);
    verifier_destroy(verifier);
}

static void signing_writes_the_time_and_the_separator_as_the_provider_does(void **state)
{
    (void)state;
    assert_signs(&zendesk, 1616648967,
                 "X-Zendesk-Webhook-Signature-Timestamp: 2021-03-25T05:09:27.000Z\n"
                 "X-Zendesk-Webhook-Signature: ");
    assert_signs(&twitch, 1573899072,
                 "Twitch-Eventsub-Message-Id: id\n"
                 "Twitch-Eventsub-Message-Timestamp: 2019-11-16T10:11:12.000Z\n"
                 "Twitch-Eventsub-Message-Signature: sha256=");
    assert_signs(&hubspot, 1614265330,
                 "X-HubSpot-Request-Timestamp: 1614265330000\nX-HubSpot-Signature-v3: ");
    assert_signs(&paddle, 1671552777, "Paddle-Signature: ts=1671552777;h1=");
}

static void a_time_that_cannot_be_written_is_not_signed(void **state)
{
    static const struct {
        const struct provider_signature *signature;
        int64_t now_s;
    } cases[] = {
        {&zendesk, -1},
        {&zendesk, INT64_MIN},
        {&zendesk, INT64_MAX},
        {&zendesk, INT64_C(253402300800)}, /* the year 10000 */
        {&hubspot, -1},
        {&hubspot, 999999999}, /* too few digits, beside the body */
        {&hubspot, INT64_C(10000000000)},
        {&hubspot, INT64_MAX},
        {&paddle, INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct verifier *verifier = make(cases[i].signature, "secret");
        struct buf lines = {0};

        assert_int_equal(
            verifier_sign(verifier, SLICE("{}"), cases[i].now_s, SLICE("id"), &lines),
            ST_INVALID);
        assert_int_equal(lines.len, 0);
        verifier_destroy(verifier);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deliveries_as_they_are_documented_verify_for_as_long_as_is_said),
        cmocka_unit_test(every_changed_byte_of_them_is_noticed),
        cmocka_unit_test(a_byte_that_changes_sides_is_noticed),
        cmocka_unit_test(a_timestamp_has_one_spelling_in_each_form),
        cmocka_unit_test(semicolons_separate_pairs_where_that_is_said),
        cmocka_unit_test(signing_writes_the_time_and_the_separator_as_the_provider_does),
        cmocka_unit_test(a_time_that_cannot_be_written_is_not_signed),
    };

    return cmocka_run_group_tests_name("verify_forms", tests, NULL, NULL);
}
