"""Every preset: which delivery is a repeat of which, by its id, by its id and all that is proven, or by its body."""

import json
import time
import uuid

import pytest

from lib import http_client, sign
from lib.deliveries import ID_HEADERS, PRESETS, UNSIGNED, dump
from lib.posting import accept, accepted, each, send, start_bridge, start_with_presets
from lib.subscriber import retained
from lib.wait import wait_until

TRUSTED = [preset for preset in PRESETS.values() if preset.trusted]
BY_ID = [preset for preset in PRESETS.values() if preset.trusted or preset.name in ID_HEADERS]
BY_BODY = [preset for preset in PRESETS.values() if preset not in BY_ID]


@pytest.fixture(scope="module")
def bridge(start_for_module):
    return start_with_presets(start_for_module, None)


def retry_of(preset, request):
    """The same delivery as its provider sends it once more, with another body where its body counts attempts."""
    body = json.loads(request.body)
    body["retries"] = body.get("retries", 0) + 1
    return request.but(body=dump(body))


def assert_duplicate(answer, first):
    assert (answer.status, answer.json()) == (200, {"status": "duplicate", "id": first}), answer


@each(TRUSTED)
def test_a_retry_with_the_same_trusted_delivery_id_is_a_duplicate_whatever_its_body(bridge, preset):
    request = preset.make()
    first = accept(bridge, preset, request)
    assert_duplicate(send(bridge, preset, request), first)
    assert_duplicate(send(bridge, preset, retry_of(preset, request)), first)
    accept(bridge, preset, preset.make())
    assert_duplicate(send(bridge, preset, request), first)


def with_other_id(preset, request):
    """The same event with another delivery id: another delivery."""
    if preset.name == "standard-webhooks":
        return request.with_header("webhook-id", f"msg_{uuid.uuid4().hex}")
    if preset.name in ID_HEADERS:
        return request.with_header(ID_HEADERS[preset.name], str(uuid.uuid4()))
    key = "event_id" if preset.name == "slack" else "id"
    return request.but(body=dump({**json.loads(request.body), key: str(uuid.uuid4())}))


@each(BY_ID)
def test_the_same_body_with_another_delivery_id_is_another_event(bridge, preset):
    """Such as a workflow that is started twice by hand."""
    request = preset.make()
    assert accept(bridge, preset, request) != accept(bridge, preset, with_other_id(preset, request))


@each(BY_ID)
def test_the_same_delivery_id_is_a_repeat_whatever_came_in_between(bridge, preset):
    request = preset.make()
    first = accept(bridge, preset, request)
    other = with_other_id(preset, retry_of(preset, request))
    accept(bridge, preset, other)
    assert_duplicate(send(bridge, preset, request), first)


@pytest.mark.parametrize("name", ID_HEADERS)
@pytest.mark.parametrize("trust", [False, True], ids=["", "trust_unsigned"])
def test_a_forged_delivery_id_hides_no_coming_event(bridge, trusting, name, trust):
    """Who has one delivery can send it again under another id, but not another body under a known one."""
    preset, one = PRESETS[name], trusting if trust else bridge
    seen, coming = preset.make(), preset.make()
    forged = seen.with_header(ID_HEADERS[name], coming.header(ID_HEADERS[name]))
    accept(one, preset, seen)
    accept(one, preset, forged)
    first = accept(one, preset, coming)
    assert_duplicate(send(one, preset, coming), first)


@each(BY_BODY)
def test_without_a_delivery_id_the_body_decides_and_a_change_back_is_a_change(bridge, preset):
    request = preset.make()
    changed = retry_of(preset, request)
    first = accept(bridge, preset, request)
    assert_duplicate(send(bridge, preset, request), first)
    accept(bridge, preset, changed)
    assert accept(bridge, preset, request) != first


@pytest.mark.parametrize("name", UNSIGNED)
def test_a_repeat_is_a_repeat_whatever_its_unsigned_event_says(bridge, name):
    preset = PRESETS[name]
    request = preset.make()
    first = accept(bridge, preset, request)
    assert_duplicate(send(bridge, preset, request.with_header(UNSIGNED[name][0], str(uuid.uuid4()))), first)


@pytest.fixture(scope="module")
def trusting(start_for_module):
    """The presets whose delivery id nothing proves, told to trust headers all the same."""
    return start_bridge(start_for_module, None, [PRESETS[name].source(trust_unsigned=True) for name in ID_HEADERS])


@pytest.mark.parametrize("name", ID_HEADERS)
def test_a_delivery_without_the_id_that_its_provider_sends_is_no_repeat(bridge, name):
    preset = PRESETS[name]
    request = preset.make()
    request = request.but(headers=tuple(pair for pair in request.headers if pair[0] != ID_HEADERS[name]))
    assert accept(bridge, preset, request) != accept(bridge, preset, request)


