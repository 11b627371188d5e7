"""Compares what the bridge promised with what arrived at a subscriber."""

import collections
import dataclasses

Promise = collections.namedtuple("Promise", "gid sequence id status")
Arrival = collections.namedtuple("Arrival", "gid sequence id connection")


def read_promises(lines):
    """The record of load: each answer of 200, in order of receipt."""
    for line in lines:
        gid, sequence, event_id, status = line.split()
        yield Promise(gid, int(sequence), event_id, status)


def read_arrivals(lines):
    """The record of drain. connection: the bridge's connection to the broker that it came over, from 1."""
    connection = 0
    for line in lines:
        first, *rest = line.split()
        if first == "=":
            connection = int(rest[0])
        else:
            sequence, *event_id = rest
            yield Arrival(first, int(sequence), event_id[0] if event_id else "", connection)


@dataclasses.dataclass
class Ledger:
    """
    Three promises: everything answered 200 arrives; first arrivals of a gid come in the order of acceptance; a connection
    repeats at most `window` events of those that came before it. And two more: one connection brings nothing twice, and
    an event has one id, however often it was sent and answered.
    """

    window: int | None  # None: no limit
    faults: list = dataclasses.field(default_factory=list)  # sentences
    first: dict = dataclasses.field(default_factory=dict)  # (gid, sequence): id and place of its first arrival
    repeats: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # by connection
    counts: collections.Counter = dataclasses.field(default_factory=collections.Counter)

    def check(self, promises, arrivals):
        self._take_arrivals(arrivals)
        self._take_promises(promises)
        for connection, count in self.repeats.items():
            if self.window is not None and count > self.window:
                self.faults.append(
                    f"connection {connection} repeated {count} events, more than the window of {self.window}"
                )
        return self

    def show(self):
        most = max(self.repeats.values(), default=0)
        rows = {
            "answered 200": self.counts["promised"],
            "of these as a duplicate": self.counts["duplicate"],
            "events arrived": len(self.first),
            "of these never answered": len(self.first) - (self.counts["promised"] - self.counts["lost"]),
            "arrivals": self.counts["arrived"],
            "answered 200 and lost": self.counts["lost"],
            "out of order": self.counts["out of order"],
            "connections that brought repeats": len(self.repeats),
            "repeats of one connection, at most": f"{most} (window: {self.window})",
        }
        for name, value in rows.items():
            print(f"  {name:36} {value}")
        for fault in self.faults[:20]:
            print(f"FAULT {fault}")
        if len(self.faults) > 20:
            print(f"FAULT … and {len(self.faults) - 20} more")

    def _take_arrivals(self, arrivals):
        seen, seen_here, here = set(), set(), None
        for place, arrival in enumerate(arrivals):
            event = arrival.gid, arrival.sequence
            first_id, _ = self.first.setdefault(event, (arrival.id, place))
            if first_id != arrival.id:
                self.faults.append(f"{event} was stored twice: as {first_id} and as {arrival.id}")
            if arrival.connection != here:
                here, seen_here = arrival.connection, set()
            if arrival.id in seen_here:
                self.faults.append(f"{arrival.id} came twice over connection {here}")
            elif arrival.id in seen:
                self.repeats[here] += 1
            seen_here.add(arrival.id)
            seen.add(arrival.id)
            self.counts["arrived"] += 1

    def _take_promises(self, promises):
        newest = {}  # of each gid: place and sequence of the latest one
        for promise in promises:
            event = promise.gid, promise.sequence
            self.counts["promised"] += 1
            self.counts["duplicate"] += promise.status == "duplicate"
            if event not in self.first:
                self.counts["lost"] += 1
                self.faults.append(f"{event} was answered 200 as {promise.id} and has not arrived")
                continue
            arrived_id, place = self.first[event]
            if arrived_id != promise.id:
                self.faults.append(f"{event} was answered 200 as {promise.id} and arrived as {arrived_id}")
            if (place, promise.sequence) < newest.get(promise.gid, (-1, 0)):
                self.counts["out of order"] += 1
                self.faults.append(f"{event} arrived before {newest[promise.gid][1]}, accepted earlier")
            newest[promise.gid] = place, promise.sequence
