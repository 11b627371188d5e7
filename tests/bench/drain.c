/*
 * drain - a fast MQTT 5 subscriber (QoS 0) that counts or records the events that arrive; and a
 * gate in front of the broker.
 *
 * With --record, each event adds a line `gid sequence id`: the topic's last level, "sequence"
 * in the body, and the user property `id`; in order of arrival. The file is written before
 * anything more is read.
 *
 * With --gate, publishers connect to that port, and the gate connects them to the broker, one
 * at a time, and only while this subscriber is subscribed. The broker writes an event to our
 * socket before it acknowledges it through the gate, so no acknowledged event is missing from
 * the record. Before a connection's first byte passes, a fence message goes through the broker;
 * when it comes back it adds a line `= n`. All arrivals up to the next fence came from the n-th
 * connection.
 *
 * If the broker goes away, waits for it. Prints `subscribed` at first, and counts as JSON at
 * SIGTERM or SIGINT.
 */
#include "tests/bench/packet.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INPUT_SIZE = 1 << 20, PIPE_SIZE = 1 << 16, RECONNECT_MS = 2 };

#define FENCE_TOPIC "drain/fence"

/* One direction of a connection through the gate. */
struct pipe {
    int from, to;
    bool ended; /* at its end */
    size_t len;
    char data[PIPE_SIZE];
};

struct gate {
    int port;           /* 0: none */
    int listen;         /* -1: closed, because we are not subscribed */
    int client, server; /* -1: no connection passes */
    bool open;          /* the fence has come back */
    unsigned fence;     /* the newest one sent */
    struct pipe up, down;
};

struct drain {
    int port;
    const char *filter;
    FILE *record;
    int broker; /* -1: not connected */
    bool subscribed;
    char *input;
    size_t input_len;
    struct gate gate;
    uint64_t messages, bytes, broker_losses;
};

static void die(const char *what)
{
    fprintf(stderr, "drain: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int tcp_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0) {
        die("socket");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* -1: nobody listens. */
static int connect_broker(int port)
{
    struct sockaddr_in address = loopback(port);
    int fd = tcp_socket();
    int size = 4 << 20;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        return fd;
    }
    close(fd);
    return -1;
}

static int listen_at(int port)
{
    struct sockaddr_in address = loopback(port);
    int fd = tcp_socket();
    int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 8) != 0) {
        die("listen at the gate");
    }
    return fd;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* False: the peer is gone. */
