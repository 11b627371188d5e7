"""One message, one resource, one source never stops the others, whatever the broker says to it."""

import time

import pytest

from lib import events
from lib.bridge import STATE_TOPIC, source
from lib.mqtt_server import Session, never, refuse
from lib.wait import wait_until


def send(bridge, *gids):
    """An event for each; returns the bodies."""
    bodies = [events.body(gid=gid) for gid in gids]
    for body in bodies:
        bridge.accept(body)
    return bodies


def settle(bridge):
    wait_until(lambda: bridge.metrics().value("outbox_undelivered_events") == 0, bridge.log_text, deadline_s=90)


def taken(server, gid):
    return [p.payload for p in server.events if p.topic.endswith("/" + gid)]


@pytest.mark.parametrize("reason", [0x80, 0x83, 0x87, 0x91, 0x97, 0xC7])
def test_others_pass_a_message_that_is_refused_again_and_again(start, reason):
    server = start.mqtt_server(refuse("bad", reason))
    bridge = start.bridge(server).wait_connected()
    send(bridge, "bad", "bad")
    began = time.monotonic()
    good = send(bridge, *(f"good{i}" for i in range(20)))
    wait_until(lambda: [p.payload for p in server.events if "good" in p.topic] == good, bridge.log_text)
    assert time.monotonic() - began < 5
    assert len(set(taken(server, "bad"))) == 1, "the second one of that resource waits"
    [line] = bridge.lines("broker refuses an event for now: it waits, others pass")
    assert line["topic"].endswith("/bad") and line["code"] == str(reason)
    bridge.wait_metric("published_total", 20)
    assert bridge.metrics().value("held_events") == 2
    assert len([row for row in bridge.rows("outbox") if row["gid"] == "bad"]) == 2


def test_a_held_message_can_be_dropped_and_the_next_one_follows(start):
    server = start.mqtt_server(refuse("bad", 0x83))
    bridge = start.bridge(server).wait_connected()
    one = bridge.accept(events.body(gid="bad"))
    after = events.body(gid="bad")
    bridge.accept(after)
    bridge.wait_metric("held_events", 2)
    server.on_publish = Session.ack

    def drop():
        return bridge.cli("outbox", "drop", one, expect=None).returncode == 0

    wait_until(drop, "between two tries")
    bridge.wait_settled()
    assert taken(server, "bad")[-1] == after and bridge.metrics().value("held_events") == 0
    assert bridge.metrics().value("published_total") == 1


def test_order_of_a_resource_holds_through_a_refusal_with_late_answers(start):
    """The first one is refused when the others could be on their way."""
    refused = []

    def late(session, publish):
        reason = 0
        if publish.topic.endswith("/g1") and not refused:
            refused.append(publish.payload)
            reason = 0x87
        time.sleep(0.02)
        session.ack(publish, reason)

    server = start.mqtt_server(late)
    bridge = start.bridge(server, {"sources": source(state_topic=STATE_TOPIC)}).wait_connected()
    bodies = send(bridge, *["g1"] * 12)
    bridge.wait_settled()
    for prefix in ("partners/", "partners-state/"):
        seen = [p.payload for p in server.events if p.topic.startswith(prefix)]
        assert list(dict.fromkeys(seen)) == bodies
        assert seen[-12:] == bodies and set(seen[:-12]) <= {bodies[0]}


def test_a_held_resource_is_still_held_after_a_restart(start):
    server = start.mqtt_server(refuse("bad", 0x97))
    bridge = start.bridge(server).wait_connected()
    bodies = send(bridge, "bad", "bad", "good")
    bridge.wait_metric("published_total", 1)
    bridge.kill()
    bridge.start()
    bridge.wait_connected()
    wait_until(lambda: len(server.sessions[-1].events) >= 1, bridge.log_text)
    bodies += send(bridge, "bad", "good2")
    wait_until(lambda: taken(server, "good2"), bridge.log_text)
    assert set(taken(server, "bad")) == {bodies[0]}
    server.on_publish = Session.ack
    bridge.wait_settled()
    again = taken(server, "bad")
    assert again[-3:] == [bodies[0], bodies[1], bodies[3]]


def test_a_broker_that_hangs_up_on_everything_blames_nothing(start):
    """Its status topics are taken; that proves nothing about events."""
    server = start.mqtt_server(lambda session, publish: session.close())
    bridge = start.bridge(server).wait_connected()
    bodies = send(bridge, "g1", "g2", "g1", "g2")
    wait_until(lambda: len(server.sessions) >= 12, bridge.log_text, deadline_s=60)
    assert bridge.metrics().value("dead_letters") == 0
    server.on_publish = Session.ack
    settle(bridge)
    for gid in ("g1", "g2"):
        own = bodies[0::2] if gid == "g1" else bodies[1::2]
        assert list(dict.fromkeys(taken(server, gid))) == own
    assert bridge.metrics().value("dead_letters") == 0
    assert bridge.metrics().value("published_total") == 4


