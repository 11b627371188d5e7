#!/usr/bin/env python3
"""
Runs all tests in two pytest processes side by side, because most tests mostly wait. Both know every test; each takes the
next test file that the other has not begun, one from the front and one from the back, until they meet. Ports and
temporary folders are apart. Arguments are handed to both.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent
# Above 30000: tests/fault.
RUNS = [("20000-25000", ()), ("25000-30000", ("--backwards",))]


def start(share, ports, order, arguments, output):
    return subprocess.Popen(
        # Without pytest's cache, a file that both would write.
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--share={share}", *order, *arguments, TESTS],
        env={**os.environ, "TEST_PORTS": ports},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def main():
    with tempfile.TemporaryDirectory(prefix="hook2mqtt-tests-") as share, tempfile.TemporaryFile("w+") as second:
        outputs = [None, second]  # what the second one prints is shown when both have ended
        processes = [start(share, *run, sys.argv[1:], output) for run, output in zip(RUNS, outputs)]
        try:
            statuses = [process.wait() for process in processes]
        except KeyboardInterrupt:
            statuses = [process.wait() for process in processes]  # Ctrl-C has reached them too
        second.seek(0)
        print(second.read(), end="")
    return max(statuses, key=abs)


if __name__ == "__main__":
    sys.exit(main())
