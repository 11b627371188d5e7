"""Fixtures: authorities for TLS; for `provider …` an API that answers as it is told, and a source of each vendor for it."""

import pytest

from lib.api_server import ApiServer
from lib.certs import Authority
from lib.provider_commands import Commands, ricloud_source, weavy_source


@pytest.fixture
def api():
    server = ApiServer()
    yield server
    server.close()


@pytest.fixture
def ricloud(start, api, tmp_path):
    """A source whose secret is not there yet."""
    (tmp_path / "secrets").mkdir()
    return Commands(start, "ricloud", ricloud_source(api, [{"file": str(tmp_path / "secrets/one")}]))


@pytest.fixture
def secret_file(tmp_path):
    return tmp_path / "secrets/one"


@pytest.fixture
def weavy(start, api):
    return Commands(start, "weavy", weavy_source(api))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def server_pair(authority):
    """A certificate and its key."""
    return authority.issue("server")
