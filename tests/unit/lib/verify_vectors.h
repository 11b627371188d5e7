/*
 * verify_vectors - what verifies and what does not, as tables: the vectors that the providers
 * publish (Creads's, ricloud's, Stripe's, Shopify's and Gitea's are in their documented form,
 * and computed with Python's hmac), and what comes near to them. Every signature here that is
 * not published was computed with Python as well, none with what is tested.
 */
#ifndef TESTS_UNIT_LIB_VERIFY_VECTORS_H
#define TESTS_UNIT_LIB_VERIFY_VECTORS_H

#include "bridge/verify/verify.h"

#define CREADS_BODY                                                                            \
    "{\"event\":\"resource.created\",\"resource_type\":\"project\","                           \
    "\"resource_gid\":\"559befeeab59f\",\"resource\":{\"gid\":\"559befeeab59f\"}}"
#define CREADS_MAC "1c87db2bffdc66eeb4357067fff2404e3c36c5071a76fd7c428608e69e01a827"
#define EMPTY_MAC  "3c980c81acef21e0356767cca9ab9d6a62a4e09677bb07107e4524c381b17309"

#define RICLOUD_BODY                                                                           \
    "{\"id\":\"0b2f4d6e-8a1c-4e3f-9b7d-5c6a7e8f9012\",\"resource\":\"event\","                 \
    "\"type\":\"webhook_config\",\"action\":\"test\"}"
#define RICLOUD_AT     1580774400
#define RICLOUD_MAC    "ZqO/VTLaI84YafPrMzJO1bc3WRoK3aUMp2d3CcgylwU="
#define RICLOUD_HEADER "Ricloud-Signature: t=1580774400,s=" RICLOUD_MAC

#define WHSEC        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define STANDARD_ID  "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define STANDARD_AT  1614265330
#define STANDARD_MAC "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define STANDARD_HEADERS(id, time, signature)                                                  \
    "webhook-id: " id "\nwebhook-timestamp: " time "\nwebhook-signature: " signature
#define STANDARD_BODY "{\"test\": 2432232314}"

#define GITHUB_SECRET "It's a Secret to Everybody"
#define GITHUB_BODY   "Hello, World!"
#define GITHUB_MAC    "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

#define STRIPE_SECRET "whsec_test_secret"
#define STRIPE_BODY   "{\"id\":\"evt_1\"}"
#define STRIPE_AT     1614265330
#define STRIPE_MAC    "e135cdbed3dda004bf8a2fb350f2541d299393c770e0b9e6e319dc595e9072aa"
#define STRIPE_HEADER "Stripe-Signature: t=1614265330,v1=" STRIPE_MAC
#define OTHER_MAC     "d0593951ab95d7dab944d08aff013081c725f957fe8e76ca0edad56b84a61e50"

#define SHOPIFY_MAC "dzJZAsrKgS3CWXM6rNBGtzgXNyx3e42VtAJkdHRRbhM="

#define SLACK_SECRET  "8f742231b10e8888abcd99yyyzzz85a5"
#define SLACK_AT      1531420618
#define SLACK_MAC     "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
#define SLACK_TIME    "X-Slack-Request-Timestamp: 1531420618\n"
#define SLACK_HEADERS SLACK_TIME "X-Slack-Signature: v0=" SLACK_MAC
#define SLACK_BODY                                                                             \
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&"                \
    "channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&"         \
    "command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"   \
    "%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"                                  \
    "trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"

#define X256 X64 X64 X64 X64
#define X64  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

#define PASSES  ST_OK
#define REFUSED ST_UNAUTHENTIC

struct row {
    const char *provider, *secret;
    const char *headers; /* lines `Name: value` */
    const char *body;
    int64_t at_s; /* when it is received */
    enum status verdict;
};

