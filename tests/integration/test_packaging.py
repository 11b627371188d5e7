"""What is installed, what is generated and what documents say agree with the program."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HOOK2MQTT_BUILD", "build"))
PROGRAM = os.environ.get("HOOK2MQTT", str(ROOT / BUILD / "hook2mqtt"))


def program(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.fixture
def destdir(tmp_path):
    subprocess.run(["make", "-s", "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"], check=True, cwd=ROOT)
    return tmp_path


def test_install_puts_everything_where_it_belongs_and_uninstall_takes_it_away(destdir):
    installed = {str(p.relative_to(destdir)) for p in destdir.rglob("*") if p.is_file()}
    assert installed == {
        "usr/bin/hook2mqtt",
        "etc/hook2mqtt/bridge.json.example",
        "etc/hook2mqtt/environment",
        "usr/share/hook2mqtt/bridge.schema.json",
        "usr/share/man/man1/hook2mqtt.1",
        "usr/lib/sysusers.d/hook2mqtt.conf",
        "lib/systemd/system/hook2mqtt.service",
    }
    assert (destdir / "etc/hook2mqtt/environment").stat().st_mode & 0o777 == 0o640
    (destdir / "etc/hook2mqtt/bridge.json").write_text("{}")
    subprocess.run(["make", "-s", "uninstall", f"DESTDIR={destdir}", "PREFIX=/usr"], check=True, cwd=ROOT)
    left = {str(p.relative_to(destdir)) for p in destdir.rglob("*") if p.is_file()}
    assert left == {"etc/hook2mqtt/bridge.json", "etc/hook2mqtt/environment"}


def test_an_install_leaves_the_environment_as_it_was(destdir):
    (destdir / "etc/hook2mqtt/environment").write_text("A=1\n")
    subprocess.run(["make", "-s", "install", f"DESTDIR={destdir}", "PREFIX=/usr"], check=True, cwd=ROOT)
    assert (destdir / "etc/hook2mqtt/environment").read_text() == "A=1\n"


def test_what_the_installed_files_name_exists(destdir):
    example = (destdir / "etc/hook2mqtt/bridge.json.example").read_text()
    schema = re.search(r'"\$schema": "([^"]+)"', example)[1]
    assert (destdir / schema[1:]).read_text() == program("help", "schema")
    unit = (destdir / "lib/systemd/system/hook2mqtt.service").read_text()
    assert re.search(r"^Documentation=man:hook2mqtt\(1\)$", unit, re.M)
    for line in re.findall(r"^Exec\w+=(\S+)", unit, re.M):
        assert (destdir / line[1:]).exists(), line


def test_the_user_is_made_by_sysusers(destdir, tmp_path):
    """Into a root of its own, as when a machine's image is made."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    conf = destdir / "usr/lib/sysusers.d/hook2mqtt.conf"
    subprocess.run(["systemd-sysusers", f"--root={root}", conf], check=True)
    user = next(line for line in (root / "etc/passwd").read_text().splitlines() if line.startswith("hook2mqtt:"))
    assert user.split(":")[5] == "/var/lib/hook2mqtt" and "nologin" in user
    unit = (destdir / "lib/systemd/system/hook2mqtt.service").read_text()
    assert re.findall(r"^(User|Group)=hook2mqtt$", unit, re.M) == ["User", "Group"]


def test_the_manual_page_has_every_command_and_is_clean_roff(destdir):
    page = destdir / "usr/share/man/man1/hook2mqtt.1"
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", page], capture_output=True, text=True, check=False,
                          env={**os.environ, "MANPAGER": "cat", "MANWIDTH": "100"}) if shutil.which("groff") else None
    text = page.read_text()
    for name in re.findall(r"^  ([a-z]+) ", program("help"), re.M):
        assert f".SS {name}\n" in text, name
    for line in text.splitlines():
        assert not line.startswith("'") and (line[:1] != "." or re.match(r"\.(TH|SH|SS|TP|B|nf|fi)\b", line)), line
    assert not done or (done.returncode == 0 and done.stderr == "")


def test_the_installed_unit_is_tight(destdir):
    unit = destdir / "lib/systemd/system/hook2mqtt.service"
    assert "@" not in unit.read_text().replace("@system-service", "").replace("@privileged", "").replace("@resources", "")
    report = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)],
        capture_output=True, text=True,
    )
    assert report.returncode == 0, report.stdout[-300:] + report.stderr


def asked_of_apt(target, folder, commands):
    """The packages that a target would install where dpkg knows of none, and only these commands are there."""
    for name in ("bash", "env", "find", "grep", "id", "make", "sort", "sh"):
        (folder / name).symlink_to(shutil.which(name))
    for name in (*commands, "dpkg-query", "apt-get"):
        (folder / name).write_text(
            f"#!/bin/sh\n[ {name} = apt-get ] && echo \"$@\" >> {folder}/asked\n[ {name} != dpkg-query ]\n"
        )
        (folder / name).chmod(0o755)
    subprocess.run([folder / "make", "-s", target, "SUDO="], check=True, cwd=ROOT, env={"PATH": str(folder)})
    asked = (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else []
    return {word for line in asked if line.startswith("install") for word in line.split()[1:] if word[0] != "-"}


def test_what_is_there_from_elsewhere_is_not_installed_again(tmp_path):
    """Node.js often comes from its own repository, with which Debian's npm cannot be installed."""
    for name in "all", "none":
        (tmp_path / name).mkdir()
    without = asked_of_apt("deps-bench", tmp_path / "none", [])
    assert {"nodejs", "npm", "gcc"} <= without
    asked = asked_of_apt("deps-bench", tmp_path / "all", ["node", "npm", "mosquitto"])
    assert asked == without - {"nodejs", "npm", "mosquitto"}


def test_the_schema_in_the_tree_is_the_one_the_program_prints():
    assert (ROOT / "config/bridge.schema.json").read_text() == program("help", "schema")


def test_the_settings_table_in_the_documents_is_the_one_the_program_prints():
    assert (ROOT / "config/README.md").read_text().endswith("\n\n" + program("help", "config").strip() + "\n")


def test_the_shipped_samples_validate_against_the_schema():
    subprocess.run(["/usr/bin/python3", "tests/lib/check_schema.py"], check=True, cwd=ROOT)
