"""Runs every unit test program (cmocka) as a test of its own."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / os.environ.get("HOOK2MQTT_BUILD", "build") / "unit"
NAMES = sorted(p.stem for p in (ROOT / "tests/unit").glob("test_*.c"))


@pytest.mark.parametrize("name", NAMES)
def test_unit(name):
    run = subprocess.run([PROGRAMS / name], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-8000:]
