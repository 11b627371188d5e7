/*
 * Reads PEM files. A file is read as a whole and must be a regular one, so that a pipe in its place
 * keeps nobody waiting. A key with a pass phrase is refused: nobody is there to be asked for it.
 */
#include "bridge/tls/internal.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/clock.h"
#include "common/file.h"

enum { MAX_PEM_BYTES = 4 << 20 };

const char *tls_openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    ERR_clear_error();
    return reason != NULL ? reason : "no reason is given";
}

static BIO *open_text(const struct buf *text)
{
    BIO *bio = BIO_new_mem_buf(text->len > 0 ? text->data : "", (int)text->len);

    CHECK(bio != NULL);
    ERR_clear_error();
    return bio;
}

/* Reads on to the end of the file, or to what is malformed. */
static enum status parse_certificates(const char *file, BIO *bio, STACK_OF(X509) * chain,
                                      struct err *err)
{
    X509 *certificate;

    while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        CHECK(sk_X509_push(chain, certificate) > 0);
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        return err_set(err, ST_INVALID, "%s: certificate %d is malformed: %s", file,
                       sk_X509_num(chain) + 1, tls_openssl_reason());
    }
    ERR_clear_error();
    return sk_X509_num(chain) > 0
               ? ST_OK
               : err_set(err, ST_INVALID, "%s is not a PEM file with a CERTIFICATE", file);
}

enum status tls_read_certificates(const char *file, STACK_OF(X509) * chain, struct err *err)
{
    struct buf text = {0};
    enum status st = file_read_regular(file, MAX_PEM_BYTES, &text, err);

    if (st == ST_OK) {
        BIO *bio = open_text(&text);

        st = parse_certificates(file, bio, chain, err);
        BIO_free(bio);
    } else {
        (void)err_wrap(err, "cannot be read");
    }
    buf_wipe(&text); /* a key may stand beside the certificates */
    return st;
}

/* OpenSSL would ask for it at the terminal. */
static int no_pass_phrase(char *out, int size, int writing, void *asked)
{
    (void)out;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static enum status parse_key(const char *file, BIO *bio, EVP_PKEY **out_key, struct err *err)
{
    bool asked = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, &asked);

    if (key != NULL) {
        *out_key = key;
        return ST_OK;
    }
    if (asked) {
        ERR_clear_error();
        return err_set(err, ST_INVALID,
                       "%s is encrypted, and nobody is there to be asked for its pass phrase; "
                       "`openssl pkey` decrypts it",
                       file);
    }
    return err_set(err, ST_INVALID, "%s: its key is malformed: %s", file, tls_openssl_reason());
}

enum status tls_read_key(const char *file, EVP_PKEY **out_key, struct err *err)
{
    struct buf text = {0};
    enum status st = file_read_regular(file, MAX_PEM_BYTES, &text, err);

    if (st == ST_OK && memmem(text.data, text.len, "PRIVATE KEY-----", 16) == NULL) {
        st = err_set(err, ST_INVALID, "%s is not a PEM file with a PRIVATE KEY", file);
    } else if (st == ST_OK) {
        BIO *bio = open_text(&text);

        st = parse_key(file, bio, out_key, err);
        BIO_free(bio);
    } else {
        (void)err_wrap(err, "cannot be read");
    }
    buf_wipe(&text);
    return st;
}

static int64_t read_time(const ASN1_TIME *time)
{
    struct tm parts = {0};

    return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) * 1000 : 0;
}

void tls_read_dates(STACK_OF(X509) * chain, int64_t *out_begins_ms, int64_t *out_expires_ms)
{
    int64_t begins_ms = INT64_MIN, expires_ms = INT64_MAX;

    for (int i = 0; i < sk_X509_num(chain); i++) {
        const X509 *certificate = sk_X509_value(chain, i);
        int64_t begins = read_time(X509_get0_notBefore(certificate));
        int64_t expires = read_time(X509_get0_notAfter(certificate));

        begins_ms = begins > begins_ms ? begins : begins_ms;
        expires_ms = expires < expires_ms ? expires : expires_ms;
    }
    *out_begins_ms = begins_ms;
    *out_expires_ms = expires_ms;
}
