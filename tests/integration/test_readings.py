"""What is read from a body, in whatever form it comes: the message has its bytes as they came."""

import json

import pytest

from lib import events
from lib.bridge import source

BOM = b"\xef\xbb\xbf"


def message_of(start, broker, body, **settings):
    subscriber = start.subscriber(broker)
    bridge = start.bridge(broker, {"sources": source(**settings)}).wait_connected()
    bridge.accept(body)
    return subscriber.wait_under("t/", 1)[0]


def test_a_byte_order_mark_is_skipped_for_reading_and_published(start, broker):
    body = BOM + events.body(gid="bom", state="open")
    message = message_of(start, broker, body, topic="t/{event}/{gid}/{body.resource.state}")
    assert message.payload == body and message.topic == "t/resource.updated/bom/open"


@pytest.mark.parametrize("spelling", ["7", "-0", "1.0", "1e3", "1E+30", "12345678901234567890123", "true", "false"])
def test_a_number_or_a_boolean_is_its_text(start, broker, spelling):
    body = f'{{"event":{spelling},"resource_type":{spelling},"resource_gid":{spelling},"a":{spelling}}}'.encode()
    message = message_of(start, broker, body, topic="t/{event}/{type}/{gid}/{body.a}")
    assert message.topic == "t/" + "/".join([spelling.replace("+", "%2B")] * 4)
    assert message.property("event") == spelling and message.payload == body


def test_a_name_in_quotes_may_have_dots_and_anything_else(start, broker):
    body = events.body(gid="q")[:-1] + b',"out.put":{"container.id":"c1","0":"zero","}|{":7},"out":{"put":"no"}}'
    topic = 't/{body."out.put"."container.id"}/{body."out.put"."0"}/{body."out.put"."}|{"}/{gid}'
    message = message_of(start, broker, body, topic=topic)
    assert message.topic == "t/c1/zero/7/q"


def test_a_field_may_be_at_a_name_in_quotes(start, broker):
    fields = {"event": '{body."x.event"}|{body.event}', "gid": '{body."x.gid"}'}
    body = json.dumps({"x.event": "e.1", "x.gid": 5, "resource_type": "r", "event": "no"}).encode()
    assert message_of(start, broker, body, topic="t/{event}/{gid}", fields=fields).topic == "t/e.1/5"


NEVER = [
    ("topic", "t/{body.items.0.id}", "arrays cannot be looked into"),
    ("topic", "t/{body.items[0].id}", "arrays cannot be looked into"),
    ("topic", "t/{body.items[-1].id}", "arrays cannot be looked into"),
    ("topic", "t/{body.a|b}", "a topic has no alternatives"),
    ("topic", "t/{gid|event}", "a topic has no alternatives"),
    ("topic", 't/{body."x.y}', "has a quote that does not end"),
    ("topic", 't/{body.x"y}', "has a quote in the middle"),
    ("topic", "t/{body. a}", "has a blank at the end of a name"),
    ("topic", "t/{body.a*.b}", "has a * before its end"),
    ("topic", "t/{body." + "a." * 64 + "a}", "has 65 names"),
    ("state_topic", "s/{body.items.0.id}/{gid}", "arrays cannot be looked into"),
    ("fields.gid", "{body.items.0.id}", "arrays cannot be looked into"),
    ("fields.gid", "{body.a|b}", "write alternatives as {body.a}|{body.b}"),
    ("fields.event", "{body.a}.{body.b.0}", "arrays cannot be looked into"),
    ("challenge", {"field": "a.0", "value": "x", "echo": "c"}, "arrays cannot be looked into"),
]


@pytest.mark.parametrize("key, value, why", NEVER, ids=lambda x: str(x)[:40])
def test_a_path_that_can_never_find_anything_is_refused(start, key, value, why):
    group, _, name = key.partition(".")
    bridge = start.bridge(None, {"sources": source(**{group: {name: value} if name else value})}, start=False)
    done = bridge.cli("check", expect=1)
    text = (done.stdout + done.stderr).decode()
    assert f"sources[0].{key}" in text and why in text, text
