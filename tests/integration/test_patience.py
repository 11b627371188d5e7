"""
What takes its time by design: back-off, grace, watchdogs, intervals.

All scenarios run at the same time, each in a thread with processes of its own; each test waits for the end of its one.
"""

import concurrent.futures
import json
import socket
import time

import pytest

from lib import events
from lib.bridge import source
from lib.mqtt_server import Session, never, refuse
from lib.starter import Starter
from lib.wait import holds_for, wait_until

SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


def play(scenario, folder):
    starter = Starter(folder)
    try:
        scenario(starter)
    finally:
        starter.close()


@pytest.fixture(scope="module")
def scenarios(request, tmp_path_factory):
    """{function: future} of those selected."""
    selected = [item.callspec.params["scenario"] for item in request.session.items if item.path == request.path]
    with concurrent.futures.ThreadPoolExecutor(len(selected)) as pool:
        yield {scenario: pool.submit(play, scenario, tmp_path_factory.mktemp("scenario")) for scenario in selected}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda function: function.__name__)
def test_in_due_time(scenarios, scenario):
    scenarios[scenario].result()


@scenario
def health_is_published_every_30_seconds(start):
    broker = start.broker()
    subscriber = start.subscriber(broker, "hook2mqtt/hook2mqtt/health")
    bridge = start.bridge(broker)
    first = json.loads(subscriber.wait(lambda: subscriber.all[:1], "a first one")[0].payload)
    for word in ("uptime", "backlog", "oldest"):
        assert word in json.dumps(first), first
    bridge.accept(events.body())
    second = subscriber.wait(lambda: subscriber.all[1:2], "a second one", deadline_s=60)[0]
    assert 25 < json.loads(second.payload)["uptime_s"] - first["uptime_s"] < 45
    assert second.retain


@scenario
def a_stop_is_bounded_if_the_broker_acknowledges_nothing(start):
    server = start.mqtt_server(never)
    bridge = start.bridge(server).wait_connected()
    one = bridge.accept(events.body())
    server.wait_events(1)
    assert bridge.stop() == 0
    assert [row["id"] for row in bridge.rows("outbox", "--undelivered")] == [one]


def a_stop_that_nobody_hears(start, window):
    """A DISCONNECT with reason 0x04 keeps the will; a normal one would leave "online" for ever."""

    def deaf(session, publish):
        if publish.topic.startswith("hook2mqtt/") and b"offline" not in publish.payload:
            session.ack(publish)

    server = start.mqtt_server(deaf, own_prefix="nothing/")
    bridge = start.bridge(server, {"mqtt": {"max_in_flight": window}}).wait_connected()
    bridge.accept(events.body())
    wait_until(lambda: any(p.topic.startswith("partners/") for p in server.events), "the event in flight")
    assert bridge.stop() == 0
    wait_until(lambda: server.sessions[0].disconnect_reason is not None, "a DISCONNECT")
    assert server.sessions[0].disconnect_reason == 4


@scenario
def a_stop_that_nobody_hears_leaves_it_to_the_will_to_say_offline(start):
    a_stop_that_nobody_hears(start, 256)


@scenario
def a_stop_that_nobody_hears_leaves_it_to_the_will_with_a_window_of_one(start):
    a_stop_that_nobody_hears(start, 1)


@scenario
def two_bridges_with_one_client_id_are_told_so(start):
    """Mosquitto 2.0.11 does not say why it ends the older connection."""
    broker = start.broker()
    one, two = start.bridge(broker), start.bridge(broker)
    hint = "broker ends each connection soon: is another client using this client_id?"
    wait_until(lambda: one.lines(hint) or two.lines(hint), "the hint", deadline_s=90)
    # No topic and no message is blamed for it.
    assert not [line for line in one.log() + two.log() if "is off for a while" in line["msg"]]


@scenario
def a_large_message_on_a_slow_line_arrives_once(start):
    """20 s for one message: longer than Paho and the watchdogs wait for a sign of life."""
    broker = start.broker()
    subscriber = start.subscriber(broker)
    proxy = start.proxy(broker, bytes_per_s=16000)
    bridge = start.bridge(proxy, {"mqtt": {"keep_alive": "4s"}}).wait_connected()
    body = events.body(pad="x" * 320000)
    bridge.accept(body)
    [message] = subscriber.wait(lambda: subscriber.on(events.topic()), "the message", deadline_s=60)
    assert message.payload == body
    bridge.wait_settled()
    assert bridge.metrics().value("resent_total") == 0
    assert bridge.metrics().value("broker_connects_total") == 1


