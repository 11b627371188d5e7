#include "bridge/config/config.h"

#include <sys/stat.h>

#include "common/file.h"

#include "tests/unit/lib/config_fixture.h"

static void sources_alone_are_enough_and_all_else_has_the_documented_default(void **state)
{
    (void)state;
    load_good("{" SOURCES "}");
    assert_int_equal(faults.count, 0);
    assert_int_equal(config->ingress.listen.count, 1);
    assert_string_equal(config->ingress.listen.items[0], "127.0.0.1:8080");
    assert_int_equal(config->ingress.max_body, 1 << 20);
    assert_int_equal(config->ingress.max_connections, 4096);
    assert_int_equal(config->ingress.request_timeout_ms, 10000);
    assert_int_equal(config->ingress.keep_alive_ms, 75000);
    assert_int_equal(config->ingress.threads, 1);
    assert_int_equal(config->admin.listen.count, 1);
    assert_string_equal(config->admin.listen.items[0], "127.0.0.1:9180");
    assert_int_equal(config->admin.token.len, 0);
    assert_int_equal(config->mqtt.servers.count, 1);
    assert_string_equal(config->mqtt.servers.items[0], "mqtt://127.0.0.1:1883");
    assert_int_equal(config->mqtt.version, 5);
    assert_string_equal(config->mqtt.client_id, "hook2mqtt");
    assert_null(config->mqtt.username);
    assert_int_equal(config->mqtt.password.value.len, 0);
    assert_null(config->mqtt.ca_file);
    assert_null(config->mqtt.cert_file);
    assert_null(config->mqtt.key_file);
    assert_int_equal(config->mqtt.keep_alive_ms, 30000);
    assert_int_equal(config->mqtt.max_in_flight, 256);
    assert_string_equal(config->mqtt.bridge_topic, "hook2mqtt");
    assert_string_equal(config->outbox.path, "/var/lib/hook2mqtt/outbox.db");
    assert_int_equal(config->outbox.max_size, 256 << 20);
    assert_int_equal(config->outbox.keep_delivered_ms, 3600000);
    assert_int_equal(config->outbox.dedupe_window_ms, -1);
    assert_int_equal(config->outbox.dedupe_entries, 262144);
    assert_int_equal(config->source_count, 1);
    assert_string_equal(config->sources[0].name, "p");
    assert_string_equal(config->sources[0].preset->name, "creads");
    assert_string_equal(config->sources[0].path, "/p");
    assert_true(config->sources[0].verify);
    assert_int_equal(config->sources[0].secret_count, 1);
    assert_string_equal(config->sources[0].secrets[0].value.data, "secret of the test");
    assert_string_equal(config->sources[0].topic, preset("creads")->topic);
    assert_int_equal(config->sources[0].qos, 1);
    assert_false(config->sources[0].retain);
    assert_null(config->sources[0].state_topic);
    assert_int_equal(config->sources[0].message_expiry_ms, 0);
    assert_false(config->sources[0].trust_unsigned);
    assert_null(config->sources[0].public_url);
    assert_null(config->sources[0].api.url);
    assert_int_equal(config->sources[0].api.token.len, 0);
    assert_string_equal(config->sources[0].api.state_file,
                        "/var/lib/hook2mqtt/p.provider.json");
}

