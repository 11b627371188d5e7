/*
 * What a person should know about certificate files: whether a listener could use them, what
 * clients will refuse, and what will be due soon.
 */
#include <inttypes.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/clock.h"
#include "common/encode.h"

#include "bridge/tls/internal.h"

static struct err *add(struct tls_report *report, enum tls_severity severity, const char *key)
{
    struct tls_finding *finding = &report->findings[report->count];

    CHECK(report->count < TLS_MAX_FINDINGS);
    report->count++;
    finding->severity = severity;
    finding->key = key;
    return &finding->why;
}

static void look_at_dates(const struct tls_context *context, int64_t now_ms,
                          struct tls_report *report)
{
    const int64_t day_ms = INT64_C(24) * 3600 * 1000;
    int64_t left_ms = context->expires_ms - now_ms;
    char when[CLOCK_TEXT_SIZE];
    struct err why;

    if (tls_is_outdated(context, now_ms, &why)) {
        *add(report, TLS_OUTDATED, "cert_file") = why;
    } else if (left_ms < TLS_SOON_DAYS * day_ms) {
        clock_format(context->expires_ms, when);
        (void)err_set(add(report, TLS_WARNING, "cert_file"), ST_OK,
                      "expires on %s, in %" PRId64 " days", when, left_ms / day_ms);
    }
}

/* Many clients find their way in any order, but not all; RFC 8446 section 4.4.2. */
static void look_at_order(const struct tls_context *context, struct tls_report *report)
{
    for (int i = 1; i < sk_X509_num(context->chain); i++) {
        if (X509_check_issued(sk_X509_value(context->chain, i),
                              sk_X509_value(context->chain, i - 1)) != X509_V_OK) {
            (void)err_set(add(report, TLS_WARNING, "cert_file"), ST_OK,
                          "certificate %d in it did not issue certificate %d; the order is the "
                          "server's own, who issued it, and so on",
                          i + 1, i);
            break;
        }
    }
    ERR_clear_error();
}

void tls_inspect(const struct tls_files *files, int64_t now_ms, struct tls_report *out_report)
{
    struct tls_context context;
    struct tls_fault fault = {0};

    *out_report = (struct tls_report){.expires_ms = CLOCK_NONE};
    if (tls_context_create(files, &context, &fault) != ST_OK) {
        *add(out_report, TLS_UNUSABLE, fault.key) = fault.err;
        return;
    }
    out_report->expires_ms = context.expires_ms;
    look_at_dates(&context, now_ms, out_report);
    look_at_order(&context, out_report);
    tls_context_fini(&context);
}

static void add_digest(X509 *certificate, struct buf *out)
{
    unsigned char *key = NULL, digest[EVP_MAX_MD_SIZE];
    char text[BASE64_SIZE(sizeof(digest))];
    int key_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
    unsigned len = 0;

    CHECK(key_len > 0);
    CHECK(EVP_Digest(key, (size_t)key_len, digest, &len, EVP_sha256(), NULL) == 1);
    OPENSSL_free(key);
    encode_base64(digest, len, text);
    buf_addf(out, "sha256//%s", text);
}

enum status tls_add_pin(const char *cert_file, struct buf *out, struct err *err)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    enum status st;

    CHECK(chain != NULL);
    st = tls_read_certificates(cert_file, chain, err);
    if (st == ST_OK) {
        add_digest(sk_X509_value(chain, 0), out);
    }
    sk_X509_pop_free(chain, X509_free);
    return st;
}
