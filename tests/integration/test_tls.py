"""Webhooks over TLS: versions, chains, client certificates, and everything that HTTP does, through it."""

import os
import re
import socket
import ssl
import subprocess
import time

import pytest

from lib import events, http_client
from lib.bridge import PATH, is_sanitized, signed
from lib.certs import Authority
from lib.tls_client import TlsConnection, accept, connect, context, files_of, serial
from lib.wait import DEADLINE_S, free_port, wait_until


@pytest.fixture
def bridge(start, server_pair):
    return start.bridge(None, {"ingress": {"tls": files_of(server_pair)}})


def refusals(bridge, reason="tls"):
    return bridge.metrics().value("rejected_total", reason=reason)


def wait_refused(bridge, word, count=1, reason="tls"):
    """So many in all, and a line that says why and by whom."""
    bridge.wait_metric("rejected_total", count, reason=reason)
    line = bridge.lines("webhook refused", reason=reason)[-1]
    assert re.search(word, line["why"]), line
    assert line["peer"].startswith("127.0.0.1:")


def s_client(bridge, *args):
    host, port = bridge.ingress
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{host}:{port}", *map(str, args)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )
    return done.stdout + done.stderr


# What is spoken


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_take_webhooks(bridge, authority, version):
    with connect(bridge, authority, version=version) as connection:
        for _ in range(3):
            accept(bridge, connection)
    assert refusals(bridge) == 0


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused(bridge, version):
    said = s_client(bridge, version, "-cipher", "ALL:@SECLEVEL=0")
    assert "Cipher is (NONE)" in said, said
    wait_refused(bridge, "unsupported protocol|version too low")


def test_without_a_name_and_with_any_name_it_shows_the_same_certificate(bridge, authority):
    with connect(bridge, authority) as plain, connect(bridge, authority, server_hostname="elsewhere.example") as named:
        assert serial(plain) == serial(named)
        accept(bridge, plain)
        accept(bridge, named)


