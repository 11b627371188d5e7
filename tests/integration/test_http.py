"""Connections: how requests come in, over which sockets, and how long they may take."""

import concurrent.futures
import os
import select
import socket
import time

import pytest

from lib import events, http_client, sign
from lib.bridge import PATH, SECRET, signed
from lib.ipv6 import has_ipv6
from lib.wait import holds_for, wait_until


def request(body, headers=(), **options):
    return http_client.request_bytes("POST", PATH, [*signed(body), *headers], body, **options)


def test_a_connection_takes_many_requests(bridge):
    with bridge.connect() as connection:
        ids = {bridge.accept(events.body(), connection=connection) for _ in range(50)}
    assert len(ids) == 50


def test_a_connection_goes_on_after_a_refused_signature(bridge):
    with bridge.connect() as connection:
        assert bridge.post(events.body(), secret="wrong", connection=connection).status == 401
        bridge.accept(events.body(), connection=connection)


def test_pipelined_requests_are_answered_in_order(bridge, subscriber):
    bodies = [events.body(gid=f"p{i}") for i in range(20)]
    with bridge.connect() as connection:
        connection.send(b"".join(request(body) for body in bodies))
        ids = [connection.answer().json()["id"] for _ in bodies]
    by_id = {m.property("id"): m.payload for m in subscriber.wait_under("partners/", len(bodies))}
    assert [by_id[one] for one in ids] == bodies


def test_a_refused_request_ends_what_was_pipelined_behind_it(bridge):
    """What follows a request whose end cannot be known must not be taken for another request."""
    smuggled = request(events.body())
    with bridge.connect() as connection:
        lengths = [("Content-Length", "2"), ("Content-Length", str(2 + len(smuggled)))]
        connection.send(http_client.request_bytes("POST", PATH, [*signed(b"{}"), *lengths]))
        connection.send(b"{}" + smuggled)
        assert connection.answer().status == 400
        assert connection.is_closed_by_peer()
    assert bridge.metrics().value("accepted_total") == 0


@pytest.mark.parametrize("sizes", [[], [1] * 40, [7, 1, 50]], ids=["one chunk", "bytes", "some"])
def test_a_chunked_body_is_put_together(bridge, subscriber, sizes):
    body = events.body()
    with bridge.connect() as connection:
        headers = [*signed(body), ("Transfer-Encoding", "chunked")]
        connection.send(http_client.request_bytes("POST", PATH, headers))
        connection.send(http_client.chunked(body, sizes))
        assert connection.answer().status == 200
        bridge.accept(events.body(), connection=connection)
    assert subscriber.wait_for(events.topic())[0].payload == body


def test_a_request_that_comes_byte_by_byte_is_put_together(bridge, subscriber):
    body = events.body()
    with bridge.connect() as connection:
        for byte in request(body):
            connection.send(bytes([byte]))
        assert connection.answer().status == 200
    assert subscriber.wait_for(events.topic())[0].payload == body


def test_http_1_0_is_answered_and_the_connection_closed(bridge):
    body = events.body()
    with bridge.connect() as connection:
        connection.send(request(body, version="HTTP/1.0"))
        assert connection.answer().status == 200
        assert connection.is_closed_by_peer()


def test_connection_close_is_honoured(bridge):
    body = events.body()
    with bridge.connect() as connection:
        connection.send(request(body, [("Connection", "close")]))
        assert connection.answer().status == 200
        assert connection.is_closed_by_peer()


def test_a_client_that_shuts_its_sending_side_still_gets_its_answer(bridge):
    with bridge.connect() as connection:
        connection.send(request(events.body()))
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.answer().status == 200


def test_clients_that_leave_before_their_answer_do_no_harm(bridge, subscriber):
    bodies = [events.body(gid=f"gone{i}") for i in range(100)]
    for body in bodies:
        with bridge.connect() as connection:
            connection.send(request(body))
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    last = bridge.accept(events.body(gid="last"))
    subscriber.wait_for(events.topic("last"))
    # Whatever was accepted was delivered; nothing was made up.
    arrived = [message.payload for message in subscriber.under("partners/")]
    assert len(arrived) == len(set(arrived)) == bridge.metrics().value("accepted_total")
    assert set(arrived) <= {*bodies, arrived[-1]} and last


def test_clients_that_leave_in_the_middle_of_a_request_do_no_harm(start):
    bridge = start.bridge(None, {"ingress": {"request_timeout": "1s"}})
    data = request(events.body())
    for cut in range(1, len(data), 7):
        with bridge.connect() as connection:
            connection.send(data[:cut])
    bridge.accept(events.body())
    assert bridge.metrics().value("accepted_total") == 1
    wait_until(lambda: bridge.metrics().value("http_connections") == 0, "connections are gone")


