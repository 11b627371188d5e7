/*
 * Addresses, and listening sockets. net_listen resolves the address, binds and listens; any
 * step may fail (a host name that does not resolve, a port in use), and the error names the
 * address.
 *
 * A socket file left by a killed process is removed first. One that another process listens on
 * is ST_BUSY, and so is a file that is not a socket: nothing of somebody else's is removed.
 */
#include "common/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/buf.h"

#define UNIX_PREFIX "unix:"

static enum status parse_unix(const char *path, struct net_address *out, struct err *err)
{
    size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

    if (path[0] != '/') {
        return err_set(err, ST_INVALID,
                       "a unix socket needs an absolute path, such as unix:/run/x.sock");
    }
    if (strlen(path) > longest) {
        return err_set(err, ST_INVALID, "a unix socket's path has at most %zu bytes", longest);
    }
    out->family = NET_UNIX;
    (void)snprintf(out->host, sizeof(out->host), "%s", path);
    return ST_OK;
}

static enum status parse_port(const char *text, uint16_t *out_port, struct err *err)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || port > 65535) {
        return err_set(err, ST_INVALID, "\"%s\" is not a port from 0 to 65535", text);
    }
    *out_port = (uint16_t)port;
    return ST_OK;
}

/* `*` and `0` are 0.0.0.0, 127.1 is 127.0.0.1: getaddrinfo(3) takes them, and whoever compares
 * addresses must see the same one. Names stay. */
static void spell_out(struct net_address *address)
{
    static const char numeric[] = "0123456789abcdefABCDEFxX.";
    struct in6_addr ipv6;
    struct in_addr ipv4 = {INADDR_ANY};
    char *host = address->host;

    if (address->family == NET_IPV6 && inet_pton(AF_INET6, host, &ipv6) == 1) {
        (void)inet_ntop(AF_INET6, &ipv6, host, sizeof(address->host)); /* it fits */
    }
    if (address->family == NET_IPV4 &&
        (strcmp(host, "*") == 0 ||
         (host[strspn(host, numeric)] == '\0' && inet_aton(host, &ipv4) != 0))) {
        (void)inet_ntop(AF_INET, &ipv4, host, sizeof(address->host));
    }
}

bool net_is_any(const struct net_address *address)
{
    return strcmp(address->host, "0.0.0.0") == 0 || strcmp(address->host, "::") == 0;
}

const char *net_reachable_host(const struct net_address *address)
{
    if (!net_is_any(address)) {
        return address->host;
    }
    return address->family == NET_IPV6 ? "::1" : "127.0.0.1";
}

enum status net_parse_address(const char *text, struct net_address *out_address,
                              struct err *err)
{
    struct net_address address = {.family = NET_IPV4};
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t host_len;
    enum status st;

    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
        st = parse_unix(text + strlen(UNIX_PREFIX), &address, err);
        goto out;
    }
    host_len = colon == NULL ? 0 : (size_t)(colon - text);
    if (host_len > 2 && host[0] == '[' && host[host_len - 1] == ']') {
        address.family = NET_IPV6;
        host++;
        host_len -= 2;
    }
    if (host_len == 0 || host_len >= sizeof(address.host) ||
        (address.family == NET_IPV4 && strcspn(host, ":[]") < host_len)) {
        st = err_set(
            err, ST_INVALID,
            "\"%s\" is not an address such as 127.0.0.1:8080, [::]:8080 or unix:/run/x.sock",
            text);
        goto out;
    }
    memcpy(address.host, host, host_len);
    spell_out(&address);
    st = parse_port(colon + 1, &address.port, err);
out:
    if (st == ST_OK) {
        *out_address = address;
    }
    return st;
}

