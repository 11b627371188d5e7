/*
 * Distributions keep the same authorities in different places, and a container often has nothing
 * but the bundle, so a bundle and a folder are looked for, each by itself. The places are those of
 * Go's crypto/x509 (root_linux.go).
 */
#include "common/authorities.h"

#include <stddef.h>
#include <stdlib.h>

#include <unistd.h>

#include "common/check.h"

static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Gentoo, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
    "/etc/pki/tls/cacert.pem",                           /* OpenELEC */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* CentOS, RHEL 7 and later */
    "/etc/ssl/cert.pem",                                 /* Alpine */
};

static const char *const folders[] = {"/etc/ssl/certs", "/etc/pki/tls/certs"};

static const char *first_there(const char *const *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (access(paths[i], R_OK) == 0) {
            return paths[i];
        }
    }
    return NULL;
}

/* NULL: not set, or empty. */
static const char *from_environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool authorities_find(struct authorities *out_authorities)
{
    const char *bundle = from_environment("SSL_CERT_FILE");
    const char *folder = from_environment("SSL_CERT_DIR");

    if (bundle == NULL) {
        bundle = first_there(bundles, COUNT_OF(bundles));
    }
    if (folder == NULL) {
        folder = first_there(folders, COUNT_OF(folders));
    }
    *out_authorities = (struct authorities){.bundle = bundle, .folder = folder};
    return bundle != NULL || folder != NULL;
}
