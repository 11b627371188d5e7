"""What is installed, what is generated and what documents say agree with the program."""
import os
import pathlib
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


def test_the_schema_in_the_tree_is_the_one_the_program_prints():
    assert (ROOT / "config/bridge.schema.json").read_text() == program("help", "schema")


def test_the_settings_table_in_the_documents_is_the_one_the_program_prints():
    assert (ROOT / "config/README.md").read_text().endswith("\n\n" + program("help", "config").strip() + "\n")


def test_the_shipped_samples_validate_against_the_schema():
    subprocess.run(["/usr/bin/python3", "tests/lib/check_schema.py"], check=True, cwd=ROOT)
