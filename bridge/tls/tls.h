/*
 * tls - the server's side of TLS: a listener's certificate, from its files to what connections are
 * made with; and what is wrong with such files, or soon will be.
 *
 * TLS 1.2 and 1.3, one certificate whatever name a client asks for. With client_ca_file a client
 * must show a certificate that one of these authorities vouches for; then sessions are not
 * resumed, so that every connection proves itself.
 *
 * The files are read again when they change (tls_look), and by a reload. Connections keep what they
 * were made with. Files that cannot be used leave everything as it is.
 */
#ifndef BRIDGE_TLS_TLS_H
#define BRIDGE_TLS_TLS_H

#include "common/buf.h"
#include "common/err.h"

#include "bridge/metrics.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

struct tls_files {
    const char
        *cert_file;       /* PEM: the server's own certificate, then who issued it, and so on */
    const char *key_file; /* NULL: the key is in cert_file */
    const char *client_ca_file; /* NULL: no client certificates */
};

/* --- what is wrong with the files --- */

enum tls_severity {
    TLS_WARNING,  /* works, but somebody should look */
    TLS_OUTDATED, /* expired, or not valid yet: it can be used, but clients refuse it */
    TLS_UNUSABLE, /* no listener can be started with it */
};

struct tls_finding {
    enum tls_severity severity;
    const char *key; /* which file it is about, as the setting's last part: "cert_file" */
    struct err why;  /* one sentence */
};

enum { TLS_MAX_FINDINGS = 4, TLS_SOON_DAYS = 14 };

struct tls_report {
    struct tls_finding findings[TLS_MAX_FINDINGS];
    size_t count;
    /* The first of the chain to expire does it for all. CLOCK_NONE: it cannot be read. */
    int64_t expires_ms;
};

/* Any thread; reads the files. For `check` and `doctor`, and at the start. */
void tls_inspect(const struct tls_files *files, int64_t now_ms, struct tls_report *out_report);

/* Any thread. Adds what libcurl calls a pinned public key, `sha256//…`, of the file's first
 * certificate. */
enum status tls_add_pin(const char *cert_file, struct buf *out, struct err *err) MUST_USE;

/* --- a listener --- */

struct tls;

/* Main thread. Reads and copies files, and sets the listener's metric. Logs if they are outdated.
 * Gives *out_tls for tls_close. Whatever is wrong with the files is ST_INVALID, or ST_IO. */
enum status tls_open(enum metric_listener listener, const struct tls_files *files,
                     struct tls **out_tls, struct err *err) MUST_USE;
/* Main thread, after the last connection. NULL is allowed. */
void tls_close(struct tls *tls);

/* Any thread, at each turn of a loop. Once a second, by one thread only: have the files changed?
 * Then they are read again, once they stand still, and put into force. What cannot be used is
 * logged, once for each change. */
void tls_look(struct tls *tls, int64_t now_mono_ms);
/* Any thread. For a new connection; gives a reference for SSL_CTX_free. */
struct ssl_ctx_st *tls_context(struct tls *tls);

/* Main thread, for a reload: what tls_put puts into force, or why not. Files that are outdated are
 * refused while those in force are not. Gives *out_next for tls_put or tls_drop. */
struct tls_next;
enum status tls_prepare(struct tls *tls, const struct tls_files *files,
                        struct tls_next **out_next, struct err *err) MUST_USE;
void tls_put(struct tls *tls, struct tls_next *next);
/* NULL is allowed. */
void tls_drop(struct tls_next *next);

#endif
