"""The bridge's own presence (will, state, info, health) never stops delivery, whatever a broker refuses of it."""

import pytest

from lib import events
from lib.bridge import STATE_TOPIC, source
from lib.mqtt_server import Session, refuse
from lib.wait import holds_for, wait_until

VERSIONS = ["5", "3.1.1"]
OWN = "hook2mqtt/hook2mqtt/"


def wait_delivered(bridge, count):
    bodies = [events.body(gid=f"p{i}") for i in range(count)]
    for body in bodies:
        bridge.accept(body)
    bridge.wait_settled()
    assert bridge.metrics().value("dead_letters") == 0
    return bodies


@pytest.mark.parametrize("version", VERSIONS)
def test_a_broker_that_retains_nothing_gets_all_events(start, version):
    broker = start.broker(lines=["retain_available false"])
    subscriber = start.subscriber(broker)
    config = {"mqtt": {"version": version}, "sources": source(retain=True, state_topic=STATE_TOPIC)}
    bridge = start.bridge(broker, config).wait_connected()
    bodies = wait_delivered(bridge, 5)
    assert [m.payload for m in subscriber.wait_under("partners/", 5)] == bodies
    assert len(subscriber.wait_under("partners-state/", 5)) == 5
    assert subscriber.wait_under(OWN + "state", 1)[0].payload == b'{"state":"online"}'
    [line] = bridge.lines("the broker does not take the bridge's will as it is")
    assert line["will"] == "not retained"
    # Another connection asks for what is known to be taken, and says nothing new.
    refused = broker.log_text().count("retain not supported")
    bridge.restart()
    bridge.wait_connected()
    wait_delivered(bridge, 1)
    assert bridge.metrics().value("broker_connects_total") == 1
    assert refused == 1


def test_a_will_that_was_lowered_is_remembered_for_that_server(start):
    def taken(session):
        return 0x9A if session.connect.will_retain else 0

    server = start.mqtt_server(reason=taken)
    bridge = start.bridge(server).wait_connected()
    wait_until(lambda: len(server.sessions) == 2, "refused, then taken")
    server.sessions[-1].close()
    bridge.wait_metric("broker_connects_total", 2)
    assert [s.connect.will_retain for s in server.sessions] == [True, False, False]
    assert len(bridge.lines("the broker does not take the bridge's will as it is")) == 1
    wait_delivered(bridge, 3)
    assert not any(p.retain for s in server.sessions for p in s.publishes)


def test_a_will_with_a_lower_qos_is_asked_for(start):
    server = start.mqtt_server(reason=lambda session: 0x9B if session.connect.will_qos else 0)
    bridge = start.bridge(server).wait_connected()
    wait_delivered(bridge, 3)
    assert (server.sessions[-1].connect.will_qos, server.sessions[-1].connect.will_retain) == (0, True)


def test_a_broker_with_qos_0_alone_is_refused_for_what_it_is(start):
    broker = start.broker(listener_lines=["max_qos 0"])
    bridge = start.bridge(broker)
    lines = bridge.wait_log(lambda: bridge.lines("broker refuses the connection"), "a refusal")
    assert lines[0]["error"] == "it supports QoS 0 only and would acknowledge nothing"


@pytest.mark.parametrize("reason", [0x80, 0x83, 0x87, 0x90, 0x95, 0x97, 0x99, None])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_will_that_is_refused_is_left_out(start, version, reason):
    """None: the server hangs up."""
    code = 5 if version == "3.1.1" and reason is not None else reason
    server = start.mqtt_server(reason=lambda session: code if session.connect.will_topic else 0)
    bridge = start.bridge(server, {"mqtt": {"version": version}}).wait_connected()
    wait_delivered(bridge, 3)
    assert server.sessions[-1].connect.will_topic is None
    [line] = bridge.lines("the broker does not take the bridge's will as it is")
    assert line["will"] == "none"
    state = [p for p in server.sessions[-1].publishes if p.topic == OWN + "state"]
    assert state[0].payload == b'{"state":"online"}' and state[0].retain


