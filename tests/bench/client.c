#include "tests/bench/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/webhook.h"

enum {
    ANSWER_SIZE = 16384,
    RETRY_AFTER_US = 10000, /* how soon to try again if the server is away or full */
    TICK_US = 1000,         /* how often waiting connections are checked */
};

enum phase { WAITING, SENDING, READING };

struct connection {
    int fd; /* -1: not connected */
    enum phase phase;
    bool pending; /* webhook is a request that is not settled yet */
    int64_t due_us;
    int64_t started_us;
    size_t gid; /* of the next event; grows by the number of connections */
    struct webhook webhook;
    size_t sent;
    char answer[ANSWER_SIZE + 1];
    size_t answer_len;
};

struct client {
    const struct client_options *options;
    const volatile sig_atomic_t *stop;
    struct signer *signer;
    FILE *record;
    int epoll;
    struct connection *connections;
    uint64_t *sequences; /* by gid: the newest sequence */
    size_t live_count;   /* SENDING or READING */
    uint64_t begun;      /* distinct webhooks, not attempts */
    int64_t start_us, end_us;
    bool over; /* begin no more webhooks */
    struct client_result *result;
};

static void die(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* True if one more webhook may begin: within the count, the time and the rate. */
static bool may_begin(const struct client *client, int64_t now)
{
    const struct client_options *options = client->options;
    double elapsed_s = (double)(now - client->start_us) / 1e6;

    if (client->over || (options->count > 0 && client->begun >= options->count)) {
        return false;
    }
    return options->rate <= 0 || (double)client->begun < elapsed_s * options->rate;
}

static bool is_over(const struct client *client, int64_t now)
{
    const struct client_options *options = client->options;

    if (*client->stop) {
        return true;
    }
    if (options->seconds > 0 && (double)(now - client->start_us) >= options->seconds * 1e6) {
        return true;
    }
    if (options->count == 0 || client->begun < options->count) {
        return false;
    }
    for (size_t i = 0; i < options->connection_count; i++) {
        if (client->connections[i].pending) {
            return false;
        }
    }
    return true;
}

static void set_phase(struct client *client, struct connection *c, enum phase phase)
{
    client->live_count -= c->phase != WAITING;
    client->live_count += phase != WAITING;
    c->phase = phase;
}

static void wait_until(struct client *client, struct connection *c, int64_t due_us)
{
    set_phase(client, c, WAITING);
    c->due_us = due_us;
}

static void disconnect(struct connection *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
}

/* The request under way did not get an answer that settles it. */
static void try_again(struct client *client, struct connection *c)
{
    const struct client_options *options = client->options;
    bool give_up = (unsigned)rand() % 100 < options->abandon_percent;

    if (!options->retry || give_up) {
        client->result->abandoned++;
        c->pending = false;
    }
    wait_until(client, c, now_us() + RETRY_AFTER_US);
}

static void connection_lost(struct client *client, struct connection *c)
{
    disconnect(c);
    if (c->phase == SENDING && c->sent == 0) {
        wait_until(client, c, now_us() + RETRY_AFTER_US); /* never connected: not an attempt */
    } else if (c->phase != WAITING) {
        client->result->unanswered++;
        try_again(client, c);
    }
}

static int connect_tcp(const struct client_options *options)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)options->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0) {
        die("socket");
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS) {
        return fd;
    }
    close(fd);
    return -1;
}

static int connect_unix(const struct client_options *options)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        die("socket");
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", options->unix_path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        return fd;
    }
    close(fd);
    return -1;
}

static bool connection_open(struct client *client, struct connection *c)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};

    c->fd = client->options->unix_path ? connect_unix(client->options)
                                       : connect_tcp(client->options);
    if (c->fd >= 0 && epoll_ctl(client->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        die("epoll_ctl");
    }
    return c->fd >= 0;
}

static void connection_send(struct client *client, struct connection *c)
{
    while (c->sent < c->webhook.len) {
        ssize_t n =
            send(c->fd, c->webhook.request + c->sent, c->webhook.len - c->sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n < 0) {
            connection_lost(client, c);
            return;
        }
        c->sent += (size_t)n;
    }
    set_phase(client, c, READING);
}

/* Sends the pending webhook, or the next one if it may begin; else waits. */
static void connection_go_on(struct client *client, struct connection *c, int64_t now)
{
    if (!c->pending) {
        if (!may_begin(client, now)) {
            wait_until(client, c, now + TICK_US);
            return;
        }
        webhook_write(&c->webhook, client->signer, c->gid, ++client->sequences[c->gid]);
        c->gid += client->options->connection_count;
        if (c->gid >= client->options->gid_count) {
            c->gid %= client->options->connection_count;
        }
        c->pending = true;
        client->begun++;
    }
    if (c->fd < 0 && !connection_open(client, c)) {
        wait_until(client, c, now + RETRY_AFTER_US);
        return;
    }
    c->sent = 0;
    c->answer_len = 0;
    c->started_us = now;
    set_phase(client, c, SENDING);
    connection_send(client, c);
}