static void every_setting_is_read_into_its_place(void **state)
{
    (void)state;
    load_good(
        "{'ingress':{'listen':['[::1]:1','unix:/run/x'],'max_body':'2MiB','max_connections':7,"
        "'request_timeout':'250ms','keep_alive':'2m','threads':2},"
        "'admin':{'listen':[],'token':{'env':'TEST_SECRET'}},"
        "'mqtt':{'servers':['ws://b/mqtt','mqtt://[::1]'],'version':'3.1.1','client_id':'c1',"
        "'username':'u','password':{'env':'TEST_SECRET'},'keep_alive':'60s','max_in_flight':9,"
        "'bridge_topic':'a/b'},"
        "'outbox':{'path':'o.db','max_size':'3GiB','keep_delivered':'2d','dedupe_window':'0s'},"
        "'sources':[{'name':'s','provider':'creads','path':'/a/b','verify':'none','topic':'t/"
        "{gid}','trust_unsigned':true,'public_url':'https://b.example/a/b/',"
        "'api':{'url':'http://127.0.0.1:8000/','token':{'env':'TEST_SECRET'},'username':'me',"
        "'password':{'env':'TEST_SECRET'},'project_code':'pc','state_file':'s.json',"
        "'ca_file':'/nonexistent'},"
        "'qos':2,'retain':true,'state_topic':'u/{gid}','message_expiry':'7d'}]}");
    assert_string_equal(config->ingress.listen.items[0], "[::1]:1");
    assert_string_equal(config->ingress.listen.items[1], "unix:/run/x");
    assert_int_equal(config->ingress.max_body, 2 << 20);
    assert_int_equal(config->ingress.max_connections, 7);
    assert_int_equal(config->ingress.request_timeout_ms, 250);
    assert_int_equal(config->ingress.keep_alive_ms, 120000);
    assert_int_equal(config->ingress.threads, 2);
    assert_int_equal(config->admin.listen.count, 0);
    assert_string_equal(config->admin.token.data, "secret of the test");
    assert_string_equal(config->mqtt.servers.items[0], "ws://b:80/mqtt");
    assert_string_equal(config->mqtt.servers.items[1], "mqtt://[::1]:1883");
    assert_int_equal(config->mqtt.version, 4);
    assert_string_equal(config->mqtt.client_id, "c1");
    assert_string_equal(config->mqtt.username, "u");
    assert_string_equal(config->mqtt.password.value.data, "secret of the test");
    assert_int_equal(config->mqtt.keep_alive_ms, 60000);
    assert_int_equal(config->mqtt.max_in_flight, 9);
    assert_string_equal(config->mqtt.bridge_topic, "a/b");
    assert_string_equal(config->outbox.path, "o.db");
    assert_int_equal(config->outbox.max_size, INT64_C(3) << 30);
    assert_int_equal(config->outbox.keep_delivered_ms, 172800000);
    assert_int_equal(config->outbox.dedupe_window_ms, 0);
    assert_false(config->sources[0].verify);
    assert_string_equal(config->sources[0].topic, "t/{gid}");
    assert_int_equal(config->sources[0].qos, 2);
    assert_true(config->sources[0].retain);
    assert_string_equal(config->sources[0].state_topic, "u/{gid}");
    assert_int_equal(config->sources[0].message_expiry_ms, 604800000);
    assert_true(config->sources[0].trust_unsigned);
    assert_string_equal(config->sources[0].public_url, "https://b.example/a/b");
    assert_string_equal(config->sources[0].api.url, "http://127.0.0.1:8000");
    assert_string_equal(config->sources[0].api.token.data, "secret of the test");
    assert_string_equal(config->sources[0].api.username, "me");
    assert_string_equal(config->sources[0].api.password.data, "secret of the test");
    assert_string_equal(config->sources[0].api.project_code, "pc");
    assert_string_equal(config->sources[0].api.state_file, "s.json");
    assert_string_equal(config->sources[0].api.ca_file, "/nonexistent");
}

static void comments_are_blanks_but_not_inside_of_strings(void **state)
{
    (void)state;
    load_good("// first\n{ /* 'x': */ 'mqtt': {'username': '//a/*b*/'} /**/, // end\n" SOURCES
              "}\n// no newline here");
    assert_string_equal(config->mqtt.username, "//a/*b*/");
    assert_fault("{\n  /* never", "");
}

static void what_is_not_json_is_told_with_its_place_and_the_likely_reason(void **state)
{
    (void)state;
    assert_fault("{" SOURCES ",\n  }", "");
    assert_fault("{\n 'a': 1\n 'b': 2}", "");
    assert_fault("{'é': x}", "");
    assert_fault("{'a': 'b", "");
    assert_fault("{'a': 'b\n'}", "");
    assert_fault("", "");
    assert_fault("// nothing\n", "");
    assert_fault("\xEF\xBB\xBF{}", "");
    assert_fault("{'a': NaN}", "");
    assert_fault("{'a': '\xC0\xAF'}", "");
    assert_fault("[]", "");
    assert_fault("/", "");
}

static void a_key_given_twice_is_a_fault(void **state)
{
    (void)state;
    assert_fault(WITH("'mqtt':{'version':'5',\n'version':'5'}"), "mqtt.version");
    assert_fault(WITH_SOURCE("'qos':1,'q\\u006fs':1"), "sources[0].qos");
    assert_int_equal(load(WITH("'mqtt\\u0000x':{}")), ST_INVALID);
    assert_found(false, "\"mqtt\\u0000x\"");
}

/* Each is told with its line, which takes time to find. */
static void after_a_hundred_repeated_keys_no_more_are_told(void **state)
{
    struct buf text = {0};

    (void)state;
    buf_add_str(&text, "{'mqtt':{'version':'5'");
    for (int i = 0; i < 1000; i++) {
        buf_add_str(&text, ",'version':'5'");
    }
    buf_add_str(&text, "}," SOURCES "}");
    assert_int_equal(load(text.data), ST_INVALID);
    assert_int_equal(faults.error_count, 100);
    buf_free(&text);
}

