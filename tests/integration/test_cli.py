"""The subcommands, as an operator or a script uses them."""

import json
import os
import re
import subprocess

import pytest

from lib import events, http_client
from lib.bridge import PATH, PROGRAM, SECRET, source
from lib.ipv6 import needs_ipv6
from lib.own_files import own_places
from lib.wait import DEADLINE_S, free_port, wait_until

UNKNOWN_ID = "0190b8e4-7a3c-7def-8abc-0123456789ab"
NOT_JSON = b"\xff\x00 this is no event"


def fixed(**config):
    """A configuration whose addresses are known beforehand: that is how the subcommands find the bridge."""
    return {
        "ingress": {"listen": [f"127.0.0.1:{free_port()}"]},
        "admin": {"listen": [f"127.0.0.1:{free_port()}"]},
        **config,
    }


@pytest.fixture
def bridge(start, broker):
    return start.bridge(broker, fixed()).wait_connected()


@pytest.fixture
def stopped(start):
    """Has never run."""
    return start.bridge(None, fixed(), start=False)


def rows(bridge, *args):
    return [json.loads(line) for line in bridge.cli(*args, "--json").stdout.splitlines()]


def ids(found):
    return [row["id"] for row in found]


def fails(bridge, *args, saying, status=1, **options):
    """The command fails with one line of the usual form (before a usage, if any), which is returned."""
    done = bridge.cli(*args, expect=status, **options)
    text = done.stderr.decode()
    assert text.startswith("hook2mqtt: "), text
    assert saying in text, text
    assert done.stdout == b"", done.stdout
    return text


def program(*args, **options):
    return subprocess.run([PROGRAM, *args], capture_output=True, timeout=DEADLINE_S, check=False, **options)


def wait_delivered(bridge, *wanted):
    wait_until(
        lambda: set(wanted) <= set(ids(rows(bridge, "outbox", "ls", "--delivered"))),
        "delivered, as outbox ls sees it",
    )


def quarantine(bridge, body=NOT_JSON):
    answer = bridge.post(body)
    assert answer.status == 202, answer
    return answer.json()["id"]


# Arguments

COMMANDS = ["run", "check", "sign", "trigger", "outbox", "dead", "state", "health", "reload", "provider", "version", "help"]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command):
    asked = program(command, "--help")
    assert asked.returncode == 0 and asked.stderr == b""
    assert asked.stdout.startswith(f"usage: hook2mqtt {command}".encode())
    assert program("help", command).stdout == asked.stdout


def test_help_names_every_command():
    done = program("--help")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.decode().splitlines() if line[:2] == "  "] == COMMANDS


def usage_of(command):
    """Each form of a command: its words up to the first argument, and the options with the names of their values."""
    usage = program(command, "--help").stdout.decode().split("\n\n", 1)[0].removeprefix("usage: ")
    for line in usage.splitlines():
        words = re.match(r" *hook2mqtt ([a-z]+(?: [a-z]+)*)", line).group(1).split()
        named = line.replace("SELECTION", "--source NAME --since TIME --until TIME")
        yield words, re.findall(r"(--[a-z-]+)(?: ([A-Z]+|new))?", named)


OPTIONS = [(form, option) for command in COMMANDS for form, options in usage_of(command) for option in options]


@pytest.mark.parametrize("form, option", OPTIONS)
def test_every_option_that_the_usage_names_is_understood(form, option, tmp_path):
    name, value = option
    given = {"": [], "TIME": ["1h"], "N": ["1"]}.get(value, ["x"])
    text = program("-c", tmp_path / "no.json", *form, name, *given).stderr
    assert b"no such option" not in text and b"a value is missing" not in text and b"not a" not in text, text
    if value:
        assert f"{name}: a value is missing".encode() in program(*form, name).stderr


def test_every_option_that_the_help_explains_is_in_the_usage():
    for command in ("trigger", "outbox", "dead", "state"):
        help_text = program(command, "--help").stdout.decode().partition("Options of every command")[0]
        explained = set(re.findall(r"^  (--[a-z-]+)", help_text, re.M))
        assert explained <= {name for _, options in usage_of(command) for name, _ in options}


def test_the_schema_and_the_table_of_settings_come_from_help():
    assert json.loads(program("help", "schema").stdout)["$schema"]
    assert b"outbox.path" in program("help", "config").stdout


