"""Another configuration, and other secrets, while the bridge runs and webhooks come."""

import concurrent.futures
import json
import os
import resource
import signal
import socket
import threading
import time

import pytest

from lib import events, http_client, sign
from lib.bridge import PATH, SECRET, SOURCE, signed, source
from lib.subscriber import retained
from lib.wait import DEADLINE_S, wait_until

EXTRA_PATH = "/webhooks/extra"
EXTRA = {**SOURCE, "name": "extra", "path": EXTRA_PATH, "topic": "extra/{gid}"}
RICLOUD_PATH = "/webhooks/phones"
NEW_SECRET, OLD_SECRET = "reload-new-5f1c77", "reload-old-88a0d2"
RESTART_NEEDED = "these settings have changed and take effect after a restart"
SECRET_UNUSABLE = "a secret file has changed but cannot be used; the old secret stays"


def sources_of_info(broker):
    return [
        named
        for message in retained(broker, "hook2mqtt/+/info").values()
        for named in json.loads(message.payload)["sources"]
    ]


def half_sent(bridge, body, path, secret=SECRET):
    """A connection on which the head and half of the body have been sent, and the head has been understood."""
    before = bridge.metrics().value("received_total", source=path.rpartition("/")[2])
    connection = bridge.connect()
    request = http_client.request_bytes("POST", path, signed(body, secret), body)
    connection.send(request[:-10])
    bridge.wait_metric("received_total", before + 1, source=path.rpartition("/")[2])
    return connection, request[-10:]


class Load:
    """Clients that deliver to one path without a pause, each on a kept connection."""

    def __init__(self, bridge, path=PATH, clients=4):
        self.bridge, self.path = bridge, path
        self.accepted, self.refused = {}, []
        self.ending = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(clients)
        self.clients = [self.pool.submit(self._client, number) for number in range(clients)]

    def wait_for(self, more):
        wanted = len(self.accepted) + more
        wait_until(lambda: len(self.accepted) >= wanted or self.refused, f"{more} more are accepted")

    def end(self):
        self.ending.set()
        for client in self.clients:
            client.result()
        self.pool.shutdown()
        assert self.refused == []
        return self.accepted

    def _client(self, number):
        with self.bridge.connect() as connection:
            for i in range(10**9):
                body = events.body(gid=f"l{number}-{i}")
                answer = self.bridge.post(body, path=self.path, connection=connection)
                if answer.status == 200 and answer.json()["status"] == "accepted":
                    self.accepted[answer.json()["id"]] = body
                else:
                    self.refused.append(answer)
                if self.ending.is_set():
                    return


@pytest.mark.parametrize("threads", [1, 3])
def test_sources_come_change_and_go_under_load_and_nothing_is_refused(start, broker, subscriber, threads):
    bridge = start.bridge(broker, {"ingress": {"threads": threads}}).wait_connected()
    load = Load(bridge)
    for turn in range(10):
        topic = f"turn{turn}/{{resource_type}}/{{event}}/{{gid}}"
        bridge.config["sources"] = [{**SOURCE, "topic": topic}, EXTRA]
        bridge.reload()
        bridge.accept(events.body(gid="fence"))
        subscriber.wait_for(events.topic("fence", prefix=f"turn{turn}"))
        # Whichever thread gets it.
        for _ in range(10):
            bridge.accept(events.body(gid=f"extra{turn}"), path=EXTRA_PATH)
        load.wait_for(20)
        bridge.config["sources"] = [SOURCE]
        bridge.reload()
        for _ in range(10):
            assert bridge.post(events.body(), path=EXTRA_PATH).status == 404
    accepted = load.end()
    bridge.wait_settled()
    assert bridge.metrics().value("reloads_total") == 20
    wait_until(
        lambda: {m.property("id") for m in subscriber.under("") if m.property("id") in accepted} == set(accepted),
        "all that was accepted is published",
    )
    for message in subscriber.under(""):
        if message.property("id") in accepted:
            assert message.payload == accepted[message.property("id")]
            assert message.topic.startswith(("turn", "partners/"))
    assert len(subscriber.under("extra/")) == 100


