/*
 * Functions of Paho's that we replace at link time (`ld --wrap`, PAHO=lean): its calls of X go to
 * __wrap_X here, and __real_X is Paho's own. Nothing is patched. While a connection is set up:
 *
 *  - Socket_new takes the socket that dial.c has connected. Paho would look up the name under its
 *    lock, try one address, and say nothing about why.
 *  - SSLSocket_connect has OpenSSL check the certificate as tls.c says, and keeps the reason.
 *  - Socket_getdata and SSLSocket_getdata gather the answer to a WebSocket upgrade, of any length
 *    and in any pieces (upgrade.c).
 *  - Socket_getch and SSLSocket_getch see whether what comes after CONNECT is MQTT;
 *    MQTTPacket_send_connect, what came before it.
 *
 * And while one lives:
 *
 *  - MQTTProtocol_keepalive does not give up a connection over which bytes still move: a large
 *    message on a slow line keeps the answer to a ping waiting for longer than the keep-alive.
 *
 * The prototypes are Paho's (src/Socket.h, SSLSocket.h, MQTTPacketOut.h, MQTTProtocolClient.h of 1.3.12); those headers
 * are not installed. What Paho's thread does here it does under Paho's lock.
 */
#include "bridge/mqtt/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/clock.h"

enum { PAHO_COMPLETE = 0, PAHO_ERROR = -1, PAHO_INTERRUPTED = -22, PAHO_SSL_FATAL = -3 };

/* The beginning of Paho's own state about sockets (Sockets in src/Socket.h). */
struct paho_sockets {
    void *connect_pending;
};
extern struct paho_sockets mod_s;
extern pthread_mutex_t *socket_mutex;
void *ListAppend(void *list, void *content, size_t size);
int Socket_addSocket(int socket);

int __real_Socket_new(const char *host, size_t host_len, int port, int *out_socket,
                      long timeout);
int __wrap_Socket_new(const char *host, size_t host_len, int port, int *out_socket,
                      long timeout);
int __wrap_SSLSocket_connect(SSL *ssl, int socket, const char *host, int verify,
                             int (*on_error)(const char *, size_t, void *), void *ctx);
char *__real_Socket_getdata(int socket, size_t bytes, size_t *out_len, int *out_rc);
char *__wrap_Socket_getdata(int socket, size_t bytes, size_t *out_len, int *out_rc);
char *__real_SSLSocket_getdata(SSL *ssl, int socket, size_t bytes, size_t *out_len,
                               int *out_rc);
char *__wrap_SSLSocket_getdata(SSL *ssl, int socket, size_t bytes, size_t *out_len,
                               int *out_rc);
int __real_Socket_getch(int socket, char *out);
int __wrap_Socket_getch(int socket, char *out);
int __real_SSLSocket_getch(SSL *ssl, int socket, char *out);
int __wrap_SSLSocket_getch(SSL *ssl, int socket, char *out);
int __real_MQTTPacket_send_connect(void *client, int version, void *properties,
                                   void *will_properties);
int __wrap_MQTTPacket_send_connect(void *client, int version, void *properties,
                                   void *will_properties);
void __real_MQTTProtocol_keepalive(struct timespec now);
void __wrap_MQTTProtocol_keepalive(struct timespec now);

/* The one that is being made. Paho makes one at a time. */
static _Atomic(struct attempt *) current;
static _Atomic int64_t quiet_until_ms;

const bool mqtt_seam_is_there = true;

void mqtt_seam_enter(struct attempt *attempt)
{
    atomic_store(&current, attempt);
}

void mqtt_seam_leave(void)
{
    atomic_store(&current, NULL);
}

void mqtt_seam_moved(int64_t mono_ms, int keep_alive_s)
{
    atomic_store(&quiet_until_ms, mono_ms + (int64_t)keep_alive_s * 1000);
}

static struct attempt *attempt_of(int socket)
{
    struct attempt *attempt = atomic_load(&current);

    return attempt != NULL && attempt->fd == socket ? attempt : NULL;
}

/* --- the socket --- */

