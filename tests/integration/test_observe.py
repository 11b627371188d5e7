"""What an operator sees: metrics, log lines, health."""

import json
import re

import pytest

from lib import events, http_client
from lib.bridge import PATH, SECRET, STATE_TOPIC, Metrics, source
from lib.wait import wait_until

MARKER = "body-marker-4711"

PLAIN = {
    "outbox_stored_bytes": "gauge", "outbox_stored_rows": "gauge", "outbox_undelivered_events": "gauge",
    "outbox_oldest_age_seconds": "gauge", "dead_letters": "gauge", "outbox_full_total": "counter",
    "outbox_wal_bytes": "gauge", "published_total": "counter", "resent_total": "counter",
    "buried_total": "counter", "state_skipped_total": "counter", "in_flight_events": "gauge",
    "broker_connected": "gauge", "broker_connects_total": "counter", "broker_reconnects_total": "counter",
    "http_connections": "gauge", "unknown_events_total": "counter", "received_total": "counter",
    "accepted_total": "counter", "duplicates_total": "counter", "quarantined_total": "counter",
    "rejected_total": "counter", "refused_total": "counter", "outbox_commit_seconds": "histogram",
    "outbox_sync_seconds": "histogram", "outbox_batch_events": "histogram", "delivery_seconds": "histogram",
}


def test_every_metric_is_there_with_its_type_and_a_sentence(bridge):
    metrics = bridge.metrics()
    for name, kind in PLAIN.items():
        assert metrics.types.get(Metrics.PREFIX + name) == kind, name
        assert metrics.helps.get(Metrics.PREFIX + name), name
    assert all(name.startswith(Metrics.PREFIX) for name in metrics.types)
    assert bridge.get("/metrics").header("Content-Type").startswith("text/plain; version=0.0.4")


def test_requests_are_counted_by_what_became_of_them(bridge):
    body = events.body()
    bridge.accept(body)
    bridge.post(body)
    bridge.post(b"no event")
    bridge.post(events.body(), secret="wrong")
    http_client.fetch(bridge.ingress, "GET", PATH)
    bridge.get("/nowhere", "ingress")
    metrics = bridge.metrics()
    assert metrics.value("received_total", source="partners") >= 4
    for name in ("accepted_total", "duplicates_total", "quarantined_total"):
        assert metrics.value(name, source="partners") == 1, name
    for reason in ("unauthorized", "method_not_allowed"):
        assert metrics.value("rejected_total", source="partners", reason=reason) == 1, reason
    assert metrics.value("rejected_total", reason="not_found") == 1


def test_each_source_is_counted_for_itself(start):
    other = {**source()[0], "name": "other", "path": "/hooks/other"}
    bridge = start.bridge(None, {"sources": [*source(), other]})
    bridge.accept(events.body())
    for _ in range(2):
        bridge.accept(events.body(), path="/hooks/other")
    metrics = bridge.metrics()
    assert metrics.value("accepted_total", source="partners") == 1
    assert metrics.value("accepted_total", source="other") == 2


def test_histograms_add_up(bridge):
    for _ in range(10):
        bridge.accept(events.body())
    bridge.wait_metric("published_total", 10)
    wait_until(lambda: bridge.metrics().value("delivery_seconds_count") == 10, "latencies")
    metrics = bridge.metrics()
    for name in (name for name, kind in PLAIN.items() if kind == "histogram"):
        buckets = [
            (float(dict(labels)["le"]), value)
            for (found, labels), value in metrics.samples.items()
            if found == f"{Metrics.PREFIX}{name}_bucket"
        ]
        counts = [value for _, value in buckets]
        assert [le for le, _ in buckets] == sorted(le for le, _ in buckets)
        assert counts == sorted(counts) and buckets[-1][0] == float("inf")
        assert counts[-1] == metrics.value(f"{name}_count") > 0, name
        assert metrics.value(f"{name}_sum") > 0, name
    assert metrics.value("outbox_batch_events_sum") == 10


