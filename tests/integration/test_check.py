"""`check`: each fault of a configuration is one line `path.to.key: what is wrong`, and all come in one run."""

import copy
import json
import os
import shutil
import subprocess

import pytest
from jsonschema import Draft202012Validator

from lib import events
from lib.bridge import PROGRAM, ROOT, SOURCE, source

REMOVE = object()


def changed(config, path, value):
    """A copy with the value at a path such as sources[0].topic; a new last part is added."""
    out = copy.deepcopy(config)
    *parents, last = [
        int(part) if part.isdigit() else part
        for part in path.replace("[", ".").replace("]", "").split(".")
    ]
    place = out
    for part in parents:
        place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
    if value is REMOVE:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return out


class Checker:
    def __init__(self, bridge):
        self.bridge = bridge
        self.good = bridge.config

    def run(self, config=None, text=None, *, status=1):
        """Lines on stdout, but for the last, which sums up."""
        file = self.bridge.folder / "checked.json"
        file.write_text(text if text is not None else json.dumps(config))
        done = self.bridge.cli("check", config_file=file, expect=status)
        *lines, summary = done.stdout.decode().splitlines()
        assert summary.startswith(f"{file}: "), done.stdout
        assert summary.startswith(f"{file}: ok") == (status == 0), done.stdout
        return lines

    def fault(self, path, value, *words, reported=None):
        """The change makes exactly one fault, at its own path unless another is given, with these words."""
        [line] = self.run(changed(self.good, path, value))
        where, _, what = line.partition(": ")
        assert where == (reported or path), line
        for word in words:
            assert word in what, line


@pytest.fixture
def check(start):
    bridge = start.bridge(None, start=False)
    # One secret for all: what a test adds needs no environment.
    bridge.config["sources"] = source(secrets=[{"env": "ITEST_PARTNERS_SECRET"}])
    return Checker(bridge)


def test_a_good_configuration_is_ok_and_nothing_is_started_or_written(check):
    before = sorted(os.listdir(check.bridge.folder))
    assert check.run(check.good, status=0) == []
    assert sorted(os.listdir(check.bridge.folder)) == sorted([*before, "checked.json"])


def test_only_sources_is_required(check, tmp_path):
    config = {"sources": source(), "outbox": {"path": str(tmp_path / "o.db")}}
    assert check.run(config, status=0) == []


def test_comments_are_allowed(check):
    text = json.dumps(check.good).replace("{", "{ // a comment with { and \" in it\n /* another\none */ ", 1)
    assert check.run(text=text, status=0) == []


TYPES = [
    ("ingress", [], "object"),
    ("ingress.listen", "127.0.0.1:8080", "list"),
    ("ingress.listen", {}, "list"),
    ("ingress.listen[0]", 8080, "text"),
    ("ingress.max_body", True, "size"),
    ("ingress.max_connections", "many", "number"),
    ("ingress.max_connections", 1.5, "number"),
    ("ingress.request_timeout", 10, "time"),
    ("mqtt.version", 5, '"5"'),
    ("mqtt.servers", "mqtt://a:1883", "list"),
    ("mqtt.keep_alive", None, "time"),
    ("outbox.path", 7, "text"),
    ("sources", {}, "list"),
    ("sources[0].qos", "1", "number"),
    ("sources[0].retain", "yes", "true or false"),
    ("sources[0].secrets", {"env": "A"}, "list"),
    ("sources[0].secrets[0]", 7, "secret"),
    ("sources[0].topic", ["a"], "topic"),
]


@pytest.mark.parametrize("path, value, word", TYPES)
def test_a_wrong_type_is_named_with_what_would_be_right(check, path, value, word):
    check.fault(path, value, word)


