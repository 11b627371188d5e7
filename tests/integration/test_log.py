"""The log: it never holds anything up, says what it had to leave out, and speaks to machines and to the journal."""

import fcntl
import json
import os
import pty
import re
import signal
import socket
import subprocess
import termios
import time

import pytest

from lib import events
from lib.bridge import PROGRAM, is_sanitized
from lib.wait import DEADLINE_S, wait_until

GRACE_S = 10  # what a container gets between SIGTERM and SIGKILL
LINE = re.compile(rb"^ts=\S+ level=\S+ msg=")


def pipe():
    return os.pipe()


def stream_socket():
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def terminal():
    ours, theirs = pty.openpty()
    settings = termios.tcgetattr(theirs)
    settings[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    return ours, theirs


class Sleeper:
    """A bridge whose stderr has a reader that sleeps until it is told to read."""

    def __init__(self, start, make, *args, **options):
        self.reader, writer = make()
        self.flags = fcntl.fcntl(writer, fcntl.F_GETFL)
        self.writer = writer
        self.bridge = start.bridge(start=False, args=["--log-level", "debug", *args], **options)
        # Known ports: nothing can be read from its log.
        self.bridge.config["ingress"]["listen"] = [f"unix:{self.bridge.folder}/ingress.sock"]
        self.bridge.write_config()
        self.process = subprocess.Popen(
            [PROGRAM, *self.bridge.command("run")], stdin=subprocess.DEVNULL, stdout=writer, stderr=writer,
            env=self.bridge.env,
        )
        self.bridge.process = self.process
        self.bridge.address = lambda listener, index=0: f"{self.bridge.folder}/{listener}.sock"
        wait_until(self.is_ready, "ready, without a reader of its log")

    def is_ready(self):
        try:
            return self.bridge.get("/readyz").status == 200
        except OSError:
            return False

    def fill(self, count=4000):
        """More lines than any pipe and any buffer of the bridge takes: each webhook makes two, of 100 bytes and more."""
        with self.bridge.connect() as connection:
            for _ in range(count):
                self.bridge.accept(events.body(), connection=connection)

    def read(self, *, until):
        """What comes until a line that contains this."""
        os.set_blocking(self.reader, False)
        out = b""

        def more():
            nonlocal out
            try:
                out += os.read(self.reader, 1 << 16)
            except BlockingIOError:
                pass
            except OSError:  # a terminal whose other end has been closed
                return True
            return until in out

        os.close(self.writer) if self.process.poll() is not None else None
        wait_until(more, lambda: f"{until!r} in {out[-2000:]!r}")
        return out

    def end(self):
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE_S)
        self.bridge.process = None
        return status, time.monotonic() - began


@pytest.mark.parametrize("make", [pipe, stream_socket, terminal])
def test_a_reader_that_sleeps_holds_nothing_up(start, make):
    sleeper = Sleeper(start, make)
    sleeper.fill()
    assert sleeper.bridge.get("/healthz").status == 200
    status, seconds = sleeper.end()
    assert status == 0 and seconds < GRACE_S


@pytest.mark.parametrize("make", [pipe, stream_socket, terminal])
def test_what_did_not_fit_is_counted_and_said_once_the_reader_reads(start, make):
    sleeper = Sleeper(start, make)
    sleeper.fill()
    out = sleeper.read(until=b'msg="log lines were dropped"')
    sleeper.fill(1)
    out += sleeper.read(until=b'msg="webhook accepted"')
    lines = out.splitlines()
    said = [line for line in lines if b"log lines were dropped" in line]
    assert len(said) == 1 and b"level=warn" in said[0]
    dropped = int(re.search(rb" lines=(\d+)", said[0])[1])
    # Every event has its line, or is among those that were dropped.
    accepted = sum(b'msg="webhook accepted"' in line for line in lines)
    assert 0 < accepted < 4001
    assert dropped >= 4001 - accepted
    for line in lines:
        assert LINE.match(line), line
    assert sleeper.end()[0] == 0


def test_the_open_file_that_others_share_is_left_as_it_was(start):
    sleeper = Sleeper(start, pipe)
    assert fcntl.fcntl(sleeper.writer, fcntl.F_GETFL) == sleeper.flags
    assert sleeper.end()[0] == 0


def test_a_pipe_that_somebody_made_non_blocking_loses_nothing(start):
    def non_blocking():
        ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        return ours, theirs

    sleeper = Sleeper(start, non_blocking)
    sleeper.fill(500)  # more than the pipe takes, less than the buffer
    sleeper.process.send_signal(signal.SIGTERM)
    out = sleeper.read(until=b"msg=stopped")
    assert out.count(b'msg="webhook accepted"') == 500
    assert b"dropped" not in out
    assert sleeper.process.wait(DEADLINE_S) == 0
    sleeper.bridge.process = None


def test_a_reader_that_has_gone_away_does_not_end_the_bridge(start):
    sleeper = Sleeper(start, pipe)
    os.close(sleeper.reader)
    os.close(sleeper.writer)
    sleeper.fill(100)
    assert sleeper.end()[0] == 0


def test_the_last_words_of_the_end_are_there(start):
    bridge = start.bridge()
    assert bridge.stop() == 0
    assert bridge.log()[-1]["msg"] == "stopped"