static void an_unknown_key_is_a_fault_and_a_near_miss_is_suggested(void **state)
{
    (void)state;
    assert_fault(WITH_SOURCE("'qoz':1"), "sources[0].qoz");
    assert_fault(WITH("'mqtt':{'sevrers':[]}"), "mqtt.sevrers");
    assert_fault(WITH("'max_body':'1MiB'"), "max_body");
    assert_fault(WITH("'outbox':{'colour':'red'}"), "outbox.colour");
    assert_fault(WITH("'a b\\n':1"), "\"a b\\n\"");
    assert_fault(WITH("'':1"), "\"\"");
}

/* They would be silently without effect, and some of them keep people out. */
static void settings_of_later_versions_are_unknown(void **state)
{
    (void)state;
    assert_fault(WITH("'ingress':{'trusted_proxies':[]}"), "ingress.trusted_proxies");
    assert_fault(WITH_SOURCE("'allow_from':[]"), "sources[0].allow_from");
    assert_fault(WITH_SOURCE("'rate_limit':'1/s'"), "sources[0].rate_limit");
}

static void a_wrong_type_is_told_with_what_would_be_right(void **state)
{
    (void)state;
    assert_fault(WITH("'mqtt':{'keep_alive':30}"), "mqtt.keep_alive");
    assert_fault(WITH("'outbox':{'max_size':1000000}"), "outbox.max_size");
    assert_fault(WITH("'outbox':{'max_size':'10 apples'}"), "outbox.max_size");
    assert_fault(WITH("'mqtt':{'version':5}"), "mqtt.version");
    assert_fault(WITH("'mqtt':{'version':'4'}"), "mqtt.version");
    assert_fault(WITH("'mqtt':{'max_in_flight':'9'}"), "mqtt.max_in_flight");
    assert_fault(WITH("'mqtt':{'max_in_flight':9.5}"), "mqtt.max_in_flight");
    assert_fault(WITH("'mqtt':{'client_id':null}"), "mqtt.client_id");
    assert_fault(WITH("'mqtt':[]"), "mqtt");
    assert_fault(WITH("'ingress':{'listen':'127.0.0.1:80'}"), "ingress.listen");
    assert_fault(WITH("'mqtt':{'servers':[1]}"), "mqtt.servers[0]");
    assert_fault(WITH_SOURCE("'retain':'yes'"), "sources[0].retain");
    assert_fault("{'sources':{}}", "sources");
    assert_fault("{'sources':[[]]}", "sources[0]");
    assert_fault(WITH_SOURCE("'verify':'non'"), "sources[0].verify");
    assert_fault("{'sources':[{'name':'p','provider':'craeds','path':'/p'," SECRETS "}]}",
                 "sources[0].provider");
}

static void a_value_out_of_range_is_told_with_the_range(void **state)
{
    (void)state;
    assert_fault(WITH("'ingress':{'max_body':'65MiB'}"), "ingress.max_body");
    assert_fault(WITH("'ingress':{'max_body':'1023B'}"), "ingress.max_body");
    assert_fault(WITH("'ingress':{'max_connections':0}"), "ingress.max_connections");
    assert_fault(WITH("'ingress':{'max_connections':99999999999999999999}"),
                 "ingress.max_connections");
    assert_fault(WITH_SOURCE("'qos':3"), "sources[0].qos");
    assert_fault(WITH_SOURCE("'qos':-1"), "sources[0].qos");
    assert_fault(WITH("'mqtt':{'keep_alive':'65536s'}"), "mqtt.keep_alive");
    assert_fault(WITH("'mqtt':{'keep_alive':'1500ms'}"), "mqtt.keep_alive");
    assert_fault(WITH("'mqtt':{'servers':[]}"), "mqtt.servers");
    assert_fault(WITH("'mqtt':{'client_id':''}"), "mqtt.client_id");
    assert_fault(WITH("'mqtt':{'client_id':'a\\u0000b'}"), "mqtt.client_id");
    assert_fault(WITH("'mqtt':{'client_id':'a/b'}"), "mqtt.client_id");
    assert_fault(WITH("'mqtt':{'bridge_topic':'a\\nb'}"), "mqtt.bridge_topic");
    assert_fault(WITH("'mqtt':{'bridge_topic':'a/+'}"), "mqtt.bridge_topic");
    assert_fault(WITH("'mqtt':{'bridge_topic':'$SYS/x'}"), "mqtt.bridge_topic");
    assert_no_finding(WITH("'ingress':{'max_body':'64MiB','max_connections':65536}"));
    assert_no_finding(WITH("'ingress':{'max_body':'1KiB','max_connections':1}"));
}