// clang-format off
static const struct row vectors[] = {
    {"creads", "my_secret", "X-Partners-Signature: " EMPTY_MAC, "{}", 0, PASSES},
    {"creads", "your_secret_key", "X-Partners-Signature: " CREADS_MAC, CREADS_BODY, 0, PASSES},
    {"ricloud", "nonce", "Ricloud-Signature: t=1580774400,s=" RICLOUD_MAC, RICLOUD_BODY, RICLOUD_AT, PASSES},
    {"standard-webhooks", WHSEC, STANDARD_HEADERS(STANDARD_ID, "1614265330", "v1," STANDARD_MAC), STANDARD_BODY, STANDARD_AT, PASSES},
    {"github", GITHUB_SECRET, "X-Hub-Signature-256: sha256=" GITHUB_MAC, GITHUB_BODY, 0, PASSES},
    {"stripe", STRIPE_SECRET, "Stripe-Signature: t=1614265330,v1=" STRIPE_MAC, STRIPE_BODY, STRIPE_AT, PASSES},
    {"shopify", "secret", "X-Shopify-Hmac-SHA256: " SHOPIFY_MAC, "{}", 0, PASSES},
    {"gitlab", "glw-0123456789", "X-Gitlab-Token: glw-0123456789", "{}", 0, PASSES},
    {"gitea", "my_secret", "X-Gitea-Signature: " EMPTY_MAC, "{}", 0, PASSES},
    {"slack", SLACK_SECRET, SLACK_TIME "X-Slack-Signature: v0=" SLACK_MAC, SLACK_BODY, SLACK_AT, PASSES},
};

/* Near misses: what differs, and the verdict. */
#define CREADS(value, verdict) {"creads", "my_secret", "X-Partners-Signature: " value, "{}", 0, verdict}
#define RICLOUD(value, verdict) \
    {"ricloud", "nonce", "Ricloud-Signature: " value, RICLOUD_BODY, RICLOUD_AT, verdict}
#define STANDARD(value, verdict) \
    {"standard-webhooks", WHSEC, STANDARD_HEADERS(STANDARD_ID, "1614265330", value), STANDARD_BODY, STANDARD_AT, verdict}
#define GITHUB(value, verdict) \
    {"github", GITHUB_SECRET, "X-Hub-Signature-256: " value, GITHUB_BODY, 0, verdict}
#define STRIPE(value, verdict) \
    {"stripe", STRIPE_SECRET, "Stripe-Signature: " value, STRIPE_BODY, STRIPE_AT, verdict}
#define SHOPIFY(value, verdict) {"shopify", "secret", "X-Shopify-Hmac-SHA256: " value, "{}", 0, verdict}
#define GITLAB(value, verdict) {"gitlab", "t0ken", "X-Gitlab-Token: " value, "{}", 0, verdict}
#define SLACK(value, verdict) \
    {"slack", SLACK_SECRET, SLACK_TIME "X-Slack-Signature: " value, SLACK_BODY, SLACK_AT, verdict}

