/*
 * Paho's bookkeeping of unfinished writes, made safe, in the same way as in seam.c.
 *
 * Its thread finishes writes under the lock of its sockets alone, while others begin writes, or look for
 * unfinished ones, in the same lists and over the same TLS connection without it. With large messages
 * over a slow line that breaks the lists, and OpenSSL is handed what has been freed. Here each of those
 * calls takes that lock, too. It comes after Paho's global one, as everywhere in Paho.
 *
 * The prototypes are Paho's (src/Socket.h, SSLSocket.h of 1.3.12); those headers are not installed.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>

#include <openssl/ssl.h>

#include "common/check.h"

extern pthread_mutex_t *socket_mutex;

/* PacketBuffers */
struct paho_buffers {
    int count;
    char **data;
    size_t *len;
    int *frees;
    uint8_t mask[4];
};
int __real_Socket_putdatas(int socket, char *head, size_t len, struct paho_buffers rest);
int __wrap_Socket_putdatas(int socket, char *head, size_t len, struct paho_buffers rest);
int __real_SSLSocket_putdatas(SSL *ssl, int socket, char *head, size_t len,
                              struct paho_buffers rest);
int __wrap_SSLSocket_putdatas(SSL *ssl, int socket, char *head, size_t len,
                              struct paho_buffers rest);
int __real_Socket_noPendingWrites(int socket);
int __wrap_Socket_noPendingWrites(int socket);
int __real_SSLSocket_getPendingRead(void);
int __wrap_SSLSocket_getPendingRead(void);

/* False: this thread has it already. Paho's mutexes check for that. */
static bool lock_sockets(void)
{
    int rc = pthread_mutex_lock(socket_mutex);

    CHECK(rc == 0 || rc == EDEADLK);
    return rc == 0;
}

static void unlock_sockets(bool locked)
{
    if (locked) {
        CHECK(pthread_mutex_unlock(socket_mutex) == 0);
    }
}

int __wrap_Socket_putdatas(int socket, char *head, size_t len, struct paho_buffers rest)
{
    bool locked = lock_sockets();
    int rc = __real_Socket_putdatas(socket, head, len, rest);

    unlock_sockets(locked);
    return rc;
}

int __wrap_SSLSocket_putdatas(SSL *ssl, int socket, char *head, size_t len,
                              struct paho_buffers rest)
{
    bool locked = lock_sockets();
    int rc = __real_SSLSocket_putdatas(ssl, socket, head, len, rest);

    unlock_sockets(locked);
    return rc;
}

int __wrap_Socket_noPendingWrites(int socket)
{
    bool locked = lock_sockets();
    int rc = __real_Socket_noPendingWrites(socket);

    unlock_sockets(locked);
    return rc;
}

int __wrap_SSLSocket_getPendingRead(void)
{
    bool locked = lock_sockets();
    int rc = __real_SSLSocket_getPendingRead();

    unlock_sockets(locked);
    return rc;
}