def test_a_delivery_that_had_begun_is_judged_by_the_old_configuration(start, broker, subscriber):
    bridge = start.bridge(broker, {"sources": [SOURCE, EXTRA]}).wait_connected()
    body = events.body(gid="slow")
    connection, rest = half_sent(bridge, body, EXTRA_PATH)
    bridge.config["sources"] = [{**SOURCE, "topic": "other/{gid}"}]
    bridge.reload()
    bridge.accept(events.body(gid="quick"))
    assert bridge.post(events.body(), path=EXTRA_PATH).status == 404
    with connection:
        connection.send(rest)
        answer = connection.answer()
        assert answer.status == 200 and answer.json()["status"] == "accepted"
        # The next one on the same connection is a new one.
        assert bridge.post(events.body(), path=EXTRA_PATH, connection=connection).status == 404
    [message] = subscriber.wait_for("extra/slow")
    assert message.payload == body
    subscriber.wait_for("other/quick")


def test_a_delivery_that_had_begun_is_taken_if_only_the_new_configuration_would_take_it(start, broker, subscriber):
    bridge = start.bridge(broker, {"sources": source(secrets=[OLD_SECRET])}).wait_connected()
    bridge.secrets |= {NEW_SECRET, OLD_SECRET}
    body = events.body(gid="slow")
    connections = [half_sent(bridge, body, PATH, secret) for secret in (NEW_SECRET, "neither")]
    bridge.config["sources"] = source(secrets=[NEW_SECRET], topic="other/{gid}")
    bridge.reload()
    for (connection, rest), status in zip(connections, (200, 401), strict=True):
        with connection:
            connection.send(rest)
            assert connection.answer().status == status
    [message] = subscriber.wait_for("other/slow")
    assert message.payload == body
    refused = bridge.metrics().value("rejected_total", source="partners", reason="unauthorized")
    assert refused == 1


def test_a_delivery_that_had_begun_at_a_source_that_is_removed_and_is_wrong_is_refused(start):
    bridge = start.bridge(None, {"sources": [SOURCE, EXTRA]})
    connection, rest = half_sent(bridge, events.body(), EXTRA_PATH, "wrong")
    bridge.config["sources"] = [SOURCE]
    bridge.reload()
    with connection:
        connection.send(rest)
        assert connection.answer().status == 401


def test_deliveries_that_never_end_keep_no_reload_from_working(start):
    bridge = start.bridge(None, {"sources": [SOURCE, EXTRA], "ingress": {"request_timeout": "2s"}})
    connections = [half_sent(bridge, events.body(), EXTRA_PATH)[0] for _ in range(5)]
    for name in ("a", "b", "c"):
        bridge.config["sources"] = source(topic=f"{name}/{{gid}}")
        bridge.reload()
        bridge.accept(events.body())
    for connection in connections:
        with connection:
            assert connection.is_closed_by_peer()


def test_a_bad_configuration_keeps_the_old_one_and_every_fault_is_said(start, broker):
    bridge = start.bridge(broker).wait_connected()
    good = bridge.config
    bridge.config = {**good, "sources": [{**SOURCE, "qoz": 1, "topic": "a/{gdi}"}, EXTRA], "nonsense": 1}
    bridge.reload(refused=True)
    faults = {line["path"]: line["error"] for line in bridge.lines("configuration", level="error")}
    assert {"sources[0].qoz", "sources[0].topic", "nonsense"} == set(faults)
    assert "{gid}" in faults["sources[0].topic"]
    assert bridge.metrics().value("reload_failures_total") == 1
    assert bridge.metrics().value("reloads_total") == 0
    bridge.accept(events.body())
    assert bridge.post(events.body(), path=EXTRA_PATH).status == 404
    wait_until(lambda: [one["name"] for one in sources_of_info(broker)] == ["partners"], "the old info")

    bridge.config = {**good, "sources": [SOURCE, EXTRA]}
    bridge.reload()
    bridge.accept(events.body(), path=EXTRA_PATH)
    assert bridge.metrics().value("reloads_total") == 1


def test_what_check_warns_of_is_a_warning_at_a_reload_too(start):
    bridge = start.bridge(None)
    bridge.config["sources"] = source(secrets=["written here"])
    bridge.reload()
    [line] = bridge.lines("configuration", path="sources[0].secrets[0]")
    assert line["level"] == "warn" and "warning" in line


@pytest.mark.parametrize("text", ["", "{", "[]", '{"sources": []}'])
def test_a_file_that_is_no_configuration_is_refused(start, text):
    bridge = start.bridge(None)
    bridge.write_config = lambda: bridge.config_file.write_text(text)
    bridge.reload(refused=True)
    assert bridge.lines("configuration", level="error")
    bridge.accept(events.body())


