"""Every input that a fuzzer has ever been worth keeping, on the program as it is built for the other tests."""

import pathlib
import subprocess

import pytest

from lib.bridge import BUILD, ROOT

TARGETS = sorted(path.stem for path in (ROOT / "tests/fuzz").glob("fuzz_*.c"))


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_is_replayed(target):
    files = sorted(pathlib.Path(ROOT / "tests/fuzz/corpus" / target.removeprefix("fuzz_")).iterdir())
    done = subprocess.run([BUILD / "replay" / target, *files], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout) == len(files) > 0
