#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/metrics.h"

static struct buf page;

static void assert_on_page(const char *line)
{
    struct buf wanted = {0};

    buf_clear(&page);
    metrics_write(&page);
    buf_addf(&wanted, "\n%s\n", line);
    if (strstr(page.data, wanted.data) == NULL) {
        fail_msg("not on the page: %s\n%s", line, page.data);
    }
    buf_free(&wanted);
}

static void plain_values_are_set_and_added_to(void **state)
{
    (void)state;
    metrics_set(METRIC_CONNECTED, 1);
    metrics_add(METRIC_PUBLISHED, 2);
    metrics_add(METRIC_PUBLISHED, 3);
    assert_int_equal(metrics_get(METRIC_PUBLISHED), 5);
    assert_on_page("hook2mqtt_published_total 5");
    assert_on_page("# TYPE hook2mqtt_published_total counter");
    assert_on_page("# TYPE hook2mqtt_broker_connected gauge");
}

static void sources_have_counters_of_their_own(void **state)
{
    unsigned a = metrics_source("a\"b");
    unsigned b = metrics_source("b");

    (void)state;
    assert_int_not_equal(a, b);
    assert_int_equal(metrics_source("a\"b"), a);
    assert_string_equal(metrics_source_name(a), "a\"b");
    assert_string_equal(metrics_source_name(b), "b");
    assert_null(metrics_source_name(METRICS_NO_SOURCE));
    metrics_count(METRIC_ACCEPTED, a);
    metrics_count(METRIC_ACCEPTED, b);
    metrics_count(METRIC_ACCEPTED, b);
    metrics_reject(REJECT_UNAUTHENTIC, b);
    metrics_reject(REJECT_NOT_FOUND, METRICS_NO_SOURCE);
    assert_int_equal(metrics_total(METRIC_ACCEPTED), 3);
    assert_on_page("hook2mqtt_accepted_total{source=\"a\\\"b\"} 1");
    assert_on_page("hook2mqtt_accepted_total{source=\"b\"} 2");
    assert_on_page("hook2mqtt_rejected_total{source=\"b\",reason=\"unauthorized\"} 1");
    assert_on_page("hook2mqtt_rejected_total{source=\"\",reason=\"not_found\"} 1");
}

static void sources_beyond_the_maximum_share_the_nameless_one(void **state)
{
    char name[16];
    unsigned last = 0;

    (void)state;
    for (int i = 0; i < METRICS_MAX_SOURCES + 1; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        last = metrics_source(name);
    }
    assert_int_equal(last, METRICS_NO_SOURCE);
}

static void histograms_are_cumulative_and_in_seconds(void **state)
{
    (void)state;
    metrics_observe(HISTOGRAM_COMMIT, 100);
    metrics_observe(HISTOGRAM_COMMIT, 101);
    metrics_observe(HISTOGRAM_COMMIT, 99000000000);
    assert_on_page("hook2mqtt_outbox_commit_seconds_bucket{le=\"0.000100\"} 1");
    assert_on_page("hook2mqtt_outbox_commit_seconds_bucket{le=\"0.000250\"} 2");
    assert_on_page("hook2mqtt_outbox_commit_seconds_bucket{le=\"+Inf\"} 3");
    assert_on_page("hook2mqtt_outbox_commit_seconds_sum 99000.000201");
    assert_on_page("hook2mqtt_outbox_commit_seconds_count 3");
    metrics_observe(HISTOGRAM_BATCH, 3);
    assert_on_page("hook2mqtt_outbox_batch_events_bucket{le=\"2\"} 0");
    assert_on_page("hook2mqtt_outbox_batch_events_bucket{le=\"4\"} 1");
}

static void refusals_of_the_broker_are_counted_by_code(void **state)
{
    (void)state;
    metrics_refused(0x99);
    assert_on_page("hook2mqtt_refused_total{reason_code=\"0x99\"} 1");
    assert_null(strstr(page.data, "0x87"));
}

static void answers_and_reasons_name_each_other(void **state)
{
    (void)state;
    assert_string_equal(reject_code(reject_of_status(401)), "unauthorized");
    assert_int_equal(reject_status(REJECT_TOO_LARGE), 413);
    assert_int_equal(reject_of_status(418), REJECT_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_values_are_set_and_added_to),
        cmocka_unit_test(sources_have_counters_of_their_own),
        cmocka_unit_test(histograms_are_cumulative_and_in_seconds),
        cmocka_unit_test(refusals_of_the_broker_are_counted_by_code),
        cmocka_unit_test(answers_and_reasons_name_each_other),
        cmocka_unit_test(sources_beyond_the_maximum_share_the_nameless_one),
    };
    int failed = cmocka_run_group_tests_name("metrics", tests, NULL, NULL);

    buf_free(&page);
    return failed;
}
