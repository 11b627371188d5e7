/*
 * webhook - makes signed webhooks of Creads Partners, as whole HTTP requests.
 */
#ifndef TESTS_BENCH_WEBHOOK_H
#define TESTS_BENCH_WEBHOOK_H

#include <stddef.h>
#include <stdint.h>

enum { WEBHOOK_GID_SIZE = 14 };

struct webhook {
    char gid[WEBHOOK_GID_SIZE]; /* 13 hex digits */
    uint64_t sequence;
    char *request; /* head and body; reused by the next webhook_write */
    size_t len;
};

struct signer;

/* Borrows path until signer_destroy. body_size: bytes of each body, or as many as its fields need.
 * gid_prefix: the first four hex digits of each gid, so that several runs can share a broker. */
struct signer *signer_create(const char *secret, const char *path, size_t body_size,
                             unsigned gid_prefix);
void signer_destroy(struct signer *signer);

/* Writes the request for an update of a project. webhook is zero-initialised, or was written
 * before. */
void webhook_write(struct webhook *webhook, struct signer *signer, size_t gid_index,
                   uint64_t sequence);

#endif
