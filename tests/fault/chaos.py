#!/usr/bin/env python3
"""
Kills the bridge and its broker with SIGKILL at random moments under load, and then counts: everything answered 200 has
arrived, in the order of acceptance per gid, and no incident caused more repeats than the window.

    tests/fault/chaos.py [--bridge-kills 200] [--broker-kills 50] [--seed N] [--threads N] …
"""

import argparse
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench.tools import Drain, Load, end_on_sigterm, scratch  # noqa: E402
from fault import rig  # noqa: E402
from fault.ledger import Ledger, read_arrivals, read_promises  # noqa: E402
from lib.small_disk import SmallDisk  # noqa: E402
from lib.wait import free_port  # noqa: E402

STEP_S = 0.001


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bridge-kills", type=int, default=200)
    parser.add_argument("--broker-kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--gids", type=int, default=50)
    parser.add_argument("--rate", type=int, default=5000, help="webhooks a second")
    parser.add_argument("--window", type=int, default=64, help="max_in_flight")
    parser.add_argument("--threads", type=int, default=1, help="HTTP loops of the bridge")
    parser.add_argument("--max-size", default="256MiB", help="of the outbox: a small one is full at times")
    parser.add_argument("--disk", metavar="SIZE", help="a file system of its own for the outbox, such as 24m")
    return parser.parse_args()


class Chaos:
    def __init__(self, options, folder):
        self.options = options
        self.random = random.Random(options.seed)
        self.promises, self.arrivals = folder / "promises", folder / "arrivals"
        self.broker = rig.make_broker(folder / "broker")
        self.gate = free_port()
        self.bridge = rig.FixedBridge(
            folder / "bridge",
            self.gate,
            {
                "ingress": {"threads": options.threads},
                "mqtt": {"max_in_flight": options.window},
                "outbox": {"max_size": options.max_size},
            },
        )
        self.disk = SmallDisk(folder, options.disk) if options.disk else None
        if self.disk:
            self.bridge.config["outbox"]["path"] = str(self.disk.path / "outbox.db")
            self.bridge.write_config()
            self.bridge.wrapper = self.bridge.cli_wrapper = self.disk.wrapper
        self.drain = self.load = None
        self.while_delivering = 0  # incidents with arrivals between them and the one before

    def run(self):
        options = self.options
        self.broker.start()
        self.drain = Drain(self.broker.port, gate=self.gate, record=self.arrivals)
        self.bridge.start()
        self.load = Load(
            self.bridge.port, connections=options.connections, gids=options.gids, rate=options.rate, size=700,
            retry=True, abandon=20, seed=options.seed, record=self.promises,
        )  # fmt: skip
        began = time.monotonic()
        self.incidents()
        loaded = self.load.stop()
        print(f"{time.monotonic() - began:.0f} s of it; {loaded}", flush=True)
        if self.bridge.process.poll() is not None:
            raise AssertionError(f"the bridge ended by itself:\n{self.bridge.log_text()}")
        rig.wait_delivered(self.bridge, 120)
        faults = rig.stop_and_look(self.bridge)
        self.drain.stop()
        self.bridge.check_stderr()
        if loaded["timeouts"]:
            faults.append(f"{loaded['timeouts']} requests were never answered on a connection that stayed")
        strange = set(loaded["statuses"]) - {"200", "503"}
        if strange:
            faults.append(f"answers that nobody should get: {strange}")
        return self.judge(faults)

    def incidents(self):
        options = self.options
        kinds = [self.kill_bridge] * options.bridge_kills + [self.kill_broker] * options.broker_kills
        self.random.shuffle(kinds)
        for kill in kinds:
            self.wait_for_a_moment()
            kill()

    def wait_for_a_moment(self):
        """Often while events arrive, at times while the bridge is still starting or recovering."""
        before = self.size_of_arrivals()
        if self.random.random() < 0.25:
            time.sleep(self.random.uniform(0, 0.08))
        else:
            wanted = before + self.random.randint(1, 100_000)  # bytes of the record
            end = time.monotonic() + 5
            while self.size_of_arrivals() < wanted and time.monotonic() < end:
                time.sleep(STEP_S)
        self.while_delivering += self.size_of_arrivals() > before

    def size_of_arrivals(self):
        return self.arrivals.stat().st_size

    def kill_bridge(self):
        assert self.bridge.process.poll() is None, f"the bridge ended by itself:\n{self.bridge.log_text()}"
        self.bridge.kill()
        self.bridge.start(ready=False)

    def kill_broker(self):
        self.broker.kill()
        self.broker.start()

    def judge(self, faults):
        ledger = Ledger(self.options.window)
        with open(self.promises) as promises, open(self.arrivals) as arrivals:
            ledger.check(read_promises(promises), read_arrivals(arrivals))
        ledger.faults += faults
        if not ledger.counts["promised"] or not self.while_delivering:
            ledger.faults.append("nothing was tested: no event, or no incident while events arrived")
        print(f"  {'incidents while events arrived':36} {self.while_delivering}")
        ledger.show()
        return not ledger.faults

    def close(self):
        for process in (self.load, self.drain):
            if process:
                process.kill()
        self.bridge.end_now()
        self.broker.kill()
        if self.disk:
            self.disk.close()


def main():
    options = arguments()
    end_on_sigterm()
    print(f"chaos: {vars(options)}", flush=True)
    with scratch("chaos") as folder:
        chaos = Chaos(options, folder)
        try:
            good = chaos.run()
        finally:
            chaos.close()
        if not good:
            sys.exit(f"chaos: FAILED; once more with --seed {options.seed}")
    print("chaos: ok")


if __name__ == "__main__":
    main()
