"""Fixtures. What `start` starts (lib/starter.py) is stopped at the end of the test, also of one that failed."""

import os
import resource
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from lib.bridge import PROGRAM  # noqa: E402
from lib.posting import kept  # noqa: E402
from lib.starter import Starter  # noqa: E402


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


def pytest_collection_modifyitems(items):
    """First what waits longest; the other process of `make test` is busy meanwhile."""
    items.sort(key=lambda item: item.path.name != "test_patience.py")