static void a_missing_part_is_told(void **state)
{
    (void)state;
    assert_fault("{}", "sources");
    assert_fault("{'sources':[]}", "sources");
    assert_int_equal(load("{'sources':[{}]}"), ST_INVALID);
    assert_found(false, "sources[0].name");
    assert_found(false, "sources[0].provider");
    assert_found(false, "sources[0].path");
    assert_found(false, "sources[0].secrets");
    assert_int_equal(faults.count, 4);
}

static void all_faults_are_reported_in_one_run(void **state)
{
    (void)state;
    assert_int_equal(
        load("{'ingress':{'listen':['nowhere'],'max_body':1,'tls':{}},'mqtt':{'version':'6',"
             "'servers':['http://x','mqtt://ok','mqtt://u:p@x']},'sources':[{'name':'a b',"
             "'provider':'x','path':'p','secrets':[{'env':'TEST_UNSET'}],'topic':'{nope}','qos'"
             ":9},"
             "{'name':'n','provider':'creads','path':'/healthz','verify':'none'}]}"),
        ST_INVALID);
    assert_found(false, "ingress.listen[0]");
    assert_found(false, "ingress.max_body");
    assert_found(false, "ingress.tls.cert_file");
    assert_found(false, "mqtt.version");
    assert_found(false, "mqtt.servers[0]");
    assert_found(false, "mqtt.servers[2]");
    assert_found(false, "sources[0].name");
    assert_found(false, "sources[0].provider");
    assert_found(false, "sources[0].path");
    assert_found(false, "sources[0].secrets[0].env");
    assert_found(false, "sources[0].topic");
    assert_found(false, "sources[0].qos");
    assert_found(false, "sources[1].path");
    assert_found(true, "sources[1].verify");
    assert_found(true, "sources[1].path");
    assert_int_equal(faults.error_count, 13);
    assert_int_equal(faults.count, 15);
}

static void empty_text_is_told_wherever_it_stands(void **state)
{
    (void)state;
    assert_fault(WITH("'ingress':{'listen':['']}"), "ingress.listen[0]");
    assert_fault(WITH("'mqtt':{'servers':['']}"), "mqtt.servers[0]");
    assert_fault(WITH("'mqtt':{'username':''}"), "mqtt.username");
    assert_fault(WITH("'mqtt':{'version':''}"), "mqtt.version");
    assert_fault(WITH("'outbox':{'max_size':''}"), "outbox.max_size");
    assert_fault(WITH("'admin':{'token':{'env':''}}"), "admin.token.env");
    assert_fault(WITH("'admin':{'token':{'file':''}}"), "admin.token.file");
}

static void variables_are_put_into_any_text(void **state)
{
    (void)state;
    load_good(WITH("'mqtt':{'servers':['mqtt://${TEST_HOST}:1${TEST_DIGITS}'],"
                   "'username':'$${TEST_HOST} $ $$ {x} "
                   "${TEST_HOST}'},'outbox':{'max_size':'${TEST_DIGITS}MiB'}"));
    assert_string_equal(config->mqtt.servers.items[0], "mqtt://broker:188");
    assert_string_equal(config->mqtt.username, "${TEST_HOST} $ $$ {x} broker");
    assert_int_equal(config->outbox.max_size, 88 << 20);
    assert_fault(WITH("'mqtt':{'username':'${TEST_UNSET}'}"), "mqtt.username");
    assert_fault(WITH("'mqtt':{'servers':['mqtt://${TEST_UNSET}']}"), "mqtt.servers[0]");
    assert_fault(WITH("'mqtt':{'username':'${TEST_HOST'}"), "mqtt.username");
    assert_fault(WITH("'mqtt':{'username':'${}'}"), "mqtt.username");
    assert_fault(WITH("'mqtt':{'username':'${1A}'}"), "mqtt.username");
    assert_fault(WITH("'mqtt':{'username':'${TEST_BYTES}'}"), "mqtt.username");
}

static void load_with_secret_file(const char *bytes, size_t len, mode_t mode, bool good)
{
    char path[64], text[512];

    path_in_directory(path, sizeof(path), "secret");
    write_file(path, bytes, len);
    assert_int_equal(chmod(path, mode), 0);
    (void)snprintf(text, sizeof(text), "{'sources':[{" BASICS ",'secrets':[{'file':'%s'}]}]}",
                   path);
    assert_int_equal(load(text), good ? ST_OK : ST_INVALID);
}

static void
a_secret_file_may_hold_any_bytes_and_one_newline_at_its_end_does_not_count(void **state)
{
    (void)state;
    load_with_secret_file("a\0\xFF\n\n", 5, 0600, true);
    assert_int_equal(config->sources[0].secrets[0].value.len, 4);
    assert_memory_equal(config->sources[0].secrets[0].value.data, "a\0\xFF\n", 4);
    assert_found(true, "sources[0].secrets[0]");
    load_with_secret_file("plain", 5, 0640, true);
    assert_string_equal(config->sources[0].secrets[0].value.data, "plain");
    assert_int_equal(faults.count, 0);
    load_with_secret_file("plain", 5, 0644, true);
    assert_found(true, "sources[0].secrets[0].file");
    load_with_secret_file("\n", 1, 0600, false);
    assert_found(false, "sources[0].secrets[0].file");
}

