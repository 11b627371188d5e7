"""Every preset on a running bridge: what its provider sends arrives, wherever it is posted to."""

import json
import uuid

import pytest

from lib import deliveries, http_client, sign
from lib.deliveries import PRESETS, UNSIGNED, Request, check_message, dump, message_of
from lib.posting import accept, assert_refused, each, send, start_bridge, start_with_presets
from lib.sign import now

@pytest.fixture(scope="module")
def bridge(start_for_module, module_broker):
    return start_with_presets(start_for_module, module_broker)


@pytest.fixture(scope="module")
def subscriber(start_for_module, module_broker):
    return start_for_module.subscriber(module_broker)


# The vectors of the providers' documentation. Where a timestamp is in one, its source has no tolerance.

SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
RICLOUD_BODY = (
    b'{"id":"0b2f4d6e-8a1c-4e3f-9b7d-5c6a7e8f9012","resource":"event","type":"webhook_config","action":"test"}'
)
VECTORS = [
    ("creads", "my_secret", b"{}",
     {"X-Partners-Signature": "3c980c81acef21e0356767cca9ab9d6a62a4e09677bb07107e4524c381b17309"}),
    ("ricloud", "nonce", RICLOUD_BODY,
     {"Ricloud-Signature": "t=1580774400,s=ZqO/VTLaI84YafPrMzJO1bc3WRoK3aUMp2d3CcgylwU="}),
    ("standard-webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}',
     {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}),
    ("github", "It's a Secret to Everybody", b"Hello, World!",
     {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}),
    ("stripe", "whsec_test_secret", b'{"id":"evt_1"}',
     {"Stripe-Signature":
      "t=1614265330,v1=e135cdbed3dda004bf8a2fb350f2541d299393c770e0b9e6e319dc595e9072aa"}),
    ("shopify", "secret", b"{}",
     {"X-Shopify-Hmac-SHA256": "dzJZAsrKgS3CWXM6rNBGtzgXNyx3e42VtAJkdHRRbhM="}),
    ("slack", "8f742231b10e8888abcd99yyyzzz85a5", SLACK_BODY,
     {"X-Slack-Request-Timestamp": "1531420618",
      "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}),
]
TIMELESS = {"creads", "github", "shopify"}


@pytest.fixture(scope="module")
def vectors(start_for_module):
    """A source for each vector, at /timeless/<preset>, without a tolerance; at /timed/<preset>, as it is."""
    sources = []
    for name, *_ in VECTORS:
        settings = {"provider": name, "secrets": [{"env": f"VECTOR_{len(sources)}"}]}
        sources.append({**settings, "name": f"{name}-timed", "path": f"/timed/{name}"})
        if name not in TIMELESS:
            settings["signature"] = {"tolerance": "0s"}
        sources.append({**settings, "name": f"{name}-timeless", "path": f"/timeless/{name}"})
    env = {f"VECTOR_{2 * i}": secret for i, (_, secret, *_) in enumerate(VECTORS)}
    return start_bridge(start_for_module, None, sources, env)


@pytest.mark.parametrize("name, secret, body, headers", VECTORS, ids=[name for name, *_ in VECTORS])
def test_the_signer_of_these_tests_makes_the_published_signature(name, secret, body, headers):
    options = {}
    if name in ("ricloud", "stripe"):
        options = {"timestamp": next(iter(headers.values())).split(",")[0].removeprefix("t=")}
    elif name not in TIMELESS:
        options = {"timestamp": next(value for key, value in headers.items() if "timestamp" in key.lower())}
    made = dict(sign.HEADERS[name](secret, body, **options))
    if name == "stripe":  # the published one has no signature of the test scheme
        made["Stripe-Signature"] = made["Stripe-Signature"].partition(",v0=")[0]
    assert headers.items() <= made.items()


@pytest.mark.parametrize("name, secret, body, headers", VECTORS, ids=[name for name, *_ in VECTORS])
def test_a_published_vector_verifies_as_it_is_and_in_no_other_way(vectors, name, secret, body, headers):
    """What is authentic is answered 200, or 202 where the body makes no event."""

    def status(body=body, headers=headers, where="timeless"):
        return http_client.fetch(vectors.ingress, "POST", f"/{where}/{name}", headers, body).status

    taken = 200 if name == "ricloud" else 202  # the others make no event
    assert status() == taken
    assert status(where="timed") == (taken if name in TIMELESS else 401)
    for i in range(len(body)):
        assert status(body=body[:i] + bytes([body[i] ^ 1]) + body[i + 1 :]) == 401, i
    assert status(body=body + b" ") == status(body=body[:-1]) == 401
    key, value = list(headers.items())[-1]
    for i in range(value.rfind("=", 0, -1) + 1, len(value) - 1):
        if value[i].isalnum():
            other = "1" if value[i] == "0" else "0"
            assert status(headers={**headers, key: value[:i] + other + value[i + 1 :]}) == 401, i


# What arrives

@each(PRESETS.values())
def test_a_correctly_signed_delivery_arrives_byte_for_byte_with_its_fields(bridge, subscriber, preset):
    request = preset.make()
    fields = preset.read(request)
    accepted_id = accept(bridge, preset, request)
    message = message_of(subscriber, accepted_id)
    check_message(message, request, fields, preset.name, preset.topic_of(fields), accepted_id)


@each(PRESETS.values())
def test_every_field_can_be_in_a_topic_of_ones_own(start, module_broker, subscriber, preset):
    template = "own/{source}/{resource_type}/{type}/{event}/{action}/{gid}"
    own = start_bridge(start, module_broker, [preset.source(topic=template)])
    request = preset.make()
    fields = preset.read(request)
    accepted_id = accept(own, preset, request)
    topic = preset.topic_of(fields, template)
    check_message(message_of(subscriber, accepted_id), request, fields, preset.name, topic, accepted_id)


@pytest.mark.parametrize("name", UNSIGNED)
def test_a_default_topic_uses_nothing_that_is_not_signed(bridge, subscriber, name):
    preset, topics = PRESETS[name], set()
    first = preset.make()
    for value in ("push", "../../state", "installation.deleted", "x" * 300):
        request = first.but(body=first.body[:-1] + f',"tag":"{uuid.uuid4()}"}}'.encode())
        for header in UNSIGNED[name]:
            request = request.with_header(header, value)
        topics.add(message_of(subscriber, accept(bridge, preset, request)).topic)
    assert topics == {preset.topic_of(preset.read(first))}


# Where it is posted to

def test_ricloud_may_append_the_id_of_its_event_to_the_path(bridge, subscriber):
    preset = PRESETS["ricloud"]
    for suffix in ("", "/", "/{}", "//{}", "/{}/"):
        request = preset.make()
        delivery_id = preset.read(request).delivery_id
        request = request.but(suffix=suffix.format(delivery_id))
        message = message_of(subscriber, accept(bridge, preset, request))
        assert message.payload == request.body
        assert message.property("delivery_id") == delivery_id


def test_the_id_in_the_path_of_ricloud_is_not_what_counts(bridge):
    """Nothing signs the URL: a delivery that is sent again to another one is still a repeat."""
    preset = PRESETS["ricloud"]
    request = preset.make()
    first = accept(bridge, preset, request)
    answer = send(bridge, preset, request.but(suffix=f"/{uuid.uuid4()}"))
    assert (answer.status, answer.json()) == (200, {"status": "duplicate", "id": first})


@each([preset for preset in PRESETS.values() if preset.name not in ("ricloud", "weavy")])
def test_other_providers_append_nothing_to_the_path(bridge, nothing_stored, preset):
    for suffix in ("/x", "/x/", "x"):
        assert send(bridge, preset, preset.make().but(suffix=suffix)).status == 404


@each(PRESETS.values())
def test_a_slash_at_the_end_of_the_url_changes_nothing(bridge, preset):
    request = preset.make()
    accept(bridge, preset, request.but(suffix=request.suffix + "/"))


WEAVY_EVENTS = {
    "NewCustomer": "codecustomer", "NewProspect": "codecustomer", "NewSuspect": "codecustomer",
    "NewSubcontractor": "codecustomer", "NewDeal": "codedeal", "NewOpportunity": "codedeal",
}


@pytest.mark.parametrize("event, code", WEAVY_EVENTS.items())
def test_the_path_says_which_event_of_weavy_it_is(bridge, subscriber, event, code):
    request = deliveries.weavy(event, code)
    message = message_of(subscriber, accept(bridge, PRESETS["weavy"], request))
    gid = json.loads(request.body)["result"][code]
    assert (message.topic, message.property("event")) == (f"weavy/{event}/{gid}", event)


def test_the_paths_of_weavy_can_be_chosen_and_then_there_are_no_others(start, module_broker, subscriber):
    """Keys of `events` are written as one likes."""
    preset = PRESETS["weavy"]
    paths = {"new-customer": "NewCustomer", "/a8f3": "NewDeal", "/in/weavy/deep/er": "NewOpportunity"}
    own = start_bridge(start, module_broker, [preset.source(events=paths)])
    for suffix, event in {"/new-customer": "NewCustomer", "/a8f3": "NewDeal", "/deep/er": "NewOpportunity"}.items():
        request = deliveries.weavy().but(suffix=suffix)
        message = message_of(subscriber, accept(own, preset, request))
        assert message.property("event") == event
        assert message.topic.startswith(f"weavy/{event}/")
    for suffix in ("/NewCustomer", "/new-customer/x", "", "/"):
        assert send(own, preset, deliveries.weavy().but(suffix=suffix)).status == 404, suffix


def test_a_path_of_ones_own_may_be_that_of_one_event(start, module_broker, subscriber):
    preset = PRESETS["weavy"]
    own = start_bridge(start, module_broker, [preset.source(events={preset.path: "NewCustomer"})])
    message = message_of(subscriber, accept(own, preset, deliveries.weavy().but(suffix="")))
    assert message.property("event") == "NewCustomer"
    assert send(own, preset, deliveries.weavy()).status == 404


def test_a_test_of_ricloud_s_that_is_about_nothing_is_an_event(bridge, subscriber):
    preset = PRESETS["ricloud"]
    body = dump({"id": str(uuid.uuid4()), "resource": "event", "type": "webhook_config", "action": "test"})
    message = message_of(subscriber, accept(bridge, preset, Request(body)))
    assert (message.topic, message.payload) == ("ricloud/webhook_config/test/_", body)


def test_a_body_of_weavy_without_a_code_or_at_no_events_path_is_kept_as_a_dead_letter(bridge):
    preset = PRESETS["weavy"]
    for request in (Request(dump({"result": {"name": "A"}}), suffix="/NewCustomer"), preset.make().but(suffix="")):
        answer = send(bridge, preset, request)
        assert answer.status == 202 and answer.json()["status"] == "quarantined", answer


# Slack's handshake

def challenge(**changes):
    return dump({"token": "none", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY", "type": "url_verification", **changes})


@pytest.mark.parametrize("value", ["3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "", 'a"b\\c\u00e9\n/'])
def test_the_challenge_of_slack_is_echoed_and_nothing_is_stored(bridge, nothing_stored, value):
    preset = PRESETS["slack"]
    request = Request(challenge(challenge=value))
    for _ in range(2):  # a second time it is no duplicate of anything
        answer = send(bridge, preset, request)
        assert answer.status == 200, answer
        assert answer.header("Content-Type").startswith("application/json")
        assert answer.json() == {"challenge": value}


def test_a_challenge_that_is_not_signed_is_refused_and_not_echoed(bridge, nothing_stored):
    preset = PRESETS["slack"]
    request = Request(challenge())
    for proof in ([], preset.prove(request, "wrong"), preset.prove(request, timestamp=now() - 301)):
        answer = send(bridge, preset, request, proof)
        assert_refused(answer)
        assert b"3eZbrw" not in answer.body


def test_only_slack_gets_its_challenge_back(bridge):
    preset = PRESETS["github"]
    request = preset.make().but(body=challenge(repository={"full_name": "a/b"}))
    assert b"3eZbrw" not in send(bridge, preset, request).body


def test_a_form_of_slack_is_authentic_but_no_event(bridge):
    """Slash commands are forms, not JSON: kept as dead letters."""
    answer = send(bridge, PRESETS["slack"], Request(SLACK_BODY))
    assert answer.status == 202 and answer.json()["status"] == "quarantined"
