#!/usr/bin/env python3
"""
A broker that refuses, hangs up, says goodbye, answers late and reads slowly, while the bridge is killed now and then.
At the end: every event answered 200 was taken by the broker or is a dead letter with its reason; per gid, first
arrivals came in order; and each gid's state topic holds its newest event that was taken, or a newer one.

    tests/fault/refusals.py [--events 20000] [--kills 20] [--seed N] [--version 5] …
"""

import argparse
import collections
import contextlib
import heapq
import json
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench.tools import Load, end_on_sigterm, scratch  # noqa: E402
from fault import rig  # noqa: E402
from fault.ledger import read_promises  # noqa: E402
from lib.bridge import STATE_TOPIC, source  # noqa: E402
from lib.mqtt_server import MqttServer  # noqa: E402

PASSING = (0x80, 0x83, 0x87, 0x91, 0x97, 0xC7)  # refused once or twice, then taken
FOR_GOOD = (0x90, 0x95, 0x99)
GOODBYES = (0x80, 0x83, 0x89, 0x8B, 0x8D, 0x93, 0x96, 0x97, 0x98, 0x9F, 0xA0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--gids", type=int, default=200)
    parser.add_argument("--rate", type=int, default=400, help="webhooks a second")
    parser.add_argument("--window", type=int, default=64, help="max_in_flight")
    parser.add_argument("--version", default="5", choices=("5", "3.1.1"))
    return parser.parse_args()


class Broker:
    """Decides about each message by the seed and by what it is, so that the same event meets the same fate."""

    def __init__(self, options):
        self.options, self.refuses = options, options.version == "5"
        self.random = random.Random(options.seed)
        self.refused = collections.Counter()  # by gid, sequence
        self.counts = collections.Counter()
        self.taken = {}  # (gid, sequence): place in the order of first arrivals
        self.states = {}  # gid: sequence
        self.late, self.wake, self.tie = [], threading.Condition(), 0
        threading.Thread(target=self.answer_late, daemon=True).start()
        self.server = MqttServer(self.on_publish)
        self.port = self.server.port

    def fate(self, gid, sequence):
        """Of the event: 'good' to 'poison'."""
        return random.Random(f"{self.options.seed}/{gid}/{sequence}").random()

    def on_publish(self, session, publish):
        gid = publish.topic.rpartition("/")[2]
        sequence = json.loads(publish.payload)["resource"]["sequence"]
        is_state = publish.topic.startswith("partners-state/")
        fate, dice = self.fate(gid, sequence), self.random.random()
        if self.refuses and not is_state and fate < 0.004:
            return self.answer(session, publish, FOR_GOOD[int(fate * 1e6) % len(FOR_GOOD)])
        if not is_state and 0.004 < fate < 0.0042:
            self.counts["poison"] += 1
            return session.close()
        tries = self.refused[gid, sequence, is_state]
        if self.refuses and 0.005 < fate < 0.02 and tries < 1 + int(fate * 1e6) % 2:
            self.refused[gid, sequence, is_state] += 1
            return self.answer(session, publish, PASSING[int(fate * 1e7) % len(PASSING)])
        if dice < 0.0005:
            self.counts["hung up"] += 1
            return session.close()
        if dice < 0.001:
            code = self.random.choice(GOODBYES)
            self.counts[f"goodbye 0x{code:02X}"] += 1
            return session.send_disconnect(code) if self.refuses else session.close()
        if dice < 0.002:
            time.sleep(self.random.uniform(0, 0.2))  # a slow link: nothing is read meanwhile
        self.take(gid, sequence, is_state)
        return self.answer(session, publish, 0)

    def take(self, gid, sequence, is_state):
        if is_state:
            self.states[gid] = sequence
        else:
            self.counts["repeated"] += (gid, sequence) in self.taken
            self.taken.setdefault((gid, sequence), len(self.taken))

    def answer(self, session, publish, reason):
        if reason:
            self.counts[f"refused 0x{reason:02X}"] += 1
        if self.random.random() < 0.2:
            with self.wake:
                self.tie += 1
                due = time.monotonic() + self.random.uniform(0, 0.4)
                heapq.heappush(self.late, (due, self.tie, session, publish, reason))
                self.wake.notify()
        else:
            session.ack(publish, reason)

    def answer_late(self):
        while True:
            with self.wake:
                while not self.late or self.late[0][0] > time.monotonic():
                    self.wake.wait(self.late[0][0] - time.monotonic() if self.late else None)
                _, _, session, publish, reason = heapq.heappop(self.late)
            session.ack(publish, reason)


class Refusals:
    def __init__(self, options, folder):
        self.options = options
        self.promises = folder / "promises"
        self.broker = Broker(options)
        config = {
            "mqtt": {"max_in_flight": options.window, "version": options.version},
            "sources": source(state_topic=STATE_TOPIC),
        }
        self.bridge = rig.FixedBridge(folder / "bridge", self.broker.port, config)
        self.load = None

    def run(self):
        options = self.options
        self.bridge.start()
        began = time.monotonic()
        self.load = Load(
            self.bridge.port, connections=8, gids=options.gids, rate=options.rate, size=700, retry=True,
            seed=options.seed, record=self.promises,
        )  # fmt: skip
        seconds = options.events / options.rate
        for kill in range(options.kills):
            time.sleep(max(0, began + seconds * (kill + 1) / (options.kills + 1) - time.monotonic()))
            self.bridge.kill()
            self.bridge.start(ready=False)
        time.sleep(max(0, began + seconds - time.monotonic()))
        loaded = self.load.stop()
        print(f"{time.monotonic() - began:.0f} s of it; {loaded}", flush=True)
        self.bridge.wait_ready()
        rig.wait_delivered(self.bridge, 180)
        dead = {row["id"]: row for row in self.bridge.rows("dead")}
        faults = self.judge(dead)
        status = self.bridge.stop()
        if status != 0:
            faults.append(f"SIGTERM ended the bridge with status {status}")
        self.bridge.check_stderr()
        return faults

    def judge(self, dead):
        faults = []
        taken = dict(self.broker.taken)
        promised, by_gid = set(), collections.defaultdict(list)
        with open(self.promises) as lines:
            for promise in read_promises(lines):
                key = (promise.gid, promise.sequence)
                promised.add(key)
                if key not in taken and promise.id not in dead:
                    faults.append(f"lost: {promise}")
        for (gid, sequence), place in taken.items():
            by_gid[gid].append((place, sequence))
        for gid, arrivals in by_gid.items():
            order = [sequence for _, sequence in sorted(arrivals)]
            if order != sorted(order):
                faults.append(f"{gid} came in the order {order}")
            if self.broker.states.get(gid, 0) < max(order):  # it may be that of a newer dead letter
                faults.append(f"the state of {gid} is {self.broker.states.get(gid)}, not {max(order)}")
        reasons = collections.Counter(row["reason"] for row in dead.values())
        for reason in reasons:
            if not reason.startswith(("0x", "lost the connection 5 times")):
                faults.append(f"a dead letter for the reason {reason!r}")
        if not promised or (self.options.version == "5" and not reasons):
            faults.append("nothing was tested: no event, or no refusal")
        for name, count in sorted({**self.broker.counts, **reasons}.items()):
            print(f"  {name:44} {count}")
        print(f"  {'answered 200':44} {len(promised)}\n  {'taken':44} {len(taken)}\n  {'dead letters':44} {len(dead)}")
        return faults

    def close(self):
        if self.load:
            self.load.kill()
        self.bridge.end_now()
        with contextlib.suppress(AssertionError):
            self.broker.server.close()


def main():
    options = arguments()
    end_on_sigterm()
    print(f"refusals: {vars(options)}", flush=True)
    with scratch("refusals") as folder:
        campaign = Refusals(options, folder)
        try:
            faults = campaign.run()
        finally:
            campaign.close()
        for fault in faults[:20]:
            print(fault)
        if faults:
            raise SystemExit(f"refusals: FAILED with {len(faults)} faults; once more with --seed {options.seed}")
    print("refusals: ok")


if __name__ == "__main__":
    main()
