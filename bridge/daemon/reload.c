/*
 * Another configuration, while everything runs:
 *
 * - read and check it as at the start, and make an intake of it for each listener and for dead
 *   letters, and read the certificates again. If anything is wrong it is logged, and nothing has changed
 * - hand over, which cannot fail. Each listener uses its new intake from its next request on. A
 *   request whose head came before is judged by the old intake, which keeps the old configuration
 *   as long as it is needed
 *
 * Deliveries under way notice nothing: the listeners, the outbox and the connection to the broker
 * stay.
 *
 * Dead letters are reparsed with an intake of their own, on the committer thread; its mutex lets a
 * reload replace it.
 */
#include "bridge/daemon/internal.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/service.h"

#include "bridge/metrics.h"

/* --- dead letters --- */

void daemon_reparser_init(struct reparser *reparser)
{
    CHECK(pthread_mutex_init(&reparser->mu, NULL) == 0);
}

void daemon_reparser_fini(struct reparser *reparser)
{
    intake_drop(reparser->intake);
    CHECK(pthread_mutex_destroy(&reparser->mu) == 0);
}

void daemon_reparser_set(struct reparser *reparser, struct intake *intake)
{
    struct intake *old;

    CHECK(pthread_mutex_lock(&reparser->mu) == 0);
    old = reparser->intake;
    reparser->intake = intake;
    CHECK(pthread_mutex_unlock(&reparser->mu) == 0);
    intake_drop(old); /* the committer cannot be using it: that takes the mutex */
}

/* Committer thread, for a retry by hand (outbox/operation.c): a dead letter becomes an event with
 * today's configuration, so that it can go through the outbox and handoff C like any other. */
struct event *daemon_reparse(void *ctx, const struct event *dead, struct err *why)
{
    struct reparser *reparser = ctx;
    struct event *reparsed;

    CHECK(pthread_mutex_lock(&reparser->mu) == 0);
    reparsed = intake_reparse(reparser->intake, dead, why);
    CHECK(pthread_mutex_unlock(&reparser->mu) == 0);
    return reparsed;
}

/* --- messages: status topic, service manager, log --- */

void daemon_write_info(const struct config *config, struct buf *out)
{
    buf_add_str(out, "{\"version\":\"" HOOK2MQTT_VERSION "\",\"sources\":[");
    for (size_t i = 0; i < config->source_count; i++) {
        const struct config_source *source = &config->sources[i];

        buf_add_str(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        json_add_string(out, slice_of(source->name));
        buf_add_str(out, ",\"provider\":");
        json_add_string(out, slice_of(source->provider->name));
        buf_add_str(out, ",\"topic\":");
        json_add_string(out, slice_of(source->topic));
        buf_addf(out, ",\"qos\":%d,\"retain\":%s}", (int)source->qos,
                 source->retain ? "true" : "false");
    }
    buf_add_str(out, "]}");
}

/* With the time when the reload began, by CLOCK_MONOTONIC (sd_notify(3)). */
static void notify_reloading(int64_t begun_us)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)begun_us);
    service_notify(text);
}

static void log_faults(const struct config_faults *faults, const char *config_path)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct config_fault *fault = &faults->items[i];
        const char *path = fault->path[0] ? fault->path : config_path;

        if (fault->warning) {
            log_warn("configuration", L_STR("path", path), L_STR("warning", fault->text));
        } else {
            log_error("configuration", L_STR("path", path), L_STR("error", fault->text));
        }
    }
}

static const struct config_source *find_source(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->source_count; i++) {
        if (strcmp(config->sources[i].name, name) == 0) {
            return &config->sources[i];
        }
    }
    return NULL;
}

/* Lists the names of the sources in config that are not in other. */
static void list_only_in(const struct config *config, const struct config *other,
                         struct buf *out)
{
    for (size_t i = 0; i < config->source_count; i++) {
        if (find_source(other, config->sources[i].name) == NULL) {
            buf_add_str(out, out->len > 0 ? ", " : "");
            buf_add_str(out, config->sources[i].name);
        }
    }
}

static struct slice if_any(const struct buf *names)
{
    return names->len > 0 ? buf_slice(names) : SLICE_NONE;
}