static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0) {
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* --- the gate --- */

static void pipe_begin(struct pipe *pipe, int from, int to)
{
    pipe->from = from;
    pipe->to = to;
    pipe->ended = false;
}

static void gate_accept(struct gate *gate, int broker_port, int subscriber)
{
    char packet[PACKET_SMALL];
    char number[16];

    gate->client = accept4(gate->listen, NULL, NULL, SOCK_CLOEXEC);
    gate->server = gate->client < 0 ? -1 : connect_broker(broker_port);
    if (gate->server < 0) {
        close_fd(&gate->client);
        return;
    }
    pipe_begin(&gate->up, gate->client, gate->server);
    pipe_begin(&gate->down, gate->server, gate->client);
    snprintf(number, sizeof number, "%u", ++gate->fence);
    /* If the broker has just gone away, both connections end, and the client tries again. */
    (void)send_all(subscriber, packet, packet_publish(packet, FENCE_TOPIC, number));
}

/* Passes on the bytes that have arrived. At the end of one direction the other continues until
 * its own end: the broker handles everything that a killed publisher has sent, and only then
 * closes. */
static void pipe_move(struct pipe *pipe)
{
    ssize_t n = recv(pipe->from, pipe->data, sizeof pipe->data, 0);

    if (n <= 0) {
        pipe->ended = true;
        shutdown(pipe->to, SHUT_WR);
        return;
    }
    /* Fails if the publisher was killed: its successor sends events without an answer again. */
    (void)send_all(pipe->to, pipe->data, (size_t)n);
}

static void gate_end_if_done(struct gate *gate)
{
    if (gate->client >= 0 && gate->up.ended && gate->down.ended) {
        close_fd(&gate->client);
        close_fd(&gate->server);
        gate->open = false;
    }
}

/* --- the subscriber --- */

static void subscriber_lost(struct drain *drain)
{
    struct gate *gate = &drain->gate;

    close_fd(&drain->broker);
    drain->input_len = 0;
    drain->broker_losses += drain->subscribed;
    drain->subscribed = false;
    close_fd(&gate->listen);
    if (!gate->open) {
        close_fd(&gate->client);
        close_fd(&gate->server);
    }
}

static void subscriber_connect(struct drain *drain)
{
    char packet[PACKET_SMALL];
    char client_id[32];

    drain->broker = connect_broker(drain->port);
    if (drain->broker < 0) {
        return;
    }
    snprintf(client_id, sizeof client_id, "drain-%d", (int)getpid());
    if (!send_all(drain->broker, packet, packet_connect(packet, client_id)) ||
        !send_all(drain->broker, packet,
                  packet_subscribe(packet, drain->filter, FENCE_TOPIC))) {
        subscriber_lost(drain);
    }
}

static void now_subscribed(struct drain *drain)
{
    static bool announced;

    drain->subscribed = true;
    if (drain->gate.port) {
        drain->gate.listen = listen_at(drain->gate.port);
    }
    if (!announced) {
        puts("subscribed");
        fflush(stdout);
        announced = true;
    }
}

static void on_fence(struct drain *drain, struct bytes number)
{
    struct gate *gate = &drain->gate;

    gate->open = gate->client >= 0;
    if (drain->record) {
        fprintf(drain->record, "= %.*s\n", (int)number.len, number.data);
    }
}

static void on_event(struct drain *drain, const struct packet *packet)
{
    static const char NAME[] = "\"sequence\":";
    const char *gid, *sequence;

    drain->messages++;
    drain->bytes += packet->payload.len;
    if (!drain->record) {
        return;
    }
    gid = memrchr(packet->topic.data, '/', packet->topic.len);
    gid = gid ? gid + 1 : packet->topic.data;
    sequence = memmem(packet->payload.data, packet->payload.len, NAME, sizeof NAME - 1);
    fprintf(drain->record, "%.*s %llu %.*s\n",
            (int)(packet->topic.data + packet->topic.len - gid), gid,
            sequence ? strtoull(sequence + sizeof NAME - 1, NULL, 10) : 0, (int)packet->id.len,
            packet->id.data ? packet->id.data : "");
}

static void on_packet(struct drain *drain, const struct packet *packet)
{
    switch (packet->type) {
    case PACKET_PUBLISH:
        if (packet->topic.len == strlen(FENCE_TOPIC) &&
            memcmp(packet->topic.data, FENCE_TOPIC, packet->topic.len) == 0) {
            on_fence(drain, packet->payload);
        } else {
            on_event(drain, packet);
        }
        break;
    case PACKET_SUBACK:
        now_subscribed(drain);
        break;
    }
    if (packet->reason >= 0x80) {
        fprintf(stderr, "drain: refused by the broker: 0x%02x\n", packet->reason);
        exit(1);
    }
}

static void subscriber_read(struct drain *drain)
{
    ssize_t n =
        recv(drain->broker, drain->input + drain->input_len, INPUT_SIZE - drain->input_len, 0);
    size_t done = 0;

    if (n <= 0) {
        subscriber_lost(drain);
        return;
    }
    drain->input_len += (size_t)n;
    for (;;) {
        struct packet packet;
        long len = packet_read(drain->input + done, drain->input_len - done, &packet);

        if (len < 0 || (len == 0 && drain->input_len - done == INPUT_SIZE)) {
            fprintf(stderr, "drain: a packet that cannot be read\n");
            exit(1);
        }
        if (len == 0) {
            break;
        }
        on_packet(drain, &packet);
        done += (size_t)len;
    }
    memmove(drain->input, drain->input + done, drain->input_len - done);
    drain->input_len -= done;
    if (drain->record && fflush(drain->record) != 0) {
        die("write the record");
    }
}

/* --- the loop --- */

static bool ready(const struct pollfd *p)
{
    return p->fd >= 0 && p->revents != 0;
}

/* Runs until a signal. Our own arrivals are always recorded before anything passes through the
 * gate. */
static void run(struct drain *drain, int signals)
{
    struct gate *gate = &drain->gate;
    bool ending = false;

    for (;;) {
        struct pollfd p[] = {
            {.fd = ending ? -1 : signals, .events = POLLIN},
            {.fd = drain->broker, .events = POLLIN},
            {.fd = gate->client < 0 ? gate->listen : -1, .events = POLLIN},
            {.fd = gate->open && !gate->up.ended ? gate->client : -1, .events = POLLIN},
            {.fd = gate->open && !gate->down.ended ? gate->server : -1, .events = POLLIN},
        };

        if (poll(p, 5, ending ? 0 : drain->broker < 0 ? RECONNECT_MS : -1) < 0) {
            die("poll");
        }
        ending |= ready(&p[0]);
        if (ending && !ready(&p[1])) {
            return;
        }
        if (drain->broker < 0) {
            subscriber_connect(drain);
        } else if (ready(&p[1])) {
            subscriber_read(drain);
        }
        if (ready(&p[2]) && drain->subscribed) {
            gate_accept(gate, drain->port, drain->broker);
        }
        if (ready(&p[3])) {
            pipe_move(&gate->up);
        }
        if (ready(&p[4])) {
            pipe_move(&gate->down);
        }
        gate_end_if_done(gate);
    }
}

static void usage(void)
{
    fputs("usage: drain --port N [--topic FILTER] [--record FILE] [--gate PORT]\n", stderr);
    exit(2);
}

static void read_options(struct drain *drain, int argc, char **argv)
{
    static const struct option NAMES[] = {
        {"port", required_argument, NULL, 'p'},
        {"topic", required_argument, NULL, 't'},
        {"record", required_argument, NULL, 'o'},
        {"gate", required_argument, NULL, 'g'},
        {0},
    };
    int name;

    while ((name = getopt_long(argc, argv, "", NAMES, NULL)) != -1) {
        switch (name) {
        case 'p':
            drain->port = atoi(optarg);
            break;
        case 't':
            drain->filter = optarg;
            break;
        case 'g':
            drain->gate.port = atoi(optarg);
            break;
        case 'o':
            if (!(drain->record = fopen(optarg, "we"))) {
                die(optarg);
            }
            break;
        default:
            usage();
        }
    }
    if (drain->port == 0 || optind < argc) {
        usage();
    }
}

int main(int argc, char **argv)
{
    struct drain drain = {
        .filter = "partners/#",
        .broker = -1,
        .input = malloc(INPUT_SIZE),
        .gate = {.listen = -1, .client = -1, .server = -1},
    };
    sigset_t stop;

    read_options(&drain, argc, argv);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    if (!drain.input || sigprocmask(SIG_BLOCK, &stop, NULL) != 0) {
        die("start");
    }
    run(&drain, signalfd(-1, &stop, SFD_CLOEXEC));
    printf("{\"messages\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"broker_losses\": %" PRIu64
           ", \"connections\": %u}\n",
           drain.messages, drain.bytes, drain.broker_losses, drain.gate.fence);
    close_fd(&drain.broker);
    free(drain.input);
    return drain.record && fclose(drain.record) != 0;
}
