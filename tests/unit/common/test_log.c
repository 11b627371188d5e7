#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "common/log_writer.h"

static char line[8192];

/* Runs the statement; `line` is then the text that it wrote to stderr. */
#define CAPTURE(statement)                                                                     \
    do {                                                                                       \
        int pipe_fds[2], saved = dup(STDERR_FILENO);                                           \
        ssize_t len;                                                                           \
        assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);                                      \
        assert_true(dup2(pipe_fds[1], STDERR_FILENO) >= 0);                                    \
        statement;                                                                             \
        assert_true(dup2(saved, STDERR_FILENO) >= 0);                                          \
        len = read(pipe_fds[0], line, sizeof(line) - 1);                                       \
        line[len > 0 ? len : 0] = '\0';                                                        \
        close(pipe_fds[0]);                                                                    \
        close(pipe_fds[1]);                                                                    \
        close(saved);                                                                          \
    } while (0)

static void a_line_has_time_level_message_and_fields(void **state)
{
    struct uuid id;

    (void)state;
    assert_true(uuid_parse(SLICE("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), &id));
    CAPTURE(log_warn("broker lost", L_STR("server", "mqtt://x:1"), L_INT("n", -7),
                     L_UUID("id", id)));
    assert_memory_equal(line, "ts=20", 5);
    assert_non_null(strstr(line, " level=warn msg=\"broker lost\" server=mqtt://x:1 n=-7 "
                                 "id=017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n"));
}

static void a_value_from_a_peer_cannot_leave_its_field(void **state)
{
    (void)state;
    CAPTURE(log_info("m", L_SLICE("v", SLICE("a b\"\\\n\r\t\x1b[31m\xc3\xa9=\0"))));
    assert_non_null(
        strstr(line, "v=\"a b\\\"\\\\\\x0a\\x0d\\x09\\x1b[31m\\xc3\\xa9=\\x00\"\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void long_values_are_cut_and_the_line_still_ends(void **state)
{
    char text[2000];

    (void)state;
    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    CAPTURE(log_info("m", L_STR("a", text), L_STR("b", text), L_STR("c", text),
                     L_STR("d", text), L_STR("e", text)));
    assert_non_null(strstr(line, "..."));
    assert_true(strlen(line) <= 4096);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

static void absent_text_leaves_its_field_out_and_empty_text_does_not(void **state)
{
    (void)state;
    CAPTURE(log_info("m", L_STR("gone", NULL), L_STR("empty", "")));
    assert_null(strstr(line, "gone"));
    assert_non_null(strstr(line, " empty=\"\"\n"));
}

static void lines_below_the_level_are_not_written(void **state)
{
    enum log_level level;

    (void)state;
    CAPTURE(log_debug("hidden"));
    assert_string_equal(line, "");
    assert_true(log_level_parse("debug", &level));
    log_set_level(level);
    CAPTURE(log_debug("shown"));
    assert_non_null(strstr(line, "level=debug msg=shown\n"));
    assert_false(log_level_parse("loud", &level));
    log_set_level(LOG_INFO);
}

static void a_field_that_does_not_fit_is_left_out_whole_and_counted(void **state)
{
    char text[2000];

    (void)state;
    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    CAPTURE(log_info("m", L_STR("a", text), L_STR("b", text), L_STR("c", text),
                     L_STR("d", text), L_STR("e", text), L_INT("f", 7)));
    assert_true(strlen(line) <= LOG_LINE_MAX);
    assert_non_null(strstr(line, "...\" f=7 fields_left_out=2\n"));
}

static void json_is_one_object_a_line_with_the_same_keys(void **state)
{
    struct uuid id;

    (void)state;
    assert_true(uuid_parse(SLICE("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), &id));
    log_set_format(LOG_FORMAT_JSON);
    CAPTURE(log_warn("broker lost", L_STR("server", "mqtt://x:1"), L_INT("n", -7),
                     L_UUID("id", id), L_STR("gone", NULL), L_STR("empty", "")));
    log_set_format(LOG_FORMAT_TEXT);
    assert_memory_equal(line, "{\"ts\":\"20", 9);
    assert_non_null(strstr(line, "\",\"level\":\"warn\",\"msg\":\"broker lost\","
                                 "\"server\":\"mqtt://x:1\",\"n\":-7,"
                                 "\"id\":\"017f22e2-79b0-7cc3-98c4-dc0c0c07398f\","
                                 "\"empty\":\"\"}\n"));
}

/* Characters stay; what is none, or would do something to a terminal, is escaped. */
static void json_is_valid_utf_8_whatever_a_peer_sent(void **state)
{
    (void)state;
    log_set_format(LOG_FORMAT_JSON);
    CAPTURE(
        log_info("m", L_SLICE("v", SLICE("a\"\\\n\x1b\xc3\xa9\xff\xe2\x80\xae\xc2\x9b\0"))));
    log_set_format(LOG_FORMAT_TEXT);
    assert_non_null(strstr(line, "\"v\":\"a\\\"\\\\\\u000a\\u001b\xc3\xa9\\\\xff\\u202e"
                                 "\\u009b\\u0000\"}\n"));
}

static void json_stays_whole_when_the_line_is_full(void **state)
{
    char text[2000];

    (void)state;
    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_set_format(LOG_FORMAT_JSON);
    CAPTURE(log_info("m", L_STR("a", text), L_STR("b", text), L_STR("c", text), L_INT("f", 7)));
    log_set_format(LOG_FORMAT_TEXT);
    assert_true(strlen(line) <= LOG_LINE_MAX);
    assert_non_null(strstr(line, "...\",\"f\":7,\"fields_left_out\":1}\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_message_and_fields),
        cmocka_unit_test(a_value_from_a_peer_cannot_leave_its_field),
        cmocka_unit_test(long_values_are_cut_and_the_line_still_ends),
        cmocka_unit_test(absent_text_leaves_its_field_out_and_empty_text_does_not),
        cmocka_unit_test(lines_below_the_level_are_not_written),
        cmocka_unit_test(a_field_that_does_not_fit_is_left_out_whole_and_counted),
        cmocka_unit_test(json_is_one_object_a_line_with_the_same_keys),
        cmocka_unit_test(json_is_valid_utf_8_whatever_a_peer_sent),
        cmocka_unit_test(json_stays_whole_when_the_line_is_full),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
