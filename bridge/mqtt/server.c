/* Takes the address of a broker apart: mqtt://, mqtts://, ws:// or wss://, then host or [ipv6], then
 * port and path if they are said. The configuration has checked it; what is not such an address is
 * an error here, too. */
#include "bridge/mqtt/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

static const struct {
    const char *ours, *paho;
    uint16_t port;
    bool tls, websocket;
} schemes[] = {
    {"mqtt://", "tcp://", 1883, false, false},
    {"mqtts://", "ssl://", 8883, true, false},
    {"ws://", "ws://", 80, false, true},
    {"wss://", "wss://", 443, true, true},
};

static bool is_literal(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1 ||
           strchr(host, ':') != NULL; /* with a zone: fe80::1%eth0 */
}

/* At the host. False: there is none, or it is too long. */
static bool take_host(const char *text, struct server *out)
{
    bool brackets = text[0] == '[';
    size_t len = strcspn(text + brackets, brackets ? "]" : ":/");
    const char *rest = text + brackets + len;

    if (len == 0 || len >= sizeof(out->host) || (brackets && *rest != ']')) {
        return false;
    }
    memcpy(out->host, text + brackets, len);
    out->host[len] = '\0';
    out->literal = is_literal(out->host);
    rest += brackets;
    if (*rest == ':') {
        unsigned long port = strtoul(rest + 1, NULL, 10);

        out->port = (uint16_t)port;
        return port > 0 && port <= UINT16_MAX;
    }
    return true;
}

enum status mqtt_server_parse(const char *text, struct server *out_server, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        const char *host = text + strlen(schemes[i].ours);
        struct server server = {
            .port = schemes[i].port, .tls = schemes[i].tls, .websocket = schemes[i].websocket};
        int n;

        if (strncmp(text, schemes[i].ours, strlen(schemes[i].ours)) != 0) {
            continue;
        }
        n = snprintf(server.uri, sizeof(server.uri), "%s%s", schemes[i].paho, host);
        if (n < 0 || (size_t)n >= sizeof(server.uri) || !take_host(host, &server)) {
            break;
        }
        *out_server = server;
        return ST_OK;
    }
    return err_set(err, ST_INVALID, "not an address of a broker");
}
