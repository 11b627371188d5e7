#!/usr/bin/env python3
"""
Runs one fixed scenario again and again and lets the k-th write or sync of the outbox be the last thing that happens, or
fail, for every k until a run goes through untouched; then starts the bridge again, finishes the scenario and checks that
everything answered 200 arrived, in order, with no more repeats than the window (after a power cut there may be more:
the watermark need not be synced; and where it found no room).

What is done at the k-th call:
  kill   SIGKILL
  power  SIGKILL, and what no sync had put on disk by then is lost or torn
  eio    the call fails with EIO; for a sync, what it should have written is lost too
  enospc the call and the next ones fail with ENOSPC: one alone is overcome, by a shorter log

and in which part of the bridge's life:
  create   a first start, with no outbox there
  recover  a start on what a killed bridge with a backlog left behind
  work     from the moment that it is ready until it has ended
  end      from SIGTERM on

strace counts calls by thread, and the first thread to reach k meets the fault: so each part makes others count.

    tests/fault/crashpoints.py [--stride N] [--only kind[,kind]] [--part part[,part]] [--jobs N] [--seed N]
"""

import argparse
import collections
import contextlib
import os
import pathlib
import queue
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench.tools import Drain, end_on_sigterm, scratch, tool  # noqa: E402
from fault import rig, trace  # noqa: E402
from fault.ledger import Ledger, Promise, read_arrivals  # noqa: E402
from lib import http_client  # noqa: E402
from lib.wait import DEADLINE_S, free_port, wait_until  # noqa: E402

WINDOW = 4
NOT_JSON = b"{'single': 'quotes'}"
GIDS = ("c0ffee0000001", "c0ffee0000002", "c0ffee0000003")
# (gid, sequence); one comes twice in a row and one makes no event.
SCENARIO = [(0, 1), (1, 1), (2, 1), (0, 2), (0, 2), None, (1, 2), (2, 2), (0, 3), (1, 3), (2, 3), (0, 4)]

FAULTS = {"kill": "signal=SIGKILL", "power": "signal=SIGKILL", "eio": "error=EIO", "enospc": "error=ENOSPC"}
PARTS = ("create", "recover", "work", "end")
# Which calls each kind is about. SQLite unlinks its log at a clean end.
CALLS = {
    "kill": ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "rename"),
    "power": ("pwrite64", "fdatasync", "fsync", "ftruncate"),
    "eio": ("pwrite64", "fdatasync", "fsync"),
    "enospc": ("pwrite64", "ftruncate"),
}
SYNCS = ("fdatasync", "fsync")
# A build with the address sanitizer cannot look for leaks while it is traced.
NO_LEAK_CHECK = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
NO_ROOM_CALLS = 12  # that find no room, one after the other
RENAMED = {".new": ""}  # a new outbox gets its name when it is complete
MOST_POINTS = 2000  # no scenario has so many
MOST_REFUSALS = 20


def body_of(step):
    if step is None:
        return NOT_JSON
    gid, sequence = step
    # Named fields only: the same step has the same bytes each time.
    return (
        b'{"event":"resource.updated","resource_type":"project","resource_gid":"%s","resource":{"gid":"%s","sequence":%d}}'
        % (GIDS[gid].encode(), GIDS[gid].encode(), sequence)
    )


class Session:
    """The record of all answers, over all starts of one run."""

    def __init__(self, steps=SCENARIO):
        self.left = list(steps)
        self.promises, self.quarantined = [], []
        self.statuses = collections.Counter()

    def go_on(self, bridge):
        """
        Posts what is left, in order; what is not answered 2xx is posted again. Ends early when the bridge is gone, or
        refuses again and again.
        """
        refusals = 0
        while self.left and refusals < MOST_REFUSALS:
            try:
                answer = bridge.post(body_of(self.left[0]))
            except (OSError, http_client.Closed):
                self.statuses["none"] += 1
                if has_ended(bridge):
                    return
                continue
            self.statuses[answer.status] += 1
            if answer.status < 300:
                self._note(answer)
            else:
                refusals += 1

    def _note(self, answer):
        step = self.left.pop(0)
        if answer.status == 202:
            self.quarantined.append(answer.json()["id"])
        else:
            found = answer.json()
            self.promises.append(Promise(GIDS[step[0]], step[1], found["id"], found["status"]))


