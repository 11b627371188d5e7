/*
 * One connection over the real Paho: to a real Mosquitto, and to a broker that misbehaves. Two
 * tests wait for the guard, which acts once a second; everything else waits for an answer.
 */
#include "bridge/mqtt/mqtt.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/lib/fake_broker.h"

/* --- what the callbacks reported --- */

struct heard {
    pthread_mutex_t mu;
    pthread_cond_t changed;
    int tokens[2048], reasons[2048];
    uint32_t epochs[2048];
    size_t count;
    unsigned lost;
    uint32_t lost_epoch;
    int lost_reason;
    unsigned waiting;
};

static void heard_init(struct heard *heard)
{
    pthread_condattr_t attr;

    *heard = (struct heard){.count = 0};
    CHECK(pthread_mutex_init(&heard->mu, NULL) == 0);
    CHECK(pthread_condattr_init(&attr) == 0);
    CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&heard->changed, &attr) == 0);
    CHECK(pthread_condattr_destroy(&attr) == 0);
}

static void on_acked(void *ctx, uint32_t epoch, int token, int reason)
{
    struct heard *heard = ctx;

    CHECK(pthread_mutex_lock(&heard->mu) == 0);
    CHECK(heard->count < COUNT_OF(heard->tokens));
    heard->tokens[heard->count] = token;
    heard->reasons[heard->count] = reason;
    heard->epochs[heard->count++] = epoch;
    CHECK(pthread_cond_broadcast(&heard->changed) == 0);
    CHECK(pthread_mutex_unlock(&heard->mu) == 0);
}

static void on_lost(void *ctx, uint32_t epoch, int reason, const char *text)
{
    struct heard *heard = ctx;

    CHECK(text != NULL);
    CHECK(pthread_mutex_lock(&heard->mu) == 0);
    heard->lost++;
    heard->lost_epoch = epoch;
    heard->lost_reason = reason;
    CHECK(pthread_cond_broadcast(&heard->changed) == 0);
    CHECK(pthread_mutex_unlock(&heard->mu) == 0);
}

static void on_waiting(void *ctx)
{
    struct heard *heard = ctx;

    CHECK(pthread_mutex_lock(&heard->mu) == 0);
    heard->waiting++;
    CHECK(pthread_mutex_unlock(&heard->mu) == 0);
}

static void wait_heard(struct heard *heard, size_t acks, unsigned lost)
{
    int64_t until_ms = clock_mono_ms() + 15000;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    int rc = 0;

    CHECK(pthread_mutex_lock(&heard->mu) == 0);
    while ((heard->count < acks || heard->lost < lost) && rc == 0) {
        rc = pthread_cond_timedwait(&heard->changed, &heard->mu, &until);
    }
    CHECK(pthread_mutex_unlock(&heard->mu) == 0);
    assert_int_equal(heard->count, acks);
    assert_int_equal(heard->lost, lost);
}

/* --- a client of ours --- */

struct client {
    struct heard heard;
    struct mqtt *mq;
    struct mqtt_limits limits;
    uint32_t epoch;
    int reason;
    struct err err;
};

static struct mqtt_options options_of(int version)
{
    return (struct mqtt_options){.version = version,
                                 .client_id = "test-mqtt",
                                 .keep_alive_s = 20,
                                 .connect_timeout_s = 5};
}

static void client_create(struct client *client, const struct mqtt_options *options)
{
    struct mqtt_listener listener = {
        .acked = on_acked, .lost = on_lost, .waiting = on_waiting, .ctx = &client->heard};

    heard_init(&client->heard);
    client->err = (struct err){.status = ST_OK};
    assert_int_equal(mqtt_create(options, &listener, &client->mq, &client->err), ST_OK);
}

static enum status client_connect(struct client *client, const char *server)
{
    const struct mqtt_request request = {.server = server};
    struct mqtt_connection connection = {0};
    enum status st =
        mqtt_connect(client->mq, &request, &connection, &client->reason, &client->err);