@pytest.mark.parametrize("code", [0x8D, 0x93, 0x96, 0x97, 0x9F])
def test_codes_that_speak_of_the_connection_blame_no_message(start, code):
    left = [7]

    def goodbye(session, publish):
        if publish.topic.endswith("/g1") and left[0] > 0:
            left[0] -= 1
            session.send_disconnect(code)
        else:
            session.ack(publish)

    server = start.mqtt_server(goodbye)
    bridge = start.bridge(server).wait_connected()
    send(bridge, "g1", "g2", "g3")
    settle(bridge)
    assert left == [0] and bridge.metrics().value("dead_letters") == 0


def test_one_busy_resource_leaves_the_others_their_pace(start):
    """Its events are answered one after the other, 50 ms each."""

    def slow(session, publish):
        if publish.topic.endswith("/busy"):
            wait.append((session, publish))
        else:
            session.ack(publish)

    wait = []
    server = start.mqtt_server(slow)
    bridge = start.bridge(server, {"mqtt": {"max_in_flight": 32}}).wait_connected()
    send(bridge, *["busy"] * 100)
    good = send(bridge, *(f"good{i}" for i in range(50)))
    wait_until(lambda: [p.payload for p in server.events if "good" in p.topic] == good, bridge.log_text)
    assert len(taken(server, "busy")) == 1
    server.on_publish = Session.ack
    wait[0][0].ack(wait[0][1])
    bridge.wait_settled()
    assert len(taken(server, "busy")) == 100


def test_what_has_expired_is_dropped_and_the_rest_has_what_is_left_of_its_time(start):
    """While the first one is not answered, the others wait in the outbox."""
    server = start.mqtt_server(never)
    config = {"mqtt": {"max_in_flight": 1}, "sources": source(message_expiry="4s")}
    bridge = start.bridge(server, config).wait_connected()
    first = send(bridge, "first")
    server.wait_events(1)
    send(bridge, "old")
    time.sleep(2.5)
    fresh = send(bridge, "fresh")
    time.sleep(1.6)
    server.on_publish = Session.ack
    server.sessions[0].ack(server.events[0])
    bridge.wait_settled()
    assert server.payloads == [*first, *fresh] and server.events[1].properties["expiry_s"] <= 3
    metrics = bridge.metrics()
    assert metrics.value("expired_total") == 1 and metrics.value("published_total") == 2


def test_published_counts_an_event_once_however_often_it_is_sent(start):
    lost = []

    def forgetful(session, publish):
        if len(lost) < 3:
            lost.append(publish.payload)
            if len(lost) == 3:
                session.close()
        else:
            session.ack(publish)

    server = start.mqtt_server(forgetful)
    bridge = start.bridge(server).wait_connected()
    send(bridge, *(f"g{i}" for i in range(30)))
    bridge.wait_settled()
    assert bridge.metrics().value("published_total") == 30


def test_mosquittos_refusals_of_one_source_leave_the_other_alone(start):
    """Its access list allows nothing of the second source."""
    broker = start.broker(acl="topic read #\ntopic write partners/#\ntopic write hook2mqtt/#\n")
    subscriber = start.subscriber(broker)
    denied = {**source()[0], "name": "denied", "path": "/hooks/denied", "topic": "denied/{gid}"}
    bridge = start.bridge(broker, {"sources": [*source(), denied]}).wait_connected()
    for i in range(50):
        bridge.accept(events.body(gid=f"d{i}"), path="/hooks/denied")
    good = send(bridge, *(f"good{i}" for i in range(50)))
    began = time.monotonic()
    subscriber.wait(lambda: {m.payload for m in subscriber.under("partners/")} == set(good), "at once")
    assert time.monotonic() - began < 10
    wait_until(lambda: bridge.metrics().value("dead_letters") > 2, bridge.log_text, deadline_s=60)
    more = send(bridge, *(f"more{i}" for i in range(50)))
    began = time.monotonic()
    subscriber.wait(lambda: {m.payload for m in subscriber.under("partners/")} == {*good, *more}, "at once")
    assert time.monotonic() - began < 10
    assert {row["reason"] for row in bridge.rows("dead")} == {"0x87 not authorized"}