/* A 200: records which webhook was accepted, and with which id. */
static void record_answer(struct client *client, const struct connection *c, const char *body)
{
    bool duplicate = strstr(body, "\"duplicate\"") != NULL;
    const char *id = strstr(body, "\"id\":\"");

    if (duplicate) {
        client->result->duplicates++;
    } else {
        client->result->accepted++;
    }
    if (client->record) {
        int id_len = id ? (int)strcspn(id + 6, "\"") : 1;

        fprintf(client->record, "%s %llu %.*s %s\n", c->webhook.gid,
                (unsigned long long)c->webhook.sequence, id_len, id ? id + 6 : "-",
                duplicate ? "duplicate" : "accepted");
    }
}

static void answered(struct client *client, struct connection *c, const char *body)
{
    int status = (int)strtol(c->answer + strlen("HTTP/1.1 "), NULL, 10);
    int64_t now = now_us();

    client->result->statuses[status > 0 && status < STATUS_END ? status : 0]++;
    histogram_add(&client->result->latency, now - c->started_us);
    client->end_us = now;
    if (strcasestr(c->answer, "\r\nConnection: close\r\n")) {
        disconnect(c);
    }
    if (status >= 500) {
        try_again(client, c);
        return;
    }
    if (status == 200) {
        record_answer(client, c, body);
    }
    c->pending = false;
    connection_go_on(client, c, now);
}

/* The answer's body once it is complete, else NULL. */
static char *whole_answer(struct connection *c)
{
    char *end, *length;
    size_t body_len;

    c->answer[c->answer_len] = '\0';
    end = strstr(c->answer, "\r\n\r\n");
    if (!end) {
        return NULL;
    }
    length = strcasestr(c->answer, "\r\nContent-Length:");
    body_len =
        length && length < end ? strtoul(length + strlen("\r\nContent-Length:"), NULL, 10) : 0;
    end += 4;
    return c->answer_len >= (size_t)(end - c->answer) + body_len ? end : NULL;
}

static void connection_read(struct client *client, struct connection *c)
{
    while (c->fd >= 0) {
        ssize_t n = recv(c->fd, c->answer + c->answer_len, ANSWER_SIZE - c->answer_len, 0);
        char *body;

        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            connection_lost(client, c);
            return;
        }
        c->answer_len += (size_t)n;
        body = c->phase == READING ? whole_answer(c) : NULL;
        if (body) {
            answered(client, c, body);
            return;
        }
    }
}

/* Continues waiting connections that are due; cuts those whose answer takes too long. */
static void tick(struct client *client, int64_t now)
{
    int64_t timeout_us = (int64_t)(client->options->timeout_s * 1e6);

    for (size_t i = 0; i < client->options->connection_count; i++) {
        struct connection *c = &client->connections[i];

        if (c->phase == WAITING && now >= c->due_us && !client->over) {
            connection_go_on(client, c, now);
        } else if (c->phase != WAITING && now - c->started_us > timeout_us) {
            client->result->timeouts++;
            connection_lost(client, c);
        }
    }
}

static void run_loop(struct client *client)
{
    int64_t next_tick_us = 0;

    client->start_us = now_us();
    client->end_us = client->start_us;
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(client->epoll, events, 64, 1);
        int64_t now = now_us();

        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;

            if (c->phase == SENDING) {
                connection_send(client, c);
            }
            if (c->phase != SENDING || (events[i].events & (EPOLLERR | EPOLLHUP))) {
                connection_read(client, c);
            }
        }
        client->over |= is_over(client, now);
        if (client->over && client->live_count == 0) {
            return;
        }
        if (now >= next_tick_us) {
            tick(client, now);
            next_tick_us = now + TICK_US;
        }
    }
}

static void prepare(struct client *client)
{
    const struct client_options *options = client->options;

    client->signer =
        signer_create(options->secret, options->path, options->body_size, options->gid_prefix);
    client->connections = calloc(options->connection_count, sizeof *client->connections);
    client->sequences = calloc(options->gid_count, sizeof *client->sequences);
    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!client->connections || !client->sequences || client->epoll < 0) {
        die("start");
    }
    if (options->record_path && !(client->record = fopen(options->record_path, "we"))) {
        die(options->record_path);
    }
    for (size_t i = 0; i < options->connection_count; i++) {
        client->connections[i].fd = -1;
        client->connections[i].gid = i;
    }
    srand(options->seed);
}

static void finish(struct client *client)
{
    for (size_t i = 0; i < client->options->connection_count; i++) {
        disconnect(&client->connections[i]);
        free(client->connections[i].webhook.request);
    }
    if (client->record && fclose(client->record) != 0) {
        die(client->options->record_path);
    }
    signer_destroy(client->signer);
    free(client->connections);
    free(client->sequences);
    close(client->epoll);
}

void client_run(const struct client_options *options, const volatile sig_atomic_t *stop,
                struct client_result *out_result)
{
    struct client client = {.options = options, .stop = stop, .result = out_result};

    *out_result = (struct client_result){0};
    prepare(&client);
    run_loop(&client);
    finish(&client);
    out_result->seconds = (double)(client.end_us - client.start_us) / 1e6;
}
