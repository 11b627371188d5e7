/*
 * Secrets from files, while the intake is used.
 */
#include "tests/unit/lib/intake_fixture.h"

enum { DEADLINE_MS = 20 * 1000 };

#define ONE_FILE                                                                               \
    "{'name':'phones','provider':'ricloud','path':'/a','secrets':[{'file':'@/one'}]}"
#define TWO_FILES                                                                              \
    "{'name':'phones','provider':'ricloud','path':'/a',"                                       \
    "'secrets':[{'file':'@/one'},{'file':'@/two'}]}"

static bool counts(const char *secret)
{
    static unsigned number;
    struct buf body = {0};

    buf_addf(
        &body,
        "{\"id\":\"e%u\",\"type\":\"poll\",\"action\":\"completed\",\"data\":{\"id\":\"1\"}}",
        number++);
    deliver_signed("/a", &provider_ricloud, secret, buf_slice(&body));
    buf_free(&body);
    assert_int_equal(answer.count, 1);
    assert_true(answer.result.status == ST_OK || answer.result.status == ST_UNAUTHENTIC);
    return answer.result.status == ST_OK;
}

/* Deliveries that verify are what makes the intake look, so one after the other is sent. */
static void assert_soon_not(const char *secret)
{
    int64_t end_ms = clock_mono_ms() + DEADLINE_MS;

    while (counts(secret)) {
        assert_true(clock_mono_ms() < end_ms);
        usleep(10 * 1000);
    }
}

static void a_new_secret_counts_at_once_and_the_old_one_no_more(void **state)
{
    (void)state;
    write_file("one", "first");
    use(ONE_FILE);
    assert_true(counts("first"));
    write_file("one", "second");
    assert_true(counts("second"));
    assert_false(counts("first"));
    write_file("one", "third\n"); /* one newline at its end is none */
    assert_true(counts("third"));
}

static void a_secret_that_was_replaced_stops_counting_without_a_failure(void **state)
{
    (void)state;
    write_file("one", "first");
    use(ONE_FILE);
    assert_true(counts("first"));
    write_file("one", "second");
    assert_soon_not("first");
    assert_true(counts("second"));
}

static void
what_was_written_between_reading_the_configuration_and_the_start_counts(void **state)
{
    (void)state;
    write_file("one", "first");
    load(ONE_FILE);
    write_file("one", "second");
    recreate();
    assert_true(counts("second"));
    assert_false(counts("first"));
}

static void a_file_that_vanished_before_the_start_leaves_what_was_read(void **state)
{
    (void)state;
    write_file("one", "first");
    load(ONE_FILE);
    remove_file("one");
    recreate();
    assert_true(counts("first"));
    write_file("one", "second");
    assert_true(counts("second"));
}

static void deliver_for_more_than_a_look(void)
{
    int64_t end_ms = clock_mono_ms() + 1200;

    while (clock_mono_ms() < end_ms) {
        assert_true(counts("first"));
        assert_false(counts("wrong"));
        usleep(10 * 1000);
    }
}

static void a_file_that_vanishes_keeps_the_secret_and_is_warned_of_once(void **state)
{
    char *log;

    (void)state;
    write_file("one", "first");
    use(ONE_FILE);
    assert_true(counts("first"));
    remove_file("one");
    log = stderr_of(deliver_for_more_than_a_look);
    assert_int_equal(count_of(log, "\n"), 1);
    assert_int_equal(count_of(log, "level=warn"), 1);
    assert_int_equal(count_of(log, "source=phones"), 1);
    assert_non_null(strstr(log, "/one"));
    free(log);
    write_file("one", "second");
    assert_true(counts("second"));
    assert_false(counts("first"));
}

static void a_file_that_holds_no_secret_any_more_keeps_the_old_one(void **state)
{
    char *log;

    (void)state;
    write_file("one", "first");
    use(ONE_FILE);
    write_file("one", "");
    log = stderr_of(deliver_for_more_than_a_look);
    assert_int_equal(count_of(log, "level=warn"), 1);
    free(log);
    assert_true(counts("first"));
}

static void deliver_good_and_wrong(void)
{
    assert_true(counts("second"));
    assert_false(counts("first"));
    assert_true(counts("second"));
}

static void a_change_is_said_once_and_no_secret_with_it(void **state)
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

static void a_secret_that_registering_will_bring_may_be_missing_until_then(void **state)
{
    (void)state;
    use(ONE_FILE);
    assert_false(counts("first"));
    write_file("one", "first");
    assert_true(counts("first"));
    assert_false(counts("second"));
}

static void each_file_counts_for_itself(void **state)
{
    (void)state;
    write_file("one", "first");
    use(TWO_FILES);
    assert_true(counts("first"));
    /* That the other one is missing keeps nothing out. */
    write_file("one", "second");
    assert_true(counts("second"));
    assert_false(counts("first"));
    write_file("two", "new");
    assert_true(counts("new"));
    assert_true(counts("second"));
    remove_file("two");
    write_file("one", "third");
    assert_true(counts("third"));
    assert_true(counts("new"));
    assert_false(counts("second"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_empty, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_secret_counts_at_once_and_the_old_one_no_more),
        TEST(a_secret_that_was_replaced_stops_counting_without_a_failure),
        TEST(what_was_written_between_reading_the_configuration_and_the_start_counts),
        TEST(a_file_that_vanished_before_the_start_leaves_what_was_read),
        TEST(a_file_that_vanishes_keeps_the_secret_and_is_warned_of_once),
        TEST(a_file_that_holds_no_secret_any_more_keeps_the_old_one),
        TEST(a_change_is_said_once_and_no_secret_with_it),
        TEST(a_secret_that_registering_will_bring_may_be_missing_until_then),
        TEST(each_file_counts_for_itself),
    };

    return cmocka_run_group_tests_name("intake: secrets", tests, NULL, NULL);
}