def test_the_whole_chain_is_sent(start, authority, tmp_path):
    below = Authority.__new__(Authority)
    below.folder, below.name = tmp_path, "below"
    below.cert, below.key = authority.issue("below", more="basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
    cert, key = below.issue("leaf")
    chain = tmp_path / "chain.pem"
    chain.write_bytes(cert.read_bytes() + below.cert.read_bytes())
    bridge = start.bridge(None, {"ingress": {"tls": files_of((chain, key))}})
    with connect(bridge, authority) as connection:  # knows the root only
        accept(bridge, connection)
    assert s_client(bridge, "-showcerts").count("BEGIN CERTIFICATE") == 2


def test_one_file_may_hold_the_certificate_and_its_key(start, authority, server_pair, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(server_pair[1].read_bytes() + server_pair[0].read_bytes())
    bridge = start.bridge(None, {"ingress": {"tls": {"cert_file": str(both)}}})
    with connect(bridge, authority) as connection:
        accept(bridge, connection)


def test_a_renegotiation_is_refused(bridge):
    host, port = bridge.ingress
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_2"],
        input="R\n", capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )
    assert "no renegotiation" in done.stdout + done.stderr


def test_a_session_is_resumed_by_its_ticket(bridge, tmp_path):
    session = tmp_path / "session"
    s_client(bridge, "-tls1_2", "-sess_out", session)
    assert "Reused" in s_client(bridge, "-tls1_2", "-sess_in", session)


# HTTP through it


def test_bodies_of_every_size_come_through(start, authority, server_pair):
    bridge = start.bridge(None, {"ingress": {"tls": files_of(server_pair), "max_body": "20MiB"}, "outbox": {"max_size": "200MiB"}})
    with connect(bridge, authority) as connection:
        for size in (1, 16383, 16384, 16385, 70000, 1 << 20, 15 << 20):
            accept(bridge, connection, events.body(padding="x" * size))


def test_chunks_and_requests_in_one_go_are_answered_in_order(bridge, authority):
    with connect(bridge, authority) as connection:
        bodies = [events.body(gid=f"p{i}") for i in range(50)]
        sent = b"".join(http_client.request_bytes("POST", PATH, signed(body), body) for body in bodies)
        body = events.body(gid="chunked")
        headers = [*signed(body), ("Transfer-Encoding", "chunked")]
        sent += http_client.request_bytes("POST", PATH, headers, http_client.chunked(body, [1, 20, 300]))
        connection.send(sent)
        ids = [connection.answer().json()["id"] for _ in range(51)]
    assert len(set(ids)) == 51
    kept = bridge.rows("outbox")
    assert [row["gid"] for row in kept] == [*(f"p{i}" for i in range(50)), "chunked"]
    assert [row["id"] for row in kept] == ids


def test_records_that_come_while_others_wait_to_be_read_are_read(bridge, authority):
    """Each request is a record; the next ones arrive while one is being answered and OpenSSL holds another."""
    with connect(bridge, authority) as connection:
        for _ in range(20):
            for i in range(100):
                body = events.body(gid=f"r{i}")
                connection.send(http_client.request_bytes("GET", "/healthz"))
                connection.send(http_client.request_bytes("POST", PATH, signed(body), body))
            for _ in range(200):
                assert connection.answer().status == 200


def test_it_may_come_byte_by_byte(bridge, authority):
    """The handshake and the request, each byte in a segment of its own."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context(authority).wrap_bio(into, out)
    body = events.body()
    with http_client.Connection(bridge.ingress) as connection:

        def exchange(step):
            while True:
                try:
                    result = step()
                    break
                except ssl.SSLWantReadError:
                    drip()
                    into.write(connection.socket.recv(1))
            drip()
            return result

        def drip():
            for byte in out.read():
                connection.send(bytes([byte]))

        exchange(client.do_handshake)
        exchange(lambda: client.write(http_client.request_bytes("POST", PATH, signed(body), body)))
        answer = b""
        while b"accepted" not in answer:
            answer += exchange(client.read)
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_client_that_has_sent_all_still_gets_its_answer(bridge, authority):
    """Once with a close_notify, and once with the socket's end alone."""
    for unwrap in (True, False):
        body = events.body()
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context(authority).wrap_bio(into, out)
        with http_client.Connection(bridge.ingress) as connection:
            shake(client, into, out, connection)
            client.write(http_client.request_bytes("POST", PATH, signed(body), body))
            if unwrap:
                with pytest.raises(ssl.SSLWantReadError):
                    client.unwrap()
            connection.send(out.read())
            connection.socket.shutdown(socket.SHUT_WR)
            data = b""
            while piece := connection.socket.recv(65536):
                data += piece
        into.write(data)
        assert b"accepted" in client.read(65536) if not unwrap else len(data) > 200
    bridge.wait_metric("accepted_total", 2)


def shake(client, into, out, connection):
    while True:
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            connection.send(out.read())
            into.write(connection.socket.recv(65536))
    connection.send(out.read())


def test_the_end_is_told(bridge, authority):
    with connect(bridge, authority) as connection:
        connection.send(b"nonsense\r\n\r\n")
        assert connection.answer().status == 400
        assert connection.socket.recv(1) == b""  # by close_notify; else Python raises SSLEOFError


def test_a_large_answer_waits_for_its_reader(start, server_pair, authority):
    """/metrics, over and over, to a client that reads nothing until the buffers are full."""
    port = free_port()
    bridge = start.bridge(None, {"admin": {"listen": [f"127.0.0.1:{port}"], "tls": files_of(server_pair)}}, start=False)
    bridge.is_ready = lambda: True
    bridge.start()
    with TlsConnection(("127.0.0.1", port), authority) as connection:
        count = 400
        connection.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * count)
        for _ in range(count):
            assert connection.answer().body.endswith(b"\n")


