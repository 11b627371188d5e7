"""The service that is installed: its reload, its restarts, its user. The unit's own lines are run here by hand."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from lib import events
from lib.bridge import PROGRAM, ROOT, SECRET, SOURCE, Bridge
from lib.wait import DEADLINE_S, holds_for

UNIT = (ROOT / "config/systemd/hook2mqtt.service.in").read_text()
EX_CONFIG = 78


def setting(name):
    return re.findall(rf"^{name}=(.*)$", UNIT, re.M)


@pytest.fixture
def service(start, tmp_path):
    """A bridge with what systemd gives it, which is how it knows that it is a service."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    bridge = start.bridge(env={"RUNTIME_DIRECTORY": str(folder)}, start=False)
    bridge.runtime = folder
    return bridge


def exec_reload(bridge, pid=None, **env):
    """The unit's ExecReload=, as systemd would run it: (exit status, stderr)."""
    for line in setting("ExecReload"):
        words = [word.replace("@BINDIR@/hook2mqtt", str(PROGRAM)) for word in shlex.split(line)]
        words = [word.replace("$MAINPID", str(pid or bridge.process.pid)) for word in words]
        done = subprocess.run(words, env={**bridge.env, **env}, capture_output=True, text=True, timeout=DEADLINE_S,
                              check=False)
        if done.returncode:
            break
    return done.returncode, done.stderr


def test_a_reload_that_works_succeeds(service):
    service.start()
    service.config["sources"][0]["qos"] = 2
    service.write_config()
    assert exec_reload(service) == (0, "")
    assert len(service.lines("configuration reloaded")) == 1, "it waits until it is in force"
    assert exec_reload(service) == (0, "")
    assert len(service.lines("configuration reloaded")) == 2


def test_a_reload_that_the_bridge_refuses_fails(service):
    service.start()
    for good in (False, True, False):
        service.config["sources"][0]["topic"] = "ok/{gid}" if good else "wrong/{gidd}"
        service.write_config()
        status, said = exec_reload(service)
        assert (status == 0) == good
        assert good or "refused" in said
    assert len(service.lines("reload refused; the old configuration stays")) == 2


def test_a_reload_fails_when_only_the_bridge_lacks_a_variable(service):
    """A check by another process, with the unit's environment of today, would have found nothing wrong."""
    service.start()
    service.config["sources"][0]["secrets"] = [{"env": "X_NEW"}]
    service.write_config()
    assert exec_reload(service, X_NEW="new")[0] == 1


def test_a_reload_works_while_what_needs_a_restart_has_changed(service):
    """The address and the token of the admin listener among it: the verdict comes another way."""
    service.start()
    service.config["admin"] = {"listen": ["127.0.0.1:1"], "token": "another"}
    service.write_config()
    assert exec_reload(service)[0] == 0


def test_a_reload_of_a_bridge_that_is_gone_fails_at_once(service):
    service.start()
    pid = service.process.pid
    assert service.stop() == 0
    status, said = exec_reload(service, pid)
    assert status == 1 and "No such process" in said


def test_a_bridge_that_ends_meanwhile_gives_no_verdict(service):
    service.start()
    service.process.send_signal(signal.SIGSTOP)
    with subprocess.Popen([PROGRAM, "reload", str(service.process.pid)], env=service.env, stderr=subprocess.PIPE,
                          text=True) as asking:
        holds_for(lambda: asking.poll() is None, 0.3, "it waits")
        service.kill()
        assert asking.wait(DEADLINE_S) == 1
        assert "the bridge has ended" in asking.stderr.read()


def test_without_a_service_reload_says_what_it_is_for(start):
    bridge = start.bridge()
    done = bridge.cli("reload", bridge.process.pid, expect=1)
    assert b"RUNTIME_DIRECTORY" in done.stderr
    assert b"not the id of a process" in bridge.cli("reload", "x", expect=2).stderr


# The user


@pytest.fixture
def installed(monkeypatch):
    """Root's folder of the configuration, the user's own one of the outbox, as the unit has them; needs root."""
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    shutil.copy(PROGRAM, folder / "hook2mqtt")
    monkeypatch.setattr("lib.bridge.PROGRAM", folder / "hook2mqtt")
    as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", "--inh-caps=-all"]
    bridge = Bridge(folder / "etc", wrapper=as_user)
    for name in ("state", "runtime"):
        (folder / name).mkdir(mode=0o700)
        os.chown(folder / name, USER, USER)
    bridge.config["outbox"]["path"] = str(folder / "state/outbox.db")
    bridge.config["admin"]["listen"] = [f"unix:{folder}/runtime/admin.sock"]
    bridge.env = {"PATH": os.environ["PATH"], "RUNTIME_DIRECTORY": str(folder / "runtime")}
    yield bridge
    try:
        bridge.finish()
    finally:
        shutil.rmtree(folder)


