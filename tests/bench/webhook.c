#include "tests/bench/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

enum { HEAD_SIZE = 512, DIGEST_SIZE = 32 };

struct signer {
    EVP_MAC_CTX *mac;
    const char *path;
    char *filler; /* pads each body; NUL-terminated */
    size_t body_size;
    unsigned gid_prefix;
};

/* gid, gid, sequence, gid, filler. The fields are those of the provider's own sample of a
 * project. */
static const char BODY[] =
    "{\"event\":\"resource.updated\",\"resource_type\":\"project\",\"resource_gid\":\"%s\","
    "\"resource\":{\"gid\":\"%s\",\"sequence\":%llu,\"short_code\":\"Zd85moz\","
    "\"created_at\":\"2026-01-31T09:12:45+0000\",\"modified_at\":\"2026-02-01T17:03:11+0000\","
    "\"href\":\"/projects/"
    "%s\",\"published_at\":null,\"deadline_at\":\"2026-03-01T12:00:00+0000\","
    "\"status\":\"in_progress\",\"state\":\"published\",\"title\":\"Logo\","
    "\"options\":{\"due\":1,\"mode\":\"solo\",\"skill\":\"conception\"},\"quantity\":1,"
    "\"organization\":{\"gid\":\"55f2ab761d0bd\",\"href\":\"/organizations/55f2ab761d0bd\"},"
    "\"brief_files\":[{\"url\":\"https://files.example/brief.pdf\"}],"
    "\"price\":{\"amount\":1470,\"currency\":\"EUR\"},\"winner\":null,\"description\":\"<p>%s</"
    "p>\"}}";

static const char WORDS[] = "A round mark in two colours that can be read from far away. ";

static void fail(const char *what)
{
    fprintf(stderr, "webhook: %s\n", what);
    exit(1);
}

static EVP_MAC_CTX *keyed_mac(const char *secret)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(algorithm);

    EVP_MAC_free(algorithm);
    if (!mac || !EVP_MAC_init(mac, (const unsigned char *)secret, strlen(secret), params)) {
        fail("HMAC cannot be had");
    }
    return mac;
}

struct signer *signer_create(const char *secret, const char *path, size_t body_size,
                             unsigned gid_prefix)
{
    struct signer *signer = calloc(1, sizeof *signer);

    if (!signer || !(signer->filler = malloc(body_size + 1))) {
        fail("no memory");
    }
    for (size_t i = 0; i < body_size; i++) {
        signer->filler[i] = WORDS[i % (sizeof WORDS - 1)];
    }
    signer->filler[body_size] = '\0';
    signer->mac = keyed_mac(secret);
    signer->path = path;
    signer->body_size = body_size;
    signer->gid_prefix = gid_prefix;
    return signer;
}

void signer_destroy(struct signer *signer)
{
    EVP_MAC_CTX_free(signer->mac);
    free(signer->filler);
    free(signer);
}

static void sign(struct signer *signer, const char *body, size_t len,
                 char out_hex[2 * DIGEST_SIZE + 1])
{
    unsigned char digest[DIGEST_SIZE];
    size_t digest_len;

    if (!EVP_MAC_init(signer->mac, NULL, 0, NULL) ||
        !EVP_MAC_update(signer->mac, (const unsigned char *)body, len) ||
        !EVP_MAC_final(signer->mac, digest, &digest_len, sizeof digest)) {
        fail("HMAC failed");
    }
    for (size_t i = 0; i < sizeof digest; i++) {
        out_hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        out_hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    out_hex[2 * DIGEST_SIZE] = '\0';
}

/* Writes the body to `at`, padded to its size; returns its length. */
static size_t write_body(const struct webhook *webhook, const struct signer *signer, char *at,
                         size_t room)
{
    size_t fixed = sizeof BODY + (size_t)3 * WEBHOOK_GID_SIZE;
    size_t padding = signer->body_size > fixed ? signer->body_size - fixed : 0;
    const char *gid = webhook->gid;
    int len = snprintf(at, room, BODY, gid, gid, (unsigned long long)webhook->sequence, gid,
                       signer->filler + (signer->body_size - padding));

    return (size_t)len;
}

void webhook_write(struct webhook *webhook, struct signer *signer, size_t gid_index,
                   uint64_t sequence)
{
    size_t body_room = signer->body_size + sizeof BODY + HEAD_SIZE;
    char signature[2 * DIGEST_SIZE + 1];
    char *body;
    size_t body_len;
    int head_len;

    if (!webhook->request && !(webhook->request = malloc(HEAD_SIZE + body_room))) {
        fail("no memory");
    }
    snprintf(webhook->gid, sizeof webhook->gid, "%04x%09zx", signer->gid_prefix & 0xffff,
             gid_index & 0xfffffff);
    webhook->sequence = sequence;

    /* The head contains the length of the body, so the body is written first, with room for the
     * head before it. */
    body = webhook->request + HEAD_SIZE;
    body_len = write_body(webhook, signer, body, body_room);
    sign(signer, body, body_len, signature);
    head_len =
        snprintf(webhook->request, HEAD_SIZE,
                 "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                 "X-Partners-Signature: %s\r\nContent-Length: %zu\r\n\r\n",
                 signer->path, signature, body_len);
    if (head_len >= HEAD_SIZE) {
        fail("the path is too long");
    }
    memmove(webhook->request + head_len, body, body_len);
    webhook->len = (size_t)head_len + body_len;
}