def test_a_thousand_connections_are_served(start, authority, server_pair):
    bridge = start.bridge(None, {"ingress": {"tls": files_of(server_pair)}})
    before_kb = bridge.resident_kb()
    connections = [connect(bridge, authority) for _ in range(1000)]
    for connection in connections:
        accept(bridge, connection)
    each_kb = (bridge.resident_kb() - before_kb) / 1000
    print(f"{each_kb:.1f} KiB a connection")
    assert is_sanitized() or each_kb < 40
    for connection in connections:
        connection.close()
    bridge.wait_metric("http_connections", 0)


# Who gets no further


def test_a_stalled_handshake_is_cut_by_the_request_timeout(start, authority, server_pair):
    bridge = start.bridge(None, {"ingress": {"tls": files_of(server_pair), "request_timeout": "1s"}})
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context(authority).wrap_bio(into, out)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    with http_client.Connection(bridge.ingress) as connection:
        begun = time.monotonic()
        connection.send(out.read()[:100])
        assert connection.is_closed_by_peer()
        assert 0.9 < time.monotonic() - begun < 5
    bridge.wait_metric("rejected_total", 1, reason="timeout")


def test_plain_http_is_told_that_this_port_takes_tls(bridge):
    for _ in range(2):
        answer = http_client.fetch(bridge.ingress, "POST", PATH, signed(b"{}"), b"{}")
        assert answer.status == 400 and answer.json()["message"] == "this port takes TLS only"
    wait_refused(bridge, "takes TLS only", 2, "bad_request")


def test_tls_on_a_plain_port_is_refused(start):
    bridge = start.bridge(None)
    with pytest.raises(ssl.SSLError):
        connect(bridge, None)


def test_noise_is_refused_and_a_mere_connect_is_not_counted(bridge):
    with http_client.Connection(bridge.ingress) as connection:
        connection.send(os.urandom(64).replace(b"\x16", b"\x17"))
        connection.drain()
    wait_refused(bridge, ".")
    http_client.Connection(bridge.ingress).close()
    bridge.wait_metric("http_connections", 0)
    assert refusals(bridge) == 1


def test_a_client_that_does_not_trust_us_says_so_in_our_log(bridge, stranger):
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(bridge, stranger)
    wait_refused(bridge, "unknown ca")


# Client certificates


@pytest.fixture
def strict(start, authority, server_pair):
    return start.bridge(None, {"ingress": {"tls": files_of(server_pair, authority.cert)}})


def refused_client(bridge, authority, client, version):
    """In TLS 1.3 the client learns of it with what it reads first."""
    with pytest.raises((ssl.SSLError, http_client.Closed, ConnectionError)):
        with connect(bridge, authority, client=client, version=version) as connection:
            bridge.post(events.body(), connection=connection)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_only_clients_with_a_certificate_of_ours_get_in(strict, authority, stranger, version):
    with connect(strict, authority, client=authority.issue("client"), version=version) as connection:
        accept(strict, connection)
    refused_client(strict, authority, None, version)
    wait_refused(strict, "did not return a certificate", 1)
    refused_client(strict, authority, stranger.issue("client"), version)
    wait_until(lambda: refusals(strict) == 2, "counted")
    refused_client(strict, authority, authority.issue("late", days=-1), version)
    wait_until(lambda: refusals(strict) == 3, "counted")
    assert strict.metrics().value("accepted_total") == 1


@pytest.mark.parametrize("who, word", [("stranger", "unable to get|issuer"), ("late", "expired")])
def test_the_log_says_what_is_wrong_with_a_client(strict, authority, stranger, who, word):
    client = stranger.issue("client") if who == "stranger" else authority.issue("late", days=-1)
    refused_client(strict, authority, client, None)
    wait_refused(strict, word)


# A usual client


def test_curl_is_a_client_like_any_other(bridge, authority):
    host, port = bridge.ingress
    body = events.body()
    headers = [x for name, value in signed(body) for x in ("-H", f"{name}: {value}")]
    for version in ("--http1.1", "--http2"):
        done = subprocess.run(
            ["curl", "-sS", version, "--cacert", authority.cert, *headers, "--data-binary", "@-", f"https://{host}:{port}{PATH}"],
            input=body, capture_output=True, timeout=DEADLINE_S, check=True,
        )
        assert b'"status"' in done.stdout