def has_ended(bridge):
    """A connection was cut: either the process is about to be gone, or it only ended the connection."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        bridge.process.wait(0.5)
    return bridge.process.poll() is not None


def await_ready_or_end(bridge):
    """True: ready."""

    def look():
        if bridge.process.poll() is not None:
            return "ended"
        try:
            ready = bridge.get("/readyz").status == 200
        except (OSError, http_client.Closed):
            return None
        return "ready" if ready else None

    return wait_until(look, lambda: f"ready or ended\n{bridge.log_text()}") == "ready"


class Tally:
    """The results of all workers."""

    def __init__(self):
        self.tried = collections.Counter()
        self.answers = collections.defaultdict(collections.Counter)  # of first lives with a fault, by kind
        self.failures = []
        self.stop = threading.Event()

    def show(self, seconds):
        for (part, kind, call), count in sorted(self.tried.items()):
            print(f"  {part:8} {kind:7} {call:10} {count:4} points")
        print(f"  {sum(self.tried.values())} points in {seconds:.0f} s")

    def never_seen(self, options):
        """A fault that nobody noticed was not tested."""
        seen = {key[:2] for key in self.tried}
        faults = [f"no point of {part} {kind}" for part in options.part for kind in options.only
                  if (part, kind) not in seen]  # fmt: skip
        if "work" in options.part and "enospc" in options.only and not self.answers["enospc"][503]:
            faults.append("no webhook was answered 503 for want of room")
        return faults


class Crashpoints:
    """One worker, with its own broker and ports."""

    def __init__(self, options, folder, tally):
        self.options, self.folder, self.tally = options, folder, tally
        self.random = None  # of the present point
        folder.mkdir()
        self.record = folder / "arrivals"
        self.broker = rig.make_broker(folder / "broker")
        self.gate = free_port()
        self.ports = free_port(), free_port()
        self.drain = self.bridge = None
        self.number = 0
        self.template = None  # outbox files and the session that a killed bridge left
        self.offset = 0  # where in the record the present run begins

    def __enter__(self):
        self.broker.start()
        self.drain = Drain(self.broker.port, gate=self.gate, record=self.record)
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """Any thread: what is waited for comes to an end."""
        if self.bridge:
            self.bridge.end_now()
        if self.drain:
            self.drain.kill()
        self.broker.kill()

    def every_point(self, part, kind, call):
        """k grows until a run goes through untouched."""
        stride = 1 if call in SYNCS else self.options.stride
        for nth in range(1, MOST_POINTS, stride):
            where = f"{part} {kind} {call} {nth}"
            self.random = random.Random(f"{self.options.seed} {where}")
            faults, touched = self.one_point(part, kind, call, nth)
            if faults:
                self.tally.failures.append(where)
                print(f"FAULT {where} ({self.bridge.folder}): " + "\n      ".join(faults), flush=True)
            if not touched or self.tally.stop.is_set():
                return
            self.tally.tried[part, kind, call] += 1
        raise AssertionError(f"{part} {kind} {call}: still not at the end")

    # One run

    def one_point(self, part, kind, call, nth):
        assert not self.tally.stop.is_set(), "stopped"
        session = self.begin(part)
        trace_file = self.bridge.folder / "trace"
        trace_file.touch()
        when = f"{nth}..{nth + NO_ROOM_CALLS - 1}" if kind == "enospc" else nth
        faults = self.first_life(session, part, (self.watched(call), call, FAULTS[kind], when, trace_file))
        pid = self.bridge.process.pid
        status = self.bridge.wait_end()
        trace.wait_written(trace_file, pid)
        touched = status == -signal.SIGKILL or trace.was_injected(trace_file)
        if touched:
            faults += self.judge_first_life(part, kind, call, status, session)
            self.tally.answers[kind].update(session.statuses)
        elif status != 0:
            faults.append(f"untouched, it ended with status {status}\n{self.bridge.log_text()}")
        lossy = touched and self.lose_unsynced(kind, call, trace_file)
        try:
            # Where the last watermark finds no room, what was delivered since the one before is sent again.
            faults += self.second_life(session, None if lossy or kind == "enospc" else WINDOW)
        except AssertionError as error:
            faults.append(str(error))
            self.bridge.end_now()
        if not faults:
            shutil.rmtree(self.bridge.folder)
        return faults, touched

    def first_life(self, session, part, how):
        """From the start to the end, with the fault in it."""
        bridge, attached = self.bridge, None
        bridge.wrapper = trace.wrapper(*how) if part in ("create", "recover") else ()
        bridge.start(ready=False)
        bridge.wrapper = ()
        ready = await_ready_or_end(bridge)
        if ready and part == "work":
            attached = trace.Attached(bridge.process.pid, *how)
        if ready:
            session.go_on(bridge)
            self.await_delivered_or_end(session)
        if ready and part == "end":
            attached = trace.Attached(bridge.process.pid, *how)
        # SIGTERM to one that has ended already does nothing: Popen knows.
        bridge.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            bridge.process.wait(DEADLINE_S)
        faults = [] if bridge.process.poll() is not None else [f"does not end\n{bridge.log_text()}"]
        bridge.process.kill()
        bridge.process.wait()
        if attached:
            attached.close()
        return faults

    def judge_first_life(self, part, kind, call, status, session):
        """What a bridge may do about a fault, besides keeping its promises."""
        if kind in ("kill", "power"):
            good = status == -signal.SIGKILL
        elif kind == "enospc" and part == "work":
            good = status == 0 and not session.left  # it goes on
        elif kind == "eio" and call in SYNCS:
            good = status == 1
        else:
            good = status in (0, 1)  # a start may fail for want of room, a failed write be overcome
        if good:
            return []
        return [f"ended with status {status}; answers {dict(session.statuses)}\n{self.bridge.log_text()}"]

    def lose_unsynced(self, kind, call, trace_file):
        """A power cut leaves anything of an unsynced write, a failed sync nothing: the kernel may drop those pages."""
        database = self.watched("pwrite64")
        if kind == "power":
            trace.lose_unsynced(trace_file, database, self.some_of, RENAMED)
        elif kind == "eio" and call in SYNCS:
            trace.lose_unsynced(trace_file, database, lambda _: 0, RENAMED)
        else:
            return False
        return True

    def second_life(self, session, window):
        """Without faults: everything comes to its end."""
        bridge = self.bridge
        bridge.start(ready=False)
        if not await_ready_or_end(bridge):
            return [f"does not start again: {bridge.log_text()}"]
        session.go_on(bridge)
        if has_left := session.left:
            return [f"not accepted any more: {has_left}; {dict(session.statuses)}\n{bridge.log_text()}"]
        rig.wait_delivered(bridge, DEADLINE_S)
        faults = self.judge_dead_letters(session)
        if (status := bridge.stop()) != 0:
            faults.append(f"the second life ended with status {status}\n{bridge.log_text()}")
        bridge.check_stderr()
        return faults + self.judge_arrivals(session, window)

    def judge_dead_letters(self, session):
        listed = self.bridge.cli("dead", "ls", "--json").stdout.decode()
        return [f"{i} was answered 202 and is no dead letter" for i in session.quarantined if i not in listed]

    def judge_arrivals(self, session, window):
        # The broker has written them all to the subscriber's socket; the subscriber may be a moment behind.
        with contextlib.suppress(AssertionError):
            wait_until(lambda: self.has_arrived(session), "all arrived", 3)
        return Ledger(window).check(session.promises, self.arrivals()).faults

    def arrivals(self):
        """Of the present run."""
        with open(self.record) as record:
            record.seek(self.offset)
            text = record.read()
        return list(read_arrivals(text[: text.rfind("\n") + 1].splitlines()))

    def has_arrived(self, session):
        return {promise.id for promise in session.promises} <= {arrival.id for arrival in self.arrivals()}

    # Help

    def begin(self, part):
        """A bridge with its own folder, and the session that belongs to the files in it."""
        self.number += 1
        self.offset = self.record.stat().st_size
        self.bridge = self.new_bridge(f"run{self.number}", self.gate)
        if part != "recover":
            return Session()
        if not self.template:
            self.template = self.make_template()
        files, session = self.template
        for file in files:
            shutil.copy(file, self.bridge.folder / file.name)
        copy = Session()
        copy.promises, copy.left = list(session.promises), list(session.left)
        copy.quarantined = list(session.quarantined)
        return copy

    def make_template(self):
        """A backlog, a dead letter, and a log that was never copied back: what SIGKILL leaves."""
        bridge = self.new_bridge("template", free_port())
        session = Session(SCENARIO[:8])
        bridge.start()
        try:
            session.go_on(bridge)
        finally:
            bridge.kill()
        session.left = SCENARIO[8:]
        return list(bridge.folder.glob("outbox.db*")), session

    def new_bridge(self, name, server):
        config = {"mqtt": {"max_in_flight": WINDOW}}
        return rig.FixedBridge(self.folder / name, server, config, ports=self.ports, env=NO_LEAK_CHECK)

    def watched(self, call):
        """
        The database and its log, also as they are made, and for our own fsync the folder. SQLite, too, syncs the folder
        after it has made its log, with fdatasync, and does not look whether that worked.
        """
        folder = self.bridge.folder
        paths = [folder / name for name in ("outbox.db", "outbox.db-wal", "outbox.db.new", "outbox.db.new-wal")]
        return [*paths, self.bridge.folder] if call == "fsync" else paths

    def some_of(self, length):
        return self.random.choice((0, length // 2, length))

    def await_delivered_or_end(self, session):
        """Lets delivery meet the fault too."""
        wait_until(
            lambda: self.bridge.process.poll() is not None or self.has_arrived(session),
            lambda: f"all delivered\n{self.bridge.log_text()}",
        )


def names(choices):
    def read(text):
        chosen = text.split(",")
        if not set(chosen) <= set(choices):
            raise argparse.ArgumentTypeError(f"one or more of {', '.join(choices)}")
        return chosen

    return read


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stride", type=int, default=1, help="every N-th call only; syncs are all tried")
    parser.add_argument("--only", type=names(FAULTS), default=list(FAULTS))
    parser.add_argument("--part", type=names(PARTS), default=list(PARTS))
    parser.add_argument("--jobs", type=int, default=4, help="points at a time; each mostly waits")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    return parser.parse_args()


def work(crashpoints, tasks):
    """One worker, until no task is left."""
    with crashpoints, contextlib.suppress(queue.Empty):
        while not crashpoints.tally.stop.is_set():
            crashpoints.every_point(*tasks.get_nowait())


def run(options, folder, tally):
    tasks = queue.SimpleQueue()
    # Those with the most points first, so that the workers end at about the same time.
    for first in (True, False):
        for part in options.part:
            for kind in options.only:
                for call in CALLS[kind]:
                    if (call == "pwrite64") is first:
                        tasks.put((part, kind, call))
    workers = [Crashpoints(options, folder / f"worker{n}", tally) for n in range(options.jobs)]
    with ThreadPoolExecutor(options.jobs) as pool:
        try:
            for future in [pool.submit(work, worker, tasks) for worker in workers]:
                future.result()
        except BaseException:
            tally.stop.set()
            for worker in workers:
                worker.kill()
            raise


def main():
    options = arguments()
    end_on_sigterm()
    print(f"crash points: {vars(options)}", flush=True)
    began, tally = time.monotonic(), Tally()
    tool("drain")  # compiled once, not by each worker
    with scratch("crashpoints") as folder:
        run(options, folder, tally)
        tally.show(time.monotonic() - began)
        failures = tally.failures + tally.never_seen(options)
        if failures:
            sys.exit(f"crash points: FAILED, --seed {options.seed}: " + "; ".join(failures))
    print("crash points: ok")


if __name__ == "__main__":
    main()
