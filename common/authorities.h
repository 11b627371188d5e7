/*
 * authorities - where this system keeps the certificate authorities that it trusts.
 */
#ifndef COMMON_AUTHORITIES_H
#define COMMON_AUTHORITIES_H

#include <stdbool.h>

/* NULL: there is none. Constants, or the environment's. */
struct authorities {
    const char *bundle; /* one PEM file with all of them */
    const char *folder; /* files named by their hash; several separated by colons */
};

/* Any thread. The bundle: SSL_CERT_FILE, else the first that is there among those of the common
 * distributions. The folder: SSL_CERT_DIR, else likewise. Both count, as with OpenSSL's own tools.
 * False: there is neither. */
bool authorities_find(struct authorities *out_authorities);

#endif
