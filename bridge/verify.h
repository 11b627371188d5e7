/*
 * verify - is a delivery authentic; signing as a provider would; digests. The only file that
 * knows OpenSSL.
 *
 * Keeps one keyed MAC context per secret, so that a check costs no key set-up. All secrets are
 * always tried, decoded digests are compared in constant time, and nothing ends early. Only a
 * header that is no signature at all, by its form, is refused before.
 */
#ifndef BRIDGE_VERIFY_H
#define BRIDGE_VERIFY_H

#include "common/buf.h"
#include "common/err.h"

#include "bridge/provider.h"

enum { VERIFY_MAX_SECRETS = 16, DIGEST_SIZE = 32 };

/* Keyed contexts for one source. One thread at a time: each HTTP loop makes its own. */
struct verifier;

/* Borrows all; keeps a copy of the keys. count of 0: the source verifies nothing (`"verify":
 * "none"`). An empty secret is ST_INVALID, more than VERIFY_MAX_SECRETS are ST_TOO_LARGE. Gives
 * a verifier for verifier_destroy, which wipes the keys. */
enum status verifier_create(const struct provider *provider, const struct slice *secrets,
                            size_t count, struct verifier **out_verifier,
                            struct err *err) MUST_USE;
void verifier_destroy(struct verifier *verifier);

/* The header that carries the signature; NULL if nothing is verified. */
const char *verifier_header(const struct verifier *verifier);

/* One thread at a time. header: the signature header's value. ST_OK or ST_UNAUTHENTIC. */
enum status verifier_check(struct verifier *verifier, struct slice header,
                           struct slice body) MUST_USE;

/* One thread at a time. Adds "Header-Name: value" (no line end) as the provider would send it,
 * made with the first secret; adds nothing if nothing is verified. */
enum status verifier_sign(struct verifier *verifier, struct slice body,
                          struct buf *out) MUST_USE;

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
