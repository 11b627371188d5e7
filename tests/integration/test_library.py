"""The tests' own tools, on their own: what they claim to do to a connection, they do."""

import socket
import threading

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lib.http_client import Closed, Connection, chunked, request_bytes
from lib.mqtt_server import Session
from lib.subscriber import retained
from lib.wait import holds_for, wait_until


@pytest.fixture
def publisher():
    """Gives a function that connects an MQTT 5 client to host, port."""
    clients = []

    def connect(host, port, came=None, went=None, **options):
        client = mqtt.Client(protocol=mqtt.MQTTv5, **options)
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda *_: came is not None and came.append(1)
        client.on_disconnect = lambda *_: went is not None and went.append(1)
        client.connect(host, port)
        client.loop_start()
        wait_until(client.is_connected, "connected")
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.disconnect()
        client.loop_stop()


def test_a_subscriber_keeps_topic_payload_and_properties(broker, subscriber, publisher):
    client = publisher(broker.host, broker.port)
    properties = Properties(PacketTypes.PUBLISH)
    properties.ContentType = "a/b"
    properties.UserProperty = [("k", "1"), ("k2", "2")]
    client.publish("t/1", b"\x00\xff", qos=2, retain=True, properties=properties)
    [message] = subscriber.wait_for("t/1")
    assert (message.payload, message.qos, message.retain) == (b"\x00\xff", 2, True)
    assert message.content_type == "a/b" and message.property("k2") == "2"
    assert retained(broker, "t/#")["t/1"].payload == b"\x00\xff"
    assert retained(broker, "u/#") == {}


def test_a_stalled_proxy_passes_nothing_and_a_resumed_one_everything(start, broker, subscriber, publisher):
    proxy = start.proxy(broker)
    client = publisher(proxy.host, proxy.port)
    proxy.stall()
    info = client.publish("t", b"1", qos=1)
    holds_for(lambda: not info.is_published(), 0.3, "it went through")
    proxy.resume()
    subscriber.wait_for("t")
    wait_until(info.is_published, "acknowledged")


def test_a_cut_proxy_ends_connections_and_a_refusing_one_takes_none(start, broker, publisher):
    proxy = start.proxy(broker)
    came, went = [], []
    publisher(proxy.host, proxy.port, came, went)
    wait_until(lambda: len(came) == 1, "connected")
    proxy.cut()
    wait_until(lambda: len(went) == 1 and len(came) == 2, "cut and back")
    proxy.refuse()
    wait_until(lambda: len(went) == 2, "cut")
    with pytest.raises(ConnectionRefusedError):
        Connection((proxy.host, proxy.port))
    proxy.resume()
    wait_until(lambda: len(came) == 3, "back")


def test_the_scripted_server_answers_as_it_is_told(start, publisher):
    server = start.mqtt_server(receive_maximum=7)
    reasons = []
    client = publisher(server.host, server.port, client_id="me")
    client.on_publish = lambda _client, _data, mid: reasons.append(mid)
    for qos in (0, 1, 2):
        client.publish("a/b", b"x%d" % qos, qos=qos)
    assert [p.payload for p in server.wait_events(3)] == [b"x0", b"x1", b"x2"]
    wait_until(lambda: len(reasons) == 3, "all settled")
    session = server.wait_session()
    assert session.connect.client_id == "me" and session.most_unacked >= 1 and not session.unacked
    server.on_publish = lambda session, _publish: Session.close(session)
    client.publish("a/b", b"y", qos=1)
    wait_until(lambda: not session.open, "closed")


def test_the_http_client_reads_answers_of_all_forms():
    replies = b"".join([
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hello", [2]),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.0 500 Oh\r\n\r\nto the end",
    ])
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            peer, _ = server.accept()
            with peer:
                peer.recv(10000)
                peer.sendall(replies)

        thread = threading.Thread(target=serve)
        thread.start()
        with Connection(server.getsockname()) as connection:
            connection.send(request_bytes("POST", "/", body=b"x"))
            assert connection.answer().json() == {}
            assert connection.answer().body == b"hello"
            assert connection.answer().status == 204
            assert connection.answer().body == b"to the end"
            with pytest.raises(Closed):
                connection.answer()
        thread.join()
