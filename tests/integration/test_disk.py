"""The disk under the outbox: full, damaged, somebody else's, away."""

import os
import sqlite3
import subprocess

import pytest

from lib import events
from lib.bridge import PROGRAM
from lib.mqtt_server import refuse
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


@pytest.fixture
def disk(tmp_path):
    disk = SmallDisk(tmp_path)
    yield disk
    disk.close()


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


@pytest.mark.parametrize("with_log", (False, True), ids=("alone", "with its log"))
def test_an_empty_database_is_refused_with_what_to_do_and_nobody_removes_its_log(start, with_log):
    bridge = start.bridge(None)
    bridge.accept(events.body())
    bridge.kill()
    path = bridge.folder / "outbox.db"
    os.truncate(path, 0)
    if not with_log:
        for beside in bridge.folder.glob("outbox.db-*"):
            beside.unlink()
    before = contents(bridge.folder)
    refuses_to_start(bridge, str(path), "empty", "backup", "move it")
    for command in (("outbox", "ls"), ("outbox", "stats"), ("outbox", "drop", "--all"), ("dead", "ls")):
        assert b"empty" in bridge.cli(*command, expect=1).stderr
    assert contents(bridge.folder) == before


# Looking


def contents(folder):
    """Of all files of the outbox, by name."""
    return {path.name: path.read_bytes() for path in folder.glob("*outbox.db*") if path.is_file()}


def end(bridge, _):
    assert bridge.stop() == 0


def kill(bridge, _):
    bridge.kill()


def kill_and_remove_index(bridge, path):
    bridge.kill()
    path.with_name(path.name + "-shm").unlink()


each_stop = pytest.mark.parametrize("stop", (end, kill, kill_and_remove_index))


@each_stop
@pytest.mark.parametrize("name", ("outbox.db", "100% # ? outbox.db"))
def test_looking_at_a_stopped_outbox_changes_no_byte_of_any_file(start, tmp_path, stop, name):
    bridge = start.bridge(None, {"outbox": {"path": str(tmp_path / name)}})
    ids = [bridge.accept(events.body(gid=f"g{i}")) for i in range(3)]
    dead = bridge.post(b"no event").json()["id"]
    stop(bridge, tmp_path / name)
    before = contents(tmp_path)
    assert len(before) == {end: 2, kill: 4, kill_and_remove_index: 3}[stop]
    assert [row["id"] for row in bridge.rows("outbox")] == ids
    assert [row["id"] for row in bridge.rows("dead")] == [dead]
    assert ids[0].encode() in bridge.cli("outbox", "show", ids[0]).stdout
    assert b" 3 events" in bridge.cli("outbox", "stats").stdout
    assert contents(tmp_path) == before


def test_looking_while_it_runs_changes_nothing_and_sees_everything(start):
    bridge = start.bridge(None)
    ids = [bridge.accept(events.body(gid=f"g{i}")) for i in range(3)]
    before = contents(bridge.folder)
    assert [row["id"] for row in bridge.rows("outbox")] == ids
    after = contents(bridge.folder)
    assert {name: after[name] for name in ("outbox.db", "outbox.db-wal")} == {
        name: before[name] for name in ("outbox.db", "outbox.db-wal")
    }


@each_stop
def test_looking_works_on_a_read_only_file_system(start, disk, stop):
    bridge = start.bridge(None, {"outbox": {"path": str(disk.path / "outbox.db")}}, wrapper=disk.wrapper)
    one = bridge.accept(events.body())
    stop(bridge, disk.seen / "outbox.db")
    disk.run("mount", "-o", "remount,ro", str(disk.path))
    listed = disk.run(*[str(PROGRAM), "-c", str(bridge.config_file), "outbox", "ls"])
    assert one.encode() in listed


# Names


LINKS = {"symbolic": os.symlink, "hard": os.link}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_a_second_bridge_through_a_link_refuses_to_start(start, tmp_path, link):
    first = start.bridge(None)
    other = tmp_path / "other.db"
    link(first.config["outbox"]["path"], other)
    second = start.bridge(None, {"outbox": {"path": str(other)}}, start=False)
    refuses_to_start(second, "another hook2mqtt runs")
    one = first.accept(events.body())
    assert [row["id"] for row in first.rows("outbox")] == [one]