#define WITH_SECRET(secret) "{'sources':[{" BASICS ",'secrets':[" secret "]}]}"

static void a_secret_that_cannot_be_had_is_a_fault(void **state)
{
    (void)state;
    assert_fault(WITH_SECRET("{'env':'TEST_UNSET'}"), "sources[0].secrets[0].env");
    assert_fault(WITH_SECRET("{'env':'TEST_EMPTY'}"), "sources[0].secrets[0].env");
    assert_fault(WITH_SECRET("{'file':'/nonexistent/x'}"), "sources[0].secrets[0].file");
    assert_fault(WITH_SECRET("''"), "sources[0].secrets[0]");
    assert_fault(WITH_SECRET("7"), "sources[0].secrets[0]");
    assert_fault(WITH_SECRET("{'evn':'A'}"), "sources[0].secrets[0].evn");
    assert_fault(WITH_SECRET("{'env':1}"), "sources[0].secrets[0].env");
    assert_fault(WITH_SECRET("{}"), "sources[0].secrets[0]");
    assert_fault(WITH_SECRET("{'env':'A','file':'B'}"), "sources[0].secrets[0]");
    assert_fault(WITH_SECRET(""), "sources[0].secrets");
    assert_fault(WITH("'admin':{'token':{'env':'TEST_UNSET'}}"), "admin.token.env");
}

static void a_secret_as_text_works_with_a_warning_and_is_never_shown(void **state)
{
    (void)state;
    assert_warning(WITH_SECRET("'hush hush'"), "sources[0].secrets[0]");
    assert_null(strstr(faults.items[0].text, "hush"));
    assert_string_equal(config->sources[0].secrets[0].value.data, "hush hush");
    load_good(WITH_SECRET("'a\\u0000b'"));
    assert_int_equal(config->sources[0].secrets[0].value.len, 3);
    assert_memory_equal(config->sources[0].secrets[0].value.data, "a\0b", 3);
    assert_no_finding(WITH_SECRET("'${TEST_SECRET}'"));
    assert_string_equal(config->sources[0].secrets[0].value.data, "secret of the test");
}

#define TWO_SOURCES(name, path)                                                                \
    "{'sources':[" SOURCE ",{'name':'" name "','provider':'creads','path':'" path "'," SECRETS \
    "}]}"

static void sources_need_names_and_paths_of_their_own(void **state)
{
    (void)state;
    assert_fault(TWO_SOURCES("p", "/q"), "sources[1].name");
    assert_fault(TWO_SOURCES("q", "/p"), "sources[1].path");
    assert_no_finding(TWO_SOURCES("q", "/p/below"));
}

#define WITH_PATH(path)                                                                        \
    "{'sources':[{'name':'p','provider':'creads','path':'" path "'," SECRETS "}]}"

static void a_path_that_no_request_can_have_is_a_fault(void **state)
{
    (void)state;
    assert_fault(WITH_PATH("p"), "sources[0].path");
    assert_fault(WITH_PATH("/p?x=1"), "sources[0].path");
    assert_fault(WITH_PATH("/p#x"), "sources[0].path");
    assert_fault(WITH_PATH("/p%20q"), "sources[0].path");
    assert_fault(WITH_PATH("/p q"), "sources[0].path");
    assert_fault(WITH_PATH("/p//q"), "sources[0].path");
    assert_fault(WITH_PATH("/p/"), "sources[0].path");
    assert_fault(WITH_PATH("/"), "sources[0].path");
    assert_fault(WITH_PATH("/./p"), "sources[0].path");
    assert_fault(WITH_PATH("/p/.."), "sources[0].path");
    assert_fault(WITH_PATH("/healthz"), "sources[0].path");
    assert_fault(WITH_PATH("/readyz"), "sources[0].path");
    assert_no_finding(WITH_PATH("/.well-known/hook/..."));
}

static void an_impossible_topic_template_is_a_fault(void **state)
{
    (void)state;
    assert_fault(WITH_SOURCE("'topic':'a/{evnt}'"), "sources[0].topic");
    assert_fault(WITH_SOURCE("'topic':'a/#'"), "sources[0].topic");
    assert_fault(WITH_SOURCE("'topic':'a/{gid'"), "sources[0].topic");
    assert_fault(WITH_SOURCE("'topic':''"), "sources[0].topic");
    assert_fault(WITH_SOURCE("'state_topic':'$SYS/{gid}'"), "sources[0].state_topic");
    assert_fault(WITH_SOURCE("'topic':'a/{gid}','state_topic':'a/{gid}'"),
                 "sources[0].state_topic");
}