WEAVY = {"name": "deals", "provider": "weavy", "verify": "none", "path": "/in/deals/5f0c9be8d2a7461e83b1c2d4e6f70a9b"}
TOKEN = {
    "name": "panels", "provider": "custom", "path": "/in/panels", "path_suffix": True, "topic": "panels/{gid}",
    "secrets": ["panel-token"], "signature": {"scheme": "token", "header": "X-Token"},
    "fields": {"event": "{body.event}", "gid": "{url}", "delivery_id": "{header.X-Id}"},
}
HMAC = {
    **TOKEN, "topic": "panels/{gid}/{event}",
    "signature": {
        "scheme": "hmac", "algorithm": "sha256", "header": "X-Signature", "form": "plain", "encoding": "hex", "key": "text",
        "message": "{body}",
    },
    "fields": {"event": "{header.X-Event}", "gid": "{url}"},
}


def post(bridge, path, body, headers=()):
    return http_client.fetch(bridge.ingress, "POST", path, list(headers), body)


def test_two_events_of_one_resource_with_the_same_body_are_two_where_the_url_names_them(start):
    own = start_bridge(start, None, [{**WEAVY, "events": {"won": "deal.won", "lost": "deal.lost"}}])
    body = dump({"result": {"codedeal": "D1"}})
    won = accepted(post(own, WEAVY["path"] + "/won", body))
    assert accepted(post(own, WEAVY["path"] + "/lost", body)) != won
    assert accepted(post(own, WEAVY["path"] + "/won", body)) != won, "a change back is a change"
    own.restart()
    assert post(own, WEAVY["path"] + "/won", body).json()["status"] == "duplicate"


@pytest.mark.parametrize("dedupe", ["id", "body"])
def test_two_events_with_the_same_body_are_two_where_a_token_proves_the_header_that_names_them(start, dedupe):
    preset = PRESETS["gitlab"]
    own = start_bridge(start, None, [preset.source(dedupe=dedupe)])
    request = preset.make()
    first = accept(own, preset, request)
    system = request.with_header("X-Gitlab-Event", "System Hook")
    assert accept(own, preset, system) != first
    assert send(own, preset, system).json()["status"] == "duplicate"


def test_a_source_without_ids_repeats_what_is_sent_twice(start):
    """The same button, pressed twice: nothing tells it from a retry."""
    own = start_bridge(start, None, [{**TOKEN, "fields": {"event": "{body.event}", "gid": "{url}"}}])
    pressed, headers = b'{"event":"pressed"}', [("X-Token", "panel-token")]
    assert accepted(post(own, "/in/panels/p1", pressed, headers)) != accepted(post(own, "/in/panels/p1", pressed, headers))
    ids = [post(own, "/in/panels/p1", b"{}", headers).json()["id"] for _ in range(2)]
    assert len(set(ids)) == 2, "no event, but not less real"
    own.restart()
    accepted(post(own, "/in/panels/p1", pressed, headers))


def test_a_source_may_compare_bodies_or_nothing_whatever_its_provider_has(start):
    preset = PRESETS["github"]
    own = start_bridge(start, None, [preset.source(dedupe="body"), preset.source(name="all", path="/all", dedupe="none")])
    request = preset.make()
    first = accept(own, preset, request)
    assert_duplicate(send(own, preset, with_other_id(preset, request)), first)
    assert accept(own, preset, request, path="/all") != accept(own, preset, request, path="/all")


def test_what_a_source_itself_takes_from_the_url_or_a_header_tells_resources_and_events_apart(start):
    own = start_bridge(start, None, [{**HMAC, "dedupe": "body"}])
    body = b'{"armed":true}'

    def armed(panel, event="armed"):
        headers = [("X-Signature", sign.mac("panel-token", body).hex()), ("X-Event", event)]
        return post(own, f"/in/panels/{panel}", body, headers)

    first = accepted(armed("p1"))
    assert accepted(armed("p2")) != first
    assert_duplicate(armed("p1"), first)
    accepted(armed("p1", "alarm"))


def test_quarantined_deliveries_with_the_same_body_are_kept_apart_and_all_come_back(start, broker, subscriber):
    wrong = {**TOKEN, "fields": {**TOKEN["fields"], "event": "{body.ev}"}}
    own = start_bridge(start, broker, [wrong])
    body = b'{"event":"panel.armed"}'

    def quarantined(panel, delivery):
        answer = post(own, f"/in/panels/{panel}", body, [("X-Token", "panel-token"), ("X-Id", delivery)])
        assert answer.status == 202, answer
        return answer.json()["id"]

    ids = [quarantined("p1", "d1"), quarantined("p2", "d2"), quarantined("p2", "d3")]
    assert len(set(ids)) == 3
    assert quarantined("p1", "d1") == ids[0], "a retry is no other one"
    own.config["sources"] = [TOKEN]
    own.reload()
    own.cli("dead", "retry", "--all")
    assert [subscriber.wait_for(f"panels/{panel}", count)[0].payload for panel, count in (("p1", 1), ("p2", 2))] == [body] * 2