@scenario
def who_answers_pings_but_no_message_is_left_all_the_same(start):
    """Pings that arrive are no progress of the message."""
    server = start.mqtt_server(never)
    bridge = start.bridge(server, {"mqtt": {"keep_alive": "2s"}}).wait_connected()
    bridge.accept(events.body())
    server.wait_events(2)
    assert server.sessions[0].pings > 0
    assert bridge.lines("broker connection lost")


@scenario
def a_server_that_does_not_answer_is_said_to(start):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        bridge = start.bridge(None, {"mqtt": {"servers": [f"mqtt://127.0.0.1:{port}"]}})
        [line] = bridge.wait_log(lambda: bridge.lines("cannot reach broker"), "why")
        assert line["error"] == f"127.0.0.1:{port}: no answer to CONNECT within 10 s"


@scenario
def an_address_that_does_not_answer_is_said_to(start):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # what is beyond the backlog gets no answer
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        bridge = start.bridge(None, {"mqtt": {"servers": [f"mqtt://127.0.0.1:{port}"]}})
        [line] = bridge.wait_log(lambda: bridge.lines("cannot reach broker"), "why")
        assert line["error"] == f"no answer from 127.0.0.1:{port} within 10 s"
        for filler in fillers:
            filler.close()


@scenario
def a_server_that_accepts_and_says_nothing_does_not_hold_up_the_next(start):
    broker = start.broker()
    subscriber = start.subscriber(broker)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        servers = [f"mqtt://127.0.0.1:{silent.getsockname()[1]}", broker.url]
        bridge = start.bridge(broker, {"mqtt": {"servers": servers}})
        bridge.accept(events.body())
        subscriber.wait_for(events.topic())


@scenario
def two_bridges_with_one_client_id_do_not_throw_each_other_out_ever_faster(start):
    """Mosquitto 2.0.11 hangs up without a word; another scenario has a broker that says why."""
    broker = start.broker()
    start.bridge(broker).wait_connected()
    start.bridge(broker).wait_connected()

    def count():
        return broker.log_text().count("New client connected")

    begin = count()
    holds_for(lambda: count() - begin <= 30, 6, lambda: f"{count() - begin} connections in 6 s")


@scenario
def a_session_taken_over_is_an_error_and_a_long_pause(start):
    server = start.mqtt_server()
    bridge = start.bridge(server).wait_connected()
    server.wait_session(1).send_disconnect(0x8E)
    bridge.wait_log(lambda: bridge.lines(level="error"), "an error")
    holds_for(lambda: len(server.sessions) == 1, 6, "it came back at once")
    bridge.accept(events.body())
    assert bridge.get("/readyz").status == 200


@scenario
def the_servers_are_not_hammered_while_none_answers(start):
    server = start.mqtt_server(reason=0x88)  # server unavailable
    start.bridge(server)
    server.wait_session()
    holds_for(lambda: len(server.sessions) <= 15, 6, lambda: f"{len(server.sessions)} attempts in 6 s")


@scenario
def a_broker_that_stops_reading_is_left_and_tried_again(start):
    broker = start.broker()
    subscriber = start.subscriber(broker)
    proxy = start.proxy(broker)
    bridge = start.bridge(proxy, {"mqtt": {"keep_alive": "1s"}}).wait_connected()
    proxy.stall()
    body = events.body()
    bridge.accept(body)
    bridge.wait_metric("broker_connected", 0)
    proxy.resume()
    assert subscriber.wait_for(events.topic())[0].payload == body
    bridge.wait_settled()


@scenario
def a_broker_that_answers_pings_but_acknowledges_nothing_is_left(start):
    """As one under a memory alarm may do; only the watchdog on acknowledgements notices."""
    server = start.mqtt_server(never)
    bridge = start.bridge(server, {"mqtt": {"keep_alive": "2s"}}).wait_connected()
    bridge.accept(events.body())
    server.wait_session(2)
    server.on_publish = Session.ack
    bridge.wait_settled()
    assert bridge.metrics().value("dead_letters") == 0


@scenario
def a_keep_alive_given_by_the_broker_is_kept(start):
    """The broker wants to hear something every 6 seconds; by the standard it may hang up after 9."""
    server = start.mqtt_server(server_keep_alive_s=6)
    start.bridge(server, {"mqtt": {"keep_alive": "60s"}}).wait_connected()
    # The bridge may have needed a second connection to make its library obey.
    session = server.sessions[-1]
    holds_for(
        lambda: session.open and time.monotonic() - session.last_packet_at < 9,
        20,
        lambda: f"open {session.open}, silent {time.monotonic() - session.last_packet_at:.2f} s",
    )


@scenario
def an_idle_connection_is_kept_alive(start):
    server = start.mqtt_server()
    start.bridge(server, {"mqtt": {"keep_alive": "3s"}}).wait_connected()
    session = server.wait_session()
    wait_until(lambda: session.pings >= 5, "pings")
    assert session.open and len(server.sessions) == 1


