"""`sign` and `trigger`: the provider's part, played by the program itself."""

import json
import subprocess

import pytest

from lib import events, http_client, sign
from lib.bridge import PATH, SECRET, SOURCE
from lib.http_client import Connection
from lib.triggered import trigger
from lib.wait import wait_until

PAIRS = sorted(f"{kind}:{event}" for kind, known in events.CATALOGUE.items() for event in known)


def test_the_list_names_every_resource_and_event_of_the_published_list(start):
    bridge = start.bridge(None, start=False)
    listed = bridge.cli("trigger", "partners", "--list").stdout.decode().split()
    assert sorted(listed) == PAIRS


def test_all_puts_every_pair_on_the_broker_byte_for_byte(start, bridge, subscriber):
    lines, sent = trigger(start, bridge, SOURCE, "--all")
    assert len(lines) == len(sent) == len(PAIRS)
    assert all(line.startswith("200 accepted ") for line in lines), lines
    messages = subscriber.wait_under("partners/", len(PAIRS))
    assert [message.payload for message in messages] == [one.body for one in sent]
    seen = []
    for message, one in zip(messages, sent, strict=True):
        fields = json.loads(one.body)
        seen.append(f"{fields['resource_type']}:{fields['event']}")
        gid = fields["resource_gid"]
        assert message.topic == f"partners/{fields['resource_type']}/{fields['event']}/{gid}"
        assert ("resource" in fields) == (fields["event"] != events.DELETED)
        if "resource" in fields:
            assert fields["resource"]["gid"] == gid
        assert one.header("X-Partners-Signature") == sign.creads(SECRET, one.body)
        assert len(one.body) < 8000 and len(gid) == 13
    assert sorted(seen) == PAIRS
    assert bridge.metrics().value("unknown_events_total") == 0


def test_one_pair_with_a_gid_of_ones_choice_is_sent_as_often_as_asked(start, bridge, subscriber):
    args = ("project:resource.updated", "--gid", "559befeeab59f", "--count", "5")
    lines, sent = trigger(start, bridge, SOURCE, *args)
    assert len(lines) == len(sent) == 5
    messages = subscriber.wait_for("partners/project/resource.updated/559befeeab59f", 5)
    assert [message.payload for message in messages] == [one.body for one in sent]
    assert len({one.body for one in sent}) == 5, "none is a repeat of another"


def test_it_finds_the_bridge_by_its_configuration(start, broker, subscriber, tmp_path):
    bridge = start.bridge(broker, {"ingress": {"listen": [f"unix:{tmp_path}/in.sock"]}})
    bridge.cli("trigger", "partners", "work:resource.created")
    assert subscriber.wait_under("partners/work/resource.created/", 1)


def test_an_unknown_pair_fails_and_the_right_ones_are_named(start):
    bridge = start.bridge(None, start=False)
    done = bridge.cli("trigger", "partners", "projct:resource.updated", expect=1)
    assert "project:resource.updated" in done.stderr.decode()


def test_a_bridge_that_is_not_there_fails_with_its_address(start):
    bridge = start.bridge(None, {"ingress": {"listen": ["127.0.0.1:9"]}}, start=False)
    done = bridge.cli("trigger", "partners", "work:resource.created", expect=1)
    assert "127.0.0.1:9" in done.stderr.decode()


def test_a_refused_event_is_a_failure(start):
    bridge = start.bridge(None)
    url = f"http://{bridge.ingress[0]}:{bridge.ingress[1]}{PATH}"
    bridge.env["ITEST_PARTNERS_SECRET"] = "another"
    done = bridge.cli("trigger", "partners", "work:resource.created", "--url", url, expect=1)
    assert done.stdout.startswith(b"401 ")


def test_an_event_that_becomes_a_dead_letter_is_a_failure_with_its_reason(start):
    samples = [{"event": "resource.updated", "body": {"event": "@EVENT@", "resource_type": "project"}}]
    bridge = start.bridge(None, {"sources": [{**SOURCE, "sample_defaults": None, "samples": samples}]}, start=False)
    bridge.config["ingress"]["listen"] = [f"unix:{bridge.folder}/in.sock"]
    bridge.write_config()
    bridge.start()
    [line] = bridge.cli("trigger", "partners", "resource.updated", expect=1).stdout.decode().splitlines()
    [dead] = bridge.rows("dead")
    assert line.startswith(f"202 quarantined {dead['id']} ") and line.endswith(f" ({dead['reason']})")
    assert dead["reason"]


@pytest.mark.parametrize("url", ["nonsense", "127.0.0.1:8080", "unix:/run/x", "http:///x", "http://127.0.0.1/a b", "http://127.0.0.1/a\nb", ""])
def test_a_url_that_is_none_is_wrong_usage(start, url):
    bridge = start.bridge(None, start=False)
    done = bridge.cli("trigger", "partners", "work:resource.created", "--url", url, expect=2)
    assert done.stderr.startswith(b"hook2mqtt: --url ") and b"listen" not in done.stderr.splitlines()[0]


def test_the_query_of_a_url_is_kept(start, bridge):
    proxy = start.proxy(bridge.ingress, record=True)
    url = f"http://{proxy.host}:{proxy.port}{PATH}?a=b/c"
    bridge.cli("trigger", "partners", "work:resource.created", "--url", url, expect=None)
    assert bytes(proxy.links[0].to_server).startswith(b"POST %s?a=b/c HTTP/1.1\r\n" % PATH.encode())


def test_sign_prints_the_header_that_the_provider_would_send(start):
    bridge = start.bridge(None, start=False)
    for body in (b"{}", b"", b'\x00\xff\n "odd" \r\n', events.body(pad="x" * 200000)):
        line = bridge.cli("sign", "partners", input=body).stdout
        assert line == f"X-Partners-Signature: {sign.creads(SECRET, body)}\n".encode()


def test_what_sign_prints_can_be_sent_by_curl(bridge, subscriber, tmp_path):
    body = events.body()
    (tmp_path / "body.json").write_bytes(body)
    header = bridge.cli("sign", "partners", input=body).stdout.decode().strip()
    host, port = bridge.ingress
    done = subprocess.run(
        ["curl", "-sS", "-H", header, "--data-binary", f"@{tmp_path}/body.json", f"http://{host}:{port}{PATH}"],
        capture_output=True, check=True,
    )
    assert json.loads(done.stdout)["status"] == "accepted"
    assert subscriber.wait_for(events.topic())[0].payload == body


def test_the_sockets_under_these_tests_pass_bytes_unchanged(start):
    """A check of the recording proxy itself: what goes through is what was recorded."""
    bridge = start.bridge(None)
    proxy = start.proxy(bridge.ingress, record=True)
    data = http_client.request_bytes("GET", "/healthz")
    with Connection((proxy.host, proxy.port)) as connection:
        connection.send(data)
        assert connection.answer().status == 200
    wait_until(lambda: bytes(proxy.links[0].to_server) == data, "recorded")
