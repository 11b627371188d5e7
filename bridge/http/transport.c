/*
 * A connection's bytes between the socket and everybody above: as they are, or by TLS. Above, nobody
 * knows which.
 *
 * OpenSSL reads and writes the socket through a BIO of ours. It asks for whole buffers (read-ahead),
 * so a short read tells that the socket is empty, as without TLS. What OpenSSL holds already counts
 * as readable: no event will tell of it again. A write that finds no room keeps its record, and is
 * repeated with the same bytes. Nothing of a session is made before the client's first byte has come.
 *
 * A handshake can fail, and so can every record; then the connection is as good as reset. OpenSSL
 * keeps errors in a queue of the thread, which is emptied before each call.
 */
#include "bridge/http/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "bridge/tls/tls.h"

/* ---- OpenSSL's side ---- */

static int bio_read(BIO *bio, char *data, int room)
{
    struct http_connection *connection = BIO_get_data(bio);
    ssize_t len = recv(connection->watch.fd, data, (size_t)room, 0);

    BIO_clear_retry_flags(bio);
    connection->emptied = len < room;
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        connection->emptied = errno == EAGAIN;
        BIO_set_retry_read(bio);
    }
    if (len == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    }
    return (int)len;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    const struct http_connection *connection = BIO_get_data(bio);
    ssize_t sent = send(connection->watch.fd, data, (size_t)len, MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    return (int)sent;
}

static long bio_ctrl(BIO *bio, int what, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (what) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *method; /* for the life of the process */

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
    CHECK(method != NULL && BIO_meth_set_read(method, bio_read) == 1 &&
          BIO_meth_set_write(method, bio_write) == 1 &&
          BIO_meth_set_ctrl(method, bio_ctrl) == 1 &&
          BIO_meth_set_create(method, bio_create) == 1);
}

static void create_session(struct http_connection *connection)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    SSL_CTX *ctx = tls_context(connection->server->tls);
    BIO *bio;

    CHECK(pthread_once(&once, make_method) == 0);
    connection->ssl = SSL_new(ctx);
    bio = BIO_new(method);
    CHECK(connection->ssl != NULL && bio != NULL); /* as everywhere: memory runs out */
    BIO_set_data(bio, connection);
    SSL_set_bio(connection->ssl, bio, bio);
    SSL_set_accept_state(connection->ssl);
    SSL_CTX_free(ctx); /* the session has its own reference */
}

/* ---- the handshake ---- */

void http_transport_open(struct http_connection *connection)
{
    bool local = connection->peer.any.sa_family == AF_UNIX;

    connection->transport =
        connection->server->tls != NULL && !local ? TRANSPORT_AWAITED : TRANSPORT_PLAIN;
}

