"""The sample configurations of config/providers: each runs as it is, and takes what its provider sends."""

import json
import pathlib
import re
import uuid

import pytest

from lib import http_client, sign
from lib.check_schema import without_comments
from lib.deliveries import PRESETS, Request, dump, message_of
from lib.posting import accepted, start_bridge
from lib.sign import in_base64, now
from lib.triggered import accepted_ids, listed, trigger

CONFIG = pathlib.Path(__file__).resolve().parents[2] / "config"
EXAMPLES = sorted((CONFIG / "providers").glob("*.json"))
# What their variables stand for; all others get any text.
VALUES = {
    "STANDARD_WEBHOOKS_SECRET": PRESETS["standard-webhooks"].secrets[0],
    "GITLAB_SIGNING_TOKEN": "whsec_" + in_base64(bytes(range(32))),
    "WEAVY_PATH": "5f0c9be8d2a7461e83b1c2d4e6f70a9b",
}
# What `check` has to say of them: nothing, but that ricloud has not handed out its secret yet.
REMARKS = {"ricloud": ["sources[0].secrets[0]"], "shopify": ["sources[0].topic", "sources[0].trust_unsigned"]}


@pytest.fixture(scope="module")
def subscriber(start_for_module, module_broker):
    return start_for_module.subscriber(module_broker)


class Example:
    """A sample configuration, and the environment that it asks for."""

    def __init__(self, path):
        self.path, self.name = path, path.stem
        self.config = json.loads(without_comments(path.read_text()))
        text = json.dumps(self.config)
        names = re.findall(r"\$\{(\w+)\}", text) + re.findall(r'\{"env": "(\w+)"\}', text)
        self.env = {name: VALUES.get(name, f"itest-{name.lower()}") for name in names}
        [self.source] = self.config["sources"]

    @property
    def secret(self):
        return self.env[self.source["secrets"][0]["env"]]

    def start(self, starter, broker):
        """Its source, on a bridge of ours."""
        source = {**self.source, "path": re.sub(r"\$\{(\w+)\}", lambda found: self.env[found[1]], self.source["path"])}
        if self.name == "ricloud":
            file = starter.folder / "ricloud-secret"
            file.write_text(PRESETS["ricloud"].secrets[0] + "\n")
            file.chmod(0o600)
            source["secrets"] = [{"file": str(file)}]
        return start_bridge(starter, broker, [source], self.env), source


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def example(request):
    return Example(request.param)


def test_there_is_a_sample_configuration_for_each_preset_and_four_for_others():
    names = {path.stem for path in EXAMPLES}
    assert set(PRESETS) - {"creads"} <= names
    assert sorted(name for name in names if name.startswith("custom-")) == [
        "custom-acme-alarms", "custom-acme-orders", "custom-gitlab-signing-token", "custom-zendesk",
    ]


def test_check_finds_nothing_in_a_sample_configuration(start, example, tmp_path, monkeypatch):
    (tmp_path / "build/run").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    bridge = start.bridge(None, env=example.env, start=False)
    done = bridge.cli("check", config_file=example.path, expect=0)
    *lines, _ = done.stdout.decode().splitlines()
    remarks = REMARKS.get(example.name, [])
    assert len(lines) == len(remarks)
    for line, remark in zip(lines, remarks, strict=True):
        assert line.startswith(remark) and "warning" in line, line


def test_a_sample_configuration_shows_the_topic_that_it_has_by_default(example):
    preset = PRESETS.get(example.source["provider"])
    own = example.name.startswith("custom-") or example.source.get("trust_unsigned")
    if preset and not own:
        assert example.source["topic"] == preset.topic


def test_the_bridge_runs_on_a_sample_configuration_and_its_samples_arrive(start, module_broker, subscriber, example):
    bridge, source = example.start(start, module_broker)
    lines, sent = trigger(start, bridge, source, "--all")
    ids = accepted_ids(lines)
    assert len(sent) == len(ids) == len(listed(bridge, source)) > 0
    for accepted_id, one in zip(ids, sent, strict=True):
        message = message_of(subscriber, accepted_id)
        assert message.payload == one.body
        assert message.topic.split("/")[0] == source["topic"].split("/")[0]


def send(bridge, source, request, headers):
    path = source["path"] + request.suffix
    return http_client.fetch(bridge.ingress, "POST", path, [*request.headers, *headers], request.body)


def deliver(start, broker, subscriber, name, request, headers):
    """A delivery that its provider signs, made here; returns the message."""
    bridge, source = Example(CONFIG / f"providers/{name}.json").start(start, broker)
    assert send(bridge, source, request, []).status == 401
    assert send(bridge, source, request, [*headers[:-1], (headers[-1][0], headers[-1][1] + "x")]).status == 401
    return message_of(subscriber, accepted(send(bridge, source, request, headers)))


def test_the_example_of_gitlabs_signing_token_takes_what_gitlab_signs(start, module_broker, subscriber):
    name = "custom-gitlab-signing-token"
    secret = Example(CONFIG / f"providers/{name}.json").secret
    body = {
        "object_kind": "merge_request", "project": {"id": 15, "path_with_namespace": "mike/diaspora"},
        "object_attributes": {"iid": 1, "action": "open", "state": "opened"},
    }
    delivery_id = str(uuid.uuid4())
    headers = (("X-Gitlab-Event", "Merge Request Hook"), ("Idempotency-Key", delivery_id))
    request = Request(dump(body), headers)
    proof = sign.standard_webhooks_headers(secret, request.body, message_id=delivery_id)
    message = deliver(start, module_broker, subscriber, name, request, proof)
    assert message.topic == "gitlab/merge_request.open/mike%2Fdiaspora"
    assert message.property("delivery_id") == delivery_id


def test_the_example_of_orders_takes_what_its_documentation_says(start, module_broker, subscriber):
    name = "custom-acme-orders"
    secret = Example(CONFIG / f"providers/{name}.json").secret
    body = (
        b'{ "id": "whk_41", "event": "order.paid", "created_at": "2026-02-03T08:30:00Z",\n'
        b'  "order": { "number": "A-1007", "total": "49.90" } }'
    )
    timestamp = now()
    signature = sign.mac(secret, sign.stamped(timestamp, body), "sha512").hex()
    headers = [("X-Acme-Timestamp", str(timestamp)), ("X-Signature", f"sha512={signature}")]
    message = deliver(start, module_broker, subscriber, name, Request(body), headers)
    assert message.topic == "acme/order/paid/A-1007"
    assert message.property("delivery_id") == "whk_41"
    assert subscriber.wait_for("acme-state/order/A-1007")[0].payload == body


def test_the_example_of_alarms_takes_what_its_documentation_says(start, module_broker, subscriber):
    name = "custom-acme-alarms"
    secret = Example(CONFIG / f"providers/{name}.json").secret
    request = Request(
        b'{ "zone": 4, "state": "armed", "at": "2026-02-03T08:30:00Z", "text": "report 17" }', suffix="/SN-20481"
    )
    message = deliver(start, module_broker, subscriber, name, request, [("X-Panel-Token", secret)])
    assert message.topic == "acme/alarm/SN-20481/armed"
