"""`check` tries what a source sets over its preset on the preset's samples."""

import pytest

from lib.bridge import source

NONE = "is in none of the provider's samples: "
DEAD = "a webhook without it becomes a dead letter"


@pytest.fixture
def warnings(start):
    bridge = start.bridge(start=False)

    def check(**settings):
        bridge.config["sources"] = source(**{"topic": "t/{resource_type}/{event}/{gid}", **settings})
        bridge.write_config()
        *lines, summary = bridge.cli("check").stdout.decode().splitlines()
        assert ": ok" in summary
        return [line.removeprefix("sources[0].") for line in lines]

    return check


@pytest.mark.parametrize("provider", ["creads", "github", "stripe", "shopify", "gitlab"])
@pytest.mark.parametrize("field, consequence", [
    ("gid", DEAD), ("event", DEAD), ("resource_type", DEAD),
    ("delivery_id", "repeats are not known by it"), ("event_time", "events are ordered as they came"),
])
def test_a_field_that_no_sample_has_is_warned_of(warnings, provider, field, consequence):
    lines = warnings(provider=provider, fields={field: "{body.no.such.thing}"})
    assert f"fields.{field}: warning: {NONE}{consequence}" in lines


def test_a_field_that_some_samples_lack_is_warned_of(warnings):
    [line] = [x for x in warnings(provider="github", fields={"gid": "{body.issue.id}"}) if x.startswith("fields.gid: ")]
    assert "samples (such as ping): " + DEAD in line and " is not in " in line
    lines = warnings(provider="github", fields={"gid": "{body.issue.id}|{body.repository.id}|{body.zen}"})
    assert not [line for line in lines if line.startswith("fields.gid: ")]


def test_a_header_that_no_sample_has_is_warned_of(warnings):
    lines = warnings(provider="github", fields={"gid": "{header.X-No-Such-Header}"})
    assert f"fields.gid: warning: {NONE}{DEAD}" in lines


@pytest.mark.parametrize("key", ["topic", "state_topic"])
def test_a_variable_of_a_topic_that_no_sample_has_is_warned_of(warnings, key):
    template = "t/{body.resource.statuss}/{body.resource.status}/{gid}"
    lines = warnings(provider="creads", **{key: template})
    assert [line for line in lines if line.startswith(f"{key}: ")] == [
        f"{key}: warning: {{body.resource.statuss}} {NONE}it is always _ in them"
    ]


def test_a_token_in_place_of_a_signature_is_warned_of(warnings):
    token = {"scheme": "token", "header": "X-Token"}
    weaker = "signature.scheme: warning: is weaker than what GitHub does, which signs"
    nothing = {key: None for key in ("algorithm", "form", "mark", "encoding", "key", "message")}
    for signature in (token, {**nothing, **token}):
        assert [x for x in warnings(provider="github", signature=signature) if x.startswith(weaker)]
    assert not [x for x in warnings(provider="gitlab") if "weaker" in x]


def test_what_some_sample_has_is_fine(warnings):
    assert not warnings(provider="creads", fields={"gid": "{body.resource_gid}"}, topic="{source}/{id}/{type}/{action}/{gid}")


def test_a_field_that_was_taken_out_is_not_looked_for(warnings):
    lines = warnings(provider="github", topic="t/{event}", fields={"gid": "|", "delivery_id": "|", "event_time": "|"})
    assert not [line for line in lines if "samples" in line]


def test_a_preset_as_it_is_is_not_tried(warnings):
    for provider in ("creads", "stripe", "shopify"):
        lines = warnings(provider=provider, topic="t/{gid}")
        assert not [line for line in lines if "samples" in line], provider
