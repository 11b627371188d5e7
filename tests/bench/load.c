/*
 * load - signed webhooks over N keep-alive connections, one thread, closed loop.
 *
 * Every body is distinct: it has a gid and its place among that gid's events ("sequence").
 * A gid belongs to one connection and a connection has one request under way, so the order in
 * which a gid's events are accepted is the order of their sequences.
 *
 * With --record, each answer of 200 adds a line `gid sequence id accepted|duplicate`, in order
 * of receipt. With --retry, a request that was answered 5xx or not at all is sent again, byte
 * for byte, until it is answered (or, for --abandon percent of them, given up: it may or may
 * not have been accepted). The server may go away and come back at any time.
 *
 * Ends after --seconds or --count, or at SIGTERM or SIGINT: then it begins no more webhooks, and
 * waits for the outstanding answers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <getopt.h>

#include "tests/bench/client.h"

static volatile sig_atomic_t stop;

static void on_stop(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static uint64_t answer_count(const struct client_result *result)
{
    uint64_t count = 0;

    for (int i = 0; i < STATUS_END; i++) {
        count += result->statuses[i];
    }
    return count;
}

static void report_latency(const struct histogram *latency)
{
    static const struct {
        const char *name;
        double part;
    } PARTS[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

    printf("\"latency_us\": {");
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        printf("\"%s\": %" PRId64 ", ", PARTS[i].name, histogram_at(latency, PARTS[i].part));
    }
    printf("\"max\": %" PRId64 "}", latency->max);
}

/* One line of JSON. */
static void report(const struct client_result *result)
{
    uint64_t answers = answer_count(result);
    const char *separator = "";

    printf(
        "{\"seconds\": %.3f, \"answers\": %" PRIu64 ", \"per_second\": %.0f, \"statuses\": {",
        result->seconds, answers, result->seconds > 0 ? (double)answers / result->seconds : 0);
    for (int i = 0; i < STATUS_END; i++) {
        if (result->statuses[i] > 0) {
            printf("%s\"%d\": %" PRIu64, separator, i, result->statuses[i]);
            separator = ", ";
        }
    }
    printf("}, \"accepted\": %" PRIu64 ", \"duplicates\": %" PRIu64 ", \"unanswered\": %" PRIu64
           ", \"timeouts\": %" PRIu64 ", \"abandoned\": %" PRIu64 ", ",
           result->accepted, result->duplicates, result->unanswered, result->timeouts,
           result->abandoned);
    report_latency(&result->latency);
    puts("}");
}

static const char USAGE[] =
    "usage: load --secret TEXT (--port N | --unix PATH) [options]\n"
    "  --path PATH          /webhooks/partners\n"
    "  --connections N      64\n"
    "  --gids N             10000; at least one a connection\n"
    "  --gid-prefix N       0; the first four hex digits of each gid\n"
    "  --size BYTES         1100; of each body\n"
    "  --seconds S, --count N   when to end; without either, at a signal\n"
    "  --rate N             new webhooks a second; without it, as fast as they are answered\n"
    "  --timeout S          20; for one answer\n"
    "  --record FILE        what was answered 200\n"
    "  --retry              what was answered 5xx or not at all is sent again\n"
    "  --abandon PERCENT    0; of these, how many are given up instead\n"
    "  --seed N             1; for choosing those\n";

static void usage(void)
{
    fputs(USAGE, stderr);
    exit(2);
}

static void set_option(struct client_options *options, int name, const char *value)
{
    switch (name) {
    case 'p':
        options->port = atoi(value);
        break;
    case 'u':
        options->unix_path = value;
        break;
    case 'P':
        options->path = value;
        break;
    case 's':
        options->secret = value;
        break;
    case 'c':
        options->connection_count = strtoul(value, NULL, 10);
        break;
    case 'g':
        options->gid_count = strtoul(value, NULL, 10);
        break;
    case 'G':
        options->gid_prefix = (unsigned)strtoul(value, NULL, 10);
        break;
    case 'b':
        options->body_size = strtoul(value, NULL, 10);
        break;
    case 't':
        options->seconds = strtod(value, NULL);
        break;
    case 'n':
        options->count = strtoull(value, NULL, 10);
        break;
    case 'r':
        options->rate = strtod(value, NULL);
        break;
    case 'T':
        options->timeout_s = strtod(value, NULL);
        break;
    case 'o':
        options->record_path = value;
        break;
    case 'R':
        options->retry = true;
        break;
    case 'a':
        options->abandon_percent = (unsigned)strtoul(value, NULL, 10);
        break;
    case 'S':
        options->seed = (unsigned)strtoul(value, NULL, 10);
        break;
    default:
        usage();
    }
}

static struct client_options read_options(int argc, char **argv)
{
    static const struct option NAMES[] = {
        {"port", required_argument, NULL, 'p'},
        {"unix", required_argument, NULL, 'u'},
        {"path", required_argument, NULL, 'P'},
        {"secret", required_argument, NULL, 's'},
        {"connections", required_argument, NULL, 'c'},
        {"gids", required_argument, NULL, 'g'},
        {"gid-prefix", required_argument, NULL, 'G'},
        {"size", required_argument, NULL, 'b'},
        {"seconds", required_argument, NULL, 't'},
        {"count", required_argument, NULL, 'n'},
        {"rate", required_argument, NULL, 'r'},
        {"timeout", required_argument, NULL, 'T'},
        {"record", required_argument, NULL, 'o'},
        {"retry", no_argument, NULL, 'R'},
        {"abandon", required_argument, NULL, 'a'},
        {"seed", required_argument, NULL, 'S'},
        {0},
    };
    struct client_options options = {
        .path = "/webhooks/partners",
        .connection_count = 64,
        .gid_count = 10000,
        .body_size = 1100,
        .timeout_s = 20,
        .seed = 1,
    };
    int name;

    while ((name = getopt_long(argc, argv, "", NAMES, NULL)) != -1) {
        set_option(&options, name, optarg);
    }
    if (optind < argc || !options.secret ||
        (options.port == 0) == (options.unix_path == NULL) || options.connection_count == 0 ||
        options.gid_count < options.connection_count) {
        usage();
    }
    return options;
}

int main(int argc, char **argv)
{
    struct client_options options = read_options(argc, argv);
    struct sigaction action = {.sa_handler = on_stop};
    struct client_result result;

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    client_run(&options, &stop, &result);
    report(&result);
    return 0;
}