RANGES = [
    ("ingress.listen", [], "1 to"),
    ("ingress.max_body", "1", "1KiB"),
    ("ingress.max_body", "64XiB", "64MiB"),
    ("ingress.max_body", "-1MiB", "size"),
    ("ingress.max_body", "99999999999999999999GiB", "64MiB"),
    ("ingress.max_connections", 0, "1 to"),
    ("ingress.max_connections", 10**20, "1 to"),
    ("ingress.request_timeout", "10 parsecs", "10m"),
    ("ingress.request_timeout", "1ms", "100ms"),
    ("ingress.threads", -1, "1 to"),
    ("mqtt.version", "4", '"5"'),
    ("mqtt.servers", [], "1 to"),
    ("mqtt.keep_alive", "0s", "1s"),
    ("mqtt.keep_alive", "1500ms", "whole seconds"),
    ("mqtt.max_in_flight", 16001, "16000"),
    ("mqtt.max_in_flight", 0, "1 to"),
    ("mqtt.client_id", "", "empty"),
    ("outbox.max_size", "1KiB", "64KiB"),
    ("sources[0].qos", 3, "0 to 2"),
    ("sources[0].qos", -1, "0 to 2"),
    ("sources[0].message_expiry", "0s", "1s"),
    ("sources[0].name", "", "empty"),
    ("sources[0].verify", "never", '"none"'),
    ("sources[0].provider", "nobody", '"creads"'),
]


@pytest.mark.parametrize("path, value, word", RANGES)
def test_a_value_out_of_range_is_named_with_the_range(check, path, value, word):
    check.fault(path, value, word)


FORMS = [
    ("ingress.listen[0]", "8080", "127.0.0.1:8080"),
    ("ingress.listen[0]", "127.0.0.1:99999", "65535"),
    ("ingress.listen[0]", "::1:8080", "[::]:8080"),
    ("ingress.listen[0]", "unix:relative.sock", "absolute"),
    ("ingress.listen[0]", "unix:/" + "x" * 200, "bytes"),
    ("mqtt.servers[0]", "127.0.0.1:1883", "mqtt://"),
    ("mqtt.servers[0]", "http://127.0.0.1:1883", "mqtt://"),
    ("mqtt.servers[0]", "ssl://127.0.0.1:8883", "mqtts://"),
    ("mqtt.servers[0]", "mqtt://user:pass@127.0.0.1", "mqtt.username"),
    ("mqtt.servers[0]", "mqtt://127.0.0.1:0", "port"),
    ("mqtt.client_id", "a/b", "/"),
    ("mqtt.bridge_topic", "bridge/#", "#"),
    ("mqtt.bridge_topic", "$SYS/bridge", "$"),
    ("sources[0].path", "webhooks", "/"),
    ("sources[0].path", "/a?b=c", "query"),
    ("sources[0].path", "/a%2Fb", "%"),
    ("sources[0].path", "/a/", "/"),
    ("sources[0].path", "/a/../b", ".."),
    ("sources[0].path", "/healthz", "own"),
    ("sources[0].name", "a b", "letters"),
    ("sources[0].topic", "partners/#", "#"),
    ("sources[0].topic", "+/x", "+"),
    ("sources[0].topic", "$SYS/{gid}", "$"),
    ("sources[0].topic", "partners/{resource_typ}/{gid}", "did you mean {resource_type}?"),
    ("sources[0].topic", "partners/{nonsense}", "{body.<path>}"),
    ("sources[0].topic", "partners/{gid", "}"),
    ("sources[0].topic", "partners/gid}", "{"),
    ("sources[0].topic", "partners/{}", "{gid}"),
    ("sources[0].topic", "a\u0000b", "0000"),
    ("sources[0].state_topic", "partners-state/{gidd}", "did you mean {gid}?"),
    ("sources[0].state_topic", SOURCE["topic"], "differ"),
]


@pytest.mark.parametrize("path, value, word", FORMS)
def test_a_value_of_the_wrong_form_is_named_with_what_would_be_right(check, path, value, word):
    check.fault(path, value, word)


NEAR = [
    ("sources[0].qoz", 1, "unknown key, did you mean qos?"),
    ("sources[0].topics", "a", "unknown key, did you mean topic?"),
    ("mqtt.server", ["mqtt://a"], "unknown key, did you mean servers?"),
    ("mqtt.clientid", "a", "unknown key, did you mean client_id?"),
    ("ingress.maxbody", "1MiB", "unknown key, did you mean max_body?"),
    ("outbox.max-size", "1MiB", "unknown key, did you mean max_size?"),
    ("Sources", [], "did you mean sources?"),
    ("mqtt.nothing_like_it", 1, "unknown key"),
]


@pytest.mark.parametrize("path, value, words", NEAR)
def test_an_unknown_key_is_a_fault_and_a_near_miss_is_suggested(check, path, value, words):
    check.fault(path, value, words)


def test_a_provider_that_is_nearly_right_is_suggested(check):
    check.fault("sources[0].provider", "cread", 'did you mean "creads"?')