@pytest.mark.parametrize("what", ["head", "body", "chunks", "nothing"])
def test_a_client_that_drips_is_cut_off_at_the_deadline_of_its_request(start, what):
    """Each byte comes in time for any limit on inactivity; only an absolute one ends this."""
    bridge = start.bridge(None, {"ingress": {"request_timeout": "1s"}})
    body = events.body(pad="x" * 5000)
    data = {
        "head": request(body),
        "body": request(body),
        "chunks": http_client.request_bytes("POST", PATH, [*signed(body), ("Transfer-Encoding", "chunked")])
        + http_client.chunked(body, [1] * len(body)),
        "nothing": b"",
    }[what]
    at_once = 0 if what == "head" else data.find(b"\r\n\r\n") + 4 if data else 0
    begin = time.monotonic()
    with bridge.connect(timeout_s=0.1) as connection:
        connection.send(data[:at_once])
        sent = at_once

        def ended():
            nonlocal sent
            if sent < len(data):
                try:
                    connection.send(data[sent : sent + 1])
                except ConnectionError:
                    return True
                sent += 1
            return connection.is_closed_by_peer()

        wait_until(ended, "cut off", deadline_s=10)
        assert 0.9 < time.monotonic() - begin < 8
    bridge.accept(events.body())


def test_the_deadline_is_per_request_not_per_connection(start):
    bridge = start.bridge(None, {"ingress": {"request_timeout": "1s"}})
    end = time.monotonic() + 2.5
    with bridge.connect() as connection:
        while time.monotonic() < end:
            bridge.accept(events.body(), connection=connection)
            time.sleep(0.1)


@pytest.mark.parametrize("listener", ["ingress", "admin"])
def test_a_kept_connection_is_closed_after_it_was_silent_for_keep_alive(start, listener):
    bridge = start.bridge(None, {"ingress": {"keep_alive": "2s"}})
    with http_client.Connection(bridge.address(listener), timeout_s=10) as connection:
        for _ in range(3):
            assert connection.request("GET", "/healthz").status == 200
            begin = time.monotonic()
            holds_for(lambda: select.select([connection.socket], [], [], 0) == ([], [], []), 1, "it is closed")
        assert connection.is_closed_by_peer()
        assert 1.9 < time.monotonic() - begin < 6


def test_connections_over_the_limit_wait_or_are_closed_until_there_is_room(start):
    bridge = start.bridge(None, {"ingress": {"max_connections": 8}})
    held = [bridge.connect() for _ in range(8)]
    for connection in held:
        bridge.accept(events.body(), connection=connection)
    with bridge.connect(timeout_s=0.3) as connection:
        with pytest.raises((OSError, http_client.Closed)):
            bridge.accept(events.body(), connection=connection)
    for connection in held:
        bridge.accept(events.body(), connection=connection)
        connection.close()

    def room_again():
        try:
            with bridge.connect(timeout_s=1) as connection:
                return bridge.accept(events.body(), connection=connection)
        except (OSError, http_client.Closed):
            return None

    wait_until(room_again, "a connection is served again")
    assert bridge.get("/healthz").status == 200


def test_a_thousand_idle_connections_do_not_keep_others_out(start):
    bridge = start.bridge(None)
    held = [bridge.connect() for _ in range(1500)]
    bridge.accept(events.body())
    for connection in held:
        connection.close()


def test_it_listens_on_ipv6_and_several_addresses(start):
    hosts = ["127.0.0.1", "127.0.0.2", *(["::1"] if has_ipv6() else [])]
    listen = [f"[{host}]:0" if ":" in host else f"{host}:0" for host in hosts]
    bridge = start.bridge(None, {"ingress": {"listen": listen}})
    addresses = [bridge.address("ingress", i) for i in range(len(hosts))]
    assert [host for host, _ in addresses] == hosts
    for address in addresses:
        body = events.body()
        assert http_client.fetch(address, "POST", PATH, signed(body), body).status == 200


def test_it_listens_on_unix_sockets_and_removes_them_at_the_end(start, tmp_path):
    ingress, admin = tmp_path / "in.sock", tmp_path / "admin.sock"
    bridge = start.bridge(
        None, {"ingress": {"listen": [f"unix:{ingress}"]}, "admin": {"listen": [f"unix:{admin}"]}}
    )
    assert bridge.ingress == str(ingress) and bridge.admin == str(admin)
    bridge.accept(events.body())
    assert bridge.metrics().value("accepted_total") == 1
    assert admin.stat().st_mode & 0o077 == 0, "the operator's socket is nobody else's"
    assert bridge.stop() == 0
    assert not ingress.exists() and not admin.exists()


