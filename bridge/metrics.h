/*
 * metrics - every counter in one table; written as Prometheus text (exposition format 0.0.4).
 *
 * There is one registry per process. All calls: any thread. metrics_source takes a lock and is for
 * set-up and reloads; all others are lock-free.
 */
#ifndef BRIDGE_METRICS_H
#define BRIDGE_METRICS_H

#include "common/buf.h"

/* name, type, help. A value that never decreases is a counter. */
#define METRICS_PLAIN(X)                                                                       \
    X(METRIC_STORED_BYTES, "outbox_stored_bytes", "gauge",                                     \
      "Bytes of undelivered, kept and dead events.")                                           \
    X(METRIC_STORED_ROWS, "outbox_stored_rows", "gauge", "Undelivered and kept events.")       \
    X(METRIC_UNDELIVERED, "outbox_undelivered_events", "gauge",                                \
      "Accepted events that the broker has not acknowledged yet.")                             \
    X(METRIC_OLDEST_AGE, "outbox_oldest_age_seconds", "gauge",                                 \
      "Age of the oldest undelivered event; 0 if there is none.")                              \
    X(METRIC_OLDEST_KEPT, "outbox_oldest_kept_age_seconds", "gauge",                           \
      "Age of the oldest delivered event in the outbox: so far back do replays reach.")        \
    X(METRIC_HELD, "held_events", "gauge",                                                     \
      "Undelivered events that wait while others pass: refused for now, or behind one that "   \
      "is, "                                                                                   \
      "or to be sent again.")                                                                  \
    X(METRIC_DEAD_LETTERS, "dead_letters", "gauge", "Dead letters in the outbox.")             \
    X(METRIC_DEAD_REFUSED, "dead_letters_refused", "gauge",                                    \
      "Those of the dead letters that the broker refused; the others made no event.")          \
    X(METRIC_OUTBOX_FULL, "outbox_full_total", "counter",                                      \
      "Webhooks refused because the outbox or the disk had no room.")                          \
    X(METRIC_LOST, "outbox_lost_events", "gauge",                                              \
      "Accepted events that were lost with the outbox's log, ever.")                           \
    X(METRIC_WAL_BYTES, "outbox_wal_bytes", "gauge", "Size of the outbox's write-ahead log.")  \
    X(METRIC_PUBLISHED, "published_total", "counter", "Events that the broker acknowledged.")  \
    X(METRIC_RESENT, "resent_total", "counter", "Events sent again after a lost connection.")  \
    X(METRIC_BURIED, "buried_total", "counter",                                                \
      "Events moved to the dead letters: refused by the broker for good, or never "            \
      "deliverable.")                                                                          \
    X(METRIC_EXPIRED, "expired_total", "counter",                                              \
      "Events dropped because their message_expiry was over before they could be sent.")       \
    X(METRIC_STATE_SKIPPED, "state_skipped_total", "counter",                                  \
      "Events older than the retained state of their resource.")                               \
    X(METRIC_IN_FLIGHT, "in_flight_events", "gauge", "Events sent and not yet acknowledged.")  \
    X(METRIC_CONNECTED, "broker_connected", "gauge", "1 while connected to a broker.")         \
    X(METRIC_CONNECTS, "broker_connects_total", "counter", "Connections made to a broker.")    \
    X(METRIC_RECONNECTS, "broker_reconnects_total", "counter",                                 \
      "Connections made after an earlier one was lost.")                                       \
    X(METRIC_CONNECTIONS, "http_connections", "gauge", "Open ingress connections.")            \
    X(METRIC_UNKNOWN_EVENTS, "unknown_events_total", "counter",                                \
      "Accepted events whose type or name is not in the provider's catalogue.")                \
    X(METRIC_RELOADS, "reloads_total", "counter", "Reloads (SIGHUP) that took effect.")        \
    X(METRIC_RELOAD_FAILURES, "reload_failures_total", "counter",                              \
      "Reloads (SIGHUP) that were refused; the old configuration stayed.")

/* Counters by source. */
#define METRICS_BY_SOURCE(X)                                                                   \
    X(METRIC_RECEIVED, "received_total", "Requests to the source's path.")                     \
    X(METRIC_ACCEPTED, "accepted_total", "Webhooks answered 200 accepted: on disk.")           \
    X(METRIC_DUPLICATES, "duplicates_total", "Webhooks answered 200 duplicate.")               \
    X(METRIC_QUARANTINED, "quarantined_total", "Webhooks answered 202 quarantined.")           \
    X(METRIC_CHALLENGES, "challenges_total", "Challenges answered.")                           \
    X(METRIC_UNREADABLE_TIMES, "unreadable_times_total",                                       \
      "Webhooks with an event time that could not be read.")                                   \
    X(METRIC_FUTURE_TIMES, "future_times_total",                                               \
      "Webhooks with an event time over 10 minutes after their receipt: it counted as that.")

