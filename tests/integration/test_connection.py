"""The connection to the broker: TLS, log-in, several servers, loss and return."""

import contextlib
import fcntl
import os
import re
import subprocess
import termios

import pytest

from lib import events
from lib.bridge import PROGRAM
from lib.certs import openssl
from lib.wait import free_port, holds_for, wait_until


def tls_broker(start, authority, *, name="server", alt_names="IP:127.0.0.1,DNS:localhost", **options):
    cert, key = authority.issue(name, alt_names)
    return start.broker(tls=(authority.cert, cert, key), **options)


def tls_config(authority, client=None):
    files = {"ca_file": str(authority.cert)}
    if client:
        files |= {"cert_file": str(client[0]), "key_file": str(client[1])}
    return {"mqtt": {"tls": files}}


def assert_refuses(bridge, word):
    """It keeps trying, says why, and takes webhooks all the while."""
    bridge.wait_log(
        lambda: [line for line in bridge.log() if re.search(word, str(line), re.I)],
        f"a line that says {word}",
    )
    assert bridge.metrics().value("broker_connects_total") == 0
    bridge.accept(events.body())
    assert bridge.metrics().value("broker_connected") == 0


def subscribe_tls(start, broker, authority, client=None):
    tls = {"ca_certs": str(authority.cert)}
    if client:
        tls |= {"certfile": str(client[0]), "keyfile": str(client[1])}
    return start.subscriber(broker, tls=tls)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_it_connects_over_tls(start, authority, version):
    broker = tls_broker(start, authority)
    subscriber = subscribe_tls(start, broker, authority)
    config = tls_config(authority)
    config["mqtt"]["version"] = version
    bridge = start.bridge(broker, config)
    bridge.accept(events.body())
    subscriber.wait_for(events.topic())


def test_it_shows_its_certificate_to_a_broker_that_asks_for_one(start, authority):
    broker = tls_broker(start, authority, client_certificates=True)
    client = authority.issue("client")
    subscriber = subscribe_tls(start, broker, authority, client)
    bridge = start.bridge(broker, tls_config(authority, client))
    bridge.accept(events.body())
    subscriber.wait_for(events.topic())


def test_without_a_client_certificate_such_a_broker_refuses(start, authority):
    broker = tls_broker(start, authority, client_certificates=True)
    bridge = start.bridge(broker, tls_config(authority))
    wait_until(lambda: "peer did not return a certificate" in broker.log_text(), "the broker says so")
    assert_refuses(bridge, "mqtts://")


def test_a_broker_of_another_authority_is_refused(start, authority, stranger):
    bridge = start.bridge(tls_broker(start, authority), tls_config(stranger))
    assert_refuses(bridge, "certificate|verif")


def test_a_broker_with_a_certificate_for_another_host_is_refused(start, authority):
    broker = tls_broker(start, authority, name="elsewhere", alt_names="DNS:elsewhere.example")
    assert_refuses(start.bridge(broker, tls_config(authority)), "mqtts://")
    time_for_more_attempts = 1.0
    holds_for(lambda: "New client connected" not in broker.log_text(), time_for_more_attempts, "let in")


def test_a_broker_without_tls_is_not_talked_to_over_mqtts(start, broker, authority):
    config = tls_config(authority)
    config["mqtt"]["servers"] = [f"mqtts://127.0.0.1:{broker.port}"]
    assert_refuses(start.bridge(broker, config), "mqtts://")