#define WITH_SERVER(url) WITH("'mqtt':{'servers':['" url "']}")

static void a_server_is_a_url_of_the_four_kinds(void **state)
{
    (void)state;
    assert_fault(WITH_SERVER("tcp://b:1883"), "mqtt.servers[0]");
    assert_fault(WITH_SERVER("ssl://b:8883"), "mqtt.servers[0]");
    assert_fault(WITH_SERVER("b:1883"), "mqtt.servers[0]");
    assert_fault(WITH_SERVER("mqtt://:1883"), "mqtt.servers[0]");
    assert_fault(WITH_SERVER("mqtt://[::zz]:1883"), "mqtt.servers[0]");
    assert_fault(WITH_SERVER("mqtt://b:0"), "mqtt.servers[0]");
    assert_fault(WITH_SERVER("mqtt://b:65536"), "mqtt.servers[0]");
    assert_fault(WITH_SERVER("mqtt://b:"), "mqtt.servers[0]");
    assert_fault(WITH_SERVER("mqtt://b:1883/x"), "mqtt.servers[0]");
    assert_fault(WITH_SERVER("ws://b:80/x?y"), "mqtt.servers[0]");
    assert_fault(WITH_SERVER("mqtt://me:hush@b"), "mqtt.servers[0]");
    assert_null(strstr(faults.items[0].text, "hush"));
    load_good(
        WITH("'mqtt':{'servers':['mqtt://b','mqtts://b/','ws://b','wss://[::1]:1/p/q']}"));
    assert_string_equal(config->mqtt.servers.items[0], "mqtt://b:1883");
    assert_string_equal(config->mqtt.servers.items[1], "mqtts://b:8883");
    assert_string_equal(config->mqtt.servers.items[2], "ws://b:80");
    assert_string_equal(config->mqtt.servers.items[3], "wss://[::1]:1/p/q");
}

static void two_listeners_at_one_address_are_a_fault(void **state)
{
    (void)state;
    assert_fault(WITH("'ingress':{'listen':['127.0.0.1:9180']}"), "admin.listen[0]");
    assert_fault(WITH("'ingress':{'listen':['0.0.0.0:1','127.0.0.1:1']}"), "ingress.listen[1]");
    assert_fault(WITH("'ingress':{'listen':['unix:/a','unix:/a']}"), "ingress.listen[1]");
    assert_fault(WITH("'ingress':{'listen':['[::g]:1']}"), "ingress.listen[0]");
    assert_no_finding(
        WITH("'ingress':{'listen':['127.0.0.1:0','127.0.0.1:0','[::1]:1','127.0.0.1:1']}"));
}

static void an_open_admin_listener_is_a_fault(void **state)
{
    (void)state;
    assert_fault(WITH("'admin':{'listen':['0.0.0.0:9180']}"), "admin.listen[0]");
    assert_no_finding(
        WITH("'admin':{'listen':['0.0.0.0:9180'],'token':{'env':'TEST_SECRET'}}"));
    assert_no_finding(WITH("'admin':{'listen':['unix:/run/a','[::1]:2']}"));
}

static void what_works_but_loses_something_is_warned_about(void **state)
{
    (void)state;
    assert_warning(WITH_SOURCE("'qos':0"), "sources[0].qos");
    assert_warning(WITH("'outbox':{'max_size':'100KiB'}"), "outbox.max_size");
    assert_warning("{'mqtt':{'version':'3.1.1'},'sources':[{" BASICS "," SECRETS
                   ",'message_expiry':'1h'}]}",
                   "sources[0].message_expiry");
    assert_warning(WITH("'mqtt':{'version':'3.1.1','client_id':'a-b'}"), "mqtt.client_id");
    assert_fault(WITH("'mqtt':{'version':'3.1.1','password':{'env':'TEST_SECRET'}}"),
                 "mqtt.password");
}

static void write_pem(const char *name, const char *block, mode_t mode)
{
    char path[64], text[128];

    path_in_directory(path, sizeof(path), name);
    (void)snprintf(text, sizeof(text), "-----BEGIN %s-----\n", block);
    write_file(path, text, strlen(text));
    assert_int_equal(chmod(path, mode), 0);
}

