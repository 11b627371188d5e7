"""What hostile clients tried that worked once, each with its siblings: they are refused, and cost next to nothing."""

import contextlib
import os
import socket
import struct
import time

import pytest

from lib import events, http_client
from lib.bridge import PATH, is_sanitized, signed
from lib.wait import holds_for, wait_until

FEW = 50 if is_sanitized() else 500


def request(*fields, body=b"", target=PATH, host="Host: x"):
    lines = [f"POST {target} HTTP/1.1", host, "X-Partners-Signature: x", *fields, "", ""]
    return "\r\n".join(line for line in lines if line is not None).encode("latin-1") + body


CHUNKED = request("Transfer-Encoding: chunked")


@pytest.fixture(scope="module")
def bridge(start_for_module):
    return start_for_module.bridge(None)


@contextlib.contextmanager
def little_time(bridge, seconds):
    """Of the processor, by the whole process, in and right after the block."""

    def used():
        fields = open(f"/proc/{bridge.process.pid}/stat").read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used()
    yield
    holds_for(lambda: used() - before < seconds * (10 if is_sanitized() else 1), 0.5, lambda: f"{used() - before:g} s were used")


def assert_refused(bridge, data, status=400):
    """One answer, and nothing behind it."""
    with bridge.connect() as connection:
        connection.send(data)
        answer = connection.answer()
        assert answer.status == status and "error" in answer.json(), answer
        assert connection.is_closed_by_peer()
    return answer


def reset(connection):
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# E1

ENDLESS = {
    "an extension": b"5;" + b"a" * 33000,
    "blanks": b"5;" + b" " * 33000,
    "quotes": b'5;a="' + b"a" * 33000,
    "digits": b"0" * 33000,
    "a trailer": b"0\r\n" + b"a" * 33000,
    "trailers": b"0\r\n" + b"a: b\r\n" * 6000,
}


@pytest.mark.parametrize("chunk", ENDLESS.values(), ids=ENDLESS)
def test_a_chunk_line_without_end_is_refused_at_once_and_costs_no_time(bridge, chunk):
    with little_time(bridge, 0.2):
        for _ in range(20):
            assert_refused(bridge, CHUNKED + chunk)
        for _ in range(20):  # and clients that do not wait for it
            with bridge.connect() as connection, contextlib.suppress(OSError):
                connection.send(CHUNKED + chunk)


BEGUN = {
    "nothing": b"",
    "half an empty line": b"\r",
    "half a head": b"POST / HTTP/1.1\r\n",
    "half a body": request("Content-Length: 9") + b"a",
    "half a chunk line": CHUNKED + b"5;",
    "half a chunk": CHUNKED + b"5\r\na",
}


@pytest.mark.parametrize("begin", BEGUN.values(), ids=BEGUN)
def test_what_is_not_complete_costs_no_time_while_it_waits_nor_when_it_is_gone(bridge, begin):
    held = [bridge.connect() for _ in range(50)]
    with little_time(bridge, 0.2):
        for connection in held:
            connection.send(begin)
        held[0].socket.shutdown(socket.SHUT_WR)
    with little_time(bridge, 0.2):
        for i, connection in enumerate(held):
            reset(connection) if i % 2 else connection.close()


# E2

def test_a_query_of_many_parameters_is_refused_and_nothing_of_it_is_kept(start):
    bridge = start.bridge(None)
    for target in ("/x?" + "&" * 1000, PATH + "?" + "a=b&" * 400, "http://x/?" + "&" * 256):
        answer = assert_refused(bridge, request("Content-Length: 0", target=target), 414)
        assert "too many parameters" in answer.json()["message"]
    before = bridge.resident_kb()
    for _ in range(4 * FEW):
        assert_refused(bridge, request("Content-Length: 0", target="/x?" + "&" * 1000), 414)
    assert bridge.resident_kb() < before + 1024 or is_sanitized()
    bridge.wait_metric("http_connections", 0)
    assert bridge.stop() == 0
    bridge.start()


# E3

@pytest.mark.parametrize("leave", [http_client.Connection.close, reset], ids=["closed", "reset"])
@pytest.mark.parametrize("begin", BEGUN.values(), ids=BEGUN)
def test_clients_that_are_gone_free_their_places_at_once(start, begin, leave):
    bridge = start.bridge(None, {"ingress": {"max_connections": 64, "request_timeout": "60s"}})
    for _ in range(4):
        held = [bridge.connect() for _ in range(50)]
        for connection in held:
            connection.send(begin)
            leave(connection)
        since = time.monotonic()
        for _ in range(20):
            bridge.accept(events.body())
        assert time.monotonic() - since < 5
    bridge.wait_metric("http_connections", 0)


# E6 to E11

LENGTHS = ["zz", "", "1 1", "1,1", "-1", "\x01"]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_that_is_no_number_has_one_answer(bridge, length):
    with bridge.connect() as connection:
        connection.send(request(f"Content-Length: {length}"))
        assert connection._read_to_end().count(b"HTTP/1.1 ") == 1


