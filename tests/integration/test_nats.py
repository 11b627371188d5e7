"""NATS as the broker: MQTT 3.1.1 over JetStream, which hangs up on topics with a dot or a space."""

import threading

import paho.mqtt.client as mqtt
import pytest

from lib import events, nats
from lib.bridge import ROOT, STATE_TOPIC, source
from lib.wait import wait_until

SAMPLE = (ROOT / "config/brokers/nats.conf").read_text()
TOPIC = "partners/{resource_type}/{action}/{gid}"

pytestmark = pytest.mark.skipif(not nats.PROGRAM, reason="nats-server is not installed")


@pytest.fixture
def server(tmp_path):
    server = nats.Nats(tmp_path / "nats", SAMPLE)
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def arrived(server):
    """(topic, payload) of each message, in order; the subscriber speaks 3.1.1."""
    found, subscribed = [], threading.Event()
    client = mqtt.Client("reader", protocol=mqtt.MQTTv311)
    client.on_connect = lambda *_: client.subscribe([("partners/#", 1), ("partners-state/#", 1)])
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda _client, _data, message: found.append((message.topic, message.payload))
    client.connect(server.host, server.port)
    client.loop_start()
    assert subscribed.wait(10)
    yield found
    client.disconnect()
    client.loop_stop()


def start_bridge(start, server, **keys):
    config = {"mqtt": {"version": "3.1.1"}, "sources": source(**{"topic": TOPIC, **keys})}
    return start.bridge(server, config).wait_connected()


def of(found, gid, prefix="partners/"):
    return list(dict.fromkeys(payload for topic, payload in found if topic.startswith(prefix) and topic.endswith("/" + gid)))


def test_the_sample_configuration_carries_events_and_states(start, server, arrived):
    bridge = start_bridge(start, server, state_topic=STATE_TOPIC)
    bodies = [events.body(gid=f"g{i % 4}") for i in range(40)]
    for body in bodies:
        bridge.accept(body)
    bridge.wait_settled()
    wait_until(lambda: len(arrived) >= 80, lambda: f"{len(arrived)} of 80")
    for i in range(4):
        assert of(arrived, f"g{i}") == bodies[i::4]
        assert of(arrived, f"g{i}", "partners-state/") == bodies[i::4]
    assert {topic for topic, _ in arrived if topic.startswith("partners/")} == {f"partners/project/updated/g{i}" for i in range(4)}


@pytest.mark.parametrize("gid", ("a*b", "*", "a>b", ">", "a,b", "ä", "a&b=c"))
def test_what_else_stands_in_a_level_passes(start, server, arrived, gid):
    bridge = start_bridge(start, server)
    body = events.body(gid=gid)
    bridge.accept(body)
    wait_until(lambda: arrived, bridge.log_text)
    assert arrived == [(f"partners/project/updated/{gid}", body)]


def test_a_topic_that_it_refuses_is_a_dead_letter_with_the_cause_and_others_flow_in_order(start, server, arrived):
    bridge = start_bridge(start, server)
    bad = [bridge.accept(events.body(gid=gid)) for gid in ("a.b", "a b")]
    good = [[], [], []]

    def both_are_dead():
        """Others come meanwhile; that they pass is the proof against the two."""
        for i, bodies in enumerate(good):
            bodies.append(events.body(gid=f"g{i}"))
            bridge.accept(bodies[-1])
        wait_until(lambda: of(arrived, "g2") == good[2], bridge.log_text)
        return bridge.metrics().value("dead_letters") == 2

    wait_until(both_are_dead, bridge.log_text, deadline_s=90)
    for i, bodies in enumerate(good):
        assert of(arrived, f"g{i}") == bodies
    dead = {row["id"]: row["reason"] for row in bridge.rows("dead")}
    assert set(dead) == set(bad)
    assert set(dead.values()) == {"lost the connection 5 times: NATS refuses topics with a dot or a space"}
    assert bridge.metrics().value("held_events") == 0