def test_the_backlog_is_measured(start):
    bridge = start.bridge(None)
    for i in range(7):
        bridge.accept(events.body(gid=f"b{i}", pad="x" * 1000))
    metrics = bridge.metrics()
    assert metrics.value("outbox_undelivered_events") == metrics.value("outbox_stored_rows") == 7
    assert 7000 < metrics.value("outbox_stored_bytes") < 20000
    assert metrics.value("outbox_wal_bytes") > 0
    assert metrics.value("broker_connected") == 0
    wait_until(lambda: bridge.metrics().value("outbox_oldest_age_seconds") >= 1, "it grows old")


def test_counters_start_at_zero_and_are_there_before_anything_happens(start):
    metrics = start.bridge(None).metrics()
    assert (Metrics.PREFIX + "accepted_total", (("source", "partners"),)) in metrics.samples
    assert metrics.value("accepted_total") == metrics.value("received_total") == 0


def test_every_line_of_the_log_is_logfmt_with_time_level_and_message(start, broker):
    bridge = start.bridge(broker, args=["--log-level", "debug"]).wait_connected()
    bridge.accept(events.body())
    bridge.post(b"no event")
    bridge.post(events.body(), secret="wrong")
    bridge.wait_metric("published_total", 1)
    assert bridge.stop() == 0
    for line in bridge.log():
        assert list(line)[:3] == ["ts", "level", "msg"], line
        assert line["level"] in ("debug", "info", "warn", "error", "fatal")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"]), line
        assert line["msg"]


def test_the_life_of_an_event_can_be_read_by_its_id(start, broker):
    bridge = start.bridge(broker, args=["--log-level", "debug"]).wait_connected()
    one = bridge.accept(events.body())
    bridge.wait_metric("published_total", 1)
    wait_until(lambda: len(bridge.lines(id=one)) >= 2, lambda: f"accepted, delivered\n{bridge.log_text()}")


def test_lines_about_an_event_have_its_id_at_any_level(bridge):
    answer = bridge.post(b"no event").json()
    wait_until(lambda: bridge.lines(id=answer["id"]), lambda: f"quarantined\n{bridge.log_text()}")
    for line in bridge.log():
        if line["msg"].startswith("event") or "gid" in line or "topic" in line:
            assert "id" in line, line


def test_the_log_level_decides_which_lines_come(start, broker):
    levels = {}
    for level in ("debug", "info", "warn", "error"):
        config = {"mqtt": {"client_id": level}}
        bridge = start.bridge(broker, config, args=["--log-level", level], start=False)
        bridge.start(ready=False)
        if level in ("debug", "info"):
            bridge.wait_ready()
            bridge.accept(events.body())
        else:
            wait_until(lambda: f" as {level} " in broker.log_text(), "it is connected")  # noqa: B023
        assert bridge.stop() == 0
        levels[level] = {line["level"] for line in bridge.log()}
    assert {"debug", "info"} <= levels["debug"]
    assert "info" in levels["info"] and "debug" not in levels["info"]
    assert levels["warn"] <= {"warn", "error", "fatal"}
    assert levels["error"] <= {"error", "fatal"}


def test_neither_secret_nor_signature_nor_body_is_ever_in_the_log(start, broker):
    config = {"sources": source(state_topic=STATE_TOPIC)}
    bridge = start.bridge(broker, config, args=["--log-level", "debug"]).wait_connected()
    marked = {"marker": MARKER}
    body = events.body(**marked)
    forged = events.body(**marked)
    bridge.accept(body)
    bridge.post(body)
    bridge.post(forged, secret="wrong-" + MARKER)
    bridge.post(b'{"broken": "' + MARKER.encode())
    bridge.post(events.body(gid="g" * 70000, **marked))
    bridge.post(events.body(event="x" * 10, resource_type="unheard-of", **marked))
    with bridge.connect() as connection:
        connection.send(http_client.request_bytes("POST", PATH, [("X-Partners-Signature", MARKER)], b"{}"))
        connection.answer()
    bridge.wait_metric("outbox_undelivered_events", 0)
    assert bridge.stop() == 0
    log = bridge.log_text()
    assert MARKER not in log and SECRET not in log
    for line in bridge.log():
        for value in line.values():
            assert not re.fullmatch(r"[0-9a-f]{64}", value), line