static const struct row headers[] = {
    /* names in any case; a header that is there twice, in which any line counts, or not at all */
    {"creads", "my_secret", "x-PARTNERS-signature: " EMPTY_MAC, "{}", 0, PASSES},
    CREADS(EMPTY_MAC "\nX-Partners-Signature: " EMPTY_MAC, PASSES),
    CREADS(OTHER_MAC "\nX-Partners-Signature: " EMPTY_MAC, PASSES),
    CREADS("x\nX-Partners-Signature: " EMPTY_MAC "\nX-Partners-Signature: ", PASSES),
    CREADS(OTHER_MAC "\nX-Partners-Signature: " OTHER_MAC, REFUSED),
    {"creads", "my_secret", "Partners-Signature: " EMPTY_MAC, "{}", 0, REFUSED},
    {"creads", "my_secret", "", "{}", 0, REFUSED},
    GITLAB("other\nX-Gitlab-Token: t0ken", PASSES),
    GITLAB("other\nX-Gitlab-Token: another", REFUSED),
    STRIPE("t=1614265330,v1=" OTHER_MAC "\nStripe-Signature: t=1614265330,v1=" STRIPE_MAC, PASSES),
    STRIPE("t=1614265331,v1=" OTHER_MAC "\nStripe-Signature: t=1614265330,v1=" STRIPE_MAC, REFUSED),
    RICLOUD("t=1580774400,s=AAAA\nRicloud-Signature: t=1580774400,s=" RICLOUD_MAC, PASSES),
    {"gitlab", "t0ken", "", "{}", 0, REFUSED},
    {"slack", SLACK_SECRET, "X-Slack-Signature: v0=" SLACK_MAC, SLACK_BODY, SLACK_AT, REFUSED},
    {"slack", SLACK_SECRET, SLACK_TIME, SLACK_BODY, SLACK_AT, REFUSED},
    {"slack", SLACK_SECRET, SLACK_TIME SLACK_TIME "X-Slack-Signature: v0=" SLACK_MAC, SLACK_BODY, SLACK_AT, REFUSED},
    {"standard-webhooks", WHSEC, "webhook-id: a\n" STANDARD_HEADERS(STANDARD_ID, "1614265330", "v1," STANDARD_MAC), STANDARD_BODY, STANDARD_AT, REFUSED},
    {"standard-webhooks", WHSEC, "webhook-timestamp: 1614265330\nwebhook-signature: v1," STANDARD_MAC, STANDARD_BODY, STANDARD_AT, REFUSED},
};

static const struct row plain[] = {
    CREADS("3C980C81ACEF21E0356767CCA9AB9D6A62A4E09677BB07107E4524C381B17309", PASSES),
    CREADS("3C980c81acef21e0356767cca9ab9d6a62a4e09677bb07107e4524c381b1730", REFUSED),
    CREADS(EMPTY_MAC "0", REFUSED),
    CREADS(EMPTY_MAC "00", REFUSED),
    CREADS(" " EMPTY_MAC " ", PASSES),
    /* lists, whatever divides them */
    CREADS(EMPTY_MAC "," EMPTY_MAC, PASSES),
    CREADS(OTHER_MAC ", " EMPTY_MAC, PASSES),
    CREADS(EMPTY_MAC ";" OTHER_MAC, PASSES),
    CREADS(OTHER_MAC " " EMPTY_MAC, PASSES),
    CREADS(",; ,x," EMPTY_MAC ",", PASSES),
    CREADS(OTHER_MAC "," OTHER_MAC, REFUSED),
    CREADS(OTHER_MAC "." EMPTY_MAC, REFUSED),
    CREADS(OTHER_MAC EMPTY_MAC, REFUSED),
    SHOPIFY("AAAA=,dzJZAsrKgS3CWXM6rNBGtzgXNyx3e42VtAJkdHRRbhM=", PASSES),
    CREADS("sha256=" EMPTY_MAC, REFUSED),
    CREADS("0x" EMPTY_MAC, REFUSED),
    CREADS("", REFUSED),
    CREADS("PJgMgazvIeA1Z2fMqaudamKk4JZ3uwcQfkUkw4Gxcwk=", REFUSED),
    {"creads", "my_secret\n", "X-Partners-Signature: " EMPTY_MAC, "{}", 0, REFUSED},
    {"creads", "My_secret", "X-Partners-Signature: " EMPTY_MAC, "{}", 0, REFUSED},
    {"creads", "my_secret", "X-Partners-Signature: 818d1a1458ff2b6f150c6a7e3d839c595f8ac23aa01a8412b1d558d34e7961d2", "", 0, PASSES},
    /* base64: the standard alphabet, padded, and no second spelling of the last byte */
    SHOPIFY("dzJZAsrKgS3CWXM6rNBGtzgXNyx3e42VtAJkdHRRbhM", REFUSED),
    SHOPIFY("dzJZAsrKgS3CWXM6rNBGtzgXNyx3e42VtAJkdHRRbhN=", REFUSED),
    SHOPIFY("dzJZAsrKgS3CWXM6rNBGtzgXNyx3e42VtAJkdHRRbhM==", REFUSED),
    SHOPIFY("DZJZASRKGS3CWXM6RNBGTZGXNYX3E42VTAJKDHRRBHM=", REFUSED),
    SHOPIFY("77325902caca812dc259733aacd046b73817372c777b8d95b402647474516e13", REFUSED),
};

