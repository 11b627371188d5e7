#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/net.h"

static void addresses_of_each_family_are_read(void **state)
{
    struct net_address a;
    struct err err;

    (void)state;
    assert_int_equal(net_parse_address("127.0.0.1:8080", &a, &err), ST_OK);
    assert_int_equal(a.family, NET_IPV4);
    assert_string_equal(a.host, "127.0.0.1");
    assert_int_equal(a.port, 8080);
    assert_int_equal(net_parse_address("[::1]:0", &a, &err), ST_OK);
    assert_int_equal(a.family, NET_IPV6);
    assert_string_equal(a.host, "::1");
    assert_int_equal(net_parse_address("localhost:65535", &a, &err), ST_OK);
    assert_int_equal(a.port, 65535);
    assert_int_equal(net_parse_address("unix:/run/x.sock", &a, &err), ST_OK);
    assert_int_equal(a.family, NET_UNIX);
    assert_string_equal(a.host, "/run/x.sock");
}

static void a_text_that_is_not_an_address_is_refused_with_an_example(void **state)
{
    static const char *const wrong[] = {
        "",         "8080",    ":8080",    "127.0.0.1", "127.0.0.1:",    "host:65536",
        "host:80x", "host:-1", "::1:8080", "[]:80",     "unix:relative", "[::1:80"};
    struct net_address a;
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        err.text[0] = '\0';
        if (net_parse_address(wrong[i], &a, &err) != ST_INVALID) {
            fail_msg("should be refused: %s", wrong[i]);
        }
        assert_true(strlen(err.text) > 0);
    }
}

static void all_spellings_of_an_address_are_one(void **state)
{
    static const struct {
        const char *text, *host, *reachable;
    } cases[] = {
        {"*:1", "0.0.0.0", "127.0.0.1"},
        {"0:1", "0.0.0.0", "127.0.0.1"},
        {"0.0.0.0:1", "0.0.0.0", "127.0.0.1"},
        {"127.1:1", "127.0.0.1", "127.0.0.1"},
        {"0x7f000001:1", "127.0.0.1", "127.0.0.1"},
        {"[::]:1", "::", "::1"},
        {"[0::0]:1", "::", "::1"},
        {"[FE80::0:1]:1", "fe80::1", "fe80::1"},
        {"Host:1", "Host", "Host"},
        {"feed:1", "feed", "feed"},
    };
    struct net_address a;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(net_parse_address(cases[i].text, &a, NULL), ST_OK);
        assert_string_equal(a.host, cases[i].host);
        assert_string_equal(net_reachable_host(&a), cases[i].reachable);
    }
}

static void loopback_addresses_are_recognised(void **state)
{
    static const struct {
        const char *text;
        bool loopback;
    } cases[] = {{"127.3.2.1:1", true},  {"[::1]:1", true},
                 {"localhost:1", true},  {"unix:/x", true},
                 {"0.0.0.0:1", false},   {"[::]:1", false},
                 {"192.0.2.7:1", false}, {"127.evil.example:1", false}};
    struct net_address a;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(net_parse_address(cases[i].text, &a, NULL), ST_OK);
        assert_int_equal(net_is_loopback(&a), cases[i].loopback);
    }
}

static void a_port_in_use_is_busy_and_a_picked_port_is_reported(void **state)
{
    struct net_address a = {.family = NET_IPV4, .host = "127.0.0.1", .port = 0};
    struct err err;
    char text[64];
    int first, second;

    (void)state;
    assert_int_equal(net_listen(&a, &first, &err), ST_OK);
    net_local_text(first, text, sizeof(text));
    assert_int_equal(net_parse_address(text, &a, &err), ST_OK);
    assert_int_not_equal(a.port, 0);
    assert_int_equal(net_listen(&a, &second, &err), ST_BUSY);
    assert_non_null(strstr(err.text, "Address already in use"));
    close(first);
}

static void a_stale_unix_socket_is_replaced_and_a_live_one_is_not(void **state)
{
    char dir[] = "/tmp/test_net.XXXXXX";
    struct net_address a = {.family = NET_UNIX};
    struct rlimit files;
    struct err err;
    int first, second;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(a.host, sizeof(a.host), "%s/s", dir);
    assert_int_equal(net_listen(&a, &first, &err), ST_OK);
    assert_int_equal(net_listen(&a, &second, &err), ST_BUSY);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, files.rlim_max}), 0);
    assert_int_equal(net_listen(&a, &second, &err), ST_IO); /* no way to know: the file stays */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(access(a.host, F_OK), 0);
    close(first); /* a killed process would leave the file like this */
    assert_int_equal(net_listen(&a, &second, &err), ST_OK);
    close(second);
    assert_int_equal(unlink(a.host), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_each_family_are_read),
        cmocka_unit_test(a_text_that_is_not_an_address_is_refused_with_an_example),
        cmocka_unit_test(all_spellings_of_an_address_are_one),
        cmocka_unit_test(loopback_addresses_are_recognised),
        cmocka_unit_test(a_port_in_use_is_busy_and_a_picked_port_is_reported),
        cmocka_unit_test(a_stale_unix_socket_is_replaced_and_a_live_one_is_not),
    };

    return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