bool net_is_loopback(const struct net_address *address)
{
    struct in_addr ipv4;

    if (inet_pton(AF_INET, address->host, &ipv4) == 1) {
        return ntohl(ipv4.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    return address->family == NET_UNIX || strcmp(address->host, "::1") == 0 ||
           strcmp(address->host, "localhost") == 0;
}

/* 0 if somebody listens there, else the errno of the attempt to connect. */
static int connect_errno(const struct sockaddr_un *sun)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed =
        fd < 0 || connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0 ? errno : 0;

    if (fd >= 0) {
        (void)close(fd); /* nothing was sent */
    }
    return failed;
}

/* A killed process leaves its socket file behind. */
static enum status remove_stale_unix(const struct sockaddr_un *sun, struct err *err)
{
    struct stat info;
    int failed;

    if (lstat(sun->sun_path, &info) != 0) {
        return ST_OK;
    }
    if (!S_ISSOCK(info.st_mode)) {
        return err_set(err, ST_BUSY, "%s exists and is not a socket", sun->sun_path);
    }
    failed = connect_errno(sun);
    if (failed == 0) {
        return err_set(err, ST_BUSY, "another process listens on %s", sun->sun_path);
    }
    if (failed != ECONNREFUSED) {
        return err_set_errno(err, ST_IO, failed, "check for a listener on %s", sun->sun_path);
    }
    if (unlink(sun->sun_path) != 0) {
        return err_set_errno(err, ST_IO, errno, "remove the stale socket %s", sun->sun_path);
    }
    return ST_OK;
}

static enum status bind_and_listen(int family, const struct sockaddr *sa, socklen_t sa_len,
                                   int *out_fd, struct err *err)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0) {
        return err_set_errno(err, ST_IO, errno, "socket");
    }
    if ((family != AF_UNIX && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) ||
        (family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        bind(fd, sa, sa_len) != 0 || listen(fd, SOMAXCONN) != 0) {
        int saved = errno;

        (void)close(fd);
        return err_set_errno(err, saved == EADDRINUSE ? ST_BUSY : ST_IO, saved, "bind");
    }
    *out_fd = fd;
    return ST_OK;
}

static enum status listen_unix(const char *path, int *out_fd, struct err *err)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    enum status st;

    memcpy(sun.sun_path, path, strnlen(path, sizeof(sun.sun_path) - 1));
    st = remove_stale_unix(&sun, err);
    if (st != ST_OK) {
        return st;
    }
    return bind_and_listen(AF_UNIX, (const struct sockaddr *)&sun, sizeof(sun), out_fd, err);
}

static enum status listen_tcp(const struct net_address *address, int *out_fd, struct err *err)
{
    struct addrinfo hints = {.ai_family = address->family == NET_IPV6 ? AF_INET6 : AF_INET,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    enum status st;
    int rc;

    (void)snprintf(port, sizeof(port), "%u", address->port);
    rc = getaddrinfo(address->host, port, &hints, &found);
    if (rc != 0) {
        return err_set(err, ST_INVALID, "resolve %s: %s", address->host, gai_strerror(rc));
    }
    st = bind_and_listen(found->ai_family, found->ai_addr, found->ai_addrlen, out_fd, err);
    freeaddrinfo(found);
    return st;
}

enum status net_listen(const struct net_address *address, int *out_fd, struct err *err)
{
    enum status st;

    if (address->family == NET_UNIX) {
        st = listen_unix(address->host, out_fd, err);
    } else {
        st = listen_tcp(address, out_fd, err);
    }
    if (st != ST_OK && err != NULL) {
        (void)err_wrap(err, "listen on %s port %u", address->host, address->port);
    }
    return st;
}

void net_local_text(int fd, char *out_text, size_t size_bytes)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } sa;
    socklen_t len = sizeof(sa);
    char host[INET6_ADDRSTRLEN] = "?";

    memset(&sa, 0, sizeof(sa));
    if (getsockname(fd, &sa.any, &len) != 0) {
        (void)snprintf(out_text, size_bytes, "?");
    } else if (sa.any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &sa.in6.sin6_addr, host, sizeof(host));
        (void)snprintf(out_text, size_bytes, "[%s]:%u", host, ntohs(sa.in6.sin6_port));
    } else if (sa.any.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &sa.in.sin_addr, host, sizeof(host));
        (void)snprintf(out_text, size_bytes, "%s:%u", host, ntohs(sa.in.sin_port));
    } else {
        (void)snprintf(out_text, size_bytes, UNIX_PREFIX "%s", sa.un.sun_path);
    }
}