@pytest.mark.parametrize("key", ["name", "provider", "path"])
def test_a_missing_key_is_named(check, key):
    check.fault(f"sources[0].{key}", REMOVE, "missing")


def test_missing_sources_are_named(check):
    check.fault("sources", REMOVE, "missing")
    check.fault("sources", [], "at least one")


def test_a_source_without_secrets_must_say_that_it_verifies_nothing(check):
    check.fault("sources[0].secrets", REMOVE, "missing", '"verify"')
    config = changed(changed(check.good, "sources[0].secrets", REMOVE), "sources[0].verify", "none")
    warnings = check.run(config, status=0)
    assert [line.split(": warning: ")[0] for line in warnings] == ["sources[0].verify", "sources[0].path"]
    assert "can be guessed" in warnings[1]
    assert len(check.run(changed(config, "sources[0].path", "/webhooks/9f86d081884c7d65"), status=0)) == 1


def test_two_sources_of_one_name_or_path_are_faults(check):
    config = changed(check.good, "sources[1]", dict(SOURCE))
    lines = sorted(check.run(config))
    assert [line.split(": ")[0] for line in lines] == ["sources[1].name", "sources[1].path"]
    assert "sources[0].path" in lines[1]


def test_two_listeners_of_one_address_are_a_fault(check):
    config = changed(check.good, "ingress.listen", ["127.0.0.1:8080"])
    [line] = check.run(changed(config, "admin.listen", ["127.0.0.1:8080"]))
    assert line.startswith("admin.listen[0]: ") and "ingress.listen[0]" in line


SECRETS = [
    ({"env": "ITEST_NOT_SET"}, "ITEST_NOT_SET is not set"),
    ({"env": "ITEST_EMPTY"}, "ITEST_EMPTY is empty"),
    ({"file": "/nowhere/secret"}, "No such file"),
    ({"file": "/"}, ""),
    ({"fiel": "/x"}, "did you mean file?"),
    ({"env": "A", "file": "B"}, "either"),
    ({}, "either"),
    ("", "empty"),
]


@pytest.mark.parametrize("secret, words", SECRETS)
def test_a_secret_that_cannot_be_had_is_a_fault(check, secret, words):
    check.bridge.env["ITEST_EMPTY"] = ""
    [line] = check.run(changed(check.good, "sources[0].secrets[0]", secret))
    assert line.startswith("sources[0].secrets[0]") and words in line


def test_an_empty_secret_file_is_a_fault(check, tmp_path):
    (tmp_path / "empty").write_text("")
    (tmp_path / "newline").write_text("\n")
    for name in ("empty", "newline"):
        (tmp_path / name).chmod(0o600)
        [line] = check.run(changed(check.good, "sources[0].secrets[0]", {"file": str(tmp_path / name)}))
        assert line.startswith("sources[0].secrets[0]") and "empty" in line


def test_a_file_that_may_not_be_read_is_a_fault(check, tmp_path):
    """As another user than root, whom no mode keeps out. Whoever else runs the tests is one already."""
    program, config, secret = tmp_path / "program", tmp_path / "config", tmp_path / "secret"
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder.stat().st_mode & 0o077 == 0:
            folder.chmod(0o755)
    shutil.copy(PROGRAM, program)
    program.chmod(0o755)
    secret.write_text("itest-unreadable")
    secret.chmod(0o000)
    settings = {"sources": source(secrets=[{"file": str(secret)}]), "outbox": {"path": "/tmp/itest.db"}}
    config.write_text(json.dumps(settings))
    config.chmod(0o644)
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run([program, "check", "-c", config], capture_output=True, check=False, **nobody)
    assert done.returncode == 1, done
    assert "sources[0].secrets[0]" in done.stdout.decode()
    assert f"Permission denied to user {nobody.get('user', os.geteuid())}" in done.stdout.decode()


def test_a_secret_in_the_file_itself_is_a_warning(check):
    [line] = check.run(changed(check.good, "sources[0].secrets", ["inline-secret"]), status=0)
    assert line.startswith("sources[0].secrets[0]: warning: ") and "inline-secret" not in line


def test_no_fault_prints_a_secret(check):
    lines = check.run(changed(check.good, "sources[0].secrets", [{"env": 5}, "inline-secret", {"fil": "x"}]))
    assert "inline-secret" not in "\n".join(lines)