def test_through_a_link_it_is_the_same_outbox(start, tmp_path):
    real = tmp_path / "real" / "x.db"
    real.parent.mkdir()
    link = tmp_path / "link.db"
    link.symlink_to("real/x.db")
    bridge = start.bridge(None, {"outbox": {"path": str(link)}})  # made behind the link
    one = bridge.accept(events.body())
    bridge.kill()
    assert [row["id"] for row in bridge.rows("outbox")] == [one]
    assert link.is_symlink() and real.is_file() and not list(tmp_path.glob("link.db-*"))
    bridge.config["outbox"]["path"] = str(real)
    bridge.write_config()
    bridge.start()
    assert [row["id"] for row in bridge.rows("outbox")] == [one]


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


def post_until(bridge, count, prefix, size=8000):
    """Events of this size, one after the other; returns the bodies and the answers that were not 200."""
    bodies, others = [], []
    with bridge.connect() as connection:
        for i in range(count):
            bodies.append(events.body(gid=f"{prefix}{i}", pad="x" * size))
            answer = bridge.post(bodies[-1], connection=connection)
            if answer.status != 200:
                others.append(answer)
    return bodies, others


@pytest.fixture
def medium_disk(tmp_path):
    disk = SmallDisk(tmp_path, "24m")
    yield disk
    disk.close()


def test_on_a_short_disk_kept_events_go_before_any_webhook_is_refused(medium_disk, start, broker):
    """With the default configuration, which asks for more than the disk has."""
    config = {"outbox": {"path": str(medium_disk.path / "outbox.db")}}
    bridge = start.bridge(broker, config, wrapper=medium_disk.wrapper).wait_connected()
    bodies, refused = post_until(bridge, 6000, "s")
    assert not refused, f"{len(refused)} of {len(bodies)}: {refused[0]}\n{bridge.log_text()}"
    bridge.wait_settled()
    assert bridge.metrics().value("outbox_full_total") == 0
    assert 500 < bridge.metrics().value("outbox_stored_rows") < 3000, "kept as long as there is room"


def test_on_a_short_disk_an_outage_that_was_drained_leaves_no_trace(medium_disk, start, broker):
    proxy = start.proxy(broker)
    proxy.refuse()
    config = {"outbox": {"path": str(medium_disk.path / "outbox.db")}}
    bridge = start.bridge(proxy, config, wrapper=medium_disk.wrapper)
    accepted, refused = post_until(bridge, 4000, "o")
    assert refused and all(answer.status == 503 for answer in refused)
    assert bridge.get("/readyz").status == 503
    proxy.resume()
    bridge.wait_settled()
    wait_until(bridge.is_ready, "ready")
    bodies, refused = post_until(bridge, 4000, "a")
    assert not refused, f"{len(refused)} of {len(bodies)}: {refused[0]}\n{bridge.log_text()}"


def test_when_others_fill_the_disk_kept_events_make_room(medium_disk, start, broker):
    config = {"outbox": {"path": str(medium_disk.path / "outbox.db")}}
    bridge = start.bridge(broker, config, wrapper=medium_disk.wrapper).wait_connected()
    assert not post_until(bridge, 800, "b")[1]
    bridge.wait_settled()
    medium_disk.fill(leave=3 << 20)
    bodies, refused = post_until(bridge, 1500, "a")
    assert not refused, f"{len(refused)} of {len(bodies)}: {refused[0]}\n{bridge.log_text()}"
    bridge.wait_settled()


def files_bytes(bridge):
    return sum(path.stat().st_size for path in bridge.folder.glob("outbox.db*"))


