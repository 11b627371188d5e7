"""A broker that hides nothing, and a bridge on ports that stay: what the fault tests and the benchmark run on."""

import json
import os
import pathlib

from lib.bridge import Bridge
from lib.broker import Broker
from lib.wait import free_port, wait_until


def make_broker(folder):
    """
    Mosquitto with no limit that could hold back or drop a message, and quiet. It writes a QoS 0 subscriber's message to
    the socket before it acknowledges the publisher, which is what the subscriber's record rests on.
    """
    return Broker(folder, max_inflight_messages=0, lines=("log_type none",))


class FixedBridge(Bridge):
    """On the same two ports each time, so that a client finds it again. Publishes to broker_port, which may be a gate."""

    def __init__(self, folder, broker_port, config=None, *, ports=None, env=None):
        self.port, self.admin_port = ports or (free_port(), free_port())
        super().__init__(folder, None, config, env=env)
        self.config["mqtt"]["servers"] = [f"mqtt://127.0.0.1:{broker_port}"]
        self.config["ingress"]["listen"] = [f"127.0.0.1:{self.port}"]
        self.config["admin"]["listen"] = [f"127.0.0.1:{self.admin_port}"]
        self.write_config()

    def address(self, listener, index=0):
        return "127.0.0.1", self.port if listener == "ingress" else self.admin_port

    def end_now(self):
        """Ends it in whatever state it is."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def stats(bridge):
    return json.loads(bridge.cli("outbox", "stats", "--json").stdout)


def wait_delivered(bridge, deadline_s):
    def look():
        assert bridge.process.poll() is None, f"ended with {bridge.process.returncode}\n{bridge.log_text()[-3000:]}"
        return stats(bridge)["undelivered_count"] == 0

    wait_until(look, lambda: f"all delivered: {stats(bridge)}\n{bridge.log_text()[-3000:]}", deadline_s)


def stop_and_look(bridge):
    """A clean end; returns what is wrong with what it left behind."""
    faults = []
    status = bridge.stop()
    if status != 0:
        faults.append(f"SIGTERM ended the bridge with status {status}\n{bridge.log_text()[-3000:]}")
    left = stats(bridge)
    if left["undelivered_count"] or left["dead_count"]:
        faults.append(f"the outbox is not empty at the end: {left}")
    return faults


def proc_status_kb(pid, name):
    """A line of /proc/PID/status such as VmRSS or VmHWM."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise AssertionError(f"no {name}")


def cpu_seconds(pid):
    """User and system time of all threads so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
