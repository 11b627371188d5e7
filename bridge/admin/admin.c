/*
 * Health answers anybody; everything else wants the token first, if there is one. Then it is
 * metrics, or an operation (api.c), or nothing. The token may change while requests come: a mutex
 * guards it.
 */
#include "bridge/admin/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>
#include <pthread.h>

#include "common/clock.h"
#include "common/log.h"

#include "bridge/health.h"
#include "bridge/metrics.h"
#include "bridge/verify/verify.h"

enum {
    MAX_BODY_BYTES = 1024 * 1024, /* some twenty thousand ids */
    MAX_HELD_BYTES = 16 * 1024 * 1024,
    MAX_CONNECTIONS = 64,
    REQUEST_TIMEOUT_MS = 10 * 1000,
};

struct admin {
    struct outbox *outbox;
    struct http_server *http;
    pthread_mutex_t token_mu;
    struct buf token; /* under token_mu; empty: none */
};

static void answer_metrics(struct http_request *request, const struct outbox *outbox)
{
    struct store_stats stats;
    struct buf page = {0};

    /* The only numbers that change without an event. */
    outbox_stats(outbox, &stats);
    metrics_set(METRIC_OLDEST_AGE, store_age_s(stats.oldest_undelivered_ms, clock_unix_ms()));
    metrics_set(METRIC_OLDEST_KEPT, store_age_s(stats.oldest_kept_ms, clock_unix_ms()));
    metrics_write(&page);
    http_answer(request, &(struct http_answer){.status = 200,
                                               .body = buf_slice(&page),
                                               .content_type =
                                                   "text/plain; version=0.0.4; charset=utf-8"});
    buf_free(&page);
}

void admin_set_token(struct admin *admin, struct slice token)
{
    CHECK(pthread_mutex_lock(&admin->token_mu) == 0);
    buf_wipe(&admin->token);
    buf_add_slice(&admin->token, token);
    CHECK(pthread_mutex_unlock(&admin->token_mu) == 0);
}

static bool is_token(struct admin *admin, struct slice given)
{
    bool right;

    CHECK(pthread_mutex_lock(&admin->token_mu) == 0);
    right = admin->token.len == 0 ||
            (given.data != NULL && verify_equal_text(given, buf_slice(&admin->token)));
    CHECK(pthread_mutex_unlock(&admin->token_mu) == 0);
    return right;
}

/* Absent: no token is given, or not in this form. */
static struct slice given_token(const struct http_request *request)
{
    static const struct slice scheme = {"Bearer ", sizeof("Bearer ") - 1};
    struct slice given = SLICE_NONE;

    if (http_header(request, "Authorization", &given, 1) != 1 || given.len < scheme.len ||
        strncasecmp(given.data, scheme.data, scheme.len) != 0) {
        return SLICE_NONE;
    }
    return (struct slice){given.data + scheme.len, given.len - scheme.len};
}

static void refuse_stranger(struct http_request *request)
{
    char text[HTTP_ERROR_SIZE];
    struct http_answer answer =
        http_error(REJECT_UNAUTHENTIC, "this wants the admin token", text);

    answer.challenge = "Bearer realm=\"hook2mqtt\"";
    http_answer(request, &answer);
}

/* A web page can have its own name lead to an address of this machine (DNS rebinding), and then reads
 * what answers there. So without a token only a host that no page can have is answered: an address,
 * or localhost. A unix socket is out of a page's reach. */
static bool is_own_host(const struct http_request *request)
{
    char host[HTTP_PEER_SIZE];
    struct in_addr address;
    struct slice given, name;

    http_peer(request, host);
    if (strcmp(host, "unix") == 0 || http_header(request, "Host", &given, 1) == 0) {
        return true;
    }
    name = slice_take_until(&given, ':');
    (void)snprintf(host, sizeof(host), "%.*s", SLICE_ARG(name));
    return slice_equal_nocase(name, SLICE("localhost")) ||
           slice_starts_with(name, SLICE("[")) || inet_pton(AF_INET, host, &address) == 1;
}

static bool has_token(struct admin *admin)
{
    bool has;

    CHECK(pthread_mutex_lock(&admin->token_mu) == 0);
    has = admin->token.len > 0;
    CHECK(pthread_mutex_unlock(&admin->token_mu) == 0);
    return has;
}

/* The token is checked first, so that a stranger does not even learn which paths exist. */
static void head_complete(void *ctx, struct http_request *request)
{
    struct admin *admin = ctx;
    enum outbox_op op;

    if (health_answer(request, admin->outbox)) {
        return;
    }
    if (!is_token(admin, given_token(request))) {
        refuse_stranger(request);
    } else if (!has_token(admin) && !is_own_host(request)) {
        admin_refuse(request, REJECT_FORBIDDEN,
                     "without an admin token, only localhost and addresses are answered");
    } else if (slice_equal(http_path(request), SLICE("/metrics"))) {
        if (http_allows_read(request)) {
            answer_metrics(request, admin->outbox);
        }
    } else if (!admin_api_find(http_path(request), &op)) {
        admin_refuse(request, REJECT_NOT_FOUND, "nothing answers at this path");
    } else {
        (void)admin_api_allows(request); /* if it does, the body comes next */
    }
}

static void body_complete(void *ctx, struct http_request *request)
{
    struct admin *admin = ctx;

    admin_api_run(request, admin->outbox);
}

/* Of what http refuses by itself, at most one line a second for each reason. */
static void refused(void *ctx, struct http_request *request, enum reject reason,
                    const char *why)
{
    static struct log_limit limits[REJECT_COUNT];
    char peer[HTTP_PEER_SIZE];
    int64_t left_out;

    (void)ctx;
    metrics_reject(reason, METRICS_NO_SOURCE);
    if (log_allows(&limits[reason], LOG_SECOND_MS, &left_out)) {
        http_peer(request, peer);
        log_warn("operator's request refused", L_STR("reason", reject_code(reason)),
                 L_STR("peer", peer), L_STR("why", why), L_INT("left_out", left_out));
    }
}

static void admin_free(struct admin *admin)
{
    buf_wipe(&admin->token);
    CHECK(pthread_mutex_destroy(&admin->token_mu) == 0);
    free(admin);
}

enum status admin_start(const struct admin_options *options, struct admin **out_admin,
                        struct err *err)
{
    struct admin *admin = xalloc(sizeof(*admin));
    struct http_options http = {
        .name = "admin",
        .listen_fds = options->listen_fds,
        .listen_count = options->listen_count,
        .tls = options->tls,
        .handler = {.head = head_complete,
                    .body = body_complete,
                    .refused = refused,
                    .ctx = admin},
        .max_body_bytes = MAX_BODY_BYTES,
        .max_held_bytes = MAX_HELD_BYTES,
        .max_connections = MAX_CONNECTIONS,
        .request_timeout_ms = REQUEST_TIMEOUT_MS,
        .keep_alive_ms = options->keep_alive_ms,
    };
    enum status st;

    admin->outbox = options->outbox;
    CHECK(pthread_mutex_init(&admin->token_mu, NULL) == 0);
    admin_set_token(admin, options->token);
    st = http_start(&http, &admin->http, err);
    if (st != ST_OK) {
        admin_free(admin);
        return st;
    }
    *out_admin = admin;
    return ST_OK;
}

void admin_stop(struct admin *admin, int64_t timeout_ms)
{
    if (admin == NULL) {
        return;
    }
    http_stop(admin->http, timeout_ms);
    admin_free(admin);
}

const struct heartbeat *admin_heartbeat(const struct admin *admin)
{
    return http_heartbeat(admin->http);
}