static const struct row prefix[] = {
    GITHUB("sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C8B043E17", PASSES),
    GITHUB("SHA256=" GITHUB_MAC, REFUSED),
    GITHUB("sha1=" GITHUB_MAC, REFUSED),
    GITHUB("sha256" GITHUB_MAC, REFUSED),
    GITHUB("sha256= " GITHUB_MAC, REFUSED),
    /* a mark before each signature, or before the first only; other kinds beside */
    GITHUB("sha256=" OTHER_MAC ",sha256=" GITHUB_MAC, PASSES),
    GITHUB("sha256=" GITHUB_MAC " sha256=" OTHER_MAC, PASSES),
    GITHUB("sha256=" OTHER_MAC "," GITHUB_MAC, PASSES),
    GITHUB("sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59,sha256=" GITHUB_MAC, PASSES),
    GITHUB("sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59," GITHUB_MAC, REFUSED),
    GITHUB("sha256=" OTHER_MAC ",sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59," GITHUB_MAC, REFUSED),
    GITHUB(GITHUB_MAC ",sha256=" OTHER_MAC, REFUSED),
    GITHUB("sha256=sha256=" GITHUB_MAC, REFUSED),
    GITHUB("sha256=", REFUSED),
    GITHUB("sha2", REFUSED),
    GITHUB(GITHUB_MAC, REFUSED),
    {"github", GITHUB_SECRET, "X-Hub-Signature: sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59", GITHUB_BODY, 0, REFUSED},
    SLACK("V0=" SLACK_MAC, REFUSED),
    SLACK("v1=" SLACK_MAC, REFUSED),
    /* the message without its v0: */
    SLACK("v0=7e7899c655ef3df264be898bc9aeae583ecb50dea3f247fcbf6f8c199f296a1f", REFUSED),
};

