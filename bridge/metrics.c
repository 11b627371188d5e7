/*
 * The counters are plain atomics in arrays, indexed by the enums of metrics.h; a page is
 * written from the same tables. Writers never wait: only registering a source's name takes a
 * lock. Nothing can fail, except that the names of sources run out: further sources are not
 * counted by name, which is logged.
 */
#include "bridge/metrics.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <pthread.h>

#include "common/log.h"

#define PREFIX "hook2mqtt_"

struct description {
    const char *name;
    const char *type;
    const char *help;
};

static const struct description plain_table[] = {
#define ROW(id, name, type, help) [id] = {PREFIX name, type, help},
    METRICS_PLAIN(ROW)
#undef ROW
};

static const struct description by_source_table[] = {
#define ROW(id, name, help) [id] = {PREFIX name, "counter", help},
    METRICS_BY_SOURCE(ROW)
#undef ROW
};

static const struct description histogram_table[] = {
#define ROW(id, name, help) [id] = {PREFIX name, "histogram", help},
    METRICS_HISTOGRAMS(ROW)
#undef ROW
};

static const struct {
    const char *code;
    unsigned status;
} reject_table[] = {
#define ROW(id, code, status) [id] = {code, status},
    REJECT_MAP(ROW)
#undef ROW
};

/* Upper bounds. Durations in microseconds, from a sync on a fast disk to a backlog of a day; and
 * events in a batch. */
static const int64_t second_bounds[] = {
    100,      250,      500,       1000,       2500,        5000,    10000,
    25000,    50000,    100000,    250000,     500000,      1000000, 2500000,
    10000000, 60000000, 600000000, 3600000000, 86400000000,
};
static const int64_t batch_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

enum { MAX_BOUNDS = 24, REASON_CODES = 256 };

_Static_assert(COUNT_OF(second_bounds) < MAX_BOUNDS && COUNT_OF(batch_bounds) < MAX_BOUNDS,
               "a histogram has a bucket for each bound and one beyond");

typedef _Atomic int64_t counter;

struct histogram {
    counter buckets[MAX_BOUNDS]; /* not cumulative; the page adds them up */
    counter sum;
};

static struct {
    counter plain[COUNT_OF(plain_table)];
    counter by_source[COUNT_OF(by_source_table)][METRICS_MAX_SOURCES];
    counter rejected[COUNT_OF(reject_table)][METRICS_MAX_SOURCES];
    counter refused[REASON_CODES];
    counter certificates[LISTENER_COUNT];
    struct histogram histograms[COUNT_OF(histogram_table)];
} values;

/* Names are added while sources are set up. They are never removed, even if their source is:
 * counters must not go back. The count is stored after the name. */
static pthread_mutex_t names_mu = PTHREAD_MUTEX_INITIALIZER;
static const char *source_names[METRICS_MAX_SOURCES] = {[METRICS_NO_SOURCE] = ""};
static _Atomic unsigned source_count = 1;

static void add(counter *c, int64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static int64_t get(counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

static unsigned find_or_add_source(const char *name)
{
    unsigned count = atomic_load(&source_count);

    for (unsigned i = 1; i < count; i++) {
        if (strcmp(source_names[i], name) == 0) {
            return i;
        }
    }
    if (count == METRICS_MAX_SOURCES) {
        log_warn("no counters are left for this source until a restart", L_STR("source", name),
                 L_INT("names", METRICS_MAX_SOURCES - 1));
        return METRICS_NO_SOURCE;
    }
    source_names[count] = xstrdup(name);
    atomic_store(&source_count, count + 1);
    return count;
}

unsigned metrics_source(const char *name)
{
    unsigned source;

    CHECK(pthread_mutex_lock(&names_mu) == 0);
    source = find_or_add_source(name);
    CHECK(pthread_mutex_unlock(&names_mu) == 0);
    return source;
}

const char *metrics_source_name(unsigned source)
{
    return source == METRICS_NO_SOURCE ? NULL : source_names[source];
}

void metrics_add(enum metric metric, int64_t n)
{
    add(&values.plain[metric], n);
}

void metrics_set(enum metric metric, int64_t value)
{
    atomic_store_explicit(&values.plain[metric], value, memory_order_relaxed);
}

int64_t metrics_get(enum metric metric)
{
    return get(&values.plain[metric]);
}

void metrics_count(enum metric_by_source metric, unsigned source)
{
    add(&values.by_source[metric][source], 1);
}

void metrics_reject(enum reject reason, unsigned source)
{
    add(&values.rejected[reason][source], 1);
}

void metrics_refused(int reason_code)
{
    add(&values.refused[(unsigned)reason_code % REASON_CODES], 1);
}

const char *metrics_listener_name(enum metric_listener listener)
{
    static const char *const names[LISTENER_COUNT] = {"ingress", "admin"};

    return names[listener];
}

void metrics_set_certificate(enum metric_listener listener, int64_t expires_s)
{
    atomic_store_explicit(&values.certificates[listener], expires_s, memory_order_relaxed);
}

int64_t metrics_total(enum metric_by_source metric)
{
    int64_t total = 0;

    for (unsigned i = 0; i < atomic_load(&source_count); i++) {
        total += get(&values.by_source[metric][i]);
    }
    return total;
}

static const int64_t *bounds_of(enum metric_histogram histogram, size_t *out_count)
{
    bool seconds = histogram != HISTOGRAM_BATCH;

    *out_count = seconds ? COUNT_OF(second_bounds) : COUNT_OF(batch_bounds);
    return seconds ? second_bounds : batch_bounds;
}

void metrics_observe(enum metric_histogram histogram, int64_t value)
{
    size_t count;
    const int64_t *bounds = bounds_of(histogram, &count);
    size_t i = 0;

    while (i < count && value > bounds[i]) {
        i++;
    }
    add(&values.histograms[histogram].buckets[i], 1);
    add(&values.histograms[histogram].sum, value);
}

const char *reject_code(enum reject reason)
{
    return reject_table[reason].code;
}

unsigned reject_status(enum reject reason)
{
    return reject_table[reason].status;
}

enum reject reject_of_status(unsigned status)
{
    for (size_t i = 0; i < COUNT_OF(reject_table); i++) {
        if (reject_table[i].status == status) {
            return (enum reject)i;
        }
    }
    return REJECT_BAD_REQUEST;
}

static void write_head(struct buf *out, const struct description *row)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name, row->type);
}

