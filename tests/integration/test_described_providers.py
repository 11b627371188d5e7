"""
Providers that sign in ways of their own and have no preset, each described in the configuration alone: Zendesk, Twitch
EventSub, HubSpot (version 3) and Paddle. Their signatures are made in lib/sign.py from what they document.
"""

import dataclasses
import json
import uuid

import pytest

from lib import http_client, posting, sign
from lib.deliveries import Fields, Request, check_message, dump, expand, message_of
from lib.posting import accepted, assert_refused
from lib.sign import in_rfc3339, now
from lib.triggered import accepted_ids, trigger

MARGIN_S = 20  # for a request to get from here to the bridge, on a machine that is busy

SHA256 = {"scheme": "hmac", "algorithm": "sha256", "key": "text", "tolerance": "5m", "skew": "both"}


@dataclasses.dataclass(frozen=True)
class Provider:
    """
    prove(secret, body, timestamp=…): the headers that prove a body. at(unix_s): a timestamp as this one writes it.
    make(): a body unlike any before. read(body): its Fields, but for a delivery id that is in a header.
    """

    name: str
    secret: str
    signature: dict
    fields: dict
    sample: dict
    prove: callable
    at: callable
    make: callable
    read: callable

    @property
    def source(self):
        return {
            "name": self.name, "provider": "custom", "path": f"/{self.name}", "topic": "{source}/{event}/{gid}",
            "secrets": [{"env": f"ITEST_{self.name.upper()}"}],
            "signature": {**SHA256, **self.signature}, "fields": self.fields, "samples": [self.sample],
        }


def some_id():
    return str(uuid.uuid4())


ZENDESK = Provider(
    "zendesk", "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",
    signature={
        "header": "X-Zendesk-Webhook-Signature", "form": "plain", "encoding": "base64",
        "message": "{timestamp}{body}", "timestamp_header": "X-Zendesk-Webhook-Signature-Timestamp",
        "timestamp_format": "rfc3339",
    },
    fields={
        "event": "{body.type}", "gid": "{body.detail.id}", "delivery_id": "{body.id}", "event_time": "{body.time}",
    },
    sample={
        "event": "zen:event-type:ticket.created", "gid_form": "51##",
        "body": {"type": "@EVENT@", "id": "@UUID@", "time": "@NOW@", "detail": {"id": "@GID@"}},
    },
    prove=sign.zendesk_headers, at=in_rfc3339,
    make=lambda: {
        "type": "zen:event-type:ticket.created", "id": some_id(), "time": in_rfc3339(now()), "detail": {"id": "5158"},
    },
    read=lambda body: Fields(body["type"], body["detail"]["id"], delivery_id=body["id"]),
)

TWITCH = Provider(
    "twitch", "s3cRe7-of-the-subscription",
    signature={
        "header": "Twitch-Eventsub-Message-Signature", "form": "prefix", "mark": "sha256=", "encoding": "hex",
        "message": "{id}{timestamp}{body}", "timestamp_header": "Twitch-Eventsub-Message-Timestamp",
        "timestamp_format": "rfc3339", "id_header": "Twitch-Eventsub-Message-Id",
    },
    fields={
        "event": "{body.subscription.type}", "gid": "{body.event.broadcaster_user_id}",
        "delivery_id": "{header.Twitch-Eventsub-Message-Id}",
        "event_time": "{header.Twitch-Eventsub-Message-Timestamp}",
    },
    sample={
        "event": "channel.follow", "gid_form": "????",
        "body": {
            "subscription": {"id": "@UUID@", "type": "@EVENT@", "version": "2"},
            "event": {"user_login": "cool_user", "broadcaster_user_id": "@GID@", "n": "@N@"},
        },
    },
    prove=sign.twitch_headers, at=lambda unix_s: in_rfc3339(unix_s, "634234626"),
    make=lambda: {
        "subscription": {"id": some_id(), "type": "channel.follow", "version": "2"},
        "event": {"user_login": "cool_user", "broadcaster_user_id": "1337"},
    },
    read=lambda body: Fields(body["subscription"]["type"], body["event"]["broadcaster_user_id"]),
)