@pytest.mark.parametrize("encrypted", [False, True], ids=["ws", "wss"])
def test_it_connects_over_websockets(start, authority, encrypted):
    if encrypted:
        broker = tls_broker(start, authority, websockets=True)
        subscriber = subscribe_tls(start, broker, authority)
        config = tls_config(authority)
    else:
        broker = start.broker(websockets=True)
        subscriber = start.subscriber(broker)
        config = {"mqtt": {}}
    config["mqtt"]["servers"] = [broker.websocket_url]
    bridge = start.bridge(broker, config)
    bridge.accept(events.body())
    subscriber.wait_for(events.topic())


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_it_logs_in_with_user_name_and_password(start, tmp_path, version):
    password = "itest-mqtt-password-83"
    (tmp_path / "password").write_text(password)
    broker = start.broker(users={"bridge": password, "reader": "reader"})
    subscriber = start.subscriber(broker, username="reader", password="reader")
    login = {"username": "bridge", "password": {"file": str(tmp_path / "password")}, "version": version}
    bridge = start.bridge(broker, {"mqtt": login})
    bridge.secrets.add(password)
    bridge.accept(events.body())
    subscriber.wait_for(events.topic())


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_wrong_password_is_said_and_tried_again(start, version):
    broker = start.broker(users={"bridge": "right"})
    login = {"username": "bridge", "password": {"env": "PASSWORD"}, "version": version}
    bridge = start.bridge(broker, {"mqtt": login}, env={"PASSWORD": "itest-wrong-password"})
    bridge.secrets.add("itest-wrong-password")
    assert_refuses(bridge, "not authori[sz]ed|user name or password|refused")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_password_file_is_read_at_each_connect(start, tmp_path, version):
    server = start.mqtt_server()
    file = tmp_path / "password"
    file.write_text("itest-first-password\n")
    login = {"username": "bridge", "password": {"file": str(file)}, "version": version}
    bridge = start.bridge(server, {"mqtt": login}).wait_connected()
    bridge.secrets |= {"itest-first-password", "itest-second-password"}
    file.write_text("itest-second-password")
    server.sessions[-1].close()
    server.wait_session(2)
    file.unlink()
    server.sessions[-1].close()
    server.wait_session(3)
    passwords = [session.connect.password for session in server.sessions]
    assert passwords == [b"itest-first-password", b"itest-second-password", b"itest-second-password"]
    assert len(bridge.lines("mqtt.password cannot be read again: the last one is used")) == 1


def test_a_certificate_of_ours_that_was_replaced_is_shown_at_the_next_connect(start, tmp_path, authority, stranger):
    broker = tls_broker(start, authority, client_certificates=True)
    good, bad = authority.issue("renewed"), stranger.issue("expired")
    for name, path in zip(("cert", "key"), bad):
        (tmp_path / name).write_bytes(path.read_bytes())
    bridge = start.bridge(broker, tls_config(authority, (tmp_path / "cert", tmp_path / "key")))
    bridge.wait_log(lambda: bridge.lines("cannot reach broker"), "the broker refuses it")
    for name, path in zip(("cert", "key"), good):
        (tmp_path / name).write_bytes(path.read_bytes())
    bridge.wait_connected()


def test_the_first_server_that_answers_is_taken(start, broker, subscriber):
    dead = f"mqtt://127.0.0.1:{free_port()}"
    bridge = start.bridge(broker, {"mqtt": {"servers": [dead, broker.url]}})
    bridge.accept(events.body())
    subscriber.wait_for(events.topic())


def test_the_next_server_is_taken_when_one_dies(start):
    first, second = start.broker(), start.broker()
    subscriber = start.subscriber(second)
    bridge = start.bridge(first, {"mqtt": {"servers": [first.url, second.url]}}).wait_connected()
    first.kill()
    bridge.accept(events.body())
    subscriber.wait_for(events.topic())


def test_what_came_while_the_broker_was_away_is_delivered_in_order_when_it_is_back(start, broker):
    proxy = start.proxy(broker)
    proxy.refuse()
    bridge = start.bridge(proxy)
    bodies = [events.body(gid=f"g{i % 10}") for i in range(300)]
    with bridge.connect() as connection:
        for body in bodies:
            bridge.accept(body, connection=connection)
    assert bridge.metrics().value("outbox_undelivered_events") == 300
    subscriber = start.subscriber(broker)
    proxy.resume()
    arrived = [m.payload for m in subscriber.wait_under("partners/", 300)]
    for gid in range(10):
        assert [b for b in arrived if b'"g%d"' % gid in b] == bodies[gid::10]
    bridge.wait_metric("outbox_undelivered_events", 0)


def test_a_connection_cut_again_and_again_loses_nothing_and_keeps_the_order(start, broker, subscriber):
    proxy = start.proxy(broker)
    bridge = start.bridge(proxy, {"mqtt": {"max_in_flight": 20}}).wait_connected()
    bodies = []
    with bridge.connect() as connection:
        for i in range(400):
            body = events.body(gid=f"g{i % 7}")
            bridge.accept(body, connection=connection)
            bodies.append(body)
            if i % 100 == 50:
                proxy.cut()
    wait_until(
        lambda: len({m.payload for m in subscriber.under("partners/")}) == 400,
        lambda: f"{len(subscriber.under('partners/'))} messages\n{bridge.log_text()[-3000:]}",
    )
    arrived = list(dict.fromkeys(m.payload for m in subscriber.under("partners/")))
    for gid in range(7):
        assert [b for b in arrived if b'"g%d"' % gid in b] == bodies[gid::7]
    repeats = len(subscriber.under("partners/")) - 400
    assert repeats <= 4 * 20, "at most a window of repeats each time"


