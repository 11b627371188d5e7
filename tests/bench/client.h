/*
 * client - webhooks over N keep-alive connections, one thread, closed loop.
 *
 * Every body is distinct: it has a gid and its place among that gid's events ("sequence").
 * A gid belongs to one connection and a connection has one request under way, so the order in
 * which a gid's events are accepted is the order of their sequences. The server may go away and
 * come back at any time.
 */
#ifndef TESTS_BENCH_CLIENT_H
#define TESTS_BENCH_CLIENT_H

#include "tests/bench/histogram.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct client_options {
    int port;
    const char *unix_path;
    const char *path;
    const char *secret;
    size_t connection_count;
    size_t gid_count;
    unsigned gid_prefix;
    size_t body_size;
    double seconds;   /* 0: no limit */
    uint64_t count;   /* 0: no limit */
    double rate;      /* requests a second; 0: as fast as answered */
    double timeout_s; /* of one request */
    const char *record_path;
    bool retry;
    unsigned abandon_percent;
    unsigned seed;
};

enum { STATUS_END = 600 };

struct client_result {
    double seconds;                /* from the start to the last answer */
    uint64_t statuses[STATUS_END]; /* answers by HTTP status */
    uint64_t accepted, duplicates; /* of those with 200 */
    uint64_t unanswered;           /* attempts that ended with the connection, or timed out */
    uint64_t timeouts;             /* those that timed out */
    uint64_t abandoned;            /* webhooks given up after 5xx or no answer */
    struct histogram latency;      /* microseconds, of the answers */
};

/* Blocks until the limits of the options are reached or *stop is set; then begins no more webhooks
 * and waits for the outstanding answers. If a system call fails, ends the process. */
void client_run(const struct client_options *options, const volatile sig_atomic_t *stop,
                struct client_result *out_result);

#endif
