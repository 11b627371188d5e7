/*
 * What the certificate of the other side must be, and what was wrong with it.
 *
 * OpenSSL checks the host during the handshake, as part of the certificate, so that the answer to
 * "which check failed?" is in one place (SSL_get_verify_result). Paho's own check comes after it,
 * says no more than no, and takes the brackets of an IPv6 address for a part of it.
 */
#include "bridge/mqtt/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

void mqtt_tls_prepare(void *ssl, const struct server *server)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (server->literal) {
        /* With a zone it is no address that a certificate could be for: then nothing matches. */
        if (X509_VERIFY_PARAM_set1_ip_asc(param, server->host) != 1) {
            CHECK(X509_VERIFY_PARAM_set1_host(param, server->host, 0) == 1);
        }
        CHECK(SSL_set_tlsext_host_name((SSL *)ssl, NULL) == 1);
    } else {
        char *name = xstrdup(server->host); /* the macro casts const away */

        CHECK(X509_VERIFY_PARAM_set1_host(param, name, 0) == 1);
        CHECK(SSL_set_tlsext_host_name((SSL *)ssl, name) == 1);
        free(name);
    }
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
}

void mqtt_tls_reason(const char *line, size_t len, char *out_text, size_t size)
{
    enum { COLONS_BEFORE_REASON = 5 };
    const char *end = line + len;
    const char *reason = line;

    for (int i = 0; i < COLONS_BEFORE_REASON && reason != NULL; i++) {
        reason = memchr(reason, ':', (size_t)(end - reason));
        reason = reason == NULL ? NULL : reason + 1;
    }
    if (reason != NULL) {
        const char *stop = memchr(reason, ':', (size_t)(end - reason));

        (void)snprintf(out_text, size, "TLS: %.*s", (int)((stop != NULL ? stop : end) - reason),
                       reason);
    }
}

/* Which check of the certificate failed. */
static void explain_certificate(const SSL *ssl, long code, struct attempt *attempt)
{
    const struct server *server = attempt->server;
    bool unknown = code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                   code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
                   code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
                   code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;

    (void)ssl;
    if (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        (void)snprintf(attempt->why, sizeof(attempt->why),
                       "TLS: its certificate is not for %.100s", server->host);
    } else if (unknown) {
        (void)snprintf(
            attempt->why, sizeof(attempt->why),
            "TLS: its certificate is from an unknown authority (mqtt.tls.ca_file): %s",
            X509_verify_cert_error_string(code));
    } else {
        (void)snprintf(attempt->why, sizeof(attempt->why),
                       "TLS: its certificate does not hold: %s",
                       X509_verify_cert_error_string(code));
    }
}

static bool is_ssl(unsigned long error, int reason)
{
    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == reason;
}

void mqtt_tls_explain(void *ssl, struct attempt *attempt)
{
    long code = SSL_get_verify_result(ssl);
    unsigned long error = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(error);

    if (attempt->why[0] != '\0') {
        return;
    }
    if (code != X509_V_OK) {
        explain_certificate(ssl, code, attempt);
    } else if (is_ssl(error, SSL_R_WRONG_VERSION_NUMBER)) {
        (void)snprintf(attempt->why, sizeof(attempt->why), "TLS: it does not speak TLS");
    } else if (reason != NULL && !is_ssl(error, SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
        (void)snprintf(attempt->why, sizeof(attempt->why), "TLS: %s", reason);
    } else {
        attempt->closed = true;
    }
}
