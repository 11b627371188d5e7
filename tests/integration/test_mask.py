"""Members of a body that a source masks: what the signature covers is checked, but nobody sees it afterwards."""

import base64
import hmac
import json
import time

import pytest

from lib import http_client

SECRET = "whs-77aa01c3e9"


def ricloud(**settings):
    return {"name": "backups", "provider": "ricloud", "path": "/in", "secrets": [SECRET], **settings}


def post(bridge, body):
    """As ricloud signs it."""
    now = str(int(time.time()))
    digest = hmac.digest(SECRET.encode(), f"{now}.".encode() + body, "sha256")
    headers = [("Content-Type", "application/json"),
               ("Ricloud-Signature", f"t={now},s={base64.b64encode(digest).decode()}")]
    return http_client.fetch(bridge.ingress, "POST", "/in/e1", headers, body)


def stored(bridge, kind, event_id):
    return bridge.cli(kind, "show", event_id, "--body").stdout


def files(bridge):
    """All that the outbox has on disk."""
    return b"".join(path.read_bytes() for path in bridge.folder.glob("*outbox*") if path.is_file())


@pytest.fixture
def bridge(start, broker):
    return start.bridge(broker, {"sources": [ricloud()]})


BODIES = {
    "plain": (b'{"id":"e1","type":"webhook_config","action":"test","data":{"id":7,"secret":"%s"}}', b'"***"'),
    "spelled": (b'\xef\xbb\xbf {"data" : {"s\\u0065cret":\t"%s" , "id":7,"other":"1.50\\/"},\n"id":"e1",'
                b'"type":"webhook_config", "action":"test"} ', b'"***"'),
    "object": (b'{"data":{"secret":{"secret":["%s",1]},"id":7},"id":"e1","type":"webhook_config","action":"test"}',
               b'"***"'),
}


@pytest.mark.parametrize("form", BODIES)
def test_the_test_event_of_ricloud_is_taken_and_shown_without_its_secret(bridge, subscriber, form):
    template, mask = BODIES[form]
    answer = post(bridge, template % SECRET.encode())
    assert answer.status == 200, answer.body
    wanted = (template % SECRET.encode()).replace({
        "plain": b'"%s"', "spelled": b'"%s"', "object": b'{"secret":["%s",1]}',
    }[form] % SECRET.encode(), mask)
    assert SECRET.encode() not in wanted
    (message,) = subscriber.wait_for("ricloud/webhook_config/test/7", 1)
    assert message.payload == wanted
    assert stored(bridge, "outbox", answer.json()["id"]).removesuffix(b"\n") == wanted.removesuffix(b"\n")
    assert SECRET.encode() not in files(bridge) and SECRET not in bridge.log_text()


def test_every_member_of_the_name_is_masked(bridge, subscriber):
    one, two = b'{"secret":"%s","secret" :"b-%s"}' % (2 * (SECRET.encode(),)), b'{"id":7, "secret":12.50}'
    body = b'{"data":%s,"secret":"top","data":%s,"id":"e1","type":"webhook_config","action":"test"}' % (one, two)
    assert post(bridge, body).status == 200
    (message,) = subscriber.wait_for("ricloud/webhook_config/test/7", 1)
    assert message.payload == body.replace(one, b'{"secret":"***","secret" :"***"}').replace(b"12.50", b'"***"')


def test_nothing_is_changed_where_there_is_nothing_to_mask(bridge):
    for number, data in enumerate((b"null", b'[{"secret":1}]', b'{"secret":null}', b'"secret"', b'{"x":{"secret":1}}')):
        body = b'{"id":"e%d", "type":"poll","action":"created","data": %s}' % (number, data)
        answer = post(bridge, body)
        assert answer.status == 200 and stored(bridge, "outbox", answer.json()["id"]).strip() == body


@pytest.mark.parametrize(
    "body, wanted",
    [(b'{"data":{"secret":"%s"}}', b'{"data":{"secret":"***"}}'), (b'{"data":{"secret":"%s"', b"***"),
     (b'\xff{"data":{"secret":"%s"}}', b"***"), (b"[" * 70 + b'"%s"' + b"]" * 70, b"***")],
    ids=["no event", "cut", "not UTF-8", "deep"],
)
def test_a_dead_letter_is_masked_too(bridge, body, wanted):
    answer = post(bridge, body % SECRET.encode())
    assert answer.status == 202 and answer.json()["reason"]
    assert stored(bridge, "dead", answer.json()["id"]).strip() == wanted
    assert SECRET.encode() not in files(bridge) and SECRET not in bridge.log_text()


def test_the_signature_is_that_of_what_was_received(bridge):
    body = b'{"id":"e1","type":"webhook_config","action":"test","data":{"id":7,"secret":"%s"}}' % SECRET.encode()
    now = str(int(time.time()))
    digest = hmac.digest(SECRET.encode(), f"{now}.".encode() + body.replace(SECRET.encode(), b"***"), "sha256")
    headers = [("Ricloud-Signature", f"t={now},s={base64.b64encode(digest).decode()}")]
    assert http_client.fetch(bridge.ingress, "POST", "/in", headers, body).status == 401


def test_a_source_masks_what_it_says(start, broker, subscriber):
    source = {**ricloud(mask=["data.card.*", 'data."a.b"', "token"]), "topic": "got/{body.token}"}
    bridge = start.bridge(broker, {"sources": [source]})
    body = {"id": "e1", "type": "a", "action": "b", "token": "t", "data": {
        "card": {"number": "4", "code": 7}, "a.b": True, "secret": "said"}}
    assert post(bridge, json.dumps(body).encode()).status == 200
    (message,) = subscriber.wait_for("got/***", 1)
    data = {"card": {"number": "***", "code": "***"}, "a.b": "***", "secret": "said"}
    assert json.loads(message.payload) == {**body, "token": "***", "data": data}


@pytest.mark.parametrize(
    "mask, path", [(["data.0"], "mask[0]"), (["a", "b..c"], "mask[1]"), ([f"a{i}" for i in range(33)], "mask")],
    ids=["array", "no path", "too many"],
)
def test_what_cannot_be_masked_is_a_fault(start, mask, path):
    bridge = start.bridge(None, {"sources": [ricloud(mask=mask)]}, start=False)
    text = bridge.cli("check", expect=1).stdout.decode()
    assert f"sources[0].{path}: " in text
