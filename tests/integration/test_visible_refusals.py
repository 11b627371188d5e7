"""Each refused request is counted for its source, and a line of the log says what it was and why."""

import socket

import pytest

from lib import events, http_client
from lib.bridge import PATH, SOURCE, signed
from lib.wait import wait_until

MAX_BODY = 64 * 1024
OTHER = {**SOURCE, "name": "other", "path": "/webhooks/other"}


@pytest.fixture
def bridge(start):
    """A new one for each test, as the log takes one line a second for each source and reason."""
    config = {"ingress": {"max_body": f"{MAX_BODY}B", "request_timeout": "1s"}, "sources": [dict(SOURCE), OTHER]}
    return start.bridge(None, config)


def refusal(bridge, **fields):
    """The one line about a refusal, once it is there."""
    found = bridge.wait_log(lambda: bridge.lines("webhook refused", **fields), f"a line with {fields}")
    assert len(found) == 1, found
    return found[0]


def sends(bridge, data):
    """The answer to these bytes, and the client's address."""
    with bridge.connect() as connection:
        host, port = connection.socket.getsockname()
        connection.send(data)
        return connection.answer(), f"{host}:{port}"


def request(method="POST", path=PATH, headers=(), body=b"{}", **options):
    return http_client.request_bytes(method, path, [*signed(body), *headers], body, **options)


REFUSED = {
    "a wrong signature": (401, "unauthorized", request(headers=[], path=PATH).replace(b"\r\n\r\n{}", b"\r\n\r\n[]"), 2),
    "another method": (405, "method_not_allowed", request(method="PUT"), 2),
    "a body that is too large": (413, "too_large", request(body=b"x" * (MAX_BODY + 1)), MAX_BODY + 1),
    "an announced body that is too large":
        (413, "too_large", request(headers=[("Content-Length", "99999999")], body=b""), 99999999),
    "no length": (411, "length_required", request(body=b"").replace(b"Content-Length: 0\r\n", b""), 0),
    "two hosts": (400, "bad_request", request(headers=[("Host", "a"), ("Host", "b")]), 2),
    "an unknown expectation": (417, "expectation_failed", request(headers=[("Expect", "magic")]), 2),
    "an unknown transfer coding":
        (501, "not_implemented", request(headers=[("Transfer-Encoding", "gzip, chunked")], body=b""), 0),
    "a long head": (431, "headers_too_large", request(headers=[("X-Long", "x" * 20000)]), 0),
    "a field without a colon": (400, "bad_request", request().replace(b"Host:", b"Host"), 0),
}


@pytest.mark.parametrize("status, reason, data, size", REFUSED.values(), ids=REFUSED)
def test_a_refused_request_is_logged_and_counted_for_its_source(bridge, status, reason, data, size):
    answer, peer = sends(bridge, data)
    assert answer.status == status
    line = refusal(bridge, reason=reason)
    assert line["level"] == "warn" and line["source"] == "partners" and line["peer"] == peer
    assert line["path"] == PATH and int(line["size"]) == size
    metrics = bridge.metrics()
    assert metrics.value("rejected_total", source="partners", reason=reason) == 1
    assert metrics.value("rejected_total", reason=reason) == 1
    assert metrics.value("received_total", source="partners") == 1


def test_a_chunked_body_that_is_too_large_is_visible(bridge):
    with bridge.connect() as connection:
        connection.send(http_client.request_bytes("POST", PATH, [*signed(b""), ("Transfer-Encoding", "chunked")]))
        connection.send(http_client.chunked(b"x" * (MAX_BODY + 1000), [1000] * 60))
        assert connection.answer().status == 413
    line = refusal(bridge, reason="too_large", source="partners", path=PATH)
    assert MAX_BODY < int(line["size"]) <= MAX_BODY + 1000
    assert bridge.metrics().value("rejected_total", source="partners", reason="too_large") == 1


def test_a_body_that_does_not_come_in_time_is_visible(bridge):
    with bridge.connect() as connection:
        connection.send(request()[:-1])
        line = refusal(bridge, reason="timeout", source="partners", path=PATH, size="2")
        assert line["peer"].startswith("127.0.0.1:")
    assert bridge.metrics().value("rejected_total", source="partners", reason="timeout") == 1