@pytest.mark.parametrize("how", [signal.SIGABRT, signal.SIGSEGV])
def test_what_was_logged_before_a_crash_is_there(start, how):
    if how == signal.SIGSEGV and is_sanitized():
        pytest.skip("a sanitizer handles it itself")
    bridge = start.bridge(args=["--log-level", "debug"])
    with bridge.connect() as connection:
        ids = [bridge.accept(events.body(), connection=connection) for _ in range(200)]
        bridge.process.send_signal(how)
    assert bridge.wait_end() == -how
    assert {line["id"] for line in bridge.lines("webhook accepted")} == set(ids)


def test_closed_standard_descriptors_are_not_taken_for_anything_else(start):
    bridge = start.bridge(start=False, wrapper=["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-'])
    bridge.config["ingress"]["listen"] = [f"unix:{bridge.folder}/ingress.sock"]
    bridge.write_config()
    bridge.start(ready=False)
    bridge.address = lambda listener, index=0: f"{bridge.folder}/{listener}.sock"

    def is_ready():
        try:
            return bridge.get("/readyz").status == 200
        except OSError:
            return False

    wait_until(is_ready, "ready")
    for fd in range(3):
        assert os.readlink(f"/proc/{bridge.process.pid}/fd/{fd}") == "/dev/null"


# JSON

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_log_format_json_is_one_object_a_line(start, broker):
    bridge = start.bridge(broker, args=["--log-level", "debug", "--log-format", "json"], start=False)
    bridge.config["ingress"]["listen"] = [f"unix:{bridge.folder}/ingress.sock"]
    bridge.write_config()
    bridge.start(ready=False)
    bridge.address = lambda listener, index=0: f"{bridge.folder}/{listener}.sock"
    wait_until(lambda: b'"msg":"ready"' in bridge.stderr_file.read_bytes(), "ready")
    id_ = bridge.accept(events.body(gid="a\"b\\c\u00e9\u202e\u0007\U0001f600"))
    bridge.post(events.body(), secret="wrong")
    assert bridge.stop() == 0
    found = [json.loads(line) for line in bridge.stderr_file.read_bytes().decode().splitlines()]
    assert all(list(line)[:3] == ["ts", "level", "msg"] and STAMP.fullmatch(line["ts"]) for line in found)
    accepted = next(line for line in found if line["msg"] == "webhook accepted")
    assert accepted["id"] == id_ and accepted["source"] == "partners"
    assert found[-1]["msg"] == "stopped" and found[-1]["status"] == 0


def test_log_format_text_is_the_default_and_anything_else_is_wrong_usage(start):
    bridge = start.bridge(args=["--log-format", "text"])
    assert bridge.lines("ready")
    refused = bridge.cli("version", "--log-format", "xml", expect=2)
    assert b"--log-format xml: not text or json" in refused.stderr


# The journal

PRIORITIES = {"debug": b"<7>", "info": b"<6>", "warn": b"<4>", "error": b"<3>", "fatal": b"<2>"}


def journal(fd):
    info = os.fstat(fd)
    return f"{info.st_dev}:{info.st_ino}"


def run_to_journal(bridge, command, address, stop=False):
    """The exit status, and what a stream socket got; address: what JOURNAL_STREAM says, made of that socket."""
    ours, theirs = stream_socket()
    env = {**bridge.env, "JOURNAL_STREAM": address(theirs)}
    out = b""

    with subprocess.Popen([PROGRAM, *bridge.command(command)], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                          env=env) as process:
        os.close(theirs)
        while data := os.read(ours, 1 << 16):
            out += data
            if stop and b"msg=ready" in out:
                process.send_signal(signal.SIGTERM)
        return process.wait(DEADLINE_S), out


def test_the_journal_gets_a_priority_for_each_line(start):
    bridge = start.bridge(start=False)
    status, out = run_to_journal(bridge, "run", journal, stop=True)
    lines = out.splitlines()
    assert status == 0 and lines
    for line in lines:
        level = re.search(rb" level=(\w+) ", line)[1].decode()
        assert line.startswith(PRIORITIES[level] + b"ts="), line


def test_nobody_else_gets_priorities(start):
    bridge = start.bridge(start=False)
    status, out = run_to_journal(bridge, "run", lambda fd: "1:2", stop=True)
    assert status == 0 and all(line.startswith(b"ts=") for line in out.splitlines())


@pytest.mark.parametrize("command", ["run", "check"])
def test_the_faults_of_the_configuration_are_errors_in_the_journal(start, command):
    bridge = start.bridge(start=False)
    bridge.config["sources"][0]["qoss"] = 1
    bridge.config["sources"][0]["qos"] = 0  # a warning
    bridge.write_config()
    status, out = run_to_journal(bridge, command, journal)
    if command == "run":
        assert status != 0 and b"\n<3>hook2mqtt: not started: " in out
    faults = [line for line in out.splitlines() if b"sources[0].qoss: " in line]
    warnings = [line for line in out.splitlines() if b"sources[0].qos: " in line]
    assert faults and all(line.startswith(b"<3>") for line in faults)
    assert warnings and all(line.startswith(b"<4>") for line in warnings)
