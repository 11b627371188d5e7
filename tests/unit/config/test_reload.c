/*
 * What a bridge needs of its configuration while it runs: references, secrets that change, and
 * what another configuration would change.
 */
#include "tests/unit/lib/config_fixture.h"

#include <pthread.h>
#include <sys/stat.h>

/* References */

static void a_configuration_lives_as_long_as_somebody_holds_it(void **state)
{
    struct config *held;

    (void)state;
    load_good("{" SOURCES "}");
    held = config_hold(config);
    assert_ptr_equal(held, config);
    config_destroy(config);
    config = NULL;
    assert_string_equal(held->sources[0].name, "p");
    assert_string_equal(held->sources[0].secrets[0].value.data, "secret of the test");
    config_destroy(held);
    config_destroy(NULL);
}

static void *hold_and_drop(void *arg)
{
    for (int i = 0; i < 10000; i++) {
        config_destroy(config_hold(arg));
    }
    config_destroy(arg);
    return NULL;
}

static void references_are_counted_from_any_thread(void **state)
{
    pthread_t threads[4];

    (void)state;
    load_good("{" SOURCES "}");
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_drop, config_hold(config)),
                         0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(config->more_references, 0);
    assert_string_equal(config->sources[0].name, "p");
}

/* Secrets */

static void write_secret(const char *text)
{
    char path[64];

    path_in_directory(path, sizeof(path), "secret");
    write_file(path, text, strlen(text));
    assert_int_equal(chmod(path, 0600), 0);
}

static void remove_secret(void)
{
    char path[64];

    path_in_directory(path, sizeof(path), "secret");
    (void)unlink(path);
}

/* Its second secret is the file's. */
static enum status load_source(const char *provider)
{
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "{'sources':[{'name':'p','provider':'%s','path':'/p','secrets':["
                   "{'env':'TEST_WHSEC'},{'file':'%s/secret'}]}]}",
                   provider, directory);
    return load(text);
}

static void assert_secret_now(const char *expected)
{
    struct buf value = {0};
    struct err err = {0};

    assert_int_equal(config_read_secret_again(&config->sources[0], 1, &value, &err), ST_OK);
    assert_string_equal(value.data, expected);
    buf_wipe(&value);
    assert_int_equal(config_read_secret_again(&config->sources[0], 0, &value, &err), ST_OK);
    assert_string_equal(value.data, getenv("TEST_WHSEC"));
    buf_wipe(&value);
}

static void assert_not_read_again(enum status st, const char *why)
{
    struct buf value = {0};
    struct err err = {0};

    assert_int_equal(config_read_secret_again(&config->sources[0], 1, &value, &err), st);
    assert_int_equal(value.len, 0);
    assert_non_null(strstr(err.text, why));
    assert_non_null(strstr(err.text, "/secret"));
    buf_free(&value);
}

static void a_secret_that_a_provider_will_issue_may_be_missing(void **state)
{
    (void)state;
    remove_secret();
    assert_int_equal(load_source("ricloud"), ST_OK);
    assert_found(true, "sources[0].secrets[1]");
    assert_int_equal(faults.count, 1);
    assert_true(config->sources[0].secrets[1].missing);
    assert_int_equal(config->sources[0].secrets[1].value.len, 0);
    assert_non_null(config->sources[0].secrets[1].file);
    assert_null(config->sources[0].secrets[0].file);
    assert_not_read_again(ST_NOT_FOUND, "No such file");
    write_secret("issued\n");
    assert_secret_now("issued");
    remove_secret();
    assert_not_read_again(ST_NOT_FOUND, "No such file");
}

static void any_other_secret_must_be_there(void **state)
{
    (void)state;
    remove_secret();
    assert_int_equal(load_source("creads"), ST_INVALID);
    assert_found(false, "sources[0].secrets[1].file");
    assert_int_equal(faults.count, 1);
    config_faults_free(&faults);
    assert_int_equal(config_load_partial(config_path, &config, &faults), ST_OK);
    assert_found(true, "sources[0].secrets[1].file");
    /* Whatever the provider may turn out to be. */
    assert_int_equal(load_source("craeds"), ST_INVALID);
    assert_found(false, "sources[0].secrets[1].file");
}