HUBSPOT = Provider(
    "hubspot", "itest-hubspot-client-secret",
    signature={
        "header": "X-HubSpot-Signature-v3", "form": "plain", "encoding": "base64",
        "message": "POSThttps://hooks.example/hubspot{body}{timestamp}",
        "timestamp_header": "X-HubSpot-Request-Timestamp", "timestamp_format": "milliseconds",
    },
    fields={
        "event": "{body.subscriptionType}", "gid": "{body.objectId}", "delivery_id": "{body.eventId}",
        "event_time": "{body.occurredAt}",
    },
    sample={
        "event": "contact.creation", "gid_form": "????",
        "body": {"eventId": "@UUID@", "subscriptionType": "@EVENT@", "objectId": "@GID@"},
    },
    prove=sign.hubspot_headers, at=lambda unix_s: f"{unix_s}123",
    make=lambda: {
        "eventId": some_id(), "subscriptionType": "contact.creation", "objectId": 123, "occurredAt": now() * 1000,
    },
    read=lambda body: Fields(body["subscriptionType"], str(body["objectId"]), delivery_id=body["eventId"]),
)

PADDLE = Provider(
    "paddle", "pdl_ntfset_01gkpjp8bkm3tm53kdgkx6sms7",
    signature={
        "header": "Paddle-Signature", "form": "pairs", "separator": ";", "mark": "h1", "encoding": "hex",
        "message": "{timestamp}:{body}", "timestamp_key": "ts",
    },
    fields={
        "event": "{body.event_type}", "gid": "{body.data.id}", "delivery_id": "{body.event_id}",
        "event_time": "{body.occurred_at}",
    },
    sample={
        "event": "subscription.created", "gid_form": "sub_####",
        "body": {"event_id": "evt_@UUID@", "event_type": "@EVENT@", "occurred_at": "@NOW@", "data": {"id": "@GID@"}},
    },
    prove=sign.paddle_headers, at=str,
    make=lambda: {
        "event_id": f"evt_{some_id()}", "event_type": "subscription.created", "occurred_at": in_rfc3339(now()),
        "data": {"id": "sub_01"},
    },
    read=lambda body: Fields(body["event_type"], body["data"]["id"], delivery_id=body["event_id"]),
)

PROVIDERS = [ZENDESK, TWITCH, HUBSPOT, PADDLE]
each = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)


@pytest.fixture(scope="module")
def bridge(start_for_module, module_broker):
    secrets = {f"ITEST_{one.name.upper()}": one.secret for one in PROVIDERS}
    return posting.start_bridge(start_for_module, module_broker, [one.source for one in PROVIDERS], secrets)


@pytest.fixture(scope="module")
def subscriber(start_for_module, module_broker):
    return start_for_module.subscriber(module_broker)


def send(bridge, provider, body, headers):
    return http_client.fetch(bridge.ingress, "POST", provider.source["path"], headers, body)


def header(headers, name):
    return dict(headers)[name]


def read(provider, body, headers):
    fields = provider.read(json.loads(body))
    if provider is TWITCH:
        return dataclasses.replace(fields, delivery_id=header(headers, "Twitch-Eventsub-Message-Id"))
    return fields


def check_arrived(subscriber, provider, accepted_id, body, headers):
    fields = read(provider, body, headers)
    topic = expand(provider.source["topic"], provider.name, fields)
    check_message(message_of(subscriber, accepted_id), Request(body), fields, provider.name, topic, accepted_id)


def test_check_finds_nothing_wrong_or_open_in_them(bridge):
    *findings, _ = bridge.cli("check").stdout.decode().splitlines()
    assert findings == []


@each
def test_a_delivery_as_it_is_documented_arrives(bridge, subscriber, provider):
    body = dump(provider.make())
    headers = provider.prove(provider.secret, body)
    check_arrived(subscriber, provider, accepted(send(bridge, provider, body, headers)), body, headers)


@each
def test_what_trigger_sends_is_signed_as_the_provider_signs_and_arrives(start, bridge, subscriber, provider):
    lines, [sent] = trigger(start, bridge, provider.source, "--all")
    [accepted_id] = accepted_ids(lines)
    options = {}
    if provider is TWITCH:
        options["message_id"] = sent.header("Twitch-Eventsub-Message-Id")
    if provider is PADDLE:
        timestamp = sent.header("Paddle-Signature").removeprefix("ts=").partition(";")[0]
    else:
        timestamp = sent.header(provider.signature["timestamp_header"])
    headers = provider.prove(provider.secret, sent.body, timestamp, **options)
    assert [(name, sent.header(name)) for name, _ in headers] == headers
    check_arrived(subscriber, provider, accepted_id, sent.body, headers)


