"""`make demo`, the first thing that people see, and the stand-ins as programs."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from lib import events
from lib.bridge import PROGRAM, ROOT
from lib.wait import wait_until
from providers import ricloud, weavy

DEADLINE_S = 120  # of a sanitizer build on a busy machine
CREADS_EVENTS = sum(map(len, events.CATALOGUE.values()))
ALL_EVENTS = CREADS_EVENTS + len(ricloud.EVENTS) + len(weavy.EVENTS)


@pytest.fixture
def demo(tmp_path):
    """Starts it, in a session of its own: whatever it leaves running can be found there."""
    started = []

    def start(program=PROGRAM):
        started.append(subprocess.Popen(
            [sys.executable, ROOT / "tests/providers/demo.py", "--folder", tmp_path / "demo", program],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, env={**os.environ, "COLUMNS": "400"},
        ))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
        assert not processes_of(process), "it left something running"


def processes_of(demo):
    return subprocess.run(["pgrep", "-a", "-s", str(demo.pid)], capture_output=True, text=True).stdout


def test_the_demo_shows_every_event_of_every_provider_arriving(demo):
    process = demo()
    text, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, text
    sent, arrived = map(int, re.search(r"^(\d+) events sent, (\d+) arrived$", text, re.MULTILINE).groups())
    assert sent == arrived >= ALL_EVENTS
    topics = [line.split()[0] for line in text.splitlines() if re.match(r" +(partners|ricloud|weavy)/", line)]
    assert len(topics) == sent
    levels = {tuple(topic.split("/")[:-1]) for topic in topics}
    assert {("partners", kind, event) for kind, known in events.CATALOGUE.items() for event in known} <= levels
    assert {("ricloud", *event.rsplit(".", 1)) for event in (*ricloud.EVENTS, ricloud.TEST_EVENT)} <= levels
    assert {("weavy", event) for event in weavy.EVENTS} <= levels
    assert not processes_of(process), "it left something running"


def test_a_demo_in_which_something_is_missing_fails(demo, tmp_path):
    program = tmp_path / "hook2mqtt"
    program.write_text(f'#!/bin/sh\ncase "$*" in *" subscribe "*) exit 0;; esac\nexec {PROGRAM} "$@"\n')
    program.chmod(0o755)
    process = demo(program)
    text, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1, text


def test_a_demo_that_is_stopped_half_way_leaves_nothing_running(demo):
    process = demo()
    assert any("partners/" in line for line in process.stdout)
    process.terminate()
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode != 0
    wait_until(lambda: not processes_of(process), lambda: f"all ended:\n{processes_of(process)}")


@pytest.mark.parametrize("name, event", [
    ("creads", "project:resource.updated"), ("ricloud", "poll.completed"), ("weavy", "NewDeal"),
])
def test_a_standin_runs_as_a_program_that_can_be_told_what_to_do(name, event):
    more = ["--webhook", "http://127.0.0.1:9/"] if name == "creads" else []
    process = subprocess.Popen(
        [ROOT / f"tests/providers/{name}.py", "--port", "0", *more], stdout=subprocess.PIPE, text=True
    )
    try:
        url = re.search(r"http://\S+:\d+", process.stdout.readline()).group()
        fired = ask(f"{url}/_standin/fire", {"event": event})
        # Nobody is there for the others yet.
        assert fired == {"creads": (200, [event]), "ricloud": (400, None), "weavy": (200, [])}[name]
        report = json.load(urllib.request.urlopen(f"{url}/_standin/report"))
        assert [one["name"] for one in report["deliveries"]] == (fired[1] or [])
        assert ask(f"{url}/_standin/fire", {"event": event, "odd": 1})[0] == 400
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0


def ask(url, body):
    """(status, what was sent)"""
    try:
        with urllib.request.urlopen(url, json.dumps(body).encode()) as answer:
            return answer.status, json.load(answer)["sent"]
    except urllib.error.HTTPError as error:
        return error.code, None
