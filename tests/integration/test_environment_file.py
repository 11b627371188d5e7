"""The environment file: read by every command and at each reload, beside what the process was started with."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from lib import events
from lib.bridge import PATH, PROGRAM, SECRET, SOURCE, signed, source
from lib.wait import free_port

OTHER = "itest-other-secret-77"


@pytest.fixture
def bridge(start):
    """Not started; its secret is in no environment."""
    bridge = start.bridge(start=False)
    bridge.config["sources"] = source(secrets=[{"env": "X_SECRET"}])
    bridge.config["admin"]["token"] = {"env": "X_TOKEN"}
    bridge.config["ingress"]["listen"] = [f"127.0.0.1:{free_port()}"]
    bridge.write_config()
    bridge.secrets |= {OTHER}
    bridge.env_file = bridge.folder / "environment"
    return bridge


def write(file, **variables):
    file.write_text("# of the test\n" + "".join(f"{name}='{value}'\n" for name, value in variables.items()))
    file.chmod(0o640)


def status(bridge, secret, path=PATH):
    return bridge.post(events.body(), secret=secret, path=path).status


def started(bridge):
    bridge.start(ready=False)
    bridge.wait_log(lambda: bridge.lines("ready"), "ready")
    return bridge


def test_run_and_every_command_read_the_file_beside_the_configuration(bridge):
    write(bridge.env_file, X_SECRET=SECRET, X_TOKEN="t0ken-of-the-file")
    started(bridge)
    assert status(bridge, SECRET) == 200
    assert bridge.cli("check").stdout.endswith(b": ok\n")
    body = events.body()
    assert dict([bridge.cli("sign", "partners", input=body).stdout.decode().strip().split(": ")]) == dict(signed(body)[1:])
    bridge.cli("trigger", "partners", "work:resource.created")
    bridge.cli("health")
    bridge.cli("outbox", "drop", "--all")  # asks the running bridge, with the token
    bridge.cli("outbox", "ls")


def test_the_process_own_environment_wins(bridge):
    write(bridge.env_file, X_SECRET=OTHER, X_TOKEN="t0ken-of-the-file")
    bridge.env["X_SECRET"] = SECRET
    started(bridge)
    assert status(bridge, SECRET) == 200 and status(bridge, OTHER) == 401
    write(bridge.env_file, X_SECRET="itest-third", X_TOKEN="t0ken-of-the-file")
    bridge.reload()
    assert status(bridge, SECRET) == 200


@pytest.mark.parametrize("form", [["-e", "{}"], ["-e{}"], ["--env-file", "{}"], ["--env-file={}"]])
def test_a_file_may_be_named(bridge, form, tmp_path):
    write(bridge.env_file, X_SECRET=OTHER, X_TOKEN="x")
    named = tmp_path / "named"
    write(named, X_SECRET=SECRET, X_TOKEN="t0ken-of-the-file")
    bridge.args = [word.format(named) for word in form]
    started(bridge)
    assert status(bridge, SECRET) == 200 and status(bridge, OTHER) == 401
    body = events.body()
    printed = bridge.cli("sign", *bridge.args, "partners", input=body).stdout.decode()
    assert printed.strip().split(": ") == list(signed(body)[1])
    write(named, X_SECRET=OTHER, X_TOKEN="t0ken-of-the-file")
    bridge.reload()
    assert status(bridge, OTHER) == 200


@pytest.mark.parametrize("command", [["run"], ["check"], ["health"], ["sign", "partners"]])
def test_a_named_file_must_be_there(bridge, command):
    done = bridge.cli(*command, "-e", bridge.folder / "nowhere", expect=1)
    assert f"{bridge.folder}/nowhere: cannot be read: " in (done.stdout + done.stderr).decode()


def test_a_new_source_with_a_new_variable_comes_by_a_reload(bridge):
    write(bridge.env_file, X_SECRET=SECRET, X_TOKEN="t")
    started(bridge)
    bridge.config["sources"].append({**SOURCE, "name": "new", "path": "/new", "secrets": [{"env": "X_NEW"}]})
    bridge.reload(refused=True)
    assert bridge.lines("configuration", error="the environment variable X_NEW is not set")
    write(bridge.env_file, X_SECRET=SECRET, X_TOKEN="t", X_NEW=OTHER)
    bridge.reload()
    assert status(bridge, OTHER, "/new") == 200


def test_changed_and_removed_variables_count_at_a_reload(bridge):
    write(bridge.env_file, X_SECRET=SECRET, X_TOKEN="t")
    started(bridge)
    write(bridge.env_file, X_SECRET=OTHER, X_TOKEN="t")
    assert status(bridge, SECRET) == 200, "not before the reload"
    bridge.reload()
    assert status(bridge, OTHER) == 200 and status(bridge, SECRET) == 401
    write(bridge.env_file, X_TOKEN="t")
    bridge.reload(refused=True)
    assert status(bridge, OTHER) == 200
    bridge.env_file.unlink()
    bridge.reload(refused=True)
    assert status(bridge, OTHER) == 200


def test_a_line_that_is_no_assignment_is_a_fault_with_its_number(bridge):
    write(bridge.env_file, X_SECRET=SECRET, X_TOKEN="t")
    started(bridge)
    with open(bridge.env_file, "a") as file:
        file.write("what is this\n")
    place = f"{bridge.env_file}:4"
    assert f"{place}: must be NAME=value\n" in bridge.cli("check", expect=1).stdout.decode()
    bridge.reload(refused=True)
    assert bridge.lines("configuration", path=place, level="error")
    bridge.cli("health")  # commands that only look do not mind


def test_a_file_that_everybody_can_read_is_warned_of(bridge):
    write(bridge.env_file, X_SECRET=SECRET, X_TOKEN="t")
    assert b"warning" not in bridge.cli("check").stdout
    bridge.env_file.chmod(0o644)
    said = bridge.cli("check").stdout.decode()
    assert f"{bridge.env_file}: warning: every user of this machine can read it; chmod o-r helps" in said


@pytest.fixture
def shared_folder():
    """One that other users can look into."""
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    shutil.copy(PROGRAM, folder / "hook2mqtt")
    yield folder
    shutil.rmtree(folder)


def test_a_file_that_only_others_may_read_is_said(bridge, shared_folder):
    """As where the service manager reads it: what it gave us is enough, and what is lacking may be in there."""
    config, file = shared_folder / "bridge.json", shared_folder / "environment"
    shutil.copy(bridge.config_file, config)
    config.chmod(0o644)
    write(file, X_SECRET=SECRET, X_TOKEN="t")
    file.chmod(0o600)

    def check(**env):
        done = subprocess.run([shared_folder / "hook2mqtt", "sign", "-c", config, "partners"], env={**os.environ, **env},
                              capture_output=True, input="{}", text=True, user=65534, group=65534, extra_groups=[],
                              check=False)
        return done.returncode, done.stderr

    code, said = check()
    assert code == 1
    assert f"the environment variable X_SECRET is not set, and {file} cannot be read" in said
    assert check(X_SECRET=SECRET) == (0, "")


def test_the_libraries_have_the_variables_too(start, bridge, authority):
    """Of an API with a certificate of its own: SSL_CERT_FILE is libcurl's."""
    write(bridge.env_file, X_SECRET=SECRET, X_TOKEN="t", https_proxy="http://127.0.0.1:9")
    bridge.config["sources"] = [{
        "name": "weavy", "provider": "weavy", "verify": "none", "path": "/w", "public_url": "https://bridge.example/w",
        "api": {"url": "https://127.0.0.1:8", "username": "u", "password": {"env": "X_SECRET"}, "project_code": "p"},
    }]
    bridge.write_config()
    done = bridge.cli("provider", "weavy", "subscribe", "--all", expect=1)
    assert b"proxy" in done.stderr.lower() or b"port 9" in done.stderr, done.stderr


def test_an_empty_variable_in_a_text_is_said(bridge):
    """What a command in a page gave where its tool was not installed."""
    write(bridge.env_file, X_SECRET=SECRET, X_TOKEN="t", X_PATH="")
    bridge.config["sources"][0]["path"] = "/hooks/${X_PATH}"
    bridge.write_config()
    for command in (["check"], ["run"], ["sign", "partners"]):
        done = bridge.cli(*command, expect=1, input=b"")
        said = (done.stdout + done.stderr).decode()
        assert "sources[0].path: must not end with /" in said
        assert "sources[0].path: warning: the environment variable X_PATH is empty" in said