@each
def test_a_timestamp_inside_the_tolerance_passes_and_outside_of_it_is_refused(bridge, provider):
    for distance in (-300 + MARGIN_S, 300, -301, 300 + MARGIN_S, 864000, -864000):
        body = dump(provider.make())
        answer = send(bridge, provider, body, provider.prove(provider.secret, body, provider.at(now() + distance)))
        if abs(distance) <= 300:
            assert answer.status == 200, distance
        else:
            assert_refused(answer)


@each
def test_a_flipped_byte_anywhere_is_refused(bridge, nothing_stored, provider):
    body = dump(provider.make())
    headers = provider.prove(provider.secret, body)

    def flipped(data, i):
        return data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]

    for i in range(0, len(body), 7):
        assert_refused(send(bridge, provider, flipped(body, i), headers))
    for i, (name, value) in enumerate(headers):
        for at in range(0, len(value), 5):
            bad = flipped(value.encode(), at).decode()
            assert_refused(send(bridge, provider, body, [*headers[:i], (name, bad), *headers[i + 1 :]]))


@each
def test_another_secret_and_a_header_that_is_missing_or_comes_twice_are_refused(bridge, nothing_stored, provider):
    body = dump(provider.make())
    headers = provider.prove(provider.secret, body)
    assert_refused(send(bridge, provider, body, provider.prove(provider.secret + "x", body)))
    for one in headers:
        assert_refused(send(bridge, provider, body, [other for other in headers if other != one]))
        if one[0] != provider.signature["header"]:  # which may have several values
            assert_refused(send(bridge, provider, body, [*headers, one]))


def moved(headers, body, name, by):
    """The same bytes with the border between a header's value and the body that follows it moved."""
    text = header(headers, name).encode() + body
    at = len(header(headers, name)) + by
    return [(key, text[:at].decode() if key == name else value) for key, value in headers], text[at:]


@pytest.mark.parametrize("by", [-20, -3, -1, 1, 2, 12])
@pytest.mark.parametrize("provider", [ZENDESK, TWITCH], ids=lambda provider: provider.name)
def test_the_border_between_timestamp_and_body_cannot_be_moved(bridge, nothing_stored, provider, by):
    body = dump(provider.make())
    headers, rest = moved(provider.prove(provider.secret, body), body, provider.signature["timestamp_header"], by)
    assert_refused(send(bridge, provider, rest, headers))


@pytest.mark.parametrize("by", [-13, -1, 1, 3, 12])
def test_the_border_between_body_and_timestamp_cannot_be_moved(bridge, nothing_stored, by):
    body = dump(HUBSPOT.make())
    (name, timestamp), signature = HUBSPOT.prove(HUBSPOT.secret, body)
    text, at = body + timestamp.encode(), len(body) + by
    assert_refused(send(bridge, HUBSPOT, text[:at], [(name, text[at:].decode()), signature]))


@pytest.mark.parametrize("by", [-20, -1, 1, 4, 19])
def test_the_border_between_id_and_timestamp_cannot_be_moved(bridge, nothing_stored, by):
    body = dump(TWITCH.make())
    (id_name, message_id), (name, timestamp), signature = TWITCH.prove(TWITCH.secret, body)
    text, at = message_id + timestamp, len(message_id) + by
    assert_refused(send(bridge, TWITCH, body, [(id_name, text[:at]), (name, text[at:]), signature]))


@pytest.mark.parametrize("behind", ["{}", '{"subscription":{"type":"stream.online"},"event":{"broadcaster_user_id":"1"}}'])
def test_a_timestamp_inside_of_the_body_makes_no_event_of_what_follows_it(bridge, behind):
    """It is authentic, as the same bytes were signed; but where a JSON object goes on, none begins."""
    fake = TWITCH.at(now())
    body = json.dumps({**TWITCH.make(), "title": fake + behind}, separators=(",", ":")).encode()
    (id_name, message_id), (name, timestamp), signature = TWITCH.prove(TWITCH.secret, body)
    before, _, after = body.decode().partition(fake)
    headers = [(id_name, message_id + timestamp + before), (name, fake), signature]
    assert len(headers[0][1]) <= 256
    answer = send(bridge, TWITCH, after.encode(), headers)
    assert answer.status == 202 and "not JSON" in answer.json()["reason"], answer


