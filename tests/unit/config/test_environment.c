#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/config/internal.h"

static char folder[] = "/tmp/test_environment.XXXXXX";
static char config_path[64], file_path[64];

static struct config_faults faults;
static struct environment *environment;

static void write_file(const char *text, size_t len)
{
    FILE *file = fopen(file_path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(file_path, 0640), 0);
}

static void read_again(bool partial)
{
    struct reader reader = {.faults = &faults, .partial = partial};

    config_environment_free(environment);
    config_faults_free(&faults);
    environment = config_read_environment(config_path, &reader);
}

static void read_text(const char *text)
{
    write_file(text, strlen(text));
    read_again(false);
}

static const char *get(const char *name)
{
    return config_environment_get(environment, name);
}

/* What systemd makes of the same lines (systemd 252, src/basic/env-file.c). */
static void values_are_those_of_systemd(void **state)
{
    static const struct {
        const char *line, *value;
    } cases[] = {
        {"X_A=plain", "plain"},
        {"X_A=", ""},
        {"X_A=a b  c \t", "a b  c"},
        {"  X_A = a", "a"},
        {"export X_A=a", "a"},
        {"X_A=a=b", "a=b"},
        {"X_A=a#b ;c", "a#b ;c"},
        {"X_A=\"a b \"", "a b "},
        {"X_A='a b '", "a b "},
        {"X_A='a\\nb\"'", "a\\nb\""},
        {"X_A=\"a\\\"b\\\\c\\$d\\`e\\nf\"", "a\"b\\c$d`e\\nf"},
        {"X_A='a'\"b\"c", "abc"},
        {"X_A='a' 'b'", "ab"},
        {"X_A=a\"b\"", "a\"b\""},
        {"X_A=a\\ b\\\\\\\"", "a b\\\""},
        {"X_A=a\\ ", "a "},
        {"X_A=a\\\nb", "ab"},
        {"X_A=\"a\\\nb\nc\"", "ab\nc"},
        {"X_A='a\nb'", "a\nb"},
        {"X_A=a\r\nX_B=b\r\n", "a"},
        {"# X_A=no\n; X_A=no\n\n  # X_A=no\nX_A=yes", "yes"},
        {"X_A=1\nX_A=2\n", "2"},
        {"X_A=$HOME ${HOME}", "$HOME ${HOME}"},
        {"X_A=\xff\xc3\xa9", "\xff\xc3\xa9"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        read_text(cases[i].line);
        assert_int_equal(faults.count, 0);
        if (!get("X_A") || strcmp(get("X_A"), cases[i].value) != 0) {
            fail_msg("%s: %s", cases[i].line, get("X_A"));
        }
    }
}

static void what_is_no_assignment_is_a_fault_at_its_line(void **state)
{
    static const struct {
        const char *text;
        int line;
        const char *what;
    } cases[] = {
        {"A=1\nnonsense\nX_B=2\n", 2, "must be NAME=value"},
        {"\n\nA B=1\nX_B=2\n", 3, "the name before = must have letters, digits and _ only"},
        {"=1\nX_B=2\n", 1, "the name before = must have letters, digits and _ only"},
        {"1A=1\nX_B=2\n", 1, "the name before = must have letters, digits and _ only"},
        {"A='1\n2'\nB\nX_B=2\n", 3, "must be NAME=value"},
        {"X_B=2\nA=\"1\nC=1\n", 2, "a quote is opened here and not closed"},
    };
    char place[80];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        read_text(cases[i].text);
        (void)snprintf(place, sizeof(place), "%s:%d", file_path, cases[i].line);
        assert_int_equal(faults.error_count, 1);
        assert_string_equal(faults.items[0].path, place);
        assert_string_equal(faults.items[0].text, cases[i].what);
        assert_string_equal(get("X_B"), "2");
        read_again(true);
        assert_int_equal(faults.count, 1);
        assert_int_equal(faults.error_count, 0);
    }
    write_file("X_B=2\nA=1\0002\n", 12);
    read_again(false);
    assert_int_equal(faults.error_count, 1);
    assert_string_equal(get("X_B"), "2");
    assert_null(get("A"));
}

static void the_process_own_wins(void **state)
{
    (void)state;
    read_text("X_OWN=file\nX_FILE=file\n");
    assert_int_equal(setenv("X_OWN", "process", 1), 0);
    assert_string_equal(get("X_OWN"), "process");
    assert_string_equal(get("X_FILE"), "file");
    assert_null(get("X_NONE"));
}

/* It is set for the libraries, too, and the file is still what counts: it may change. */
static void what_was_exported_is_not_the_process_own(void **state)
{
    (void)state;
    read_text("X_OWN=file\nX_LIB=one\nX_LIB2=one\n");
    config_export_environment(config_path);
    assert_string_equal(getenv("X_LIB"), "one");
    assert_string_equal(getenv("X_OWN"), "process");
    read_text("X_OWN=file\nX_LIB=two\n");
    assert_string_equal(get("X_LIB"), "two");
    assert_null(get("X_LIB2"));
    assert_string_equal(get("X_OWN"), "process");
}

static void only_a_file_that_was_named_must_be_there(void **state)
{
    (void)state;
    assert_int_equal(unlink(file_path), 0);
    read_again(false);
    assert_int_equal(faults.count, 0);
    config_use_environment("/nonexistent/environment");
    read_again(true);
    assert_int_equal(faults.error_count, 1);
    assert_string_equal(faults.items[0].path, "/nonexistent/environment");
    config_use_environment(NULL);
}

static void a_file_that_all_can_read_is_warned_of(void **state)
{
    (void)state;
    read_text("A=1\n");
    assert_int_equal(chmod(file_path, 0644), 0);
    read_again(false);
    assert_int_equal(faults.error_count, 0);
    assert_int_equal(faults.count, 1);
    assert_non_null(strstr(faults.items[0].text, "every user of this machine can read it"));
}

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(config_path, sizeof(config_path), "%s/bridge.json", folder);
    (void)snprintf(file_path, sizeof(file_path), "%s/environment", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    config_environment_free(environment);
    config_faults_free(&faults);
    (void)unlink(file_path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_systemd),
        cmocka_unit_test(what_is_no_assignment_is_a_fault_at_its_line),
        cmocka_unit_test(the_process_own_wins),
        cmocka_unit_test(what_was_exported_is_not_the_process_own),
        cmocka_unit_test(only_a_file_that_was_named_must_be_there),
        cmocka_unit_test(a_file_that_all_can_read_is_warned_of),
    };

    return cmocka_run_group_tests_name("environment", tests, make_folder, remove_folder);
}