static void log_changes(const struct daemon *d, const struct config *config)
{
    struct buf added = {0}, removed = {0}, stay = {0};

    list_only_in(config, d->config, &added);
    list_only_in(d->config, config, &removed);
    config_list_changes(d->started_with, config, &stay);
    if (stay.len > 0) {
        log_warn("these settings have changed and take effect after a restart",
                 L_SLICE("settings", buf_slice(&stay)));
    }
    log_info("configuration reloaded", L_INT("sources", config->source_count),
             L_SLICE("added", if_any(&added)), L_SLICE("removed", if_any(&removed)));
    buf_free(&added);
    buf_free(&removed);
    buf_free(&stay);
}

/* --- the steps --- */

/* One intake for each thread that uses one, and the listeners' certificates, read again. */
struct intakes {
    struct intake *listeners[DAEMON_MAX_THREADS];
    struct intake *reparser;
    struct tls_next *tls[LISTENER_COUNT]; /* NULL: that listener has none, and gets none */
};

static enum status read_certificates(const struct daemon *d, const struct config *config,
                                     struct intakes *intakes, struct err *err)
{
    struct tls_files files;
    enum status st = ST_OK;

    for (enum metric_listener i = 0; i < LISTENER_COUNT && st == ST_OK; i++) {
        if (d->tls[i] != NULL && daemon_tls_files(config, i, &files)) {
            st = tls_prepare(d->tls[i], &files, &intakes->tls[i], err);
            if (st != ST_OK) {
                (void)err_wrap(err, "%s.tls", metrics_listener_name(i));
            }
        }
    }
    return st;
}

static enum status make_intakes(const struct daemon *d, struct config *config,
                                struct intakes *intakes, struct err *err)
{
    enum status st = intake_create(config, NULL, &intakes->reparser, err);

    for (size_t i = 0; i < d->ingress_count && st == ST_OK; i++) {
        st = intake_create(config, d->outbox, &intakes->listeners[i], err);
    }
    return st;
}

static void drop_intakes(struct intakes *intakes)
{
    for (size_t i = 0; i < COUNT_OF(intakes->listeners); i++) {
        intake_drop(intakes->listeners[i]);
    }
    intake_drop(intakes->reparser);
    for (size_t i = 0; i < LISTENER_COUNT; i++) {
        tls_drop(intakes->tls[i]);
    }
}

/* Gives the new configuration and its intakes, or logs why not. */
static bool prepare(const struct daemon *d, struct config **out_config, struct intakes *intakes)
{
    struct config_faults faults = {0};
    struct config *config = NULL;
    struct err err = {0};
    enum status st = config_load(d->config_path, &config, &faults);

    log_faults(&faults, d->config_path);
    config_faults_free(&faults);
    if (st == ST_OK) {
        config_keep_secrets(config, d->config);
        st = read_certificates(d, config, intakes, &err);
        if (st == ST_OK) {
            st = make_intakes(d, config, intakes, &err);
        }
        if (st != ST_OK) {
            log_error("configuration", L_STR("error", err.text));
            drop_intakes(intakes);
            config_destroy(config);
        }
    }
    if (st == ST_OK) {
        *out_config = config;
    }
    return st == ST_OK;
}

/* Takes the intakes. */
static void hand_over(struct daemon *d, const struct config *config,
                      const struct intakes *intakes)
{
    struct buf info = {0};

    daemon_reparser_set(&d->reparser, intakes->reparser);
    for (size_t i = 0; i < d->ingress_count; i++) {
        ingress_reload(d->ingress[i], intakes->listeners[i]);
    }
    for (size_t i = 0; i < LISTENER_COUNT; i++) {
        if (intakes->tls[i] != NULL) {
            tls_put(d->tls[i], intakes->tls[i]);
        }
    }
    if (d->admin != NULL && config_admin_token_is_live(d->started_with, config)) {
        admin_set_token(d->admin, buf_slice(&config->admin.token));
    }
    daemon_write_info(config, &info);
    publisher_set_info(d->publisher, buf_slice(&info));
    buf_free(&info);
}

void daemon_reload(struct daemon *d)
{
    int64_t begun_us = clock_mono_us();
    struct intakes intakes = {0};
    struct config *config;

    notify_reloading(begun_us);
    if (!prepare(d, &config, &intakes)) {
        metrics_add(METRIC_RELOAD_FAILURES, 1);
        log_error("reload refused; the old configuration stays");
        daemon_verdict_put(begun_us, false);
        service_notify("READY=1\nSTATUS=The last reload was refused, see the log");
        return;
    }
    hand_over(d, config, &intakes);
    metrics_add(METRIC_RELOADS, 1);
    log_changes(d, config);
    config_destroy(d->config);
    d->config = config;
    daemon_verdict_put(begun_us, true);
    service_notify("READY=1\nSTATUS=");
}
