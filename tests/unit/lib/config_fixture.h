/*
 * config_fixture - configurations as text, and what was found in them. They are written with '
 * for ", to stay readable.
 */
#ifndef TESTS_UNIT_LIB_CONFIG_FIXTURE_H
#define TESTS_UNIT_LIB_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <cmocka.h>

#include "bridge/config/config.h"

#include "tests/unit/lib/presets.h"

#define BASICS  "'name':'p','provider':'creads','path':'/p'"
#define SECRETS "'secrets':[{'env':'TEST_SECRET'}]"
#define SOURCE  "{" BASICS "," SECRETS "}"
#define SOURCES "'sources':[" SOURCE "]"
/* A configuration with these settings besides a good source; one whose source has these
 * settings more. */
#define WITH(settings)        "{" settings "," SOURCES "}"
#define WITH_SOURCE(settings) "{'sources':[{" BASICS "," SECRETS "," settings "}]}"

static char directory[] = "/tmp/test_config.XXXXXX";
static char config_path[64];

static struct config *config;
static struct config_faults faults;

static inline void path_in_directory(char *out, size_t size, const char *name)
{
    assert_true(snprintf(out, size, "%s/%s", directory, name) < (int)size);
}

static inline void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static inline void forget(void)
{
    config_destroy(config);
    config = NULL;
    config_faults_free(&faults);
}

static inline void write_config(const char *text)
{
    char *copy = xstrdup(text);

    forget();
    for (char *c = copy; *c != '\0'; c++) {
        if (*c == '\'') {
            *c = '"';
        }
    }
    write_file(config_path, copy, strlen(copy));
    free(copy);
}

static inline enum status load(const char *text)
{
    write_config(text);
    return config_load(config_path, &config, &faults);
}

static inline void print_findings(void)
{
    for (size_t i = 0; i < faults.count; i++) {
        print_message("%s%s: %s\n", faults.items[i].warning ? "warning: " : "",
                      faults.items[i].path, faults.items[i].text);
    }
}

static inline bool found(bool warning, const char *path)
{
    for (size_t i = 0; i < faults.count; i++) {
        if (faults.items[i].warning == warning && strcmp(faults.items[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

static inline void assert_found(bool warning, const char *path)
{
    if (!found(warning, path)) {
        print_findings();
        fail_msg("nothing is found at %s", path);
    }
}

static inline void load_good(const char *text)
{
    if (load(text) != ST_OK) {
        print_findings();
        fail_msg("was refused: %s", text);
    }
    assert_non_null(config);
}

/* Refused for what is there alone. The words are asserted in test_wording.c. */
static inline void assert_fault(const char *text, const char *path)
{
    assert_int_equal(load(text), ST_INVALID);
    assert_null(config);
    assert_found(false, path);
    if (faults.error_count != 1) {
        print_findings();
        fail_msg("%zu faults instead of one", faults.error_count);
    }
}

/* Accepted, with this warning alone. */
static inline void assert_warning(const char *text, const char *path)
{
    load_good(text);
    assert_found(true, path);
    assert_int_equal(faults.count, 1);
}

static inline void assert_no_finding(const char *text)
{
    load_good(text);
    if (faults.count != 0) {
        print_findings();
        fail_msg("%zu findings", faults.count);
    }
}

static inline int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(directory)) {
        return -1;
    }
    path_in_directory(config_path, sizeof(config_path), "config.json");
    setenv("TEST_SECRET", "secret of the test", 1);
    setenv("TEST_HOST", "broker", 1);
    setenv("TEST_WHSEC", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1);
    setenv("TEST_DIGITS", "88", 1);
    setenv("TEST_EMPTY", "", 1);
    setenv("TEST_BYTES", "\xFF\xFE", 1);
    unsetenv("TEST_UNSET");
    return 0;
}

static inline int tear_down(void **state)
{
    static const char *const names[] = {"config.json", "secret", "cert.pem", "key.pem",
                                        "open.pem"};
    char path[64];

    (void)state;
    forget();
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        path_in_directory(path, sizeof(path), names[i]);
        (void)unlink(path);
    }
    return rmdir(directory);
}

#endif
