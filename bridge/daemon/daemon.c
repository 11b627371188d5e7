/*
 * Start, back to front: sockets, outbox, publisher, ingress, admin; only then are we ready. If
 * one fails, the error is logged and those that were started are stopped again.
 *
 * Stop, front to back:
 *
 * - no new connections and no new events: new requests are answered 503
 * - accepted events are committed and answered; the listener waits, up to ANSWER_WAIT_MS, for the
 *   last answers to go out
 * - the publisher finishes the events in flight, up to DRAIN_WAIT_MS, publishes "offline" and
 *   disconnects; the backlog stays on disk
 * - the outbox writes its last watermark and closes
 *
 * If the outbox fails, which is final, the same happens without waiting for the broker, and the
 * exit status is 1.
 */
#include "bridge/daemon/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/service.h"

enum {
    MAX_BEATS = DAEMON_MAX_THREADS + 3,
    ANSWER_WAIT_MS = 10000, /* for the last answers to go out */
    DRAIN_WAIT_MS = 10000,  /* for the broker to acknowledge the events in flight */
    SPARE_FILES = 128,      /* descriptors for everything but the connections of webhooks */
};

/* ---- start ---- */

/* Handoff C, committer thread: from the outbox (outbox/numbers.c), which knows no publisher, to
 * publisher_progress, which wakes the publisher thread. */
static void on_progress(void *ctx, const struct outbox_progress *progress)
{
    struct daemon *d = ctx;

    publisher_progress(d->publisher, progress);
}

static void on_dropped(void *ctx, uint64_t seq)
{
    struct daemon *d = ctx;

    publisher_dropped(d->publisher, seq);
}

