"""Runs every unit test program (cmocka) as a test of its own; three at a time, because some mostly wait."""

import concurrent.futures
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / os.environ.get("HOOK2MQTT_BUILD", "build") / "unit"
NAMES = sorted(str(p.relative_to(ROOT / "tests/unit").with_suffix("")) for p in (ROOT / "tests/unit").rglob("test_*.c"))


def run(name):
    # Nice, so that it takes no time from tests beside it that are about time.
    return subprocess.run(["nice", PROGRAMS / name], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def runs():
    with concurrent.futures.ThreadPoolExecutor(max_workers=3) as pool:
        yield {name: pool.submit(run, name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_unit(runs, name):
    done = runs[name].result()
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