def test_the_files_stay_within_their_bound_while_a_reader_stands_still(start, broker):
    bridge = start.bridge(broker, {"outbox": {"max_size": "2MiB", "keep_delivered": "0s"}}).wait_connected()
    bound = 2 * (2 << 20) + (32 << 20)
    bridge.accept(events.body(gid="first"))
    reader = sqlite3.connect(bridge.folder / "outbox.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM event").fetchone()
    answers, largest = [], 0
    for i in range(1200):
        answers.append(bridge.post(events.body(gid=f"r{i}", pad="x" * 60_000)))
        largest = max(largest, files_bytes(bridge))
        if len(answers) > 20 and all(answer.status == 503 for answer in answers[-20:]):
            break
    assert largest <= bound
    assert {answer.status for answer in answers} == {200, 503}
    assert int(answers[-1].header("Retry-After")) >= 1
    [full] = bridge.lines("outbox full: webhooks are refused until there is room")
    assert "while another program reads" in full["why"]
    assert bridge.get("/readyz").status == 503
    bridge.wait_settled()  # delivery goes on
    reader.close()
    wait_until(bridge.is_ready, "ready again, although no webhook came")
    bridge.accept(events.body(gid="last"))


def test_our_own_commands_do_not_hold_the_log(start, broker):
    """`outbox ls` in a pager that stands still."""
    bridge = start.bridge(broker, {"outbox": {"max_size": "2MiB"}}).wait_connected()
    for i in range(2000):
        bridge.accept(events.body(gid=f"f{i}"))
    pager = subprocess.Popen(
        [PROGRAM, *bridge.command("outbox"), "ls", "--json"], env=bridge.env, stdout=subprocess.PIPE
    )
    pager.stdout.readline()
    try:
        for i in range(300):
            bridge.accept(events.body(gid=f"r{i}", pad="x" * 60_000))
        assert bridge.metrics().value("outbox_wal_bytes") < 4 << 20
    finally:
        pager.kill()
        pager.communicate()