    if (st == ST_OK) {
        client->limits = connection.limits;
        client->epoch = connection.epoch;
    }
    return st;
}

static enum status publish(struct client *client, const char *topic, size_t len, int qos,
                           int *out_token)
{
    struct mqtt_message message = {.topic = topic, .qos = qos};
    char *payload = xalloc(len + 1);
    enum status st;

    memset(payload, 'x', len);
    message.payload = (struct slice){payload, len};
    st = mqtt_publish(client->mq, &message, out_token, &client->err);
    free(payload);
    return st;
}

/* --- a real Mosquitto --- */

static pid_t mosquitto_pid;
static char mosquitto_url[64];
static char mosquitto_dir[] = "/tmp/test_mqtt_XXXXXX";

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    CHECK(close(fd) == 0);
    return ntohs(address.sin_port);
}

static bool answers(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

    CHECK(close(fd) == 0);
    return ok;
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", mosquitto_dir, name);
    file = fopen(path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static int start_mosquitto(void **state)
{
    char config[512], path[128];
    int port = free_port();
    int64_t until_ms = clock_mono_ms() + 10000;

    (void)state;
    CHECK(mkdtemp(mosquitto_dir) != NULL);
    CHECK(chmod(mosquitto_dir, 0755) ==
          0); /* started by root, Mosquitto becomes another user */
    write_file("acl", "topic write allowed/#\n");
    (void)snprintf(config, sizeof(config),
                   "listener %d 127.0.0.1\nallow_anonymous true\nacl_file "
                   "%s/acl\nmax_inflight_messages 50\n"
                   "max_packet_size 2000\nset_tcp_nodelay true\nlog_dest none\n",
                   port, mosquitto_dir);
    write_file("mosquitto.conf", config);
    (void)snprintf(path, sizeof(path), "%s/mosquitto.conf", mosquitto_dir);
    (void)snprintf(mosquitto_url, sizeof(mosquitto_url), "mqtt://127.0.0.1:%d", port);
    mosquitto_pid = fork();
    CHECK(mosquitto_pid >= 0);
    if (mosquitto_pid == 0) {
        (void)execlp("mosquitto", "mosquitto", "-c", path, (char *)NULL);
        (void)execl("/usr/sbin/mosquitto", "mosquitto", "-c", path, (char *)NULL);
        _exit(127);
    }
    while (!answers(port)) {
        CHECK(clock_mono_ms() < until_ms && waitpid(mosquitto_pid, NULL, WNOHANG) == 0);
        (void)usleep(10000); /* until the port is open; bounded above */
    }
    return 0;
}

static int stop_mosquitto(void **state)
{
    static const char *const files[] = {"acl", "mosquitto.conf"};
    char path[128];

    (void)state;
    CHECK(kill(mosquitto_pid, SIGTERM) == 0);
    CHECK(waitpid(mosquitto_pid, NULL, 0) == mosquitto_pid);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", mosquitto_dir, files[i]);
        CHECK(unlink(path) == 0);
    }
    CHECK(rmdir(mosquitto_dir) == 0);
    return 0;
}

/* --- with Mosquitto --- */

static void every_message_is_acknowledged_once_under_its_token(int version, int qos)
{
    struct mqtt_options options = options_of(version);
    struct client client;
    bool seen[51] = {false};
    int token;

    client_create(&client, &options);
    assert_int_equal(client_connect(&client, mosquitto_url), ST_OK);
    for (int i = 1; i <= 50; i++) {
        assert_int_equal(publish(&client, "allowed/topic", 100, qos, &token), ST_OK);
        assert_int_equal(token, i);
    }
    wait_heard(&client.heard, 50, 0);
    for (int i = 0; i < 50; i++) {
        assert_false(seen[client.heard.tokens[i]]);
        seen[client.heard.tokens[i]] = true;
        assert_true(client.heard.reasons[i] < 0x80);
        assert_int_equal(client.heard.epochs[i], client.epoch);
    }
    mqtt_disconnect(client.mq, true);
    mqtt_destroy(client.mq);
    assert_int_equal(client.heard.count, 50);
    assert_int_equal(client.heard.lost, 0); /* we ended it ourselves */
}

static void qos_1_with_mqtt_5(void **state)
{
    (void)state;
    every_message_is_acknowledged_once_under_its_token(5, 1);
}

static void qos_2_with_mqtt_5(void **state)
{
    (void)state;
    every_message_is_acknowledged_once_under_its_token(5, 2);
}

static void qos_1_with_mqtt_3_1_1(void **state)
{
    (void)state;
    every_message_is_acknowledged_once_under_its_token(4, 1);
}

static void qos_2_with_mqtt_3_1_1(void **state)
{
    (void)state;
    every_message_is_acknowledged_once_under_its_token(4, 2);
}

static void connack_gives_the_limits_of_the_broker(void **state)
{
    struct mqtt_options options = options_of(5);
    struct client client;
    int token;

    (void)state;
    client_create(&client, &options);
    assert_int_equal(client_connect(&client, mosquitto_url), ST_OK);
    assert_int_equal(client.limits.receive_maximum, 50);
    assert_int_equal(client.limits.maximum_packet_bytes, 2000);
    assert_int_equal(client.limits.keep_alive_s, 20);
    assert_int_equal(client.limits.maximum_qos, 2);
    assert_true(client.limits.retain_available);
    /* 1 + 2 of the header, 2 + 7 of the topic, 2 of the identifier, 1 of no properties: 15 */
    assert_int_equal(publish(&client, "allowed", 1985, 1, &token), ST_OK);
    assert_int_equal(publish(&client, "allowed", 1986, 1, &token), ST_TOO_LARGE);
    wait_heard(&client.heard, 1, 0); /* and the connection is still there */
    assert_int_equal(publish(&client, "allowed/t", 10, 1, &token), ST_OK);
    assert_int_equal(token, 2);
    wait_heard(&client.heard, 2, 0);
    mqtt_destroy(client.mq);
}

static void a_refusal_comes_with_its_reason_code(void **state)
{
    struct mqtt_options options = options_of(5);
    struct client client;
    int first, second;

    (void)state;
    client_create(&client, &options);
    assert_int_equal(client_connect(&client, mosquitto_url), ST_OK);
    assert_int_equal(publish(&client, "forbidden/topic", 10, 1, &first), ST_OK);
    assert_int_equal(publish(&client, "forbidden/topic", 10, 2, &second), ST_OK);
    wait_heard(&client.heard, 2, 0);
    assert_int_equal(client.heard.reasons[0], 0x87);
    assert_int_equal(client.heard.reasons[1], 0x87);
    mqtt_destroy(client.mq);
}

static void an_invalid_topic_is_refused_without_sending(void **state)
{
    struct mqtt_options options = options_of(5);
    struct client client;
    int token;

    (void)state;
    client_create(&client, &options);
    assert_int_equal(client_connect(&client, mosquitto_url), ST_OK);
    assert_int_equal(publish(&client, "", 1, 1, &token), ST_INVALID);
    assert_int_equal(publish(&client, "a/#", 1, 1, &token), ST_INVALID);
    assert_int_equal(publish(&client, "a/\xff", 1, 1, &token), ST_INVALID);
    assert_int_equal(publish(&client, "allowed/t", 1, 1, &token), ST_OK);
    assert_int_equal(token, 1); /* the refused ones took no identifier */
    wait_heard(&client.heard, 1, 0);
    assert_int_equal(client.heard.tokens[0], 1);
    mqtt_destroy(client.mq);
}

static void another_client_with_our_id_takes_the_session_over(void **state)
{
    struct mqtt_options options = options_of(5);
    struct client first, second;
    int token;

    (void)state;
    client_create(&first, &options);
    client_create(&second, &options);
    assert_int_equal(client_connect(&first, mosquitto_url), ST_OK);
    assert_int_equal(client_connect(&second, mosquitto_url), ST_OK);
    wait_heard(&first.heard, 0, 1);
    /* Mosquitto 2.0.11 closes without a word here; others say 0x8E. */
    assert_int_equal(first.heard.lost_epoch, first.epoch);
    assert_int_equal(publish(&first, "allowed/t", 1, 1, &token), ST_UNREACHABLE);
    mqtt_destroy(first.mq);
    mqtt_destroy(second.mq);
}

static void each_connect_is_a_new_epoch_and_starts_its_tokens_anew(void **state)
{
    struct mqtt_options options = options_of(5);
    struct client client;
    uint32_t before;
    int token;

    (void)state;
    client_create(&client, &options);
    assert_int_equal(client_connect(&client, mosquitto_url), ST_OK);
    before = client.epoch;
    assert_int_equal(publish(&client, "allowed/t", 1, 1, &token), ST_OK);
    wait_heard(&client.heard, 1, 0);
    mqtt_disconnect(client.mq, true);
    assert_int_equal(client_connect(&client, mosquitto_url), ST_OK);
    assert_true(client.epoch > before);
    assert_int_equal(publish(&client, "allowed/t", 1, 1, &token), ST_OK);
    assert_int_equal(token, 1);
    wait_heard(&client.heard, 2, 0);
    assert_int_equal(client.heard.epochs[1], client.epoch);
    mqtt_destroy(client.mq);
}

/* --- with a broker that misbehaves --- */

static void an_invalid_address_and_an_absent_server_are_told_apart(void **state)
{
    struct mqtt_options options = options_of(5);
    struct client client;
    char nowhere[64];

    (void)state;
    (void)snprintf(nowhere, sizeof(nowhere), "mqtt://127.0.0.1:%d", free_port());
    client_create(&client, &options);
    assert_int_equal(client_connect(&client, "http://127.0.0.1"), ST_INVALID);
    assert_int_equal(client_connect(&client, "mqtt://"), ST_INVALID);
    assert_int_equal(client_connect(&client, nowhere), ST_UNREACHABLE);
    mqtt_destroy(client.mq);
    assert_int_equal(client.heard.lost, 0);
}

static void refuses_with(const uint8_t *connack, size_t len, int version, int reason)
{
    struct fake_broker broker = {.version = version, .connack = connack, .connack_len = len};
    struct mqtt_options options = options_of(version);
    struct client client;

    fake_broker_start(&broker);
    client_create(&client, &options);
    assert_int_equal(client_connect(&client, broker.server), ST_REFUSED);
    assert_int_equal(client.reason, reason);
    mqtt_destroy(client.mq);
    fake_broker_stop(&broker);
}

static void a_refused_connect_gives_the_code_of_mqtt_5_in_both_versions(void **state)
{
    static const uint8_t bad_password5[] = {0x20, 3, 0, 0x86, 0};
    static const uint8_t bad_password4[] = {0x20, 2, 0, 4};
    static const uint8_t not_authorized4[] = {0x20, 2, 0, 5};

    (void)state;
    refuses_with(bad_password5, sizeof(bad_password5), 5, 0x86);
    refuses_with(bad_password4, sizeof(bad_password4), 4, 0x86);
    refuses_with(not_authorized4, sizeof(not_authorized4), 4, 0x87);
}

static void a_broker_that_only_knows_3_1_1_refuses_mqtt_5_with_two_bytes(void **state)
{
    static const uint8_t unacceptable[] = {0x20, 2, 0, 1};

    (void)state;
    refuses_with(unacceptable, sizeof(unacceptable), 5, 0x84);
}

static void a_shorter_keep_alive_of_the_broker_is_used_by_connecting_again(void **state)
{
    static const uint8_t connack[] = {
        0x20, 9, 0, 0, 6, 0x13, 0, 7, 0x21, 0, 5}; /* keep-alive 7, receive maximum 5 */
    struct fake_broker broker = {
        .version = 5, .connack = connack, .connack_len = sizeof(connack)};
    struct mqtt_options options = options_of(5);
    struct client client;

    (void)state;
    fake_broker_start(&broker);
    client_create(&client, &options);
    assert_int_equal(client_connect(&client, broker.server), ST_OK);
    assert_int_equal(client.limits.keep_alive_s, 7);
    assert_int_equal(client.limits.receive_maximum, 5);
    assert_int_equal(broker.keep_alive_s, 7);
    assert_int_equal(broker.connections, 2);
    assert_int_equal(client_connect(&client, broker.server), ST_OK);
    assert_int_equal(broker.connections, 3); /* remembered */
    mqtt_destroy(client.mq);
    fake_broker_stop(&broker);
    assert_int_equal(client.heard.lost, 0);
}

static int close_it(void *ctx, const struct fake_message *message)
{
    (void)ctx;
    (void)message;
    return FAKE_CLOSE;
}

/* A broker that ends the connection on the first message: it is lost once, with this reason. */
static void assert_lost_once(int (*decide)(void *ctx, const struct fake_message *message),
                             int reason, bool disconnect)
{
    struct fake_broker broker = {.version = 5, .decide = decide};
    struct mqtt_options options = options_of(5);
    struct client client;
    int token;

    fake_broker_start(&broker);
    client_create(&client, &options);
    assert_int_equal(client_connect(&client, broker.server), ST_OK);
    assert_int_equal(publish(&client, "t", 1, 1, &token), ST_OK);
    wait_heard(&client.heard, 0, 1);
    assert_int_equal(client.heard.lost_reason, reason);
    if (disconnect) {
        mqtt_disconnect(client.mq, true);
    }
    mqtt_destroy(client.mq);
    fake_broker_stop(&broker);
    assert_int_equal(client.heard.lost, 1);
}

static void a_connection_that_the_broker_closes_is_lost_once(void **state)
{
    (void)state;
    assert_lost_once(close_it, 0, true);
}

static int say_taken_over(void *ctx, const struct fake_message *message)
{
    (void)ctx;
    (void)message;
    return FAKE_DISCONNECT | 0x8E;
}

static void a_disconnect_of_the_broker_gives_its_reason(void **state)
{
    (void)state;
    assert_lost_once(say_taken_over, 0x8E, false);
}

static int acknowledge_another(void *ctx, const struct fake_message *message)
{
    const struct fake_broker *broker = ctx;
    uint8_t bogus[] = {0x40, 2, 0x77, 0x77, 0x40, 2, 0, (uint8_t)message->packet_id};

    fake_write(broker->fd, bogus, sizeof(bogus));
    return 0; /* and so it is acknowledged twice */
}

static void acknowledgements_of_nothing_that_was_sent_are_dropped(void **state)
{
    struct fake_broker broker = {.version = 5, .decide = acknowledge_another, .ctx = &broker};
    struct mqtt_options options = options_of(5);
    struct client client;
    int token;

    (void)state;
    fake_broker_start(&broker);
    client_create(&client, &options);
    assert_int_equal(client_connect(&client, broker.server), ST_OK);
    assert_int_equal(publish(&client, "t", 1, 1, &token), ST_OK);
    wait_heard(&client.heard, 1, 0);
    assert_int_equal(publish(&client, "t", 1, 1, &token), ST_OK);
    wait_heard(&client.heard, 2, 0);
    assert_int_equal(client.heard.tokens[0], 1);
    assert_int_equal(client.heard.tokens[1], 2);
    mqtt_destroy(client.mq);
    fake_broker_stop(&broker);
    assert_int_equal(client.heard.count, 2);
}

static int stop_reading(void *ctx, const struct fake_message *message)
{
    (void)ctx;
    (void)message;
    return FAKE_STOP_READING;
}

/* Publishes until the socket is full; returns when the call that blocked has come back. */
static int64_t fill_the_socket(struct client *client)
{
    int64_t longest_ms = 0;
    enum status st = ST_OK;
    int token;

    for (int i = 0; i < 1000 && st == ST_OK; i++) {
        int64_t began = clock_mono_ms();
        int64_t took;

        st = publish(client, "t", 1024 * 1024, 1, &token);
        took = clock_mono_ms() - began;
        longest_ms = took > longest_ms ? took : longest_ms;
    }
    assert_int_equal(st, ST_UNREACHABLE);
    return longest_ms;
}

static void a_broker_that_stops_reading_is_cut_after_twice_the_keep_alive(void **state)
{
    struct fake_broker broker = {.version = 5, .decide = stop_reading, .receive_buffer = 4096};
    struct mqtt_options options = options_of(5);
    struct client client;
    int64_t took_ms;

    (void)state;
    options.keep_alive_s = 2;
    fake_broker_start(&broker);
    client_create(&client, &options);
    assert_int_equal(client_connect(&client, broker.server), ST_OK);
    took_ms = fill_the_socket(&client);
    assert_in_range(took_ms, 3000, 8000);
    mqtt_destroy(client.mq); /* nobody reports anything from here on */
    assert_int_equal(client.heard.lost, 1);
    assert_int_equal(client.heard.lost_reason, MQTT_CUT);
    assert_true(client.heard.waiting >= 2);
    fake_broker_stop(&broker);
}

static void a_deadline_ends_a_call_that_blocks(void **state)
{
    struct fake_broker broker = {.version = 4, .decide = stop_reading, .receive_buffer = 4096};
    struct mqtt_options options = options_of(4);
    struct client client;
    int64_t began;

    (void)state;
    options.keep_alive_s = 60;
    fake_broker_start(&broker);
    client_create(&client, &options);
    assert_int_equal(client_connect(&client, broker.server), ST_OK);
    began = clock_mono_ms();
    mqtt_set_deadline(client.mq, began + 1500);
    (void)fill_the_socket(&client);
    assert_in_range(clock_mono_ms() - began, 1400, 5000);
    began = clock_mono_ms();
    mqtt_destroy(client.mq);
    assert_in_range(clock_mono_ms() - began, 0, 3000);
    fake_broker_stop(&broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(qos_1_with_mqtt_5),
        cmocka_unit_test(qos_2_with_mqtt_5),
        cmocka_unit_test(qos_1_with_mqtt_3_1_1),
        cmocka_unit_test(qos_2_with_mqtt_3_1_1),
        cmocka_unit_test(connack_gives_the_limits_of_the_broker),
        cmocka_unit_test(a_refusal_comes_with_its_reason_code),
        cmocka_unit_test(an_invalid_topic_is_refused_without_sending),
        cmocka_unit_test(another_client_with_our_id_takes_the_session_over),
        cmocka_unit_test(each_connect_is_a_new_epoch_and_starts_its_tokens_anew),
        cmocka_unit_test(an_invalid_address_and_an_absent_server_are_told_apart),
        cmocka_unit_test(a_refused_connect_gives_the_code_of_mqtt_5_in_both_versions),
        cmocka_unit_test(a_broker_that_only_knows_3_1_1_refuses_mqtt_5_with_two_bytes),
        cmocka_unit_test(a_shorter_keep_alive_of_the_broker_is_used_by_connecting_again),
        cmocka_unit_test(a_connection_that_the_broker_closes_is_lost_once),
        cmocka_unit_test(a_disconnect_of_the_broker_gives_its_reason),
        cmocka_unit_test(acknowledgements_of_nothing_that_was_sent_are_dropped),
        cmocka_unit_test(a_broker_that_stops_reading_is_cut_after_twice_the_keep_alive),
        cmocka_unit_test(a_deadline_ends_a_call_that_blocks),
    };

    return cmocka_run_group_tests(tests, start_mosquitto, stop_mosquitto);
}