/* A label value: backslash, quote and newline are escaped (exposition format 0.0.4). */
static void write_label(struct buf *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"') {
            buf_add_char(out, '\\');
        }
        buf_add_str(out, *value == '\n' ? "\\n" : (char[]){*value, '\0'});
    }
}

static void write_by_source(struct buf *out, size_t metric)
{
    write_head(out, &by_source_table[metric]);
    for (unsigned i = 1; i < atomic_load(&source_count); i++) {
        buf_addf(out, "%s{source=\"", by_source_table[metric].name);
        write_label(out, source_names[i]);
        buf_addf(out, "\"} %lld\n", (long long)get(&values.by_source[metric][i]));
    }
}

static void write_rejected(struct buf *out)
{
    write_head(out, &(struct description){PREFIX "rejected_total", "counter",
                                          "Requests refused, by the answer's error code."});
    for (size_t reason = 0; reason < COUNT_OF(reject_table); reason++) {
        for (unsigned i = 0; i < atomic_load(&source_count); i++) {
            buf_add_str(out, PREFIX "rejected_total{source=\"");
            write_label(out, source_names[i]);
            buf_addf(out, "\",reason=\"%s\"} %lld\n", reject_table[reason].code,
                     (long long)get(&values.rejected[reason][i]));
        }
    }
}

/* Only codes that occurred: there are many, and most never do. */
static void write_refused(struct buf *out)
{
    write_head(out,
               &(struct description){PREFIX "refused_total", "counter",
                                     "Messages the broker refused, by MQTT 5 reason code."});
    for (int code = 0; code < REASON_CODES; code++) {
        int64_t count = get(&values.refused[code]);

        if (count > 0) {
            buf_addf(out, PREFIX "refused_total{reason_code=\"0x%02x\"} %lld\n", (unsigned)code,
                     (long long)count);
        }
    }
}

/* Only of listeners that have one. */
static void write_certificates(struct buf *out)
{
    write_head(out,
               &(struct description){PREFIX "certificate_expiry_timestamp_seconds", "gauge",
                                     "When the listener's certificate expires, or one "
                                     "that is sent with it; Unix time."});
    for (enum metric_listener listener = 0; listener < LISTENER_COUNT; listener++) {
        int64_t expires_s = get(&values.certificates[listener]);

        if (expires_s != 0) {
            buf_addf(out, PREFIX "certificate_expiry_timestamp_seconds{listener=\"%s\"} %lld\n",
                     metrics_listener_name(listener), (long long)expires_s);
        }
    }
}

/* Writes microseconds as seconds, exactly. */
static void write_value(struct buf *out, enum metric_histogram histogram, int64_t value)
{
    if (histogram == HISTOGRAM_BATCH) {
        buf_addf(out, "%lld", (long long)value);
    } else {
        buf_addf(out, "%lld.%06lld", (long long)(value / 1000000),
                 (long long)(value % 1000000));
    }
}

static void write_histogram(struct buf *out, enum metric_histogram histogram)
{
    const struct description *row = &histogram_table[histogram];
    struct histogram *h = &values.histograms[histogram];
    size_t count;
    const int64_t *bounds = bounds_of(histogram, &count);
    int64_t total = 0;

    write_head(out, row);
    for (size_t i = 0; i < count; i++) {
        total += get(&h->buckets[i]);
        buf_addf(out, "%s_bucket{le=\"", row->name);
        write_value(out, histogram, bounds[i]);
        buf_addf(out, "\"} %lld\n", (long long)total);
    }
    total += get(&h->buckets[count]);
    buf_addf(out, "%s_bucket{le=\"+Inf\"} %lld\n%s_sum ", row->name, (long long)total,
             row->name);
    write_value(out, histogram, get(&h->sum));
    buf_addf(out, "\n%s_count %lld\n", row->name, (long long)total);
}

void metrics_write(struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(plain_table); i++) {
        write_head(out, &plain_table[i]);
        buf_addf(out, "%s %lld\n", plain_table[i].name, (long long)get(&values.plain[i]));
    }
    for (size_t i = 0; i < COUNT_OF(by_source_table); i++) {
        write_by_source(out, i);
    }
    write_rejected(out);
    write_refused(out);
    write_certificates(out);
    for (size_t i = 0; i < COUNT_OF(histogram_table); i++) {
        write_histogram(out, (enum metric_histogram)i);
    }
}
