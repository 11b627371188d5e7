#include "bridge/verify.h"

#include <stdlib.h>

#include <endian.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "common/encode.h"

struct verifier {
    const char *header; /* NULL: nothing is verified */
    size_t count;
    EVP_MAC_CTX *keyed[VERIFY_MAX_SECRETS]; /* each holds its key, and wipes it */
};

static EVP_MAC_CTX *keyed_context(EVP_MAC *hmac, struct slice secret)
{
    char sha256[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);

    if (context &&
        EVP_MAC_init(context, (const unsigned char *)secret.data, secret.len, params)) {
        return context;
    }
    EVP_MAC_CTX_free(context);
    return NULL;
}

static enum status add_secrets(struct verifier *verifier, const struct slice *secrets,
                               size_t count, struct err *err)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    enum status st = hmac ? ST_OK : ST_IO;

    for (size_t i = 0; i < count && st == ST_OK; i++) {
        verifier->keyed[i] = keyed_context(hmac, secrets[i]);
        verifier->count = i + 1;
        st = verifier->keyed[i] ? ST_OK : ST_IO;
    }
    EVP_MAC_free(hmac);
    return st == ST_OK ? ST_OK : err_set(err, st, "OpenSSL offers no HMAC-SHA256");
}

enum status verifier_create(const struct provider *provider, const struct slice *secrets,
                            size_t count, struct verifier **out_verifier, struct err *err)
{
    struct verifier *verifier;
    enum status st;

    if (count > VERIFY_MAX_SECRETS) {
        return err_set(err, ST_TOO_LARGE, "%zu secrets; %d at most", count, VERIFY_MAX_SECRETS);
    }
    for (size_t i = 0; i < count; i++) {
        if (secrets[i].len == 0) {
            return err_set(err, ST_INVALID, "secret %zu is empty", i + 1);
        }
    }
    verifier = xalloc(sizeof(*verifier));
    verifier->header = count > 0 ? provider->signature.header : NULL;
    st = add_secrets(verifier, secrets, count, err);
    if (st != ST_OK) {
        verifier_destroy(verifier);
        return st;
    }
    *out_verifier = verifier;
    return ST_OK;
}

void verifier_destroy(struct verifier *verifier)
{
    if (verifier) {
        for (size_t i = 0; i < verifier->count; i++) {
            EVP_MAC_CTX_free(verifier->keyed[i]);
        }
        free(verifier);
    }
}

const char *verifier_header(const struct verifier *verifier)
{
    return verifier->header;
}

static bool compute(EVP_MAC_CTX *keyed, struct slice body, uint8_t out_mac[DIGEST_SIZE])
{
    size_t len = 0;

    /* Without a key: starts again with the one it has. */
    return EVP_MAC_init(keyed, NULL, 0, NULL) &&
           EVP_MAC_update(keyed, (const unsigned char *)body.data, body.len) &&
           EVP_MAC_final(keyed, out_mac, &len, DIGEST_SIZE) && len == DIGEST_SIZE;
}

enum status verifier_check(struct verifier *verifier, struct slice header, struct slice body)
{
    uint8_t given[DIGEST_SIZE], mac[DIGEST_SIZE];
    unsigned matches = 0;

    if (verifier->count == 0) {
        return ST_OK;
    }
    if (!decode_hex(header, given, sizeof(given))) {
        return ST_UNAUTHENTIC;
    }
    for (size_t i = 0; i < verifier->count; i++) {
        if (compute(verifier->keyed[i], body, mac)) {
            matches |= CRYPTO_memcmp(mac, given, sizeof(mac)) == 0;
        }
    }
    OPENSSL_cleanse(mac, sizeof(mac));
    return matches ? ST_OK : ST_UNAUTHENTIC;
}

enum status verifier_sign(struct verifier *verifier, struct slice body, struct buf *out)
{
    uint8_t mac[DIGEST_SIZE];
    char hex[2 * DIGEST_SIZE + 1];

    if (verifier->count == 0) {
        return ST_OK;
    }
    if (!compute(verifier->keyed[0], body, mac)) {
        return ST_IO;
    }
    encode_hex(mac, sizeof(mac), hex);
    buf_addf(out, "%s: %s", verifier->header, hex);
    return ST_OK;
}

struct digester {
    EVP_MD *sha256;
    EVP_MD_CTX *context;
};

struct digester *digester_create(void)
{
    struct digester *digester = xalloc(sizeof(*digester));

    digester->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    digester->context = EVP_MD_CTX_new();
    CHECK(digester->sha256 && digester->context);
    return digester;
}

void digester_destroy(struct digester *digester)
{
    if (digester) {
        EVP_MD_CTX_free(digester->context);
        EVP_MD_free(digester->sha256);
        free(digester);
    }
}

void digester_run(struct digester *digester, const struct slice *parts, size_t count,
                  uint8_t out_digest[DIGEST_SIZE])
{
    bool ok = EVP_DigestInit_ex2(digester->context, digester->sha256, NULL);

    for (size_t i = 0; i < count; i++) {
        uint64_t len = htobe64(parts[i].len);

        ok = ok && EVP_DigestUpdate(digester->context, &len, sizeof(len)) &&
             EVP_DigestUpdate(digester->context, parts[i].data, parts[i].len);
    }
    ok = ok && EVP_DigestFinal_ex(digester->context, out_digest, NULL);
    CHECK(ok); /* it has its memory, and hashing cannot fail */
}

bool verify_equal_text(struct slice a, struct slice b)
{
    return a.len == b.len &&
           CRYPTO_memcmp(a.data ? a.data : "", b.data ? b.data : "", a.len) == 0;
}
