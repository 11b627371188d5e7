#!/usr/bin/env python3
"""
Compares the bridge with a small program for the same job, written with Fastify and mqtt.js, which stores nothing: same
load, same broker, in turn, in one run. The load generator and the broker run on the same machine.

An event is delivered when the broker has acknowledged it. So for the bridge the time that it takes to deliver the rest
after its last answer is included; Fastify answers after the acknowledgement.

    tests/bench/bench.py [--rounds 3] [--seconds 5] [--connections 64] [--size 1100] [--subscriber]
    tests/bench/bench.py --against OTHER/build/hook2mqtt

--against measures another build of the bridge, such as the one before a change, in place of Fastify: only a ratio from
one run says which is faster. Exits with 1 if the bridge is slower than the peer (median of the rounds), or its memory
is above the limit.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench.tools import Drain, Load, end_on_sigterm, scratch  # noqa: E402
from fault import rig  # noqa: E402
from lib import bridge as lib_bridge  # noqa: E402
from lib.wait import DEADLINE_S, free_port, port_answers, wait_until  # noqa: E402

PEER = pathlib.Path(__file__).resolve().parent / "peer"
STOCK = lib_bridge.ROOT / "build" / "paho-stock" / "hook2mqtt"
TARGET_PER_SECOND = 15_000
LIMIT_MB = 40
ROW = "{:22} {:>5} {:>10} {:>12} {:>10} {:>8} {:>9} {:>9} {:>9}"


class BridgeSide:
    def __init__(self, name, folder, broker_port, program):
        self.name = name
        self.program = program
        self.bridge = rig.FixedBridge(folder, broker_port, {"outbox": {"max_size": "2GiB"}})
        self.port = self.bridge.port

    def start(self):
        for file in self.bridge.folder.glob("outbox.db*"):
            file.unlink()
        lib_bridge.PROGRAM = self.program
        self.bridge.start()
        self.bridge.wait_connected()

    @property
    def pid(self):
        return self.bridge.process.pid

    def wait_delivered(self, count):
        wait_until(lambda: self.published() >= count, lambda: f"{count} delivered, not {self.published()}")

    def published(self):
        return self.bridge.metrics().value("published_total")

    def stop(self):
        if self.bridge.process:
            self.bridge.stop()


class PeerSide:
    name = "Fastify + mqtt.js"

    def __init__(self, broker_port):
        self.broker_port = broker_port
        self.port = free_port()
        self.process = None

    def start(self):
        env = {
            **os.environ,
            "NODE_ENV": "production",
            "PORT": str(self.port),
            "BROKER": f"mqtt://127.0.0.1:{self.broker_port}",
            "SECRET": lib_bridge.SECRET,
        }
        self.process = subprocess.Popen(["node", "server.js"], cwd=PEER, env=env, stdin=subprocess.DEVNULL)
        wait_until(self.is_up, "the peer listens")

    def is_up(self):
        assert self.process.poll() is None, "the peer ended"
        return port_answers("127.0.0.1", self.port)

    @property
    def pid(self):
        return self.process.pid

    def wait_delivered(self, count):
        """Nothing to wait for: the peer answers only after the broker has acknowledged."""

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE_S)
            finally:
                self.process.kill()
                self.process = None


def install_peer():
    if not shutil.which("node") or not shutil.which("npm"):
        sys.exit("bench: the peer needs node (18.19 or later) and npm")
    if not (PEER / "node_modules").exists():
        subprocess.run(
            ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"], cwd=PEER, check=True
        )


def measure(side, options):
    """Runs one round of one side, from a fresh start. Returns a dict of figures."""
    load = {"connections": options.connections, "size": options.size}
    side.start()
    try:
        warm = Load(side.port, seconds=1, gid_prefix=1, **load).result()
        side.wait_delivered(warm["accepted"])
        cpu, began = rig.cpu_seconds(side.pid), time.monotonic()
        result = Load(side.port, seconds=options.seconds, gid_prefix=2, **load).result()
        side.wait_delivered(warm["accepted"] + result["accepted"])
        took = time.monotonic() - began
        assert set(result["statuses"]) == {"200"} and not result["unanswered"], result
        return {
            "answered": result["per_second"],
            "delivered": result["accepted"] / max(took, result["seconds"]),
            "cpu_us": (rig.cpu_seconds(side.pid) - cpu) * 1e6 / result["accepted"],
            "peak_mb": rig.proc_status_kb(side.pid, "VmHWM") / 1024,
            "latency_ms": {name: us / 1000 for name, us in result["latency_us"].items()},
        }
    finally:
        side.stop()


def disk_of(folder):
    """The file system, and the median time of a sync after a write of 4 KiB, as text."""
    listed = subprocess.run(["df", "--output=fstype,source", folder], check=True, capture_output=True, text=True)
    times = []
    fd = os.open(folder / "sync-probe", os.O_WRONLY | os.O_CREAT)
    for _ in range(100):
        os.write(fd, bytes(4096))
        began = time.monotonic()
        os.fdatasync(fd)
        times.append(time.monotonic() - began)
    os.close(fd)
    return f"{' '.join(listed.stdout.split()[-2:])}, a sync takes {statistics.median(times) * 1e6:.0f} us"


def show(name, number, figures):
    latency = figures["latency_ms"]
    print(
        ROW.format(
            name, number, f"{figures['answered']:.0f}", f"{figures['delivered']:.0f}", f"{figures['cpu_us']:.1f}",
            f"{figures['peak_mb']:.1f}", f"{latency['p50']:.2f}", f"{latency['p99']:.2f}", f"{latency['max']:.1f}",
        ),  # fmt: skip
        flush=True,
    )


def median_of(rounds, name):
    return statistics.median(figures[name] for figures in rounds)


def judge(all_rounds, names):
    """Prints the verdict. Returns the exit status."""
    bridge, peer = (all_rounds[name] for name in names)
    delivered = median_of(bridge, "delivered")
    ratios = [a["delivered"] / b["delivered"] for a, b in zip(bridge, peer, strict=True)]
    ratio, memory = statistics.median(ratios), max(figures["peak_mb"] for figures in bridge)
    print(f"ratio {ratio:.2f} (of each round: {', '.join(f'{r:.2f}' for r in ratios)}); the goal is at least 1")
    print(f"{delivered:.0f} durable events/s; the goal on two cores is {TARGET_PER_SECOND}")
    print(f"peak resident memory {memory:.1f} MB, the limit is {LIMIT_MB} MB; peer {median_of(peer, 'peak_mb'):.0f} MB")
    cpu = median_of(bridge, "cpu_us"), median_of(peer, "cpu_us")
    print(f"CPU of the server for one event {cpu[0]:.1f} us, peer {cpu[1]:.1f} us")
    return 0 if ratio >= 1 and memory < LIMIT_MB else 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--size", type=int, default=1100)
    parser.add_argument("--against", type=pathlib.Path, metavar="PROGRAM", help="another build, in place of the peer")
    parser.add_argument("--subscriber", action="store_true", help="attach a subscriber to the broker, QoS 0")
    return parser.parse_args()


def main():
    options = arguments()
    end_on_sigterm()
    if not options.against:
        install_peer()
    with scratch("bench") as folder, contextlib.ExitStack() as stack:
        broker = rig.make_broker(folder / "broker")
        stack.callback(broker.kill)
        broker.start()
        if options.subscriber:
            stack.callback(Drain(broker.port).kill)
        bridge = BridgeSide("hook2mqtt", folder / "bridge", broker.port, lib_bridge.PROGRAM)
        if options.against:
            sides = [bridge, BridgeSide("the other build", folder / "other", broker.port, options.against.resolve())]
        else:
            sides = [bridge, PeerSide(broker.port)]
        if STOCK.exists() and not options.against:
            sides.append(BridgeSide("hook2mqtt, stock Paho", folder / "stock", broker.port, STOCK))
        print(
            f"{options.connections} connections, {options.size} bytes, QoS 1, {os.cpu_count()} cores,"
            f" {'one subscriber' if options.subscriber else 'no subscriber'}; outbox on {disk_of(folder)}"
        )
        print(ROW.format("", "round", "answered/s", "delivered/s", "CPU us/ev", "peak MB", "p50 ms", "p99 ms", "max ms"))
        rounds = {side.name: [] for side in sides}
        for number in range(1, options.rounds + 1):
            for side in sides:
                figures = measure(side, options)
                rounds[side.name].append(figures)
                show(side.name, number, figures)
        status = judge(rounds, [side.name for side in sides[:2]])
    sys.exit(status)


if __name__ == "__main__":
    main()