USER = 54321  # nobody else on any machine


def for_the_bridge(file, text, group=USER, mode=0o640):
    file.write_text(text)
    os.chown(file, 0, group)
    file.chmod(mode)


def test_secrets_of_root_that_the_group_may_read_work_for_the_unit_s_user(installed):
    folder = installed.config_file.parent
    for_the_bridge(folder / "environment", f"X_SECRET={SECRET}\n")
    for_the_bridge(folder / "other", f"{SECRET}\n")
    installed.config["sources"] = [
        {**SOURCE, "secrets": [{"env": "X_SECRET"}]},
        {**SOURCE, "name": "two", "path": "/two", "secrets": [{"file": str(folder / "other")}]},
    ]
    installed.write_config()
    installed.start()
    installed.accept(events.body())
    installed.accept(events.body(), path="/two")
    assert not [line for line in installed.lines("configuration") if "read" in line.get("warning", "")]
    # A reload, by the same user; and what it may not read refuses it.
    ask = [*installed.wrapper, str(installed.config_file.parents[1] / "hook2mqtt"), "reload", str(installed.process.pid)]
    assert subprocess.run(ask, env=installed.env, check=False).returncode == 0
    for_the_bridge(folder / "other", f"{SECRET}\n", group=0)
    assert subprocess.run(ask, env=installed.env, check=False, stderr=subprocess.DEVNULL).returncode == 1
    assert any("Permission denied" in line.get("error", "") for line in installed.lines("configuration"))


# Restarts


def run_as_service(bridge, tmp_path):
    """The exit status of `run`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = tmp_path / "notify"
        path.unlink(missing_ok=True)
        manager.bind(str(path))
        bridge.env["NOTIFY_SOCKET"] = str(path)
        done = bridge.cli("run", expect=None)
        del bridge.env["NOTIFY_SOCKET"]
    return done


def change(bridge, key, value):
    bridge.config[key] = value
    bridge.write_config()


def test_what_may_pass_is_tried_again_for_ever_and_a_wrong_configuration_is_not(start, tmp_path):
    assert setting("StartLimitIntervalSec") == ["0"] and setting("Restart") == ["on-failure"]
    assert setting("RestartPreventExitStatus") == [str(EX_CONFIG)]
    assert not setting("ExecStartPre"), "it would say every fault a second time"

    def status(**settings):
        bridge = start.bridge(start=False)
        for key, value in settings.items():
            change(bridge, key, value)
        done = run_as_service(bridge, tmp_path)
        assert done.returncode != 0
        # Without a service manager there are no other statuses than 0, 1 and 2.
        assert bridge.cli("run", expect=None).returncode == 1
        return done.returncode

    secret = {"name": "x", "provider": "creads", "path": "/x"}
    assert status(nonsense=1) == EX_CONFIG
    assert status(sources=[{**secret, "secrets": [{"env": "X_NOT_YET"}]}]) == 1
    assert status(sources=[{**secret, "secrets": [{"file": str(tmp_path / "not-yet")}]}]) == 1
    assert status(sources=[{**secret, "secrets": [{"file": str(tmp_path / "not-yet")}], "qos": 7}]) == EX_CONFIG
    assert status(mqtt={"servers": ["mqtts://x"], "tls": {"ca_file": str(tmp_path / "not-yet")}}) == 1
    assert status(outbox={"path": str(tmp_path / "no/such/folder/outbox.db")}) == 1


def test_a_wrong_configuration_is_said_once(start, tmp_path):
    bridge = start.bridge(start=False)
    change(bridge, "nonsense", 1)
    assert run_as_service(bridge, tmp_path).stderr.count(b"nonsense: ") == 1


def test_no_configuration_at_all_may_pass(start, tmp_path):
    bridge = start.bridge(start=False)
    bridge.config_file.unlink()
    assert run_as_service(bridge, tmp_path).returncode == 1


def test_the_unit_runs_the_program_that_the_tests_run():
    """Each line has a command that exists, with options that it takes."""
    for line in setting("ExecStart") + setting("ExecReload"):
        words = shlex.split(line)
        assert words[0] == "@BINDIR@/hook2mqtt"
        help_text = subprocess.run([PROGRAM, words[1], "--help"], capture_output=True, text=True, check=True).stdout
        for word in words[2:]:
            assert not word.startswith("-") or f"{word}," in help_text
    assert "ExecStart=@BINDIR@/hook2mqtt run -c @SYSCONFDIR@/hook2mqtt/bridge.json" in UNIT
    assert not setting("EnvironmentFile"), "what systemd reads is frozen until a restart, and wins"
