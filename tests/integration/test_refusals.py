"""Limits of the broker, and messages that it does not take: held within, tried again, or kept as dead letters."""

import pytest

from lib import events
from lib.bridge import STATE_TOPIC, source
from lib.mqtt_server import Session, never, refuse
from lib.wait import holds_for, wait_until


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("reason", [0x90, 0x95, 0x99])
def test_what_the_broker_refuses_for_good_is_a_dead_letter_and_the_rest_goes_on(start, reason, qos):
    server = start.mqtt_server(refuse("bad", reason))
    bridge = start.bridge(server, {"sources": source(qos=qos)}).wait_connected()
    bad, good = events.body(gid="bad"), events.body(gid="good")
    one = bridge.accept(bad)
    bridge.accept(good)
    bridge.wait_settled()
    assert server.payloads == [bad, good]
    [letter] = bridge.rows("dead")
    assert letter["id"] == one and letter["gid"] == "bad"
    metrics = bridge.metrics()
    assert metrics.value("buried_total") == metrics.value("dead_letters") == 1
    assert metrics.value("refused_total", reason_code=f"0x{reason:02x}") == 1
    assert metrics.value("published_total") == 1
    assert bridge.lines(id=one, level="warn"), "a line in the log says so"


def test_no_matching_subscribers_is_a_delivery(start):
    server = start.mqtt_server(refuse("partners/", 0x10))
    bridge = start.bridge(server).wait_connected()
    bridge.accept(events.body())
    bridge.wait_settled()
    assert len(server.events) == 1
    assert bridge.metrics().value("published_total") == 1
    assert bridge.metrics().value("refused_total") == 0


def test_an_event_too_large_for_the_broker_is_a_dead_letter(start):
    broker = start.broker(max_packet_size=20000)
    subscriber = start.subscriber(broker)
    bridge = start.bridge(broker).wait_connected()
    one = bridge.accept(events.body(gid="big", pad="x" * 30000))
    body = events.body(gid="small")
    bridge.accept(body)
    assert subscriber.wait_under("partners/", 1)[0].payload == body
    wait_until(lambda: [row["id"] for row in bridge.rows("dead")] == [one], "a dead letter")
    bridge.wait_settled()


def test_maximum_packet_size_is_respected_to_the_byte(start):
    """What is too large by one byte is not even sent."""
    probe = start.mqtt_server()
    bridge = start.bridge(probe).wait_connected()
    bridge.accept(events.body(gid="size", pad="x" * 1000))
    size = probe.wait_events(1)[0].packet_bytes
    assert bridge.stop() == 0

    for limit, arrives in ((size, True), (size - 1, False)):
        server = start.mqtt_server(maximum_packet_bytes=limit)
        bridge = start.bridge(server).wait_connected()
        bridge.accept(events.body(gid="size", pad="x" * 1000))
        bridge.wait_settled()
        assert [p.packet_bytes for p in server.events] == ([size] if arrives else [])
        assert bridge.metrics().value("dead_letters") == (0 if arrives else 1)


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("maximum", [1, 3])
def test_never_more_than_receive_maximum_is_in_flight(start, maximum, qos):
    held = []
    server = start.mqtt_server(lambda session, publish: held.append(publish), receive_maximum=maximum)
    bridge = start.bridge(server, {"sources": source(qos=qos)}).wait_connected()
    bodies = [events.body(gid=f"r{i}") for i in range(12)]
    for body in bodies:
        bridge.accept(body)
    session = server.wait_session()
    server.wait_events(maximum)
    holds_for(lambda: len(server.events) == maximum, 0.5, "more than the maximum")
    session.ack(held[0])
    server.wait_events(maximum + 1)
    server.on_publish = Session.ack
    for publish in held[1:]:
        session.ack(publish)
    bridge.wait_settled()
    assert server.payloads == bodies
    assert session.most_unacked <= maximum


def test_never_more_than_max_in_flight_is_in_flight(start):
    server = start.mqtt_server(never)
    bridge = start.bridge(server, {"mqtt": {"max_in_flight": 5}}).wait_connected()
    for i in range(20):
        bridge.accept(events.body(gid=f"m{i}"))
    server.wait_events(5)
    holds_for(lambda: len(server.events) == 5, 0.5, "more than the maximum")
    assert bridge.metrics().value("in_flight_events") == 5
    for publish in server.events[:5]:
        server.sessions[0].ack(publish)
    server.wait_events(10)
    server.on_publish = Session.ack
    for publish in server.events[5:]:
        server.sessions[0].ack(publish)
    bridge.wait_settled()


def test_receive_maximum_holds_for_state_messages_too(start):
    server = start.mqtt_server(receive_maximum=1)
    config = {"sources": source(state_topic=STATE_TOPIC)}
    bridge = start.bridge(server, config).wait_connected()
    for i in range(10):
        bridge.accept(events.body(gid=f"s{i}"))
    bridge.wait_settled()
    assert len(server.events) == 20
    assert server.sessions[0].most_unacked <= 1


def test_acknowledgements_in_any_order_settle_what_they_name(start):
    server = start.mqtt_server(never)
    bridge = start.bridge(server).wait_connected()
    bodies = [events.body(gid=f"o{i}") for i in range(6)]
    for body in bodies:
        bridge.accept(body)
    first = server.wait_events(6)
    for publish in reversed(first[1:]):
        server.sessions[0].ack(publish)
    bridge.wait_metric("in_flight_events", 1)
    # The oldest is still open: after the loss of the connection everything from it on may come again, in order.
    server.on_publish = Session.ack
    server.sessions[0].close()
    bridge.wait_settled()
    again = [publish.payload for publish in server.sessions[-1].events]
    assert again == bodies[: len(again)] and again[0] == bodies[0]
    assert bridge.metrics().value("dead_letters") == 0


