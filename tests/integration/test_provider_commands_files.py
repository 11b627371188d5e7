"""`provider …` and the files it writes: full disks, folders that cannot be synced, pipes in the place of files."""

import json
import os
import pathlib
import subprocess

import pytest

from lib.api_server import Answer
from lib.bridge import PROGRAM
from lib.provider_commands import (
    CONFIGS, HOOK_SECRET, TOKEN, Commands, answer_codes, codes, config, entry_point, names_in, ricloud_source,
    state_file, weavy_source,
)
from lib.small_disk import SmallDisk
from lib.wait import DEADLINE_S


@pytest.fixture
def disk(tmp_path):
    disk = SmallDisk(tmp_path)
    yield disk
    disk.close()


def run_on(disk, commands, *args, expect):
    command = [*disk.wrapper, PROGRAM, "-c", commands.bridge.config_file, "provider", commands.provider, *args]
    done = subprocess.run(command, env=commands.bridge.env, capture_output=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == expect, done
    return done.stderr.decode()


def test_nothing_is_created_on_a_full_disk(start, api, disk):
    commands = Commands(start, "ricloud", ricloud_source(api, [{"file": str(disk.path / "one")}]))
    api.on("POST", CONFIGS, Answer(201, config("valid", secret=HOOK_SECRET)))
    disk.fill()
    assert "No space left on device" in run_on(disk, commands, "create", expect=1)
    assert api.asked() == [] and names_in(disk.seen) == ["filler"]
    disk.make_room()
    run_on(disk, commands, "create", expect=0)
    assert (disk.seen / "one").read_text() == HOOK_SECRET and names_in(disk.seen) == ["one"]


def test_a_disk_that_fills_up_meanwhile_has_room_for_the_secret(start, api, disk):
    commands = Commands(start, "ricloud", ricloud_source(api, [{"file": str(disk.path / "one")}]))
    api.on("POST", CONFIGS, lambda _: (disk.fill(), Answer(201, config("valid", secret=HOOK_SECRET)))[1])
    run_on(disk, commands, "create", expect=0)
    assert (disk.seen / "one").read_text() == HOOK_SECRET


def test_no_event_is_subscribed_whose_code_would_find_no_room(start, api, disk):
    commands = Commands(start, "weavy", weavy_source(api, state_file=str(disk.path / "weavy.json")))
    answer_codes(api)
    run_on(disk, commands, "login", expect=0)
    disk.fill()
    err = run_on(disk, commands, "subscribe", "NewDeal", expect=1)
    assert "NewDeal: make room for" in err and "No space left on device" in err
    assert len(api.asked()) == 1 and names_in(disk.seen) == ["filler", "weavy.json"]


def test_a_disk_that_fills_up_meanwhile_has_room_for_a_code(start, api, disk):
    commands = Commands(start, "weavy", weavy_source(api, state_file=str(disk.path / "weavy.json")))
    answer_codes(api)
    run_on(disk, commands, "login", expect=0)
    api.on("POST", entry_point("Subscribe"),
           lambda _: (disk.fill(), {"result": {"codeWebhookSubscription": "the-code"}})[1])
    run_on(disk, commands, "subscribe", "NewDeal", expect=0)
    (stored,) = json.loads((disk.seen / "weavy.json").read_text())["subscriptions"]
    assert stored["code"] == "the-code" and names_in(disk.seen) == ["filler", "weavy.json"]


def run_with_a_folder_that_cannot_be_synced(commands, trace, *args):
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", trace, "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=2", PROGRAM,
         "-c", commands.bridge.config_file, "provider", commands.provider, *args],
        env={**commands.bridge.env, "ASAN_OPTIONS": "detect_leaks=0"}, capture_output=True,
        timeout=DEADLINE_S, check=False,
    )
    assert "(INJECTED)" in trace.read_text()
    return done.returncode, done.stderr.decode()


def test_a_secret_in_a_folder_that_could_not_be_synced_is_stored_and_warned_of(api, ricloud, secret_file, tmp_path):
    api.on("POST", CONFIGS, Answer(201, config("valid", secret=HOOK_SECRET)))
    status, err = run_with_a_folder_that_cannot_be_synced(ricloud, tmp_path / "trace", "create")
    assert status == 0, err
    assert "is stored, but a power cut may undo that: sync the directory" in err and "NOT STORED" not in err
    assert secret_file.read_text() == HOOK_SECRET and names_in(secret_file.parent) == ["one"]


def test_a_code_in_a_folder_that_could_not_be_synced_is_stored_and_warned_of(api, weavy, tmp_path):
    answer_codes(api)
    weavy.run("login")
    status, err = run_with_a_folder_that_cannot_be_synced(weavy, tmp_path / "trace", "subscribe", "NewDeal")
    assert status == 0, err
    assert "is stored, but a power cut may undo that" in err and codes(weavy) == ["code-NewDeal"]


@pytest.mark.parametrize("setting", ["api", "mqtt"])
def test_a_pipe_in_the_place_of_a_certificate_keeps_nobody_waiting(start, api, authority, tmp_path, setting):
    file = tmp_path / "ca.pem"
    file.write_bytes(pathlib.Path(authority.cert).read_bytes())
    source = ricloud_source(api, [{"file": str(tmp_path / "one")}], **({"ca_file": str(file)} if setting == "api" else {}))
    mqtt = {"servers": ["mqtts://127.0.0.1:9"], "tls": {"ca_file": str(file)}} if setting == "mqtt" else {}
    bridge = start.bridge(None, {"sources": [source], "mqtt": mqtt}, env={"API_TOKEN": TOKEN})
    file.unlink()
    os.mkfifo(file)
    bridge.reload(refused=setting == "mqtt")  # of the API only the commands know
    assert "is not a regular file" in bridge.log_text()
    assert "is not a regular file" in bridge.cli("check", expect=None).stdout.decode()
    assert bridge.stop() == 0


def test_a_pipe_in_the_place_of_what_is_stored_keeps_nobody_waiting(api, ricloud, secret_file, weavy):
    os.mkfifo(secret_file)
    ricloud.run("create", expect=1)
    assert "is not a regular file" in ricloud.err
    os.mkfifo(state_file(weavy))
    for args in (["list"], ["login"]):
        weavy.fails(*args, saying="is not a regular file")
    assert api.asked() == []
