"""The installed unit under the real systemd: one story, whose steps are looked at one by one."""

import os
import re
import shutil
import subprocess

import pytest

from lib.bridge import ROOT, is_sanitized

SCRIPT = r"""
step() { echo "=== $1"; }
state() { systemctl show hook2mqtt -p ActiveState -p ExecMainStatus -p NRestarts | sort | tr '\n' ' '; echo; }
wait_ready() { for _ in $(seq 300); do hook2mqtt health --ready 2>/dev/null && return; sleep 0.1; done; echo not ready; }
config() {
    echo "{ \"sources\": [ { \"name\": \"partners\", \"provider\": \"creads\", \"path\": \"/webhooks/partners\", $1
          \"secrets\": [{ \"env\": \"PARTNERS_SECRET\" }, { \"file\": \"/etc/hook2mqtt/two\" }] } ] }" > /etc/hook2mqtt/bridge.json
}
systemctl start systemd-journald.socket systemd-journald.service
systemd-sysusers /usr/lib/sysusers.d/hook2mqtt.conf 2>/dev/null
chgrp hook2mqtt /etc/hook2mqtt/environment
systemctl daemon-reload

step nothing
systemctl start hook2mqtt 2>/dev/null; echo "start $?"
state
config ''
for _ in $(seq 200); do [ "$(systemctl show hook2mqtt -p NRestarts --value)" -ge 1 ] && break; sleep 0.1; done
echo 'PARTNERS_SECRET=s3cret' >> /etc/hook2mqtt/environment
install -m 640 -g hook2mqtt /dev/null /etc/hook2mqtt/two; echo other > /etc/hook2mqtt/two
wait_ready
state
hook2mqtt trigger partners project:resource.updated

step reload
echo 'NEW=n3w' >> /etc/hook2mqtt/environment
config '"topic": "${NEW}/{gid}",'
systemctl reload hook2mqtt; echo "reload $?"
config '"topic": "${NONE}/{gid}",'
systemctl reload hook2mqtt 2>/dev/null; echo "reload $?"
state

step wrong
config '"qoss": 1,'
systemctl restart hook2mqtt 2>/dev/null; echo "restart $?"
sleep 6  # longer than RestartSec=
state
echo "said $(journalctl -u hook2mqtt -o cat | grep -c '^sources\[0\].qoss: ')"

step killed
config ''
systemctl start hook2mqtt; echo "start $?"
kill -9 "$(systemctl show hook2mqtt -p MainPID --value)"
wait_ready
state
stat -c '%U %a' /var/lib/hook2mqtt /run/hook2mqtt /etc/hook2mqtt/two
systemctl stop hook2mqtt; echo "stop $?"
state

step journal
journalctl -u hook2mqtt -p err -o cat
step end
"""


def may_run():
    """Everything that systemd needs, in namespaces of its own."""
    probe = "mount --make-rprivate / && mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/r && " \
            "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r && " \
            "mount -t cgroup -o none,name=systemd cgroup /mnt/r/mnt && ip link set lo up"
    command = ["unshare", "--pid", "--mount", "--net", "--cgroup", "--fork", "sh", "-c", probe]
    return os.path.exists("/lib/systemd/systemd") and not is_sanitized() and \
        subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """{step: its lines}"""
    if not may_run():
        pytest.skip("systemd cannot run in namespaces here")
    folder = tmp_path_factory.mktemp("systemd")
    files = folder / "files"
    subprocess.run(["make", "-s", "install", f"DESTDIR={files}"], check=True, cwd=ROOT)
    if not os.path.islink("/lib"):
        (files / "usr/lib").mkdir(exist_ok=True)
    else:
        shutil.copytree(files / "lib", files / "usr/lib", dirs_exist_ok=True)
        shutil.rmtree(files / "lib")
    drop_in = files / "etc/systemd/system/hook2mqtt.service.d/world.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nPrivateDevices=no\n")  # it has no devices that could be made private
    (folder / "script").write_text(SCRIPT)
    subprocess.run([ROOT / "tests/lib/systemd_world.sh", folder], timeout=120, check=False, stdin=subprocess.DEVNULL)
    out = (folder / "out/script").read_text()
    parts = re.split(r"^=== (\w+)\n", out, flags=re.M)
    assert parts[-2] == "end", out
    return {name: text.splitlines() for name, text in zip(parts[1::2], parts[2::2])}


def test_what_lacks_is_waited_for_and_secrets_of_root_are_read(story):
    failed, activating, ok, running, sent = story["nothing"]
    assert failed == "start 1" and activating == "ActiveState=activating ExecMainStatus=1 NRestarts=0 "
    assert ok == "ok" and running.startswith("ActiveState=active ExecMainStatus=0 NRestarts=")
    assert sent.startswith("200 accepted ")


def test_a_reload_reads_the_environment_file_and_fails_when_the_bridge_refuses(story):
    good, bad, state = story["reload"]
    assert (good, bad) == ("reload 0", "reload 1")
    assert state.startswith("ActiveState=active ")


def test_a_wrong_configuration_is_said_once(story):
    assert story["wrong"] == ["restart 1", "ActiveState=failed ExecMainStatus=78 NRestarts=0 ", "said 1"]


def test_a_killed_bridge_is_started_again_and_its_files_are_its_own(story):
    start, ok, state, *files, stop, stopped = story["killed"]
    assert (start, ok, stop) == ("start 0", "ok", "stop 0")
    assert state == "ActiveState=active ExecMainStatus=0 NRestarts=1 "
    assert files == ["hook2mqtt 700", "hook2mqtt 755", "root 640"]
    assert stopped.startswith("ActiveState=inactive ")


def test_errors_have_their_priority_in_the_journal(story):
    text = "\n".join(story["journal"])
    for said in (
        "/etc/hook2mqtt/bridge.json: cannot be read", "the environment variable NONE is not set", "not reloaded: the bridge has refused", "sources[0].qoss: unknown key",
        "not started: 1 error in the configuration",
    ):
        assert said in text, said
    assert "level=info" not in text