def test_variables_are_filled_in_anywhere(start, broker, subscriber):
    config = {
        "mqtt": {"client_id": "${ITEST_ID}-x"},
        "sources": source(topic="${ITEST_TOPIC}/{gid}"),
    }
    env = {"ITEST_ID": "var", "ITEST_TOPIC": "from-env"}
    bridge = start.bridge(broker, config, env=env)
    subscriber.wait_for("hook2mqtt/var-x/state")
    bridge.accept(events.body(gid="v"))
    subscriber.wait_for("from-env/v")


def test_an_unset_variable_is_a_fault(check):
    check.fault("mqtt.client_id", "${ITEST_NOT_SET}", "ITEST_NOT_SET is not set")
    check.fault("sources[0].topic", "a/${ITEST_NOT_SET", "}")


def test_unreadable_certificates_are_faults(check, tmp_path):
    (tmp_path / "not.pem").write_text("hello")
    config = changed(check.good, "mqtt.servers", ["mqtts://127.0.0.1"])
    files = {"ca_file": "/nowhere.pem", "cert_file": str(tmp_path / "not.pem"), "key_file": "/nowhere.key"}
    lines = check.run(changed(config, "mqtt.tls", files))
    assert sorted(line.split(": ")[0] for line in lines) == [f"mqtt.tls.{key}" for key in sorted(files)]


def test_a_variable_for_authorities_that_leads_nowhere_is_a_warning(check):
    config = changed(check.good, "mqtt.servers", ["mqtts://127.0.0.1"])
    check.bridge.env["SSL_CERT_FILE"] = "/nowhere/ca.pem"
    [line] = check.run(config, status=0)
    assert line.startswith("mqtt.tls.ca_file: warning: ") and "SSL_CERT_FILE names /nowhere/ca.pem" in line
    assert check.run(check.good, status=0) == []  # nothing of it without TLS


# A provider that is described here alone; tests/lib/bridge.py has SOURCE of one that the program knows.
OWN = {
    "name": "own",
    "provider": "custom",
    "path": "/webhooks/own",
    "path_suffix": True,
    "secrets": [{"env": "ITEST_PARTNERS_SECRET"}],
    "signature": {
        "scheme": "hmac",
        "algorithm": "sha256",
        "header": "X-Own-Signature",
        "form": "pairs",
        "mark": "v1",
        "encoding": "hex",
        "key": "text",
        "message": "{timestamp}.{body}",
        "timestamp_key": "t",
        "tolerance": "5m",
        "skew": "both",
    },
    "fields": {"event": "{body.type}", "gid": "{body.id}", "delivery_id": "{body.n}"},
    "challenge": {"field": "type", "value": "ping", "echo": "token"},
    "events": {"a": "A"},
    "samples": [{"event": "a.b", "url": "a", "headers": {"X-A": "a"}, "body": {"type": "@EVENT@", "id": "@GID@"}}],
    "public_url": "https://bridge.example/webhooks/own",
    "api": {"url": "https://api.example", "token": {"env": "ITEST_PARTNERS_SECRET"}},
}
SIGNED_BY_NOBODY = {"name": "open", "provider": "weavy", "path": "/webhooks/9f86d081884c7d65"}

# path below sources[0], a value of it that is wrong, a word of the fault
DESCRIPTIONS = [
    ("signature", "hmac", "object"),
    ("signature.scheme", "rsa", '"hmac"'),
    ("signature.algorithm", "md5", '"sha256"'),
    ("signature.form", "query", '"pairs"'),
    ("signature.encoding", "HEXX", '"hex"'),
    ("signature.key", "whsecc", '"whsec"'),
    ("signature.skew", "future", '"both"'),
    ("signature.header", "X Own", "header"),
    ("signature.header", "", "empty"),
    ("signature.timestamp_header", "a:b", "header"),
    ("signature.id_header", 7, "header"),
    ("signature.ordered", "yes", "true or false"),
    ("signature.message", ["{body}"], "text"),
    ("signature.tolerance", 300, "time"),
    ("signature.colour", "red", "unknown key"),
    ("fields", "{body.type}", "object"),
    ("fields.event", True, "template"),
    ("fields.event", REMOVE, "missing"),
    ("fields.gid", REMOVE, "missing"),
    ("fields.id", "{body.id}", "unknown key"),
    ("challenge.echo", "", "empty"),
    ("challenge.reply", "x", "unknown key"),
    ("path_suffix", "no", "true or false"),
    ("trust_unsigned", 1, "true or false"),
    ("events", {}, "1 to"),
    ("events", ["a"], "object"),
    ("events.b", 1, "text"),
    ('events."a b"', "A", "its key"),
    ("samples", [], "at least one"),
    ("samples", {}, "list"),
    ("samples[0].event", REMOVE, "missing"),
    ("samples[0].body", REMOVE, "missing"),
    ("samples[0].body", "{}", "object"),
    ("samples[0].headers", {}, "1 to"),
    ("samples[0].headers.X-A", 1, "text"),
    ("samples[0].size", 1, "unknown key"),
    ("public_url", "bridge.example", "https://"),
    ("public_url", "https://b.example/x?y", "path"),
    ("api", [], "object"),
    ("api.url", "ftp://api.example", "https://"),
    ("api.token", 7, "secret"),
    ("api.login", "me", "unknown key"),
    ("signature", REMOVE, "missing"),
    ("secrets", REMOVE, "missing"),
]


