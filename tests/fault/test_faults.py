"""The fault tests in short; in full by `make chaos`."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent


needs_mounts = pytest.mark.skipif(
    subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0,
    reason="mounting is not allowed here",
)


def run(script, *args):
    # Nice, so that it takes no time from tests beside it that are about time; on ports that those do not use.
    done = subprocess.run(
        ["nice", sys.executable, HERE / script, *args],
        env={**os.environ, "TEST_PORTS": "30000-32000"},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stderr


def test_nothing_acknowledged_is_lost_when_bridge_and_broker_are_killed():
    run("chaos.py", "--bridge-kills", "10", "--broker-kills", "5")


def test_nothing_acknowledged_is_lost_in_a_full_outbox_either():
    run("chaos.py", "--bridge-kills", "5", "--broker-kills", "3", "--max-size", "4MiB")


@needs_mounts
def test_nothing_acknowledged_is_lost_on_a_short_disk_either():
    run("chaos.py", "--bridge-kills", "5", "--broker-kills", "3", "--disk", "8m")


def test_every_sync_and_every_third_write_may_be_the_last_one_or_fail():
    run("crashpoints.py", "--part", "work,end", "--stride", "3")


def test_order_holds_through_refusals_hang_ups_and_late_answers():
    run("refusals.py", "--events", "2000", "--kills", "2")
