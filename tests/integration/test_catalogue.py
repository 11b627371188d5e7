"""Every event of every preset's catalogue, sent by `trigger` as its provider would, reaches the broker."""

import json
import re

import pytest

from lib import events, http_client
from lib.deliveries import PRESETS, Request, check_message
from lib.posting import each, start_bridge, start_with_presets
from lib.sign import now
from lib.triggered import accepted_ids, listed, trigger

# How long ago a sample may have been signed when it is looked at here.
RECENTLY_S = 120
# What is published of the catalogues that are complete.
PUBLISHED = {
    "creads": {f"{kind}:{event}" for kind, known in events.CATALOGUE.items() for event in known},
    "ricloud": {
        "session.expired", "poll.created", "poll.completed", "task.created", "task.succeeded", "task.failed",
        "webhook_config.test",
    },
    "weavy": {"NewCustomer", "NewProspect", "NewSuspect", "NewSubcontractor", "NewDeal", "NewOpportunity"},
}


@pytest.fixture(scope="module")
def bridge(start_for_module, module_broker):
    return start_with_presets(start_for_module, module_broker)


@pytest.fixture(scope="module")
def subscriber(start_for_module, module_broker):
    return start_for_module.subscriber(module_broker)


def request_of(preset, sent):
    assert sent.method == "POST" and sent.path.startswith(preset.path), sent.path
    return Request(sent.body, sent.headers, sent.path.removeprefix(preset.path))


def signed_at(preset, request):
    """The timestamp that is in the proof; None: there is none."""
    if preset.name in ("ricloud", "stripe"):
        return int(re.match(r"t=(\d+),", request.header(preset.proof[0]))[1])
    places = {"standard-webhooks": "webhook-timestamp", "slack": "X-Slack-Request-Timestamp"}
    return int(request.header(places[preset.name])) if preset.name in places else None


def check_proof(preset, request):
    """Each header that proves it is there once, and is what the signer of these tests makes of the same request."""
    if not preset.proof:
        return
    timestamp = signed_at(preset, request)
    options = {} if timestamp is None else {"timestamp": timestamp}
    if timestamp is not None:
        assert now() - RECENTLY_S < timestamp <= now()
    made = dict(preset.prove(request, **options))
    for name in preset.proof:
        # Stripe itself adds a signature of its test scheme.
        assert request.header(name) == made[name].partition(",v0=")[0], name


def messages_by_id(subscriber, ids):
    def found():
        by_id = {message.property("id"): message for message in subscriber.under("")}
        return all(one in by_id for one in ids) and by_id

    by_id = subscriber.wait(found, f"{len(ids)} messages")
    return [by_id[one] for one in ids]


def names_of(pairs):
    """An event is named with its type where several types have one of that name."""
    events_only = [event for _, event in pairs]
    return [event if events_only.count(event) == 1 else f"{kind}:{event}" for kind, event in pairs]


@each(PRESETS.values())
def test_every_event_that_is_listed_is_sent_as_its_provider_does_and_arrives(start, bridge, subscriber, preset):
    lines, sent = trigger(start, bridge, preset.source(), "--all")
    ids = accepted_ids(lines)
    assert len(sent) == len(ids) > 0
    arrived = []
    for accepted_id, one, message in zip(ids, sent, messages_by_id(subscriber, ids), strict=True):
        request = request_of(preset, one)
        check_proof(preset, request)
        fields = preset.read(request)
        check_message(message, request, fields, preset.name, preset.topic_of(fields), accepted_id)
        arrived.append((fields.resource_type, fields.event))
    assert len(set(arrived)) == len(arrived)
    assert names_of(arrived) == listed(bridge, preset.source())
    assert bridge.metrics().value("unknown_events_total") == 0


@each(PRESETS.values())
def test_samples_are_as_small_as_webhooks_are_and_name_their_resource(start, bridge, preset):
    _, sent = trigger(start, bridge, preset.source(), "--all")
    for one in sent:
        assert 0 < len(preset.read(request_of(preset, one)).gid) < 64
        assert one.header("Content-Type") == "application/json"
        assert len(one.body) < 20000
        assert isinstance(json.loads(one.body), dict)
        assert not re.search(rb"@[A-Z_]+@", one.body), "something was not filled in"


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_catalogue_is_what_is_published(bridge, name):
    assert set(listed(bridge, PRESETS[name].source())) == PUBLISHED[name]


def test_every_preset_of_the_program_is_looked_at_here(bridge):
    schema = json.loads(bridge.cli("help", "schema").stdout)
    known = schema["properties"]["sources"]["items"]["properties"]["provider"]["anyOf"][0]["enum"]
    assert set(known) == {*PRESETS, "custom"}


def test_only_events_that_have_a_path_are_sent_where_the_url_names_them(start, module_broker):
    preset = PRESETS["weavy"]
    own = start_bridge(start, module_broker, [preset.source(events={"a": "NewDeal", "b": "NewCustomer"})])
    assert sorted(own.cli("trigger", "weavy", "--list").stdout.decode().split()) == ["NewCustomer", "NewDeal"]
    lines, sent = trigger(start, own, preset.source(), "--all")
    assert len(lines) == len(sent) == 2 and all(line.startswith("200 accepted ") for line in lines)


@each(PRESETS.values())
def test_each_event_can_be_sent_alone_by_the_name_that_is_listed(start, bridge, preset):
    for name in listed(bridge, preset.source()):
        lines, [one] = trigger(start, bridge, preset.source(), name)
        assert len(accepted_ids(lines)) == 1
        fields = preset.read(request_of(preset, one))
        assert name in (fields.event, f"{fields.resource_type}:{fields.event}")


@each(PRESETS.values())
def test_none_of_many_of_one_event_is_a_repeat_also_of_one_gid(start, bridge, preset):
    name = listed(bridge, preset.source())[0]
    for args in ((), ("--gid", "7")):
        lines, sent = trigger(start, bridge, preset.source(), name, "--count", "4", *args)
        assert len(set(accepted_ids(lines))) == 4
        fields = [preset.read(request_of(preset, one)) for one in sent]
        assert not args or {one.gid for one in fields} == {"7"}
        if fields[0].delivery_id is not None:
            assert len({one.delivery_id for one in fields}) == 4


@each(PRESETS.values())
def test_what_sign_prints_proves_the_body(bridge, preset):
    request = preset.make()
    printed = bridge.cli("sign", preset.name, input=request.body).stdout.decode().splitlines()
    proof = [tuple(line.split(": ", 1)) for line in printed]
    assert sorted(name.lower() for name, _ in proof) == sorted(name.lower() for name in preset.proof)
    request = request.but(headers=tuple(preset.headers(request, proof)))
    check_proof(preset, request)
    path = preset.path + request.suffix
    answer = http_client.fetch(bridge.ingress, "POST", path, request.headers, request.body)
    assert (answer.status, answer.json()["status"]) == (200, "accepted"), answer