static void a_secret_that_is_there_but_useless_is_a_fault(void **state)
{
    (void)state;
    write_secret("");
    assert_int_equal(load_source("standard-webhooks"), ST_INVALID);
    assert_found(false, "sources[0].secrets[1].file");
    assert_int_equal(load_source("ricloud"), ST_OK); /* will be issued */
    assert_found(true, "sources[0].secrets[1]");
}

static void what_cannot_be_read_again_is_told(void **state)
{
    (void)state;
    write_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    assert_int_equal(load_source("standard-webhooks"), ST_OK);
    assert_secret_now("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    write_secret("not base64!");
    assert_not_read_again(ST_INVALID, "base64");
    write_secret("\n");
    assert_not_read_again(ST_INVALID, "empty");
    remove_secret();
    assert_not_read_again(ST_NOT_FOUND, "No such file");
}

static void what_was_read_before_stays_where_an_issued_secret_is_missing_now(void **state)
{
    struct config *before;

    (void)state;
    write_secret("issued\n");
    assert_int_equal(load_source("ricloud"), ST_OK);
    before = config_hold(config);
    for (int emptied = 0; emptied < 2; emptied++) {
        if (emptied) {
            write_secret("");
        } else {
            remove_secret();
        }
        assert_int_equal(load_source("ricloud"), ST_OK);
        assert_found(true, "sources[0].secrets[1]");
        assert_int_equal(config->sources[0].secrets[1].value.len, 0);
        config_keep_secrets(config, before);
        assert_string_equal(config->sources[0].secrets[1].value.data, "issued");
    }
    write_secret("newer\n");
    assert_int_equal(load_source("ricloud"), ST_OK);
    config_keep_secrets(config, before);
    assert_string_equal(config->sources[0].secrets[1].value.data, "newer");
    config_destroy(before);
}

/* Changes */

static void assert_changes(const char *before, const char *after, const char *expected)
{
    struct config *first;
    struct buf changes = {0};

    load_good(before);
    first = config;
    config = NULL;
    load_good(after);
    config_list_changes(first, config, &changes);
    assert_string_equal(changes.data ? changes.data : "", expected);
    buf_free(&changes);
    config_destroy(first);
}

static void what_a_running_bridge_cannot_change_is_listed(void **state)
{
    (void)state;
    assert_changes(
        WITH("'outbox':{'max_size':'1MiB'},'mqtt':{'servers':['mqtt://a','mqtt://b']}"),
        WITH("'outbox':{'max_size':'2MiB'},'mqtt':{'servers':['mqtt://a']}"),
        "mqtt.servers, outbox.max_size");
    assert_changes(WITH("'mqtt':{'username':'a','password':{'env':'TEST_SECRET'}}"),
                   WITH("'mqtt':{'password':{'env':'TEST_HOST'},'version':'3.1.1',"
                        "'username':'b'}"),
                   "mqtt.version, mqtt.username, mqtt.password");
    assert_changes(WITH("'ingress':{'listen':['127.0.0.1:1'],'threads':2}"),
                   WITH("'ingress':{'listen':['127.0.0.1:2'],'max_body':'2MiB'}"),
                   "ingress.listen, ingress.max_body, ingress.threads");
    assert_changes(WITH("'mqtt':{'username':'a'}"), "{" SOURCES "}", "mqtt.username");
}

static void sources_the_admin_token_and_equal_values_are_not_listed(void **state)
{
    (void)state;
    assert_changes("{" SOURCES "}", WITH_SOURCE("'qos':2,'trust_unsigned':true"), "");
    assert_changes(WITH("'admin':{'token':{'env':'TEST_SECRET'}}"), "{" SOURCES "}", "");
    assert_changes("{" SOURCES "}", WITH("'ingress':{'max_body':'1024KiB'}"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configuration_lives_as_long_as_somebody_holds_it),
        cmocka_unit_test(references_are_counted_from_any_thread),
        cmocka_unit_test(a_secret_that_a_provider_will_issue_may_be_missing),
        cmocka_unit_test(any_other_secret_must_be_there),
        cmocka_unit_test(a_secret_that_is_there_but_useless_is_a_fault),
        cmocka_unit_test(what_cannot_be_read_again_is_told),
        cmocka_unit_test(what_was_read_before_stays_where_an_issued_secret_is_missing_now),
        cmocka_unit_test(what_a_running_bridge_cannot_change_is_listed),
        cmocka_unit_test(sources_the_admin_token_and_equal_values_are_not_listed),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