int __wrap_Socket_new(const char *host, size_t host_len, int port, int *out_socket,
                      long timeout)
{
    struct attempt *attempt = atomic_load(&current);
    int *pending;

    if (attempt == NULL) {
        return __real_Socket_new(host, host_len, port, out_socket, timeout);
    }
    *out_socket = attempt->fd;
    attempt->taken = true;
    if (Socket_addSocket(attempt->fd) == PAHO_ERROR) {
        return PAHO_ERROR;
    }
    /* As if it were still connecting. Paho's thread finds it writable at once, and goes the way that
     * is most used: Paho starts a WebSocket twice over a socket that is connected from the start. */
    pending = xalloc(sizeof(*pending));
    *pending = attempt->fd;
    CHECK(pthread_mutex_lock(socket_mutex) == 0);
    CHECK(ListAppend(mod_s.connect_pending, pending, sizeof(*pending)) != NULL);
    CHECK(pthread_mutex_unlock(socket_mutex) == 0);
    return EINPROGRESS;
}

/* --- TLS --- */

int __wrap_SSLSocket_connect(SSL *ssl, int socket, const char *host, int verify,
                             int (*on_error)(const char *, size_t, void *), void *ctx)
{
    struct attempt *attempt = attempt_of(socket);
    int rc, error;

    (void)host;
    (void)verify;
    (void)on_error;
    (void)ctx;
    if (attempt == NULL) {
        return PAHO_SSL_FATAL;
    }
    if (!attempt->tls_prepared) {
        mqtt_tls_prepare(ssl, attempt->server);
        attempt->tls_prepared = true;
        attempt->ssl = ssl;
    }
    ERR_clear_error();
    rc = SSL_connect(ssl);
    if (rc == 1) {
        attempt->stage = attempt->server->websocket ? STAGE_UPGRADE : STAGE_CONNACK;
        return rc;
    }
    error = SSL_get_error(ssl, rc);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return PAHO_INTERRUPTED;
    }
    mqtt_tls_explain(ssl, attempt);
    return PAHO_SSL_FATAL;
}

/* --- the answer to a WebSocket upgrade --- */

/* Paho does not look for the end of a connection while it waits for the upgrade. So it is told that
 * all is well, and finds the end when it waits for CONNACK. */
static void fail_upgrade(struct attempt *attempt)
{
    attempt->broken = true;
    (void)shutdown(attempt->fd, SHUT_RDWR); /* wakes Paho's thread */
    mqtt_upgrade_accept(&attempt->response, SLICE(""));
}

/* Takes what recv or SSL_read got; end: there will be no more. True: there is an answer for Paho. */
static bool gather(struct attempt *attempt, const char *data, int got, bool end)
{
    enum upgrade found = UPGRADE_PARTIAL;

    if (got > 0) {
        buf_add(&attempt->response, data, (size_t)got);
        found = mqtt_upgrade_read(&attempt->response, attempt->why, sizeof(attempt->why));
    } else if (end) {
        attempt->closed = true;
        found = UPGRADE_REFUSED;
    }
    if (found == UPGRADE_REFUSED) {
        fail_upgrade(attempt);
    }
    return found != UPGRADE_PARTIAL;
}

/* Reads once: all of it, since what OpenSSL has already read wakes nobody. False: no more for now. */
static bool gather_more(struct attempt *attempt, SSL *ssl)
{
    char piece[1024];
    bool later;
    int got;

    ERR_clear_error();
    got = ssl != NULL ? SSL_read(ssl, piece, sizeof(piece))
                      : (int)recv(attempt->fd, piece, sizeof(piece), 0);
    later = got < 0 && (errno == EAGAIN || errno == EINTR);

    if (ssl != NULL && got <= 0) {
        int error = SSL_get_error(ssl, got);

        later = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    }
    attempt->upgraded = gather(attempt, piece, got, !later);
    return !later;
}

/* The next bytes of the answer. Paho asks twice, and copies each time. */
static char *give(struct attempt *attempt, size_t bytes, size_t *out_len, int *out_rc)
{
    char *data = attempt->response.data + attempt->response_at;
    size_t left = attempt->response.len - attempt->response_at;
    size_t len = bytes < left ? bytes : left;

    attempt->response_at += len;
    if (len == left && !attempt->broken) {
        attempt->stage = STAGE_CONNACK;
    }
    *out_len = len;
    *out_rc = (int)len;
    return data;
}