def test_the_version_is_one_line():
    for args in (["version"], ["--version"]):
        done = program(*args)
        assert done.returncode == 0
        assert done.stdout.startswith(b"hook2mqtt ") and done.stdout.count(b"\n") == 1


@pytest.mark.parametrize(
    "args, saying",
    [
        ([], "usage: "),
        (["helth"], "did you mean health?"),
        (["frobnicate"], "no such command"),
        (["help", "dea"], "did you mean dead?"),
        (["outbox"], "usage: "),
        (["outbox", "lss"], "did you mean ls?"),
        (["outbox", "ls", "--jsn"], "did you mean --json?"),
        (["outbox", "ls", "one"], "too many"),
        (["outbox", "ls", "--limit"], "value is missing"),
        (["outbox", "ls", "--limit", "0"], "whole number"),
        (["outbox", "ls", "--limit", "-1"], "whole number"),
        (["outbox", "ls", "--limit", "1kB"], "whole number"),
        (["outbox", "ls", "--since", "yesterday"], "not a time"),
        (["outbox", "ls", "--json=yes"], "takes no value"),
        (["outbox", "show"], "argument is missing"),
        (["outbox", "show", "17"], "not an id"),
        (["outbox", "show", UNKNOWN_ID, "--json", "--body"], "only one"),
        (["dead", "ls", "--delivered"], "no such option"),
        (["outbox", "drop"], "--all"),
        (["outbox", "replay"], "--all"),
        (["dead", "retry"], "--all"),
        (["dead", "drop"], "--all"),
        (["sign"], "argument is missing"),
        (["trigger", "partners"], "one of EVENT, --list and --all"),
        (["trigger", "partners", "project:resource.updated", "--all"], "one of EVENT"),
        (["version", "now"], "too many"),
        (["--log-level", "loud", "version"], "--log-level loud"),
        (["version", "-c"], "value is missing"),
    ],
)
def test_wrong_usage_is_status_2_and_says_what_is_wrong(args, saying):
    done = program(*args)
    assert done.returncode == 2
    assert done.stdout == b""
    assert saying in done.stderr.decode()


def test_the_configuration_may_be_named_before_and_behind_the_command(bridge):
    config = str(bridge.config_file)
    for args in (
        ["-c", config, "health"],
        ["health", "-c", config],
        ["health", f"--config={config}"],
        ["--log-level", "error", "--config", config, "health"],
        [f"-c{config}", "health"],
        ["health", f"-c{config}"],
        ["health", "-c", config, "--"],
    ):
        assert program(*args, env=bridge.env).returncode == 0, args


def test_letters_may_stand_in_a_group(bridge):
    wanted = program("health", "--help").stdout
    for args in (["-hc", str(bridge.config_file), "health"], ["health", f"-hc{bridge.config_file}"]):
        assert program(*args, env=bridge.env).stdout == wanted, args


def test_check_takes_the_file_as_its_argument(stopped):
    file = str(stopped.config_file)
    named = program("check", file, env=stopped.env)
    assert named.returncode == 0 and named.stdout == program("check", "-c", file, env=stopped.env).stdout
    assert program("check", "--", file, env=stopped.env).stdout == named.stdout
    assert b"-c names a configuration already" in program("check", "-c", file, file).stderr
    assert program("check", file, file).returncode == 2


DEFAULT_CONFIG = "/etc/hook2mqtt/bridge.json"


