"""Fixtures. What `start` starts (lib/starter.py) is stopped at the end of the test, also of one that failed."""

import concurrent.futures
import os
import pathlib
import resource
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from lib.bridge import PROGRAM, ROOT  # noqa: E402
from lib.posting import kept  # noqa: E402
from lib.starter import Starter  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--share", metavar="FOLDER", help="run only the test files that no other run with this folder has begun")
    parser.addoption("--backwards", action="store_true", help="begin with the last test file, and leave the scenarios out")


def pytest_configure(config):
    # A thread of a tool that dies must fail the test, not only print something.
    config.addinivalue_line("filterwarnings", "error::pytest.PytestUnhandledThreadExceptionWarning")
    # Of the MQTT client library, not ours.
    config.addinivalue_line("filterwarnings", "ignore:ssl.PROTOCOL_TLS is deprecated")


def pytest_sessionstart():
    # Some tests hold more connections than a login shell's usual 1024 descriptors.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    if not os.access(PROGRAM, os.X_OK):
        pytest.exit(f"{PROGRAM} is not there: run make first, or set HOOK2MQTT", 1)


@pytest.fixture
def start(tmp_path):
    starter = Starter(tmp_path)
    yield starter
    starter.close()


@pytest.fixture(scope="module")
def start_for_module(tmp_path_factory):
    starter = Starter(tmp_path_factory.mktemp("module"))
    yield starter
    starter.close()


@pytest.fixture(scope="module")
def module_broker(start_for_module):
    return start_for_module.broker()


@pytest.fixture
def broker(start):
    return start.broker()


@pytest.fixture
def subscriber(start, broker):
    return start.subscriber(broker)


@pytest.fixture
def bridge(start, broker):
    """With all defaults, connected to the broker."""
    return start.bridge(broker).wait_connected()


@pytest.fixture
def nothing_stored(bridge):
    """Fails if the test made the bridge keep anything, or publish an event."""
    bridge.wait_settled()
    before = kept(bridge)
    yield
    assert kept(bridge) == before


def scenario_of(item):
    """Of a test that asks for a scenario (test_patience.py): the function; else None."""
    return item.callspec.params.get("scenario") if hasattr(item, "callspec") else None


def pytest_collection_modifyitems(config, items):
    """Scenarios are asked for last, because they began before the first test."""
    if config.getoption("backwards"):
        files = list(dict.fromkeys(item.path for item in items))
        items[:] = [item for item in items if not scenario_of(item)]
        items.sort(key=lambda item: -files.index(item.path))
    else:
        items.sort(key=lambda item: scenario_of(item) is not None)


files_begun = {}  # by path: here, or elsewhere?


def begin_file(path, folder):
    """Whoever makes the file first runs the tests."""
    if path not in files_begun:
        try:
            (folder / path.relative_to(ROOT).as_posix().replace("/", "+")).touch(exist_ok=False)
            files_begun[path] = True
        except FileExistsError:
            files_begun[path] = False
    return files_begun[path]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    """True: somebody else's; nothing is run, and nothing is said."""
    folder = item.config.getoption("share")
    if folder and not scenario_of(item) and not begin_file(item.path, pathlib.Path(folder)):
        return True
    return None


def play(scenario, folder):
    starter = Starter(folder)
    try:
        scenario(starter)
    finally:
        starter.close()


@pytest.fixture(scope="session", autouse=True)
def scenarios(request, tmp_path_factory):
    """What takes long (test_patience.py) begins before the first test: {function: future}, of those selected."""
    selected = [scenario for item in request.session.items if (scenario := scenario_of(item))]
    with concurrent.futures.ThreadPoolExecutor(max(len(selected), 1)) as pool:
        yield {
            scenario: pool.submit(play, scenario, tmp_path_factory.mktemp("scenario"))
            for scenario in selected
        }