static void on_failed(void *ctx, const struct err *why)
{
    struct daemon *d = ctx;
    uint64_t one = 1;

    log_fatal("outbox failed", L_STR("error", why->text));
    atomic_store(&d->failed, true);
    CHECK(write(d->wake_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

struct outbox_options daemon_outbox_options(const struct config *config)
{
    return (struct outbox_options){
        .path = config->outbox.path,
        .max_bytes = (uint64_t)config->outbox.max_size,
        .keep_delivered_ms = config->outbox.keep_delivered_ms,
        .dedupe_entries = (size_t)config->outbox.dedupe_entries,
    };
}

static enum status start_outbox(struct daemon *d, struct err *err)
{
    struct outbox_options options = daemon_outbox_options(d->started_with);
    struct intake *intake;
    enum status st = intake_create(d->config, NULL, &intake, err);

    if (st != ST_OK) {
        return st;
    }
    options.reparse = daemon_reparse;
    options.reparse_ctx = &d->reparser;
    daemon_reparser_set(&d->reparser, intake);
    return outbox_open(&options, &d->outbox, err);
}

static enum status start_publisher(struct daemon *d, struct err *err)
{
    const struct config *config = d->started_with;
    struct publisher_options options = {
        .servers = (const char *const *)config->mqtt.servers.items,
        .server_count = config->mqtt.servers.count,
        .mqtt =
            {
                .version = (int)config->mqtt.version,
                .client_id = config->mqtt.client_id,
                .username = config->mqtt.username,
                .ca_file = config->mqtt.ca_file,
                .cert_file = config->mqtt.cert_file,
                .key_file = config->mqtt.key_file,
                .keep_alive_s = (int)(config->mqtt.keep_alive_ms / 1000),
                .connect_timeout_s = 10,
            },
        .password = config->mqtt.password.value.len > 0
                        ? buf_slice(&config->mqtt.password.value)
                        : SLICE_NONE,
        .password_file = config->mqtt.password.file,
        .max_in_flight = (size_t)config->mqtt.max_in_flight,
        .bridge_topic = config->mqtt.bridge_topic,
    };
    struct outbox_listener listener = {
        .progress = on_progress, .dropped = on_dropped, .failed = on_failed, .ctx = d};
    struct buf info = {0};
    enum status st;

    daemon_write_info(config, &info);
    options.info = buf_slice(&info);
    st = publisher_create(&options, d->outbox, &d->publisher, err);
    buf_free(&info);
    if (st == ST_OK) {
        st = outbox_start(d->outbox, &listener, err);
    }
    return st == ST_OK ? publisher_start(d->publisher, err) : st;
}

static enum status open_certificates(struct daemon *d, struct err *err)
{
    struct tls_files files;
    enum status st = ST_OK;

    for (enum metric_listener i = 0; i < LISTENER_COUNT && st == ST_OK; i++) {
        if (daemon_tls_files(d->config, i, &files)) {
            st = tls_open(i, &files, &d->tls[i], err);
        }
    }
    return st;
}

static enum status start_listeners(struct daemon *d, struct err *err)
{
    enum status st = ST_OK;

    for (int64_t i = 0; i < d->config->ingress.threads && i < DAEMON_MAX_THREADS && st == ST_OK;
         i++) {
        st = ingress_start(d->config, d->outbox, d->ingress_sockets.fds,
                           d->ingress_sockets.count, d->tls[LISTENER_INGRESS],
                           &d->ingress[d->ingress_count], err);
        d->ingress_count += st == ST_OK;
    }
    if (st == ST_OK && d->admin_sockets.count > 0) {
        struct admin_options options = {
            .token = buf_slice(&d->config->admin.token),
            .keep_alive_ms = d->config->ingress.keep_alive_ms,
            .outbox = d->outbox,
            .listen_fds = d->admin_sockets.fds,
            .listen_count = d->admin_sockets.count,
            .tls = d->tls[LISTENER_ADMIN],
        };

        st = admin_start(&options, &d->admin, err);
    }
    return st;
}

/* Addresses are bound first: a port in use is the most common fault, and at this point nothing has
 * happened yet. */
static enum status start(struct daemon *d, struct err *err)
{
    enum status st;

    daemon_sockets_take(&d->ingress_sockets, &d->admin_sockets);
    /* Webhooks are verified, so any user's proxy may bring them; the operator's socket is for our
     * own user alone. */
    st = daemon_sockets_open(&d->ingress_sockets, &d->config->ingress.listen, 0666, err);
    if (st == ST_OK) {
        st = daemon_sockets_open(&d->admin_sockets, &d->config->admin.listen, 0600, err);
    }
    if (st == ST_OK) {
        st = open_certificates(d, err);
    }
    if (st == ST_OK) {
        st = start_outbox(d, err);
    }
    if (st == ST_OK) {
        st = start_publisher(d, err);
    }
    return st == ST_OK ? start_listeners(d, err) : st;
}

/* ---- stop ---- */

static void stop(struct daemon *d)
{
    bool failed = atomic_load(&d->failed);

    for (size_t i = 0; i < d->ingress_count; i++) {
        ingress_quiesce(d->ingress[i]);
    }
    if (d->outbox != NULL) {
        outbox_close_intake(d->outbox);
    }
    for (size_t i = 0; i < d->ingress_count; i++) {
        ingress_stop(d->ingress[i], ANSWER_WAIT_MS);
    }
    if (d->publisher != NULL) {
        publisher_stop(d->publisher, failed ? 0 : DRAIN_WAIT_MS);
    }
    admin_stop(d->admin, ANSWER_WAIT_MS);
    for (size_t i = 0; i < LISTENER_COUNT; i++) {
        tls_close(d->tls[i]);
    }
    outbox_close(d->outbox);
    publisher_destroy(d->publisher); /* not earlier: the outbox reported its progress to it */
    daemon_reparser_fini(&d->reparser);
    daemon_sockets_close(&d->ingress_sockets);
    daemon_sockets_close(&d->admin_sockets);
}

/* ---- watch ---- */

static size_t list_heartbeats(const struct daemon *d,
                              const struct heartbeat *out_heartbeats[MAX_BEATS])
{
    size_t count = 0;

    out_heartbeats[count++] = outbox_heartbeat(d->outbox);
    out_heartbeats[count++] = publisher_heartbeat(d->publisher);
    if (d->admin != NULL) {
        out_heartbeats[count++] = admin_heartbeat(d->admin);
    }
    for (size_t i = 0; i < d->ingress_count; i++) {
        out_heartbeats[count++] = ingress_heartbeat(d->ingress[i]);
    }
    return count;
}

/* Notifies the service manager only while every loop turns; if one hangs it restarts us, and no
 * accepted event is lost. */
static void feed_watchdog(struct daemon *d)
{
    const struct heartbeat *heartbeats[MAX_BEATS];
    size_t count = list_heartbeats(d, heartbeats);
    int64_t oldest_ms = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t age_ms = heartbeat_age_ms(heartbeats[i]);

        oldest_ms = age_ms > oldest_ms ? age_ms : oldest_ms;
    }
    if (oldest_ms < d->watchdog_ms / 2) {
        service_notify("WATCHDOG=1");
        d->hung = false;
    } else if (!d->hung) {
        log_error("a thread is stuck", L_INT("stalled_ms", oldest_ms));
        d->hung = true;
    }
}

/* False: stop. */
static bool handle_signal(struct daemon *d)
{
    struct signalfd_siginfo info;

    if (read(d->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return true;
    }
    if (info.ssi_signo == SIGHUP) {
        daemon_reload(d); /* all SIGHUPs that arrive meanwhile make one more reload */
        return true;
    }
    log_info("stopping", L_STR("signal", strsignal((int)info.ssi_signo)));
    return false;
}

static void watch(struct daemon *d)
{
    struct pollfd fds[] = {{.fd = d->signal_fd, .events = POLLIN},
                           {.fd = d->wake_fd, .events = POLLIN}};
    int timeout_ms = d->watchdog_ms > 0 ? (int)(d->watchdog_ms / 4) : -1;
    bool go_on = true;

    while (go_on && !atomic_load(&d->failed)) {
        int n = poll(fds, COUNT_OF(fds), timeout_ms);

        CHECK(n >= 0 || errno == EINTR);
        if (n > 0 && (fds[0].revents & POLLIN) != 0) {
            go_on = handle_signal(d);
        }
        if (d->watchdog_ms > 0) {
            feed_watchdog(d);
        }
    }
}

/* ---- the process ---- */

static void catch_signals(struct daemon *d)
{
    sigset_t mask;

    CHECK(sigemptyset(&mask) == 0);
    CHECK(sigaddset(&mask, SIGTERM) == 0 && sigaddset(&mask, SIGINT) == 0 &&
          sigaddset(&mask, SIGHUP) == 0);
    CHECK(sigprocmask(SIG_BLOCK, &mask, NULL) == 0);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* a peer that went away gives EPIPE */
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR); /* a file size limit gives EFBIG */
    d->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    d->wake_fd = eventfd(0, EFD_CLOEXEC);
    CHECK(d->signal_fd >= 0 && d->wake_fd >= 0);
}

/* These variables are set for other programs, but Paho would send MQTT through their proxies. */
static void forget_proxies(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTP_PROXY",
                                        "HTTPS_PROXY"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)unsetenv(names[i]);
    }
}