def test_a_broker_that_is_restarted_is_found_again(start, broker):
    proxy = start.proxy(broker)
    bridge = start.bridge(proxy).wait_connected()
    broker.kill()
    bridge.wait_metric("broker_connected", 0)
    bodies = [events.body() for _ in range(20)]
    for body in bodies:
        bridge.accept(body)
    proxy.refuse()
    broker.start()
    subscriber = start.subscriber(broker)
    proxy.resume()
    assert [m.payload for m in subscriber.wait_for(events.topic(), 20)] == bodies
    assert bridge.metrics().value("broker_reconnects_total") >= 1


def test_a_broker_that_is_lost_and_back_is_logged_once_each(start, broker):
    proxy = start.proxy(broker)
    bridge = start.bridge(proxy).wait_connected()
    bridge.wait_log(lambda: bridge.lines("broker connected"), "connected")
    proxy.refuse()
    bridge.wait_log(lambda: bridge.lines("broker connection lost"), "lost")
    bridge.wait_metric("broker_connected", 0)
    holds_for(lambda: len(bridge.lines("broker connection lost")) == 1, 1, "said again")
    proxy.resume()
    bridge.wait_connected()
    bridge.wait_log(lambda: len(bridge.lines("broker connected")) == 2, "connected again")
    assert len(bridge.lines("broker connection lost")) == 1


def test_webhooks_are_taken_all_the_while_a_broker_stalls(start, broker):
    proxy = start.proxy(broker)
    bridge = start.bridge(proxy).wait_connected()
    proxy.stall()
    with bridge.connect() as connection:
        for i in range(300):
            bridge.accept(events.body(gid=f"s{i}"), connection=connection)
    proxy.resume()


def test_it_asks_for_a_clean_start_and_sets_its_will(start):
    server = start.mqtt_server()
    start.bridge(server, {"mqtt": {"keep_alive": "17s", "client_id": "me"}}).wait_connected()
    connect = server.wait_session().connect
    assert connect.version == 5 and connect.clean_start and connect.client_id == "me"
    assert connect.keep_alive_s == 17
    assert connect.will_topic == "hook2mqtt/me/state" and connect.will_retain
    assert connect.will_payload == b'{"state":"offline"}'


def test_the_version_is_never_guessed(start):
    """A broker that refuses MQTT 5 is not tried with another one."""
    server = start.mqtt_server(reason=0x84)  # unsupported protocol version
    bridge = start.bridge(server)
    wait_until(lambda: len([s for s in server.sessions if s.connect]) >= 2, "a second attempt")
    assert {s.connect.version for s in server.sessions if s.connect} == {5}
    assert_refuses(bridge, "version")


def on_a_terminal(command, env, log):
    """Starts it with a terminal of its own, on which a library could ask; gives the process and the terminal."""
    ours, theirs = os.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    with open(log, "ab") as errors:
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=errors, env=env, preexec_fn=take_terminal)
    os.close(theirs)
    os.set_blocking(ours, False)
    return process, ours


def test_an_encrypted_key_is_refused_and_never_asked_for_on_a_terminal(start, authority, tmp_path):
    """`check` refuses it; if it comes later, each connect fails, and SIGTERM works."""
    broker = tls_broker(start, authority, client_certificates=True)
    cert, key = authority.issue("client")
    live = tmp_path / "live.key"
    live.write_bytes(key.read_bytes())
    bridge = start.bridge(broker, tls_config(authority, (cert, live)), start=False)
    process, terminal = on_a_terminal([PROGRAM, *bridge.command("run")], bridge.env, bridge.stderr_file)
    bridge.process = process
    try:
        bridge.wait_ready()
        bridge.wait_connected()
        openssl("pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", live)
        assert b"is encrypted" in bridge.cli("check", expect=1).stdout
        broker.restart()
        bridge.wait_log(lambda: bridge.lines("cannot reach broker"), "the connect fails")
        assert bridge.lines("broker connection lost")
        bridge.accept(events.body())
        assert bridge.stop() == 0, "SIGTERM works"
        asked = b""
        with contextlib.suppress(OSError):  # at the end there is no terminal any more
            asked = os.read(terminal, 1000)
        assert asked == b""
    finally:
        os.close(terminal)
