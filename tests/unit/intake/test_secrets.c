/*
 * Secrets from files that change while the intake is used.
 */
#include "tests/unit/lib/intake_fixture.h"

enum { DEADLINE_MS = 20 * 1000 };

#define ONE_FILE                                                                               \
    "{'name':'phones','provider':'ricloud','path':'/a','secrets':[{'file':'@/one'}]}"
#define TWO_FILES                                                                              \
    "{'name':'phones','provider':'ricloud','path':'/a',"                                       \
    "'secrets':[{'file':'@/one'},{'file':'@/two'}]}"

static bool verifies(const char *secret)
{
    static unsigned number;
    struct buf body = {0};

    buf_addf(
        &body,
        "{\"id\":\"e%u\",\"type\":\"poll\",\"action\":\"completed\",\"data\":{\"id\":\"1\"}}",
        number++);
    deliver_signed("/a", preset("ricloud"), secret, buf_slice(&body));
    buf_free(&body);
    assert_int_equal(answer.count, 1);
    assert_true(answer.result.status == ST_OK || answer.result.status == ST_UNAUTHENTIC);
    return answer.result.status == ST_OK;
}

/* The intake checks the files when a delivery arrives, so one after another is sent. */
static void wait_until_invalid(const char *secret)
{
    int64_t end_ms = clock_mono_ms() + DEADLINE_MS;

    while (verifies(secret)) {
        assert_true(clock_mono_ms() < end_ms);
        usleep(10 * 1000);
    }
}

static void a_new_secret_is_valid_at_once_and_the_old_one_invalid(void **state)
{
    (void)state;
    write_file("one", "first");
    use(ONE_FILE);
    assert_true(verifies("first"));
    write_file("one", "second");
    assert_true(verifies("second"));
    assert_false(verifies("first"));
    write_file("one", "third\n"); /* a newline at the end is not part of the secret */
    assert_true(verifies("third"));
}

static void a_replaced_secret_becomes_invalid_without_a_failed_delivery(void **state)
{
    (void)state;
    write_file("one", "first");
    use(ONE_FILE);
    assert_true(verifies("first"));
    write_file("one", "second");
    wait_until_invalid("first");
    assert_true(verifies("second"));
}

static void a_secret_written_after_the_configuration_was_read_is_valid(void **state)
{
    (void)state;
    write_file("one", "first");
    load(ONE_FILE);
    write_file("one", "second");
    recreate();
    assert_true(verifies("second"));
    assert_false(verifies("first"));
}

static void a_file_that_vanished_before_the_start_keeps_its_secret(void **state)
{
    (void)state;
    write_file("one", "first");
    load(ONE_FILE);
    remove_file("one");
    recreate();
    assert_true(verifies("first"));
    write_file("one", "second");
    assert_true(verifies("second"));
}

static void deliver_for_longer_than_the_interval_of_checks(void)
{
    int64_t end_ms = clock_mono_ms() + 1200;

    while (clock_mono_ms() < end_ms) {
        assert_true(verifies("first"));
        assert_false(verifies("wrong"));
        usleep(10 * 1000);
    }
}

static void a_file_that_vanishes_keeps_its_secret_and_is_logged_once(void **state)
{
    char *log;

    (void)state;
    write_file("one", "first");
    use(ONE_FILE);
    assert_true(verifies("first"));
    remove_file("one");
    log = stderr_of(deliver_for_longer_than_the_interval_of_checks);
    assert_int_equal(count_of(log, "\n"), 1);
    assert_int_equal(count_of(log, "level=warn"), 1);
    assert_int_equal(count_of(log, "source=phones"), 1);
    assert_non_null(strstr(log, "/one"));
    free(log);
    write_file("one", "second");
    assert_true(verifies("second"));
    assert_false(verifies("first"));
}

static void a_file_without_a_secret_keeps_the_old_one(void **state)
{
    char *log;

    (void)state;
    write_file("one", "first");
    use(ONE_FILE);
    write_file("one", "");
    log = stderr_of(deliver_for_longer_than_the_interval_of_checks);
    assert_int_equal(count_of(log, "level=warn"), 1);
    free(log);
    assert_true(verifies("first"));
}

static void deliver_good_and_wrong(void)
{
    assert_true(verifies("second"));
    assert_false(verifies("first"));
    assert_true(verifies("second"));
}

static void a_change_is_logged_once_and_without_the_secret(void **state)
{
    char *log;

    (void)state;
    write_file("one", "first");
    use(ONE_FILE);
    write_file("one", "second");
    log = stderr_of(deliver_good_and_wrong);
    assert_int_equal(count_of(log, "\n"), 1);
    assert_int_equal(count_of(log, "level=info"), 1);
    assert_non_null(strstr(log, "/one"));
    assert_null(strstr(log, "first"));
    assert_null(strstr(log, "second"));
    free(log);
}

static void a_secret_that_the_registration_brings_may_be_missing_before(void **state)
{
    (void)state;
    use(ONE_FILE);
    assert_false(verifies("first"));
    write_file("one", "first");
    assert_true(verifies("first"));
    assert_false(verifies("second"));
}

static void each_file_is_handled_by_itself(void **state)
{
    (void)state;
    write_file("one", "first");
    use(TWO_FILES);
    assert_true(verifies("first"));
    /* The missing file does not keep the other one's new secret out. */
    write_file("one", "second");
    assert_true(verifies("second"));
    assert_false(verifies("first"));
    write_file("two", "new");
    assert_true(verifies("new"));
    assert_true(verifies("second"));
    remove_file("two");
    write_file("one", "third");
    assert_true(verifies("third"));
    assert_true(verifies("new"));
    assert_false(verifies("second"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_empty, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_secret_is_valid_at_once_and_the_old_one_invalid),
        TEST(a_replaced_secret_becomes_invalid_without_a_failed_delivery),
        TEST(a_secret_written_after_the_configuration_was_read_is_valid),
        TEST(a_file_that_vanished_before_the_start_keeps_its_secret),
        TEST(a_file_that_vanishes_keeps_its_secret_and_is_logged_once),
        TEST(a_file_without_a_secret_keeps_the_old_one),
        TEST(a_change_is_logged_once_and_without_the_secret),
        TEST(a_secret_that_the_registration_brings_may_be_missing_before),
        TEST(each_file_is_handled_by_itself),
    };

    return cmocka_run_group_tests_name("intake: secrets", tests, NULL, NULL);
}