/* settings: with %1$s for the directory. */
static const char *with_tls(const char *settings, const char *server)
{
    static char text[1024];
    struct buf all = {0};

    buf_addf(&all, "{'mqtt':{'servers':['%s'],'tls':{", server);
    for (const char *at = settings; *at != '\0'; at++) {
        if (*at == '@') {
            buf_add_str(&all, directory);
        } else {
            buf_add_char(&all, *at);
        }
    }
    buf_add_str(&all, "}}," SOURCES "}");
    assert_true(all.len < sizeof(text));
    memcpy(text, all.data, all.len + 1);
    buf_free(&all);
    return text;
}

static void tls_files_are_read_and_belong_together(void **state)
{
    (void)state;
    write_pem("cert.pem", "CERTIFICATE", 0644);
    write_pem("key.pem", "PRIVATE KEY", 0600);
    write_pem("open.pem", "RSA PRIVATE KEY", 0644);
    assert_no_finding(with_tls(
        "'ca_file':'@/cert.pem','cert_file':'@/cert.pem','key_file':'@/key.pem'", "mqtts://b"));
    assert_fault(with_tls("'ca_file':'@/none.pem'", "mqtts://b"), "mqtt.tls.ca_file");
    assert_fault(with_tls("'ca_file':'@/key.pem'", "mqtts://b"), "mqtt.tls.ca_file");
    assert_fault(with_tls("'key_file':'@/key.pem'", "mqtts://b"), "mqtt.tls.key_file");
    assert_fault(with_tls("'cert_file':'@/cert.pem'", "mqtts://b"), "mqtt.tls.cert_file");
    assert_warning(with_tls("'cert_file':'@/cert.pem','key_file':'@/open.pem'", "wss://b"),
                   "mqtt.tls.key_file");
    assert_warning(with_tls("'ca_file':'@/cert.pem'", "mqtt://b"), "mqtt.tls");
}

static void check_wants_a_directory_for_the_outbox_and_load_does_not(void **state)
{
    char text[512];

    (void)state;
    load_good(WITH("'outbox':{'path':'/nonexistent/outbox.db'}"));
    config_faults_free(&faults);
    assert_int_equal(config_check(config_path, &faults), ST_INVALID);
    assert_found(false, "outbox.path");
    (void)snprintf(text, sizeof(text), WITH("'outbox':{'path':'%s/outbox.db'}"), directory);
    write_config(text);
    assert_int_equal(config_check(config_path, &faults), ST_OK);
    assert_int_equal(faults.count, 0);
    (void)snprintf(text, sizeof(text), "{'outbox':{'path':'%s/config.json/o'},'sources':[]}",
                   directory);
    write_config(text);
    assert_int_equal(config_check(config_path, &faults), ST_INVALID);
    assert_found(false, "outbox.path");
    assert_found(false, "sources");
}

static void reading_a_part_only_warns_of_what_is_outside_the_file(void **state)
{
    (void)state;
    write_config("{'admin':{'token':{'file':'/nonexistent'}},'mqtt':{'servers':['mqtts://b'],"
                 "'tls':{'ca_file':'/nonexistent'}},'sources':[{" BASICS ",'secrets':["
                 "{'env':'TEST_UNSET'},{'env':'TEST_SECRET'}]}]}");
    assert_int_equal(config_load_partial(config_path, &config, &faults), ST_OK);
    assert_found(true, "admin.token.file");
    assert_found(true, "mqtt.tls.ca_file");
    assert_found(true, "sources[0].secrets[0].env");
    assert_int_equal(config->admin.token.len, 0);
    assert_int_equal(config->sources[0].secret_count, 2);
    assert_int_equal(config->sources[0].secrets[0].value.len, 0);
    assert_string_equal(config->sources[0].secrets[1].value.data, "secret of the test");
    write_config(WITH_SOURCE("'qos':7"));
    assert_int_equal(config_load_partial(config_path, &config, &faults), ST_INVALID);
    write_config(WITH("'mqtt':{'username':'${TEST_UNSET}'}"));
    assert_int_equal(config_load_partial(config_path, &config, &faults), ST_INVALID);
}

static void a_file_that_cannot_be_read_is_a_fault_of_the_file(void **state)
{
    (void)state;
    forget();
    assert_int_equal(config_load("/nonexistent/x.json", &config, &faults), ST_NOT_FOUND);
    assert_found(false, "");
    forget();
    assert_int_not_equal(config_load("/", &config, &faults), ST_OK);
    assert_found(false, "");
}

static void too_large_or_too_deep_a_file_is_refused(void **state)
{
    struct buf text = {0};

    (void)state;
    for (int i = 0; i < 1100000; i++) {
        buf_add_char(&text, ' ');
    }
    assert_int_equal(load(text.data), ST_TOO_LARGE);
    assert_found(false, "");
    buf_clear(&text);
    for (int i = 0; i < 1000; i++) {
        buf_add_str(&text, "{'a':[");
    }
    assert_int_equal(load(text.data), ST_INVALID);
    assert_found(false, "");
    buf_free(&text);
}