def schema():
    return Draft202012Validator(json.loads((ROOT / "config/bridge.schema.json").read_text()))


def quoted_key(config, path, value):
    """changed() for a path whose last part is in quotes, because it is no word."""
    parent, key = path.split('."')
    out = copy.deepcopy(config)
    place = out["sources"][0]
    place[parent.split(".")[-1]][key.rstrip('"')] = value
    return out


@pytest.fixture
def own(check):
    check.good["sources"] = [OWN]
    return check


def test_a_provider_can_be_described_in_the_configuration(own):
    assert schema().is_valid(own.good)
    # The event of OWN is in the body, so what says events by their URL is not used; nor is there an API.
    warnings = [line.split(": warning")[0] for line in own.run(own.good, status=0)]
    assert warnings == ["sources[0].events", "sources[0].api"]


@pytest.mark.parametrize("path, value, word", DESCRIPTIONS)
def test_what_is_wrong_in_a_description_is_refused_by_check_and_by_the_schema(own, path, value, word):
    full = f"sources[0].{path}"
    config = quoted_key(own.good, full, value) if '"' in path else changed(own.good, full, value)
    faults = [line for line in own.run(config) if ": warning: " not in line]
    assert [line for line in faults if line.startswith(f"{full}: ") and word in line] == faults, faults
    assert not schema().is_valid(config)


def test_a_source_that_signs_nothing_must_say_so_to_check_and_to_the_schema(check):
    config = changed(check.good, "sources", [SIGNED_BY_NOBODY])
    [line] = check.run(config)
    assert line.startswith('sources[0].verify: must be "none"')
    assert not schema().is_valid(config)
    config = changed(config, "sources[0].verify", "none")
    assert check.run(config, status=0) == []
    assert schema().is_valid(config)
    config = changed(check.good, "sources[0].signature", {"scheme": "none"})
    assert any(line.startswith("sources[0].verify: must") for line in check.run(config))
    assert not schema().is_valid(config)


def test_what_the_schema_cannot_say_is_refused_by_check(own):
    own.good["sources"] = [{key: value for key, value in OWN.items() if key not in ("events", "api")}]
    own.fault("sources[0].signature.message", "{bdy}", "{body}")
    own.fault("sources[0].signature.header", REMOVE, "missing")
    own.fault("sources[0].fields.gid", "{boddy.id}", "body")
    own.fault("sources[0].samples[0].gid_form", "fixed", "#")
    own.fault("sources[0].public_url", "https://b.example:99999", "port")
    own.fault("sources[0].challenge.echo", REMOVE, "missing")
    own.fault("sources[0].provider", "githib", '"github"')


def test_a_secret_that_the_provider_will_issue_may_be_missing(check, tmp_path):
    secret = {"file": str(tmp_path / "not-yet")}
    config = changed(check.good, "sources[0].secrets", [secret])
    assert any("No such file" in line for line in check.run(config))
    config = changed(changed(config, "sources[0].provider", "ricloud"), "sources[0].topic", REMOVE)
    [line] = check.run(config, status=0)
    assert line.startswith("sources[0].secrets[0]: warning: ")
    assert "`hook2mqtt provider ricloud create` writes it" in line