/* Allows as many descriptors as ingress.max_connections needs, if the system permits. */
static void raise_file_limit(const struct config *config)
{
    rlim_t wanted = (rlim_t)config->ingress.max_connections + SPARE_FILES;
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* if it fails, the old limit stays */
    if (limit.rlim_cur < wanted) {
        log_warn("the limit on open files is lower than ingress.max_connections needs",
                 L_INT("limit", limit.rlim_cur), L_INT("needed", wanted));
    }
}

int daemon_run(struct config *config, const char *config_path)
{
    struct daemon *d = xalloc(sizeof(*d));
    struct err err = {0};
    int exit_status = EXIT_SUCCESS;

    d->config_path = config_path;
    d->started_with = config;
    d->config = config_hold(config);
    daemon_reparser_init(&d->reparser);
    d->watchdog_ms = service_watchdog_ms();
    (void)umask(S_IRWXG | S_IRWXO); /* bodies are confidential */
    catch_signals(d);
    forget_proxies();
    raise_file_limit(config);
    log_info("starting", L_STR("version", HOOK2MQTT_VERSION),
             L_STR("outbox", config->outbox.path), L_INT("sources", config->source_count));
    if (start(d, &err) != ST_OK) {
        log_fatal("cannot start", L_STR("error", err.text));
        exit_status = EXIT_FAILURE;
        goto out;
    }
    daemon_sockets_log(&d->ingress_sockets, "ingress");
    daemon_sockets_log(&d->admin_sockets, "admin");
    log_info("ready");
    service_notify("READY=1");
    watch(d);
    service_notify("STOPPING=1");
out:
    stop(d);
    if (atomic_load(&d->failed)) {
        exit_status = EXIT_FAILURE;
    }
    log_info("stopped", L_INT("status", exit_status));
    (void)close(d->signal_fd);
    (void)close(d->wake_fd);
    config_destroy(d->config);
    free(d);
    return exit_status;
}
