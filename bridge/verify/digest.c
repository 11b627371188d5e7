/*
 * Digests of lists of parts, and comparing texts in constant time. OpenSSL cannot refuse either, so
 * a failure stops the process.
 */
#include "bridge/verify/verify.h"

#include <stdlib.h>

#include <endian.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

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
