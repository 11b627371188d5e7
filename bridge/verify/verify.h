/*
 * verify - is a delivery authentic; signing as a provider would; digests. The only module that
 * knows OpenSSL.
 *
 * Keeps one keyed MAC context per secret, so that a check costs no key set-up. All secrets are
 * always tried against all signatures of the header, fixed-length values are compared in
 * constant time, and nothing ends early. Only a header that is no signature at all, by its
 * form, is refused before.
 */
#ifndef BRIDGE_VERIFY_VERIFY_H
#define BRIDGE_VERIFY_VERIFY_H

#include "common/buf.h"
#include "common/err.h"

#include "bridge/delivery.h"
#include "bridge/provider/provider.h"

enum {
    VERIFY_MAX_SECRETS = 16,
    VERIFY_MAX_SIGNATURES = 16, /* of the wanted key or version, in all lines of the header */
    VERIFY_MAX_ID = 256,        /* bytes of {id} */
    VERIFY_MAX_SECRET = 4096,   /* bytes of a secret's text */
    DIGEST_SIZE = 32,
};

/* One thing that is wrong with a description; lent for the time of the call. */
struct verify_fault {
    const char *key; /* the member, as the configuration calls it ("message", …); a constant */
    bool is_missing; /* it must be set; else its value is wrong, or contradicts another one */
    const char *text;
};
typedef void verify_fault_fn(void *ctx, const struct verify_fault *fault);

/* Is a description complete and free of contradiction: {timestamp} has a place, the message
 * contains {body}, …? Reports all faults, each once, and none that only follows from another.
 * ST_INVALID if there is one. */
enum status verify_check_description(const struct provider_signature *signature,
                                     verify_fault_fn *report, void *ctx) MUST_USE;
/* Can this text be a secret under the description: not empty, at most VERIFY_MAX_SECRET bytes,
 * base64 where it must be, and for a token what can stand in a header. ST_INVALID with the
 * reason, which does not contain the secret. */
enum status verify_check_secret(const struct provider_signature *signature, struct slice secret,
                                struct err *err) MUST_USE;

/* Keyed contexts for one source. One thread at a time: each HTTP loop makes its own. */
struct verifier;

/* Borrows signature (until verifier_destroy) and the secrets; keeps a copy of the keys. With
 * SCHEME_NONE everything passes and secrets are not looked at. Else, with count 0, nothing
 * passes. What verify_check_description or verify_check_secret refuses is ST_INVALID, more
 * than VERIFY_MAX_SECRETS are ST_TOO_LARGE. Gives a verifier for verifier_destroy, which wipes
 * the keys. */
enum status verifier_create(const struct provider_signature *signature,
                            const struct slice *secrets, size_t count,
                            struct verifier **out_verifier, struct err *err) MUST_USE;
void verifier_destroy(struct verifier *verifier);

/* Before the body is there: ST_OK if every header that the check needs is there; else ST_UNAUTHENTIC.
 * That of the signature or token may come in up to VERIFY_MAX_SIGNATURES lines, any of which
 * counts; those of a timestamp and an id come once. why: see verifier_check. */
enum status verifier_check_head(const struct verifier *verifier, const struct delivery *head,
                                struct err *why) MUST_USE;

/* One thread at a time. ST_OK or ST_UNAUTHENTIC.
 *
 * Call verifier_check_head before, once. A head that it refuses does not pass here either, but why
 * is then less precise.
 *
 * The signature is checked first, then the timestamp's age: against delivery->received_ms, in
 * whole seconds. A timestamp that is exactly as old as the tolerance passes.
 *
 * why (may be NULL) says what is wrong. It is for the operator: the sender must not learn it. It
 * contains no text of the sender. */
enum status verifier_check(struct verifier *verifier, const struct delivery *delivery,
                           struct err *why) MUST_USE;

/* One thread at a time. Adds "Name: value" lines, separated by \n and without one at the end,
 * as the provider would send them, made with the first secret; adds nothing with SCHEME_NONE.
 * now_s: Unix seconds for {timestamp}, in whatever form; id: for {id}; not looked at where they
 * are not signed.
 * ST_MISSING: there is no secret; ST_INVALID: no provider would send this timestamp or id. */
enum status verifier_sign(struct verifier *verifier, struct slice body, int64_t now_s,
                          struct slice id, struct buf *out) MUST_USE;

/* SHA-256 of a list of parts, each preceded by its length (eight bytes, the highest first) so
 * that no two lists run together. Digests are stored: this must not change. One thread at a
 * time per digester. */
struct digester;
struct digester *digester_create(void);
void digester_destroy(struct digester *digester);
void digester_run(struct digester *digester, const struct slice *parts, size_t count,
                  uint8_t out_digest[DIGEST_SIZE]);

/* Any thread. True if the texts are equal; the time does not depend on where they differ
 * (bearer tokens). */
bool verify_equal_text(struct slice a, struct slice b);

#endif