def refusal_that_may_pass(start, reason):
    server = start.mqtt_server(refuse("partners/", reason))
    bridge = start.bridge(server).wait_connected()
    body = events.body()
    bridge.accept(body)
    server.wait_events(2)
    assert bridge.metrics().value("dead_letters") == 0
    server.on_publish = Session.ack
    bridge.wait_settled()
    assert set(server.payloads) == {body}
    assert bridge.metrics().value("dead_letters") == 0
    assert bridge.metrics().value("published_total") == 1


@scenario
def an_unspecified_refusal_is_tried_again(start):
    refusal_that_may_pass(start, 0x80)


@scenario
def a_refusal_of_the_brokers_own_kind_is_tried_again(start):
    refusal_that_may_pass(start, 0x83)


@scenario
def a_quota_that_is_exceeded_is_tried_again(start):
    refusal_that_may_pass(start, 0x97)


@scenario
def not_authorized_is_tried_again_for_a_while_because_an_acl_may_be_changing(start):
    refusal_that_may_pass(start, 0x87)


def denied_by_the_acl(start, deny):
    """A source whose topic the broker denies must not hold up the other one."""
    broker, subscriber = deny(start)
    denied = {**source()[0], "name": "denied", "path": "/hooks/denied", "topic": "denied/{gid}"}
    bridge = start.bridge(broker, {"sources": [*source(), denied]}).wait_connected()
    one = bridge.accept(events.body(), path="/hooks/denied")
    after = [events.body(gid=f"after{i}") for i in range(3)]
    for body in after:
        bridge.accept(body)
    wait_until(
        lambda: [row["id"] for row in bridge.rows("dead")] == [one], "a dead letter", deadline_s=90
    )
    assert bridge.rows("dead")[0]["reason"] == "0x87 not authorized"
    bridge.wait_settled()
    # What was in flight beside the denied one when that was refused first is sent once more after it.
    assert 3 <= bridge.metrics().value("published_total") <= 6
    return subscriber, after


@scenario
def what_mosquittos_acl_denies_is_a_dead_letter_after_a_grace(start):
    """Mosquitto 2.0.11 says 0x87 and then hangs up, each time."""

    def deny(start):
        acl = "topic read #\ntopic write partners/#\ntopic write hook2mqtt/#\n"
        broker = start.broker(acl=acl)
        return broker, start.subscriber(broker)

    subscriber, after = denied_by_the_acl(start, deny)
    subscriber.wait(lambda: list(dict.fromkeys(m.payload for m in subscriber.under("partners/"))) == after, "each, in order")


@scenario
def what_a_broker_denies_without_hanging_up_is_a_dead_letter_after_a_grace(start):
    server, after = denied_by_the_acl(start, lambda start: 2 * (start.mqtt_server(refuse("denied/", 0x87)),))
    taken = [p.payload for p in server.events if p.topic.startswith("partners/")]
    assert list(dict.fromkeys(taken)) == after


@scenario
def a_message_that_takes_the_connection_with_it_is_a_dead_letter_after_five_times(start):
    """As brokers do that refuse a topic by hanging up: it must not be tried for ever."""
    alone = []

    def hang_up(session, publish):
        if "poison" not in publish.topic:
            session.ack(publish)
            return
        others = [p for p in session.unacked.values() if p is not publish and "partners" in p.topic]
        alone.append(not others)
        session.close()

    server = start.mqtt_server(hang_up)
    bridge = start.bridge(server).wait_connected()
    before = [events.body(gid=f"before{i}") for i in range(3)]
    after = [events.body(gid=f"after{i}") for i in range(3)]
    for body in (*before, events.body(gid="poison"), *after):
        bridge.accept(body)
    wait_until(lambda: bridge.metrics().value("dead_letters") == 1, bridge.log_text, deadline_s=120)
    bridge.wait_settled()
    [letter] = bridge.rows("dead")
    assert letter["gid"] == "poison" and letter["reason"]
    assert set(server.payloads) >= {*before, *after}
    assert 5 <= len(alone) <= 7 and all(alone[-5:]), "five times in a row while it was sent alone"


@scenario
def refused_connections_are_never_held_against_a_message(start):
    broker = start.broker()
    subscriber = start.subscriber(broker)
    server = start.mqtt_server(reason=0x88)  # hangs up at once
    proxy = start.proxy(server)
    bridge = start.bridge(proxy)
    body = events.body()
    bridge.accept(body)
    wait_until(lambda: len(server.sessions) >= 6, "attempts", deadline_s=60)
    proxy.target = (broker.host, broker.port)
    assert subscriber.wait_for(events.topic())[0].payload == body
    assert bridge.metrics().value("dead_letters") == 0