def half(path):
    os.truncate(path, path.stat().st_size // 2)


def garble(path):
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(data)


LOG_DAMAGE = {
    "cut": half,
    "emptied": lambda path: os.truncate(path, 0),
    "garbled": garble,
    "removed": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", LOG_DAMAGE.values(), ids=LOG_DAMAGE)
def test_what_a_damaged_log_has_lost_is_said_and_the_start_waits_for_salvage(start, broker, damage):
    bridge = start.bridge(None)
    bodies = [events.body(gid=f"e{i}", pad="x" * 2000) for i in range(40)]
    bridge.accept(bodies[0])
    bridge.restart()
    ids = [bridge.accept(body) for body in bodies[1:]]
    bridge.kill()
    damage(bridge.folder / "outbox.db-wal")
    left = len(bridge.rows("outbox"))
    assert 1 <= left < 40
    missing = f"lost {40 - left} accepted events (seq {left + 1} to 40)"
    for _ in range(2):  # it stays so
        refuses_to_start(bridge, missing, "hook2mqtt outbox salvage")
    assert missing.encode() in bridge.cli("outbox", "drop", "--all", expect=1).stderr
    said = bridge.cli("outbox", "salvage").stdout.decode()
    assert f"{40 - left} accepted events are missing (seq {left + 1} to 40)" in said
    assert "whole" in bridge.cli("outbox", "salvage").stdout.decode()
    bridge.start()
    assert bridge.metrics().value("outbox_lost_events") == 40 - left
    assert [row["id"] for row in bridge.rows("outbox")][1:] == ids[: left - 1]
    bridge.accept(events.body(gid="new"))
    bridge.kill()
    bridge.start()


def test_a_lost_dead_letter_is_noticed_too(start):
    bridge = start.bridge(None)
    bridge.accept(events.body())
    bridge.restart()
    bridge.post(b"no event")
    bridge.kill()
    os.truncate(bridge.folder / "outbox.db-wal", 0)
    refuses_to_start(bridge, "dead letters", "hook2mqtt outbox salvage")


def test_no_loss_is_reported_without_one(start, broker):
    """Restarts, kills, changes by hand, duplicates, a record that is gone or half written."""
    bridge = start.bridge(broker).wait_connected()
    body = events.body()
    one = bridge.accept(body)
    for change in (
        lambda: bridge.post(body),
        lambda: bridge.post(b"no event"),
        lambda: bridge.cli("outbox", "replay", one),
        lambda: bridge.cli("dead", "drop", "--all"),
        lambda: bridge.cli("outbox", "drop", "--delivered"),
    ):
        bridge.wait_settled()
        change()
        bridge.kill()
        bridge.start().wait_connected()
    record = bridge.folder / "outbox.db-synced"
    for damage in (lambda: record.unlink(), lambda: half(record), lambda: record.write_text("synced 9")):
        bridge.kill()
        damage()
        bridge.start()


def test_an_older_copy_in_its_place_is_noticed(start, tmp_path):
    bridge = start.bridge(None)
    bridge.accept(events.body(gid="first"))
    assert bridge.stop() == 0
    path = bridge.folder / "outbox.db"
    older = path.read_bytes()
    bridge.start()
    bridge.accept(events.body(gid="second"))
    assert bridge.stop() == 0
    path.write_bytes(older)
    refuses_to_start(bridge, "lost 1 accepted events (seq 2 to 2)")


def damage_page_with(path, text, page=16384):
    data = bytearray(path.read_bytes())
    at = data.find(text) // page * page
    assert at > 0
    data[at : at + page] = os.urandom(page)
    path.write_bytes(data)


def test_of_a_damaged_outbox_every_row_that_can_be_read_is_saved(start, broker):
    bridge = start.bridge(None)
    bodies = [events.body(gid=f"e{i}", pad=f"<{i}>" * 500) for i in range(100)]
    ids = [bridge.accept(body) for body in bodies]
    dead = bridge.post(b"no event").json()["id"]
    assert bridge.stop() == 0
    path = bridge.folder / "outbox.db"
    damage_page_with(path, b"<50><50><50>")
    subscriber = start.subscriber(broker)
    bridge.config["mqtt"]["servers"] = [broker.url]
    bridge.write_config()
    assert bridge.start(ready=False).wait_end() == 1, "what it cannot read it cannot deliver"
    assert "hook2mqtt outbox salvage" in bridge.log_text()
    damaged = path.read_bytes()

    said = bridge.cli("outbox", "salvage").stdout.decode()
    assert "rows could not be read" in said and "1 dead letters" in said
    [aside] = bridge.folder.glob("outbox.db.damaged-*")
    assert aside.read_bytes() == damaged and str(aside) in said
    assert not list(bridge.folder.glob("*.salvage*"))
    saved = [row["id"] for row in bridge.rows("outbox")]
    assert len(saved) > 80 and ids[50] not in saved
    bridge.start()
    bridge.wait_settled()
    subscriber.wait(lambda: set(saved) <= {m.property("id") for m in subscriber.under("partners/")}, "all that was saved")
    arrived = list(dict.fromkeys(m.property("id") for m in subscriber.under("partners/")))
    assert arrived == [one for one in ids if one in set(arrived)], "in order"
    assert [row["id"] for row in bridge.rows("dead")] == [dead]
    assert bridge.stop() == 0
    assert b"whole" in bridge.cli("outbox", "salvage").stdout
    bridge.start()


def test_a_salvage_keeps_what_was_held_undelivered_and_in_order(start, broker):
    """The watermark has passed the held ones: who takes it for delivery loses them."""
    server = start.mqtt_server(refuse("held", 0x97))
    bridge = start.bridge(server).wait_connected()
    held = [bridge.accept(events.body(gid="held", pad=f"<h{i}>" * 500)) for i in range(3)]
    passed = [bridge.accept(events.body(gid=f"g{i}", pad=f"<{i}>" * 500)) for i in range(60)]
    bridge.wait_metric("published_total", 60)
    bridge.wait_metric("held_events", 3)
    waiting = [row["id"] for row in bridge.rows("outbox", "--undelivered")]
    assert waiting == held
    assert bridge.stop() == 0
    damage_page_with(bridge.folder / "outbox.db", b"<50><50><50>")
    said = bridge.cli("outbox", "salvage").stdout.decode()
    assert "rows could not be read" in said
    waiting = [row["id"] for row in bridge.rows("outbox", "--undelivered")]
    assert waiting[:3] == held and set(waiting) <= {*held, *passed} and passed[50] not in waiting
    subscriber = start.subscriber(broker)
    bridge.config["mqtt"]["servers"] = [broker.url]
    bridge.write_config()
    bridge.start()
    bridge.wait_settled()
    arrived = [m.property("id") for m in subscriber.wait_under("partners/", len(waiting))]
    assert [one for one in arrived if one in held] == held, "in order, each once"
    assert [one for one in arrived if one in passed] == [one for one in waiting if one in passed]
    assert bridge.metrics().value("held_events") == 0 and bridge.metrics().value("dead_letters") == 0


def test_salvage_changes_nothing_where_there_is_nothing_to_do(start):
    bridge = start.bridge(None)
    bridge.accept(events.body())
    assert b"stop it first" in bridge.cli("outbox", "salvage", expect=1).stderr
    assert bridge.stop() == 0
    before = contents(bridge.folder)
    assert b"whole" in bridge.cli("outbox", "salvage").stdout
    assert contents(bridge.folder) == before
    (bridge.folder / "outbox.db").write_bytes(b"no database" * 100)
    before = contents(bridge.folder)
    assert b"not an outbox" in bridge.cli("outbox", "salvage", expect=1).stderr
    assert contents(bridge.folder) == before


@pytest.mark.parametrize("name", ("outbox.db", "outbox.db-wal", "outbox.db-shm"))
@pytest.mark.parametrize("how", ("removed", "replaced"))
def test_a_file_that_is_gone_is_noticed_before_the_next_answer(start, name, how):
    bridge = start.bridge(None)
    bridge.accept(events.body(gid="before"))
    path = bridge.folder / name
    content = path.read_bytes()
    path.unlink()
    if how == "replaced":
        path.write_bytes(content)
    assert bridge.post(events.body(gid="after")).status == 503
    assert bridge.wait_end() == 1
    [fatal] = bridge.lines(level="fatal")
    assert str(path) in str(fatal) and "removed or replaced" in str(fatal)


def test_a_file_that_is_gone_is_noticed_although_no_webhook_comes(start):
    bridge = start.bridge(None)
    (bridge.folder / "outbox.db").rename(bridge.folder / "moved.db")
    assert bridge.wait_end() == 1
    assert "removed or replaced" in bridge.log_text()


def test_a_lock_of_another_program_is_called_that_and_passes(start):
    bridge = start.bridge(None)
    bridge.accept(events.body(gid="before"))
    other = sqlite3.connect(bridge.folder / "outbox.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = bridge.post(events.body(gid="while"))
    assert answer.status == 503 and int(answer.header("Retry-After")) >= 1
    assert "locked" in answer.json()["message"]
    ready = bridge.get("/readyz")
    assert ready.status == 503 and "locked" in ready.json()["reason"]
    assert bridge.lines("outbox locked by another program: webhooks are refused until it lets go")
    assert not bridge.lines("outbox full: webhooks are refused until there is room")
    other.execute("ROLLBACK")
    wait_until(bridge.is_ready, "ready again, although no webhook came")
    bridge.accept(events.body(gid="after"))
    assert bridge.lines("outbox is no longer locked")


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


IDENTITY_BYTES = 72


@pytest.mark.parametrize("mib", (1, 8))
def test_identities_leave_room_in_the_bound_however_many_are_asked_for(start, broker, mib):
    """A table as full as it gets, beside a small max_size."""
    outbox = {"max_size": f"{mib}MiB", "keep_delivered": "0s", "dedupe_entries": 16_777_216}
    bridge = start.bridge(broker, {"outbox": outbox}).wait_connected()
    most = ((mib << 20) // 2 + (20 << 20)) // IDENTITY_BYTES
    assert most > 262_144, "the default is never lowered"
    assert bridge.stop() == 0
    path = bridge.folder / "outbox.db"
    with sqlite3.connect(path) as database:
        database.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO identity"
            " (dedupe_key, digest, id, received_ms) SELECT randomblob(16), randomblob(16), randomblob(16), 1 FROM n",
            (most,),
        )
    database.close()
    bridge.start().wait_connected()
    bound, largest = 2 * (mib << 20) + (32 << 20), 0
    for i in range(3000):
        bridge.accept(events.body(gid=f"i{i}"))
        largest = max(largest, files_bytes(bridge)) if i % 50 == 0 else largest
    bridge.wait_settled()
    print(f"{largest / 2**20:.1f} of {bound / 2**20:.0f} MiB")
    assert largest <= bound
    assert bridge.stop() == 0
    with sqlite3.connect(path) as database:
        [count] = database.execute("SELECT count(*) FROM identity").fetchone()
    database.close()
    assert count <= most