static const struct row pairs[] = {
    /* several signatures, of which one is right; other schemes beside */
    STRIPE("t=1614265330,v1=" OTHER_MAC ",v1=" STRIPE_MAC, PASSES),
    STRIPE("t=1614265330,v1=" STRIPE_MAC ",v1=" OTHER_MAC, PASSES),
    STRIPE("t=1614265330,v1=short,v1=" STRIPE_MAC, PASSES),
    STRIPE("t=1614265330,v1=" STRIPE_MAC ",v0=" OTHER_MAC, PASSES),
    STRIPE("t=1614265330,v0=" OTHER_MAC ",v1=" STRIPE_MAC ",new", PASSES),
    STRIPE("t=1614265330,v1=" OTHER_MAC ",v1=" OTHER_MAC, REFUSED),
    STRIPE("t=1614265330,v0=" STRIPE_MAC, REFUSED),
    STRIPE("t=1614265330,V1=" STRIPE_MAC, REFUSED),
    STRIPE("t=1614265330,s=" STRIPE_MAC, REFUSED),
    STRIPE("t=1614265330,v1", REFUSED),
    STRIPE("t=1614265330", REFUSED),
    /* several values behind one key; not behind another */
    STRIPE("t=1614265330,v1=" OTHER_MAC "," STRIPE_MAC, PASSES),
    STRIPE("t=1614265330,v1=" OTHER_MAC " " STRIPE_MAC, PASSES),
    STRIPE("t=1614265330,v0=" OTHER_MAC "," STRIPE_MAC, REFUSED),
    STRIPE("v1=" OTHER_MAC ",t=1614265330," STRIPE_MAC, REFUSED),
    /* any order, with space around; one time, which may be said twice */
    STRIPE("v1=" STRIPE_MAC ",t=1614265330", PASSES),
    STRIPE("t=1614265330,\t v1=" STRIPE_MAC " ", PASSES),
    STRIPE("t=1614265330,v1= " STRIPE_MAC, PASSES),
    STRIPE("t=1614265330 v1=" STRIPE_MAC, REFUSED),
    STRIPE("t=1614265330,t=1614265330,v1=" STRIPE_MAC, PASSES),
    STRIPE("t=1614265330,t=1614265331,v1=" STRIPE_MAC, REFUSED),
    STRIPE("t=1614265330,t=,v1=" STRIPE_MAC, REFUSED),
    STRIPE("v1=" STRIPE_MAC, REFUSED),
    STRIPE(STRIPE_MAC, REFUSED),
    STRIPE(",,=,", REFUSED),
    /* ricloud: t, s, and nothing else */
    RICLOUD("s=" RICLOUD_MAC ",t=1580774400", REFUSED),
    RICLOUD("t=1580774400, s=" RICLOUD_MAC, REFUSED),
    RICLOUD("t=1580774400,v1=" RICLOUD_MAC, REFUSED),
    RICLOUD("T=1580774400,s=" RICLOUD_MAC, REFUSED),
    RICLOUD("t=1580774400,s=" RICLOUD_MAC ",s=" RICLOUD_MAC, REFUSED),
    RICLOUD("t=1580774400,s=" RICLOUD_MAC ",x=1", REFUSED),
    RICLOUD("t=1580774400,x=1,s=" RICLOUD_MAC, REFUSED),
    RICLOUD("t=1580774400s=" RICLOUD_MAC, REFUSED),
    RICLOUD("t=1580774400,s=66a3bf5532da23ce1869f3eb33324ed5b737591a0adda50ca7677709c8329705", REFUSED),
    RICLOUD("t=1580774400,s=Xz+LGhLr88mzngY6Gn+dCv8ZIsUiQnI0d2hkZGFFDAA=", REFUSED),
};