def test_a_file_that_is_gone_is_said(start):
    bridge = start.bridge(None)
    bridge.write_config = bridge.config_file.unlink
    bridge.reload(refused=True)
    [line] = bridge.lines("configuration", level="error")
    assert "No such file" in line["error"]
    bridge.accept(events.body())


def test_a_secret_that_cannot_be_read_refuses_the_reload(start, tmp_path):
    bridge = start.bridge(None)
    bridge.config["sources"] = source(secrets=[{"file": str(tmp_path / "nothing")}])
    bridge.reload(refused=True)
    [line] = bridge.lines("configuration", level="error")
    assert line["path"].startswith("sources[0].secrets[0]") and "nothing" in line["error"]
    bridge.accept(events.body())


def test_what_came_and_went_is_named(start):
    bridge = start.bridge(None)
    bridge.config["sources"] = [EXTRA, {**EXTRA, "name": "third", "path": "/third"}]
    bridge.reload()
    [line] = bridge.lines("configuration reloaded")
    assert line["sources"] == "2" and line["added"] == "extra, third" and line["removed"] == "partners"
    bridge.reload()
    line = bridge.lines("configuration reloaded")[-1]
    assert line["sources"] == "2" and "added" not in line and "removed" not in line


def test_a_removed_source_s_backlog_is_delivered(start, broker, subscriber):
    proxy = start.proxy(broker)
    bridge = start.bridge(proxy, {"sources": [SOURCE, EXTRA]}).wait_connected()
    proxy.close()
    bridge.wait_metric("broker_connected", 0)
    waiting = {bridge.accept(events.body(gid=f"b{i}"), path=EXTRA_PATH) for i in range(50)}
    bridge.config["sources"] = [SOURCE]
    bridge.reload()
    assert bridge.post(events.body(), path=EXTRA_PATH).status == 404
    assert bridge.metrics().value("outbox_undelivered_events") == 50
    # Also over a restart, when nobody remembers the source.
    bridge.config["mqtt"]["servers"] = [broker.url]
    bridge.write_config()
    bridge.restart()
    assert {m.property("id") for m in subscriber.wait_under("extra/", 50)} == waiting
    bridge.wait_settled()


def test_the_backlog_of_a_removed_source_is_delivered_by_the_same_process(start, broker, subscriber):
    bridge = start.bridge(broker, {"sources": [SOURCE, EXTRA]}).wait_connected()
    broker.stop()
    bridge.wait_metric("broker_connected", 0)
    waiting = {bridge.accept(events.body(gid=f"b{i}"), path=EXTRA_PATH) for i in range(20)}
    bridge.config["sources"] = [SOURCE]
    bridge.reload()
    broker.start()
    bridge.wait_settled()
    assert bridge.metrics().value("published_total") == len(waiting) == 20


def test_dead_letters_are_read_again_with_the_new_configuration(start, broker, subscriber):
    custom = {**SOURCE, "provider": "creads", "topic": "partners/{event}/{gid}", "fields": {"gid": "{body.nope}"}}
    bridge = start.bridge(broker, {"sources": [custom]}).wait_connected()
    body = events.body(gid="late")
    answer = bridge.post(body)
    assert answer.status == 202, answer
    one = answer.json()["id"]
    bridge.cli("dead", "retry", one, expect=None)
    assert [row["id"] for row in bridge.rows("dead")] == [one]

    bridge.config["sources"] = [EXTRA]
    bridge.reload()
    done = bridge.cli("dead", "retry", one, expect=None)
    assert "source partners is not configured" in (done.stdout + done.stderr).decode()

    bridge.config["sources"] = source(topic="partners/{event}/{gid}")
    bridge.reload()
    bridge.cli("dead", "retry", one)
    [message] = subscriber.wait_for("partners/resource.updated/late")
    assert message.payload == body and message.property("id") == one
    assert bridge.rows("dead") == []


