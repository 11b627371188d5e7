/*
 * From files to the SSL_CTX that connections are made with: read certificates and key, see that
 * they belong together, and set what we offer. The first fault ends it, and names its file.
 */
#include "bridge/tls/internal.h"

#include <openssl/err.h>

#include "common/clock.h"

/* Forward secrecy, and no mode that has needed repairs. TLS 1.3 has nothing else. */
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"

static enum status fail(struct tls_fault *fault, const char *key)
{
    fault->key = key;
    return fault->err.status;
}

/* --- who we are --- */

/* Which one of the chain is the key for? -1: none. */
static int find_owner(STACK_OF(X509) * chain, EVP_PKEY *key)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (X509_check_private_key(sk_X509_value(chain, i), key) == 1) {
            return i;
        }
    }
    ERR_clear_error();
    return -1;
}

static enum status check_pair(const struct tls_files *files, STACK_OF(X509) * chain,
                              EVP_PKEY *key, struct tls_fault *fault)
{
    int owner = find_owner(chain, key);

    ERR_clear_error();
    if (owner > 0) {
        (void)err_set(&fault->err, ST_INVALID,
                      "%s: the certificate that belongs to the key is number %d; the server's "
                      "own must be the first, then who issued it, and so on",
                      files->cert_file, owner + 1);
        return fail(fault, "cert_file");
    }
    if (owner < 0) {
        (void)err_set(&fault->err, ST_INVALID, "%s does not belong to the certificate in %s",
                      files->key_file != NULL ? files->key_file : "its key", files->cert_file);
        return fail(fault, files->key_file != NULL ? "key_file" : "cert_file");
    }
    return ST_OK;
}

static enum status use_pair(const struct tls_files *files, struct tls_context *context,
                            EVP_PKEY *key, struct tls_fault *fault)
{
    STACK_OF(X509) *others = sk_X509_dup(context->chain);
    X509 *own;
    bool used;

    CHECK(others != NULL);
    own = sk_X509_shift(others);
    used = SSL_CTX_use_cert_and_key(context->ctx, own, key, others, 1) == 1;
    sk_X509_free(others);
    if (!used) {
        (void)err_set(&fault->err, ST_INVALID, "%s cannot be used: %s", files->cert_file,
                      tls_openssl_reason());
        return fail(fault, "cert_file");
    }
    return ST_OK;
}

static enum status set_identity(const struct tls_files *files, struct tls_context *context,
                                struct tls_fault *fault)
{
    EVP_PKEY *key = NULL;
    enum status st;

    if (tls_read_certificates(files->cert_file, context->chain, &fault->err) != ST_OK) {
        return fail(fault, "cert_file");
    }
    if (tls_read_key(files->key_file != NULL ? files->key_file : files->cert_file, &key,
                     &fault->err) != ST_OK) {
        return fail(fault, files->key_file != NULL ? "key_file" : "cert_file");
    }
    st = check_pair(files, context->chain, key, fault);
    if (st == ST_OK) {
        st = use_pair(files, context, key, fault);
    }
    EVP_PKEY_free(key);
    return st;
}

/* --- who they are --- */

static void trust(SSL_CTX *ctx, STACK_OF(X509) * authorities)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);

    for (int i = 0; i < sk_X509_num(authorities); i++) {
        X509 *authority = sk_X509_value(authorities, i);

        CHECK(X509_STORE_add_cert(store, authority) == 1);
        CHECK(SSL_CTX_add_client_CA(ctx, authority) == 1);
    }
    /* Whoever is in the file is trusted: it may also be an authority below another, or a client. */
    CHECK(X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    CHECK(SSL_CTX_set_num_tickets(ctx, 0) == 1);
}

static enum status set_authorities(const struct tls_files *files, SSL_CTX *ctx,
                                   struct tls_fault *fault)
{
    STACK_OF(X509) * authorities;
    enum status st;

    if (files->client_ca_file == NULL) {
        return ST_OK;
    }
    authorities = sk_X509_new_null();
    CHECK(authorities != NULL);
    st = tls_read_certificates(files->client_ca_file, authorities, &fault->err);
    if (st == ST_OK) {
        trust(ctx, authorities);
    } else {
        fault->key = "client_ca_file";
    }
    sk_X509_pop_free(authorities, X509_free);
    return st;
}

/* --- what we offer --- */

static SSL_CTX *create_ctx(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    CHECK(ctx != NULL);
    CHECK(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
    CHECK(SSL_CTX_set_max_proto_version(ctx, 0) == 1);
    CHECK(SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) == 1);
    /* A body's end is told by HTTP: a client that closes without a word has not lost anything. */
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE |
                                       SSL_OP_PRIORITIZE_CHACHA);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                    SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1); /* a record in one system call instead of two */
    /* Tickets carry a session; nothing is kept here. */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    CHECK(SSL_CTX_set_num_tickets(ctx, 1) == 1);
    return ctx;
}

enum status tls_context_create(const struct tls_files *files, struct tls_context *out_context,
                               struct tls_fault *fault)
{
    struct tls_context context = {.ctx = create_ctx(), .chain = sk_X509_new_null()};
    enum status st;

    CHECK(context.chain != NULL);
    st = set_identity(files, &context, fault);
    if (st == ST_OK) {
        st = set_authorities(files, context.ctx, fault);
    }
    if (st != ST_OK) {
        tls_context_fini(&context);
        return st;
    }
    tls_read_dates(context.chain, &context.begins_ms, &context.expires_ms);
    *out_context = context;
    return ST_OK;
}

void tls_context_fini(struct tls_context *context)
{
    SSL_CTX_free(context->ctx);
    sk_X509_pop_free(context->chain, X509_free);
    *context = (struct tls_context){0};
}

bool tls_is_outdated(const struct tls_context *context, int64_t now_ms, struct err *err)
{
    char when[CLOCK_TEXT_SIZE];

    if (context->expires_ms < now_ms) {
        clock_format(context->expires_ms, when);
        (void)err_set(err, ST_INVALID, "expired on %s", when);
        return true;
    }
    if (context->begins_ms > now_ms) {
        clock_format(context->begins_ms, when);
        (void)err_set(err, ST_INVALID, "is not valid before %s; is this machine's clock right?",
                      when);
        return true;
    }
    return false;
}
