"""What an event looks like on the broker: topic, payload, metadata, quality of service."""

import datetime
import json
import re
import time

import pytest

from lib import events
from lib.bridge import source
from lib.subscriber import retained
from lib.wait import wait_until

RECEIVED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(scope="module")
def shared(start_for_module):
    """(bridge, subscriber) for tests that look only at the message of the id they were told."""
    broker = start_for_module.broker()
    subscriber = start_for_module.subscriber(broker, "partners/#")
    return start_for_module.bridge(broker).wait_connected(), subscriber


def deliver(bridge, subscriber, body):
    """Posts it and returns its message."""
    one = bridge.accept(body)
    return subscriber.wait(
        lambda: next((m for m in subscriber.under("partners/") if m.property("id") == one), None),
        f"the message of {one}",
    )


def literal(gid, event="resource.updated", resource_type="project"):
    """A body with these JSON strings (quotes included in them), spelled exactly so."""
    return (
        f'{{"event":{event},"resource_type":{resource_type},"resource_gid":{gid},'
        f'"resource":{{"n":{next(events.counter)}}}}}'
    ).encode()


BODIES = {
    "odd whitespace": b' \t\r\n{ "event" :"resource.updated",\n\t"resource_type":\r"project" ,'
    b'"resource_gid":"w"  }\r\n \t',
    "escapes": rb'{"event":"resource\u002eupdated","resource_type":"\u0070roject","resource_gid":"e",'
    rb'"resource":{"a":"\u00e9\/\b\f\n\r\t\"\\\u0000\ud83d\ude00"}}',
    "unicode": '{"event":"resource.updated","resource_type":"project","resource_gid":"u",'
    '"resource":{"title":"Café ☃ 😀 \u2028 \ufeff ‮ é"}}'.encode(),
    "numbers": b'{"event":"resource.updated","resource_type":"project","resource_gid":"n",'
    b'"resource":{"a":123456789012345678901234567890,"b":-0.0,"c":1e-7,"d":1E400,"e":1.10}}',
    "members twice": b'{"event":"x","event":"resource.updated","resource_type":"project",'
    b'"resource_gid":"t","a":1,"a":2}',
    "other members first": b'{"z":[[[{}]]],"resource_gid":"o","a":null,"b":true,'
    b'"resource_type":"project","event":"resource.updated"}',
    "the same names deeper": b'{"resource":{"event":"no","resource_gid":"no","resource_type":"no"},'
    b'"event":"resource.updated","resource_type":"project","resource_gid":"d"}',
    "slashes and quotes": rb'{"event":"resource.updated","resource_type":"project","resource_gid":"s",'
    rb'"html":"<p class=\"a\">1 \/ 2</p>"}',
    "300 kB": b'{"event":"resource.updated","resource_type":"project","resource_gid":"l","a":"'
    + b"x" * 300000
    + b'"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_payload_is_the_body_byte_for_byte(shared, body):
    message = deliver(*shared, body)
    assert message.payload == body
    fields = json.loads(body)
    assert message.topic == f"partners/project/resource.updated/{fields['resource_gid']}"


LEVELS = {
    '"559befeeab59f"': "559befeeab59f",
    '"1234567890abcdef1234567890abcdef"': "1234567890abcdef1234567890abcdef",
    '"a/b"': "a%2Fb",
    '"/"': "%2F",
    '"+"': "%2B",
    '"a+"': "a%2B",
    '"#"': "%23",
    '"a#b"': "a%23b",
    '"100%"': "100%25",
    '"%2F"': "%252F",
    '"$SYS"': "%24SYS",
    '"a$b"': "a$b",
    '"_"': "_",
    '".."': "..",
    '"a b"': "a b",
    '"\\u0001"': "%01",
    '"a\\nb"': "a%0Ab",
    '"\\u001f"': "%1F",
    '"\\u007f"': "%7F",
    '"\\u0085"': "%C2%85",
    '"é"': "é",
    '"\\u00e9"': "é",
    '"\\ud83d\\ude00"': "😀",
    '"😀"': "😀",
    '"' + "g" * 512 + '"': "g" * 512,
    '"../../+/#/$SYS/\\u001b"': "..%2F..%2F%2B%2F%23%2F$SYS%2F%1B",
}


def test_a_gid_of_any_shape_is_one_level_of_the_topic(shared):
    for gid, level in LEVELS.items():
        message = deliver(*shared, literal(gid, '"resource.updated"', '"project"'))
        assert message.topic == f"partners/project/resource.updated/{level}", gid[:50]


def test_a_type_and_an_event_of_any_shape_are_one_level_each(shared):
    message = deliver(*shared, literal('"g"', '"a/b.#"', '"+/$x"'))
    assert message.topic == "partners/%2B%2F$x/a%2Fb.%23/g"


def test_an_empty_value_is_an_underscore(shared):
    message = deliver(*shared, literal('""', '"resource.updated"', '"project"'))
    assert message.topic == "partners/project/resource.updated/_"


@pytest.mark.parametrize("event", [r'"a\nb"', r'"a\u0085b"', r'"a\ufffeb"'])
def test_an_event_of_characters_that_brokers_refuse_is_delivered(bridge, subscriber, event):
    """They close the connection on such text also where it is no topic, as in properties."""
    body = literal('"g"', event, '"project"')
    bridge.accept(body)
    assert subscriber.wait_under("partners/project/", 1)[0].payload == body
    assert bridge.metrics().value("broker_reconnects_total") == 0


@pytest.mark.parametrize("gid", [r'"a\u0000b"', r'"\ud800"', r'"\udc00x"', r'"\uffff"', r'"\ufdd0"'])
def test_a_gid_that_is_no_text_for_mqtt_does_not_hold_up_what_follows(bridge, subscriber, gid):
    """Half a surrogate pair and non-characters: brokers drop the connection of who sends them."""
    assert bridge.post(literal(gid, '"resource.updated"', '"project"')).status in (200, 202)
    body = events.body(gid="next")
    bridge.accept(body)
    assert subscriber.wait_for(events.topic("next"))[0].payload == body


def test_a_type_and_an_event_that_nobody_knows_pass_and_are_counted(bridge, subscriber):
    deliver(bridge, subscriber, literal('"g"', '"resource.archived"', '"spaceship"'))
    assert subscriber.on("partners/spaceship/resource.archived/g")
    assert bridge.metrics().value("unknown_events_total") == 1
    deliver(bridge, subscriber, events.body(event=events.CREATED))
    assert bridge.metrics().value("unknown_events_total") == 1


def test_a_gid_that_is_a_number_is_answered_2xx(bridge):
    assert bridge.post(literal("1234567891012", '"resource.updated"', '"project"')).status in (200, 202)


def test_a_deletion_without_a_resource_is_an_event(shared):
    body = b'{"event":"resource.deleted","resource_type":"project","resource_gid":"559befeeab59f"}'
    assert deliver(*shared, body).payload == body


def test_every_variable_of_a_template_is_filled_in(start, broker):
    template = "x/{source}/{resource_type}/{event}/{action}/{gid}/{id}/{body.resource.status}/{body.resource.n}"
    subscriber = start.subscriber(broker, "x/#")
    bridge = start.bridge(broker, {"sources": source(topic=template)})
    one = bridge.accept(
        b'{"event":"resource.updated","resource_type":"project","resource_gid":"g",'
        b'"resource":{"status":"in/progress","n":17}}'
    )
    assert subscriber.wait_under("x/", 1)[0].topic == (
        f"x/partners/project/resource.updated/updated/g/{one}/in%2Fprogress/17"
    )


@pytest.mark.parametrize("value", ["{}", "null", '""', "[1]"])
def test_a_body_variable_without_a_value_is_an_underscore(start, broker, value):
    subscriber = start.subscriber(broker, "x/#")
    bridge = start.bridge(broker, {"sources": source(topic="x/{body.resource.status}/{gid}")})
    bridge.accept(
        b'{"event":"resource.updated","resource_type":"project","resource_gid":"g",'
        b'"resource":{"status":' + value.encode() + b"}}"
    )
    assert subscriber.wait_under("x/", 1)[0].topic == "x/_/g"


def test_the_action_of_an_event_without_a_dot_is_the_event(start, broker):
    subscriber = start.subscriber(broker, "x/#")
    bridge = start.bridge(broker, {"sources": source(topic="x/{action}")})
    bridge.accept(literal('"g"', '"ping"', '"project"'))
    assert subscriber.wait_under("x/", 1)[0].topic == "x/ping"


def test_two_sources_keep_to_their_own_secrets_and_topics(start, broker, subscriber):
    other = {**source()[0], "name": "other", "path": "/hooks/other", "topic": "other/{gid}",
             "secrets": [{"env": "OTHER"}]}
    bridge = start.bridge(broker, {"sources": [*source(), other]}, env={"OTHER": "other-secret-1"})
    bridge.secrets.add("other-secret-1")
    bridge.accept(events.body(), path="/hooks/other", secret="other-secret-1")
    assert bridge.post(events.body(), path="/hooks/other").status == 401
    assert bridge.post(events.body(), secret="other-secret-1").status == 401
    bridge.accept(events.body())
    assert subscriber.wait_for("other/" + events.GID)[0].property("source") == "other"
    assert subscriber.wait_for(events.topic())[0].property("source") == "partners"


def test_mqtt_5_says_what_the_event_is_in_properties(shared):
    before = datetime.datetime.now(datetime.UTC)
    message = deliver(*shared, events.body(event=events.CREATED))
    after = datetime.datetime.now(datetime.UTC)
    assert message.content_type == "application/json"
    assert message.expiry_s is None
    names = [name for name, _ in message.user]
    assert sorted(names) == ["event", "id", "received_at", "source"]
    assert message.property("source") == "partners"
    assert message.property("event") == "resource.created"
    received_at = message.property("received_at")
    assert RECEIVED_AT.fullmatch(received_at)
    slack = datetime.timedelta(milliseconds=2)
    assert before - slack <= datetime.datetime.fromisoformat(received_at) <= after + slack


def test_a_message_expiry_is_sent_if_it_is_set(start, broker, subscriber):
    bridge = start.bridge(broker, {"sources": source(message_expiry="7d")})
    # The broker counts down while it holds a message.
    assert 604700 <= deliver(bridge, subscriber, events.body()).expiry_s <= 604800


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_quality_of_service_delivers(start, broker, subscriber, qos, version):
    bridge = start.bridge(broker, {"mqtt": {"version": version}, "sources": source(qos=qos)})
    bridge.wait_connected()
    bodies = [events.body(gid=f"q{i}") for i in range(30)]
    for body in bodies:
        bridge.accept(body)
    messages = subscriber.wait_under("partners/", 30)
    assert [m.payload for m in messages] == bodies
    assert {m.qos for m in messages} == {qos}
    bridge.wait_metric("published_total", 30)
    bridge.wait_metric("outbox_undelivered_events", 0)
    bridge.wait_metric("in_flight_events", 0)


def test_mqtt_3_1_1_loses_only_metadata(start, broker, subscriber):
    bridge = start.bridge(broker, {"mqtt": {"version": "3.1.1"}})
    body = events.body()
    bridge.accept(body)
    message = subscriber.wait_for(events.topic())[0]
    assert message.payload == body and not message.user and not message.content_type


def test_events_are_not_retained_unless_it_is_set(start, broker, subscriber):
    bridge = start.bridge(broker)
    bridge.accept(events.body())
    assert not subscriber.wait_for(events.topic())[0].retain
    assert not retained(broker, "partners/#")


def test_retained_events_are_found_by_who_comes_later(start, broker, subscriber):
    bridge = start.bridge(broker, {"sources": source(retain=True)})
    bodies = [events.body(), events.body()]
    for body in bodies:
        bridge.accept(body)
    assert all(m.retain for m in subscriber.wait_for(events.topic(), 2))
    assert retained(broker, "partners/#")[events.topic()].payload == bodies[1]


def test_the_default_topic_is_the_providers_own(start, broker, subscriber):
    settings = source()
    del settings[0]["topic"]
    bridge = start.bridge(broker, {"sources": settings})
    bridge.accept(events.body())
    assert subscriber.wait_for(events.topic())


def test_events_of_a_gid_arrive_in_the_order_of_their_answers(bridge, subscriber):
    bodies = [events.body(gid=f"g{i % 5}") for i in range(200)]
    with bridge.connect() as connection:
        for body in bodies:
            bridge.accept(body, connection=connection)
    arrived = [m.payload for m in subscriber.wait_under("partners/", len(bodies))]
    for gid in range(5):
        assert [b for b in arrived if b'"g%d"' % gid in b] == bodies[gid::5]


def test_an_event_reaches_the_broker_without_delay(shared):
    """A lone event waits for no batch and no timer."""
    deliver(*shared, events.body())
    begin = time.monotonic()
    for _ in range(20):
        deliver(*shared, events.body())
    assert (time.monotonic() - begin) / 20 < 0.5


def test_delivery_is_counted(bridge, subscriber):
    deliver(bridge, subscriber, events.body())
    bridge.wait_metric("published_total", 1)
    wait_until(lambda: bridge.metrics().value("delivery_seconds_count") == 1, "latency is observed")
