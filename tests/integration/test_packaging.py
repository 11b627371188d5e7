"""What is installed, what is generated and what documents say agree with the program."""
import os
import pathlib
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
        "usr/share/hook2mqtt/bridge.schema.json",
        "lib/systemd/system/hook2mqtt.service",
    }
    (destdir / "etc/hook2mqtt/bridge.json").write_text("{}")
    subprocess.run(["make", "-s", "uninstall", f"DESTDIR={destdir}", "PREFIX=/usr"], check=True, cwd=ROOT)
    left = {str(p.relative_to(destdir)) for p in destdir.rglob("*") if p.is_file()}
    assert left == {"etc/hook2mqtt/bridge.json"}


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
