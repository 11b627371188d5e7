"""Waiting for a condition with a deadline, never for a time that is hoped to be long enough."""

import contextlib
import os
import socket
import threading
import time

# Generous, because a sanitizer build on a busy machine is slow; a test that works never waits so long.
DEADLINE_S = float(os.environ.get("TEST_DEADLINE", "40"))
STEP_S = 0.01


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Returns the first true value of condition(). `what` names it, or is called to describe the failure."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            text = what() if callable(what) else what
            raise AssertionError(f"not within {deadline_s:g} s: {text}")
        time.sleep(STEP_S)


def holds_for(condition, seconds, what):
    """Fails as soon as condition() is false; the way to say that something does not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), what() if callable(what) else what
        time.sleep(STEP_S)


def my_ports():
    """Below the range that the kernel picks ports from, so that one of ours can be closed and taken again. The processes
    that share a run (pytest-xdist names them) get a part each, and so do the programs that tests run (TEST_PORTS)."""
    first, end = map(int, os.environ.get("TEST_PORTS", "20000-30000").split("-"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = (end - first) // count
    return range(first + number * share, first + (number + 1) * share)


PORTS = my_ports()


def ports_from(place):
    """All of them, each once. Two processes begin far from each other."""
    yield from PORTS[place:]
    yield from PORTS[:place]


ports_lock = threading.Lock()
untried_ports = ports_from(os.getpid() * 577 % len(PORTS))


def free_port():
    """A port that nobody uses, the kernel gives to nobody by itself, and we give to nobody else."""
    with ports_lock:
        for port in untried_ports:
            with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
                return port
    raise AssertionError("no free port")


def port_answers(host, port):
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