SYNTAX = {
    "empty": ("", "empty"),
    "cut": ('{"sources": [', "too early"),
    "a comma too many": ('{\n"sources": [],\n}', "line 3"),
    "nested too deep": ('{"sources": ' + "[" * 64 + "]" * 64 + "}", "nested deeper than 64 levels"),
    "single quotes": ("{'sources': []}", "double quotes"),
    "a comment without end": ("{ /* ", "comment"),
    "two texts": ("{} {}", "line 1"),
    "an array": ("[]", "object"),
    "no UTF-8 escape": ('{"sources": "\\ud800"}', ""),
}


@pytest.mark.parametrize("text, words", SYNTAX.values(), ids=SYNTAX)
def test_what_is_not_json_is_named_with_its_place(check, text, words):
    lines = check.run(text=text)
    assert lines and words in lines[0], lines


def test_a_key_given_twice_is_a_fault(check):
    text = json.dumps(check.good)[:-1] + ',"outbox":{}}'
    assert any(line.startswith("outbox: ") and "twice" in line for line in check.run(text=text))


def test_a_file_that_is_not_there_is_named(check, tmp_path):
    done = check.bridge.cli("check", config_file=tmp_path / "none.json", expect=1)
    assert f"{tmp_path}/none.json: cannot be read" in done.stdout.decode()


HALF = r"\ud83d"


@pytest.mark.parametrize("text", [HALF, r"\ude00", r"\ude00\ud83d", r"\ud83d\ud83d\ude00", r"x\\\ud83dy", r"\ud83dA", r"\n\ud83d"])
def test_half_of_a_character_is_a_fault_at_its_place(check, text):
    good = json.dumps(check.good, indent=1)
    [line] = [x for x in check.run(text=good.replace('"name": "partners"', f'"name": "{text}"')) if x.startswith("sources[0].name: contains")]
    at = good[: good.index('"name": "partners"')].count("\n") + 1
    assert "half of a character" in line and f"on line {at}, column " in line
    assert [x for x in check.run(text=good.replace('"name":', f'"{text}":')) if "contains half of a character" in x]


@pytest.mark.parametrize("text", [r"\ud83d\ude00", r"\\ud83d", r"\u00e4\u0041", r"\\\\ud83d"])
def test_whole_characters_are_fine(check, text):
    good = json.dumps(check.good, indent=1)
    config = good.replace('"topic": "', f'"title": "{text}", "topic": "')
    assert config != good
    assert check.run(text=config, status=0) == []


def test_an_api_without_its_address_is_a_fault(check):
    for provider in ("weavy", "ricloud"):
        base = {**check.good["sources"][0], "provider": provider}
        for api in ({"url": None}, None):
            config = changed(check.good, "sources", [{**base, "api": api}])
            assert [x for x in check.run(config) if x.startswith("sources[0].api.url: must not be null")]


def test_a_file_that_cannot_be_read_is_named_once(check, tmp_path):
    for config, reason in ((tmp_path / "none.json", "No such file or directory"), (tmp_path, "read: Is a directory")):
        done = subprocess.run([PROGRAM, "check", config], capture_output=True, check=False)
        assert done.stdout.decode().splitlines()[0] == f"{config}: cannot be read: {reason}"


def test_all_faults_come_in_one_run(check):
    config = check.good
    faults = {
        "nonsense": 1,
        "ingress.listen[0]": "8080",
        "ingress.max_body": 0,
        "admin.token": {"env": "ITEST_NOT_SET"},
        "mqtt.version": "4",
        "mqtt.clientid": "x",
        "outbox.keep_delivered": "forever",
        "sources[0].qos": 7,
        "sources[0].topic": "a/{gidd}",
        "sources[0].secrets[0]": {"file": "/nowhere"},
        "sources[1]": {"name": "two", "provider": "creads", "path": SOURCE["path"], "secrets": []},
    }
    for path, value in faults.items():
        config = changed(config, path, value)
    found = {line.split(": ")[0] for line in check.run(config)}
    wanted = set(faults) - {"sources[1]"} | {"sources[1].path", "sources[1].secrets"}
    # A fault may be in a part of what was changed, such as admin.token.env.
    assert {path for path in wanted if not any(f.startswith(path) for f in found)} == set()
    assert len(found) == len(wanted), found


def test_the_bridge_does_not_start_on_what_check_refuses(check):
    config = check.bridge.folder / "checked.json"
    check.run(changed(check.good, "sources[0].qoz", 1))
    done = check.bridge.cli("run", config_file=config, expect=1)
    assert "sources[0].qoz: unknown key, did you mean qos?" in done.stderr.decode()
    assert not (check.bridge.folder / "outbox.db").exists()
