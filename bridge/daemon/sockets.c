/*
 * The sockets of the two listeners: handed over by the service manager, or bound here. An address
 * that is wrong or in use is an error that names it, and stops the start; sockets that were opened
 * before are closed with the others.
 */
#include "bridge/daemon/internal.h"

#include <errno.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/net.h"
#include "common/service.h"

void daemon_sockets_take(struct sockets *ingress, struct sockets *admin)
{
    struct service_socket given[SERVICE_SOCKETS_MAX];
    size_t count = service_take_sockets(given);

    for (size_t i = 0; i < count; i++) {
        struct sockets *sockets = strcmp(given[i].name, "admin") == 0 ? admin : ingress;

        if (sockets->count < DAEMON_MAX_LISTENERS) {
            sockets->fds[sockets->count++] = given[i].fd;
            sockets->activated = true;
        }
    }
}

enum status daemon_sockets_open(struct sockets *sockets, const struct config_list *listen,
                                mode_t mode, struct err *err)
{
    for (size_t i = 0; !sockets->activated && i < listen->count && i < DAEMON_MAX_LISTENERS;
         i++) {
        struct net_address address;
        enum status st = net_parse_address(listen->items[i], &address, err);

        if (st == ST_OK) {
            st = net_listen(&address, &sockets->fds[sockets->count], err);
        }
        if (st != ST_OK) {
            return st;
        }
        sockets->count++;
        if (address.family == NET_UNIX && chmod(address.host, mode) != 0) {
            return err_set_errno(err, ST_IO, errno, "change the mode of %s", address.host);
        }
    }
    return ST_OK;
}

void daemon_sockets_log(const struct sockets *sockets, const char *listener)
{
    for (size_t i = 0; i < sockets->count; i++) {
        char address[300];

        net_local_text(sockets->fds[i], address, sizeof(address));
        log_info("listening", L_STR("listener", listener), L_STR("address", address));
    }
}

void daemon_sockets_close(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        char address[300];

        net_local_text(sockets->fds[i], address, sizeof(address));
        (void)close(sockets->fds[i]); /* a listening socket has no data to lose */
        if (!sockets->activated && strncmp(address, "unix:", 5) == 0) {
            (void)unlink(address + 5); /* if it stays, the next start removes it */
        }
    }
    sockets->count = 0;
}

bool daemon_tls_files(const struct config *config, enum metric_listener listener,
                      struct tls_files *out_files)
{
    const struct config_tls *tls =
        listener == LISTENER_INGRESS ? &config->ingress.tls : &config->admin.tls;

    *out_files = (struct tls_files){.cert_file = tls->cert_file,
                                    .key_file = tls->key_file,
                                    .client_ca_file = tls->client_ca_file};
    return tls->cert_file != NULL;
}
