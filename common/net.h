/*
 * net - listening sockets: host:port, [v6]:port, unix:/path.
 */
#ifndef COMMON_NET_H
#define COMMON_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

enum net_family { NET_IPV4, NET_IPV6, NET_UNIX };

/* One address to listen on, as the configuration names it. */
struct net_address {
    enum net_family family;
    char host[256]; /* numeric address as inet_ntop(3) writes it, or name; for unix: the path */
    uint16_t port;  /* 0: the kernel picks one */
};

/* Pure. Reads "127.0.0.1:8080", "localhost:8080", "*:8080", "[::]:8080" or "unix:/run/x.sock". */
enum status net_parse_address(const char *text, struct net_address *out_address,
                              struct err *err) MUST_USE;
/* Pure. True if only this machine can connect: 127/8, ::1, localhost, unix. */
bool net_is_loopback(const struct net_address *address);

/* Pure. True if it stands for all addresses of its family. */
bool net_is_any(const struct net_address *address);
/* Pure. The host at which this machine reaches a listener: all addresses include the loopback. */
const char *net_reachable_host(const struct net_address *address);

/* Any thread. Binds and listens: non-blocking, close-on-exec, SO_REUSEADDR; IPv6 sockets are
 * IPv6 only. A stale unix socket is removed first; one that another process listens on is
 * ST_BUSY. Gives a descriptor. */
enum status net_listen(const struct net_address *address, int *out_fd,
                       struct err *err) MUST_USE;

/* Any thread. The address of a listening socket as text, with the port that the kernel
 * picked. */
void net_local_text(int fd, char *out_text, size_t size_bytes);

#endif