def test_info_names_the_new_sources(start, broker, subscriber):
    bridge = start.bridge(broker).wait_connected()
    wait_until(lambda: len(sources_of_info(broker)) == 1, "it is there")
    bridge.config["sources"] = [SOURCE, {**EXTRA, "qos": 2, "provider": "gitea", "topic": "gitea/{gid}"}]
    bridge.reload()
    wait_until(lambda: len(sources_of_info(broker)) == 2, "two sources")
    assert sources_of_info(broker)[1] == {
        "name": "extra", "provider": "gitea", "topic": "gitea/{gid}", "qos": 2, "retain": False,
    }
    # To a broker that comes later, too.
    broker.restart()
    wait_until(lambda: len(sources_of_info(broker)) == 2, "two sources")


def test_settings_that_need_a_restart_are_named_and_stay_as_they_were(start, broker):
    bridge = start.bridge(broker).wait_connected()
    bridge.config["outbox"]["max_size"] = "128MiB"
    bridge.config["mqtt"]["servers"] = ["mqtt://127.0.0.1:9"]
    bridge.config["ingress"]["threads"] = 3
    bridge.config["sources"] = [SOURCE, EXTRA]
    for _ in range(2):  # each time, as long as it is so
        bridge.reload()
        line = bridge.lines(RESTART_NEEDED, level="warn")[-1]
        assert set(line["settings"].split(", ")) == {"outbox.max_size", "mqtt.servers", "ingress.threads"}
    assert len(bridge.lines(RESTART_NEEDED)) == 2
    bridge.accept(events.body(), path=EXTRA_PATH)
    bridge.wait_settled()

    bridge.config["outbox"].pop("max_size")
    bridge.config["mqtt"]["servers"] = [broker.url]
    bridge.config["ingress"].pop("threads")
    bridge.reload()
    assert len(bridge.lines(RESTART_NEEDED)) == 2


def test_the_admin_token_changes(start, tmp_path):
    def metrics_with(token):
        return bridge.get("/metrics", headers=[("Authorization", f"Bearer {token}")]).status

    token = tmp_path / "token"
    token.write_text(OLD_SECRET)
    bridge = start.bridge(None, {"admin": {"token": {"file": str(token)}}})
    bridge.secrets |= {OLD_SECRET, NEW_SECRET}
    assert metrics_with(OLD_SECRET) == 200 and metrics_with(NEW_SECRET) == 401
    token.write_text(NEW_SECRET)
    assert metrics_with(OLD_SECRET) == 200
    bridge.reload()
    assert metrics_with(OLD_SECRET) == 401 and metrics_with(NEW_SECRET) == 200
    assert bridge.cli("outbox", "replay", "--all").returncode == 0
    del bridge.config["admin"]["token"]
    bridge.reload()
    assert bridge.get("/metrics").status == 200


def test_the_admin_token_stays_until_a_restart_if_the_listener_changes(start):
    """Without one only the new listener may be safe, and that is not there yet."""
    bridge = start.bridge(None, {"admin": {"listen": ["127.0.0.1:0"], "token": OLD_SECRET}})
    bridge.secrets |= {OLD_SECRET}
    assert bridge.get("/metrics").status == 401
    bridge.config["admin"] = {"listen": ["[::1]:0"]}
    bridge.reload()
    assert bridge.get("/metrics").status == 401
    [line] = bridge.lines(RESTART_NEEDED)
    assert line["settings"] == "admin.listen, admin.token"


def test_hangups_that_come_while_it_reads_are_one(start, broker):
    bridge = start.bridge(broker).wait_connected()
    bridge.config["sources"] = [SOURCE, EXTRA]
    bridge.write_config()
    for _ in range(200):
        bridge.process.send_signal(signal.SIGHUP)
    wait_until(lambda: bridge.post(events.body(), path=EXTRA_PATH).status == 200, "the new source answers")
    bridge.config["sources"] = [SOURCE]
    bridge.reload()  # what it waits for may be the last hangup of before, which read the file before
    bridge.reload()
    assert bridge.post(events.body(), path=EXTRA_PATH).status == 404
    assert 1 <= bridge.metrics().value("reloads_total") <= 202
    bridge.accept(events.body())


def test_counters_of_a_removed_source_do_not_go_back(start):
    bridge = start.bridge(None, {"sources": [SOURCE, EXTRA]})
    bridge.accept(events.body(), path=EXTRA_PATH)
    bridge.config["sources"] = [SOURCE]
    bridge.reload()
    assert bridge.metrics().value("accepted_total", source="extra") == 1
    bridge.config["sources"] = [EXTRA]
    bridge.reload()
    bridge.accept(events.body(), path=EXTRA_PATH)
    assert bridge.metrics().value("accepted_total", source="extra") == 2
    assert bridge.metrics().value("accepted_total", source="partners") == 0


