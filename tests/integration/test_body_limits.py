"""How large a body may be: by source, by the configuration as a whole, or as its provider says."""

import contextlib
import threading

import pytest

from lib import http_client
from lib.bridge import is_sanitized
from lib.deliveries import PRESETS, Request
from lib.posting import send, start_bridge
from lib.wait import wait_until

MIB = 1 << 20
PUBLISHED = {"github": 25 * MIB, "gitlab": 25 * MIB}


def padded(preset, size):
    """A delivery of exactly this size."""
    request = preset.make()
    head = request.body[:-1] + b',"pad":"'
    return request.but(body=head + b"x" * (size - len(head) - 2) + b'"}')


def status(bridge, preset, size):
    return send(bridge, preset, padded(preset, size)).status


def start_one(start, name, ingress=None, **settings):
    preset = PRESETS[name]
    bridge = start_bridge(start, None, [preset.source(**settings)], start=False)
    if ingress:
        bridge.config["ingress"] |= ingress
        bridge.write_config()
    return bridge, preset


@pytest.mark.parametrize("name", ["github", "gitlab", "stripe", "creads", "slack"])
def test_a_source_takes_what_its_provider_may_send_and_no_more(start, name):
    bridge, preset = start_one(start, name)
    most = PUBLISHED.get(name, MIB)
    bridge.start()
    assert status(bridge, preset, 1500000) == (200 if most > MIB else 413)
    assert status(bridge, preset, most) == 200
    assert status(bridge, preset, most + 1) == 413
    assert bridge.metrics().value("rejected_total", source=name, reason="too_large") == (1 if most > MIB else 2)
    assert bridge.lines("webhook refused", source=name, reason="too_large")


def findings(bridge):
    return bridge.cli("check", expect=None).stdout.decode()


def test_a_limit_for_all_sources_holds_and_check_says_that_it_is_low(start):
    bridge, preset = start_one(start, "github", ingress={"max_body": "1MiB"})
    text = findings(bridge)
    assert "ingress.max_body: " in text and "is below the 25MiB that GitHub sends at most" in text
    bridge.start()
    assert status(bridge, preset, MIB) == 200
    assert status(bridge, preset, MIB + 1) == 413


@pytest.mark.parametrize("own, wide", [("2MiB", None), ("2MiB", "1MiB"), ("2MiB", "30MiB")])
def test_a_source_s_own_limit_comes_first(start, own, wide):
    bridge, preset = start_one(start, "github", ingress={"max_body": wide} if wide else None, max_body=own)
    text = findings(bridge)
    assert "sources[0].max_body: " in text and "is below the 25MiB that GitHub sends at most" in text
    assert "ingress.max_body" not in text
    bridge.start()
    assert status(bridge, preset, 2 * MIB) == 200
    assert status(bridge, preset, 2 * MIB + 1) == 413


@pytest.mark.parametrize("ingress, settings", [
    (None, {}), ({"max_body": "25MiB"}, {}), ({"max_body": "1MiB"}, {"max_body": "25MiB"}),
])
def test_check_finds_nothing_where_the_limit_is_no_lower_than_the_provider_s(start, ingress, settings):
    bridge, _ = start_one(start, "github", ingress=ingress, **settings)
    assert "max_body" not in findings(bridge)


def test_a_provider_s_limit_can_be_taken_out(start):
    bridge, preset = start_one(start, "github", max_body=None)
    bridge.start()
    assert status(bridge, preset, MIB + 1) == 413


def test_check_says_that_the_outbox_has_no_room_for_the_largest(start):
    bridge, _ = start_one(start, "github")
    bridge.config["outbox"]["max_size"] = "8MiB"
    bridge.write_config()
    assert "outbox.max_size: is smaller than sources[0].max_body" in findings(bridge).replace("warning: ", "")


def test_a_chunked_body_over_the_source_s_limit_is_refused(start):
    bridge, preset = start_one(start, "github", max_body="64KiB")
    bridge.start()
    with bridge.connect() as connection:
        headers = [*preset.prove(Request(b"{}")), ("Transfer-Encoding", "chunked")]
        connection.send(http_client.request_bytes("POST", preset.path, headers))
        connection.send(http_client.chunked(b"x" * 70000, [10000] * 7))
        assert connection.answer().status == 413


def test_a_reload_changes_a_source_s_limit(start):
    bridge, preset = start_one(start, "github", max_body="64KiB")
    bridge.start()
    assert status(bridge, preset, 70000) == 413
    bridge.config["sources"][0]["max_body"] = "30MiB"
    bridge.reload()
    assert status(bridge, preset, 26 * MIB) == 200


def test_many_large_bodies_at_once_stay_within_the_budget(start):
    """Eight that would take 200 MiB: what finds no room is refused, and the others are not."""
    bridge, preset = start_one(start, "github")
    bridge.start()
    before, size = bridge.resident_kb(), 25 * MIB - 1000
    request = padded(preset, size)
    head = http_client.request_bytes("POST", preset.path, [*preset.headers(request), ("Content-Length", str(size))])
    go_on, answers = threading.Event(), []

    def client():
        """All but its last byte, so that it stays where it is."""
        with contextlib.suppress(OSError, http_client.Closed), bridge.connect() as connection:
            connection.send(head + request.body[:-1])
            go_on.wait(60)
            connection.send(request.body[-1:])
            answers.append(connection.answer().status)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: bridge.metrics().value("rejected_total", source="github", reason="unavailable") >= 4, "no room")
    if not is_sanitized():
        assert bridge.resident_kb() - before < 256 * 1024, "100 MiB, and as much again for how buffers grow"
    go_on.set()
    for thread in threads:
        thread.join()
    assert answers.count(200) >= 1 and set(answers) <= {200, 503}, answers
    assert bridge.lines("webhook refused", source="github", reason="unavailable", path=preset.path)
    assert status(bridge, preset, 1000) == 200, "and then there is room again"