def test_a_colon_in_the_body_is_not_the_one_behind_the_timestamp(bridge, nothing_stored):
    body = dump(PADDLE.make())
    [(name, value)] = PADDLE.prove(PADDLE.secret, body)
    ours, theirs = body.split(b":", 1)
    timestamp, signature = value.removeprefix("ts=").split(";", 1)
    bad = f"ts={timestamp}:{ours.decode()};{signature}"
    assert_refused(send(bridge, PADDLE, theirs, [(name, bad)]))


def test_a_list_of_events_is_authentic_and_a_dead_letter(bridge):
    body = dump([HUBSPOT.make()])
    answer = send(bridge, HUBSPOT, body, HUBSPOT.prove(HUBSPOT.secret, body))
    assert answer.status == 202 and answer.json()["status"] == "quarantined", answer


def other_url(request_body):
    return HUBSPOT.prove(HUBSPOT.secret, request_body, url="https://hooks.example/other")


def paddle(form):
    def make(body):
        timestamp = str(now())
        digest = sign.mac(PADDLE.secret, f"{timestamp}:".encode() + body).hex()
        return [("Paddle-Signature", form.format(t=timestamp, s=digest))]

    return make


def with_timestamp(provider, change):
    return lambda body: provider.prove(provider.secret, body, change(provider.at(now())))


NEAR = {
    "another URL": (HUBSPOT, other_url),
    "seconds for milliseconds": (HUBSPOT, with_timestamp(HUBSPOT, lambda text: text[:10])),
    "a zero before milliseconds": (HUBSPOT, with_timestamp(HUBSPOT, lambda text: "0" + text)),
    "RFC 3339 for milliseconds": (HUBSPOT, lambda body: HUBSPOT.prove(HUBSPOT.secret, body, in_rfc3339(now()))),
    "seconds for RFC 3339": (ZENDESK, lambda body: ZENDESK.prove(ZENDESK.secret, body, str(now()))),
    "no zone": (ZENDESK, with_timestamp(ZENDESK, lambda text: text.removesuffix("Z"))),
    "a zone without its colon": (ZENDESK, with_timestamp(ZENDESK, lambda text: text.replace("Z", "+0000"))),
    "a small z": (ZENDESK, with_timestamp(ZENDESK, str.lower)),
    "a blank for the T": (ZENDESK, with_timestamp(ZENDESK, lambda text: text.replace("T", " "))),
    "ten digits of a second": (TWITCH, with_timestamp(TWITCH, lambda text: text.replace("Z", "0Z"))),
    "a comma for the point": (TWITCH, with_timestamp(TWITCH, lambda text: text.replace(".", ","))),
    "a comma between pairs": (PADDLE, paddle("ts={t},h1={s}")),
    "labels swapped": (PADDLE, paddle("h1={t};ts={s}")),
    "another label": (PADDLE, paddle("ts={t};v1={s}")),
    "no timestamp": (PADDLE, paddle("h1={s}")),
    "two timestamps": (PADDLE, paddle("ts={t};ts=1{t};h1={s}")),
    "milliseconds for seconds": (PADDLE, lambda body: PADDLE.prove(PADDLE.secret, body, f"{now()}000")),
}
RIGHT = {
    "the same timestamp twice": (PADDLE, paddle("ts={t};ts={t};h1={s}")),
    "an offset": (ZENDESK, with_timestamp(ZENDESK, lambda text: text.replace("Z", "+00:00"))),
    "milliseconds behind the seconds": (ZENDESK, with_timestamp(ZENDESK, lambda text: text.replace("Z", ".042Z"))),
    "no fraction": (TWITCH, with_timestamp(TWITCH, lambda text: text[:19] + "Z")),
    "a second h1": (PADDLE, paddle("ts={t};h1=00;h1={s}")),
    "h1 before ts": (PADDLE, paddle("h1={s};ts={t}")),
    "a blank behind the semicolon": (PADDLE, paddle("ts={t}; h1={s}")),
}


@pytest.mark.parametrize("provider, make", NEAR.values(), ids=NEAR)
def test_what_is_signed_in_nearly_the_same_way_is_refused(bridge, nothing_stored, provider, make):
    body = dump(provider.make())
    assert_refused(send(bridge, provider, body, make(body)))


@pytest.mark.parametrize("provider, make", RIGHT.values(), ids=RIGHT)
def test_what_is_signed_in_another_allowed_way_is_accepted(bridge, provider, make):
    body = dump(provider.make())
    accepted(send(bridge, provider, body, make(body)))