def test_the_service_manager_hears_of_a_reload(start, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(DEADLINE_S)
        bridge = start.bridge(None, env={"NOTIFY_SOCKET": str(path)})
        assert manager.recv(4096).split(b"\n")[0] == b"READY=1"
        for refused in (False, True):
            before_us = time.monotonic_ns() // 1000
            bridge.config["nonsense" if refused else "$schema"] = "x"
            bridge.reload(refused=refused)
            reloading, since = manager.recv(4096).decode().split("\n")
            assert reloading == "RELOADING=1"
            name, _, value = since.partition("=")
            assert name == "MONOTONIC_USEC" and before_us <= int(value) <= time.monotonic_ns() // 1000
            ready, status = manager.recv(4096).decode().split("\n")
            assert ready == "READY=1" and ("refused" in status) == refused


# Secrets in files: no reload is needed.


def with_secret_file(start, tmp_path, text, broker=None):
    file = tmp_path / "secret"
    file.write_text(text)
    bridge = start.bridge(broker, {"sources": source(secrets=[{"file": str(file)}])})
    bridge.secrets |= {NEW_SECRET, OLD_SECRET}
    return bridge, file


def replace(file, text):
    """As a careful program does."""
    new = file.with_name(file.name + ".new")
    new.write_text(text)
    new.rename(file)


def test_a_new_secret_counts_at_once_and_the_old_one_stops(start, tmp_path):
    bridge, file = with_secret_file(start, tmp_path, OLD_SECRET)
    bridge.accept(events.body(), secret=OLD_SECRET)
    replace(file, NEW_SECRET + "\n")
    bridge.accept(events.body(), secret=NEW_SECRET)
    assert bridge.post(events.body(), secret=OLD_SECRET).status == 401


def test_a_revoked_secret_stops_within_a_moment_though_only_its_owner_delivers(start, tmp_path):
    bridge, file = with_secret_file(start, tmp_path, OLD_SECRET)
    with bridge.connect() as connection:
        bridge.accept(events.body(), secret=OLD_SECRET, connection=connection)
        replace(file, NEW_SECRET)
        begin = time.monotonic()
        wait_until(
            lambda: bridge.post(events.body(), secret=OLD_SECRET, connection=connection).status == 401,
            "it is refused",
        )
        assert time.monotonic() - begin < 5
    assert bridge.metrics().value("reloads_total") == 0


def test_a_delivery_that_had_begun_may_have_the_secret_that_was_replaced_meanwhile(start, tmp_path):
    bridge, file = with_secret_file(start, tmp_path, OLD_SECRET)
    connection, rest = half_sent(bridge, events.body(), PATH, OLD_SECRET)
    replace(file, NEW_SECRET)
    bridge.accept(events.body(), secret=NEW_SECRET)
    assert bridge.post(events.body(), secret=OLD_SECRET).status == 401
    with connection:
        connection.send(rest)
        assert connection.answer().status == 200


def test_secrets_rotate_under_load_without_a_refusal(start, broker, tmp_path):
    """Two files: the new secret is put beside the old one before the provider uses it."""
    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        file.write_text(SECRET)
    secrets = [{"file": str(file)} for file in files]
    bridge = start.bridge(broker, {"sources": source(secrets=secrets)}).wait_connected()
    load = Load(bridge)
    for turn in range(20):
        replace(files[0], f"turn-{turn}-{NEW_SECRET}")
        bridge.accept(events.body(), secret=f"turn-{turn}-{NEW_SECRET}")
        load.wait_for(10)
    load.end()


def test_a_secret_file_that_vanishes_keeps_the_secret_and_is_warned_of(start, tmp_path):
    bridge, file = with_secret_file(start, tmp_path, OLD_SECRET)
    file.unlink()
    assert bridge.post(events.body(), secret="wrong").status == 401
    bridge.accept(events.body(), secret=OLD_SECRET)
    [line] = bridge.lines(SECRET_UNUSABLE, level="warn")
    assert line["source"] == "partners" and str(file) in line["error"]
    # A reload reads all of the configuration, and that is wrong now.
    bridge.reload(refused=True)
    bridge.accept(events.body(), secret=OLD_SECRET)
    replace(file, NEW_SECRET)
    bridge.accept(events.body(), secret=NEW_SECRET)


def test_a_pipe_in_the_place_of_a_secret_keeps_nobody_waiting(start, tmp_path):
    bridge, file = with_secret_file(start, tmp_path, OLD_SECRET)
    file.unlink()
    os.mkfifo(file)
    assert bridge.post(events.body(), secret="wrong").status == 401
    bridge.accept(events.body(), secret=OLD_SECRET)
    [line] = bridge.lines(SECRET_UNUSABLE)
    assert "is not a regular file" in line["error"]
    bridge.reload(refused=True)
    bridge.stop()
    assert "is not a regular file" in bridge.cli("check", expect=1).stdout.decode()


def test_a_secret_that_could_not_be_read_for_a_moment_is_read_later(start, tmp_path):
    bridge, file = with_secret_file(start, tmp_path, OLD_SECRET)
    bridge.accept(events.body(), secret=OLD_SECRET)
    with bridge.connect() as connection:
        bridge.accept(events.body(), secret=OLD_SECRET, connection=connection)
        pid = bridge.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, before[1]))  # no other file can be opened
        replace(file, NEW_SECRET)
        assert bridge.post(events.body(), secret=NEW_SECRET, connection=connection).status == 401
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        bridge.accept(events.body(), secret=NEW_SECRET, connection=connection)
        [line] = bridge.lines(SECRET_UNUSABLE)
        assert "Too many open files" in line["error"]


