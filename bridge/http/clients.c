/*
 * Who holds how much: connections, and bytes of bodies, by the address that they come from. An
 * IPv6 address counts with its /64, which is what one client has; a unix socket is one client.
 *
 * What many want is shared so that the greedy do not take it all. One client may hold at most
 * HELD_SHARE times as many bytes as are still free: alone three quarters of all, and of any number
 * of greedy ones together there is always something left. When connections run out, the client
 * that has most of them loses the oldest that has not sent a whole request (listen.c).
 *
 * An entry lives as long as a connection of its client; to have one costs a client a connection, so
 * the table is bounded by them.
 */
#include "bridge/http/internal.h"

#include <stdlib.h>
#include <string.h>

#include <sys/random.h>

enum {
    BUCKETS = 1024, /* a few connections each at the most that are usual */
    HELD_SHARE = 3,
    CROWD_SHARE = 4, /* of all connections: less than one in four is not a crowd */
};

void http_clients_init(struct http_server *server)
{
    server->clients = xalloc(BUCKETS * sizeof(struct http_client *));
    CHECK(getrandom(&server->client_seed, sizeof(server->client_seed), 0) ==
          (ssize_t)sizeof(server->client_seed));
}

/* The address of IPv4 as IPv6 maps it. */
static void key_of(const union http_peer *peer, uint8_t key[HTTP_CLIENT_KEY_SIZE])
{
    memset(key, 0, HTTP_CLIENT_KEY_SIZE);
    if (peer->any.sa_family == AF_INET) {
        memset(key + 10, 0xff, 2);
        memcpy(key + 12, &peer->in.sin_addr, 4);
    } else if (peer->any.sa_family == AF_INET6) {
        bool mapped = IN6_IS_ADDR_V4MAPPED(&peer->in6.sin6_addr);

        memcpy(key, &peer->in6.sin6_addr, mapped ? HTTP_CLIENT_KEY_SIZE : 8);
    }
}

/* Seeded, so that nobody can choose addresses that share a bucket. */
static struct http_client **bucket_of(const struct http_server *server,
                                      const uint8_t key[HTTP_CLIENT_KEY_SIZE])
{
    uint64_t halves[2], hash;

    memcpy(halves, key, sizeof(halves));
    hash = (halves[0] ^ server->client_seed) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ (hash >> 32) ^ halves[1]) * (server->client_seed | 1);
    return &server->clients[(hash ^ (hash >> 29)) >> 32 & (BUCKETS - 1)];
}

struct http_client *http_client_take(struct http_server *server, const union http_peer *peer)
{
    uint8_t key[HTTP_CLIENT_KEY_SIZE];
    struct http_client **bucket, *client;

    key_of(peer, key);
    bucket = bucket_of(server, key);
    for (client = *bucket; client != NULL; client = client->next) {
        if (memcmp(client->key, key, sizeof(key)) == 0) {
            client->connection_count++;
            return client;
        }
    }
    client = xalloc(sizeof(*client));
    memcpy(client->key, key, sizeof(key));
    client->connection_count = 1;
    client->next = *bucket;
    *bucket = client;
    return client;
}

void http_client_drop(struct http_server *server, struct http_client *client)
{
    struct http_client **at = bucket_of(server, client->key);

    if (--client->connection_count > 0) {
        return;
    }
    CHECK(client->held_bytes == 0);
    while (*at != client) {
        at = &(*at)->next;
    }
    *at = client->next;
    free(client);
}

bool http_client_may_hold(const struct http_server *server, const struct http_client *client,
                          uint64_t bytes)
{
    uint64_t room = server->max_held_bytes - server->held_bytes;

    return bytes <= room && client->held_bytes + bytes <= (room - bytes) * HELD_SHARE;
}

const struct http_client *http_client_crowding(const struct http_server *server)
{
    const struct http_client *most = NULL;

    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct http_client *c = server->clients[i]; c != NULL; c = c->next) {
            most = most == NULL || c->connection_count > most->connection_count ? c : most;
        }
    }
    return most != NULL && most->connection_count > 1 + server->max_connections / CROWD_SHARE
               ? most
               : NULL;
}