@pytest.mark.parametrize("command", [["run"], ["check"], ["health"], ["outbox", "ls"], ["sign", "x"]])
def test_without_any_configuration_there_is_a_hint(command, tmp_path):
    """Alone in a file system of its own: there is none, then there is an example."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "b/hook2mqtt").mkdir()
    (tmp_path / "b/hook2mqtt/bridge.json.example").write_text("{}")
    for folder, hint in ("a", "help config"), ("b", "bridge.json.example"):
        wrapper = own_places({"/etc": tmp_path / folder})
        done = subprocess.run([*wrapper, PROGRAM, *command], capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 1 and DEFAULT_CONFIG in said, said
        assert "-c FILE" in said and hint in said, said


def test_a_configuration_that_is_not_there_is_status_1(tmp_path):
    missing = str(tmp_path / "no.json")
    for command in (["run"], ["health"], ["outbox", "ls"]):
        done = program(*command, "-c", missing)
        assert done.returncode == 1 and missing in done.stderr.decode()


@pytest.mark.parametrize("args", [["version"], ["help"], ["help", "schema"], ["trigger", "--help"]])
def test_output_that_cannot_be_written_is_status_1(args):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PROGRAM, *args], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and b"No space left" in done.stderr


def test_a_reader_that_went_away_is_status_1(bridge):
    bridge.accept(events.body())
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [PROGRAM, *bridge.command("outbox"), "ls"],
        stdout=writer, stderr=subprocess.PIPE, env=bridge.env, check=False,
    )
    os.close(writer)
    assert done.returncode == 1 and b"Broken pipe" in done.stderr


# sign


def test_sign_prints_the_header_that_the_bridge_wants(bridge):
    body = events.body()
    name, value = bridge.cli("sign", "partners", input=body).stdout.decode().removesuffix("\n").split(": ")
    answer = http_client.fetch(bridge.ingress, "POST", PATH, [(name, value)], body)
    assert answer.status == 200


def test_sign_signs_every_byte_as_it_is(stopped):
    stopped.env["ITEST_PARTNERS_SECRET"] = "my_secret"
    done = stopped.cli("sign", "partners", input=b"{}")
    assert done.stdout == (
        b"X-Partners-Signature: 3c980c81acef21e0356767cca9ab9d6a62a4e09677bb07107e4524c381b17309\n"
    )
    with_newline = stopped.cli("sign", "partners", input=b"{}\n").stdout
    assert with_newline != done.stdout
    assert stopped.cli("sign", "partners", input=b"").stdout not in (done.stdout, with_newline)


def test_sign_of_a_source_that_verifies_nothing_prints_nothing(start):
    open_source = source(verify="none")
    del open_source[0]["secrets"]
    bridge = start.bridge(None, fixed(sources=open_source), start=False)
    done = bridge.cli("sign", "partners", input=b"{}")
    assert done.stdout == b"" and b"verifies nothing" in done.stderr


def test_sign_says_which_secret_it_lacks(stopped):
    del stopped.env["ITEST_PARTNERS_SECRET"]
    text = fails(stopped, "sign", "partners", input=b"{}", saying="sources[0].secrets[0]")
    assert "ITEST_PARTNERS_SECRET" in text


def test_sign_of_an_unknown_source_names_the_known_ones(stopped):
    fails(stopped, "sign", "partner", input=b"{}", saying="has: partners")


# trigger


def sent(done):
    """Lines of trigger: (status, what the bridge says, id, event, gid)."""
    return [line.split(" ") for line in done.stdout.decode().splitlines()]


def test_trigger_sends_a_signed_sample_that_reaches_the_broker(bridge, subscriber):
    [(status, said, one, event, gid)] = sent(bridge.cli("trigger", "partners", "project:resource.updated"))
    assert (status, said, event) == ("200", "accepted", "project:resource.updated")
    [message] = subscriber.wait_for(f"partners/project/resource.updated/{gid}")
    assert message.property("id") == one
    body = json.loads(message.payload)
    assert body["resource_gid"] == body["resource"]["gid"] == gid
    assert (body["event"], body["resource_type"]) == ("resource.updated", "project")


def test_trigger_list_names_the_catalogue_and_all_sends_it(bridge, subscriber):
    pairs = bridge.cli("trigger", "partners", "--list").stdout.decode().split()
    assert sorted(pairs) == sorted(
        f"{resource_type}:{event}" for resource_type, all_of in events.CATALOGUE.items() for event in all_of
    )
    lines = sent(bridge.cli("trigger", "partners", "--all"))
    assert [line[3] for line in lines] == pairs
    assert all(line[:2] == ["200", "accepted"] for line in lines)
    assert len({line[4] for line in lines}) == len(pairs), "each event has a gid of its own"
    subscriber.wait_under("partners/", len(pairs))


def test_trigger_count_sends_different_bodies_for_one_gid(bridge, subscriber):
    command = ["trigger", "partners", "work:resource.created", "--gid", "g 1/#", "--count", "5"]
    lines = sent(bridge.cli(*command)) + sent(bridge.cli(*command))
    assert [line[1] for line in lines] == ["accepted"] * 10
    messages = subscriber.wait_for("partners/work/resource.created/g 1%2F%23", 10)
    assert len({message.payload for message in messages}) == 10
    assert [message.property("id") for message in messages] == [line[2] for line in lines]


def test_trigger_uses_one_connection(bridge):
    before = bridge.metrics()
    bridge.cli("trigger", "partners", "work:resource.created", "--count", "20")
    assert bridge.metrics().value("accepted_total") - before.value("accepted_total") == 20
    assert bridge.metrics().value("http_connections") <= before.value("http_connections") + 1


def test_trigger_says_what_was_refused(start, broker):
    bridge = start.bridge(broker, fixed())
    bridge.env["ITEST_PARTNERS_SECRET"] = "another secret"
    done = bridge.cli("trigger", "partners", "project:resource.updated", "--count", "2", expect=1)
    assert [line[:3] for line in sent(done)] == [["401", "unauthorized", "-"]] * 2


def test_trigger_needs_a_running_bridge(stopped):
    fails(stopped, "trigger", "partners", "project:resource.updated", saying="127.0.0.1")


@pytest.mark.parametrize(
    "event, saying",
    [
        ("project", "project:resource.deleted"),
        ("projet:resource.updated", "project:resource.updated"),
        ("work:resource.deleted", "work:resource.created"),
        ("tree:resource.created", "--list"),
        ("", "--list"),
    ],
)
def test_trigger_of_an_unknown_event_names_the_near_ones(stopped, event, saying):
    fails(stopped, "trigger", "partners", event, saying=saying)


def test_trigger_finds_a_unix_socket(start, broker, tmp_path):
    bridge = start.bridge(broker, fixed(ingress={"listen": [f"unix:{tmp_path}/in.sock"]}))
    [line] = sent(bridge.cli("trigger", "partners", "work:resource.created"))
    assert line[:2] == ["200", "accepted"]


@pytest.mark.parametrize("host", [
    "0.0.0.0", "*", "0", "127.1",
    *(pytest.param(host, marks=needs_ipv6) for host in ("[::]", "[::0]", "[0:0:0:0:0:0:0:0]")),
])
def test_the_commands_find_a_bridge_that_listens_on_every_address(start, broker, host):
    config = fixed(
        ingress={"listen": [f"{host}:{free_port()}"]}, admin={"listen": [f"{host}:{free_port()}"], "token": {"env": "T"}}
    )
    bridge = start.bridge(broker, config, env={"T": "t"}, start=False).start(ready=False)
    wait_until(lambda: bridge.cli("health", "--ready", expect=None).returncode == 0, "ready")
    [line] = sent(bridge.cli("trigger", "partners", "work:resource.created"))
    assert line[:2] == ["200", "accepted"]
    bridge.cli("outbox", "drop", "--all")
    bridge.cli("dead", "retry", "--all")


def test_trigger_goes_where_url_says_and_never_to_a_proxy(bridge, stopped):
    host, port = bridge.ingress
    stopped.env.update(http_proxy="http://127.0.0.1:9", all_proxy="http://127.0.0.1:9")
    url = f"http://{host}:{port}{PATH}"
    [line] = sent(stopped.cli("trigger", "partners", "work:resource.created", "--url", url))
    assert line[:2] == ["200", "accepted"]
    done = stopped.cli("trigger", "partners", "work:resource.created", "--url", url + "x", expect=1)
    assert sent(done)[0][:2] == ["404", "not_found"]


# outbox and dead: looking


def test_looking_at_an_outbox_that_is_not_there_says_so_and_makes_none(stopped):
    for command in (
        ["outbox", "ls"],
        ["outbox", "stats"],
        ["outbox", "show", UNKNOWN_ID],
        ["outbox", "drop", "--all"],
        ["dead", "retry", "--all"],
    ):
        fails(stopped, *command, saying="has the bridge ever run?")
    assert not list(stopped.folder.glob("outbox.db*"))


def test_ls_shows_what_is_undelivered_and_what_is_delivered(start, broker):
    bridge = start.bridge(broker, fixed()).wait_connected()
    first = bridge.accept(events.body())
    wait_delivered(bridge, first)
    broker.stop()
    second = bridge.accept(events.body())
    assert ids(rows(bridge, "outbox", "ls")) == [second, first]
    assert ids(rows(bridge, "outbox", "ls", "--oldest")) == [first, second]
    assert ids(rows(bridge, "outbox", "ls", "--undelivered")) == [second]
    assert ids(rows(bridge, "outbox", "ls", "--delivered")) == [first]
    assert [row["state"] for row in rows(bridge, "outbox", "ls")] == ["undelivered", "delivered"]


def test_ls_shows_the_same_while_the_bridge_runs_and_afterwards(start):
    bridge = start.bridge(None, fixed())
    accepted = [bridge.accept(events.body(gid=f"r{i}")) for i in range(3)]
    running = rows(bridge, "outbox", "ls"), bridge.cli("outbox", "stats", "--json").stdout
    assert bridge.stop() == 0
    assert (rows(bridge, "outbox", "ls"), bridge.cli("outbox", "stats", "--json").stdout) == running
    assert ids(running[0]) == accepted[::-1]


def test_ls_selects(start):
    two = source() + [{**source()[0], "name": "second", "path": "/second"}]
    bridge = start.bridge(None, fixed(sources=two))
    first = bridge.accept(events.body())
    second = bridge.accept(events.body(), path="/second")
    third = bridge.accept(events.body())
    received = [row["received_at"] for row in rows(bridge, "outbox", "ls", "--oldest")]
    assert ids(rows(bridge, "outbox", "ls", "--source", "second")) == [second]
    assert ids(rows(bridge, "outbox", "ls", "--limit", "2")) == [third, second], "the newest"
    assert ids(rows(bridge, "outbox", "ls", "--oldest", "--limit", "2")) == [first, second]
    assert ids(rows(bridge, "outbox", "ls", "--since", "1h")) == [third, second, first]
    assert rows(bridge, "outbox", "ls", "--until", "1h") == []
    for_third = rows(bridge, "outbox", "ls", "--since", received[2])
    assert [row["received_at"] >= received[2] for row in for_third] == [True] * len(for_third)
    assert third in ids(for_third)
    assert third not in ids(rows(bridge, "outbox", "ls", "--until", received[2]))


def test_ls_for_people_has_aligned_columns_and_no_bodies(start):
    bridge = start.bridge(None, fixed())
    bridge.accept(events.body(gid="g", marker="only-in-the-body"))
    heading, line = bridge.cli("outbox", "ls").stdout.decode().splitlines()
    for name, value in (
        ("RECEIVED", "20"), ("SOURCE", "partners"), ("EVENT", "resource.updated"),
        ("RESOURCE_TYPE", "project"), ("GID", "g "),
        ("TOPIC", "partners/project/resource.updated/"), ("STATE", "undelivered"),
    ):
        assert line[heading.index(name) :].startswith(value), (heading, line)
    assert "only-in-the-body" not in line


def test_what_a_peer_sent_cannot_control_the_terminal(start):
    bridge = start.bridge(None, fixed())
    evil = "\x1b[31m\r\n\x9b2J\u202e"
    one = bridge.accept(events.body(gid=evil))
    for command in (["outbox", "ls"], ["outbox", "show", one]):
        text = bridge.cli(*command).stdout.decode()
        assert "\\x1B[31m\\x0D\\x0A\\xC2\\x9B2J\\xE2\\x80\\xAE" in text
        assert not {"\x1b", "\r", "\x9b", "\u202e"} & set(text)
    [row] = rows(bridge, "outbox", "ls")
    assert row["gid"] == evil


def test_show_tells_all_that_is_known_and_the_body(start):
    bridge = start.bridge(None, fixed())
    body = events.body(modified_at="2026-01-31T18:00:00+0000", title="é \" \\ \n")
    one = bridge.accept(body)
    [row] = rows(bridge, "outbox", "show", one)
    assert row == {**rows(bridge, "outbox", "ls")[0], "body": body.decode()}
    assert row["received_at"].startswith("20") and row["received_at"].endswith("Z")
    assert {key: row[key] for key in set(row) - {"seq", "received_at", "body"}} == {
        "id": one,
        "source": "partners",
        "event": "resource.updated",
        "resource_type": "project",
        "gid": events.GID,
        "state": "undelivered",
        "reason": None,
        "event_at": "2026-01-31T18:00:00.000Z",
        "delivery_id": None,
        "topic": events.topic(),
        "state_topic": None,
        "qos": 1,
        "retain": False,
        "expiry_seconds": None,
        "deletion": False,
        "replayed": False,
    }
    assert bridge.cli("outbox", "show", one, "--body").stdout == body
    assert body in bridge.cli("outbox", "show", one).stdout


def test_show_of_an_id_that_is_not_there_is_status_1(start):
    bridge = start.bridge(None, fixed())
    event, dead = bridge.accept(events.body()), quarantine(bridge)
    fails(bridge, "outbox", "show", UNKNOWN_ID, saying="not in the outbox")
    fails(bridge, "outbox", "show", dead, saying="dead show")
    fails(bridge, "dead", "show", event, saying="outbox show")


def test_dead_letters_are_listed_with_their_reason_and_body(start):
    bridge = start.bridge(None, fixed())
    one = quarantine(bridge)
    [row] = rows(bridge, "dead", "ls")
    assert (row["id"], row["state"], row["topic"]) == (one, "dead", None)
    assert row["reason"] and row["reason"] in bridge.cli("dead", "ls").stdout.decode()
    assert rows(bridge, "outbox", "ls") == []
    assert bridge.cli("dead", "show", one, "--body").stdout == NOT_JSON
    [shown] = rows(bridge, "dead", "show", one)
    assert "body" not in shown and bytes.fromhex(shown["body_hex"]) == NOT_JSON


def test_stats_count(start):
    bridge = start.bridge(None, fixed())
    empty = json.loads(bridge.cli("outbox", "stats", "--json").stdout)
    assert (empty["undelivered_count"], empty["oldest_undelivered_at"]) == (0, None)
    bridge.accept(events.body())
    bridge.accept(events.body())
    quarantine(bridge)
    stats = json.loads(bridge.cli("outbox", "stats", "--json").stdout)
    assert (stats["undelivered_count"], stats["kept_count"], stats["dead_count"]) == (2, 0, 1)
    assert stats["oldest_undelivered_at"] == rows(bridge, "outbox", "ls", "--oldest")[0]["received_at"]
    assert stats["undelivered_bytes"] > 0 and stats["dead_bytes"] >= len(NOT_JSON)
    assert stats["max_bytes"] == 256 * 1024 * 1024
    people = bridge.cli("outbox", "stats").stdout.decode()
    assert stats["oldest_undelivered_at"] in people and "256MiB" in people


def test_looking_needs_no_secrets(start):
    bridge = start.bridge(None, fixed())
    one = bridge.accept(events.body())
    quarantine(bridge)
    del bridge.env["ITEST_PARTNERS_SECRET"]
    assert ids(rows(bridge, "outbox", "ls")) == [one]
    bridge.cli("outbox", "show", one)
    bridge.cli("outbox", "stats")
    bridge.cli("dead", "ls")
    bridge.cli("health")
    assert b"dropped 1" in bridge.cli("dead", "drop", "--all").stdout


def test_a_file_that_is_no_outbox_is_named(stopped):
    path = stopped.folder / "outbox.db"
    path.write_bytes(b"no database, but longer than a header of SQLite would be " * 10)
    fails(stopped, "outbox", "ls", saying=str(path))


# outbox and dead: changing


def test_replay_on_a_running_bridge_publishes_again(bridge, subscriber):
    first, second = bridge.accept(events.body()), bridge.accept(events.body())
    wait_delivered(bridge, first, second)
    subscriber.wait_for(events.topic(), 2)
    assert bridge.cli("outbox", "replay", first).stdout == b"replayed 1\n"
    messages = subscriber.wait_for(events.topic(), 3)
    assert [message.property("id") for message in messages] == [first, second, first]
    assert messages[2].payload == messages[0].payload


def keys_in_help(command, of):
    """The names that `COMMAND --help` lists behind `Keys of OF:`."""
    text = " ".join(program(command, "--help").stdout.decode().split())
    listed = text.partition(f"Keys of {of}: ")[2].partition(".")[0]
    listed = re.sub(r" \(.*?\)", "", listed).replace("; with show also body, or body_hex if the body is not UTF-8", "")
    return listed.split(", ")


def test_the_help_lists_the_keys_that_are_printed(bridge):
    event = bridge.accept(events.body())
    dead = quarantine(bridge)
    for command, one, body in (("outbox", event, "body"), ("dead", dead, "body_hex")):
        keys = keys_in_help(command, "an object")
        (row,) = rows(bridge, command, "ls")
        assert list(row) == keys
        (row,) = rows(bridge, command, "show", one)
        assert list(row) == [*keys, body]
        (row,) = rows(bridge, command, "drop", "--since", "0s")
        assert list(row) == keys_in_help(command, "the result of a change")
    (row,) = rows(bridge, "outbox", "stats")
    assert list(row) == keys_in_help("outbox", "stats")


def test_what_was_changed_is_told_to_scripts_as_json(bridge):
    one = bridge.accept(events.body())
    wait_delivered(bridge, one)
    assert json.loads(bridge.cli("outbox", "replay", one, "--json").stdout) == {"done": 1, "skipped": 0, "why": None}
    bad = quarantine(bridge)
    told = json.loads(bridge.cli("dead", "retry", bad, "--json", expect=1).stdout)
    assert told["done"] == 0 and told["skipped"] == 1 and "JSON" in told["why"]


def test_ls_takes_one_of_undelivered_and_delivered(bridge):
    assert b"not both" in bridge.cli("outbox", "ls", "--undelivered", "--delivered", expect=2).stderr


def test_replay_on_a_stopped_bridge_publishes_when_it_starts(bridge, subscriber):
    one = bridge.accept(events.body())
    wait_delivered(bridge, one)
    assert bridge.stop() == 0
    done = bridge.cli("outbox", "replay", "--since", "1h", "--source", "partners")
    assert done.stdout.startswith(b"replayed 1 (to be published when the bridge starts)")
    assert ids(rows(bridge, "outbox", "ls", "--undelivered")) == [one]
    bridge.start()
    assert len(subscriber.wait_for(events.topic(), 2)) == 2


def test_show_after_a_replay_tells_of_the_newest(start, broker):
    bridge = start.bridge(broker, fixed()).wait_connected()
    one = bridge.accept(events.body())
    wait_delivered(bridge, one)
    broker.stop()
    bridge.cli("outbox", "replay", one)
    [shown] = rows(bridge, "outbox", "show", one)
    assert (shown["replayed"], shown["state"]) == (True, "undelivered")


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_undelivered_events_are_dropped(start, running):
    bridge = start.bridge(None, fixed())
    accepted = [bridge.accept(events.body(gid=f"d{i}")) for i in range(4)]
    if not running:
        assert bridge.stop() == 0
    assert bridge.cli("outbox", "drop", accepted[1], accepted[2]).stdout == b"dropped 2\n"
    assert ids(rows(bridge, "outbox", "ls", "--undelivered")) == [accepted[3], accepted[0]]
    assert bridge.cli("outbox", "drop", "--all").stdout == b"dropped 2\n"
    assert rows(bridge, "outbox", "ls", "--undelivered") == []
    assert bridge.cli("outbox", "drop", "--all").stdout == b"dropped 0\n"


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_delivered_events_are_dropped(start, broker, running):
    proxy = start.proxy(broker)
    bridge = start.bridge(proxy, fixed()).wait_connected()
    kept = [bridge.accept(body) for body in (events.body(gid=f"d{i}") for i in range(4))]
    repeated = events.body(gid="again")
    kept.append(bridge.accept(repeated))
    bridge.wait_settled()
    proxy.refuse()
    waiting = bridge.accept(events.body(gid="waits"))
    if not running:
        assert bridge.stop() == 0
    refused = bridge.cli("outbox", "drop", "--delivered", waiting, expect=1)
    assert b"none of these is delivered" in refused.stderr
    assert bridge.cli("outbox", "drop", "--delivered", kept[1]).stdout == b"dropped 1\n"
    assert ids(rows(bridge, "outbox", "ls", "--delivered", "--oldest")) == [kept[0], *kept[2:]]
    assert bridge.cli("outbox", "drop", "--delivered").stdout == b"dropped 4\n"
    assert ids(rows(bridge, "outbox", "ls")) == [waiting], "never one that is not delivered"
    assert bridge.cli("outbox", "drop", "--delivered").stdout == b"dropped 0\n"
    if not running:
        bridge.start()
    assert bridge.post(repeated).json()["status"] == "duplicate"
    proxy.resume()
    bridge.wait_settled()


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_nothing_is_done_if_one_of_the_ids_is_unknown(start, running):
    bridge = start.bridge(None, fixed())
    one, dead = bridge.accept(events.body()), quarantine(bridge)
    if not running:
        assert bridge.stop() == 0
    fails(bridge, "outbox", "drop", one, UNKNOWN_ID, saying=f"{UNKNOWN_ID} is not in the outbox")
    fails(bridge, "dead", "drop", dead, one, saying=f"{one} is not a dead letter")
    assert ids(rows(bridge, "outbox", "ls")) == [one]
    assert ids(rows(bridge, "dead", "ls")) == [dead]


def test_what_is_not_delivered_yet_cannot_be_replayed(start):
    bridge = start.bridge(None, fixed())
    one = bridge.accept(events.body())
    done = bridge.cli("outbox", "replay", one, expect=1)
    assert b"delivered yet" in done.stderr
    assert len(rows(bridge, "outbox", "ls")) == 1


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_dead_letter_that_still_makes_no_event_stays(start, running):
    bridge = start.bridge(None, fixed())
    one = quarantine(bridge)
    if not running:
        assert bridge.stop() == 0
    del bridge.env["ITEST_PARTNERS_SECRET"]  # it was verified when it came
    done = bridge.cli("dead", "retry", one, expect=1)
    assert done.stdout.startswith(b"retried 0, skipped 1: ")
    assert ids(rows(bridge, "dead", "ls")) == [one]
    assert bridge.cli("dead", "drop", one).stdout == b"dropped 1\n"
    assert rows(bridge, "dead", "ls") == []


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_dead_letter_is_published_once_the_configuration_lets_it(start, broker, subscriber, running):
    long = source(topic="{body.text}/{body.text}")
    bridge = start.bridge(broker, fixed(sources=long)).wait_connected()
    body = events.body(gid="late")
    body = body[:-1] + b', "text": "' + b"x" * 40000 + b'"}'
    one = quarantine(bridge, body)
    assert bridge.stop() == 0
    bridge.config["sources"] = source()
    bridge.write_config()
    if running:
        bridge.start().wait_connected()
    assert bridge.cli("dead", "retry", one).stdout.startswith(b"retried 1")
    if not running:
        bridge.start()
    [message] = subscriber.wait_for(events.topic("late"))
    assert message.payload == body and message.property("id") == one
    assert rows(bridge, "dead", "ls") == []


def test_changes_on_a_running_bridge_use_the_token(start, tmp_path):
    token = tmp_path / "token"
    token.write_text("an-admin-token\n")
    bridge = start.bridge(None, fixed(admin={"listen": [f"127.0.0.1:{free_port()}"], "token": {"file": str(token)}}))
    bridge.accept(events.body())
    assert bridge.cli("outbox", "drop", "--all").stdout == b"dropped 1\n"
    bridge.cli("health")
    token.write_text("another-token\n")
    fails(bridge, "outbox", "drop", "--all", saying="401")
    token.unlink()
    fails(bridge, "outbox", "drop", "--all", saying="admin.token")
    bridge.cli("health")
    bridge.cli("outbox", "ls")


def test_changes_need_a_way_to_the_running_bridge(start):
    bridge = start.bridge(None, fixed())
    bridge.accept(events.body())
    bridge.config["admin"]["listen"] = [f"127.0.0.1:{free_port()}"]
    bridge.write_config()
    fails(bridge, "outbox", "drop", "--all", saying="in use")
    bridge.config["admin"]["listen"] = []
    bridge.write_config()
    fails(bridge, "outbox", "drop", "--all", saying="admin.listen")
    assert len(rows(bridge, "outbox", "ls", "--undelivered")) == 1


# health


@pytest.mark.parametrize("option", [[], ["--ready"]])
def test_health_tells_whether_the_bridge_runs(bridge, option):
    assert bridge.cli("health", *option).stdout == b"ok\n"
    assert bridge.stop() == 0
    fails(bridge, "health", *option, saying="127.0.0.1")


def test_health_asks_the_ingress_where_there_is_no_admin_listener(start):
    bridge = start.bridge(None, fixed(admin={"listen": []}), start=False)
    bridge.start(ready=False)
    wait_until(lambda: bridge.cli("health", "--ready", expect=None).returncode == 0, "ready")


def test_a_bridge_whose_outbox_is_full_is_alive_but_not_ready(start):
    bridge = start.bridge(None, fixed(outbox={"max_size": "1MiB", "path": str(start.folder / "small.db")}))
    bridge.cli("health", "--ready")
    done = bridge.cli("trigger", "partners", "work:resource.created", "--count", "2000", expect=1)
    assert sent(done)[0][:2] == ["200", "accepted"]
    assert sent(done)[-1][:2] == ["503", "unavailable"]
    assert "(retry after " in done.stdout.decode()
    bridge.cli("health")
    fails(bridge, "health", "--ready", saying="503")


def test_the_secret_is_in_no_output(bridge):
    bridge.accept(events.body())
    for command in (
        ["check"], ["outbox", "ls"], ["outbox", "stats"], ["trigger", "partners", "--all"], ["health"],
    ):
        done = bridge.cli(*command, expect=None)
        assert SECRET.encode() not in done.stdout + done.stderr