/* Also at the greatest depth that is JSON to us. */
static void deep_json_is_walked_to_its_end(void **state)
{
    struct buf text = {0};

    (void)state;
    for (int i = 0; i < 32; i++) {
        buf_add_str(&text, "{'a':[");
    }
    for (int i = 0; i < 32; i++) {
        buf_add_str(&text, "]}");
    }
    assert_int_equal(load(text.data), ST_INVALID);
    assert_found(false, "a");
    assert_found(false, "sources");
    buf_free(&text);
}

static void the_shipped_schema_is_the_one_of_the_table(void **state)
{
    struct buf shipped = {0}, made = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(file_read("config/bridge.schema.json", 1 << 20, &shipped, &err), ST_OK);
    config_write_schema(&made);
    assert_string_equal(shipped.data, made.data);
    buf_free(&shipped);
    buf_free(&made);
}

static void the_samples_are_valid_and_full_json_names_every_setting(void **state)
{
    struct buf table = {0}, full = {0};
    struct err err = {0};

    (void)state;
    forget();
    assert_int_equal(config_load_partial("config/bridge.json", &config, &faults), ST_OK);
    forget();
    assert_int_equal(config_load_partial("config/full.json", &config, &faults), ST_OK);
    assert_int_equal(file_read("config/full.json", 1 << 20, &full, &err), ST_OK);
    config_write_table(&table);
    /* Each row begins with | `path` |; full.json must have its last part as a key. */
    for (char *row = strstr(table.data, "\n| `"); row; row = strstr(row + 1, "\n| `")) {
        char *path = row + 4, *end = strchr(path, '`'), *key = end;
        char quoted[64];

        while (key > path && key[-1] != '.') {
            key--;
        }
        (void)snprintf(quoted, sizeof(quoted), "\"%.*s\":", (int)(end - key), key);
        if (!strstr(full.data, quoted)) {
            fail_msg("config/full.json lacks %s", quoted);
        }
    }
    buf_free(&table);
    buf_free(&full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_alone_are_enough_and_all_else_has_the_documented_default),
        cmocka_unit_test(every_setting_is_read_into_its_place),
        cmocka_unit_test(comments_are_blanks_but_not_inside_of_strings),
        cmocka_unit_test(what_is_not_json_is_told_with_its_place_and_the_likely_reason),
        cmocka_unit_test(a_key_given_twice_is_a_fault),
        cmocka_unit_test(after_a_hundred_repeated_keys_no_more_are_told),
        cmocka_unit_test(an_unknown_key_is_a_fault_and_a_near_miss_is_suggested),
        cmocka_unit_test(settings_of_later_versions_are_unknown),
        cmocka_unit_test(a_wrong_type_is_told_with_what_would_be_right),
        cmocka_unit_test(a_value_out_of_range_is_told_with_the_range),
        cmocka_unit_test(a_missing_part_is_told),
        cmocka_unit_test(all_faults_are_reported_in_one_run),
        cmocka_unit_test(empty_text_is_told_wherever_it_stands),
        cmocka_unit_test(variables_are_put_into_any_text),
        cmocka_unit_test(
            a_secret_file_may_hold_any_bytes_and_one_newline_at_its_end_does_not_count),
        cmocka_unit_test(a_secret_that_cannot_be_had_is_a_fault),
        cmocka_unit_test(a_secret_as_text_works_with_a_warning_and_is_never_shown),
        cmocka_unit_test(sources_need_names_and_paths_of_their_own),
        cmocka_unit_test(a_path_that_no_request_can_have_is_a_fault),
        cmocka_unit_test(an_impossible_topic_template_is_a_fault),
        cmocka_unit_test(a_server_is_a_url_of_the_four_kinds),
        cmocka_unit_test(two_listeners_at_one_address_are_a_fault),
        cmocka_unit_test(an_open_admin_listener_is_a_fault),
        cmocka_unit_test(what_works_but_loses_something_is_warned_about),
        cmocka_unit_test(tls_files_are_read_and_belong_together),
        cmocka_unit_test(check_wants_a_directory_for_the_outbox_and_load_does_not),
        cmocka_unit_test(reading_a_part_only_warns_of_what_is_outside_the_file),
        cmocka_unit_test(a_file_that_cannot_be_read_is_a_fault_of_the_file),
        cmocka_unit_test(too_large_or_too_deep_a_file_is_refused),
        cmocka_unit_test(deep_json_is_walked_to_its_end),
        cmocka_unit_test(the_shipped_schema_is_the_one_of_the_table),
        cmocka_unit_test(the_samples_are_valid_and_full_json_names_every_setting),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