def test_what_a_peer_sent_cannot_forge_a_line_of_the_log(start, broker):
    bridge = start.bridge(broker, args=["--log-level", "debug"]).wait_connected()
    evil = 'x\nts=now level=fatal msg="owned"\r\x1b[2J"\\'
    bridge.accept(events.body(gid=evil, resource_type=evil))
    bridge.accept(events.body(event=evil))
    bridge.post(json.dumps({"event": evil}).encode())
    with bridge.connect() as connection:
        connection.send(b"POST /%0Alevel=fatal%1b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        connection.answer()
    wait_until(lambda: bridge.metrics().value("published_total") >= 1, "something to say")
    assert bridge.stop() == 0
    assert all(line["level"] != "fatal" for line in bridge.log())
    assert all(32 <= byte < 127 or byte == 10 for byte in bridge.log_text().encode())


def test_a_flood_of_refused_requests_does_not_flood_the_log(start):
    bridge = start.bridge(None)
    with bridge.connect() as connection:
        for _ in range(500):
            assert bridge.post(events.body(), secret="wrong", connection=connection).status == 401
    assert len(bridge.log()) < 100
    assert bridge.metrics().value("rejected_total", reason="unauthorized") == 500


def test_an_unknown_kind_of_event_is_logged_once(bridge):
    for _ in range(5):
        bridge.accept(events.body(resource_type="spaceship"))
    wait_until(lambda: "spaceship" in bridge.log_text(), "a line says so")
    assert bridge.log_text().count("spaceship") == 1
    assert bridge.metrics().value("unknown_events_total") == 5


@pytest.mark.parametrize("path", ["/nowhere", "/api/nothing"])
def test_an_unknown_path_of_the_admin_listener_is_answered_404(bridge, path):
    assert bridge.get(path).status == 404


@pytest.mark.parametrize("host, status", [
    ("localhost", 200), ("LOCALHOST:9180", 200), ("127.0.0.1:9180", 200), ("10.1.2.3", 200), ("[::1]:9180", 200),
    ("evil.example", 403), ("evil.example:9180", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example", 403), ("", 403),
])
def test_without_a_token_no_name_of_a_web_page_is_answered_by_the_admin_listener(start, host, status):
    bridge = start.bridge(None, {"admin": {"listen": ["127.0.0.1:0"]}})
    assert http_client.fetch(bridge.admin, "GET", "/metrics", {"Host": host}).status == status
    assert http_client.fetch(bridge.admin, "GET", "/healthz", {"Host": host}).status == 200


def test_with_a_token_any_name_leads_to_the_admin_listener(start):
    bridge = start.bridge(None, {"admin": {"listen": ["127.0.0.1:0"], "token": "a-token-of-our-own"}})
    headers = {"Host": "bridge.example", "Authorization": "Bearer a-token-of-our-own"}
    assert http_client.fetch(bridge.admin, "GET", "/metrics", headers).status == 200


def test_health_and_metrics_take_no_other_method(bridge):
    for path in ("/healthz", "/readyz", "/metrics"):
        answer = http_client.fetch(bridge.admin, "DELETE", path)
        assert answer.status == 405 and "GET" in answer.header("Allow"), path


def test_a_metric_and_stats_say_how_far_back_replays_reach(start, broker):
    """Not as far as keep_delivered says, once max_size has no room for so many."""
    config = {"outbox": {"max_size": "64KiB", "keep_delivered": "1h"}}
    bridge = start.bridge(broker, config).wait_connected()
    assert bridge.metrics().value("outbox_oldest_kept_age_seconds") == 0
    first = bridge.accept(events.body(pad="x" * 2000))
    bridge.wait_metric("outbox_undelivered_events", 0)
    wait_until(lambda: bridge.metrics().value("outbox_oldest_kept_age_seconds") >= 1, "its age grows")
    reach = json.loads(bridge.cli("outbox", "stats", "--json").stdout)["oldest_delivered_at"]
    assert reach == next(row["received_at"] for row in bridge.rows("outbox") if row["id"] == first)
    for _ in range(60):
        bridge.accept(events.body(pad="x" * 2000))
        bridge.wait_metric("outbox_undelivered_events", 0)
    wait_until(lambda: bridge.metrics().value("outbox_oldest_kept_age_seconds") < 2, "the first one has gone")
    assert json.loads(bridge.cli("outbox", "stats", "--json").stdout)["oldest_delivered_at"] > reach
    assert b"replay reaches" in bridge.cli("outbox", "stats").stdout