def test_a_unix_socket_left_by_a_killed_bridge_is_taken_over(start, tmp_path):
    bridge = start.bridge(None, {"ingress": {"listen": [f"unix:{tmp_path}/in.sock"]}})
    bridge.kill()
    bridge.start()
    bridge.accept(events.body())


def test_a_unix_socket_that_somebody_listens_on_is_left_alone(start, tmp_path):
    config = {"ingress": {"listen": [f"unix:{tmp_path}/in.sock"]}}
    first = start.bridge(None, config)
    second = start.bridge(None, config, start=False)
    assert second.start(ready=False).wait_end() == 1
    assert f"{tmp_path}/in.sock" in second.log_text()
    first.accept(events.body())


def test_several_http_threads_share_the_work(start, broker, subscriber):
    bridge = start.bridge(broker, {"ingress": {"threads": 4}}).wait_connected()

    def client(number):
        with bridge.connect() as connection:
            for _ in range(20):
                bridge.accept(events.body(gid=f"t{number}"), connection=connection)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(client, range(16)))
    subscriber.wait_under("partners/", 320)
    for number in range(16):
        counts = [event_number(m) for m in subscriber.on(events.topic(f"t{number}"))]
        assert counts == sorted(counts) and len(counts) == 20


def event_number(message):
    return int(message.payload.split(b'"n": ')[1].split(b"}")[0].split(b",")[0])


def test_a_request_that_is_still_coming_when_the_bridge_stops_is_answered_or_cut(start):
    """Stopping is bounded: a client that never finishes its request cannot hold it up for ever."""
    bridge = start.bridge(None, {"ingress": {"request_timeout": "2s"}})
    with bridge.connect() as connection:
        connection.send(request(events.body())[:-5])
        wait_until(lambda: bridge.metrics().value("http_connections") >= 1, "it is seen")
        begin = time.monotonic()
        assert bridge.stop() == 0
        assert time.monotonic() - begin < 20


def test_the_admin_token_guards_metrics_and_control_but_not_health(start, tmp_path):
    token = "itest-admin-token-5521"
    (tmp_path / "token").write_text(token)
    bridge = start.bridge(None, {"admin": {"token": {"file": str(tmp_path / "token")}}})
    bridge.secrets.add(token)
    assert bridge.get("/metrics").status == 401
    assert bridge.get("/metrics", headers=[("Authorization", "Bearer wrong")]).status == 401
    assert bridge.get("/metrics", headers=[("Authorization", f"Bearer {token}")]).status == 200
    assert bridge.get("/healthz").status == bridge.get("/readyz").status == 200
    json = ("Content-Type", "application/json")
    drop = (bridge.admin, "POST", "/api/dead/drop")
    assert http_client.fetch(*drop, [json], b'{"all":true}').status == 401
    authorized = [json, ("Authorization", f"Bearer {token}")]
    assert http_client.fetch(*drop, authorized, b'{"all":true}').status == 200


def test_control_refuses_what_a_web_page_could_send(start):
    bridge = start.bridge(None)
    for headers in ([], [("Content-Type", "text/plain")]):
        answer = http_client.fetch(bridge.admin, "POST", "/api/dead/drop", headers, b'{"all":true}')
        assert 400 <= answer.status < 500, answer


def test_descriptors_do_not_pile_up(start):
    bridge = start.bridge(None)

    def count():
        return len(os.listdir(f"/proc/{bridge.process.pid}/fd"))

    bridge.accept(events.body())
    wait_until(lambda: bridge.metrics().value("http_connections") == 0, "idle")
    before = count()
    for i in range(100):
        bridge.accept(events.body(gid=f"fd{i}"))
    wait_until(lambda: count() <= before + 2, lambda: f"{before} descriptors became {count()}")


def test_an_idle_bridge_uses_no_processor_time(start):
    bridge = start.bridge(None)
    bridge.accept(events.body())

    def cpu_s():
        fields = open(f"/proc/{bridge.process.pid}/stat").read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = cpu_s()
    holds_for(lambda: cpu_s() - before < 0.3, 1.5, "it spins")


def test_a_signature_is_over_the_bytes_as_they_came(bridge):
    body = b'{"event":"resource.updated" ,  "resource_type":"project",\n"resource_gid":"a"}'
    compact = body.replace(b" ", b"").replace(b"\n", b"")
    headers = {sign.CREADS_HEADER: sign.creads(SECRET, compact)}
    assert http_client.fetch(bridge.ingress, "POST", PATH, headers, body).status == 401
    bridge.accept(body)