static void explain(const struct http_connection *connection, int error,
                    char out_why[HTTP_WHY_SIZE])
{
    long verdict = SSL_get_verify_result(connection->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    if (BIO_number_read(SSL_get_rbio(connection->ssl)) == 0) {
        out_why[0] = '\0';
    } else if (verdict != X509_V_OK) {
        (void)snprintf(out_why, HTTP_WHY_SIZE, "the client's certificate does not hold: %s",
                       X509_verify_cert_error_string(verdict));
    } else if (error == SSL_ERROR_SSL && reason != NULL) {
        (void)snprintf(out_why, HTTP_WHY_SIZE, "%s", reason);
    } else {
        (void)snprintf(out_why, HTTP_WHY_SIZE, "the client has left during the handshake");
    }
}

static void drop_session(struct http_connection *connection, enum http_transport next)
{
    SSL_free(connection->ssl);
    connection->ssl = NULL;
    connection->transport = next;
    ERR_clear_error();
}

/* OpenSSL has sent an alert, if it could; none to a client that speaks HTTP. */
static enum http_handshake fail(struct http_connection *connection, int error,
                                char out_why[HTTP_WHY_SIZE])
{
    bool http =
        error == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;

    explain(connection, error, out_why);
    drop_session(connection, http ? TRANSPORT_PLAIN : TRANSPORT_ENDED);
    return http ? HANDSHAKE_HTTP : HANDSHAKE_FAILED;
}

enum http_handshake http_transport_shake(struct http_connection *connection,
                                         char out_why[HTTP_WHY_SIZE])
{
    int done, error;

    if (connection->transport == TRANSPORT_AWAITED && connection->readable) {
        create_session(connection);
        connection->transport = TRANSPORT_SHAKING;
    }
    if (connection->transport != TRANSPORT_SHAKING) {
        return connection->transport == TRANSPORT_AWAITED ? HANDSHAKE_GOES_ON : HANDSHAKE_DONE;
    }
    ERR_clear_error();
    done = SSL_do_handshake(connection->ssl);
    if (done == 1) {
        connection->transport = TRANSPORT_TLS;
        return HANDSHAKE_DONE;
    }
    error = SSL_get_error(connection->ssl, done);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE
               ? HANDSHAKE_GOES_ON
               : fail(connection, error, out_why);
}

/* ---- bytes ---- */

/* The result of a call that has moved nothing, as of recv or send. */
static ssize_t nothing(struct http_connection *connection, int result)
{
    switch (SSL_get_error(connection->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        drop_session(connection, TRANSPORT_ENDED);
        errno = ECONNRESET;
        return -1;
    }
}

ssize_t http_transport_receive(struct http_connection *connection, char *data, size_t room,
                               bool *out_more)
{
    size_t len = 0;
    ssize_t received;
    int result;

    if (connection->transport == TRANSPORT_PLAIN) {
        received = recv(connection->watch.fd, data, room, 0);
        *out_more = (size_t)received == room;
        return received;
    }
    if (connection->transport == TRANSPORT_ENDED) {
        return 0;
    }
    ERR_clear_error();
    result = SSL_read_ex(connection->ssl, data, room, &len);
    *out_more = !connection->emptied || SSL_has_pending(connection->ssl) == 1;
    return result == 1 ? (ssize_t)len : nothing(connection, result);
}

ssize_t http_transport_send(struct http_connection *connection, const void *data, size_t len)
{
    size_t sent = 0;
    int result;

    if (connection->transport == TRANSPORT_PLAIN) {
        return send(connection->watch.fd, data, len, MSG_NOSIGNAL);
    }
    if (connection->transport != TRANSPORT_TLS) {
        errno = EPIPE;
        return -1;
    }
    ERR_clear_error();
    result = SSL_write_ex(connection->ssl, data, len, &sent);
    return result == 1 ? (ssize_t)sent : nothing(connection, result);
}

/* TLS has no gathering write: an answer's head and body go into one record. */
ssize_t http_transport_sendmsg(struct http_connection *connection, const struct msghdr *message)
{
    char *record = connection->server->scratch;
    size_t len = 0;

    if (connection->transport == TRANSPORT_PLAIN) {
        return sendmsg(connection->watch.fd, message, MSG_NOSIGNAL);
    }
    for (size_t i = 0; i < message->msg_iovlen && len < HTTP_READ_BYTES; i++) {
        const struct iovec *piece = &message->msg_iov[i];
        size_t room = HTTP_READ_BYTES - len;
        size_t taken = piece->iov_len < room ? piece->iov_len : room;

        memcpy(record + len, piece->iov_base, taken);
        len += taken;
    }
    return http_transport_send(connection, record, len);
}

void http_transport_end(struct http_connection *connection)
{
    if (connection->transport == TRANSPORT_TLS) {
        ERR_clear_error();
        (void)SSL_shutdown(connection->ssl); /* what finds no room is lost, as the answer is */
    }
    if (connection->ssl != NULL) {
        drop_session(connection, TRANSPORT_ENDED);
    }
}
