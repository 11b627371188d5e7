#!/usr/bin/env python3
"""
Hostile clients from one address beside honest ones from another. Honest webhooks, each on a new connection, are counted
without and with each attack, in one run. Each must be accepted, at no less than half of the undisturbed rate; the
bridge's memory stays below a limit, and it stops as ever.

    tests/fault/attacks.py [--honest 1100] [--only heads,bodies,…]
"""

import argparse
import contextlib
import multiprocessing
import pathlib
import resource
import socket
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench.tools import end_on_sigterm, scratch  # noqa: E402
from lib import events, http_client  # noqa: E402
from lib.bridge import PATH, Bridge, is_sanitized, signed  # noqa: E402

HOSTILE, CROWD, LIMIT_MB = "127.0.0.2", 5000, 200
STRANGER = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n".encode()
HEAD = STRANGER + "".join(f"{name}: {value}\r\n" for name, value in signed(b"another body")).encode()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--honest", type=int, default=1100, help="webhooks without and with each attack")
    parser.add_argument("--only", default=",".join(ATTACKS), help="a comma between names")
    return parser.parse_args()


def connect(port):
    client = socket.socket()
    client.bind((HOSTILE, 0))
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    return client


def hold(port, data, count=CROWD):
    """Opens connections, sends each the same and keeps them; a connection that is refused is the bridge's right."""
    held = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            held.append(connect(port))
            held[-1].send(data)
    return held


def half_bodies(port):
    held = hold(port, HEAD + b"Content-Length: 1048000\r\n\r\n", 65)
    for client in held:
        with contextlib.suppress(OSError):
            client.settimeout(1)
            client.sendall(b" " * 1_000_000)
    return held


def churn(port):
    while True:
        for client in hold(port, b"POST / HTTP/1.1\r\n", 50):
            client.close()


def bad_signatures(port):
    with http_client.Connection(("127.0.0.1", port)) as connection:
        while True:
            connection.request("POST", PATH, signed(b"{}", "not the secret"), b"{}")


# What each does to the port: returns what it holds, or goes on for ever.
ATTACKS = {
    "heads": lambda port: hold(port, b"POST / HTTP/1.1\r\n"),
    "bodies": lambda port: hold(port, HEAD + b"Content-Length: 100\r\n\r\n12345"),
    "strangers": lambda port: hold(port, STRANGER + b"Content-Length: 100\r\n\r\n12345"),
    "half bodies": half_bodies,
    "chunk lines": lambda port: hold(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;" + b"a" * 33_000, 1000),
    "parameters": lambda port: hold(port, b"GET /x?" + b"&" * 1000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "churn": churn,
    "bad signatures": bad_signatures,
}


def attack(name, port, ready):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    endless = ATTACKS[name] in (churn, bad_signatures)
    if endless:
        ready.set()
    held = ATTACKS[name](port)
    ready.set()
    while held:  # until we are ended
        time.sleep(60)


@contextlib.contextmanager
def attacked(name, port):
    ready = multiprocessing.Event()
    hostile = multiprocessing.Process(target=attack, args=(name, port, ready), daemon=True)
    hostile.start()
    assert ready.wait(60), f"{name} does not get going"
    yield
    hostile.kill()
    hostile.join()


def honest(bridge, count):
    """Each on a new connection; returns how many were accepted in a second, and their times."""
    times, begin = [], time.monotonic()
    for _ in range(count):
        body, started = events.body(), time.monotonic()
        answer = http_client.fetch(bridge.ingress, "POST", PATH, signed(body), body)
        assert answer.status == 200, answer
        times.append(time.monotonic() - started)
    return count / (time.monotonic() - begin), sorted(times)


def peak_mb(bridge):
    status = pathlib.Path(f"/proc/{bridge.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def main():
    end_on_sigterm()
    options, good = arguments(), True
    print(f"{'attack':15} {'alone/s':>8} {'beside/s':>9} {'ratio':>6} {'p50 ms':>7} {'p99 ms':>7} {'peak MB':>8}")
    for name in options.only.split(","):
        with scratch("attacks") as folder:
            bridge = Bridge(folder).start()
            port = bridge.ingress[1]
            alone, _ = honest(bridge, options.honest)
            with attacked(name, port):
                beside, times = honest(bridge, options.honest)
            ratio, peak = beside / alone, peak_mb(bridge)
            print(f"{name:15} {alone:8.0f} {beside:9.0f} {ratio:6.2f} {statistics.median(times) * 1000:7.1f} "
                  f"{times[len(times) * 99 // 100] * 1000:7.1f} {peak:8}", flush=True)
            good &= ratio >= 0.5 and (peak < LIMIT_MB or is_sanitized()) and bridge.stop() == 0
    print("ok" if good else "FAILED")
    sys.exit(not good)


if __name__ == "__main__":
    main()
