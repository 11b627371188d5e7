"""Starting, being watched, stopping."""

import concurrent.futures
import pathlib
import signal
import socket
import sys
import threading
import time

import pytest

from lib import bridge as bridge_module
from lib import events, http_client
from lib.wait import free_port, wait_until

ACTIVATE = pathlib.Path(bridge_module.__file__).with_name("activate.py")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("with_broker", [True, False], ids=["connected", "no broker"])
def test_a_signal_ends_it_with_status_0(start, broker, how, with_broker):
    bridge = start.bridge(broker if with_broker else None)
    if with_broker:
        bridge.wait_connected()
    bridge.accept(events.body())
    assert bridge.stop(how) == 0
    assert bridge.lines("stopping") and bridge.lines("stopped")


def test_a_signal_right_after_the_start_ends_it_with_status_0(start):
    bridge = start.bridge(None, start=False)
    for _ in range(5):
        bridge.start(ready=False)
        bridge.wait_log(lambda: bridge.lines("starting"), "it starts")
        assert bridge.stop() == 0


def test_a_hangup_does_not_end_it(start):
    bridge = start.bridge(None)
    bridge.process.send_signal(signal.SIGHUP)
    bridge.wait_metric("reloads_total", 1)
    bridge.accept(events.body())


def test_a_stop_under_load_loses_no_answer_and_no_event(start, broker, subscriber):
    """What a client was told is on the broker in the end, and what is there a client was told."""
    bridge = start.bridge(broker).wait_connected()
    accepted, refused, going = {}, [], threading.Event()

    def client(number):
        try:
            for i in range(100000):
                with bridge.connect() as connection:
                    for j in range(20):
                        body = events.body(gid=f"c{number}-{i}-{j}")
                        answer = bridge.post(body, connection=connection)
                        if answer.status == 200:
                            accepted[body] = answer.json()["id"]
                        else:
                            refused.append(answer)
                        if len(accepted) > 300:
                            going.set()
        except (OSError, http_client.Closed):
            return  # the listener is gone, or closed an idle connection

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client, number) for number in range(8)]
        assert going.wait(60)
        assert bridge.stop() == 0
        for one in clients:
            one.result()
    for answer in refused:
        assert answer.status == 503 and int(answer.header("Retry-After")) >= 1
    bridge.start().wait_connected()
    bridge.accept(events.body(gid="fence"))
    subscriber.wait_for(events.topic("fence"))
    published = {m.payload: m.property("id") for m in subscriber.under("partners/")}
    published = {body: one for body, one in published.items() if b'"fence"' not in body}
    assert published == accepted


def test_a_stop_answers_whoever_is_just_sending_on_a_kept_connection(start):
    """A client that sends its next request as soon as it is answered hears 503 or Connection: close, never a reset."""
    bridge = start.bridge(None)
    going = threading.Barrier(9)

    def client(number):
        with bridge.connect() as connection:
            for i in range(1000000):
                answered = time.monotonic()
                try:
                    answer = bridge.post(events.body(gid=f"k{number}-{i}"), connection=connection)
                except http_client.Closed:
                    # Half a second is what it waits for a next request; a busy machine may have kept us longer.
                    assert time.monotonic() - answered > 0.4
                    return None
                if i == 20:
                    going.wait(60)
                if answer.header("Connection") == "close":
                    return answer.status
        return None

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client, number) for number in range(8)]
        going.wait(60)
        assert bridge.stop() == 0
        assert {one.result() for one in clients} <= {200, 503, None}


def test_a_stop_finishes_what_is_in_flight(start):
    """The broker takes its time to acknowledge; nothing of it is sent again after the restart."""
    held = []
    server = start.mqtt_server(lambda session, publish: held.append((session, publish)))
    bridge = start.bridge(server).wait_connected()
    for i in range(5):
        bridge.accept(events.body(gid=f"h{i}"))
    server.wait_events(5)
    bridge.process.send_signal(signal.SIGTERM)
    bridge.wait_log(lambda: bridge.lines("stopping"), "stopping")
    for session, publish in held:
        session.ack(publish)
    assert bridge.wait_end() == 0
    assert bridge.rows("outbox", "--undelivered") == []
    wait_until(lambda: server.sessions[0].disconnect_reason is not None, "a DISCONNECT")


def test_a_port_that_is_taken_is_named_and_ends_it_with_status_1(start):
    first = start.bridge(None)
    host, port = first.ingress
    second = start.bridge(None, {"ingress": {"listen": [f"{host}:{port}"]}}, start=False)
    assert second.start(ready=False).wait_end() == 1
    assert f"{host}" in second.log_text() and "in use" in second.log_text()
    assert not (second.folder / "outbox.db").exists()


def test_a_broken_configuration_ends_it_with_status_1_and_every_fault(start):
    bridge = start.bridge(None, {"mqtt": {"qoz": 1}, "nonsense": True}, start=False)
    assert bridge.start(ready=False).wait_end() == 1
    assert "mqtt.qoz: " in bridge.log_text() and "nonsense: " in bridge.log_text()


def activated(start, *sockets):
    return start.bridge(
        None,
        {"ingress": {"listen": ["127.0.0.1:1"]}, "admin": {"listen": ["127.0.0.1:0"]}},
        wrapper=[sys.executable, ACTIVATE, *sockets, "--"],
    )


def test_it_takes_its_sockets_from_the_service_manager(start):
    ports = [free_port(), free_port()]
    bridge = activated(start, *(f"web={'127.0.0.1'}:{port}" for port in ports))
    bridge.wait_log(lambda: len(bridge.lines("listening", listener="ingress")) == 2, "both sockets")
    for i, port in enumerate(ports):
        assert bridge.address("ingress", i) == ("127.0.0.1", port)
        body = events.body()
        answer = http_client.fetch(
            ("127.0.0.1", port), "POST", bridge_module.PATH, bridge_module.signed(body), body
        )
        assert answer.status == 200


def test_a_socket_named_admin_is_the_operators(start):
    web, admin = free_port(), free_port()
    bridge = activated(start, f"web=127.0.0.1:{web}", f"admin=127.0.0.1:{admin}")
    assert bridge.ingress == ("127.0.0.1", web) and bridge.admin == ("127.0.0.1", admin)
    bridge.accept(events.body())
    assert bridge.metrics().value("accepted_total") == 1


def test_the_service_manager_is_told_when_it_is_ready_alive_and_stopping(start, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(20)
        bridge = start.bridge(
            None, env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "2000000"}, start=False
        )
        bridge.start(ready=False)
        assert b"READY=1" in manager.recv(4096)
        # When it says so it is; its log may come later.
        bridge.wait_log(lambda: len(bridge.lines("listening")) == 2, "its addresses")
        assert bridge.get("/readyz").status == 200
        assert b"WATCHDOG=1" in manager.recv(4096)
        assert b"WATCHDOG=1" in manager.recv(4096)
        bridge.process.send_signal(signal.SIGTERM)
        heard = b""
        while b"STOPPING=1" not in heard:
            heard = manager.recv(4096)
        assert bridge.wait_end() == 0


def test_it_can_be_started_and_stopped_many_times(start, broker):
    bridge = start.bridge(broker)
    for _ in range(5):
        bridge.accept(events.body())
        bridge.restart()
    wait_until(lambda: bridge.metrics().value("outbox_undelivered_events") == 0, "all delivered")
    assert len(bridge.rows("outbox")) == 5
