"""Every preset: which delivery is a repeat of which, by its id where that is proven, else by its body."""

import json
import uuid

import pytest

from lib.deliveries import PRESETS, UNSIGNED, dump
from lib.posting import accept, each, send, start_bridge, start_with_presets

TRUSTED = [preset for preset in PRESETS.values() if preset.trusted]
BY_DIGEST = [preset for preset in PRESETS.values() if not preset.trusted]


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
    if preset.name == "gitlab":
        return request.with_header("Idempotency-Key", str(uuid.uuid4()))
    key = "event_id" if preset.name == "slack" else "id"
    return request.but(body=dump({**json.loads(request.body), key: str(uuid.uuid4())}))


@each(TRUSTED)
def test_the_same_body_with_another_trusted_delivery_id_is_another_event(bridge, preset):
    request = preset.make()
    assert accept(bridge, preset, request) != accept(bridge, preset, with_other_id(preset, request))


@each(BY_DIGEST)
def test_without_a_trusted_delivery_id_the_body_decides_and_a_change_back_is_a_change(bridge, preset):
    request = preset.make()
    changed = retry_of(preset, request)
    first = accept(bridge, preset, request)
    assert_duplicate(send(bridge, preset, request), first)
    accept(bridge, preset, changed)
    assert accept(bridge, preset, request) != first


@pytest.mark.parametrize("name, header", [(name, header) for name, both in UNSIGNED.items() for header in both])
def test_a_repeat_is_a_repeat_whatever_its_unsigned_headers_say(bridge, name, header):
    preset = PRESETS[name]
    request = preset.make()
    first = accept(bridge, preset, request)
    assert_duplicate(send(bridge, preset, request.with_header(header, str(uuid.uuid4()))), first)


@pytest.fixture(scope="module")
def trusting(start_for_module):
    """The presets whose delivery id nothing signs, told to trust it all the same."""
    return start_bridge(start_for_module, None, [PRESETS[name].source(trust_unsigned=True) for name in UNSIGNED])


@pytest.mark.parametrize("name", UNSIGNED)
def test_a_source_may_trust_an_unsigned_delivery_id(trusting, name):
    preset, id_header = PRESETS[name], UNSIGNED[name][1]
    request = preset.make()
    first = accept(trusting, preset, request)
    second = accept(trusting, preset, request.with_header(id_header, str(uuid.uuid4())))
    assert second != first
    assert_duplicate(send(trusting, preset, retry_of(preset, request)), first)


def test_a_delivery_that_has_no_id_although_its_provider_usually_sends_one_is_known_by_its_body(bridge):
    preset = PRESETS["gitlab"]
    request = preset.make()
    request = request.but(headers=tuple(pair for pair in request.headers if pair[0] != "Idempotency-Key"))
    first = accept(bridge, preset, request)
    assert_duplicate(send(bridge, preset, request), first)
    accept(bridge, preset, retry_of(preset, request))


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