@pytest.mark.parametrize("version", VERSIONS)
def test_another_server_is_asked_for_the_whole_will(start, version):
    hang_up = start.mqtt_server(reason=lambda session: None if session.connect.will_topic else 0)
    other = start.mqtt_server()
    config = {"mqtt": {"version": version, "servers": [hang_up.url, other.url]}}
    bridge = start.bridge(None, config).wait_connected()
    hang_up.sessions[-1].close()
    wait_until(lambda: other.sessions and other.sessions[0].connect, "the other server is taken")
    assert other.sessions[0].connect.will_retain
    bridge.wait_connected()
    wait_delivered(bridge, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_who_refuses_everybody_is_not_asked_without_a_will_each_time(start, version):
    server = start.mqtt_server(reason=5 if version == "3.1.1" else 0x87)
    bridge = start.bridge(server, {"mqtt": {"version": version}})
    wait_until(lambda: len([s for s in server.sessions if s.connect]) >= 5, "several tries")
    wills = [bool(s.connect.will_topic) for s in server.sessions if s.connect]
    assert wills.count(False) == 1
    assert bridge.lines("broker refuses the connection")[0]["error"] == "not authorized"


# The topics


@pytest.mark.parametrize("version", VERSIONS)
def test_topics_that_an_acl_forbids_are_left_out(start, version):
    broker = start.broker(acl="topic write partners/#\ntopic read #\n")
    subscriber = start.subscriber(broker)
    bridge = start.bridge(broker, {"mqtt": {"version": version}})
    bodies = [events.body(gid=f"a{i}") for i in range(5)]
    for body in bodies:
        bridge.accept(body)
    wait_until(lambda: {m.payload for m in subscriber.under("partners/")} == set(bodies), "all events")
    bridge.wait_settled()
    connects = bridge.metrics().value("broker_connects_total")
    assert connects < 12
    holds_for(lambda: bridge.metrics().value("broker_connects_total") == connects, 3, "the connection stays")
    assert bridge.metrics().value("dead_letters") == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_only_the_topic_that_is_too_large_is_left_out(start, version):
    """MQTT 5 says how large a packet may be; over 3.1.1 the broker hangs up."""
    many = [{**source()[0], "name": f"s{i}", "path": f"/p/{i}"} for i in range(10)]
    broker = start.broker(max_packet_size=600)
    subscriber = start.subscriber(broker)
    bridge = start.bridge(broker, {"mqtt": {"version": version}, "sources": source() + many})
    bodies = [events.body(gid=f"a{i}") for i in range(3)]
    for body in bodies:
        bridge.accept(body)
    wait_until(lambda: {m.payload for m in subscriber.under("partners/")} == set(bodies), "all events")
    subscriber.wait_for(OWN + "state")
    subscriber.wait_for(OWN + "health")
    [line] = bridge.wait_log(lambda: bridge.lines(topic=OWN + "info"), "it says so")
    assert not bridge.lines(topic=OWN + "state") and not bridge.lines(topic=OWN + "health")
    assert line["level"] == "warn"


@pytest.mark.parametrize("reason", [0x87, 0x90, 0x95, 0x97, 0x99])
def test_topics_that_are_refused_by_a_code_are_said_once(start, reason):
    def answer(session, publish):
        session.ack(publish, reason if publish.topic.startswith(OWN) else 0)

    server = start.mqtt_server(answer, own_prefix="none/")
    bridge = start.bridge(server).wait_connected()
    bodies = wait_delivered(bridge, 3)
    assert [p for p in server.payloads if p in bodies] == bodies
    server.sessions[-1].close()
    bridge.wait_metric("broker_connects_total", 2)
    wait_delivered(bridge, 1)
    told = [line["topic"] for line in bridge.lines() if "is off for a while" in line["msg"]]
    assert len(told) == len(set(told))


def test_a_broker_that_hangs_up_on_one_of_the_topics_gets_the_others(start):
    def answer(session, publish):
        if publish.topic == OWN + "info":
            session.close()
        else:
            session.ack(publish)

    server = start.mqtt_server(answer, own_prefix="none/")
    bridge = start.bridge(server)
    bridge.wait_log(lambda: bridge.lines(topic=OWN + "info"), "info is off")
    bridge.wait_connected()
    wait_delivered(bridge, 3)
    wanted = {OWN + "state", OWN + "health"}
    wait_until(lambda: {p.topic for p in server.sessions[-1].publishes if p.topic.startswith(OWN)} == wanted, "both")


# Brokers of 3.1.1 only


def test_a_broker_that_hangs_up_on_mqtt_5_is_said_to_speak_3_1_1_only(start):
    server = start.mqtt_server(reason=lambda session: None if session.connect.version == 5 else 0)
    bridge = start.bridge(server)
    [line] = bridge.wait_log(lambda: bridge.lines("broker refuses the connection"), "a refusal")
    assert line["error"] == "it speaks MQTT 3.1.1 only (mqtt.version)"
    wait_until(lambda: len(server.sessions) >= 6, "more tries")
    assert len(bridge.lines("broker refuses the connection")) == 1
    asked = [s.connect for s in server.sessions if s.connect and s.connect.version != 5]
    assert len(asked) == 1 and asked[0].username is None and asked[0].will_topic is None
    assert not any(s.publishes for s in server.sessions)


def test_a_broker_that_hangs_up_on_both_is_not_said_to(start):
    server = start.mqtt_server(reason=lambda session: None)
    bridge = start.bridge(server)
    [line] = bridge.wait_log(lambda: bridge.lines("cannot reach broker"), "a failure")
    assert line["error"].endswith("it closed the connection without an answer to CONNECT")


def test_retry_after_refusal_keeps_order(start):
    """A refused status topic is never counted against an event."""
    server = start.mqtt_server(refuse(OWN, 0x87), own_prefix="none/")
    bridge = start.bridge(server).wait_connected()
    bodies = wait_delivered(bridge, 10)
    assert [p.payload for p in server.events if p.payload in bodies] == bodies
    server.on_publish = Session.ack