static const struct row versions[] = {
    STANDARD("v1,AAAA v1," STANDARD_MAC, PASSES),
    STANDARD("v2,new v1a,AAAA v1," STANDARD_MAC " v3,", PASSES),
    STANDARD("v1," RICLOUD_MAC " v1," STANDARD_MAC, PASSES),
    STANDARD("  v1," STANDARD_MAC " ", PASSES),
    STANDARD("v1," RICLOUD_MAC " v1," RICLOUD_MAC, REFUSED),
    STANDARD("v1a," STANDARD_MAC, REFUSED),
    STANDARD("v2," STANDARD_MAC, REFUSED),
    STANDARD("V1," STANDARD_MAC, REFUSED),
    STANDARD("v1=" STANDARD_MAC, REFUSED),
    STANDARD("v1, " STANDARD_MAC, REFUSED),
    STANDARD("v1," STANDARD_MAC ",v1," STANDARD_MAC, PASSES),
    STANDARD("v1," RICLOUD_MAC "," STANDARD_MAC, PASSES),
    STANDARD("v1," RICLOUD_MAC ", v1," STANDARD_MAC, PASSES),
    STANDARD("v2," RICLOUD_MAC "," STANDARD_MAC, REFUSED),
    STANDARD("v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE=", REFUSED),
    STANDARD("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE", REFUSED),
    STANDARD(STANDARD_MAC, REFUSED),
    STANDARD("v1", REFUSED),
    /* the secret is decoded, with whsec_ or without */
    {"standard-webhooks", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", STANDARD_HEADERS(STANDARD_ID, "1614265330", "v1," STANDARD_MAC), STANDARD_BODY, STANDARD_AT, PASSES},
    STANDARD("v1,TcxlhK9b6UD6iVI1ZU2tTqp8PEVfYRseNNfa6b+LcUg=", REFUSED),
};

/* Signatures that are right for an id that must not be. */
#define WITH_ID(id, mac, verdict) \
    {"standard-webhooks", WHSEC, STANDARD_HEADERS(id, "1614265330", "v1," mac), STANDARD_BODY, STANDARD_AT, verdict}
static const struct row ids[] = {
    WITH_ID(X256, "DSmQ/LXKOtv5tql6zV0JjGeX5tzmPP2SMxUWKpqOU78=", PASSES),
    WITH_ID(X256 "x", "rWo357e5OhTY8+FuBRR5RN62QxVw+XSerkOsrNSahBY=", REFUSED),
    WITH_ID("", "BbrBopkxy1IaPTmLxhGOIjtynRWNh3UqphKDPFaJ1cU=", REFUSED),
    WITH_ID("msg_p5.jXN", "LgsdStL2bHh89AhXp3NUm6sMl/ZfoeTI68c+VIiFqp0=", REFUSED),
    WITH_ID("msg p5", "GEkhfqUQbSffiAejIm+F+NSXXkEZC9bbVPKxCFoPuBc=", REFUSED),
    WITH_ID("msg_\xC3\xA9", "oiuSbO7fXLCFY1sxzO+iVABPusgkow8ndZiK2N4Ap5o=", REFUSED),
};

/* Signatures that are right for the timestamp as it is spelled. */
#define WITH_TIME(time, mac, verdict) \
    {"standard-webhooks", WHSEC, STANDARD_HEADERS(STANDARD_ID, time, "v1," mac), STANDARD_BODY, STANDARD_AT, verdict}
static const struct row spellings[] = {
    {"stripe", STRIPE_SECRET, "Stripe-Signature: t=0,v1=3d31db08be01ff1385c3acf35d5640f367097ccad5ed94e88a443f828fd16259", STRIPE_BODY, 0, PASSES},
    STRIPE("t=999999999999,v1=e8428051e1c1735381cfd6d6757147a7dd639fc9d3f1630ed30b3898d54f68df", PASSES),
    STRIPE("t=1614265330000,v1=37e07436bffef805d927ad3e526dfdac484a7b08137d28ad2592543481a6696c", REFUSED),
    {"stripe", STRIPE_SECRET, "Stripe-Signature: t=00,v1=90c7b6963a0b166c4db1e50daf37825db153c1321155fddfbbae1c1f01ffe035", STRIPE_BODY, 0, REFUSED},
    STRIPE("t=01614265330,v1=5401a29f61c78825a21a0963fc3b8973821b7ba470251fd47c87fd7557582f11", REFUSED),
    STRIPE("t=01614265330,v1=" STRIPE_MAC, REFUSED),
    STRIPE("t=+1614265330,v1=4b1e1e4077af01e4e13bc36e4cfb34c2707dee36ae6889acad71abb2b0ac0e3c", REFUSED),
    {"stripe", STRIPE_SECRET, "Stripe-Signature: t=-1614265330,v1=4d9cd36c9888fd7458328a5591fd1d6c95520b79df81a11ad4393cf2d75f7497", STRIPE_BODY, 0, REFUSED},
    STRIPE("t=1614265330.0,v1=b66158f4e97480b7c503c5a846c3fb0adaa9d43e45857d72d5ac2dadf0029420", REFUSED),
    STRIPE("t=0x60379d72,v1=c18407ad245ec56816bcd6bc99e6c4b7bd42b275acb15cf42781e6e92f9c5cbf", REFUSED),
    {"stripe", STRIPE_SECRET, "Stripe-Signature: t=,v1=9ef5120899499ad89de08bb4e87a163f039dff7ea38b7afa3966853f2b290de3", STRIPE_BODY, 0, REFUSED},
    {"stripe", STRIPE_SECRET, "Stripe-Signature: t,v1=9ef5120899499ad89de08bb4e87a163f039dff7ea38b7afa3966853f2b290de3", STRIPE_BODY, 0, REFUSED},
    WITH_TIME("01614265330", "HIx6LAZYyqSIVlrnt3IQyW4sH3DpS7I7MvDYauyP37k=", REFUSED),
    WITH_TIME("+1614265330", "JQsSpSSK1m9NI2FueDRZN3FL/jU9336idQcq6VmF+c8=", REFUSED),
    WITH_TIME("1614265330 ", STANDARD_MAC, REFUSED),
    WITH_TIME("1614265330.0", "gCKgZKiwdYrH02M8bpnzg1Dnm05cI+cXFjui2SIQfbY=", REFUSED),
    {"standard-webhooks", WHSEC, STANDARD_HEADERS(STANDARD_ID, "", "v1,qpNdG4GyYZm20lYVP2gMlqx58gTTnMDAVuP4GXqbv54="), STANDARD_BODY, 0, REFUSED},
};

#define RICLOUD_AGED(s, verdict) {"ricloud", "nonce", RICLOUD_HEADER, RICLOUD_BODY, RICLOUD_AT + (s), verdict}
#define STRIPE_AGED(s, verdict) {"stripe", STRIPE_SECRET, STRIPE_HEADER, STRIPE_BODY, STRIPE_AT + (s), verdict}
#define STANDARD_AGED(s, verdict) \
    {"standard-webhooks", WHSEC, STANDARD_HEADERS(STANDARD_ID, "1614265330", "v1," STANDARD_MAC), STANDARD_BODY, STANDARD_AT + (s), verdict}
#define SLACK_AGED(s, verdict) {"slack", SLACK_SECRET, SLACK_HEADERS, SLACK_BODY, SLACK_AT + (s), verdict}
static const struct row ages[] = {
    RICLOUD_AGED(599, PASSES), RICLOUD_AGED(600, PASSES), RICLOUD_AGED(601, REFUSED),
    RICLOUD_AGED(-601, PASSES), RICLOUD_AGED(-RICLOUD_AT, PASSES),
    STRIPE_AGED(299, PASSES), STRIPE_AGED(300, PASSES), STRIPE_AGED(301, REFUSED),
    STRIPE_AGED(-301, PASSES), STRIPE_AGED(-STRIPE_AT, PASSES),
    STANDARD_AGED(299, PASSES), STANDARD_AGED(300, PASSES), STANDARD_AGED(301, REFUSED),
    STANDARD_AGED(-299, PASSES), STANDARD_AGED(-300, PASSES), STANDARD_AGED(-301, REFUSED),
    STANDARD_AGED(-STANDARD_AT, REFUSED),
    SLACK_AGED(299, PASSES), SLACK_AGED(300, PASSES), SLACK_AGED(301, REFUSED),
    SLACK_AGED(-299, PASSES), SLACK_AGED(-300, PASSES), SLACK_AGED(-301, REFUSED),
    SLACK_AGED(-SLACK_AT, REFUSED),
};

static const struct row tokens[] = {
    {"gitlab", "t0ken", "X-Gitlab-Token: t0ken", "", 0, PASSES},
    GITLAB("T0ken", REFUSED),
    GITLAB("t0ke", REFUSED),
    GITLAB("t0kenn", REFUSED),
    GITLAB("t0ken ", REFUSED),
    GITLAB("", REFUSED),
    GITLAB("other, t0ken", PASSES),
    GITLAB("t0ken,other", PASSES),
    GITLAB("other t0ken", REFUSED),
    GITLAB(",", REFUSED),
    {"gitlab", "to,ken", "X-Gitlab-Token: to,ken", "", 0, PASSES},
    {"gitlab", "to,ken", "X-Gitlab-Token: to, ken", "", 0, REFUSED},
};
// clang-format on

#endif
