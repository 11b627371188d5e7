"""The disk under the outbox: full, damaged, somebody else's, away."""

import os
import sqlite3

import pytest

from lib import events
from lib.small_disk import SmallDisk
from lib.wait import wait_until


def refuses_to_start(bridge, *words):
    """It says why and ends with status 1, before it takes a single webhook."""
    assert bridge.start(ready=False).wait_end() == 1, bridge.log_text()
    fatal = [str(line) for line in bridge.log() if line["level"] in ("fatal", "error")]
    assert fatal, bridge.log_text()
    for word in words:
        assert any(word in line for line in fatal), f"{word!r} is not in {fatal}"
    assert not bridge.lines("ready")


def test_a_second_bridge_on_the_same_outbox_refuses_to_start(start):
    first = start.bridge(None)
    path = first.config["outbox"]["path"]
    second = start.bridge(None, {"outbox": {"path": path}}, start=False)
    refuses_to_start(second, path)
    first.accept(events.body())
    first.kill()
    second.start()
    assert len(second.rows("outbox")) == 1, "the lock went with its owner"


DAMAGE = {
    "zeroes": lambda data: bytes(len(data)),
    "noise": lambda data: os.urandom(len(data)),
    "text": lambda data: b"this is no database\n" * 500,
    "a broken header": lambda data: b"x" * 100 + data[100:],
    "noise behind the header": lambda data: data[:200] + os.urandom(len(data) - 200),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_outbox_is_refused_and_left_as_it_is(start, damage):
    bridge = start.bridge(None)
    bridge.accept(events.body())
    assert bridge.stop() == 0
    path = bridge.folder / "outbox.db"
    for beside in bridge.folder.glob("outbox.db-*"):
        beside.unlink()
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    refuses_to_start(bridge, str(path))
    assert path.read_bytes() == damaged, "what is left of it may still be worth something"


def test_another_programs_database_is_refused_and_left_as_it_is(start):
    bridge = start.bridge(None, start=False)
    path = bridge.folder / "outbox.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (a)")
    database.close()
    content = path.read_bytes()
    refuses_to_start(bridge, str(path))
    assert path.read_bytes() == content


def test_an_outbox_of_a_newer_version_is_refused(start):
    bridge = start.bridge(None)
    bridge.accept(events.body())
    assert bridge.stop() == 0
    path = bridge.folder / "outbox.db"
    with sqlite3.connect(path) as database:
        [version] = database.execute("PRAGMA user_version").fetchone()
        assert version > 0
        database.execute(f"PRAGMA user_version = {version + 1}")
    database.close()
    refuses_to_start(bridge, str(path), "newer")


def test_an_empty_file_is_a_new_outbox(start):
    """What is left if the power goes at the wrong moment of the very first start."""
    bridge = start.bridge(None, start=False)
    (bridge.folder / "outbox.db").touch()
    bridge.start().accept(events.body())


def test_a_folder_that_is_not_there_is_named(start, tmp_path):
    path = tmp_path / "nowhere" / "outbox.db"
    bridge = start.bridge(None, {"outbox": {"path": str(path)}}, start=False)
    assert bridge.start(ready=False).wait_end() == 1
    assert str(path.parent) in bridge.log_text() and "No such file or directory" in bridge.log_text()


def test_the_outbox_is_nobody_elses_to_read(start):
    bridge = start.bridge(None)
    bridge.accept(events.body())
    for path in bridge.folder.glob("outbox.db*"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.fixture
def disk(tmp_path):
    disk = SmallDisk(tmp_path)
    yield disk
    disk.close()


def test_a_full_disk_is_answered_503_until_there_is_room_and_delivery_goes_on(disk, start, broker):
    proxy = start.proxy(broker)
    proxy.refuse()
    outbox = {"path": str(disk.path / "outbox.db"), "max_size": "1GiB"}
    bridge = start.bridge(proxy, {"outbox": outbox}, wrapper=disk.wrapper)
    accepted = [events.body(gid="first")]
    bridge.accept(accepted[0])
    disk.fill()

    def refused():
        body = events.body(gid=f"d{len(accepted)}", pad="x" * 2000)
        answer = bridge.post(body)
        if answer.status == 200:  # into what SQLite had allocated before
            accepted.append(body)
        return answer if answer.status != 200 else None

    answer = wait_until(refused, "a refusal")
    assert answer.status == 503 and int(answer.header("Retry-After")) >= 1
    assert bridge.get("/healthz").status == 200
    wait_until(lambda: [x for x in bridge.log() if x["level"] in ("warn", "error")], "the log says so")

    # What is inside leaves all the same.
    subscriber = start.subscriber(broker)
    proxy.resume()
    arrived = [m.payload for m in subscriber.wait_under("partners/", len(accepted))]
    assert list(dict.fromkeys(arrived)) == accepted

    disk.make_room()
    last = events.body(gid="last")
    wait_until(lambda: bridge.post(last).status == 200, "room again")
    assert subscriber.wait_for(events.topic("last"))[-1].payload == last
    wait_until(bridge.is_ready, "ready")
    bridge.wait_metric("outbox_undelivered_events", 0)


def test_on_a_full_disk_it_starts_or_says_why_not_and_later_delivers_everything(disk, start, broker):
    """SQLite may need a page to open what is there."""
    config = {"outbox": {"path": str(disk.path / "outbox.db")}}
    before = start.bridge(None, config, wrapper=disk.wrapper)
    bodies = [events.body(gid=f"b{i}") for i in range(20)]
    for body in bodies:
        before.accept(body)
    before.kill()
    disk.fill()
    subscriber = start.subscriber(broker)
    bridge = start.bridge(broker, config, wrapper=disk.wrapper, start=False).start(ready=False)
    bridge.wait_log(lambda: bridge.lines("ready") or bridge.lines(level="fatal"), "either")
    if bridge.lines(level="fatal"):
        assert bridge.wait_end() == 1
        assert "No space left on device" in bridge.log_text()
        disk.make_room()
        bridge.start()
    arrived = [m.payload for m in subscriber.wait_under("partners/", 20)]
    assert list(dict.fromkeys(arrived)) == bodies