/* True: Paho must not read by itself, *out_data and the rest are what it gets. */
static bool read_upgrade(SSL *ssl, int socket, size_t bytes, char **out_data, size_t *out_len,
                         int *out_rc)
{
    struct attempt *attempt = attempt_of(socket);

    if (attempt == NULL || attempt->stage != STAGE_UPGRADE || bytes == 0) {
        return false;
    }
    *out_data = NULL;
    *out_len = 0;
    if (attempt->upgraded && attempt->response_at == attempt->response.len) {
        *out_rc = PAHO_ERROR; /* broken: all was well so far */
        return true;
    }
    while (!attempt->upgraded && gather_more(attempt, ssl)) {
    }
    if (!attempt->upgraded) {
        *out_rc = EAGAIN;
    } else {
        *out_data = give(attempt, bytes, out_len, out_rc);
    }
    return true;
}

char *__wrap_Socket_getdata(int socket, size_t bytes, size_t *out_len, int *out_rc)
{
    char *data;

    return read_upgrade(NULL, socket, bytes, &data, out_len, out_rc)
               ? data
               : __real_Socket_getdata(socket, bytes, out_len, out_rc);
}

char *__wrap_SSLSocket_getdata(SSL *ssl, int socket, size_t bytes, size_t *out_len, int *out_rc)
{
    char *data;

    return read_upgrade(ssl, socket, bytes, &data, out_len, out_rc)
               ? data
               : __real_SSLSocket_getdata(ssl, socket, bytes, out_len, out_rc);
}

/* --- the answer to CONNECT --- */

static void explain_answer(struct attempt *attempt, const unsigned char *head, int len)
{
    const char *why = "it answers with something that is not MQTT";

    if (len >= 5 && memcmp(head, "HTTP/", 5) == 0) {
        why = "it answers in HTTP, not in MQTT";
    } else if (len >= 2 && head[0] == 0x15 && head[1] == 3) { /* an alert */
        why = "it answers in TLS: use mqtts:// or wss://";
    }
    (void)snprintf(attempt->why, sizeof(attempt->why), "%s", why);
}

/* Looks at the first bytes after CONNECT and leaves them where they are. False: it is no CONNACK, or
 * the end. */
static bool may_be_connack(struct attempt *attempt, SSL *ssl)
{
    enum { CONNACK = 0x20 };
    unsigned char head[8];
    int got;

    ERR_clear_error();
    got = ssl != NULL ? SSL_peek(ssl, head, sizeof(head))
                      : (int)recv(attempt->fd, head, sizeof(head), MSG_PEEK);

    if (got > 0) {
        attempt->answered = head[0] == CONNACK;
        if (!attempt->answered) {
            explain_answer(attempt, head, got);
        }
        return attempt->answered;
    }
    if (ssl != NULL) {
        int error = SSL_get_error(ssl, got);

        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
            return true;
        }
        mqtt_tls_explain(ssl,
                         attempt); /* TLS 1.3: a missing client certificate shows only now */
        return false;
    }
    attempt->closed = got == 0 || (errno != EAGAIN && errno != EINTR);
    return !attempt->closed;
}

static bool is_end(int socket, SSL *ssl)
{
    struct attempt *attempt = attempt_of(socket);

    if (attempt == NULL || attempt->stage != STAGE_CONNACK || attempt->answered) {
        return false;
    }
    attempt->broken = attempt->broken || !may_be_connack(attempt, ssl);
    return attempt->broken;
}

int __wrap_Socket_getch(int socket, char *out)
{
    return is_end(socket, NULL) ? PAHO_ERROR : __real_Socket_getch(socket, out);
}

int __wrap_SSLSocket_getch(SSL *ssl, int socket, char *out)
{
    return is_end(socket, ssl) ? PAHO_ERROR : __real_SSLSocket_getch(ssl, socket, out);
}

/* The other side may have ended the connection before CONNECT was out; then Paho reads nothing more,
 * and the reason is still to be had. */
int __wrap_MQTTPacket_send_connect(void *client, int version, void *properties,
                                   void *will_properties)
{
    struct attempt *attempt = atomic_load(&current);
    int rc = __real_MQTTPacket_send_connect(client, version, properties, will_properties);

    if (rc == PAHO_ERROR && attempt != NULL && !attempt->broken) {
        attempt->broken = true;
        attempt->closed = may_be_connack(attempt, attempt->ssl) || attempt->closed;
    }
    return rc;
}

/* --- the keep-alive --- */

void __wrap_MQTTProtocol_keepalive(struct timespec now)
{
    if (clock_mono_ms() >= atomic_load(&quiet_until_ms)) {
        __real_MQTTProtocol_keepalive(now);
    }
}
