#!/usr/bin/env python3
"""
The broker is away for a long time. All arrives when it is back, in order; memory does not grow with the backlog; and a
start on a large backlog takes no time.

    tests/fault/backlog.py [--events 100000] [--start-events 1000000]
"""

import argparse
import contextlib
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench.tools import Drain, Load, end_on_sigterm, scratch  # noqa: E402
from fault import rig  # noqa: E402
from fault.ledger import Ledger, read_arrivals, read_promises  # noqa: E402
from lib import http_client  # noqa: E402
from lib.wait import free_port  # noqa: E402

CONFIG = {"outbox": {"max_size": "8GiB"}, "mqtt": {"max_in_flight": 64}}
GROWTH_KB = 4096  # of peak memory, from a tenth of the backlog to all of it: noise of the allocator
START_S = 1.0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--start-events", type=int, default=1_000_000)
    return parser.parse_args()


def megabytes(kb):
    return f"{kb / 1024:.1f} MB"


class Outage:
    """One bridge, one broker that goes and comes back, twice: with a tenth of the events and with all of them."""

    def __init__(self, folder):
        self.folder = folder
        self.broker = rig.make_broker(folder / "broker")
        self.gate = free_port()
        self.bridge = rig.FixedBridge(folder / "bridge", self.gate, CONFIG)
        self.drain = None
        self.prefix = 0

    def run(self, events):
        self.broker.start()
        arrivals = self.folder / "arrivals"
        self.drain = Drain(self.broker.port, gate=self.gate, record=arrivals)
        self.bridge.start()
        promises = [self.post(1000), *(self.away(count) for count in (events // 10, events))]
        faults = rig.stop_and_look(self.bridge)
        self.drain.stop()
        ledger = Ledger(CONFIG["mqtt"]["max_in_flight"])
        with contextlib.ExitStack() as files:
            records = [files.enter_context(open(path)) for path in (*[path for path, _ in promises], arrivals)]
            ledger.check(
                (promise for record in records[:-1] for promise in read_promises(record)), read_arrivals(records[-1])
            )
        ledger.show()
        growth = promises[2][1] - promises[1][1]
        if growth > GROWTH_KB:
            faults.append(f"peak memory grew by {growth} kB with the backlog")
        return faults + ledger.faults

    def post(self, count):
        """Accepts so many; returns the record and the peak of memory so far."""
        self.prefix += 1
        record = self.folder / f"promises{self.prefix}"
        result = Load(self.bridge.port, count=count, gids=1000, gid_prefix=self.prefix, record=record).result()
        assert result["accepted"] == count, result
        return record, rig.proc_status_kb(self.bridge.process.pid, "VmHWM")

    def away(self, count):
        """Accepts so many while the broker is away, then lets it come back and take them."""
        pid = self.bridge.process.pid
        rig.wait_delivered(self.bridge, 60)
        before = rig.proc_status_kb(pid, "VmRSS")
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak counts from here
        self.broker.kill()
        record, _ = self.post(count)
        backlog = rig.stats(self.bridge)["undelivered_count"]
        assert backlog >= count, f"only {backlog} are waiting"
        full = rig.proc_status_kb(pid, "VmRSS")
        began = time.monotonic()
        self.broker.start()
        rig.wait_delivered(self.bridge, 300)
        took = time.monotonic() - began
        after, peak = rig.proc_status_kb(pid, "VmRSS"), rig.proc_status_kb(pid, "VmHWM")
        print(
            f"  backlog {backlog}: delivered in {took:.1f} s; resident memory before {megabytes(before)},"
            f" with the backlog {megabytes(full)}, after {megabytes(after)}, peak {megabytes(peak)}",
            flush=True,
        )
        return record, peak

    def close(self):
        if self.drain:
            self.drain.kill()
        self.bridge.end_now()
        self.broker.kill()


class Start:
    """A backlog made by posting it, with no broker anywhere; then starts on it."""

    def __init__(self, folder):
        self.bridge = rig.FixedBridge(folder / "bridge", free_port(), CONFIG)

    def run(self, events):
        self.bridge.start()
        result = Load(self.bridge.port, count=events, gids=10_000).result()
        assert result["accepted"] == events, result
        size = sum(path.stat().st_size for path in self.bridge.folder.glob("outbox.db*"))
        print(f"  posted {events} events ({result['per_second']}/s, outbox of {size >> 20} MiB)", flush=True)
        self.bridge.kill()
        times = {"after SIGKILL": self.start()}
        for n in range(3):
            assert self.bridge.stop() == 0
            times[f"after a clean end, {n + 1}"] = self.start()
        assert self.bridge.stop() == 0
        if drop_caches():
            times["with nothing cached"] = self.start()
        else:
            self.start()
        backlog = rig.stats(self.bridge)["undelivered_count"]
        faults = [] if backlog == events else [f"{backlog} of {events} are left"]
        assert self.bridge.stop() == 0
        for name, seconds in times.items():
            print(f"  start {name:24} {seconds * 1000:7.0f} ms until /readyz is 200")
        worst = max(seconds for name, seconds in times.items() if "cached" not in name)
        if worst >= START_S:
            faults.append(f"a start took {worst:.2f} s")
        return faults

    def start(self):
        began = time.monotonic()
        self.bridge.start(ready=False)
        while not self.is_ready():
            assert self.bridge.process.poll() is None, self.bridge.log_text()
            time.sleep(0.001)
        return time.monotonic() - began

    def is_ready(self):
        try:
            return self.bridge.get("/readyz").status == 200
        except (OSError, http_client.Closed):
            return False

    def close(self):
        self.bridge.end_now()


def drop_caches():
    """False: only root may."""
    os.sync()
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True


def main():
    options = arguments()
    end_on_sigterm()
    faults = []
    for kind, count in ((Outage, options.events), (Start, options.start_events)):
        if count == 0:
            continue
        print(f"{kind.__name__.lower()}: {count} events", flush=True)
        with scratch("backlog") as folder:
            part = kind(folder)
            try:
                faults += part.run(count)
            finally:
                part.close()
    for fault in faults:
        print(f"FAULT {fault}")
    if faults:
        sys.exit("backlog: FAILED")
    print("backlog: ok")


if __name__ == "__main__":
    main()
