/*
 * tls/internal - shared by the files of tls. Calls go down this list only:
 *
 *   listener.c     a listener's files, watched and replaced
 *   inspect.c      what is wrong with files
 *   context.c      files to an SSL_CTX
 *   certificate.c  PEM to certificates and keys; their dates
 */
#ifndef BRIDGE_TLS_INTERNAL_H
#define BRIDGE_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "bridge/tls/tls.h"

/* Why files cannot be used, and which of them. */
struct tls_fault {
    const char *key; /* see struct tls_finding */
    struct err err;
};

/* --- certificate.c --- */

/* Adds the certificates of the file, in its order, at least one, to chain. */
enum status tls_read_certificates(const char *file, STACK_OF(X509) * chain,
                                  struct err *err) MUST_USE;
/* Gives a key for EVP_PKEY_free. */
enum status tls_read_key(const char *file, EVP_PKEY **out_key, struct err *err) MUST_USE;
/* The time in which all of them are valid. */
void tls_read_dates(STACK_OF(X509) * chain, int64_t *out_begins_ms, int64_t *out_expires_ms);
/* What OpenSSL has against what it was just asked to do; a constant. Empties its queue. */
const char *tls_openssl_reason(void);

/* --- context.c --- */

struct tls_context {
    SSL_CTX *ctx;
    STACK_OF(X509) * chain; /* the server's own, and those that are sent with it */
    int64_t begins_ms, expires_ms;
};

enum status tls_context_create(const struct tls_files *files, struct tls_context *out_context,
                               struct tls_fault *fault) MUST_USE;
void tls_context_fini(struct tls_context *context);
/* Says in err if it is expired, or not valid yet. */
bool tls_is_outdated(const struct tls_context *context, int64_t now_ms, struct err *err);

#endif