def test_a_head_that_does_not_come_in_time_is_visible(bridge):
    with bridge.connect() as connection:
        connection.send(request()[:60])
        refusal(bridge, reason="timeout", source="partners", path=PATH)
    assert bridge.metrics().value("rejected_total", source="partners", reason="timeout") == 1


@pytest.mark.parametrize("path, hint", [
    ("/webhook/partners", ", did you mean /webhooks/partners?"),
    ("/WEBHOOKS/OTHER", ", did you mean /webhooks/other?"),
    ("//webhooks/partners", ", did you mean /webhooks/partners?"),
    ("/entirely/elsewhere", ""),
])
def test_a_path_without_a_source_is_logged_with_its_peer_and_what_may_have_been_meant(bridge, path, hint):
    answer, peer = sends(bridge, request(path=path))
    assert answer.status == 404
    line = refusal(bridge, reason="not_found")
    assert (line["path"], line["peer"], line["why"]) == (path, peer, "no source has this path" + hint)
    assert "source" not in line
    assert bridge.metrics().value("rejected_total", source="", reason="not_found") == 1


def test_what_a_peer_sends_as_its_path_is_cut_and_escaped(bridge):
    answer, _ = sends(bridge, request(path="/%1b%5b2J%22%0alevel=fatal" + "x" * 7000))
    assert answer.status == 404
    line = refusal(bridge, reason="not_found")
    assert line["path"].startswith("/") and line["path"].endswith("xxx...") and len(line["path"]) < 300
    assert '/\\x1b[2J\\"\\x0alevel=fatalxxx' in bridge.log_text()
    assert all(found["level"] != "fatal" for found in bridge.log())


def test_health_that_is_asked_for_in_the_wrong_way_is_visible(bridge):
    answer, peer = sends(bridge, request(path="/healthz"))
    assert answer.status == 405
    assert refusal(bridge, reason="method_not_allowed", path="/healthz")["peer"] == peer


def test_each_source_and_each_reason_has_a_line_of_its_own(bridge):
    """Though there is at most one a second for each."""
    for _ in range(50):
        for path in (PATH, "/webhooks/other"):
            bridge.post(events.body(), secret="wrong", path=path)
            http_client.fetch(bridge.ingress, "GET", path)

    def seen():
        return {(line.get("source"), line["reason"]) for line in bridge.lines("webhook refused")}

    wanted = {(source, reason) for source in ("partners", "other") for reason in ("unauthorized", "method_not_allowed")}
    wait_until(lambda: seen() == wanted, lambda: f"{seen()} are {wanted}")
    assert len(bridge.lines("webhook refused")) < 40
    metrics = bridge.metrics()
    for source, reason in wanted:
        assert metrics.value("rejected_total", source=source, reason=reason) == 50


def test_the_next_line_says_how_many_were_left_out(bridge):
    for _ in range(20):
        bridge.post(events.body(), secret="wrong")

    def left_out():
        bridge.post(events.body(), secret="wrong")
        return sum(int(line["left_out"]) for line in bridge.lines("webhook refused"))

    wait_until(lambda: left_out() >= 10, "the number of lines that were left out")


def test_a_webhook_that_finds_no_room_is_logged_with_its_path_and_peer(start):
    """The answer comes from another thread then."""
    bridge = start.bridge(None, {"outbox": {"max_size": "64KiB"}})
    answers = [sends(bridge, request(body=events.body(gid=f"g{i}", pad="x" * 60000))) for i in range(3)]
    refused = [(answer, peer) for answer, peer in answers if answer.status == 503]
    assert refused, [answer.status for answer, _ in answers]
    line = bridge.wait_log(lambda: bridge.lines("webhook refused", reason="unavailable"), "a line")[0]
    assert (line["source"], line["path"], line["peer"]) == ("partners", PATH, refused[0][1])
    assert int(line["size"]) > 60000


def test_a_connection_that_was_opened_and_never_used_has_no_path(bridge):
    with socket.create_connection(bridge.ingress) as client:
        peer = "%s:%s" % client.getsockname()
        line = refusal(bridge, reason="timeout")
        assert "path" not in line and "source" not in line and line.get("peer") in (None, peer)