def test_an_unsigned_header_clears_no_retained_state_unless_it_is_trusted(start, broker, subscriber):
    preset = PRESETS["shopify"]
    sources = [
        preset.source(state_topic="strict-state/{gid}", topic="strict/{gid}"),
        preset.source(name="open", path="/in/open", state_topic="open-state/{gid}", topic="open/{gid}", trust_unsigned=True),
    ]
    own = start_bridge(start, broker, sources)
    request = preset.make()
    deleted = request.with_header("X-Shopify-Topic", "products/delete").with_header("X-Shopify-Webhook-Id", "d2")
    gid = preset.read(request).gid
    for path in (None, "/in/open"):
        accept(own, preset, request, path=path)
        accept(own, preset, deleted, path=path)
    subscriber.wait_for(f"strict/{gid}", 2)
    subscriber.wait_for(f"open/{gid}", 2)
    own.wait_metric("outbox_undelivered_events", 0)
    assert list(retained(broker, "strict-state/#")) == [f"strict-state/{gid}"]
    assert not retained(broker, "open-state/#")


def test_one_delivery_id_at_two_sources_is_two_deliveries(start):
    preset = PRESETS["ricloud"]
    own = start_bridge(start, None, [preset.source(), preset.source(name="second", path="/second")])
    request = preset.make()
    assert accept(own, preset, request) != accept(own, preset, request, path="/second")


def test_repeats_are_known_after_a_restart(start):
    own = start_with_presets(start, None)
    sent = [(preset, preset.make()) for preset in PRESETS.values()]
    ids = [accept(own, preset, request) for preset, request in sent]
    own.restart()
    for (preset, request), first in zip(sent, ids, strict=True):
        assert_duplicate(send(own, preset, request), first)
        if preset.trusted:
            assert_duplicate(send(own, preset, retry_of(preset, request)), first)


# What is remembered, and for how long


def test_repeats_are_known_when_the_events_themselves_are_gone(start, broker):
    own = start_with_presets(start, broker)
    own.config["outbox"] |= {"keep_delivered": "0s"}
    own.write_config()
    own.restart().wait_connected()
    sent = [(preset, preset.make()) for preset in PRESETS.values()]
    ids = [accept(own, preset, request) for preset, request in sent]
    own.wait_metric("outbox_undelivered_events", 0)
    own.wait_metric("outbox_stored_rows", 0)
    for end in (own.stop, own.kill):
        end()
        own.start().wait_connected()
        for (preset, request), first in zip(sent, ids, strict=True):
            assert_duplicate(send(own, preset, request), first)


def test_the_newest_deliveries_are_remembered_as_many_as_the_configuration_says(start):
    preset = PRESETS["stripe"]
    own = start_bridge(start, None, [preset.source()], start=False)
    own.config["outbox"]["dedupe_entries"] = 20
    own.write_config()
    own.start()
    sent = [preset.make() for _ in range(30)]
    ids = [accept(own, preset, request) for request in sent]

    def check():
        for request, first in list(zip(sent, ids, strict=True))[-20:]:
            assert_duplicate(send(own, preset, request), first)

    check()
    own.restart()
    check()
    assert accept(own, preset, sent[0]) != ids[0]


def test_each_source_has_a_window_of_its_own(start):
    preset = PRESETS["ricloud"]
    sources = [preset.source(dedupe_window="1s"), preset.source(name="long", path="/long")]
    own = start_bridge(start, None, sources)
    request = preset.make()
    first, long = accept(own, preset, request), accept(own, preset, request, path="/long")
    begin = time.monotonic()
    again = wait_until(lambda: (a := send(own, preset, request).json())["status"] == "accepted" and a, "a new event")
    assert again["id"] != first and time.monotonic() - begin >= 0.9
    assert_duplicate(send(own, preset, request, path="/long"), long)
    own.restart()
    assert_duplicate(send(own, preset, request, path="/long"), long)


def test_the_window_of_the_outbox_is_for_sources_whose_provider_has_none(start):
    stripe = PRESETS["stripe"]
    panels = {**TOKEN, "path_suffix": False, "fields": {"event": "{body.e}", "gid": "|", "delivery_id": "{body.n}"}, "topic": "p"}
    own = start_bridge(start, None, [panels, stripe.source()], start=False)
    own.config["outbox"]["dedupe_window"] = "0s"
    own.write_config()
    own.start()
    body, headers = b'{"e":"pressed","n":"1"}', [("X-Token", "panel-token")]
    assert accepted(post(own, "/in/panels", body, headers)) != accepted(post(own, "/in/panels", body, headers))
    request = stripe.make()
    first = accept(own, stripe, request)
    assert_duplicate(send(own, stripe, request), first)


def test_what_was_dropped_by_hand_is_new_when_it_comes_again_also_after_a_restart(start):
    preset = PRESETS["stripe"]
    own = start_bridge(start, None, [preset.source()])
    request, kept = preset.make(), preset.make()
    first, other = accept(own, preset, request), accept(own, preset, kept)
    own.cli("outbox", "drop", first)
    own.restart()
    assert accept(own, preset, request) != first
    assert_duplicate(send(own, preset, kept), other)