def test_redelivery_starts_at_the_oldest_unacknowledged_event(start):
    taken = []

    def two(session, publish):
        if len(taken) < 2:
            taken.append(publish.payload)
            session.ack(publish)

    server = start.mqtt_server(two)
    bridge = start.bridge(server, {"mqtt": {"max_in_flight": 4}}).wait_connected()
    bodies = [events.body(gid=f"r{i}") for i in range(8)]
    for body in bodies:
        bridge.accept(body)
    server.wait_events(6)
    assert taken == bodies[:2]
    server.on_publish = Session.ack
    server.sessions[0].close()
    bridge.wait_settled()
    assert [publish.payload for publish in server.sessions[-1].events] == bodies[2:]
    assert bridge.metrics().value("resent_total") == 4


def test_a_broker_that_goes_away_is_never_held_against_a_message(start):
    """Connections that are lost with nothing in particular to blame, more often than poison may."""
    server = start.mqtt_server(lambda session, publish: session.close())
    bridge = start.bridge(server).wait_connected()
    bodies = [events.body(gid=f"h{i}") for i in range(3)]
    server.on_publish = never
    for body in bodies:
        bridge.accept(body)
    for number in range(1, 4):
        session = server.wait_session(number)
        wait_until(lambda found=session: found.events, "something is sent")
        session.close()
    server.on_publish = Session.ack
    bridge.wait_settled()
    assert bridge.metrics().value("dead_letters") == 0
    assert list(dict.fromkeys(server.payloads)) == bodies


@pytest.mark.parametrize("reason", [0x8B, 0x89, 0x98], ids=["shutting down", "busy", "administrative"])
def test_a_broker_that_says_goodbye_is_connected_again(start, reason):
    server = start.mqtt_server()
    bridge = start.bridge(server).wait_connected()
    server.wait_session(1).send_disconnect(reason)
    server.wait_session(2)
    bridge.accept(events.body())
    bridge.wait_settled()


def test_acknowledgements_of_an_earlier_connection_count_for_nothing(start):
    server = start.mqtt_server(never)
    bridge = start.bridge(server).wait_connected()
    body = events.body()
    bridge.accept(body)
    stale = server.wait_events(1)[0]
    server.sessions[0].close()
    server.wait_events(2)
    server.sessions[0].ack(stale)
    assert bridge.metrics().value("published_total") == 0
    server.sessions[1].ack(server.events[1])
    bridge.wait_settled()
    assert server.payloads == [body, body]


def test_dead_letters_can_be_retried_by_hand(start):
    server = start.mqtt_server(refuse("bad", 0x90))
    bridge = start.bridge(server).wait_connected()
    body = events.body(gid="bad")
    one = bridge.accept(body)
    bridge.wait_metric("dead_letters", 1)
    server.on_publish = Session.ack
    bridge.cli("dead", "retry", one)
    bridge.wait_metric("dead_letters", 0)
    wait_until(lambda: server.payloads == [body, body], "it is sent again")
    bridge.wait_metric("published_total", 1)
    assert bridge.rows("dead") == []


def test_dead_letters_survive_a_restart(start):
    server = start.mqtt_server(refuse("bad", 0x90))
    bridge = start.bridge(server).wait_connected()
    one = bridge.accept(events.body(gid="bad"))
    bridge.wait_metric("dead_letters", 1)
    bridge.restart()
    assert [row["id"] for row in bridge.rows("dead")] == [one]
    bridge.wait_metric("dead_letters", 1)
    bridge.accept(events.body(gid="good"))
    bridge.wait_settled()
    assert len(server.events) == 2, "a dead letter is not sent by itself"


def test_a_state_message_that_is_refused_does_not_hold_up_the_events(start):
    server = start.mqtt_server(refuse("partners-state", 0x90))
    config = {"sources": source(state_topic=STATE_TOPIC)}
    bridge = start.bridge(server, config).wait_connected()
    bodies = [events.body(gid=f"s{i}") for i in range(3)]
    for body in bodies:
        bridge.accept(body)
    bridge.wait_settled()
    assert [p.payload for p in server.events if p.topic.startswith("partners/")] == bodies


@pytest.mark.parametrize("limit, why", [({"maximum_qos": 0}, "QoS 0"), ({"receive_maximum": 0}, "Receive Maximum")])
def test_a_broker_that_can_acknowledge_nothing_is_not_used(start, limit, why):
    """Everything could be lost unseen, or nothing ever be sent."""
    useless, other = start.mqtt_server(**limit), start.mqtt_server()
    bridge = start.bridge(None, {"mqtt": {"servers": [useless.url, other.url]}}).wait_connected()
    body = events.body()
    bridge.accept(body)
    bridge.wait_settled()
    assert useless.events == [] and other.payloads == [body]
    [line] = bridge.lines(level="error", server=useless.url)
    assert why in line["error"]


def test_large_events_are_not_all_in_flight_at_once(start):
    server = start.mqtt_server(never)
    bridge = start.bridge(server).wait_connected()
    for i in range(30):
        bridge.accept(events.body(gid=f"l{i}", pad="x" * 1000000))
    server.wait_events(16)
    holds_for(lambda: len(server.events) <= 17, 0.5, "more than 16 MiB and one event in flight")
    server.on_publish = Session.ack
    for publish in server.events:
        server.sessions[0].ack(publish)
    bridge.wait_settled()