@pytest.mark.parametrize("at_start", [None, OLD_SECRET], ids=["none at the start", "another at the start"])
@pytest.mark.parametrize("gone", ["missing", "empty"])
def test_an_issued_secret_that_is_gone_stays_through_reloads_as_it_was_read_last(start, tmp_path, gone, at_start):
    file = tmp_path / "issued"
    if at_start:
        file.write_text(at_start)
    phones = {"name": "phones", "provider": "ricloud", "path": RICLOUD_PATH, "secrets": [{"file": str(file)}]}
    bridge = start.bridge(None, {"sources": [phones]})
    bridge.secrets |= {NEW_SECRET, OLD_SECRET}

    def post(number, secret=NEW_SECRET):
        body = b'{"id":"%d","type":"poll","action":"created"}' % number
        return http_client.fetch(bridge.ingress, "POST", RICLOUD_PATH, sign.ricloud_headers(secret, body), body).status

    replace(file, NEW_SECRET)
    assert post(1) == 200
    if gone == "missing":
        file.unlink()
    else:
        file.write_text("")
    for number in (2, 3):
        bridge.reload()
        assert post(number) == 200
        assert post(number, OLD_SECRET) == 401


def test_a_bridge_starts_beside_an_issued_secret_s_empty_file(start, tmp_path):
    file = tmp_path / "issued"
    file.write_text("")
    phones = {"name": "phones", "provider": "ricloud", "path": RICLOUD_PATH, "secrets": [{"file": str(file)}]}
    bridge = start.bridge(None, {"sources": [*source(), phones]})
    bridge.accept(events.body())


def test_a_secret_that_the_provider_issues_may_come_later(start, broker, subscriber, tmp_path):
    file = tmp_path / "issued"
    phones = {"name": "phones", "provider": "ricloud", "path": RICLOUD_PATH, "secrets": [{"file": str(file)}]}
    bridge = start.bridge(broker, {"sources": [phones]}).wait_connected()
    bridge.secrets |= {NEW_SECRET}
    body = json.dumps({
        "id": "0b2f4d6e-8a1c-4e3f-9b7d-5c6a7e8f9012", "resource": "event", "type": "webhook_config",
        "action": "test", "data": {"id": 1},
    }).encode()

    def post():
        headers = sign.ricloud_headers(NEW_SECRET, body)
        return http_client.fetch(bridge.ingress, "POST", f"{RICLOUD_PATH}/0b2f4d6e", headers, body)

    assert post().status == 401
    replace(file, NEW_SECRET)
    assert post().status == 200
    subscriber.wait_for("ricloud/webhook_config/test/1")
    assert post().json()["status"] == "duplicate"
    # The configuration still names it, and a reload takes it from there.
    bridge.reload()
    assert post().json()["status"] == "duplicate"
