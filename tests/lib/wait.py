"""Waiting for a condition with a deadline, never for a time that is hoped to be long enough."""

import os
import socket
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


def free_port(host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, 0))
        return probe.getsockname()[1]


def port_answers(host, port):
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
