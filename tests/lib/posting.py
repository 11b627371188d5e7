"""Bridges with a source for each preset, and deliveries posted to them."""

import pytest

from lib import http_client
from lib.deliveries import PRESETS

# What a bridge has kept or published, as its metrics count it.
KEPT = ("accepted_total", "duplicates_total", "quarantined_total", "dead_letters", "published_total")


def each(presets):
    return pytest.mark.parametrize("preset", presets, ids=lambda preset: preset.name)


def start_bridge(starter, broker, sources, env=None, **options):
    """With the secrets of all presets, and env, in its environment."""
    variables = {**(env or {})}
    for preset in PRESETS.values():
        variables |= preset.environment()
    bridge = starter.bridge(broker, {"sources": sources}, env=variables, **options)
    bridge.secrets |= set(variables.values())
    return bridge.wait_connected() if broker and bridge.process else bridge


def start_with_presets(starter, broker):
    """A source for each preset, with its default topic."""
    return start_bridge(starter, broker, [preset.source() for preset in PRESETS.values()])


def send(bridge, preset, request, proof=None, path=None):
    """proof: headers in place of those that prove it."""
    headers = preset.headers(request, proof)
    return http_client.fetch(bridge.ingress, "POST", (path or preset.path) + request.suffix, headers, request.body)


def accept(bridge, preset, request, path=None):
    """A delivery that must be accepted; returns its id."""
    return accepted(send(bridge, preset, request, path=path))


def accepted(answer):
    assert answer.status == 200 and answer.json()["status"] == "accepted", answer
    return answer.json()["id"]


def assert_refused(answer):
    assert answer.status == 401, answer
    assert answer.json()["error"] == "unauthorized"


def kept(bridge):
    metrics = bridge.metrics()
    return {name: metrics.value(name) for name in KEPT}