FOLDED = ["Content-: 120\r\n Length", "X-Partners-: x\r\n Signature", "Transfer-: chunked\r\n Encoding", "A: b\r\n c", "A: b\r\n\tc"]


@pytest.mark.parametrize("field", FOLDED)
def test_a_folded_field_is_refused(bridge, field):
    assert_refused(bridge, request(field, "Content-Length: 0"))


@pytest.mark.parametrize("line", [":", ": b", ":\r\n\r\nGET /healthz HTTP/1.1", " :"])
def test_a_line_without_a_name_does_not_end_a_head(bridge, line):
    assert_refused(bridge, request(line, "Content-Length: 0"))


BYTES = {
    "NUL in a value": request("A: \0", "Content-Length: 0"),
    "NUL in the target": request("Content-Length: 0", target="/\0"),
    "CR in a value": request("A: b\rc", "Content-Length: 0"),
    "LF in a head": request("A: b\nC: d", "Content-Length: 0"),
    "LF in an extension": CHUNKED + b"5;a\nhello\r\n0\r\n\r\n",
    "CR in an extension": CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "NUL in an extension": CHUNKED + b"5;\0\r\nhello\r\n0\r\n\r\n",
    "a folded trailer": CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n",
    "a space in a trailer's name": CHUNKED + b"0\r\nA : b\r\n\r\n",
    "a control in a trailer": CHUNKED + b"0\r\nA: \x01\r\n\r\n",
}


@pytest.mark.parametrize("data", BYTES.values(), ids=BYTES)
def test_bytes_that_no_head_and_no_chunk_has_are_refused(bridge, data):
    assert_refused(bridge, data)


@pytest.mark.parametrize("host", ["a b", "a, b", "a/b", "a@b", "a%zz", "[::1"])
def test_a_malformed_host_is_refused(bridge, host):
    assert_refused(bridge, request("Content-Length: 0", host=f"Host: {host}"))


def test_an_escaped_slash_is_no_separator_and_a_target_begins_as_it_must(bridge):
    for target in ("/webhooks%2Fpartners", "/webhooks%2fpartners"):
        assert_refused(bridge, request("Content-Length: 2", target=target, body=b"{}"), 404)
    for target in ("http%3A//x/webhooks/partners", "webhooks/partners", "ftp://x/webhooks/partners", "*"):
        assert_refused(bridge, request("Content-Length: 2", target=target, body=b"{}"))


# E12

DRIPS = {
    "a line": b"GET /" + b"a" * 100,
    "a field": b"GET /healthz HTTP/1.1\r\nHost: " + b"x" * 100,
    "a body": request("Content-Length: 1000") + b"x" * 50,
    "chunks": CHUNKED + b"64\r\n",
}


@pytest.mark.parametrize("pipelined", [False, True], ids=["after the answer", "begun with the request before"])
@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_a_request_dripped_on_a_kept_connection_has_the_time_of_a_request(start, pipelined, drip):
    bridge = start.bridge(None, {"ingress": {"request_timeout": "1s", "keep_alive": "60s"}})
    body, sent = events.body(), int(pipelined)
    with bridge.connect() as connection:
        connection.send(http_client.request_bytes("POST", PATH, signed(body), body) + drip[:sent])
        assert connection.answer().status == 200
        connection.socket.settimeout(0.1)
        since = time.monotonic()

        def ended():
            nonlocal sent
            with contextlib.suppress(ConnectionError):
                connection.send(drip[sent : sent + 1])
            sent += 1
            return connection.is_closed_by_peer()

        wait_until(ended, "cut off", deadline_s=20)
        assert 0.9 < time.monotonic() - since < 8


# E15

def test_a_head_may_be_made_of_many_small_fields(bridge):
    body = events.body()
    fields = [("A", "67890")] * 500
    assert http_client.fetch(bridge.ingress, "POST", PATH, [*fields, *signed(body), *fields], body).status == 200


# Siblings

def test_a_peer_that_floods_after_a_refusal_is_cut(bridge):
    """It is read on for a while, so that it gets its answer; not for ever."""
    with bridge.connect() as connection, pytest.raises(OSError):
        connection.send(request("Content-Length: zz"))
        end = time.monotonic() + 20
        while time.monotonic() < end:
            connection.send(b"x" * 65536)


def test_one_busy_connection_does_not_keep_others_waiting(bridge):
    """Requests without end on one connection, whose answers are not read until its socket is full."""
    many = http_client.request_bytes("GET", "/nobody") * 2000
    with bridge.connect() as busy:
        busy.socket.setblocking(False)
        slowest = 0
        for _ in range(50):
            with contextlib.suppress(BlockingIOError):
                busy.socket.send(many)
            since = time.monotonic()
            bridge.accept(events.body())
            slowest = max(slowest, time.monotonic() - since)
        assert slowest < 1