/* Why a request was refused: the `error` of its answer and the label of rejected_total. */
#define REJECT_MAP(X)                                                                          \
    X(REJECT_BAD_REQUEST, "bad_request", 400)                                                  \
    X(REJECT_UNAUTHENTIC, "unauthorized", 401)                                                 \
    X(REJECT_FORBIDDEN, "forbidden", 403)                                                      \
    X(REJECT_NOT_FOUND, "not_found", 404)                                                      \
    X(REJECT_METHOD, "method_not_allowed", 405)                                                \
    X(REJECT_LENGTH, "length_required", 411)                                                   \
    X(REJECT_TOO_LARGE, "too_large", 413)                                                      \
    X(REJECT_URI_TOO_LONG, "uri_too_long", 414)                                                \
    X(REJECT_MEDIA_TYPE, "unsupported_media_type", 415)                                        \
    X(REJECT_EXPECTATION, "expectation_failed", 417)                                           \
    X(REJECT_HEADERS, "headers_too_large", 431)                                                \
    X(REJECT_NOT_IMPLEMENTED, "not_implemented", 501)                                          \
    X(REJECT_VERSION, "version_not_supported", 505)                                            \
    X(REJECT_UNAVAILABLE, "unavailable", 503)                                                  \
    X(REJECT_TIMEOUT, "timeout", 0)                                                            \
    X(REJECT_TLS, "tls", 0)

/* Durations are recorded in microseconds and written as seconds. */
#define METRICS_HISTOGRAMS(X)                                                                  \
    X(HISTOGRAM_COMMIT, "outbox_commit_seconds", "Time of one group commit, sync included.")   \
    X(HISTOGRAM_SYNC, "outbox_sync_seconds", "Time of one sync of the write-ahead log.")       \
    X(HISTOGRAM_BATCH, "outbox_batch_events", "Events in one group commit.")                   \
    X(HISTOGRAM_DELIVERY, "delivery_seconds",                                                  \
      "From accepted (received) to acknowledged by the broker.")

enum metric {
#define METRIC_ENUM(name, text, type, help) name,
    METRICS_PLAIN(METRIC_ENUM)
#undef METRIC_ENUM
};
enum metric_by_source {
#define METRIC_ENUM(name, text, help) name,
    METRICS_BY_SOURCE(METRIC_ENUM)
#undef METRIC_ENUM
};
enum reject {
#define METRIC_ENUM(name, text, status) name,
    REJECT_MAP(METRIC_ENUM)
#undef METRIC_ENUM
        REJECT_COUNT
};
enum metric_histogram {
#define METRIC_ENUM(name, text, help) name,
    METRICS_HISTOGRAMS(METRIC_ENUM)
#undef METRIC_ENUM
};

/* Whose certificate expires. */
enum metric_listener { LISTENER_INGRESS, LISTENER_ADMIN, LISTENER_COUNT };

enum { METRICS_MAX_SOURCES = 256, METRICS_NO_SOURCE = 0 };

/* The index of a source's counters; the same name always has the same index. METRICS_NO_SOURCE is
 * for requests without a source, and for sources beyond the maximum, which is logged. A name keeps
 * its index until the process ends, even if a reload removes the source. */
unsigned metrics_source(const char *name);
/* The name of an index, valid until the process ends; NULL for METRICS_NO_SOURCE. */
const char *metrics_source_name(unsigned source);

void metrics_add(enum metric metric, int64_t n);
void metrics_set(enum metric metric, int64_t value);
int64_t metrics_get(enum metric metric);
void metrics_count(enum metric_by_source metric, unsigned source);
void metrics_reject(enum reject reason, unsigned source);
/* Counts a message that the broker refused, by MQTT 5 reason code (0..255). */
void metrics_refused(int reason_code);
/* When the listener's certificate expires, in seconds since 1970; 0: it has none. */
void metrics_set_certificate(enum metric_listener listener, int64_t expires_s);
/* "ingress", "admin"; a constant. */
const char *metrics_listener_name(enum metric_listener listener);
/* The sum over all sources. */
int64_t metrics_total(enum metric_by_source metric);
/* value: microseconds; for HISTOGRAM_BATCH, events. */
void metrics_observe(enum metric_histogram histogram, int64_t value);

/* The `error` code of an answer, and its HTTP status (0: no answer, the connection is closed). */
const char *reject_code(enum reject reason);
unsigned reject_status(enum reject reason);
/* The reason whose answer has this status; REJECT_BAD_REQUEST if no reason has it. */
enum reject reject_of_status(unsigned status);

/* Adds the whole page. */
void metrics_write(struct buf *out);

#endif
